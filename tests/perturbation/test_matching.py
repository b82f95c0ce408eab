"""Matched controls: against optima known by construction, another algorithm, and the published flatness."""

import os
from itertools import permutations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from regulome.errors import UserError
from regulome.perturbation import matching, splits


@pytest.fixture
def shifted():
    """Perturbed cells that are controls moved by one vector: the transport optimum is known."""
    generator = np.random.default_rng(2)
    controls = generator.normal(0, 1, (40, 6))
    order = generator.permutation(40)
    expression = np.concatenate([controls, controls[order] + 0.01])
    return expression, np.repeat([-1, 0], 40), np.zeros(80, int), order


@pytest.mark.parametrize("method", ["exact", "hungarian", "nearest"])
def test_cells_that_are_moved_controls_find_the_control_they_came_from(shifted, method):
    expression, label, split, order = shifted
    assert np.array_equal(matching.match(expression, label, split, method)[40:], order)


def test_weak_regularisation_finds_the_same_optimum(shifted):
    expression, label, split, order = shifted
    assert np.array_equal(matching.match(expression, label, split, "transport", regulariser=0.01)[40:], order)


def test_exact_transport_of_equal_numbers_is_the_best_of_all_permutations():
    cost = np.random.default_rng(3).uniform(1, 2, (6, 6))
    best = min(permutations(range(6)), key=lambda p: cost[range(6), p].sum())
    for method in ("exact", "hungarian"):
        assert tuple(matching._chosen(cost, method, 1, "median cost", None)) == best


def test_the_plan_has_its_marginals_and_minimises_cost_minus_entropy():
    cost = cdist(*np.random.default_rng(4).normal(0, 1, (2, 7, 3)))
    found = matching.plan(cost, 0.3)
    np.testing.assert_allclose(found.sum(1), 1 / 7, atol=1e-6)
    np.testing.assert_allclose(found.sum(0), 1 / 7, atol=1e-6)
    # at the optimum log plan + cost / regulariser is a sum of a row and a column term: all interactions vanish
    free = np.log(found) + cost / np.median(cost) / 0.3
    np.testing.assert_allclose(free - free.mean(0) - free.mean(1)[:, None] + free.mean(), 0, atol=1e-6)


def test_a_plan_that_would_underflow_is_computed_in_logarithms():
    cost = cdist(*np.random.default_rng(5).normal(0, 1, (2, 8, 3)))
    found = matching.plan(cost, 0.004)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(), 1, atol=1e-6)


def test_the_published_plan_is_nearly_uniform_and_a_relative_regulariser_is_not():
    cost = cdist(*np.random.default_rng(6).normal(0, 1, (2, 200, 9)))
    published, ours = matching.plan(cost, 1.0, "published"), matching.plan(cost, 0.05)
    assert published.max(1).mean() * 200**2 < 1.1
    assert ours.max(1).mean() * 200**2 > 10


def test_matches_are_controls_of_the_same_split_and_controls_are_their_own():
    generator = np.random.default_rng(7)
    label, split = generator.integers(-1, 3, 300), generator.integers(0, 3, 300)
    expression = generator.normal(0, 1, (300, 4))
    for method in matching.METHODS:
        rows = matching.match(expression, label, split, method)
        assert (label[rows] == -1).all() and (split[rows] == split).all()
        assert np.array_equal(rows[label < 0], np.flatnonzero(label < 0))


def test_hungarian_uses_no_control_more_often_than_it_must_where_there_are_few():
    expression = np.random.default_rng(8).normal(0, 1, (70, 3))
    rows = matching.match(expression, np.repeat([-1, 0], [20, 50]), np.zeros(70, int), "hungarian")
    assert np.bincount(rows[20:]).max() == 3  # 50 cells, 20 controls


def test_one_perturbation_does_not_change_the_matches_of_another_and_a_seed_gives_the_same():
    generator = np.random.default_rng(9)
    label, expression = np.repeat([-1, 0, 1], 30), generator.normal(0, 1, (90, 3))
    split, other = np.zeros(90, int), expression.copy()
    other[60:] += 1
    for method in ("transport", "random"):
        one, two = (matching.match(values, label, split, method, seed=5) for values in (expression, other))
        assert np.array_equal(one[:60], two[:60])


def test_large_screens_are_cut_into_blocks_and_their_controls_into_parts():
    generator = np.random.default_rng(10)
    label, expression = np.repeat([-1, 0], [100, 400]), generator.normal(0, 1, (500, 3))
    split = np.zeros(500, int)
    rows = matching.match(expression, label, split, "nearest", most_controls=25, most_entries=1000)
    assert len(set(rows[100:])) <= 25
    whole = matching.match(expression, label, split, "nearest")
    assert np.array_equal(matching.match(expression, label, split, "nearest", most_entries=1000), whole)
    with_blocks = matching.match(expression, label, split, "transport", most_entries=2000)
    assert (label[with_blocks] == -1).all()


def test_the_mean_control_is_the_mean_of_the_controls_of_each_split():
    values = np.arange(12.0).reshape(6, 2)
    label, split = np.array([-1, -1, 0, -1, 0, 0]), np.array([0, 0, 0, 1, 1, 1])
    expected = [[1, 2], [6, 7], [0, 0]]
    assert matching.mean_control(values, label, split).tolist() == expected
    assert matching.mean_control(csr_matrix(values), label, split).tolist() == expected


def test_bad_input_is_named():
    values, label, split = np.zeros((4, 2)), np.array([-1, 0, 0, 0]), np.array([0, 0, 1, 1])
    with pytest.raises(UserError, match="validation split has no control"):
        matching.match(values, label, split)
    with pytest.raises(UserError, match=r"found 'nearst'.*did you mean 'nearest'"):
        matching.match(values, label, split, "nearst")
    with pytest.raises(UserError, match="scale: found 'mean'"):
        matching.match(values, label, split, scale="mean")
    with pytest.raises(UserError, match="regulariser: found 0"):
        matching.match(values, label, split, regulariser=0)
    with pytest.raises(UserError, match="expected equal numbers"):
        matching.match(values[:3], label, split)
    values[2, 1] = np.nan
    with pytest.raises(UserError, match="cell 2 is not finite"):
        matching.match(values, label, split)


@pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs the Papalexi screen: set REGULOME_MIRROR")
def test_published_matching_of_stat1_cells_is_close_to_arbitrary():
    """Stated: row maximum 1.019 times the uniform mass, nearest neighbour for 19 % of the cells.

    The normalisation behind these two numbers is not stated; that of the median library is the nearest to them.
    """
    from regulome.perturbation import papalexi

    raw = papalexi.read()
    names = sorted(set(raw.label) - {"control"})
    label = np.array([-1 if name == "control" else names.index(name) for name in raw.label])
    split = splits.by_cell(label, 0)
    library = np.asarray(raw.counts.sum(1)).ravel()
    genes = [raw.genes.index(name) for name in names if name in raw.genes]
    values = np.log1p(raw.counts[:, genes].toarray() * (np.median(library) / library)[:, None])
    rows, controls = (np.flatnonzero((split == 0) & (label == k)) for k in (names.index("STAT1"), -1))
    cost = cdist(values[rows], values[controls])
    plan = matching.plan(cost, matching.PUBLISHED, "published")
    assert plan.max(1).mean() * plan.size == pytest.approx(1.019, abs=0.01)
    assert (plan.argmax(1) == cost.argmin(1)).mean() == pytest.approx(0.19, abs=0.1)
