"""Targets by hand values, with negative intensities; statistics from the training RNAs alone."""

import numpy as np
import pytest

from regulome.binding.targets import MODES, TargetTransform
from regulome.errors import UserError

Y = np.array([[-2.0, -1.0, 0.0, 1.0, 7.0], [0.5, 0.25, 3.0, 2.0, 1.0]])


def test_shifted_log_by_hand():
    found = TargetTransform.fit(Y).apply(Y)
    top = np.quantile(Y[0], 0.995)  # 7 - 0.02 * 6
    assert top == pytest.approx(6.88)
    t = np.log([1.0, 2.0, 3.0, 4.0, 1 + 6.88 + 2])
    np.testing.assert_allclose(found[0], (t - t.mean()) / t.std(), rtol=1e-6)


def test_clipped_log_takes_everything_negative_as_zero():
    found = TargetTransform.fit(Y, "clipped log").apply(Y)
    t = np.log([1.0, 1.0, 1.0, 2.0, 7.88])
    np.testing.assert_allclose(found[0], (t - t.mean()) / t.std(), rtol=1e-6)


def test_published_logarithm_is_undefined_at_and_below_minus_one():
    transform = TargetTransform.fit(Y, "published")
    found = transform.apply(Y)
    assert np.isnan(found[0, :2]).all() and np.isfinite(found[0, 2:]).all() and np.isfinite(found[1]).all()
    t = np.log([1.0, 2.0, 1 + np.quantile([0.0, 1.0, 7.0], 0.995)])
    np.testing.assert_allclose(found[0, 2:], (t - t.mean()) / t.std(), rtol=1e-6)
    np.testing.assert_allclose(transform.undefined, [0.4, 0.0])
    np.testing.assert_allclose(transform.negative, [0.4, 0.0])
    assert "20.0 % of the training intensities are negative" in transform.describe()
    assert "have no logarithm and are left out" in transform.describe()


def test_z_is_the_z_score():
    found = TargetTransform.fit(Y, "z").apply(Y)
    np.testing.assert_allclose(found, (Y - Y.mean(1, keepdims=True)) / Y.std(1, keepdims=True), rtol=1e-6)


def test_where_nothing_is_negative_published_and_clipped_agree():
    np.testing.assert_allclose(
        *(TargetTransform.fit(np.abs(Y), m).apply(np.abs(Y)) for m in ("published", "clipped log"))
    )


@pytest.mark.parametrize("mode", MODES)
def test_new_rnas_change_no_statistic_and_flagged_probes_stay_flagged(mode):
    transform = TargetTransform.fit(Y, mode)
    new = np.array([[1.0, -50.0, 1e6, np.nan], [1.0, 0.25, 1e6, np.nan]])
    found = transform.apply(new)
    assert np.isnan(found[:, 3]).all() and np.isfinite(found[:, 0]).all()
    assert found[0, 0] == TargetTransform.fit(Y, mode).apply(Y)[0, 3]
    if mode != "z":  # cut to the training range
        seen = transform.apply(Y)
        assert found[0, 2] == np.nanmax(seen[0]) and found[1, 2] == np.nanmax(seen[1])
    if mode in ("shifted log", "clipped log"):
        assert found[0, 1] == seen[0].min()


def test_flagged_probes_are_left_out_of_the_statistics():
    holes = np.column_stack([Y, [np.nan, np.nan]])
    np.testing.assert_array_equal(TargetTransform.fit(holes).apply(Y), TargetTransform.fit(Y).apply(Y))


def test_a_constant_protein_has_targets_of_zero():
    np.testing.assert_array_equal(
        TargetTransform.fit(np.full((1, 4), 2.0)).apply(np.full((1, 4), 2.0)), np.zeros((1, 4))
    )


def test_order_is_kept_below_the_clip_by_the_default_only():
    y = np.sort(np.random.default_rng(0).normal(size=(1, 1000)) * 2)
    kept = [
        (np.diff(TargetTransform.fit(y, mode).apply(y)[0][:990]) > 0).mean() for mode in ("shifted log", "clipped log")
    ]
    assert kept[0] == 1 and kept[1] < 0.6


def test_what_cannot_be_a_target_is_refused():
    with pytest.raises(UserError, match="did you mean 'shifted log'"):
        TargetTransform.fit(Y, "shiftedlog")
    with pytest.raises(UserError, match="protein 2 has no intensity; expected"):
        TargetTransform.fit(np.array([[1.0, 2.0], [np.nan, np.nan]]))
    with pytest.raises(UserError, match="protein 1 has no intensity above -1"):
        TargetTransform.fit(np.array([[-3.0, -2.0]]), "published")
