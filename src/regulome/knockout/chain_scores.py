"""How near the cells of a network come to the held-out cells of the screen that it was learned from."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from regulome.knockout import chain_cells, chain_network
from regulome.knockout.chain_cells import Cells
from regulome.knockout.league_grid import Cell
from regulome.perturbation import ate, gpo, response_metrics, simulated
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.screen import CONTROL, Screen
from regulome.simulated_screen import simulate

LEARNED, SHUFFLED, NOTHING = "learned network", "learned links, shuffled", "no network"
TRUE, TRAIN, MEAN, MODEL = "true network", "training cells", "mean effect", "GPO-VAE itself"
SOURCES = (TRUE, LEARNED, SHUFFLED, NOTHING, TRAIN, MEAN, MODEL)
ROLES = {TRUE: "ceiling", SHUFFLED: "baseline", NOTHING: "baseline", TRAIN: "baseline", MEAN: "baseline"}


def run(cell: Cell, cells: int, threads: int | None = None):
    """One chain: screen, GPO-VAE, exported network, its cells beside held-out ones.

    Parameters
    ----------
    cell
        Which screen.
    cells
        Simulated cells of each perturbation and network.

    Returns
    -------
    ``(learned, scores, points, spread, made)``: the `chain_network.Learned`; tables of `table`, `effect_points` and
    `fano`; and the cells of every network by name.
    """
    known = cell.settings()
    data, _ = simulate(known, threads=threads)
    screen = simulated.prepared(data)
    model = gpo.train(screen, GpoTraining(seed=cell.seed), device="cpu", progress=False)
    learned = chain_network.from_model(model, screen, known)
    true, level = cell.network()
    networks = {LEARNED: learned, SHUFFLED: chain_network.shuffled(learned, cell.seed)}
    networks[NOTHING] = chain_network.without_links(learned)
    arguments = (known, screen.labels, cells)
    made = {
        name: chain_cells.simulate(each.network, each.level, *arguments, seed=cell.seed + number, threads=threads)
        for number, (name, each) in enumerate(networks.items())
    }
    made[TRUE] = chain_cells.simulate(true, level, *arguments, seed=cell.seed + len(made), threads=threads)
    effects = {name: effects_of(each, screen.labels) for name, each in made.items()}
    effects[TRAIN] = ate.means(screen, screen.rows("train", passed=True)).ate
    effects[MEAN] = np.broadcast_to(effects[TRAIN].mean(0), effects[TRAIN].shape)
    effects[MODEL] = model.ate(screen.labels)
    test = ate.means(screen, screen.rows("test", passed=True)).ate
    scores = table(effects, test, made, screen).assign(seed=cell.seed)
    points = effect_points(effects, test, screen).assign(seed=cell.seed)
    return learned, scores, points, fano(made, screen).assign(seed=cell.seed), made


def effects_of(made: Cells, labels: tuple[str, ...]) -> np.ndarray:
    """(K, P) ATE of simulated cells."""
    control = made.of(CONTROL)
    return np.array([ate.of_samples(made.of(label), control) for label in labels])


def table(effects: Mapping[str, np.ndarray], test: np.ndarray, made: Mapping[str, Cells], screen: Screen):
    """Scores of every source.

    Returns
    -------
    DataFrame
        source; pearson (ATE over genes and perturbations), pearson_others (without genes that any perturbation hits),
        pearson_off (without the perturbed gene's own effect), mae; wasserstein: mean over perturbations and genes of
        the distance between log-normalised expression in its cells and in held-out ones (nan where there are no
        cells).
    """
    targets = [[screen.genes.index(label)] for label in screen.labels]
    off = np.ones(test.shape, bool)
    off[np.arange(len(test)), [columns[0] for columns in targets]] = False
    rows = []
    for name, predicted in effects.items():
        row = response_metrics.scores(predicted, test, targets=targets).summary().iloc[0]
        flat = np.ptp(predicted[off]) == 0
        pearson = 0.0 if flat else np.corrcoef(predicted[off], test[off])[0, 1]
        found = {"pearson": row["pearson"], "pearson_others": row["pearson_others"], "pearson_off": pearson}
        rows.append({"source": name} | found | {"mae": row["mae"], "wasserstein": _distance(name, made, screen)})
    return pd.DataFrame(rows)


def _distance(name: str, made: Mapping[str, Cells], screen: Screen) -> float:
    if name not in made and name != TRAIN:
        return np.nan
    out = []
    for label in (*screen.labels, CONTROL):
        test = _normalised(screen.counts[screen.rows("test", label, passed=True)].toarray(), screen)
        rows = screen.rows("train", label, passed=True)
        own = made[name].of(label) if name in made else screen.counts[rows].toarray()
        own = _normalised(own, screen)
        if len(test):
            out.append(np.mean([wasserstein_distance(own[:, gene], test[:, gene]) for gene in range(test.shape[1])]))
    return float(np.mean(out))


def _normalised(counts: np.ndarray, screen: Screen) -> np.ndarray:
    library = np.maximum(counts.sum(1, keepdims=True), 1)
    return np.log1p(counts * screen.size_target / library)


def effect_points(effects: Mapping[str, np.ndarray], test: np.ndarray, screen: Screen) -> pd.DataFrame:
    """One row a perturbation and gene: perturbation, gene, held_out, and the effect of every source."""
    index = pd.MultiIndex.from_product([screen.labels, screen.genes], names=["perturbation", "gene"])
    columns = {"held_out": test} | dict(effects)
    return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()}, index=index).reset_index()


def fano(made: Mapping[str, Cells], screen: Screen) -> pd.DataFrame:
    """Variance over mean of the counts of control cells, by gene: held out, and in the cells of every source.

    Held out are the validation and test cells that passed quality control.
    """
    passed = screen.rows(label=CONTROL, passed=True)
    held = passed[screen.split[passed] > 0]
    out = {"gene": screen.genes, "held_out": _fano(screen.counts[held].toarray())}
    out[TRAIN] = _fano(screen.counts[passed[screen.split[passed] == 0]].toarray())
    return pd.DataFrame(out | {name: _fano(each.of(CONTROL)) for name, each in made.items()})


def _fano(counts: np.ndarray) -> np.ndarray:
    mean = counts.mean(0)
    return np.where(mean > 0, counts.var(0, ddof=1) / np.where(mean > 0, mean, 1), np.nan)


def fano_scores(spread: pd.DataFrame) -> pd.DataFrame:
    """Per source and seed: rank correlation with the held-out Fano factor over genes, and median ratio to it."""
    rows = []
    for seed, own in spread.groupby("seed", sort=False):
        for name in (TRUE, LEARNED, NOTHING, SHUFFLED, TRAIN):
            both = own[["held_out", name]].dropna()
            rank = both["held_out"].corr(both[name], method="spearman")
            rows.append((seed, name, rank, float((both[name] / both["held_out"]).median())))
    return pd.DataFrame(rows, columns=["seed", "source", "fano_spearman", "fano_ratio"])


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over screens of every score, by source in the order of `SOURCES`."""
    numbers = [name for name in scores.columns if name not in ("source", "seed")]
    grouped = scores.groupby("source", sort=False)[numbers]
    parts = [grouped.mean(), grouped.min().add_suffix("_low"), grouped.max().add_suffix("_high")]
    whole = pd.concat(parts, axis=1).assign(screens=grouped.size())
    return whole.loc[[name for name in SOURCES if name in whole.index]].reset_index()
