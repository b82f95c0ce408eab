"""Average treatment effects (ATE): what a perturbation does to the mean expression of every gene.

A cell of counts x has y = log2(1 + 1e4 x / sum x); ATE[p] = mean of y over cells of perturbation p minus mean of y over
control cells. Zero counts have y = 0, so that everything stays sparse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_matrix, issparse

from regulome.errors import UserError, closest
from regulome.perturbation.screen import CONTROL, SPLITS, Screen

SCALE = 1e4  # UMI that every cell is scaled to
PUBLISHED, RAW = "perturbseq", "mean"  # differences of y; differences of raw counts, dominated by a few genes
METHODS = (PUBLISHED, RAW)


class Predictor(Protocol):
    """Anything that predicts the effects of perturbations: a trained model, a baseline."""

    def ate(self, labels: Sequence[str], seed: int = 0) -> np.ndarray:
        """(K, P) effects of the given perturbations on every gene."""


def transformed(counts: csr_matrix | np.ndarray, method: str = PUBLISHED) -> csr_matrix:
    """(N, P) y of every cell: log2(1 + 1e4 x / library), or the counts themselves; an empty cell is zero.

    Raises
    ------
    UserError
        If the method is unknown.
    """
    if method not in METHODS:
        raise UserError(f"ATE method is '{method}'; expected one of {', '.join(METHODS)}{closest(method, METHODS)}")
    out = csr_matrix(counts, dtype=np.float64, copy=True)
    if method == PUBLISHED:
        library = np.maximum(np.asarray(out.sum(1)).ravel(), 1e-12)
        out.data = np.log2(1 + SCALE * out.data / np.repeat(library, np.diff(out.indptr)))
    return out


@dataclass(frozen=True)
class Means:
    """Mean and variance of y over the cells of each perturbation.

    Attributes
    ----------
    labels
        K perturbations.
    mean, variance
        (K + 1, P) of y; variance is that of cells (divided by n - 1); the last row is the control.
    cells
        (K + 1,) number of cells.
    """

    labels: tuple[str, ...]
    mean: np.ndarray
    variance: np.ndarray
    cells: np.ndarray

    @property
    def ate(self) -> np.ndarray:
        """(K, P) effects; nan for a perturbation without cells."""
        return self.mean[:-1] - self.mean[-1]

    @property
    def noise(self) -> np.ndarray:
        """(K, P) sampling variance of the perturbed means; the control's, which all effects share, is left out."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.variance[:-1] / self.cells[:-1, None]


def means(screen: Screen, rows: np.ndarray, method: str = PUBLISHED) -> Means:
    """Mean of y over the given cells, perturbation by perturbation.

    Raises
    ------
    UserError
        If there is no control cell among them.
    """
    groups = len(screen.labels) + 1
    group = np.where(screen.label[rows] < 0, groups - 1, screen.label[rows])
    cells = np.bincount(group, minlength=groups)
    if not cells[-1]:
        raise UserError(f"{screen.name}: none of {len(rows)} cells is a control; effects need control cells")
    y = transformed(screen.counts[rows], method)
    member = csr_matrix((np.ones(len(rows)), (group, np.arange(len(rows)))), shape=(groups, len(rows)))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (member @ y).toarray() / cells[:, None]
        square = (member @ y.multiply(y)).toarray() / cells[:, None]
        variance = np.maximum(square - mean**2, 0) * (cells / (cells - 1.0))[:, None]
    variance[cells < 2] = np.nan
    return Means(screen.labels, mean, variance, cells)


def of_split(screen: Screen, split: str | None, method: str = PUBLISHED) -> Means:
    """`means` over one split ("train", "validation", "test"), or over all cells (None: the published, leaky reference).

    Raises
    ------
    UserError
        If the split is unknown or has no control cells.
    """
    if split is not None and split not in SPLITS:
        raise UserError(f"split is '{split}'; expected one of {', '.join(SPLITS)}{closest(split, SPLITS)}")
    return means(screen, screen.rows(split), method)


def of_samples(perturbed: np.ndarray, control: np.ndarray, method: str = PUBLISHED) -> np.ndarray:
    """(P,) effect from sampled counts of perturbed cells (n, P) and control cells (m, P), as for a model."""
    for name, counts in (("perturbed", perturbed), (CONTROL, control)):
        values = counts.data if issparse(counts) else np.asarray(counts)
        if not np.isfinite(values).all() or (values < 0).any():
            raise UserError(f"sampled {name} cells: found counts that are negative or not finite")
    return np.asarray(
        transformed(perturbed, method).mean(0) - transformed(control, method).mean(0), dtype=np.float64
    ).ravel()
