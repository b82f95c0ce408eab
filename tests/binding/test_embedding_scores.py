"""Leave-one-out scores against profiles and regressions computed by hand."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from regulome.binding import embedding_scores as scores
from regulome.binding import gram
from regulome.binding.sequences import sequences
from regulome.binding.vectors import Vectors

COUNT, WIDTH, PROBES = 24, 6, 60


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(4)
    letters = ["".join(row) for row in rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), (COUNT, 30))]
    letters[1] = letters[0]
    proteins = sequences(letters, "protein")
    values = rng.standard_normal((COUNT, WIDTH)).astype(np.float32)
    profiles = values @ rng.standard_normal((WIDTH, PROBES)) + 0.5 * rng.standard_normal((COUNT, PROBES))
    identity = rng.uniform(0.05, 0.2, (COUNT, COUNT))
    identity = np.maximum(identity, identity.T)
    np.fill_diagonal(identity, 1)
    identity[0, 1] = identity[1, 0] = 1
    return proteins, Vectors(proteins.names, values, "made up"), profiles, identity


def of(world, duplicates=True) -> gram.Problem:
    proteins, vectors, profiles, identity = world
    return scores.problem(proteins, np.corrcoef(profiles), identity, {"v": vectors}, "synthetic", duplicates)


def test_neighbours_and_mean_profile_are_those_of_the_profiles_themselves(world):
    _, vectors, profiles, _ = world
    found = scores.leave_one_out(of(world))
    z = (vectors.values - vectors.values.mean(0)) / vectors.values.std(0)
    unit = (profiles - profiles.mean(1, keepdims=True)) / profiles.std(1, keepdims=True)
    for q in range(COUNT):
        others = np.delete(np.arange(COUNT), q)
        cosine = z[others] @ z[q] / np.linalg.norm(z[others], axis=1) / np.linalg.norm(z[q])
        nearest = np.corrcoef(profiles[others[cosine.argmax()]], profiles[q])[0, 1]
        assert found["v", scores.NEAREST][q] == pytest.approx(nearest, abs=1e-6)
        five = np.argsort(-cosine)[:5]
        blend = np.exp(10 * cosine[five]) @ unit[others[five]]
        assert found["v", scores.SOFT][q] == pytest.approx(np.corrcoef(blend, profiles[q])[0, 1], abs=1e-5)
        mean = np.corrcoef(unit[others].mean(0), profiles[q])[0, 1]
        assert found[scores.NO_SOURCE, scores.MEAN][q] == pytest.approx(mean, abs=1e-6)


def test_the_linear_method_learns_what_is_linear_and_is_ridge_regression(world):
    _, vectors, profiles, _ = world
    found = scores.leave_one_out(of(world))["v", scores.RIDGE]
    z = (vectors.values - vectors.values.mean(0)) / vectors.values.std(0) / np.sqrt(WIDTH)
    unit = (profiles - profiles.mean(1, keepdims=True)) / profiles.std(1, keepdims=True)
    others = np.arange(COUNT) != 3
    r = []
    for penalty in scores.PENALTIES:
        model = Ridge(alpha=penalty, fit_intercept=False).fit(z[others], unit[others])
        weights = np.linalg.solve(z[others] @ z[others].T + penalty * np.eye(COUNT - 1), z[others] @ z[3])
        predicted = model.predict(z[3:4])[0] + (1 - weights.sum()) * unit[others].mean(0)
        r.append(np.corrcoef(predicted, profiles[3])[0, 1])
    assert np.abs(np.array(r) - found[3]).min() < 1e-5
    assert found.mean() > 0.8


def test_withholding_relatives_takes_the_duplicates_away(world):
    with_them, without = (scores.leave_one_out(of(world, keep)) for keep in (True, False))
    identity = (scores.IDENTITY, scores.NEAREST)
    expected = np.corrcoef(world[2])[0, 1]
    np.testing.assert_allclose(with_them[identity][:2], expected, atol=1e-6)
    assert np.abs(without[identity][:2] - expected).max() > 1e-3
    np.testing.assert_allclose(without[identity][2:], with_them[identity][2:])
    caps = scores.without_relatives(of(world), [0.5, 1.0], scores.NEAREST)
    mean = caps[(caps["cap"] == 0.5) & (caps["source"] == scores.IDENTITY)]["mean"].item()
    assert mean == pytest.approx(without[identity].mean())


def test_the_table_has_every_bin_that_has_proteins(world):
    problem = of(world)
    table = scores.table(scores.leave_one_out(problem), problem)
    whole = table[table["identity"] == "all"].set_index(["source", "method"])
    assert (whole["proteins"] == COUNT).all()
    assert (whole["low"] <= whole["mean"]).all() and (whole["mean"] <= whole["high"]).all()
    assert set(table["identity"]) == {"all", "below 40 %", "90 % and more"}


def test_vectors_of_other_proteins_are_refused(world):
    proteins, vectors, profiles, identity = world
    with pytest.raises(ValueError, match="in another order"):
        scores.problem(proteins, np.corrcoef(profiles), identity, {"v": vectors.take([1, 0])}, "synthetic")
