"""The headline numbers of the landing page: a model's number beside its baselines and its ceiling.

``templates/headlines.yaml`` names rows of ``results.csv`` by their ids; every number on the page is read from
the outputs of the run. Rows that a profile does not have are left out, a headline without its model as well.
"""

import re
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

import yaml

from regulome import report_format as fmt
from regulome.errors import UserError, closest
from regulome.report_inputs import Row, Step

FILE = "headlines.yaml"
BETTER = ("higher", "lower")
SHOWN = 6  # baselines on the page; the others are summarised by their range


@dataclass(frozen=True)
class Entry:
    """One headline as the file states it; ids are exact, or patterns such as ``truth.auprc.*``.

    `models`, `baselines` and `ceilings` are pairs (id, label); a label of "" is made from the row's quantity.
    """

    title: str
    says: str
    step: str
    better: str
    models: tuple[tuple[str, str], ...]
    baselines: tuple[tuple[str, str], ...] = ()
    ceilings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reason:
    """Why rows of a step differ from the published numbers; `rows` are ids or patterns."""

    step: str
    rows: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Line:
    """One number of a headline: its row, a short label and its role (model, baseline or ceiling)."""

    row: Row
    label: str
    role: str


@dataclass(frozen=True)
class Headline:
    """A headline with the rows of a run: models first, then baselines and ceilings, the best first."""

    entry: Entry
    step: Step
    lines: tuple[Line, ...]

    def of(self, role: str) -> list[Line]:
        """Return the lines of one role."""
        return [line for line in self.lines if line.role == role]

    @property
    def shown(self) -> list[Line]:
        """Models, ceilings and the best baselines."""
        return [line for line in self.lines if line not in self.weaker]

    @property
    def weaker(self) -> list[Line]:
        """Baselines beyond the best `SHOWN`; a single one is not worth leaving out."""
        rest = self.of("baseline")[SHOWN:]
        return rest if len(rest) > 1 else []


@cache
def read_file() -> tuple[tuple[Entry, ...], tuple[Reason, ...]]:
    """Read the headlines and the reasons that come with the package."""
    file = files("regulome") / "templates" / FILE
    return parse(file.read_text(encoding="utf-8"), FILE)


def parse(text: str, where: str) -> tuple[tuple[Entry, ...], tuple[Reason, ...]]:
    """Read headlines and reasons from YAML text.

    Raises
    ------
    UserError
        Not YAML, an unknown or missing field, text expected, or another direction than higher or lower: names
        `where`, the entry and the field.
    """
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not valid YAML ({' '.join(str(error).split())})") from None
    _check_fields(where, content, ("headlines", "differs"), ())
    entries = [_entry(f"{where}, headlines[{place}]", item) for place, item in enumerate(content.get("headlines", []))]
    reasons = [_reason(f"{where}, differs[{place}]", item) for place, item in enumerate(content.get("differs", []))]
    return tuple(entries), tuple(reasons)


def _entry(where: str, item: object) -> Entry:
    names = [field.name for field in fields(Entry)]
    _check_fields(where, item, names, names[:5])
    for name in ("title", "says", "step", "better"):
        if not isinstance(item[name], str) or not item[name].strip():
            raise UserError(f"{where}, field '{name}': found {item[name]!r}; expected text")
    if item["better"] not in BETTER:
        raise UserError(f"{where}, field 'better': found '{item['better']}'; expected higher or lower")
    lists = {name: _ids(f"{where}, field '{name}'", item.get(name, [])) for name in names[4:]}
    if not lists["models"]:
        raise UserError(f"{where}, field 'models': found no id; expected at least one")
    return Entry(*(" ".join(item[name].split()) for name in names[:4]), **lists)


def _reason(where: str, item: object) -> Reason:
    _check_fields(where, item, ("step", "rows", "why"), ("step", "rows", "why"))
    ids = tuple(name for name, _ in _ids(f"{where}, field 'rows'", item["rows"]))
    return Reason(str(item["step"]), ids, " ".join(str(item["why"]).split()))


def _check_fields(where: str, item: object, known: tuple | list, needed: tuple | list) -> None:
    if not isinstance(item, dict):
        raise UserError(f"{where}: found {item!r}; expected fields {', '.join(known)}")
    for name in item:
        if name not in known:
            raise UserError(f"{where}: unknown field '{name}'{closest(str(name), known)}; expected {', '.join(known)}")
    for name in needed:
        if name not in item:
            raise UserError(f"{where}, field '{name}': missing")


def _ids(where: str, value: object) -> tuple[tuple[str, str], ...]:
    """Read a list whose items are ids, or ``id: label``."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        pair = next(iter(item.items())) if isinstance(item, dict) and len(item) == 1 else (item, "")
        if not all(isinstance(text, str) for text in pair):
            raise UserError(f"{where}: found {item!r}; expected ids, or id: label")
        found.append(pair)
    return tuple(found)


def reason_for(reasons: tuple[Reason, ...], slug: str, row_id: str) -> str:
    """Return the sentence for a row that differs, or nothing."""
    for reason in reasons:
        if reason.step == slug and any(fnmatchcase(row_id, pattern) for pattern in reason.rows):
            return reason.why
    return ""


def headlines(entries: tuple[Entry, ...], steps: list[Step]) -> list[Headline]:
    """Return the headlines of which these steps have at least one model row, in the order of the file."""
    by_slug = {step.slug: step for step in steps if not step.problem}
    found = [_headline(entry, by_slug[entry.step]) for entry in entries if entry.step in by_slug]
    return [item for item in found if item.of("model")]


def _headline(entry: Entry, step: Step) -> Headline:
    picked = [("model", row, label) for row, label in _pick(entry.models, step.rows, None)]
    for role, wanted in (("baseline", entry.baselines), ("ceiling", entry.ceilings)):
        rows = _pick(wanted, step.rows, role)
        rows.sort(key=lambda pair: pair[0].ours, reverse=entry.better == "higher")
        picked += [(role, row, label) for row, label in rows]
    labels = short_labels([row.quantity for _, row, label in picked if not label])
    named = [(role, row, label or labels[row.quantity] or role) for role, row, label in picked]
    # the role stands beside the label
    lines = [Line(row, label.removeprefix(f"{role}: "), role) for role, row, label in named]
    return Headline(entry, step, tuple(lines))


def _pick(wanted: tuple[tuple[str, str], ...], rows: tuple[Row, ...], role: str | None) -> list[tuple[Row, str]]:
    """Return the finite rows of exact ids, and of patterns those rows that the step marks with the role."""
    found: dict[str, tuple[Row, str]] = {}
    for name, label in wanted:
        for row in rows:
            exact = row.id == name
            marked = role is None or row.verdict == role
            if row.ours is not None and (exact or (marked and fnmatchcase(row.id, name))):
                found.setdefault(row.id, (row, label))
    return list(found.values())


def short_labels(quantities: list[str]) -> dict[str, str]:
    """Return what tells quantities apart: without the words that all of them begin and end with.

    >>> short_labels(["mean r, nearest (simulated)", "mean r, GPO-VAE, ours (simulated)"])
    {'mean r, nearest (simulated)': 'nearest', 'mean r, GPO-VAE, ours (simulated)': 'GPO-VAE, ours'}
    """
    split = {text: text.split() for text in quantities}
    words = list(split.values())
    shortest = min(map(len, words), default=0)
    if len(split) < 2:
        return split and {text: "" for text in split}
    start = next((place for place in range(shortest) if len({line[place] for line in words}) > 1), shortest)
    ends = range(shortest - start)
    end = next((place for place in ends if len({line[-1 - place] for line in words}) > 1), shortest - start)
    return {text: " ".join(line[start : len(line) - end]).strip(" ,;:") for text, line in split.items()}


def judgement(headline: Headline) -> str:
    """Say how the first model compares with the best baseline and the best ceiling; nothing without baselines."""
    model, baselines, ceilings = (headline.of(role) for role in ("model", "baseline", "ceiling"))
    if not baselines:
        return ""
    best, first = baselines[0], model[0]
    sign = 1 if headline.entry.better == "higher" else -1
    gain = sign * (first.row.ours - best.row.ours)
    which = f"the best of {len(baselines)} baselines" if len(baselines) > 1 else "the baseline"
    verdict = f"better than {which}" if gain > 0 else f"worse than {which}" if gain < 0 else f"equal to {which}"
    text = f"{_capital(first.label)}: {_value(first.row)}, {verdict} ({best.label}, {_value(best.row)})"
    if _overlap(first.row, best.row):
        text += "; the intervals overlap"
    gap = sign * (ceilings[0].row.ours - best.row.ours) if ceilings else 0
    if gap > 0 and gain > 0:
        share = f"{100 * gain / gap:.0f}\N{NO-BREAK SPACE}%"
        text += f"; {share} of the way from there to the ceiling ({_value(ceilings[0].row)})"
    elif ceilings:
        text += f"; ceiling {_value(ceilings[0].row)}"
    return text + "."


def spread(row: Row) -> str:
    """Write the interval of a number in brackets, or nothing when there is none."""
    text = "" if row.low == row.high else fmt.interval(row.low, row.high, fmt.number(row.ours))
    return f"({text})" if text else ""


def weaker_range(headline: Headline) -> str:
    """Write the best and the worst number of the baselines that are not shown."""
    numbers = [fmt.number(line.row.ours) for line in headline.weaker]
    return f"{numbers[0]} to {numbers[-1]}" if numbers else ""


def _overlap(a: Row, b: Row) -> bool:
    bounds = (a.low, a.high, b.low, b.high)
    return None not in bounds and a.low <= b.high and b.low <= a.high and (a.low < a.high or b.low < b.high)


def _value(row: Row) -> str:
    return fmt.number(row.ours) + (f"\N{NO-BREAK SPACE}{row.unit}" if row.unit else "")


def _capital(text: str) -> str:
    return text if re.match(r"\w*[A-Z]", text) else text[:1].upper() + text[1:]


def scale(headline: Headline) -> tuple[float, float]:
    """Return the ends of the common axis of a headline's numbers: 0 and the largest, or what lies clearly below 0."""
    ends = [0.0]
    for line in headline.lines:
        ends += [end for end in (line.row.ours, line.row.low, line.row.high) if end is not None]
    ends += [line.row.published for line in headline.of("model") if line.row.published is not None]
    low = min(ends) if min(ends) < -0.02 * max(ends) else 0.0
    return (low, max(ends)) if max(ends) > low else (low, low + 1)


def place(headline: Headline, value: float) -> str:
    """Return where a number lies on that axis, in per cent of its length, as CSS writes it."""
    low, high = scale(headline)
    return f"{100 * max(0, value - low) / (high - low):.1f}%"
