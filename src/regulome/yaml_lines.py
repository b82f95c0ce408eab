"""YAML files read so that a message can name the line to mend, and no key is lost because it is given twice."""

import re
from pathlib import Path
from typing import Any

import yaml

from regulome.errors import UserError
from regulome.steps import relative


class _Loader(yaml.SafeLoader):
    """YAML whose floats need no dot and no exponent sign: to YAML 1.1, and so to PyYAML, ``1e-4`` is text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def scalar(text: str) -> Any:
    """Read one value, such as that of a command-line option."""
    return yaml.load(text, Loader=_Loader)


def read_mapping(path: Path, nested: bool = False) -> dict[str, tuple[Any, int]]:
    """Read a YAML file of ``key: value`` pairs.

    Parameters
    ----------
    nested
        Whether a value may be a mapping in turn: ``a: {b: 1}`` then gives the key ``a.b``.

    Returns
    -------
    dict
        For each key its value and the number of its line.

    Raises
    ------
    UserError
        If the file is missing, is not YAML or not a mapping, or names a key twice (YAML would keep the last).
    """
    name = relative(path)
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{name}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: cannot be read: {error}") from None
    except yaml.reader.ReaderError as error:
        raise UserError(f"{name}: not YAML text: {error.reason} at character {error.position}") from None
    try:
        return _pairs(loader, loader.get_single_node(), name, nested)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UserError(f"{name}, line {mark.line + 1 if mark else '?'}: {error.problem or error.context}") from None
    finally:
        loader.dispose()


def _pairs(loader: _Loader, node: yaml.Node | None, name: str, nested: bool) -> dict[str, tuple[Any, int]]:
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{name}, line {node.start_mark.line + 1}: expected 'key: value' pairs")
    found: dict[str, tuple[Any, int]] = {}
    for key_node, value_node in node.value:
        key, line = str(loader.construct_object(key_node, deep=True)), key_node.start_mark.line + 1
        inner = {key: (value_node, line)}
        if nested and isinstance(value_node, yaml.MappingNode):
            inner = {f"{key}.{part}": pair for part, pair in _pairs(loader, value_node, name, True).items()}
        for full, (value, place) in inner.items():
            if full in found:
                raise UserError(f"{name}, line {place}: key {full!r} is given twice, first in line {found[full][1]}")
            value = loader.construct_object(value, deep=True) if isinstance(value, yaml.Node) else value
            found[full] = value, place
    return found


class UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a repeated key, where YAML itself would silently keep the last one."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue
            if name.value in seen:
                line = name.start_mark.line + 1
                raise UserError(f"{self.name} row {line}: '{name.value}' appears twice; expected unique names")
            seen.add(name.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:
    """Read a nested YAML file.

    Raises
    ------
    UserError
        If the file is missing, is not UTF-8 or not YAML, or names a key twice in one mapping.
    """
    try:
        with Path(path).open(encoding="utf-8") as handle:
            return yaml.load(handle, Loader=UniqueKeyLoader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}: not valid YAML{line} ({getattr(error, 'problem', error)})") from None
