"""Vector code of whole runs of Hill circuits: a loop over time with the state and its statistics in registers.

`integrate` holds a loop for every pattern of links (`regulome.circuits.hill_lanes`) and enters the one it is asked for.
A run ends early when no number changes any more: the map is deterministic, so the rest would be repeats.

Statistics of a watched gene, in rows of lanes (``STATISTICS``): sums of the difference from a reference and of its
square, largest and smallest change between samples, maximum, minimum, reference (the first sample watched), last
sample, and the sum of squared differences from a target.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from regulome.circuits.hill_lanes import METHODS, Circuit, patterns, rows
from regulome.lanes import LANES, Lanes, operation

SIDE_BY_SIDE = 2  # blocks of lanes in flight together: one computes while the other waits for its division
STATISTICS = ("sum", "squares", "largest", "smallest", "maximum", "minimum", "reference", "last", "error")
ROW = {name: row for row, name in enumerate(STATISTICS)}


class _Watch:
    """Running statistics of one gene of one block, in registers while a call lasts."""

    def __init__(self, lanes: Lanes, array: int, first):
        self.lanes, self.builder, self.array = lanes, lanes.builder, array
        self.at = {name: self.builder.add(first, ir.Constant(first.type, row * LANES)) for name, row in ROW.items()}
        self.value = {name: cgutils.alloca_once_value(self.builder, self.load(name)) for name in STATISTICS}

    def load(self, name):
        return self.lanes.load(self.array, self.at[name])

    def get(self, name):
        return self.builder.load(self.value[name])

    def set(self, name, vector):
        self.builder.store(vector, self.value[name])

    def begin(self, x):
        for name in ("maximum", "minimum", "reference", "last"):
            self.set(name, x)
        for name in ("sum", "squares"):
            self.set(name, self.lanes.constant(0.0))
        self.set("largest", self.lanes.constant(float("-inf")))
        self.set("smallest", self.lanes.constant(float("inf")))

    def sample(self, x):
        builder, lanes = self.builder, self.lanes
        d, change = builder.fsub(x, self.get("reference")), builder.fsub(x, self.get("last"))
        self.set("sum", builder.fadd(self.get("sum"), d))
        self.set("squares", lanes.multiply_add(self.get("squares"), d, d))
        for name, call, value in (
            ("largest", "maxnum", change), ("smallest", "minnum", change),
            ("maximum", "maxnum", x), ("minimum", "minnum", x),
        ):  # fmt: skip
            self.set(name, lanes.call(call, self.get(name), value))
        self.set("last", x)

    def compare(self, x, target):
        d = self.builder.fsub(x, target)
        self.set("error", self.lanes.multiply_add(self.get("error"), d, d))

    def repeat(self, x, count):
        """The state has settled: count more samples that are all x."""
        builder, lanes = self.builder, self.lanes
        number = lanes.spread(builder.sitofp(count, lanes.scalar))
        d = builder.fsub(x, self.get("reference"))
        self.set("sum", lanes.multiply_add(self.get("sum"), number, d))
        self.set("squares", lanes.multiply_add(self.get("squares"), builder.fmul(number, d), d))
        zero = lanes.constant(0.0)
        self.set("largest", lanes.call("maxnum", self.get("largest"), zero))
        self.set("smallest", lanes.call("minnum", self.get("smallest"), zero))

    def write(self):
        for name in STATISTICS:
            self.lanes.store(self.get(name), self.array, self.at[name])


class _Run:
    """A loop over time for one pattern: unwatched steps, then watched ones; stops when no lane moves any more."""

    def __init__(self, lanes, pattern, genes, watched, method, compares, arguments):
        (self.state, s0), (constants, c0), (statistics, w0), (self.target, self.t0), dt = arguments
        self.lanes, self.builder, self.genes, self.watched = lanes, lanes.builder, genes, watched
        self.compares = compares
        builder, kind = lanes.builder, s0.type

        def offset(start, block, size):
            return builder.add(start, ir.Constant(kind, block * size * LANES))

        blocks = range(SIDE_BY_SIDE)
        self.circuits = [
            Circuit(lanes, pattern, genes, constants, offset(c0, n, rows(genes)), method, dt) for n in blocks
        ]
        self.places = [[offset(offset(s0, n, genes), g, 1) for g in range(genes)] for n in blocks]
        self.levels = [
            [cgutils.alloca_once_value(builder, lanes.load(self.state, at)) for at in block] for block in self.places
        ]
        size = len(watched) * len(STATISTICS)
        self.watches = [
            [_Watch(lanes, statistics, offset(offset(w0, n, size), w, len(STATISTICS))) for w in range(len(watched))]
            for n in blocks
        ]  # fmt: skip

    def step(self):
        """Advance every block; return a flag: nothing has changed in any lane."""
        builder = self.builder
        same = None
        for circuit, levels in zip(self.circuits, self.levels, strict=True):
            old = [builder.load(level) for level in levels]
            new = circuit.step(old)
            for level, before, after in zip(levels, old, new, strict=True):
                builder.store(after, level)
                equal = builder.fcmp_ordered("==", before, after)
                same = equal if same is None else builder.and_(same, equal)
        bits = builder.bitcast(same, ir.IntType(LANES))
        return builder.icmp_unsigned("==", bits, ir.Constant(ir.IntType(LANES), 2**LANES - 1))

    def each_watch(self):
        for levels, watches in zip(self.levels, self.watches, strict=True):
            for gene, watch in zip(self.watched, watches, strict=True):
                yield watch, self.builder.load(levels[gene])

    def compare(self, t):
        if self.compares:
            at = self.builder.gep(self.lanes.pointers[self.target], [self.builder.add(self.t0, t)])
            target = self.lanes.spread(self.builder.load(at))
            for watch, x in self.each_watch():
                watch.compare(x, target)

    def emit(self, unwatched, watched_steps, begun):
        builder = self.builder
        zero, one = ir.Constant(unwatched.type, 0), ir.Constant(unwatched.type, 1)
        wanted = builder.icmp_signed(">", watched_steps, zero)
        begins = builder.and_(wanted, builder.not_(begun))
        before = builder.add(unwatched, builder.select(begins, one, zero))  # the first watched sample is the reference
        with cgutils.for_range(builder, before) as loop:
            same = self.step()
            self.compare(loop.index)
            if not self.compares:
                with builder.if_then(same):
                    loop.do_break()
        with builder.if_then(wanted):
            done = cgutils.alloca_once_value(builder, zero)
            with builder.if_then(begins):
                for watch, x in self.each_watch():
                    watch.begin(x)
                builder.store(one, done)
            left = builder.sub(watched_steps, builder.load(done))
            with cgutils.for_range(builder, left) as loop:
                same = self.step()
                for watch, x in self.each_watch():
                    watch.sample(x)
                self.compare(builder.add(before, loop.index))
                builder.store(builder.add(builder.load(done), one), done)
                if not self.compares:
                    with builder.if_then(same):
                        loop.do_break()
            rest = builder.sub(watched_steps, builder.load(done))
            with builder.if_then(builder.icmp_signed(">", rest, zero)):
                for watch, x in self.each_watch():
                    watch.repeat(x, rest)
        for places, levels in zip(self.places, self.levels, strict=True):
            for at, level in zip(places, levels, strict=True):
                self.lanes.store(builder.load(level), self.state, at)
        for watches in self.watches:
            for watch in watches:
                watch.write()


def _integrate(genes: int, watched: tuple[int, ...], method: str, compares: bool):
    def build(lanes, _s, s0, _c, c0, _w, w0, _t, t0, _d, unwatched, watched_steps, begun, pattern, *_literals):
        builder = lanes.builder
        dt = lanes.load(8, ir.Constant(s0.type, 0))
        flag = builder.icmp_signed("!=", begun, ir.Constant(begun.type, 0))
        known = patterns(genes)
        end = builder.append_basic_block("integrated")
        switch = builder.switch(pattern, end)
        for number, signs in enumerate(known):
            block = builder.append_basic_block(f"pattern{number}")
            switch.add_case(ir.Constant(pattern.type, number), block)
            builder.position_at_end(block)
            arguments = ((0, s0), (2, c0), (4, w0), (6, t0), dt)
            _Run(lanes, signs, genes, watched, method, compares, arguments).emit(unwatched, watched_steps, flag)
            builder.branch(end)
        builder.position_at_end(end)

    return build


@intrinsic(prefer_literal=True)
def integrate(typingctx, s, s0, c, c0, w, w0, t, t0, d, unwatched, watched, begun, pattern, genes, mask, options):
    """Run SIDE_BY_SIDE blocks of circuits with constant inputs (see the module).

    Parameters
    ----------
    s, c, w, t, d
        Flat float arrays: states (gene by gene), constants, statistics, target samples, time step (one row of lanes).
    s0, c0, w0, t0
        Offsets of the first block, or sample.
    unwatched, watched
        Steps without and then with statistics.
    begun
        0: the statistics start with this call; 1: they continue.
    pattern
        Position in ``patterns(genes)``.
    genes, mask, options
        Literals: number of genes, bits of those watched, and 1 for Runge-Kutta plus 2 for comparing with a target.
    """
    if not all(isinstance(a, types.Literal) for a in (genes, mask, options)):
        return None
    count, chosen, bits = (a.literal_value for a in (genes, mask, options))
    seen = tuple(g for g in range(count) if chosen >> g & 1)
    make = operation(_integrate(count, seen, METHODS[bits & 1], bool(bits & 2)), "aiaiaiaiaiiiilll")
    return make(typingctx, s, s0, c, c0, w, w0, t, t0, d, unwatched, watched, begun, pattern, genes, mask, options)
