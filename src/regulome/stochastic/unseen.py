"""What data cannot say about parameters, so that a sampler can draw it from the prior instead of searching for it.

Three things: the unit of time (stationary laws do not change when all rates are multiplied by one number), parameters
on which the observed species do not depend, and swaps of names (`symmetries`). The network says which there are; the
law is asked whether it agrees, because a trained solver may not.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from regulome.stochastic import symmetries
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.ratios import time_exponents
from regulome.stochastic.reduction import reduce_to

AGREES = 0.1  # nats by which a likelihood may change along what it should not see
ALIVE = 12.0  # nats by which a relabelled mode may lie below the best


@dataclass(frozen=True)
class Unseen:
    """Directions in coordinates x that a likelihood does not depend on.

    Attributes
    ----------
    prior
        The prior, over x.
    ridge
        (P,) direction along which only the unit of time changes; zeros if there is none.
    free
        (P,) parameters on which the data do not depend.
    relabellings
        (G, P) permutations, see `symmetries.relabellings`.
    """

    prior: BoxPrior
    ridge: np.ndarray
    free: np.ndarray
    relabellings: np.ndarray

    @classmethod
    def nothing(cls, prior: BoxPrior) -> "Unseen":
        """A likelihood that sees everything."""
        size = prior.dimension
        return cls(prior, np.zeros(size), np.zeros(size, bool), np.arange(size)[None])

    @classmethod
    def of(cls, likelihood: Likelihood, prior: BoxPrior, best: np.ndarray) -> "Unseen":
        """What the network says, as far as the likelihood agrees at its best (P,) parameters."""
        network, nothing = likelihood.network, cls.nothing(prior)
        free, ridge = _unused(likelihood), np.zeros(prior.dimension)
        exponents = None if "time" in likelihood.options else time_exponents(network)
        if exponents is not None:
            ridge = np.where(free, 0.0, exponents)
            if not all(network.parameters[i].log for i in np.flatnonzero(ridge)):
                ridge = nothing.ridge
        top = likelihood(best)[0]
        generator, x = np.random.default_rng(0), prior.coordinates(torch.tensor(best)).numpy()[None].repeat(12, 0)

        def agrees(found: "Unseen") -> bool:
            moved = prior.theta_of(torch.tensor(found.redrawn(x, generator))).numpy()
            return bool(np.abs(likelihood(moved) - top).max() < AGREES)

        if free.any() and not agrees(cls(prior, nothing.ridge, free, nothing.relabellings)):
            free, ridge = nothing.free, np.zeros(prior.dimension) if exponents is None else exponents
        if ridge.any() and not agrees(cls(prior, ridge, nothing.free, nothing.relabellings)):
            ridge = nothing.ridge
        swaps = symmetries.of_likelihood(likelihood)
        if len(swaps) > 1 and likelihood(best[swaps[1:]]).min() < top - ALIVE:
            swaps = nothing.relabellings
        return cls(prior, ridge, free, swaps)

    @cached_property
    def basis(self) -> np.ndarray:
        """(P, Q) orthonormal directions that the data see."""
        seen = np.eye(len(self.ridge))[:, ~self.free]
        if not self.ridge.any():
            return seen
        along = self.ridge[~self.free] / np.linalg.norm(self.ridge)
        return seen @ np.linalg.svd(along[None])[2][1:].T

    def redrawn(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(B, P) points with what is unseen drawn from the prior, given the rest; out of the box if that cannot be."""
        x = x.copy()
        if self.free.any():
            drawn = self.prior.coordinates(torch.tensor(self.prior.sample(len(x), generator))).numpy()
            x[:, self.free] = drawn[:, self.free]
        if self.ridge.any():
            first, last = self._range(x)
            x += (_inverse(generator.random(len(x)), first, last, self._slope))[:, None] * self.ridge
        return x

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """(B,) ln density, over x, of drawing what is unseen as it is in the points, given the rest."""
        result = np.zeros(len(x))
        if self.ridge.any():
            first, last = self._range(x)
            result -= np.where(last > first, _log_integral(first, last, self._slope), 0.0)
            result -= np.log(np.linalg.norm(self.ridge))
        if self.free.any() and self.prior.scale == "linear":
            logarithmic = np.array([p.log for p in self.prior.network.parameters]) & self.free
            result += x[:, logarithmic].sum(1)
        if self.free.any():
            result -= self._log_volume
        return result

    @cached_property
    def _log_volume(self) -> float:
        box = self.prior.network.box[self.free]
        logarithmic = np.array([p.log for p in self.prior.network.parameters])[self.free]
        width = box[:, 1] - box[:, 0]
        if self.prior.scale == "log":
            width[logarithmic] = np.log(box[logarithmic, 1] / box[logarithmic, 0])
        return float(np.log(width).sum())

    @property
    def _slope(self) -> float:
        """Of the log prior along the ridge."""
        return float(self.ridge.sum()) if self.prior.scale == "linear" else 0.0

    def _range(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B,) smallest and largest multiple of the ridge that may be added inside the box."""
        low, high = self.prior.coordinates(torch.tensor(self.prior.network.box.T)).numpy()
        moved = np.flatnonzero(self.ridge)
        ends = np.stack([(edge[moved] - x[:, moved]) / self.ridge[moved] for edge in (low, high)])
        return ends.min(0).max(1), ends.max(0).min(1)


def _log_integral(first: np.ndarray, last: np.ndarray, slope: float) -> np.ndarray:
    """ln of the integral of exp(slope s) from first to last."""
    width = np.maximum(last - first, 1e-300)
    if abs(slope) < 1e-12:
        return np.log(width)
    top = np.where(slope > 0, last, first) * slope
    return top + np.log(-np.expm1(-abs(slope) * width) / abs(slope))


def _inverse(share: np.ndarray, first: np.ndarray, last: np.ndarray, slope: float) -> np.ndarray:
    """Place below which this share of the density exp(slope s) between first and last lies; 0 if there is none."""
    width = np.maximum(last - first, 0.0)
    if abs(slope) < 1e-12:
        place = first + share * width
    elif slope > 0:
        place = last + np.log(np.exp(-slope * width) + share * -np.expm1(-slope * width)) / slope
    else:
        place = first + np.log1p(share * np.expm1(slope * width)) / slope
    return np.where(last > first, place, 0.0)


def _unused(likelihood: Likelihood) -> np.ndarray:
    """(P,) parameters in none of the events on which the observed species depend."""
    network = likelihood.network
    part = reduce_to(network, likelihood.names)
    if not network.is_markov or network.triggers:
        return np.zeros(len(network.parameters), bool)
    used = {name for rate in part.rates for name in rate.names}
    return np.array([name not in used for name in network.parameter_names])
