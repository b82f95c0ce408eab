"""Propensities written by a user: parsed, checked, evaluated with NumPy or translated to source; never run as text.

The language is that of `regulome.expression` with ``^`` for powers (as in Catalyst and SBML) and the Hill functions:

    hill(x, v, K, n)    v x^n / (x^n + K^n)      rising
    hillr(x, v, K, n)   v K^n / (x^n + K^n)      falling (repression)
    mm(x, v, K)         v x / (x + K)
    mmr(x, v, K)        v K / (x + K)
    ln(x)               natural logarithm, as log(x)

A Hill function of a count of zero with a negative n takes its limit.
"""

import ast
import keyword
import re
import unicodedata
from collections.abc import Mapping

import numpy as np

from regulome import expression
from regulome.errors import UserError

RESERVED = (
    frozenset(expression.FUNCTIONS) | frozenset(expression.CONSTANTS) | {"time", "ln", "hill", "hillr", "mm", "mmr"}
)
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")
_MARK = "\u01c3"  # ends a name that is a word of Python, such as lambda; a letter nobody types
_CODE = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Mod: "%"}
_COMPARE_CODE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FUNCTION_CODE = {"min": "min", "max": "max", "abs": "abs"}


def hill(x, v, k, n):
    """v x^n / (x^n + K^n), written so that x = 0 has the limit for either sign of n."""
    with np.errstate(all="ignore"):
        ratio = np.power(np.divide(k, x), n)
        return np.where(np.isinf(ratio), 0.0, v / (1.0 + ratio))


def hillr(x, v, k, n):
    """v K^n / (x^n + K^n): `hill` with the opposite exponent."""
    return hill(x, v, k, -np.asarray(n))


def mm(x, v, k):
    """Michaelis-Menten rate v x / (x + K)."""
    return np.divide(v * x, x + k)


def mmr(x, v, k):
    """Repressing Michaelis-Menten rate v K / (x + K)."""
    return np.divide(v * k, x + k)


class Rate(expression.Expression):
    """One propensity, trigger or assignment over states, parameters and perhaps ``time``.

    Parameters
    ----------
    text
        The expression, ``^`` for powers; a plain number is accepted too.
    variables
        Names that may occur: states, parameters and, where it is allowed, ``time``.
    where
        What to call it in an error ("network.json: events[2]: event_rates").

    Raises
    ------
    UserError
        If the text is not an expression, or uses a name, function or construct that is not allowed.
    """

    functions: Mapping = expression.FUNCTIONS | {"ln": np.log, "hill": hill, "hillr": hillr, "mm": mm, "mmr": mmr}
    arguments: Mapping = expression.ARGUMENTS | {"hill": (4, 4), "hillr": (4, 4), "mm": (3, 3), "mmr": (3, 3)}

    def __init__(self, text: str | float, variables, where: str = "propensity"):
        super().__init__(text, variables, where)

    def _python(self, text: str) -> str:
        return _WORD.sub(lambda match: self._word(match[0]), text.replace("^", "**"))

    def _word(self, name: str) -> str:
        name = normal_form(name)
        return name + _MARK if keyword.iskeyword(name) else name

    def _plain(self, text: str) -> str:
        return text.replace("**", "^").replace(_MARK, "")

    def _check(self, node: ast.AST, variables: dict[str, str]) -> set[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not abs(node.value) < 1e308:
            raise UserError(f"{self.where}: '{self.text[:40]}' has a number that is too large, expected a finite one")
        return super()._check(node, variables)

    def code(self, names: Mapping[str, str]) -> str:
        """The expression as Python source for a compiler, every name replaced by ``names[name]``.

        Only what the checked tree holds is written: operators, numbers, calls of ``math`` functions and of ``hill``,
        ``hillr``, ``mm``, ``mmr``, ``where``, which the surrounding source has to define.
        """
        return self._code(self._tree, names)

    @property
    def tree(self) -> ast.AST:
        """The checked syntax tree, for whoever asks what an expression is made of."""
        return self._tree

    def meaning(self, word: str) -> str | None:
        """The variable that a name in the tree stands for; None for a constant or a function."""
        return self._variables.get(word)

    def value_of(self, part: ast.AST, values: Mapping[str, float]) -> float:
        """Number that a part of the tree stands for, where it holds no other names than these."""
        with np.errstate(all="ignore"):
            return float(self._value(part, values))

    def _code(self, node: ast.AST, names: Mapping[str, str]) -> str:
        match node:
            case ast.Constant(value=value):
                return repr(float(value))
            case ast.Name(id=name):
                return names[self._variables[name]] if name in self._variables else f"math.{name}"
            case ast.UnaryOp(op=op, operand=operand):
                return f"({'-' if isinstance(op, ast.USub) else '+'}{self._code(operand, names)})"
            case ast.BinOp(left=left, op=op, right=right):
                return f"({self._code(left, names)} {_CODE[type(op)]} {self._code(right, names)})"
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return (
                    f"(1.0 if {self._code(left, names)} {_COMPARE_CODE[type(op)]} {self._code(right, names)} else 0.0)"
                )
            case ast.Call(func=ast.Name(id=name), args=args):
                said = ", ".join(self._code(arg, names) for arg in args)
                if name in ("min", "max") and len(args) == 1:
                    return said
                return f"float(math.floor({said}))" if name == "floor" else f"{self._function(name)}({said})"
        raise AssertionError("checked on construction")

    @staticmethod
    def _function(name: str) -> str:
        if name in ("hill", "hillr", "mm", "mmr", "where"):
            return name
        return _FUNCTION_CODE.get(name, f"math.{'log' if name == 'ln' else name}")


def normal_form(name: str) -> str:
    """The name as Python reads it, with one sign for characters that mean the same."""
    return unicodedata.normalize("NFKC", name)


def check_name(name, where: str) -> str:
    """Return a name of a state, parameter or event if it can stand in an expression.

    Raises
    ------
    UserError
        If it is no text, no identifier, or means something else in the language.
    """
    if not isinstance(name, str) or not normal_form(name).isidentifier():
        raise UserError(f"{where}: found {name!r}, expected a name of letters, digits and underscores, no digit first")
    if name in RESERVED:
        raise UserError(f"{where}: '{name}' is a word of the expression language, expected another name")
    return name
