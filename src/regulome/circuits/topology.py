"""From link values of many replicates to one table that can be drawn or written: the majority network."""

import numpy as np
import pandas as pd

from regulome.circuits.mutation import signs


def majority_signs(signs: np.ndarray) -> np.ndarray:
    """(N, G) sign that most of R networks (R, N, G) agree on; ties are called absent."""
    counts = np.stack([(signs == value).sum(0) for value in (-1, 0, 1)])
    tied = (counts == counts.max(0)).sum(0) > 1
    return np.where(tied, 0, counts.argmax(0) - 1)


def majority_table(values: np.ndarray, regulators, genes, cutoff: float) -> pd.DataFrame:
    """Summarise R networks link by link.

    Parameters
    ----------
    values
        (R, N, G) signed link values.
    cutoff
        Smallest absolute value that counts as a link.

    Returns
    -------
    DataFrame
        One row a link: regulator, target, sign that most replicates have (0: absent, or a tie), share of replicates
        with that sign, and quartiles of the value (value is the median, low and high the other two).
    """
    signed = signs(values, cutoff)
    winner = majority_signs(signed)
    best = np.stack([(signed == sign).sum(0) for sign in (-1, 0, 1)]).max(0)
    low, value, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    rows = [
        (r, g, int(winner[i, j]), best[i, j] / len(values), value[i, j], low[i, j], high[i, j])
        for i, r in enumerate(regulators)
        for j, g in enumerate(genes)
    ]
    return pd.DataFrame(rows, columns=["regulator", "target", "sign", "share", "value", "low", "high"])


def flip_gene(values: np.ndarray, regulator: int, target: int, flipped: np.ndarray) -> np.ndarray:
    """Describe an unobserved gene by its absence instead of its presence: g -> 1 - g.

    Only observed genes are tied to the task, so a network and its flipped twin do the same; the flip changes the sign
    of every link into and out of the gene, and leaves its self-link as it is.

    Parameters
    ----------
    values
        (R, N, G) signed link values.
    regulator, target
        Index of the gene among the regulators and among the targets.
    flipped
        (R,) True where the gene is to be flipped.
    """
    sign = np.ones_like(values)
    sign[:, regulator, :] *= -1
    sign[:, :, target] *= -1
    return np.where(flipped[:, None, None], sign * values, values)


def drawable(table: pd.DataFrame, labels: bool = True) -> pd.DataFrame:
    """Links of a majority table that exist, for `regulome.network_drawing`; labelled with the share of replicates."""
    drawn = table[table["sign"] != 0].copy()
    drawn["label"] = [f"{share:.0%}" if labels and share < 0.995 else "" for share in drawn["share"]]
    return drawn[["regulator", "target", "sign", "value", "label"]].reset_index(drop=True)


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Median and 5 to 95 % range over replicates, as the arguments of a row ours versus published."""
    low, middle, high = np.quantile(np.asarray(values, dtype=float), [0.05, 0.5, 0.95])
    return {"ours": float(middle), "low": float(low), "high": float(high)}
