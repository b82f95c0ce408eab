"""Gamma waiting times: closed forms that do not depend on the shape, and the exponential case."""

import math

import numpy as np
import pytest
from scipy import stats

from regulome.errors import UserError
from regulome.stochastic import ssa
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Waiting

NAMES = ("a1", "m1", "a2", "m2", "a3", "m3", "a4", "m4")
SPLICING = StateTransitionNetwork(
    "splicing",
    ("OFF", "ON", "N", "M"),
    (
        Event("on", {"OFF": -1, "ON": 1}, waiting=Waiting("a1", "m1")),
        Event("off", {"ON": -1, "OFF": 1}, waiting=Waiting("a2", "m2")),
        Event("transcription", {"N": 1}, "k * ON"),
        Event("splicing", {"N": -1, "M": 1}, waiting=Waiting("a3", "m3")),
        Event("decay", {"M": -1}, waiting=Waiting("a4", "m4")),
    ),
    (*(Parameter(name, 0.01, 5) for name in NAMES), Parameter("k", 1, 30)),
    {"OFF": 1},
    ("OFF", "N", "M"),
)
SHAPES = [[2.0, 0.4, 0.6, 3.0], [0.5, 5.0, 1.0, 0.3], [1.0, 1.0, 1.0, 1.0]]
MEANS = [0.5, 0.25, 0.4, 0.8]


def theta(shapes, k=9.0):
    return [value for pair in zip(shapes, MEANS, strict=True) for value in pair] + [k]


def test_means_of_splicing_do_not_depend_on_the_shapes():
    """G/infinity queues: <N> = k f m3 and <M> = k f m4 with f = m2 / (m1 + m2), for any waiting-time distribution."""
    f = MEANS[1] / (MEANS[0] + MEANS[1])
    record = ssa.occupancy_record(SPLICING, [theta(s) for s in SHAPES], burn_in=50, window=5000, trajectories=4, seed=1)
    for found in record.distributions:
        assert found.mean == pytest.approx([1 - f, 9 * f * MEANS[2], 9 * f * MEANS[3]], rel=0.025)


def test_a_gene_that_is_always_on_gives_poisson_counts_for_any_shape():
    network = StateTransitionNetwork(
        "on", ("N", "M"), (Event("transcription", {"N": 1}, "k"), *SPLICING.events[3:]), SPLICING.parameters[4:]
    )
    for shapes in SHAPES[:2]:
        found = ssa.final(network, theta(shapes)[4:], 60.0, 20_000, seed=2)[0]
        for column, mean in ((0, 9 * MEANS[2]), (1, 9 * MEANS[3])):
            n = np.arange(16)
            expected = np.append(stats.poisson.pmf(n, mean), stats.poisson.sf(15, mean)) * len(found)
            observed = np.bincount(np.minimum(found[:, column], 16), minlength=17)
            keep = expected > 5
            scaled = expected[keep] * observed[keep].sum() / expected[keep].sum()
            assert stats.chisquare(observed[keep], scaled).pvalue > 1e-4
        assert abs(np.corrcoef(found.T)[0, 1]) < 0.03  # as in a tandem of such queues


def test_shape_one_is_the_markovian_network():
    markov = StateTransitionNetwork(
        "markov",
        SPLICING.states,
        (
            Event("on", {"OFF": -1, "ON": 1}, "OFF / m1"),
            Event("off", {"ON": -1, "OFF": 1}, "ON / m2"),
            Event("transcription", {"N": 1}, "k * ON"),
            Event("splicing", {"N": -1, "M": 1}, "N / m3"),
            Event("decay", {"M": -1}, "M / m4"),
        ),
        SPLICING.parameters,
        {"OFF": 1},
    )
    times, runs = [0.2, 0.6, 1.5], 20_000
    left = ssa.simulate(SPLICING, theta(SHAPES[2]), times, runs, seed=3)[0].astype(float)
    right = ssa.simulate(markov, theta(SHAPES[2]), times, runs, seed=4)[0].astype(float)
    error = np.sqrt((left.var(0) + right.var(0)) / runs)
    assert (np.abs(left.mean(0) - right.mean(0)) < 4.5 * error).all()
    fourth = ((right - right.mean(0)) ** 4).mean(0)
    assert (np.abs(left.var(0) - right.var(0)) < 5 * np.sqrt(2 * (fourth - right.var(0) ** 2) / runs)).all()


def test_molecules_of_the_start_wait_from_time_zero():
    network = StateTransitionNetwork(
        "decay",
        ("X",),
        (Event("decay", {"X": -1}, waiting=Waiting("a", "m")),),
        (Parameter("a", 0.1, 9), Parameter("m", 0.1, 9)),
        {"X": 500},
    )
    times = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    for shape in (0.3, 1.0, 6.0):
        left = stats.gamma.sf(times, shape, scale=1.5 / shape)
        found = ssa.simulate(network, [shape, 1.5], times, 200, seed=5)[0, :, :, 0]
        error = np.sqrt(left * (1 - left) * 500 / 200) + 1e-9
        assert (np.abs(found.mean(0) - 500 * left) < 4.5 * error).all()


def test_molecules_that_arrive_two_at_a_time_wait_each_for_itself():
    network = StateTransitionNetwork(
        "pairs",
        ("X",),
        (Event("pair", {"X": 2}, "k"), Event("decay", {"X": -1}, waiting=Waiting("4", "m"))),
        (Parameter("k", 0.1, 9), Parameter("m", 0.1, 9)),
    )
    found = ssa.final(network, [3.0, 2.0], 40.0, 20_000, seed=6)[0, :, 0]
    sf = stats.gamma.sf(np.linspace(0, 40, 40_001), 4, scale=0.5)
    both = 2 * 3.0 * np.trapezoid(sf**2, dx=1e-3)  # pairs of which both are left
    assert found.mean() == pytest.approx(12, abs=4.5 * math.sqrt(20 / 20_000))
    assert found.var() == pytest.approx(12 + both, rel=0.05)


def test_waiting_molecules_do_not_depend_on_threads():
    one = ssa.simulate(SPLICING, [theta(s) for s in SHAPES], [1.0, 3.0], 40, seed=8, threads=1)
    assert np.array_equal(one, ssa.simulate(SPLICING, [theta(s) for s in SHAPES], [1.0, 3.0], 40, seed=8, threads=2))


def test_a_trigger_cannot_set_molecules_that_wait():
    from dataclasses import replace

    from regulome.stochastic.network import Trigger

    network = replace(SPLICING, triggers=(Trigger("reset", "time >= 1", {"M": "0"}),))
    with pytest.raises(UserError, match=r"trigger 'reset'.*'M'.*wait"):
        ssa.final(network, theta(SHAPES[0]), 2.0)
