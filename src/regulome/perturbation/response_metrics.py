"""How well predicted effects agree with measured ones. All functions take (K perturbations, P genes) matrices of ATE.

Pooled scores flatten the matrices; the others are computed for each perturbation and averaged. Both follow from numbers
kept for each perturbation (`Scores`), so that perturbations can be drawn again for an interval at no cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from regulome.errors import UserError

TOP = 20  # genes of the top-k versions
DISTANCES = {"l1": "cityblock", "l2": "sqeuclidean", "cosine": "cosine"}
POOLED = ("pearson", "r2", "pearson_top20", "r2_top20")
TITLES = {
    "pearson": "ATE Pearson",
    "r2": "ATE R²",
    "pearson_others": "ATE Pearson without targets",
    "pearson_top20": "ATE Pearson, top 20",
    "r2_top20": "ATE R², top 20",
    "jaccard20": "Jaccard@20",
    "jaccard50": "Jaccard@50",
    "systema": "Systema Pearson",
    "systema_top20": "Systema Pearson, top 20",
    "centroid_accuracy": "centroid accuracy",
    "pds_l1": "discrimination, L1",
    "pds_l2": "discrimination, L2",
    "pds_cosine": "discrimination, cosine",
    "pds_l1_published": "discrimination, L1, as published",
    "des": "DE overlap",
    "mae": "mean absolute error",
}


@dataclass(frozen=True)
class Scores:
    """What every score is made of, one row a perturbation.

    Attributes
    ----------
    values
        (K rows) scores that are averaged over perturbations.
    moments
        For "all" genes, the "top" ones of each perturbation, and the "others" that no perturbation hits: (K, 6) n, Σx,
        Σy, Σx², Σy², Σxy of prediction x and truth y, from which the pooled scores follow.
    """

    values: pd.DataFrame
    moments: dict[str, np.ndarray]

    def summary(self, weights: np.ndarray | None = None) -> pd.DataFrame:
        """Scores with each perturbation counted `weights` (draws, K) times (None: once); one row a draw.

        Averages leave out perturbations for which a score does not apply (nan).
        """
        weights = np.ones((1, len(self.values))) if weights is None else np.atleast_2d(weights)
        values = self.values.to_numpy(float)
        with np.errstate(invalid="ignore"):
            averages = weights @ np.nan_to_num(values) / (weights @ np.isfinite(values))
        out = pd.DataFrame(averages, columns=self.values.columns)
        for genes, suffix in (("all", ""), ("top", "_top20"), ("others", "_others")):
            if genes in self.moments:
                out[f"pearson{suffix}"], out[f"r2{suffix}"] = _pooled(weights @ self.moments[genes])
        return out[[name for name in TITLES if name in out]]


def scores(
    predicted: np.ndarray,
    truth: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    targets: Sequence[Sequence[int]] | None = None,
    significant: np.ndarray | None = None,
) -> Scores:
    """All scores of one prediction.

    A perturbation whose prediction is constant over genes has no correlation and names no genes: it counts 0 in those
    scores; where all predictions are constant the score is nan.

    Parameters
    ----------
    predicted, truth
        (K, P).
    reference
        (P,) centroid that the Systema scores subtract (default: mean of the true effects over perturbations).
    targets
        For each perturbation the columns of its own genes, left out of the discrimination scores and of the Pearson
        correlation "without targets": that a perturbed gene itself changes is known without any model.
    significant
        (K, P) genes whose true effect is significant, for the overlap of differential genes; None leaves it out.

    Raises
    ------
    UserError
        If the shapes differ or a number is not finite.
    """
    predicted, truth = _checked(predicted, truth)
    top = top_genes(truth, TOP)
    values = {f"jaccard{k}": jaccard(predicted, truth, k) for k in (20, 50) if k < truth.shape[1]}
    values["systema"] = systema(predicted, truth, reference)
    values["systema_top20"] = systema(predicted, truth, reference, top)
    values["centroid_accuracy"] = centroid_accuracy(predicted, truth)
    values |= {f"pds_{name}": discrimination(predicted, truth, name, targets) for name in DISTANCES}
    if targets is not None:
        values["pds_l1_published"] = discrimination(predicted, truth, "l1", targets, leave_out="own")
    if significant is not None:
        values["des"] = differential_overlap(predicted, significant)
    flat = np.ptp(predicted, axis=1) == 0
    applies = {"des": significant.any(1)} if significant is not None else {}
    for name, column in values.items():
        if not flat.all():
            column[np.isnan(column) & flat & applies.get(name, True)] = 0.0
    values["mae"] = np.abs(predicted - truth).mean(1)
    chosen = [np.take_along_axis(matrix, top, 1) for matrix in (predicted, truth)]
    moments = {"all": _moments(predicted, truth), "top": _moments(*chosen)}
    if targets is not None:
        others = np.setdiff1d(np.arange(truth.shape[1]), [column for columns in targets for column in columns])
        moments["others"] = _moments(predicted[:, others], truth[:, others])
    return Scores(pd.DataFrame(values), moments)


def _checked(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    if predicted.shape != truth.shape or truth.ndim != 2:
        raise UserError(f"effects: prediction has shape {predicted.shape}, truth {truth.shape}; expected (K, P) twice")
    for name, matrix in (("prediction", predicted), ("truth", truth)):
        if not np.isfinite(matrix).all():
            row, column = np.argwhere(~np.isfinite(matrix))[0]
            raise UserError(f"effects: {name} of perturbation {row}, gene {column} is {matrix[row, column]}")
    return predicted, truth


def top_genes(effects: np.ndarray, k: int) -> np.ndarray:
    """(K, k) columns of the largest absolute effects of each perturbation; of equal ones the first."""
    return np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :k]


def jaccard(predicted: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """(K,) |A∩B| / |A∪B| of the k genes with the largest absolute effect.

    nan where the prediction is constant (it names no genes), and for k not below the number of genes.
    """
    if k >= truth.shape[1]:
        return np.full(len(truth), np.nan)
    sets = zip(top_genes(predicted, k), top_genes(truth, k), strict=True)
    common = np.array([len(np.intersect1d(a, b)) for a, b in sets])
    return np.where(np.ptp(np.abs(predicted), axis=1) > 0, common / (2 * k - common), np.nan)


def systema(
    predicted: np.ndarray, truth: np.ndarray, reference: np.ndarray | None = None, genes: np.ndarray | None = None
) -> np.ndarray:
    """(K,) Pearson correlation of prediction and truth, both minus the perturbed centroid: what is specific.

    Effects that all perturbations share, such as of selection or the cell cycle, earn nothing. `genes` (K, k) restricts
    each perturbation to some columns.
    """
    reference = truth.mean(0) if reference is None else reference
    a, b = predicted - reference, truth - reference
    if genes is not None:
        a, b = (np.take_along_axis(matrix, genes, 1) for matrix in (a, b))
    return _pooled(_moments(a, b))[0]


def centroid_accuracy(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(K,) share of other perturbations whose true centroid is farther from the prediction than the right one.

    Euclidean distance; ties count as wrong, so that a prediction that cannot tell perturbations apart gains nothing.
    """
    if len(truth) < 2:
        return np.full(len(truth), np.nan)
    distance = cdist(predicted, truth, "sqeuclidean")
    return (distance > np.diag(distance)[:, None]).sum(1) / (len(truth) - 1)


def discrimination(
    predicted: np.ndarray,
    truth: np.ndarray,
    distance: str = "l1",
    targets: Sequence[Sequence[int]] | None = None,
    leave_out: str = "all",
) -> np.ndarray:
    """(K,) 1 - rank / n of the right perturbation by the distance of its true effects from the prediction.

    Rank 0 is the nearest of n; perturbations at the same distance share the mean rank.

    Parameters
    ----------
    distance
        "l1", "l2" or "cosine".
    targets
        Columns of the genes that each perturbation hits: a knockdown alone would give it away.
    leave_out
        "all": no distance counts a gene that any perturbation hits. "own", as published: each prediction leaves out its
        own targets only. The knockdowns of all others then stay in their distances, and a prediction of no change at
        all looks as if it knew its perturbation.
    """
    count, genes = truth.shape
    targets = [[]] * count if targets is None else targets
    every = {column for columns in targets for column in columns}
    ranks = np.empty(count)
    for row in range(count):
        keep = np.ones(genes, bool)
        keep[list(every if leave_out == "all" else targets[row])] = False
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = cdist(predicted[row : row + 1, keep], truth[:, keep], DISTANCES[distance])[0]
        gap = np.nan_to_num(gap, nan=1.0)  # a zero vector has no direction: as far as a right angle
        ranks[row] = (gap < gap[row]).sum() + ((gap == gap[row]).sum() - 1) / 2
    return 1 - ranks / count


def differential_overlap(
    predicted: np.ndarray, significant: np.ndarray, predicted_significant: np.ndarray | None = None
) -> np.ndarray:
    """(K,) share of the N truly differential genes that are among the N predicted ones (DES).

    The predicted ones are those with the largest absolute effect, among `predicted_significant` where that is given
    (there may then be fewer than N). nan for a perturbation without differential genes or with a constant prediction.
    """
    out = np.full(len(predicted), np.nan)
    for row, true in enumerate(significant):
        size = np.abs(predicted[row])
        if not true.any() or np.ptp(size) == 0:
            continue
        order = np.argsort(-size, kind="stable")
        if predicted_significant is not None:
            order = order[predicted_significant[row][order]]
        out[row] = true[order[: true.sum()]].mean() * min(len(order), true.sum()) / true.sum() if len(order) else 0.0
    return out


def normalised(score: float, base: float, higher_is_better: bool = True) -> float:
    """Score on a scale where the baseline is 0 and perfection is 1: (score - base) / (1 - base), or 1 - score / base.

    Clipped at 0, as in the public challenge that uses it: a negative value would show how much worse than the baseline.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.divide(score - base, 1 - base) if higher_is_better else 1 - np.divide(score, base)
    return float(np.maximum(value, 0))


def bootstrap(count: int, draws: int, seed: int) -> np.ndarray:
    """(draws, count) how often each perturbation is drawn when as many are drawn with replacement."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)


def _moments(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    n = np.full(len(x), float(x.shape[1]))
    return np.stack([n, x.sum(1), y.sum(1), (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)], 1)


def _pooled(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson correlation, and R² of x as a prediction of y, from moments (rows, 6); nan for a constant."""
    n, x, y, xx, yy, xy = moments.T
    var_x, var_y = xx - x * x / n, yy - y * y / n
    var_x, var_y = (np.where(v > 1e-12 * (s + 1e-300), v, np.nan) for v, s in ((var_x, xx), (var_y, yy)))
    return (xy - x * y / n) / np.sqrt(var_x * var_y), 1 - (yy - 2 * xy + xx) / var_y
