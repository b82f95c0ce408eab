"""What of the published panels is there: the images and numbers that the steps of a profile have written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from regulome import steps
from regulome.panels import Page, Panel
from regulome.report_inputs import Row, Step, read_step

SELF = "61_figures_and_tables"
COUNTED = ("agrees", "differs", "not comparable")


@dataclass(frozen=True)
class Place:
    """One place on a page: an image, a table of numbers, or the reason why there is neither.

    `letters` are the published panels that stand here, `source` is ``STEP/FIGURE``, `absent` says what is missing.
    """

    letters: tuple[str, ...]
    shows: str
    status: str
    note: str
    source: str = ""
    image: Path | None = None
    numbers: tuple[Row, ...] = ()
    absent: str = ""


def read_all(profile: str) -> dict[str, Step]:
    """Read what every step but this one has left in a profile; one that has not run has a `problem`.

    Raises
    ------
    UserError
        As `regulome.report_inputs.read_step`: outputs without the documented form.
    """
    return {slug: read_step(slug, profile) for slug in steps.table() if slug != SELF}


def numbers(panel: Panel, written: Mapping[str, Step]) -> list[Row]:
    """Return the rows of ours versus published that belong to a panel, in the order of its patterns."""
    found: dict[tuple[str, str], Row] = {}
    for name in panel.results:
        slug, _, pattern = name.partition(":")
        rows = written[slug].rows if slug in written else ()
        found |= {(slug, row.id): row for row in rows if fnmatchcase(row.id, pattern)}
    return list(found.values())


def state(source: str, written: Mapping[str, Step]) -> str:
    """Return ``there``, ``step has not run`` or ``not in this profile`` for a figure ``STEP/FIGURE``."""
    slug, _, figure = source.partition("/")
    if slug not in written or written[slug].problem:
        return "step has not run"
    return "there" if any(item.name == figure for item in written[slug].figures) else "not in this profile"


def lost(panels: Sequence[Panel], written: Mapping[str, Step], profile: str) -> list[str]:
    """Return the figures of the list that the Snakefile promises for a profile but a finished step has not left."""
    sources = {source for panel in panels for source in panel.ours if state(source, written) == "not in this profile"}
    parts = [source.split("/") for source in sorted(sources)]
    return [f"{slug}/{figure}" for slug, figure in parts if figure in steps.step(slug, profile)["figures"]]


def places(page: Page, panels: Sequence[Panel], written: Mapping[str, Step]) -> list[Place]:
    """Return the places of a page in the paper's order; panels that share an image share its place."""
    mine = [panel for panel in panels if panel.page == page.name]
    found: list[Place] = []
    done: set[str] = set()
    for panel in mine:
        for source in panel.ours:
            if source not in done:
                done.add(source)
                found.append(_image_place(source, [other for other in mine if source in other.ours], written))
        if not panel.ours:
            found.append(_other_place(panel, written))
    return found


def _image_place(source: str, panels: Sequence[Panel], written: Mapping[str, Step]) -> Place:
    slug, _, figure = source.partition("/")
    where = state(source, written)
    shows = "; ".join(dict.fromkeys(panel.shows for panel in panels))
    notes = "; ".join(dict.fromkeys(panel.note for panel in panels if panel.note))
    return Place(
        tuple(dict.fromkeys(panel.letter for panel in panels)),
        shows,
        panels[0].status,
        notes,
        source,
        written[slug].folder / f"{figure}.png" if where == "there" else None,
        tuple(dict.fromkeys(row for panel in panels for row in numbers(panel, written))),
        "" if where == "there" else f"{source}: {where}",
    )


def _other_place(panel: Panel, written: Mapping[str, Step]) -> Place:
    rows = tuple(numbers(panel, written))
    missing = [slug for slug in panel.steps if slug not in written or written[slug].problem]
    absent = "" if rows else (f"{', '.join(missing)}: step has not run" if missing else panel.status)
    return Place((panel.letter,), panel.shows, panel.status, panel.note, numbers=rows, absent=absent)


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """Count the verdicts of some rows that are comparisons, not baselines or ceilings."""
    return {verdict: sum(row.verdict == verdict for row in rows) for verdict in COUNTED}


def panel_table(pages: Sequence[Page], panels: Sequence[Panel], written: Mapping[str, Step]) -> pd.DataFrame:
    """Return one row a published panel: where it is regenerated, whether that is there, verdicts of its numbers."""
    by_name = {page.name: page for page in pages}
    table = []
    for panel in panels:
        page, rows = by_name[panel.page], numbers(panel, written)
        states = [state(source, written) for source in panel.ours]
        if not panel.ours:
            states = ["there"] if rows else (["step has not run"] if panel.results else ["nothing to draw"])
        table.append(
            {"paper": page.paper, "item": page.item, "panel": panel.letter, "shows": panel.shows}
            | {"status": panel.status, "state": ", ".join(dict.fromkeys(states))}
            | {"ours": "; ".join(panel.ours) or "; ".join(panel.results)}
            | tally(rows)
            | {"note": panel.note, "page": page.name}
        )
    return pd.DataFrame(table)


def drawn(pages: Sequence[Page], panels: Sequence[Panel]) -> list[Page]:
    """Return the pages with at least one image or number of ours: those that are drawn in every profile."""
    return [page for page in pages if any(panel.page == page.name and panel.steps for panel in panels)]
