"""The simulated screen: its simulator against closed forms and an exact solver, its truth against its counts."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare
from sklearn.metrics import average_precision_score

from regulome import simulated_screen
from regulome.errors import UserError
from regulome.simulated_screen import SEED, Settings, simulate
from regulome.stochastic import engine
from regulome.stochastic.gene_ssa import GeneNetwork, sample

SMALL = Settings(
    perturbed=4, regulators=2, targets=6, mitochondrial=2, cells=12, controls=30, pairs=2, time=2.0, seed=5
)


def chain(burst: int = 2) -> GeneNetwork:
    """A activates B, B represses A."""
    return GeneNetwork(
        ("A", "B"),
        np.array([4.0, 5.0]),
        burst,
        np.array([0, 1]),
        np.array([1, 0]),
        np.array([0.8, 0.6]),
        np.array([5.0, 3.0]),
        np.array([1, -1]),
    )


@pytest.fixture(scope="module")
def committed():
    return anndata.read_h5ad(simulated_screen.folder() / "screen.h5ad")


# --- the simulator


def test_counts_of_two_genes_that_regulate_each_other_have_the_law_of_the_exact_solver():
    network, cells = chain(), 20_000
    solved = engine.solve(network.transitions(), np.zeros(0), engine="exact", time=1.5)
    counts = sample(network, np.ones((cells, 2)), np.ones(cells), np.zeros(2), 1.5, seed=1)
    law = dict(zip(map(tuple, solved.counts.tolist()), solved.weights, strict=True))
    pairs, seen = np.unique(counts, axis=0, return_counts=True)
    found = dict(zip(map(tuple, pairs.tolist()), seen, strict=True))
    common = [pair for pair, p in law.items() if p * cells > 8]
    expected = np.array([law[pair] * cells for pair in common])
    observed = np.array([found.get(pair, 0) for pair in common], float)
    rest = cells - expected.sum(), cells - observed.sum()
    assert chisquare([*observed, rest[1]], [*expected, rest[0]]).pvalue > 1e-3
    assert len(common) > 50


def test_the_propensities_are_those_of_the_network_that_the_exact_solver_gets():
    network, counts = chain(), np.random.default_rng(2).integers(0, 20, (30, 2))
    rates = network.transitions().propensities(counts, np.zeros(0))
    for x, (burst_a, loss_a, burst_b, loss_b) in zip(counts, rates, strict=True):
        assert network.rate * network.promoter(x.astype(float)) == pytest.approx([burst_a, burst_b])
        assert (loss_a, loss_b) == tuple(x)


def test_an_unregulated_gene_has_the_stationary_moments_of_bursts():
    """Mean r b, Fano factor (b + 1) / 2, for bursts of always b molecules."""
    empty = np.array([], int)
    network = GeneNetwork(("A",), np.array([6.0]), 3, empty, empty, empty, empty, empty)
    counts = sample(network, np.ones((20_000, 1)), np.ones(20_000), np.array([18.0]), 12.0)[:, 0]
    assert counts.mean() == pytest.approx(18, abs=5 * 6 / np.sqrt(20_000))
    assert counts.var() / counts.mean() == pytest.approx(2, abs=0.12)


def test_a_larger_cell_is_a_cell_of_larger_rates_and_thresholds():
    one, ones = chain(), np.ones((50, 2))
    double = GeneNetwork(
        one.names, 2 * one.rate, one.burst, one.source, one.target, one.weight, 2 * one.threshold, one.sign
    )
    large = sample(one, ones, np.full(50, 2.0), np.array([4.0, 4.0]), 3.0, seed=9)
    assert np.array_equal(large, sample(double, ones, np.ones(50), np.array([8.0, 8.0]), 3.0, seed=9))


def test_threads_do_not_change_the_numbers():
    arguments = chain(), np.ones((300, 2)), np.ones(300), np.array([5.0, 5.0]), 2.0, 4
    assert np.array_equal(sample(*arguments, threads=1), sample(*arguments, threads=3))


def test_bad_networks_and_cells_are_named():
    with pytest.raises(UserError, match="weights between 0 and 1"):
        GeneNetwork(("A",), np.ones(1), 1, *(np.array([v]) for v in (0, 0, 1.5, 2.0, 1)))
    with pytest.raises(UserError, match="genes 0 to 0"):
        GeneNetwork(("A",), np.ones(1), 1, *(np.array([v]) for v in (1, 0, 0.5, 2.0, 1)))
    with pytest.raises(UserError, match="expected \\(3, 2\\)"):
        sample(chain(), np.ones((3, 1)), np.ones(3), np.ones(2), 1.0)


# --- the screen


def test_the_same_settings_give_the_same_screen_and_another_seed_another_network():
    (one, truth), (two, _) = simulate(SMALL, threads=1), simulate(SMALL, threads=2)
    assert np.array_equal(one.X.toarray(), two.X.toarray())
    assert not truth.equals(simulate(Settings(**{**vars(SMALL), "seed": 6}))[1])


def test_the_first_cells_do_not_depend_on_the_others():
    whole, few = simulate(SMALL)[0], simulate(SMALL, first=20)[0]
    assert np.array_equal(whole.X[:20].toarray(), few.X.toarray())
    assert whole.obs[:20].equals(few.obs)


def test_rates_make_the_drawn_levels_a_fixed_point():
    network, level = simulated_screen.draw_network(Settings(), np.random.default_rng(3))
    assert network.burst * network.rate * network.promoter(level) == pytest.approx(level)


def test_the_true_strength_is_the_change_of_the_promoter_when_the_regulator_falls():
    network, level = simulated_screen.draw_network(SMALL, np.random.default_rng(4))
    for row in simulated_screen.truth(network, level, 0.1).itertuples():
        fallen = level.copy()
        fallen[network.names.index(row.source)] *= 0.1
        target = network.names.index(row.target)
        change = np.log2(network.promoter(fallen)[target] / network.promoter(level)[target])
        assert abs(change) == pytest.approx(row.strength, abs=1e-4)
        assert np.sign(change) == -row.sign


def test_a_knockout_without_escape_empties_the_perturbed_genes():
    settings = Settings(**{**vars(SMALL), "knockdown": 0.0, "escape": 0.0, "ambient": 0.0, "time": 12.0})
    table, _ = simulate(settings)
    for label in set(table.obs["perturbation"]) - {"control"}:
        assert table[table.obs["perturbation"] == label, label.split("+")].X.sum() <= 2  # e^-12 of 80 molecules
    assert table[table.obs["perturbation"] == "control"].X.toarray().mean(0).min() > 0


def test_settings_out_of_range_are_named():
    with pytest.raises(UserError, match=r"capture: found 1\.5"):
        Settings(capture=1.5)
    with pytest.raises(UserError, match="cells: found 0"):
        Settings(cells=0)
    with pytest.raises(UserError, match="pairs: found 5"):
        Settings(perturbed=3, pairs=5)
    with pytest.raises(UserError, match="links from 1 to 3"):
        Settings(links=4.0)


# --- what is committed


def test_the_committed_screen_begins_as_the_command_makes_it(committed):
    table, truth = simulate(Settings(), first=64)
    assert (table.X.toarray() == committed.X[:64].toarray()).all(1).mean() > 0.95  # other processors round elsewhere
    assert (table.obs["perturbation"].astype(str) == committed.obs["perturbation"][:64].astype(str)).all()
    pd.testing.assert_frame_equal(truth, pd.read_csv(simulated_screen.folder() / "truth.csv"), atol=2e-4)
    assert committed.uns["simulated"]["seed"] == SEED
    assert json.loads(committed.uns["simulated"]["settings"])["capture"] == Settings().capture


def test_the_committed_files_are_small_and_their_readme_states_seed_and_command():
    folder = simulated_screen.folder()
    assert sum((folder / name).stat().st_size for name in ("screen.h5ad", "truth.csv")) < 1_000_000
    text = (folder / "README.md").read_text()
    assert f"seed {SEED}" in text and simulated_screen.COMMAND in text


def test_knockdowns_are_seen_and_damaged_cells_look_damaged(committed):
    counts, label = committed.X.toarray(), committed.obs["perturbation"].astype(str).to_numpy()
    good = ~committed.obs["simulated_damaged"].to_numpy()
    column = {gene: i for i, gene in enumerate(committed.var_names)}
    for gene in committed.var_names[committed.var["role"] == "perturbed regulator"]:
        ratio = counts[label == gene][:, column[gene]].mean() / counts[label == "control"][:, column[gene]].mean()
        assert 0.08 < ratio < 0.4
    library, mt = counts.sum(1), counts[:, committed.var_names.str.startswith("MT-")].sum(1)
    assert np.median(library[~good]) < 0.5 * np.median(library[good])
    assert np.median((mt / library)[~good]) > 2 * np.median((mt / library)[good])


def test_the_network_is_neither_trivial_nor_hopeless_for_the_plain_mean_difference(committed):
    counts, label = committed.X.toarray(), committed.obs["perturbation"].astype(str).to_numpy()
    values = np.log1p(counts / np.maximum(counts.sum(1), 1)[:, None] * 268)
    links = set(map(tuple, pd.read_csv(simulated_screen.folder() / "truth.csv")[["source", "target"]].to_numpy()))
    candidates, found = [], []
    for gene in committed.var_names[committed.var["role"] == "perturbed regulator"]:
        change = np.abs(values[label == gene].mean(0) - values[label == "control"].mean(0))
        other = (committed.var_names != gene) & (committed.var["role"] != "mitochondrial").to_numpy()
        candidates += [(gene, target) in links for target in committed.var_names[other]]
        found += list(change[other])
    chance = np.mean(candidates)
    assert 5 * chance < average_precision_score(candidates, found) < 0.85


def test_overdispersion_of_control_counts_is_above_poisson(committed):
    """Cell size, capture and bursts make counts wider than Poisson."""
    counts = committed[(committed.obs["perturbation"] == "control") & ~committed.obs["simulated_damaged"]].X.toarray()
    mean, variance = counts.mean(0), counts.var(0)
    assert 1.2 < (variance / mean).mean() < 4
