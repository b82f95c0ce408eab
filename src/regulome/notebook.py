"""Running one notebook as one step: parameters in, declared outputs out, or a message that says what to mend.

`run` is papermill with what it lacks: parameters are checked before a kernel starts, the outputs that the
Snakefile declares are deleted first and have to exist afterwards, and a failure names the executed notebook
to open.

What becomes of earlier outputs: bad input that is found before the kernel starts leaves them untouched.
After that they are gone, and a run that fails leaves none of its own either, so a result never mixes two
runs.
"""

import importlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regulome import data, locks, pairing, parameters, paths, provenance, steps
from regulome.errors import UserError
from regulome.execution import execute
from regulome.steps import relative

PATIENCE = 10.0  # seconds that a new run waits for a killed one to let go of the step
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
INLINE = "module://matplotlib_inline.backend_inline"


def preflight(slug: str, profile: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Check everything about a step that can be checked without running it; return its parameters.

    Raises
    ------
    UserError
        If step, profile, parameters or the files that they name are wrong, the two files of the notebook
        differ, or its outputs cannot be written. Nothing has been changed then.
    """
    entry = steps.step(slug, profile)
    values = parameters.values(slug, profile, overrides)
    pairing.check(slug)
    for folder in (paths.figures(profile, slug), paths.build(profile)):
        _check_writable(folder)
    _check_inputs(entry, values)
    return values


def _check_inputs(entry: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Check input files while earlier outputs exist: registered files that are here, then the step's own check."""
    for key in entry["data"]:
        data.local(key, values.get("data_mirror"))
    if entry["check"]:
        module, function = entry["check"].split(":")
        getattr(importlib.import_module(module), function)(values)


def run(slug: str, profile: str = "mini", overrides: Mapping[str, Any] | None = None) -> Path:
    """Run one notebook with the parameters of a profile and return the page of the executed notebook.

    Writes the declared outputs and ``run.json`` to ``figures/<profile>/<slug>``, the executed notebook and
    its page to ``build/<profile>``. A notebook that failed stays there as ``<slug>.failed.ipynb``. With other
    parameters than those of the YAML file the executed notebook is ``<slug>.trial.ipynb``: the pipeline then
    misses ``<slug>.ipynb`` and runs the step again.

    Parameters
    ----------
    slug, profile
        Step, such as ``31_adaptation``, and ``mini`` or ``paper``.
    overrides
        Parameters that replace those of the YAML file.

    Raises
    ------
    UserError
        As :func:`preflight`, when another process runs the step, when a cell fails, or when the outputs are
        not those that the Snakefile declares.
    """
    values = preflight(slug, profile, overrides)
    _stop_with_pipeline()
    with locks.held(paths.build(profile) / f".{slug}.lock", f"{profile} {slug}", PATIENCE):
        written = [*steps.outputs(slug, profile), *steps.kept(slug, profile), *steps.executed(slug, profile)]
        _delete(written)
        try:
            return _run(slug, profile, values)
        except BaseException:
            _delete(written)
            raise


def _run(slug: str, profile: str, values: Mapping[str, Any]) -> Path:
    """Execute, verify, render and record; the folder of outputs is empty of declared ones."""
    folder = paths.figures(profile, slug)
    folder.mkdir(parents=True, exist_ok=True)
    threads = values.get("threads", 1)
    changed = {
        name: values[name] for name, parameter in parameters.declared(slug).items() if values[name] != parameter.default
    }
    trial = values != parameters.values(slug, profile)
    with _environment(threads):
        seconds, rendered = execute(slug, profile, changed, f"{slug}.trial" if trial else slug)
    _verify(slug, profile)
    provenance.write(folder, provenance.record(slug, profile, seconds, threads))
    return rendered


def _verify(slug: str, profile: str) -> None:
    """Check that a notebook left exactly the outputs that the Snakefile declares."""
    folder, declared = paths.figures(profile, slug), steps.outputs(slug, profile)
    wanted = [*declared, *steps.kept(slug, profile)]
    missing = [path.name for path in wanted if not path.is_file() or path.stat().st_size == 0]
    if missing:
        raise UserError(
            f"{slug}: the notebook ran, but declared outputs are missing or empty: {', '.join(missing)}\n"
            f"write them to {relative(folder)} in the notebook, or take them out of STEPS in the Snakefile"
        )
    known = {*declared, folder / "run.json"}
    extra = [
        str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file() and path not in known
    ]
    if extra:
        raise UserError(
            f"{slug}: files in {relative(folder)} that the Snakefile does not declare: {', '.join(extra)}\n"
            "add them to STEPS in the Snakefile, or delete them if they are left from an earlier version"
        )


def _check_writable(folder: Path) -> None:
    """Check, without making anything, that files can be put into a folder, which need not exist yet."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise UserError(f"{relative(folder)}: cannot write outputs: {relative(existing)} is a file, expected a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{relative(folder)}: cannot write outputs: no permission to write in {relative(existing)}")


def _delete(files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Set what a kernel inherits: its thread count, a fixed hash seed, figures drawn into the notebook."""
    wanted = dict.fromkeys(THREADS, str(threads)) | {"PYTHONHASHSEED": "0", "MPLBACKEND": INLINE}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _stop_with_pipeline() -> None:
    """End this process and its kernel when the Snakemake process that started it is killed.

    Otherwise a killed pipeline would leave notebooks running, which write into the files of the next run.
    """
    pipeline = os.environ.get("REGULOME_PIPELINE")
    if not pipeline:
        return
    import psutil

    def watch() -> None:
        stop = threading.Event()
        while psutil.pid_exists(int(pipeline)):
            stop.wait(1.0)
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
