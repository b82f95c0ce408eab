"""Exact mean of y = log2(1 + 1e4 x / library) for negative binomial counts x."""

import numpy as np

LONGEST = 2000  # counts that a sum goes up to


def expected_y(mean: np.ndarray, dispersion: np.ndarray, library: np.ndarray) -> np.ndarray:
    """(P,) mean of y over cells and over their counts: no sampling, so that small effects are not lost in its noise.

    sum_x NB(x; mean, dispersion) log2(1 + 1e4 x / library), up to nine standard deviations above the largest mean.

    Parameters
    ----------
    mean
        (S, P) expected counts of S cells.
    dispersion
        (P,) inverse dispersion: the variance is mean + mean^2 / dispersion.
    library
        (S,) UMI of these cells.
    """
    last = (mean + 9 * np.sqrt(mean + mean**2 / dispersion) + 12).max(0)
    order = np.argsort(-last)
    mean, dispersion, last = mean[:, order], dispersion[order], np.minimum(last[order], LONGEST)
    share = mean / (mean + dispersion)
    probability = np.exp(dispersion * np.log(dispersion / (dispersion + mean)))
    total, count, genes = np.zeros_like(mean), 0, mean.shape[1]
    while genes:  # genes whose sum is complete drop out at the end
        count += 1
        genes = int((last > count).sum())
        probability = probability[:, :genes] * share[:, :genes] * ((count - 1 + dispersion[:genes]) / count)
        total[:, :genes] += probability * np.log2(1 + 1e4 * count / library)[:, None]
    out = np.empty(len(order))
    out[order] = total.mean(0)
    return out
