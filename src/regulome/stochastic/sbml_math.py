"""MathML of SBML, as libSBML parses it, in the expression language of `regulome.stochastic.rates`.

Truth values become 1 and 0: ``a and b`` is a product, ``not a`` is 1 - a. Functions defined in the model are written
out. What has no counterpart (delay, rateOf, inverse trigonometric functions, ...) is refused by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import libsbml

from regulome.errors import UserError

_ATOM, _POWER, _PRODUCT, _SUM, _COMPARISON = 4, 3, 2, 1, 0  # binding, tightest first
_ONE_ARGUMENT = {
    libsbml.AST_FUNCTION_EXP: "exp({})",
    libsbml.AST_FUNCTION_LN: "ln({})",
    libsbml.AST_FUNCTION_ABS: "abs({})",
    libsbml.AST_FUNCTION_FLOOR: "floor({})",
    libsbml.AST_FUNCTION_CEILING: "-floor(-({}))",
    libsbml.AST_FUNCTION_SIN: "sin({})",
    libsbml.AST_FUNCTION_COS: "cos({})",
    libsbml.AST_FUNCTION_TANH: "tanh({})",
    libsbml.AST_LOGICAL_NOT: "1 - ({})",
}
_LOOSE = {libsbml.AST_FUNCTION_CEILING, libsbml.AST_LOGICAL_NOT}  # these two are no calls
_COMPARE = {
    libsbml.AST_RELATIONAL_LT: "{0} < {1}",
    libsbml.AST_RELATIONAL_LEQ: "{0} <= {1}",
    libsbml.AST_RELATIONAL_GT: "{0} > {1}",
    libsbml.AST_RELATIONAL_GEQ: "{0} >= {1}",
}
_SAME = {
    libsbml.AST_RELATIONAL_EQ: "({0} <= {1}) * ({0} >= {1})",
    libsbml.AST_RELATIONAL_NEQ: "1 - ({0} <= {1}) * ({0} >= {1})",
}
_CONSTANTS = {
    libsbml.AST_CONSTANT_E: "e",
    libsbml.AST_CONSTANT_PI: "pi",
    libsbml.AST_CONSTANT_TRUE: "1",
    libsbml.AST_CONSTANT_FALSE: "0",
    libsbml.AST_NAME_AVOGADRO: "6.02214179e23",
}
_MIN_MAX = {getattr(libsbml, "AST_FUNCTION_MIN", None): "min", getattr(libsbml, "AST_FUNCTION_MAX", None): "max"}


@dataclass(frozen=True)
class Translator:
    """Writes MathML as expressions.

    Attributes
    ----------
    symbol
        Gives for an identifier of the model the expression that stands for it; raises `UserError` if there is none.
    functions
        Function definitions of the model by identifier (`libsbml.FunctionDefinition`).
    where
        What to call the element in an error.
    time
        Whether the time may occur.
    arguments
        Expressions of the arguments of the function that is being written out.
    """

    symbol: Callable[[str], str]
    functions: Mapping[str, libsbml.FunctionDefinition]
    where: str
    time: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    inside: tuple[str, ...] = ()

    def text(self, node: libsbml.ASTNode | None) -> str:
        """The expression of a formula.

        Raises
        ------
        UserError
            If there is no formula, or it has something that the expression language does not; with the name of the
            element and of what was found.
        """
        if node is None:
            raise UserError(f"{self.where}: has no formula, expected one")
        return self._write(node)[0]

    def _write(self, node) -> tuple[str, int]:
        kind, children = node.getType(), [node.getChild(i) for i in range(node.getNumChildren())]
        if node.isNumber():
            return _number(node)
        if kind in _CONSTANTS:
            return _CONSTANTS[kind], _ATOM
        if kind == libsbml.AST_NAME:
            return self._name(node.getName())
        if kind == libsbml.AST_NAME_TIME:
            if not self.time:
                raise UserError(f"{self.where}: uses the time, expected it in triggers of events alone")
            return "time", _ATOM
        if kind in (libsbml.AST_PLUS, libsbml.AST_TIMES, libsbml.AST_LOGICAL_AND, libsbml.AST_LOGICAL_OR):
            return self._many(kind, children)
        if kind == libsbml.AST_MINUS and len(children) == 1:
            return f"-{self._held(children[0], _PRODUCT)}", _SUM
        if kind == libsbml.AST_MINUS:
            return f"{self._held(children[0], _SUM)} - {self._held(children[1], _PRODUCT)}", _SUM
        if kind == libsbml.AST_DIVIDE:
            return f"{self._held(children[0], _PRODUCT)} / {self._held(children[1], _POWER)}", _PRODUCT
        if kind in (libsbml.AST_POWER, libsbml.AST_FUNCTION_POWER):
            return f"{self._held(children[0], _ATOM)}^{self._held(children[1], _ATOM)}", _POWER
        return self._call(node, kind, children)

    def _held(self, node, binding: int) -> str:
        """The expression, in parentheses if it binds less tightly."""
        text, own = self._write(node)
        return text if own >= binding else f"({text})"

    def _name(self, name: str) -> tuple[str, int]:
        text = self.arguments[name] if name in self.arguments else self.symbol(name)
        return text, _ATOM if text.isidentifier() else -1

    def _many(self, kind, children) -> tuple[str, int]:
        if kind == libsbml.AST_PLUS:
            return " + ".join(self._held(c, _SUM) for c in children) or "0", _SUM
        if kind == libsbml.AST_LOGICAL_OR:
            return "max({})".format(", ".join(self._write(c)[0] for c in children)) if children else "0", _ATOM
        factors = [self._held(children[0], _PRODUCT)] if children else ["1"]
        return " * ".join(factors + [self._held(c, _POWER) for c in children[1:]]), _PRODUCT

    def _call(self, node, kind, children) -> tuple[str, int]:
        if kind in _ONE_ARGUMENT and len(children) == 1:
            return _ONE_ARGUMENT[kind].format(self._write(children[0])[0]), -1 if kind in _LOOSE else _ATOM
        if kind in _COMPARE and len(children) == 2:
            return _COMPARE[kind].format(*(self._held(c, _SUM) for c in children)), _COMPARISON
        if kind in _SAME and len(children) == 2:
            return _SAME[kind].format(*(self._held(c, _SUM) for c in children)), -1
        if kind == libsbml.AST_FUNCTION_LOG:  # log with a base; 10 if there is none
            base = self._write(children[0])[0] if len(children) == 2 else "10"
            return f"ln({self._write(children[-1])[0]}) / ln({base})", _PRODUCT
        if kind == libsbml.AST_FUNCTION_ROOT:
            degree = self._write(children[0])[0] if len(children) == 2 else "2"
            inner = self._write(children[-1])[0]
            return (f"sqrt({inner})", _ATOM) if degree == "2" else (f"({inner})^(1 / ({degree}))", _POWER)
        if kind == libsbml.AST_FUNCTION_PIECEWISE:
            return self._piecewise(children), _ATOM
        if kind in _MIN_MAX and children:
            return f"{_MIN_MAX[kind]}({', '.join(self._write(c)[0] for c in children)})", _ATOM
        if kind == libsbml.AST_FUNCTION and node.getName() in self.functions:
            return self._defined(node.getName(), children), -1
        shown = node.getName() or libsbml.formulaToL3String(node) or "an element"
        raise UserError(f"{self.where}: '{shown}' is not supported in a formula")

    def _piecewise(self, children) -> str:
        """Value, condition, value, condition, ..., value otherwise."""
        if len(children) % 2 == 0:
            raise UserError(f"{self.where}: piecewise has no 'otherwise', expected one")
        text = self._write(children[-1])[0]
        for i in range(len(children) - 3, -1, -2):
            text = f"where({self._write(children[i + 1])[0]}, {self._write(children[i])[0]}, {text})"
        return text

    def _defined(self, name: str, children) -> str:
        definition = self.functions[name]
        if name in self.inside or definition.getNumArguments() != len(children) or definition.getBody() is None:
            raise UserError(f"{self.where}: the call of function '{name}' does not fit its definition")
        names = [definition.getArgument(i).getName() for i in range(len(children))]
        arguments = dict(zip(names, (self._write(child)[0] for child in children), strict=True))
        inner = replace(self, arguments=arguments, inside=(*self.inside, name))
        return inner.text(definition.getBody())


def _number(node) -> tuple[str, int]:
    kind = node.getType()
    if kind == libsbml.AST_INTEGER:
        value = node.getInteger()
    elif kind == libsbml.AST_RATIONAL:
        return f"{node.getNumerator()} / {node.getDenominator()}", _PRODUCT
    else:
        value = node.getReal()
    return plain_number(value), _ATOM if value >= 0 else _SUM


def plain_number(value: float) -> str:
    """A number as short as it can be written without loss."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
