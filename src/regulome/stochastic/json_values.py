"""JSON files of networks: read without losing a key, and single values checked with a message that names the field."""

import json
from pathlib import Path
from typing import Any

from regulome.errors import UserError, closest


def read(path: Path) -> Any:
    """The content of a JSON file; repeated keys and numbers that are not finite are refused."""

    def pairs(items):
        found = {}
        for key, value in items:
            if key in found:
                raise UserError(f"{path}: key '{key}' is given twice; expected it once")
            found[key] = value
        return found

    def constant(word):
        raise UserError(f"{path}: found {word}, expected a finite number")

    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            raise UserError(f"{path}: the file is empty; expected a network in JSON")
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON, line {error.lineno} column {error.colno}: {error.msg}") from None
    except (RecursionError, ValueError):
        raise UserError(f"{path}: not a network: nested too deeply, or a number has too many digits") from None


def mapping(value: Any, keys, where: str, expected: str) -> None:
    """Refuse what is no mapping, or has another key than these."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: found {short(value)}, expected a mapping with {expected}")
    for key in value:
        if key not in keys:
            raise UserError(f"{where}: unknown key '{key}'{closest(key, keys)}; known: {', '.join(keys)}")


def by_name(value: Any, names: tuple[str, ...], where: str, check) -> dict[str, Any]:
    """Values by name, from a mapping or from a list in the order of the names."""
    if isinstance(value, list):
        if len(value) != len(names):
            raise UserError(f"{where}: found {len(value)} entries, expected {len(names)} ({', '.join(names)})")
        return {name: check(v, f"{where}[{i}] ({name})") for i, (name, v) in enumerate(zip(names, value, strict=True))}
    found = table(value, where, check)
    for name in found:
        known(name, names, where)
    return found


def table(value: Any, where: str, check) -> dict[str, Any]:
    """A mapping whose values pass a check."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: found {short(value)}, expected a mapping by name")
    return {name: check(entry, f"{where}: {name}") for name, entry in value.items()}


def items(value: Any, where: str) -> list:
    """A list."""
    if not isinstance(value, list):
        raise UserError(f"{where}: found {short(value)}, expected a list")
    return value


def names(value: Any, where: str) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(text(name, f"{where}[{i}]") for i, name in enumerate(items(value, where)))


def known(name: Any, states: tuple[str, ...], where: str) -> str:
    """A state of the network."""
    if name not in states:
        raise UserError(f"{where}: unknown state '{name}'{closest(name, states)}; expected {', '.join(states)}")
    return name


def text(value: Any, where: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise UserError(f"{where}: found {short(value)}, expected text")
    return value


def formula(value: Any, where: str) -> str | float:
    """A text that is not empty, or a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise UserError(f"{where}: found {short(value)}, expected an expression")
    return value


def whole(value: Any, where: str) -> int:
    """A whole number; 2.0 is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e308 or value != int(value):
        raise UserError(f"{where}: found {short(value)}, expected a whole number")
    return int(value)


def number(value: Any, where: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e308:
        raise UserError(f"{where}: found {short(value)}, expected a number")
    return value


def short(value: Any) -> str:
    """A value as JSON writes it, cut where it is long."""
    said = json.dumps(value, ensure_ascii=False, default=repr)
    return said if len(said) <= 60 else said[:57] + "..."
