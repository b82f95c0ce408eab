"""Tree ensembles: every gene predicted from all others, importances are the edges (GENIE3 and GRNBoost2, in short).

Huynh-Thu et al., PLoS ONE 2010 (random forests); Moerman et al., Bioinformatics 2019 (gradient boosting with early
stopping). The labels of the perturbations are not used, only the cells, perturbed ones among them: it is what this
widespread method can do with a screen.
"""

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

from regulome.errors import UserError
from regulome.perturbation.edge_baselines import correlation
from regulome.perturbation.screen import Screen

METHODS = ("boosting", "forest")
RATE = 0.05  # learning rate of the boosting


def tree_ensemble(
    screen: Screen,
    seed: int,
    method: str = "boosting",
    cells: int = 2000,
    trees: int = 100,
    split: str | None = "train",
    threads: int = 1,
) -> np.ndarray:
    """Importance of every measured latent gene for every other one, with the sign of their correlation.

    Parameters
    ----------
    seed
        Of the draw of cells and of the trees; the result does not depend on `threads`.
    method
        "boosting": trees of depth 3, a tenth of the genes at each split, 90 % of the cells for
        each tree, stopped when ten more trees do not help the held-out tenth. "forest": extremely randomised trees with
        at least five cells a leaf.
    cells
        At most so many, drawn without replacement from controls and perturbed cells alike.
    trees
        At most so many for a target.

    Returns
    -------
    ndarray
        (G, G) share of the target's variance that splits on the regulator remove: mean over the trees of a forest, sum
        times learning rate in boosting, which stops early where a target cannot be predicted.

    Raises
    ------
    UserError
        Another method.
    """
    if method not in METHODS:
        raise UserError(f"tree ensemble: found method '{method}'; expected one of {', '.join(METHODS)}")
    places = np.flatnonzero(screen.latent_column >= 0)
    rows = screen.rows(split)
    rows = np.sort(np.random.default_rng([seed, 241]).permutation(rows)[:cells])
    values = screen.normalised(rows, screen.latent_column[places])
    spread = values.std(0)
    values = (values - values.mean(0)) / np.where(spread > 0, spread, 1)
    work = (delayed(_importances)(values, target, method, trees, seed) for target in np.flatnonzero(spread > 0))
    found = np.zeros((len(places),) * 2)
    for target, importances in zip(
        np.flatnonzero(spread > 0), Parallel(n_jobs=threads, prefer="threads")(work), strict=True
    ):
        found[:, target] = importances
    out = np.full((len(screen.latent),) * 2, np.nan)
    out[np.ix_(places, places)] = found
    sign = np.where(correlation(screen, "all", split=split) < 0, -1, 1)
    return out * sign


def _importances(values: np.ndarray, target: int, method: str, trees: int, seed: int) -> np.ndarray:
    """(genes,) importance for one standardised target, 0 for the target itself."""
    others = np.delete(np.arange(values.shape[1]), target)
    state = int(np.random.default_rng([seed, target]).integers(2**31))
    if method == "boosting":
        model = GradientBoostingRegressor(
            learning_rate=RATE, n_estimators=trees, max_features=max(0.1, 1 / len(others)), subsample=0.9,
            n_iter_no_change=10, validation_fraction=0.1, random_state=state,
        )  # fmt: skip
    else:
        model = ExtraTreesRegressor(trees, min_samples_leaf=5, max_features="sqrt", random_state=state)
    model.fit(values[:, others], values[:, target])
    # sklearn's own importances add up to 1 for every target, so that noise would get as much as a regulator
    removed = [tree.tree_.compute_feature_importances(normalize=False) for tree in np.ravel(model.estimators_)]
    importances = RATE * np.sum(removed, 0) if method == "boosting" else np.mean(removed, 0)
    return np.insert(importances, target, 0.0)
