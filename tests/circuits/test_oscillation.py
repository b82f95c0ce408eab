"""Controlled oscillation: criteria on drawn curves, variants of the task, and training that starts from networks."""

from dataclasses import replace

import numpy as np
import plain_circuit
import pytest
import torch

from regulome import paths
from regulome.circuits import oscillation
from regulome.circuits.network import new_network, replicate_generators, simulate
from regulome.circuits.task_file import read_task
from regulome.circuits.training import TrainingSettings, train
from regulome.errors import UserError


@pytest.fixture(scope="module")
def task():
    return read_task(paths.mini_data() / "tasks" / "controlled_oscillation.yaml")


@pytest.fixture(scope="module")
def network(task):
    return new_network(task, "private", 5, replicate_generators(1, 2), weight_sd=0.5)


# ---- the task --------------------------------------------------------------------------------------------------------


def test_target_is_four_triangles_of_period_fifteen(task):
    oscillating = task.targets[task.case_names.index("oscillation"), :, 0]
    one = [0, 0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(oscillating, one * 4)


def test_unconditional_task_oscillates_in_every_case_and_need_not_rest(task):
    free = oscillation.unconditional(task)
    for case in range(3):
        np.testing.assert_array_equal(free.targets[case], task.targets[1])
    assert not free.stationary.any() and task.stationary.any()
    np.testing.assert_array_equal(free.input_values, task.input_values)


def test_a_fixed_initial_level_is_not_trained(task):
    fixed = oscillation.with_initial(task, "g2", 0.9)
    assert fixed.initial.tolist() == [0.1, 0.9] and np.isnan(task.initial[1])
    result = train(fixed, TrainingSettings(hidden=4, steps=3), 2, seed=0)
    assert (result.network.initial_state(3)[..., 1] == np.float32(0.9)).all()


# ---- errors and criteria ---------------------------------------------------------------------------------------------


def test_squared_errors_equal_the_loop_and_leave_the_rest_penalty_out(task, network):
    ours = oscillation.squared_errors(network, task)
    for r in range(2):
        levels = plain_circuit.trajectory(network, r, task.input_values, task.dt)
        for c in range(3):
            expected = sum((levels[c, k, 0] - task.targets[c, k, 0]) ** 2 for k in range(60))
            assert ours[r, c] == pytest.approx(expected, rel=1e-4)


def test_test_curves_are_those_of_the_plain_network_at_twenty_levels_of_each_input(network):
    curves = oscillation.responses(network)
    assert curves.shape == (2, 2, 20, 300)
    for which, level in ((0, 3), (1, 19)):
        inputs = np.zeros((1, 300, 2))
        inputs[0, 60:, which] = 0.05 * (level + 1)
        expected = plain_circuit.trajectory(network, 1, inputs, 0.1)[0, :, 0]
        np.testing.assert_allclose(curves[1, which, level], expected, atol=1e-5)


def good_curves():
    """A run that does what it should, as the test records it."""
    time = 0.1 * (np.arange(300) + 1)
    curves = np.full((1, 2, 20, 300), 0.1)
    curves[:, 0, :, 60:] = 0.4 + 0.2 * np.sin(2 * np.pi * time[60:] / 3)
    curves[:, 1, :, 60:] = 0.8
    return curves


def test_a_run_that_does_its_task_is_good():
    assert oscillation.good_runs(good_curves()).tolist() == [True]


@pytest.mark.parametrize("fault", ["damped", "silent", "low", "restless", "oscillates under I2", "high at rest"])
def test_every_way_to_fail_is_noticed(fault):
    curves = good_curves()
    time = np.arange(240)
    if fault == "damped":
        curves[:, 0, :, 60:] = 0.4 + 0.2 * np.sin(2 * np.pi * time / 30) * np.exp(-time / 50)
    elif fault == "silent":
        curves[:, 0, :, 60:] = 0.4
    elif fault == "low":
        curves[:, 1, :, 60:] = 0.5
    elif fault == "restless":
        curves[:, :, :, :60] = 0.1 + 0.08 * np.sin(np.arange(60))
    elif fault == "oscillates under I2":
        curves[:, 1, :, 60:] = 0.8 + 0.1 * np.sin(2 * np.pi * time / 30)
    else:
        curves[:, :, :, :60] = 0.3
    assert oscillation.good_runs(curves).tolist() == [False]


def test_only_the_trained_level_decides():
    curves = good_curves()
    curves[:, :, :15] = 0.0  # levels below 0.8 may do anything
    assert oscillation.good_runs(curves).all()
    assert oscillation.LEVELS[oscillation.TRAINED] == pytest.approx(0.8)


@pytest.mark.parametrize("period", [1.7, 3.0, 4.45])
def test_period_and_swing_of_a_sine(period):
    dt = 0.05
    time = dt * np.arange(800)
    curves = np.stack([0.5 + 0.15 * np.sin(2 * np.pi * time / period), np.full(800, 0.3)])
    swing, found = oscillation.swing_and_period(curves, dt)
    assert swing == pytest.approx([0.3, 0], abs=2e-3)  # a peak falls between samples
    assert found[0] == pytest.approx(period, rel=1e-3) and np.isnan(found[1])


def test_a_smaller_step_integrates_the_same_time_and_equation(network):
    coarse, fine = (oscillation.oscillation_at(network, dt) for dt in (0.01, 0.005))
    assert coarse.shape[1] == 4000 and fine.shape[1] == 8000
    assert np.abs(coarse - fine[:, 1::2]).max() < 2e-3


# ---- training that starts from networks ------------------------------------------------------------------------------


def same(one, other, **tolerance):
    for a, b in zip(one.tensors(), other.tensors(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, **tolerance)


@pytest.mark.parametrize("backend", ["torch", "compiled"])
def test_starting_from_the_random_networks_is_what_training_does_anyway(task, backend):
    settings = TrainingSettings(hidden=4, steps=4, noise=0.05, backend=backend)
    random = new_network(task, "private", 4, replicate_generators(7, 3))
    plain, started = train(task, settings, 3, seed=7), train(task, settings, 3, seed=7, start=random)
    same(plain.network, started.network, atol=0)
    np.testing.assert_array_equal(plain.loss, started.loss)


@pytest.mark.parametrize("backend", ["torch", "compiled"])
def test_training_goes_on_from_given_weights(task, backend):
    settings = TrainingSettings(hidden=4, steps=1, rate=1e-9, backend=backend)
    given = new_network(task, "private", 4, replicate_generators(0, 2), weight_sd=0.4)
    result = train(task, settings, 2, seed=5, start=given)
    same(result.network, given, atol=1e-6)
    assert given.start.requires_grad is False


def test_both_backends_start_alike(task):
    given = new_network(task, "private", 4, replicate_generators(0, 2), weight_sd=0.4)
    results = [
        train(task, TrainingSettings(hidden=4, steps=5, backend=backend), 2, seed=5, start=given)
        for backend in ("torch", "compiled")
    ]
    same(results[0].network, results[1].network, atol=1e-5)


def test_the_start_of_another_task_keeps_its_weights_but_not_its_initial_state(task):
    fixed = oscillation.with_initial(task, "g2", 0.9)
    given = new_network(task, "private", 4, replicate_generators(0, 2))
    result = train(fixed, TrainingSettings(hidden=4, steps=1), 2, seed=5, start=given)
    inputs = task.input_values[:, :1]
    expected = simulate(replace(result.network, initial=torch.tensor([0.1, 0.9])), inputs, 0.2)
    np.testing.assert_allclose(simulate(result.network, inputs, 0.2), expected)


@pytest.mark.parametrize("wrong", [{"hidden": 6}, {"replicates": 3}, {"architecture": "shared"}])
def test_networks_that_do_not_fit_are_refused(task, wrong):
    given = new_network(
        task, wrong.get("architecture", "private"), wrong.get("hidden", 4),
        replicate_generators(0, wrong.get("replicates", 2)),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"controlled_oscillation.*networks to start from.*expected private"):
        train(task, TrainingSettings(hidden=4, steps=1), 2, seed=0, start=given)
