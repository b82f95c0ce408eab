"""Ranked edges against known ones: precision-recall, ROC, precision at K and signs, with intervals over regulators."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from regulome.errors import UserError
from regulome.perturbation import edges

LEVEL = 0.95  # of the intervals


def truth_matrix(known: pd.DataFrame, genes: Sequence[str], complete: bool = True) -> np.ndarray:
    """Known edges as a matrix.

    Parameters
    ----------
    known
        regulator (or source), target and, optionally, sign (+1, -1, 0 unknown). Genes that are not among `genes` are
        left out; a pair that is given with both signs is an edge of unknown sign.
    genes
        G names.
    complete
        Whether a pair that is not listed is no edge; False makes regulators without any listed edge undefined (nan),
        as a collection of literature says nothing about them.

    Returns
    -------
    ndarray
        (G, G): 1 where there is an edge, 0 where there is none, nan where nothing is known, and on the diagonal.

    Raises
    ------
    UserError
        A missing column.
    """
    rows, columns, _ = _places(known, genes)
    out = np.zeros((len(genes),) * 2)
    out[rows, columns] = 1
    np.fill_diagonal(out, 0)
    if not complete:
        out[out.sum(1) == 0] = np.nan
    np.fill_diagonal(out, np.nan)
    return out


def truth_signs(known: pd.DataFrame, genes: Sequence[str]) -> np.ndarray:
    """(G, G) sign of the known edges: +1, -1, or 0 where there is no edge or its sign is unknown or disputed."""
    rows, columns, signs = _places(known, genes)
    up, down = (np.zeros((len(genes),) * 2, bool) for _ in range(2))
    up[rows[signs > 0], columns[signs > 0]] = True
    down[rows[signs < 0], columns[signs < 0]] = True
    return up.astype(int) - down.astype(int)


def _places(known: pd.DataFrame, genes: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = "regulator" if "regulator" in known else "source"
    for column in (first, "target"):
        if column not in known:
            raise UserError(f"known edges: missing column '{column}'; found {', '.join(map(str, known.columns))}")
    place = {gene: row for row, gene in enumerate(genes)}
    rows, columns = known[first].map(place), known["target"].map(place)
    signs = known["sign"] if "sign" in known else pd.Series(0, known.index)
    inside = (rows.notna() & columns.notna()).to_numpy()
    return rows[inside].to_numpy(int), columns[inside].to_numpy(int), signs[inside].fillna(0).to_numpy(float)


def score(scores: np.ndarray, truth: np.ndarray, signs: np.ndarray, at: Sequence[int] = ()) -> dict[str, float]:
    """Score one method.

    Parameters
    ----------
    scores
        (G, G) signed scores; pairs that the method leaves undefined are ranked last.
    truth
        (G, G) of `truth_matrix`; the universe of pairs is where it is not nan.
    signs
        (G, G) of `truth_signs`.
    at
        Further K for the precision; K = number of true edges is always there.

    Returns
    -------
    dict
        pairs, edges (true ones), chance (their share: the AUPRC and precision of a random order), defined (share of
        pairs with a score), auprc (average precision), auroc, precision (at K = edges), precision_K for each K of `at`;
        sign_accuracy (of the true edges of known sign among the first K = edges; nan for a method without any negative
        score), sign_accuracy_all (of all true edges of known sign that have a score), signed_edges (their number).
    """
    among = np.isfinite(truth)
    labels, strength = truth[among].astype(bool), edges.strength(scores, among)
    total = int(labels.sum())
    out = {"pairs": len(labels), "edges": total, "chance": total / max(len(labels), 1)}
    out["defined"] = float(np.isfinite(scores[among]).mean())
    out |= areas(strength, labels)
    sorted_labels = truth.flat[edges.order(scores, among)].astype(bool)
    for name, count in {"precision": total, **{f"precision_{k}": k for k in at}}.items():
        out[name] = float(sorted_labels[:count].mean()) if 0 < count <= len(labels) else np.nan
    signed = among & (truth > 0) & (signs != 0) & (np.nan_to_num(scores) != 0)
    right = np.sign(scores) == signs
    first = signed & edges.top(scores, total, among)
    has_signs = (np.nan_to_num(scores) < 0).any()
    for name, chosen in (("sign_accuracy", first), ("sign_accuracy_all", signed)):
        out[name] = float(right[chosen].mean()) if has_signs and chosen.any() else np.nan
    return out | {"signed_edges": int(first.sum())}


def areas(strength: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Average precision and area under the ROC curve; nan where all labels are equal."""
    if labels.all() or not labels.any():
        return {"auprc": np.nan, "auroc": np.nan}
    return {"auprc": float(average_precision_score(labels, strength)), "auroc": float(roc_auc_score(labels, strength))}


def curve(scores: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Precision-recall curve: recall, precision; from the strongest edge to all pairs."""
    among = np.isfinite(truth)
    precision, recall, _ = precision_recall_curve(truth[among].astype(bool), edges.strength(scores, among))
    return pd.DataFrame({"recall": recall[::-1], "precision": precision[::-1]}).iloc[1:].reset_index(drop=True)


def bootstrap(
    methods: Mapping[str, Sequence[np.ndarray]], truth: np.ndarray, reference: str, draws: int, seed: int
) -> pd.DataFrame:
    """Intervals of the AUPRC over regulators, and of its difference from a reference method.

    Regulators (rows) are drawn with replacement, the same for every method, because the edges of one regulator come
    from one set of perturbed cells and stand or fall together. A method with several seeds enters with its mean.

    Returns
    -------
    DataFrame
        One row a method: method, auprc, auprc_low, auprc_high, difference (method less reference), difference_low,
        difference_high.
    """
    among = np.isfinite(truth)
    row_of = np.nonzero(among)[0]
    regulators = np.unique(row_of)
    rng = np.random.default_rng([seed, 24])
    weights = np.zeros((draws + 1, len(truth)))
    weights[0, regulators] = 1  # the data themselves
    for drawn in weights[1:]:
        np.add.at(drawn, rng.choice(regulators, len(regulators)), 1)
    labels, found = truth[among].astype(bool), {}
    for name, runs in methods.items():
        each = [
            weighted_precision(edges.strength(scores, among), labels, (row[row_of] for row in weights))
            for scores in runs
        ]
        found[name] = np.mean(each, 0)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    rows = []
    for name in methods:
        own, gap = found[name], found[name] - found[reference]
        rows.append((name, own[0], *np.nanquantile(own[1:], tails), gap[0], *np.nanquantile(gap[1:], tails)))
    names = ["method", "auprc", "auprc_low", "auprc_high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=names)


def weighted_precision(strength: np.ndarray, labels: np.ndarray, weights: Iterable[np.ndarray]) -> np.ndarray:
    """Average precision for several weightings of the pairs, sorted once; as scikit-learn's with `sample_weight`.

    Parameters
    ----------
    strength, labels
        (pairs,)
    weights
        Each (pairs,).

    Returns
    -------
    ndarray
        One value a weighting; nan where no true edge has a weight.
    """
    by_strength = np.argsort(-strength, kind="stable")
    last = np.flatnonzero(np.append(np.diff(strength[by_strength]) != 0, True))  # of each run of equal scores
    true, out = labels[by_strength], []
    for weight in weights:
        everything = weight[by_strength]
        hits, drawn = np.cumsum(everything * true)[last], np.cumsum(everything)[last]
        precision = np.divide(hits, drawn, np.zeros(len(last)), where=drawn > 0)
        out.append(np.sum(np.diff(hits, prepend=0) * precision) / hits[-1] if hits[-1] else np.nan)
    return np.array(out)


def score_all(
    methods: Mapping[str, Sequence[np.ndarray]], truth: np.ndarray, signs: np.ndarray, at: Sequence[int] = ()
) -> pd.DataFrame:
    """`score` of every run of every method, one row each: method, run (from 0), then the columns of `score`."""
    return pd.DataFrame(
        [
            {"method": name, "run": run} | score(scores, truth, signs, at)
            for name, runs in methods.items()
            for run, scores in enumerate(runs)
        ]
    )
