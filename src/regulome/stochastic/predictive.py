"""What a fit or a posterior predicts, and how far that is from the data.

`compute_kl_stats` of the published package compares the fit with the data in one direction and with a floor of 1e-10
under missing probabilities. Both directions are given here, with what sampling alone would cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from regulome.errors import UserError
from regulome.stochastic.counts import Cells
from regulome.stochastic.distribution import Distribution, kl_divergence, total_variation
from regulome.stochastic.likelihood import CountLaw, Likelihood
from regulome.stochastic.posterior import Posterior

PUBLISHED_FLOOR = 1e-10
_LARGEST = 2_000_000


def grid_shape(cells: Cells, network, room: float = 1.6) -> tuple[int, ...]:
    """Number of values of each observed species in a table of predictions: the bound, or room above the data."""
    largest = cells.rows.max(0)
    return tuple(
        int(network.bounds.get(name, 0)) or int(room * top) + 20 for name, top in zip(cells.names, largest, strict=True)
    )


def predict(
    law: CountLaw,
    theta: np.ndarray,
    names: Sequence[str],
    shape: Sequence[int],
    zero_truncated: bool = False,
    **options,
) -> list[Distribution]:
    """Predicted distributions over some species, one for each of (B, P) parameters; all on the same counts.

    Raises
    ------
    UserError
        If the table would be too large.
    """
    if np.prod(shape) > _LARGEST:
        raise UserError(f"prediction over {', '.join(names)}: found a table of {list(shape)}, expected fewer entries")
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, len(shape))
    result = []
    for row in np.atleast_2d(theta):
        with torch.no_grad():
            found = law.observed_log_prob(torch.tensor(row[None]), tuple(names), grid, **options)
        weights = torch.as_tensor(found)[0].double().exp().numpy()
        weights[0] *= not zero_truncated
        result.append(Distribution(tuple(names), grid, weights / weights.sum()))
    return result


def mixed(parts: Sequence[Distribution]) -> Distribution:
    """The mean of distributions over the same counts: the posterior predictive distribution."""
    return Distribution(parts[0].names, parts[0].counts, np.mean([part.weights for part in parts], axis=0))


def of_posterior(posterior: Posterior, draws: int = 100, seed: int = 0) -> list[Distribution]:
    """Predictions for some draws of a posterior."""
    likelihood = posterior.likelihood
    shape = grid_shape(likelihood.cells, likelihood.network)
    theta = posterior.thinned(draws, seed)
    return predict(likelihood.model, theta, likelihood.names, shape, likelihood.zero_truncated, **likelihood.options)


def kl_table(cells: Cells, fitted: Distribution) -> pd.DataFrame:
    """Distances between data and fit, for each observed species and jointly.

    Returns
    -------
    DataFrame
        kl_data_fit (data to fit, what the likelihood minimises), kl_fit_data (the published direction, with its floor),
        total variation, means and standard deviations of both.
    """
    rows = []
    groups = [(name,) for name in cells.names] + ([cells.names] if len(cells.names) > 1 else [])
    for names in groups:
        data, fit = cells.distribution.marginal(*names), fitted.marginal(*names)
        single = len(names) == 1
        rows.append(
            {
                "species": " + ".join(names),
                "kl_data_fit": kl_divergence(data, fit, 1e-300),
                "kl_fit_data": kl_divergence(fit, data, PUBLISHED_FLOOR),
                "total_variation": total_variation(data, fit),
                "mean_data": data.mean[0] if single else np.nan,
                "mean_fit": fit.mean[0] if single else np.nan,
                "sd_data": data.sd[0] if single else np.nan,
                "sd_fit": fit.sd[0] if single else np.nan,
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Adequacy:
    """Whether a fit explains the data: its distance from them against the distance of data simulated from it.

    Attributes
    ----------
    kl
        KL divergence from data to fit.
    expected, limit
        Median and 95 % quantile of the same for simulated data of the same size.
    p_value
        Share of simulated data sets that are at least as far.
    """

    kl: float
    expected: float
    limit: float
    p_value: float

    @property
    def adequate(self) -> bool:
        return self.kl <= self.limit


def adequacy(cells: Cells, fitted: Distribution, seed: int, simulated: int = 400) -> Adequacy:
    """Parametric bootstrap of the KL divergence from data to fit, the parameters not fitted again.

    Without fitting again the simulated distances are a little too large, by about ``parameters / (2 cells)``: the test
    is lenient by that much.
    """
    generator = np.random.default_rng([seed, 5])
    drawn = generator.multinomial(cells.total, fitted.weights, simulated) / cells.total
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(drawn > 0, drawn * np.log(drawn / fitted.weights), 0.0)
    distances = terms.sum(1)
    found = kl_divergence(cells.distribution, fitted, 1e-300)
    return Adequacy(
        found, float(np.median(distances)), float(np.quantile(distances, 0.95)), float((distances >= found).mean())
    )


def likelihood_of(posterior: Posterior, cells: Cells) -> Likelihood:
    """The posterior's likelihood for other cells."""
    old = posterior.likelihood
    return Likelihood(old.model, cells, old.zero_truncated, old.chunk, **old.options)


def held_out(posterior: Posterior, cells: Cells, draws: int = 200, seed: int = 0) -> float:
    """Log predictive density of other cells, nats a cell: ln of the mean over draws, then the mean over cells."""
    likelihood = likelihood_of(posterior, cells)
    with torch.no_grad():
        table = likelihood.rows_log_prob(torch.tensor(posterior.thinned(draws, seed)))
    density = torch.logsumexp(table, 0) - np.log(draws)
    return float(density @ likelihood.weights[0]) / cells.total
