"""Links of automata inferred without a recurrent network, from the very same frames: linear, tree and sparse baselines.

All see pairs of neighbouring frames: the regulators of a cell (neighbour means and own genes) at one frame, and its
genes at the next. Returned scores are (2 G, G) tables of signed values, regulators in rows.
"""

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from regulome.circuits.automata import ring_of
from regulome.circuits.automata_data import FRAME_STEPS

HILL_CONSTANTS = (0.1, 0.3, 1.0)  # of the features of `sparse_hill`, in units of the largest level

READ_OUT_STATES = 500  # on which the trees are read out


def frame_pairs(levels: np.ndarray, apart: int = FRAME_STEPS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of neighbouring frames of one automaton.

    Parameters
    ----------
    levels
        (I, T + 1, cells, G) time courses for training. Mirrored cells are left out: they repeat their twins.

    Returns
    -------
    states, following, initial
        (S, 2 G) regulators at a frame, (S, G) genes at the next frame, (S,) index of the initial condition.
    """
    ring = ring_of(levels)
    frames = levels[:, ::apart]
    neighbours = (np.roll(frames, 1, axis=-2) + np.roll(frames, -1, axis=-2)) / 2
    states = np.concatenate([neighbours, frames], axis=-1)[:, :-1, ring.cell]
    following = frames[:, 1:, ring.cell]
    initial = np.broadcast_to(np.arange(len(levels))[:, None, None], states.shape[:3])
    return states.reshape(-1, states.shape[-1]), following.reshape(-1, following.shape[-1]), initial.ravel()


def mean_production(states: np.ndarray, following: np.ndarray, dt: float, apart: int = FRAME_STEPS) -> np.ndarray:
    """(S, G) production that takes a gene from one frame to the next if it is constant: decay is known and removed.

    From g <- (1 - dt) g + dt f, ``apart`` times: f = (following - d g) / (1 - d) with d = (1 - dt) ** apart.
    """
    decay = (1 - dt) ** apart
    return (following - decay * states[:, states.shape[1] // 2 :]) / (1 - decay)


def linear_autoregression(states: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Coefficients of the least-squares prediction of the next frame from this one, with intercept (Fig. 6g)."""
    return LinearRegression().fit(states, following).coef_.T


def sparse_hill(states: np.ndarray, production: np.ndarray, initial: np.ndarray, threads: int = 1) -> np.ndarray:
    """Lasso on saturating features of each regulator, strength by cross-validation over initial conditions.

    Features are x² / (K² + x²) for a few K; the score of a regulator is its share in the prediction, mean over states:
    what the prediction loses when the regulator is knocked out.
    """
    square = np.square(states)
    features = np.concatenate([square / (k**2 + square) for k in HILL_CONSTANTS], axis=1)
    scaled = StandardScaler().fit(features)
    folds = list(GroupKFold(4).split(features, groups=initial))

    def fit(target):
        return LassoCV(alphas=12, eps=1e-2, cv=folds, max_iter=2000, tol=1e-3).fit(scaled.transform(features), target)

    models = Parallel(threads, prefer="threads")(delayed(fit)(target) for target in production.T)
    shares = np.stack([model.coef_ / scaled.scale_ * features.mean(0) for model in models], axis=1)
    return shares.reshape(len(HILL_CONSTANTS), states.shape[1], -1).sum(0)


def tree_ensemble(
    states: np.ndarray, production: np.ndarray, seed: int, trees: int = 50, threads: int = 1
) -> dict[str, np.ndarray]:
    """Extremely randomised trees of the production, one ensemble a gene (as dynGENIE3, which has no signs).

    Returns
    -------
    dict
        "importance": impurity importance with the sign of the knock-out; "knock-out": mean change of the prediction
        when the regulator is set to zero, the same read-out as for the networks.
    """
    importances, knock_outs = [], []
    some = states[np.random.default_rng(seed).permutation(len(states))[:READ_OUT_STATES]]
    for j, target in enumerate(production.T):
        model = ExtraTreesRegressor(
            trees, max_features="sqrt", min_samples_leaf=5, random_state=seed + j, n_jobs=threads
        ).fit(states, target)
        base, values = model.predict(some).mean(), np.empty(states.shape[1])
        for i in range(states.shape[1]):
            without = some.copy()
            without[:, i] = 0
            values[i] = base - model.predict(without).mean()
        knock_outs.append(values)
        importances.append(model.feature_importances_ * np.sign(values))
    return {"importance": np.stack(importances, 1), "knock-out": np.stack(knock_outs, 1)}


def baseline_scores(levels: np.ndarray, dt: float, seed: int, threads: int = 1, trees: int = 50) -> dict:
    """Scores {name: (M, 2 G, G)} of all baselines on time courses (M, I, T + 1, cells, G)."""
    scores: dict[str, list] = {}
    for own in levels:
        states, following, initial = frame_pairs(own)
        production = mean_production(states, following, dt)
        forest = tree_ensemble(states, production, seed, trees, threads)
        for name, value in (
            ("linear autoregression", linear_autoregression(states, following)),
            ("trees, importance", forest["importance"]),
            ("trees, knock-out", forest["knock-out"]),
            ("sparse Hill regression", sparse_hill(states, production, initial, threads)),
        ):
            scores.setdefault(name, []).append(value)
    return {name: np.stack(values) for name, values in scores.items()}
