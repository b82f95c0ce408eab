"""Direct effects from total ones: modular response analysis (Kholodenko et al., PNAS 2002) as a regression."""

import numpy as np

from regulome.perturbation.edge_baselines import KNOCKDOWN, mean_difference
from regulome.perturbation.edge_evidence import single
from regulome.perturbation.screen import Screen

PENALTIES = np.logspace(-5, 1, 13)  # of the ridge regression, over the sum of squares of the mean column


def direct_effects(
    screen: Screen, split: str | None = "train", judge: str = "validation", direction: int = KNOCKDOWN
) -> np.ndarray:
    """Score matrix of the direct effects that explain the mean differences of all perturbations together.

    The penalty, one for all targets, is the one whose direct effects explain best the mean differences of the cells of
    another split (`judge`). Leaving out perturbations instead would not do: without its own perturbation nothing is
    known of what a regulator does.

    Returns
    -------
    ndarray
        (G, G); defined for regulators that were perturbed and measured.
    """
    total, other = (mean_difference(screen, part, direction=direction) for part in (split, judge))
    perturbed = np.array([row for row in single(screen).values() if np.isfinite(total[row]).any()], int)
    measured = screen.latent_column >= 0
    judged = np.array([row for row in perturbed if np.isfinite(other[row]).any()], int)
    losses = [unexplained(other, solve(total, perturbed, measured, each), judged) for each in PENALTIES]
    direct = solve(total, perturbed, measured, PENALTIES[int(np.argmin(losses))])
    return direct * np.diag(total)[:, None]


def solve(total: np.ndarray, perturbed: np.ndarray, measured: np.ndarray, penalty: float) -> np.ndarray:
    """Direct effects B of total ones.

    If genes respond linearly to those that regulate them, the change of gene j under the perturbation i of another gene
    is the sum over its direct regulators Δ_ij = Σ_k Δ_ik B_kj. With every gene perturbed this is the inversion of the
    matrix of total effects: with R_ij = Δ_ij / Δ_ii, B_kj = -(R⁻¹)_kj / (R⁻¹)_jj. Here each target is regressed on all
    other genes that were perturbed and measured, over all perturbations but its own, which serves targets that were
    never perturbed as well; a ridge penalty keeps the noise of the differences from being inverted.

    Parameters
    ----------
    total
        (G, G) change of each gene (column) under each perturbation (row).
    perturbed
        Rows that were perturbed.
    measured
        (G,) bool: genes with a column.
    penalty
        Of the ridge regression, over the sum of squares of the mean column of the design; above 0.

    Returns
    -------
    ndarray
        (G, G) B: change of the target for each unit of change of the regulator; nan where undefined.
    """
    out = np.full(total.shape, np.nan)
    for target in np.flatnonzero(measured):
        rows = perturbed[perturbed != target]
        causes = rows[measured[rows]]
        if len(causes):
            design = total[np.ix_(rows, causes)]
            square = design.T @ design
            scale = max(np.trace(square) / len(causes), 1e-12)
            square += penalty * scale * np.eye(len(causes))
            out[causes, target] = np.linalg.solve(square, design.T @ total[rows, target])
    return out


def unexplained(total: np.ndarray, direct: np.ndarray, perturbed: np.ndarray) -> float:
    """Mean squared error of Δ_ij = Σ_k Δ_ik B_kj over perturbations i and genes j other than i.

    Gene j itself is no regulator of j, so its own change does not enter.
    """
    error = total[perturbed] - np.nan_to_num(total[perturbed]) @ np.nan_to_num(direct)
    error[np.arange(len(perturbed)), perturbed] = np.nan
    return float(np.nanmean(error**2))
