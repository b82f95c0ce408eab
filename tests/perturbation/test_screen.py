"""A prepared screen: what it computes from its counts, and its file."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from regulome.errors import UserError
from regulome.perturbation import screen
from regulome.perturbation.screen import Screen


@pytest.fixture
def small() -> Screen:
    counts = np.array([[4, 0, 6], [1, 1, 8], [0, 5, 5], [2, 2, 16], [0, 0, 0]], np.float32)
    return Screen(
        name="three genes",
        counts=csr_matrix(counts),
        genes=("A", "B", "C"),
        labels=("A", "A+D"),
        label=np.array([-1, 0, 1, -1, 1]),
        latent=("A", "D", "B"),
        perturbed=2,
        split=np.array([0, 0, 0, 1, 1]),
        qc_fail=np.array([False, True, False, False, False]),
        control=np.array([0, 0, 0, 3, 3]),
        counterfactual=np.array([[1, 2, 3]], np.float32),
        counterfactual_row=np.array([-1, 0, -1, -1, -1]),
        covariates=pd.DataFrame({"replicate": list("aabba")}, index=[f"cell{i}" for i in range(5)]),
        settings={"seed": 3},
    )


def test_dosage_names_the_genes_of_a_label_and_is_zero_for_controls(small):
    assert small.dosage.tolist() == [[1, 0, 0], [1, 1, 0]]
    assert small.cell_dosage(np.array([0, 1, 2])).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]


def test_delta_is_the_difference_of_log_normalised_counts_and_nan_for_a_gene_that_is_not_measured(small):
    assert small.size_target == 10  # training cells have 10 UMI each
    found = small.delta(np.array([2]))[0]
    assert found[[0, 2]] == pytest.approx([np.log(1 / 5), np.log(6)])
    assert np.isnan(found[1])


def test_libraries_of_other_sizes_are_scaled_and_an_empty_cell_is_zero(small):
    assert small.normalised(np.array([3]))[0] == pytest.approx(np.log1p([1, 1, 8]))
    assert small.normalised(np.array([4]))[0].tolist() == [0, 0, 0]


def test_rows_of_splits_perturbations_and_controls(small):
    assert small.rows("train", "control").tolist() == [0]
    assert small.rows(label="A+D").tolist() == [2, 4]
    assert small.rows("train", passed=True).tolist() == [0, 2]


def test_the_file_gives_the_same_screen(small, tmp_path):
    screen.save(small, tmp_path / "screen.h5ad")
    again = screen.load(tmp_path / "screen.h5ad")
    for name in (each.name for each in fields(Screen)):
        old, new = getattr(small, name), getattr(again, name)
        if name == "counts":
            assert (old != new).nnz == 0
        elif name == "covariates":
            assert new.astype(str).equals(old.astype(str))
        else:
            assert np.array_equal(old, new) if isinstance(old, np.ndarray) else old == new, name


def test_part_of_a_screen_keeps_its_pairs_or_says_that_controls_are_missing(small):
    assert small.take(np.array([3, 4])).control.tolist() == [0, 0]
    with pytest.raises(UserError, match="1 cells are taken without their matched controls"):
        small.take(np.array([0, 1, 4]))


def test_other_files_are_refused(small, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        screen.load(tmp_path / "none.h5ad")
    (tmp_path / "text.h5ad").write_text("no")
    with pytest.raises(UserError, match="not a prepared screen"):
        screen.load(tmp_path / "text.h5ad")
