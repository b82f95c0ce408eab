"""The compiled trainer against autograd in float64, and against the torch trainer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from regulome import paths
from regulome.circuits.compiled import LANES, Block
from regulome.circuits.network import new_network, replicate_generators, simulate
from regulome.circuits.task_file import read_task
from regulome.circuits.training import TrainingSettings, replicate_loss, train


@pytest.fixture(scope="module")
def task():
    return read_task(paths.mini_data() / "tasks" / "adaptation.yaml")


def _autograd(network, task, inputs, targets, noise):
    parameters = [p.requires_grad_() for p in network.tensors()]
    trajectory = simulate(network, inputs, task.dt, noise=noise)
    losses = replicate_loss(task, trajectory, targets, torch.from_numpy(task.stationary))
    gradients = torch.autograd.grad(losses.sum(), parameters)
    return losses.detach().numpy(), gradients


@pytest.mark.parametrize("architecture", ["shared", "private"])
@pytest.mark.parametrize("loss", ["root_sum", "root_mean"])
def test_gradients_equal_autograd_in_float64(task, architecture, loss):
    task = replace(task, loss=loss)
    network = new_network(task, architecture, 7, replicate_generators(3, LANES), 0.5, torch.float64)
    if architecture == "private":
        links = (np.random.default_rng(0).random((LANES, 3, 2)) < 0.6).astype(float)
        network = replace(network, links=torch.from_numpy(links))
    inputs, targets = task.realise(np.random.default_rng(1).random((LANES, 1)))
    noise = np.random.default_rng(2).normal(0, 0.05, targets.shape)
    losses, gradients = _autograd(
        network, task, torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(noise)
    )
    block = Block(network.detach(), task, np.float64)
    innermost = [np.ascontiguousarray(a.transpose(2, 1, 3, 0)) for a in (inputs, np.nan_to_num(targets), noise)]
    compared = np.ascontiguousarray(~np.isnan(targets[0]).transpose(1, 0, 2)).astype(float)
    ours = block.loss_and_gradient(innermost[0], innermost[1], compared, innermost[2])
    np.testing.assert_allclose(ours, losses, rtol=1e-10)
    for name, expected in zip([*block.layer_gradients, "start"], gradients, strict=True):
        got = block.start_gradient if name == "start" else block.layer_gradients[name]
        np.testing.assert_allclose(np.moveaxis(got, -1, 0), expected.numpy(), rtol=1e-8, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("optimiser", ["rmsprop", "adam"])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_both_trainers_follow_the_same_path(task, optimiser, noise):
    settings = TrainingSettings(steps=40, optimiser=optimiser, noise=noise, backend="torch")
    reference = train(task, settings, 3, seed=5)
    compiled = train(task, replace(settings, backend="compiled"), 3, seed=5)
    np.testing.assert_allclose(compiled.loss, reference.loss, rtol=2e-4)
    for ours, theirs in zip(compiled.network.tensors(), reference.network.tensors(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_result_does_not_depend_on_the_number_of_threads(task):
    settings = TrainingSettings(steps=30, noise=0.02, backend="compiled")
    before = torch.get_num_threads()
    try:
        losses = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            losses.append(train(task, settings, LANES + 3, seed=1).loss)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*losses)
