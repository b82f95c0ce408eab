"""Our step and the straightforward one compute the same published loss; the sizes of the benchmark."""

import numpy as np
import pytest
import torch
from toy_screens import simulate

from regulome.perturbation import training_benchmark, training_reference
from regulome.perturbation.batches import Reader
from regulome.perturbation.models import PerturbationModel, Sizes
from regulome.perturbation.noise import Noise
from regulome.perturbation.settings import ModelSettings


def test_published_terms_are_those_of_a_straightforward_implementation():
    screen = simulate()
    settings = ModelSettings.mini("gpo", compat="published")
    reader = Reader(screen, settings, "train")
    model = PerturbationModel(settings, Sizes(len(screen.genes), len(reader.names)), seed=1)
    rows, cells = reader.rows[:24], torch.from_numpy(reader.cells).float()
    ours, plain = [], []
    torch.manual_seed(0)
    with torch.no_grad():
        for seed in range(6):
            ours.append(model.loss_terms(reader.batch(rows), Noise((seed,), 100)))
            dense = training_reference.dense_batch(reader, rows)
            plain.append(training_reference.loss_terms(model, dense, cells, reader.failing, 100))
    assert set(ours[0]) == set(plain[0])
    for term in ("network", "sparsity"):
        assert ours[0][term].item() == pytest.approx(plain[0][term].item(), rel=1e-5)
    for term in ("reconstruction", "kl_basal", "kl_effect", "kl_artifact", "counterfactual"):  # the mask's is relaxed
        one, other = (np.array([terms[term].item() for terms in found]) for found in (ours, plain))
        error = np.hypot(one.std(), other.std()) / np.sqrt(6)
        assert one.mean() == pytest.approx(other.mean(), abs=5 * error + 1e-5), term


def test_the_benchmark_times_all_steps_on_the_same_cells(monkeypatch):
    monkeypatch.setattr(training_benchmark, "SMALL", {"genes": 60, "perturbed": 5, "latent": 8})
    table = training_benchmark.measure(batch=16, rounds=1)
    assert table["ratio"].iloc[0] == 1 and (table["seconds"] > 0).all()
    np.testing.assert_allclose(table["cells_per_s"], 16 / table["seconds"])


def test_the_epoch_of_the_large_screen_is_its_steps_times_their_seconds(monkeypatch):
    small = {"cells": 1000, "training": 640, "validation": 160, "genes": 40, "perturbed": 4, "latent": 6}
    monkeypatch.setattr(training_benchmark, "K562", small)
    table = training_benchmark.k562(batch=32, rounds=1).set_index("what")["value"]
    step, look, epoch = (table.filter(regex=f"^{start}").item() for start in ("training step", "validation", "epoch"))
    assert epoch == pytest.approx(20 * step + 5 * look)
