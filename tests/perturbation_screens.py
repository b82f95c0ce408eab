"""Screens for tests of part 2: any cells as a prepared screen, and that of the specification's regression table."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.model_selection import train_test_split

from regulome.perturbation import papalexi
from regulome.perturbation.screen import CONTROL, Screen


def papalexi_screen() -> Screen:
    """18,497 cells x 299 genes, 23 perturbations; 64/16/20 by two nested random splits of cells, random state 0."""
    raw = papalexi.read()
    return of(raw.counts, raw.genes, raw.label)


def of(counts, genes, label, split=None) -> Screen:
    """A screen with nothing matched: each cell is its own control; 64/16/20 at random unless the split is given."""
    n = len(label)
    labels = tuple(sorted(set(label) - {CONTROL}))
    place = {name: row for row, name in enumerate(labels)} | {CONTROL: -1}
    if split is None:
        rest, test = train_test_split(np.arange(n), train_size=0.8, random_state=0)
        validation = train_test_split(rest, train_size=0.8, random_state=0)[1]
        split = np.zeros(n, int)
        split[validation], split[test] = 1, 2
    latent = tuple(sorted({gene for name in labels for gene in name.split("+")}))
    return Screen(
        name="a screen",
        counts=csr_matrix(counts, dtype=np.float32),
        genes=tuple(genes),
        labels=labels,
        label=np.array([place[name] for name in label]),
        latent=latent,
        perturbed=len(latent),
        split=np.asarray(split),
        qc_fail=np.zeros(n, bool),
        control=np.arange(n),
        counterfactual=np.zeros((0, len(genes)), np.float32),
        counterfactual_row=np.full(n, -1),
        covariates=pd.DataFrame(index=[str(i) for i in range(n)]),
    )
