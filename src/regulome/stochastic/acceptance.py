"""Which end points of a fit to keep.

The published package has a parameter for this that nothing reads. Here a start is accepted if a likelihood-ratio test
cannot tell it from the best one: twice the difference of their log-likelihoods (sums over cells) is at most the 95 %
quantile of chi-square with as many degrees of freedom as parameters. Whether the best itself is any good is another
question: `predictive.adequacy` answers it.
"""

import numpy as np
from scipy.stats import chi2

from regulome.errors import UserError
from regulome.stochastic.fit import Fit


def threshold(parameters: int, confidence: float = 0.95) -> float:
    """Largest accepted difference of log-likelihoods, nats."""
    if not 0 < confidence < 1:
        raise UserError(f"acceptance: found a confidence of {confidence}, expected a number between 0 and 1")
    return float(chi2.ppf(confidence, parameters)) / 2


def accepted(found: Fit, confidence: float = 0.95) -> np.ndarray:
    """(B,) whether each start is accepted; the best one always is."""
    return found.log_likelihood[0] - found.log_likelihood <= threshold(len(found.names), confidence)
