"""Is a link one regulation? Sign of df_j/dx_i along the trajectories of the test, for every link of every replicate.

A perceptron may use a regulator as an activator in one state and as an inhibitor in another; its link then has no sign,
and the sign of a link mutation is that of an average. The derivative is computed by automatic differentiation, at the
states of the wild type before each update.
"""

import numpy as np
import pandas as pd
import torch

from regulome.circuits.mutation import Protocol, wild_type_states
from regulome.circuits.network import CircuitNetwork

MINORITY = 0.05  # share of the summed |df/dx| with the rarer sign above which a link counts as non-monotone


def derivatives(network: CircuitNetwork, states: torch.Tensor) -> np.ndarray:
    """(R, S, N, G) derivative of the rate of gene j with respect to regulator i at regulator levels (R, S, N)."""
    states = states.detach().requires_grad_()
    rates = network.detach().rates(states)
    columns = [
        torch.autograd.grad(rates[..., j].sum(), states, retain_graph=True)[0] for j in range(rates.shape[-1])
    ]  # states do not interact, so the derivative of the sum is that of each state
    return torch.stack(columns, dim=-1).numpy()


def audit(network: CircuitNetwork, test: Protocol, every: int = 3) -> dict[str, np.ndarray]:
    """Signs of the derivatives along the wild-type trajectories of a test.

    Parameters
    ----------
    every
        Use every n-th sample.

    Returns
    -------
    dict
        (R, N, G) each. "mean": mean derivative; "minority": share of the summed absolute derivative that has the rarer
        sign, 0 (monotone where visited) to 0.5; "both": whether both signs occur at all.
    """
    states = wild_type_states(network, test)[:, ::every]
    found = {name: [] for name in ("mean", "minority", "both")}
    for r in range(network.replicates):  # one at a time: the slopes of all replicates would fill the memory
        slope = derivatives(network.select(slice(r, r + 1)), states[r : r + 1])[0].astype(float)
        up, down = np.clip(slope, 0, None).sum(0), np.clip(-slope, 0, None).sum(0)
        total = np.maximum(up + down, np.finfo(float).tiny)
        found["mean"].append(slope.mean(0))
        found["minority"].append(np.minimum(up, down) / total)
        found["both"].append((up > 0) & (down > 0))
    return {name: np.stack(values) for name, values in found.items()}


def audit_table(audited: dict[str, np.ndarray], signs: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Share of runs in which each link is non-monotone, and agreement with the sign of its mutation.

    Parameters
    ----------
    audited
        Result of `audit` for R runs.
    signs
        (R, N, G) signs by link mutation; 0 is absent, and agreement is counted over the links that exist.
    names
        Of the links, as `regulome.circuits.mutation.link_names` orders them.

    Returns
    -------
    DataFrame
        One row a link and one for all: link, runs with it, share with both signs of the derivative, share non-monotone
        (at least 5 % of the slope has the rarer sign), and share whose mutation sign is that of the mean derivative.
    """
    flat = {name: values.reshape(len(values), -1) for name, values in audited.items()}
    given = signs.reshape(len(signs), -1)
    agrees = np.sign(flat["mean"]) == given
    columns = [(name, [i]) for i, name in enumerate(names)] + [("all links", list(range(len(names))))]
    rows = []
    for name, at in columns:
        exists = given[:, at] != 0
        masks = (flat["both"], flat["minority"] > MINORITY, agrees)
        shares = [float(mask[:, at][exists].mean()) if exists.any() else np.nan for mask in masks]
        rows.append((name, int(exists.sum()), *shares))
    return pd.DataFrame(rows, columns=["link", "number", "both_signs", "non_monotone", "sign_agrees"])
