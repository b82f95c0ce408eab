"""Training: it learns, stops early, repeats itself, resumes, and refuses what cannot be trained on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_screens import simulate

from regulome.errors import UserError
from regulome.perturbation import losses
from regulome.perturbation.settings import ModelSettings, TrainingSettings, from_dict
from regulome.perturbation.training import train
from regulome.perturbation.training_run import Run

SMALL = {"basal": 4, "decoder_width": 16, "encoder_width": 16, "effect_layers": 2, "effect_width": 16}


@pytest.fixture(scope="module")
def screen():
    return simulate()


def settings(family="gpo", **changes):
    return ModelSettings.mini(family, **(SMALL | changes))


def same(one, other) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def log(trained):
    return trained.log.drop(columns="seconds")


def test_training_lowers_every_cell_s_loss_and_logs_all_terms(screen):
    found = train(screen, settings(), TrainingSettings.mini(epochs=12, batch=64), progress=False)
    assert found.log["validation_total"].min() < found.log["validation_total"].iloc[0] - 1
    for part in ("train", "validation"):
        columns = [f"{part}_{term}" for term in losses.TERMS]
        np.testing.assert_allclose(found.log[columns].sum(axis=1), found.log[f"{part}_total"])
    assert found.record["best_validation"] == found.log["validation_total"].min()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_model(screen, tmp_path):
    training = TrainingSettings.mini(epochs=2, batch=100)
    first, again = (train(screen, settings(), training, progress=False) for _ in range(2))
    assert same(first, again) and log(first).equals(log(again))
    assert not same(first, train(screen, settings(), replace(training, seed=1), progress=False))


def test_a_resumed_training_equals_one_that_was_never_interrupted(screen, tmp_path):
    long, file = TrainingSettings.mini(epochs=4, batch=100, keep_every=1), tmp_path / "checkpoint.pt"
    whole = train(screen, settings("cradle"), long, progress=False)
    train(screen, settings("cradle"), replace(long, epochs=2), checkpoint=file, progress=False)
    resumed = train(screen, settings("cradle"), long, checkpoint=file, progress=False)
    assert same(whole, resumed) and log(whole).equals(log(resumed))
    with pytest.raises(UserError, match="checkpoint of another training \\(model differs\\)"):
        train(screen, settings("sams"), long, checkpoint=file, progress=False)


def test_training_stops_when_the_validation_loss_does_not_improve_and_keeps_the_best_weights(screen):
    training = TrainingSettings.mini(epochs=50, batch=400, patience=2, rate=0.5)
    found = train(screen, settings("cvae"), training, progress=False)
    best = int(found.log["validation_total"].argmin()) + 1
    assert found.record["best_epoch"] == best and len(found.log) == best + 2 < 50


def test_a_limit_of_steps_ends_the_training(screen):
    found = train(screen, settings("cvae"), TrainingSettings.mini(epochs=50, batch=100, steps=6), progress=False)
    assert 6 <= found.record["steps"] < 12


def test_the_mask_may_start_from_given_logits(screen):
    logits = np.arange(36.0).reshape(6, 6)
    run = Run(screen, settings(), TrainingSettings.mini(), "cpu", logits)
    np.testing.assert_array_equal(run.network.mask_logits.detach(), logits)
    with pytest.raises(UserError, match=r"found shape \(2, 2\); expected \(6, 6\)"):
        Run(screen, settings(), TrainingSettings.mini(), "cpu", np.zeros((2, 2)))


def test_test_cells_are_never_read(screen):
    blank = screen.counts.copy().tolil()
    blank[screen.rows("test")] = 0
    training = TrainingSettings.mini(epochs=1, batch=200)
    changed = replace(screen, counts=blank.tocsr().astype(np.float32))
    one, other = (train(each, settings("cpa"), training, progress=False) for each in (screen, changed))
    assert same(one, other)


def test_a_diverging_training_is_an_error_that_names_the_terms(screen):
    with pytest.raises(UserError, match="is no number in epoch"):
        train(screen, settings("cvae"), TrainingSettings.mini(epochs=20, rate=0.99, batch=50, clip=0), progress=False)


def test_counts_that_are_no_counts_are_refused(screen):
    training = TrainingSettings.mini(epochs=1)
    for wrong in (screen.counts * 0.5, -screen.counts, screen.counts * np.float32(np.nan)):
        with pytest.raises(UserError, match="expected raw UMI counts"):
            train(replace(screen, counts=wrong), settings(), training, progress=False)


def test_screens_that_cannot_be_learned_are_refused(screen):
    passed = replace(screen, qc_fail=np.zeros(len(screen), bool))
    with pytest.raises(UserError, match="no training cell failed quality control"):
        Run(passed, settings(compat="published"), TrainingSettings.mini(), "cpu")
    Run(passed, settings(compat="published", alpha=0.5), TrainingSettings.mini(), "cpu")
    with pytest.raises(UserError, match="all training cells are controls"):
        Run(replace(screen, label=np.full(len(screen), -1)), settings(), TrainingSettings.mini(), "cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "gpa"}, "family is 'gpa' .did you mean 'gpo'"),
        ({"mask_prior": 1.0}, "mask_prior is 1.0; expected above 0 and below 1"),
        ({"basal": 0}, "basal is 0; expected at least 1"),
        ({"alpha": 2.0}, "alpha is 2.0"),
        ({"margins": 1}, "unknown setting 'margins' .did you mean 'margin'"),
        ({"beta": float("nan")}, "beta is nan"),
    ],
)
def test_wrong_model_settings_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        from_dict(ModelSettings, changes)


def test_wrong_training_settings_are_named():
    with pytest.raises(UserError, match="rate is 0; expected above 0"):
        TrainingSettings(rate=0)
    with pytest.raises(UserError, match="particles is 5; expected an even number"):
        TrainingSettings(antithetic=True)
