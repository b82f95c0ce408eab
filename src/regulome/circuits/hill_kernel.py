"""Compiled Hill dynamics: draws, runs and statistics of many parameter sets of one topology.

The same model and numbers as the plain code of `regulome.circuits.hill`, in float32, sixteen parameter sets at a time
(`regulome.circuits.hill_run_lanes`). Parameters are drawn by position (`regulome.threefry`): set p of a topology is the
same whoever draws it, so that a successful set is known by its number alone.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from regulome.circuits.hill_lanes import METHODS, patterns, prepare, rows
from regulome.circuits.hill_run_lanes import ROW, SIDE_BY_SIDE, STATISTICS, integrate
from regulome.lanes import LANES
from regulome.threefry import exponential, threefry
from regulome.threefry_lanes import exponentials

WIDTH = SIDE_BY_SIDE * LANES  # parameter sets of one call
NAMES = ("mean", "variance", "largest_slope", "smallest_slope", "maximum", "minimum", "last", "error")


@dataclass(frozen=True)
class Run:
    """One run of a circuit: inputs that are constant in phases, and where statistics are taken.

    Attributes
    ----------
    inputs
        (S, I) levels in each phase.
    steps
        (S,) Euler or Runge-Kutta steps of each phase.
    watch
        Statistics are taken from this sample on (sample k is the state after k + 1 steps).
    target
        (T,) levels that the first watched gene is compared with at every sample, or None.
    """

    inputs: np.ndarray
    steps: np.ndarray
    watch: int
    target: np.ndarray | None = None

    @property
    def length(self) -> int:
        """Number of samples T."""
        return int(np.sum(self.steps))


@dataclass(frozen=True)
class Integration:
    """How a run is integrated: start level (G,), time step, "euler" (the published map) or "rk4"."""

    start: np.ndarray
    dt: float
    method: str = "euler"


def topology_number(signs: np.ndarray) -> int:
    """Number of a topology (N, G), which keys its random numbers: its signs as digits to base three."""
    number = 0
    for sign in np.asarray(signs).reshape(-1):
        number = 3 * number + int(sign) + 1
    return number % 2**32


def draw(signs: np.ndarray, seed: int, sets: np.ndarray, shared: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Maximal rates b and Michaelis constants K of parameter sets, each exponential with mean 1.

    Parameters
    ----------
    signs
        (N, G) topology.
    seed
        0 to 2³² - 1.
    sets
        (P,) numbers of the sets.
    shared
        One pool of parameter sets for all topologies, as one table drawn once would give; only for comparison.

    Returns
    -------
    (b, K)
        (P, N, G) float32 each.
    """
    links = signs.size
    key = (seed, 0 if shared else topology_number(signs))
    first = np.repeat(np.asarray(sets, np.uint32)[:, None], links, axis=1)
    second = np.broadcast_to(np.arange(links, dtype=np.uint32), first.shape)
    k, b = threefry(key, first, second)
    return exponential(b).reshape(-1, *signs.shape), exponential(k).reshape(-1, *signs.shape)


def _make_driver(genes: int, watched: int, options: int):
    """Compile the loop over parameter sets: number of genes, those watched (bits), options of `integrate`."""
    count = sum(watched >> g & 1 for g in range(genes))
    size = count * len(STATISTICS) * LANES
    state_size, constant_size = SIDE_BY_SIDE * genes * LANES, SIDE_BY_SIDE * rows(genes) * LANES

    @njit(error_model="numpy", nogil=True, cache=True)
    def drive(
        out, given_b, given_k, key0, key1, first, exists, activates, inhibits, squares, steps, watch, target, start, dt,
        scale, pattern, general,
    ):  # fmt: skip
        regulators, inputs = len(exists) // genes, squares.shape[1]
        levels = squares.reshape(-1)
        state = np.empty(state_size, np.float32)
        constants = np.empty(constant_size, np.float32)
        statistics = np.empty(SIDE_BY_SIDE * size, np.float32)
        links = regulators * genes
        b, k = np.ones(SIDE_BY_SIDE * links * LANES, np.float32), np.ones(SIDE_BY_SIDE * links * LANES, np.float32)
        drawn = len(given_b) == 0
        for call in range(out.shape[0]):
            if drawn:
                for block in range(SIDE_BY_SIDE):
                    number = first + (call * SIDE_BY_SIDE + block) * LANES
                    for link in range(links):
                        if exists[link]:
                            at = (block * links + link) * LANES
                            exponentials(k, at, b, at, key0, key1, number, link)
            else:
                for at in range(len(b)):
                    b[at], k[at] = given_b[call, at], given_k[call, at]
            for at in range(state_size):
                state[at] = start[(at // LANES) % genes]
            statistics[:] = 0
            done = 0
            for phase in range(len(steps)):
                for block in range(SIDE_BY_SIDE):
                    at = block * links * LANES
                    prepare(
                        constants, block * constant_size // SIDE_BY_SIDE, b, at, k, at, levels, phase * inputs, exists,
                        activates, inhibits, scale, inputs, general, genes,
                    )  # fmt: skip
                unwatched = min(max(watch - done, 0), steps[phase])
                watched_steps = steps[phase] - unwatched
                begun = 1 if done > watch else 0
                integrate(
                    state, 0, constants, 0, statistics, 0, target, done, dt, unwatched, watched_steps, begun, pattern,
                    genes, watched, options,
                )  # fmt: skip
                done += steps[phase]
            for at in range(len(statistics)):
                out[call, at] = statistics[at]

    return drive


_drivers: dict[tuple[int, int, int], object] = {}


def _driver(genes: int, watched: int, options: int):
    key = (genes, watched, options)
    if key not in _drivers:
        _drivers[key] = _make_driver(*key)
    return _drivers[key]


def run_drawn(signs, seed, first, count, run, integration, watched, names=NAMES, shared=False) -> dict[str, np.ndarray]:
    """Statistics of parameter sets ``first`` to ``first + count`` of a topology, drawn on the way.

    Parameters
    ----------
    signs
        (N, G) topology.
    first
        A multiple of 16.
    watched, names
        Genes whose statistics are wanted, in ascending order, and which statistics (see `summarise`).
    shared
        One pool of parameter sets for all topologies, see `draw`.

    Returns
    -------
    dict
        The statistics of `summarise`, (count, W) arrays.
    """
    key = (seed, 0 if shared else topology_number(signs))
    calls = -(-count // WIDTH)
    empty = np.empty((0, SIDE_BY_SIDE * signs.size * LANES), np.float32)
    return _drive(signs, (empty, empty), key, first, calls, count, run, integration, watched, names)


def run_given(signs, b, k, run, integration, watched, names=NAMES) -> dict[str, np.ndarray]:
    """Statistics of given parameter sets; b, k (P, N, G). Otherwise as `run_drawn`."""
    count = len(b)
    calls = -(-count // WIDTH)
    place = np.minimum(np.arange(calls * WIDTH), count - 1)  # the last call is filled with repeats

    def arranged(values):
        spread = np.asarray(values, np.float32)[place].reshape(calls, SIDE_BY_SIDE, LANES, *signs.shape)
        return np.ascontiguousarray(np.moveaxis(spread, 2, -1)).reshape(calls, -1)

    return _drive(signs, (arranged(b), arranged(k)), (0, 0), 0, calls, count, run, integration, watched, names)


def _drive(signs, given, key, first, calls, count, run, integration, watched, names):
    genes = signs.shape[1]
    flat = np.asarray(signs).reshape(-1)
    flags = [(flat != 0).astype(np.float32), (flat > 0).astype(np.float32), (flat < 0).astype(np.float32)]
    watched = [int(g) for g in watched]
    compares = run.target is not None
    options = METHODS.index(integration.method) + 2 * compares
    drive = _driver(genes, sum(1 << g for g in watched), options)
    between = tuple(int(s) for s in signs[len(signs) - genes :].reshape(-1))
    known = patterns(genes)
    pattern = known.index(between) if between in known else len(known) - 1
    out = np.empty((calls, SIDE_BY_SIDE * len(watched) * len(STATISTICS) * LANES), np.float32)
    target = np.asarray(run.target if compares else np.zeros(1), np.float32)
    dt = np.float32(integration.dt)
    scale = dt if integration.method == "euler" else 1
    general = pattern == len(known) - 1
    drive(
        out, *given, *key, first, *flags, np.square(np.asarray(run.inputs, np.float32)),
        np.asarray(run.steps, np.int64), run.watch, target, np.asarray(integration.start, np.float32),
        np.full(LANES, dt, np.float32), np.full(LANES, scale, np.float32), pattern, int(general),
    )  # fmt: skip
    table = out.reshape(calls, SIDE_BY_SIDE, len(watched), len(STATISTICS), LANES)
    table = table.transpose(3, 0, 1, 4, 2).reshape(len(STATISTICS), calls * WIDTH, len(watched))[:, :count]
    return summarise(table, run, integration.dt, names)


def summarise(table: np.ndarray, run: Run, dt: float, names=NAMES) -> dict[str, np.ndarray]:
    """Turn running sums into the statistics of these names.

    Parameters
    ----------
    table
        (STATISTICS, P, W) rows of `regulome.circuits.hill_run_lanes`.
    names
        Of mean, variance, maximum, minimum and last of the watched samples; largest_slope and smallest_slope
        (difference quotient between samples, per unit of time); error (root mean square difference from the target
        over all samples).
    """
    samples = run.length - run.watch

    def row(name: str) -> np.ndarray:
        return table[ROW[name]]

    made = {
        "mean": lambda: row("reference") + row("sum") / samples,
        "variance": lambda: np.maximum(row("squares") / samples - np.square(row("sum") / samples), 0),
        "largest_slope": lambda: row("largest") / dt,
        "smallest_slope": lambda: row("smallest") / dt,
        "maximum": lambda: row("maximum"),
        "minimum": lambda: row("minimum"),
        "last": lambda: row("last"),
        "error": lambda: np.sqrt(row("error") / run.length),
    }
    return {name: made[name]() for name in names}
