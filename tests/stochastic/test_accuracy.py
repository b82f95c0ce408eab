"""Scores and baselines against closed forms."""

import numpy as np
import pytest
from scipy import stats

from regulome.stochastic import accuracy, accuracy_maps, networks, solver_experiments
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.dataset_shards import make
from regulome.stochastic.distribution import Distribution

BIRTH_DEATH = networks.narrowed(networks.load("birth_death"), [20.0, 1.0], [60])


def poisson(mean, length=60):
    return Distribution.of_table(("X",), stats.poisson(mean).pmf(np.arange(length)))


def test_divergences_of_poisson_laws_are_those_of_the_closed_form():
    found = accuracy.divergences(poisson(5.0), poisson(6.0))
    assert found["kl"] == pytest.approx(5 * np.log(5 / 6) + 1, rel=1e-4)
    assert found["kl_reverse"] == pytest.approx(6 * np.log(6 / 5) - 1, rel=1e-4)
    n = np.arange(60)
    assert found["tv"] == pytest.approx(0.5 * np.abs(stats.poisson(5).pmf(n) - stats.poisson(6).pmf(n)).sum())


def test_score_has_a_row_for_each_state_and_the_joint():
    table = np.outer([0.3, 0.7], stats.poisson(4).pmf(np.arange(40)))
    exact = Distribution.of_table(("G", "X"), table)
    other = Distribution.of_table(("G", "X"), np.outer([0.5, 0.5], stats.poisson(4).pmf(np.arange(40))))
    rows = {row["state"]: row for row in accuracy.score(other, exact)}
    assert set(rows) == {"G", "X", "joint"}
    assert rows["G"]["tv"] == pytest.approx(0.2) and rows["X"]["tv"] == pytest.approx(0.0, abs=1e-12)
    assert rows["joint"]["tv"] == pytest.approx(0.2)  # independent, so the joint differs by the gene alone
    assert rows["X"]["exact_mean"] == pytest.approx(4.0, rel=1e-6) and "mean" not in rows["joint"]


def test_filter_drops_sets_with_one_bad_marginal_and_says_how_many():
    exact = Dataset.of(BIRTH_DEATH, [[10.0, 1.0]] * 4, [poisson(10.0)] * 4, engine="exact")
    means = [10.0, 10.5, 11.0, 18.0]
    scores = accuracy.score_all(lambda i: poisson(means[i]), exact, "shifted")
    kept, share = accuracy.filtered(scores, cut=0.12)
    assert share == {"shifted": 0.75} and set(kept["set"]) == {0, 1, 2}
    whole, cut = (accuracy.summary(t).set_index("state").loc["joint", "tv_mean"] for t in (scores, kept))
    assert cut < whole
    assert accuracy.filtered(scores, cut=1e-6)[1]["shifted"] == 0.25  # only the exact one


def test_summary_counts_every_set():
    exact = Dataset.of(BIRTH_DEATH, [[10.0, 1.0]] * 3, [poisson(10.0)] * 3, engine="exact")
    table = accuracy.summary(accuracy.score_all(lambda i: poisson([9.0, 10.0, 12.0][i]), exact, "m"))
    joint = table.set_index("state").loc["joint"]
    assert joint["sets"] == 3
    assert joint["tv_median"] == pytest.approx(accuracy.total_variation(poisson(9.0), poisson(10.0)), rel=1e-6)


def test_nearest_law_is_that_of_the_nearest_ratio_of_rates():
    training = make(BIRTH_DEATH, 16, seed=1, threads=1, progress=False)
    ratio = training.theta[:, 0] / training.theta[:, 1]
    theta = np.array([12.0, 0.8])
    expected = int(np.argmin(np.abs(np.log(ratio) - np.log(15.0))))
    found = accuracy.nearest_law(training, theta)
    np.testing.assert_allclose(found.weights, training[expected].weights)


def test_negative_binomials_have_the_exact_moments_and_are_exact_for_independent_poissons():
    table = np.outer(stats.nbinom(3, 0.3).pmf(np.arange(150)), stats.poisson(4).pmf(np.arange(40)))
    exact = Distribution.of_table(("A", "B"), table)
    found = accuracy.negative_binomials(exact)
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-4)
    np.testing.assert_allclose(found.sd, exact.sd, rtol=1e-3)
    assert accuracy.total_variation(found, exact) < 1e-3
    gene = accuracy.negative_binomials(Distribution.of_table(("G",), np.array([0.25, 0.75])))
    np.testing.assert_allclose(gene.vector("G"), [0.25, 0.75])


def test_one_trajectory_approaches_the_exact_law():
    exact = make(BIRTH_DEATH, 2, seed=3, threads=1, progress=False)
    published, better = (accuracy.simulated_laws(BIRTH_DEATH, exact.theta, 1, p, 1) for p in (True, False))
    for i in range(2):
        assert 0 < accuracy.total_variation(published[i], exact[i]) < 0.2
        assert 0 < accuracy.total_variation(better[i], exact[i]) < 0.1


def test_mean_of_the_laws_is_the_mixture():
    data = Dataset.of(BIRTH_DEATH, [[4.0, 1.0], [9.0, 1.0]], [poisson(4.0), poisson(9.0)], engine="exact")
    found = solver_experiments.mean_law(data)
    expected = 0.5 * (poisson(4.0).vector("X", 60) + poisson(9.0).vector("X", 60))
    np.testing.assert_allclose(found.vector("X", 60), expected, atol=1e-7)


def test_published_validation_sets_are_training_sets_and_ours_are_not():
    training, held = (make(BIRTH_DEATH, n, seed=s, threads=1, progress=False) for n, s in ((32, 1), (16, 2)))
    table = solver_experiments.disjoint_table(training, held)
    assert (table["published"] == 0).all() and (table["ours"] > 0).all()


def test_bimodality_coefficient_of_known_laws():
    two = Distribution.of_table(("X",), np.array([0.5, 0, 0, 0, 0.5]))
    assert accuracy_maps.bimodality(two, "X") == pytest.approx(1.0)  # two points: the largest value
    uniform = Distribution.of_table(("X",), np.full(2000, 1 / 2000))
    assert accuracy_maps.bimodality(uniform, "X") == pytest.approx(5 / 9, rel=1e-4)
    mean = 10.0  # Poisson: skewness^2 = 1/mean, kurtosis = 3 + 1/mean
    assert accuracy_maps.bimodality(poisson(mean), "X") == pytest.approx(1 / 3, rel=1e-3)
    assert np.isnan(accuracy_maps.bimodality(Distribution.of(("X",), np.array([[3]])), "X"))
