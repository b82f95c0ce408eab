"""Circuits with a known truth: random Hill circuits, networks trained on their time courses, and every link removed.

1. A circuit of one input and three genes: every possible link is there with probability one half, activating or
   inhibiting alike, every gene has an activator, and the maximal rates of a gene's activators sum to at most one, so
   that levels stay between 0 and 1. Circuits in which some gene hardly moves teach nothing about its links and are
   drawn again; nothing else is selected.
2. Its time courses from random starts under random constant inputs, sampled with noise, are all that is learned from.
3. Every possible link is removed in the network, in the circuit and in the linear baseline, under further random starts
   and inputs. Where the circuit has no link the true effect is zero.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome.circuits.hill_search import HillCircuits
from regulome.circuits.mutation import link_names
from regulome.circuits.network import CircuitNetwork
from regulome.circuits.task import Task
from regulome.circuits.training import TrainingSettings, train
from regulome.knockout import table
from regulome.knockout.circuit_links import LinearRates
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Link

INPUTS, GENES = ("I",), ("g1", "g2", "g3")
DT, STEPS = 0.2, 40
MOVES = 0.05  # smallest standard deviation of a gene's level over the training data
MODEL, LINEAR, TRUTH = "trained network", "linear rates", "Hill circuit that made the data"


@dataclass(frozen=True)
class Runs:
    """Time courses of C cases.

    Attributes
    ----------
    inputs, start, levels
        (C, T, I), (C, G), (C, T, G).
    """

    inputs: np.ndarray
    start: np.ndarray
    levels: np.ndarray


def draw_circuit(generator: np.random.Generator, cases: int) -> tuple[HillCircuits, Runs]:
    """A random Hill circuit, and its time courses without noise."""
    regulators, genes = len(INPUTS) + len(GENES), len(GENES)
    while True:
        signs = generator.choice([0, 0, 1, -1], size=(regulators, genes)).astype(np.int8)
        activators = (signs > 0).sum(0)
        if not activators.all():
            continue
        b = generator.uniform(0.5, 1.0, signs.shape) / activators * (signs > 0)
        k = np.where(signs != 0, generator.uniform(0.15, 0.6, signs.shape), 1.0)
        circuit = HillCircuits(signs[None], b[None], k[None], np.full((1, genes), 0.1))
        runs = run(circuit, cases, generator)
        if (runs.levels.std((0, 1)) > MOVES).all():
            return circuit, runs


def run(circuit: HillCircuits, cases: int, generator: np.random.Generator) -> Runs:
    """Time courses from uniform random starts under uniform random constant inputs."""
    inputs = np.repeat(generator.uniform(0, 1, (cases, 1, len(INPUTS))), STEPS, axis=1)
    start = generator.uniform(0, 1, (cases, len(GENES)))
    return Runs(inputs, start, circuit.simulate(inputs, DT, start[None])[0])


def learn(
    runs: Runs, noise: float, updates: int, replicates: int, seed: int
) -> tuple[CircuitNetwork, LinearRates, np.ndarray]:
    """Networks and the linear baseline from time courses with Gaussian noise; the final losses of the networks (R,)."""
    seen = runs.levels + noise * np.random.default_rng([seed, 1]).standard_normal(runs.levels.shape)
    task = Task(
        "time courses of a Hill circuit", GENES, INPUTS, DT, runs.inputs, seen, runs.start, np.zeros(len(seen), bool),
        np.ones((len(INPUTS) + len(GENES), len(GENES)), bool), tuple(f"case {i + 1}" for i in range(len(seen))),
        "root_mean",
    )  # fmt: skip
    settings = TrainingSettings(steps=updates, rate=3e-3, optimiser="adam")
    result = train(task, settings, replicates, seed, device="cpu")
    return result.network, LinearRates.fit(seen, runs.inputs, runs.start, DT), result.final_loss


def effects(model: object, runs: Runs, strength: float = 0.0) -> pd.DataFrame:
    """Every possible link removed in one model, under the starts and inputs of `runs`."""
    names = (*INPUTS, *GENES)
    targets = (Link(name, names, GENES, runs.inputs, runs.start, DT, strength) for name in link_names(names, GENES))
    return table.join([knockout(model, target) for target in targets])


def study(
    circuits: int, cases: int, noise: float, updates: int, replicates: int, seed: int
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Train on `circuits` random Hill circuits and knock every link out.

    Returns
    -------
    dict
        Tables of effects with truth, by method; `system` names the circuit.
    pandas.DataFrame
        A row a circuit: links, activating links, median final loss (root mean squared error of levels) and the noise.
    """
    tables: dict[str, list[pd.DataFrame]] = {MODEL: [], LINEAR: []}
    rows = []
    for number in range(circuits):
        generator = np.random.default_rng([seed, number])
        circuit, runs = draw_circuit(generator, cases)
        test = run(circuit, cases, generator)
        network, line, loss = learn(runs, noise, updates, replicates, seed + number)
        true = effects(circuit, test)
        for name, model in ((MODEL, network), (LINEAR, line)):
            found = table.with_truth(effects(model, test), true, TRUTH)
            tables[name].append(found.assign(system=f"circuit {number + 1}"))
        signs = circuit.signs[0]
        rows.append((number + 1, int((signs != 0).sum()), int((signs > 0).sum()), float(np.median(loss)), noise))
    columns = ["circuit", "links", "activating", "median_loss", "noise"]
    return {name: table.join(parts) for name, parts in tables.items()}, pd.DataFrame(rows, columns=columns)
