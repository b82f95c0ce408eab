"""Links of automata read out of trained networks, and how well they agree with the true ones.

A link value is the mean change of f_j when regulator i is weakened, over states of a free run: the published link
mutation (`regulome.circuits.mutation`, protocol "fig6"). The same read-out of the true f is the ceiling.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score, roc_curve

from regulome.circuits.automata_truth import HillAutomata
from regulome.circuits.mutation import Protocol, link_values, protocol, rate_values
from regulome.circuits.network import CircuitNetwork

CALLS = (-1, 0, 1)  # inhibition, no link, activation


def published_values(network: CircuitNetwork, initial: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """(R, 2 G, G) values along a free run of each network from ``initial`` (R, cells, G): 150 steps, every second."""
    test: Protocol = replace(protocol("fig6"), strength=strength)
    return link_values(network, test, torch.as_tensor(initial, dtype=network.start.dtype))


def values_on_states(network: CircuitNetwork, states: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """(R, 2 G, G) values of each network on states (R, S, 2 G) that are given, 100 times the mean change of f."""
    return 100 * rate_values(network, torch.as_tensor(states, dtype=network.start.dtype), strength).numpy()


def true_values(truth: HillAutomata, states: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """(M, 2 G, G) the same read-out of the true rates on states (M, S, 2 G): what a perfect network would give."""
    base, values = truth.rates(states), np.empty(truth.signs.shape)
    for i in range(states.shape[-1]):
        weaker = states.copy()
        weaker[..., i] *= strength
        values[:, i] = (base - truth.rates(weaker)).mean(1)
    return 100 * values


def averaged(values: np.ndarray, replicates: int) -> np.ndarray:
    """(M, 2 G, G) mean over the replicates of each automaton of values (M R, 2 G, G)."""
    return values.reshape(-1, replicates, *values.shape[1:]).mean(1)


def consensus(*values: np.ndarray) -> np.ndarray:
    """(M, 2 G, G) mean over methods of the rank of each link within its automaton, scaled to -1 ... 1.

    Ranks, since the scores of different methods have no common unit.
    """
    links = values[0][0].size
    ranks = [rankdata(v.reshape(len(v), -1), axis=1).reshape(v.shape) for v in values]
    return (2 * np.mean(ranks, axis=0) - links - 1) / (links - 1)


def classify(values: np.ndarray, absent: np.ndarray | int) -> np.ndarray:
    """(M, 2 G, G) -1, 0 or 1: the ``absent`` smallest absolute values of an automaton are no links (published: 60)."""
    signs = np.sign(values).astype(int)
    for own, value, count in zip(signs, values, np.broadcast_to(absent, len(values)), strict=True):
        smallest = np.argsort(np.abs(value), axis=None, kind="stable")[: int(count)]
        own.flat[smallest] = 0
    return signs


def confusion(truth: np.ndarray, called: np.ndarray) -> np.ndarray:
    """(3, 3) number of links, true class in rows, called class in columns: inhibition, none, activation."""
    return np.array([[int(((truth == t) & (called == c)).sum()) for c in CALLS] for t in CALLS])


def areas(truth: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Area under the ROC curve of each automaton: activation against the rest by value, inhibition by minus value."""
    rows = [
        (roc_auc_score(t.ravel() > 0, v.ravel()), roc_auc_score(t.ravel() < 0, -v.ravel()))
        for t, v in zip(truth, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["activation", "inhibition"])


def roc(truth: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Points of both ROC curves of one automaton: link, false and true positive rate."""
    parts = []
    for link, sign in (("activation", 1), ("inhibition", -1)):
        false, true, _ = roc_curve(truth.ravel() == sign, sign * values.ravel(), drop_intermediate=False)
        parts.append(pd.DataFrame({"link": link, "false_positive": false, "true_positive": true}))
    return pd.concat(parts, ignore_index=True)
