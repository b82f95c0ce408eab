"""From a task to a circuit: train networks, read their topologies, fit Hill circuits, keep the simplest that works.

The measure is the share of the target that is explained, R² of `regulome.circuits.design_bench`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome import devices
from regulome.circuits.canonical import canonical, symmetries
from regulome.circuits.codes import decode, encode, in_words
from regulome.circuits.design_bench import Bench, bench
from regulome.circuits.hill_fit import HillCircuits, fit_to_task
from regulome.circuits.mutation import Protocol, link_values
from regulome.circuits.mutation import signs as signs_of
from regulome.circuits.network import CircuitNetwork
from regulome.circuits.oscillation_topologies import wilson
from regulome.circuits.task import Task
from regulome.circuits.training import TrainingSettings, train
from regulome.errors import UserError

ACCEPTED = 0.9  # R² of a circuit that counts as validated
KEPT = 0.8  # R² down to which a network has learned the task, and a circuit with other parameters keeps the function
TIE = 0.02  # R² within which the circuit with fewer links wins
STRENGTH = 0.9  # of a link mutation
PRIOR = 0.005  # pull of the fits towards ordinary parameters, in units of the constant output's loss
POLISH = 4  # Euler steps a sample of the last fit
_RANDOM, _PERTURBED, _SPREAD = 16, 500, 0.2  # random topologies; parameter sets of the robustness, and their spread

Say = Callable[[str, int, int], None]  # what is under way, updates done, updates in all


@dataclass(frozen=True)
class DesignSettings:
    """How to design.

    Attributes
    ----------
    replicates, updates, noise, seed
        Networks trained, and how (`regulome.circuits.training`).
    cutoff
        Smallest link value that counts as a link.
    device
        "auto", "cpu" or "cuda".
    restarts, fit_updates
        Random starts and updates of each Hill fit.
    most
        Number of different topologies that are fitted, the most frequent first.
    """

    replicates: int = 32
    updates: int = 4001
    noise: float = 0.05
    seed: int = 2021
    cutoff: float = 5e-4
    device: str = "auto"
    restarts: int = 32
    fit_updates: int = 500
    most: int = 8

    def __post_init__(self):
        for name in ("replicates", "updates", "restarts", "fit_updates", "most"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not (np.isfinite(self.cutoff) and self.cutoff >= 0):
            raise UserError(f"cutoff is {self.cutoff}, expected a number that is not negative")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}, expected a whole number that is not negative")
        devices.choose(self.device)
        TrainingSettings(steps=self.updates, noise=self.noise)  # checks its own fields


@dataclass(frozen=True)
class Design:
    """Result of a design; see `regulome.circuits.design_files` for what is written.

    Attributes
    ----------
    learned
        (R,) R² of the networks.
    topologies
        One row a distinct topology that was read out.
    candidates
        One row a topology that was fitted.
    circuit
        The chosen one (a `HillCircuits` of one).
    exact
        Its R², integrated by Runge-Kutta with eight steps a sample.
    step_change, euler_error
        Largest difference of a level from that curve with four steps a sample, and with Euler's at the task's dt.
    robust
        R² of parameter sets drawn around the chosen one.
    random
        R² of random topologies with as many links, fitted in the same way.
    """

    settings: DesignSettings
    bench: Bench
    network: CircuitNetwork
    learned: np.ndarray
    topologies: pd.DataFrame
    candidates: pd.DataFrame
    circuit: HillCircuits
    exact: float
    step_change: float
    euler_error: float
    robust: np.ndarray
    random: np.ndarray

    @property
    def task(self) -> Task:
        """The task designed for."""
        return self.bench.task

    @property
    def validated(self) -> bool:
        """Whether the circuit does what the task asks."""
        return self.exact >= ACCEPTED


def design(task: Task, settings: DesignSettings = DesignSettings(), say: Say | None = None) -> Design:
    """Design a circuit for a task; ``say`` is told what is under way."""
    say = say or (lambda *_: None)
    layout = bench(task, settings.seed)
    how = TrainingSettings(steps=settings.updates, noise=settings.noise)
    told = _told(say, "training networks")
    network = train(task, how, settings.replicates, settings.seed, device=settings.device, progress=told).network
    learned = layout.of_networks(network)
    test = Protocol("trajectory", STRENGTH, task.dt, layout.inputs, cutoff=settings.cutoff)
    signs = signs_of(link_values(network, test), settings.cutoff)
    topologies = topology_table(layout, signs, learned)
    search = CircuitSearch(layout, settings, say)
    search.add(*first_candidates(layout, topologies, settings.most))
    search.prune()
    circuit = search.polish()
    exact, coarse = layout.curves(circuit), layout.curves(circuit, 4)
    return Design(
        settings=settings,
        bench=layout,
        network=network,
        learned=learned,
        topologies=topologies,
        candidates=search.table(),
        circuit=circuit,
        exact=float(layout.of_circuits(circuit)[0]),
        step_change=float(np.abs(exact - coarse).max()),
        euler_error=float(np.abs(exact - layout.curves(circuit, None)).max()),
        robust=layout.of_circuits(perturbed(circuit, settings.seed), 2),
        random=search.random(int((circuit.signs != 0).sum())),
    )


def topology_table(layout: Bench, signs: np.ndarray, learned: np.ndarray) -> pd.DataFrame:
    """One row a distinct topology of R networks (R, N, G), most frequent among those that learned the task first."""
    task, names = layout.task, encode(signs)
    counts, good = Counter(names), Counter(n for n, r2 in zip(names, learned, strict=True) if r2 >= KEPT)
    rows = []
    for name, count in counts.items():
        table = decode([name], len(task.inputs), len(task.genes))
        share = wilson(count, len(names))
        members = [r2 for other, r2 in zip(names, learned, strict=True) if other == name]
        rows.append(
            {
                "topology": name,
                "networks": count,
                "share": share["ours"],
                "low": share["low"],
                "high": share["high"],
                "learned": good[name],
                "median_r2": float(np.median(members)),
                "links": int((table != 0).sum()),
                "class": encode(canonical(table, layout.observed))[0],
                "in_words": in_words(table[0], task.regulators, task.genes),
            }
        )
    table = pd.DataFrame(rows)
    order = ["learned", "networks", "median_r2", "topology"]
    return table.sort_values(order, ascending=[False, False, False, True], kind="stable").reset_index(drop=True)


def first_candidates(layout: Bench, topologies: pd.DataFrame, most: int) -> tuple[np.ndarray, list[str]]:
    """Topologies to fit (M, N, G) and where they come from: the most frequent, and each with hidden genes reversed.

    A network with a hidden gene reversed (g -> 1 - g) does the same, but a Hill circuit does not: it has no production
    without an activator. So both are tried.
    """
    task = layout.task
    names = topologies["topology"][topologies["learned"] > 0] if topologies["learned"].any() else topologies["topology"]
    found = decode(list(names[:most]), len(task.inputs), len(task.genes))
    images = [symmetry(found) for symmetry in symmetries(len(task.genes), layout.observed, relabel=False)]
    origins = ["read out"] * len(found) + ["reversed"] * (len(found) * (len(images) - 1))
    return np.concatenate(images), origins


def perturbed(circuit: HillCircuits, seed: int, count: int = _PERTURBED) -> HillCircuits:
    """Parameter sets around one circuit: every b and K times exp(0.2 z), z standard normal (about +-20 %)."""
    rng = np.random.default_rng([seed, 1])
    b, k = (
        getattr(circuit, name) * np.exp(_SPREAD * rng.standard_normal((count, *circuit.b.shape[1:]))) for name in "bk"
    )
    signs, start = (np.repeat(values, count, axis=0) for values in (circuit.signs, circuit.start))
    return HillCircuits(signs, b, k, start)


class CircuitSearch:
    """Hill fits of topologies, and the choice among them."""

    def __init__(self, layout: Bench, settings: DesignSettings, say: Say):
        self.layout, self.settings, self.say = layout, settings, say
        self.circuits: dict[str, HillCircuits] = {}
        self.rows: list[dict] = []

    def fit(self, signs: np.ndarray, what: str, first: HillCircuits | None = None, updates=None, refine: int = 1):
        """Fit topologies; circuits and their R²."""
        s = self.settings
        updates = updates or s.fit_updates
        told = _told(self.say, what)
        circuits, loss = fit_to_task(
            self.layout.task,
            signs,
            s.seed,
            s.restarts,
            updates,
            s.device,
            first=first,
            refine=refine,
            prior=PRIOR * self.layout.baseline,
            progress=told,
        )
        return circuits, self.layout.explained(loss)

    def add(self, signs: np.ndarray, origins: list[str], first: HillCircuits | None = None) -> None:
        """Fit the topologies that have not been fitted yet."""
        names = encode(signs)
        new = [i for i, n in enumerate(names) if n not in self.circuits and n not in names[:i]]
        if not new:
            return
        begin = None if first is None else first.select(new)
        circuits, euler = self.fit(signs[new], f"fitting {len(new)} Hill circuits", begin)
        exact = self.layout.of_circuits(circuits)
        for row, i in enumerate(new):
            self.circuits[names[i]] = circuits.select([row])
            r2 = {"r2": float(exact[row]), "r2_euler": float(euler[row])}
            self.rows.append({"topology": names[i], "origin": origins[i], "links": int((signs[i] != 0).sum()), **r2})

    def choice(self) -> str:
        """The topology with the fewest links whose R² is within `TIE` of the best."""
        best = max(row["r2"] for row in self.rows)
        near = [row for row in self.rows if row["r2"] >= best - TIE]
        return min(near, key=lambda row: (row["links"], -row["r2"]))["topology"]

    def prune(self) -> None:
        """Take links away one by one, as long as a circuit with one link fewer is as good."""
        chosen = None
        while chosen != (chosen := self.choice()):
            parent = self.circuits[chosen]
            places = np.argwhere(parent.signs[0] != 0)
            if len(places) < 2:
                return
            children = np.repeat(parent.signs, len(places), axis=0)
            children[np.arange(len(places)), places[:, 0], places[:, 1]] = 0
            count = len(places)
            begin = HillCircuits(children, *(np.repeat(a, count, axis=0) for a in (parent.b, parent.k, parent.start)))
            self.add(children, ["pruned"] * count, begin)

    def polish(self) -> HillCircuits:
        """Fit the chosen circuit again with a finer step, beginning where it is; the better of the two."""
        circuit = self.circuits[self.choice()]
        updates = max(1, self.settings.fit_updates // 2)
        finer, _ = self.fit(circuit.signs, "fitting with a finer step", circuit, updates, POLISH)
        return max((finer, circuit), key=lambda one: float(self.layout.of_circuits(one)[0]))

    def random(self, links: int) -> np.ndarray:
        """R² of random topologies with this number of links: what fitting alone can do."""
        rng = np.random.default_rng([self.settings.seed, 2])
        allowed = np.flatnonzero(self.layout.task.links)
        signs = np.zeros((_RANDOM, self.layout.task.links.size), dtype=np.int8)
        for row in signs:
            row[rng.choice(allowed, links, replace=False)] = rng.choice((-1, 1), links)
        circuits, _ = self.fit(signs.reshape(-1, *self.layout.task.links.shape), "fitting random topologies")
        return self.layout.of_circuits(circuits)

    def table(self) -> pd.DataFrame:
        """All fitted topologies, best first."""
        task, chosen = self.layout.task, self.choice()
        table = pd.DataFrame(self.rows)
        tables = decode(table["topology"], len(task.inputs), len(task.genes))
        table["in_words"] = [in_words(signs, task.regulators, task.genes) for signs in tables]
        table["chosen"] = table["topology"] == chosen
        return table.sort_values(["r2", "topology"], ascending=[False, True]).reset_index(drop=True)


def _told(say: Say, what: str) -> Callable[[int, int], None]:
    return lambda done, total: say(what, done, total)
