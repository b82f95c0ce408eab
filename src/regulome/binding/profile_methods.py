"""Leave-one-out on profile correlations: every method whose prediction is a weighted sum of training profiles.

Affinity regression with a full-rank, unpenalised RNA side predicts profiles by kernel ridge regression on protein
k-mers, which is how it appears here; with RNA k-mers it is in `regulome.binding.affinity_regression`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome.binding import embedding_regression, homology, pair_model
from regulome.binding.duplicates import unique_number
from regulome.binding.gram import Problem, leave_one_out, nested
from regulome.binding.homology import IDENTITY, SoftNeighbours, default_term
from regulome.binding.splits import folds
from regulome.binding.vectors import Vectors

MEAN, NEAREST, NEAREST_KMERS = "mean profile", "nearest neighbour, identity", "nearest neighbour, 4-mers"
SOFT, SOFT_KMERS = "soft neighbours, identity", "soft neighbours, 4-mers"
RIDGE = "kernel ridge, 4-mers"
TERM, NESTED, PAIRS = (
    "homology term, fixed settings",
    "homology term, nested settings",
    "homology term + learned pairs, nested",
)
LINEAR_PENALTIES = (0.1, 1.0, 10.0)
RIDGE_PENALTIES = (0.1, 0.3, 1.0)


def baselines(problem: Problem) -> dict[str, np.ndarray]:
    """(P, P) leave-one-out weights of what needs no choice beyond published settings (5 neighbours, scale 10)."""
    identity, kmers, exclude = problem.similarity[IDENTITY], problem.similarity["4-mers"], problem.exclude
    soft = SoftNeighbours(5, 10.0)
    return {
        MEAN: (~exclude).astype(float),
        NEAREST: homology.nearest(identity, exclude),
        NEAREST_KMERS: homology.nearest(kmers, exclude),
        SOFT: soft.weights(identity, exclude),
        SOFT_KMERS: soft.weights(kmers, exclude),
        TERM: problem.weights(default_term()),
    }


def term_candidates(problem: Problem) -> list[np.ndarray]:
    """Homology terms that differ in denoising and in the share of kernel ridge."""
    return [problem.weights(default_term(penalty, share)) for penalty in (0.0, 0.3, 1.0) for share in (0.0, 1.0, 2.0)]


def ridge_candidates(problem: Problem) -> list[np.ndarray]:
    """Kernel ridge regression on 4-mers."""
    kernel = problem.similarity["4-mers"]
    return [homology.ridge(kernel, kernel, penalty, problem.exclude) for penalty in RIDGE_PENALTIES]


def pair_candidates(problem: Problem, count: int = 10, seed: int = 0) -> list[np.ndarray]:
    """Homology terms with learned pair correlations, which differ in their share and number of neighbours."""
    term = default_term()
    parts = folds(unique_number(problem.proteins), min(count, len(problem) // 4), seed)
    predicted = pair_model.cross_fitted(problem, term, parts, seed)
    same = (problem.similarity, problem.similarity, problem.gram, problem.exclude)
    return [
        pair_model.weights(term, predicted, *same, neighbours, share)
        for neighbours in (5, 10)
        for share in (1.0, 2.0, 4.0)
    ]


def all_methods(
    problem: Problem,
    vectors: Mapping[str, Vectors],
    clusters: np.ndarray,
    pairs: bool = True,
    count: int = 10,
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Leave-one-out of every method.

    Parameters
    ----------
    vectors
        Name to vectors of the problem's proteins, for linear regression on them.
    clusters
        (P,) homologous proteins: they share an outer fold, so that hyper-parameters come from other families.
    pairs
        Whether to learn pair correlations (a minute for 355 proteins).
    count, seed
        Outer folds and their draw.

    Returns
    -------
    r, chosen
        Method to (P,) correlations; for the nested ones how often each candidate was chosen (method, candidate,
        proteins).
    """
    outer = folds(clusters, min(count, int(clusters.max()) + 1), seed)
    r = {name: leave_one_out(weights, problem) for name, weights in baselines(problem).items()}
    choices = {RIDGE: ridge_candidates, NESTED: term_candidates}
    if pairs:
        choices[PAIRS] = lambda part: pair_candidates(part, count, seed)
    rows = []
    for name, candidates in choices.items():
        r[name], chosen = nested(candidates, problem, outer)
        rows += [(name, int(i), int(n)) for i, n in zip(*np.unique(chosen, return_counts=True), strict=True)]
    for name, given in vectors.items():
        label = f"linear on {name}"
        r[label], chosen = _linear(problem, given, outer)
        rows += [(label, int(i), int(n)) for i, n in zip(*np.unique(chosen, return_counts=True), strict=True)]
    return r, pd.DataFrame(rows, columns=["method", "candidate", "proteins"])


def _linear(problem: Problem, vectors: Vectors, outer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nested leave-one-out of linear regression on vectors; z-scored over all proteins, which uses no profile."""
    x = vectors.values.astype(np.float64)
    kernel = embedding_regression.kernel(x, x)
    extended = Problem(
        problem.proteins, problem.gram, {**problem.similarity, "vectors": kernel}, problem.exclude, problem.kind
    )

    def candidates(part: Problem) -> list[np.ndarray]:
        k = part.similarity["vectors"]
        return [embedding_regression.from_kernel(k, k, penalty, part.exclude) for penalty in LINEAR_PENALTIES]

    return nested(candidates, extended, outer)


def capped(problem: Problem, caps: tuple[float, ...]) -> pd.DataFrame:
    """Leave-one-out when all proteins of at least an identity are missing.

    Returns
    -------
    DataFrame
        cap (2: none), method, protein (position), r.
    """
    rows = []
    for cap in caps:
        part = problem.capped(cap)
        weights = {
            NEAREST: homology.nearest(part.similarity[IDENTITY], part.exclude),
            SOFT: SoftNeighbours(5, 10.0).weights(part.similarity[IDENTITY], part.exclude),
            TERM: part.weights(default_term()),
        }
        for name, values in weights.items():
            r = leave_one_out(values, part)
            rows.append(pd.DataFrame({"cap": cap, "method": name, "protein": np.arange(len(part)), "r": r}))
    return pd.concat(rows, ignore_index=True)
