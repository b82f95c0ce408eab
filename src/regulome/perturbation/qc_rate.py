"""Share of generated cells that pass quality control (the metric of CRADLE-VAE)."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, vstack

from regulome.perturbation import qc_flags
from regulome.perturbation.screen import Screen

OBSERVED, PUBLISHED = "observed", 1e4  # libraries of generated cells: those of real controls; all the same


class Sampler(Protocol):
    """A model that generates cells."""

    def predict(self, label: str, n: int, seed: int, library: float | str) -> np.ndarray:
        """(n, P) counts of cells of one perturbation, decoded as passing quality control."""


def real(screen: Screen, rows: np.ndarray | None = None, ks: Sequence[float] = qc_flags.KS) -> pd.DataFrame:
    """Share of real cells that pass, by the limits that they set themselves: k, passing, cells."""
    rows = np.arange(len(screen)) if rows is None else rows
    values = qc_flags.measures(screen.counts[rows], screen.genes, "cpu")
    return _passing(values, qc_flags.limits(values, ks), ks)


def generated(
    model: Sampler,
    screen: Screen,
    labels: Sequence[str],
    cells: int = 100,
    library: float | str = OBSERVED,
    ks: Sequence[float] = qc_flags.KS,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of generated cells with no flag, at limits of k MADs around the median of all real cells.

    Six measures are published; doublets, which are found by comparing all cells of a matrix, cannot be asked of single
    generated ones and are left out. Measures of genes that are not there flag nothing.

    Parameters
    ----------
    cells
        Of each perturbation (published: 100).
    library
        "observed": generated cells have libraries of real control cells. 1e4, as published: all have that many UMI, so
        that, in screens of smaller libraries, no cell can be flagged for few UMI or genes.

    Returns
    -------
    Rows: k, passing (share), cells.
    """
    limits = qc_flags.limits(qc_flags.measures(screen.counts, screen.genes, "cpu"), ks)
    counts = vstack([csr_matrix(model.predict(label, n=cells, seed=seed, library=library)) for label in labels])
    return _passing(qc_flags.measures(counts.tocsr(), screen.genes, "cpu"), limits, ks)


def _passing(values: pd.DataFrame, limits: pd.DataFrame, ks: Sequence[float]) -> pd.DataFrame:
    rows = [(float(k), float(1 - qc_flags.judge(values, limits, float(k)).any(axis=1).mean()), len(values)) for k in ks]
    return pd.DataFrame(rows, columns=["k", "passing", "cells"])
