"""From a topology to Hill circuits that do the function: random sampling and gradient search, Euler map and solution.

The published criteria look at an Euler map with dt = 0.25, which can oscillate where the differential equation rests.
Every circuit is therefore judged twice: on that map, and on the converged solution. Letters: B topologies, N = I + G
regulators, G genes.
"""

import numpy as np
import pandas as pd

from regulome.circuits.codes import encode
from regulome.circuits.criteria import Criterion
from regulome.circuits.deletion_tree import all_masks, is_connected
from regulome.circuits.enumeration import enumerate_topologies
from regulome.circuits.hill import OscillationCriteria, controlled_oscillation, hill_rates, simulate_hill
from regulome.circuits.hill_fit import HillCircuits, fit_to_oscillation, oscillates
from regulome.circuits.oscillation_topologies import wilson
from regulome.circuits.step_size import converged, exact_trajectory

RUNS = ((0.0, 0.0), (0.8, 0.0), (0.0, 0.8))  # rest, oscillation, high
DT, STEPS = 0.25, 200  # the published grid
FINE = 4  # Euler steps per sample when circuits are fitted to the solution
LONG = 200.0  # units of time over which an oscillation has to last
UNDAMPED = 0.95  # smallest ratio of late to early amplitude


def exact_runs(circuits: HillCircuits, index: int, duration: float = DT * STEPS) -> np.ndarray:
    """(3, T, G) solution of one circuit at rest, under the first and under the second input (scipy LSODA)."""
    times = DT * (np.arange(round(duration / DT)) + 1)
    signs, b, k = (values[index] for values in (circuits.signs, circuits.b, circuits.k))
    return np.stack([exact_trajectory(signs, b, k, levels, times) for levels in RUNS])


def map_runs(circuits: HillCircuits, index: int) -> np.ndarray:
    """(3, T, G) the same runs on the published Euler map."""
    signs, b, k = (values[index] for values in (circuits.signs, circuits.b, circuits.k))
    return np.concatenate([simulate_hill(signs, b[None], k[None], np.array(levels)) for levels in RUNS])


def fit_on_map(signs: np.ndarray, seed: int, restarts: int, updates: int) -> HillCircuits:
    """Circuits fitted to the published Euler map, one a topology (B, N, G)."""
    return _fits(signs, seed, restarts, updates, refine=1)


def amplitude_ratio(output: np.ndarray) -> float:
    """Peak-to-peak amplitude of the last quarter of a run over that of its second quarter: below 1 if it is damped."""
    quarters = np.array_split(output, 4)
    early = np.ptp(quarters[1])
    return float(np.ptp(quarters[3]) / early) if early > 1e-6 else 0.0


def judge_exactly(circuits: HillCircuits) -> pd.DataFrame:
    """Judge each circuit by LSODA, which shares no code with the searches: passes, amplitude ratio, undamped.

    ``passes`` applies the published criteria on the published sampling grid; ``ratio`` compares amplitudes of g1 over
    200 units of time.
    """
    rows = []
    for index in range(len(circuits)):
        runs = exact_runs(circuits, index, LONG)[..., 0]
        passes = controlled_oscillation(*(run[None, :STEPS] for run in runs), OscillationCriteria())[0]
        ratio = amplitude_ratio(runs[1])
        rows.append((bool(passes), ratio, bool(passes and ratio > UNDAMPED)))
    return pd.DataFrame(rows, columns=["passes", "ratio", "undamped"])


def search(
    signs: np.ndarray, criterion: Criterion, sets: int, restarts: int, updates: int, seed: int, threads: int = 1
) -> tuple[pd.DataFrame, HillCircuits]:
    """Look for Hill parameters of each topology in four ways.

    Parameters
    ----------
    signs
        (B, N, G) topologies of two inputs.
    criterion
        What counts, for the random sampling.
    sets
        Random parameter sets of each topology, b and K exponential with mean 1.
    restarts, updates
        Of the gradient search (`regulome.circuits.hill_fit.fit_to_oscillation`).

    Returns
    -------
    table, circuits
        One row a topology: topology, links, sampled_euler and sampled_exact (sets that pass on the Euler map and on
        the converged solution), fitted_euler (a fit to the map passes on it), of which fitted_euler_lasts (LSODA,
        undamped), fitted_exact (a fit to the solution passes by LSODA and is undamped), ratio of its amplitudes. The
        circuits are those fitted to the solution.
    """
    table = pd.DataFrame({"topology": encode(signs), "links": np.abs(signs).sum((1, 2))})
    table["sampled_euler"] = enumerate_topologies(signs, criterion, sets, seed, threads).hits
    table["sampled_exact"] = enumerate_topologies(signs, converged(criterion), sets, seed, threads).hits
    on_map, circuits = (_fits(signs, seed, restarts, updates, refine) for refine in (1, FINE))
    table["fitted_euler"] = oscillates(on_map)
    table["fitted_euler_lasts"] = judge_exactly(on_map)["undamped"] & table["fitted_euler"]
    exact = judge_exactly(circuits)
    return table.assign(fitted_exact=exact["undamped"], ratio=exact["ratio"]), circuits


def _fits(signs: np.ndarray, seed: int, restarts: int, updates: int, refine: int) -> HillCircuits:
    """Fit topology by topology, so that each stops as soon as one of its restarts meets the criteria."""
    fits = [fit_to_oscillation(table[None], seed, restarts, updates, "cpu", refine=refine)[0] for table in signs]
    return HillCircuits(*(np.concatenate([getattr(f, n) for f in fits]) for n in ("signs", "b", "k", "start")))


def random_topologies(allowed: np.ndarray, n_inputs: int, links: int, count: int, rng: np.random.Generator):
    """(count, N, G) random connected topologies with ``links`` links, all links from inputs among them; signs fair.

    The first gene is the output. Topologies are drawn with replacement.
    """
    protected = np.zeros_like(allowed)
    protected[:n_inputs] = True
    masks = [mask for mask in all_masks(allowed, protected, links) if is_connected(mask, n_inputs)]
    chosen = np.stack(masks)[rng.integers(len(masks), size=count)]
    return np.where(chosen, rng.choice([-1, 1], size=chosen.shape), 0).astype(np.int8)


def steady_state(signs: np.ndarray, b: np.ndarray, k: np.ndarray, inputs) -> tuple[np.ndarray, np.ndarray]:
    """Steady state under constant inputs that a long run leads to, and the eigenvalue that decides about it.

    Parameters
    ----------
    b, k
        (P, N, G) parameter sets.

    Returns
    -------
    state, growth
        (P, G) root of f(g) = g, found by damped Newton steps from the end of a run, and (P,) largest real part of the
        eigenvalues of the Jacobian there (NaN where no root was found): an oscillation can grow out of the steady
        state only if it is positive.
    """
    state = simulate_hill(signs, b, k, inputs, dt=0.1, n_steps=400)[:, -1]
    for _ in range(200):
        residual, slope = _residual_and_jacobian(signs, b, k, inputs, state)
        step = np.linalg.solve(slope, -residual[..., None])[..., 0]
        state = np.maximum(state + np.clip(step, -0.2 * state - 1e-3, 0.2 * state + 1e-3), 1e-9)
    residual, slope = _residual_and_jacobian(signs, b, k, inputs, state)
    growth = np.linalg.eigvals(slope).real.max(1)
    return state, np.where(np.abs(residual).max(1) < 1e-6, growth, np.nan)


def largest_growth(signs: np.ndarray, sets: int, seed: int) -> float:
    """Largest growth rate of a disturbance of the steady state under the first input, over random parameter sets.

    ``signs`` (N, G); b and K are exponential with mean 1. Negative: no steady state can start to oscillate.
    """
    b, k = np.random.default_rng(seed).exponential(size=(2, sets, *signs.shape))
    return float(np.nanmax(steady_state(signs, b, k, RUNS[1])[1]))


def _residual_and_jacobian(signs, b, k, inputs, state) -> tuple[np.ndarray, np.ndarray]:
    """f(g) - g (P, G) and its derivative (P, G, G) by central differences, rows by equation."""

    def change(levels):
        given = np.broadcast_to(np.asarray(inputs, dtype=float), (len(levels), len(inputs)))
        return hill_rates(np.concatenate([given, levels], axis=1), signs, b, k) - levels

    columns = []
    for gene in range(state.shape[1]):
        small = np.zeros_like(state)
        small[:, gene] = 1e-5 * (state[:, gene] + 1e-3)
        columns.append((change(state + small) - change(state - small)) / (2 * small[:, gene, None]))
    return change(state), np.stack(columns, axis=2)


def steeper(signs: np.ndarray, exponents, sets: int, seed: int) -> pd.DataFrame:
    """Random parameter sets of one topology (N, G) with other Hill coefficients than the published n = 2.

    u = x^n and K^n take the place of x^2 and K^2; b and K are exponential with mean 1; classical Runge-Kutta with step
    0.125 over 100 units of time.

    Returns
    -------
    DataFrame
        Columns exponent, sets, passes (published criteria on the first 50 units of time), undamped (and the amplitude
        of the last quarter is at least 0.95 of that of the second).
    """
    rng = np.random.default_rng(seed)
    b, k = rng.exponential(size=(2, sets, *signs.shape))
    rows = []
    for n in exponents:
        kept = np.arange(sets)
        swings = _output(signs, b, k, RUNS[1], n)
        kept = kept[(swings[:, STEPS // 2 : STEPS].var(1) > OscillationCriteria().oscillation_variance)]
        rest, high = (_output(signs, b[kept], k[kept], levels, n) for levels in (RUNS[0], RUNS[2]))
        passes = controlled_oscillation(*(run[:, :STEPS] for run in (rest, swings[kept], high)))
        ratios = np.array([amplitude_ratio(run) for run in swings[kept]])
        rows.append((n, sets, int(passes.sum()), int((passes & (ratios > UNDAMPED)).sum())))
    return pd.DataFrame(rows, columns=["exponent", "sets", "passes", "undamped"])


def _output(signs, b, k, inputs, n: float, substeps: int = 2) -> np.ndarray:
    """(P, 2 STEPS) output on the published grid, twice as long; link by link, since absent links would cost time."""
    links = [(i, j, signs[i, j], b[:, i, j], k[:, i, j] ** n) for i, j in np.argwhere(signs)]

    def slope(g):
        activation, free = np.zeros_like(g), np.ones_like(g)
        levels = [np.full(len(b), value) for value in inputs] + list(g.T)
        for i, j, sign, rate, constant in links:
            u = np.maximum(levels[i], 0) ** n
            if sign > 0:
                activation[:, j] += rate * u / (constant + u)
            else:
                free[:, j] *= constant / (constant + u)
        return activation * free - g

    state, step, samples = np.full((len(b), signs.shape[1]), 0.1), DT / substeps, []
    for _ in range(2 * STEPS):
        for _ in range(substeps):
            one = slope(state)
            two = slope(state + step / 2 * one)
            three = slope(state + step / 2 * two)
            state = state + step / 6 * (one + 2 * two + 2 * three + slope(state + step * three))
        samples.append(state[:, 0])
    return np.stack(samples, axis=1)


def summarise(groups: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Share of the topologies of each group for which each search finds parameters, with 95 % Wilson interval."""
    rows = []
    for name, table in groups.items():
        found = {
            "sampled, Euler map": table["sampled_euler"] > 0,
            "sampled, solution": table["sampled_exact"] > 0,
            "gradient, Euler map": table["fitted_euler"],
            "gradient, Euler map, lasting": table["fitted_euler_lasts"],
            "gradient, solution": table["fitted_exact"],
        }
        rows += [
            (name, how, int(passes.sum()), len(table), *wilson(passes.sum(), len(table)).values())
            for how, passes in found.items()
        ]
    return pd.DataFrame(rows, columns=["group", "search", "topologies", "of", "share", "low", "high"])
