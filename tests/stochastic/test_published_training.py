"""The published stages: the tree makes the published updates, and the flaw is behind its option."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from regulome.errors import UserError
from regulome.stochastic import networks
from regulome.stochastic import published_training as stages
from regulome.stochastic.dataset_shards import Simulation, make
from regulome.stochastic.published_training import FINE_TUNING, PublishedSettings, fine_tune, pretrain, rate_at
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_training import mean_divergence, prompts_of, targets
from regulome.stochastic.transformer import named

NETWORK = networks.narrowed(networks.load("telegraph"), [3.0, 3.0, 8.0, 2.0], [2, 25])


@pytest.fixture(scope="module")
def histograms():
    protocol = Simulation(1, burn_in=50.0, window=1000.0, grid=0.5)
    return make(NETWORK, 8, seed=1, engine="ssa", simulation=protocol, threads=1, progress=False)


def fresh(seed=0):
    return Solver.new(NETWORK, named("published", prompt_tokens=8), seed)


def weights(solver):
    return torch.cat([w.detach().flatten() for w in solver.transformer.parameters()])


@pytest.mark.parametrize("masked", [False, True])
def test_tree_has_the_loss_and_gradient_of_one_sequence_for_every_sample(histograms, masked):
    rows = np.array([[0, 0], [0, 3], [1, 3], [1, 24]])
    times, found = np.array([5, 1, 3, 2]), []
    for layout in stages.LAYOUTS:
        solver = fresh()
        prompt = prompts_of(solver, histograms)[2:3]
        logs = stages._log_probabilities(solver, prompt, rows, times, layout, masked)
        (logs.sum(-1) @ torch.tensor(times, dtype=torch.float32)).backward()
        found.append([logs.detach(), *(w.grad for w in solver.transformer.parameters())])
    for tree, sequences in zip(*found, strict=True):
        torch.testing.assert_close(tree, sequences, atol=1e-4, rtol=1e-4)


def test_both_layouts_train_alike(histograms):
    settings = PublishedSettings(epochs=3, prompts=2, samples=50)
    found = [
        weights(pretrain(fresh(), histograms, replace(settings, layout=layout), progress=False))
        for layout in stages.LAYOUTS
    ]
    torch.testing.assert_close(*found, atol=2e-4, rtol=0)


def test_published_gradients_are_those_of_a_single_parameter_set(histograms):
    settings = PublishedSettings(epochs=25, prompts=100, samples=40)
    published = pretrain(fresh(), histograms, settings, progress=False)
    single = pretrain(fresh(), histograms, replace(settings, prompts=1, gradients="accumulated"), progress=False)
    assert torch.equal(weights(published), weights(single))
    meant = pretrain(fresh(), histograms, replace(settings, prompts=5, gradients="accumulated"), progress=False)
    assert not torch.allclose(weights(meant), weights(published))


def test_learning_rate_is_the_published_one():
    settings = PublishedSettings()
    assert rate_at(0, settings) == 0.0 and rate_at(10, settings) == pytest.approx(5e-4)
    assert rate_at(20, settings) == pytest.approx(1e-3)
    assert rate_at(510, settings) == pytest.approx(8e-4)  # half way from 1e-3 to 6e-4
    assert rate_at(999, settings) == pytest.approx(6e-4, rel=1e-3) and rate_at(5000, settings) == 6e-4
    assert rate_at(20, FINE_TUNING) == pytest.approx(8e-4) and rate_at(10_000, FINE_TUNING) == 6e-5


def test_pretraining_lowers_the_divergence_of_laws_it_has_seen(histograms):
    solver = fresh()
    found, prompts = targets(solver, histograms)[0], prompts_of(solver, histograms)
    before = mean_divergence(solver, found, prompts)
    pretrain(solver, histograms, PublishedSettings(epochs=150, samples=200), histograms, progress=False)
    after = mean_divergence(solver, found, prompts)
    assert after < 0.6 * before
    assert solver.record["stages"][0]["curve"]["validation_kl"][-1] == pytest.approx(after)


def test_score_function_loss_has_no_gradient_where_the_network_is_the_reference(histograms):
    """With ln p - ln q the same for every state the centred weights are 0."""
    solver = fresh()
    law = solver.joint(histograms.theta[0])
    data = type(histograms).of(NETWORK, histograms.theta[:1], [law])
    prompt = prompts_of(solver, data)[:1]
    pair = [(law.counts, law.weights)]
    settings = replace(FINE_TUNING, samples=400)
    for weight in solver.transformer.parameters():
        weight.grad = None
    loss, delta = stages._fine_tuning_loss(solver, prompt, data, pair, 0, settings, np.random.default_rng(0))
    loss.backward()
    assert delta.abs().max() < 1e-4
    assert max(w.grad.abs().max() for w in solver.transformer.parameters()) < 1e-3


@pytest.mark.parametrize("loss", stages.LOSSES)
def test_fine_tuning_loss_is_that_of_the_formula(histograms, loss):
    solver, place = fresh(), 3
    data, prompts = stages._clipped(solver, histograms), prompts_of(solver, histograms)
    settings = replace(FINE_TUNING, samples=60, loss=loss)
    found, _ = stages._fine_tuning_loss(
        solver, prompts[place : place + 1], histograms, data, place, settings, np.random.default_rng(8)
    )
    generator, (counts, weights) = np.random.default_rng(8), data[place]
    drawn = [*solver.sample(histograms.theta[place], 30, generator), *counts[generator.integers(0, len(counts), 30)]]
    table = solver.joint(histograms.theta[place]).table(solver.bounds)
    reference = {tuple(row): weight for row, weight in zip(counts, weights, strict=True)}
    p = np.array([table[tuple(row)] for row in drawn])
    r = np.array([reference.get(tuple(row), 0.0) for row in drawn])
    delta = np.log(p) - np.log(np.maximum(r, 1e-26 / 20_001))
    first = np.unique(np.array(drawn), axis=0, return_index=True)[1]
    expected = {
        "kl": np.mean((delta - delta.mean()) * np.log(p)),
        "klreweight": np.mean(p / p.mean() * (delta - delta.mean()) * np.log(p)),
        "l2": ((p[first] - r[first] * p[first].sum() / r[first].sum()) ** 2).sum(),
        "crossEntropy": -(r[first] * np.log(p[first])).sum(),
    }
    assert found.item() == pytest.approx(expected[loss], rel=1e-3)


def test_fine_tuning_changes_the_weights_and_keeps_its_record(histograms):
    solver = pretrain(fresh(), histograms, PublishedSettings(epochs=5, samples=50), progress=False)
    before = weights(solver)
    fine_tune(solver, histograms, replace(FINE_TUNING, epochs=4, prompts=3, samples=50), histograms, progress=False)
    record = solver.record["stages"][1]
    assert torch.isfinite(weights(solver)).all() and not torch.equal(weights(solver), before)
    assert record["stage"] == "fine_tune" and len(record["loss"]) == 4 and np.isfinite(record["loss"]).all()


def test_unknown_loss_is_refused_with_a_hint():
    with pytest.raises(UserError, match="did you mean 'crossEntropy'"):
        PublishedSettings(loss="crossentropy")
    with pytest.raises(UserError, match="gradients is 'both'"):
        PublishedSettings(gradients="both")
