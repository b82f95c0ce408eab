"""Tables of notebook 44 and its rows of ours versus published."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.stochastic import predictive
from regulome.stochastic.calibration import Calibration
from regulome.stochastic.counts import Cells
from regulome.stochastic.distribution import Distribution, kl_divergence
from regulome.stochastic.likelihood import CountLaw, Likelihood
from regulome.stochastic.posterior import Posterior, SamplerSettings, sample
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.published_inference import PublishedResult
from regulome.stochastic.ratios import burst_statistics, ratios
from regulome.stochastic.symmetries import of_likelihood, ordered

_MODULE = "regulome.stochastic"
KEPT_SYNTHETIC, KEPT_REAL = 0.2, 0.5  # KL above which the published figures drop a data set


def against_cells(
    law: CountLaw,
    prior: BoxPrior,
    cells: Cells,
    truth: Distribution,
    sizes: Sequence[int],
    seed: int,
    settings: SamplerSettings,
    reference: str,
) -> pd.DataFrame:
    """Distances and posterior widths for subsets of the cells.

    Parameters
    ----------
    truth
        The law that the cells were drawn from, over the same species.

    Returns
    -------
    DataFrame
        cells, KL divergences of the posterior predictive (from and to the data, from the truth), floor (median KL of
        data drawn from the fit), sd of each ln ratio, R-hat, effective draws.
    """
    rows = []
    for size in sizes:
        part = cells if size >= cells.total else cells.sample(size, np.random.default_rng([seed, size]))
        found = sample(Likelihood(law, part), prior, seed, settings, reference)
        fitted = predictive.mixed(predictive.of_posterior(found, 50))
        distances = predictive.kl_table(part, fitted).iloc[-1]
        widths = {f"sd_{name}": float(np.log(column).std()) for name, column in found.ratios.items()}
        rows.append(
            {
                "cells": part.total,
                "kl_data_fit": distances["kl_data_fit"],
                "kl_fit_data": distances["kl_fit_data"],
                "floor": predictive.adequacy(part, fitted, seed).expected,
                "kl_truth_fit": kl_divergence(truth, fitted, 1e-300),
                **widths,
                "r_hat": found.summary["r_hat"].max(),
                "ess": found.summary["ess_bulk"].min(),
            }
        )
    return pd.DataFrame(rows)


def quality(posteriors: Mapping[str, Posterior], seed: int = 0) -> pd.DataFrame:
    """One row a posterior: size, fit against its floor, sampler."""
    rows = []
    for name, posterior in posteriors.items():
        cells = posterior.likelihood.cells
        fitted = predictive.mixed(predictive.of_posterior(posterior, 50))
        fit = predictive.adequacy(cells, fitted, seed)
        distances = predictive.kl_table(cells, fitted).iloc[-1]
        rows.append(
            {
                "sample": name,
                "cells": cells.total,
                "kl_data_fit": fit.kl,
                "expected": fit.expected,
                "limit": fit.limit,
                "adequate": fit.adequate,
                "kl_fit_data": distances["kl_fit_data"],
                "total_variation": distances["total_variation"],
                "r_hat": posterior.summary["r_hat"].max(),
                "ess": posterior.summary["ess_bulk"].min(),
                "warnings": "; ".join(posterior.warnings),
            }
        )
    return pd.DataFrame(rows)


def labellings(posteriors: Mapping[str, Posterior], larger: str) -> pd.DataFrame:
    """Quantiles of the ratios as drawn, and with names swapped so that one of two exchangeable parameters is larger.

    Parameters
    ----------
    larger
        The parameter that the swap (`symmetries.relabellings`) makes larger; posteriors without a swap stay as drawn.
    """
    rows = []
    for title, posterior in posteriors.items():
        network, place = posterior.likelihood.network, posterior.names.index(larger)
        versions = {"as drawn": posterior.flat}
        for swap in of_likelihood(posterior.likelihood)[1:]:
            versions[f"{larger} > {posterior.names[swap[place]]}"] = ordered(posterior.flat, swap, place)
        for labelling, theta in versions.items():
            for name, column in ratios(network, theta, posterior.reference).items():
                low, median, high = np.quantile(column, [0.025, 0.5, 0.975])
                rows.append((title, name, labelling, low, median, high))
    return pd.DataFrame(rows, columns=["posterior", "quantity", "labelling", "q2.5", "median", "q97.5"])


def burst_table(posteriors: Mapping[str, Posterior], colours: Mapping[str, str]) -> pd.DataFrame:
    """Quantiles of burst statistics of two-state genes with kdeg = 1, long form."""
    rows = []
    for name, posterior in posteriors.items():
        draws = dict(zip(posterior.names, posterior.flat.T, strict=True))
        for quantity, column in burst_statistics(draws["kon"], draws["koff"], draws["ksyn"]).items():
            low, median, high = np.quantile(column, [0.025, 0.5, 0.975])
            rows.append((name, colours[name], quantity, low, median, high))
    return pd.DataFrame(rows, columns=["sample", "colour", "quantity", "low", "median", "high"])


def widths(
    ours: Mapping[int, Posterior],
    published: Mapping[int, PublishedResult],
    truth: np.ndarray,
    larger: str,
    seed: int = 0,
) -> pd.DataFrame:
    """Our posterior and the published "posterior" of ratios, by number of cells: width, and distance of its middle.

    Parameters
    ----------
    larger
        As in `labellings`: both are compared with the truth in its labelling.

    Returns
    -------
    DataFrame
        cells, quantity, procedure, sd (of ln ratio), error (|median - truth| in ln) and error in units of sd.
    """
    rows = []
    for size, posterior in ours.items():
        network, reference = posterior.likelihood.network, posterior.reference
        true = ratios(network, truth[None], reference).iloc[0]
        drawn = published[size].sample(4000, np.random.default_rng(seed))
        place, theta = posterior.names.index(larger), {"posterior": posterior.flat, "published": drawn}
        for procedure, values in theta.items():
            for swap in of_likelihood(posterior.likelihood)[1:]:
                values = ordered(values, swap, place)
            for name, column in ratios(network, values, reference).items():
                logs = np.log(column)
                sd, error = float(logs.std()), float(abs(logs.median() - np.log(true[name])))
                rows.append((size, name, procedure, sd, error, error / max(sd, 1e-12)))
    return pd.DataFrame(rows, columns=["cells", "quantity", "procedure", "sd", "error", "error_in_sd"])


def rows(
    curve: pd.DataFrame,
    calibrations: Mapping[str, Calibration],
    compared: pd.DataFrame,
    real: pd.DataFrame,
    synthetic: bool,
) -> list[dict]:
    """Rows for `figures.Output.compare_all`.

    Parameters
    ----------
    curve, compared, real
        Of `against_cells`, `widths` and `quality`.
    synthetic
        Whether the last are mini data instead of measured ones.
    """
    source = "publication: inference figures, cut-offs on KL"
    result = [
        {"id": "kl.synthetic", "quantity": "KL fit to data on synthetic data, share of sample sizes below the cut",
         "ours": float((curve["kl_fit_data"] < KEPT_SYNTHETIC).mean()), "published": None, "source": source,
         "section": "Number of cells", "function": f"{_MODULE}.results_inference.against_cells",
         "note": "published figures drop data sets above 0.2 and state no share; sampling alone gives "
         f"{curve['floor'].iloc[0]:.2g} with {int(curve['cells'].iloc[0])} cells"},
        {"id": "kl.real", "quantity": "KL fit to data on smFISH counts, share of samples below the cut",
         "ours": float((real["kl_fit_data"] < KEPT_REAL).mean()), "published": None, "source": source,
         "section": "smFISH counts", "function": f"{_MODULE}.results_inference.quality",
         "note": "published figures drop data sets above 0.5; their counts are not public"
         + ("; ours: synthetic counts of the same form" if synthetic else "")},
        {"id": "kl.adequate", "quantity": "share of smFISH samples that the two-state gene explains",
         "ours": float(real["adequate"].mean()), "published": None, "source": "", "section": "smFISH counts",
         "function": f"{_MODULE}.predictive.adequacy", "note": "nothing of the kind is published"},
    ]  # fmt: skip
    for size in dict.fromkeys(compared["cells"]):
        part = compared[compared["cells"] == size]
        middle = part.groupby("procedure")["sd"].median()
        result.append(
            {"id": f"width.{size}", "quantity": f"width of the published posterior over ours, {size} cells",
             "ours": middle["published"] / middle["posterior"], "published": None, "source": "",
             "section": "The published procedure", "function": f"{_MODULE}.published_inference.infer",
             "note": "median over ratios of the sd of their logarithm; 1 would be right at every size"}
        )  # fmt: skip
    for name, found in calibrations.items():
        table = found.table()
        table = table[table["quantity"].str.contains("_per_")]
        result.append(
            {"id": f"calibration.{name.replace(' ', '_')}", "quantity": f"smallest p value of uniform ranks, {name}",
             "ours": float(table["p_value"].min()), "published": None, "source": "", "section": "Calibration",
             "function": f"{_MODULE}.calibration.calibrate",
             "note": f"of {len(table)} ratios, {int(table['experiments'].iloc[0])} experiments; none is published"}
        )  # fmt: skip
    return result
