"""Types and ranges that a notebook parameter may have."""

import ast
import math
import re
from typing import Any

SCALARS = {"int": int, "float": float, "bool": bool, "str": str}
OPTIONAL = " | None"
COMPARE = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


def is_kind(kind: str) -> bool:
    """Tell whether a type, written as in the notebook, is one that parameters may have."""
    return re.fullmatch(r"(list\[)*(int|float|bool|str)(\])*( \| None)?", kind) is not None


def accept(value: Any, kind: str) -> Any:
    """Return a value in the type `kind`; integers become floats where floats are expected, nothing else
    changes.

    Raises
    ------
    TypeError
        If the value has another type, or is a number that is not finite. A bool is no int, a text no number.
    """
    if kind.endswith(OPTIONAL):
        return None if value is None else accept(value, kind.removesuffix(OPTIONAL))
    if kind.startswith("list["):
        if not isinstance(value, list):
            raise TypeError
        return [accept(element, kind[len("list[") : -1]) for element in value]
    if kind == "float" and type(value) is int:
        value = float(value)
    if type(value) is not SCALARS[kind] or (kind == "float" and not math.isfinite(value)):
        raise TypeError
    return value


def ranges(comment: str) -> tuple[str, ...]:
    """Return the brackets of a comment that state a range: those with ``<``, ``>`` or ``one of:``."""
    return tuple(re.findall(r"\(\s*([^()]*?(?:[<>]|one of:)[^()]*?)\s*\)", comment))


def in_range(value: Any, allowed: str) -> bool:
    """Tell whether a value, or each element of a list, lies in a range such as ``>= 1``, ``0 < x <= 1``,
    ``one of: a, b``.

    Raises
    ------
    ValueError
        If the range cannot be read.
    """
    if value is None:
        return True
    if isinstance(value, list):
        return all(in_range(element, allowed) for element in value)
    if allowed.startswith("one of:"):
        return str(value) in [choice.strip() for choice in allowed.removeprefix("one of:").split(",")]
    try:
        comparison = ast.parse(f"x {allowed}" if allowed[0] in "<>" else allowed, mode="eval").body
        sides = [_number(side, value) for side in (comparison.left, *comparison.comparators)]
        tests = [COMPARE[type(sign)] for sign in comparison.ops]
        return all(test(a, b) for test, a, b in zip(tests, sides, sides[1:], strict=False))
    except (SyntaxError, AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"cannot read the range ({allowed})") from None


def _number(side: ast.expr, x: Any) -> float:
    """Return one side of a comparison: the value itself for ``x``, else a number."""
    return x if isinstance(side, ast.Name) and side.id == "x" else ast.literal_eval(side)
