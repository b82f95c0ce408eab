"""How far a simulated reference is from the exact law: the noise that a comparison with it cannot get below.

The published references are one trajectory a parameter set, seen on a grid of 0.05 in the last sixth of 6000 units of
time. Weighting every state with the time spent in it, after a burn-in that scales with the slowest rate, costs about
the same and uses the whole run.
"""

from time import perf_counter

import numpy as np
import pandas as pd
from tqdm import tqdm

from regulome.stochastic import exact, ssa
from regulome.stochastic.distribution import Distribution, kl_divergence, total_variation
from regulome.stochastic.network import StateTransitionNetwork

PUBLISHED = "published: window 5000-6000, grid 0.05"
RESIDENCE = "residence time: window 6000"
BURN_IN, WINDOW, GRID, LENGTH = 5000.0, 1000.0, 0.05, 6000.0


def protocols(trajectories: int) -> dict[str, dict]:
    """Options of `ssa.occupancy` for each way to make a reference."""
    return {
        PUBLISHED: {"burn_in": BURN_IN, "window": WINDOW, "grid": GRID},
        RESIDENCE: {"window": LENGTH},
        f"residence time, {trajectories} trajectories": {"window": LENGTH, "trajectories": trajectories},
    }


def distances(found: Distribution, truth: Distribution) -> dict[str, float]:
    """Total variation of the joint law and of every marginal, and KL(simulated || exact) of the latter."""
    row = {"tv_joint": total_variation(found, truth)}
    for name in truth.names:
        row[f"tv_{name}"] = total_variation(found.marginal(name), truth.marginal(name))
        row[f"kl_{name}"] = kl_divergence(found.marginal(name), truth.marginal(name), floor=1e-300)
    return row


def measure(
    network: StateTransitionNetwork, theta: np.ndarray, trajectories: int, seed: int, threads: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distance of each protocol from the exact law for each parameter set, and what each costs.

    Parameters
    ----------
    theta
        (T, P) parameter sets.
    trajectories
        Of the last protocol.

    Returns
    -------
    pandas.DataFrame, pandas.DataFrame
        Distances: set, protocol, tv_joint, tv_NAME, kl_NAME, states and boundary_mass of the exact law, events. Costs
        (not the same in every run): engine, seconds a parameter set, mean and largest.
    """
    rows, costs = [], []
    for number, row in enumerate(tqdm(theta, desc="reference noise", disable=None)):
        begin = perf_counter()
        law = exact.stationary(network, row)
        costs.append({"engine": "exact", "seconds": perf_counter() - begin})
        for name, options in protocols(trajectories).items():
            begin = perf_counter()
            record = ssa.occupancy_record(network, row[None], seed=seed, first_set=number, threads=threads, **options)
            costs.append({"engine": name, "seconds": perf_counter() - begin})
            rows.append(
                {"set": number, "protocol": name}
                | distances(record.distributions[0], law.distribution)
                | {"events": int(record.events[0]), "states": law.states, "boundary_mass": law.boundary_mass}
            )
    seconds = pd.DataFrame(costs).groupby("engine", sort=False)["seconds"].agg(["median", "mean", "max"])
    return pd.DataFrame(rows), seconds
