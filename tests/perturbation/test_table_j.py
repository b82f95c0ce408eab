"""Regression: baselines on the Papalexi screen against the specification's table J, to 0.005.

What the table does not say, and what reproduces it: perturbations need more than 100 cells; the Systema reference is
the mean over perturbations of the true effects in the same row; "half" is the second half of the training cells as a
prediction of the first, after numpy's generator of seed 0 has shuffled them from the order in which scikit-learn's
split returns them (other shuffles: Pearson 0.65 to 0.69); "test vs val" is validation as a prediction of test.
"""

import os

import numpy as np
import pytest
from perturbation_screens import papalexi_screen
from sklearn.model_selection import train_test_split

from regulome.perturbation import ate
from regulome.perturbation import response_baselines as baselines
from regulome.perturbation.response_metrics import scores

COLUMNS = ("pearson", "r2", "jaccard20", "jaccard50", "systema", "centroid_accuracy")
TABLE_J = {
    "train mean, all cells": (0.962, 0.917, 0.526, 0.535, 0.911, 1.00),
    "train mean": (0.653, 0.380, 0.197, 0.265, 0.416, 0.804),
    "half vs half": (0.672, 0.336, 0.240, 0.268, 0.457, 0.834),
    "test vs validation": (0.508, -0.063, 0.194, 0.251, 0.314, 0.747),
    "global mean": (0.246, 0.039, 0.154, 0.224, -0.012, 0.500),
}

pytestmark = pytest.mark.skipif(
    not os.environ.get("REGULOME_MIRROR"), reason="the real data need REGULOME_MIRROR (papalexi2021_lowmoi)"
)


@pytest.fixture(scope="module")
def papalexi():
    return papalexi_screen()


def pairs(screen):
    train, validation, test = (ate.of_split(screen, name) for name in ("train", "validation", "test"))
    rest = train_test_split(np.arange(len(screen)), train_size=0.8, random_state=0)[0]
    shuffled = train_test_split(rest, train_size=0.8, random_state=0)[0]
    first, second = baselines.halves(screen, shuffled, seed=0)
    return {
        "train mean, all cells": (train.ate, ate.of_split(screen, None).ate),
        "train mean": (train.ate, test.ate),
        "half vs half": (second.ate, first.ate),
        "test vs validation": (validation.ate, test.ate),
        "global mean": (baselines.global_mean(train).ate(screen.labels), test.ate),
    }


def test_the_screen_is_that_of_the_table(papalexi):
    assert papalexi.counts.shape == (18497, 299) and len(papalexi.labels) == 23
    assert np.bincount(papalexi.split).tolist() == [11837, 2960, 3700]


def test_every_number_of_table_j(papalexi):
    wrong = []
    for row, (predicted, truth) in pairs(papalexi).items():
        found = scores(predicted, truth).summary().iloc[0]
        gaps = {c: found[c] - value for c, value in zip(COLUMNS, TABLE_J[row], strict=True)}
        wrong += [f"{row}, {column}: off by {gap:+.4f}" for column, gap in gaps.items() if abs(gap) > 0.005]
    assert not wrong, wrong


def test_other_halves_give_the_ceiling_too(papalexi):
    found = []
    for seed in range(5):
        first, second = baselines.halves(papalexi, papalexi.rows("train"), seed)
        found.append(scores(second.ate, first.ate).summary().iloc[0]["pearson"])
    assert np.mean(found) == pytest.approx(TABLE_J["half vs half"][0], abs=0.02)
    assert 0 < np.std(found) < 0.02


def test_shrinking_the_train_mean_beats_it_on_test_cells(papalexi):
    train, validation, test = (ate.of_split(papalexi, name) for name in ("train", "validation", "test"))
    _, table, _ = baselines.best_shrunken(train, validation)
    plain = scores(train.ate, test.ate).summary().iloc[0]
    assert scores(table.ate(papalexi.labels), test.ate).summary().iloc[0]["r2"] > plain["r2"] + 0.05
