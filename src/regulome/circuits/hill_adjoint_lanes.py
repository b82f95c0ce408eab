"""Vector operations of `regulome.circuits.hill_adjoint`: Hill rates and their gradients on sixteen parameter sets.

Links of a gene are rows of lanes, activators first; k2 and b have the same offset, so have u and du. As in
`regulome.lanes`, arrays are flat and offsets count elements.
"""

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from regulome.circuits.hill_lanes import FLOOR
from regulome.lanes import LANES, Lanes, operation


def _links(lanes: Lanes, levels, constants):
    """Load row ``index`` of u and k2, given as (argument, offset): u, k2, 1 / (k2 + u) and the two offsets."""
    builder, (u_array, row), (k2_array, at) = lanes.builder, levels, constants

    def link(index):
        shift = builder.mul(index, ir.Constant(at.type, LANES))
        here, there = builder.add(at, shift), builder.add(row, shift)
        u, k2 = lanes.load(u_array, there), lanes.load(k2_array, here)
        return u, k2, builder.fdiv(lanes.constant(1.0), builder.fadd(u, k2)), here, there

    return link


def _factors(lanes: Lanes, link, b_array: int, activators, inhibitors):
    """Sum over activators of b u / (k2 + u), and product over inhibitors of k2 / (k2 + u)."""
    builder = lanes.builder
    total = cgutils.alloca_once_value(builder, lanes.constant(0.0))
    free = cgutils.alloca_once_value(builder, lanes.constant(1.0))
    with cgutils.for_range(builder, activators) as loop:
        u, _, inverse, here, _ = link(loop.index)
        bound = builder.fmul(u, inverse)
        builder.store(lanes.multiply_add(builder.load(total), lanes.load(b_array, here), bound), total)
    with cgutils.for_range(builder, inhibitors) as loop:
        _, k2, inverse, _, _ = link(builder.add(activators, loop.index))
        builder.store(builder.fmul(builder.load(free), builder.fmul(k2, inverse)), free)
    return builder.load(total), builder.load(free)


def _hill_rate(lanes, _f, i, _u, row, _k2, _b, at, activators, inhibitors):
    total, free = _factors(lanes, _links(lanes, (2, row), (4, at)), 5, activators, inhibitors)
    lanes.store(lanes.builder.fadd(lanes.builder.fmul(total, free), lanes.constant(FLOOR)), 0, i)


def _approach(lanes, _y, i, _a, j, _c, k):
    y = lanes.load(0, i)
    lanes.store(lanes.multiply_add(y, lanes.load(4, k), lanes.builder.fsub(lanes.load(2, j), y)), 0, i)


def _hill_slope(lanes, _db, at, _dk2, _k2, _b, _du, row, _u, _w, m, activators, inhibitors):
    """Add the gradient of w f to db, dk2 (offset ``at``, as k2 and b) and to du (offset ``row``, as u)."""
    builder = lanes.builder
    zero = lanes.constant(0.0)
    link = _links(lanes, (7, row), (3, at))

    def add(array, offset, value):
        lanes.store(builder.fadd(lanes.load(array, offset), value), array, offset)

    total, free = _factors(lanes, link, 4, activators, inhibitors)
    weight = builder.fmul(lanes.load(8, m), free)
    with cgutils.for_range(builder, activators) as loop:
        u, k2, inverse, here, there = link(loop.index)
        add(0, here, builder.fmul(weight, builder.fmul(u, inverse)))
        change = builder.fmul(builder.fmul(weight, lanes.load(4, here)), builder.fmul(inverse, inverse))
        add(2, here, builder.fsub(zero, builder.fmul(change, u)))
        add(5, there, builder.fmul(change, k2))
    whole = builder.fmul(weight, total)
    with cgutils.for_range(builder, inhibitors) as loop:
        u, k2, inverse, here, there = link(builder.add(activators, loop.index))
        change = builder.fmul(whole, inverse)
        add(2, here, builder.fdiv(builder.fmul(change, u), k2))
        add(5, there, builder.fsub(zero, change))


def _add_product(lanes, _y, i, _a, j, _b, k):
    lanes.store(lanes.multiply_add(lanes.load(0, i), lanes.load(2, j), lanes.load(4, k)), 0, i)


@intrinsic
def hill_rate(typingctx, f, i, u, row, k2, b, at, activators, inhibitors):
    """Hill production rate on the lanes."""
    return operation(_hill_rate, "aiaiaaiii")(typingctx, f, i, u, row, k2, b, at, activators, inhibitors)


@intrinsic
def approach(typingctx, y, i, a, j, c, k):
    """y[i:] += c[k:] * (a[j:] - y[i:]) on the lanes: one Euler step."""
    return operation(_approach, "aiaiai")(typingctx, y, i, a, j, c, k)


@intrinsic
def hill_slope(typingctx, db, at, dk2, k2, b, du, row, u, w, m, activators, inhibitors):
    """Gradient of a Hill rate on the lanes."""
    kinds = "aiaaaaiaaiii"
    return operation(_hill_slope, kinds)(typingctx, db, at, dk2, k2, b, du, row, u, w, m, activators, inhibitors)


@intrinsic
def add_product(typingctx, y, i, a, j, b, k):
    """y[i:] += a[j:] * b[k:] on the lanes."""
    return operation(_add_product, "aiaiai")(typingctx, y, i, a, j, b, k)
