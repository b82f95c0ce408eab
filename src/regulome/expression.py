"""Arithmetic written by a user, parsed and evaluated without ever running it as Python.

A text such as ``0.4 + s * 2 * (exp(-k / 6) - exp(-k / 3))`` is parsed into a syntax tree, every node of which is
checked against a short list before it is evaluated with NumPy.
"""

import ast
import math
import unicodedata
from collections.abc import Mapping
from functools import reduce

import numpy as np

from regulome.errors import UserError, closest

FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "abs": np.abs,
    "floor": np.floor,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
    "where": np.where,
}
ARGUMENTS = {"where": (3, 3), "min": (1, None), "max": (1, None)}  # fewest and most; one for the others
CONSTANTS = {"pi": np.pi, "e": np.e}
_BINARY = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
}
_COMPARE = {ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal}


class Expression:
    """One arithmetic expression over named variables.

    Numbers, variables, ``+ - * / ** %``, comparisons (0 or 1), the constants pi and e, and the functions of
    ``functions`` are allowed; nothing else.

    Parameters
    ----------
    text
        The expression; a plain number is accepted too.
    variables
        Names that may occur.
    where
        What to call this expression in an error ("tasks/pulse.yaml: cases: full: targets: g1").

    Raises
    ------
    UserError
        If the text is not an expression, or uses a name, function or construct that is not allowed.
    """

    functions: Mapping = FUNCTIONS  # a language with more of them overrides both
    arguments: Mapping = ARGUMENTS

    def __init__(self, text: str | float, variables, where: str = "expression"):
        self.text, self.where = str(text), where
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise UserError(f"{where}: found {text!r}, expected a number or an expression")
        if isinstance(text, float) and not math.isfinite(text):
            raise UserError(f"{where}: found {text!r}, expected a finite number or an expression")
        try:
            self._tree = ast.parse(self._python(self.text.strip()), mode="eval").body
            self._variables = {self._word(name): name for name in variables}
            self.names = frozenset(self._check(self._tree, self._variables))
        except (SyntaxError, ValueError) as error:
            reason = getattr(error, "msg", str(error))
            raise UserError(f"{where}: '{self.text}' is not an expression ({reason})") from None
        except (RecursionError, MemoryError):
            raise UserError(f"{where}: '{self.text[:40]}...' is nested too deeply or too long") from None

    def _python(self, text: str) -> str:
        """The text as Python reads it; a language with other signs or names overrides this, `_word` and `_plain`."""
        return text

    def _word(self, name: str) -> str:
        """A name as it stands in the tree: Python reads µ (micro sign) as μ (Greek mu)."""
        return unicodedata.normalize("NFKC", name)

    def _plain(self, text: str) -> str:
        """The reverse of `_python`, for messages."""
        return text

    def _check(self, node: ast.AST, variables: dict[str, str]) -> set[str]:
        """Return the variables that the node uses; refuse everything that is not on the list."""
        match node:
            case ast.Constant(value=bool() | str() | bytes() | complex() | None):
                pass
            case ast.Constant(value=int() | float()):
                return set()
            case ast.Name(id=name) if name in variables:
                return {variables[name]}
            case ast.Name(id=name) if name in CONSTANTS:
                return set()
            case ast.Name(id=name):
                known, name = sorted(variables.values()), self._plain(name)
                hint = closest(name, known) or f" (known: {', '.join(known) or 'none'})"
                raise UserError(f"{self.where}: unknown name '{name}' in '{self.text}'{hint}")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self._check(operand, variables)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._check(left, variables) | self._check(right, variables)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return self._check(left, variables) | self._check(right, variables)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in self.functions:
                self._check_count(name, len(args))
                return set().union(*(self._check(arg, variables) for arg in args))
            case ast.Call(func=ast.Name(id=name)) if name not in self.functions:
                raise UserError(
                    f"{self.where}: unknown function '{name}'{closest(name, self.functions)} in '{self.text}'"
                )
        raise UserError(f"{self.where}: '{self._plain(ast.unparse(node))}' in '{self.text}' is not arithmetic")

    def _check_count(self, name: str, count: int) -> None:
        """NumPy would take a second argument of exp as the array to write into."""
        low, high = self.arguments.get(name, (1, 1))
        if count < low or (high is not None and count > high):
            expected = f"{low}" if low == high else f"at least {low}"
            raise UserError(f"{self.where}: '{name}' in '{self.text}' has {count} arguments, expected {expected}")

    def __call__(self, /, **values) -> np.ndarray:
        """Evaluate with NumPy broadcasting; missing or non-finite results are the caller's to judge."""
        with np.errstate(all="ignore"):
            try:
                return np.asarray(self._value(self._tree, values), dtype=float)
            except (TypeError, OverflowError, RecursionError) as error:
                raise UserError(f"{self.where}: '{self.text}' cannot be evaluated ({error})") from None

    def _value(self, node: ast.AST, values: dict):
        match node:
            case ast.Constant(value=value):
                return float(value)
            case ast.Name(id=name):
                return values[self._variables[name]] if name in self._variables else CONSTANTS[name]
            case ast.UnaryOp(op=op, operand=operand):
                value = self._value(operand, values)
                return -value if isinstance(op, ast.USub) else value
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self._value(left, values), self._value(right, values))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return np.asarray(_COMPARE[type(op)](self._value(left, values), self._value(right, values)), float)
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.functions[name](*(self._value(arg, values) for arg in args))
        raise AssertionError("checked on construction")

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"
