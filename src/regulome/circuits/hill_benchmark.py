"""How fast Hill circuits are integrated: ``python -m regulome.circuits.hill_benchmark``.

The same topologies, parameter sets and steps on one thread by

* compiled: the kernel of `regulome.circuits.hill_kernel`, draws and statistics included;
* NumPy: the plain code of `regulome.circuits.hill`, arrays of 8000 parameter sets, as the published enumeration is laid
  out, in float64 and float32;
* LSODA: one parameter set after the other with scipy.

They take turns in every round; the table holds medians. With ``--whole`` the published enumeration is run once: 2304
topologies with 160,000 sets on the given threads, and the 640 that can oscillate.
"""

import time
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from regulome import paths
from regulome.circuits.benchmark import elapsed
from regulome.circuits.criteria import Criterion, read_criterion
from regulome.circuits.enumeration import enumerate_topologies
from regulome.circuits.hill import can_oscillate, connected, simulate_hill, topologies
from regulome.circuits.hill_kernel import draw, run_drawn
from regulome.circuits.step_size import exact_trajectory
from regulome.errors import as_message
from regulome.tables import csv_bytes

LAYOUT = 8000  # parameter sets of one NumPy array


def measure(sets: int = 40_000, exact_sets: int = 5, count: int = 12, rounds: int = 3) -> pd.DataFrame:
    """Time one run (200 steps, constant inputs) of some topologies with every method.

    Parameters
    ----------
    sets, exact_sets
        Parameter sets of each topology for the compiled kernel, and for LSODA.
    count
        Topologies, spread evenly over the 2304.
    rounds
        Turns of each method.

    Returns
    -------
    DataFrame
        method, steps (of trajectories, in all), seconds (median), million_steps_per_second, and ratio: how many times
        faster than NumPy in float64.
    """
    criterion = _criterion()
    signs = _space()
    chosen = signs[:: len(signs) // count][:count]
    run, length = criterion.runs["oscillation"], criterion.runs["oscillation"].length
    levels, times = run.inputs[0], (np.arange(length) + 1) * criterion.integration.dt

    def compiled():
        for topology in chosen:
            run_drawn(topology, 0, 0, sets, run, criterion.integration, [0], criterion.statistics("oscillation"))

    def plain(kind):
        for topology in chosen:
            b, k = (values.astype(kind) for values in draw(topology, 0, np.arange(LAYOUT)))
            simulate_hill(topology, b, k, levels, n_steps=length)

    def exact():
        for topology in chosen:
            b, k = draw(topology, 0, np.arange(exact_sets))
            for p in range(exact_sets):
                exact_trajectory(topology, b[p], k[p], levels, times)

    methods = {
        "compiled kernel": (sets, compiled),
        "NumPy, float64": (LAYOUT, lambda: plain(np.float64)),
        "NumPy, float32": (LAYOUT, lambda: plain(np.float32)),
        "LSODA (scipy)": (exact_sets, exact),
    }
    compiled()  # compilation is not timed
    seconds = np.array([[elapsed(run) for _, run in methods.values()] for _ in range(rounds)])
    steps = np.array([number * len(chosen) * length for number, _ in methods.values()])
    table = pd.DataFrame({"method": list(methods), "steps": steps, "seconds": np.median(seconds, axis=0)})
    table["million_steps_per_second"] = table["steps"] / table["seconds"] / 1e6
    rate = table["million_steps_per_second"]
    table["ratio"] = rate / rate[table["method"] == "NumPy, float64"].iloc[0]
    return table


def measure_whole(threads: int) -> pd.DataFrame:
    """Wall seconds of the published enumeration, all connected topologies and those that can oscillate."""
    signs, criterion = _space(), _criterion()
    rows = []
    for name, chosen in (("all connected", signs), ("can oscillate", signs[can_oscillate(signs)])):
        start = time.perf_counter()
        found = enumerate_topologies(chosen, criterion, 160_000, seed=0, threads=threads)
        rows.append((name, len(chosen), threads, time.perf_counter() - start, int((found.hits >= 2).sum())))
    return pd.DataFrame(rows, columns=["topologies", "number", "threads", "seconds", "two_sets"])


def _criterion() -> Criterion:
    return read_criterion(paths.mini_data() / "criteria" / "controlled_oscillation.yaml")


def _space() -> np.ndarray:
    signs = topologies()
    return signs[connected(signs)]


def main(
    sets: int = 40_000,
    rounds: int = 3,
    whole: Annotated[bool, typer.Option(help="Also time the whole published enumeration.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of the whole enumeration.")] = 2,
) -> None:
    """Print a table of times as CSV; about a minute, two with --whole."""
    print(csv_bytes(measure(sets, rounds=rounds), digits=4).decode(), end="")
    if whole:
        print(csv_bytes(measure_whole(threads), digits=4).decode(), end="")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
