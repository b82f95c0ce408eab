"""Moment equations against closed forms and against the exact law."""

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.stochastic import closed_forms, exact, moments
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.networks import load


def test_gene_expression_moments_are_those_of_the_formulas():
    network = load("gene_expression")
    for theta in network.sample_box(16, 3):
        mean, covariance = moments.stationary(network, theta).of("ON", "mRNA", "Protein")
        expected = closed_forms.gene_expression_moments(**dict(zip(network.parameter_names, theta, strict=True)))
        assert mean == pytest.approx(expected[0], rel=1e-10)
        assert covariance == pytest.approx(expected[1], rel=1e-10)


def test_conserved_states_are_perfectly_anticorrelated():
    network = load("gene_expression")
    found = moments.stationary(network, network.sample_box(2, 3)[1])
    _, covariance = found.of("ON", "OFF")
    assert found.mean[[network.states.index("ON"), network.states.index("OFF")]].sum() == pytest.approx(1)
    assert covariance[0, 1] == pytest.approx(-covariance[0, 0])


def test_two_stage_expression_has_its_fano_factor():
    network = load("two_stage")
    theta = network.sample_box(2, 5)[1]
    made, lost, made_protein, lost_protein = _two_stage_rates(network, theta)
    mean, covariance = moments.stationary(network, theta).of(network.states[-1])
    expected = closed_forms.two_stage_moments(made, lost, made_protein, lost_protein)
    assert (mean[0], covariance[0, 0] / mean[0]) == pytest.approx(expected, rel=1e-10)


def _two_stage_rates(network, theta):
    """Rates with one molecule of each, in the order mRNA made, mRNA lost, protein made, protein lost."""
    rates = network.propensities(np.ones(2), theta)
    events = {tuple(change): rate for change, rate in zip(network.stoichiometry.tolist(), rates, strict=True)}
    return events[1, 0], events[-1, 0], events[0, 1], events[0, -1]


def test_the_cascade_has_independent_poisson_counts_at_all_times():
    network = load("cascade")
    theta = network.theta(ρ=10.0, k=0.4, δ=0.3)
    found = moments.transient(network, theta, [0.5, 3.0, 60.0, 600.0])
    for mean, covariance in zip(found.mean, found.covariance, strict=True):
        assert covariance == pytest.approx(np.diag(mean), abs=1e-9)
    assert found.mean[-1] == pytest.approx(closed_forms.cascade_means(10.0, 0.4, 0.3, 10), rel=1e-9)


def test_transient_moments_are_those_of_the_exact_law():
    network = load("gene_expression")
    theta = network.theta(kon=0.1, koff=0.1, ksynon=3.0, ksynoff=0.5, ksynM=0.4, kdegM=0.5, kdegP=0.4)
    times = [0.0, 0.7, 4.0]
    found = moments.transient(network, theta, times)
    for law, mean, sd in zip(exact.transient(network, theta, times), found.mean, found.sd, strict=True):
        index = network.recorded_index
        assert law.distribution.mean == pytest.approx(mean[index], abs=1e-9)
        assert law.distribution.sd == pytest.approx(sd[index], abs=1e-8)


def test_batches_have_the_variance_of_the_formula():
    network = StateTransitionNetwork(
        "batch", ("X",), (Event("batch", {"X": 5}, "alpha"), Event("loss", {"X": -1}, "mu * X")),
        (Parameter("alpha", 0.1, 2), Parameter("mu", 0.1, 2)), {"X": 3},
    )  # fmt: skip
    found = moments.transient(network, network.theta(alpha=1.2, mu=0.3), [2.0])
    expected = closed_forms.batch_immigration_moments(1.2, 0.3, 5, 2.0, start=3)
    assert (found.mean[0, 0], found.covariance[0, 0, 0]) == pytest.approx(expected, rel=1e-10)


def test_moments_of_a_nonlinear_network_are_refused():
    network = load("autoregulation")
    with pytest.raises(UserError, match="not affine"):
        moments.stationary(network, network.sample_box(1, 0)[0])


def test_counts_that_grow_without_limit_are_refused():
    network = StateTransitionNetwork("growth", ("X",), (Event("birth", {"X": 1}, "X + 1"),), (), {"X": 1})
    with pytest.raises(UserError, match="grow without limit"):
        moments.stationary(network, np.empty(0))


@pytest.mark.parametrize("times", [[-1.0], [2.0, 1.0], [np.nan]])
def test_times_that_are_negative_or_out_of_order_are_refused(times):
    network = load("birth_death")
    with pytest.raises(UserError, match="times"):
        moments.transient(network, network.sample_box(1, 0)[0], times)
