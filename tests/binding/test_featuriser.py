"""The featuriser against counts by hand and published scales."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from regulome.binding import featuriser
from regulome.binding.featuriser import BUCKETS, KS, LETTERS, SCALES, featurise
from regulome.binding.sequences import sequences
from regulome.errors import UserError

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQ"
START = len(LETTERS) + 2


def vector(letters: str) -> np.ndarray:
    return featurise(sequences([letters], "protein")).values[0]


def splitmix(number: int, k: int) -> int:
    """splitmix64's finaliser in plain integers."""
    mask = 2**64 - 1
    x = (number + k * 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def counted(letters: str, k: int, buckets: int) -> np.ndarray:
    found = np.zeros(buckets)
    for kmer, number in Counter(letters[i : i + k] for i in range(len(letters) - k + 1)).items():
        if set(kmer) <= set(LETTERS):
            code = sum(LETTERS.index(letter) * 20 ** (k - 1 - i) for i, letter in enumerate(kmer))
            found[splitmix(code, k) % buckets] += number
    return found


def test_every_number_is_what_the_documentation_says():
    values = vector(PROTEIN + "XU")
    length = len(PROTEIN) + 2
    for i, letter in enumerate(LETTERS):
        assert values[i] == pytest.approx(PROTEIN.count(letter) / length)
    assert values[20] == pytest.approx(2 / length)
    assert values[21] == pytest.approx(np.log(length))
    blocks = [np.log1p(counted(PROTEIN + "XU", k, size)) for k, size in ((2, 512), (3, 2048))]
    np.testing.assert_allclose(values[START : -len(SCALES)], np.concatenate(blocks), rtol=1e-6)


def test_unknown_residues_leave_scales_and_kmers_alone():
    np.testing.assert_allclose(vector("X" + PROTEIN)[START:], vector(PROTEIN)[START:], rtol=1e-6)


def test_scales_are_means_of_published_values():
    values = dict(zip(SCALES, vector("ARND")[-len(SCALES) :], strict=True))
    assert values["hydropathy (Kyte-Doolittle)"] == pytest.approx((1.8 - 4.5 - 3.5 - 3.5) / 4)
    assert values["charge at pH 7"] == pytest.approx(0)
    assert values["charged"] == pytest.approx(0.5)
    assert values["mass (Da / 100)"] == pytest.approx((89.09 + 174.20 + 132.12 + 133.10) / 400, abs=1e-4)


def test_a_vector_does_not_depend_on_what_stands_beside_it():
    together = featurise(sequences([PROTEIN, "MW", PROTEIN[::-1], PROTEIN], "protein"))
    np.testing.assert_array_equal(together.values[0], vector(PROTEIN))
    np.testing.assert_array_equal(together.values[0], together.values[3])
    assert np.abs(together.values[0] - together.values[2]).max() > 0.5  # order of residues counts
    assert np.isfinite(together.values).all()


def test_the_hash_is_the_same_on_every_machine():
    counts = (np.expm1(vector(PROTEIN)[START : -len(SCALES)]) + 0.5).astype(np.uint8)
    assert hashlib.sha256(counts.tobytes()).hexdigest()[:16] == "12cf9e9b17b8a0a9"


def test_names_and_width_travel_with_the_vectors():
    proteins = sequences([PROTEIN, "MKV"], "protein", ["a", "b"])
    found = featurise(proteins)
    assert found.names == ("a", "b")
    assert found.checksum == proteins.checksum()
    assert found.width == featuriser.width() == START + 512 + 2048 + len(SCALES)
    assert found.source == featuriser.source_name() == "k-mers (2, 3; 2048 buckets) + physico-chemical, 2592"
    assert "esm" not in found.source.lower()
    assert (KS, BUCKETS) == ((2, 3), 2048)


def test_rna_is_refused():
    with pytest.raises(UserError, match="found RNA sequences; expected proteins"):
        featurise(sequences(["ACGU"], "rna"))
