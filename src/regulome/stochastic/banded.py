"""Stationary laws of networks with one long axis for many parameter sets: one banded solve each.

With the states ordered along the long axis the generator has a narrow band; all rates are evaluated at once and every
parameter set costs a fraction of a millisecond.
"""

from functools import cached_property

import numpy as np
from scipy import linalg

from regulome.stochastic.generator import StateSpace

WIDEST = 24  # band beyond which sparse LU is as good
MOST = 3_000  # states
IMPROBABLE = 10.0  # a pinned state that is less probable than the mode by this factor costs digits


class BandedStationary:
    """Stationary solver on one state space.

    Parameters
    ----------
    space
        The truncation, the same for all parameter sets.
    """

    def __init__(self, space: StateSpace):
        self.space = space
        order = np.lexsort((*space.counts.T, space.counts[:, int(np.argmax(space.sizes))]))
        self.order = order
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        source, target, event = [], [], []
        for k, (place, _) in enumerate(space.moves):
            inside = np.flatnonzero(place >= 0)
            source.append(rank[inside])
            target.append(rank[place[inside]])
            event.append(np.full(len(inside), k))
        self.source, self.target, self.event = map(np.concatenate, (source, target, event))
        self.width = int(np.abs(self.source - self.target).max(initial=0))

    @property
    def fits(self) -> bool:
        """Whether the band is narrow and the states are few."""
        return self.width <= WIDEST and len(self.space) <= MOST

    @cached_property
    def _edge(self) -> np.ndarray:
        """(S, K, N) whether an event would lift a species out of the box, states in band order."""
        counts = self.space.counts[self.order]
        return counts[:, None] + self.space.network.stoichiometry >= self.space.sizes

    def solve(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, S) probabilities, states as in the space, and (B, N) probability at the edge.

        Rows are NaN where this way does not lead to a law (several closed classes, a propensity that is not allowed):
        the general solver will, or will say why not.
        """
        counts = self.space.counts[self.order]
        rates = self.space.network.propensities(counts, np.asarray(theta, float)[:, None])
        lawful = np.isfinite(rates).all((1, 2))
        sets, size, width = len(rates), len(counts), self.width
        values = np.maximum(np.nan_to_num(rates[:, self.source, self.event]), 0.0)
        flat = (width + self.target - self.source) * size + self.source
        bands = np.zeros((sets, (2 * width + 1) * size))
        found = np.full((sets, size), np.nan)
        for b in range(sets):
            if lawful[b]:
                bands[b] = np.bincount(flat, values[b], bands.shape[1])
                band = bands[b].reshape(2 * width + 1, size)
                band[width] = -np.bincount(self.source, values[b], size)
                found[b] = _null(band, width)
        edge = np.einsum("bs,bsk,skn->bn", found, rates > 0, self._edge, optimize=True)
        probability = np.empty_like(found)
        probability[:, self.order] = found
        return probability, edge


def _null(band: np.ndarray, width: int) -> np.ndarray:
    """Null vector, pinned at a third of the band first, then at its largest entry if that was a poor choice."""
    size = band.shape[1]
    pin = size // 3
    for _ in range(3):
        fixed, right = band.copy(), np.zeros(size)
        columns = np.arange(max(0, pin - width), min(size, pin + width + 1))
        fixed[width + pin - columns, columns] = 0.0  # the row of the pinned state: x = 1
        fixed[width, pin], right[pin] = 1.0, 1.0
        try:
            x = linalg.solve_banded((width, width), fixed, right, overwrite_ab=True, check_finite=False)
        except linalg.LinAlgError:
            return np.full(size, np.nan)
        if not np.isfinite(x).all():
            return np.full(size, np.nan)
        pin = int(np.argmax(np.abs(x)))
        if np.abs(x[pin]) < IMPROBABLE:
            sound = (x >= -1e-9).all()
            return np.maximum(x, 0.0) / np.maximum(x, 0.0).sum() if sound else np.full(size, np.nan)
    return np.full(size, np.nan)
