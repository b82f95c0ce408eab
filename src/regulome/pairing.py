"""The two files of a notebook, percent script and ``.ipynb``, have to say the same."""

import sys
from pathlib import Path

from regulome import parameters
from regulome.errors import UserError
from regulome.steps import relative

KERNEL = "python3"


def without_iri_check() -> None:
    """Keep jsonschema, which nbformat imports, from building a grammar of web addresses (3 s)."""
    sys.modules.setdefault("rfc3987_syntax", None)


def check(slug: str) -> None:
    """Check that script and notebook hold the same cells, tags and metadata, and name the kernel ``python3``.

    Cell outputs are left aside: JupyterLab may have saved some.

    Raises
    ------
    UserError
        Naming the files, the first difference and the command that mends it.
    """
    without_iri_check()
    import jupytext
    from jupytext.compare import NotebookDifference, compare_notebooks

    script = parameters.script(slug)
    notebook = script.with_suffix(".ipynb")
    for path in (script, notebook):
        if not path.is_file():
            raise UserError(f"{relative(path)}: no such file; {_mend(script, notebook)}")
    try:
        source, pair = jupytext.read(script, fmt="py:percent"), jupytext.read(notebook)
        compare_notebooks(pair, source, fmt="py:percent")
    except NotebookDifference as difference:
        found = " ".join(str(difference).split())[:300]
        raise UserError(
            f"{relative(script)} and {relative(notebook)} differ: {found}\n{_mend(script, notebook)}"
        ) from None
    except Exception as error:  # jupytext and nbformat raise many kinds on a broken file
        raise UserError(f"{relative(notebook)}: cannot be read as a notebook: {error}") from None
    kernel = source.metadata.get("kernelspec", {}).get("name")
    if kernel != KERNEL:
        raise UserError(f"{relative(script)}: kernelspec: found {kernel!r}, expected {KERNEL!r}")


def _mend(script: Path, notebook: Path) -> str:
    """Say how the newer file is carried over to the older."""
    to_notebook = f"jupytext --to ipynb --update {relative(script)}"
    to_script = f"jupytext --to py:percent {relative(notebook)}"
    return f"if you edited the script, run: {to_notebook}\nif you edited the notebook, run: {to_script}"
