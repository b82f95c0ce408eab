"""Average treatment effects against cell-by-cell arithmetic."""

import numpy as np
import pytest
from perturbation_screens import of

from regulome.errors import UserError
from regulome.perturbation import ate


@pytest.fixture(scope="module")
def screen():
    rng = np.random.default_rng(1)
    label = np.array(["A", "B", "A+B", "control"], object)[np.arange(80) % 4]
    counts = rng.poisson(rng.uniform(0.2, 8, (80, 1)) * rng.uniform(0.2, 2, 12))
    counts[5] = 0  # an empty cell
    return of(counts, [f"g{i}" for i in range(11)] + ["A"], label)


def test_effects_are_differences_of_the_mean_of_log2_of_one_plus_scaled_counts(screen):
    counts = screen.counts.toarray().astype(float)
    total = counts.sum(1, keepdims=True)
    y = np.log2(1 + 1e4 * np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))
    rows = screen.rows("train")
    found = ate.means(screen, rows)
    for place, name in enumerate(screen.labels):
        own = y[np.intersect1d(rows, screen.rows("train", name))]
        assert found.ate[place] == pytest.approx(own.mean(0) - y[screen.rows("train", "control")].mean(0))
        assert found.variance[place] == pytest.approx(own.var(0, ddof=1))
        assert found.noise[place] == pytest.approx(own.var(0, ddof=1) / len(own))


def test_raw_differences_are_of_counts(screen):
    counts = screen.counts.toarray()
    expected = counts[screen.rows(label="A")].mean(0) - counts[screen.rows(label="control")].mean(0)
    assert ate.of_split(screen, None, ate.RAW).ate[0] == pytest.approx(expected, abs=1e-6)


def test_effects_do_not_depend_on_the_library_of_cells():
    profile = np.array([[1, 2, 7], [1, 2, 7], [4, 3, 3], [4, 3, 3]])
    label = np.array(["A", "control", "A", "control"], object)
    plain, deeper = of(profile, "XYZ", label, [0] * 4), of(profile * [[1], [5], [9], [2]], "XYZ", label, [0] * 4)
    assert ate.of_split(plain, "train").ate == pytest.approx(ate.of_split(deeper, "train").ate)
    assert abs(ate.of_split(deeper, "train", ate.RAW).ate).max() > 1


def test_held_out_reference_uses_no_training_cell(screen):
    changed = of(
        screen.counts.toarray() + (screen.split == 0)[:, None] * 3, screen.genes, label_of(screen), screen.split
    )
    assert ate.of_split(changed, "test").ate == pytest.approx(ate.of_split(screen, "test").ate)
    assert abs(ate.of_split(changed, None).ate - ate.of_split(screen, None).ate).max() > 0.01


def label_of(screen):
    return np.array([*screen.labels, "control"], object)[screen.label]


def test_effect_of_samples_is_that_of_the_same_cells(screen):
    counts = screen.counts.toarray()
    found = ate.of_samples(counts[screen.rows(label="B")], counts[screen.rows(label="control")])
    assert found == pytest.approx(ate.of_split(screen, None).ate[screen.labels.index("B")])


def test_perturbation_without_cells_is_nan_and_no_controls_is_an_error(screen):
    some = np.concatenate([screen.rows(label="A"), screen.rows(label="control")])
    found = ate.means(screen, some)
    assert np.isnan(found.ate[1:]).all() and np.isfinite(found.ate[0]).all()
    with pytest.raises(UserError, match="none of 20 cells is a control"):
        ate.means(screen, screen.rows(label="A"))


@pytest.mark.parametrize("wrong", [[[-1.0, 2.0]], [[np.nan, 2.0]]])
def test_samples_that_are_no_counts_are_refused(wrong):
    with pytest.raises(UserError, match="sampled perturbed cells"):
        ate.of_samples(np.array(wrong), np.ones((2, 2)))


def test_unknown_method_and_split_are_refused_by_name(screen):
    with pytest.raises(UserError, match=r"perturbsec.*perturbseq"):
        ate.of_split(screen, "test", "perturbsec")
    with pytest.raises(UserError, match="'tests'"):
        ate.of_split(screen, "tests")
