"""What the stoichiometry and the zeros of the propensities say about a network before anything is simulated.

*Conservation laws* are weighted sums of counts that no event changes. A *siphon* is a set of species of which none is
made again once all are gone: the disease of an epidemic without import, the ON and OFF states of a gene together. A
siphon that a conservation law fills (ON + OFF = 1) is never empty; one that can be emptied is a trap, and the
stationary law lies inside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import gcd

import numpy as np

from regulome.stochastic.network import StateTransitionNetwork

_EVERY_SET = 8  # up to this many species all sets are tried as siphons
_LARGEST_SET = 2  # beyond it, sets up to this size


@dataclass(frozen=True)
class ConservationLaw:
    """A weighted sum of counts that stays as it starts.

    Attributes
    ----------
    weights
        Positive whole number by state; states that are not named do not take part.
    value
        The sum at the initial state.
    """

    weights: dict[str, int]
    value: int

    def __str__(self) -> str:
        return " + ".join(f"{w} {s}" if w > 1 else s for s, w in self.weights.items()) + f" = {self.value}"


def conservation_laws(network: StateTransitionNetwork) -> tuple[ConservationLaw, ...]:
    """Conservation laws with positive weights: minimal ones, of which all others are sums.

    The rows of the left null space of the stoichiometry without negative entries, found by Farkas' algorithm in whole
    numbers. States that a trigger sets take no part.
    """
    states = network.states
    columns = [tuple(row) for row in network.stoichiometry.tolist()]
    for trigger in network.triggers:
        columns += [tuple(int(s == state) for s in states) for state in trigger.assignments]
    rows = [tuple(int(i == j) for j in range(len(states))) for i in range(len(states))]
    for column in columns:
        change = [sum(w * c for w, c in zip(row, column, strict=True)) for row in rows]
        kept = [row for row, c in zip(rows, change, strict=True) if c == 0]
        up = [(row, c) for row, c in zip(rows, change, strict=True) if c > 0]
        down = [(row, c) for row, c in zip(rows, change, strict=True) if c < 0]
        for left, a in up:
            for right, b in down:
                kept.append(_reduced([-b * x + a * y for x, y in zip(left, right, strict=True)]))
        rows = _minimal(kept)
    start = network.start.tolist()
    return tuple(
        ConservationLaw(
            {state: weight for state, weight in zip(states, row, strict=True) if weight},
            sum(w * n for w, n in zip(row, start, strict=True)),
        )
        for row in rows
    )


def _reduced(row: list[int]) -> tuple[int, ...]:
    return tuple(value // gcd(*row) for value in row)


def _minimal(rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Rows whose support holds that of no other row."""
    supports = [frozenset(i for i, value in enumerate(row) if value) for row in rows]
    unique = {support: row for row, support in zip(rows, supports, strict=True)}
    return [row for support, row in unique.items() if not any(other < support for other in unique)]


def siphons(network: StateTransitionNetwork, counts: np.ndarray, theta: np.ndarray) -> Iterator[tuple[str, ...]]:
    """Minimal siphons: sets of species that nothing makes once all of them are gone.

    Whether an event still happens without the species is read off its propensity, which may be any expression: it is
    evaluated with their counts set to zero. An event with a waiting time needs its reactant.

    Parameters
    ----------
    counts
        (W, N) states at which propensities are evaluated, with enough variety in the other species.
    theta
        (W, P) parameters to go with them.

    Yields
    ------
    tuple of str
        Names of the species, smallest sets first. Up to 8 species all sets are tried, beyond it pairs.
    """
    number = len(network.states)
    largest = number if number <= _EVERY_SET else _LARGEST_SET
    found: list[frozenset[int]] = []
    for size in range(1, largest + 1):
        for members in combinations(range(number), size):
            if any(smaller <= set(members) for smaller in found):
                continue
            if not _is_made(network, list(members), counts, theta):
                found.append(frozenset(members))
                yield tuple(network.states[i] for i in members)


def _is_made(network: StateTransitionNetwork, members: list[int], counts: np.ndarray, theta: np.ndarray) -> bool:
    """Whether an event raises one of the species when all of them are zero."""
    raising = np.flatnonzero((network.stoichiometry[:, members] > 0).any(1))
    names = {network.states[i] for i in members}
    for trigger in network.triggers:  # may set anything
        if names & set(trigger.assignments):
            return True
    if not len(raising):
        return False
    without = np.array(counts)
    without[:, members] = 0
    rates = active(network, without, theta)[:, raising]
    return bool((rates > 0).any())


def active(network: StateTransitionNetwork, counts: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """(W, K) propensities; for an event with a waiting time, the number of molecules that wait."""
    rates = network.propensities(counts, theta)
    for k, event in enumerate(network.events):
        if event.waiting is not None:
            reactant = next(state for state, change in event.change.items() if change < 0)
            rates[..., k] = counts[..., network.states.index(reactant)]
    return rates
