"""Expressions of `regulome.stochastic.rates` as formulas of SBML Level 3.

The language has numbers where SBML has truth values too: a comparison inside arithmetic becomes piecewise(1, ..., 0),
and a product of comparisons that serves as a condition becomes a logical and.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from regulome.stochastic.rates import Rate

_SIGN = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_CONSTANTS = {"pi": "pi", "e": "exponentiale"}


@dataclass(frozen=True)
class Formula:
    """One expression on its way to SBML.

    Attributes
    ----------
    rate
        The expression.
    identifiers
        SBML identifier of each name.
    values
        Numbers of the parameters and constants; the sign of a constant Hill exponent decides how it is written.
    """

    rate: Rate
    identifiers: Mapping[str, str]
    values: Mapping[str, float]

    def number(self) -> str:
        """The formula, as a number."""
        return self._number(self.rate.tree)

    def condition(self) -> str:
        """The formula, as a truth value."""
        return self._condition(self.rate.tree)

    def _number(self, node: ast.AST) -> str:
        match node:
            case ast.Constant(value=value):
                return repr(float(value)) if not float(value).is_integer() or abs(value) > 1e15 else str(int(value))
            case ast.Name(id=name):
                meaning = self.rate.meaning(name)
                return _CONSTANTS[name] if meaning is None else self.identifiers[meaning]
            case ast.UnaryOp(op=op, operand=operand):
                return f"({'-' if isinstance(op, ast.USub) else ''}{self._number(operand)})"
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                a, b = self._number(left), self._number(right)
                return f"({a} - {b} * floor({a} / {b}))"
            case ast.BinOp(left=left, op=op, right=right):
                return f"({self._number(left)} {_SIGN[type(op)]} {self._number(right)})"
            case ast.Compare():
                return f"piecewise(1, {self._condition(node)}, 0)"
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._call(name, args)
        raise AssertionError("checked by Rate")

    def _call(self, name: str, args: list[ast.AST]) -> str:
        if name == "where":
            return f"piecewise({self._number(args[1])}, {self._condition(args[0])}, {self._number(args[2])})"
        given = [self._number(arg) for arg in args]
        if name in ("hill", "hillr"):
            return self._hill(given, args[3], -1 if name == "hillr" else 1)
        if name in ("mm", "mmr"):
            x, v, k = given
            return f"({v} * {x if name == 'mm' else k} / ({x} + {k}))"
        if name in ("min", "max") and len(given) == 1:
            return given[0]
        return f"{'ln' if name == 'log' else name}({', '.join(given)})"

    def _hill(self, given: list[str], exponent: ast.AST, sign: int) -> str:
        """v x^n / (x^n + K^n) for n >= 0, v K^m / (x^m + K^m) with m = -n for n < 0: both have a value at x = 0."""
        x, v, k, n = given
        names = {self.rate.meaning(part.id) for part in ast.walk(exponent) if isinstance(part, ast.Name)} - {None}
        rising, falling = (
            f"({v} * {x}^({n}) / ({x}^({n}) + {k}^({n})))",
            f"({v} * {k}^({n}) / ({x}^({n}) + {k}^({n})))",
        )
        rising_, falling_ = (text.replace(f"^({n})", f"^(-({n}))") for text in (rising, falling))
        up, down = (rising, falling_) if sign > 0 else (falling, rising_)
        if names <= set(self.values):
            return up if self.rate.value_of(exponent, self.values) >= 0 else down
        return f"piecewise({up}, {n} >= 0, {down})"

    def _condition(self, node: ast.AST) -> str:
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"({self._number(left)} {_COMPARE[type(op)]} {self._number(right)})"
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return f"({self._condition(left)} && {self._condition(right)})"
            case ast.Call(func=ast.Name(id="max"), args=args) if all(isinstance(arg, ast.Compare) for arg in args):
                return f"({' || '.join(self._condition(arg) for arg in args)})"
            case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub(), right=right) if isinstance(right, ast.Compare):
                return f"(!{self._condition(right)})"
        return f"({self._number(node)} != 0)"
