"""Families of rows against known truth, and the choice between scanpy and rapids-singlecell."""

import sys

import numpy as np
import pandas as pd
import pytest
import scanpy
from sklearn.metrics import adjusted_rand_score

from regulome.errors import UserError
from regulome.singlecell import backend, families


def clouds(sizes, seed=0, columns=24, apart=4.0):
    """Gaussian clouds with unit variance in every column; cloud i is shifted by i times ``apart`` in all of them."""
    truth = np.repeat(np.arange(len(sizes)), sizes)
    values = np.random.default_rng(seed).normal(size=(len(truth), columns)) + apart * truth[:, None]
    rows = [f"run{i}" for i in range(len(truth))]
    return pd.DataFrame(values, index=rows, columns=[f"link{i}" for i in range(columns)]), truth


def gpu_works() -> bool:
    try:
        backend("cuda")
    except UserError:
        return False
    return True


needs_no_gpu = pytest.mark.skipif(gpu_works(), reason="this machine has a GPU")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [(20, 20), (35, 5), (6, 6), (30, 20, 10), (5, 35)])
def test_separate_clouds_are_recovered(sizes, seed):
    table, truth = clouds(sizes, seed)
    shuffled = np.random.default_rng(seed).permutation(len(table))
    found = families(table.iloc[shuffled], seed=seed, device="cpu")
    assert adjusted_rand_score(truth[shuffled], found.obs["family"]) == 1
    counts = found.obs["family"].value_counts().sort_index()
    assert list(counts) == sorted(sizes, reverse=True), "family 1 is the largest"


@pytest.mark.parametrize("rows", [2, 3, 4, 6, 12, 40, 200])
@pytest.mark.parametrize("seed", range(3))
def test_one_cloud_is_one_family(rows, seed):
    found = families(clouds((rows,), seed)[0], device="cpu")
    assert set(found.obs["family"]) == {"1"}


def test_a_larger_resolution_gives_more_families():
    table, _ = clouds((60,))
    counts = [families(table, resolution=r, device="cpu").obs["family"].nunique() for r in (0.2, 1.0, 3.0)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] == 1


def test_the_same_seed_gives_the_same_result():
    table, _ = clouds((60,))
    first, second = (families(table, resolution=1.5, seed=3, device="cpu") for _ in range(2))
    assert list(first.obs["family"]) == list(second.obs["family"])
    np.testing.assert_array_equal(first.obsm["X_pca"], second.obsm["X_pca"])


def test_variance_of_the_components_agrees_with_the_singular_values():
    table, _ = clouds((15, 10), columns=7)
    found = families(table, device="cpu")
    centred = table.to_numpy() - table.to_numpy().mean(0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2 / (len(table) - 1)
    np.testing.assert_allclose(found.uns["pca"]["variance"], variance, rtol=1e-5)
    np.testing.assert_allclose(found.uns["pca"]["variance_ratio"], variance / variance.sum(), rtol=1e-5)
    distances = np.linalg.norm(found.obsm["X_pca"][:, None] - found.obsm["X_pca"], axis=-1)
    expected = np.linalg.norm(centred[:, None] - centred, axis=-1)
    np.testing.assert_allclose(distances, expected, atol=1e-4)


def test_two_rows_are_joined_if_either_is_a_neighbour_of_the_other():
    table, _ = clouds((30,), columns=5)
    found = families(table, n_neighbors=4, device="cpu")
    distances = np.linalg.norm(table.to_numpy()[:, None] - table.to_numpy(), axis=-1)
    np.fill_diagonal(distances, np.inf)
    near = distances <= np.sort(distances, axis=1)[:, 2:3]  # the three nearest others
    np.testing.assert_array_equal(found.obsp["connectivities"].toarray(), near | near.T)


def test_names_are_kept():
    table, _ = clouds((8, 8), columns=2, apart=50)
    found = families(table, device="cpu")
    assert list(found.obs_names) == list(table.index)
    assert list(found.var_names) == list(table.columns)
    np.testing.assert_array_equal(found.X, table)
    assert found.uns["families"]["backend"] == "scanpy"


@pytest.mark.filterwarnings("error")
def test_identical_rows_are_one_family():
    constant = pd.DataFrame(np.ones((20, 5)))
    assert set(families(constant, device="cpu").obs["family"]) == {"1"}
    signs = pd.DataFrame(np.repeat([[1, -1, 0, 1], [-1, 1, 1, 0], [0, 0, 1, 1]], [20, 12, 8], axis=0))
    assert list(families(signs, device="cpu").obs["family"].value_counts()) == [20, 12, 8]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace(t.iloc[2, 1], np.nan), "row 'run2', column 'link1': found 'nan'"),
        (lambda t: t.assign(link3=["high"] * len(t)), "row 'run0', column 'link3': found 'high'"),
        (lambda t: t.iloc[:1], "1 rows and 24 columns; expected at least 2"),
        (lambda t: t.rename(index={"run3": "run4"}), "row 'run4' occurs twice"),
    ],
)
def test_a_bad_table_is_refused_by_row_and_column(change, message):
    with pytest.raises(UserError, match=message):
        families(change(clouds((8,))[0]), device="cpu")


@pytest.mark.parametrize("setting", [{"n_neighbors": 1}, {"resolution": 0.0}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(UserError, match="expected at least 2, and above 0"):
        families(clouds((8,))[0], **setting)


def test_the_cpu_is_scanpy():
    package = backend("cpu")
    assert package.name == "scanpy"
    assert package.pp is scanpy.pp
    assert package.tl is scanpy.tl
    adata = families(clouds((8,))[0], device="cpu")
    assert package.to_host(package.to_device(adata)) is adata


def test_an_unknown_device_is_refused():
    with pytest.raises(
        UserError, match=r"device is 'cudas'; expected one of auto, cpu, cuda \(did you mean 'cuda'\?\)"
    ):
        backend("cudas")


@needs_no_gpu
def test_auto_falls_back_to_scanpy_and_says_so_in_its_name():
    assert backend("auto").name == "scanpy"


@needs_no_gpu
def test_asking_for_a_gpu_without_one_says_how_to_get_it():
    with pytest.raises(UserError, match=r"rapids.singlecell cannot be used here .*environment-gpu\.yml"):
        families(clouds((8,))[0], device="cuda")


@needs_no_gpu
@pytest.mark.parametrize("failure", ["RuntimeError('no CUDA driver')", "OSError('libcuda.so.1 is missing')"])
def test_an_installed_package_that_fails_on_import_counts_as_absent(tmp_path, monkeypatch, failure):
    (tmp_path / "rapids_singlecell.py").write_text(f"import warnings\nwarnings.warn('noise')\nraise {failure}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rapids_singlecell", raising=False)
    assert backend("auto").name == "scanpy"
    with pytest.raises(UserError, match=failure.split("'")[1]):
        backend("cuda")


@pytest.mark.skipif(not gpu_works(), reason="no GPU")
def test_the_gpu_finds_the_same_families():
    table, truth = clouds((30, 20, 10))
    found = families(table, device="cuda")
    assert found.uns["families"]["backend"] == "rapids-singlecell"
    assert adjusted_rand_score(truth, found.obs["family"]) == 1
    cpu = families(table, device="cpu")
    np.testing.assert_allclose(found.uns["pca"]["variance"], cpu.uns["pca"]["variance"], rtol=1e-4)
