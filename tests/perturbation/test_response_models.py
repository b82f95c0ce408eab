"""Trained models found in a folder and turned into predictors."""

import numpy as np
import pytest
from perturbation_screens import of

from regulome.errors import UserError
from regulome.perturbation import ate, held_out, response_models, results_response
from regulome.perturbation.settings import ModelSettings, TrainingSettings
from regulome.perturbation.training import train

GENES = ("A", "B", *(f"g{i}" for i in range(18)))
SMALL = {"basal": 2, "decoder_width": 8, "encoder_width": 8, "effect_layers": 1, "effect_width": 8}


@pytest.fixture(scope="module")
def screen():
    rng = np.random.default_rng(3)
    label = np.array(["A", "B", "A+B", "control"], object)[np.arange(240) % 4]
    return of(rng.poisson(rng.uniform(1, 9, 20), (240, 20)), GENES, label)


@pytest.fixture(scope="module")
def folder(screen, tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    for name, family, seed in (("sams", "sams", 10), ("sams", "sams", 2), ("mine", "cpa", 0)):
        settings, recipe = ModelSettings(family=family, **SMALL), TrainingSettings.mini(seed=seed, epochs=1)
        train(screen, settings, recipe, "cpu", progress=False).save(place / f"{name}_seed{seed}.pt")
    (place / "notes.pt").write_text("not a model, and not named as one")
    return place


def test_models_are_found_by_title_in_the_order_of_seeds(folder, screen):
    found = response_models.load(folder, screen)
    assert list(found) == ["SAMS-VAE", "mine"]
    assert [model.record["training"]["seed"] for model in found["SAMS-VAE"]] == [2, 10]
    assert response_models.load(folder / "nothing", screen) == {}


def test_damaged_model_and_another_screen_are_refused(folder, screen, tmp_path):
    (tmp_path / "sams_seed0.pt").write_bytes((folder / "sams_seed2.pt").read_bytes()[:500])
    with pytest.raises(UserError, match=r"sams_seed0\.pt"):
        response_models.load(tmp_path, screen)
    other = of(screen.counts, GENES[::-1], np.array(["A", "B", "A+B", "control"], object)[np.arange(240) % 4])
    with pytest.raises(UserError, match="other measured genes"):
        response_models.load(folder, other)


def test_effects_are_those_of_the_model_and_do_not_change_when_looked_up_again(folder, screen):
    models = response_models.load(folder, screen)
    found = response_models.effects(models, screen.labels, cells=20, seed=4)
    expected = models["mine"][0].ate(["B", "A"], n=20, seed=4, library="observed")
    assert found["mine"][0].ate(["B", "A"]) == pytest.approx(expected)
    raw = response_models.effects(models, ["A"], cells=20, seed=4, method=ate.RAW)["mine"][0].ate(["A"])
    control, own = (models["mine"][0].predict(name, 20, 4, "observed") for name in ("control", "A"))
    assert raw[0] == pytest.approx(own.mean(0) - control.mean(0), abs=1e-6)


def test_models_trained_anew_do_not_see_held_out_combinations(folder, screen):
    models = response_models.load(folder, screen)
    pairs = held_out.pairs(screen)
    assert held_out.unseen_labels(pairs.screen) == ["A+B"]
    found = response_models.refit(models, pairs.screen, ["SAMS-VAE", "not trained"], epochs=2)
    assert list(found) == ["SAMS-VAE"] and len(found["SAMS-VAE"][0].log) == 2
    assert np.isfinite(found["SAMS-VAE"][0].ate(["A+B"], n=10)).all()


def test_published_families_cannot_predict_unseen_perturbations(folder, screen):
    models = response_models.load(folder, screen)
    assert response_models.predict_unseen(models) == []
    other = held_out.resplit(of(*four_genes()), "perturbations", 0)
    unseen = held_out.unseen_labels(other)
    assert unseen and not set(other.label[other.rows("train")]) & {other.labels.index(name) for name in unseen}


def four_genes():
    rng = np.random.default_rng(0)
    label = np.array(["A", "B", "C", "D", "control"], object)[np.arange(200) % 5]
    return rng.poisson(5, (200, 6)), ("A", "B", "C", "D", "x", "y"), label


def test_bounds_and_pass_rates_have_a_row_for_every_training(folder, screen):
    models = response_models.load(folder, screen)
    bounds = response_models.bounds(models, screen, screen.rows("test")[:10], particles=3)
    assert bounds["model"].tolist() == ["SAMS-VAE", "SAMS-VAE", "mine"]
    assert np.isfinite(bounds["iwelbo"]).all() and (bounds["iwelbo"] >= bounds["elbo"]).all()
    rates = response_models.pass_rates(models, screen, ["A"], cells=5)
    assert len(rates) == 3 * (1 + 2 * 3) and rates["passing"].between(0, 1).all()
    rows = results_response.generated_rows(bounds, rates, section="x")
    assert [row["id"] for row in rows][:2] == ["iwelbo.sams_vae", "iwelbo.mine"]
