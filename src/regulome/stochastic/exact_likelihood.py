"""Exact likelihood of counts: the ceiling that a trained solver is measured against.

For each parameter set the master equation of the part of the network that matters for the observed species is solved.
mRNA of a two-state gene alone needs a few hundred states and half a millisecond (`regulome.stochastic.banded`);
mRNA and protein together some ten thousand states and a tenth of a second.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np

from regulome.errors import UserError, closest
from regulome.stochastic import banded, exact, truncation
from regulome.stochastic.generator import Generator, StateSpace, generator, natural_sizes
from regulome.stochastic.master_equation import solve_stationary, solve_transient
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.reduction import reduce_to

FLOOR = -700.0  # log of the smallest probability that is reported, about that of the smallest double
CACHED = 4_000_000  # states of truncations that are kept for the next parameter set
STEP = 1.15  # sizes are rounded up to powers of this, so that parameter sets share truncations


class ExactLikelihood:
    """Log-probability of observed counts from the exact law, without gradient.

    Parameters
    ----------
    network
        A network without waiting times or triggers.
    time
        Time of the observation, from the initial counts; None for the stationary law.
    tail
        Probability that the truncation may leave at its edge.
    threads
        Parameter sets solved at the same time.

    Raises
    ------
    UserError
        If the network has waiting times or triggers.
    """

    def __init__(
        self,
        network: StateTransitionNetwork,
        time: float | None = None,
        tail: float = truncation.TAIL,
        threads: int = 1,
    ):
        exact.check_markov(network)
        self.network, self.time, self.tail, self.threads = network, time, tail, threads
        self._networks: dict[tuple[str, ...], StateTransitionNetwork] = {}
        self._spaces: dict[tuple, StateSpace] = {}
        self._solvers: dict[tuple, banded.BandedStationary] = {}
        self._sizes_seen: dict[tuple[str, ...], np.ndarray] = {}
        self._lock = Lock()

    def observed_log_prob(self, theta, names: Sequence[str], counts: np.ndarray, time: float | None = None):
        """Log-probabilities of count vectors of some species, all others summed out.

        Parameters
        ----------
        theta
            (B, P) parameters, NumPy or torch.
        names
            The observed species, recorded or not.
        counts
            (S, len(names)) counts.
        time
            Overrides the time of the object.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            (B, S), at least -700; of the kind of ``theta``, without gradient. The truncation holds all counts asked
            for, however improbable.

        Raises
        ------
        UserError
            If a species is unknown, the counts have the wrong shape, or a parameter set needs too many states.
        """
        names = tuple(names)
        plain = theta.detach().cpu().numpy() if hasattr(theta, "detach") else np.asarray(theta)
        sets = np.atleast_2d(np.asarray(plain, float))
        counts = _checked(self.network, names, counts)
        network = self._network(names)
        at = self.time if time is None else time

        found = self._banded(network, sets, counts) if at is None else np.full((len(sets), len(counts)), np.nan)
        missing = np.flatnonzero(np.isnan(found).any(1))

        def solve(place: int) -> np.ndarray:
            return self._row(network, sets[place], counts, at)

        if self.threads > 1 and len(missing) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                rows = list(pool.map(solve, missing))
        else:
            rows = [solve(place) for place in missing]
        for place, row in zip(missing, rows, strict=True):
            found[place] = row
        return theta.new_tensor(found) if hasattr(theta, "new_tensor") else found

    def _banded(self, network, sets: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """(B, S) log-probabilities by banded solves, the truncation as large as ever needed; NaN where they fail."""
        found = np.full((len(sets), len(counts)), np.nan)
        key = network.recorded
        for theta in sets if key not in self._sizes_seen else sets[:1]:
            sizes = self._sizes(network, exact.check_theta(network, theta), counts, None)
            self._sizes_seen[key] = np.maximum(self._sizes_seen.get(key, 1), sizes)
        todo = np.arange(len(sets))
        for _ in range(exact.ROUNDS):
            space_key = (key, tuple(self._sizes_seen[key].tolist()))
            if np.prod(self._sizes_seen[key].astype(float)) > 16 * banded.MOST:
                return found
            if space_key not in self._solvers:
                self._solvers[space_key] = banded.BandedStationary(self._space(network, self._sizes_seen[key]))
            solver = self._solvers[space_key]
            if not solver.fits:
                return found
            full, edge = solver.solve(sets[todo])
            small = np.nan_to_num(edge, nan=np.inf) > self.tail
            for place, row in zip(todo[~small.any(1)], full[~small.any(1)], strict=True):
                found[place] = _log_rows(solver.space.counts, row, network.recorded_index, counts)
            todo = todo[small.any(1) & ~np.isnan(full).any(1)]
            if not len(todo):
                break
            grown = _rounded(np.where(small.any(0), 1.3 * self._sizes_seen[key], self._sizes_seen[key]))
            self._sizes_seen[key] = np.minimum(grown, natural_sizes(network)).astype(np.int64)
        return found

    def _network(self, names: tuple[str, ...]) -> StateTransitionNetwork:
        if names not in self._networks:
            self._networks[names] = reduce_to(self.network, names)
        return self._networks[names]

    def _row(self, network, theta: np.ndarray, counts: np.ndarray, time: float | None) -> np.ndarray:
        """(S,) log-probabilities for one parameter set."""
        theta = exact.check_theta(network, theta)
        times = None if time is None else np.array([float(time)])
        sizes = self._sizes(network, theta, counts, times)
        for _ in range(exact.ROUNDS):
            built = generator(self._space(network, sizes), theta)
            full, edge = _solved(built, times)
            larger = truncation.grow(built, full, self.tail, edge)
            if larger is None:
                break
            sizes = _rounded(larger)
        return _log_rows(built.counts, full, network.recorded_index, counts)

    def _sizes(self, network, theta: np.ndarray, counts: np.ndarray, times) -> np.ndarray:
        """Sizes that hold law and data, but no more than stoichiometry allows."""
        natural = natural_sizes(network)
        sizes = _rounded(truncation.first_sizes(network, theta, times, self.tail))
        asked = np.zeros(len(network.states), np.int64)
        asked[network.recorded_index] = (1.15 * counts.max(0, initial=0)).astype(int) + 8  # the edge itself is blocked
        return np.minimum(np.maximum(sizes, asked), natural).astype(np.int64)

    def _space(self, network: StateTransitionNetwork, sizes: np.ndarray) -> StateSpace:
        key = (network.recorded, tuple(sizes.tolist()))
        with self._lock:
            if key not in self._spaces:
                if sum(len(space) for space in self._spaces.values()) > CACHED:
                    self._spaces.clear()
                self._spaces[key] = StateSpace.of(network, sizes, exact.LIMIT)
            return self._spaces[key]


def _solved(built: Generator, times: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the states, stationary or at the one time, and of the edge by species."""
    if times is None:
        found = solve_stationary(built)
        return found, built.edge_mass(found)
    found, edge = solve_transient(built, times)
    return found[0], edge


def _log_rows(states: np.ndarray, full: np.ndarray, recorded: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(S,) log-probabilities of count vectors of the recorded species."""
    shape = tuple(states[:, recorded].max(0) + 1)
    table = np.bincount(np.ravel_multi_index(tuple(states[:, recorded].T), shape), full, np.prod(shape))
    inside = (counts < shape).all(1)
    found = np.full(len(counts), FLOOR)
    with np.errstate(divide="ignore"):
        found[inside] = np.log(table[np.ravel_multi_index(tuple(counts[inside].T), shape)])
    return np.maximum(found, FLOOR)


def _rounded(sizes: np.ndarray) -> np.ndarray:
    """Sizes above 8 rounded up to a power of `STEP`."""
    power = np.ceil(STEP ** np.ceil(np.log(np.maximum(sizes, 1)) / np.log(STEP) - 1e-9)).astype(np.int64)
    return np.where(sizes > 8, power, sizes)


def _checked(network: StateTransitionNetwork, names: tuple[str, ...], counts: np.ndarray) -> np.ndarray:
    for name in names:
        if name not in network.states:
            raise UserError(f"{network.source}: unknown species '{name}'{closest(name, network.states)}")
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != len(names):
        raise UserError(f"counts: found shape {counts.shape}, expected a column for each of {', '.join(names)}")
    if len(counts) and (counts < 0).any():
        raise UserError("counts: found a negative number, expected counts of at least 0")
    return counts.astype(np.int64)
