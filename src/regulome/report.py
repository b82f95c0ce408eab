"""The browsable report and RESULTS.md, from what the steps wrote; nothing is computed again."""

import os
import shutil
from pathlib import Path

from regulome import paths
from regulome.errors import UserError, closest
from regulome.report_inputs import Step, read_steps
from regulome.report_notebook import self_contained
from regulome.report_page import html_page, results_markdown
from regulome.tables import write_bytes


def build(profile: str) -> Path:
    """Write the report of all profiles that have outputs, with the page of `profile` as ``index.html``.

    The report folder gets ``index.html``, ``mini.html``, ``paper.html``, copies of figures and tables under
    ``figures/<profile>/<slug>`` and of the executed notebooks under ``notebooks/<profile>``. It is
    self-contained: it can be copied and opened from disk. Everything is read, checked and prepared in a
    folder beside these names before the first of them is replaced.

    RESULTS.md is written for `profile` alone: at the repository root for the paper profile, else in the
    build folder.

    Parameters
    ----------
    profile
        ``mini`` or ``paper``.

    Returns
    -------
    Path
        ``index.html`` of the report.

    Raises
    ------
    UserError
        Unknown profile, malformed outputs (names the file and the field or row), or a report folder that
        cannot be written or that holds the outputs themselves. The existing report stays as it is.
    """
    if profile not in paths.PROFILES:
        known = " or ".join(paths.PROFILES)
        raise UserError(f"unknown profile '{profile}'{closest(profile, paths.PROFILES)}; expected {known}")
    _check_folder(paths.report())
    steps = {name: read_steps(name) for name in paths.PROFILES}
    shown = [name for name in paths.PROFILES if name == profile or any(not step.problem for step in steps[name])]
    pages = {name: html_page(steps[name], name, [other for other in shown if other != name]) for name in shown}
    results = results_path(profile)
    text = results_markdown(steps[profile], profile, results.parent)
    try:
        _write_report(pages, profile, [step for name in shown for step in steps[name]])
    except OSError as error:
        raise UserError(
            f"cannot write the report to {paths.report()}: {error.strerror} ({error.filename}); "
            "set REGULOME_REPORT to a folder that can be written"
        ) from None
    write_bytes(results, text.encode("utf-8"))
    return paths.report() / "index.html"


def results_path(profile: str) -> Path:
    """Return where RESULTS.md of a profile belongs.

    The file at the repository root describes the committed paper figures; outputs that were sent elsewhere
    (``REGULOME_OUTPUT``) must not replace it.
    """
    if profile == "paper" and paths.root() in paths.outputs().parents:
        return paths.root() / "RESULTS.md"
    return paths.build(profile) / "RESULTS.md"


def _check_folder(folder: Path) -> None:
    """Refuse a report folder whose own ``figures`` and ``notebooks`` would replace the sources."""
    for source in (paths.outputs(), paths.notebooks(), paths.build("mini").parent):
        if folder == source or folder in source.parents or source in folder.parents:
            raise UserError(
                f"the report cannot be written to {folder}: that folder and {source} lie in one another; "
                "set REGULOME_REPORT to a folder of its own"
            )


def _write_report(pages: dict[str, str], profile: str, steps: list[Step]) -> None:
    """Prepare all files in a staging folder, then move them into place, the pages after what they link to."""
    report = paths.report()
    staging = report / ".staging"
    report.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(staging, ignore_errors=True)  # left by a run that was killed
    (staging / "figures").mkdir(parents=True)
    (staging / "notebooks").mkdir()
    try:
        for step in steps:
            _copy_step(step, staging)
        for name, page in pages.items():
            (staging / f"{name}.html").write_text(page, encoding="utf-8")
        (staging / "index.html").write_text(pages[profile], encoding="utf-8")
        for name in ("figures", "notebooks"):
            _replace_folder(staging / name, report / name)
        for name in (*pages, "index"):
            os.replace(staging / f"{name}.html", report / f"{name}.html")
        for name in paths.PROFILES:
            if name not in pages:
                (report / f"{name}.html").unlink(missing_ok=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _copy_step(step: Step, staging: Path) -> None:
    if not step.problem:
        target = staging / "figures" / step.profile / step.slug
        target.mkdir(parents=True)
        named = [file for item in (*step.figures, *step.tables) for file in item.files]
        for file in dict.fromkeys([*named, "results.csv"]):
            shutil.copyfile(step.folder / file, target / file)
    if step.notebook is not None:
        target = staging / "notebooks" / step.profile
        target.mkdir(parents=True, exist_ok=True)
        back = f"../../{step.profile}.html#{step.slug}"
        page = self_contained(step.notebook.read_text(encoding="utf-8"), back, "Back to the results page")
        (target / f"{step.slug}.html").write_text(page, encoding="utf-8")


def _replace_folder(new: Path, old: Path) -> None:
    """Put a prepared folder in the place of an existing one, with two renames."""
    if old.exists():
        os.rename(old, new.with_name(f"old-{new.name}"))
    os.rename(new, old)
