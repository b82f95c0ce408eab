"""Baselines of responses against closed forms, independent algebra and simulated effects."""

import numpy as np
import pytest
from perturbation_screens import of
from sklearn.linear_model import Ridge

from regulome.errors import UserError
from regulome.perturbation import ate, evaluation, held_out
from regulome.perturbation import response_baselines as baselines
from regulome.perturbation.ate import Means
from regulome.perturbation.response_metrics import scores

GENES = tuple("ABCDEFGHIJ") + tuple(f"g{i}" for i in range(40))


def means_of(effects, cells=50, variance=1.0):
    """Means whose control is zero; effects (K, P)."""
    k, p = effects.shape
    return Means(GENES[:k], np.vstack([effects, np.zeros(p)]), np.full((k + 1, p), variance), np.full(k + 1, cells))


@pytest.fixture(scope="module")
def noisy():
    """True effects of rank two around a common mean, seen through the noise of 10 cells and 10 others."""
    rng = np.random.default_rng(5)
    true = rng.normal(0, 0.4, 50) + rng.normal(0, 0.5, (10, 2)) @ rng.normal(0, 0.5, (2, 50))
    return true, *(means_of(true + rng.normal(0, 10**-0.5, true.shape), 10) for _ in range(2))


def test_simple_baselines_are_zero_the_mean_and_what_was_seen(noisy):
    train = noisy[1]
    labels = ["B", "A", "nothing"]
    assert (baselines.no_change(train).ate(labels) == 0).all()
    assert baselines.global_mean(train).ate(labels) == pytest.approx(np.tile(train.ate.mean(0), (3, 1)))
    expected = [train.ate[1], train.ate[0], train.ate.mean(0)]
    assert baselines.train_mean(train).ate(labels) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("kind", baselines.SHRINKAGES)
def test_every_shrinkage_is_nearer_the_truth_than_the_measured_mean(noisy, kind):
    true, train, _ = noisy
    found = baselines.shrunken_mean(train, kind).ate(train.labels)
    assert ((found - true) ** 2).mean() < 0.8 * ((train.ate - true) ** 2).mean()


def test_shrinkage_has_the_weight_of_the_closed_form():
    # two perturbations at +-1 of the mean 3, sampling variance 1/4: tau^2 = 1 - 1/4, weight = 0.75
    train = means_of(np.array([[2.0] * 5, [4.0] * 5]), cells=4)
    assert baselines.shrunken_mean(train, "gene").ate(["A", "B"])[:, 0] == pytest.approx([2.25, 3.75])
    # towards zero: tau^2 = (4 + 16) / 2 - 1/4
    weight = 9.75 / 10
    assert baselines.shrunken_mean(train, "zero").ate(["A", "B"])[:, 0] == pytest.approx([2 * weight, 4 * weight])


@pytest.mark.parametrize("kind", baselines.SHRINKAGES)
def test_without_noise_nothing_is_shrunk_and_pure_noise_becomes_the_target(kind):
    rng = np.random.default_rng(2)
    exact = means_of(rng.normal(0, 1, (8, 50)), variance=1e-12)
    assert baselines.shrunken_mean(exact, kind).ate(exact.labels) == pytest.approx(exact.ate, abs=1e-4)
    noise = means_of(rng.normal(0, 0.1, (8, 50)), cells=10)  # smaller than sampling alone would make it
    target = 0 if kind == "zero" else noise.ate.mean(0)
    assert abs(baselines.shrunken_mean(noise, kind).ate(noise.labels) - target).max() < 1e-3


def test_chosen_shrinkage_is_the_best_on_validation(noisy):
    _, train, validation = noisy
    kind, _, found = baselines.best_shrunken(train, validation)
    expected = {k: scores(baselines.shrunken_mean(train, k).ate(train.labels), validation.ate) for k in found}
    assert found == pytest.approx({k: s.summary()["pearson"].iloc[0] for k, s in expected.items()})
    assert found[kind] == max(found.values())


def test_linear_model_solves_the_two_sided_ridge_problem(noisy):
    train = noisy[1]
    model = baselines.linear(train, GENES, dimensions=4, ridge=0.1)
    y, g = (train.ate - train.ate.mean(0)).T, model.gene_embedding
    q = g[:10].T  # perturbations are of genes A to J, the first ten
    inner = Ridge(alpha=0.1, fit_intercept=False).fit(g, y).coef_.T  # (G'G + rI)^-1 G'Y
    coupling = Ridge(alpha=0.1, fit_intercept=False).fit(q.T, inner.T).coef_
    assert model.coupling == pytest.approx(coupling)
    expected = (g @ coupling @ (g[3] + g[20])) + train.ate.mean(0)
    assert model.ate(["D+g10"])[0] == pytest.approx(expected)
    assert model.ate(["not measured"])[0] == pytest.approx(train.ate.mean(0))


def test_linear_model_predicts_unseen_perturbations_where_effects_are_linear_in_a_shared_embedding():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(50, 3))
    embedding[1:10] -= embedding[1:10].mean(0)  # the model has no intercept beyond the mean effect
    effects = embedding[:10] @ rng.normal(size=(3, 3)) @ embedding.T
    train = Means(GENES[1:10], np.vstack([effects[1:], np.zeros(50)]), np.ones((10, 50)), np.full(10, 100))
    linear = baselines.linear(train, GENES, dimensions=3, ridge=1e-6).ate(["A"])[0]
    gap = ((linear - effects[0]) ** 2).sum()
    assert gap < 0.1 * ((baselines.global_mean(train).ate(["A"])[0] - effects[0]) ** 2).sum()


def test_combination_is_the_sum_or_the_mean_of_its_genes(noisy):
    train = noisy[1]
    a, b, other = train.ate[0], train.ate[1], train.ate.mean(0)
    add, match = (baselines.of_singles(train, how) for how in (baselines.ADDITIVE, baselines.MATCHING))
    assert add.ate(["A+B", "A+unknown"]) == pytest.approx(np.array([a + b, a + other]))
    assert match.ate(["A+B"]) == pytest.approx(np.array([(a + b) / 2]))


def test_knockdown_alone_changes_only_the_perturbed_gene_of_an_unseen_perturbation(noisy):
    train = Means(GENES[1:10], np.delete(noisy[1].mean, 0, 0), np.ones((10, 50)), np.full(10, 10))
    own = np.median([train.ate[row, row + 1] for row in range(9)])  # genes B to J are columns 1 to 9
    found = baselines.knockdown(train, GENES).ate(["A", "B", "A+B", "elsewhere"])
    expected = train.ate.mean(0)
    assert found[3] == pytest.approx(expected)
    assert found[0, 1:] == pytest.approx(expected[1:]) and found[0, 0] == pytest.approx(own)
    assert found[1] == pytest.approx(train.ate[0]) and found[2] == pytest.approx(found[0] + found[1])


def test_correlation_with_the_truth_is_recovered_from_three_measurements():
    rng = np.random.default_rng(7)
    true = rng.normal(size=(40, 500))
    measured = [true + rng.normal(0, sd, true.shape) for sd in (0.5, 1.0, 0.8)]
    assert baselines.perfect_pearson(*measured) == pytest.approx(
        np.corrcoef(true.ravel(), measured[2].ravel())[0, 1], abs=0.01
    )
    assert np.isnan(baselines.perfect_pearson(true, -true, true))


@pytest.fixture(scope="module")
def screen():
    rng = np.random.default_rng(11)
    labels = np.array([*GENES[:6], "A+B", "control", "control"], object)
    label = labels[np.arange(1800) % 9]
    shift = {name: np.exp(rng.normal(0, 0.8, 50) * (rng.random(50) < 0.3)) for name in GENES[:6]}
    shift |= {"control": np.ones(50), "A+B": shift["A"] * shift["B"]}
    rate = np.stack([shift[name] for name in label]) * rng.uniform(0.5, 20, 50)
    return of(rng.poisson(rate), GENES, label)


def test_differential_genes_are_those_of_a_rank_sum_test_gene_by_gene(screen):
    from scipy.stats import mannwhitneyu
    from statsmodels.stats.multitest import multipletests

    found = evaluation.reference(screen, "test").significant[2]
    y = ate.transformed(screen.counts).toarray()
    own, control = (y[screen.rows("test", name)] for name in (screen.labels[2], "control"))
    p = [mannwhitneyu(own[:, g], control[:, g], method="asymptotic").pvalue for g in range(50)]
    assert found.tolist() == multipletests(p, 0.05, "fdr_bh")[0].tolist() and 0 < found.sum() < 50


def test_evaluation_has_every_baseline_metric_and_interval(screen):
    ref = evaluation.reference(screen, "test")
    train, validation = (ate.of_split(screen, name) for name in ("train", "validation"))
    table = evaluation.evaluate(
        {k: [v] for k, v in evaluation.standard(train, validation, GENES).items()}, ref, draws=200
    )
    pearson = table[table["metric"] == "pearson"].set_index("predictor")
    own = scores(train.ate, ref.truth).summary()["pearson"].iloc[0]
    assert pearson.loc["train mean", "value"] == pytest.approx(own)
    assert pearson.loc["train mean", "low"] < own < pearson.loc["train mean", "high"]
    better = (pearson.loc["shrunken mean", "value"] - own) / (1 - own)
    assert pearson.loc["shrunken mean", "normalised"] == pytest.approx(max(better, 0))
    assert pearson.loc["global mean", "normalised"] == 0
    assert pearson.loc["train mean", "gain"] == 0 and pearson.loc["global mean", "gain_high"] < 0
    assert set(pearson.index) == {"no change", "global mean", "train mean", "shrunken mean", "linear"}


def test_seeds_are_averaged_and_their_spread_is_given(screen):
    ref = evaluation.reference(screen, "test", fdr=None)
    several = [baselines.Table({}, row) for row in np.random.default_rng(0).normal(size=(3, 50))]
    row = evaluation.evaluate({"noise": several}, ref, draws=20).set_index("metric").loc["mae"]
    each = [abs(one.other - ref.truth).mean() for one in several]
    assert row["value"] == pytest.approx(np.mean(each)) and row["sd"] == pytest.approx(np.std(each, ddof=1))
    assert row["seeds"] == 3


def test_additive_baseline_is_best_where_effects_add_up(screen):
    train, validation = (ate.of_split(screen, name) for name in ("train", "validation"))
    ref = evaluation.reference(screen, "test", labels=["A+B"], fdr=None)
    predictors = {k: [v] for k, v in held_out.combinations(train, validation, GENES).items()}
    mae = evaluation.evaluate(predictors, ref, draws=10).query("metric == 'mae'").set_index("predictor")["value"]
    assert mae["additive"] < min(mae["matching mean"], mae["global mean"], mae["no change"])


def test_all_cells_leak_and_ceilings_stand_in_order(screen):
    train = ate.of_split(screen, "train")
    honest, leaky = (evaluation.reference(screen, split, fdr=None) for split in ("test", None))
    assert (
        honest.score(baselines.train_mean(train)).summary()["pearson"].iloc[0]
        < (leaky.score(baselines.train_mean(train)).summary()["pearson"].iloc[0])
    )
    found = evaluation.ceilings(screen, honest, seeds=3, draws=20).query("metric == 'pearson'").set_index("predictor")
    assert found.loc[evaluation.VALIDATION, "value"] < found.loc[evaluation.PERFECT, "value"] < 1
    assert found.loc[evaluation.HALF, "seeds"] == 3


def test_what_cannot_be_evaluated_is_refused(screen):
    with pytest.raises(UserError, match="no perturbation has 2 cells"):
        evaluation.reference(screen, "test", labels=["none of them"])
    with pytest.raises(UserError, match="genee"):
        baselines.shrunken_mean(ate.of_split(screen, "train"), "genee")
