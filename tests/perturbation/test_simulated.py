"""Screens of the simulator as prepared ones, and their scores."""

import numpy as np
import pytest

from regulome import simulated_screen
from regulome.perturbation import evaluation, response_models, results_response, simulated
from regulome.perturbation import response_baselines as baselines

SMALL = {"perturbed": 5, "regulators": 1, "targets": 12, "mitochondrial": 0, "pairs": 0, "cells": 60, "controls": 150}


@pytest.fixture(scope="module")
def made():
    return [simulated_screen.simulate(simulated_screen.Settings(**SMALL, time=4.0, seed=3))]


def test_every_gene_of_a_simulated_screen_is_latent_and_controls_are_controls(made):
    screen = simulated.prepared(made[0][0])
    assert set(screen.latent) == set(screen.genes) and screen.perturbed == 5
    assert (screen.label[screen.control] == -1).all()


def test_scores_are_those_of_held_out_cells_with_baselines_and_ceilings_beside(made):
    screen = simulated.prepared(made[0][0])
    models = response_models.ours(screen)
    table = simulated.responses(made, lambda _: models)
    own = {name for name in table["predictor"] if "ours" in name}
    assert len(own) == 2 and {baselines.TRAIN, baselines.SHRUNKEN, evaluation.HALF} <= set(table["predictor"])
    reference = evaluation.reference(screen, "test", fdr=None)
    expected = np.corrcoef(models["GPO-VAE, ours"].ate(reference.labels).ravel(), reference.truth.ravel())[0, 1]
    chosen = table.query("predictor == 'GPO-VAE, ours' and metric == 'pearson'")["value"]
    assert chosen.item() == pytest.approx(expected)
    rows = {row["id"]: row for row in results_response.screen_rows(table, "a")}
    assert rows["screens.train_mean.pearson"]["role"] == "baseline"
    assert rows["screens.half_against_half.pearson"]["role"] == "ceiling"
    assert rows["screens.gpo_vae__ours.pearson"]["role"] is None


def test_no_screens_give_no_rows():
    assert simulated.responses([], response_models.ours).empty
    assert results_response.screen_rows(simulated.responses([], response_models.ours), "a") == []
