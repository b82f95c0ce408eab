"""A small simulated screen with known effects, for the tests of the perturbation models."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome.perturbation.screen import Screen


def simulate(cells: int = 600, genes: int = 30, perturbed: int = 4, seed: int = 0) -> Screen:
    """Negative binomial counts; a knockout lowers its gene and shifts some others; failing cells have an artifact."""
    rng = np.random.default_rng(seed)
    names = tuple(f"G{i:02d}" for i in range(genes))
    effect = np.where(rng.random((perturbed, genes)) < 0.15, rng.normal(0, 1.5, (perturbed, genes)), 0)
    effect[np.arange(perturbed), np.arange(perturbed)] = -3
    label = rng.integers(-2, perturbed, cells).clip(-1)
    split, fail = rng.choice(3, cells, p=[0.64, 0.16, 0.2]), rng.random(cells) < 0.2
    activity = rng.normal(0, 1, genes) + rng.normal(0, 0.5, (cells, 1)) * rng.normal(0, 1, genes)
    activity += np.where(label[:, None] >= 0, effect[label], 0) + np.outer(fail, np.sin(np.arange(genes)))
    share = np.exp(activity)
    mean = rng.lognormal(5, 0.3, cells)[:, None] * share / share.sum(1, keepdims=True)
    counts = rng.poisson(rng.gamma(5, mean / 5)).astype(np.float32)
    control = np.arange(cells)
    for part in range(3):
        controls = np.flatnonzero((split == part) & (label < 0))
        treated = np.flatnonzero((split == part) & (label >= 0))
        control[treated] = rng.choice(controls, len(treated))
    table, row = _counterfactual(counts, label, split, fail)
    return Screen(
        name="simulated toy screen",
        counts=csr_matrix(counts),
        genes=names,
        labels=names[:perturbed],
        label=label,
        latent=names[: perturbed + 2],
        perturbed=perturbed,
        split=split,
        qc_fail=fail,
        control=control,
        counterfactual=table,
        counterfactual_row=row,
        covariates=pd.DataFrame(index=[f"cell{i}" for i in range(cells)]),
    )


def _counterfactual(counts, label, split, fail) -> tuple[np.ndarray, np.ndarray]:
    """Gene-wise medians of the cells of the other quality, for every perturbation and split."""
    table, row = [], np.full(len(label), -1)
    for kind in np.unique(np.column_stack([label, split, fail]), axis=0):
        own = (np.column_stack([label, split, fail]) == kind).all(1)
        other = (label == kind[0]) & (split == kind[1]) & (fail != kind[2])
        if other.any():
            row[own] = len(table)
            table.append(np.median(counts[other], axis=0))
    return np.array(table, np.float32), row
