"""Gamma waiting times: means that do not depend on their shape, noise that does."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.stochastic import closed_forms, ssa
from regulome.stochastic.network import StateTransitionNetwork

SHAPES = ("a_on", "a_off", "a_spl", "a_deg")


def by_shape(
    network: StateTransitionNetwork,
    means: Mapping[str, float],
    shapes: Sequence[float],
    trajectories: int,
    time: float,
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Mean and Fano factor of nascent and mature RNA when all four waiting times have the same Gamma shape.

    Parameters
    ----------
    means
        ksyn and the mean waiting times m_on, m_off, m_spl, m_deg.
    trajectories, time
        Independent runs of every shape, looked at once, at this time.

    Returns
    -------
    pandas.DataFrame
        shape, species, mean, standard_error, expected (Little's law), fano, fano_error (of 200 resamples).
    """
    theta = np.array([network.theta(dict(means) | dict.fromkeys(SHAPES, shape)) for shape in shapes])
    counts = ssa.final(network, theta, time, trajectories, seed, threads)
    expected = dict(zip(("nRNA", "mRNA"), closed_forms.waiting_means(**means), strict=True))
    generator = np.random.default_rng(seed)
    rows = []
    for shape, runs in zip(shapes, counts, strict=True):
        for name, value in expected.items():
            sample = runs[:, network.states.index(name)].astype(float)
            draws = sample[generator.integers(len(sample), size=(200, len(sample)))]
            row = {"shape": shape, "species": name, "mean": sample.mean(), "expected": value}
            row["standard_error"] = sample.std(ddof=1) / np.sqrt(len(sample))
            row["fano"] = sample.var(ddof=1) / sample.mean()
            row["fano_error"] = (draws.var(1, ddof=1) / draws.mean(1)).std()
            rows.append(row)
    return pd.DataFrame(rows)
