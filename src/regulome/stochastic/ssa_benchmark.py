"""How fast networks are simulated: ``python -m regulome.stochastic.ssa_benchmark --peers PYTHON``.

The gene-expression network at the middle of its box to time 6000 (232,638 events a trajectory on average) by

* regulome: the generated kernel, counts at the end only and at the 20,001 published times, one trajectory after the
  other and sixteen in lock-step; residence times of all states;
* bioscrape and the compiled solver of GillesPy2, where the interpreter given by ``--peers`` has them.

They take turns in every round on one core; CPU seconds, so that other work on the machine hurts less; the table has the
best and the median of all rounds.
"""

import json
import subprocess
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from regulome.errors import UserError, as_message
from regulome.stochastic import ssa
from regulome.stochastic.networks import load
from regulome.stochastic.ssa_peers import THETA, TIME
from regulome.tables import csv_bytes


class Peers:
    """A process that holds the other simulators, asked for one run after the other."""

    def __init__(self, python: str):
        script = Path(__file__).with_name("ssa_peers.py")
        try:
            self.process = subprocess.Popen(
                [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.methods = json.loads(self.process.stdout.readline())
        except (OSError, ValueError) as error:
            raise UserError(f"--peers {python}: cannot run ({error}); expected a Python interpreter") from None

    def run(self, method: str, trajectories: int) -> float:
        """CPU seconds of some trajectories."""
        self.process.stdin.write(f"{method} {trajectories}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["cpu"]

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(trajectories: int = 48, rounds: int = 5, peers: str | None = None) -> pd.DataFrame:
    """Time all methods in turns.

    Parameters
    ----------
    trajectories
        Of each run of ours; peers take a fifth.
    peers
        Interpreter with bioscrape or GillesPy2.

    Returns
    -------
    DataFrame
        method, ns_per_event (best round), ns_per_event_median, million_events_per_second (best), and slower: how many
        times slower than the first row.
    """
    network = load("gene_expression")
    theta = network.theta(THETA)
    grid = np.linspace(5000, 6000, 20_001)
    stationary = dict(burn_in=0.0, window=TIME, trajectories=trajectories, threads=1)
    record = ssa.occupancy_record(network, theta, **stationary)
    each = float(record.events[0]) / trajectories  # events of a trajectory
    ours = {
        "regulome, end": lambda seed: ssa.final(network, theta, TIME, trajectories, seed, 1, method="scalar"),
        "regulome, end, lanes": lambda seed: ssa.final(network, theta, TIME, trajectories, seed, 1, method="lanes"),
        "regulome, residence times": lambda seed: ssa.occupancy(network, theta, seed=seed, **stationary),
        "regulome, 20,001 points": lambda seed: ssa.simulate(
            network, theta, grid, trajectories, seed, 1, method="scalar"
        ),
        "regulome, 20,001 points, lanes": lambda seed: ssa.simulate(
            network, theta, grid, trajectories, seed, 1, method="lanes"
        ),
    }
    other = Peers(peers) if peers else None
    names = [*ours, *(other.methods if other else [])]
    seconds = np.empty((rounds, len(names)))
    try:
        for run in ours.values():
            run(0)  # compilation is not timed
        for r in range(rounds):
            for m, name in enumerate(names):
                if name in ours:
                    began = time.process_time()
                    ours[name](r)
                    seconds[r, m] = (time.process_time() - began) / trajectories
                else:
                    few = max(1, trajectories // 5)
                    seconds[r, m] = other.run(name, few) / few
    finally:
        if other:
            other.close()
    table = pd.DataFrame({"method": names, "ns_per_event": seconds.min(0) / each * 1e9})
    table["ns_per_event_median"] = np.median(seconds, 0) / each * 1e9
    table["million_events_per_second"] = 1e3 / table["ns_per_event"]
    table["slower"] = table["ns_per_event"] / table["ns_per_event"].iloc[0]
    return table


def main(
    trajectories: Annotated[int, typer.Option(help="Trajectories of each run.")] = 48,
    rounds: Annotated[int, typer.Option(help="Turns of each method.")] = 5,
    peers: Annotated[str | None, typer.Option(help="Python interpreter with bioscrape and GillesPy2.")] = None,
) -> None:
    """Print a table of times as CSV; about half a minute."""
    print(csv_bytes(measure(trajectories, rounds, peers), digits=4).decode(), end="")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
