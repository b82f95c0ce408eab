"""Link mutation: the protocols of the paper, and every number against mutants made one at a time by loops."""

from dataclasses import replace

import numpy as np
import plain_circuit
import pytest
import torch

from regulome.circuits.automata import neighbour_mean
from regulome.circuits.mutation import (
    PROTOCOLS,
    Protocol,
    link_effects,
    link_names,
    link_values,
    mutant_trajectories,
    protocol,
    rate_values,
    signs,
    step_inputs,
    wild_type_states,
)
from regulome.circuits.network import CircuitNetwork
from regulome.errors import UserError

ARCHITECTURES = ("shared", "private")


def network_of(architecture, inputs=1, genes=2, hidden=4, replicates=2, seed=0, sd=0.9):
    """Float64 networks with strong random weights, made without the package's own constructor."""
    rng = np.random.default_rng(seed)
    modules, outputs = (1, genes) if architecture == "shared" else (genes, 1)
    n = inputs + genes
    sizes = [("1", n, hidden), ("2", hidden, hidden), ("3", hidden, outputs)]
    weights = {}
    for i, rows, columns in sizes:
        weights["w" + i] = torch.from_numpy(rng.normal(0, sd, (replicates, modules, rows, columns)))
        weights["b" + i] = torch.from_numpy(rng.normal(0, sd, (replicates, modules, 1, columns)))
    initial = np.full(genes, np.nan)
    initial[0] = 0.4
    return CircuitNetwork(
        architecture=architecture,
        weights=weights,
        start=torch.from_numpy(rng.random((replicates, genes))),
        initial=torch.from_numpy(initial),
        links=torch.ones(replicates, n, genes, dtype=torch.float64),
    )


def with_deleted(network, *deleted):
    links = network.links.clone()
    for regulator, target in deleted:
        links[:, regulator, target] = 0
    return replace(network, links=links)


def small_test(inputs=1, **changes):
    rng = np.random.default_rng(1)
    fields = {"kind": "trajectory", "strength": 0.5, "dt": 0.2, "inputs": rng.random((3, 8, inputs))}
    return Protocol(**(fields | changes))


# ---- the protocols of the paper --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "strength", "dt", "cases", "steps", "reduce", "every", "scale", "cutoff"),
    [
        ("fig2", "trajectory", 0.5, 0.2, 4, 60, "mean", 1, 1, None),
        ("fig3", "trajectory", 0.9, 0.1, 8, 300, "mean", 1, 1, 5e-4),
        ("fig4", "trajectory", 0.5, 0.2, 4, 120, "mean", 1, 1, None),
        ("fig5", "trajectory", 0.0, 0.1, 64, 30, "sum_final", 1, 1, 1.0),
        ("fig6", "rate", 0.0, 0.2, 21, 150, "mean", 2, 100, None),
    ],
)
def test_protocols_are_those_of_the_specification(name, kind, strength, dt, cases, steps, reduce, every, scale, cutoff):
    p = protocol(name)
    assert (p.kind, p.strength, p.dt, p.reduce) == (kind, strength, dt, reduce)
    assert p.inputs.shape[:2] == (cases, steps)
    assert (p.every, p.scale, p.cutoff) == (every, scale, cutoff)


def test_every_protocol_is_tested_here():
    assert set(PROTOCOLS) == {"fig2", "fig3", "fig4", "fig5", "fig6"}


def test_inputs_of_fig2_step_from_a_tenth_at_sample_20():
    inputs = protocol("fig2").inputs[..., 0]
    for c, level in enumerate([0.25, 0.5, 0.75, 1]):
        assert inputs[c].tolist() == [0.1] * 20 + [level] * 40


@pytest.mark.parametrize(("name", "levels", "steps"), [("fig3", [0.25, 0.5, 0.75, 1], 300), ("fig4", [0.5, 1], 120)])
def test_inputs_of_figs_3_and_4_switch_one_input_on_at_sample_60(name, levels, steps):
    inputs = protocol(name).inputs
    expected = [(level, 0) for level in levels] + [(0, level) for level in levels]
    assert inputs.shape == (2 * len(levels), steps, 2)
    for c, pair in enumerate(expected):
        for k in range(steps):
            assert tuple(inputs[c, k]) == ((0, 0) if k < 60 else pair)


def test_inputs_of_fig5_are_the_maternal_gradients_on_64_positions_from_pole_to_pole():
    inputs = protocol("fig5").inputs
    for p in range(64):
        x = p / 63
        bcd, tor = np.exp(-x / 0.2), np.exp(-x / 0.05) + np.exp(-(1 - x) / 0.05)
        np.testing.assert_allclose(inputs[p], [[bcd, tor]] * 30, rtol=1e-12)


@pytest.mark.parametrize(("name", "offered"), [("fig 2", "fig2"), ("figure5", "fig5")])
def test_an_unknown_protocol_is_refused_with_the_closest_name(name, offered):
    with pytest.raises(UserError, match=rf"protocol '{name}' is unknown \(did you mean '{offered}'\?\)"):
        protocol(name)


def test_a_step_of_the_input_starts_at_the_sample_named():
    inputs = step_inputs([[1.0, 2.0]], 5, on=2, rest=0.5)
    np.testing.assert_array_equal(inputs[0], [[0.5, 0.5], [0.5, 0.5], [1, 2], [1, 2], [1, 2]])


# ---- values against mutants made one at a time -----------------------------------------------------------------------


def brute_force(network, test, reduce):
    """(R, N, G): wild type minus the free-running mutant of one link, target's own trajectory."""
    replicates, n, genes = network.links.shape
    values = np.zeros((replicates, n, genes))
    for r in range(replicates):
        wild_type = plain_circuit.trajectory(network, r, test.inputs, test.dt)
        for i in range(n):
            for j in range(genes):
                mutant = plain_circuit.trajectory(network, r, test.inputs, test.dt, mutation=(i, j, test.strength))
                values[r, i, j] = reduce(wild_type[:, :, j] - mutant[:, :, j])
    return values


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("strength", [0.0, 0.5, 0.9])
def test_trajectory_values_equal_single_link_mutants(architecture, strength):
    network, test = network_of(architecture), small_test(strength=strength)
    expected = brute_force(network, test, np.mean)
    assert np.abs(expected).min() > 1e-6
    np.testing.assert_allclose(link_values(network, test), expected, atol=1e-13)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sum_over_positions_of_the_last_sample(architecture):
    network = network_of(architecture, inputs=2, genes=3)
    test = small_test(inputs=2, strength=0.0, reduce="sum_final")
    expected = brute_force(network, test, lambda change: change[:, -1].sum())
    np.testing.assert_allclose(link_values(network, test), expected, atol=1e-12)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_effects_are_mean_squared_changes_of_the_target_not_of_the_output(architecture):
    network, test = network_of(architecture), small_test()
    expected = brute_force(network, test, lambda change: (change**2).mean())
    np.testing.assert_allclose(link_effects(network, test), expected, atol=1e-14)


def test_deleted_links_have_the_value_zero_and_the_others_that_of_the_masked_network():
    network = with_deleted(network_of("private"), (0, 1), (2, 0))
    test = small_test()
    values = link_values(network, test)
    assert (values[:, 0, 1] == 0).all() and (values[:, 2, 0] == 0).all()
    np.testing.assert_allclose(values, brute_force(network, test, np.mean), atol=1e-13)


def test_a_mutant_of_a_shared_network_hides_the_regulator_from_one_target_only():
    network, test = network_of("shared"), small_test(strength=0.0)
    wild_type, mutants = mutant_trajectories(network, test)
    assert mutants.shape == (3, 2, 2, 3, 8, 2)
    for i in range(3):
        for j in range(2):
            for r in range(2):
                expected = plain_circuit.trajectory(network, r, test.inputs, test.dt, mutation=(i, j, 0.0))
                np.testing.assert_allclose(mutants[i, j, r], expected, atol=1e-13)
            # at the first sample the state is still common to both, so only target j can differ
            changed = (mutants[i, j] - wild_type)[:, :, 0].abs().amax((0, 1))
            assert changed[j] > 0 and changed[1 - j] < 1e-15


def test_an_activation_is_positive_and_an_inhibition_negative():
    """A hand-made private network: I activates g1, g1 inhibits g2, nothing else."""
    network = network_of("private", hidden=2, replicates=1)
    weights = {name: torch.zeros_like(tensor) for name, tensor in network.weights.items()}
    weights["w1"][0, 0, 0, 0] = 1  # I into the first hidden unit of g1
    weights["w1"][0, 1, 1, 0] = 1  # g1 into that of g2
    weights["w2"][0, :, 0, 0] = 1
    weights["w3"][0, 0, 0, 0], weights["w3"][0, 1, 0, 0] = 2, -2
    values = link_values(replace(network, weights=weights), small_test())[0]
    assert values[0, 0] > 0.01 and values[1, 1] < -0.01
    others = np.ones((3, 2), bool)
    others[0, 0] = others[1, 1] = False
    assert (values[others] == 0).all()


# ---- rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("strength", [0.0, 0.9])
def test_rate_values_equal_the_mean_change_over_states(architecture, strength):
    network = network_of(architecture, genes=3)
    states = np.random.default_rng(2).random((2, 5, 4))
    ours = rate_values(network, torch.from_numpy(states), strength)
    for r in range(2):
        for i in range(4):
            for j in range(3):
                changes = [
                    plain_circuit.rate(network, r, j, x) - plain_circuit.rate(network, r, j, x, i, strength)
                    for x in states[r]
                ]
                assert float(ours[r, i, j]) == pytest.approx(np.mean(changes), abs=1e-14)


def test_rate_protocol_visits_the_wild_type_before_each_update():
    network, test = network_of("private"), small_test(kind="rate", every=3, scale=10.0)
    states = wild_type_states(network, test)
    expected = []
    for c in range(3):
        levels = plain_circuit.trajectory(network, 1, test.inputs, test.dt)[c]
        before = np.vstack([plain_circuit.start_of(network, 1, c), levels[:-1]])
        expected += [np.concatenate([test.inputs[c, k], before[k]]) for k in (0, 3, 6)]
    np.testing.assert_allclose(states[1], expected, atol=1e-13)
    values = link_values(network, test)
    mean = np.mean(
        [plain_circuit.rate(network, 1, 0, x) - plain_circuit.rate(network, 1, 0, x, 2, 0.5) for x in expected]
    )
    assert values[1, 2, 0] == pytest.approx(10 * mean, abs=1e-12)


# ---- a ring of cells -------------------------------------------------------------------------------------------------


def ring_by_loop(network, r, initial, steps, dt):
    """States of every cell before each update: neighbour means, then own genes; (cells, steps, 2 G)."""
    cells, genes = initial.shape
    g, seen = initial.copy(), np.zeros((cells, steps, 2 * genes))
    for k in range(steps):
        for x in range(cells):
            left, right = g[(x - 1) % cells], g[(x + 1) % cells]
            seen[x, k] = np.concatenate([(left + right) / 2, g[x]])
        g = np.array(
            [
                [(1 - dt) * g[x, j] + dt * plain_circuit.rate(network, r, j, seen[x, k]) for j in range(genes)]
                for x in range(cells)
            ]
        )
    return seen


def test_neighbours_of_the_first_and_last_cell_are_each_other():
    state = torch.tensor([[1.0], [10.0], [100.0], [1000.0]])
    np.testing.assert_array_equal(neighbour_mean(state)[:, 0], [505, 50.5, 505, 50.5])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_values_on_a_ring_equal_the_loop_over_cells(architecture):
    genes, cells = 2, 5
    network = network_of(architecture, inputs=genes, genes=genes)
    initial = np.random.default_rng(3).random((2, cells, genes))
    fig6 = replace(protocol("fig6"), inputs=np.zeros((cells, 9, 0)))
    values = link_values(network, fig6, initial=torch.from_numpy(initial))
    for r in range(2):
        states = ring_by_loop(network, r, initial[r], 9, 0.2)[:, ::2].reshape(-1, 2 * genes)
        assert len(states) == cells * 5
        for i in range(2 * genes):
            for j in range(genes):
                change = [
                    plain_circuit.rate(network, r, j, x) - plain_circuit.rate(network, r, j, x, i, 0.0) for x in states
                ]
                assert values[r, i, j] == pytest.approx(100 * np.mean(change), abs=1e-10)


def test_published_ring_has_20_regulators_and_takes_every_second_of_150_steps():
    network = network_of("shared", inputs=10, genes=10, replicates=1)
    initial = torch.rand(1, 21, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    states = wild_type_states(network, protocol("fig6"), initial)
    assert states.shape == (1, 21 * 75, 20)
    assert link_values(network, protocol("fig6"), initial).shape == (1, 20, 10)


def test_a_ring_needs_an_initial_state():
    with pytest.raises(ValueError, match=r"pass `initial` \(R, cells, G\)"):
        link_values(network_of("shared", inputs=2, genes=2), protocol("fig6"))


# ---- signs and names -------------------------------------------------------------------------------------------------


def test_a_sign_needs_a_value_above_the_cutoff():
    values = np.array([[6e-4, 5e-4, 4e-4, 0.0, -5e-4, -6e-4]])
    np.testing.assert_array_equal(signs(values, 5e-4), [[1, 0, 0, 0, 0, -1]])
    np.testing.assert_array_equal(signs(values, 0), [[1, 1, 1, 0, -1, -1]])


def test_names_follow_the_order_of_a_flattened_table():
    assert link_names(["I", "g1", "g2"], ["g1", "g2"]) == [
        "I -> g1", "I -> g2", "g1 -> g1", "g1 -> g2", "g2 -> g1", "g2 -> g2",
    ]  # fmt: skip
