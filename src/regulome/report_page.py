"""The results page (HTML) and RESULTS.md of one profile, from the steps that were read."""

import os
import re
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from regulome import paths
from regulome import report_format as fmt
from regulome import report_headlines as heads
from regulome import report_summary as summary
from regulome.errors import UserError
from regulome.report_inputs import VERDICTS, Item, Row, Step, read_table
from regulome.report_notebook import anchor, ids

SYMBOLS = {"agrees": "✓", "differs": "✗", "not comparable": "○", "baseline": "▭", "ceiling": "△"}
MEANINGS = {
    "agrees": "the published value lies within our interval widened by the tolerance on either side",
    "differs": "it lies outside",
    "not comparable": "no published value can be set against ours; the row says why",
    "baseline": "a simple method on the same data, beside which a model has to be seen",
    "ceiling": "the best that any method could reach on these data",
}
PIECES = (  # what the template includes: named, so that a change of one makes the report again
    "report_summary.html.j2", "report_part.html.j2", "report_end.html.j2", "report.css", "report.js",
)  # fmt: skip
TABLE_ROWS = 50
SCALE = 140  # CSS pixels an inch: the 7-point labels of a printed figure become readable on a screen


def html_page(steps: list[Step], profile: str, others: list[str]) -> str:
    """Return the results page of one profile.

    Parameters
    ----------
    steps
        All steps of the profile, in order.
    profile
        Name of the profile.
    others
        Profiles whose page lies beside this one.
    """
    return _render("report.html.j2", True, steps, profile, others=others, folder=None)


def results_markdown(steps: list[Step], profile: str, folder: Path) -> str:
    """Return RESULTS.md as it is to be written into `folder`: figures and notebooks are linked from there."""
    return _render("results.md.j2", False, steps, profile, others=[], folder=folder)


def _render(template: str, is_html: bool, steps: list[Step], profile: str, **extra) -> str:
    done = [step for step in steps if not step.problem]
    parts = summary.parts(steps)
    entries, reasons = heads.read_file()
    return _environment(is_html).get_template(template).render(
        profile=profile, steps=steps, done=done, parts=parts, counted=tuple(summary.count_all(done)),
        header=header(done), citations=citations(done), environments=environments(done),
        headlines={part.digit: heads.headlines(entries, list(part.done)) for part in parts},
        differences=summary.differences(done, reasons), leftovers=summary.leftovers(steps), **extra,
    )  # fmt: skip


@cache
def _environment(is_html: bool) -> Environment:
    """Return what compiles the templates, once a process, with the functions that they call."""
    environment = Environment(
        loader=PackageLoader("regulome"), autoescape=is_html, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {
        "number": fmt.number, "duration": fmt.duration, "memory": fmt.memory, "moment": fmt.moment,
        "md": fmt.markdown, "cell": fmt.cell, "key": fmt.key, "json": fmt.json_text,
    }  # fmt: skip
    environment.globals |= {
        "symbols": SYMBOLS, "meanings": MEANINGS, "verdicts": VERDICTS, "table_rows": TABLE_ROWS,
        "nothing": fmt.NOTHING, "ours": ours, "published": published, "tolerance": tolerance, "interval": interval,
        "distance": distance, "counts": summary.counts, "sentence": summary.sentence, "figure_size": figure_size,
        "table": table, "relative": relative, "file_url": file_url, "section_url": section_url, "row_id": row_id,
        "peak": peak, "source_notebook": source_notebook, "judgement": heads.judgement, "place": heads.place,
        "scale": heads.scale, "spread": heads.spread, "weaker_range": heads.weaker_range,
    }  # fmt: skip
    return environment


def ours(row: Row) -> str:
    """Write our number with the decimals of the published one."""
    if row.ours is None and row.verdict == "differs":
        return "not finite"
    return fmt.number(row.ours, fmt.decimals(row.published)) + _unit(row, row.ours)


def interval(row: Row) -> str:
    """Write the interval of our number in brackets, or nothing when there is none."""
    if row.low == row.high:
        return ""
    text = fmt.interval(row.low, row.high, fmt.number(row.ours, fmt.decimals(row.published)))
    return f"({text})" if text else ""


def published(row: Row) -> str:
    """Write the published number as the paper states it."""
    return fmt.stated(row.published) + _unit(row, row.published)


def tolerance(row: Row) -> str:
    """Write the tolerance of a published number, or nothing."""
    return f"± {fmt.stated(row.tolerance)}" if row.published is not None and row.tolerance is not None else ""


def distance(row: Row) -> str:
    """Say on which side of the published number, widened by its tolerance, our interval lies, and how far."""
    if row.ours is None or row.published is None:
        return "not finite"
    low = row.ours if row.low is None else row.low
    high = row.ours if row.high is None else row.high
    slack = row.tolerance or 0
    if low > row.published:
        return f"above by {fmt.number(low - row.published - slack)}"
    return f"below by {fmt.number(row.published - high - slack)}"


def _unit(row: Row, number: float | None) -> str:
    return f"\N{NO-BREAK SPACE}{row.unit}" if row.unit and number is not None else ""


def row_id(step: Step, row: Row) -> str:
    """Return the id of a row of the results table, so that a list or a letter can link to it."""
    return f"{step.slug}.row." + re.sub(r"[^\w.-]+", "-", row.id)


def header(steps: list[Step]) -> dict[str, str]:
    """Summarise the runs of all steps: commits, dates, machines, and the sum of the run times (seconds)."""
    commits = dict.fromkeys(commit(step) for step in steps if "commit" in step.run)
    many = f"{len(commits)} different ones, see the run times"
    dates = sorted(fmt.moment(step.run["date"]) for step in steps if "date" in step.run)
    seconds = [step.run["seconds"] for step in steps if "seconds" in step.run]
    return {
        "commit": (", ".join(commits) if len(commits) < 4 else many) or fmt.NOTHING,
        "date": " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else fmt.NOTHING,
        "machine": ", ".join(dict.fromkeys(machine(step) for step in steps if "machine" in step.run)) or fmt.NOTHING,
        "time": fmt.duration(sum(seconds)) if seconds else fmt.NOTHING,
        "peak": fmt.memory(max((peak(step) or 0 for step in steps), default=0) or None),
    }


def peak(step: Step) -> float | None:
    """Return the largest memory (MB) that the run record or Snakemake saw."""
    return max(step.run.get("max_rss_mb", 0), step.benchmark.get("max_rss_mb", 0)) or None


def commit(step: Step) -> str:
    """Return the short commit of a run, and whether files differed from it."""
    return str(step.run["commit"])[:10] + (" with uncommitted changes" if step.run.get("dirty") else "")


def machine(step: Step) -> str:
    """Describe the machine of a run: system, processor, number of cores."""
    names = [str(step.run[name]) for name in ("machine", "cpu") if step.run.get(name)]
    return ", ".join(names) + (f", {step.run['cores']} cores" if "cores" in step.run else "")


def environments(steps: list[Step]) -> list[dict]:
    """Group the steps by the software and machine they ran with; normally there is one group."""
    groups: dict[tuple, dict] = {}
    for step in steps:
        packages = tuple(sorted((str(name), str(version)) for name, version in step.run.get("packages", {}).items()))
        threads = str(step.run.get("threads", fmt.NOTHING))
        stamp = (str(step.run.get("python", fmt.NOTHING)), machine(step) or fmt.NOTHING, threads, packages)
        if step.run:
            group = dict(zip(("python", "machine", "threads", "packages"), stamp, strict=True))
            groups.setdefault(stamp, group | {"steps": []})["steps"].append(step.slug)
    return list(groups.values())


def citations(steps: list[Step]) -> list[dict]:
    """Describe the data files that the steps used, from the data registry; UserError for an unknown key."""
    from regulome import data

    users: dict[str, list[str]] = {}
    for step in steps:
        for key in step.data:
            users.setdefault(key, []).append(step.slug)
    found = []
    for key in sorted(users):
        try:
            found.append({"entry": data.describe(key), "key": key, "steps": users[key]})
        except UserError as error:
            manifest = paths.figures(steps[0].profile, users[key][0]) / "manifest.json"
            raise UserError(f"{manifest}, field 'data': {error}") from None
    return found


def figure_size(step: Step, item: Item) -> tuple[int, int]:
    """Return width and height of a figure in CSS pixels, all figures at the same scale."""
    file = step.folder / f"{item.name}.png"
    try:
        with Image.open(file) as image:
            scale = SCALE / (image.info.get("dpi", (SCALE, SCALE))[0] or SCALE)
            return round(image.width * scale), round(image.height * scale)
    except OSError as error:
        raise UserError(f"{file}: expected a PNG image ({error})") from None


def table(step: Step, item: Item) -> dict:
    """Return the head of a table as text: columns, which of them hold numbers, rows, number of all rows."""
    frame = read_table(step.folder / f"{item.name}.csv")
    numeric = [all(fmt.is_number(text) for text in frame.iloc[:, place] if text) for place in range(frame.shape[1])]
    rows = frame.head(TABLE_ROWS).itertuples(index=False, name=None)
    return {"columns": list(frame.columns), "numeric": numeric, "rows": list(rows), "total": len(frame)}


def file_url(step: Step, name: str) -> str:
    """Address of a copied output, relative to the results page."""
    return quote(f"figures/{step.profile}/{step.slug}/{name}")


def section_url(step: Step, section: str) -> str:
    """Address of a section of the executed notebook, relative to the results page; nothing without one."""
    if step.notebook is None:
        return ""
    page_ids = _page_ids(step.notebook, step.notebook.stat().st_mtime_ns)
    return f"notebooks/{step.profile}/{step.slug}.html{anchor(page_ids, section)}"


@lru_cache
def _page_ids(file: Path, changed: int) -> set[str]:
    """Read the heading ids once a page, not once a row; `changed` tells a rewritten page from an old one."""
    return ids(file.read_text(encoding="utf-8"))


def relative(folder: Path, file: Path) -> str:
    """Address of a file relative to the folder of the document that links it."""
    return quote(Path(os.path.relpath(file, folder)).as_posix())


def source_notebook(step: Step) -> Path | None:
    """Return the notebook of a step in the repository, if it is there."""
    file = paths.notebooks() / f"{step.slug}.ipynb"
    return file if file.is_file() else None
