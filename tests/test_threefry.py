"""Counter-based random numbers: the published known answers, the distribution, and the compiled twin."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from regulome.threefry import exponential, threefry
from regulome.threefry_lanes import exponentials


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # known-answer tests of the Random123 distribution, threefry2x32 with 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(key, counter, expected):
    words = threefry(key, *(np.array([c], dtype=np.uint32) for c in counter))
    assert tuple(int(word[0]) for word in words) == expected


def test_numbers_are_exponential_and_the_two_words_are_independent():
    first, second = (exponential(w) for w in threefry((7, 8), np.arange(200_000), np.zeros(200_000)))
    for values in (first, second):
        assert stats.kstest(values, "expon").pvalue > 1e-3
        assert (values > 0).all() and np.isfinite(values).all()
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(200_000)


def test_extreme_words_stay_finite_and_positive():
    values = exponential(np.array([0, 511, 0xFFFFFFFF], dtype=np.uint32))
    assert np.isfinite(values).all() and (values > 0).all()
    assert values[0] == pytest.approx(24 * np.log(2), rel=1e-6)  # the smallest uniform number is 2^-24


@njit(error_model="numpy")
def _fill(y, z, key0, key1, second):
    for at in range(0, len(y), 16):
        exponentials(y, at, z, at, key0, key1, at, second)


def test_the_compiled_numbers_are_the_plain_ones():
    y, z = np.zeros(160_000, np.float32), np.zeros(160_000, np.float32)
    _fill(y, z, 2021, 2**32 - 5, 3)
    for ours, word in zip((y, z), threefry((2021, 2**32 - 5), np.arange(160_000), np.full(160_000, 3)), strict=True):
        np.testing.assert_allclose(ours, exponential(word), rtol=3e-7)


def test_a_key_that_is_no_word_is_refused():
    with pytest.raises(ValueError, match="key is"):
        threefry((-1, 0), np.zeros(1), np.zeros(1))
