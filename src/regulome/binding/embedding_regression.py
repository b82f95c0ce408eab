"""Linear regression of binding profiles on protein vectors, the plainest use of an embedding.

Ridge regression from z-scored vectors x to profiles is a weighted sum of training profiles,

    w = (X X' + penalty I)^-1 X x_q   (profiles centred on the mean profile, which is added back: weights 1/T each)

so that it can be tested on the correlations between profiles alone, as the homology term is.
"""

import numpy as np

from regulome.binding.homology import solve_without
from regulome.binding.vectors import Vectors

SIMILARITY = "vectors"


def kernel(queries: np.ndarray, training: np.ndarray) -> np.ndarray:
    """(Q, T) mean product of vectors z-scored by the training's statistics; columns that do not vary count as 0."""
    mean, sd = training.mean(0), training.std(0)
    scale = np.where(sd > 1e-9 * np.maximum(1, np.abs(mean)), sd, np.inf)
    return ((queries - mean) / scale) @ ((training - mean) / scale).T / queries.shape[1]


def weights(queries: Vectors, training: Vectors, penalty: float = 1.0) -> np.ndarray:
    """(Q, T) weights of linear ridge regression.

    Parameters
    ----------
    penalty
        Relative to a mean square of 1 of the kernel's diagonal.
    """
    if queries.source != training.source:
        raise ValueError(f"vectors of '{queries.source}' and of '{training.source}'")
    a, b = queries.values.astype(np.float64), training.values.astype(np.float64)
    return from_kernel(kernel(a, b), kernel(b, b), penalty)


def from_kernel(
    query: np.ndarray, training: np.ndarray, penalty: float, exclude: np.ndarray | None = None
) -> np.ndarray:
    """(Q, T) weights from kernels of z-scored vectors; each query's mean profile is that of proteins it may use."""
    solved = solve_without(training, penalty, query, exclude)
    allowed = np.ones_like(solved) if exclude is None else (~exclude).astype(float)
    count = np.maximum(allowed.sum(1, keepdims=True), 1)
    return solved + allowed * (1 - solved.sum(1, keepdims=True)) / count
