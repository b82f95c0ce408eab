"""Networks without a neural network: what GPO-VAE has to beat.

Every function reads the training cells of a screen and returns a signed (G, G) score matrix in the sense of
`regulome.perturbation.edges`. In a screen of knockdowns or knockouts (`direction=-1`) a target that falls with its
regulator is activated by it; in one of activation (CRISPRa) give `direction=1`.
"""

import numpy as np
from scipy.stats import rankdata

from regulome.errors import UserError
from regulome.perturbation.edge_evidence import evidence, single
from regulome.perturbation.screen import CONTROL, Screen

KNOCKDOWN = -1
KINDS = ("pearson", "spearman")


def _empty(screen: Screen) -> np.ndarray:
    return np.full((len(screen.latent),) * 2, np.nan)


def _measured(screen: Screen) -> tuple[np.ndarray, np.ndarray]:
    """Latent places of the genes that were measured, and their columns of the counts."""
    places = np.flatnonzero(screen.latent_column >= 0)
    return places, screen.latent_column[places]


def median_delta(screen: Screen, split: str | None = "train", direction: int = KNOCKDOWN) -> np.ndarray:
    """Median |Δ| over perturbed cells, Δ the normalised log expression less that of the matched control cell.

    This is what the published alignment loss regresses its mask on: with one term in the path sum (hop 0) the mask W
    equals median |Δ| - c, so that sigmoid(W) > 0.5 says median |Δ| > c, and no network is needed. The published
    quantity has no sign; here it carries that of the mean of Δ.
    """
    out = _empty(screen)
    for label, row in single(screen).items():
        cells = screen.rows(split, label)
        if len(cells):
            delta = screen.delta(cells)
            out[row] = np.median(np.abs(delta), 0) * np.where(direction * delta.mean(0) < 0, -1, 1)
    return out


def median_readout(scores: np.ndarray, criterion: float) -> np.ndarray:
    """(G, G) bool: edges by the published criterion c, median |Δ| > c, without the diagonal."""
    out = np.nan_to_num(np.abs(scores)) > criterion
    np.fill_diagonal(out, False)
    return out


def mean_difference(
    screen: Screen, split: str | None = "train", standardised: bool = False, direction: int = KNOCKDOWN
) -> np.ndarray:
    """Mean normalised log expression in perturbed cells less that in controls.

    Parameters
    ----------
    standardised
        Divide by the standard error of the difference (Welch), which makes it a z-score: noisy genes and rare
        perturbations no longer come first.
    """
    places, columns = _measured(screen)
    mean, variance, count = _moments(screen, split, CONTROL, columns)
    out = _empty(screen)
    for label, row in single(screen).items():
        own_mean, own_variance, own_count = _moments(screen, split, label, columns)
        if own_count:
            change = direction * (own_mean - mean)
            if standardised:
                error = np.sqrt(variance / max(count - 1, 1) + own_variance / max(own_count - 1, 1))
                change = np.divide(change, error, np.zeros_like(change), where=error > 0)
            out[row, places] = change
    return out


def _moments(screen: Screen, split: str | None, label: str, columns: np.ndarray):
    """Mean, variance of every column and number of the cells of a perturbation."""
    cells = screen.rows(split, label)
    if not len(cells):
        return np.zeros(len(columns)), np.zeros(len(columns)), 0
    values = screen.normalised(cells, columns).astype(float)
    return values.mean(0), values.var(0), len(cells)


def wasserstein(screen: Screen, split: str | None = "train", direction: int = KNOCKDOWN) -> np.ndarray:
    """Wasserstein distance on the training cells, with the sign of the mean difference.

    The mean Wasserstein distance of test cells is a published measure of networks: this needs no network to rank by it.
    """
    return np.copysign(evidence(screen, split).wasserstein, mean_difference(screen, split, direction=direction))


def correlation(screen: Screen, cells: str = "controls", kind: str = "pearson", split: str | None = "train"):
    """Correlation between genes over cells; it has no direction, so both directions of a pair score the same.

    Parameters
    ----------
    cells
        "controls" (observational), or "all" (interventions spread the regulators, but their labels are not used).
    kind
        "pearson" or "spearman".

    Raises
    ------
    UserError
        Another choice of cells or kind.
    """
    if kind not in KINDS or cells not in ("controls", "all"):
        raise UserError(
            f"correlation: found cells '{cells}', kind '{kind}'; expected controls or all, pearson or spearman"
        )
    places, columns = _measured(screen)
    rows = screen.rows(split, CONTROL if cells == "controls" else None)
    values = screen.normalised(rows, columns).astype(float)
    if kind == "spearman":
        values = rankdata(values, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.nan_to_num(np.corrcoef(values, rowvar=False))
    out = _empty(screen)
    out[np.ix_(places, places)] = np.atleast_2d(found)
    return out


def random(screen: Screen, seed: int) -> np.ndarray:
    """Scores drawn at random, with random signs."""
    return np.random.default_rng([seed, 240]).normal(size=(len(screen.latent),) * 2)
