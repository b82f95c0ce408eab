"""Compiled Hill runs against the plain reference, scipy, and closed forms."""

import numpy as np
import pytest

from regulome.circuits.codes import decode, encode
from regulome.circuits.hill import connected, simulate_hill, topologies
from regulome.circuits.hill_kernel import Integration, Run, draw, run_drawn, run_given, topology_number
from regulome.circuits.step_size import exact_trajectory
from regulome.errors import UserError

PUBLISHED = Integration(np.array([0.1, 0.1]), 0.25)


def constant(levels, steps=200, watch=100, target=None):
    return Run(np.array([levels], dtype=float), np.array([steps]), watch, target)


def plain(signs, b, k, inputs, genes, dt=0.25, steps=200, watch=100):
    curves = simulate_hill(signs, b.astype(float), k.astype(float), inputs, dt=dt, n_steps=steps)[:, watch:][..., genes]
    slope = np.diff(curves, axis=1) / dt
    return {
        "mean": curves.mean(1), "variance": curves.var(1), "maximum": curves.max(1), "minimum": curves.min(1),
        "last": curves[:, -1], "largest_slope": slope.max(1), "smallest_slope": slope.min(1),
    }  # fmt: skip


def assert_same(ours, theirs):
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("count", [1, 33, 80])
def test_drawn_and_given_runs_have_the_statistics_of_the_plain_code(count):
    signs = topologies()
    rng = np.random.default_rng(count)
    for topology in signs[connected(signs)][rng.integers(0, 2304, 8)]:
        b, k = draw(topology, 5, np.arange(count))
        expected = plain(topology, b, k, (0.8, 0.3), [0])
        run = constant((0.8, 0.3))
        assert_same(run_drawn(topology, 5, 0, count, run, PUBLISHED, [0]), expected)
        assert_same(run_given(topology, b, k, run, PUBLISHED, [0]), expected)


def test_every_pattern_between_two_genes_is_emitted_right():
    between = decode([f"+-{'0-+'[i % 3]}+" + code for i, code in enumerate(encode(topologies(0, 2)))])
    for topology in between:  # 81 tables of signs, coupled or not
        b, k = draw(topology, 1, np.arange(32))
        expected = plain(topology, b, k, (0.8, 0.5), [0], steps=40, watch=20)
        assert_same(run_drawn(topology, 1, 0, 32, constant((0.8, 0.5), 40, 20), PUBLISHED, [0]), expected)


@pytest.mark.parametrize(("inputs", "genes"), [(1, 1), (1, 3), (0, 2), (2, 4)])
def test_other_numbers_of_genes_and_inputs(inputs, genes):
    rng = np.random.default_rng(genes)
    integration = Integration(np.full(genes, 0.1), 0.25)
    levels = (0.7, 0.4)[:inputs]
    for _ in range(5):
        topology = rng.integers(-1, 2, (inputs + genes, genes)).astype(np.int8)
        b, k = draw(topology, 2, np.arange(40))
        watched = [0, genes - 1] if genes > 1 else [0]
        ours = run_drawn(topology, 2, 0, 40, constant(levels, 60, 30), integration, watched)
        assert_same(ours, plain(topology, b, k, levels, watched, steps=60, watch=30))


def test_phases_continue_where_the_last_one_ended():
    topology = decode(["+0-+0-++"])[0]
    b, k = draw(topology, 3, np.arange(32))
    one = run_given(topology, b, k, constant((0.8, 0.2), 90, 40), PUBLISHED, [0])
    for steps in ([40, 50], [20, 30, 40], [41, 49]):
        run = Run(np.array([[0.8, 0.2]] * len(steps)), np.array(steps), 40)
        split = run_given(topology, b, k, run, PUBLISHED, [0])
        for name in one:
            np.testing.assert_allclose(split[name], one[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_error_is_the_distance_from_the_target():
    topology = decode(["+0-+0-++"])[0]
    b, k = draw(topology, 3, np.arange(20))
    target = np.sin(np.arange(60) / 10)
    ours = run_given(topology, b, k, constant((0.8, 0.2), 60, 25, target), PUBLISHED, [0])["error"][:, 0]
    curves = simulate_hill(topology, b.astype(float), k.astype(float), (0.8, 0.2), n_steps=60)[..., 0]
    np.testing.assert_allclose(ours, np.sqrt(np.square(curves - target).mean(1)), rtol=1e-4)


def test_runge_kutta_meets_scipy():
    topology = decode(["+0-+0-++"])[0]
    b, k = draw(topology, 3, np.arange(12))
    run = constant((0.8, 0.0), 80, 79)
    ours = run_given(topology, b, k, run, Integration(np.array([0.1, 0.1]), 0.125, "rk4"), [0])["last"][:, 0]
    times = (np.arange(80) + 1) * 0.125
    exact = np.array([exact_trajectory(topology, b[p], k[p], (0.8, 0.0), times)[-1, 0] for p in range(12)])
    np.testing.assert_allclose(ours, exact, rtol=2e-3, atol=2e-4)


def test_levels_that_decay_to_nothing_stay_finite():
    signs = np.array([[-1, 1], [0, 0], [0, 1], [1, -1]])  # g2 represses itself, g1 needs g2
    ours = run_given(signs, np.ones((3, 4, 2)), np.full((3, 4, 2), 1e-3), constant((0.0, 0.0)), PUBLISHED, [0])
    assert all(np.isfinite(ours[name]).all() for name in ("mean", "variance", "largest_slope", "last"))


def test_a_set_is_the_same_whoever_draws_it():
    topology = decode(["+0-+0-++"])[0]
    b, k = draw(topology, 9, np.arange(100))
    again = draw(topology, 9, np.array([57]))
    assert (again[0][0] == b[57]).all() and (again[1][0] == k[57]).all()
    other = draw(decode(["+0-+0--+"])[0], 9, np.array([57]))
    assert (other[0] != again[0]).all()
    pool = [draw(decode([code])[0], 9, np.array([57]), shared=True)[0] for code in ("+0-+0-++", "+0-+0--+")]
    assert (pool[0] == pool[1]).all()


def test_names_and_numbers_of_topologies_are_unique():
    signs = topologies()
    assert len({topology_number(s) for s in signs}) == len(set(encode(signs))) == 6561
    np.testing.assert_array_equal(decode(encode(signs)), signs)
    with pytest.raises(UserError, match="expected 8 characters"):
        decode(["+0x"])
