"""Tables of predictions for unseen proteins: means with intervals, differences, promises kept, and cost."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from regulome.binding import coverage, validation
from regulome.binding.predictor import Predictor
from regulome.binding.unseen import BOTH, CEILING, SOFT
from regulome.binding.validation import DISJOINT
from regulome.binding.vectors import Vectors


def summaries(scores: pd.DataFrame, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Means with intervals: by protocol and method (with targets), by identity bin as well, and with intensities."""
    raw = scores.assign(r=scores["r_raw"])
    by = ["protocol", "method"]
    return (
        validation.summary(scores, by, seed=seed),
        validation.summary(scores, [*by, "bin"], seed=seed),
        validation.summary(raw, by, seed=seed),
    )


def differences(scores: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Combination minus every other method, pooled over splits (clusters resampled) and split by split.

    Returns
    -------
    DataFrame
        protocol, split ("all" or its name), other, proteins, difference, low, high.
    """
    some = scores[scores["method"] != CEILING]
    pooled = validation.differences(some, BOTH, ["protocol"], seed=seed).assign(split="all")
    single = validation.differences(some, BOTH, ["protocol", "split"], seed=seed)
    columns = ["protocol", "split", "other", "proteins", "difference", "low", "high"]
    return pd.concat([pooled, single], ignore_index=True)[columns]


def over_splits(scores: pd.DataFrame, other: str = SOFT, protocol: str = DISJOINT) -> tuple[float, float, float]:
    """Mean over splits of the mean difference combination - other, with its 95 % interval (Student's t)."""
    from scipy import stats

    part = scores[scores["protocol"] == protocol]
    means = part.groupby(["split", "method"])["r"].mean().unstack()
    gaps = (means[BOTH] - means[other]).to_numpy()
    if len(gaps) < 2:
        return float(gaps.mean()), float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return float(gaps.mean()), float(gaps.mean() - half), float(gaps.mean() + half)


def all_within(scores: pd.DataFrame, predictors: Sequence[Predictor]) -> pd.Series:
    """`within` over all splits of `run_splits`."""
    parts = zip(scores.groupby("split", sort=False), predictors, strict=True)
    return pd.concat([within(part, predictor.expectation) for (_, part), predictor in parts])


def within(scores: pd.DataFrame, learned: pd.DataFrame) -> pd.Series:
    """Whether the combination's r on new RNAs lies in the 80 % interval that `coverage.table` promises its bin."""
    own = scores[(scores["method"] == BOTH) & (scores["protocol"] == DISJOINT)]
    promised = coverage.expected(own["identity"].to_numpy(), learned)
    inside = (own["r"].to_numpy() >= promised["low"]) & (own["r"].to_numpy() <= promised["high"])
    return pd.Series(inside.to_numpy(), index=own["protein"])


def timing(predictor: Predictor, vectors: Vectors, rnas, structure, proteins: int, threads: int = 1) -> pd.DataFrame:
    """Seconds of the network's pieces, and what recomputing the RNA tower for every protein would take.

    Parameters
    ----------
    vectors
        At least one vector; repeated up to `proteins`.
    rnas
        RNAs to encode.

    Returns
    -------
    DataFrame
        piece, seconds.
    """
    model = predictor.model
    rows = np.resize(np.arange(len(vectors)), proteins)
    many = replace(vectors.take(rows), names=tuple(str(i) for i in range(proteins)))
    model.encode_rnas(rnas.take(range(min(64, len(rnas)))), None if structure is None else structure[:64])
    clock = [time.perf_counter()]
    encoded = model.encode_rnas(rnas, structure, threads=threads)
    clock.append(time.perf_counter())
    factors = model.protein_factors(many)
    clock.append(time.perf_counter())
    model.product(factors, encoded)
    clock.append(time.perf_counter())
    pieces = np.diff(clock)
    names = [f"RNA tower, {len(rnas)} RNAs, once", f"protein tower, {proteins} proteins", "product of the two"]
    total, naive = pieces.sum(), proteins * (pieces[0] + pieces[1:].sum() / proteins)
    return pd.DataFrame(
        {"piece": [*names, "all, separable", "all, RNA tower for every protein"], "seconds": [*pieces, total, naive]}
    )
