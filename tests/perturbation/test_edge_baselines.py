"""Baselines of network inference: definitions by hand, known networks, signs."""

import numpy as np
import pytest
from linear_screens import linear_screen
from scipy import stats

from regulome.errors import UserError
from regulome.perturbation import edge_baselines as baselines
from regulome.perturbation import edge_metrics, edge_references, network_methods
from regulome.perturbation.direct_effects import direct_effects, solve
from regulome.perturbation.tree_ensemble import tree_ensemble


@pytest.fixture(scope="module")
def toy():
    return linear_screen(perturbed=8, extended=4, others=30, unmeasured=("A02",))


def test_mean_difference_and_its_z_score_are_those_of_welch(toy):
    screen, _ = toy
    place, column = screen.latent.index("E01"), [screen.genes.index("E01")]
    perturbed = screen.normalised(screen.rows("train", "A05"), column).ravel()
    controls = screen.normalised(screen.rows("train", "control"), column).ravel()
    found = baselines.mean_difference(screen)[5, place]
    assert found == pytest.approx(controls.mean() - perturbed.mean(), rel=1e-5)
    expected = stats.ttest_ind(controls.astype(float), perturbed.astype(float), equal_var=False).statistic
    assert baselines.mean_difference(screen, standardised=True)[5, place] == pytest.approx(expected, rel=1e-4)
    assert baselines.mean_difference(screen, direction=1)[5, place] == pytest.approx(-found)


def test_median_difference_is_the_published_quantity_with_a_sign(toy):
    screen, _ = toy
    rows = screen.rows("train", "A05")
    found = baselines.median_delta(screen)
    known = screen.latent_column >= 0
    np.testing.assert_allclose(np.abs(found[5, known]), np.median(np.abs(screen.delta(rows)), 0)[known])
    assert np.isnan(found[:, 2]).all() and np.isnan(found[screen.perturbed :]).all() and np.isfinite(found[2, 3])
    assert np.sign(found[5, 6]) == np.sign(-screen.delta(rows)[:, 6].mean())
    edges = baselines.median_readout(found, 0.8)
    assert edges.sum() == (np.abs(found[~np.eye(12, dtype=bool)]) > 0.8).sum() and not np.diag(edges).any()


def test_correlations_are_those_of_scipy(toy):
    screen, _ = toy
    values = screen.normalised(screen.rows("train"), [screen.genes.index(gene) for gene in ("A00", "E00")])
    place = 0, screen.latent.index("E00")
    assert baselines.correlation(screen, "all")[place] == pytest.approx(stats.pearsonr(*values.T)[0], rel=1e-4)
    found = baselines.correlation(screen, "all", "spearman")[place]
    assert found == pytest.approx(stats.spearmanr(*values.T)[0], rel=1e-4)
    with pytest.raises(UserError, match="kind 'kendall'"):
        baselines.correlation(screen, kind="kendall")


def test_direct_effects_of_exact_total_effects_are_the_network():
    rng = np.random.default_rng(2)
    direct = np.where(rng.random((9, 9)) < 0.3, rng.normal(size=(9, 9)), 0) * 0.4
    np.fill_diagonal(direct, 0)
    knockdown = rng.uniform(0.5, 2, 9)
    total = knockdown[:, None] * np.linalg.inv(np.eye(9) - direct)  # Δ = d (I - B)^-1, cycles included
    found = solve(total, np.arange(9), np.ones(9, bool), 1e-12)
    off = ~np.eye(9, dtype=bool)
    np.testing.assert_allclose(found[off], direct[off], atol=1e-6)
    # the same by inverting the matrix of total effects, as modular response analysis is written
    response = np.linalg.inv(total / np.diag(total)[:, None])
    np.testing.assert_allclose((-response / np.diag(response))[off], direct[off], atol=1e-8)


def test_direct_effects_of_a_gene_that_was_never_perturbed():
    direct = np.zeros((5, 5))
    direct[0, 1] = direct[1, 4] = 0.8  # 0 -> 1 -> 4: the effect of 0 on 4 is indirect
    total = np.linalg.inv(np.eye(5) - direct)
    found = solve(total, np.arange(4), np.ones(5, bool), 1e-9)
    assert found[1, 4] == pytest.approx(0.8, abs=1e-6) and abs(found[0, 4]) < 1e-6
    assert np.isnan(found[4]).all()
    unmeasured = solve(total, np.arange(4), np.array([True, True, False, True, True]), 1e-9)
    assert np.isnan(unmeasured[2]).all() and np.isnan(unmeasured[:, 2]).all()


def test_every_baseline_but_chance_finds_a_strong_linear_network_with_its_signs(toy):
    screen, direct = toy
    truth, signs = np.where(direct != 0, 1.0, 0.0), np.sign(direct).astype(int)
    np.fill_diagonal(truth, np.nan)
    truth[screen.perturbed :], truth[2], truth[:, 2] = np.nan, np.nan, np.nan
    methods = network_methods.baselines(trees=10, cells=300)
    found = network_methods.run(methods, screen, [0])
    table = edge_metrics.score_all(found, truth, signs).set_index("method")
    chance = table["chance"].iloc[0]
    learned = table.drop(index=network_methods.RANDOM)
    assert (learned["auprc"] > 2 * chance).all(), learned["auprc"]
    assert (learned["sign_accuracy"] > 0.8).all(), learned["sign_accuracy"]
    assert np.isnan(found[network_methods.MEAN][0][:, 2]).all()  # not measured


def test_direct_effects_remove_indirect_ones():
    found = []
    for seed in range(3):
        screen, direct = linear_screen(cells=150, controls=600, seed=seed)
        truth = np.where(direct != 0, 1.0, 0.0)
        truth[screen.perturbed :] = np.nan
        scores = [baselines.mean_difference(screen, None), direct_effects(screen, None)]
        found.append([edge_metrics.score(each, truth, np.sign(direct).astype(int))["auprc"] for each in scores])
    total, deconvolved = np.mean(found, 0)
    assert deconvolved > total


def test_tree_ensembles_depend_on_the_seed_alone(toy):
    screen, _ = toy
    once, again = (tree_ensemble(screen, 3, trees=5, cells=200, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, tree_ensemble(screen, 4, trees=5, cells=200), equal_nan=True)
    with pytest.raises(UserError, match="method 'stump'"):
        tree_ensemble(screen, 0, "stump")


def test_resampling_keeps_splits_labels_and_the_pairs_with_controls(toy):
    screen, _ = toy
    drawn = network_methods.resampled(screen, 1)
    assert (drawn.label[drawn.control] < 0).all()
    assert (drawn.split[drawn.control] == drawn.split).all()
    other = screen.split != 0
    assert (drawn.counts[other] != screen.counts[other]).nnz == 0
    assert (drawn.counts[~other] != screen.counts[~other]).nnz > 0


def test_a_wider_panel_has_every_measured_gene_and_the_perturbed_ones_first(toy):
    screen, _ = toy
    wide = edge_references.widened(screen)
    assert wide.latent[:8] == screen.latent[:8] and set(wide.latent) == {*screen.genes, "A02"}
    assert baselines.mean_difference(wide).shape == (42, 42)


def test_trrust_files_are_read_and_their_rows_checked(tmp_path):
    path = tmp_path / "trrust.tsv"
    path.write_text("STAT1\tIRF1\tActivation\t1;2\nSTAT1\tIRF1\tUnknown\t3\nSPI1\tGATA1\tRepression\t4\n"
                    "SPI1\tA\tActivation\t5\nSPI1\tA\tRepression\t6\n")  # fmt: skip
    table = edge_references.read_trrust(path).set_index(["source", "target"])
    assert table.loc[("STAT1", "IRF1")].tolist() == [1, 3]
    assert len(edge_references.known("trrust", file=str(path))) == 3
    with pytest.raises(UserError, match="reference_file: found nothing"):
        edge_references.known("trrust")
    with pytest.raises(UserError, match="reference: found 'trust'"):
        edge_references.known("trust")
    assert table.loc[("SPI1", "GATA1"), "sign"] == -1 and table.loc[("SPI1", "A"), "sign"] == 0
    for text, message in (("A\tB\tActivation\n", "row 1: found 3 fields"), ("A\tB\tUp\t1\n", "row 1: found mode 'Up'"),
                          ("", "no rows")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            edge_references.read_trrust(path)
    with pytest.raises(UserError, match="cannot be read"):
        edge_references.read_trrust(tmp_path / "none.tsv")


def test_known_relations_name_a_citation_and_agreement_counts_signs():
    known = edge_references.interferon_gamma()
    assert known["citation"].str.contains(r"\(\d{4}\)").all() and not known.duplicated(["regulator", "target"]).any()
    genes = ("IFNGR1", "JAK2", "STAT1")
    scores = np.array([[np.nan, 0, 2.0], [0, np.nan, -3.0], [0, 0, np.nan]])
    table = edge_references.agreement(known, scores, np.full((3, 3), 0.01), genes)
    assert table[["regulator", "agrees", "rank"]].to_numpy().tolist() == [["IFNGR1", True, 2], ["JAK2", False, 1]]
