"""The published figure panels and tables, one row each: what they show and what of ours regenerates them.

The list is hand-written, in ``data/panels``:

pages.csv
    A published figure, or a group of published results where the numbers of the figures are not known. Columns:
    page, paper, part, item, known (what of it is described in what this project was built from).
panels.csv
    Columns: page, panel (letter or name), shows, ours (``STEP/FIGURE``, several with a semicolon), results
    (``STEP:PATTERN`` of the ids in that step's results.csv), status, mini (status in the mini profile where that
    differs), note (why not, or what differs).
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from regulome import paths, steps
from regulome.errors import UserError, closest

STATUSES = {
    "regenerated": "the same quantity, drawn from what a step wrote",
    "other data": "the same quantity on other data, as the published data are not public",
    "not regenerated": "no step makes it; the row says why",
    "not described": "what the panel shows is not known here; the row says so",
}
_PAGES = ("page", "paper", "part", "item", "known")
_PANELS = ("page", "panel", "shows", "ours", "results", "status", "mini", "note")


@dataclass(frozen=True)
class Page:
    """A published figure, or a group of published results; `part` is the part of this project (1 to 4)."""

    name: str
    paper: str
    part: int
    item: str
    known: str

    @property
    def title(self) -> str:
        """Paper and figure in words."""
        return f"{self.paper}, {self.item}"


@dataclass(frozen=True)
class Panel:
    """A published panel or table: `ours` are ``STEP/FIGURE``, `results` are ``STEP:PATTERN``."""

    page: str
    letter: str
    shows: str
    ours: tuple[str, ...]
    results: tuple[str, ...]
    status: str
    note: str

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps whose outputs the panel needs, each once."""
        return tuple(
            dict.fromkeys([name.split("/")[0] for name in self.ours] + [x.split(":")[0] for x in self.results])
        )


def folder() -> Path:
    """Folder of the hand-written lists."""
    return paths.data() / "panels"


def read_pages(file: Path | None = None) -> list[Page]:
    """Read the pages in the order of the file.

    Raises
    ------
    UserError
        Other columns, an empty cell, a repeated page or a part that is not 1 to 4; names file, row and column.
    """
    file = file or folder() / "pages.csv"
    pages: list[Page] = []
    for where, row in read_rows(file, _PAGES):
        for column in _PAGES:
            _check(bool(row[column]), where, column, row[column], "text")
        _check(row["part"] in ("1", "2", "3", "4"), where, "part", row["part"], "1, 2, 3 or 4")
        _check(row["page"] not in [page.name for page in pages], where, "page", row["page"], "a name used once")
        pages.append(Page(row["page"], row["paper"], int(row["part"]), row["item"], row["known"]))
    return pages


def read_panels(profile: str, file: Path | None = None, pages: list[Page] | None = None) -> list[Panel]:
    """Read the panels in the order of the file, with their status in a profile.

    Raises
    ------
    UserError
        Other columns, an unknown page or status, a step or figure that the Snakefile does not list, a panel
        called regenerated without anything of ours, or another one without a note; names file, row and column.
    """
    file = file or folder() / "panels.csv"
    known = [page.name for page in (pages or read_pages())]
    figures = _figures()
    return [_panel(where, row, known, figures, profile) for where, row in read_rows(file, _PANELS)]


def _panel(where: str, row: dict[str, str], pages: list[str], figures: dict[str, set[str]], profile: str) -> Panel:
    status = (row["mini"] if profile == "mini" else "") or row["status"]
    ours, results = (tuple(x.strip() for x in row[name].split(";") if x.strip()) for name in ("ours", "results"))
    for column, allowed in (("page", pages), ("status", STATUSES), ("mini", ["", *STATUSES])):
        found = f"{row[column]}{closest(row[column], allowed)}"
        _check(row[column] in allowed, where, column, found, " or ".join(allowed))
    for column in ("panel", "shows"):
        _check(bool(row[column]), where, column, "", "text")
    for name in ours:
        step, _, figure = name.partition("/")
        _check(step in figures and figure in figures[step], where, "ours", name, "STEP/FIGURE of the Snakefile")
    for name in results:
        step, _, pattern = name.partition(":")
        _check(step in figures and bool(pattern), where, "results", name, "STEP:PATTERN, a step of the Snakefile")
    if "regenerated" in (row["status"], status):
        _check(bool(ours or results), where, "ours", "", "a figure or results, as the panel is regenerated")
    if {row["status"], row["mini"] or row["status"]} != {"regenerated"}:
        _check(bool(row["note"]), where, "note", "", "why it is not regenerated, or what differs")
    return Panel(row["page"], row["panel"], row["shows"], ours, results, status, row["note"])


def _figures() -> dict[str, set[str]]:
    """Figures of every step in either profile, from the Snakefile."""
    named = {slug: entry.get("figures", []) for slug, entry in steps.table().items()}
    return {
        slug: {name for names in found.values() for name in names} if isinstance(found, dict) else set(found)
        for slug, found in named.items()
    }


def read_rows(file: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """Read a CSV of text; every row comes with the words that begin its error messages.

    Raises
    ------
    UserError
        No such file, no table, or other columns.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise UserError(f"{file}: cannot be read as a table ({str(error).strip()})") from None
    if tuple(table.columns) != columns:
        raise UserError(f"{file} row 1: found the columns {', '.join(table.columns)}; expected {', '.join(columns)}")
    rows = [{name: str(value).strip() for name, value in row.items()} for row in table.to_dict("records")]
    return [(f"{file} row {number}", row) for number, row in enumerate(rows, start=2)]


def _check(right: bool, where: str, column: str, found: str, expected: str) -> None:
    if not right:
        raise UserError(f"{where}, column '{column}': found '{found}'; expected {expected}")
