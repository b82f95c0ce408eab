"""Tables and figures of the comparison of networks."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from linear_screens import linear_screen

from regulome.figures import Output
from regulome.perturbation import convergence, edge_evidence, edge_metrics, edges, export, learned_files
from regulome.perturbation import network_methods as methods
from regulome.perturbation import network_tables as tables
from regulome.perturbation import plots_networks as plots
from regulome.perturbation import results_networks as results
from regulome.perturbation.settings import ModelSettings, TrainingSettings

QUICK = (methods.MEDIAN, methods.MEAN, methods.DISTANCE, methods.SPEARMAN_ALL, methods.RANDOM)


@pytest.fixture(scope="module")
def case():
    screen, direct = linear_screen(perturbed=8, extended=5, others=20)
    among = edges.pairs(range(8), range(13), 13)
    truth, signs = np.where(among, (direct != 0).astype(float), np.nan), np.sign(direct).astype(int)
    chosen = {name: method for name, method in methods.baselines().items() if name in QUICK}
    return screen, among, truth, signs, methods.run(chosen, screen, [0, 1, 2])


def test_summary_has_the_mean_over_runs_inside_its_interval_and_the_best_first(case):
    _, _, truth, signs, found = case
    table = tables.summary(found, truth, signs, [5], 200, 0, methods.MEAN).set_index("method")
    assert table["auprc"].is_monotonic_decreasing
    assert ((table["auprc_low"] <= table["auprc"]) & (table["auprc"] <= table["auprc_high"])).all()
    alone = [edge_metrics.score(each, truth, signs)["auprc"] for each in found[methods.RANDOM]]
    assert table.loc[methods.RANDOM, "auprc"] == pytest.approx(np.mean(alone))
    assert table.loc[methods.RANDOM, "runs"] == 3 and table.loc[methods.MEAN, "difference"] == 0


def test_no_ranking_has_larger_distances_than_the_test_cells_themselves(case):
    screen, among, _, _, found = case
    cells = edge_evidence.evidence(screen)
    table = tables.matched(found, cells, [5, 20, 60], among)
    best = table[table["method"] == tables.CEILING].set_index("edges")["wasserstein"]
    assert (table["wasserstein"] <= table["edges"].map(best) + 1e-12).all()
    assert best.is_monotonic_decreasing


def test_omission_rate_falls_below_that_of_no_edges_when_strong_effects_are_listed(case):
    screen, among, _, _, found = case
    rates = tables.omissions(found, edge_evidence.evidence(screen), 25, among, 0).set_index("method")["rate"]
    assert rates[methods.DISTANCE] < rates[tables.NOTHING]


def test_published_rate_follows_the_pool_and_its_expectation(case):
    screen, *_ = case
    table = tables.pools(edge_evidence.evidence(screen, None), np.arange(8), [0, 8, 32], 0)
    assert table["rate"].is_monotonic_decreasing
    np.testing.assert_allclose(table["rate"], table["expected"], atol=0.03)


def test_rows_have_unique_ids_and_a_role_or_a_reason(case, tmp_path, monkeypatch):
    monkeypatch.setenv("REGULOME_OUTPUT", str(tmp_path))
    screen, among, truth, signs, found = case
    found = {"GPO-VAE": found[methods.RANDOM], **found}
    cells, out = edge_evidence.evidence(screen), Output("24_grn_inference", "mini")
    out.compare_all(results.truth_rows(tables.summary(found, truth, signs, [], 20, 0, methods.MEAN), "toy", "a"))
    out.compare_all(results.matched_rows(tables.matched(found, cells, [20], among), "toy", 20, "b"))
    out.compare_all(results.omission_rows(tables.omissions(found, cells, 20, among, 0), "toy", 20, "c"))
    out.compare_all(results.pool_rows(tables.pools(cells, np.arange(8), [0, 9], 0), "toy", True, "c"))
    stable = tables.stability({("GPO-VAE", "seed"): found["GPO-VAE"]}, 20, among)
    out.compare_all(results.stability_rows(stable, 20, "d"))
    out.close()
    rows = out.results().set_index("id")
    assert rows.loc["truth.auprc.gpo_vae", "verdict"] == "not comparable"
    assert rows.loc["truth.auprc.mean_difference", "verdict"] == "baseline"
    assert rows.loc["omission.published.9", "published"] == 0.10


def test_readouts_count_edges_off_the_diagonal():
    probability = np.array([[0.9, 0.7, 0.2], [0.4, 0.9, 0.6], [0.8, 0.8, 0.9]])
    truth = np.array([[np.nan, 1, 0], [1, np.nan, 0], [np.nan] * 3])
    table = tables.readouts({"m": [probability]}, np.array([[5, 0.9, 0.1], [0.2, 5, 0.9], [0, 0, 5]]), 0.8, truth, 2)
    assert table["edges"].tolist() == [4, 2] and table["of_unperturbed"].tolist() == [2, 0]
    assert table["precision"].tolist() == [0.5, 0.5] and table["recall"].tolist() == [0.5, 0.5]


def test_a_simulated_screen_is_scored_against_its_own_network():
    screen, direct = linear_screen(perturbed=5, extended=3, others=10)
    label = np.array([*screen.labels, "control"], object)[screen.label]
    names = [str(i) for i in range(len(screen))]
    table = AnnData(screen.counts, pd.DataFrame({"perturbation": label}, names), pd.DataFrame(index=list(screen.genes)))
    rows, columns = np.nonzero(direct)
    known = pd.DataFrame({"source": np.array(screen.latent)[rows], "target": np.array(screen.latent)[columns]})
    chosen = {name: methods.baselines()[name] for name in (methods.MEAN, methods.RANDOM)}
    found = tables.on_simulated([(table, known)], chosen, [0]).set_index("method")
    assert found.loc[methods.MEAN, "auprc"] > 0.5 > found.loc[methods.RANDOM, "auprc"]
    assert tables.on_simulated([], chosen, [0]).empty
    assert found["pairs"].tolist() == [5 * 17] * 2 and found["edges"].tolist() == [len(rows)] * 2


def test_models_of_a_folder_come_with_their_seeds_and_those_without_a_network_stay_out(case, tmp_path):
    screen = case[0]
    recipe = TrainingSettings.mini(epochs=1)
    small = {"basal": 4, "decoder_width": 8, "encoder_width": 8, "effect_width": 8, "effect_layers": 1, "alpha": 0.5}
    for name, family, seed in (("gpo", "gpo", 1), ("gpo", "gpo", 0), ("sams", "sams", 0)):
        model = learned_files.train(screen, ModelSettings(family, "published", **small), recipe, "cpu", progress=False)
        model.save(tmp_path / f"{name}_seed{seed}.pt")
    scores, probabilities = methods.models(tmp_path, screen)
    assert list(scores) == ["GPO-VAE, published"] and len(scores["GPO-VAE, published"]) == 2
    one = probabilities["GPO-VAE, published"][0]
    off = ~np.eye(13, dtype=bool)
    assert np.isnan(np.diag(one)).all() and ((one[off] > 0) & (one[off] < 1)).all()
    assert methods.models(tmp_path / "none", screen) == ({}, {})


def test_repeats_hold_seeds_of_what_has_some_and_resampled_cells_of_the_rest(case):
    screen, among, _, _, found = case
    chosen = {methods.MEAN: methods.baselines()[methods.MEAN]}
    runs = tables.repeats({"GPO-VAE": found[methods.RANDOM], **found}, chosen, screen, 3)
    assert {key: len(networks) for key, networks in runs.items()} == {
        ("GPO-VAE", "seed"): 3,
        (methods.MEAN, "cells"): 3,
    }
    means = tables.stability(runs, 20, among).groupby("method")["jaccard"].mean()
    assert means[methods.MEAN] > means["GPO-VAE"]  # which is chance here


def test_every_figure_is_drawn_from_its_table(case):
    screen, among, truth, signs, found = case
    cells = edge_evidence.evidence(screen)
    table = tables.summary(found, truth, signs, [], 20, 0, methods.MEAN)
    rates = tables.omissions(found, cells, 20, among, 0)
    curves = {methods.MEAN: edge_metrics.curve(found[methods.MEAN][0], truth)}
    figures = [
        plots.against_truth(curves, table, edge_metrics.score_all(found, truth, signs), [], "toy"),
        plots.matched(tables.matched(found, cells, [5, 20], among), [methods.MEAN], [], tables.CEILING, "toy"),
        plots.omissions(rates, tables.pools(cells, np.arange(8), [0, 9], 0), [], tables.NOTHING, "toy"),
        plots.stability(tables.stability({("random", "seed"): found[methods.RANDOM]}, 20, among), 20, "toy"),
    ]
    scores = found[methods.MEAN][0]
    listed = export.network_table(scores, screen.latent, 12, among)
    assert export.marked(listed, truth, screen.latent).sum() == np.nansum(truth[edges.top(scores, 12, among)])
    assert (np.abs(scores[among]) > edges.weakest(scores, 12, among)).sum() == 12
    figures.append(plots.network(listed, pd.Series(True, listed.index), "toy"))
    for fewest in (1, 9):
        hubs = convergence.subnetworks(scores, cells.wasserstein, screen.latent, 8, 0.1, 0.1, fewest)
        figures.append(plots.hubs(hubs, None))
    for fig, drawn in figures:
        fig.canvas.draw()
        assert isinstance(drawn, pd.DataFrame) and drawn.shape[1]
        plt.close(fig)
