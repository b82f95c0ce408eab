"""The layered graph: edges against a loop over pairs, and a layout that is legal, reproducible and short."""

import numpy as np
import pytest

from regulome.circuits import codes, hill
from regulome.circuits.topology_graph import layered_graph, node_table


@pytest.fixture(scope="module")
def signs():
    everything = hill.topologies()
    able = everything[hill.connected(everything) & hill.can_oscillate(everything)]
    return able[np.random.default_rng(0).permutation(len(able))[:80]]


@pytest.fixture(scope="module")
def graph(signs):
    return layered_graph(signs, seed=1, restarts=3)


def test_edges_join_topologies_that_differ_by_one_link_more(signs, graph):
    expected = set()
    for a, one in enumerate(signs.reshape(len(signs), -1)):
        for b, other in enumerate(signs.reshape(len(signs), -1)):
            changed = [(x, y) for x, y in zip(one, other, strict=True) if x != y]
            if len(changed) == 1 and changed[0][0] == 0:  # a link of the other that the one does not have
                expected.add((a, b))
    assert expected and {tuple(edge) for edge in graph.edges} == expected


def test_a_reversed_sign_is_no_edge():
    pair = codes.decode(["+00+0+-+", "-00+0+-+", "++0+0+-+"])
    assert layered_graph(pair, seed=0).edges.tolist() == [[0, 2]]


def test_no_two_nodes_of_a_row_share_a_place_and_branches_do_not_mix(graph):
    for count in np.unique(graph.links):
        row = np.sort(graph.x[graph.links == count])
        assert (np.diff(row) >= 1 - 1e-9).all()
    assert graph.x[graph.branch == "left"].max() < graph.x[graph.branch == "right"].min()


def test_same_seed_same_layout_whatever_came_before(signs, graph):
    np.random.default_rng(5).random(3)
    np.testing.assert_array_equal(layered_graph(signs, seed=1, restarts=3).x, graph.x)


def test_swaps_make_the_edges_shorter_than_those_of_random_orders(signs, graph):
    random = [layered_graph(signs, seed, restarts=1, sweeps=0).length() for seed in range(20)]
    assert graph.length() < 0.8 * min(random)


def test_the_best_order_of_a_small_graph_is_found():
    # two rows of three: each topology of the upper row has exactly one partner below
    lower = ["+0+00+-+", "-0+00+-+", "0+0+0+-+"]
    upper = ["+0+0++-+", "-0+0++-+", "0+0+++-+"]
    graph = layered_graph(codes.decode([*lower, *upper]), seed=0)
    assert len(graph.edges) == 3 and graph.length() == pytest.approx(0)


def test_neighbours_of_the_table_add_up_to_the_edges(signs, graph):
    table = node_table(graph, np.array(codes.encode(signs)), np.ones(len(signs)), np.zeros(len(signs)))
    assert table["neighbours_fewer_links"].sum() == table["neighbours_more_links"].sum() == len(graph.edges)
    assert (table.loc[table["links"] == table["links"].max(), "neighbours_more_links"] == 0).all()
