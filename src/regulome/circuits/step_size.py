"""How much of an enumeration is the circuit and how much the Euler step: the same sets, integrated more finely."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from regulome.circuits.codes import encode
from regulome.circuits.criteria import Criterion
from regulome.circuits.enumeration import Enumeration, judge
from regulome.circuits.hill import hill_rates, simulate_hill
from regulome.circuits.hill_kernel import draw
from regulome.errors import UserError

STEPS = (0.25, 0.2, 0.1, 0.05, 0.025, 0.0125)


def converged(criterion: Criterion, dt: float = 0.125) -> Criterion:
    """The criterion on the solution of the differential equations: fourth-order Runge-Kutta in place of the Euler map.

    A screen by the Euler map would not do: it also kills oscillators, by overshooting into a state of no production.
    """
    return criterion.with_step(dt, "rk4")


def prolonged(criterion: Criterion, factor: int = 10) -> Criterion:
    """The criterion on a window of the same length at the end of longer runs: a damped oscillation has died by then.

    Raises
    ------
    UserError
        If a run has more than one phase, so that it is not clear which to prolong.
    """
    runs = {}
    for name, run in criterion.runs.items():
        if len(run.steps) > 1:
            raise UserError(f"criterion '{criterion.name}': run '{name}' has {len(run.steps)} phases, expected one")
        length = run.length * factor
        runs[name] = replace(run, steps=np.array([length]), watch=length - (run.length - run.watch))
    return replace(criterion, runs=runs)


def survivors(found: Enumeration, criterion: Criterion, shared: bool = False) -> list[np.ndarray]:
    """For each topology, which of the successful sets (W,) also meet another criterion."""
    kept = []
    for topology, sets in zip(found.signs, found.winners, strict=True):
        passes = np.zeros(0, dtype=bool)
        if len(sets):
            passes = judge(topology, criterion, *draw(topology, found.seed, sets, shared))
        kept.append(passes)
    return kept


def survival(found: Enumeration, criterion: Criterion, steps=STEPS, exact: float = 0.125) -> pd.DataFrame:
    """Share of the successful sets that stay successful with other steps.

    Returns
    -------
    DataFrame
        One row an integration: Euler with each of ``steps``, Runge-Kutta with twice ``exact``, with ``exact``, and with
        ``exact`` in runs ten times as long (a window of the same length at their end). Columns method, dt, longer (how
        many times the run is prolonged), sets (number that survive), share of those found, oscillating (share that
        still meets the conditions of the first run), topologies with at least two surviving sets.
    """
    leading = criterion.success[0].runs[0]
    swings = replace(criterion, success=tuple(c for c in criterion.success if c.runs == [leading]))
    total = found.hits.sum()
    rows = []
    ways = [*(("euler", dt, 1) for dt in steps), ("rk4", 2 * exact, 1), ("rk4", exact, 1), ("rk4", exact, 10)]
    for method, dt, longer in ways:
        kept, swinging = (survivors(found, prolonged(c.with_step(dt, method), longer)) for c in (criterion, swings))
        counts = np.array([k.sum() for k in kept])
        share = counts.sum() / total if total else np.nan
        still = sum(int(k.sum()) for k in swinging) / total if total else np.nan
        rows.append((method, dt, longer, int(counts.sum()), share, still, int((counts >= 2).sum())))
    return pd.DataFrame(rows, columns=["method", "dt", "longer", "sets", "share", "oscillating", "topologies"])


def examples(found: Enumeration, criterion: Criterion, exact: Criterion, count: int = 2) -> pd.DataFrame:
    """First ``count`` successful sets that the exact integration confirms and the first that it refutes, as curves.

    "First" is in the order of topologies and sets: nothing is picked for its looks.

    Returns
    -------
    DataFrame
        Columns example, confirmed, topology, set, time, euler and exact (g1 in the first condition's run).
    """
    name = criterion.success[0].runs[0]
    run, dt = criterion.runs[name], criterion.integration.dt
    times = (np.arange(run.length) + 1) * dt
    wanted, frames = {True: count, False: count}, []
    for topology, sets, survives in zip(found.signs, found.winners, survivors(found, exact), strict=True):
        for number, confirmed in zip(sets, survives, strict=True):
            if wanted[bool(confirmed)]:
                wanted[bool(confirmed)] -= 1
                b, k = (p.astype(float) for p in draw(topology, found.seed, np.array([number])))
                euler = simulate_hill(
                    topology, b, k, run.inputs[0], float(criterion.integration.start[0]), dt, run.length
                )
                curve = exact_trajectory(
                    topology, b[0], k[0], run.inputs[0], times, float(criterion.integration.start[0])
                )
                columns = {"topology": encode(topology)[0], "set": number, "time": times}
                columns |= {"euler": euler[0, :, 0], "exact": curve[:, 0]}
                frames.append(pd.DataFrame({"confirmed": bool(confirmed), **columns}))
    return pd.concat(frames, ignore_index=True)


def exact_trajectory(signs, b, k, inputs, times, start: float = 0.1) -> np.ndarray:
    """(T, G) levels of one parameter set at the given times, by scipy's LSODA to 1e-8: the independent solution.

    Parameters
    ----------
    signs, b, k
        (N, G) topology and its parameters.
    inputs
        (I,) constant levels.
    """
    levels = np.asarray(inputs, dtype=float)

    def slope(_, g):
        return hill_rates(np.concatenate([levels, g])[None], signs, b[None], k[None])[0] - g

    b, k = np.asarray(b, dtype=float), np.asarray(k, dtype=float)
    start_levels = np.full(signs.shape[1], start)
    solution = solve_ivp(slope, (0, times[-1]), start_levels, method="LSODA", t_eval=times, rtol=1e-8, atol=1e-10)
    return solution.y.T
