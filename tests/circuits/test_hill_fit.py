"""Gradient fits of Hill circuits: loss of the trainer, recovery of what a circuit made, known oscillators."""

import numpy as np
import pytest
import torch

from regulome.circuits import codes
from regulome.circuits.hill_fit import fit_to_networks, fit_to_oscillation, fit_to_task, oscillates, task_loss
from regulome.circuits.hill_search import HillCircuits
from regulome.circuits.network import simulate
from regulome.circuits.task import Task
from regulome.circuits.training import TrainingSettings, replicate_loss, train

FEEDFORWARD = codes.decode(["++00-0"], 1)  # I -> g1, I -> g2, g2 -| g1
OSCILLATORS = codes.decode(["0++0+-++", "0+-++-++"])  # among the topologies with the most hits of the enumeration


def task(targets, inputs, initial=(0.0, 0.0), loss="root_sum", stationary=None) -> Task:
    cases, _, n = inputs.shape
    return Task(
        "made", ("g1", "g2"), tuple(f"I{i}" for i in range(n)), 0.2, inputs, targets, np.array(initial),
        np.zeros(cases, bool) if stationary is None else stationary, np.ones((n + 2, 2), bool),
        tuple(f"case{i}" for i in range(cases)), loss,
    )  # fmt: skip


def made_by(circuit: HillCircuits, steps=30) -> Task:
    inputs = np.repeat(np.array([[[0.3]], [[1.0]]]), steps, axis=1)
    return task(circuit.simulate(inputs, 0.2)[0], inputs)


@pytest.fixture(scope="module")
def feedforward() -> HillCircuits:
    k = np.array([[[0.5, 0.8], [1, 1], [0.3, 1]]])
    b = np.where(FEEDFORWARD > 0, 1.2, 0.0)
    return HillCircuits(FEEDFORWARD, b, k, np.zeros((1, 2)))


@pytest.mark.parametrize("loss", ["root_sum", "root_mean"])
def test_the_loss_is_that_of_the_trainer(loss):
    rng = np.random.default_rng(0)
    targets = rng.random((3, 12, 2))
    targets[1, 4:], targets[:, :, 1] = np.nan, np.nan
    made = task(targets, rng.random((3, 12, 1)), loss=loss, stationary=np.array([True, False, True]))
    curves = torch.tensor(rng.random((5, 3, 12, 2)))
    wanted = replicate_loss(made, curves, torch.tensor(targets)[None], torch.tensor(made.stationary))
    torch.testing.assert_close(task_loss(made, targets[None])(curves), wanted)


def test_a_curve_made_by_a_circuit_is_found_again(feedforward):
    made = made_by(feedforward)
    wrong = codes.decode(["+000+0"], 1)  # no link between the genes that could make the pulse
    found, loss = fit_to_task(made, np.concatenate([FEEDFORWARD, wrong]), seed=1, updates=500)
    assert loss[0] < 0.05 < 10 * loss[0] + 0.1 < loss[1]
    error = found.simulate(made.input_values, 0.2) - made.targets
    np.testing.assert_allclose(np.sqrt(np.square(error).sum((1, 2, 3))), loss, rtol=1e-3, atol=2e-6)
    assert (found.b[found.signs < 1] == 0).all() and (found.b[found.signs > 0] > 0).all()


def test_a_topology_gets_the_same_fit_in_any_company(feedforward):
    made = made_by(feedforward)
    others = codes.decode(["+0+0-+", "++++++"], 1)
    _, alone = fit_to_task(made, FEEDFORWARD, seed=3, updates=40)
    _, together = fit_to_task(made, np.concatenate([others, FEEDFORWARD]), seed=3, updates=40)
    assert together[2] == pytest.approx(alone[0], rel=1e-4)


def test_the_search_can_begin_where_it_is_told_and_never_gets_worse(feedforward):
    made = made_by(feedforward)
    _, loss = fit_to_task(made, FEEDFORWARD, seed=1, updates=1, first=feedforward)
    assert loss[0] < 1e-3


def test_a_start_level_that_the_task_leaves_open_is_fitted():
    inputs = np.zeros((1, 20, 1))
    decay = 0.7 * 0.8 ** np.arange(1, 21)
    targets = np.stack([decay, np.full(20, np.nan)], axis=1)[None]
    found, loss = fit_to_task(task(targets, inputs, (np.nan, 0.0)), codes.decode(["+00000"], 1), seed=0, updates=300)
    assert loss[0] < 0.01 and found.start[0] == pytest.approx([0.7, 0.0], abs=0.01)


def test_oscillators_are_found_where_they_are_known_and_not_without_a_negative_loop():
    positive = codes.decode(["0++0++++"])  # the same links, all loops positive
    signs = np.concatenate([OSCILLATORS, positive])
    found, passed, loss = fit_to_oscillation(signs, seed=1, restarts=32, updates=200)
    assert passed.tolist() == [True, True, False]
    assert (loss[:2] < 0.1).all() and loss[2] > 1
    assert oscillates(found).tolist() == passed.tolist()


def test_networks_are_converted_by_their_rates_and_their_trajectories(adaptation_task):
    trained = train(adaptation_task, TrainingSettings(steps=600), 4, seed=1).network
    inputs = np.repeat(np.array([[[0.1]], [[0.5]], [[1.0]]]), 40, axis=1)
    signs = codes.decode(["+++0-+"] * 4, 1)  # the incoherent feed-forward loop, which adapts
    found, error = fit_to_networks(trained, signs, inputs, 0.2, seed=1, updates=400)
    with torch.no_grad():
        wanted = simulate(trained, inputs, 0.2).numpy()
    curves = found.simulate(inputs, 0.2)
    np.testing.assert_allclose(np.sqrt(np.square(curves - wanted).mean((1, 2, 3))), error, rtol=1e-3)
    spread = np.sqrt(wanted.var((1, 2)).mean(-1))  # the error of the best constant of each gene
    assert np.median(error / spread) < 0.2  # a network that adapts in another way does not fit this topology


def test_wrong_shapes_are_refused(feedforward):
    made = made_by(feedforward)
    with pytest.raises(ValueError, match="3 regulators"):
        fit_to_task(made, np.ones((2, 4, 2), int), seed=1)
    with pytest.raises(ValueError, match="-1, 0 or 1"):
        fit_to_task(made, np.full((1, 3, 2), 2), seed=1)
