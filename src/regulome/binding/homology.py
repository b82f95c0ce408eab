"""Profiles of new proteins as weighted sums of training profiles: nearest neighbour, soft neighbours, kernel ridge, and
the homology term that averages them.

Everything here returns weights (Q, T) of Q queries over T training proteins. What a query's neighbours bind is then
applied to any RNAs (`regulome.binding.rna_regression`), and its correlation with a measured profile needs no more than
the correlations between profiles (`regulome.binding.gram`).

Leave-one-out is the same call with queries = training proteins and a mask of who may not be used for whom.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from regulome.binding import protein_kmers
from regulome.binding.sequences import Sequences

IDENTITY, KMERS = "identity", (3, 4)
Similarity = Mapping[str, np.ndarray]  # name to (Q, T) similarities, 0 to 1


def similarities(queries: Sequences, training: Sequences | None = None, identity: np.ndarray | None = None) -> dict:
    """Similarities that the homology term reads: identity, 3-mers, 4-mers.

    Parameters
    ----------
    training
        None: the queries themselves.
    identity
        (Q, T) fractions, where they are known already (default: `regulome.binding.identity.pairwise`).
    """
    if identity is None:
        from regulome.binding.identity import pairwise

        identity = pairwise(queries, training)
    found = {IDENTITY: np.asarray(identity, dtype=np.float64)}
    for k in KMERS:
        found[f"{k}-mers"] = protein_kmers.cosine(queries, training, k).astype(np.float64)
    return found


def take(similarity: Similarity, rows: np.ndarray, columns: np.ndarray) -> dict[str, np.ndarray]:
    """Part of every matrix."""
    return {name: values[np.ix_(rows, columns)] for name, values in similarity.items()}


# --- neighbours


def nearest(similarity: np.ndarray, exclude: np.ndarray | None = None) -> np.ndarray:
    """(Q, T) weight 1 on the most similar training protein that is not excluded (the first of equals), else 0."""
    allowed = similarity if exclude is None else np.where(exclude, -np.inf, similarity)
    weights = np.zeros(similarity.shape)
    rows = np.flatnonzero(np.isfinite(allowed.max(1)))
    weights[rows, allowed[rows].argmax(1)] = 1.0
    return weights


@dataclass(frozen=True)
class SoftNeighbours:
    """Weights softmax(scale x similarity) over the most similar training proteins.

    Attributes
    ----------
    neighbours
        How many; equals of the last one count too.
    scale
        Per unit of similarity; infinite would be the nearest neighbour.
    """

    neighbours: int = 5
    scale: float = 10.0

    def weights(self, similarity: np.ndarray, exclude: np.ndarray | None = None) -> np.ndarray:
        """(Q, T), each row sums to 1 (to 0 if everything is excluded)."""
        allowed = np.array(similarity, dtype=np.float64)
        if exclude is not None:
            allowed[exclude] = -np.inf
        count = min(self.neighbours, allowed.shape[1])
        last = -np.partition(-allowed, count - 1, axis=1)[:, count - 1 : count]
        top = allowed.max(1, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        weights = np.where((allowed >= last) & np.isfinite(allowed), np.exp(self.scale * (allowed - top)), 0.0)
        total = weights.sum(1, keepdims=True)
        return weights / np.where(total > 0, total, 1.0)


# --- linear algebra with rows left out


def solve_without(matrix: np.ndarray, penalty: float, right: np.ndarray, exclude: np.ndarray | None) -> np.ndarray:
    """For each query q solve (A + penalty I) x = c_q on the training proteins that q may use; x is 0 elsewhere.

    One inverse P serves all queries: on the part t that is left when e is excluded,
    (A_tt)^-1 = P_tt - P_te (P_ee)^-1 P_et.

    Parameters
    ----------
    matrix
        A, (T, T), symmetric.
    right
        c, (Q, T).
    exclude
        (Q, T) bool, or None.

    Returns
    -------
    (Q, T)
    """
    inverse = np.linalg.inv(np.asarray(matrix, dtype=np.float64) + penalty * np.eye(len(matrix)))
    if exclude is None:
        return right @ inverse
    solved = np.where(exclude, 0.0, right) @ inverse
    for q in np.flatnonzero(exclude.any(1)):
        e = np.flatnonzero(exclude[q])
        solved[q] -= inverse[:, e] @ np.linalg.solve(inverse[np.ix_(e, e)], solved[q, e])
        solved[q, e] = 0.0
    return solved


def ridge(
    kernel: np.ndarray, query_kernel: np.ndarray, penalty: float, exclude: np.ndarray | None = None
) -> np.ndarray:
    """(Q, T) weights of kernel ridge regression (the mean of a Gaussian process): (S + penalty I)^-1 s_q."""
    return solve_without(kernel, penalty, query_kernel, exclude)


def denoise(weights: np.ndarray, gram: np.ndarray, penalty: float, exclude: np.ndarray | None = None) -> np.ndarray:
    """Weights of the predicted profile after a Wiener filter in the space of training profiles: (K + penalty I)^-1 K w.

    Directions that few training profiles share, mostly noise, are damped by k / (k + penalty), k their variance.
    """
    return weights if penalty == 0 else solve_without(gram, penalty, weights @ gram, exclude)


def unit(weights: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """Weights divided by the standard deviation sqrt(w' K w) of the profile that they predict."""
    sd = np.sqrt(np.maximum(np.einsum("qt,qt->q", weights @ gram, weights), 0))
    return weights / np.where(sd > 1e-9, sd, 1.0)[:, None]


# --- the homology term


@dataclass(frozen=True)
class Member:
    """One of the predictors that the homology term averages.

    Attributes
    ----------
    kind
        "nearest", "soft" or "ridge".
    similarity
        Which one it reads.
    neighbours, scale
        Of "soft".
    power, penalty
        Of "ridge": the kernel is similarity^power.
    share
        Weight in the average.
    """

    kind: str
    similarity: str
    neighbours: int = 5
    scale: float = 10.0
    power: float = 1.0
    penalty: float = 0.1
    share: float = 1.0

    def weights(self, query: Similarity, training: Similarity, exclude: np.ndarray | None) -> np.ndarray:
        """(Q, T), before any scaling."""
        values = query[self.similarity]
        if self.kind == "nearest":
            return nearest(values, exclude)
        if self.kind == "soft":
            return SoftNeighbours(self.neighbours, self.scale).weights(values, exclude)
        if self.kind == "ridge":
            return ridge(training[self.similarity] ** self.power, values**self.power, self.penalty, exclude)
        raise ValueError(f"kind is {self.kind!r}; expected nearest, soft or ridge")


@dataclass(frozen=True)
class HomologyTerm:
    """Mean of the members' predicted profiles, each scaled to standard deviation 1, then denoised.

    Attributes
    ----------
    members
        Predictors.
    penalty
        Of `denoise`; 0: none.
    """

    members: tuple[Member, ...]
    penalty: float = 0.3

    def weights(
        self, query: Similarity, training: Similarity, gram: np.ndarray, exclude: np.ndarray | None = None
    ) -> np.ndarray:
        """Weights of the training profiles.

        Parameters
        ----------
        query, training
            (Q, T) and (T, T) similarities by name.
        gram
            (T, T) correlations between training profiles.
        exclude
            (Q, T) bool: who may not be used for whom; None: everyone may.

        Returns
        -------
        (Q, T), scaled so that the predicted profile has standard deviation 1.
        """
        total = sum(m.share * unit(m.weights(query, training, exclude), gram) for m in self.members)
        return unit(denoise(total, gram, self.penalty, exclude), gram)


def default_term(penalty: float = 0.3, ridge_share: float = 1.0) -> HomologyTerm:
    """The term used everywhere: soft neighbours by identity, 3-mers and 4-mers, kernel ridge on squared identity."""
    return HomologyTerm(
        (
            Member("soft", IDENTITY, 5, 10.0),
            Member("soft", "4-mers", 5, 10.0),
            Member("soft", "3-mers", 10, 20.0),
            Member("ridge", IDENTITY, power=2.0, penalty=0.1, share=ridge_share),
        ),
        penalty,
    )
