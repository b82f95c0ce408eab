"""Search for interesting automata: random links and constants, kept if the pattern varies in time and in space.

The mini automata of notebook 36 come from here and nowhere else:

    python -m regulome.circuits.automata_search FOLDER
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.circuits.automata_truth import HillAutomata, links_table, simulate_automata
from regulome.tables import write_csv

MINI_AUTOMATA, MINI_SEED = 2, 20210525


@dataclass(frozen=True)
class SearchSettings:
    """Sizes of the search; the defaults are the published ones (public code of Shen et al. 2021).

    Attributes
    ----------
    topologies, sets
        Random link tables, and random parameter sets of each.
    genes, cells
        Size of the automata.
    link_probability
        Probability of a link; its sign is that of a fair coin.
    dt, n_steps, noise
        Euler step, number of steps, and standard deviation of the normal noise on f.
    least_deviation
        Both criteria (see `variation`) have to exceed it.
    largest_asymmetry
        Leave out automata that are less symmetric; infinity, as published, leaves out none (the published 25 were then
        chosen by hand, symmetric ones preferred).
    """

    topologies: int = 2000
    sets: int = 16
    genes: int = 10
    cells: int = 21
    link_probability: float = 0.7
    dt: float = 0.1
    n_steps: int = 400
    noise: float = 1e-4
    least_deviation: float = 0.2
    largest_asymmetry: float = float("inf")


def random_automata(settings: SearchSettings, rng: np.random.Generator) -> HillAutomata:
    """One random topology with all its parameter sets: b = 1, K uniform in (0, 1)."""
    shape = (2 * settings.genes, settings.genes)
    signs = rng.choice([-1, 1], shape) * (rng.random(shape) < settings.link_probability)
    signs = np.repeat(signs[None].astype(np.int8), settings.sets, axis=0)
    return HillAutomata(signs, np.ones(signs.shape), rng.random(signs.shape))


def central_start(models: int, initials: int, cells: int, values: np.ndarray) -> np.ndarray:
    """(M, I, cells, G) levels: ``values`` (M, I, G) in the central cell, 0 elsewhere."""
    start = np.zeros((models, initials, cells, values.shape[-1]))
    start[:, :, cells // 2] = values
    return start


def variation(levels: np.ndarray) -> dict[str, np.ndarray]:
    """Measures over the last quarter of time courses (M, T, cells, G).

    Returns
    -------
    dict
        time: standard deviation over time, mean over cells and genes; space: standard deviation over cells, mean over
        time and genes; asymmetry: mean absolute difference between mirrored cells (reported, not a criterion).
    """
    last = levels[:, -(levels.shape[1] // 4) :]
    cells = levels.shape[2]
    mirror = (2 * (cells // 2) - np.arange(cells)) % cells
    return {
        "time": last.std(1).mean((1, 2)),
        "space": last.std(2).mean((1, 2)),
        "asymmetry": np.abs(last - last[:, :, mirror]).mean((1, 2, 3)),
    }


def search(settings: SearchSettings, seed: int, enough: int | None = None) -> tuple[HillAutomata, pd.DataFrame]:
    """Run the search until ``enough`` topologies are found (None: to the end); at most one automaton a topology.

    Every topology has random numbers of its own, so that a longer search begins with the same automata.

    Returns
    -------
    automata, table
        The automata kept (of each topology the parameter set that varies most in time), and one row for each: topology,
        set, measures of `variation`, parameter sets of the topology that pass.
    """
    kept, rows = [], []
    for topology in range(settings.topologies):
        rng = np.random.default_rng([seed, topology])
        automata = random_automata(settings, rng)
        values = rng.integers(0, 2, (settings.sets, 1, settings.genes)).astype(float)
        start = central_start(settings.sets, 1, settings.cells, values)
        levels = simulate_automata(automata, start, settings.n_steps, settings.dt, settings.noise, rng)[:, 0]
        measures = pd.DataFrame(variation(levels))
        passed = (measures[["time", "space"]] > settings.least_deviation).all(axis=1)
        passed &= measures["asymmetry"] <= settings.largest_asymmetry
        if passed.any():
            best = measures["time"].where(passed).idxmax()
            kept.append(automata.select([best]))
            rows.append({"topology": topology, "set": best, **measures.loc[best], "sets_passed": int(passed.sum())})
        if enough and len(kept) == enough:
            break
    columns = ["topology", "set", "time", "space", "asymmetry", "sets_passed"]
    if not kept:
        empty = np.zeros((0, 2 * settings.genes, settings.genes))
        return HillAutomata(empty.astype(np.int8), empty, empty), pd.DataFrame(columns=columns)
    parts = ([getattr(part, name) for part in kept] for name in ("signs", "b", "k"))
    return HillAutomata(*map(np.concatenate, parts)), pd.DataFrame(rows, columns=columns)


def make(folder: Path) -> None:
    """Write models.csv, the first two automata of the mini search."""
    settings = SearchSettings(genes=4, cells=15, largest_asymmetry=0.1)
    automata, _ = search(settings, MINI_SEED, MINI_AUTOMATA)
    write_csv(links_table(automata), folder / "models.csv")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
