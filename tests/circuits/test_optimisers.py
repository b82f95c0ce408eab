"""RMSProp and Adam as TensorFlow 1 has them: sequences worked out by hand, step by step."""

import math

import numpy as np
import pytest
import torch

from regulome.circuits.compiled import LANES, _FlatOptimiser
from regulome.circuits.optimisers import OPTIMISERS, Adam, RMSProp

GRADIENTS = [2.0, -1.0, 0.5, 0.0, 3.0, 1e-6]


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_first_two_steps_of_rmsprop_worked_out_by_hand():
    # s starts at 1: 0.9 + 0.1 * 2² = 1.3, then 0.9 * 1.3 + 0.1 * 1² = 1.27
    p, optimiser = tensor(1.0), RMSProp(rate=0.1)
    optimiser.update([p], [tensor(2.0)])
    assert float(p) == pytest.approx(1 - 0.1 * 2 / math.sqrt(1.3), abs=1e-10)
    optimiser.update([p], [tensor(-1.0)])
    assert float(p) == pytest.approx(1 - 0.2 / math.sqrt(1.3) + 0.1 / math.sqrt(1.27), abs=1e-10)
    assert float(optimiser.squares[0]) == pytest.approx(1.27)


def test_first_step_of_adam_worked_out_by_hand():
    # m = 0.1 * 2 = 0.2, v = 0.001 * 4 = 0.004, rate * sqrt(0.001) / 0.1: the step is the rate, but for epsilon
    p, optimiser = tensor(1.0), Adam(rate=0.1)
    optimiser.update([p], [tensor(2.0)])
    rate = 0.1 * math.sqrt(1 - 0.999) / (1 - 0.9)
    assert float(p) == pytest.approx(1 - rate * 0.2 / (math.sqrt(0.004) + 1e-8), abs=1e-14)
    assert float(p) == pytest.approx(0.9, abs=1e-6)


def rmsprop_path(p, rate):
    s, path = 1.0, []
    for g in GRADIENTS:
        s = 0.9 * s + 0.1 * g * g
        p -= rate * g / math.sqrt(s + 1e-10)
        path.append(p)
    return path


def adam_path(p, rate):
    m = v = 0.0
    path = []
    for t, g in enumerate(GRADIENTS, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        corrected = rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p -= corrected * m / (math.sqrt(v) + 1e-8)
        path.append(p)
    return path


@pytest.mark.parametrize(("name", "path"), [("rmsprop", rmsprop_path), ("adam", adam_path)])
def test_whole_paths_equal_the_scalar_formulas(name, path):
    p, optimiser = tensor(0.3, -0.7), OPTIMISERS[name](0.01)
    for g, *expected in zip(GRADIENTS, path(0.3, 0.01), path(-0.7, 0.01), strict=True):
        optimiser.update([p], [tensor(g, g)])
        np.testing.assert_allclose(p, expected, rtol=0, atol=1e-14)


def test_rmsprop_differs_from_the_one_of_torch_as_documented():
    p, q = tensor(1.0), tensor(1.0).requires_grad_()
    RMSProp(rate=0.1).update([p], [tensor(2.0)])
    torchs = torch.optim.RMSprop([q], lr=0.1)
    q.grad = tensor(2.0)
    torchs.step()
    # torch: s = 0.01 * 4, so the first step is 0.1 * 2 / 0.2 = 1, eleven times as long
    assert 1 - float(q.detach()) == pytest.approx(1, rel=1e-6)
    assert 1 - float(p) == pytest.approx(0.2 / math.sqrt(1.3), rel=1e-6)


def test_adam_is_torchs_but_for_the_place_of_epsilon():
    p, q = tensor(1.0, -2.0), tensor(1.0, -2.0).requires_grad_()
    ours, torchs = Adam(rate=0.01), torch.optim.Adam([q], lr=0.01)
    for g in GRADIENTS[:5]:
        ours.update([p], [tensor(g, 2 * g)])
        q.grad = tensor(g, 2 * g)
        torchs.step()
    np.testing.assert_allclose(p, q.detach(), atol=1e-7)


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_replicates_that_stay_keep_their_own_state(name):
    rng = np.random.default_rng(0)
    gradients = torch.from_numpy(rng.normal(size=(6, 4, 2)))
    whole, part = torch.zeros(4, 2, dtype=torch.float64), torch.zeros(4, 2, dtype=torch.float64)
    reference, optimiser = OPTIMISERS[name](0.1), OPTIMISERS[name](0.1)
    keep = torch.tensor([0, 3])
    for g in gradients[:3]:
        reference.update([whole], [g])
        optimiser.update([part], [g])
    part = part[keep].clone()
    optimiser.select(keep)
    for g in gradients[3:]:
        reference.update([whole], [g])
        optimiser.update([part], [g[keep]])
    np.testing.assert_array_equal(part, whole[keep])


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_a_state_is_never_shared_between_two_trainings(name):
    first, second = OPTIMISERS[name](0.1), OPTIMISERS[name](0.1)
    first.update([tensor(1.0)], [tensor(5.0)])
    assert second.squares == []


@pytest.mark.parametrize(("name", "path"), [("rmsprop", rmsprop_path), ("adam", adam_path)])
def test_flat_optimiser_of_the_compiled_trainer_takes_the_same_path_and_leaves_frozen_lanes(name, path):
    flat = np.full((1, LANES), 0.3, np.float32)
    optimiser = _FlatOptimiser(name, 0.01, flat)
    alive = np.ones(LANES, np.float32)
    alive[5] = 0
    for g, expected in zip(GRADIENTS, path(0.3, 0.01), strict=True):
        optimiser.update(flat, np.full((1, LANES), g, np.float32), alive)
        np.testing.assert_allclose(np.delete(flat[0], 5), expected, atol=3e-7)
        assert flat[0, 5] == np.float32(0.3)
