"""How fast structure profiles are: ``python -m regulome.binding.phime_benchmark``.

Random RNAs with the lengths of the RNAcompete array, by

* regulome: exact profiles, one process;
* a bare full partition function, which an exact profile cannot be much faster than;
* the usual estimate: 1000 structures sampled from the ensemble, the loop of every base read from each, base by base;
* the same with all samples read at once, which is what the check of notebook 12 does.

They take turns in every round on one core; CPU seconds, so that other work on the machine hurts less. Last, the pool of
two processes against one: the same numbers, and wall seconds.
"""

import time
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from regulome.binding import boltzmann
from regulome.binding.phime import CHUNK, NAMES, profile, profiles, vienna
from regulome.binding.sequences import BASES, sequences
from regulome.errors import UserError, as_message
from regulome.tables import csv_bytes

LENGTHS = {38: 0.586, 35: 0.255, 30: 0.146, 41: 0.013}  # bases: share of the array's probes
GOALS = {
    "RNAs per CPU-second": 700.0,
    "times the speed of 1000 samples read base by base": 5.0,
    "times the speed of 1000 samples read at once": 5.0,
}
OURS, BARE = "exact profile", "full partition function alone"
SAMPLES, AT_ONCE = "samples, read base by base", "samples, read at once"


def random_probes(count: int, seed: int = 0) -> list[str]:
    """Letters of random RNAs with the lengths of the array."""
    rng = np.random.default_rng(seed)
    lengths = rng.choice(list(LENGTHS), size=count, p=list(LENGTHS.values()))
    return ["".join(rng.choice(list(BASES), size=length)) for length in lengths]


def measure(rnas: Sequence[str], rounds: int = 5, samples: int = 1000, share: float = 0.1) -> pd.DataFrame:
    """Time all methods in turns.

    Parameters
    ----------
    rnas
        RNAs of a run.
    samples
        Of the estimate.
    share
        Part of the RNAs that the estimate takes, which is slow.

    Returns
    -------
    DataFrame
        method, rnas_per_cpu_second (best round), median, and slower: how many times slower than the first row.
    """
    rna = vienna()
    methods: dict[str, tuple[Callable[[str], object], int]] = {
        OURS: (profile, len(rnas)),
        BARE: (lambda letters: rna.fold_compound(letters).pf(), len(rnas)),
        SAMPLES: (lambda letters: _base_by_base(letters, samples), max(1, round(share * len(rnas)))),
        AT_ONCE: (lambda letters: boltzmann.estimate(letters, samples), max(1, round(share * len(rnas)))),
    }
    seconds = np.empty((rounds, len(methods)))
    for r in range(rounds):
        for m, (run, count) in enumerate(methods.values()):
            start = r * count % len(rnas)
            some = [rnas[(start + i) % len(rnas)] for i in range(count)]
            began = time.process_time()
            for letters in some:
                run(letters)
            seconds[r, m] = (time.process_time() - began) / count
    table = pd.DataFrame({"method": list(methods), "rnas_per_cpu_second": 1 / seconds.min(0)})
    table["median"] = 1 / np.median(seconds, 0)
    table["slower"] = table["rnas_per_cpu_second"].iloc[0] / table["rnas_per_cpu_second"]
    return table


def _base_by_base(letters: str, samples: int) -> np.ndarray:
    found = np.array([boltzmann.loops(structure) for structure in boltzmann.sample(letters, samples, 0)])
    return np.stack([(found == channel).mean(0) for channel in range(len(NAMES))], axis=1)


def pool(rnas: Sequence[str], workers: Sequence[int] = (1, 2)) -> pd.DataFrame:
    """Wall seconds of processes: workers, rnas_per_second, identical (to the first row, bit by bit)."""
    given = sequences(list(rnas), "rna", source="benchmark")
    rows, first = [], None
    for count in workers:
        profiles(given.take(range(min(len(rnas), CHUNK * count))), count, progress=False)  # processes start outside
        began = time.perf_counter()
        found = profiles(given, count, progress=False)
        rows.append((count, len(rnas) / (time.perf_counter() - began)))
        first = found if first is None else first
        rows[-1] += (bool(np.array_equal(found, first)),)
    return pd.DataFrame(rows, columns=["workers", "rnas_per_second", "identical"])


def main(
    rnas: Annotated[int, typer.Option(help="RNAs of each run.")] = 1000,
    rounds: Annotated[int, typer.Option(help="Turns of each method.")] = 5,
    workers: Annotated[int, typer.Option(help="Processes of the pool.")] = 2,
) -> None:
    """Print tables of speeds as CSV and whether the goals are reached; about a minute."""
    if rnas < 1 or rounds < 1 or workers < 1:
        raise UserError(f"found --rnas {rnas} --rounds {rounds} --workers {workers}; expected at least 1 of each")
    letters = random_probes(rnas)
    table = measure(letters, rounds)
    print(csv_bytes(table, digits=4).decode())
    print(csv_bytes(pool(letters * 2, (1, workers)), digits=4).decode())
    slower = table.set_index("method")["slower"]
    reached = (table["rnas_per_cpu_second"].iloc[0], slower[SAMPLES], slower[AT_ONCE])
    for (words, goal), value in zip(GOALS.items(), reached, strict=True):
        print(f"{words}: {value:.4g}, goal {goal:g}: {'reached' if value >= goal else 'missed'}")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
