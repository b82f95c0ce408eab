"""Vector code of a Hill circuit: sixteen parameter sets, the rates of their genes and one step in time.

`Circuit` emits straight-line code for each of the 36 patterns of links between two coupled genes, so that a step has no
branch, no load that the processor does not hide, and one division a gene. Inputs are constant during a run, hence what
they contribute to a rate is a number that `prepare` computes beforehand. Other circuits take a general form, in which
the sign of a link is a coefficient.

A rate is f_j = (A_j + sum over activators b u / (K² + u)) * product over inhibitors K² / (K² + u), u = x²; A_j is what
the inputs activate. The rows of constants of gene j (``rows(genes)`` in all, each of LANES numbers) are

    A_j Q_j, then for each gene r: K²_rj, b_rj Q_j, and (general form only) 1 for a link that does not inhibit, else 0

with Q_j the product of the inputs' inhibition and of K² of all inhibiting genes (general form: of the inputs alone),
times dt for the Euler method.
"""

from itertools import product

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from regulome.lanes import LANES, Lanes, operation

ANY = 2  # a link whose sign is a coefficient
METHODS = ("euler", "rk4")
FLOOR = 1e-12  # added to rates: squares of levels that decay to nothing would be denormal, a hundred times slower
SMALLEST_K2 = 1e-12  # products of three (K² + u) have to stay above the smallest float32


def rows(genes: int) -> int:
    """Rows of constants of one circuit."""
    return genes * (1 + 3 * genes)


def patterns(genes: int) -> list[tuple[int, ...]]:
    """Signs between genes (regulator by regulator) for which code is emitted; the last one is the general form."""
    coupled = [p for p in product((-1, 0, 1), repeat=4) if p[1] and p[2]] if genes == 2 else []
    return [*coupled, (ANY,) * genes**2]


class Circuit:
    """Emits rates and steps of one pattern for one block of lanes."""

    def __init__(self, lanes: Lanes, pattern, genes: int, constants: int, first, method: str, dt):
        self.lanes, self.builder, self.genes, self.method = lanes, lanes.builder, genes, method
        self.sign = {(r, j): pattern[r * genes + j] for r in range(genes) for j in range(genes)}

        def row(number):
            return lanes.load(constants, lanes.builder.add(first, ir.Constant(first.type, number * LANES)))

        start = [j * (1 + 3 * genes) for j in range(genes)]
        self.base = [row(start[j]) for j in range(genes)]
        used = [link for link in self.sign if self.sign[link]]
        self.k2 = {(r, j): row(start[j] + 1 + 3 * r) for r, j in used}
        self.b = {(r, j): row(start[j] + 2 + 3 * r) for r, j in used if self.sign[r, j] in (1, ANY)}
        self.free = {(r, j): row(start[j] + 3 + 3 * r) for r, j in used if self.sign[r, j] == ANY}
        self.dt = dt
        self.keep = self.builder.fsub(lanes.constant(1.0), dt)
        self.floor = self.builder.fmul(dt, lanes.constant(FLOOR))

    def times(self, a, b):
        return self.builder.fmul(a, b, flags=("contract", "nsz"))

    def plus(self, a, b):
        return self.builder.fadd(a, b, flags=("contract", "nsz"))

    def rate(self, u, j):
        """Production of gene j from squared levels u: one fraction, or in the general form one a link."""
        links = [r for r in range(self.genes) if self.sign[r, j]]
        below = {r: self.plus(self.k2[r, j], u[r]) for r in links}
        if ANY in (self.sign[r, j] for r in links):
            return self._general(u, j, links, below)
        active = [r for r in links if self.sign[r, j] > 0]
        top = self.base[j]
        for r in active:
            top = self.times(top, below[r])
        for r in active:
            gain = self.times(self.b[r, j], u[r])
            for other in active:
                if other != r:
                    gain = self.times(gain, below[other])
            top = self.plus(top, gain)
        if not links:
            return top
        bottom = below[links[0]]
        for r in links[1:]:
            bottom = self.times(bottom, below[r])
        return self.builder.fdiv(top, bottom)

    def _general(self, u, j, links, below):
        total, free = self.base[j], None
        for r in links:
            inverse = self.builder.fdiv(self.lanes.constant(1.0), below[r])
            total = self.plus(total, self.times(self.times(self.b[r, j], u[r]), inverse))
            kept = self.times(self.plus(self.k2[r, j], self.times(self.free[r, j], u[r])), inverse)
            free = kept if free is None else self.times(free, kept)
        return self.times(total, free)

    def rates(self, x):
        u = [self.times(level, level) for level in x]
        return [self.rate(u, j) for j in range(self.genes)]

    def step(self, x):
        """Levels after one step; constants hold dt f for Euler, f for Runge-Kutta."""
        lanes = self.lanes
        if self.method == "euler":
            slow = [lanes.multiply_add(self.floor, self.keep, level) for level in x]
            return [self.plus(s, rate) for s, rate in zip(slow, self.rates(x), strict=True)]
        half = self.times(self.dt, lanes.constant(0.5))
        slopes, at = [], x
        for fraction in (half, half, self.dt, None):
            rates = self.rates(at)
            slopes.append([self.builder.fsub(f, level) for f, level in zip(rates, at, strict=True)])
            if fraction is not None:
                at = [lanes.multiply_add(level, fraction, k) for level, k in zip(x, slopes[-1], strict=True)]
        sixth = self.times(self.dt, lanes.constant(1 / 6))
        new = []
        for level, a, b, c, d in zip(x, *slopes, strict=True):
            middle = self.times(self.plus(b, c), lanes.constant(2.0))
            new.append(self.plus(self.floor, lanes.multiply_add(level, sixth, self.plus(self.plus(a, d), middle))))
        return new


def _prepare(genes: int):
    """Emit the rows of constants of one block from its parameters (see the module)."""

    def build(lanes, _c, c0, _b, b0, _k, k0, _u, u0, _e, _a, _i, _s, inputs, general, *_literals):
        builder, kind = lanes.builder, c0.type
        one = lanes.constant(1.0)
        scale = lanes.load(11, ir.Constant(kind, 0))
        specialised = lanes.spread(
            builder.uitofp(builder.icmp_signed("==", general, ir.Constant(kind, 0)), lanes.scalar)
        )

        def scalar(array, at):
            return lanes.spread(builder.load(builder.gep(lanes.pointers[array], [at])))

        def link(i, j):
            """Offsets of a link in the parameters and in the tables of signs."""
            number = builder.add(builder.mul(i, ir.Constant(kind, genes)), ir.Constant(kind, j))
            return builder.mul(number, ir.Constant(kind, LANES)), number

        def plus_if(a, flag, otherwise):  # flag * a + (1 - flag) * otherwise, exact for a flag of 0 or 1
            return builder.fadd(builder.fmul(flag, a), builder.fmul(builder.fsub(one, flag), otherwise))

        for j in range(genes):
            base, free = (
                cgutils.alloca_once_value(builder, lanes.constant(0.0)),
                cgutils.alloca_once_value(builder, scale),
            )
            with cgutils.for_range(builder, inputs) as loop:
                offset, number = link(loop.index, j)
                u = scalar(6, builder.add(u0, loop.index))
                k = lanes.load(4, builder.add(k0, offset))
                k2 = builder.fmul(k, k)
                below = builder.fadd(k2, u)
                gain = builder.fmul(builder.fmul(lanes.load(2, builder.add(b0, offset)), scalar(9, number)), u)
                builder.store(builder.fadd(builder.load(base), builder.fdiv(gain, below)), base)
                kept = plus_if(builder.fdiv(k2, below), scalar(10, number), one)
                builder.store(builder.fmul(builder.load(free), kept), free)
            start = builder.add(c0, ir.Constant(kind, j * (1 + 3 * genes) * LANES))

            def row(n, start=start):
                return builder.add(start, ir.Constant(kind, n * LANES))

            for r in range(genes):
                offset, number = link(builder.add(inputs, ir.Constant(kind, r)), j)
                k = lanes.load(4, builder.add(k0, offset))
                floor = lanes.call("maxnum", builder.fmul(k, k), lanes.constant(SMALLEST_K2))
                k2 = plus_if(floor, scalar(8, number), one)
                inhibits = scalar(10, number)
                lanes.store(k2, 0, row(1 + 3 * r))
                lanes.store(builder.fsub(one, inhibits), 0, row(3 + 3 * r))
                kept = plus_if(k2, builder.fmul(inhibits, specialised), one)
                builder.store(builder.fmul(builder.load(free), kept), free)
            # the general form multiplies the sum by the inputs' inhibition as well, so both carry it in every form
            for r in range(genes):
                offset, number = link(builder.add(inputs, ir.Constant(kind, r)), j)
                b = builder.fmul(lanes.load(2, builder.add(b0, offset)), scalar(9, number))
                lanes.store(builder.fmul(b, builder.load(free)), 0, row(2 + 3 * r))
            lanes.store(builder.fmul(builder.load(base), builder.load(free)), 0, row(0))

    return build


@intrinsic(prefer_literal=True)
def prepare(typingctx, c, c0, b, b0, k, k0, u, u0, exists, activates, inhibits, scale, inputs, general, genes):
    """Fill the rows of constants of one block for constant inputs.

    Parameters
    ----------
    c, b, k
        Constants (written), maximal rates and Michaelis constants (N, G, lanes).
    u
        Squared inputs, from ``u0`` on.
    exists, activates, inhibits
        (N G,) 1 or 0 for each link.
    scale
        One row of lanes that multiplies every rate: dt for Euler.
    inputs, general
        Number of inputs; 1 for the general form.
    genes
        Literal: number of genes.
    """
    if not isinstance(genes, types.Literal):
        return None
    make = operation(_prepare(genes.literal_value), "aiaiaiaiaaaaiil")
    return make(typingctx, c, c0, b, b0, k, k0, u, u0, exists, activates, inhibits, scale, inputs, general, genes)
