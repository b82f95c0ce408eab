"""Counterfactual cells: what a cell would look like had it the other quality (passed or failed quality control).

For a cell of perturbation k, split s and quality q it is the gene-wise lower median (of an even number the lower of the
middle two) of up to 50 cells of (k, s, 1 - q). Cells of one group share it, so one row a group is kept.
"""

import numpy as np
from scipy.sparse import csr_matrix

from regulome.errors import UserError

MOST = 50  # cells that enter a median


def groups(
    counts: csr_matrix,
    label: np.ndarray,
    split: np.ndarray,
    qc_fail: np.ndarray,
    seed: int = 0,
    compat: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Counterfactual counts, one row for each group of cells that share them.

    Parameters
    ----------
    counts
        (N, P) raw counts.
    label
        (N,) perturbation; -1: control.
    split
        (N,).
    qc_fail
        (N,) bool.
    seed
        Of the choice of `MOST` cells where there are more.
    compat
        None: as above. "published": from failed cells whatever the cell's own quality, drawn with replacement, and with
        the published slip: positions are those among the failed cells of the split, but are looked up in the table of
        all cells, so that the counts come from unrelated cells. (One draw a group here; published, one a cell.)

    Returns
    -------
    tuple
        (M, P) float32 counts, and (N,) int64 row of each cell; -1 where there is no cell of the other quality.

    Raises
    ------
    UserError
        If ``compat`` is unknown or lengths differ.
    """
    if compat not in (None, "published"):
        raise UserError(f"counterfactual: compat: found '{compat}', expected 'published' or none")
    if not counts.shape[0] == len(label) == len(split) == len(qc_fail):
        raise UserError(
            f"counterfactual: found {counts.shape[0]} rows of counts, {len(label)} labels, {len(split)} splits and "
            f"{len(qc_fail)} flags, expected equal numbers"
        )
    counts, rows, row = csr_matrix(counts), [], np.full(len(label), -1)
    for s, k in np.unique(np.stack([split, label], 1), axis=0):
        group = np.flatnonzero((split == s) & (label == k))
        for to, places in _published(group, split == s, qc_fail, seed) if compat else _mended(group, qc_fail, seed):
            if len(to):
                row[to] = len(rows)
                rows.append(lower_median(counts[places].toarray()))
    return np.array(rows, np.float32).reshape(-1, counts.shape[1]), row


def lower_median(values: np.ndarray) -> np.ndarray:
    """(P,) median of each column of (n, P); of an even number of values the lower of the middle two."""
    middle = (len(values) - 1) // 2
    return np.partition(values, middle, axis=0)[middle]


def _mended(group: np.ndarray, qc_fail: np.ndarray, seed: int):
    """Cells of a group by quality, each with the cells of the other quality that its counterfactual is made of."""
    for quality in (False, True):
        to, others = group[qc_fail[group] == quality], group[qc_fail[group] != quality]
        if len(others) > MOST:
            others = np.sort(_generator(seed, group).choice(others, MOST, replace=False))
        if len(others):
            yield to, others


def _published(group: np.ndarray, in_split: np.ndarray, qc_fail: np.ndarray, seed: int):
    """All cells of a group, with rows that are positions in another table."""
    positions = np.flatnonzero(np.isin(np.flatnonzero(in_split & qc_fail), group))
    if len(positions):
        yield group, _generator(seed, group).choice(positions, MOST, replace=True)


def _generator(seed: int, group: np.ndarray) -> np.random.Generator:
    """Of a group, known by its first cell, so that one group's draw does not depend on the others."""
    return np.random.default_rng([seed, int(group[0])])
