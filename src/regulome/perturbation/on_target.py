"""Cells whose target is knocked down: expression of the perturbed gene at most a low percentile of the controls'."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome.errors import UserError
from regulome.perturbation.screen import CONTROL, JOIN

VALUES = ("normalised", "counts")


def keep(
    counts: csr_matrix, genes: Sequence[str], label: np.ndarray, percentile: float = 10.0, values: str = "normalised"
) -> tuple[np.ndarray, pd.DataFrame]:
    """Which cells stay.

    Parameters
    ----------
    counts, genes
        (N, P) raw counts and their genes.
    label
        (N,) text of each cell.
    percentile
        Of the gene's expression in controls. It is zero for every gene that more than this share of the controls
        lacks: then only cells without one UMI of the target stay.
    values
        "normalised": counts over the cell's UMI; "counts": raw counts, which keep cells with few UMI rather than cells
        with a knockdown.

    Returns
    -------
    ``(stays, table)``: (N,) bool, true for controls and for perturbations whose targets are not measured (published:
    skipped); and a row for each perturbation and target: perturbation, gene, measured, threshold, cells, stay,
    control_share (of controls that would stay: what no knockdown at all would give).

    Raises
    ------
    UserError
        A percentile that is none, unknown values.
    """
    if not 0 < percentile < 100 or values not in VALUES:
        raise UserError(
            f"on-target filter: percentile {percentile}, values '{values}'; expected 0 < x < 100 and one of "
            f"{', '.join(VALUES)}"
        )
    column = {gene: place for place, gene in enumerate(genes)}
    size = np.maximum(np.asarray(counts.sum(1)).ravel(), 1)
    table = counts.tocsc()
    control = label == CONTROL
    stays, rows = np.ones(len(label), bool), []
    for name in sorted(set(label) - {CONTROL}):
        own = label == name
        for gene in name.split(JOIN):
            if gene not in column:
                rows.append((name, gene, False, np.nan, int(own.sum()), int(own.sum()), np.nan))
                continue
            level = table[:, column[gene]].toarray().ravel() / (size if values == "normalised" else 1)
            threshold = np.percentile(level[control], percentile)
            low = level <= threshold
            stays &= low | ~own
            rows.append(
                (name, gene, True, threshold, int(own.sum()), int((own & low).sum()), float(low[control].mean()))
            )
    names = ["perturbation", "gene", "measured", "threshold", "cells", "stay", "control_share"]
    return stays, pd.DataFrame(rows, columns=names)
