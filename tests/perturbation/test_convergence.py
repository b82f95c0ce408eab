"""Convergence subnetworks."""

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.perturbation import convergence

GENES = ("A", "B", "C", "D", "X", "Y", "Z")


def matrices():
    scores, wd = np.zeros((7, 7)), np.zeros((7, 7))
    scores[:4, 4] = [0.9, -0.8, 0.7, 0.65]  # X: four regulators, one with a small distance
    wd[:4, 4] = [0.3, 0.5, 0.4, 0.29]
    scores[:3, 5], wd[:3, 5] = [0.9, 0.9, 0.6], 1  # Y: only two above the cutoff
    scores[:4, 6], wd[:4, 6] = 0.7, 0.35  # Z: four
    scores[4:, 4:], scores[:4, 1], wd[:4, 1] = 0.9, 0.9, 1  # unperturbed regulators and perturbed targets do not count
    return scores, wd


def test_hubs_are_unperturbed_genes_with_enough_strong_regulators():
    table = convergence.subnetworks(*matrices(), GENES, 4)
    assert table["hub"].drop_duplicates().tolist() == ["Z", "X"]
    own = table[table["hub"] == "X"]
    assert own["regulator"].tolist() == ["B", "C", "A"] and own["sign"].tolist() == [-1, 1, 1]
    assert (own["regulators"] == 3).all()
    few = convergence.subnetworks(*matrices(), GENES, 4, most=3)
    assert few["hub"].unique().tolist() == ["X"]
    assert convergence.subnetworks(*matrices(), GENES, 4, cutoff=2.0).empty


def test_true_regulators_of_each_hub_are_counted():
    truth = np.zeros((7, 7))
    truth[[0, 3], 4] = truth[[0, 1], 6] = 1
    found = convergence.against_truth(convergence.subnetworks(*matrices(), GENES, 4), truth, GENES)
    assert found.set_index("hub").loc[["X", "Z"], ["regulators", "true", "known"]].to_numpy().tolist() == [
        [3, 1, 2],
        [4, 2, 2],
    ]


def test_a_range_upside_down_is_refused():
    with pytest.raises(UserError, match="found 5 to 3 regulators"):
        convergence.subnetworks(*matrices(), GENES, 4, fewest=5, most=3)
