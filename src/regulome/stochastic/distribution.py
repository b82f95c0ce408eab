"""A probability distribution over count vectors: what exact solution, simulation and data have in common.

States that occur, with their weights. Everything that compares two distributions, for a marginal or for the joint, is
here: total variation, Kullback-Leibler divergence, moments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regulome.errors import UserError, closest


@dataclass(frozen=True)
class Distribution:
    """Probability of count vectors.

    Attributes
    ----------
    names
        The N states.
    counts
        (S, N) distinct count vectors in lexicographic order.
    weights
        (S,) their probabilities, summing to 1.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str], counts: np.ndarray, weights: np.ndarray | None = None) -> "Distribution":
        """From count vectors that may repeat and weights that need not sum to 1 (default: equal weights)."""
        counts = np.asarray(counts, np.int64).reshape(-1, len(names))
        weights = np.ones(len(counts)) if weights is None else np.asarray(weights, float)
        if not len(counts) or not weights.sum() > 0:
            raise UserError(f"distribution over {', '.join(names)}: found no counts, expected at least one")
        rows, place = _unique_rows(counts)
        total = np.bincount(place, weights, len(rows))
        return cls(tuple(names), rows, total / total.sum())

    @classmethod
    def of_table(cls, names: Sequence[str], table: np.ndarray) -> "Distribution":
        """From a table with one axis a state, index = count; entries that are not positive are left out."""
        counts = np.argwhere(table > 0)
        weights = table[tuple(counts.T)]
        return cls(tuple(names), counts, weights / weights.sum())

    def table(self, shape: Sequence[int]) -> np.ndarray:
        """Table of this shape, index = count.

        Raises
        ------
        UserError
            If a count lies outside.
        """
        if (self.counts >= np.asarray(shape)).any():
            name = self.names[int(np.argmax((self.counts >= np.asarray(shape)).any(0)))]
            raise UserError(
                f"state '{name}': found counts up to {self.counts.max(0).tolist()}, expected below {list(shape)}"
            )
        result = np.zeros(tuple(shape))
        result[tuple(self.counts.T)] = self.weights
        return result

    def marginal(self, *names: str) -> "Distribution":
        """Joint distribution of some of the states, in this order."""
        for name in names:
            if name not in self.names:
                raise UserError(f"no state '{name}'{closest(name, self.names)}; expected {', '.join(self.names)}")
        return Distribution.of(names, self.counts[:, [self.names.index(name) for name in names]], self.weights)

    def vector(self, name: str, length: int | None = None) -> np.ndarray:
        """(L,) probabilities of the counts 0, 1, … of one state (default length: up to the largest count)."""
        marginal = self.marginal(name)
        return np.bincount(marginal.counts[:, 0], marginal.weights, length or 0)

    @property
    def mean(self) -> np.ndarray:
        """(N,) means."""
        return self.weights @ self.counts

    @property
    def sd(self) -> np.ndarray:
        """(N,) standard deviations."""
        return np.sqrt(self.weights @ (self.counts - self.mean) ** 2)

    def clipped(self, bounds: Sequence[int]) -> tuple["Distribution", float]:
        """Counts above each bound put into the last bin, as published; and the mass that was moved."""
        top = np.asarray(bounds) - 1
        moved = float(self.weights[(self.counts > top).any(1)].sum())
        return Distribution.of(self.names, np.minimum(self.counts, top), self.weights), moved

    def dropped(self, bounds: Sequence[int]) -> tuple["Distribution", float]:
        """Counts above each bound left out and the rest normalised; and the mass that was left out."""
        inside = (self.counts < np.asarray(bounds)).all(1)
        return Distribution.of(self.names, self.counts[inside], self.weights[inside]), float(
            self.weights[~inside].sum()
        )

    def without_tail(self, mass: float) -> "Distribution":
        """Without the rarest states, which together have no more than this probability; the rest normalised."""
        order = np.argsort(self.weights, kind="stable")
        rare = order[np.cumsum(self.weights[order]) <= mass]
        if not len(rare):
            return self
        keep = np.ones(len(self.weights), bool)
        keep[rare] = False
        return Distribution(self.names, self.counts[keep], self.weights[keep] / self.weights[keep].sum())

    def sample(self, size: int, generator: np.random.Generator) -> np.ndarray:
        """(size, N) independent draws."""
        return self.counts[generator.choice(len(self.counts), size, p=self.weights)]


def _unique_rows(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows in lexicographic order, and which of them each row is; fast where the rows fit into one number."""
    shape = tuple(int(top) + 1 for top in counts.max(0, initial=0))
    if counts.min(initial=0) < 0 or np.prod(shape, dtype=float) >= 2**62:
        rows, place = np.unique(counts, axis=0, return_inverse=True)
        return rows, place.ravel()
    keys, place = np.unique(np.ravel_multi_index(tuple(counts.T), shape), return_inverse=True)
    return np.stack(np.unravel_index(keys, shape), 1), place


def aligned(p: Distribution, q: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Weights of two distributions over the union of their count vectors."""
    if p.names != q.names:
        raise UserError(f"found distributions over {p.names} and {q.names}, expected the same states")
    rows, place = _unique_rows(np.concatenate([p.counts, q.counts]))
    left, right = np.zeros(len(rows)), np.zeros(len(rows))
    left[place[: len(p.counts)]] = p.weights
    right[place[len(p.counts) :]] = q.weights
    return left, right


def total_variation(p: Distribution, q: Distribution) -> float:
    """Half the summed absolute difference, between 0 and 1."""
    left, right = aligned(p, q)
    return 0.5 * float(np.abs(left - right).sum())


def kl_divergence(p: Distribution, q: Distribution, floor: float = 0.0) -> float:
    """Kullback-Leibler divergence sum p ln(p/q), in nats.

    Parameters
    ----------
    floor
        Probability that takes the place of smaller ones in q before it is normalised again; the published statistics
        use 1e-10. With 0 the divergence is infinite where q misses a state of p.
    """
    left, right = aligned(p, q)
    right = np.maximum(right, floor)
    right = right / right.sum()
    keep = left > 0
    with np.errstate(divide="ignore"):
        return max(0.0, float((left[keep] * np.log(left[keep] / right[keep])).sum()))
