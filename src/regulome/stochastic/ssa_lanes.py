"""Sixteen trajectories in lock-step: one step of Gillespie's direct method as vector code, written for one network.

In every step all lanes draw a waiting time and an event. A lane whose next jump would come after its limit (the next
time at which counts are wanted) goes to the limit instead and draws anew from there, which is exact because exponential
times have no memory; the loop then ends so that the caller can read its counts. Lanes never look at each other: a
trajectory is the same in any lane beside any others.

Only networks are taken whose propensities are sums, products and quotients and need no checks (`program`).
"""

import ast
from functools import cache

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from regulome.lanes import LANES, Lanes, operation
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.rate_facts import has_factors, never_negative

TIME, LIMIT, COUNTS = 0, 1, 2  # rows of the table that a step works on; then N rows of counts and 4 of random words
_DEGREE = 13  # of the logarithm's polynomial: relative error of a waiting time below 1e-10
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def program(network: StateTransitionNetwork) -> tuple | None:
    """Propensities and changes as nested tuples of plain values; None if the network is not of that kind."""
    if not network.is_markov or network.triggers or not network.events:
        return None
    places = {name: ("x", i) for i, name in enumerate(network.states)}
    places |= {name: ("p", i) for i, name in enumerate(network.parameter_names)}
    places |= {name: ("c", float(value)) for name, value in network.constants.items()}
    events = []
    for rate, change in zip(network.rates, network.stoichiometry, strict=True):
        falling = [(s, int(-c)) for s, c in zip(network.states, change, strict=True) if c < 0]
        tree = _tuples(rate.tree, lambda name, rate=rate: places.get(rate.meaning(name)))
        if tree is None or not never_negative(rate, network) or not all(has_factors(rate, s, c) for s, c in falling):
            return None
        events.append((tree, tuple((i, int(c)) for i, c in enumerate(change) if c)))
    return len(network.states), tuple(events)


def _tuples(node: ast.AST, place) -> tuple | None:
    match node:
        case ast.Constant(value=value):
            return ("c", float(value))
        case ast.Name(id=name):
            return place(name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            sides = _tuples(left, place), _tuples(right, place)
            return None if None in sides else (_BINARY[type(op)], *sides)
    return None


def stepper(states: int, events: tuple):
    """Numba intrinsic step(table, theta, most): steps until a lane reaches its limit, ``most`` at most.

    ``table`` (float64) has ``states + 7`` rows of lanes: time, limit, counts, four rows of random words (bits of 64-bit
    integers); the first number of the last row becomes the number of steps.
    """

    def build(lanes, _table, _theta, most):
        _steps(lanes, most, states, events)

    @intrinsic
    def step(typingctx, table, theta, most):
        return operation(build, "aai")(typingctx, table, theta, most)

    return step


def _steps(lanes: Lanes, most, states: int, events: tuple) -> None:
    builder = lanes.builder
    whole = ir.VectorType(ir.IntType(64), LANES)
    index = most.type

    def row(number):
        return ir.Constant(index, number * LANES)

    rows = [TIME, *range(COUNTS, COUNTS + states + 4)]
    kept = {number: cgutils.alloca_once_value(builder, lanes.load(0, row(number))) for number in rows}
    limit = lanes.load(0, row(LIMIT))
    scalars = {leaf[1] for tree, _ in events for leaf in _leaves(tree) if leaf[0] == "p"}
    theta = {i: lanes.spread(builder.load(builder.gep(lanes.pointers[1], [ir.Constant(index, i)]))) for i in scalars}
    busy = builder.fcmp_ordered("<", limit, lanes.constant(float("inf")))  # a lane without work has no limit
    count = cgutils.alloca_once_value(builder, ir.Constant(index, 0))
    loop, after = builder.append_basic_block("step"), builder.append_basic_block("stepped")
    builder.branch(loop)
    builder.position_at_end(loop)

    x = [builder.load(kept[COUNTS + i]) for i in range(states)]
    state = [builder.bitcast(builder.load(kept[COUNTS + states + i]), whole) for i in range(4)]
    sums = []
    for tree, _ in events:
        rate = _value(lanes, tree, x, theta)
        sums.append(builder.fadd(sums[-1], rate) if sums else rate)
    state, first = _word(lanes, state)
    state, second = _word(lanes, state)
    wait = builder.fdiv(_minus_log(lanes, _unit(lanes, first, 2.0)), sums[-1])
    following = builder.fadd(builder.load(kept[TIME]), wait)
    over = builder.and_(builder.fcmp_unordered(">=", following, limit), busy)  # also where it is not a number
    point = builder.fmul(_unit(lanes, second, 1.0), sums[-1])
    point = builder.select(over, lanes.constant(float("inf")), point)
    below = [builder.fcmp_ordered("<", point, total) for total in sums]
    for k, (_, change) in enumerate(events):
        chosen = builder.and_(below[k], builder.not_(below[k - 1])) if k else below[0]
        for i, number in change:
            x[i] = builder.select(chosen, builder.fadd(x[i], lanes.constant(float(number))), x[i])
    builder.store(builder.select(over, limit, following), kept[TIME])
    for i in range(states):
        builder.store(x[i], kept[COUNTS + i])
    for i in range(4):
        builder.store(builder.bitcast(state[i], lanes.type), kept[COUNTS + states + i])
    done = builder.add(builder.load(count), ir.Constant(index, 1))
    builder.store(done, count)
    mask = builder.bitcast(over, ir.IntType(LANES))
    stop = builder.or_(
        builder.icmp_unsigned("!=", mask, ir.Constant(ir.IntType(LANES), 0)), builder.icmp_signed(">=", done, most)
    )
    builder.cbranch(stop, after, loop)

    builder.position_at_end(after)
    for number, place in kept.items():
        lanes.store(builder.load(place), 0, row(number))
    last = builder.gep(lanes.pointers[0], [row(COUNTS + states + 4)])
    builder.store(builder.sitofp(builder.load(count), lanes.scalar), last)


def _leaves(tree: tuple):
    if tree[0] in ("x", "p", "c"):
        yield tree
    else:
        for part in tree[1:]:
            yield from _leaves(part)


def _value(lanes: Lanes, tree: tuple, x: list, theta: dict):
    """A propensity on the lanes."""
    match tree:
        case ("x", i):
            return x[i]
        case ("p", i):
            return theta[i]
        case ("c", value):
            return lanes.constant(value)
    operations = {"+": lanes.builder.fadd, "-": lanes.builder.fsub, "*": lanes.builder.fmul, "/": lanes.builder.fdiv}
    return operations[tree[0]](*(_value(lanes, part, x, theta) for part in tree[1:]))


def _integers(value: int):
    return ir.Constant(ir.VectorType(ir.IntType(64), LANES), [value] * LANES)


def _word(lanes: Lanes, state: list):
    """xoshiro256+: next state and a word, on the lanes."""
    builder = lanes.builder
    a, b, c, d = state
    result = builder.add(a, d)
    t = builder.shl(b, _integers(17))
    c, d = builder.xor(c, a), builder.xor(d, b)
    b, a = builder.xor(b, c), builder.xor(a, d)
    c = builder.xor(c, t)
    d = builder.or_(builder.shl(d, _integers(45)), builder.lshr(d, _integers(19)))
    return [a, b, c, d], result


def _unit(lanes: Lanes, bits, end: float):
    """Numbers in [0, 1) from words, or 1 less them, in (0, 1], for ``end`` 2: 52 bits."""
    builder = lanes.builder
    one = builder.or_(builder.lshr(bits, _integers(12)), _integers(0x3FF0000000000000))
    one = builder.bitcast(one, lanes.type)
    return builder.fsub(lanes.constant(2.0), one) if end == 2.0 else builder.fsub(one, lanes.constant(1.0))


@cache
def _log_polynomial() -> np.ndarray:
    """Coefficients of (log(1 + x) - x + x²/2) / x³ on the interval that the mantissa is brought to, degree first 0."""
    low, high = np.sqrt(0.5) - 1, np.sqrt(2) - 1
    x = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    series = sum((-1) ** n * x**n / (n + 3) for n in range(40))
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.where(np.abs(x) < 0.1, series, (np.log1p(x) - x + x**2 / 2) / x**3)
    return np.polynomial.polynomial.Polynomial.fit(x, y, _DEGREE).convert().coef


def _minus_log(lanes: Lanes, u):
    """-log(u) on the lanes, for u in (0, 1]."""
    builder = lanes.builder
    raw = builder.bitcast(u, ir.VectorType(ir.IntType(64), LANES))
    # exponent and mantissa with the mantissa in [sqrt(1/2), sqrt(2))
    exponent = builder.ashr(builder.sub(raw, _integers(0x3FE6A09E667F3BCD)), _integers(52))
    mantissa = builder.bitcast(builder.sub(raw, builder.shl(exponent, _integers(52))), lanes.type)
    x = builder.fsub(mantissa, lanes.constant(1.0))
    series = lanes.constant(float(_log_polynomial()[-1]))
    for coefficient in _log_polynomial()[-2::-1]:
        series = lanes.multiply_add(lanes.constant(float(coefficient)), series, x)
    square = builder.fmul(x, x)
    log = lanes.multiply_add(builder.fmul(builder.fmul(x, square), series), square, lanes.constant(-0.5))
    e = builder.sitofp(exponent, lanes.type)
    log = builder.fadd(log, x)
    log = lanes.multiply_add(log, e, lanes.constant(float(np.log(2))))
    return builder.fsub(lanes.constant(0.0), log)
