"""Edges of an inferred network, from a signed score matrix: one ranking and one readout for every method.

A method gives a (G, G) matrix: rows are regulators, columns targets, positive activates, negative inhibits, the size is
the method's confidence, nan where it can say nothing. The diagonal (a gene on itself) is never an edge: knocking a gene
down lowers its own transcript by construction.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from regulome.errors import UserError

PROBABILITY = 0.5  # published cut on sigmoid(W)


def as_scores(network: pd.DataFrame | np.ndarray, genes: Sequence[str], name: str = "network") -> np.ndarray:
    """Bring a method's network into the order of the genes, with the diagonal undefined.

    Parameters
    ----------
    network
        (G, G) scores. A table is matched by name: genes that it lacks are nan, others are left out.
    genes
        G names.
    name
        Of the method, for messages.

    Returns
    -------
    ndarray
        (G, G) float64.

    Raises
    ------
    UserError
        Another shape, a repeated name, no gene in common, infinite scores.
    """
    if isinstance(network, pd.DataFrame):
        for axis, names in (("row", network.index), ("column", network.columns)):
            if not names.is_unique:
                raise UserError(f"{name}: {axis} '{names[names.duplicated()][0]}' appears twice; expected unique genes")
            if not names.isin(genes).any():
                raise UserError(f"{name}: no {axis} is among the {len(genes)} genes; expected their symbols")
        network = network.reindex(index=list(genes), columns=list(genes)).to_numpy(float)
    scores = np.array(network, float)
    if scores.shape != (len(genes), len(genes)):
        raise UserError(f"{name}: found scores of shape {scores.shape}; expected {(len(genes),) * 2}")
    if np.isinf(scores).any():
        row, column = np.argwhere(np.isinf(scores))[0]
        raise UserError(f"{name}, {genes[row]} on {genes[column]}: found an infinite score; expected a number or nan")
    np.fill_diagonal(scores, np.nan)
    return scores


def pairs(regulators: Iterable[int], targets: Iterable[int], size: int) -> np.ndarray:
    """(size, size) bool: every ordered pair of a regulator and another gene among the targets."""
    out = np.zeros((size, size), bool)
    out[np.ix_(list(regulators), list(targets))] = True
    np.fill_diagonal(out, False)
    return out


def strength(scores: np.ndarray, among: np.ndarray) -> np.ndarray:
    """|score| of the pairs in `among`, row by row; an undefined one counts as 0, so it comes last."""
    return np.nan_to_num(np.abs(scores[among]), nan=0.0)


def order(scores: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Flat positions of the pairs in `among`, strongest first.

    Equal scores are in an order drawn once for all methods, not in that of the alphabet: half the median differences
    of a sparse screen are 0, and an alphabetical order would favour some regulators.
    """
    places = np.flatnonzero(among)
    lot = np.random.default_rng(0).permutation(len(places))
    return places[np.lexsort((lot, -strength(scores, among)))]


def top(scores: np.ndarray, count: int, among: np.ndarray) -> np.ndarray:
    """(G, G) bool: the `count` strongest pairs.

    Raises
    ------
    UserError
        If there are not so many.
    """
    if not 0 <= count <= among.sum():
        raise UserError(f"edges: asked for {count} of {int(among.sum())} pairs; expected 0 to {int(among.sum())}")
    out = np.zeros(scores.shape, bool)
    out.flat[order(scores, among)[:count]] = True
    return out


def weakest(scores: np.ndarray, count: int, among: np.ndarray) -> float:
    """A cut on |score| that lets the `count` strongest pairs through (more with equal ones, fewer at 0)."""
    kept = np.sort(strength(scores, among))[-min(count, int(among.sum()))]
    return float(kept * (1 - 1e-9))


def readout(probability: np.ndarray, rule: str = "published", diagonal: bool = False) -> np.ndarray:
    """Edges of a learned mask.

    Parameters
    ----------
    probability
        (G, G) sigmoid(W), with a sign where one is known; nan counts as no edge.
    rule
        "published": sigmoid(W) > 0.5, whatever number of edges that makes.
    diagonal
        Whether a gene may regulate itself; True is what the published metrics do, and it counts the knockdown itself.

    Raises
    ------
    UserError
        Another rule.
    """
    if rule != "published":
        raise UserError(f"readout: found rule '{rule}'; expected 'published' (or `top` for the strongest edges)")
    found = np.nan_to_num(np.abs(probability)) > PROBABILITY
    if not diagonal:
        np.fill_diagonal(found, False)
    return found


def with_signs(scores: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Scores of a method that knows no signs, with those of another matrix (positive where that has none)."""
    return np.abs(scores) * np.where(np.nan_to_num(signs) < 0, -1, 1)


def table(scores: np.ndarray, genes: Sequence[str], count: int | None = None, among: np.ndarray | None = None):
    """Ranked edges of a score matrix.

    Parameters
    ----------
    count
        How many (default: all that are defined and not 0).
    among
        (G, G) bool: pairs to choose from (default: all but the diagonal).

    Returns
    -------
    DataFrame
        rank (from 1), regulator, target, sign (+1, -1), score.
    """
    if among is None:
        among = ~np.eye(len(genes), dtype=bool)
    places = order(scores, among)
    found = np.nan_to_num(scores.flat[places])
    places, found = places[found != 0][:count], found[found != 0][:count]
    names = np.array(genes, object)
    rows, columns = np.divmod(places, len(genes))
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(places) + 1),
            "regulator": names[rows],
            "target": names[columns],
            "sign": np.sign(found).astype(int),
            "score": found,
        }
    )


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Shared edges of two (G, G) bool matrices over all edges of either; nan without any."""
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else float("nan")


def stability(repeats: Sequence[np.ndarray], count: int, among: np.ndarray) -> pd.DataFrame:
    """How alike the networks of repeated runs are.

    Parameters
    ----------
    repeats
        Score matrices, one a seed (or a resampling of cells).
    count
        Edges of each that are compared.

    Returns
    -------
    DataFrame
        One row a pair of runs: first, second, jaccard of the strongest `count`, spearman of |score| over all pairs;
        and chance, the Jaccard index that two random choices of so many edges have on average (K/(2N-K)).
    """
    from scipy.stats import spearmanr

    chosen = [top(scores, count, among) for scores in repeats]
    rows = []
    for i in range(len(repeats)):
        for j in range(i):
            one, other = strength(repeats[j], among), strength(repeats[i], among)
            same = np.ptp(one) == 0 or np.ptp(other) == 0
            rank = np.nan if same else spearmanr(one, other).statistic
            rows.append((j, i, jaccard(chosen[j], chosen[i]), rank, count / (2 * among.sum() - count)))
    return pd.DataFrame(rows, columns=["first", "second", "jaccard", "spearman", "chance"])
