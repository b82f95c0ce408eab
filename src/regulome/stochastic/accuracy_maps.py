"""Tables behind the accuracy figures: joint laws side by side, and the bimodality map of the feedback loop."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regulome.stochastic import engine
from regulome.stochastic.accuracy import JOINT
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.solver import Solver


def chosen_sets(scores: pd.DataFrame) -> dict[str, int]:
    """Sets with the smallest, median and largest joint total variation of one method's scores."""
    ranked = scores[scores["state"] == JOINT].sort_values("tv", kind="stable")["set"].tolist()
    return {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}


def joint_table(laws: dict[str, Distribution], states: Sequence[str], smallest: float = 1e-5) -> pd.DataFrame:
    """Joint law of two states of several laws.

    Returns
    -------
    DataFrame
        law, the two states' counts, probability (those of at least ``smallest``).
    """
    parts = []
    for name, law in laws.items():
        pair = law.marginal(*states)
        keep = pair.weights >= smallest
        table = pd.DataFrame(pair.counts[keep], columns=list(states))
        parts.append(table.assign(probability=pair.weights[keep]).assign(law=name))
    return pd.concat(parts, ignore_index=True)[["law", *states, "probability"]]


def bimodality(law: Distribution, state: str) -> float:
    """Bimodality coefficient 1 / (excess kurtosis + 3 - skewness^2), as published: above 5/9 for a law of two peaks.

    NaN for a law without variance.
    """
    p = law.vector(state)
    n = np.arange(len(p)) - p @ np.arange(len(p))
    variance = p @ n**2
    if variance <= 0:
        return float("nan")
    skewness, kurtosis = p @ n**3 / variance**1.5, p @ n**4 / variance**2
    return float(1.0 / (kurtosis - skewness**2))


def bimodality_map(
    solver: Solver,
    state: str,
    x: str,
    y: str,
    points: int,
    fixed: dict[str, float],
    tail: float = 1e-5,
    progress: bool = True,
) -> pd.DataFrame:
    """Bimodality coefficient of one state on a grid of two parameters, by the solver and exactly.

    Fourth moments hang on the far tail: a probability of 1e-7 at a hundred times the mean is seen. The publication
    takes them from 100,000 draws, which hardly see what is rarer than 1e-5.

    Parameters
    ----------
    x, y
        The two parameters, over their whole boxes, ``points`` values each.
    fixed
        Values of the others.
    tail
        Probability of the rarest counts that both laws lose first.

    Returns
    -------
    DataFrame
        x, y, solver, exact; solver_whole, exact_whole with the whole tail.
    """
    from tqdm import tqdm

    network = solver.network
    places = [network.parameter_names.index(name) for name in (x, y)]
    grids = [np.linspace(*network.box[place], points) for place in places]
    rows = []
    for first in tqdm(grids[0], disable=None if progress else True):
        for second in grids[1]:
            theta = network.theta({**fixed, x: first, y: second})
            exact = engine.solve(network, theta, engine="exact")
            laws = [law.marginal(state) for law in (solver.joint(theta), exact)]
            cut = [bimodality(law.without_tail(tail), state) for law in laws]
            rows.append((first, second, *cut, *(bimodality(law, state) for law in laws)))
    return pd.DataFrame(rows, columns=[x, y, "solver", "exact", "solver_whole", "exact_whole"])


def scaling_error(solver: Solver, exact: Dataset, factor: float = 1.7) -> float:
    """Largest change of a probability when all rates are multiplied by one number; NaN for a network with a clock."""
    from regulome.stochastic.ratios import time_exponents

    exponents = time_exponents(solver.network)
    if exponents is None:
        return float("nan")
    worst = 0.0
    for theta in exact.theta[:8]:
        laws = [solver.joint(theta * scale) for scale in (1.0, factor**exponents)]
        tables = [law.table(solver.bounds) for law in laws]
        worst = max(worst, float(np.abs(tables[0] - tables[1]).max()))
    return worst
