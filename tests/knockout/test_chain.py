"""The chain from a learned network to simulated cells: closed forms, exported files, scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from regulome.errors import UserError
from regulome.knockout import chain_cells, chain_network, chain_scores
from regulome.perturbation import simulated
from regulome.perturbation.screen import CONTROL
from regulome.simulated_screen import Settings, simulate
from regulome.stochastic import network_json, sbml_import, ssa

GENES = ("R1", "R2", "T1", "MT-1")
LEVEL = np.array([40.0, 20.0, 30.0, 25.0])
LINKS = pd.DataFrame({"regulator": ["R1", "R2"], "target": ["T1", "T1"], "effect": [0.3, -0.25]})
KNOWN = Settings(escape=0.0, ambient=0.0, size_sd=0.0, capture_sd=0.0, capture=0.5)


@pytest.fixture
def learned():
    return chain_network.build(GENES, LEVEL, LINKS, [0.1, 0.2], burst=3)


@pytest.fixture(scope="module")
def simulated_cells():
    known = Settings(perturbed=3, regulators=0, targets=6, mitochondrial=2, cells=30, controls=400, pairs=0, seed=5)
    table, _ = simulate(known, threads=1)
    return table, simulated.prepared(table), known


def test_a_link_passes_on_exactly_what_the_learned_effect_says(learned):
    network = learned.network
    control, fallen = network.link(LEVEL[:2]), network.link(LEVEL[:2] * np.array([0.1, 0.2]))
    assert np.allclose(fallen / control, np.array([0.1, 0.2]) ** LINKS["effect"].to_numpy())
    assert learned.clipped == 0


def test_effects_beyond_what_a_promoter_can_do_are_cut_off_and_counted():
    strong = LINKS.assign(effect=[2.0, -0.25])
    found = chain_network.build(GENES, LEVEL, strong, [0.1, 0.2], burst=3)
    assert found.clipped == 1 and found.links["weight"].max() == chain_network.MOST


def test_control_levels_are_at_rest(learned):
    network = learned.network
    assert np.allclose(network.burst * network.rate * network.promoter(LEVEL), LEVEL)
    alone = chain_network.without_links(learned)
    assert len(alone.links) == 0 and np.allclose(alone.network.rate * 3, LEVEL)


def test_shuffled_links_keep_regulators_weights_and_levels(learned):
    other = chain_network.shuffled(learned, 0)
    assert list(other.links["regulator"]) == ["R1", "R2"] and (other.links["weight"] == learned.links["weight"]).all()
    assert (other.links["regulator"] != other.links["target"]).all()
    assert np.allclose(3 * other.network.rate * other.network.promoter(LEVEL), LEVEL)
    chosen = {tuple(chain_network.shuffled(learned, seed).links["target"]) for seed in range(20)}
    assert len(chosen) > 3


def test_molecules_of_a_screen_are_those_that_it_was_made_from(simulated_cells):
    table, screen, known = simulated_cells
    found = chain_network.molecules(screen, known)
    assert np.median(np.abs(found / table.var["simulated_level"].to_numpy() - 1)) < 0.1


def test_a_regulator_that_does_not_fall_is_refused():
    with pytest.raises(UserError, match="did not fall"):
        chain_network.weights([0.5], [1.0])


# --- export


def test_the_exported_files_are_the_simulated_network(learned, tmp_path):
    paths = chain_network.export(learned, tmp_path, "a test")
    counts = np.random.default_rng(0).integers(0, 80, (20, 4))
    assert chain_network.largest_difference(learned, paths[0], counts) < 1e-12
    assert network_json.read_network(paths[0]).states == ("R1", "R2", "T1", "MT_1")
    assert len(sbml_import.read_sbml(paths[1]).events) == 8


def test_another_network_in_the_file_is_noticed(learned, tmp_path):
    paths = chain_network.export(learned, tmp_path, "a test")
    other = replace(learned, network=replace(learned.network, rate=learned.network.rate * 1.01))
    assert chain_network.largest_difference(other, paths[0], np.full((1, 4), 10)) > 5e-3


# --- cells


def test_cells_of_a_gene_without_links_have_the_moments_of_bursts(learned):
    alone = chain_network.without_links(learned)
    made = chain_cells.simulate(alone.network, LEVEL, KNOWN, ("R1",), 2000, seed=1, threads=1)
    control = made.molecules[made.label == CONTROL]
    assert np.allclose(control.mean(0), LEVEL, rtol=0.03)
    assert np.allclose(control.var(0) / control.mean(0), 2.0, atol=0.25)  # (burst + 1) / 2
    knocked = made.molecules[made.label == "R1"]
    assert knocked[:, 0].mean() == pytest.approx(0.1 * LEVEL[0], rel=0.06)
    assert np.allclose(made.of(CONTROL).mean(0), 0.5 * LEVEL, rtol=0.03)


def test_escaped_cells_are_like_controls(learned):
    known = replace(KNOWN, escape=1.0)
    made = chain_cells.simulate(learned.network, LEVEL, known, ("R1",), 1000, seed=2, threads=1)
    assert made.of("R1")[:, 0].mean() == pytest.approx(made.of(CONTROL)[:, 0].mean(), rel=0.05)


# --- scores


def test_effects_that_are_right_score_one_and_the_own_gene_is_left_out(simulated_cells):
    screen = simulated_cells[1]
    test = np.random.default_rng(0).normal(size=(3, 11))
    own = np.zeros_like(test)
    own[np.arange(3), [screen.genes.index(label) for label in screen.labels]] = -5.0
    made = {"right": test, "own gene": own}
    table = chain_scores.table(made, test, {}, screen).set_index("source")
    assert table.loc["right", ["pearson", "pearson_off"]].tolist() == pytest.approx([1, 1])
    assert table.loc["own gene", "pearson_off"] == 0


def test_the_fano_factor_is_variance_over_mean_and_undefined_without_counts():
    assert chain_scores._fano(np.array([[1, 0], [3, 0]]))[0] == pytest.approx(1.0)
    assert np.isnan(chain_scores._fano(np.array([[1, 0], [3, 0]]))[1])


def test_part_four_simulates_the_exported_file_to_the_same_means(learned, tmp_path):
    path = chain_network.export(learned, tmp_path, "a test")[0]
    network = network_json.read_network(path)
    known = replace(KNOWN, capture=1.0)
    made = chain_cells.simulate(learned.network, LEVEL, known, ("R1",), 1500, seed=1, knockdown=0.0, threads=1)
    for events, label in (((), CONTROL), (("transcription of R1",), "R1")):
        found = ssa.final(network.without(*events), np.zeros((1, 0)), known.time, 1500, seed=3, threads=1)[0]
        here = made.of(label)
        error = np.sqrt(found.var(0) / 1500 + here.var(0) / 1500)
        assert (np.abs(found.mean(0) - here.mean(0)) < 4.5 * error + 1e-9).all()


def test_training_cells_are_nearer_to_held_out_cells_than_other_ones(simulated_cells):
    _, screen, _ = simulated_cells
    rows = screen.rows("train", passed=True)
    label = np.array([*screen.labels, CONTROL], object)[screen.label[rows]]
    counts = screen.counts[rows].toarray().astype(int)
    same = chain_cells.Cells(counts, label, counts)
    turned = chain_cells.Cells(counts[:, ::-1], label, counts)
    found = [chain_scores._distance("x", {"x": each}, screen) for each in (same, turned)]
    assert found[0] == pytest.approx(chain_scores._distance(chain_scores.TRAIN, {}, screen))
    assert found[0] < 0.7 * found[1]
