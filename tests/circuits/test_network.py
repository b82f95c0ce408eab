"""The stacked circuit against loops written out, an adaptive ODE solver and closed forms."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import plain_circuit
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.stats import truncnorm

from regulome.circuits.network import (
    LAYERS,
    new_network,
    replicate_generators,
    same_for_all_targets,
    simulate,
    truncated_normal,
)

ARCHITECTURES = ("shared", "private")
REPLICATES, INPUTS, GENES = 3, 2, 3


def small_task(links=None, initial=None):
    """Only what a network needs to know: 2 inputs, 3 genes."""
    n = INPUTS + GENES
    return SimpleNamespace(
        name="small",
        regulators=tuple("abcde"),
        genes=tuple("cde"),
        links=np.ones((n, GENES), bool) if links is None else links,
        initial=np.array([0.4, np.nan, np.nan]) if initial is None else initial,
    )


def network_of(architecture, task=None, sd=0.8, replicates=REPLICATES, hidden=5, seed=1, dtype=torch.float64):
    return new_network(task or small_task(), architecture, hidden, replicate_generators(seed, replicates), sd, dtype)


def random_inputs(rng, cases=2, steps=7):
    return rng.random((cases, steps, INPUTS))


def with_links(network, links):
    return replace(network, links=torch.as_tensor(links, dtype=network.start.dtype).expand(network.links.shape))


# ---- shapes and initial numbers ----------------------------------------------------------------------------------


def test_truncated_normal_stays_within_two_standard_deviations():
    values = truncated_normal(np.random.default_rng(0), 0.1, (400, 500))
    assert np.abs(values).max() <= 0.2
    assert np.abs(values).max() > 0.199, "the range is used"
    # variance 0.774 sd², mean 0, all four quarters of the distribution as they should be
    assert truncnorm.var(-2, 2) == pytest.approx(0.774, abs=5e-4)
    assert values.var() == pytest.approx(0.1**2 * truncnorm.var(-2, 2), rel=0.01)
    assert values.mean() == pytest.approx(0, abs=1e-3)
    quarters = truncnorm.ppf([0.25, 0.5, 0.75], -2, 2)
    np.testing.assert_allclose(np.quantile(values, [0.25, 0.5, 0.75]), 0.1 * quarters, atol=1e-3)


@pytest.mark.parametrize(("architecture", "modules", "outputs"), [("shared", 1, GENES), ("private", GENES, 1)])
def test_layers_have_the_documented_shapes(architecture, modules, outputs):
    network = network_of(architecture)
    n, hidden = INPUTS + GENES, 5
    shapes = {
        "w1": (modules, n, hidden),
        "b1": (modules, 1, hidden),
        "w2": (modules, hidden, hidden),
        "b2": (modules, 1, hidden),
        "w3": (modules, hidden, outputs),
        "b3": (modules, 1, outputs),
    }
    assert {name: tuple(network.weights[name].shape[1:]) for name in LAYERS} == shapes
    assert network.start.shape == (REPLICATES, GENES) and network.links.shape == (REPLICATES, n, GENES)
    assert (network.replicates, network.n_genes) == (REPLICATES, GENES)


def test_biases_are_drawn_like_weights_and_starts_are_uniform():
    network = network_of("private", sd=0.1, replicates=400)
    for name in LAYERS:
        values = network.weights[name].numpy()
        assert np.abs(values).max() <= 0.2
        assert values.std() == pytest.approx(0.1 * truncnorm.std(-2, 2), rel=0.05), name
    starts = network.start.numpy()
    assert 0 <= starts.min() < 0.01 and 0.99 < starts.max() < 1
    assert starts.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_replicate_is_the_same_in_any_batch(architecture):
    few, many = network_of(architecture, replicates=3), network_of(architecture, replicates=20)
    for ours, theirs in zip(few.tensors(), many.tensors(), strict=True):
        np.testing.assert_array_equal(ours, theirs[:3])
    block = new_network(small_task(), architecture, 5, replicate_generators(1, 4, first=10), 0.8, torch.float64)
    for ours, theirs in zip(block.tensors(), many.tensors(), strict=True):
        np.testing.assert_array_equal(ours, theirs[10:14])
    assert not np.allclose(many.weights["w1"][0], many.weights["w1"][1]), "replicates differ"


def test_another_seed_gives_other_networks():
    assert not np.allclose(network_of("shared", seed=1).weights["w1"], network_of("shared", seed=2).weights["w1"])


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match="architecture is 'privat', expected one of shared, private"):
        network_of("privat")


# ---- rates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("masked", ["all links", "some links", "whole regulators", "weakened"])
def test_rates_equal_the_loop_over_genes(architecture, masked):
    rng = np.random.default_rng(3)
    shape = (REPLICATES, INPUTS + GENES, GENES)
    links = {
        "all links": np.ones(shape),
        "some links": (rng.random(shape) < 0.6).astype(float),
        "whole regulators": np.repeat((rng.random(shape[:2]) < 0.6)[..., None], GENES, 2).astype(float),
        "weakened": rng.random(shape),
    }[masked]
    network = with_links(network_of(architecture), links)
    regulators = rng.random((REPLICATES, 6, INPUTS + GENES))
    ours = network.rates(torch.from_numpy(regulators))
    assert ours.shape == (REPLICATES, 6, GENES)
    for r in range(REPLICATES):
        for c in range(6):
            for j in range(GENES):
                expected = plain_circuit.rate(network, r, j, regulators[r, c])
                assert float(ours[r, c, j]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_links_given_to_rates_replace_those_of_the_network(architecture):
    rng = np.random.default_rng(4)
    network = network_of(architecture)
    other = rng.random((INPUTS + GENES, GENES))
    regulators = torch.from_numpy(rng.random((REPLICATES, 4, INPUTS + GENES)))
    expected = with_links(network, other).rates(regulators)
    np.testing.assert_array_equal(network.rates(regulators, torch.from_numpy(other)), expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_rate_does_not_feel_a_regulator_whose_link_is_deleted(architecture):
    rng = np.random.default_rng(5)
    links = np.ones((INPUTS + GENES, GENES))
    links[1, 2] = 0
    network = with_links(network_of(architecture), links)
    regulators = rng.random((REPLICATES, 8, INPUTS + GENES))
    changed = regulators.copy()
    changed[..., 1] = rng.random((REPLICATES, 8)) * 100
    before, after = network.rates(torch.from_numpy(regulators)), network.rates(torch.from_numpy(changed))
    np.testing.assert_array_equal(before[..., 2], after[..., 2])
    felt = (before - after).abs().amax((0, 1))
    assert felt[0] > 0.01 and felt[1] > 0.01, "the other targets do feel it"


def test_links_are_the_same_for_all_targets_only_if_every_row_is_constant():
    links = torch.ones(2, 4, 3)
    assert same_for_all_targets(links)
    links[1, 2] = 0
    assert same_for_all_targets(links)
    links[1, 2, 0] = 1
    assert not same_for_all_targets(links)


# ---- dynamics ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("initial", [None, np.array([[0.1, np.nan, 0.3], [np.nan, 0.9, 0.2]])])
def test_trajectory_equals_the_loop_over_steps(architecture, initial):
    rng = np.random.default_rng(6)
    links = rng.random((REPLICATES, INPUTS + GENES, GENES)) < 0.7
    network = with_links(network_of(architecture, small_task(initial=initial)), links)
    inputs, noise = random_inputs(rng), rng.normal(0, 0.05, (REPLICATES, 2, 7, GENES))
    ours = simulate(network, inputs, 0.2, noise=torch.from_numpy(noise), activity=torch.tensor([1, 0.5, 0]))
    assert ours.shape == (REPLICATES, 2, 7, GENES)
    for r in range(REPLICATES):
        expected = plain_circuit.trajectory(network, r, inputs, 0.2, activity=[1, 0.5, 0], noise=noise[r])
        np.testing.assert_allclose(ours[r], expected, atol=1e-12)


def test_each_replicate_may_have_its_own_inputs():
    rng = np.random.default_rng(7)
    network = network_of("private")
    inputs = rng.random((REPLICATES, 2, 7, INPUTS))
    ours = simulate(network, inputs, 0.1)
    for r in range(REPLICATES):
        np.testing.assert_allclose(ours[r], plain_circuit.trajectory(network, r, inputs[r], 0.1), atol=1e-12)


def constant_rate(network, level):
    """The same network with f = level whatever its regulators are."""
    weights = {name: torch.zeros_like(tensor) for name, tensor in network.weights.items()}
    weights["b3"] += float(np.log(level / (1 - level)))
    return replace(network, weights=weights)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_constant_production_gives_the_geometric_approach_to_its_level(architecture):
    network, f, dt, steps = constant_rate(network_of(architecture), 0.7), 0.7, 0.2, 25
    levels = simulate(network, np.zeros((1, steps, INPUTS)), dt)[:, 0]
    for k in range(steps):
        # the first sample is the state after one update: n = k + 1 updates lie behind sample k
        expected = f + (0.4 - f) * (1 - dt) ** (k + 1)
        np.testing.assert_allclose(levels[:, k, 0], expected, atol=1e-12)
        started = network.start[:, 1]
        np.testing.assert_allclose(levels[:, k, 1], f + (started - f) * (1 - dt) ** (k + 1), atol=1e-12)


def test_first_sample_is_the_state_after_the_first_update_with_the_first_input():
    network = network_of("private")
    inputs = np.zeros((1, 2, INPUTS))
    inputs[0, 0] = [0.3, 0.9]
    first = simulate(network, inputs, 0.2)[0, 0, 0]
    start = plain_circuit.start_of(network, 0, 0)
    f = [plain_circuit.rate(network, 0, j, [0.3, 0.9, *start]) for j in range(GENES)]
    np.testing.assert_allclose(first, 0.8 * start + 0.2 * np.array(f), atol=1e-14)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_knocked_out_gene_only_decays(architecture):
    network = network_of(architecture, sd=1.0)
    inputs, dt = np.full((1, 30, INPUTS), 0.5), 0.2
    mutant = simulate(network, inputs, dt, activity=torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))
    decay = (1 - dt) ** np.arange(1, 31)
    np.testing.assert_allclose(mutant[:, 0, :, 1], network.start[:, 1:2].numpy() * decay, atol=1e-14)
    wild_type = simulate(network, inputs, dt)
    assert (mutant - wild_type)[..., [0, 2]].abs().max() > 1e-3, "the others feel its loss"


def test_a_given_initial_state_replaces_the_trained_one():
    network = network_of("shared")
    initial = torch.rand(REPLICATES, 1, GENES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = simulate(network, np.zeros((1, 3, INPUTS)), 0.1, initial=initial)
    fixed = replace(network, start=initial[:, 0], initial=torch.full((GENES,), torch.nan, dtype=torch.float64))
    np.testing.assert_array_equal(ours, simulate(fixed, np.zeros((1, 3, INPUTS)), 0.1))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_euler_converges_to_the_ode_with_order_one(architecture):
    network = network_of(architecture, sd=1.2, replicates=1)
    level, end = np.array([0.8, 0.2]), 3.0

    def slope(_, g):
        f = [plain_circuit.rate(network, 0, j, np.concatenate([level, g])) for j in range(GENES)]
        return np.array(f) - g

    start = plain_circuit.start_of(network, 0, 0)
    exact = solve_ivp(slope, (0, end), start, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    assert np.abs(exact - start).max() > 0.05, "something happens"
    errors = []
    for steps in (75, 150, 300, 600):
        inputs = np.tile(level, (1, steps, 1))
        errors.append(np.abs(simulate(network, inputs, end / steps)[0, 0, -1].numpy() - exact).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 1, atol=0.1)
    assert errors[-1] < 0.005


# ---- handling ----------------------------------------------------------------------------------------------------


def test_selected_replicates_are_those_asked_for():
    network = network_of("private", replicates=6)
    inputs = np.full((1, 4, INPUTS), 0.5)
    whole = simulate(network, inputs, 0.1)
    for index in ([4, 1], np.array([False, True, False, False, True, True]), slice(2, 5)):
        part = network.select(index)
        np.testing.assert_allclose(simulate(part, inputs, 0.1), whole.numpy()[index], atol=1e-14)


def test_a_detached_copy_shares_no_memory():
    network = network_of("private")
    copy = network.detach()
    copy.weights["w1"] += 1
    copy.start.fill_(9)
    assert (network.start != 9).all() and not np.allclose(network.weights["w1"], copy.weights["w1"])


def test_single_precision_agrees_with_double():
    network, inputs = network_of("shared"), np.full((1, 40, INPUTS), 0.5)
    single = simulate(network.to(torch.float32), inputs, 0.2)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, simulate(network, inputs, 0.2), atol=1e-5)
