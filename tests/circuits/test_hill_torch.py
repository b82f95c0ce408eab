"""Batched Hill circuits: the NumPy reference, scipy, and the hand-written gradients against autograd in float64."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from regulome.circuits import hill_adjoint, hill_torch
from regulome.circuits.hill import controlled_oscillation, hill_rates, simulate_hill
from regulome.lanes import LANES


def drawn(rng, *shape):
    return torch.tensor(rng.exponential(size=shape) + 0.05)


def circuits(seed, count, n_inputs=2, genes=2):
    rng = np.random.default_rng(seed)
    n = n_inputs + genes
    return rng, rng.integers(-1, 2, (count, n, genes)), drawn(rng, count, n, genes), drawn(rng, count, n, genes)


def test_rates_are_those_of_the_reference():
    rng, signs, b, k = circuits(1, 7)
    x = rng.random((7, 3, 4))
    found = hill_torch.rates(torch.tensor(x), torch.tensor(signs), b, k).numpy()
    for i in range(7):
        for c in range(3):
            one = hill_rates(x[i, c][None], signs[i], b[i : i + 1].numpy(), k[i : i + 1].numpy())[0]
            np.testing.assert_allclose(found[i, c], one, rtol=1e-12, atol=1e-15)


def test_trajectories_are_those_of_the_reference():
    _, signs, b, k = circuits(2, 5)
    inputs = np.array([[0.0, 0.0], [0.8, 0.0], [0.0, 0.8]])
    levels = torch.tensor(np.repeat(inputs[:, None], 40, axis=1))
    found = hill_torch.simulate(torch.tensor(signs), b, k, levels, torch.full((5, 2), 0.1, dtype=torch.float64), 0.25)
    for i in range(5):
        for c in range(3):
            one = simulate_hill(signs[i], b[i : i + 1].numpy(), k[i : i + 1].numpy(), inputs[c], n_steps=40)[0]
            np.testing.assert_allclose(found[i, c], one, rtol=1e-10, atol=1e-13)


def test_runge_kutta_meets_scipy():
    _, signs, b, k = circuits(3, 1)
    level, start = np.array([0.7, 0.2]), np.array([0.3, 0.6])

    def slope(_, g):
        return hill_rates(np.concatenate([level, g])[None], signs[0], b.numpy(), k.numpy())[0] - g

    exact = solve_ivp(slope, (0, 3), start, rtol=1e-11, atol=1e-13, t_eval=np.arange(1, 16) * 0.2).y.T
    levels = torch.tensor(np.broadcast_to(level, (1, 15, 2)).copy())
    found = hill_torch.simulate_rk4(torch.tensor(signs), b, k, levels, torch.tensor(start)[None], 0.2)
    np.testing.assert_allclose(found[0, 0], exact, atol=1e-7)


@pytest.mark.parametrize(
    ("n_inputs", "genes", "own", "restarts"), [(2, 2, False, 32), (1, 3, True, 16), (0, 2, False, 16)]
)
def test_compiled_trajectories_and_gradients_are_those_of_autograd(n_inputs, genes, own, restarts):
    rng, signs, _, _ = circuits(4, 5, n_inputs, genes)
    signs[0, :, 0] = np.minimum(signs[0, :, 0], 0)  # a gene without activator, and a topology
    signs[1] = 0  # without any link
    shape = (5, restarts, n_inputs + genes, genes)
    b, k = drawn(rng, *shape).requires_grad_(), drawn(rng, *shape).requires_grad_()
    start = torch.tensor(rng.random((5, restarts, 3, genes)), requires_grad=True)
    inputs = torch.tensor(rng.random(((5,) if own else ()) + (3, 20, n_inputs)))
    weight = torch.tensor(rng.standard_normal((5, restarts, 3, 20, genes)))

    compiled = hill_adjoint.simulate(hill_adjoint.Plan(signs, restarts), b, k, inputs, start, 0.2)
    ours = torch.autograd.grad((compiled * weight).sum(), (b, k, start))
    copied = torch.tensor(signs).repeat_interleave(restarts, 0)
    levels = inputs.repeat_interleave(restarts, 0) if own else inputs
    plain = hill_torch.simulate(copied, b.flatten(0, 1), k.flatten(0, 1), levels, start.flatten(0, 1), 0.2)
    theirs = torch.autograd.grad((plain.unflatten(0, (5, restarts)) * weight).sum(), (b, k, start))

    np.testing.assert_allclose(compiled.detach(), plain.detach().unflatten(0, (5, restarts)), atol=1e-8)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
        assert other.abs().max() > 1  # not a comparison of zeros


def test_gradients_do_not_depend_on_the_number_of_threads():
    rng, signs, _, _ = circuits(5, 6)
    b, k = (drawn(rng, 6, LANES, 4, 2).float().requires_grad_() for _ in "bk")
    start, inputs = torch.full((6, LANES, 2, 2), 0.1), torch.tensor(rng.random((2, 30, 2)))
    plan, found = hill_adjoint.Plan(signs, LANES), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        loss = hill_adjoint.simulate(plan, b, k, inputs, start, 0.2).square().sum()
        found.append(torch.autograd.grad(loss, (b, k)))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_restarts_have_to_fill_the_lanes():
    with pytest.raises(ValueError, match="multiple of 16"):
        hill_adjoint.Plan(np.ones((1, 3, 2), dtype=int), 10)


def test_statistics_and_verdicts_are_those_of_whole_trajectories():
    rng = np.random.default_rng(6)
    signs = np.array([[0, 1], [1, 0], [1, -1], [1, 1]])  # I1 -> g2, I2 -> g1, g1 -> g1, g1 -| g2, g2 -> g1, g2 -> g2
    b, k = rng.exponential(size=(2, 200, 4, 2))
    runs = [simulate_hill(signs, b, k, level)[..., 0] for level in ((0, 0), (0.8, 0), (0, 0.8))]
    found = hill_torch.statistics(signs, torch.tensor(b), torch.tensor(k))
    half = np.stack(runs, axis=1)[..., 100:]
    for name, values in (("mean", half.mean(-1)), ("variance", half.var(-1)), ("largest", np.diff(half).max(-1))):
        np.testing.assert_allclose(found[name], values, atol=1e-12)
    assert hill_torch.passes(found).tolist() == controlled_oscillation(*runs).tolist()
