"""From trained networks to Hill circuits: does the topology do the function with Hill kinetics as well?

Two ways: the topology passes in the enumeration of random parameter sets (sampling), or its Hill parameters are fitted
by gradient. Either counts with the published integration (Euler, dt 0.25, whose step makes oscillators that the
differential equation does not have) and with a converged one, on the same 0.25 grid of samples.
"""

import numpy as np
import pandas as pd
import torch

from regulome.circuits import codes
from regulome.circuits.hill import controlled_oscillation
from regulome.circuits.hill_fit import HillCircuits, fit_to_networks, fit_to_oscillation
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.oscillation_topologies import Found, wilson
from regulome.circuits.task import Task

GRID, SAMPLES = 0.25, 200  # of the published criteria
REFINE = {"published": 1, "converged": 4}  # Euler steps a sample in the fit
CONVERGED = 10  # Euler steps a sample in the verdict on a converged circuit


def oscillates(circuits: HillCircuits, substeps: int) -> np.ndarray:
    """(B,) True where a circuit meets the criteria of the enumeration, all circuits integrated together.

    Same as `regulome.circuits.hill_fit.oscillates`, which takes one circuit after another. ``substeps`` Euler steps lie
    between two samples.
    """
    inputs = np.repeat(np.array([[0, 0], [0.8, 0], [0, 0.8]])[:, None], SAMPLES * substeps, axis=1)
    start = np.full((len(circuits), 3, 2), 0.1)
    curves = circuits.simulate(inputs, GRID / substeps, start)[:, :, substeps - 1 :: substeps, 0]
    return controlled_oscillation(*curves.transpose(1, 0, 2))


def shares(method: str, integration: str, found: Found, converted: dict[str, bool]) -> list[dict]:
    """Share of distinct topologies, and of runs, that are converted; ``converted`` maps a topology's name to a yes."""
    names = found.names[found.counted]
    rows = []
    for of, members in (("topologies", sorted(set(names))), ("runs", names)):
        hits = sum(bool(converted.get(name, False)) for name in members)
        rows.append({"method": method, "integration": integration, "of": of, **wilson(hits, len(members))})
    return rows


def sampled(found: Found, table: pd.DataFrame) -> pd.DataFrame:
    """Conversion by sampling: at least two, or one, of the parameter sets of the enumeration pass.

    Parameters
    ----------
    found
        Topologies of the runs.
    table
        Columns topology, hits, hits_converged of notebook 33.

    Returns
    -------
    DataFrame
        Columns method, integration, of, ours, low, high.
    """
    rows = []
    for least in (2, 1):
        for integration, column in (("published", "hits"), ("converged", "hits_converged")):
            converted = dict(zip(table["topology"], table[column] >= least, strict=True))
            sets = "sets" if least > 1 else "set"
            rows += shares(f"sampling, at least {least} {sets}", integration, found, converted)
    return pd.DataFrame(rows)


def fitted(found: Found, seed: int, restarts: int, updates: int, device: str = "auto") -> pd.DataFrame:
    """Conversion by gradient: Hill parameters of each distinct topology are fitted until they pass the criteria.

    Returns
    -------
    DataFrame
        As `sampled`. A circuit fitted with the published step counts as converged if it passes with a tenth of it.
    """
    names = sorted(set(found.names[found.counted]))
    rows, converged = [], np.zeros(len(names), dtype=bool)
    for integration, refine in REFINE.items():
        circuits, passed, _ = fit_to_oscillation(codes.decode(names), seed, restarts, updates, device, refine=refine)
        converged |= oscillates(circuits, CONVERGED)
        done = passed if integration == "published" else converged
        rows += shares("gradient fit of the topology", integration, found, dict(zip(names, done, strict=True)))
    return pd.DataFrame(rows)


def fitted_to_runs(
    network: CircuitNetwork, found: Found, task: Task, seed: int, restarts: int, updates: int, device: str = "auto"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Conversion of each network by itself: a Hill circuit of its topology is fitted to its rates and trajectories.

    Returns
    -------
    shares, difference
        As `sampled`, for runs only; and the root mean squared difference between the network's trajectories (all genes
        and cases) and the fit, one row a run, beside that from the network's own mean levels ("constant").
    """
    runs = np.flatnonzero(found.counted)
    circuits, difference = fit_to_networks(
        network.select(runs), found.signs[runs], task.input_values, task.dt, seed, restarts, updates, device
    )
    rows = []
    for integration, refine in (("published", 1), ("converged", CONVERGED)):
        hits = int(oscillates(circuits, refine).sum())
        row = {"method": "gradient fit to the network", "integration": integration, "of": "runs"}
        rows.append(row | wilson(hits, len(runs)))
    with torch.no_grad():
        curves = simulate(network.select(runs), task.input_values, task.dt).numpy()
    constant = np.sqrt(curves.var(2).mean((1, 2)))
    return pd.DataFrame(rows), pd.DataFrame({"fitted": difference, "constant": constant})
