"""The rule by which the community judges a stochastic simulator.

Discrete Stochastic Models Test Suite (Evans, Gillespie and Wilkinson, Bioinformatics 24:285, 2008): mean and standard
deviation over n >= 10,000 runs at t = 0, 1, ..., 50 are compared with exact ones by

    Z_t = sqrt(n) (mean_t - mu_t) / sigma_t          in (-3, 3)
    Y_t = sqrt(n / 2) (S_t^2 / sigma_t^2 - 1)        in (-5, 5)

A case passes with at most one excursion of each kind; with two or three it is run again, with more it fails.
"""

from dataclasses import dataclass

import numpy as np

RUNS = 10_000
TIMES = np.arange(51.0)


@dataclass(frozen=True)
class Judgement:
    """Z and Y at every time (0 where the exact standard deviation is 0), and the number of values outside."""

    z: np.ndarray
    y: np.ndarray
    z_outside: int
    y_outside: int

    @property
    def passed(self) -> bool:
        return max(self.z_outside, self.y_outside) <= 1

    @property
    def again(self) -> bool:
        """Whether the rule asks for another run."""
        return 2 <= max(self.z_outside, self.y_outside) <= 3


def judge(values: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> Judgement:
    """Compare runs with the exact mean and standard deviation.

    Parameters
    ----------
    values
        (n, G) one species in n runs at G times.
    mean, sd
        (G,) exact; where the standard deviation is 0, every run must have the mean.
    """
    values, mean, sd = np.asarray(values, float), np.asarray(mean, float), np.asarray(sd, float)
    certain = sd <= 1e-12
    scale = np.where(certain, 1.0, sd)
    n = len(values)
    z = np.sqrt(n) * (values.mean(0) - mean) / scale
    y = np.sqrt(n / 2) * (values.var(0, ddof=1) / scale**2 - 1)
    wrong = certain & (np.abs(values - mean) > 1e-9).any(0)
    z, y = np.where(certain, 0.0, z), np.where(certain, 0.0, y)
    z[wrong] = np.inf
    return Judgement(z, y, int((np.abs(z) >= 3).sum()), int((np.abs(y) >= 5).sum()))
