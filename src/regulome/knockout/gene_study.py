"""Genes and edges of a screen: every perturbation and every edge, in models, in baselines, and in what is true."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.errors import UserError, closest
from regulome.knockout import edges, table
from regulome.knockout.edges import TrueNetwork
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Edge, Gene
from regulome.perturbation import ate, gpo
from regulome.perturbation import response_baselines as baselines
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.screen import JOIN, Screen
from regulome.perturbation.simulated import prepared
from regulome.simulated_screen import Settings, draw_network, simulate

OURS = "GPO-VAE, ours"
HELD_OUT = "held-out cells"
REPEATED = "validation cells"
SIMULATED = "simulated network"
TRUE_EDGE, NO_EDGE = "an edge of the simulated network", "no such edge"
KEPT, NEW = "kept", "new"


def all_genes(model: object, labels: Sequence[str], genes: Sequence[str]) -> pd.DataFrame:
    """Every perturbation knocked out, every gene but the perturbed ones read."""
    found = table.join([knockout(model, Gene(label, tuple(genes))) for label in labels])
    return found[found["note"] == ""].reset_index(drop=True)


def genes(screen: Screen, models: Mapping[str, Sequence[object]]) -> dict[str, pd.DataFrame]:
    """Tables of effects with the held-out cells as truth, by method: models over their seeds, and baselines.

    Baselines are made of the training cells: the mean of each perturbation, the mean over perturbations. The validation
    cells of each perturbation, as few as the held-out ones, say how well measured effects agree with each other.
    """
    train, test = (ate.of_split(screen, name) for name in ("train", "test"))
    labels = [label for row, label in enumerate(screen.labels) if train.cells[row] and test.cells[row] > 1]
    true = all_genes(test, labels, screen.genes)
    found = {
        name: table.over_trainings([all_genes(one, labels, screen.genes) for one in several])
        for name, several in models.items()
    }
    found[REPEATED] = all_genes(ate.of_split(screen, "validation"), labels, screen.genes)
    simple = {baselines.TRAIN: baselines.train_mean(train), baselines.GLOBAL: baselines.global_mean(train)}
    found |= {name: all_genes(one, labels, screen.genes) for name, one in simple.items()}
    known = {name: table.with_truth(one, true, HELD_OUT) for name, one in found.items()}
    return {name: one.assign(system=f"{screen.name}, " + one["removed"]) for name, one in known.items()}


def chosen(models: Mapping[str, Sequence[object]], titles: Sequence[str]) -> dict[str, Sequence[object]]:
    """Models by title; UserError for a title that is not there."""
    for title in titles:
        if title not in models:
            hint = closest(title, models)
            raise UserError(f"screen_models: found '{title}'{hint}; expected some of {', '.join(models)}")
    return {title: models[title] for title in titles}


def ceiling(screen: Screen) -> float:
    """Correlation with held-out cells that the true effects would reach, from those between the three splits.

    With independent errors r(test, truth)^2 = r(test, train) r(test, validation) / r(train, validation).
    """
    means = {name: ate.of_split(screen, name) for name in ("train", "validation", "test")}
    labels = [label for row, label in enumerate(screen.labels) if all(found.cells[row] > 1 for found in means.values())]
    effects = {name: all_genes(found, labels, screen.genes)["effect"] for name, found in means.items()}
    r = pd.DataFrame(effects).corr()
    square = r.loc["test", "train"] * r.loc["test", "validation"] / r.loc["train", "validation"]
    return float(np.sqrt(square)) if square > 0 else float("nan")


def true_network(settings: Settings) -> TrueNetwork:
    """The network of a simulated screen, drawn again from its seed."""
    seed = np.random.SeedSequence(settings.seed).spawn(4)[0]
    network, level = draw_network(settings, np.random.default_rng(seed))
    return TrueNetwork(network, level, settings.knockdown)


def simulated(
    which: str, screen: Screen, models: Sequence[Gpo], seed: int
) -> tuple[Screen, Sequence[Gpo], TrueNetwork]:
    """A simulated screen, models trained on it, and its network.

    Parameters
    ----------
    which
        "kept": the given screen and models, which come from ``data/mini/perturbation``. "new": another screen,
        simulated with the seed, and one model trained on it here (some minutes).

    Raises
    ------
    UserError
        If the given screen is not the simulated one.
    """
    if which == NEW:
        settings = Settings(seed=seed)
        new = prepared(simulate(settings)[0])
        return new, [gpo.train(new, device="cpu", progress=False)], true_network(settings)
    true = true_network(Settings())
    if not set(screen.genes) <= set(true.network.names):
        raise UserError(f"{screen.name}: not the simulated screen of the mini data; expected edge_screen: {NEW}")
    return screen, models, true


def all_edges(models: Sequence[Gpo], screen: Screen, true: TrueNetwork) -> dict[str, pd.DataFrame]:
    """Every possible edge from a perturbed gene to another latent, measured gene, in the models and in the truth.

    Returns
    -------
    dict
        By method, tables of effects with their truth; the notes say which edges the simulated network has.
    """
    pairs = candidates(screen)
    if not pairs:
        raise UserError(f"{screen.name}: found no perturbed gene with another measured latent gene; expected edges")
    linked = {
        (true.network.names[i], true.network.names[j])
        for i, j in zip(true.network.source, true.network.target, strict=True)
    }
    note = [TRUE_EDGE if pair in linked else NO_EDGE for pair in pairs]
    targets = [Edge(*pair) for pair in pairs]
    # without an edge nothing is cut: those need no fixed point
    absent = edges.rows(targets, SIMULATED, np.zeros(len(pairs)))
    known = [row for row, pair in enumerate(pairs) if pair in linked]
    absent.loc[known, "effect"] = [knockout(true, targets[row])["effect"].iloc[0] for row in known]
    found = {
        OURS: table.over_trainings([edges.scan(model, targets) for model in models]),
        baselines.TRAIN: edges.scan(edges.total_effects(screen), targets),
    }
    regulator = [f"simulated screen, {i}" for i, _ in pairs]
    return {
        name: table.with_truth(one, absent, SIMULATED).assign(system=regulator, note=note)
        for name, one in found.items()
    }


def true_edges(effects: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Rows of `all_edges` whose edge the simulated network has."""
    return {name: table[table["note"] == TRUE_EDGE].reset_index(drop=True) for name, table in effects.items()}


def drawn_edges(effects: Mapping[str, pd.DataFrame], count: int, seed: int) -> list[Edge]:
    """Some of the true edges, drawn at random."""
    names = true_edges(effects)[OURS]["removed"]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(names))[:count])
    return [Edge(*names.iloc[place].split(" -> ")) for place in chosen]


def candidates(screen: Screen) -> list[tuple[str, str]]:
    """Pairs of a gene that is perturbed alone, with training cells, and another latent gene that is measured."""
    single = [name for name in screen.labels if JOIN not in name and len(screen.rows("train", name))]
    targets = [name for name, column in zip(screen.latent, screen.latent_column, strict=True) if column >= 0]
    return [(i, j) for i in single for j in targets if i != j]
