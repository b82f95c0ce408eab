"""What a report is made from: the outputs of each step, read and checked before anything is written."""

import csv
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from regulome import paths
from regulome.errors import UserError, closest
from regulome.verdicts import RESULT_COLUMNS, ROLES

VERDICTS = ("agrees", "differs", "not comparable", *ROLES)
SLUG = re.compile(r"[0-9]{2}_\w+")
FILE_NAME = re.compile(r"\w[\w.+-]*")
NUMBERS = ("ours", "low", "high", "published", "tolerance")


@dataclass(frozen=True)
class Row:
    """One number of a step beside the published one; the fields are the columns of ``results.csv``.

    `ours` is None when it was not measured or is not finite; such a number differs from any published one.
    """

    id: str
    quantity: str
    ours: float | None
    low: float | None
    high: float | None
    published: float | None
    tolerance: float | None
    unit: str
    verdict: str
    source: str
    section: str
    function: str
    note: str


@dataclass(frozen=True)
class Item:
    """A figure or a table: its name, what it shows, the notebook section that made it and its files."""

    name: str
    caption: str
    section: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """Everything that one step left behind in one profile; without outputs, `problem` says what is known."""

    slug: str
    profile: str
    title: str
    problem: str = ""
    figures: tuple[Item, ...] = ()
    tables: tuple[Item, ...] = ()
    rows: tuple[Row, ...] = ()
    data: tuple[str, ...] = ()
    parameters: dict = field(default_factory=dict)
    run: dict = field(default_factory=dict)
    benchmark: dict = field(default_factory=dict)  # {"seconds", "max_rss_mb"} as Snakemake measured them

    @property
    def folder(self) -> Path:
        """Folder of the figures and tables."""
        return paths.figures(self.profile, self.slug)

    @property
    def notebook(self) -> Path | None:
        """Page of the executed notebook, if this checkout has it."""
        page = paths.build(self.profile) / f"{self.slug}.html"
        return page if page.is_file() else None


def read_steps(profile: str) -> list[Step]:
    """Read the outputs of all steps of a profile, in the order of their numbers.

    A step is a notebook of the repository or a folder of outputs.

    Raises
    ------
    UserError
        An output that does not have the documented form: names the file and the field or row.
    """
    sources = {path.stem for path in paths.notebooks().glob("*.py")}
    written = {path.name for path in (paths.outputs() / profile).glob("*") if path.is_dir()}
    return [read_step(slug, profile) for slug in sorted(sources | written) if SLUG.fullmatch(slug)]


def read_step(slug: str, profile: str) -> Step:
    """Read the outputs of one step; a step without manifest has no outputs yet."""
    folder = paths.figures(profile, slug)
    file = folder / "manifest.json"
    if not file.is_file():
        return Step(slug, profile, _source_title(slug), _why_unfinished(slug, profile))
    manifest = _read_json(file)
    for name, found in (("slug", slug), ("profile", profile)):
        if _get(file, manifest, name, str) != found:
            raise UserError(f"{file}, field '{name}': found '{manifest[name]}'; expected '{found}'")
    return Step(
        slug,
        profile,
        _get(file, manifest, "title", str),
        figures=tuple(_item(file, "figures", entry) for entry in _entries(file, manifest, "figures")),
        tables=tuple(_item(file, "tables", entry) for entry in _entries(file, manifest, "tables")),
        rows=read_results(folder / "results.csv"),
        data=_keys(file, manifest),
        parameters=_get(file, manifest, "parameters", dict),
        run=_read_run(folder / "run.json"),
        benchmark=read_benchmarks(slug, profile),
    )


def read_results(file: Path) -> tuple[Row, ...]:
    """Read the ours-versus-published rows of a step.

    Raises
    ------
    UserError
        Missing file, other columns than the documented ones, text in place of a number, a published number
        that is not finite, an unknown verdict, a comparison without its numbers, or a repeated id: names
        file, row and column.
    """
    columns = list(RESULT_COLUMNS)
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read as CSV ({error})") from None
    if not lines or lines[0] != columns:
        found = ",".join(lines[0]) if lines else "an empty file"
        raise UserError(f"{file} row 1: found '{found}'; expected the columns '{','.join(columns)}'")
    rows, seen = [], set()
    for number, line in enumerate(lines[1:], start=2):
        row = _row(f"{file} row {number}", columns, line)
        if row.id in seen:
            raise UserError(f"{file} row {number}, column 'id': '{row.id}' appears twice; expected unique ids")
        seen.add(row.id)
        rows.append(row)
    return tuple(rows)


def _row(where: str, columns: list[str], line: list[str]) -> Row:
    if len(line) != len(columns):
        raise UserError(f"{where}: found {len(line)} cells; expected {len(columns)}")
    cells = dict(zip(columns, line, strict=True))
    for name in ("id", "quantity"):
        if not cells[name].strip():
            raise UserError(f"{where}, column '{name}': found nothing; expected text")
    if cells["verdict"] not in VERDICTS:
        found = f"'{cells['verdict']}'{closest(cells['verdict'], VERDICTS)}"
        raise UserError(f"{where}, column 'verdict': found {found}; expected one of {', '.join(VERDICTS)}")
    numbers = {name: _number(where, name, cells[name]) for name in NUMBERS}
    needed = {"agrees": ("ours", "published"), "differs": ("published",)}.get(cells["verdict"], ())
    for name in needed:
        if numbers[name] is None:
            found = f"found '{cells[name]}'; expected a number, as the verdict is '{cells['verdict']}'"
            raise UserError(f"{where}, column '{name}': {found}")
    return Row(**{**cells, **numbers})


def _number(where: str, name: str, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}, column '{name}': found '{text}'; expected a number or nothing") from None
    if not math.isfinite(value) and name in ("published", "tolerance"):
        raise UserError(f"{where}, column '{name}': found '{text}'; expected a finite number or nothing")
    return value if math.isfinite(value) else None


def read_benchmarks(slug: str, profile: str) -> dict:
    """Sum the seconds and take the largest memory (MB) over the Snakemake benchmark files of a step.

    A sharded step has several, ``SLUG.SHARD.benchmark.tsv``. Snakemake writes ``NA`` or ``-`` for a step that
    ended before it was measured.
    """
    seconds, memory = [], []
    for file in sorted(paths.build(profile).glob(f"{slug}.*benchmark.tsv")):
        try:
            table = pd.read_csv(file, sep="\t", na_values=["-", "NA"])
            seconds += pd.to_numeric(table["s"]).dropna().tolist()
            memory += pd.to_numeric(table["max_rss"]).dropna().tolist()
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{file}: expected a Snakemake benchmark with the columns s and max_rss ({error})"
            ) from None
    found = {"seconds": math.fsum(seconds) if seconds else None, "max_rss_mb": max(memory, default=None)}
    return {name: value for name, value in found.items() if value is not None}


def read_table(file: Path) -> pd.DataFrame:
    """Read a CSV as the text that it holds; UserError names the file when it is not a table."""
    try:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise UserError(f"{file}: cannot be read as a table ({str(error).strip()})") from None


def _read_json(file: Path) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{file} row {error.lineno}: not valid JSON ({error.msg})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"{file}: found {type(content).__name__}; expected a JSON object")
    return content


def _get(file: Path, holder: dict, name: str, kind: type, prefix: str = ""):
    """Return a field after checking that it is there and has the expected type."""
    names = {str: "text", list: "a list", dict: "an object", int: "a whole number", bool: "true or false"}
    if name not in holder:
        raise UserError(f"{file}, field '{prefix}{name}': missing; expected {names[kind]}")
    if not isinstance(holder[name], kind):
        raise UserError(f"{file}, field '{prefix}{name}': found {holder[name]!r}; expected {names[kind]}")
    return holder[name]


def _entries(file: Path, manifest: dict, name: str) -> list[tuple[str, dict]]:
    """Return the entries of the list `name`, each with the prefix that names its fields in an error."""
    entries = _get(file, manifest, name, list)
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise UserError(f"{file}, field '{name}[{position}]': found {entry!r}; expected an object")
    return [(f"{name}[{position}].", entry) for position, entry in enumerate(entries)]


def _item(file: Path, kind: str, entry: tuple[str, dict]) -> Item:
    prefix, holder = entry
    name, caption, section = (_get(file, holder, key, str, prefix) for key in ("name", "caption", "section"))
    files = _get(file, holder, "files", list, prefix) if kind == "figures" else [f"{name}.csv"]
    for found in files:
        if not isinstance(found, str) or not FILE_NAME.fullmatch(found):
            raise UserError(f"{file}, field '{prefix}files': found {found!r}; expected a plain file name")
        if not (file.parent / found).is_file():
            raise UserError(f"{file}, field '{prefix}files': '{found}' is listed but is not in {file.parent}")
    if kind == "figures" and f"{name}.png" not in files:
        raise UserError(f"{file}, field '{prefix}files': found {files!r}; expected '{name}.png' among them")
    return Item(name, caption, section, tuple(files))


def _keys(file: Path, manifest: dict) -> tuple[str, ...]:
    keys = _get(file, manifest, "data", list)
    for key in keys:
        if not isinstance(key, str):
            raise UserError(f"{file}, field 'data': found {key!r}; expected keys of the data registry")
    return tuple(keys)


def _read_run(file: Path) -> dict:
    """Read the record of a run; a step run by hand has none."""
    if not file.is_file():
        return {}
    run = _read_json(file)
    for name in ("seconds", "max_rss_mb", "threads", "cores"):
        value = run.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UserError(f"{file}, field '{name}': found {value!r}; expected a number")
    if not isinstance(run.get("packages", {}), dict):
        raise UserError(f"{file}, field 'packages': found {run['packages']!r}; expected an object")
    return {name: value for name, value in run.items() if value is not None}


def _source_title(slug: str) -> str:
    """Return the first heading of the notebook source, the only title of a step that has not run."""
    source = paths.notebooks() / f"{slug}.py"
    if source.is_file():
        found = re.search(r"^# # (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1].strip()
    return slug[3:].replace("_", " ").capitalize()


def _why_unfinished(slug: str, profile: str) -> str:
    """Return the error in the executed notebook of a step without outputs, if there is one."""
    executed = paths.build(profile) / f"{slug}.ipynb"
    if not executed.is_file():
        return "no outputs yet"
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        errors = [f"{item['ename']}: {item['evalue']}" for item in outputs if item["output_type"] == "error"]
    except (ValueError, KeyError, TypeError, OSError):
        errors = []  # a notebook cut off in the middle of writing
    reason = f" ({errors[0].splitlines()[0]})" if errors else ""
    return f"no outputs: the run stopped before the end of the notebook{reason}"
