"""Profiles on new RNAs, affinity regression, the combination and the predictor that is built of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from regulome.binding import (
    combination,
    coverage,
    featuriser,
    knockout_scan,
    protein_kmers,
    results_unseen,
    rna_regression,
    rna_windows,
    synthetic,
    unseen,
    unseen_tables,
    validation,
)  # fmt: skip
from regulome.binding import predictor as predictor_module
from regulome.binding.affinity_regression import AffinityRegression
from regulome.binding.combination import Calibration
from regulome.binding.compendium import Compendium
from regulome.binding.model_file import Model
from regulome.binding.predictor import Predictor
from regulome.binding.rna_regression import KmerRidge
from regulome.binding.sequences import sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.two_tower import Settings, TwoTower
from regulome.errors import UserError


def random_rnas(count, length=20, seed=0):
    generator = np.random.default_rng(seed)
    return sequences(["".join(generator.choice(list("ACGU"), length)) for _ in range(count)], "rna")


def test_kmer_counts_are_those_of_the_letters():
    rnas = sequences(["ACGUACG", "NACG", "A"], "rna")
    found = rna_regression.counts(rnas, 2).toarray()
    names = [*"ACGU", *(a + b for a in "ACGU" for b in "ACGU")]
    for row, letters in zip(found, rnas.letters, strict=True):
        expected = [sum(letters[i : i + len(n)] == n for i in range(len(letters) - len(n) + 1)) for n in names]
        np.testing.assert_array_equal(row, expected)
    assert found.shape[1] == rna_regression.features(2)


@pytest.mark.parametrize("count", [60, 400])  # fewer and more RNAs than k-mers: both ways to solve
def test_kmer_ridge_is_scikit_learns(count):
    from sklearn.linear_model import Ridge

    rnas, new = random_rnas(count), random_rnas(10, 25, seed=1)
    y = np.random.default_rng(2).normal(size=(3, count)).astype(np.float32)
    fitted = KmerRidge.fit(y, rnas, 3, 5.0)
    x = [rna_regression.counts(r, 3).toarray() for r in (rnas, new)]
    expected = Ridge(alpha=5.0).fit(x[0], y.T).predict(x[1]).T
    np.testing.assert_allclose(fitted.predict(new), expected, atol=2e-4)
    weights = np.array([[0.5, -1.0, 2.0]])
    np.testing.assert_allclose(fitted.predict(new, weights), weights @ expected, atol=1e-3)


def test_affinity_regression_is_ridge_regression_on_products_of_kmers():
    rnas, generator = random_rnas(30), np.random.default_rng(4)
    proteins = sequences(["".join(generator.choice(list("ACDE"), 9)) for _ in range(5)], "protein")
    new = sequences(["ACDEACDAA", "CCDAEEDCA"], "protein")
    y = generator.normal(size=(5, 30)).astype(np.float32)
    fitted = AffinityRegression.fit(y, proteins, rnas, rna_k=1, protein_k=1, penalty=0.7)
    x = rna_regression.counts(rnas, 1).toarray()
    x = x - x.mean(0)
    p, q = (protein_kmers._unit(protein_kmers.counts(s, 1)).toarray() for s in (proteins, new))
    used = np.flatnonzero(p.any(0) | q.any(0))
    p, q = p[:, used], q[:, used]
    products = np.einsum("nf,tg->tnfg", x, p).reshape(5 * 30, -1)
    centred = (y - y.mean(1, keepdims=True)).ravel()
    w = np.linalg.solve(products.T @ products + 0.7 * np.eye(products.shape[1]), products.T @ centred)
    expected = np.einsum("nf,fg,qg->qn", x, w.reshape(x.shape[1], -1), q)
    np.testing.assert_allclose(fitted.predict(new, rnas), expected, atol=1e-4)


def test_correlation_of_a_combination_is_that_of_the_summed_predictions():
    generator = np.random.default_rng(1)
    truth = generator.normal(size=(3, 500))
    terms = np.stack([truth + s * generator.normal(size=(3, 500)) for s in (1.0, 2.0)])
    terms = (terms - terms.mean(2, keepdims=True)) / terms.std(2, keepdims=True)
    weights = np.array([[0.8, 0.2], [0.5, 0.5], [1.0, 0.0]])
    r = [validation.correlations(a, b) for a, b in ((terms[0], truth), (terms[1], truth), (terms[0], terms[1]))]
    direct = validation.correlations(combination.mix(terms, weights), truth)
    np.testing.assert_allclose(combination.combined(weights, *r), direct, atol=1e-6)


def test_calibration_finds_where_the_network_helps():
    """It is the better one below 40 % identity and the worse one above; errors are independent."""
    identity = np.linspace(0.1, 0.9, 60)
    r_h, r_t = np.where(identity < 0.4, 0.2, 0.7), np.full(60, 0.35)
    found = combination.calibrate(identity, r_h, r_t, r_h * r_t)
    share = found.weights(identity)[:, 1]
    assert share[0] > 0.4 and share[-1] < 0.25 and (np.diff(share) <= 0).all() and found.gain > 0.02
    combined = combination.combined(found.weights(identity), r_h, r_t, r_h * r_t)
    assert combined.mean() - r_h.mean() == pytest.approx(found.gain)


def test_a_useless_network_gets_no_weight():
    generator = np.random.default_rng(0)
    found = combination.calibrate(
        np.linspace(0.2, 0.9, 40), np.full(40, 0.5), generator.normal(0, 0.01, 40) - 0.05, np.zeros(40)
    )
    np.testing.assert_array_equal(found.weights(np.array([0.1, 0.9])), [[1, 0], [1, 0]])


def test_four_in_five_new_values_lie_in_the_interval():
    generator, inside = np.random.default_rng(5), []
    for _ in range(4000):
        low, high = coverage._interval(generator.normal(size=25))
        inside.append(low <= generator.normal() <= high)
    assert 0.82 < np.mean(inside) < 0.88  # ranks 2 and 24 of 25: 22 / 26


def test_bins_with_few_proteins_borrow_and_say_so():
    learned = coverage.table(np.linspace(0, 1, 20), np.full(20, 0.6)).set_index("identity")
    assert learned.loc["55 to 70 %", "proteins"] == 20 and learned["proteins"].sum() == 20
    assert learned.loc["below 40 %", "expected_r"] == learned.loc["55 to 70 %", "expected_r"]


@pytest.fixture(scope="module")
def small():
    made = synthetic.make(36, 500, seed=3)
    return made.take(range(36))


@pytest.fixture(scope="module")
def fitted(small):
    return Predictor.fit(small.take(range(26)), longest=3)


@pytest.fixture(scope="module")
def with_network(small, fitted):
    network = TwoTower(Settings.mini(featuriser.width(), width=8, rank=8, protein_hidden=8), seed=1).eval()
    values = featuriser.featurise(fitted.training).values
    sd = np.where(values.std(0) > 0, values.std(0), np.inf)
    model = Model(
        network, featuriser.source_name(), values.mean(0), sd, TargetTransform.fit(small.intensities[:26]),
        fitted.training.names, {"longest": 41},
    )  # fmt: skip
    new = [i for i in range(26, 36) if small.proteins.letters[i] not in set(fitted.training.letters)]
    return fitted.with_model(model, small.take(new)), small.take(new)


def test_scores_do_not_depend_on_what_else_is_asked(with_network):
    predictor, new = with_network
    whole = predictor.predict(new.proteins, new.rnas)
    part = predictor.predict(new.proteins.take([2]), new.rnas.take([7, 3]))
    np.testing.assert_allclose(part, whole[[2]][:, [7, 3]], atol=1e-5)


def test_combination_is_the_weighted_sum_of_its_terms(with_network):
    predictor, new = with_network
    terms, identity = predictor.terms(new.proteins, new.rnas)
    weights = predictor.calibration.weights(identity.max(1))
    expected = weights[:, :1] * terms[0] + weights[:, 1:] * terms[1]
    np.testing.assert_allclose(predictor.predict(new.proteins, new.rnas), expected, atol=1e-5)


def test_a_long_rna_has_the_score_of_its_best_window(with_network):
    predictor, new = with_network
    predictor = replace(predictor, calibration=Calibration(0.5, 3.0, 8))  # both terms count, and in other places
    long = sequences(["".join(new.rnas.letters[:6]), new.rnas.letters[6]], "rna")
    windows = rna_windows.cut(long, predictor.longest)
    assert windows.cut == 1
    each = predictor.predict(new.proteins, windows.rnas)
    expected = np.stack([each[:, :-1].max(1), each[:, -1]], axis=1)
    np.testing.assert_allclose(predictor.predict(new.proteins, long), expected, atol=1e-5)


def test_the_longest_rna_of_the_training_is_read_as_one_however_rare(small, monkeypatch):
    monkeypatch.setattr(predictor_module, "REFERENCE", 5)
    rnas = sequences([*small.rnas.letters[:-1], "ACGUU" * 12], "rna")
    found = Predictor.fit(replace(small, rnas=rnas, probe_set=None).take(range(6)), longest=2)
    assert found.longest == 60 and min(found.reference.lengths) == min(small.rnas.lengths)
    assert len(found.reference) in (6, 7)


def test_a_predictor_can_be_knocked_out(with_network):
    predictor, new = with_network
    target = knockout_scan.Target(new.proteins.take([0]), new.rnas.take(range(60)), window=30, step=30)
    table = knockout_scan.knockout(predictor, target, structure=False)
    assert set(table["scan"]) == {"residues", "bases"} and np.isfinite(table["effect"]).all()
    assert table["effect"].abs().max() > 0


def test_predictor_survives_its_file(with_network, tmp_path):
    predictor, new = with_network
    predictor.save(tmp_path / "p.pt")
    again = Predictor.load(tmp_path / "p.pt")
    np.testing.assert_allclose(
        again.predict(new.proteins, new.rnas), predictor.predict(new.proteins, new.rnas), atol=5e-3
    )
    assert again.coverage(new.proteins).equals(predictor.coverage(new.proteins))
    assert again.calibration == predictor.calibration and again.kind == "synthetic"


def test_what_is_no_predictor_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        Predictor.load(tmp_path / "none.pt")
    torch.save({"format": "another", "text": "{}", "tensors": {}}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="format 'another'"):
        Predictor.load(tmp_path / "other.pt")


def test_calibration_refuses_training_proteins(small, with_network):
    predictor, _ = with_network
    with pytest.raises(UserError, match="training protein"):
        predictor.with_model(predictor.model, small.take([0, 30]))


def test_coverage_names_the_nearest_training_protein(fitted):
    letters = list(fitted.training.letters[4])
    letters[0] = "W" if letters[0] != "W" else "A"
    found = fitted.coverage(sequences(["".join(letters), "M" * 50], "protein")).set_index("protein")
    same = [n for n, s in zip(fitted.training.names, fitted.training.letters, strict=True)
            if s == fitted.training.letters[4]]  # fmt: skip
    assert found.loc["1", "nearest"] in same and found.loc["1", "nearest_identity"] > 0.95
    assert found.loc["2", "bin"] == "below 40 %" and found.loc["2", "two_tower_share"] == 0


def test_every_method_is_scored_on_proteins_and_rnas_that_training_never_saw(small, with_network):
    predictor, _ = with_network
    letters = small.proteins.letters
    new = np.array([i for i in range(26, 36) if letters[i] not in set(letters[:26])])
    split = validation.Split(np.arange(26), new[:4], new[4:], np.arange(500), np.arange(500))
    split = validation.Split(split.training, split.tuning, split.test, np.arange(400), np.arange(400, 500))
    scores = unseen.evaluate(
        small, split, predictor, featuriser.featurise(small.proteins), None, np.arange(36), small.intensities, "x"
    )
    ceiling = scores[scores["method"] == unseen.CEILING]
    np.testing.assert_allclose(ceiling["r_raw"], 1.0, atol=1e-6)
    assert set(scores["method"]) == {*unseen.METHODS, unseen.CEILING}
    assert set(scores["protein"]) == {small.proteins.names[i] for i in split.test}
    gaps = unseen_tables.differences(scores)
    assert set(gaps["other"]) == {*unseen.METHODS} - {unseen.BOTH}


def test_relatives_predict_new_rnas_and_strangers_do_not():
    """Proteins of a family share a profile that is linear in 2-mers: the homology term has to find it on new RNAs."""
    generator = np.random.default_rng(7)
    alphabet = list("ACDEFGHIKLMNPQRSTVWY")
    roots = ["".join(generator.choice(alphabet, 60)) for _ in range(5)]
    letters = ["".join(generator.choice(alphabet) if generator.random() < 0.2 else c for c in roots[i % 5])
               for i in range(21)]  # fmt: skip
    letters[20] = "".join(generator.choice(alphabet, 60))
    rnas = random_rnas(400, 30, seed=8)
    x = rna_regression.counts(rnas, 2).toarray()
    codes = generator.normal(size=(6, x.shape[1]))
    y = np.array([codes[5 if i == 20 else i % 5] @ x.T for i in range(21)], dtype=np.float32)
    made = Compendium(sequences(letters, "protein"), rnas, y, "synthetic")
    predictor = Predictor.fit(made.take(range(15), range(300)), longest=2, targets="z")
    r = validation.correlations(
        predictor.predict(made.proteins.take(range(15, 21)), rnas.take(range(300, 400))), y[15:, 300:]
    )
    assert (r[:5] > 0.9).all() and r[5] < 0.7


def test_the_replicate_ceiling_is_the_mean_agreement_beside_the_published_one():
    agreement = pd.Series(np.linspace(0.7, 1.0, 31))
    row = results_unseen.ceiling_row(agreement, "section")
    assert row["ours"] == pytest.approx(0.85) and row["low"] < 0.85 < row["high"]
    assert row["published"] == 0.879 and "31 measured" in row["quantity"]
