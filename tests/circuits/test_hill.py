"""Hill circuits: published counts of topologies, the dynamics against scipy, the criteria on made-up curves."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from regulome.circuits.hill import (
    can_oscillate,
    connected,
    controlled_oscillation,
    hill_rates,
    simulate_hill,
    topologies,
)


def test_the_published_numbers_of_topologies():
    signs = topologies()
    assert len(signs) == 6561
    kept = signs[connected(signs)]
    assert len(kept) == 2304
    links = (kept != 0).sum((1, 2))
    assert [int((links == n).sum()) for n in (4, 5, 6, 7, 8)] == [64, 384, 832, 768, 256]
    assert int(can_oscillate(kept).sum()) == 640


def test_rates_by_hand():
    signs = np.array([[1, 0], [-1, 1], [1, -1]])  # I, g1, g2 on g1, g2
    x, b, k = np.array([[0.5, 0.2, 0.8]]), np.full((1, 3, 2), 2.0), np.full((1, 3, 2), 0.5)
    b[0, 0, 0], k[0, 2, 0] = 3.0, 0.25
    bound = {name: level**2 / (0.5**2 + level**2) for name, level in (("I", 0.5), ("g1", 0.2), ("g2", 0.8))}
    g2_on_g1 = 0.8**2 / (0.25**2 + 0.8**2)
    expected = [(3 * bound["I"] + 2 * g2_on_g1) * (1 - bound["g1"]), 2 * bound["g1"] * (1 - bound["g2"])]
    np.testing.assert_allclose(hill_rates(x, signs, b, k)[0], expected)


def test_a_gene_without_activator_is_never_made():
    signs = np.array([[0, 1], [-1, 0], [0, 0]])
    rates = hill_rates(np.full((4, 3), 0.7), signs, np.ones((4, 3, 2)), np.ones((4, 3, 2)))
    assert (rates[:, 0] == 0).all() and (rates[:, 1] > 0).all()


@pytest.mark.parametrize("halvings", [1, 2])
def test_euler_approaches_scipy_at_first_order(halvings):
    rng = np.random.default_rng(4)
    signs = np.array([[1, 0], [0, 1], [1, 1], [-1, 1]])
    b, k = rng.exponential(size=(1, 4, 2)), rng.exponential(size=(1, 4, 2))
    inputs = [0.8, 0.3]

    def slope(_, g):
        return hill_rates(np.concatenate([inputs, g])[None], signs, b, k)[0] - g

    exact = solve_ivp(slope, (0, 4), [0.1, 0.1], rtol=1e-10, atol=1e-12).y[:, -1]
    dt = 0.05
    errors = [
        np.abs(simulate_hill(signs, b, k, inputs, dt=step, n_steps=round(4 / step))[0, -1] - exact).max()
        for step in (dt, dt / 2**halvings)
    ]
    assert errors[0] / errors[1] == pytest.approx(2**halvings, rel=0.15)


def test_criteria_on_made_up_curves():
    t = np.arange(200)
    flat, wave = np.full((1, 200), 0.1), 0.5 + 0.4 * np.sin(2 * np.pi * t / 20)[None]
    high = np.full((1, 200), 0.8)
    assert controlled_oscillation(flat, wave, high).tolist() == [True]
    assert not controlled_oscillation(wave, wave, high)[0]  # does not rest
    assert not controlled_oscillation(flat, flat, high)[0]  # does not oscillate
    assert not controlled_oscillation(flat, t[None] / 200, high)[0]  # varies, but only upwards
    assert not controlled_oscillation(flat, wave, 3.9 * flat)[0]  # not high enough
    ringing = np.where(t < 100, wave, 0.5)
    assert not controlled_oscillation(flat, ringing, high)[0]  # stops before the second half
