"""Three-gene oscillators: task, phenotypes, the tree of deletions, and the transfer to Hill functions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from regulome import paths
from regulome.circuits import hill_transfer, results_sparse
from regulome.circuits import sparse_oscillators as sparse
from regulome.circuits.codes import decode
from regulome.circuits.criteria import read_criterion
from regulome.circuits.deletion_tree import (
    Trained,
    Trainer,
    all_masks,
    children,
    grow,
    is_connected,
    mask_name,
    proposals,
    read_out,
)
from regulome.circuits.enumeration import judge
from regulome.circuits.hill import controlled_oscillation, simulate_hill
from regulome.circuits.hill_fit import HillCircuits
from regulome.circuits.mutation import link_effects, link_values, protocol, step_inputs
from regulome.circuits.network import new_network, replicate_generators
from regulome.circuits.sparsening import sparsen
from regulome.circuits.task_file import read_task
from regulome.circuits.training import TrainingSettings

SETTINGS = TrainingSettings(hidden=4, steps=20, weight_sd=0.5)
P53 = decode([sparse.P53], 2, 3)


@pytest.fixture(scope="module")
def task():
    return read_task(paths.mini_data() / "tasks" / "three_gene_oscillation.yaml")


@pytest.fixture(scope="module")
def criterion():
    return read_criterion(paths.mini_data() / "criteria" / "three_gene_oscillation.yaml")


@pytest.fixture(scope="module")
def readout():
    return replace(protocol("fig4"), inputs=step_inputs([[0.5, 0.0], [0.0, 0.5]], 8, on=2))


def all_good(network):
    return np.ones(network.replicates, dtype=bool)


# ---- task and phenotype ----------------------------------------------------------------------------------------------


def test_task_starts_from_the_eleven_published_links(task):
    expected = np.zeros((5, 3), dtype=bool)
    expected[0, 1] = expected[1, 0] = True
    expected[2:] = True
    np.testing.assert_array_equal(task.links, expected)
    assert task.links.sum() == 11
    assert task.initial[0] == 0.1 and np.isnan(task.initial[1:]).all()


def test_task_has_the_cases_of_the_two_gene_task(task):
    two = read_task(paths.mini_data() / "tasks" / "controlled_oscillation.yaml")
    np.testing.assert_array_equal(task.input_values, two.input_values)
    np.testing.assert_array_equal(task.targets[..., 0], two.targets[..., 0])
    np.testing.assert_array_equal(task.stationary, two.stationary)


def made_curves():
    time = np.arange(300) * sparse.TEST_DT
    wave, flat = 0.4 + 0.2 * np.sin(2 * np.pi * time / 3), np.full(300, 0.1)
    damped = 0.4 + 0.2 * np.exp(-(time - 15) / 4) * np.sin(2 * np.pi * time / 3)
    high, low = np.full(300, 0.8), np.full(300, 0.3)
    rows = [(flat, wave, high), (flat, damped, high), (flat, wave, low), (wave, wave, high), (flat, high, high)]
    return np.array(rows)


def test_phenotype_takes_sustained_oscillations_alone():
    found = sparse.measures(made_curves())
    verdict = sparse.judge(found)
    assert verdict["good"].tolist() == [True, False, False, False, False]
    assert verdict["oscillates"].tolist() == [True, False, True, True, False]
    assert found["swing"][1] > 0.2, "the damped wave is large enough in the whole window, so the thirds decide"
    assert verdict["is_high"].tolist() == [True, True, False, True, True]
    assert verdict["rests"].tolist() == [True, True, True, False, True]


def test_ranges_are_those_of_samples_150_to_300():
    curves = np.zeros((1, 3, 300))
    curves[0, 1, 149], curves[0, 1, 150] = 1.0, 0.5
    assert sparse.measures(curves)["maximum"].tolist() == [0.5]


def test_shares_and_classes_count_by_hand():
    scores = pd.DataFrame({"links": [6] * 5 + [5], "good": [True, True, True, False, False, False]})
    scores["canonical"] = [sparse.P53, "0+0+0000++00--+", sparse.P53, sparse.P53, sparse.P53, sparse.P53]
    shares = sparse.shares(scores).set_index("links")
    assert shares.loc[6, "good"] == 3 and shares.loc[6, "total"] == 5
    # Wilson score interval written out
    p, n, z = 0.6, 5, 1.959964
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    np.testing.assert_allclose(
        shares.loc[6, ["low", "high"]].astype(float), np.array([middle - half, middle + half]) / (1 + z**2 / n)
    )
    table = sparse.class_table(scores)
    assert table[["links", "networks", "of", "p53"]].to_numpy().tolist() == [[6, 2, 3, True], [6, 1, 3, False]]


def test_negative_loops_are_found_whatever_their_length():
    assert sparse.has_negative_loop(sparse.P53)
    assert sparse.has_negative_loop(sparse.RELEASED), "reversal keeps the sign of every loop"
    assert not sparse.has_negative_loop("0+0+00+0++00+00")  # g1 -> g1, g1 -> g3 -> g1
    assert sparse.has_negative_loop("0+0+0000+-000+0")  # g1 -> g3 -> g2 -| g1
    assert sparse.has_negative_loop("0+0+00-00000000")  # a self-loop


# ---- the tree of deletions -------------------------------------------------------------------------------------------


def test_read_out_equals_the_general_one(task, readout):
    network = new_network(task, "private", 4, replicate_generators(1, 3), 0.5)
    values, effects = read_out(network, readout)
    np.testing.assert_allclose(values, link_values(network, readout), atol=1e-7)
    np.testing.assert_allclose(effects, link_effects(network, readout), atol=1e-9)
    assert np.abs(values).max() > 1e-4


def test_least_effects_are_proposed_first_and_inputs_never():
    effects = np.arange(15.0)[::-1].reshape(5, 3)
    links, protected = np.ones((5, 3), bool), np.zeros((5, 3), bool)
    protected[:2] = True
    links[4, 2] = False  # the smallest is gone already
    assert proposals(effects, links, protected, 3) == [(4, 1), (4, 0), (3, 2)]
    assert len(proposals(effects, links, protected, 50)) == 8


def test_identical_children_of_different_parents_are_merged(task):
    allowed = task.links
    protected = np.zeros_like(allowed)
    protected[:2] = True

    def trained(gone, least):
        links = allowed.copy()
        links[gone] = False
        effects = np.ones((2, 5, 3))
        effects[:, *least] = 0
        return Trained(links, None, np.zeros(2), effects, effects, np.array([True, False]))

    sets, votes = children([trained((2, 0), (3, 1)), trained((3, 1), (2, 0))], allowed, protected, branch=1)
    assert len(sets) == 1 and len(votes) == 2
    assert set(votes.values()) == {1}, "replicates that are not good propose nothing"
    assert next(iter(sets.values())).sum() == 9


def test_result_of_a_set_of_links_does_not_depend_on_order_or_threads(task, readout):
    masks = [task.links.copy() for _ in range(3)]
    for mask, gone in zip(masks, ((2, 0), (3, 1), (4, 2)), strict=True):
        mask[gone] = False
    one = Trainer(task, SETTINGS, readout, all_good, 2, seed=3)
    forward = {t.name: t for t in one(masks)}
    torch.set_num_threads(2)
    other = Trainer(task, SETTINGS, readout, all_good, 2, seed=3)
    backward = {t.name: t for t in other(masks[::-1])}
    for name, trained in forward.items():
        np.testing.assert_array_equal(trained.values, backward[name].values)
    assert one(masks)[0] is forward[mask_name(masks[0])], "a known set is not trained again"


def test_tree_visits_every_set_once_and_every_edge_removes_one_link(task, readout):
    trainer = Trainer(task, SETTINGS, readout, all_good, 2, seed=4)
    tree = grow(trainer, down_to=8, branch=2, width=3)
    names = [s.name for level in tree.levels for s in level]
    assert len(set(names)) == len(names) == tree.visited == len(trainer.known)
    assert [{int(s.links.sum()) for s in level} for level in tree.levels] == [{11}, {10}, {9}, {8}]
    assert all(len(level) <= 3 for level in tree.levels)
    for parent, child in tree.votes:
        assert sum(a != b for a, b in zip(parent, child, strict=True)) == 1
        assert parent.count("x") == child.count("x") + 1
    assert all(s.links[0, 1] and s.links[1, 0] for level in tree.levels for s in level)
    nodes = sparse.tree_nodes(tree, 5e-4)
    assert nodes["votes"].sum() == sum(tree.votes.values())


def test_tree_ends_where_nothing_works(task, readout):
    trainer = Trainer(task, SETTINGS, readout, lambda network: np.zeros(network.replicates, bool), 2, seed=4)
    assert grow(trainer, down_to=5).visited == 1


def test_tree_with_one_replicate_and_one_branch_is_a_sequence(task, readout):
    trainer = Trainer(task, SETTINGS, readout, all_good, 1, seed=5)
    tree = grow(trainer, down_to=6, branch=1, width=10)
    assert [len(level) for level in tree.levels] == [1] * 6
    plain = sparsen(task, SETTINGS, readout, 1, seed=5, down_to=6, protect_inputs=True)
    assert [level.count for level in plain] == [int(level[0].links.sum()) for level in tree.levels]


def test_masks_of_six_links_are_counted_exactly(task):
    protected = np.zeros_like(task.links)
    protected[:2] = True
    masks = all_masks(task.links, protected, 6)
    assert len(masks) == len({mask_name(m) for m in masks}) == 126  # four of nine
    assert all(m.sum() == 6 and m[0, 1] and m[1, 0] and not (m & ~task.links).any() for m in masks)


def test_connectivity_agrees_with_paths_found_by_networkx(task):
    import networkx as nx

    protected = np.zeros_like(task.links)
    protected[:2] = True
    nodes = ("I1", "I2", "g1", "g2", "g3")
    for mask in all_masks(task.links, protected, 6):
        graph = nx.DiGraph([(nodes[i], nodes[2 + j]) for i, j in np.argwhere(mask)])
        graph.add_nodes_from(nodes)
        fed = all(any(nx.has_path(graph, i, g) for i in nodes[:2]) for g in nodes[2:])
        expected = fed and all(nx.has_path(graph, node, "g1") for node in nodes)
        assert is_connected(mask, 2) == expected
    assert is_connected(P53[0] != 0, 2)


# ---- transfer to Hill functions --------------------------------------------------------------------------------------


def test_criterion_for_three_genes_is_the_published_one(criterion):
    rng = np.random.default_rng(0)
    b, k = rng.exponential(size=(2, 4000, 5, 3))
    runs = [simulate_hill(P53[0], b, k, levels)[..., 0] for levels in hill_transfer.RUNS]
    expected = controlled_oscillation(*runs)
    np.testing.assert_array_equal(judge(P53[0], criterion, b, k), expected)
    assert expected.sum() > 3


def test_p53_topology_cannot_leave_its_steady_state_with_hill_coefficient_two():
    rng = np.random.default_rng(1)
    b, k = np.exp(1.5 * rng.standard_normal((2, 150, 5, 3)))
    state, growth = hill_transfer.steady_state(P53[0], b, k, (0.8, 0.0))
    assert np.isfinite(growth).mean() > 0.95
    assert np.nanmax(growth) < 0
    # the eigenvalues are those of the cubic (s + 1)^3 + A (s + 1) + B, with gains below n^2 and n^3
    u, square = np.square(state), np.square(k)
    up = 2 * square / (square + u[:, :, None].repeat(3, 2)[:, [0, 0, 0, 1, 2]])  # slope of an activator
    down = 2 - up
    a = up[:, 2, 2] * down[:, 4, 0]
    a_b = up[:, 2, 2] * down[:, 4, 1] * up[:, 3, 0]
    # I2 is off, so that ATM alone activates p53, and I1 alone activates ATM: slopes are those of single Hill functions
    roots = np.array([np.roots([1, 0, x, y]) - 1 for x, y in zip(a, a_b, strict=True)])
    found = np.isfinite(growth)
    np.testing.assert_allclose(roots.real.max(1)[found], growth[found], atol=2e-3)


def test_steeper_hill_functions_let_the_p53_topology_oscillate():
    table = hill_transfer.steeper(P53[0], (2, 5), sets=150, seed=2).set_index("exponent")
    assert table.loc[2, "undamped"] == 0
    assert table.loc[5, "undamped"] > 0


def test_own_integrator_agrees_with_lsoda_for_the_published_coefficient():
    b, k = np.random.default_rng(3).exponential(size=(2, 1, 5, 3))
    ours = hill_transfer._output(P53[0], b, k, (0.8, 0.0), 2)[0, : hill_transfer.STEPS]
    exact = hill_transfer.exact_runs(HillCircuits(P53, b, k, np.full((1, 3), 0.1)), 0)[1, :, 0]
    np.testing.assert_allclose(ours, exact, atol=2e-5)


def test_circuit_that_oscillates_on_the_map_alone_is_called_damped():
    circuits = hill_transfer.fit_on_map(P53, seed=1, restarts=16, updates=100)
    on_map = hill_transfer.map_runs(circuits, 0)[..., 0]
    assert controlled_oscillation(*(run[None] for run in on_map))[0]
    assert not hill_transfer.judge_exactly(circuits)["undamped"][0]


def test_amplitude_ratio_of_known_waves():
    time = np.linspace(0, 200, 2001)
    assert hill_transfer.amplitude_ratio(np.sin(time)) == pytest.approx(1, abs=1e-3)
    assert hill_transfer.amplitude_ratio(np.exp(-time / 50) * np.sin(time)) == pytest.approx(np.exp(-2), rel=0.1)
    assert hill_transfer.amplitude_ratio(np.full(2001, 0.3)) == 0


def test_random_topologies_are_connected_and_have_the_links_asked_for(task):
    drawn = hill_transfer.random_topologies(task.links, 2, 6, 50, np.random.default_rng(4))
    assert (np.abs(drawn).sum((1, 2)) == 6).all()
    assert all(is_connected(t != 0, 2) for t in drawn)
    assert 0.3 < (drawn == 1).sum() / 300 < 0.7


# ---- rows ours versus published --------------------------------------------------------------------------------------


def test_class_rows_say_what_was_counted():
    winners = pd.DataFrame({"canonical": [sparse.P53, "0+0+0000++00--+"]})
    rows = results_sparse.class_rows({"tree": winners, "empty": winners[:0]}, "x")
    assert [row["ours"] for row in rows[:2]] == [1.0, 0.5]
    assert rows[0]["published"] == 1
    assert np.isnan(rows[2]["ours"])
