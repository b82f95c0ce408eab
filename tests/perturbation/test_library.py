"""Perturbation models as functions: fit, predict, pseudobulk, network, evaluate."""

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from linear_screens import linear_screen

from regulome.errors import UserError
from regulome.perturbation import library, prepare
from regulome.perturbation import screen as screens
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.settings import ModelSettings, TrainingSettings

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def screen():
    return linear_screen(perturbed=6, extended=3, others=12, cells=50, controls=200)[0]


@pytest.fixture(scope="module")
def model(screen):
    settings, training = ModelSettings.mini("gpo"), TrainingSettings.mini(epochs=8, batch=64)
    return library.fit(screen, settings, training=training, seed=3, progress=False, hop=1)


def test_changes_and_seed_reach_the_model(model):
    assert (model.settings.hop, model.settings.basal) == (1, 10)
    assert model.record["training"]["seed"] == 3


def test_an_unknown_change_is_named(screen):
    with pytest.raises(UserError, match=r"hops.*did you mean 'hop'"):
        library.fit(screen, "gpo", hops=1)


def test_cells_of_unseen_combinations_are_predicted(model):
    cells = library.predict(model, ["A00", "A01+A02", "control"], 7)
    assert cells.shape == (21, len(model.genes))
    assert cells.obs["perturbation"].value_counts().to_dict() == {"A00": 7, "A01+A02": 7, "control": 7}
    assert (cells.X.data == np.round(cells.X.data)).all()
    assert list(cells.var_names) == list(model.genes)


def test_observed_libraries_are_those_of_the_training_controls(model):
    sums = np.asarray(library.predict(model, "A00", 400).X.sum(1)).ravel()
    assert np.mean(sums) == pytest.approx(model.libraries.mean(), rel=0.1)


def test_pseudobulk_is_the_mean_of_predicted_cells(model):
    cells = library.predict(model, ["A00", "control"], 400, seed=5).X.toarray()
    y = np.log2(1 + 1e4 * cells / cells.sum(1, keepdims=True))
    means = library.pseudobulk(model, ["A00", "control"], n=400, seed=5)
    effect = library.pseudobulk(model, "A00", effects=True, n=400, seed=5)
    assert np.allclose(means.loc["A00"], y[:400].mean(0), atol=1e-4)
    assert np.allclose(effect.loc["A00"], y[:400].mean(0) - y[400:].mean(0), atol=1e-4)


@pytest.mark.parametrize("wanted", ["A0", ["A00", "A00+B1"]])
def test_a_perturbation_that_the_model_cannot_predict_is_named(model, wanted):
    with pytest.raises(UserError, match=r"'(A0|B1)' is no treatment"):
        library.predict(model, wanted, 5)


def test_the_network_is_ranked_without_its_diagonal(model):
    scores, table = model.network(), library.network(model)
    assert (table["regulator"] != table["target"]).all()
    assert (table["score"].diff().dropna() <= 0).all()
    first = table.iloc[0]
    assert scores.loc[first["regulator"], first["target"]] == pytest.approx(first["score"])
    assert not set(table["regulator"]) & {"E00", "E01", "E02"}  # nobody perturbed them
    assert (library.network(model, threshold=0.5)["score"] > 0.5).all()


def test_our_model_is_the_default_and_has_signs(screen):
    ours = library.fit(screen, training=GpoTraining(epochs=4), progress=False)
    table = library.network(ours)
    assert set(table["sign"]) <= {-1, 1}
    assert (np.sign(table["effect"]) == table["sign"]).all()
    assert library.predict(ours, ["A00", "A01+A02"], 3).shape == (6, len(screen.genes))
    means = library.pseudobulk(ours, ["A00", "control"])
    effect = library.pseudobulk(ours, ["A00"], effects=True)
    assert np.allclose(means.loc["A00"] - means.loc["control"], effect.loc["A00"])
    assert set(library.evaluate(ours, screen)["kind"]) == {"model", "baseline", "ceiling"}


def test_no_network_without_a_mask(screen):
    other = library.fit(screen, ModelSettings.mini("cpa"), training=TrainingSettings.mini(epochs=1), progress=False)
    with pytest.raises(UserError, match="no network"):
        library.network(other)


def test_evaluation_has_every_baseline_and_a_ceiling(model, screen):
    table = library.evaluate({"mine": [model]}, screen, n=50)
    kinds = table.groupby("kind")["predictor"].unique()
    assert list(kinds["model"]) == ["mine"]
    assert {"no change", "global mean", "train mean", "shrunken mean", "linear"} <= set(kinds["baseline"])
    assert len(kinds["ceiling"]) > 0


def test_a_model_is_not_evaluated_on_another_screen(model):
    other = linear_screen(perturbed=5, extended=3, others=12, cells=50, controls=200)[0]
    with pytest.raises(UserError, match="other"):
        library.evaluate(model, other)


def test_raw_counts_and_prepared_screens_are_both_read(tmp_path, screen):
    labels = np.array([*screen.labels, "control"], object)[screen.label]
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(screen))])
    raw = anndata.AnnData(screen.counts, obs=obs, var=pd.DataFrame(index=list(screen.genes)))
    raw.write_h5ad(tmp_path / "raw.h5ad")
    found = library.read_screen(tmp_path / "raw.h5ad", prepare.Settings(min_cells=20, doublets="off"))
    screens.save(found, tmp_path / "prepared.h5ad")
    again = library.read_screen(tmp_path / "prepared.h5ad")
    assert found.labels == screen.labels
    assert (again.split == found.split).all()
    assert (again.counts != found.counts).nnz == 0


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing.h5ad: no such file"):
        library.fit(tmp_path / "nothing.h5ad")
