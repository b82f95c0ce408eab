"""The semi-real compendium: its noise against the agreement it is meant to have, and its make-up on the real files."""

import os

import numpy as np
import pytest

from regulome.binding import registered, scan, semireal
from regulome.binding.semireal import kmer_membership, signal_share
from regulome.errors import UserError

real = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="REGULOME_MIRROR does not name the real data")


def random_probes(count: int, length: int, seed: int) -> list[str]:
    codes = np.random.default_rng(seed).integers(4, size=(count, length))
    return ["".join("ACGU"[i] for i in row) for row in codes]


def test_membership_counts_each_probe_once():
    probes = ["AAAAAAAAA", "ACGUACGU", "ACGNACG", "ACG"]
    found = kmer_membership(probes)
    assert found.shape == (4**7, 4)
    expected = {(kmer, n) for n, probe in enumerate(probes) for kmer in
                {probe[i : i + 7] for i in range(len(probe) - 6)} if "N" not in kmer}  # fmt: skip
    row, column = found.nonzero()
    words = ["".join("ACGU"[code // 4**p % 4] for p in range(6, -1, -1)) for code in row]
    assert set(zip(words, column.tolist(), strict=True)) == expected
    assert found.max() == 1


@pytest.mark.parametrize("agreement", [0.3, 0.6])
def test_noise_of_the_computed_share_gives_the_wanted_agreement_of_7_mer_scores(agreement):
    """Probes of a motif with that noise: 7-mer means of two independent sets must agree as asked."""
    halves = [random_probes(8_000, 38, seed) for seed in (1, 2)]
    odds = np.log(4 * np.array([[0.97, 0.01, 0.01, 0.01], [0.01, 0.01, 0.97, 0.01]] * 2))
    signal = scan.log_sum_exp([odds], halves[0] + halves[1])
    signal = (signal - signal.mean()) / signal.std()
    members = [kmer_membership(half) for half in halves]
    share = signal_share(signal, *members, np.array([agreement]), full=8_000)
    assert 0.05 < share[0] < 1
    generator = np.random.default_rng(3)
    noise = generator.normal(size=(1, 16_000)) * np.sqrt(1 / share[0] - 1)
    scores = [
        (m @ values) / np.diff(m.indptr) for m, values in zip(members, np.split((signal + noise)[0], 2), strict=True)
    ]
    seen = np.isfinite(scores[0]) & np.isfinite(scores[1])
    assert np.corrcoef(scores[0][seen], scores[1][seen])[0, 1] == pytest.approx(agreement, abs=0.03)


def test_a_lower_agreement_means_more_noise_and_a_perfect_one_none():
    halves = [random_probes(2_000, 38, seed) for seed in (1, 2)]
    signal = scan.log_sum_exp([np.log(4 * np.array([[0.85, 0.05, 0.05, 0.05]] * 5))], halves[0] + halves[1])
    signal = np.repeat((signal - signal.mean()) / signal.std(), 3, axis=0)
    members = [kmer_membership(half) for half in halves]
    low, high, perfect = signal_share(signal, *members, np.array([0.5, 0.9, 1.0]), full=100_000)
    assert low < high < perfect == 1


@pytest.fixture(scope="module")
def small():
    """A small compendium; fewer probes than usual fix its noise."""
    usual, semireal.CALIBRATION = semireal.CALIBRATION, 600
    yield semireal.make(rnas=200, held_out=80, seed=3)
    semireal.CALIBRATION = usual


@real
def test_real_proteins_real_probes_and_its_own_name(small):
    found, table = small
    constructs, measured = registered.constructs(), registered.measured()
    assert found.kind == "semi-real"
    assert found.proteins.names == constructs.names
    assert found.intensities.shape == (420, 280)
    assert found.probe_set.tolist() == ["A"] * 200 + ["B"] * 80
    known = dict(zip(measured.rnas.names, measured.rnas.letters, strict=True))
    assert all(known[name] == letters for name, letters in zip(found.rnas.names, found.rnas.letters, strict=True))
    assert np.mean(found.intensities < 0) == pytest.approx(0.5, abs=0.01)
    assert (table["ceiling"] <= 1).all()
    assert (table["share"] > 0).all()


@real
def test_the_seed_decides_probes_and_noise_and_the_share_depends_on_neither(small):
    found, table = small
    again, _ = semireal.make(rnas=200, held_out=80, seed=3)
    np.testing.assert_array_equal(again.intensities, found.intensities)
    other, shares = semireal.make(rnas=200, held_out=80, seed=4)
    assert other.rnas.letters != found.rnas.letters
    np.testing.assert_array_equal(shares["share"], table["share"])


@real
def test_without_noise_intensities_are_a_monotone_function_of_the_scan(small):
    found = semireal.build(rnas=200, held_out=80, seed=3, noise=False)
    matrices = registered.pwms()
    for name in ("RNCMPT00001", "RNCMPT00200"):
        scores = scan.log_sum_exp([np.log(4 * matrices[name])], found.rnas.letters)[0]
        row = found.intensities[found.proteins.index()[name]]
        order = np.argsort(scores, kind="stable")
        assert (np.diff(row[order]) >= -1e-4 * np.abs(row).max()).all()


@real
def test_profiles_resemble_the_measured_ones():
    """Correlations between proteins against those of the measured 7-mer profiles, which no semi-real value enters."""
    found = semireal.build(rnas=2_000, held_out=0, noise=False)
    upper = np.triu_indices(420, 1)
    ours, theirs = np.corrcoef(found.intensities)[upper], registered.profile_correlation().to_numpy()[upper]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.5


@real
def test_more_probes_than_there_are_is_refused():
    with pytest.raises(UserError, match="probes of set A: found 40000; expected at most 29998"):
        semireal.build(rnas=40_000)
