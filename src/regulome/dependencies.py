"""What a step depends on: its notebook, its parameters, the modules these import and the files they name.

Modules are found by reading ``import`` statements, anywhere in a file, and following them; nothing is
imported. A module loaded by a computed name is not found, so the project has none.
"""

import ast
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from regulome import data, parameters, paths, steps
from regulome.errors import UserError

PACKAGE = "regulome"


def closure(script: Path) -> list[Path]:
    """Return the files of the package that a notebook script uses, directly or through other modules.

    These are its modules, the ``__init__`` of their packages, and the files beside a module that the module
    names in a string (a style file, a template).

    Raises
    ------
    UserError
        If a file has a syntax error; the message names file and line.
    """
    source = paths.root() / "src"
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        modules, beside = _read(path, _state(path), source)
        waiting += modules - found
        found |= modules
        if path != script:
            found |= beside
    return sorted(found)


def inputs(slug: str, profile: str) -> list[Path]:
    """Return every file whose change makes a step run again.

    Beside notebook, parameters, modules and lock these are the files that the Snakefile's table states
    (``reads``, and what the steps in ``after`` leave) and those that a text parameter names.
    """
    entry = steps.step(slug, profile)
    script = parameters.script(slug)
    found = [script, script.with_suffix(".ipynb"), parameters.file(slug, profile)]
    found += [*closure(script), paths.root() / "requirements.lock"]
    found += [paths.root() / name for name in entry["reads"]]
    for other in entry["after"]:
        found += [*steps.outputs(other, profile), *steps.kept(other, profile)]
    found += files_in(list(parameters.values(slug, profile).values()))
    return list(dict.fromkeys(found))


def data_checksums(slug: str, profile: str) -> dict[str, str]:
    """Return the sha256 of the registered data files that a step uses: another checksum makes it run again.

    Raises
    ------
    UserError
        If the table names a key that ``data/registry.yaml`` does not have.
    """
    return {key: data.describe(key).sha256 for key in sorted(steps.step(slug, profile)["data"])}


def _state(path: Path) -> tuple[int, int] | None:
    """What tells whether a file is still the one that was read; None if there is none."""
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else None


@lru_cache(maxsize=4096)  # most steps share most modules, and every job of a cluster reads the whole table
def _read(path: Path, state: tuple[int, int] | None, source: Path) -> tuple[frozenset[Path], frozenset[Path]]:
    """The modules that a file imports and the files beside it that it names; ``state`` tells versions apart."""
    text, tree = _parse(path)
    modules = frozenset(module for name in _imports(tree, path, source) for module in _files(name, source))
    return modules, frozenset(_named_files(tree, text, path))


def _parse(path: Path) -> tuple[str, ast.Module]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, ast.parse(text)
    except FileNotFoundError:
        raise UserError(f"{steps.relative(path)}: no such file") from None
    except SyntaxError as error:
        raise UserError(f"{steps.relative(path)}, line {error.lineno}: {error.msg}") from None


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement at any depth; expressions, most of a tree, are passed over."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside = getattr(node, field, [])
            waiting += inside if isinstance(inside, list) else []


def _imports(tree: ast.Module, path: Path, source: Path) -> set[str]:
    """Return the dotted names that a file imports; ``from a import b`` gives ``a.b``, whatever ``b`` is."""
    names = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level and path.is_relative_to(source):
                package = path.relative_to(source).parts[: -node.level]
                base = ".".join([*package, base] if base else package)
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == PACKAGE}


def _files(name: str, source: Path) -> list[Path]:
    """Return the files of a dotted name: the module, if any, and the ``__init__`` of each package."""
    parts = name.split(".")
    levels = [source.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    candidates = [path for level in levels for path in (level.with_suffix(".py"), level / "__init__.py")]
    return [path for path in candidates if path.is_file()]


def _named_files(tree: ast.Module, text: str, module: Path) -> set[Path]:
    """Return the files in or below a module's folder whose name stands in the module as a string."""
    found = set()
    for folder, inside, names in os.walk(module.parent):
        inside[:] = [name for name in inside if name != "__pycache__"]
        found |= {Path(folder, name) for name in names if name in text and not name.endswith(".py")}
    if not found:
        return found
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {path for path in found if path.name in strings and "." in path.name}


def files_in(values: list[Any]) -> list[Path]:
    """Return the files that text parameters name, relative to the checkout or absolute."""
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    candidates = [paths.root() / text for text in texts if isinstance(text, str) and "." in text and len(text) < 1000]
    return [path for path in candidates if path.is_file()]
