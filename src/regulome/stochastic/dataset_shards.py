"""Makes data sets: Sobol parameter sets of the box, each with its distribution, all at once or in blocks for a cluster.

Block i of n holds rows of the whole table and nothing else depends on the blocks: `Dataset.merge` of all of them is the
table that one call would have made, bit by bit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import cpu_count

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from regulome.errors import UserError
from regulome.stochastic import ssa
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.relaxation import relaxation_times

_CHUNK = 64  # parameter sets that one call of the simulator takes, between two steps of the progress bar


@dataclass(frozen=True)
class Simulation:
    """How distributions are simulated where they are not solved exactly.

    Attributes
    ----------
    trajectories
        Trajectories of each set (default: 1 for a stationary distribution, 10,000 for one at a time).
    burn_in, window, grid
        As in `regulome.stochastic.ssa.occupancy_record`; the published protocol of gene expression is
        ``Simulation(1, 5000, 1000, 0.05)``.
    survive
        Condition whose loss is extinction, for a quasi-stationary distribution.
    """

    trajectories: int | None = None
    burn_in: float | None = None
    window: float | None = None
    grid: float | None = None
    survive: str = ""


def make(
    network: StateTransitionNetwork,
    sets: int,
    seed: int = 0,
    index: int = 0,
    count: int = 1,
    engine: str = "auto",
    time: float | tuple[float, float] | None = None,
    simulation: Simulation | None = None,
    tail: float = 1e-6,
    threads: int | None = None,
    progress: bool = True,
) -> Dataset:
    """One block of a table of parameter sets and distributions.

    Parameters
    ----------
    sets
        Number of parameter sets of the whole table: scrambled Sobol points, linear in the box.
    seed
        Of the scrambling and of all trajectories; another seed gives a disjoint table, as validation needs.
    index, count
        Block number (from 0) and number of blocks.
    engine
        "exact", "ssa", or "auto": exact where the state space is small enough.
    time
        None for stationary distributions (or the network's own ``time``, if it has one); a time; or (low, high) for a
        time of each set, uniform between them.
    simulation
        How to simulate.
    tail
        Probability of the rarest states of every exact distribution that is not stored.
    threads
        Cores to use (default: all); results do not depend on it.
    progress
        Whether to show a progress bar on a terminal.

    Raises
    ------
    UserError
        If an argument is no good, or a distribution cannot be solved or simulated.
    """
    block = sets_of_block(sets, index, count)
    if engine not in ("auto", "exact", "ssa"):
        raise UserError(f"engine: found '{engine}', expected auto, exact or ssa")
    if not 0 <= tail < 0.5:
        raise UserError(f"tail: found {tail}, expected at least 0 and below 0.5")
    simulation = simulation or Simulation()
    theta = parameter_sets(network, sets, seed)[block.start : block.stop]
    times = _times(network.time if time is None else time, sets, seed)[block.start : block.stop]
    kinds = _engines(network, theta, times, engine, simulation)
    found: list[Distribution | None] = [None] * len(theta)
    with tqdm(total=len(theta), unit=" sets", disable=None if progress else True) as bar:
        exact = [i for i, kind in enumerate(kinds) if kind == "exact"]
        for i, distribution in _solved(network, theta, times, exact, engine == "auto", threads):
            if distribution is None:
                kinds[i] = "ssa"
            else:
                found[i] = distribution.without_tail(tail)
                bar.update()
        simulated = [i for i, kind in enumerate(kinds) if kind == "ssa"]
        for i, distribution in _simulated(network, theta, times, simulated, block.start, seed, simulation, threads):
            found[i] = distribution
            bar.update()
    return Dataset.of(network, theta, found, kinds, times, seed, block.start, sets)


def sets_of_block(sets: int, index: int, count: int) -> range:
    """Numbers of the parameter sets of one block; blocks differ by one set at most.

    Raises
    ------
    UserError
        If there is no such block, or it would be empty.
    """
    if sets < 1:
        raise UserError(f"sets: found {sets}, expected at least 1")
    if not (1 <= count <= sets and 0 <= index < count):
        raise UserError(f"block: found {index} of {count}, expected 0 to {count - 1} of at most {sets} blocks")
    return range(index * sets // count, (index + 1) * sets // count)


def parameter_sets(network: StateTransitionNetwork, sets: int, seed: int) -> np.ndarray:
    """(sets, P) parameter sets of a whole table; one row where the network has no parameters."""
    return network.sample_box(sets, seed) if network.parameters else np.empty((sets, 0))


def _times(time, sets: int, seed: int) -> np.ndarray:
    """(sets,) times of the whole table."""
    if time is None:
        return np.full(sets, np.inf)
    low, high = time if isinstance(time, tuple | list) else (time, time)
    if not (0 <= low <= high and np.isfinite(high) and high > 0):
        raise UserError(f"time: found {time}, expected a time above 0, or two, the earlier one first")
    return low + np.random.default_rng([seed, 1]).random(sets) * (high - low)


def _engines(network, theta, times, engine: str, simulation: Simulation) -> list[str]:
    if engine != "auto":
        return [engine] * len(theta)
    if simulation.survive:
        return ["ssa"] * len(theta)
    from regulome.stochastic import engine as engines

    return [engines.choose(network, row, None if np.isinf(t) else t) for row, t in zip(theta, times, strict=True)]


def _solved(
    network, theta, times, which: Sequence[int], escape: bool, threads: int | None
) -> Iterator[tuple[int, Distribution | None]]:
    """Exact distributions of some sets as they are ready, on several processes."""
    workers = min(threads or cpu_count() or 1, len(which))
    if workers <= 1:
        yield from (_solve(network, i, theta[i], times[i], escape) for i in which)
        return
    jobs = (delayed(_solve)(network, i, theta[i], times[i], escape) for i in which)
    yield from Parallel(workers, return_as="generator_unordered")(jobs)


def _solve(network, i: int, theta: np.ndarray, time: float, escape: bool) -> tuple[int, Distribution | None]:
    """Exact distribution; None if it takes more states than estimated and there is a way out."""
    from regulome.stochastic import engine
    from regulome.stochastic.generator import TooManyStates

    try:
        return i, engine.solve(network, theta, engine="exact", time=time)
    except TooManyStates:
        if escape:
            return i, None
        raise


def _simulated(
    network, theta, times, which: Sequence[int], first: int, seed: int, simulation: Simulation, threads: int | None
) -> Iterator[tuple[int, Distribution]]:
    """Simulated distributions of some sets; a trajectory is keyed by its set's number in the whole table."""
    stationary = [i for i in which if np.isinf(times[i])]
    slowest = relaxation_times(network, theta[stationary]) if stationary else np.empty(0)
    burn_in = ssa.BURN_IN * slowest if simulation.burn_in is None else np.full(len(slowest), simulation.burn_in)
    window = ssa.WINDOW * slowest if simulation.window is None else np.full(len(slowest), simulation.window)
    for start in range(0, len(stationary), _CHUNK):
        chunk = stationary[start : start + _CHUNK]
        yield from zip(
            chunk,
            ssa.occupancy(
                network,
                theta[chunk],
                burn_in=burn_in[start : start + _CHUNK],
                window=window[start : start + _CHUNK],
                grid=simulation.grid,
                survive=simulation.survive,
                trajectories=simulation.trajectories or 1,
                seed=seed,
                threads=threads,
                first_set=[first + i for i in chunk],
            ),
            strict=True,
        )
    for i in which:
        if np.isfinite(times[i]):
            number = simulation.trajectories or 10_000
            counts = ssa.final(network, theta[i], times[i], number, seed, threads, first_set=first + i)
            yield i, Distribution.of(network.recorded, counts[0][:, network.recorded_index])
