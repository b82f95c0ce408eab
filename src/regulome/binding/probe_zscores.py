"""Robust z-scores of probe intensities, the first step from intensities to a motif in RNAcompete analyses.

Three steps, each with medians because a few probes are far brighter than all others:

1. within an experiment, over probes: subtract the median, divide by the interquartile range;
2. for a probe, over experiments: subtract the median, divide by 1.4826 x the median absolute deviation (MAD), which
   takes away what a probe shows whatever the protein;
3. within an experiment again: median and 1.4826 x MAD.

Step 2 needs many experiments: of two it would leave nothing but signs.
"""

import numpy as np

MAD_TO_SD = 1.4826  # of a normal law
FEWEST = 10  # experiments from which on a probe's own median and spread are estimated


def robust(intensities: np.ndarray, across: bool | None = None) -> np.ndarray:
    """Robust z-scores (steps 1 to 3 of the module).

    Parameters
    ----------
    intensities
        (P, N), one row an experiment; NaN where a probe was flagged.
    across
        Whether to take step 2 (default: with at least `FEWEST` experiments).

    Returns
    -------
    ndarray
        (P, N) float64; a row or probe without spread becomes 0, NaN stays NaN.
    """
    z = np.asarray(intensities, dtype=np.float64)
    z = _divide(z - np.nanmedian(z, axis=1, keepdims=True), _interquartile_range(z))
    if across or (across is None and len(z) >= FEWEST):
        z = _by_mad(z, axis=0)
    return _by_mad(z, axis=1)


def _interquartile_range(z: np.ndarray) -> np.ndarray:
    low, high = np.nanpercentile(z, [25, 75], axis=1, keepdims=True)
    return high - low


def _by_mad(z: np.ndarray, axis: int) -> np.ndarray:
    centred = z - np.nanmedian(z, axis=axis, keepdims=True)
    return _divide(centred, MAD_TO_SD * np.nanmedian(np.abs(centred), axis=axis, keepdims=True))


def _divide(values: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.where(spread > 0, values / np.where(spread > 0, spread, 1.0), np.where(np.isnan(values), np.nan, 0.0))
