"""A small simulated screen with a known linear network, for the tests of network inference."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome.perturbation.screen import Screen


def linear_screen(perturbed=10, extended=6, others=40, cells=60, controls=300, strength=0.9, seed=0, unmeasured=()):
    """Screen of knockdowns whose log means follow x = x B + e; returns it with B (G, G), rows regulators."""
    rng = np.random.default_rng(seed)
    size = perturbed + extended
    direct = np.zeros((size, size))
    for row in range(perturbed):  # regulators of later genes only: no cycles
        for column in rng.choice(np.arange(row + 1, size), min(2, size - row - 1), replace=False):
            direct[row, column] = strength * rng.choice([-1, 1])
    total = np.linalg.inv(np.eye(size) - direct)
    names = [f"A{i:02d}" for i in range(perturbed)] + [f"E{i:02d}" for i in range(extended)]
    label = np.repeat(np.arange(-1, perturbed), [controls] + [cells] * perturbed)
    shift = np.zeros((len(label), size))
    shift[label >= 0, label[label >= 0]] = -1.5
    log_mean = 2.0 + (shift + 0.3 * rng.normal(size=shift.shape)) @ total
    every = np.hstack([log_mean, np.full((len(label), others), 2.5)])
    counts = rng.poisson(np.exp(every))
    genes = names + [f"Z{i:02d}" for i in range(others)]
    keep = [i for i, gene in enumerate(genes) if gene not in unmeasured]
    split = rng.permutation(np.arange(len(label)) % 5)
    split = np.select([split < 3, split < 4], [0, 1], 2)
    control = np.arange(len(label))
    for part in range(3):
        pool = np.flatnonzero((label < 0) & (split == part))
        treated = np.flatnonzero((label >= 0) & (split == part))
        control[treated] = rng.choice(pool, len(treated))
    screen = Screen(
        name="simulated linear network",
        counts=csr_matrix(counts[:, keep].astype(np.float32)),
        genes=tuple(genes[i] for i in keep),
        labels=tuple(names[:perturbed]),
        label=label,
        latent=tuple(names),
        perturbed=perturbed,
        split=split,
        qc_fail=np.zeros(len(label), bool),
        control=control,
        counterfactual=np.zeros((0, len(keep)), np.float32),
        counterfactual_row=np.full(len(label), -1),
        covariates=pd.DataFrame(index=[str(i) for i in range(len(label))]),
    )
    return screen, direct
