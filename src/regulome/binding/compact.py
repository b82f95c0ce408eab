"""Arrays of a predictor in little room, for the file that is shipped with the package.

* Symmetric matrices (identities, correlations of profiles) are kept as their upper triangles in half precision: three
  significant digits of an identity or a correlation.
* Coefficients (T proteins x F k-mers) are nearly of low rank, since many proteins share their motifs: the first
  singular vectors, half precision, as many as `ship` finds necessary.
* Other arrays stay as they are. What is read back has its full shape and single precision.
"""

from collections.abc import Mapping

import numpy as np

SYMMETRIC = ("identity", "gram")
LOW_RANK = "coefficients"
TRIANGLE, LEFT, RIGHT = ".triangle", ".left", ".right"


def packed(arrays: Mapping[str, np.ndarray], rank: int) -> dict[str, np.ndarray]:
    """The same arrays, smaller; coefficients by their first ``rank`` singular vectors."""
    found = dict(arrays)
    for name in SYMMETRIC:
        values = found.pop(name)
        found[name + TRIANGLE] = values[np.triu_indices(len(values))].astype(np.float16)
    left, right = factors(found.pop(LOW_RANK), rank)
    return found | {LOW_RANK + LEFT: left, LOW_RANK + RIGHT: right}


def factors(values: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, rank) and (rank, F) half-precision factors of the best approximation of that rank (T, F)."""
    u, s, v = np.linalg.svd(values.astype(np.float64), full_matrices=False)
    root = np.sqrt(s[:rank])
    return (u[:, :rank] * root).astype(np.float16), (root[:, None] * v[:rank]).astype(np.float16)


def unpacked(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays as they were before `packed`; those that were not packed are passed on."""
    found = {name: values for name, values in arrays.items() if not name.endswith((TRIANGLE, LEFT, RIGHT))}
    for name in SYMMETRIC:
        if name + TRIANGLE in arrays:
            found[name] = _square(arrays[name + TRIANGLE].astype(np.float32))
    if LOW_RANK + LEFT in arrays:
        left, right = (arrays[LOW_RANK + side].astype(np.float32) for side in (LEFT, RIGHT))
        found[LOW_RANK] = left @ right
    return found


def _square(triangle: np.ndarray) -> np.ndarray:
    size = int((np.sqrt(8 * len(triangle) + 1) - 1) / 2)
    values = np.zeros((size, size), dtype=triangle.dtype)
    values[np.triu_indices(size)] = triangle
    return values + np.triu(values, 1).T
