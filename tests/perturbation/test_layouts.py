"""Perturbation screens from h5ad files: layouts, labels, raw counts, and what is refused."""

from itertools import permutations

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_matrix

from regulome.errors import UserError
from regulome.perturbation import layouts

GENES = ("KLF1", "AHR", "CREB1", "NT5E", "ACTB")
LABELS = ("control", "KLF1", "AHR", "control", "KLF1", "CREB1")


def table(labels=LABELS, column="perturbation", genes=GENES, seed=0, **obs) -> anndata.AnnData:
    counts = np.random.default_rng(seed).poisson(3.0, (len(labels), len(genes))).astype(np.float32)
    rows = pd.DataFrame({column: list(labels), **obs}, index=[f"cell{i}" for i in range(len(labels))])
    return anndata.AnnData(csr_matrix(counts), rows, pd.DataFrame(index=list(genes)))


def written(data: anndata.AnnData, tmp_path):
    path = tmp_path / "my screen.h5ad"
    data.write_h5ad(path)
    return path


def refused(data: anndata.AnnData, tmp_path, **options) -> str:
    path = written(data, tmp_path)
    with pytest.raises(UserError) as error:
        layouts.read(path, **options)
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("column", layouts.COLUMNS)
def test_the_generic_layout_keeps_counts_genes_labels_and_other_columns(tmp_path, column):
    data = table(column=column, batch=list("aabbab"))
    raw = layouts.read(written(data, tmp_path))
    assert (raw.counts != data.X).nnz == 0
    assert raw.genes == GENES
    assert raw.label.tolist() == list(LABELS)
    assert raw.covariates["batch"].tolist() == list("aabbab")
    assert raw.source == "my screen.h5ad, generic layout"
    assert raw.name == "my screen"


@pytest.mark.parametrize("form", [np.asarray, csr_matrix, csc_matrix])
def test_dense_and_sparse_matrices_are_read_alike(tmp_path, form, monkeypatch):
    monkeypatch.setattr(layouts, "_ROWS", 4)  # several blocks
    data = table()
    expected = data.X.toarray()
    data.X = form(expected)
    assert layouts.read(written(data, tmp_path)).counts.toarray().tolist() == expected.tolist()


def test_raw_counts_are_found_in_layers_and_raw_when_x_is_normalised(tmp_path):
    data = table()
    counts = data.X.toarray()
    data.raw = data.copy()
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    assert layouts.read(written(data, tmp_path)).counts.toarray().tolist() == counts.tolist()
    data.layers["counts"] = csr_matrix(counts + 1)
    assert layouts.read(written(data, tmp_path)).counts.toarray().tolist() == (counts + 1).tolist()


def test_scperturb_combinations_and_controls(tmp_path):
    data = table(
        ("control", "KLF1_AHR", "AHR", "AHR_KLF1", "CREB1", "control"), ncounts=[1] * 6, nperts=[0, 2, 1, 2, 1, 0]
    )
    raw = layouts.read(written(data, tmp_path))
    assert raw.label.tolist() == ["control", "AHR+KLF1", "AHR", "AHR+KLF1", "CREB1", "control"]
    assert "scPerturb" in raw.source


def test_replogle_symbols_come_from_ensembl_ids_and_shared_symbols_are_told_apart(tmp_path):
    data = table(("non-targeting", "KLF1", "non-targeting_02", "SRSF1"), "gene", gene_id=["", "ENSG1", "", "ENSG9"])
    data.var.index = [f"ENSG{i}" for i in range(5)]
    data.var["gene_name"] = ["TBCE", "KLF1", "AHR", "TBCE", "ACTB"]
    raw = layouts.read(written(data, tmp_path))
    assert raw.genes == ("TBCE", "KLF1", "AHR", "TBCE_ENSG3", "ACTB")
    assert raw.label.tolist() == ["control", "KLF1", "control", "SRSF1"]
    assert raw.gene_ids["TBCE_ENSG3"] == "ENSG3"
    assert raw.gene_ids["SRSF1"] == "ENSG9", "also of a perturbed gene that is not measured"
    assert "Replogle" in raw.source


def test_adamson_vectors_are_taken_off_and_unassigned_cells_left_out(tmp_path):
    data = table(("62(mod)_pBA581", "CREB1_pDS269", "*", "Gal4-4(mod)_pBA582", "KLF1_pDS001", "AHR_pBA017"))
    raw = layouts.read(written(data, tmp_path))
    assert raw.label.tolist() == ["control", "CREB1", "control", "KLF1", "AHR"]
    assert raw.cells == ("cell0", "cell1", "cell3", "cell4", "cell5")
    assert raw.notes == ("1 cells without a perturbation are left out",)
    assert (raw.counts != data.X[[0, 1, 3, 4, 5]]).nnz == 0
    assert "Adamson" in raw.source


@settings(max_examples=30, deadline=None)
@given(genes=st.sets(st.sampled_from(["KLF1", "AHR", "CREB1", "NT5E"]), min_size=1), join=st.sampled_from("+;_"))
def test_the_order_and_the_sign_between_genes_do_not_matter(genes, join):
    expected = "+".join(sorted(genes))
    for order in permutations(genes):
        assert layouts.labels(np.array([join.join(order)]), GENES, "generic", "here").tolist() == [expected]
        assert layouts.labels(np.array([join.join([*order, "ctrl"])]), GENES, "generic", "here").tolist() == [expected]


def test_a_measured_gene_with_an_underscore_is_no_combination():
    texts = np.array(["Y_RNA", "Y_RNA+AHR"])
    assert layouts.labels(texts, (*GENES, "Y_RNA"), "generic", "here").tolist() == ["Y_RNA", "AHR+Y_RNA"]


@pytest.mark.parametrize(
    "name",
    ["control", "Non-Targeting", "non_targeting_0012", "nontargeting", "NT", "NTC", "NTg3", "NT_2", "ctrl", "neg_ctrl"],
)
def test_controls_are_recognised(name):
    assert layouts.labels(np.array([name]), GENES, "generic", "here").tolist() == ["control"]


@pytest.mark.parametrize("gene", ["NT5E", "NTRK1", "CNTN1", "NTN4", "NEGR1", "CTRC"])
def test_genes_whose_names_resemble_controls_are_no_controls(gene):
    assert not layouts.is_control(gene)


@pytest.mark.parametrize(
    ("change", "guess"),
    [
        (lambda x: np.log1p(1e4 * x / x.sum(1, keepdims=True)), "log1p of counts scaled to 10,000 a cell"),
        (lambda x: np.log1p(1e4 * x / x.sum(1, keepdims=True))[:, :40], "log1p of counts scaled by cell (some genes"),
        (lambda x: np.log2(1 + 1e6 * x / x.sum(1, keepdims=True)), "log2(1 + x) of counts scaled to 1,000,000 a cell"),
        (lambda x: np.log1p(x), "log1p of counts"),
        (lambda x: 1234.5 * x / x.sum(1, keepdims=True), "counts scaled to 1,23"),
    ],
)
def test_normalised_values_are_refused_and_named(tmp_path, change, guess):
    genes = [f"G{i}" for i in range(60)]
    data = table(genes=genes)
    values = change(data.X.toarray().astype(float)).astype(np.float32)
    data = data[:, : values.shape[1]].copy()
    data.X = csr_matrix(values)
    message = refused(data, tmp_path)
    assert "cell 'cell0', gene 'G0': found" in message
    assert f"it looks like {guess}" in message
    assert "looked for in X" in message


def test_other_values_that_are_no_counts_are_named_by_cell_and_gene(tmp_path):
    for value, expected in ((np.nan, "found nan"), (np.inf, "found inf"), (-1.0, "found -1"), (2.5, "found 2.5")):
        data = table()
        data.X = data.X.toarray()
        data.X[2, 3] = value
        message = refused(data, tmp_path)
        assert "X, cell 'cell2', gene 'NT5E'" in message
        assert expected in message


def test_a_repeated_gene_is_named(tmp_path):
    data = table(genes=("KLF1", "AHR", "CREB1", "AHR", "ACTB"))
    assert "gene 'AHR' occurs 2 times" in refused(data, tmp_path)


def test_a_missing_column_is_named_with_the_closest_one(tmp_path):
    message = refused(table(column="pertubation"), tmp_path)
    assert "no column 'perturbation' or 'gene' or 'condition' (did you mean 'pertubation'?)" in message
    assert "no column 'genes' (did you mean 'gene'?)" in refused(table(column="gene"), tmp_path, column="genes")


def test_screens_without_controls_or_without_perturbed_cells_are_refused(tmp_path):
    message = refused(table(["KLF1"] * 3 + ["AHR"]), tmp_path)
    assert "no control cells among 2 labels (most frequent: 'KLF1', 'AHR')" in message
    assert "all 3 cells are controls" in refused(table(["NT", "non-targeting", "control"]), tmp_path)


def test_empty_matrices_are_refused(tmp_path):
    data = table()
    data.X = csr_matrix(data.shape, dtype=np.float32)
    assert "all 6 cells are empty" in refused(data, tmp_path)
    assert "0 cells and 5 genes" in refused(table()[:0].copy(), tmp_path)


def test_labels_of_guides_are_refused(tmp_path):
    assert "label 'KLF1_2' looks like a guide" in refused(table(("control", "KLF1_2", "KLF1_1")), tmp_path)


def test_files_that_are_no_h5ad_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.h5ad: no such file"):
        layouts.read(tmp_path / "none.h5ad")
    (tmp_path / "text.h5ad").write_text("counts")
    with pytest.raises(UserError, match=r"text\.h5ad: not an h5ad file"):
        layouts.read(tmp_path / "text.h5ad")


def test_an_unknown_layout_is_named(tmp_path):
    with pytest.raises(UserError, match=r"layout is 'Replogel'.*did you mean 'Replogle'"):
        layouts.read(written(table(), tmp_path), layout="Replogel")
