"""Maternal gradients of the fruit-fly embryo that the gap genes read."""

import numpy as np


def maternal_inputs(x: np.ndarray, bcd: float = 1.0, tor: float = 1.0) -> np.ndarray:
    """(P, 2) levels of Bicoid, exp(-x / 0.2), and Torso, exp(-x / 0.05) + exp(-(1 - x) / 0.05), at positions x.

    Positions are fractions of egg length from the anterior pole. Both gradients are analytic in Shen et al. (2021) and
    do not come from FlyEx. ``bcd`` and ``tor`` scale them (dosage, mutants).
    """
    x = np.asarray(x, dtype=float)
    return np.stack([bcd * np.exp(-x / 0.2), tor * (np.exp(-x / 0.05) + np.exp(-(1 - x) / 0.05))], axis=1)
