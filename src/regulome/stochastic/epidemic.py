"""An epidemic that dies out: what "stationary" means for a network with an absorbing class.

Nothing brings the infection back, so I = 0 is for ever and the stationary law is free of disease. Long single runs are
a mixture of extinct and lasting epidemics; the law of an epidemic that has lasted is the quasi-stationary one.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from regulome.stochastic import exact, ssa
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork

EDGES = (0.0, 1.0, 2.0, 4.0, np.inf)  # of births a unit of time, as in the earlier measurement


def extinction(
    network: StateTransitionNetwork, sets: int, time: float, seed: int, threads: int = 1, birth: str = "ρ"
) -> pd.DataFrame:
    """Whether one trajectory of each Sobol set has lost the infection at a time: birth rate, extinct."""
    theta = network.sample_box(sets, seed)
    infected = ssa.final(network, theta, time, 1, seed, threads)[:, 0, network.states.index("I")]
    return pd.DataFrame({"birth_rate": theta[:, network.parameter_names.index(birth)], "extinct": infected == 0})


def share(extinct: pd.Series) -> dict[str, float]:
    """Share of extinct runs with its 95 % interval (Wilson), and their number."""
    answer = binomtest(int(extinct.sum()), len(extinct))
    interval = answer.proportion_ci(method="wilson")
    return {"share": answer.statistic, "low": interval.low, "high": interval.high, "sets": len(extinct)}


def by_birth_rate(table: pd.DataFrame) -> pd.DataFrame:
    """Share of extinct runs in classes of the birth rate: class, share, low, high, sets."""
    rows = []
    for low, high in pairwise(EDGES):
        inside = table.loc[(table["birth_rate"] >= low) & (table["birth_rate"] < high), "extinct"]
        if len(inside):
            name = f"below {high:g}" if low == 0 else f"above {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
            rows.append({"class": name} | share(inside))
    return pd.DataFrame(rows)


def laws(
    network: StateTransitionNetwork, theta: np.ndarray, seed: int, window: float, threads: int = 1
) -> tuple[dict[str, Distribution], exact.Law]:
    """Laws of the infected by three routes, and the exact quasi-stationary law.

    The quasi-stationary law from the generator, the same by simulation with restarts from the own past, and the
    stationary law.
    """
    quasi = exact.stationary(network, theta, quasi=True)
    restarted = ssa.occupancy(network, theta[None], window=window, survive="I > 0", seed=seed, threads=threads)[0]
    found = {
        "quasi-stationary, exact": quasi.distribution,
        "quasi-stationary, simulated": restarted,
        "stationary, exact": exact.stationary(network, theta).distribution,
    }
    return found, quasi
