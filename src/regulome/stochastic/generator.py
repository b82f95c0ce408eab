"""The generator matrix of a network on a finite set of states, assembled without a loop over states.

The states are those of a box, 0 to size - 1 for each species, that the network can reach from its start. Conservation
laws (OFF + ON = 1) are used first, so that the box is spanned by independent species alone. An event that would leave
the box is blocked: the chain stays inside and its law sums to 1. The probability of the states where an event is
blocked is the boundary mass, by which a truncation is judged.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from scipy import optimize, sparse
from scipy.sparse import csgraph

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork

LIMIT = 2_000_000  # states of a box that fit into memory with all propensities


class TooManyStates(UserError):
    """The box holds more states than can be solved; simulation is the way out."""


@dataclass(frozen=True)
class Coordinates:
    """Independent species and the affine map to all: counts = start + (independent - start of these) @ expansion.

    Attributes
    ----------
    independent
        (D,) positions of species whose counts determine the others.
    expansion
        (D, N).
    """

    independent: np.ndarray
    expansion: np.ndarray


def coordinates(network: StateTransitionNetwork) -> Coordinates:
    """Independent species from the reduced row echelon form of the stoichiometry, recorded species preferred."""
    order = [*network.recorded_index, *(i for i in range(len(network.states)) if i not in network.recorded_index)]
    key = tuple(map(tuple, network.stoichiometry[:, order].tolist()))
    pivots, rows = _echelon(key)
    expansion = np.zeros((len(pivots), len(order)))
    expansion[:, order] = np.array(rows, float).reshape(len(pivots), len(order))
    return Coordinates(np.array([order[p] for p in pivots], int), expansion)


@lru_cache(maxsize=256)
def _echelon(rows: tuple) -> tuple[list[int], list[list[Fraction]]]:
    """Pivot columns and non-zero rows of the reduced row echelon form, in exact fractions."""
    matrix = [[Fraction(value) for value in row] for row in rows]
    pivots: list[int] = []
    for column in range(len(rows[0]) if rows else 0):
        rank = len(pivots)
        found = next((r for r in range(rank, len(matrix)) if matrix[r][column]), None)
        if found is None:
            continue
        matrix[rank], matrix[found] = matrix[found], matrix[rank]
        matrix[rank] = [value / matrix[rank][column] for value in matrix[rank]]
        for r, row in enumerate(matrix):
            if r != rank and row[column]:
                matrix[r] = [a - row[column] * b for a, b in zip(row, matrix[rank], strict=True)]
        pivots.append(column)
    return pivots, matrix[: len(pivots)]


def natural_sizes(network: StateTransitionNetwork) -> np.ndarray:
    """(N,) number of values each species can take by stoichiometry alone; infinite where it is not bounded.

    The largest count of a species is a linear programme over the numbers of events that happen, counts staying >= 0.
    """
    return np.array(_largest(tuple(map(tuple, network.stoichiometry.T.tolist())), tuple(network.start.tolist())), float)


@lru_cache(maxsize=256)
def _largest(change: tuple, start: tuple) -> tuple[float, ...]:
    if not change[0]:
        return tuple(count + 1.0 for count in start)
    change, start = np.array(change), np.array(start)
    found = []
    for row, count in zip(change, start, strict=True):
        answer = optimize.linprog(-row, A_ub=-change, b_ub=start, method="highs")
        found.append(np.floor(count - answer.fun + 1e-6) + 1 if answer.status == 0 else np.inf)
    return tuple(found)


@dataclass(frozen=True)
class StateSpace:
    """States of a box that obey the conservation laws.

    Attributes
    ----------
    network
        Whose states these are.
    sizes
        (N,) number of values of each species.
    counts
        (S, N) states, lexicographic in the independent species.
    code
        (S,) position of each state in the box of the independent species.
    place
        Position in ``counts`` of each code, or -1.
    strides
        (N,) change of the code by one more of a species (0 for dependent ones).
    """

    network: StateTransitionNetwork
    sizes: np.ndarray
    counts: np.ndarray
    code: np.ndarray
    place: np.ndarray
    strides: np.ndarray

    @classmethod
    def of(cls, network: StateTransitionNetwork, sizes: np.ndarray, limit: int = LIMIT) -> "StateSpace":
        """All states of a box that obey the conservation laws.

        Raises
        ------
        TooManyStates
            If the box of the independent species has more than ``limit`` states.
        UserError
            If a size is less than 1 or leaves out the initial state.
        """
        sizes = np.asarray(sizes, np.int64)
        _check_sizes(network, sizes)
        axes = coordinates(network)
        shape = sizes[axes.independent]
        if np.prod(shape.astype(float)) > limit:
            raise TooManyStates(
                f"{network.source}: the truncated state space has {np.prod(shape.astype(float)):,.0f} states "
                f"({_shown(network, sizes)}), expected at most {limit:,}; give smaller sizes, record fewer states, or "
                "use the simulator (engine 'ssa')"
            )
        strides = np.zeros(len(sizes), np.int64)
        strides[axes.independent] = np.append(np.cumprod(shape[::-1])[::-1], 1)[1:]
        code = np.arange(int(np.prod(shape)), dtype=np.int32)
        free = np.stack(np.unravel_index(code, tuple(shape)), 1) if len(shape) else np.zeros((1, 0), int)
        exact = network.start + (free - network.start[axes.independent]) @ axes.expansion
        counts = np.asfortranarray(np.rint(exact).astype(np.int32))
        keep = ((counts >= 0) & (counts < sizes) & (np.abs(exact - counts) < 1e-9)).all(1)
        place = np.full(len(code), -1, np.int32)
        place[keep] = np.arange(int(keep.sum()))
        if not keep.all():
            counts, code = np.asfortranarray(counts[keep]), code[keep]
        return cls(network, sizes, counts, code, place, strides)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def start(self) -> int:
        """Position of the initial state."""
        return int(self.place[self.network.start @ self.strides])

    @cached_property
    def moves(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """For every event: (S,) the state it leads to (-1 outside), and (S,) whether a count would be negative."""
        found = []
        for change in self.network.stoichiometry:
            inside, negative = np.ones(len(self), bool), np.zeros(len(self), bool)
            for species in np.flatnonzero(change):
                target = self.counts[:, species] + change[species]
                negative |= target < 0
                inside &= (target >= 0) & (target < self.sizes[species])
            place = self.place[np.where(inside, self.code + change @ self.strides, 0)]
            found.append((np.where(inside, place, -1), negative))
        return tuple(found)

    def position(self, counts: np.ndarray) -> np.ndarray:
        """Positions of states in ``counts``; -1 for those that are not in the box."""
        counts = np.asarray(counts, np.int64)
        inside = ((counts >= 0) & (counts < self.sizes)).all(-1)
        return np.where(inside, self.place[np.where(inside, counts @ self.strides, 0)], -1)


@dataclass(frozen=True)
class Generator:
    """Rates between the states of a box for one parameter vector.

    Attributes
    ----------
    space, theta
        The box and the parameters.
    states
        (R,) positions in the box of the states that the network reaches from its start; the rest is left out.
    matrix
        (R, R) sparse, in columns: entry (j, i) the rate from state i to state j; columns sum to 0 (dp/dt = matrix p).
    blocked
        (R, N) whether an event of the state would lift a species out of the box.
    irreducible
        Whether every state leads to every other.
    """

    space: StateSpace
    theta: np.ndarray
    states: np.ndarray
    matrix: sparse.csc_array
    blocked: np.ndarray
    irreducible: bool

    @cached_property
    def counts(self) -> np.ndarray:
        """(R, N) counts of the states."""
        full = len(self.states) == len(self.space)
        return self.space.counts if full else np.asfortranarray(self.space.counts[self.states])

    @property
    def start(self) -> int:
        """Position of the initial state among the states kept."""
        return int(np.searchsorted(self.states, self.space.start))

    def part(self, keep: np.ndarray) -> "Generator":
        """Rates among some of the states; those to the others are lost from the off-diagonal, not the diagonal."""
        inner = self.matrix[keep][:, keep].tocsc()
        return Generator(self.space, self.theta, self.states[keep], inner, self.blocked[keep], is_irreducible(inner))

    def edge_mass(self, probability: np.ndarray) -> np.ndarray:
        """(N,) probability of the states in which an event would lift each species out of the box."""
        return probability @ self.blocked

    def boundary_mass(self, probability: np.ndarray) -> float:
        """Probability of the states in which any event is blocked."""
        return float(probability[self.blocked.any(1)].sum())


def generator(space: StateSpace, theta: np.ndarray) -> Generator:
    """Rates between the states of a box that are reachable from the start.

    Raises
    ------
    UserError
        If a propensity is not finite or drives a count below zero in a reachable state.
    """
    network = space.network
    rates = network.propensities(space.counts, theta)
    rows, columns, values = [], [], []
    blocked, broken = np.zeros(space.counts.shape, bool, order="F"), np.zeros(len(space), bool)
    for change, (target, negative), rate in zip(network.stoichiometry, space.moves, rates.T, strict=True):
        happens = rate > 0
        inside = happens & (target >= 0)
        columns.append(np.flatnonzero(inside))
        rows.append(target[inside])
        values.append(rate[inside])
        for species in np.flatnonzero(change > 0):
            above = space.counts[:, species] >= space.sizes[species] - change[species]
            blocked[:, species] |= happens & above & ~negative
        broken |= (happens & negative) | ~np.isfinite(rate) | (rate < 0)
    matrix = _assembled(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), len(space))
    if is_irreducible(matrix) and not broken.any():
        return Generator(space, theta, np.arange(len(space)), matrix, blocked, True)
    reached = np.sort(csgraph.breadth_first_order(matrix.T, space.start, return_predecessors=False))
    if broken[reached].any():
        raise UserError(_broken(network, space.counts[reached[np.argmax(broken[reached])]], theta))
    inner = matrix[reached][:, reached].tocsc()
    return Generator(space, theta, reached, inner, blocked[reached], is_irreducible(inner))


def is_irreducible(matrix: sparse.csc_array) -> bool:
    """Whether every state leads to every other."""
    return csgraph.connected_components(matrix, directed=True, connection="strong", return_labels=False) == 1


def _assembled(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, size: int) -> sparse.csc_array:
    """Generator in columns from its off-diagonal entries."""
    diagonal = np.arange(size, dtype=rows.dtype)
    entries = np.concatenate([values, -np.bincount(columns, values, size)])
    index = np.concatenate([rows, diagonal]), np.concatenate([columns.astype(rows.dtype), diagonal])
    return sparse.coo_array((entries, index), shape=(size, size)).tocsc()


def _broken(network: StateTransitionNetwork, counts: np.ndarray, theta: np.ndarray) -> str:
    rates = network.propensities(counts, theta)
    bad = ~np.isfinite(rates) | (rates < 0) | ((rates > 0) & ((counts + network.stoichiometry) < 0).any(1))
    event = network.events[int(np.argmax(bad))]
    state = ", ".join(f"{name}={count}" for name, count in zip(network.states, counts, strict=True))
    return (
        f"{network.source}: event '{event.name}': found rate {rates[np.argmax(bad)]:g} for the change "
        f"{dict(event.change)} at {state}; expected a finite rate, zero where a count would fall below zero"
    )


def _check_sizes(network: StateTransitionNetwork, sizes: np.ndarray) -> None:
    if sizes.shape != (len(network.states),):
        raise UserError(f"{network.source}: found {sizes.size} sizes, expected one for each of {network.states}")
    for name, size, count in zip(network.states, sizes, network.start, strict=True):
        if size <= count:
            raise UserError(
                f"{network.source}: size of '{name}': found {size}, expected at least {count + 1}, since the initial "
                f"count is {count}"
            )


def _shown(network: StateTransitionNetwork, sizes: np.ndarray) -> str:
    return ", ".join(f"{name} {size}" for name, size in zip(network.states, sizes, strict=True))
