"""How much of a protein's binding profile its vector tells: leave-one-out on the correlations between profiles.

Three plain uses of a vector, next to sequence identity: the profile of the nearest protein, the weighted profiles of
the nearest few, and linear regression. All are weighted sums of the other proteins' profiles (`gram`). Nearness is the
cosine of vectors whose numbers are z-scored over the proteins, for every source alike; nothing is tuned to a source
but the penalty of the regression, which is chosen without the query's relatives.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome.binding import clusters, embedding_regression, gram, homology, splits
from regulome.binding.sequences import Sequences
from regulome.binding.vectors import Vectors

IDENTITY = "sequence identity"
NEAREST, SOFT, RIDGE, MEAN = "nearest neighbour", "soft neighbours", "linear (ridge)", "mean profile"
METHODS = (NEAREST, SOFT, RIDGE)
NO_SOURCE = "none"
SOFT_SETTINGS = homology.SoftNeighbours(neighbours=5, scale=10.0)
PENALTIES = (0.01, 0.1, 0.3, 1.0, 3.0)  # over the mean squared length of a z-scored vector
HOMOLOGUES = 0.4  # identity from which two proteins share a fold and are resampled together
FOLDS = 5


def cosine(vectors: Vectors) -> np.ndarray:
    """(P, P) cosine of z-scored vectors; numbers that do not vary count nothing."""
    product = embedding_regression.kernel(vectors.values.astype(float), vectors.values.astype(float))
    length = np.sqrt(np.maximum(np.diag(product), 1e-12))
    return product / length[:, None] / length[None, :]


def problem(
    proteins: Sequences,
    correlation: np.ndarray,
    identity: np.ndarray,
    vectors: Mapping[str, Vectors],
    kind: str,
    duplicates: bool = False,
) -> gram.Problem:
    """The leave-one-out problem with all that the methods read.

    Parameters
    ----------
    correlation
        (P, P) correlation between profiles.
    identity
        (P, P) fraction of identical residues.
    vectors
        Name of a source to its vectors, in the order of the proteins.
    duplicates
        Whether another experiment with the query's own sequence may be used, as in the published comparison.

    Raises
    ------
    ValueError
        Vectors of other proteins.
    """
    similarity = {homology.IDENTITY: np.asarray(identity, dtype=float)}
    for name, source in vectors.items():
        if source.names != proteins.names:
            raise ValueError(f"{name}: vectors of other proteins, or in another order")
        similarity[name] = cosine(source)
        values = source.values.astype(float)
        similarity[_kernel(name)] = embedding_regression.kernel(values, values)
    return gram.problem(proteins, correlation, similarity, kind, duplicates)


def _kernel(name: str) -> str:
    return f"{name} kernel"


def _weights(of: gram.Problem, source: str, method: str) -> np.ndarray:
    """(P, P) weights of a method without settings of its own."""
    name = homology.IDENTITY if source == IDENTITY else source
    if method == MEAN:
        return (~of.exclude).astype(float)
    if method == NEAREST:
        return homology.nearest(of.similarity[name], of.exclude)
    return SOFT_SETTINGS.weights(of.similarity[name], of.exclude)


def _ridges(source: str) -> gram.Candidates:
    """Ridge regression on a source's vectors with each of the penalties, for any problem."""

    def candidates(of: gram.Problem) -> list[np.ndarray]:
        kernel = of.similarity[_kernel(source)]
        return [embedding_regression.from_kernel(kernel, kernel, penalty, of.exclude) for penalty in PENALTIES]

    return candidates


def leave_one_out(of: gram.Problem, seed: int = 0) -> dict[tuple[str, str], np.ndarray]:
    """(P,) correlations of predicted and known profile, by source and method.

    Parameters
    ----------
    seed
        Of the folds within which no penalty is chosen.
    """
    folds = splits.folds(clusters.by_identity(of.similarity[homology.IDENTITY], HOMOLOGUES), FOLDS, seed)
    sources = [name for name in of.similarity if name != homology.IDENTITY and _kernel(name) in of.similarity]
    found = {(NO_SOURCE, MEAN): gram.leave_one_out(_weights(of, NO_SOURCE, MEAN), of)}
    for source in (IDENTITY, *sources):
        for method in (NEAREST, SOFT):
            found[source, method] = gram.leave_one_out(_weights(of, source, method), of)
        if source != IDENTITY:
            found[source, RIDGE] = gram.nested(_ridges(source), of, folds)[0]
    return found


def table(found: Mapping[tuple[str, str], np.ndarray], of: gram.Problem, seed: int = 0) -> pd.DataFrame:
    """Mean r over all proteins and by identity of the nearest usable one.

    Returns
    -------
    DataFrame
        source, method, identity ("all" or a bin), proteins, mean, low, high (95 %, homologues resampled together),
        median.
    """
    groups = clusters.by_identity(of.similarity[homology.IDENTITY], HOMOLOGUES)
    rows = gram.by_bin(found, of.nearest_identity(), groups, seed=seed)
    names = pd.DataFrame(rows.pop("method").tolist(), columns=["source", "method"])
    return pd.concat([names, rows], axis=1)


def without_relatives(of: gram.Problem, caps: list[float], method: str = SOFT, seed: int = 0) -> pd.DataFrame:
    """Mean r where all proteins from a cap of identity on are withheld (cap 1: none); columns of `table`, and cap."""
    parts = []
    for cap in caps:
        capped = of.capped(cap) if cap < 1 else of
        sources = [name for name in of.similarity if _kernel(name) in of.similarity]
        found = {(s, method): gram.leave_one_out(_weights(capped, s, method), capped) for s in (IDENTITY, *sources)}
        found[NO_SOURCE, MEAN] = gram.leave_one_out(_weights(capped, NO_SOURCE, MEAN), capped)
        whole = table(found, of, seed)
        parts.append(whole[whole["identity"] == "all"].drop(columns="identity").assign(cap=cap))
    return pd.concat(parts, ignore_index=True)


def cosine_by_identity(of: gram.Problem, width: float = 0.1) -> pd.DataFrame:
    """Cosines of pairs of proteins by their identity, in steps of `width`.

    Returns
    -------
    DataFrame
        source, identity (middle of the step), pairs, low, median, high (10, 50 and 90 % of the pairs).
    """
    first, second = np.triu_indices(len(of), 1)
    step = np.minimum((of.similarity[homology.IDENTITY][first, second] / width).astype(int), round(1 / width) - 1)
    rows = []
    for source in [name for name in of.similarity if _kernel(name) in of.similarity]:
        values = pd.Series(of.similarity[source][first, second]).groupby(step)
        for number, part in values:
            low, median, high = part.quantile([0.1, 0.5, 0.9])
            rows.append((source, (number + 0.5) * width, len(part), low, median, high))
    return pd.DataFrame(rows, columns=["source", "identity", "pairs", "low", "median", "high"])
