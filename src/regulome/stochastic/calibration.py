"""Simulation-based calibration: does a 90 % interval hold the truth in 90 % of the experiments?

Parameters are drawn from the prior, an experiment is simulated for each, its posterior is sampled, and the rank of the
true value among the draws is noted. If law, prior and sampler are right, ranks are uniform (Talts et al. 2018). Only
quantities that the data can speak about are worth looking at, so ratios of rates stand beside the parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import binom, chi2
from tqdm import tqdm

from regulome.stochastic.counts import Cells
from regulome.stochastic.likelihood import CountLaw, Likelihood
from regulome.stochastic.posterior import SamplerSettings, sample
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.ratios import ratios, time_exponents
from regulome.stochastic.smc import smc

SHORT = SamplerSettings(chains=2, steps=40, burn_in=15, starts=3, screened=64)


@dataclass(frozen=True)
class Calibration:
    """Ranks of the truth in simulated experiments.

    Attributes
    ----------
    names
        The Q quantities: parameters, then ratios of rates.
    ranks
        (D, Q) number of posterior draws below the truth, 0 to ``draws``.
    draws
        Posterior draws of each experiment.
    truth, median, low, high
        (D, Q) true value, posterior median and central 90 % interval.
    """

    names: tuple[str, ...]
    ranks: np.ndarray
    draws: int
    truth: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def histogram(self, bins: int = 10) -> np.ndarray:
        """(Q, bins) experiments in each bin of ranks."""
        edges = np.linspace(0, self.draws + 1, bins + 1)
        return np.stack([np.histogram(column + 0.5, edges)[0] for column in self.ranks.T])

    def expected(self, bins: int = 10, mass: float = 0.99) -> tuple[float, float]:
        """Interval that holds the count of a bin with this probability if the ranks are uniform."""
        return tuple(float(v) for v in binom.interval(mass, len(self.ranks), 1 / bins))

    def table(self, bins: int = 10) -> pd.DataFrame:
        """One row a quantity: chi-square test of uniform ranks, coverage of 90 % intervals, correlation with truth."""
        counts, mean = self.histogram(bins), len(self.ranks) / bins
        statistic = ((counts - mean) ** 2 / mean).sum(1)
        inside = (self.truth >= self.low) & (self.truth <= self.high)
        logs = [np.log(np.abs(part) + 1e-300) for part in (self.truth, self.median)]
        return pd.DataFrame(
            {
                "quantity": self.names,
                "experiments": len(self.ranks),
                "chi_square": statistic,
                "p_value": chi2.sf(statistic, bins - 1),
                "coverage_90": inside.mean(0),
                "coverage_low": binom.ppf(0.005, len(inside), 0.9) / len(inside),
                "coverage_high": binom.ppf(0.995, len(inside), 0.9) / len(inside),
                "correlation_with_truth": [np.corrcoef(a, b)[0, 1] for a, b in zip(*(p.T for p in logs), strict=True)],
            }
        )


def simulate(
    law: CountLaw, prior: BoxPrior, names: Sequence[str], shape: Sequence[int], experiments: int, cells: int, seed: int
) -> tuple[np.ndarray, list[Cells]]:
    """Experiments with known truth.

    Parameters
    ----------
    law
        What the counts are drawn from: the exact or closed-form law, not the one that is being judged.
    names, shape
        Observed species and their numbers of values; counts above have to be negligible.

    Returns
    -------
    tuple
        (experiments, P) parameters from the prior and the cells of each experiment.
    """
    generator = np.random.default_rng([seed, 4])
    theta = prior.sample(experiments, generator)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, len(shape))
    samples = []
    for place, row in enumerate(theta):
        with torch.no_grad():
            chance = (
                torch.as_tensor(law.observed_log_prob(torch.tensor(row[None]), names, grid))[0].double().exp().numpy()
            )
        drawn = generator.choice(len(grid), cells, p=chance / chance.sum())
        samples.append(Cells.of(names, grid[drawn], f"experiment {place}"))
    return theta, samples


def calibrate(
    judged: CountLaw,
    prior: BoxPrior,
    truth: np.ndarray,
    samples: Sequence[Cells],
    seed: int,
    reference: str | None = None,
    particles: int = 64,
    bank: int = 4096,
    moves: int = 6,
) -> Calibration:
    """Rank the truth of every experiment among posterior draws under the judged law; see `smc` for the numbers."""
    likelihood = Likelihood(judged, samples, chunk=256)
    return _ranked(judged, truth, smc(likelihood, prior, seed, particles, bank, moves).theta, reference)


def calibrate_ensembles(
    judged: CountLaw,
    prior: BoxPrior,
    truth: np.ndarray,
    samples: Sequence[Cells],
    seed: int,
    reference: str | None = None,
    particles: int = 64,
    settings: SamplerSettings | None = None,
) -> Calibration:
    """The same for `posterior.sample`, one experiment after the other, with random draws of each posterior."""
    draws = [
        sample(Likelihood(judged, cells), prior, seed + place, settings or SHORT, reference).thinned(particles, seed)
        for place, cells in enumerate(tqdm(samples, disable=None, unit=" experiments"))
    ]
    return _ranked(judged, truth, np.stack(draws), reference)


def _ranked(judged: CountLaw, truth: np.ndarray, draws: np.ndarray, reference: str | None) -> Calibration:
    """Ranks of (D, P) truths among (D, K, P) draws."""
    exponents = time_exponents(judged.network)
    values, true = (_quantities(judged.network, part, reference, exponents) for part in (draws, truth[:, None]))
    names = (*judged.network.parameter_names, *ratios(judged.network, truth[:1], reference, exponents).columns)
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95], axis=1)
    below = (values < true).sum(1)
    return Calibration(names, below, draws.shape[1], true[:, 0], median, low, high)


def _quantities(network, theta: np.ndarray, reference: str | None, exponents) -> np.ndarray:
    """(D, K, Q) parameters and ratios of (D, K, P) parameters."""
    flat = theta.reshape(-1, theta.shape[-1])
    table = ratios(network, flat, reference, exponents).to_numpy()
    return np.concatenate([flat, table], 1).reshape(*theta.shape[:2], -1)


def uniform_band(experiments: int, draws: int, mass: float = 0.95, trials: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Simultaneous band of the difference between empirical and uniform distribution of ranks.

    Returns
    -------
    tuple
        (draws + 1,) places ``z = (rank + 1) / (draws + 1)`` and half-widths ``c sqrt(z (1 - z) / D)``, with c such
        that uniform ranks stay inside everywhere with this probability (Säilynoja, Bürkner & Vehtari 2022, by
        simulation).
    """
    generator = np.random.default_rng(0)
    z = np.arange(1, draws + 2) / (draws + 1)
    width = np.sqrt(z * (1 - z) / experiments)
    ranks = generator.integers(0, draws + 1, (trials, experiments))
    counts = np.stack([np.bincount(row, minlength=draws + 1) for row in ranks]).cumsum(1) / experiments
    worst = (np.abs(counts - z)[:, :-1] / width[:-1]).max(1)
    return z, np.quantile(worst, mass) * width
