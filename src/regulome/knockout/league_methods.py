"""Everyone in the league on one screen: link mutation, GPO-VAE twice, baselines, and ceilings from noise-free means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from regulome import simulated_screen
from regulome.knockout import league_grid
from regulome.knockout import league_link_mutation as links
from regulome.knockout.league_grid import Cell
from regulome.knockout.league_link_mutation import Recipe
from regulome.perturbation import direct_effects, edges, learned_files, network_methods, simulated, sweep
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import TrainingSettings

LINK, ONE = "link mutation, mean of circuits", "link mutation, one circuit"
PUBLISHED = sweep.VARIANTS["gpo"].title
OURS = network_methods.TRAINED
TOTAL, DIRECT = "ceiling: total effects, true means", "ceiling: direct effects, true means"
NOISELESS = "ceiling: link mutation, true means"
CEILINGS = (DIRECT, TOTAL, NOISELESS)
SIZES = ("basal", "decoder_width", "encoder_layers", "encoder_width", "effect_layers", "effect_width")


@dataclass(frozen=True)
class Setup:
    """Sizes of the methods that have any.

    Attributes
    ----------
    circuits
        Training of the circuits.
    width, epochs, rate
        Of the published GPO-VAE: hidden units of every network, epochs at most, learning rate.
    trees
        Of each tree ensemble.
    """

    circuits: Recipe = field(default_factory=Recipe)
    width: int = 64
    epochs: int = 24
    rate: float = 1e-2
    trees: int = 50

    @classmethod
    def of(cls, values: Mapping) -> "Setup":
        """From the parameters of notebook 52."""
        circuits = Recipe(values["circuits"], values["hidden"], values["updates"])
        return cls(circuits, values["width"], values["epochs"], values["rate"], values["trees"])


@dataclass(frozen=True)
class Played:
    """What everyone found on one screen.

    Attributes
    ----------
    cell
        Which screen.
    genes
        G names; the K knocked-down ones first.
    methods
        Of each of the M score matrices; a method with several runs has several.
    seconds
        (M,) wall time of each; 0 where one training gave several matrices and it stands with the first.
    scores
        (M, K, G) signed scores, rows regulators; nan where a method can say nothing.
    """

    cell: Cell
    genes: tuple[str, ...]
    methods: tuple[str, ...]
    seconds: np.ndarray
    scores: np.ndarray

    def runs(self, method: str) -> np.ndarray:
        """(runs, K, G) matrices of one method."""
        return self.scores[[name == method for name in self.methods]]


def play(cell: Cell, setup: Setup) -> Played:
    """Simulate the screen and run every method on it, one thread."""
    table, _ = simulated_screen.simulate(cell.settings(), threads=1)
    screen = simulated.prepared(table)
    genes = cell.network()[0].names
    place = [screen.latent.index(name) for name in genes]
    runs = [(name, *_timed(method, screen, cell.seed)) for name, method in methods(setup).items()]
    found = []
    for name, matrices, took in runs:
        own = [each[np.ix_(place, place)][: cell.size] for each in matrices]
        if name == LINK:
            found.append((LINK, np.mean(own, 0), took))
            name, took = ONE, took / len(own)
        found += [(name, each, took if number == 0 else 0.0) for number, each in enumerate(own)]
    found += ceilings(cell, setup)
    names, scores, seconds = zip(*found, strict=True)
    return Played(cell, tuple(genes), names, np.array(seconds), np.array(scores, np.float32))


def _timed(make: Callable, *which) -> tuple[np.ndarray, float]:
    start = perf_counter()
    return make(*which), perf_counter() - start


def methods(setup: Setup) -> dict[str, Callable[[Screen, int], np.ndarray]]:
    """Every method as a function of screen and seed to (R, G, G) scores of R runs."""

    def of(name: str, method: network_methods.Method):
        return lambda screen, seed: edges.as_scores(method(screen, seed), screen.latent, name)[None]

    out = {LINK: lambda screen, seed: links.link_mutation(screen, seed, setup.circuits)}
    out |= {OURS: of(OURS, network_methods.ours), PUBLISHED: of(PUBLISHED, lambda *which: published(*which, setup))}
    return out | {name: of(name, method) for name, method in network_methods.baselines(setup.trees).items()}


def published(screen: Screen, seed: int, setup: Setup) -> np.ndarray:
    """sigmoid(W) of the mask of a GPO-VAE as published, with small networks; it has no signs."""
    sizes = {name: setup.width for name in SIZES if name.endswith("width")}
    sizes |= {"basal": 10, "encoder_layers": 1, "effect_layers": 2, "margin": 0.4, "sparsity": 1.0}
    model = sweep.VARIANTS["gpo"].settings(sizes)
    recipe = TrainingSettings(
        seed=seed, epochs=setup.epochs, batch=128, rate=setup.rate, particles=1, patience=setup.epochs
    )
    return learned_files.train(screen, model, recipe, "cpu", progress=False).network()


def ceilings(cell: Cell, setup: Setup) -> list[tuple[str, np.ndarray, float]]:
    """Name, (K, G) scores and seconds from the true changes of the mean levels: what no number of cells improves on.

    Total effects are the mean difference without noise, direct effects their inversion by `direct_effects.solve` with
    its smallest penalty; the third are circuits trained on the true means.
    """
    change, size = league_grid.true_changes(cell), cell.size
    total = np.full((change.shape[1],) * 2, np.nan)
    total[:size] = -change  # a target that falls is activated
    perturbed, measured = np.arange(size), np.ones(len(total), bool)
    makers = {
        DIRECT: lambda: _direct(total, perturbed, measured),
        TOTAL: lambda: total,
        NOISELESS: lambda: links.infer(change, size, setup.circuits, cell.seed).mean(0),
    }
    out = []
    for name, make in makers.items():
        scores, took = _timed(make)
        scores = np.array(scores[:size], float)
        scores[np.arange(size), np.arange(size)] = np.nan
        out.append((name, scores, took))
    return out


def _direct(total: np.ndarray, perturbed: np.ndarray, measured: np.ndarray) -> np.ndarray:
    solved = direct_effects.solve(total, perturbed, measured, float(direct_effects.PENALTIES[0]))
    return solved * np.diag(total)[:, None]
