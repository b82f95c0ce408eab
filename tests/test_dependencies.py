"""The import closure is found without importing; the truth is what Python itself loads."""

import subprocess
import sys

import pytest

from regulome import dependencies, paths
from regulome.errors import UserError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A checkout whose package has chains of imports; returns the function that writes its files."""
    monkeypatch.setenv("REGULOME_ROOT", str(tmp_path))

    def write(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    write("src/regulome/__init__.py")
    write("src/regulome/alone.py", "import numpy.nothing_here\n")
    write("src/regulome/chain.py", "from regulome import link\n")
    write("src/regulome/link.py", "def late():\n    import regulome.part.deep\n")
    write("src/regulome/part/__init__.py", "from .sibling import value\n")
    write("src/regulome/part/sibling.py", "value = 1\n")
    write("src/regulome/part/deep.py", "from ..alone_too import x\nfrom . import sibling as s\n")
    write("src/regulome/alone_too.py", "x = 1\n")
    return write


def found(package, text):
    script = package("notebooks/90_example.py", text)
    folder = paths.root() / "src" / "regulome"
    return {str(path.relative_to(folder)) for path in dependencies.closure(script)}


def test_chains_are_followed_through_packages_relative_and_late_imports(package):
    expected = {"__init__.py", "chain.py", "link.py", "alone_too.py"}
    expected |= {"part/__init__.py", "part/sibling.py", "part/deep.py"}
    assert found(package, "from regulome import chain\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        "import regulome.part.sibling",
        "from regulome.part import sibling",
        "from regulome.part.sibling import value",
        "from regulome.part import value",
        "if False:\n    from regulome import part as p",
    ],
)
def test_all_ways_to_import_are_seen(package, text):
    assert found(package, text) == {"__init__.py", "part/__init__.py", "part/sibling.py"}


def test_modules_that_are_not_imported_do_not_count(package):
    assert found(package, "import os, numpy\nimport regulome_other\ntext = 'import regulome.chain'\n") == set()
    assert found(package, "from regulome import alone\n") == {"__init__.py", "alone.py"}


def test_circles_end(package):
    package("src/regulome/a.py", "import regulome.b\n")
    package("src/regulome/b.py", "import regulome.a\n")
    assert found(package, "import regulome.a\n") == {"__init__.py", "a.py", "b.py"}


def test_files_that_a_module_names_count(package):
    package("src/regulome/look.mplstyle")
    package("src/regulome/other.mplstyle")
    package("src/regulome/templates/page.html")
    package("src/regulome/look.py", "style = 'look.mplstyle'\npage = 'page.html'\n")
    expected = {"__init__.py", "look.py", "look.mplstyle", "templates/page.html"}
    assert found(package, "from regulome import look\n") == expected


def test_a_syntax_error_is_named_with_file_and_line(package):
    package("src/regulome/alone.py", "x = 1\ny = = 2\n")
    with pytest.raises(UserError, match=r"^src/regulome/alone.py, line 2: invalid syntax$"):
        found(package, "from regulome import alone\n")


def test_the_closure_covers_what_python_loads_from_the_real_package():
    for module in ("regulome.report", "regulome.figures", "regulome.notebook"):
        code = f"import sys, {module}\nfor name, loaded in sys.modules.items():\n"
        code += "    if name.split('.')[0] == 'regulome': print(loaded.__file__)"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        script = paths.root() / "src" / f"{module.replace('.', '/')}.py"
        closure = {str(path) for path in dependencies.closure(script)} | {str(script)}
        assert set(loaded) <= closure


def test_inputs_are_notebook_parameters_modules_lock_and_named_files(package):
    package(
        "Snakefile",
        'STEPS = {\n    "90_example": {"reads": ["data/mini/x.csv"], "after": ["91_next"]},\n    "91_next": {},\n}\n',
    )
    package(
        "notebooks/90_example.py",
        '# %% tags=["parameters"]\nprofile: str = "mini"  # text\nfile: str = "a.csv"  # text\n\n'
        "# %%\nfrom regulome import alone\n",
    )
    package("params/mini/90_example.yaml", "file: data/my.csv\n")
    package("data/my.csv")
    names = {str(path.relative_to(paths.root())) for path in dependencies.inputs("90_example", "mini")}
    assert names == {
        "notebooks/90_example.py",
        "notebooks/90_example.ipynb",
        "params/mini/90_example.yaml",
        "src/regulome/__init__.py",
        "src/regulome/alone.py",
        "requirements.lock",
        "data/mini/x.csv",
        "data/my.csv",
        "figures/mini/91_next/results.csv",
        "figures/mini/91_next/manifest.json",
    }
