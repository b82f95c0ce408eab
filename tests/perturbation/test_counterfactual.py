"""Counterfactual cells: the other quality, the right cells, and the published slip where it is asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from regulome.errors import UserError
from regulome.perturbation import counterfactual


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: arrays(np.int64, (n, 3), elements=st.integers(0, 6))))
def test_the_median_is_the_lower_one_of_torch(values):
    expected = torch.median(torch.from_numpy(values), dim=0).values.numpy()
    assert np.array_equal(counterfactual.lower_median(values), expected)


def test_every_cell_gets_the_median_of_the_other_quality_of_its_perturbation_and_split():
    generator = np.random.default_rng(1)
    counts = generator.poisson(5, (200, 7))
    label, split, fail = generator.integers(-1, 2, 200), generator.integers(0, 2, 200), generator.random(200) < 0.3
    found, row = counterfactual.groups(csr_matrix(counts), label, split, fail)
    for n in range(200):
        others = (label == label[n]) & (split == split[n]) & (fail != fail[n])
        assert others.any() and np.array_equal(found[row[n]], np.sort(counts[others], 0)[(others.sum() - 1) // 2])
    assert len(found) == 3 * 2 * 2


def test_at_most_fifty_cells_enter_and_the_seed_decides_which():
    counts = np.arange(401)[:, None]
    label, split, fail = np.zeros(401, int), np.zeros(401, int), np.arange(401) == 400
    found = [counterfactual.groups(csr_matrix(counts), label, split, fail, seed) for seed in range(30)]
    medians = np.array([values[row[400], 0] for values, row in found])
    # median of 50 of 0..399 without replacement: sd about 400 / 2 / sqrt(52) * sqrt(7 / 8) = 26
    assert 12 < medians.std() < 45
    assert abs(medians.mean() - 199.5) < 20
    again, _ = counterfactual.groups(csr_matrix(counts), label, split, fail, 7)
    assert np.array_equal(again, found[7][0])


def test_a_group_without_the_other_quality_has_none():
    counts = csr_matrix(np.eye(4))
    found, row = counterfactual.groups(
        counts, np.array([0, 0, 1, 1]), np.zeros(4, int), np.array([False, True, True, True])
    )
    assert row.tolist() == [0, 1, -1, -1]
    assert found.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    nothing, row = counterfactual.groups(counts, np.zeros(4, int), np.zeros(4, int), np.zeros(4, bool))
    assert nothing.shape == (0, 4) and (row == -1).all()


def test_the_published_slip_looks_positions_up_in_another_table():
    """The failed cells of the second split are its rows 4 and 5, positions 0 and 1: rows 0 and 1 are looked up."""
    counts = csr_matrix(np.array([[10], [10], [0], [0], [99], [99]]))
    label, split = np.array([-1, -1, -1, 0, 0, 0]), np.array([0, 0, 0, 1, 1, 1])
    fail = np.array([False, False, False, False, True, True])
    published, row = counterfactual.groups(counts, label, split, fail, compat="published")
    assert row.tolist() == [-1, -1, -1, 0, 0, 0]  # failed cells too take it from failed cells
    assert published.tolist() == [[10]]
    mended, row = counterfactual.groups(counts, label, split, fail)
    assert mended[row[3]].tolist() == [99] and mended[row[4]].tolist() == [0]


def test_bad_input_is_named():
    counts = csr_matrix(np.eye(2))
    with pytest.raises(UserError, match="compat: found 'fixed'"):
        counterfactual.groups(counts, np.zeros(2, int), np.zeros(2, int), np.zeros(2, bool), compat="fixed")
    with pytest.raises(UserError, match="2 rows of counts, 3 labels"):
        counterfactual.groups(counts, np.zeros(3, int), np.zeros(2, int), np.zeros(2, bool))
