"""Correlations, splits and intervals against NumPy, SciPy and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from regulome.binding import validation
from regulome.binding.validation import DISJOINT, PUBLISHED, SEEN, Split, bootstrap, correlations, split
from regulome.errors import UserError


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_correlations_are_those_of_scipy_per_protein(rng):
    predicted, measured = rng.normal(size=(5, 40)), rng.normal(size=(5, 40)).astype(np.float32)
    expected = [stats.pearsonr(a, b)[0] for a, b in zip(predicted, measured, strict=True)]
    np.testing.assert_allclose(correlations(predicted, measured), expected, atol=1e-12)


def test_correlation_is_per_row_and_not_that_of_the_flat_block(rng):
    """Rows with offsets of their own: the flat correlation is high, every single one is about zero."""
    offsets = 10 * np.arange(4)[:, None]
    predicted, measured = rng.normal(size=(4, 500)) + offsets, rng.normal(size=(4, 500)) + offsets
    assert np.corrcoef(predicted.ravel(), measured.ravel())[0, 1] > 0.9
    assert np.abs(correlations(predicted, measured)).max() < 0.2


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])
def test_constant_rows_give_zero_and_no_warning(rng, value):
    other = rng.normal(size=(1, 30))
    constant = np.full((1, 30), value, dtype=np.float32)
    with np.errstate(all="raise"):
        assert correlations(constant, other) == [0.0] and correlations(other, constant) == [0.0]


def test_flagged_probes_are_left_out_for_their_protein_only(rng):
    predicted, measured = rng.normal(size=(2, 50)), rng.normal(size=(2, 50))
    measured[0, :20] = np.nan
    found = correlations(predicted, measured)
    assert found[0] == pytest.approx(stats.pearsonr(predicted[0, 20:], measured[0, 20:])[0])
    assert found[1] == pytest.approx(stats.pearsonr(predicted[1], measured[1])[0])


def test_a_prediction_that_is_not_finite_is_refused(rng):
    predicted = rng.normal(size=(2, 5))
    predicted[1, 2] = np.nan
    with pytest.raises(ValueError, match="row 1"):
        correlations(predicted, np.ones((2, 5)))
    with pytest.raises(ValueError, match="same shape"):
        correlations(np.ones((2, 5)), np.ones((5, 2)))


def test_protocols_are_disjoint_where_they_say_so():
    found = split(np.array([0, 1, 2, 0, 3, 2]), rnas=50, seed=1)
    blocks = found.blocks()
    assert set(blocks[DISJOINT][0]).isdisjoint(found.training) and set(blocks[DISJOINT][1]).isdisjoint(found.rnas)
    assert set(blocks[PUBLISHED][0]).isdisjoint(found.training) and set(blocks[PUBLISHED][1]) == set(found.rnas)
    assert set(blocks[SEEN][0]) == set(found.training) and set(blocks[SEEN][1]).isdisjoint(found.rnas)
    parts = np.concatenate([found.training, found.tuning, found.test])
    assert sorted(parts) == list(range(6)) and sorted([*found.rnas, *found.new_rnas]) == list(range(50))


def test_probe_sets_decide_where_they_are_known():
    sets = np.array(["A", "B", "A", "A", "B"])
    found = split(np.arange(3), 5, seed=1, probe_set=sets)
    assert set(sets[found.rnas]) == {"A"} and set(sets[found.new_rnas]) == {"B"}


def test_new_rnas_are_not_a_contiguous_part():
    new = split(np.arange(3), 1000, seed=1).new_rnas
    assert len(new) == 200 and np.diff(new).max() > 1 and abs(new.mean() - 500) < 60


def test_an_empty_part_is_an_error():
    with pytest.raises(UserError, match="'tuning' empty"):
        split(np.array([0, 2, 2]), 20, seed=1)


def test_a_split_survives_its_file(tmp_path):
    made = split(np.arange(4), 30, seed=2)
    made.save(tmp_path / "split.npz")
    for name, part in vars(Split.load(tmp_path / "split.npz")).items():
        np.testing.assert_array_equal(part, getattr(made, name))


def test_interval_of_the_mean_has_the_width_of_the_normal_law(rng):
    values = rng.normal(size=400)
    low, high = bootstrap(values, draws=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert (high - low) / 2 == pytest.approx(half, rel=0.06) and (high + low) / 2 == pytest.approx(
        values.mean(), abs=0.01
    )


def test_interval_of_the_median_is_that_of_repeated_values(rng):
    """The weighted medians are those of the values written out as often as they were drawn."""
    values, times = np.sort(rng.normal(size=9)), rng.integers(0, 4, size=(200, 9))
    times[:, 4] += 1
    expected = [np.median(np.repeat(values, row)) for row in times]
    np.testing.assert_allclose(validation._weighted_medians(values, times), expected)


def test_relatives_widen_the_interval(rng):
    """Twenty clusters of ten copies carry the information of twenty proteins: sqrt(10) times wider."""
    clusters = np.repeat(np.arange(20), 10)
    values = rng.normal(size=20)[clusters]
    alone, together = bootstrap(values, draws=4000), bootstrap(values, clusters, draws=4000)
    assert np.ptp(together) / np.ptp(alone) == pytest.approx(np.sqrt(10), rel=0.15)


def test_summary_and_paired_differences():
    r = {"tower": [0.4, 0.6, 0.8], "mean profile": [0.3, 0.5, 0.4]}
    rows = [(DISJOINT, method, str(i), i, x) for method in r for i, x in enumerate(r[method])]
    scores = pd.DataFrame(rows, columns=["protocol", "method", "protein", "cluster", "r"])
    table = validation.summary(scores, ["protocol", "method"]).set_index("method")
    assert table.loc["tower", "mean"] == pytest.approx(0.6)
    assert table.loc["mean profile", "median"] == pytest.approx(0.4)
    assert (table["mean_low"] <= table["mean"]).all() and (table["mean"] <= table["mean_high"]).all()
    gap = validation.differences(scores, "tower", ["protocol"]).iloc[0]
    assert gap["other"] == "mean profile" and gap["difference"] == pytest.approx(0.2)
    assert gap["low"] == pytest.approx(0.1) and gap["high"] == pytest.approx(0.4)
