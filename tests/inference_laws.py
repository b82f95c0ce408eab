"""Laws with closed forms that the inference tests share."""

import numpy as np
import torch

from regulome.stochastic import networks
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.two_state import TwoStateLaw

POISSON = StateTransitionNetwork(
    name="poisson",
    states=("X",),
    events=(Event("birth", {"X": 1}, "k"), Event("death", {"X": -1}, "X")),
    parameters=(Parameter("k", 0.1, 40.0),),
)


class PoissonLaw:
    """Counts of a birth-death process with death rate 1: Poisson with mean k."""

    network = POISSON

    def observed_log_prob(self, theta, names, counts):
        counts = torch.as_tensor(counts).reshape(-1).double()
        return counts * theta.log() - theta - torch.lgamma(counts + 1)


class WithoutGradient:
    """Hides the gradient of a law, as an exact solver does."""

    def __init__(self, law):
        self.law, self.network = law, law.network

    def observed_log_prob(self, theta, names, counts):
        return self.law.observed_log_prob(theta.detach(), names, counts)


def telegraph_law() -> TwoStateLaw:
    """Closed form of the example network."""
    return TwoStateLaw(networks.load("telegraph"), {"kon": "kon", "koff": "koff", "ksynon": "ksyn", "kdeg": "kdeg"})


def draw(law, theta, size, seed, largest=130) -> np.ndarray:
    """(size,) counts from a one-species law."""
    grid = np.arange(largest)
    chance = law.observed_log_prob(torch.tensor(theta, dtype=torch.float64)[None], law.network.observed, grid[:, None])
    chance = chance[0].exp().numpy()
    return np.random.default_rng(seed).choice(grid, size, p=chance / chance.sum())
