"""What the landing page says at a glance: verdicts by part, what differs and why, what could not be compared."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from regulome.report_headlines import Reason, reason_for
from regulome.report_inputs import VERDICTS, Row, Step

# first digit of a step: title of the part, what is rebuilt there
PARTS = {
    "1": ("Part 1: binding", "two-tower predictor of RNA binding for unseen proteins, with structure profiles (PHIME)"),
    "2": ("Part 2: perturbation", "GPO-VAE, whose latent mask is a gene regulatory network"),
    "3": ("Part 3: circuits", "recurrent networks trained as gene circuits, read out by link mutation"),
    "4": ("Part 4: stochastic", "DynGPT, a transformer that solves and infers state-transition networks"),
    "5": ("All parts: knockouts", "what happens when something is removed, asked of all four systems"),
    "6": ("All parts: figures and tables", "the published panels, laid out as in the papers"),
}


@dataclass(frozen=True)
class Part:
    """The steps of one part: those with outputs, and all of them."""

    digit: str
    title: str
    about: str
    steps: tuple[Step, ...]
    done: tuple[Step, ...]

    @property
    def id(self) -> str:
        """Id of the part's section."""
        return f"part-{self.digit}"

    @property
    def rows(self) -> list[tuple[Step, Row]]:
        """Every number of the part with its step."""
        return [(step, row) for step in self.done for row in step.rows]


@dataclass(frozen=True)
class Difference:
    """Rows of one step that differ from the published number for one reason; the reason may be unknown."""

    step: Step
    reason: str
    rows: tuple[Row, ...]


def parts(steps: list[Step]) -> list[Part]:
    """Group steps by the first digit of their number."""
    found = []
    for digit, group in groupby(steps, key=lambda step: step.slug[0]):
        members = tuple(group)
        title, about = PARTS.get(digit, (f"Part {digit}", ""))
        found.append(Part(digit, title, about, members, tuple(step for step in members if not step.problem)))
    return found


def counts(steps: list[Step] | tuple[Step, ...]) -> Counter:
    """Count the verdicts of some steps."""
    return Counter(row.verdict for step in steps for row in step.rows)


def count_all(steps: list[Step]) -> list[str]:
    """Return the verdicts that occur, in their fixed order; agreement and disagreement are always listed."""
    found = counts(steps)
    return [name for name in VERDICTS if found[name] or name in ("agrees", "differs")]


def sentence(steps: list[Step]) -> str:
    """Say in words how many numbers agree and how many differ."""
    found = counts(steps)
    compared = found["agrees"] + found["differs"]
    if not compared:
        text = "No published number is compared"
    elif compared == 1:
        text = "One published number is compared with ours: it " + ("agrees" if found["agrees"] else "differs")
    else:
        text = f"{compared} published numbers are compared with ours: {_verb(found['agrees'], 'agree')}, "
        text += _verb(found["differs"], "differ")
    alone = found["not comparable"]
    if alone:
        text += f"; {alone} of our numbers {'has' if alone == 1 else 'have'} no published counterpart"
    return text + "."


def _verb(count: int, verb: str) -> str:
    return f"{count or 'none'} {verb}{'s' if count == 1 else ''}"


def differences(steps: list[Step], reasons: tuple[Reason, ...]) -> list[Difference]:
    """Return the rows that differ, those of one step and one reason together, in the order of the steps.

    The reason is the sentence of `reasons`, else the note of the row, else nothing.
    """
    groups: dict[tuple[str, str], tuple[Step, list[Row]]] = {}
    for step in steps:
        for row in step.rows:
            if row.verdict == "differs":
                why = reason_for(reasons, step.slug, row.id) or row.note
                groups.setdefault((step.slug, why), (step, []))[1].append(row)
    return [Difference(step, why, tuple(rows)) for (_, why), (step, rows) in groups.items()]


def leftovers(steps: list[Step]) -> dict[str, list]:
    """Collect what could not be run, what ran without a record, and per step the rows that could not be compared.

    The last are ``(step, number of rows, [(reason, rows), ...])`` with the most frequent reasons first.
    """
    uncompared = []
    for step in steps:
        reasons = Counter(row.note or "no reason given" for row in step.rows if row.verdict == "not comparable")
        if reasons:
            uncompared.append((step, reasons.total(), reasons.most_common()))
    return {
        "unfinished": [step for step in steps if step.problem],
        "unrecorded": [step for step in steps if not step.problem and not step.run],
        "uncompared": uncompared,
    }
