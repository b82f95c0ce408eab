"""Weighted sums of training profiles: k-mers, neighbours, kernel ridge, leave-one-out by the Gram matrix."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from regulome.binding import embedding_regression, gram, homology, pair_model, profile_methods, protein_kmers, splits
from regulome.binding.sequences import sequences


def proteins_of(count=24, length=60, seed=0, families=6):
    """Families of random proteins with some residues replaced."""
    generator = np.random.default_rng(seed)
    alphabet = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    roots = generator.choice(alphabet, (families, length))
    letters = []
    for i in range(count):
        row = roots[i % families].copy()
        places = generator.permutation(length)[: int(length * generator.uniform(0.05, 0.6))]
        row[places] = generator.choice(alphabet, len(places))
        letters.append("".join(row))
    return sequences(letters, "protein")


def world(count=24, probes=300, seed=0, families=6):
    """Proteins with profiles that their family shares in part."""
    proteins = proteins_of(count, seed=seed, families=families)
    generator = np.random.default_rng([seed, 1])
    common = generator.normal(size=(families, probes))
    profiles = common[np.arange(count) % families] + 0.8 * generator.normal(size=(count, probes))
    return proteins, profiles


def problem_of(count=24, seed=0, families=6, copies=0):
    proteins, profiles = world(count, seed=seed, families=families)
    letters = list(proteins.letters)
    for i in range(copies):
        letters[-1 - i] = letters[i]
    proteins = sequences(letters, "protein")
    same = np.array([[a == b for b in letters] for a in letters])
    identity = np.array([[np.mean([x == y for x, y in zip(a, b, strict=True)]) for b in letters] for a in letters])
    assert (np.diag(identity) == 1).all() and same.sum() == count + 2 * copies
    similarity = homology.similarities(proteins, None, identity)
    return gram.problem(proteins, gram.of_profiles(profiles), similarity, "synthetic"), profiles


def test_kmer_cosine_is_that_of_counters():
    proteins = sequences(["ACDACDA", "CDACDE", "WWW", "AC"], "protein")
    found = protein_kmers.cosine(proteins, None, 3)
    profiles = [Counter(s[i : i + 3] for i in range(len(s) - 2)) for s in proteins.letters]

    def cosine(a, b):
        dot = sum(np.log1p(a[k]) * np.log1p(b[k]) for k in a)
        norms = [np.sqrt(sum(np.log1p(v) ** 2 for v in c.values())) for c in (a, b)]
        return dot / np.prod(norms) if np.prod(norms) else 0.0

    expected = [[cosine(a, b) for b in profiles] for a in profiles]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found[3] == 0).all()  # shorter than k: nothing in common with anyone


def test_kmer_overlap_is_jaccards_index_of_the_sets():
    a, b = "ACDEFG", "CDEFGHH"
    sets = [{s[i : i + 2] for i in range(len(s) - 1)} for s in (a, b)]
    found = protein_kmers.overlap(sequences([a], "protein"), sequences([b], "protein"), 2)
    assert found[0, 0] == pytest.approx(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))


def test_soft_neighbours_are_a_softmax_over_the_most_similar_that_are_allowed():
    similarity = np.array([[0.9, 0.5, 0.4, 0.1]])
    found = homology.SoftNeighbours(2, 10.0).weights(similarity, np.array([[True, False, False, False]]))
    expected = np.exp([5.0, 4.0]) / np.exp([5.0, 4.0]).sum()
    np.testing.assert_allclose(found, [[0, *expected, 0]])
    assert homology.SoftNeighbours(2, 10.0).weights(similarity, np.ones((1, 4), bool)).sum() == 0
    sharp = homology.SoftNeighbours(4, 1e4).weights(similarity)
    np.testing.assert_allclose(sharp, homology.nearest(similarity), atol=1e-12)


def test_solving_without_excluded_proteins_is_solving_the_smaller_system():
    generator = np.random.default_rng(1)
    root = generator.normal(size=(9, 9))
    matrix, right = root @ root.T, generator.normal(size=(4, 9))
    exclude = generator.random((4, 9)) < 0.3
    exclude[0] = False
    found = homology.solve_without(matrix, 0.5, right, exclude)
    for q in range(4):
        t = np.flatnonzero(~exclude[q])
        direct = np.linalg.solve(matrix[np.ix_(t, t)] + 0.5 * np.eye(len(t)), right[q, t])
        np.testing.assert_allclose(found[q, t], direct, rtol=1e-9)
        assert (found[q, exclude[q]] == 0).all()


def test_correlation_by_the_gram_matrix_is_that_of_the_profiles():
    problem, profiles = problem_of()
    weights = problem.weights(homology.default_term())
    z = (profiles - profiles.mean(1, keepdims=True)) / profiles.std(1, keepdims=True)
    predicted = weights @ z
    direct = [np.corrcoef(a, b)[0, 1] for a, b in zip(predicted, profiles, strict=True)]
    np.testing.assert_allclose(gram.leave_one_out(weights, problem), direct, atol=1e-10)
    np.testing.assert_allclose(predicted.std(1), 1.0, atol=1e-9)


def test_leave_one_out_is_prediction_of_one_protein_from_the_rest():
    problem, _ = problem_of(copies=2)
    term = homology.default_term()
    weights = problem.weights(term)
    for q in (0, 5, 23):
        rest = np.flatnonzero(~problem.exclude[q])
        query = homology.take(problem.similarity, np.array([q]), rest)
        training = homology.take(problem.similarity, rest, rest)
        alone = term.weights(query, training, problem.gram[np.ix_(rest, rest)])
        np.testing.assert_allclose(weights[q, rest], alone[0], atol=1e-8)


@pytest.mark.parametrize("learned", [False, True])
def test_nothing_of_the_query_or_its_copies_enters_its_prediction(learned):
    """Another answer for the query, another row of its copy: the same weights."""
    problem, _ = problem_of(count=40, copies=1)
    query, copy = 0, 39
    changed = problem.gram.copy()
    for place in (query, copy):
        noise = np.random.default_rng(place).uniform(-0.2, 0.2, 40)
        changed[place] = changed[:, place] = noise
        changed[place, place] = 1.0
    other = replace(problem, gram=changed)
    term = homology.default_term()

    def weights(of):
        if not learned:
            return of.weights(term)[query]
        parts = splits.folds(np.array([*range(39), 0]), 4, 0)  # the copy shares the query's fold
        predicted = pair_model.cross_fitted(of, term, parts)
        return pair_model.weights(term, predicted, of.similarity, of.similarity, of.gram, of.exclude)[query]

    np.testing.assert_allclose(weights(problem), weights(other), atol=1e-9)
    assert not np.allclose(gram.leave_one_out(problem.weights(term), problem)[5:8],
                           gram.leave_one_out(other.weights(term), other)[5:8])  # fmt: skip


def test_a_weight_on_the_query_itself_is_refused():
    problem, _ = problem_of()
    with pytest.raises(ValueError, match="excluded"):
        gram.leave_one_out(np.eye(len(problem)), problem)


def test_nested_choice_for_a_fold_ignores_what_the_fold_would_prefer():
    """Candidate 1 is best for the first fold alone; only the others' proteins may choose, so candidate 0 is taken."""
    problem, _ = problem_of(count=24, families=6)
    parts = np.arange(24) % 6  # fold = family

    def candidates(of):
        good = homology.nearest(of.similarity["identity"], of.exclude)
        bad = homology.nearest(-of.similarity["identity"], of.exclude)
        first = np.array([name in {str(i + 1) for i in range(0, 24, 6)} for name in of.proteins.names])
        return [np.where(first[:, None], bad, good), np.where(first[:, None], good, bad)]

    r, chosen = gram.nested(candidates, problem, parts)
    assert (chosen == 0).all()
    np.testing.assert_allclose(r, gram.leave_one_out(candidates(problem)[0], problem))


def test_relatives_help_the_homology_term_and_their_absence_hurts():
    problem, _ = problem_of(count=36)
    term = homology.default_term()
    r = gram.leave_one_out(problem.weights(term), problem)
    far = problem.capped(0.3)
    assert r.mean() > gram.leave_one_out(far.weights(term), far).mean() + 0.2
    assert r.mean() > gram.leave_one_out(profile_methods.baselines(problem)[profile_methods.MEAN], problem).mean() + 0.2


def test_linear_weights_are_those_of_ridge_regression_with_an_intercept():
    from sklearn.linear_model import Ridge

    generator = np.random.default_rng(3)
    x, y, new = generator.normal(size=(15, 6)), generator.normal(size=(15, 40)), generator.normal(size=(4, 6))
    a, b = embedding_regression.kernel(new, x), embedding_regression.kernel(x, x)
    found = embedding_regression.from_kernel(a, b, 0.3) @ y
    scaled = [(v - x.mean(0)) / x.std(0) for v in (x, new)]
    expected = Ridge(alpha=0.3 * 6).fit(scaled[0], y).predict(scaled[1])
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_bins_of_the_table_hold_every_protein_once():
    r = {"m": np.linspace(0, 1, 50)}
    identity = np.linspace(0.05, 0.99, 50)
    table = gram.by_bin(r, identity, np.arange(50), draws=50).set_index("identity")
    assert table.loc["all", "proteins"] == 50 == table["proteins"].drop("all").sum()
    assert table.loc["below 40 %", "mean"] == pytest.approx(r["m"][identity < 0.4].mean())
