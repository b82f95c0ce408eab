"""What to expect for a protein: the identity of its nearest training protein, and what leave-one-out reached there.

A model that reports one correlation for all proteins hides that a protein without relatives is predicted half as well
as one with a close homologue. `expected` therefore gives a number and an interval for the bin a query falls in.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regulome.binding.splits import BIN_LABELS, bin_of
from regulome.binding.validation import bootstrap

COLUMNS = ("identity", "proteins", "expected_r", "low", "high", "mean_r", "mean_low", "mean_high")
FEW = 9  # proteins below which a bin takes its neighbours' values too: nine give an 80 % interval


def table(r: np.ndarray, identity: np.ndarray, clusters: np.ndarray | None = None, seed: int = 0) -> pd.DataFrame:
    """What leave-one-out reached by identity bin.

    Parameters
    ----------
    r, identity
        (P,) correlation of each protein and identity of its nearest training protein.
    clusters
        (P,) homologous proteins, resampled together.

    Returns
    -------
    DataFrame
        identity (the bin), proteins, expected_r (median), low and high (80 % of the proteins), mean_r with its 95 %
        interval. A bin with fewer than `FEW` proteins is widened by its neighbours until it has as many; `proteins`
        still counts its own.
    """
    r, place = np.asarray(r, dtype=float), np.array([BIN_LABELS.index(label) for label in bin_of(np.asarray(identity))])
    rows = []
    for i, label in enumerate(BIN_LABELS):
        some = next(
            chosen
            for width in range(len(BIN_LABELS) + 1)
            if (chosen := np.abs(place - i) <= width).sum() >= min(FEW, len(r))
        )
        low, high = _interval(r[some])
        mean_low, mean_high = bootstrap(r[some], None if clusters is None else clusters[some], "mean", seed=seed)
        own = int((place == i).sum())
        rows.append((label, own, np.median(r[some]), low, high, r[some].mean(), mean_low, mean_high))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Holds the next value with probability 80 % if it is exchangeable with the n given: their order statistics of
    ranks (n + 1) / 10 and 9 (n + 1) / 10, rounded outwards (all of them where n is below nine)."""
    rank = max(1, int((len(values) + 1) * 0.1))
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[-rank])


def expected(identity: float | np.ndarray, learned: pd.DataFrame) -> pd.DataFrame:
    """What to expect at an identity to the nearest training protein (or several): rows of `table`, one a query."""
    labels = bin_of(np.atleast_1d(np.asarray(identity, dtype=float)))
    return learned.set_index("identity").loc[list(labels)].reset_index()


def report(names: Sequence[str], identity: np.ndarray, training: Sequence[str], learned: pd.DataFrame) -> pd.DataFrame:
    """One row a query: protein, nearest (training protein), nearest_identity, bin, expected_r, low, high, proteins.

    Parameters
    ----------
    identity
        (Q, T) fractions.
    """
    place = identity.argmax(1)
    best = identity[np.arange(len(identity)), place]
    found = expected(best, learned)
    return pd.DataFrame(
        {
            "protein": list(names),
            "nearest": [training[i] for i in place],
            "nearest_identity": best,
            "bin": found["identity"],
            "expected_r": found["expected_r"],
            "low": found["low"],
            "high": found["high"],
            "proteins": found["proteins"],
        }
    )
