"""Executing a notebook with papermill, and showing it: progress, failure message, HTML page."""

import html
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regulome import parameters, paths, provenance
from regulome.errors import UserError
from regulome.pairing import KERNEL, without_iri_check
from regulome.progress import Progress
from regulome.steps import relative

NO_DESCRIPTION = 'alt="No description has been provided for this image"'  # nbconvert's


def execute(slug: str, profile: str, changed: Mapping[str, Any], name: str) -> tuple[float, Path]:
    """Execute a notebook with the parameters that differ from its own defaults, and render its page.

    The notebook grows under the name ``<slug>.running.ipynb`` in ``build/<profile>`` and becomes
    ``<name>.ipynb`` when all cells have run, or ``<slug>.failed.ipynb``.

    Returns
    -------
    seconds : float
        Time that the notebook took.
    page : Path
        The executed notebook as HTML.

    Raises
    ------
    UserError
        If a cell fails; the message names the executed notebook, the cell, the heading above it and the
        exception.
    """
    without_iri_check()
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # it warns of typed parameters
    build = paths.build(profile)
    build.mkdir(parents=True, exist_ok=True)
    running, failed = build / f"{slug}.running.ipynb", build / f"{slug}.failed.ipynb"
    final = build / f"{name}.ipynb"
    for stale in ("failed.ipynb", "trial.ipynb", "trial.html"):
        (build / f"{slug}.{stale}").unlink(missing_ok=True)
    source = parameters.script(slug).with_suffix(".ipynb")
    cells = len(nbformat.read(source, as_version=4).cells) + bool(changed)  # one of changed parameters
    progress = Progress(slug, cells, provenance.expected_seconds(slug, profile))
    try:
        papermill.execute_notebook(
            source,
            running,
            parameters=dict(changed),
            engine_name=_engine(),
            kernel_name=KERNEL,
            cwd=paths.root(),
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # it logs an error when told to stop
            progress_bar=False,
            progress=progress,
            shutdown_kernel="immediate",  # all is written; to take torch and its like down takes 1 to 3 s
        )
    except PapermillExecutionError as error:
        os.replace(running, failed)
        raise UserError(_failure(slug, failed, error.cell_index, error.ename, error.evalue)) from None
    except RuntimeError as error:  # nbclient's DeadKernelError, or a kernel that never answered
        os.replace(running, failed)
        what = f"{error}; the system may have run out of memory"
        raise UserError(_failure(slug, failed, max(progress.n - 1, 0), "the kernel died", what)) from None
    finally:
        progress.close()
    seconds = progress.elapsed
    os.replace(running, final)
    page = render(final)
    progress.done(relative(page))
    return seconds, page


def render(notebook: Path) -> Path:
    """Write the page of an executed notebook beside it: one HTML file with its figures inside."""
    without_iri_check()
    import nbformat
    from nbconvert import HTMLExporter

    from regulome.tables import write_bytes

    exporter = HTMLExporter(embed_images=True)
    resources = {"metadata": {"name": notebook.stem, "path": str(paths.notebooks())}}
    executed = nbformat.read(notebook, as_version=4)
    text, _ = exporter.from_notebook_node(executed, resources=resources)
    page = notebook.with_suffix(".html")
    write_bytes(page, _described(text, executed).encode("utf-8"))
    return page


def _described(page: str, notebook: Any) -> str:
    """Give every picture of a page its caption as alternative text, which nbconvert's template leaves out."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    pictures = (output for output in outputs if "image/png" in output.get("data", {}))
    captions = [output.metadata.get("image/png", {}).get("alt", "") for output in pictures]
    if page.count(NO_DESCRIPTION) != len(captions):  # a picture of another kind: which is whose is not known
        return page
    texts = iter(f'alt="{html.escape(caption)}"' if caption else NO_DESCRIPTION for caption in captions)
    return re.sub(re.escape(NO_DESCRIPTION), lambda _: next(texts), page)


def _engine() -> str:
    """Register papermill's own engine with our progress in the place of its bar; return its name."""
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, *, progress, **options):
            nb_man.pbar = progress
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    papermill_engines.register("regulome", Engine)
    return "regulome"


def _failure(slug: str, notebook: Path, index: int, name: str, value: str) -> str:
    """Say which cell failed and how.

    Cells are counted as papermill ran them: without the two that it adds to show the error. A UserError's
    message says enough without the name of its class.
    """
    import nbformat
    from papermill.execute import ERROR_MARKER_TAG

    cells = nbformat.read(notebook, as_version=4).cells
    above = [cell for cell in cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])][: index + 1]
    texts = "\n".join(cell.source for cell in above if cell.cell_type == "markdown")
    titles = re.findall(r"^#+\s+(.+)$", texts, re.MULTILINE)
    section = f", under '{titles[-1]}'" if titles else ""
    lines = [line for line in re.sub(r"\x1b\[[0-9;]*m", "", value).splitlines() if line.strip()]
    what = lines[0] if name == "UserError" and lines else ": ".join([name, *lines[:1]])
    number = sum(cell.cell_type == "code" for cell in above)
    return (
        f"{slug}: code cell [{number}]{section} failed\n{what}\n"
        f"open {relative(notebook)} to see the cell and what led to it"
    )
