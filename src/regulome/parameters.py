"""Parameters of a notebook: declared once, in its own cell, and checked before a kernel starts.

The cell tagged ``parameters`` in ``notebooks/NN_name.py`` holds typed literals, each with a comment:

    replicates: int = 8  # independent trainings (>= 1)
    rate: float = 1e-3  # learning rate of Adam (0 < x <= 1)
    optimiser: str = "adam"  # update rule (one of: adam, sgd)
    layers: list[int] = [10, 10]  # hidden units of each layer (>= 1)
    limit: float | None = None  # largest expression, no limit if empty (> 0)

Types are ``int``, ``float``, ``bool``, ``str``, lists of these, and any of them ``| None``. A bracket in
the comment that holds ``<``, ``>`` or ``one of:`` is the allowed range: a comparison of ``x`` with numbers
(a leading ``x`` may be left out) or a list of choices. It holds for each element of a list, and not for
``None``. The cell is parsed, never run.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from regulome import paths
from regulome.errors import UserError, closest
from regulome.parameter_types import accept, in_range, is_kind, ranges
from regulome.steps import relative
from regulome.yaml_lines import read_mapping, scalar


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell; `kind` is its type as written there, `where` its file and line."""

    name: str
    kind: str
    default: Any
    ranges: tuple[str, ...]
    where: str

    def check(self, value: Any, where: str) -> Any:
        """Return `value` in the declared type, or raise a UserError with found and expected."""
        try:
            value = accept(value, self.kind)
        except TypeError:
            hint = "; write it in quotes" if self.kind == "str" and value is not None else ""
            found = f"{value!r} ({type(value).__name__})"
            raise UserError(f"{where}: parameter {self.name!r}: found {found}, expected {self.kind}{hint}") from None
        for allowed in self.ranges:
            if not in_range(value, allowed):
                raise UserError(f"{where}: parameter {self.name!r}: found {value!r}, expected {allowed}")
        return value


def script(slug: str) -> Path:
    """Return the percent script of a notebook."""
    return paths.notebooks() / f"{slug}.py"


def file(slug: str, profile: str) -> Path:
    """Return the parameter file of a notebook."""
    return paths.params(profile) / f"{slug}.yaml"


def declared(slug: str) -> dict[str, Parameter]:
    """Read the parameters cell of a notebook.

    Raises
    ------
    UserError
        If the notebook has no parameters cell, or a line of it is not a commented typed literal.
    """
    text, above = _cell(script(slug))
    name = relative(script(slug))
    try:
        nodes = ast.parse(text).body
    except SyntaxError as error:
        raise UserError(f"{name}, line {above + (error.lineno or 1)}: {error.msg}") from None
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    found = [_parameter(node, comments, f"{name}, line {above + node.lineno}") for node in nodes]
    return {parameter.name: parameter for parameter in found}


def values(slug: str, profile: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all parameters: the notebook's defaults, replaced by the YAML file, then by `overrides`.

    Raises
    ------
    UserError
        If a name is not declared in the notebook, or a value has the wrong type or is out of range. The
        message names file, line and key, what was found and what was expected.
    """
    parameters = declared(slug)
    name = relative(file(slug, profile))
    given = {key: (value, f"{name}, line {line}") for key, (value, line) in read_mapping(file(slug, profile)).items()}
    given |= {key: (value, f"{slug}, given value") for key, value in (overrides or {}).items()}
    unknown = [(key, where) for key, (_, where) in given.items() if key not in parameters]
    if unknown:
        key, where = unknown[0]
        raise UserError(f"{where}: unknown parameter {key!r}{closest(key, parameters)}")
    result = {key: parameter.default for key, parameter in parameters.items()}
    result |= {key: parameters[key].check(value, where) for key, (value, where) in given.items()}
    if result.get("profile") != profile:
        found = result.get("profile")
        raise UserError(f"{name}: parameter 'profile': found {found!r}, expected {profile!r}, as the folder says")
    return result


def check_defaults(slug: str) -> None:
    """Check that params/mini repeats the notebook's defaults and that params/paper gives the same keys.

    Raises
    ------
    UserError
        Naming the first key that is missing or differs.
    """
    parameters = declared(slug)
    for profile in paths.PROFILES:
        result = values(slug, profile)
        name, given = relative(file(slug, profile)), read_mapping(file(slug, profile))
        for key, parameter in parameters.items():
            if key not in given:
                raise UserError(f"{name}: parameter {key!r} is missing ({parameter.where})")
            if profile == "mini" and result[key] != parameter.default:
                expected = f"the notebook's default {parameter.default!r} ({parameter.where})"
                raise UserError(f"{name}, line {given[key][1]}: {key!r}: found {result[key]!r}, expected {expected}")


def from_command_line(slug: str, assignments: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs, values as YAML; for a parameter of type ``str`` the text is taken as it is.

    Raises
    ------
    UserError
        If a pair has no equals sign or its value is not YAML; names and types are checked by :func:`values`.
    """
    texts = {name for name, parameter in declared(slug).items() if parameter.kind == "str"}
    result = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"-p {assignment}: expected name=value")
        try:
            result[name] = text if name in texts else scalar(text)
        except yaml.YAMLError:
            raise UserError(f"-p {assignment}: the value is not YAML") from None
    return result


def _cell(path: Path) -> tuple[str, int]:
    """Return the text of the cell tagged ``parameters`` and the number of lines above that text."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{relative(path)}: no such notebook") from None
    starts = [number for number, line in enumerate(lines) if re.match(r"# %%(\s|$)", line)]
    tagged = [number for number in starts if re.search(r"tags=\[.*[\"']parameters[\"']", lines[number])]
    if len(tagged) != 1:
        expected = 'one, headed: # %% tags=["parameters"]'
        raise UserError(f"{relative(path)}: found {len(tagged)} cells tagged 'parameters', expected {expected}")
    end = next((number for number in starts if number > tagged[0]), len(lines))
    return "\n".join(lines[tagged[0] + 1 : end]) + "\n", tagged[0] + 1


def _parameter(node: ast.stmt, comments: Mapping[int, str], where: str) -> Parameter:
    """Build one parameter; its default has to satisfy its own type and range."""
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
        raise UserError(f"{where}: found {ast.unparse(node)!r}, expected 'name: type = literal  # what it means'")
    name, kind = node.target.id, ast.unparse(node.annotation)
    comment = " ".join(comments[n] for n in range(node.lineno, node.end_lineno + 1) if n in comments)
    if not comment:
        raise UserError(f"{where}: parameter {name!r} needs a comment that says what it means")
    if not is_kind(kind):
        raise UserError(f"{where}: type {kind!r}: expected int, float, bool, str, a list of these, or any | None")
    try:
        default = ast.literal_eval(node.value)
        parameter = Parameter(name, kind, default, ranges(comment), where)
        if repr(parameter.check(default, where)) != repr(default):
            raise UserError(f"{where}: parameter {name!r}: write its default {default!r} as {kind}")
    except ValueError as error:  # not a literal, or not a range
        raise UserError(f"{where}: parameter {name!r}: {error}") from None
    return parameter
