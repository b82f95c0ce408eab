"""Exact stochastic simulation of gene networks that are too large for a generated simulator: one table-driven kernel.

Gillespie's direct method with a binary tree of propensities, millions of events a second whatever the network; nothing
is compiled anew for another one. Every gene i makes mRNA in bursts of ``burst`` molecules and loses them one by one:

    transcription   x_i → x_i + burst   at   r_i s ∏_j h_ij(x_j)
    degradation     x_i → x_i - 1       at   x_i                       (time in mRNA lifetimes)

    h_ij = 1 - w + w x² / (x² + (K s)²)   activation,      1 - w + w (K s)² / (x² + (K s)²)   repression

with r_i the rate of the unregulated promoter, s the size of the cell (1: average; concentrations act), w in (0, 1) the
part of the promoter that regulator j controls, and its mRNA in the place of its protein.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from os import cpu_count

import numpy as np
from numba import njit

from regulome import lanes  # noqa: F401 - points numba's cache to its folder
from regulome.errors import UserError
from regulome.stochastic.network import Event, StateTransitionNetwork
from regulome.stochastic.ssa_random import exponential, stream, uniform

_BLOCK = 64  # cells a thread does at a time


@dataclass(frozen=True)
class GeneNetwork:
    """Genes and the links between them.

    Attributes
    ----------
    names
        G genes.
    rate
        (G,) bursts per mRNA lifetime of each promoter without regulation.
    burst
        Molecules of a burst.
    source, target
        (E,) genes of each link; several links to a target multiply.
    weight, threshold
        (E,) w and K (molecules) of each link.
    sign
        (E,) 1: activation, -1: repression.

    Raises
    ------
    UserError
        If a number is out of range.
    """

    names: tuple[str, ...]
    rate: np.ndarray
    burst: int
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    threshold: np.ndarray
    sign: np.ndarray

    def __post_init__(self):
        genes, links = len(self.names), len(self.source)
        if any(len(part) != links for part in (self.target, self.weight, self.threshold, self.sign)):
            raise UserError(f"gene network: found unequal numbers of values for its links, expected {links} of each")
        places = np.concatenate([self.source, self.target]).astype(int)
        if len(self.rate) != genes or not ((places >= 0) & (places < genes)).all():
            raise UserError(f"gene network: expected {genes} rates, and links between genes 0 to {genes - 1}")
        if not (np.asarray(self.rate) >= 0).all() or self.burst < 1:
            raise UserError("gene network: expected rates of at least 0 and a burst of at least 1 molecule")
        if not ((np.asarray(self.weight) > 0) & (np.asarray(self.weight) < 1) & (np.asarray(self.threshold) > 0)).all():
            raise UserError("gene network: expected weights between 0 and 1 and thresholds above 0")

    @cached_property
    def incoming(self) -> tuple[np.ndarray, np.ndarray]:
        """Links in order of their target, and (G + 1,) where those of each target begin."""
        order = np.argsort(self.target, kind="stable")
        return order, np.searchsorted(self.target[order], np.arange(len(self.names) + 1))

    @cached_property
    def outgoing(self) -> tuple[np.ndarray, np.ndarray]:
        """Targets in order of their source, and (G + 1,) where those of each source begin."""
        pairs = np.unique(np.stack([self.source, self.target], 1), axis=0).reshape(-1, 2)
        return pairs[:, 1].copy(), np.searchsorted(pairs[:, 0], np.arange(len(self.names) + 1))

    def promoter(self, level: np.ndarray) -> np.ndarray:
        """(G,) ∏ h for (G,) mRNA levels."""
        out = np.ones(len(self.names))
        np.multiply.at(out, self.target, self.link(level[self.source]))
        return out

    def link(self, level: np.ndarray) -> np.ndarray:
        """(E,) h of every link for the (E,) levels of its regulator."""
        active = level**2 / (level**2 + self.threshold**2)
        return 1 - self.weight + self.weight * np.where(self.sign > 0, active, 1 - active)

    def transitions(self) -> StateTransitionNetwork:
        """The same network for the part's other solvers, where it is small (size of the cell 1)."""
        events = []
        for i, name in enumerate(self.names):
            factors = [f"{float(self.rate[i])!r}"]
            for e in np.flatnonzero(self.target == i):
                w, k, function = (
                    float(self.weight[e]),
                    float(self.threshold[e]),
                    "hill" if self.sign[e] > 0 else "hillr",
                )
                factors.append(f"({1 - w!r} + {w!r} * {function}({self.names[self.source[e]]}, 1, {k!r}, 2))")
            events += [Event(f"transcription of {name}", {name: self.burst}, " * ".join(factors))]
            events += [Event(f"degradation of {name}", {name: -1}, name)]
        return StateTransitionNetwork("gene network", self.names, tuple(events))


def sample(
    network: GeneNetwork,
    scale: np.ndarray,
    size: np.ndarray,
    start: np.ndarray,
    time: float,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Counts of independent cells at one time.

    Parameters
    ----------
    scale
        (N, G) factor of each transcription rate in each cell: 1, or 0.1 for a knockdown.
    size
        (N,) size of each cell.
    start
        (G,) molecules at the beginning, in a cell of size 1.
    time
        mRNA lifetimes until the cells are looked at.
    seed
        A cell's numbers depend on it and on the cell's row only, not on threads.
    progress
        Called with the number of finished and of all pieces of work.

    Returns
    -------
    numpy.ndarray
        (N, G) int32.

    Raises
    ------
    UserError
        If a number is out of range or a shape does not fit.
    """
    scale, size, start = (np.ascontiguousarray(part, float) for part in (scale, size, start))
    cells, genes = len(size), len(network.names)
    if scale.shape != (cells, genes) or start.shape != (genes,):
        raise UserError(
            f"sample: found scale {scale.shape} and start {start.shape}, expected {(cells, genes)}, {(genes,)}"
        )
    if not (scale >= 0).all() or not (size > 0).all() or not (start >= 0).all() or not 0 <= time < np.inf:
        raise UserError("sample: expected factors, starting levels and a time of at least 0, and sizes above 0")
    order, first = network.incoming
    source, weight, threshold = (
        np.asarray(part, kind)[order]
        for part, kind in ((network.source, np.int64), (network.weight, float), (network.threshold, float))
    )
    links = (first, source, weight, threshold, np.asarray(network.sign)[order] > 0)
    out = np.empty((cells, genes), np.int32)
    blocks = range(0, cells, _BLOCK)

    def run(begin: int) -> None:
        rows = slice(begin, begin + _BLOCK)
        rate = scale[rows] * network.rate
        _cells(rate, size[rows], start, time, seed, begin, network.burst, *links, *network.outgoing[::-1], out[rows])

    with ThreadPoolExecutor(threads or cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(run, blocks)):
            if progress:
                progress(done + 1, len(blocks))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _rate(i, x, rate, size, first, source, weight, threshold, rising):
    """Propensity of a burst of gene i."""
    total = rate[i] * size
    for e in range(first[i], first[i + 1]):
        level = x[source[e]]
        square, half = level * level, (threshold[e] * size) ** 2
        total *= 1.0 - weight[e] + weight[e] * (square if rising[e] else half) / (square + half)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _put(tree, leaf, value):
    """Set a leaf and the sums above it; node n has the children 2 n and 2 n + 1."""
    tree[leaf] = value
    while leaf > 1:
        leaf //= 2
        tree[leaf] = tree[2 * leaf] + tree[2 * leaf + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _cells(rates, sizes, start, time, seed, begin, burst, first, source, weight, threshold, rising, to, target, out):
    """Direct method, one cell after the other; leaves are the G transcriptions, then the G degradations."""
    genes = start.shape[0]
    leaves = 1
    while leaves < 2 * genes:
        leaves *= 2
    for n in range(sizes.shape[0]):
        state = stream(seed, 0, begin + n)
        size, rate = sizes[n], rates[n]
        x = np.empty(genes)
        tree = np.zeros(2 * leaves)
        for i in range(genes):
            x[i] = np.floor(start[i] * size + 0.5)
        for i in range(genes):
            _put(tree, leaves + i, _rate(i, x, rate, size, first, source, weight, threshold, rising))
            _put(tree, leaves + genes + i, x[i])
        t = 0.0
        while True:
            state, wait = exponential(state)
            t += wait / tree[1]
            if not t < time:
                break
            state, u = uniform(state)
            u *= tree[1]
            node = 1
            while node < leaves:
                node *= 2
                if u >= tree[node] and tree[node + 1] > 0.0:
                    u -= tree[node]
                    node += 1
            event = node - leaves
            i = event if event < genes else event - genes
            x[i] += burst if event < genes else -1.0
            _put(tree, leaves + genes + i, x[i])
            for e in range(to[i], to[i + 1]):
                j = target[e]
                _put(tree, leaves + j, _rate(j, x, rate, size, first, source, weight, threshold, rising))
        for i in range(genes):
            out[n, i] = np.int32(x[i])
