"""How far laws are from exact ones: mean, sd, divergences of every marginal and of the joint, and honest baselines.

All parameter sets count. The published panels drop sets whose marginal divergence is above a cut first; `filtered`
shows what that does.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from regulome.stochastic import ssa
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution, kl_divergence, total_variation
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.prompt import Prompt

FLOOR = 1e-10  # probability of a state that a law misses, in divergences; as published
JOINT = "joint"


def score(found: Distribution, exact: Distribution) -> list[dict]:
    """Rows of comparison of one law with the exact one: a row for every marginal and one for the joint.

    Returns
    -------
    list of dict
        state ("joint" for all), mean, exact_mean, sd, exact_sd (not for the joint), kl (exact from found, forward),
        kl_reverse (found from exact, the published direction), tv.
    """
    rows = []
    means, sds = (found.mean, exact.mean), (found.sd, exact.sd)
    for i, name in enumerate(exact.names):
        p, q = exact.marginal(name), found.marginal(name)
        moments = {"mean": means[0][i], "exact_mean": means[1][i], "sd": sds[0][i], "exact_sd": sds[1][i]}
        rows.append({"state": name} | moments | divergences(p, q))
    return [*rows, {"state": JOINT} | divergences(exact, found)]


def divergences(p: Distribution, q: Distribution) -> dict[str, float]:
    """KL(p|q), KL(q|p), both with the published floor, and total variation."""
    return {"kl": kl_divergence(p, q, FLOOR), "kl_reverse": kl_divergence(q, p, FLOOR), "tv": total_variation(p, q)}


def score_all(laws: Callable[[int], Distribution], exact: Dataset, method: str) -> pd.DataFrame:
    """`score` of one method for every set of a data set of exact laws; ``laws(i)`` is its law for set i.

    Returns
    -------
    DataFrame
        method, set, and the columns of `score`.
    """
    rows = [{"method": method, "set": i} | row for i in range(len(exact)) for row in score(laws(i), exact[i])]
    return pd.DataFrame(rows)


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Median, mean and 90 % quantile over parameter sets, unfiltered, for every method and state.

    Returns
    -------
    DataFrame
        method, state, sets, and for tv, kl, kl_reverse: median, mean, q90; median relative error of mean and sd.
    """
    table = scores.copy()
    for name in ("mean", "sd"):
        table[f"{name}_error"] = (table[name] - table[f"exact_{name}"]).abs() / table[f"exact_{name}"].clip(lower=1e-9)
    groups = table.groupby(["method", "state"], sort=False)
    result = groups.size().rename("sets").to_frame()
    for name in ("tv", "kl", "kl_reverse"):
        result[f"{name}_median"] = groups[name].median()
        result[f"{name}_mean"] = groups[name].mean()
        result[f"{name}_q90"] = groups[name].quantile(0.9)
    for name in ("mean_error", "sd_error"):
        result[f"{name}_median"] = groups[name].median()
    return result.reset_index()


def filtered(scores: pd.DataFrame, cut: float = 0.12) -> tuple[pd.DataFrame, dict[str, float]]:
    """As the publication: sets with a marginal divergence (its direction) above the cut are dropped, method by method.

    Returns
    -------
    DataFrame, dict
        The rows that stay; the share of sets that stays, by method.
    """
    marginal = scores[scores["state"] != JOINT]
    worst = marginal.groupby(["method", "set"])["kl_reverse"].max()
    kept = worst[worst <= cut]
    share = (kept.groupby("method").size() / worst.groupby("method").size()).fillna(0.0).to_dict()
    index = pd.MultiIndex.from_frame(scores[["method", "set"]])
    return scores[index.isin(kept.index)].reset_index(drop=True), share


# --- baselines


def nearest_law(training: Dataset, theta: np.ndarray) -> Distribution:
    """The law of the training set nearest in the scaled prompt (of our kind, with ratios): no model at all."""
    import torch

    prompt = Prompt.of(training.network)
    vectors = prompt(torch.from_numpy(np.vstack([theta[None], training.theta]))).numpy()
    return training[int(((vectors[1:] - vectors[0]) ** 2).sum(1).argmin())]


def nearest_laws(training: Dataset, exact: Dataset) -> Callable[[int], Distribution]:
    """`nearest_law` for every set of another data set."""
    return lambda i: nearest_law(training, exact.theta[i])


def negative_binomials(exact: Distribution) -> Distribution:
    """Product of negative binomials with the exact mean and sd of every state (binomial or Poisson where narrower).

    The law that moments alone give: it has the exact means and sds, but neither correlation nor a second mode.
    """
    tables = []
    for i, name in enumerate(exact.names):
        tables.append(_moment_law(exact.mean[i], exact.sd[i] ** 2, len(exact.vector(name))))
    joint = tables[0]
    for table in tables[1:]:
        joint = joint[..., None] * table
    return Distribution.of_table(exact.names, joint)


def _moment_law(mean: float, variance: float, length: int) -> np.ndarray:
    """(length,) two-point law for counts 0 and 1, negative binomial if variance > mean, else Poisson; normalised."""
    n = np.arange(length)
    if length <= 2:
        table = np.array([1 - mean, mean])[:length]
    elif variance > mean * (1 + 1e-9):
        table = stats.nbinom.pmf(n, mean**2 / (variance - mean), mean / variance)
    else:
        table = stats.poisson.pmf(n, mean)
    return table / table.sum()


def simulated_laws(
    network: StateTransitionNetwork, theta: np.ndarray, seed: int, published: bool = True, threads: int | None = None
) -> list[Distribution]:
    """Histogram of one trajectory a parameter set: the published yardstick (window 5000 to 6000, grid 0.05).

    With ``published=False`` the same effort spent better: the burn-in scaled to the rates, residence times as weights.
    """
    options = {"burn_in": 5000.0, "window": 1000.0, "grid": 0.05} if published else {"window": 6000.0}
    return ssa.occupancy(network, theta, trajectories=1, seed=seed, threads=threads, **options)


def within(bounds: Sequence[int], exact: Dataset) -> pd.DataFrame:
    """Probability of every exact law above the solver's bounds: what no choice of weights could reach."""
    return pd.DataFrame({"set": range(len(exact)), "outside": [exact[i].dropped(bounds)[1] for i in range(len(exact))]})
