"""Arrays of a predictor in little room, for the file that is shipped with the package.

* Coefficients (T proteins x F k-mers) become whole numbers of steps, the step a share of the row's standard deviation:
  with a share of 1/8 the error is 1/8 / sqrt(12) = 4 % of a coefficient's standard deviation, and each takes about
  five bits after compression.
* Symmetric matrices (identities, correlations of profiles) are kept as their upper triangles in half precision: three
  significant digits.
* Both are compressed; other arrays stay as they are. What is read back has its full shape and single precision.
"""

import zlib
from collections.abc import Mapping

import numpy as np

SYMMETRIC = ("identity", "gram")
ROUNDED = "coefficients"
PACKED, STEPS = ".packed", ".steps"


def packed(arrays: Mapping[str, np.ndarray], share: float) -> dict[str, np.ndarray]:
    """The same arrays, smaller.

    Parameters
    ----------
    share
        Step of the coefficients as a share of a row's standard deviation.
    """
    found = dict(arrays)
    for name in SYMMETRIC:
        values = found.pop(name)
        found[name + PACKED] = _pressed(values[np.triu_indices(len(values))].astype("<f2"))
    values = np.asarray(found.pop(ROUNDED), dtype=np.float32)
    steps = np.maximum(share * values.std(1), np.abs(values).max(1) / 127).astype(np.float32)
    steps[steps == 0] = 1
    found[ROUNDED + PACKED] = _pressed(np.round(values / steps[:, None]).astype("i1"))
    return found | {ROUNDED + STEPS: steps}


def unpacked(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays as they were before `packed`; those that were not packed are passed on."""
    found = {name: values for name, values in arrays.items() if not name.endswith((PACKED, STEPS))}
    for name in SYMMETRIC:
        if name + PACKED in arrays:
            found[name] = _square(_read(arrays[name + PACKED], "<f2").astype(np.float32))
    if ROUNDED + PACKED in arrays:
        steps = arrays[ROUNDED + STEPS]
        found[ROUNDED] = _read(arrays[ROUNDED + PACKED], "i1").reshape(len(steps), -1) * steps[:, None]
    return found


def _pressed(values: np.ndarray) -> np.ndarray:
    return np.frombuffer(zlib.compress(values.tobytes(), 9), dtype=np.uint8).copy()


def _read(content: np.ndarray, kind: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(content.tobytes()), dtype=kind)


def _square(triangle: np.ndarray) -> np.ndarray:
    size = int((np.sqrt(8 * len(triangle) + 1) - 1) / 2)
    values = np.zeros((size, size), dtype=triangle.dtype)
    values[np.triu_indices(size)] = triangle
    return values + np.triu(values, 1).T
