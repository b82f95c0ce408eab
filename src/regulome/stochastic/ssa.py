"""Exact stochastic simulation of any state-transition network, on all cores.

Gillespie's direct method, generated for the network by `regulome.stochastic.ssa_code`. A trajectory is known by seed,
number of its parameter set, its own number and the method, so that results depend neither on threads nor on how work is
cut. A state whose propensities are all zero is held. A count at a time is the count in force then; should a random jump
fall on that very time, the count before it, while an assignment that a trigger makes at that time is seen.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from os import cpu_count

import numpy as np

from regulome.errors import UserError
from regulome.lanes import LANES
from regulome.stochastic import ssa_lanes_code
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.rate_facts import stop_times
from regulome.stochastic.rates import Rate
from regulome.stochastic.relaxation import relaxation_times
from regulome.stochastic.ssa_checks import check_numbers, check_run, checked_theta
from regulome.stochastic.ssa_code import STATUS, compiled

BURN_IN, WINDOW = 50.0, 1000.0  # slowest relaxation times that a stationary run leaves out, and then records
MOST_EVENTS = 10**10  # of one trajectory
_BLOCK = 16  # trajectories of one histogram
_QUEUE = 2**10  # molecules that wait, at first
_KEPT = 4096  # past states of a quasi-stationary trajectory
_TABLE = 2**14  # slots of its table at first, half of which may be used


def simulate(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    times: Sequence[float],
    trajectories: int = 1,
    seed: int = 0,
    threads: int | None = None,
    first_set: int | Sequence[int] = 0,
    most_events: int = MOST_EVENTS,
    progress: Callable[[int, int], None] | None = None,
    method: str = "auto",
) -> np.ndarray:
    """Counts at given times.

    Parameters
    ----------
    network
        N states, P parameters.
    theta
        (T, P) parameter sets, or (P,) for one.
    times
        (G,) increasing times of at least 0, in the unit of the network.
    trajectories
        R independent trajectories of every set.
    seed
        0 to 2^64 - 1.
    threads
        Threads (default: all cores); results do not depend on it.
    first_set
        Number of the first set, or the numbers of all, where the sets are a part of a larger table.
    most_events
        Events after which a trajectory is given up as an explosion.
    progress
        Called with the number of finished and of all pieces of work.
    method
        "scalar", one trajectory after the other; "lanes", sixteen in lock-step, for networks whose propensities allow
        it (`regulome.stochastic.ssa_lanes`), several times as fast; or "auto": lanes for sixteen trajectories or more
        where they can be had. Both are exact and draw other numbers.

    Returns
    -------
    numpy.ndarray
        (T, R, G, N) int32.

    Raises
    ------
    UserError
        If an argument is no good, or during a run a propensity becomes negative or not a number, a count falls below
        zero, or events exceed the cap.
    """
    theta = checked_theta(network, theta)
    times = np.ascontiguousarray(times, float)
    if times.ndim != 1 or not len(times) or not (np.isfinite(times).all() and times[0] >= 0):
        raise UserError(f"times: found {times.tolist()[:5]}, expected finite numbers of at least 0")
    if (np.diff(times) < 0).any():
        raise UserError("times: found a time before the one in front of it, expected increasing times")
    check_numbers(trajectories, seed)
    numbers = _numbers(first_set, len(theta))
    stops = [stop_times(network, row) for row in theta]
    lanes = _lanes(network, method, trajectories)
    kernel = lanes or compiled(network, "grid")
    out = np.empty((len(theta), trajectories, len(times), len(network.states)), np.int32)
    block = max(16, min(256, -(-trajectories // (4 * (threads or cpu_count() or 1)))))
    jobs = [(s, r) for s in range(len(theta)) for r in range(0, trajectories, block)]

    room = [_QUEUE]

    def run(job):
        s, r = job
        start, status = network.start.astype(float), "full"
        if lanes:
            report, left = _report(network)
            table = np.zeros((len(start) + 7) * LANES)
            words, part = table.view(np.uint64), out[s, r : r + block]
            lanes(theta[s], start, seed, numbers[s], r, times, table, words, part, most_events, report, left)
            status = STATUS[report[0]]
        while status == "full":  # again with more room: same numbers, same result
            report, left = _report(network)
            queue = np.empty(room[0]), np.empty(room[0], np.int64)
            part = out[s, r : r + block]
            kernel(theta[s], start, seed, numbers[s], r, stops[s], *queue, times, part, most_events, report, left)
            status = STATUS[report[0]]
            if status == "full":
                room[0] = max(room[0], 4 * len(queue[0]))
        check_run(network, theta[s], numbers[s], report, left, most_events)

    _run_all(run, jobs, threads, progress)
    return out


def final(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    time: float,
    trajectories: int = 1,
    seed: int = 0,
    threads: int | None = None,
    **options,
) -> np.ndarray:
    """Counts at one time, (T, R, N) int32; arguments as in `simulate`."""
    return simulate(network, theta, [time], trajectories, seed, threads, **options)[:, :, 0]


@dataclass(frozen=True)
class Occupancy:
    """Time spent in each recorded state.

    Attributes
    ----------
    distributions
        T distributions over the recorded states.
    burn_in, window
        (T,) times that were left out at the start, and recorded after that.
    events
        (T,) jumps simulated.
    restarts
        (T,) extinctions after which a trajectory went on (quasi-stationary runs only).
    """

    distributions: list[Distribution]
    burn_in: np.ndarray
    window: np.ndarray
    events: np.ndarray
    restarts: np.ndarray


def occupancy(network: StateTransitionNetwork, theta: np.ndarray, **options) -> list[Distribution]:
    """Stationary distributions over the recorded states by simulation; see `occupancy_record` for the arguments."""
    return occupancy_record(network, theta, **options).distributions


def occupancy_record(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    burn_in: float | np.ndarray | None = None,
    window: float | np.ndarray | None = None,
    trajectories: int = 1,
    grid: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    survive: str = "",
    first_set: int | Sequence[int] = 0,
    most_events: int = MOST_EVENTS,
    progress: Callable[[int, int], None] | None = None,
) -> Occupancy:
    """Distribution over the recorded states within a window of time, from residence times.

    Parameters
    ----------
    burn_in
        Time before the window, the same for all sets or (T,). Default: 50 times the slowest relaxation time of each
        parameter set (`regulome.stochastic.relaxation`), which for a promoter that switches is 50 / (kon + koff).
    window
        Length of the window (default: 1000 times the slowest relaxation time of each set).
    grid
        None weights every state with the time spent in it; a number counts the states on a grid of this spacing that
        includes both ends, as published.
    survive
        Condition over states, such as ``I > 0``, for the **quasi-stationary** distribution of a network with an
        absorbing class: a trajectory that loses it goes on from where it was at a random time in the later half of its
        own past. The occupancy of this process converges to the quasi-stationary distribution (Aldous, Flannery and
        Palacios 1988; Blanchet, Glynn and Zheng 2016). Time averages over trajectories that survive to the end would
        give another law.
    trajectories, seed, threads, first_set, most_events, progress
        As in `simulate`.

    Returns
    -------
    Occupancy

    Raises
    ------
    UserError
        As `simulate`; also if the initial state does not survive.
    """
    theta = checked_theta(network, theta)
    check_numbers(trajectories, seed)
    if grid is not None and not grid > 0:
        raise UserError(f"grid: found {grid}, expected a spacing above 0, or None for residence times")
    if burn_in is None or window is None:
        slowest = relaxation_times(network, theta)
        burn_in = BURN_IN * slowest if burn_in is None else burn_in
        window = WINDOW * slowest if window is None else window
    burn_in = np.broadcast_to(np.asarray(burn_in, float), len(theta))
    window = np.broadcast_to(np.asarray(window, float), len(theta))
    if not ((burn_in >= 0) & np.isfinite(burn_in) & (window > 0) & np.isfinite(window)).all():
        raise UserError("burn_in and window: expected finite times, the window above 0")
    numbers = _numbers(first_set, len(theta))
    stops = [stop_times(network, row) for row in theta]
    kernel = compiled(network, "histogram", survive)
    blocks = range(0, trajectories, _BLOCK)
    found: list[list] = [[None] * len(blocks) for _ in theta]
    tallies = np.zeros((len(theta), len(blocks), 2), np.int64)
    size = [_TABLE]

    def run(job):
        s, b = job
        start, status = network.start.astype(float), "full"
        begin, number = float(burn_in[s]), min(_BLOCK, trajectories - b * _BLOCK)
        while status == "full":  # again with more room: same numbers, same result
            report, left = _report(network)
            tables = _tables(size[0], len(network.recorded))
            queue = np.empty(size[0]), np.empty(size[0], np.int64)
            kept = np.empty((_KEPT if survive else 0, len(network.states)))
            end = begin + float(window[s])
            kernel(
                theta[s], start, seed, numbers[s], b * _BLOCK, stops[s], *queue, number, begin, end, grid or 0.0, kept,
                *tables, most_events, report, left,
            )  # fmt: skip
            status = STATUS[report[0]]
            if status == "full":
                size[0] = max(size[0], 4 * len(queue[0]))
        check_run(network, theta[s], numbers[s], report, left, most_events, survive)
        _, rows, weights, order = tables
        slots = order[: report[5]]
        found[s][b] = rows[slots], weights[slots]
        tallies[s, b] = report[3:5]

    _run_all(run, [(s, b) for s in range(len(theta)) for b in range(len(blocks))], threads, progress)
    distributions = [
        Distribution.of(network.recorded, np.concatenate([c for c, _ in parts]), np.concatenate([w for _, w in parts]))
        for parts in found
    ]
    return Occupancy(distributions, burn_in, window, *tallies.sum(1).T)


def derived_values(network: StateTransitionNetwork, counts: np.ndarray, theta: np.ndarray) -> dict[str, np.ndarray]:
    """Derived outputs of a network for counts (..., N) and parameters (P,) or (..., P), by name."""
    counts, theta = np.asarray(counts, float), np.asarray(theta, float)
    values = {name: counts[..., i] for i, name in enumerate(network.states)}
    values |= {name: theta[..., i] for i, name in enumerate(network.parameter_names)}
    values |= network.constants
    where = f"{network.source}: derived"
    return {
        name: np.broadcast_to(Rate(text, values, f"{where} '{name}'")(**values), counts.shape[:-1])
        for name, text in network.derived.items()
    }


def _lanes(network: StateTransitionNetwork, method: str, trajectories: int) -> Callable | None:
    """Lock-step kernel, where it is wanted and can be had."""
    if method not in ("auto", "scalar", "lanes"):
        raise UserError(f"method: found '{method}', expected auto, scalar or lanes")
    if method == "scalar" or (method == "auto" and trajectories < LANES):
        return None
    found = ssa_lanes_code.compiled(network)
    if found is None and method == "lanes":
        raise UserError(
            f"{network.source}: method lanes: not every propensity is a sum of products that is zero where an event "
            "would make a count negative; expected method auto or scalar"
        )
    return found


def _numbers(first_set, sets: int) -> list[int]:
    """Numbers of the parameter sets, which key their random numbers."""
    return [first_set + s for s in range(sets)] if isinstance(first_set, int) else [int(n) for n in first_set]


def _tables(size: int, states: int) -> tuple[np.ndarray, ...]:
    """Hash table of a histogram: keys, count vectors, weights, and the slots in order of their first visit."""
    return np.zeros(size, np.uint64), np.empty((size, states), np.int32), np.zeros(size), np.empty(size, np.int64)


def _report(network: StateTransitionNetwork) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(6, np.int64), np.zeros(len(network.states))


def _run_all(run: Callable, jobs: list, threads: int | None, progress: Callable | None) -> None:
    """Run all jobs; the first error stops those that have not begun."""
    if threads is not None and threads < 1:
        raise UserError(f"threads: found {threads}, expected at least 1")
    workers = min(threads or cpu_count() or 1, len(jobs))
    if workers <= 1:
        for done, job in enumerate(jobs):
            run(job)
            if progress:
                progress(done + 1, len(jobs))
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            for done, future in enumerate(as_completed(futures)):
                future.result()
                if progress:
                    progress(done + 1, len(jobs))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
