"""Learns from pairs of training proteins how alike two binding profiles are, given how alike the sequences are.

Gradient-boosted trees regress the measured correlation K_ab on what is known of a pair without K_ab: the similarities
of the sequences, what they are relative to a's nearest protein, and how well the profile that the homology term
predicts for a (from others than a and its copies) agrees with b's. For a query, its most similar training proteins are
then weighted by their predicted correlations instead of by their similarities.

In leave-one-out the trees for a query see no pair with any protein of its fold (`cross_fitted`).
"""

from dataclasses import dataclass

import numpy as np

from regulome.binding.gram import Problem
from regulome.binding.homology import HomologyTerm, Similarity, SoftNeighbours, denoise, unit

CANDIDATES = 40  # most similar training proteins of each query that the trees look at


@dataclass(frozen=True)
class PairModel:
    """Fitted trees.

    Attributes
    ----------
    term
        The homology term whose prediction is a feature.
    trees
        scikit-learn's `HistGradientBoostingRegressor`.
    """

    term: HomologyTerm
    trees: object

    @classmethod
    def fit(cls, problem: Problem, term: HomologyTerm, seed: int = 0) -> "PairModel":
        """Fit on all ordered pairs of a problem that may be used for each other and are candidates."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        values, rows, columns = _features(problem.similarity, problem.similarity, problem.gram, problem.exclude, term)
        trees = HistGradientBoostingRegressor(
            max_iter=120, learning_rate=0.06, max_leaf_nodes=12, min_samples_leaf=40, l2_regularization=1.0,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        return cls(term, trees.fit(values, problem.gram[rows, columns]))

    def predict(
        self, query: Similarity, training: Similarity, gram: np.ndarray, exclude: np.ndarray | None = None
    ) -> np.ndarray:
        """(Q, T) predicted correlations of profiles; minus infinity for those that are no candidates or excluded."""
        values, rows, columns = _features(query, training, gram, exclude, self.term)
        found = np.full(next(iter(query.values())).shape, -np.inf)
        found[rows, columns] = self.trees.predict(values)
        return found


def cross_fitted(problem: Problem, term: HomologyTerm, folds: np.ndarray, seed: int = 0) -> np.ndarray:
    """(P, P) predicted correlations of every protein with all others, from trees that saw no pair of its fold."""
    found = np.full((len(problem), len(problem)), -np.inf)
    for fold in np.unique(folds):
        test, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        model = PairModel.fit(problem.part(rest), term, seed)
        query = {name: values[test] for name, values in problem.similarity.items()}
        found[test] = model.predict(query, problem.similarity, problem.gram, problem.exclude[test])
    return found


def weights(
    term: HomologyTerm,
    predicted: np.ndarray,
    query: Similarity,
    training: Similarity,
    gram: np.ndarray,
    exclude: np.ndarray | None,
    neighbours: int = 10,
    share: float = 2.0,
) -> np.ndarray:
    """(Q, T) weights of the homology term with neighbours by predicted correlation added to its members."""
    total = sum(m.share * unit(m.weights(query, training, exclude), gram) for m in term.members)
    total = total + share * unit(SoftNeighbours(neighbours, 10.0).weights(predicted, exclude), gram)
    return unit(denoise(total, gram, term.penalty, exclude), gram)


def _features(
    query: Similarity, training: Similarity, gram: np.ndarray, exclude: np.ndarray | None, term: HomologyTerm
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (M, F) of the candidate pairs, and their rows (queries) and columns (training)."""
    profile = term.weights(query, training, gram, exclude) @ gram  # correlation of predicted with training profiles
    blocked = np.zeros(profile.shape, dtype=bool) if exclude is None else exclude  # nothing of these may be read
    members = [np.where(blocked, -np.inf, query[name]) for name in dict.fromkeys(m.similarity for m in term.members)]
    relative = sum(values / np.maximum(values.max(1, keepdims=True), 1e-9) for values in members)
    last = -np.partition(-relative, min(CANDIDATES, relative.shape[1]) - 1, axis=1)[:, :CANDIDATES][:, -1:]
    rows, columns = np.nonzero((relative >= last) & np.isfinite(relative))
    features = [query[name][rows, columns] for name in query]
    for values in members:
        best = values.max(1)
        features += [best[rows], values[rows, columns] - best[rows]]
    allowed = (~blocked).astype(np.float64)
    hub = allowed @ gram / np.maximum(allowed.sum(1, keepdims=True), 1)  # likeness to all others
    best = np.where(blocked, -np.inf, profile).max(1)
    features += [profile[rows, columns], best[rows], hub[rows, columns]]
    return np.stack(features, axis=1).astype(np.float32), rows, columns
