"""Clusters and splits: no pair above the threshold on two sides, no RNA on two sides, bins of identity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.binding import clusters, splits
from regulome.binding.sequences import sequences


def random_identity(count, seed):
    generator = np.random.default_rng(seed)
    matrix = generator.random((count, count)) ** 4
    matrix = np.maximum(matrix, matrix.T)
    np.fill_diagonal(matrix, 1)
    return matrix


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 40), st.integers(0, 1000), st.floats(0.05, 1.0))
def test_no_pair_above_the_threshold_is_in_two_clusters(count, seed, threshold):
    identity = random_identity(count, seed)
    labels = clusters.by_identity(identity, threshold)
    apart = labels[:, None] != labels[None, :]
    assert not (identity[apart] >= threshold).any()
    for label in range(labels.max() + 1):  # and none is larger than it has to be
        inside = np.flatnonzero(labels == label)
        if len(inside) > 1:
            assert all((identity[i, inside[inside != i]] >= threshold).any() for i in inside)
    assert labels[0] == 0 and set(labels) == set(range(labels.max() + 1))


def test_single_linkage_follows_chains():
    identity = np.eye(4)
    identity[0, 1] = identity[1, 0] = identity[1, 3] = identity[3, 1] = 0.5
    assert clusters.by_identity(identity, 0.5).tolist() == [0, 0, 1, 0]
    assert clusters.by_identity(identity, 0.51).tolist() == [0, 1, 2, 3]


def test_complete_linkage_keeps_every_pair_above_the_cut():
    generator = np.random.default_rng(0)
    profiles = generator.normal(size=(30, 6)) + 2 * generator.normal(size=(5, 6)).repeat(6, axis=0)
    correlation = np.corrcoef(profiles)
    labels = clusters.by_correlation(correlation, 0.6)
    together = labels[:, None] == labels[None, :]
    assert correlation[together].min() >= 0.6 - 1e-9
    assert 5 <= labels.max() + 1 < 30


def test_unrelated_share_counts_pairs():
    labels = np.array([0, 0, 0, 1])
    identity = np.eye(4)
    identity[0, 1] = identity[1, 0] = 0.8
    identity[0, 3] = identity[3, 0] = 0.9
    found = clusters.unrelated_share(labels, identity)
    assert found == {"pairs": 3, "unrelated": pytest.approx(2 / 3), "split": pytest.approx(1 / 2)}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=60), st.integers(2, 4), st.integers(0, 99))
def test_folds_keep_clusters_whole_and_are_balanced(labels, count, seed):
    labels = clusters.in_order(np.array(labels))
    if labels.max() + 1 < count:
        with pytest.raises(ValueError, match="cannot fill"):
            splits.folds(labels, count, seed)
        return
    found = splits.folds(labels, count, seed)
    assert all(len(set(found[labels == label])) == 1 for label in set(labels))
    filled = np.bincount(found, minlength=count)
    assert filled.min() > 0 and filled.max() - filled.min() <= np.bincount(labels).max()
    assert np.array_equal(found, splits.folds(labels, count, seed))


def test_another_seed_gives_other_folds():
    labels = np.arange(60)
    assert not np.array_equal(splits.folds(labels, 5, 1), splits.folds(labels, 5, 2))


def test_the_nearest_training_protein_is_found_by_brute_force():
    identity, folds = random_identity(20, 5), np.arange(20) % 3
    place, value = splits.nearest_training(identity, folds)
    for i in range(20):
        others = [j for j in range(20) if folds[j] != folds[i]]
        assert value[i] == max(identity[i, j] for j in others) and folds[place[i]] != folds[i]


def test_a_split_in_one_fold_is_refused():
    with pytest.raises(ValueError, match="at least two folds"):
        splits.nearest_training(np.eye(3), np.zeros(3, dtype=int))


@pytest.mark.parametrize("by_set", [True, False])
def test_a_doubly_disjoint_split_shares_no_protein_and_no_rna(by_set):
    letters = ["CG" * (i + 1) for i in range(20)] if by_set else ["ACGU", "CGUA", "GUAC", "UACG"] * 5
    rnas = sequences(letters, "rna")
    probe_set = np.where(np.arange(20) < 12, "A", "B") if by_set else None
    found = splits.doubly_disjoint(np.arange(9) % 3, 1, rnas, seed=0, share=0.25, probe_set=probe_set)
    assert found.test_proteins.tolist() == [1, 4, 7]
    assert not set(found.training_proteins) & set(found.test_proteins)
    seen = {rnas.letters[i] for i in found.training_rnas}
    assert not any(rnas.letters[i] in seen for i in found.test_rnas)
    assert len(found.training_rnas) + len(found.test_rnas) == 20
    assert len(found.test_rnas) == (8 if by_set else 5)


def test_rnas_in_both_probe_sets_are_refused():
    rnas = sequences(["ACGU", "ACGU", "CCGU"], "rna")
    with pytest.raises(ValueError, match="1 RNAs of set B are in set A"):
        splits.doubly_disjoint(np.array([0, 1]), 0, rnas, 0, probe_set=np.array(["A", "B", "B"]))


def test_bins_have_the_published_borders():
    values = np.array([0.0, 0.399, 0.4, 0.549, 0.55, 0.7, 0.899, 0.9, 1.0])
    places = [splits.BIN_LABELS.index(label) for label in splits.bin_of(values)]
    assert places == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert splits.bin_of(0.62) == "55 to 70 %"
    for value in values:
        _, low, high = splits.IDENTITY_BINS[splits.BIN_LABELS.index(splits.bin_of(float(value)))]
        assert low <= value < high


def test_leakage_reports_the_neighbours_profile():
    identity = np.array([[1, 0.9, 0.2], [0.9, 1, 0.3], [0.2, 0.3, 1.0]])
    correlation = np.array([[1, 0.8, 0.1], [0.8, 1, 0.2], [0.1, 0.2, 1.0]])
    schemes = {"all": np.array([0, 1, 2]), "two": np.array([0, -1, 1])}
    table = splits.leakage(identity, schemes, correlation)
    assert table[table["scheme"] == "all"]["correlation"].tolist() == [0.8, 0.8, 0.2]
    assert table[table["scheme"] == "two"]["nearest"].tolist() == [2, 0]
    assert table[table["scheme"] == "two"]["correlation"].tolist() == [0.1, 0.1]
