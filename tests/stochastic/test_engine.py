"""The choice between exact solution and simulation, and that both lead to the same law."""

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.stochastic import engine, exact
from regulome.stochastic.distribution import total_variation
from regulome.stochastic.networks import load


def middle(name):
    network = load(name)
    return network, network.box.mean(1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gene_expression", "exact"),
        ("telegraph", "exact"),
        ("afl", "exact"),
        ("two_stage", "exact"),
        ("cascade", "ssa"),
        ("splicing_gamma", "ssa"),
    ],
)
def test_small_state_spaces_are_solved_and_large_ones_simulated(name, expected):
    assert engine.choose(*middle(name)) == expected


def test_one_species_of_a_long_cascade_is_solved():
    network, theta = middle("cascade")
    assert engine.choose(network.recording("S1"), theta) == "exact"


def test_the_estimated_size_holds_the_solution():
    for name in ("gene_expression", "two_stage", "telegraph"):
        network, theta = middle(name)
        assert engine.size(network, theta)[0] == exact.stationary(network, theta).states


def test_both_engines_lead_to_the_same_stationary_law():
    network, theta = middle("telegraph")
    solved = engine.solve(network, theta)
    simulated = engine.solve(network, theta, seed=2, engine="ssa", window=20000.0, trajectories=4, threads=1)
    assert solved.names == simulated.names
    assert total_variation(solved, simulated) < 0.03


def test_both_engines_lead_to_the_same_law_at_a_time():
    network, theta = middle("telegraph")
    solved = engine.solve(network, theta, time=1.0)
    simulated = engine.solve(network, theta, seed=2, engine="ssa", time=1.0, threads=1)
    assert total_variation(solved, simulated) < 0.03
    assert total_variation(solved, engine.solve(network, theta)) > 0.1


def test_infinite_time_is_the_stationary_law():
    network, theta = middle("telegraph")
    late, stationary = engine.solve(network, theta, time=np.inf), engine.solve(network, theta)
    assert np.array_equal(late.weights, stationary.weights)


def test_an_unknown_engine_is_refused():
    with pytest.raises(UserError, match="engine: found 'magic'"):
        engine.solve(*middle("telegraph"), engine="magic")


def test_waiting_times_cannot_be_solved_exactly():
    with pytest.raises(UserError, match="waiting times"):
        engine.solve(*middle("splicing_gamma"), engine="exact")
