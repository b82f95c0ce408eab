"""The posterior of the parameters of a network, given counts in single cells.

Several independent ensembles (emcee; Foreman-Mackey et al. 2013), each a chain, walk in the logarithms of the
parameters. They start from importance-weighted draws of a mixture fitted to the posterior (`proposal`), so that
separate modes have the right weight from the beginning; where importance sampling does not hold, from particles
tempered from the prior (`smc`). A move proposes from that mixture, or by differential evolution (ter Braak 2006), so
that neither a bad mixture nor a curved ridge stops the walkers; what data do not see (`unseen`: the unit of time,
names of hidden states) is drawn from the prior with every move. Every step is one batch of likelihoods.
"""

import time
from dataclasses import dataclass
from functools import cached_property

import arviz
import emcee
import numpy as np
import pandas as pd
import torch
import xarray
from tqdm import tqdm

from regulome.errors import UserError
from regulome.stochastic.fit import Fit, fit, log_posterior
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.moves import moves
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.proposal import Mixture, adapted, of_draws, weigh
from regulome.stochastic.ratios import ratios
from regulome.stochastic.rendezvous import side_by_side
from regulome.stochastic.smc import smc
from regulome.stochastic.unseen import Unseen

TRUSTED = 0.7  # largest Pareto k at which importance sampling is reliable (Vehtari et al. 2024)
RHAT = 1.01  # above it the chains disagree (Vehtari et al. 2021)
ENOUGH = 400  # effective draws for a stable quantile (Vehtari et al. 2021)


@dataclass(frozen=True)
class SamplerSettings:
    """How long to sample.

    Attributes
    ----------
    chains
        Independent ensembles.
    walkers
        Of each ensemble (None: twice the parameters and two, at least 16).
    steps, burn_in
        Kept and discarded steps of every walker.
    starts, screened
        Of the fit, see `fit.fit`.
    """

    chains: int = 4
    walkers: int | None = None
    steps: int = 100
    burn_in: int = 30
    starts: int = 8
    screened: int = 256

    def __post_init__(self):
        for name in ("chains", "steps", "starts", "screened"):
            if getattr(self, name) < 1:
                raise UserError(f"sampler: {name} is {getattr(self, name)}, expected at least 1")

    def size(self, parameters: int) -> int:
        """Walkers of an ensemble; emcee needs an even number of at least twice the parameters."""
        chosen = self.walkers or max(2 * parameters + 2, 16)
        if chosen < 2 * parameters or chosen % 2:
            raise UserError(f"sampler: {chosen} walkers, expected an even number of at least {2 * parameters}")
        return chosen


@dataclass(frozen=True)
class Evidence:
    """ln of the probability of the data under a network, parameters integrated over their box.

    Attributes
    ----------
    value, standard_error
        Nats.
    pareto_k
        Of importance sampling from the fitted mixture; at most `TRUSTED`, or it was not used.
    by
        "importance sampling", or "sequential Monte Carlo" from the prior (standard error between independent runs).
    """

    value: float
    standard_error: float
    pareto_k: float
    by: str


@dataclass(frozen=True)
class Posterior:
    """Draws of the posterior with the fit that they came from.

    Attributes
    ----------
    names
        The P parameters.
    draws
        (E, W, S, P) parameters: ensembles, walkers, steps.
    log_likelihood
        (E, W, S).
    fit, mixture
        End points of the multi-start fit, and the fitted mixture.
    evidence
        Probability of the data with the parameters integrated over the box.
    acceptance
        (E,) accepted share of the moves.
    seconds
        Time of fit and sampling.
    reference
        Parameter to which ratios are taken.
    """

    likelihood: Likelihood
    names: tuple[str, ...]
    draws: np.ndarray
    log_likelihood: np.ndarray
    fit: Fit
    mixture: Mixture
    evidence: Evidence
    acceptance: np.ndarray
    seconds: float
    reference: str | None = None

    @cached_property
    def flat(self) -> np.ndarray:
        """(E W S, P) all draws."""
        return self.draws.reshape(-1, len(self.names))

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """All draws of the rate ratios, see `ratios.ratios`."""
        return ratios(self.likelihood.network, self.flat, self.reference)

    def thinned(self, count: int, seed: int = 0) -> np.ndarray:
        """(count, P) random draws."""
        return self.flat[np.random.default_rng(seed).choice(len(self.flat), count, replace=count > len(self.flat))]

    def inference_data(self) -> arviz.InferenceData:
        """Draws as ArviZ holds them.

        One chain an ensemble; its draws are the path of the first walker, then that of the second and so on, so that
        autocorrelation, and with it the effective sample size, is that of the paths.
        """
        shape = (*self.draws.shape[:1], -1)
        values = {name: self.draws[..., i].reshape(shape) for i, name in enumerate(self.names)}
        values |= {name: column.to_numpy().reshape(shape) for name, column in self.ratios.items()}
        stats = {"lp": self.log_likelihood.reshape(shape)}
        cells = self.likelihood.cells
        observed = xarray.Dataset(
            {"counts": (("row", "species"), cells.rows), "cells": (("row",), cells.multiplicities)},
            coords={"species": list(cells.names)},
        )
        data = arviz.from_dict(posterior=values, sample_stats=stats)
        data.add_groups({"observed_data": observed})
        for group in data.groups():  # no dates: the same draws give the same file
            data[group].attrs = {"network": self.likelihood.network.name, "source": cells.source}
        return data

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Mean, sd, quantiles, R-hat and effective draws of every parameter and ratio.

        R-hat is the larger of two rank-normalised split values: chains split between walkers, and in time.
        """
        data = self.inference_data().posterior
        in_time = {n: np.swapaxes(self._grid(data, n), 1, 2).reshape(len(self.draws), -1) for n in data.data_vars}
        rows = []
        for name in data.data_vars:
            values = data[name].to_numpy()
            low, half, high = np.quantile(values, [0.025, 0.5, 0.975])
            rows.append(
                {
                    "quantity": name,
                    "mean": values.mean(),
                    "sd": values.std(ddof=1),
                    "q2.5": low,
                    "median": half,
                    "q97.5": high,
                    "r_hat": max(float(arviz.rhat(values)), float(arviz.rhat(in_time[name]))),
                    "ess_bulk": float(arviz.ess(values, method="bulk")),
                    "ess_tail": float(arviz.ess(values, method="tail")),
                }
            )
        return pd.DataFrame(rows)

    def _grid(self, data, name: str) -> np.ndarray:
        return data[name].to_numpy().reshape(self.draws.shape[:3])

    @property
    def warnings(self) -> list[str]:
        """What a reader has to know before using the numbers; empty if nothing is wrong."""
        table, found = self.summary, []
        worst = table.loc[table["r_hat"].idxmax()]
        fewest = table.loc[table["ess_bulk"].idxmin()]
        if worst["r_hat"] > RHAT:
            found.append(
                f"chains disagree: R-hat of {worst['quantity']} is {worst['r_hat']:.3f}, expected below {RHAT}"
            )
        if fewest["ess_bulk"] < ENOUGH:
            found.append(
                f"few effective draws: {fewest['ess_bulk']:.0f} of {fewest['quantity']}, expected at least {ENOUGH}"
            )
        if not self.fit.converged[0]:
            found.append("the fit did not converge")
        return found


def sample(
    likelihood: Likelihood,
    prior: BoxPrior,
    seed: int,
    settings: SamplerSettings | None = None,
    reference: str | None = None,
    found: Fit | None = None,
) -> Posterior:
    """Fit, then sample the posterior.

    Parameters
    ----------
    reference
        Parameter to which rate ratios are taken, see `ratios.ratios`.
    found
        An earlier fit (default: a new one).
    """
    settings, began = settings or SamplerSettings(), time.monotonic()
    walkers = settings.size(prior.dimension)
    found = found or fit(likelihood, prior, seed, settings.starts, settings.screened)
    generator = np.random.default_rng([seed, 1])
    mixture = adapted(found, likelihood, prior, generator)
    weighted = weigh(mixture, likelihood, prior, max(400, 2 * settings.chains * walkers), generator)
    share = weighted.effective / len(weighted.x)
    evidence = Evidence(weighted.evidence, weighted.evidence_sd, weighted.pareto_k, "importance sampling")
    firsts = [weighted.x[_distinct(weighted.shares, walkers, generator)] for _ in range(settings.chains)]
    if evidence.pareto_k > TRUSTED:  # the mixture misses part of the posterior: temper from the prior instead
        firsts, mixture, evidence = _tempered(
            likelihood, mixture.unseen, seed, settings.chains, walkers, evidence.pareto_k
        )
        weighted = weigh(mixture, likelihood, prior, 200, generator)
        share = weighted.effective / len(weighted.x)
    with tqdm(total=settings.chains * (settings.steps + settings.burn_in), disable=None, unit=" steps") as bar:
        results = side_by_side(
            lambda x: log_posterior(likelihood, prior, x),
            [
                lambda target, n=n: _ensemble(target, firsts[n], mixture, share, settings, [seed, 2, n], bar)
                for n in range(settings.chains)
            ],
        )
    x, levels, accepted = (np.stack(part) for part in zip(*results, strict=True))
    draws = torch.tensor(x)
    levels = levels - prior.log_density(draws).numpy()
    return Posterior(
        likelihood, prior.network.parameter_names, prior.theta_of(draws).numpy(), levels, found, mixture, evidence,
        accepted, time.monotonic() - began, reference,
    )  # fmt: skip


def _tempered(likelihood: Likelihood, unseen: Unseen, seed: int, chains: int, walkers: int, pareto_k: float):
    """Starts of the ensembles, mixture and evidence from independent runs of sequential Monte Carlo."""
    prior = unseen.prior
    repeated = Likelihood(
        likelihood.model, [likelihood.cells] * chains, likelihood.zero_truncated, likelihood.chunk, **likelihood.options
    )
    found = smc(repeated, prior, seed, particles=max(64, 2 * walkers), bank=512, moves=4, shared=False)
    x = prior.coordinates(torch.tensor(found.theta)).numpy()
    x = x + 1e-6 * np.random.default_rng([seed, 7]).standard_normal(x.shape)  # two particles may be in one place
    mixture = of_draws(unseen, x.reshape(-1, prior.dimension), seed)
    spread = found.evidence.std(ddof=1) / np.sqrt(chains) if chains > 1 else np.inf
    evidence = Evidence(float(found.evidence.mean()), float(spread), pareto_k, "sequential Monte Carlo")
    return [run[:walkers] for run in x], mixture, evidence


def _distinct(shares: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Different draws, chosen by their weights (an ensemble cannot start with two walkers in one place)."""
    with np.errstate(divide="ignore"):
        keys = np.log(shares) + generator.gumbel(size=len(shares))
    return np.argsort(-keys, kind="stable")[:count]


def _ensemble(target, first, mixture, efficiency, settings, seed, bar):
    """One ensemble: (W, S, P) coordinates x, (W, S) log posterior, accepted share."""
    chosen = moves(mixture, efficiency)
    sampler = emcee.EnsembleSampler(len(first), first.shape[1], target, moves=chosen, vectorize=True)
    random = np.random.RandomState(np.random.default_rng(seed).integers(2**32, size=8, dtype=np.uint32))
    state = emcee.State(first, random_state=random.get_state())
    for _ in sampler.sample(state, iterations=settings.burn_in + settings.steps):
        bar.update()
    x = sampler.get_chain(discard=settings.burn_in).swapaxes(0, 1)
    level = sampler.get_log_prob(discard=settings.burn_in).T
    return x, level, float(np.mean(sampler.acceptance_fraction))
