"""Numbers as text, ``%.8f`` and one a line: the bytes of `numpy.savetxt`, several times faster.

savetxt formats a row at a time; one format string for the whole column does the same conversion in C
(`python -m regulome.binding.prediction_benchmark` times both).
"""

import numpy as np


def lines(values: np.ndarray, digits: int = 8) -> bytes:
    """One number a line, fixed point, as ``numpy.savetxt(file, values, fmt="%.8f")`` writes them.

    Parameters
    ----------
    values
        (N,) finite numbers.
    digits
        Behind the decimal point.

    Raises
    ------
    ValueError
        If a value is not finite or the array has not one dimension.
    """
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"values have shape {values.shape}; expected one dimension")
    if not np.isfinite(values).all():
        raise ValueError(f"value {int(np.argmin(np.isfinite(values))) + 1} is not finite")
    return ((f"%.{digits}f\n" * len(values)) % tuple(values.tolist())).encode("ascii")
