"""What can be known of propensities and conditions from their text, before anything runs.

The simulator leaves out checks that a propensity cannot fail, and stops at the times that a trigger names.
"""

import ast

import numpy as np

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.rates import Rate


def never_negative(rate: Rate, network: StateTransitionNetwork) -> bool:
    """Whether there are only sums and products of counts, positive numbers, and parameters with boxes of these.

    Products x (x - 1) (x - 2) … count as well: they are zero where a factor of them is negative.
    """
    positive = set(network.states) | {p.name for p in network.parameters if p.low >= 0}
    positive |= {name for name, value in network.constants.items() if value >= 0}

    def check(node: ast.AST) -> bool:
        match node:
            case ast.Constant(value=value):
                return value >= 0
            case ast.Name(id=name):
                return rate.meaning(name) in positive
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return check(left) and check(right)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return product(node)
        return False

    def product(node: ast.AST) -> bool:
        factors, falling = [node], {}
        while factors:
            match factors.pop():
                case ast.BinOp(left=left, op=ast.Mult(), right=right):
                    factors += [left, right]
                case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=value)) if value > 0:
                    factors.append(left)
                case ast.BinOp(left=ast.Name(id=name), op=ast.Sub(), right=ast.Constant(value=value)):
                    if rate.meaning(name) not in network.states or value != int(value) or value < 0:
                        return False
                    falling.setdefault(name, {0}).add(int(value))
                case ast.BinOp(op=ast.Mult() | ast.Div()):
                    return False
                case other if not check(other):
                    return False
        return all(
            has_factors(rate, rate.meaning(name), max(values) + 1) and values == set(range(max(values) + 1))
            for name, values in falling.items()
        )

    return check(rate.tree)


def has_factors(rate: Rate, state: str, count: int) -> bool:
    """Whether x (x - 1) … (x - count + 1) are factors of the rate, which is then zero where they would run out."""
    found: set[int] = set()

    def collect(node: ast.AST) -> None:
        match node:
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                collect(left), collect(right)
            case ast.BinOp(left=left, op=ast.Div()):
                collect(left)
            case ast.Name(id=name) if rate.meaning(name) == state:
                found.add(0)
            case ast.BinOp(left=ast.Name(id=name), op=ast.Sub(), right=ast.Constant(value=value)):
                if rate.meaning(name) == state:
                    found.add(value)

    collect(rate.tree)
    return set(range(count)) <= found


def time_thresholds(rate: Rate, states, where: str) -> list[ast.AST]:
    """Sides that time is compared with in a condition.

    Raises
    ------
    UserError
        If time stands anywhere but alone on one side of a comparison whose other side is without states and time.
    """
    found: list[ast.AST] = []

    def names(node: ast.AST) -> set[str]:
        return {rate.meaning(n.id) for n in ast.walk(node) if isinstance(n, ast.Name)}

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Compare):
            sides = (node.left, node.comparators[0])
            for side, other in (sides, sides[::-1]):
                alone = isinstance(side, ast.Name) and rate.meaning(side.id) == "time"
                if alone and not names(other) & {"time", *states}:
                    found.append(other)
                    return
        if isinstance(node, ast.Name) and rate.meaning(node.id) == "time":
            raise UserError(
                f"{where}: time can only be compared with a number or an expression of parameters, as in 'time >= 25'"
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(rate.tree)
    return found


def stop_times(network: StateTransitionNetwork, theta: np.ndarray) -> np.ndarray:
    """Times at which a trigger's condition on time may change, when each is reached and just after; then infinity.

    Raises
    ------
    UserError
        If a condition uses time otherwise (see `time_thresholds`).
    """
    names = (*network.states, *network.parameter_names, *network.constants, "time")
    values = dict(zip(network.parameter_names, theta, strict=True)) | dict(network.constants)
    found = [np.inf]
    for trigger in network.triggers:
        where = f"{network.source}: trigger '{trigger.name}': condition"
        rate = Rate(trigger.condition, names, where)
        for side in time_thresholds(rate, network.states, f"{where} '{trigger.condition}'"):
            time = float(rate.value_of(side, values))
            found += [time, np.nextafter(time, np.inf)]
    return np.unique([time for time in found if time > 0])
