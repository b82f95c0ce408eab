"""Duplicates: the published table of groups, merging, and what it leaves alone."""

import numpy as np
import pytest

from regulome.binding import duplicates
from regulome.binding.compendium import Compendium
from regulome.binding.sequences import sequences


def compendium(letters, intensities):
    rnas = sequences(["ACGUACGU"] * np.shape(intensities)[1], "rna")
    values = np.asarray(intensities, dtype=np.float32)
    return Compendium(sequences(letters, "protein"), rnas, values, "synthetic")


def test_the_published_groups_turn_200_proteins_into_176():
    proteins = duplicates.like_published(seed=3)
    found = duplicates.groups(proteins)
    assert found == duplicates.published_groups()
    assert (len(found), sum(len(group) - 1 for group in found)) == (13, 24)
    assert len(set(proteins.letters)) == duplicates.PUBLISHED_UNIQUE


def test_the_published_file_sizes_fit_the_mean_length_of_the_removed_proteins():
    """24 lines less take 6,061 bytes: some 250 residues and a line end each, the length of RNAcompete constructs."""
    removed = duplicates.PUBLISHED_BYTES - duplicates.PUBLISHED_UNIQUE_BYTES
    assert 74 <= removed / 24 - 1 <= 912


def test_groups_are_in_order_and_singles_are_none():
    proteins = sequences(["AC", "CD", "AC", "DE", "CD", "AC"], "protein")
    assert duplicates.groups(proteins) == [[0, 2, 5], [1, 4]]
    assert duplicates.unique_number(proteins).tolist() == [0, 1, 0, 2, 1, 0]
    assert duplicates.groups(proteins.take([0, 1, 3])) == []


def test_merged_rows_do_not_depend_on_the_scale_of_an_experiment():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(3, 50))
    plain = duplicates.merge(compendium(["AC", "AC", "CD"], rows))[0].intensities
    rows[1] = 40 * rows[1] - 7
    scaled = duplicates.merge(compendium(["AC", "AC", "CD"], rows))[0].intensities
    assert np.corrcoef(plain[0], scaled[0])[0, 1] == pytest.approx(1, abs=1e-6)
    assert np.array_equal(plain[1], scaled[1])


def test_merging_equal_rows_changes_nothing():
    row = np.random.default_rng(1).normal(3, 2, 40)
    merged, groups = duplicates.merge(compendium(["AC", "AC"], [row, row]))
    assert groups == [[0, 1]] and merged.proteins.names == ("1",)
    assert merged.intensities[0] == pytest.approx(row, rel=1e-5)


def test_averaging_halves_the_noise_variance_and_keeping_the_first_does_not():
    generator = np.random.default_rng(2)
    signal = generator.normal(size=20_000)
    rows = signal + generator.normal(size=(2, 20_000))
    whole = compendium(["AC", "AC"], rows)
    averaged, kept = (duplicates.merge(whole, how)[0].intensities[0] for how in duplicates.HOW)
    assert np.corrcoef(averaged, signal)[0, 1] == pytest.approx((1 / 1.5) ** 0.5, abs=0.01)
    assert np.corrcoef(kept, signal)[0, 1] == pytest.approx(0.5**0.5, abs=0.01)


def test_a_missing_probe_takes_the_other_rows_value():
    rows = np.array([[0.0, 1.0, 2.0, np.nan, np.nan], [0.0, 1.0, 2.0, 3.0, np.nan]])
    merged = duplicates.merge(compendium(["AC", "AC"], rows))[0].intensities[0]
    assert np.isfinite(merged[3]) and np.isnan(merged[4])


def test_an_unknown_way_to_merge_is_refused():
    with pytest.raises(ValueError, match="expected one of average, first"):
        duplicates.merge(compendium(["AC"], [[1.0, 2.0]]), "median")
