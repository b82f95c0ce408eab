"""What the cells say of an edge without any model: distribution of the target in controls against perturbed cells.

These are the statistical metrics of CausalBench: Wasserstein distance and Mann-Whitney test for every ordered pair of a
perturbed gene and a measured one, and false omission rates. A strong effect need not be direct, so they measure
association with the intervention, not regulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, wasserstein_distance
from statsmodels.stats.proportion import proportion_confint

from regulome.perturbation import edges
from regulome.perturbation.screen import CONTROL, Screen

LEVEL = 0.05  # of the Mann-Whitney test, uncorrected as in CausalBench
DRAWS = 500  # pairs of a false omission rate
LENGTH = 3  # steps of a path that connects two genes


@dataclass(frozen=True)
class Evidence:
    """Effects of every perturbed gene on every measured one, in one split.

    Attributes
    ----------
    wasserstein
        (G, G) distance of the normalised log expression in controls and perturbed cells; nan without an intervention or
        without a measurement, and on the diagonal.
    p
        (G, G) two-sided Mann-Whitney p-values, same places.
    """

    wasserstein: np.ndarray
    p: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """(G, G) bool: pairs that were tested."""
        return np.isfinite(self.p)


def evidence(screen: Screen, split: str | None = "test") -> Evidence:
    """Test every pair of latent genes on the cells of a split (None: all).

    Only perturbations of a single gene count; one without cells in the split is left undefined.
    """
    size = len(screen.latent)
    wd, p = np.full((size, size), np.nan), np.full((size, size), np.nan)
    measured = np.flatnonzero(screen.latent_column >= 0)
    columns = screen.latent_column[measured]
    controls = screen.normalised(screen.rows(split, CONTROL), columns)
    for label, row in single(screen).items():
        cells = screen.normalised(screen.rows(split, label), columns)
        if len(cells) and len(controls):
            wd[row, measured] = [wasserstein_distance(a, b) for a, b in zip(controls.T, cells.T, strict=True)]
            p[row, measured] = mann_whitney(controls, cells)
    np.fill_diagonal(wd, np.nan)
    np.fill_diagonal(p, np.nan)
    return Evidence(wd, p)


def single(screen: Screen) -> dict[str, int]:
    """Perturbations of one gene, with the gene's place among the latent ones."""
    place = {gene: row for row, gene in enumerate(screen.latent)}
    return {label: place[label] for label in screen.labels if label in place}


def mann_whitney(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two-sided p-value for every column, with the correction for ties; 1 where all values are equal."""
    constant = (np.minimum(one.min(0), other.min(0)) == np.maximum(one.max(0), other.max(0))).ravel()
    p = np.ones(one.shape[1])
    if not constant.all():
        p[~constant] = mannwhitneyu(one[:, ~constant], other[:, ~constant], axis=0, method="asymptotic").pvalue
    return p


def at_matched_counts(scores: np.ndarray, found: Evidence, counts: Sequence[int], among: np.ndarray) -> pd.DataFrame:
    """Effects of the K strongest edges, for several K.

    The mean falls with the number of edges by construction, so methods may be compared at the same K only.

    Returns
    -------
    DataFrame
        edges, wasserstein (mean over the edges), significant (edges with p < 0.05; the "true positives" of CausalBench)
        and not_significant. A K above the number of pairs is left out.
    """
    places = edges.order(scores, among & found.known)
    rows = []
    for count in (count for count in counts if 0 < count <= len(places)):
        chosen = places[:count]
        yes = int((found.p.flat[chosen] < LEVEL).sum())
        rows.append((count, found.wasserstein.flat[chosen].mean(), yes, count - yes))
    return pd.DataFrame(rows, columns=["edges", "wasserstein", "significant", "not_significant"])


def reachable(network: np.ndarray, length: int = LENGTH) -> np.ndarray:
    """(G, G) bool: whether a path of at most so many edges leads from one gene to another."""
    step = network.astype(np.int64)
    out, last = network.astype(bool), step
    for _ in range(length - 1):
        last = ((last @ step) > 0).astype(np.int64)
        out = out | (last > 0)
    return out


def false_omission(
    network: np.ndarray, found: Evidence, rng: np.random.Generator, draws: int = DRAWS, length: int = LENGTH
) -> dict[str, float]:
    """Share of significant effects among pairs that the network does not connect (CausalBench's definition).

    Random ordered pairs, tested ones without a path of up to `length` edges, are drawn without replacement (all of
    them where there are fewer than `draws`). They are the first such pairs of one random order of all tested pairs, so
    that two networks with the same state of `rng` are compared on nearly the same pairs.

    Parameters
    ----------
    network
        (G, G) bool edges.

    Returns
    -------
    dict
        rate, low and high (95 % Clopper-Pearson interval), pairs that were drawn; available, the pairs to draw from,
        and all_pairs, the rate over all of them. A network that connects everything has no rate (nan).
    """
    order = rng.permutation(np.flatnonzero(found.known))
    places = order[~reachable(network, length).flat[order]]
    hit = found.p.flat[places] < LEVEL
    drawn = hit[:draws]
    if not len(drawn):
        return {"rate": np.nan, "low": np.nan, "high": np.nan, "pairs": 0, "available": 0, "all_pairs": np.nan}
    low, high = proportion_confint(int(drawn.sum()), len(drawn), method="beta")
    return {
        "rate": float(drawn.mean()),
        "low": float(low),
        "high": float(high),
        "pairs": len(drawn),
        "available": len(places),
        "all_pairs": float(hit.mean()),
    }


def published_false_omission(
    p: np.ndarray, both_perturbed: int, pool: int, rng: np.random.Generator, draws: int = DRAWS
) -> float:
    """The rate that the GPO-VAE publication calls false omission rate, with its two slips (compat only).

    Pairs are drawn from a pool of genes; those whose genes are not both perturbed are skipped, yet counted below the
    line; and no pair is left out for being a predicted edge, so that the network does not enter at all. The expectation
    is (perturbed / pool)^2 times the share of significant pairs: it measures how many genes were not perturbed.

    Parameters
    ----------
    p
        (G, G) p-values; the first `both_perturbed` genes are those that were perturbed.
    pool
        Number of genes drawn from, perturbed ones included; the others have no p-value.
    """
    first = rng.integers(pool, size=draws)
    second = (first + rng.integers(1, pool, size=draws)) % pool  # another gene
    kept = (first < both_perturbed) & (second < both_perturbed)
    values = p[first[kept], second[kept]]
    return float((values < LEVEL).sum() / draws)
