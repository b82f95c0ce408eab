"""Which of several networks explains the counts: evidence, leave-one-out and held-out log-likelihood.

The evidence is the probability of the data with all parameters of a network integrated over their box, so that a
network pays for parameters that it does not need (and for a box that is too wide: the boxes are part of the model).
Leave-one-out (PSIS-LOO of ArviZ) asks for prediction instead and hardly depends on the boxes. When they disagree,
believe neither.
"""

from collections.abc import Mapping

import arviz
import numpy as np
import pandas as pd
import torch
import xarray

from regulome.stochastic.posterior import Posterior

_DRAWS = 200


def compare(posteriors: Mapping[str, Posterior]) -> pd.DataFrame:
    """One row a network, highest evidence first.

    Parameters
    ----------
    posteriors
        Posteriors given the same cells, by name.

    Returns
    -------
    DataFrame
        parameters, log_likelihood (best fit), bic, log_evidence with its standard error, probability (all networks
        equally likely beforehand), evidence_by, loo (expected log predictive density, nats), loo_se,
        d_loo with d_loo_se: difference to the network with the highest, and its standard error, and warnings of the
        sampler.
    """
    rows, points = [], {}
    for name, posterior in posteriors.items():
        cells, size = posterior.likelihood.cells, len(posterior.names)
        loo = leave_one_out(posterior)
        points[name] = loo.loo_i.to_numpy()
        best = posterior.fit.log_likelihood[0]
        rows.append(
            {
                "network": name,
                "parameters": size,
                "log_likelihood": best,
                "bic": size * np.log(cells.total) - 2 * best,
                "log_evidence": posterior.evidence.value,
                "evidence_se": posterior.evidence.standard_error,
                "evidence_by": posterior.evidence.by,
                "loo": float(loo.elpd_loo),
                "loo_se": float(loo.se),
                "warnings": "; ".join(posterior.warnings),
            }
        )
    table = pd.DataFrame(rows)
    relative = np.exp(table["log_evidence"] - table["log_evidence"].max())
    table.insert(5, "probability", relative / relative.sum())
    top = points[table.loc[table["loo"].idxmax(), "network"]]
    differences = [points[name] - top for name in table["network"]]
    table["d_loo"] = [float(d.sum()) for d in differences]
    table["d_loo_se"] = [float(np.sqrt(len(d)) * d.std()) for d in differences]
    return table.sort_values("log_evidence", ascending=False, ignore_index=True)


def leave_one_out(posterior: Posterior, draws: int = _DRAWS) -> arviz.ELPDData:
    """PSIS-LOO over cells, with pointwise values in the order of the sorted cells."""
    cells, likelihood = posterior.likelihood.cells, posterior.likelihood
    theta = posterior.thinned(draws)
    with torch.no_grad():
        rows = likelihood.rows_log_prob(torch.tensor(theta)).numpy()
    each = np.repeat(rows[:, likelihood.weights[0].numpy() > 0], cells.multiplicities, axis=1)
    data = arviz.from_dict(posterior={"theta": theta[None]})
    data.add_groups({"log_likelihood": xarray.Dataset({"counts": (("chain", "draw", "cell"), each[None])})})
    return arviz.loo(data, pointwise=True, reff=1.0)
