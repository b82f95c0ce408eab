"""How well intensities are predicted: Pearson correlation per protein, by protocol, with intervals.

Three protocols answer three questions. The published one tests new proteins on the RNAs of the training; a protein
and its probes are both new in use, which is the doubly disjoint protocol; seen proteins on new RNAs show what the RNA
side alone costs. An interval resamples clusters of homologues, since relatives are predicted well or badly together.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.errors import UserError

SEEN = "seen proteins, new RNAs"
PUBLISHED = "new proteins, training RNAs"
DISJOINT = "new proteins, new RNAs"
PROTOCOLS = (SEEN, PUBLISHED, DISJOINT)


def correlations(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Pearson correlation of every protein over its RNAs.

    Parameters
    ----------
    predicted, measured
        (P, N); NaN in `measured` (a flagged probe) is left out for that protein.

    Returns
    -------
    (P,) float64
        0 for a row that is constant, on either side, or has fewer than two measured probes.

    Raises
    ------
    ValueError
        If the shapes differ or a prediction is not finite.
    """
    predicted, measured = np.asarray(predicted), np.asarray(measured)
    if predicted.shape != measured.shape:
        raise ValueError(f"predicted is {predicted.shape}, measured {measured.shape}; expected the same shape")
    if not np.isfinite(predicted).all():
        raise ValueError(f"row {np.argwhere(~np.isfinite(predicted))[0][0]} of the prediction is not finite")
    return np.array([_pearson(a, b) for a, b in zip(predicted, measured, strict=True)])


def _pearson(predicted: np.ndarray, measured: np.ndarray) -> float:
    there = ~np.isnan(measured)
    a, b = predicted[there].astype(np.float64), measured[there].astype(np.float64)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


@dataclass(frozen=True)
class Split:
    """Which proteins and RNAs train, tune and test; all are positions in one compendium.

    Attributes
    ----------
    training
        Proteins that the weights see.
    tuning
        Proteins on which learning rate and length of the training are chosen.
    test
        Proteins that are looked at once, at the end.
    rnas, new_rnas
        RNAs of the training, and those kept for the test.
    """

    training: np.ndarray
    tuning: np.ndarray
    test: np.ndarray
    rnas: np.ndarray
    new_rnas: np.ndarray

    def blocks(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Proteins and RNAs of each protocol."""
        return {
            SEEN: (self.training, self.new_rnas),
            PUBLISHED: (self.test, self.rnas),
            DISJOINT: (self.test, self.new_rnas),
        }

    def save(self, file: Path) -> None:
        """Write the positions as .npz."""
        np.savez(file, **vars(self))

    @staticmethod
    def load(file: Path) -> "Split":
        """Read what `save` wrote."""
        with np.load(file) as content:
            return Split(**{name: content[name] for name in content.files})


def split(
    folds: np.ndarray,
    rnas: int,
    seed: int,
    share: float = 0.2,
    test_fold: int = 0,
    tuning_fold: int = 1,
    probe_set: np.ndarray | None = None,
) -> Split:
    """Divide proteins by fold, RNAs by probe set or by chance.

    Parameters
    ----------
    folds
        (P,) fold of every protein; homologues share one (`regulome.binding.splits.folds`).
    rnas
        Number of RNAs.
    seed, share
        Of the draw that decides which RNAs are new, where there are no probe sets. A contiguous part would not do:
        probe files are sorted by sequence.
    probe_set
        (rnas,) "A" or "B": set A trains and set B is new. No probe is in both.

    Raises
    ------
    UserError
        If a part would be empty.
    """
    folds = np.asarray(folds)
    if probe_set is not None and {"A", "B"} <= set(probe_set):
        new = np.asarray(probe_set) == "B"
    else:
        new = np.zeros(rnas, dtype=bool)
        new[np.random.default_rng(seed).permutation(rnas)[: round(share * rnas)]] = True
    test, tuning = folds == test_fold, folds == tuning_fold
    found = Split(*(np.flatnonzero(part) for part in (~(test | tuning), tuning, test, ~new, new)))
    for name, part in vars(found).items():
        if not len(part):
            raise UserError(f"the split leaves '{name}' empty; folds are {sorted(set(folds.tolist()))}")
    return found


def bootstrap(
    values: np.ndarray, clusters: np.ndarray | None = None, statistic: str = "mean", draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mean or the median of one value a protein, resampling clusters with replacement.

    Parameters
    ----------
    values
        (P,) one value a protein.
    clusters
        (P,) label; None: every protein is its own.
    statistic
        "mean" or "median".

    Returns
    -------
    low, high
        The 2.5 % and 97.5 % quantiles over the draws (percentile bootstrap).
    """
    if statistic not in ("mean", "median"):
        raise ValueError(f"statistic is {statistic!r}; expected mean or median")
    values = np.asarray(values, dtype=np.float64)
    labels = np.arange(len(values)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    count = labels.max() + 1
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=draws)[:, labels]  # (draws, P)
    if statistic == "mean":
        found = times @ values / times.sum(1)
    else:
        order = np.argsort(values, kind="stable")
        found = _weighted_medians(values[order], times[:, order])
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _weighted_medians(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Median of `values` (sorted) with value i taken times[:, i] times."""
    cumulated = times.cumsum(1)
    total = cumulated[:, -1:]
    lower = (cumulated < (total + 1) // 2).sum(1)  # position of the value of rank ceil(n / 2)
    upper = (cumulated < total // 2 + 1).sum(1)
    return (values[lower] + values[upper]) / 2


def summary(scores: pd.DataFrame, by: list[str], draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Mean and median correlation with intervals.

    Parameters
    ----------
    scores
        One row a protein: columns `by`, cluster and r.

    Returns
    -------
    DataFrame
        `by`, proteins, mean, mean_low, mean_high, median, median_low, median_high.
    """
    rows = []
    for key, part in scores.groupby(by, sort=False):
        row = dict(zip(by, key, strict=True)) | {"proteins": len(part)}
        for statistic in ("mean", "median"):
            low, high = bootstrap(part["r"], part["cluster"], statistic, draws, seed)
            row |= {statistic: part["r"].agg(statistic), f"{statistic}_low": low, f"{statistic}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def differences(scores: pd.DataFrame, method: str, by: list[str], draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Mean of r(method) - r(other) over the same proteins, for every other method, with intervals.

    Parameters
    ----------
    scores
        One row a protein: columns `by`, method, protein, cluster and r.

    Returns
    -------
    DataFrame
        `by`, other, proteins, difference, low, high.
    """
    rows = []
    for key, part in scores.groupby(by, sort=False):
        wide = part.pivot(index=["protein", "cluster"], columns="method", values="r")
        clusters = wide.index.get_level_values("cluster")
        for other in [name for name in dict.fromkeys(part["method"]) if name != method and method in wide]:
            gap = (wide[method] - wide[other]).dropna()
            low, high = bootstrap(gap, clusters[(wide[method] - wide[other]).notna()], "mean", draws, seed)
            row = {"other": other, "proteins": len(gap), "difference": gap.mean(), "low": low, "high": high}
            rows.append(dict(zip(by, key, strict=True)) | row)
    return pd.DataFrame(rows)
