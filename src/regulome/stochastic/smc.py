"""Sequential Monte Carlo from prior to posterior, for many data sets at once.

All data sets share one bank of prior draws, whose likelihoods are computed once. Each data set is then tempered on its
own: weights to the power of beta, resampling, moves by differential evolution, until beta is 1 (Del Moral, Doucet and
Jasra 2006). One batch of likelihoods serves all data sets, which is what calibration on hundreds of simulated
experiments needs; and the product of the mean weights is the model evidence.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logsumexp

from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.proposal import relabelled
from regulome.stochastic.symmetries import of_likelihood


@dataclass(frozen=True)
class Population:
    """Posterior draws of D data sets.

    Attributes
    ----------
    theta
        (D, K, P) parameters.
    evidence
        (D,) ln of the model evidence.
    stages
        (D,) temperatures that were needed.
    acceptance
        Accepted share of all moves.
    evaluations
        Parameter sets whose likelihood was computed.
    """

    theta: np.ndarray
    evidence: np.ndarray
    stages: np.ndarray
    acceptance: float
    evaluations: int


def smc(
    likelihood: Likelihood,
    prior: BoxPrior,
    seed: int,
    particles: int = 64,
    bank: int = 4096,
    moves: int = 6,
    share: float = 0.5,
    shared: bool = True,
) -> Population:
    """Posterior draws for every sample of a likelihood.

    Parameters
    ----------
    particles
        Draws K of each data set, even.
    bank
        Prior draws that all data sets share.
    moves
        Moves of every particle after each resampling; twice as many at the end.
    share
        Effective share of the particles that a step of beta must leave.
    shared
        Whether all data sets share the bank. Runs on copies of one data set are independent only if they do not.
    """
    generator = np.random.default_rng([seed, 3])
    sets = len(likelihood.samples)
    if shared:
        theta = prior.sample(bank, generator)
        level, theta = likelihood.all(theta), np.broadcast_to(theta, (sets, *theta.shape))
    else:
        theta = prior.sample(sets * bank, generator).reshape(sets, bank, -1)
        level = likelihood.each(theta)
    x = prior.coordinates(torch.tensor(theta)).numpy()
    swaps = of_likelihood(likelihood)
    beta, evidence = np.zeros(sets), np.zeros(sets)
    stages, used, accepted, tried = np.zeros(sets, int), bank if shared else sets * bank, 0, 0
    while (beta < 1).any():
        new = _next_beta(level, beta, share * particles)
        weights = (new - beta)[:, None] * level
        evidence += logsumexp(weights, axis=1) - np.log(weights.shape[1])
        stages += beta < 1
        x, level = _resample(x, level, weights, beta < 1, particles, generator)
        beta = new
        for _ in range(moves if (beta < 1).any() else 2 * moves):
            for half in (0, 1):
                x, level, good = _move(x, level, beta, half, likelihood, prior, generator)
                accepted, tried, used = accepted + good.sum(), tried + good.size, used + good.size
        if len(swaps) > 1:
            x, level = _relabel(x, level, beta, swaps, likelihood, prior, generator)
            used += level.size
    return Population(prior.theta_of(torch.tensor(x)).numpy(), evidence, stages, accepted / max(tried, 1), used)


def _next_beta(level: np.ndarray, beta: np.ndarray, effective: float) -> np.ndarray:
    """(D,) largest temperatures that leave this many effective draws, by bisection."""

    def draws(candidate: np.ndarray) -> np.ndarray:
        weights = (candidate - beta)[:, None] * level
        return np.exp(2 * logsumexp(weights, axis=1) - logsumexp(2 * weights, axis=1))

    low, high = beta.copy(), np.ones_like(beta)
    done = draws(high) >= effective
    for _ in range(40):
        middle = (low + high) / 2
        good = draws(middle) >= effective
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return np.where(done, 1.0, np.maximum(low, np.minimum(beta + 1e-9, 1.0)))


def _resample(x, level, weights, active, count, generator):
    """Systematic resampling to K particles; data sets that are finished keep theirs."""
    shares = np.exp(weights - logsumexp(weights, axis=1, keepdims=True))
    places = (np.arange(count) + generator.random((len(shares), 1))) / count
    chosen = np.stack(
        [np.minimum(np.searchsorted(np.cumsum(s), p), s.size - 1) for s, p in zip(shares, places, strict=True)]
    )
    if x.shape[1] == count:
        chosen = np.where(active[:, None], chosen, np.arange(count))
    rows = np.arange(len(x))[:, None]
    chosen = generator.permuted(chosen, axis=1)  # halves have to be alike
    return x[rows, chosen], level[rows, chosen]


def _move(x, level, beta, half, likelihood, prior, generator):
    """Differential evolution: one half of the particles moves along differences of the other half."""
    sets, count, size = x.shape
    middle = count // 2
    mine = slice(0, middle) if half == 0 else slice(middle, None)
    others = x[:, middle:] if half == 0 else x[:, :middle]
    pairs = generator.random((sets, x[:, mine].shape[1], others.shape[1])).argsort(-1)[..., :2]
    rows = np.arange(sets)[:, None]
    step = others[rows, pairs[..., 0]] - others[rows, pairs[..., 1]]
    length = 2.38 / np.sqrt(2 * size) * generator.uniform(0.4, 1.2, step.shape[:2])
    noise = 0.02 * others.std(1)[:, None] * generator.standard_normal(step.shape)
    proposal = x[:, mine] + length[..., None] * step + noise
    density = prior.log_density(torch.tensor(proposal)).numpy()
    inside = np.isfinite(density)
    tried = np.where(inside[..., None], proposal, x[:, mine])
    found = likelihood.each(prior.theta_of(torch.tensor(tried)).numpy())
    gain = density - prior.log_density(torch.tensor(x[:, mine])).numpy() + beta[:, None] * (found - level[:, mine])
    good = inside & (np.log(generator.random(gain.shape)) < gain)
    x, level = x.copy(), level.copy()
    x[:, mine] = np.where(good[..., None], proposal, x[:, mine])
    level[:, mine] = np.where(good, found, level[:, mine])
    return x, level, good


def _relabel(x, level, beta, swaps, likelihood, prior, generator):
    """Names that data do not see are swapped at random, so that equal modes have equal weights."""
    proposal = relabelled(x, swaps, generator)
    found = likelihood.each(prior.theta_of(torch.tensor(proposal)).numpy())
    good = np.log(generator.random(level.shape)) < beta[:, None] * (found - level)
    return np.where(good[..., None], proposal, x), np.where(good, found, level)
