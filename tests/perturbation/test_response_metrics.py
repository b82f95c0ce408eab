"""Scores of predicted effects against scipy, scikit-learn, closed forms and loops."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance
from sklearn.metrics import r2_score

from regulome.errors import UserError
from regulome.perturbation import response_metrics as metrics

K, P = 7, 60


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(3)
    truth = rng.normal(0.2, 1, (K, P)) * rng.uniform(0.2, 2, (K, 1))
    return truth + rng.normal(0, 0.7, (K, P)), truth


def summary(*args, **kwargs):
    return metrics.scores(*args, **kwargs).summary().iloc[0]


def test_pooled_scores_are_those_of_scipy_and_scikit_learn(pair):
    found = summary(*pair)
    assert found["pearson"] == pytest.approx(stats.pearsonr(pair[0].ravel(), pair[1].ravel())[0])
    assert found["r2"] == pytest.approx(r2_score(pair[1].ravel(), pair[0].ravel()))
    top = [np.argsort(-abs(row))[:20] for row in pair[1]]
    x, y = (np.concatenate([row[t] for row, t in zip(matrix, top, strict=True)]) for matrix in pair)
    assert found["pearson_top20"] == pytest.approx(stats.pearsonr(x, y)[0])
    assert found["r2_top20"] == pytest.approx(r2_score(y, x))
    assert found["mae"] == pytest.approx(abs(pair[0] - pair[1]).mean())


def test_pearson_without_targets_leaves_out_every_perturbed_gene(pair):
    targets = [[row, 30] for row in range(K)]
    keep = np.setdiff1d(np.arange(P), [*range(K), 30])
    expected = stats.pearsonr(pair[0][:, keep].ravel(), pair[1][:, keep].ravel())[0]
    assert summary(*pair, targets=targets)["pearson_others"] == pytest.approx(expected)


def test_perfect_prediction_has_perfect_scores(pair):
    found = summary(pair[1], pair[1], significant=abs(pair[1]) > 1)
    assert found.drop("mae").to_numpy() == pytest.approx(1) and found["mae"] == 0


def test_jaccard_of_sets_that_share_a_known_number_of_genes():
    truth = np.tile(np.arange(60, 0, -1.0), (2, 1))
    predicted = np.roll(truth, 5, axis=1)  # 15 of the top 20 stay
    assert metrics.jaccard(predicted, truth, 20) == pytest.approx([15 / 25] * 2)
    assert metrics.jaccard(-truth, truth, 20) == pytest.approx([1, 1])  # sizes of effects, not signs
    assert np.isnan(metrics.jaccard(truth, truth, 60)).all()


def test_systema_correlation_is_that_of_what_differs_from_the_centroid(pair):
    centroid = pair[1].mean(0)
    expected = [stats.pearsonr(a - centroid, b - centroid)[0] for a, b in zip(*pair, strict=True)]
    assert metrics.systema(*pair) == pytest.approx(expected)
    top = metrics.top_genes(pair[1], 20)
    expected = [stats.pearsonr((a - centroid)[t], (b - centroid)[t])[0] for a, b, t in zip(*pair, top, strict=True)]
    assert metrics.systema(*pair, genes=top) == pytest.approx(expected)


def test_what_all_perturbations_share_raises_pearson_but_not_systema(pair):
    shared = np.linspace(-9, 9, P)
    before, after = summary(*pair), summary(pair[0] + shared, pair[1] + shared)
    assert after["pearson"] > before["pearson"] + 0.1
    assert after["systema"] == pytest.approx(before["systema"])


def test_centroid_accuracy_counts_ties_as_wrong():
    truth = np.array([[0.0, 0], [2, 0], [0, 2], [4, 4]])
    predicted = np.array([[1.0, 0], [2, 0], [3, 3], [4, 4]])
    # first: (0,0) and (2,0) tie at 1, the other two are farther; third: own at 10, farther none, (0,0) at 18
    assert metrics.centroid_accuracy(predicted, truth) == pytest.approx([2 / 3, 1, 1 / 3, 1])
    assert metrics.centroid_accuracy(np.zeros((3, 2)), np.array([[1.0, 0], [0, 1], [-1, 0]])) == pytest.approx(
        [0, 0, 0]
    )


@pytest.mark.parametrize(
    ("name", "gap"), [("l1", distance.cityblock), ("l2", distance.euclidean), ("cosine", distance.cosine)]
)
def test_discrimination_is_the_rank_of_the_right_perturbation_without_target_genes(pair, name, gap):
    targets = [[row] for row in range(K - 1)] + [[]]
    for leave_out in ("all", "own"):
        expected = []
        for row in range(K):
            keep = np.delete(np.arange(P), range(K - 1) if leave_out == "all" else targets[row])
            gaps = [gap(pair[0][row, keep], other[keep]) for other in pair[1]]
            expected.append(1 - (stats.rankdata(gaps)[row] - 1) / K)
        assert metrics.discrimination(*pair, name, targets, leave_out) == pytest.approx(expected)


def test_knockdown_alone_does_not_discriminate_unless_only_the_own_target_is_left_out():
    targets, nothing = [[row] for row in range(20)], np.zeros((20, 80))
    truth = -5 * np.eye(20, 80) + np.random.default_rng(0).normal(0, 0.3, (20, 80))
    chance = 1 - 19 / 40
    for predicted in (nothing, -5 * np.eye(20, 80)):
        assert metrics.discrimination(predicted, truth, "l1", targets).mean() == pytest.approx(chance, abs=0.01)
        assert metrics.discrimination(predicted, truth, "l1", targets, "own").mean() > 0.9


def test_prediction_that_is_the_same_for_all_is_at_chance_in_discrimination(pair):
    same = np.tile(pair[1].mean(0), (K, 1))
    assert metrics.discrimination(same, pair[1], "l2").mean() == pytest.approx(1 - (K - 1) / 2 / K)
    assert metrics.discrimination(np.zeros((K, P)), pair[1], "cosine") == pytest.approx(1 - (K - 1) / 2 / K)


def test_constant_prediction_has_no_correlation_and_names_no_genes(pair):
    found = summary(np.zeros((K, P)), pair[1])
    assert found[["pearson", "pearson_top20", "jaccard20", "jaccard50"]].isna().all()
    assert found["r2"] == pytest.approx(r2_score(pair[1].ravel(), np.zeros(K * P)))


def test_perturbation_that_a_prediction_says_nothing_about_counts_zero(pair):
    half = pair[1].copy()
    half[: K // 2] = 0
    assert summary(half, pair[1])["jaccard20"] == pytest.approx(1 - (K // 2) / K)


def test_differential_overlap_takes_as_many_genes_as_are_truly_differential():
    significant = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
    predicted = np.array([[3.0, -2, 0.1, 1, 0, 0], [1.0, 0, 0, 0, 0, 0]])
    assert metrics.differential_overlap(predicted, significant)[0] == pytest.approx(2 / 3)
    assert np.isnan(metrics.differential_overlap(predicted, significant)[1])
    called = np.array([[1, 0, 0, 1, 0, 0], [0] * 6], bool)  # only two called: fewer than three are compared
    assert metrics.differential_overlap(predicted, significant, called)[0] == pytest.approx(1 / 3)


def test_differential_overlap_is_averaged_where_there_are_differential_genes(pair):
    significant = np.zeros((K, P), bool)
    significant[:2, :30] = True
    expected = metrics.differential_overlap(pair[0], significant)[:2].mean()
    assert summary(*pair, significant=significant)["des"] == pytest.approx(expected)
    silent = pair[0].copy()
    silent[0] = 0
    expected = metrics.differential_overlap(pair[0], significant)[1] / 2
    assert summary(silent, pair[1], significant=significant)["des"] == pytest.approx(expected)


def test_normalised_score_is_zero_at_the_baseline_and_one_at_perfection():
    assert metrics.normalised(0.8, 0.6) == pytest.approx(0.5) and metrics.normalised(0.5, 0.6) == 0
    assert metrics.normalised(0.1, 0.4, higher_is_better=False) == pytest.approx(0.75)


def test_weights_give_the_scores_of_the_perturbations_drawn(pair):
    weights = metrics.bootstrap(K, 3, seed=4)
    found = metrics.scores(*pair).summary(weights)
    for draw, times in enumerate(weights):
        rows = np.repeat(np.arange(K), times)
        pearson = stats.pearsonr(pair[0][rows].ravel(), pair[1][rows].ravel())[0]
        assert found.loc[draw, "pearson"] == pytest.approx(pearson)
        assert found.loc[draw, "r2"] == pytest.approx(r2_score(pair[1][rows].ravel(), pair[0][rows].ravel()))
        assert found.loc[draw, "jaccard20"] == pytest.approx(metrics.jaccard(*pair, 20)[rows].mean())


def test_wrong_shape_and_nan_are_refused_with_their_place(pair):
    with pytest.raises(UserError, match=r"shape \(7, 59\)"):
        metrics.scores(pair[0][:, 1:], pair[1])
    bad = pair[0].copy()
    bad[2, 5] = np.nan
    with pytest.raises(UserError, match="prediction of perturbation 2, gene 5 is nan"):
        metrics.scores(bad, pair[1])
