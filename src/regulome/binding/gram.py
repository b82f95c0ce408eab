"""Leave-one-out from correlations between measured profiles alone.

A weighted sum of training profiles has with the query's measured profile the correlation

    r = w . K_q / sqrt(w' K w),

K the Gram matrix of standardised profiles. So every predictor whose output is such a sum can be tested on all proteins
whose profile correlations are known, without the profiles.

For a query nothing of its row and column, and nothing of any protein with the same sequence, enters its prediction;
hyper-parameters for it are chosen on the leave-one-out of proteins in other folds among themselves (`nested`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from regulome.binding.duplicates import unique_number
from regulome.binding.homology import HomologyTerm, take
from regulome.binding.sequences import Sequences
from regulome.binding.splits import BIN_LABELS, bin_of
from regulome.binding.validation import bootstrap


def correlation(weights: np.ndarray, gram: np.ndarray, query_gram: np.ndarray) -> np.ndarray:
    """(Q,) correlation of predicted and measured profiles, 0 where nothing is predicted.

    Parameters
    ----------
    weights
        (Q, T).
    gram, query_gram
        (T, T) and (Q, T) correlations between profiles.
    """
    above = np.einsum("qt,qt->q", weights, query_gram)
    below = np.sqrt(np.maximum(np.einsum("qt,qt->q", weights @ gram, weights), 0))
    return np.divide(above, below, out=np.zeros(len(weights)), where=below > 1e-9)


def of_profiles(profiles: np.ndarray) -> np.ndarray:
    """(P, P) Gram matrix of standardised profiles (P, N), which are their Pearson correlations."""
    z = np.asarray(profiles, dtype=np.float64) - np.mean(profiles, axis=1, keepdims=True, dtype=np.float64)
    norm = np.sqrt((z**2).sum(1, keepdims=True))
    z /= np.where(norm > 0, norm, 1)
    return z @ z.T


@dataclass(frozen=True)
class Problem:
    """Proteins whose profile correlations are known.

    Attributes
    ----------
    proteins
        P sequences.
    gram
        (P, P) correlations between profiles.
    similarity
        (P, P) matrices by name, see `homology.similarities`.
    exclude
        (P, P) bool: themselves and proteins with the same sequence.
    kind
        "measured", "semi-real" or "synthetic".
    """

    proteins: Sequences
    gram: np.ndarray
    similarity: Mapping[str, np.ndarray]
    exclude: np.ndarray
    kind: str

    def __len__(self) -> int:
        return len(self.gram)

    def part(self, rows: np.ndarray) -> "Problem":
        """Some of the proteins, without any trace of the others."""
        grid = np.ix_(rows, rows)
        similarity = take(self.similarity, rows, rows)
        return Problem(self.proteins.take(rows), self.gram[grid], similarity, self.exclude[grid], self.kind)

    def capped(self, highest: float) -> "Problem":
        """The same with all pairs of at least this identity excluded: what is left when near relatives are missing."""
        return replace(self, exclude=self.exclude | (self.similarity["identity"] >= highest))

    def weights(self, term: HomologyTerm) -> np.ndarray:
        """(P, P) weights of a homology term in leave-one-out."""
        return term.weights(self.similarity, self.similarity, self.gram, self.exclude)

    def nearest_identity(self) -> np.ndarray:
        """(P,) identity of the most identical protein that may be used; 0 where there is none."""
        return np.maximum(np.where(self.exclude, -1.0, self.similarity["identity"]).max(1), 0.0)


Candidates = Callable[[Problem], Sequence[np.ndarray]]


def problem(
    proteins: Sequences, gram: np.ndarray, similarity: Mapping[str, np.ndarray], kind: str, duplicates: bool = False
) -> Problem:
    """A leave-one-out problem.

    Parameters
    ----------
    duplicates
        Whether other experiments with the query's own sequence may be used, as in the published comparison.
    """
    number = np.arange(len(proteins)) if duplicates else unique_number(proteins)
    return Problem(proteins, np.asarray(gram, dtype=np.float64), similarity, number[:, None] == number[None, :], kind)


def leave_one_out(weights: np.ndarray, of: Problem) -> np.ndarray:
    """(P,) correlation of each protein's predicted and measured profile, predicted from the others by (P, P) weights.

    Raises
    ------
    ValueError
        If a protein is predicted from itself or from what it may not use.
    """
    if (weights[of.exclude] != 0).any():
        raise ValueError("a weight on an excluded protein")
    return correlation(weights, of.gram, of.gram)


def nested(candidates: Candidates, of: Problem, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave-one-out whose hyper-parameters are chosen without the query's fold.

    For each fold the candidates are compared by the mean leave-one-out of the other folds' proteins among themselves;
    the winner predicts this fold's proteins, each from all others.

    Parameters
    ----------
    candidates
        Makes the weights (P, P) of every candidate for any problem.
    folds
        (P,) fold of each protein; equal sequences (and better, homologues) share one.

    Returns
    -------
    r, chosen
        (P,) correlations, and the candidate (position) that was chosen for each protein.
    """
    scores = np.array([leave_one_out(weights, of) for weights in candidates(of)])
    chosen = np.zeros(len(of), dtype=int)
    for fold in np.unique(folds):
        outside = of.part(np.flatnonzero(folds != fold))
        inner = [leave_one_out(weights, outside).mean() for weights in candidates(outside)]
        chosen[folds == fold] = int(np.argmax(inner))
    return scores[chosen, np.arange(len(of))], chosen


# --- tables


def by_bin(
    r: Mapping[str, np.ndarray], identity: np.ndarray, clusters: np.ndarray, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Mean correlation of every method over all proteins and in each identity bin.

    Parameters
    ----------
    r
        Method to (P,) correlations.
    identity
        (P,) nearest identity, the same bins for all methods.
    clusters
        (P,) homologous proteins, resampled together for the 95 % intervals.

    Returns
    -------
    DataFrame
        method, identity ("all" or a bin), proteins, mean, low, high, median.
    """
    bins = bin_of(np.asarray(identity))
    parts = {"all": np.ones(len(bins), dtype=bool)} | {label: bins == label for label in BIN_LABELS}
    rows = []
    for method, values in r.items():
        for label, rows_of in parts.items():
            if not rows_of.any():
                continue
            low, high = bootstrap(values[rows_of], clusters[rows_of], "mean", draws, seed)
            some = values[rows_of]
            rows.append((method, label, int(rows_of.sum()), some.mean(), low, high, np.median(some)))
    return pd.DataFrame(rows, columns=["method", "identity", "proteins", "mean", "low", "high", "median"])
