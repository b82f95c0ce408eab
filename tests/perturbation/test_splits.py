"""Splits: the published sizes, nothing held out that is seen in training, controls everywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.errors import UserError
from regulome.perturbation import splits

LABELS = ("A", "A+B", "A+C", "B", "C", "D", "D+E", "E", "F")


@pytest.fixture
def label() -> np.ndarray:
    return np.random.default_rng(1).permutation(np.repeat(np.arange(-1, len(LABELS)), [60, *[20] * len(LABELS)]))


@pytest.mark.parametrize(
    ("cells", "published"),
    [
        (129_478, (82_865, 20_717, 25_896)),  # Replogle K562
        (91_891, (58_809, 14_703, 18_379)),  # Replogle RPE1
        (46_236, (29_590, 7_398, 9_248)),  # Adamson
    ],
)
def test_random_cells_have_the_published_numbers(cells, published):
    label = np.arange(cells) % 5 - 1
    assert tuple(np.bincount(splits.by_cell(label, 0))) == published


def test_random_cells_are_those_of_the_published_function_called_twice(label):
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(np.arange(len(label)), train_size=0.8, random_state=0)
    train, validation = train_test_split(rest, train_size=0.8, random_state=0)
    found = splits.by_cell(label, 0)
    for place, rows in enumerate((train, validation, test)):
        assert np.array_equal(np.flatnonzero(found == place), np.sort(rows))


def test_another_seed_gives_other_cells_and_the_same_seed_the_same(label):
    assert np.array_equal(splits.by_cell(label, 3), splits.by_cell(label, 3))
    assert not np.array_equal(splits.by_cell(label, 3), splits.by_cell(label, 4))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_gene_held_out_of_training_is_in_no_training_combination_either(seed):
    label = np.repeat(np.arange(-1, len(LABELS)), [60, *[8] * len(LABELS)])
    try:
        found = splits.by_perturbation(LABELS, label, seed)
    except UserError:  # the genes that are left make no training label: said, not hidden
        return
    genes = [
        {gene for k in np.unique(label[(found == place) & (label >= 0)]) for gene in LABELS[k].split("+")}
        for place in range(3)
    ]
    singles = [
        {LABELS[k] for k in np.unique(label[(found == s) & (label >= 0)]) if "+" not in LABELS[k]} for s in (1, 2)
    ]
    assert singles[1] and not genes[0] & singles[1]
    assert singles[0] and not genes[0] & singles[0]
    assert not genes[1] & singles[1]  # nor does validation know a test gene
    for k in range(len(LABELS)):  # whole perturbations
        assert len(set(found[label == k])) == 1
    assert set(found[label < 0]) == {0, 1, 2}


def test_held_out_combinations_are_in_the_test_split_only_and_their_genes_in_training(label):
    found = splits.by_combination(LABELS, label, 0)
    pairs = [k for k, name in enumerate(LABELS) if "+" in name]
    assert set(found[np.isin(label, pairs)]) == {2}
    assert set(found[(label >= 0) & ~np.isin(label, pairs)]) == {0, 1}
    assert set(found[label < 0]) == {0, 1, 2}


def test_a_share_of_the_combinations_can_stay_in_training(label):
    found = splits.by_combination(LABELS, label, 0, share=0.34)
    tested = np.unique(label[(found == 2) & (label >= 0)])
    assert len(tested) == 1 and "+" in LABELS[tested[0]]


def test_the_table_counts_every_cell_once(label):
    found = splits.table(LABELS, label, splits.by_cell(label))
    assert found.to_numpy().sum() == len(label)
    assert found.index[0] == "control" and found.loc["control"].sum() == 60
    assert (found.loc[list(LABELS)].sum(1) == 20).all()


def test_an_empty_split_is_an_error():
    with pytest.raises(UserError, match="train split has 16 perturbed and 0 control"):
        splits.by_cell(np.array([0] * 25), 0)
    with pytest.raises(UserError, match="at least 3"):
        splits.by_cell(np.array([0, -1]), 0)
    with pytest.raises(UserError, match="the train split has 0 perturbed"):
        splits.by_combination(("A+B",), np.array([0] * 10 + [-1] * 10))


def test_settings_that_hold_out_nothing_or_everything_are_errors(label):
    with pytest.raises(UserError, match="no combination"):
        splits.by_combination(("A", "B"), label % 2)
    with pytest.raises(UserError, match="share"):
        splits.by_combination(LABELS, label, share=0)
    with pytest.raises(UserError, match="sum is below 1"):
        splits.by_perturbation(LABELS, label, test=0.7, validation=0.3)
    with pytest.raises(UserError, match="2 perturbed genes"):
        splits.by_perturbation(("A", "B"), np.array([0, 1, -1] * 5))
