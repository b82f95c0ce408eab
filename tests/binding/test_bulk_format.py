"""Numbers as text, and RNAs too long for a model."""

import io

import numpy as np
import pytest

from regulome.binding import bulk_format, rna_windows
from regulome.binding.sequences import sequences


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_bytes_are_those_of_savetxt(kind):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=500), 10.0 ** rng.uniform(-12, 12, 200), [0.0, -0.0, -1e-9, 5e-9, 0.5]])
    values = values.astype(kind)
    expected = io.BytesIO()
    np.savetxt(expected, values, fmt="%.8f")
    assert bulk_format.lines(values) == expected.getvalue()
    assert bulk_format.lines(values[::2]) == b"".join(bulk_format.lines(values[i : i + 1]) for i in range(0, 705, 2))


def test_what_is_no_column_of_finite_numbers_is_refused():
    assert bulk_format.lines(np.empty(0)) == b""
    with pytest.raises(ValueError, match="value 2 is not finite"):
        bulk_format.lines(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="one dimension"):
        bulk_format.lines(np.ones((2, 2)))


def test_rnas_that_fit_are_not_touched():
    rnas = sequences(["ACGU", "AC", "ACGU"], "rna")
    windows = rna_windows.cut(rnas, 4)
    assert windows.rnas is rnas and windows.cut == 0
    scores = np.arange(6.0).reshape(2, 3)
    assert windows.best(scores) is scores


def test_windows_cover_every_base_and_the_best_one_counts():
    letters = ["ACGUACGUAC", "AC", "GGGGGU", "ACGUAC"]
    windows = rna_windows.cut(sequences(letters, "rna", ["long", "short", "six", "other"]), 4)
    assert windows.rnas.letters[:4] == ("ACGU", "GUAC", "ACGU", "GUAC")
    assert windows.first.tolist() == [0, 4, 5, 7] and windows.cut == 3
    assert windows.rnas.names[3:5] == ("long:7", "short")
    covered = {(int(s) + i) for s in windows.start[:4] for i in range(4)}
    assert covered == set(range(10))
    scores = np.array([[1.0, 9.0, 2.0, 3.0, -5.0, 0.5, 0.25, -2.0, -1.0]])
    assert windows.best(scores).tolist() == [[9.0, -5.0, 0.5, -1.0]]


@pytest.mark.parametrize("length", [5, 6, 7, 11, 40])
def test_a_site_of_half_a_window_lies_whole_in_one(length):
    windows = rna_windows.cut(sequences(["A" * length], "rna"), 4)
    for site in range(length - 1):
        assert any(s <= site and site + 2 <= s + 4 for s in windows.start)
    assert max(windows.start) == length - 4


def test_profiles_of_windows_are_those_of_their_bases():
    windows = rna_windows.cut(sequences(["ACGUACGUAC", "AC"], "rna"), 4)
    profiles = np.arange(100.0).reshape(2, 10, 5)
    found = windows.of_profiles(profiles)
    assert found.shape == (5, 4, 5)
    for row, begin in zip(found, windows.start[:4], strict=False):
        np.testing.assert_array_equal(row, profiles[0, begin : begin + 4])
    np.testing.assert_array_equal(found[4, :2], profiles[1, :2])
    assert not found[4, 2:].any() and windows.of_profiles(None) is None


def test_windows_of_no_length_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        rna_windows.cut(sequences(["ACGU"], "rna"), 0)
