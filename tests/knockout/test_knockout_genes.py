"""Genes and edges of a screen: against hand counts, the path sums of part 2 and the simulator of part 4."""

from dataclasses import replace

import numpy as np
import pytest

from regulome import paths, simulated_screen
from regulome.errors import UserError
from regulome.knockout import edges, gene_study
from regulome.knockout.edges import TotalEffects, TrueNetwork
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Edge, Gene
from regulome.perturbation.ate import Means
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.gpo_network import Network
from regulome.perturbation.gpo_response import paths as path_sums
from regulome.perturbation.response_baselines import Table
from regulome.stochastic.gene_ssa import GeneNetwork
from regulome.tables import read_table

GENES = ("a", "b", "c", "d")


def learned(seed=0, size=4):
    """A model of which only the network is there; gene a was perturbed and fell by a factor e^-2."""
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0, 1, (size, size)) * ~np.eye(size, dtype=bool)
    graph = Network(probability, rng.normal(0, 0.6, (size, size)), np.ones((size, size)), {})
    blank = {name: None for name in ("autoencoder", "maximum", "effects_sd", "centre", "libraries", "shift")}
    return Gpo(
        genes=GENES, labels=("a",), latent=GENES, perturbed=np.arange(size) == 0, column=np.arange(size), **blank,
        effects=np.array([[-2.0, 0.0, 0.0, 0.0]]), residual=None, correction=None, graph=graph,
        record={"direction": -1, "network": {"floor": 0.5}},
    )  # fmt: skip


def pair(sign=-1):
    """Two genes, one link a -> b."""
    link = {"source": np.array([0]), "target": np.array([1]), "weight": np.array([0.8]), "sign": np.array([sign])}
    network = GeneNetwork(("a", "b"), np.ones(2), 3, threshold=np.array([15.0]), **link)
    level = np.array([30.0, 40.0])
    return TrueNetwork(replace(network, rate=level / 3 / network.promoter(level)), level, 0.1)


@pytest.mark.parametrize("seed", range(5))
def test_removing_an_edge_is_the_path_sum_of_the_network_without_it(seed):
    model = learned(seed)
    effect = model.graph.effect
    for i, j in ((0, 1), (0, 3), (2, 1)):
        cut = effect.copy()
        cut[i, j] = 0
        dose = -2.0 if i == 0 else -1.0
        expected = dose * (path_sums(cut) - path_sums(effect))[i, j] / np.log(2)
        found = knockout(model, Edge(GENES[i], GENES[j]))["effect"].iloc[0]
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_many_edges_at_once_are_the_same_as_one_by_one():
    model, targets = learned(), [Edge("a", "b"), Edge("c", "d")]
    one_by_one = [knockout(model, target)["effect"].iloc[0] for target in targets]
    np.testing.assert_allclose(edges.scan(model, targets)["effect"], one_by_one)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_single_link_has_the_closed_form(sign):
    true = pair(sign)
    ratio = true.network.link(np.array([3.0]))[0] / true.network.link(np.array([30.0]))[0]
    found = knockout(true, Edge("a", "b"))["effect"].iloc[0]
    assert found == pytest.approx(-np.log2(ratio), abs=1e-6)
    assert np.sign(found) == sign, "without an activator's edge the target no longer falls when the activator does"


def test_pairs_without_an_edge_have_no_effect():
    assert knockout(pair(), Edge("b", "a"))["effect"].iloc[0] == pytest.approx(0, abs=1e-9)


def test_simulated_cells_agree_with_the_steady_state():
    found = edges.stochastic_check(pair(), [Edge("a", "b")], cells=400, time=12.0, seed=1).iloc[0]
    assert found["high"] - found["low"] < 0.4
    assert found["low"] - 0.1 < found["deterministic"] < found["high"] + 0.1


def test_the_network_drawn_again_is_the_one_of_the_mini_data():
    true = gene_study.true_network(simulated_screen.Settings())
    known = read_table(paths.mini_data() / "perturbation" / "truth.csv", text=("source", "target"))
    names = np.array(true.network.names)
    again = set(zip(names[true.network.source], names[true.network.target], true.network.sign, strict=True))
    assert again == set(zip(known["source"], known["target"], known["sign"].astype(int), strict=True))
    np.testing.assert_allclose(edges.steady(true), true.level, rtol=1e-6)


def measured():
    mean = np.array([[1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.0, 4.0]])
    return Means(("a",), mean, np.full((2, 4), 0.16), np.array([16, 64]))


def test_measured_cells_have_the_interval_of_a_difference_of_means():
    found = knockout(measured(), Gene("a", GENES))
    assert found["effect"].tolist() == [-0.5, 0.0, 1.0, 0.0]
    half = 1.96 * np.sqrt(0.16 / 16 + 0.16 / 64)
    np.testing.assert_allclose(found["high"] - found["effect"], half)
    assert found["note"].tolist() == ["the perturbed gene itself", "", "", ""]


def test_a_baseline_answers_with_what_it_looks_up():
    model = Table({"a": np.arange(4.0)}, np.full(4, 7.0))
    assert knockout(model, Gene("a", GENES))["effect"].tolist() == [0, 1, 2, 3]
    assert knockout(model, Gene("other", GENES))["effect"].tolist() == [7, 7, 7, 7]


@pytest.mark.parametrize(
    ("model", "target", "message"),
    [
        (learned, Gene("q", GENES), "gene 'q': the model knows no such gene"),
        (learned, Gene("a", ("b", "a")), "expected model.genes"),
        (learned, Edge("a", "q"), "no latent gene 'q'"),
        (measured, Gene("q", GENES), "no cell has it perturbed"),
        (pair, Edge("q", "a"), "no gene 'q'"),
        (lambda: Table({}, np.zeros(3)), Gene("a", GENES), "found 4 genes; expected 3"),
    ],
    ids=["gene", "readouts", "edge", "cells", "network", "table"],
)
def test_a_wrong_gene_or_edge_is_refused_with_one_message(model, target, message):
    with pytest.raises(UserError, match=message):
        knockout(model(), target)


def test_the_baseline_of_edges_ascribes_all_of_the_answer_to_the_edge():
    import pandas as pd

    model = TotalEffects(pd.DataFrame([[0.0, -1.5]], index=["a"], columns=["a", "b"]))
    assert knockout(model, Edge("a", "b"))["effect"].tolist() == [1.5]
    with pytest.raises(UserError, match="no perturbed gene 'b'"):
        knockout(model, Edge("b", "a"))
