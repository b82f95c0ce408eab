"""The exact engine against closed forms, dense matrix exponentials and simulation."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import linalg, sparse

from regulome.errors import UserError
from regulome.stochastic import closed_forms, exact, moments, ssa
from regulome.stochastic.distribution import total_variation
from regulome.stochastic.exact_likelihood import ExactLikelihood
from regulome.stochastic.generator import StateSpace, TooManyStates, generator, natural_sizes
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.networks import load
from regulome.stochastic.reduction import reduce_to


def distance(p, q):
    length = max(len(p), len(q))
    return 0.5 * np.abs(np.pad(p, (0, length - len(p))) - np.pad(q, (0, length - len(q)))).sum()


@pytest.fixture(scope="module")
def gene():
    return load("gene_expression")


@pytest.fixture(scope="module")
def small_theta(gene):
    return gene.theta(kon=0.08, koff=0.1, ksynon=2.0, ksynoff=0.3, ksynM=0.3, kdegM=0.45, kdegP=0.4)


# --- state space


def test_conservation_halves_the_states_of_the_gene(gene):
    space = StateSpace.of(gene, np.array([2, 2, 30, 40]))
    assert len(space) == 2 * 30 * 40
    assert (space.counts[:, gene.states.index("ON")] + space.counts[:, gene.states.index("OFF")] == 1).all()


def test_natural_sizes_follow_from_stoichiometry(gene):
    sizes = dict(zip(gene.states, natural_sizes(gene), strict=True))
    assert (sizes["ON"], sizes["OFF"]) == (2, 2)
    assert np.isinf([sizes["mRNA"], sizes["Protein"]]).all()


def test_only_states_that_can_be_reached_are_kept():
    pairs = StateTransitionNetwork(
        "pairs", ("X",), (Event("in", {"X": 2}, "k"), Event("out", {"X": -2}, "X*(X-1)")), (Parameter("k", 0, 9),)
    )
    found = exact.stationary(pairs, [4.0])
    assert (found.distribution.counts % 2 == 0).all()


def test_columns_of_the_generator_sum_to_zero(gene, small_theta):
    built = generator(StateSpace.of(gene, np.array([2, 2, 12, 15])), small_theta)
    assert np.abs(built.matrix.sum(0)).max() < 1e-12


# --- stationary laws


def test_birth_and_death_is_poisson():
    network = load("birth_death")
    theta = network.sample_box(2, 7)[1]
    births, deaths = network.propensities(np.array([1.0]), theta)
    found = exact.stationary(network, theta)
    expected = closed_forms.birth_death(births, deaths, 200)
    assert distance(found.distribution.vector(network.recorded[0]), expected) < 1e-10
    assert found.boundary_mass < 1e-10


@pytest.mark.parametrize("number", range(6))
def test_mrna_of_gene_expression_is_the_beta_poisson_mixture(gene, number):
    theta = gene.sample_box(8, 11)[number]
    value = dict(zip(gene.parameter_names, theta, strict=True))
    expected = closed_forms.leaky_telegraph(*(value[n] for n in ("kon", "koff", "ksynon", "ksynoff", "kdegM")), 200)
    found = exact.stationary(gene.recording("mRNA"), theta).distribution
    assert distance(found.vector("mRNA"), expected) < 1e-10


def test_the_joint_law_has_the_marginal_and_the_moments_of_the_closed_forms(gene, small_theta):
    value = dict(zip(gene.parameter_names, small_theta, strict=True))
    found = exact.stationary(gene, small_theta).distribution
    mrna = closed_forms.leaky_telegraph(*(value[n] for n in ("kon", "koff", "ksynon", "ksynoff", "kdegM")), 120)
    mean, covariance = closed_forms.gene_expression_moments(**value)
    centred = found.counts - found.mean
    assert distance(found.vector("mRNA"), mrna) < 1e-9
    assert found.mean == pytest.approx(mean, rel=1e-9)
    assert centred.T @ (found.weights[:, None] * centred) == pytest.approx(covariance, rel=1e-8)


def test_protein_of_two_stage_expression_has_its_fano_factor():
    network = load("two_stage")
    theta = network.sample_box(8, 5)[3]
    found, expected = exact.stationary(network, theta).distribution, moments.stationary(network, theta)
    assert found.sd**2 / found.mean == pytest.approx(expected.sd**2 / expected.mean, rel=1e-8)


def test_a_short_cascade_has_independent_poisson_counts():
    species = [f"S{i}" for i in (1, 2, 3)]
    events = [Event("in", {"S1": 1}, "rho")]
    events += [Event(f"step {a}", {a: -1, b: 1}, f"k*{a}") for a, b in pairwise(species)]
    events += [Event(f"loss {s}", {s: -1}, f"delta*{s}") for s in species]
    parameters = tuple(Parameter(name, 0.01, 9.0) for name in ("rho", "k", "delta"))
    found = exact.stationary(StateTransitionNetwork("cascade", tuple(species), tuple(events), parameters), [2, 1, 1])
    means = closed_forms.cascade_means(2.0, 1.0, 1.0, 3)
    expected = np.einsum(
        "i,j,k->ijk", *(closed_forms.birth_death(m, 1.0, s) for m, s in zip(means, found.sizes, strict=True))
    )
    assert 0.5 * np.abs(found.distribution.table(found.sizes) - expected).sum() < 1e-9


@pytest.mark.parametrize("name", ["afl", "autoregulation"])
def test_feedback_networks_agree_with_simulation(name):
    network = load(name)
    theta = network.box.mean(1)
    found = exact.stationary(network, theta).distribution
    simulated = ssa.occupancy(network, theta[None], window=20000.0, trajectories=4, seed=1, threads=1)[0]
    assert total_variation(found, simulated) < 0.03


def test_a_bistable_switch_is_found_whatever_state_is_pinned():
    feedback = StateTransitionNetwork(
        "switch", ("X",), (Event("birth", {"X": 1}, "1 + 60 * X^4 / (X^4 + 25^4)"), Event("death", {"X": -1}, "X"))
    )
    found = exact.stationary(feedback, np.empty(0)).distribution.vector("X")
    n = np.arange(1, len(found))
    birth = 1 + 60 * (n - 1.0) ** 4 / ((n - 1.0) ** 4 + 25**4)
    expected = np.append(1.0, np.exp(np.cumsum(np.log(birth / n))))  # detailed balance of a birth-death chain
    assert distance(found, expected / expected.sum()) < 1e-9


# --- transient laws


def test_birth_and_death_in_time_is_the_closed_form():
    network = load("birth_death")
    theta = network.sample_box(2, 7)[1]
    births, deaths = network.propensities(np.array([1.0]), theta)
    times = [0.0, 0.3, 2.0, 50.0, 5000.0]
    for time, law in zip(times, exact.transient(network, theta, times), strict=True):
        expected = closed_forms.birth_death_transient(births, deaths, int(network.start[0]), time, 300)
        assert distance(law.distribution.vector(network.recorded[0]), expected) < 1e-10
        assert law.distribution.weights.sum() == pytest.approx(1, abs=1e-12)


def test_gene_expression_in_time_is_the_dense_matrix_exponential(gene, small_theta):
    sizes, times = dict(ON=2, OFF=2, mRNA=9, Protein=11), [0.4, 3.0]
    built = generator(StateSpace.of(gene, np.array([sizes[s] for s in gene.states])), small_theta)
    first = np.zeros(len(built.states))
    first[built.start] = 1
    for time, law in zip(times, exact.transient(gene, small_theta, times, sizes), strict=True):
        expected = linalg.expm(built.matrix.toarray() * time) @ first
        table = np.zeros((2, 9, 11))
        np.add.at(table, tuple(built.counts[:, gene.recorded_index].T), expected)
        assert np.abs(law.distribution.table((2, 9, 11)) - table).max() < 1e-12


def test_a_long_time_is_the_stationary_law(gene, small_theta):
    late = exact.transient(gene, small_theta, [400.0])[0].distribution
    assert total_variation(late, exact.stationary(gene, small_theta).distribution) < 1e-9


# --- absorption


def epidemic():
    """SIS in a closed population of 40: a chain on 0..40 whose generator fits on a page."""
    events = (Event("infect", {"S": -1, "I": 1}, "b * S * I"), Event("recover", {"I": -1, "S": 1}, "I"))
    return StateTransitionNetwork("sis", ("S", "I"), events, (Parameter("b", 0, 1),), {"S": 35, "I": 5}, ("I",))


def test_without_import_the_stationary_law_is_free_of_disease():
    assert exact.stationary(epidemic(), [0.05]).distribution.counts.tolist() == [[0]]


def test_the_quasi_stationary_law_is_the_dominant_eigenvector_of_the_transient_class():
    found = exact.stationary(epidemic(), [0.05], quasi=True)
    i = np.arange(1, 41)
    up, down = 0.05 * i * (40 - i), 1.0 * i
    dense = sparse.diags([up[:-1], -(up + down), down[1:]], [-1, 0, 1]).toarray()
    values, vectors = np.linalg.eig(dense)
    lead = vectors[:, np.argmax(values.real)].real
    assert distance(found.distribution.vector("I")[1:], lead / lead.sum()) < 1e-8
    assert found.decay == pytest.approx(-values.real.max(), rel=1e-8)


def test_a_quasi_stationary_law_without_absorption_is_refused(gene, small_theta):
    with pytest.raises(UserError, match="no absorption"):
        exact.stationary(gene.recording("mRNA"), small_theta, quasi=True)


def test_two_absorbing_classes_are_refused():
    fate = StateTransitionNetwork(
        "fate", ("X", "A", "B"), (Event("a", {"X": -1, "A": 1}, "X"), Event("b", {"X": -1, "B": 1}, "X")), (), {"X": 1}
    )
    with pytest.raises(UserError, match="2 closed classes"):
        exact.stationary(fate, np.empty(0))


# --- reduction and likelihood


def test_states_that_nothing_observed_depends_on_are_left_out(gene, small_theta):
    reduced = reduce_to(gene, ("mRNA",))
    assert "Protein" not in reduced.states and len(reduced.events) == 5
    whole = exact.stationary(gene, small_theta).distribution.marginal("mRNA")
    assert total_variation(exact.stationary(reduced, small_theta).distribution, whole) < 1e-9


def test_feedback_keeps_the_whole_network():
    network = load("afl")
    assert set(reduce_to(network, ("P",)).states) == set(network.states)


def test_the_likelihood_is_the_logarithm_of_the_closed_form_far_into_the_tail(gene):
    theta, counts = gene.sample_box(16, 2), np.arange(90)[:, None]
    names = ("kon", "koff", "ksynon", "ksynoff", "kdegM")
    columns = [gene.parameter_names.index(name) for name in names]
    expected = np.log([closed_forms.leaky_telegraph(*row[columns], 90) for row in theta])
    found = ExactLikelihood(gene).observed_log_prob(theta, ("mRNA",), counts)
    assert np.abs(found - expected)[expected > -25].max() < 1e-9
    assert np.abs(found - expected).max() < 1e-3


def test_the_likelihood_of_several_species_is_the_joint_law(gene, small_theta):
    import torch

    counts = np.array([[0, 0], [3, 5], [6, 2]])
    joint = exact.stationary(gene, small_theta).distribution.marginal("mRNA", "Protein")
    table = joint.table(joint.counts.max(0) + 1)
    model = ExactLikelihood(gene, threads=2)
    found = model.observed_log_prob(torch.tensor(small_theta)[None].repeat(2, 1), ("mRNA", "Protein"), counts)
    assert found.shape == (2, 3) and found.dtype == torch.float64
    assert found[1].numpy() == pytest.approx(np.log(table[tuple(counts.T)]), abs=1e-8)


def test_the_likelihood_in_time_is_the_transient_law():
    network = load("birth_death")
    theta = network.sample_box(4, 7)
    found = ExactLikelihood(network, time=0.8).observed_log_prob(theta, network.recorded, np.array([[2], [5]]))
    for row, values in zip(theta, found, strict=True):
        births, deaths = network.propensities(np.array([1.0]), row)
        law = closed_forms.birth_death_transient(births, deaths, int(network.start[0]), 0.8, 50)
        assert values == pytest.approx(np.log(law[[2, 5]]), abs=1e-9)


# --- mistakes


def test_a_size_that_leaves_out_the_start_is_refused(gene, small_theta):
    with pytest.raises(UserError, match="size of 'ON': found 1, expected at least 2"):
        exact.stationary(gene, small_theta, {"ON": 1, "mRNA": 10, "Protein": 10})


def test_a_size_too_small_shows_in_the_boundary_mass(gene, small_theta):
    assert exact.stationary(gene, small_theta, {"mRNA": 4, "Protein": 4}).boundary_mass > 0.01


def test_a_size_of_an_unknown_state_is_refused(gene, small_theta):
    with pytest.raises(UserError, match="unknown state 'RNA'"):
        exact.stationary(gene, small_theta, {"RNA": 10})


def test_too_many_states_are_counted_in_the_refusal():
    cascade = load("cascade")
    with pytest.raises(TooManyStates, match=r"has [\d,]+ states"):
        exact.stationary(cascade, cascade.box.mean(1))


def test_negative_times_are_refused(gene, small_theta):
    with pytest.raises(UserError, match="times"):
        exact.transient(gene, small_theta, [-1.0])


def test_an_unknown_species_is_refused(gene, small_theta):
    with pytest.raises(UserError, match="unknown species 'mrna'"):
        ExactLikelihood(gene).observed_log_prob(small_theta, ("mrna",), np.zeros((1, 1)))


def test_a_propensity_that_drives_a_count_below_zero_is_refused():
    broken = StateTransitionNetwork("broken", ("X",), (Event("in", {"X": 1}, "2"), Event("out", {"X": -1}, "3")))
    with pytest.raises(UserError, match=r"event 'out'.*X=0"):
        exact.stationary(broken, np.empty(0), {"X": 20})


def test_waiting_times_are_refused():
    network = load("splicing_gamma")
    with pytest.raises(UserError, match="waiting times"):
        exact.stationary(network, network.box.mean(1))
    with pytest.raises(UserError, match="waiting times"):
        ExactLikelihood(network)
