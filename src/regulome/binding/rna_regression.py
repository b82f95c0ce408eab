"""Ridge regression on RNA k-mers: carries the profiles of training proteins to RNAs that were never on an array.

    min_B |Y - X B|^2 + penalty |B|^2,   X (N, F) counts of all k-mers of 1 to `longest` bases, columns centred

for all proteins at once: one factorisation, whichever of X'X (F x F) and XX' (N x N) is smaller. A protein predicted as
a weighted sum of training profiles is the same weighted sum of coefficients, so that new RNAs cost one sparse product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from regulome.binding.scan import encode
from regulome.binding.sequences import Sequences

LONGEST = 6  # 5460 k-mers
PENALTIES = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)


def features(longest: int = LONGEST) -> int:
    """Number of k-mers of 1 to `longest` bases."""
    return sum(4**k for k in range(1, longest + 1))


def counts(rnas: Sequences, longest: int = LONGEST) -> sparse.csr_matrix:
    """(N, F) float32 number of times each k-mer occurs, short ones first, in the order A, C, G, U; those with N do not
    count."""
    codes = encode(rnas.letters)
    blocks = []
    for k in range(1, longest + 1):
        if codes.shape[1] < k:
            blocks.append(sparse.csr_matrix((len(rnas), 4**k), dtype=np.float32))
            continue
        windows = np.lib.stride_tricks.sliding_window_view(codes, k, axis=1)
        known = (windows < 4).all(2)
        number = windows @ (4 ** np.arange(k)[::-1])
        rows = np.repeat(np.arange(len(rnas)), known.sum(1))
        ones = np.ones(len(rows), dtype=np.float32)
        blocks.append(sparse.csr_matrix((ones, (rows, number[known])), shape=(len(rnas), 4**k)))
    return sparse.hstack(blocks, format="csr", dtype=np.float32)


def column_means(x: sparse.csr_matrix) -> np.ndarray:
    """(F,) float64 means; scipy's own divides before it sums, in single precision."""
    return np.asarray(x.sum(0, dtype=np.float64)).ravel() / x.shape[0]


@dataclass(frozen=True)
class KmerRidge:
    """Fitted coefficients.

    Attributes
    ----------
    coefficients
        (P, F) float32.
    intercept
        (P,) float32.
    longest
        Longest k-mer.
    penalty
        The one that was used.
    """

    coefficients: np.ndarray
    intercept: np.ndarray
    longest: int
    penalty: float

    @classmethod
    def fit(cls, profiles: np.ndarray, rnas: Sequences, longest: int = LONGEST, penalty: float = 300.0) -> "KmerRidge":
        """Fit all proteins.

        Parameters
        ----------
        profiles
            (P, N), NaN (a flagged probe) counts as the protein's mean.
        penalty
            In squared counts; about the number of times a 6-mer has to be seen to be half believed.
        """
        x, y = counts(rnas, longest), _filled(profiles)
        mean_x, mean_y = column_means(x), y.mean(1, dtype=np.float64)
        centred = y - mean_y[:, None]  # double precision, as all differences of large numbers here
        n, f = x.shape
        if n < f:
            gram = _centred_rows(
                (x @ x.T).toarray().astype(np.float64), np.asarray(x @ mean_x).ravel(), float(mean_x @ mean_x)
            )
            dual = _solve(gram, penalty, centred.T)
            coefficients = (x.T @ dual).T - np.outer(dual.sum(0), mean_x)
        else:
            gram = (x.T @ x).toarray().astype(np.float64)
            gram -= n * np.outer(mean_x, mean_x)
            coefficients = _solve(gram, penalty, x.T @ centred.T - np.outer(mean_x, centred.sum(1))).T
        coefficients = np.ascontiguousarray(coefficients, dtype=np.float32)
        return cls(coefficients, (mean_y - coefficients @ mean_x).astype(np.float32), longest, float(penalty))

    @classmethod
    def tuned(
        cls,
        profiles: np.ndarray,
        rnas: Sequences,
        longest: int = LONGEST,
        penalties: Sequence[float] = PENALTIES,
        seed: int = 0,
        most: int = 3000,
    ) -> "KmerRidge":
        """Fit with the penalty that predicts a held-out fifth of (at most `most`) RNAs best, by mean correlation."""
        order = np.random.default_rng(seed).permutation(len(rnas))[:most]
        test, rest = order[: len(order) // 5], order[len(order) // 5 :]
        held, scores = _filled(profiles[:, test]), []
        for penalty in penalties:
            fitted = cls.fit(profiles[:, rest], rnas.take(rest), longest, penalty * len(rest) / len(rnas))
            scores.append(_mean_correlation(fitted.predict(rnas.take(test)), held))
        return cls.fit(profiles, rnas, longest, penalties[int(np.argmax(scores))])

    def predict(self, rnas: Sequences, weights: np.ndarray | None = None) -> np.ndarray:
        """(P, N) float32 profiles on any RNAs; with weights (Q, P) the (Q, N) weighted sums of them."""
        coefficients, intercept = self.coefficients, self.intercept
        if weights is not None:
            weights = weights.astype(np.float32)
            coefficients, intercept = weights @ coefficients, weights @ intercept
        x = counts(rnas, self.longest)
        return np.ascontiguousarray((x @ coefficients.T).T + intercept[:, None], dtype=np.float32)


def _filled(profiles: np.ndarray) -> np.ndarray:
    y = np.asarray(profiles, dtype=np.float32)
    missing = ~np.isfinite(y)
    if not missing.any():
        return y
    return np.where(missing, np.nanmean(np.where(missing, np.nan, y), axis=1, keepdims=True), y).astype(np.float32)


def _centred_rows(gram: np.ndarray, cross: np.ndarray, square: float) -> np.ndarray:
    """Gram matrix of rows after the mean row is subtracted: x_i.x_j - x_i.m - x_j.m + m.m."""
    return gram - cross[:, None] - cross[None, :] + square


def _solve(gram: np.ndarray, penalty: float, right: np.ndarray) -> np.ndarray:
    """(gram + penalty I)^-1 right in single precision by Cholesky."""
    matrix = np.asarray(gram, dtype=np.float32)
    matrix[np.diag_indices_from(matrix)] += np.float32(penalty)
    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, np.asarray(right, dtype=np.float32), check_finite=False)


def _mean_correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    a = predicted - predicted.mean(1, keepdims=True)
    b = measured - measured.mean(1, keepdims=True)
    norms = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(np.divide((a * b).sum(1), norms, out=np.zeros(len(a), dtype=a.dtype), where=norms > 0).mean())
