"""Perturbation models as plain functions: fit, predict, network, evaluate.

    from regulome.perturbation import library

    screen = library.read_screen("my_cells.h5ad")                # raw counts, or a prepared screen
    model = library.fit(screen, seed=0)                          # our GPO-VAE; "gpo": the published one, corrected
    cells = library.predict(model, ["STAT1", "JAK2+STAT1"])      # AnnData of sampled cells
    means = library.pseudobulk(model, ["STAT1"])                 # (1, P) table
    edges = library.network(model)                               # ranked edges of the learned network
    table = library.evaluate({"GPO-VAE": model}, screen)         # held-out cells, every baseline, a ceiling

What is accepted as "my_cells.h5ad" is in ``docs/perturbation.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, vstack

from regulome.errors import UserError, closest
from regulome.perturbation import ate, edges, evaluation, layouts, learned_files, prepare
from regulome.perturbation import screen as screens
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.gpo_network import NetworkSettings
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.layouts import RawScreen
from regulome.perturbation.learned_files import OURS, Learned, Sampled
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import ModelSettings, TrainingSettings, from_dict
from regulome.perturbation.trained import OBSERVED


def read_screen(
    data: str | Path | RawScreen | Screen,
    preparation: prepare.Settings | None = None,
    summary: pd.DataFrame | None = None,
) -> Screen:
    """A prepared screen: as it is, or from raw counts.

    Parameters
    ----------
    data
        h5ad file, of `screen.save` or of raw counts (``docs/perturbation.md``); or what reading one gives.
    preparation, summary
        For raw counts: see `prepare.prepare`.

    Raises
    ------
    UserError
        As `layouts.read` and `prepare.prepare`.
    """
    if isinstance(data, Screen):
        return data
    if not isinstance(data, RawScreen):
        if is_prepared(data):
            return screens.load(data)
        data = layouts.read(data)
    return prepare.prepare(data, preparation or prepare.Settings(), summary)


def is_prepared(path: str | Path) -> bool:
    """Whether a file is one of `screen.save`; UserError if there is no such file."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; expected an h5ad file of cells")
    try:
        with h5py.File(path) as file:
            return "uns/regulome" in file
    except OSError:
        return False


def fit(
    data: str | Path | RawScreen | Screen,
    model: str | ModelSettings | NetworkSettings = OURS,
    *,
    training: TrainingSettings | GpoTraining | None = None,
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    **changes,
) -> Learned:
    """Train a model.

    Parameters
    ----------
    data
        As for `read_screen`.
    model
        "ours", a published family (`settings.FAMILIES`), or complete settings.
    training
        How (default: our values for our model, the published ones for the others); its seed is replaced by `seed`.
    seed
        Of the initial weights, the batches and the samples.
    device, checkpoint, progress
        See `training.train`: a training that finds its checkpoint goes on from there.
    changes
        Fields of the model's settings: ``compat="published"``, ``basal=20``.

    Raises
    ------
    UserError
        If data or settings are no good.
    """
    screen = read_screen(data)
    settings = model_settings(model) if isinstance(model, str) else model
    settings = from_dict(type(settings), asdict(settings) | changes)
    recipe = training or (GpoTraining() if isinstance(settings, NetworkSettings) else TrainingSettings())
    return learned_files.train(screen, settings, replace(recipe, seed=seed), device, checkpoint, progress)


def model_settings(family: str) -> ModelSettings | NetworkSettings:
    """Settings of a family with its default values; UserError if there is no such family."""
    if family not in learned_files.MODELS:
        known = learned_files.MODELS
        raise UserError(f"model is '{family}'{closest(family, known)}; expected one of {', '.join(known)}")
    return NetworkSettings() if family == OURS else ModelSettings(family=family)


def labels_of(model: Learned, wanted: Sequence[str] | None = None) -> list[str]:
    """The labels that are asked for (default: those of the screen); one label may be given as a text.

    Raises
    ------
    UserError
        If the model cannot predict one of them.
    """
    wanted = list(model.labels) if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    for label in wanted:
        learned_files.check_label(model, label)
    return wanted


def predict(
    model: Learned,
    wanted: Sequence[str] | None = None,
    cells: int = 500,
    *,
    seed: int = 0,
    library: float | str = OBSERVED,
    device: str = "cpu",
) -> anndata.AnnData:
    """Sampled cells of perturbations.

    Parameters
    ----------
    wanted
        Perturbed genes, genes joined by "+" (whether or not they were perturbed together in training), "control";
        default: the perturbations of the screen.
    cells
        Of each.
    library
        UMI of a cell, or "observed": as those of the training controls.

    Returns
    -------
    AnnData
        Counts, ``cells`` rows a perturbation; ``obs["perturbation"]``.

    Raises
    ------
    UserError
        If the model cannot predict one of them.
    """
    if cells < 1:
        raise UserError(f"cells is {cells}; expected at least 1")
    wanted = labels_of(model, wanted)
    counts = [csr_matrix(model.predict(label, n=cells, seed=seed, library=library, device=device)) for label in wanted]
    names = pd.Index([f"{label}_{number}" for label in wanted for number in range(cells)])
    obs = pd.DataFrame({"perturbation": pd.Categorical(np.repeat(wanted, cells))}, index=names)
    return anndata.AnnData(vstack(counts).tocsr(), obs=obs, var=pd.DataFrame(index=list(model.genes)))


def pseudobulk(
    model: Learned,
    wanted: Sequence[str] | None = None,
    *,
    effects: bool = False,
    n: int = 2500,
    seed: int = 0,
    library: float | str = OBSERVED,
    device: str = "cpu",
) -> pd.DataFrame:
    """Mean expression of perturbations, or their average treatment effects.

    Parameters
    ----------
    wanted
        As for `predict`.
    effects
        Whether to subtract the controls' mean: the average treatment effect.
    n
        Sampled cells a perturbation; our model needs none, its means are exact.

    Returns
    -------
    DataFrame
        A row a perturbation, a column a gene: mean of log2(1 + 1e4 counts / their sum).
    """
    wanted = labels_of(model, wanted)
    if effects:
        values = model.ate(wanted, n=n, seed=seed, library=library, device=device)
    else:
        sampling = {} if isinstance(model, Gpo) else {"n": n, "device": device}
        values = np.array([model.pseudobulk(label, seed=seed, library=library, **sampling) for label in wanted])
    return pd.DataFrame(values, index=pd.Index(wanted, name="perturbation"), columns=list(model.genes))


def network(model: Learned, threshold: float = 0.0, count: int | None = None) -> pd.DataFrame:
    """Edges of the learned network, most probable first; the diagonal is left out.

    Parameters
    ----------
    threshold
        Edges of a larger probability alone; published: 0.5.
    count
        At most so many.

    Returns
    -------
    DataFrame
        rank, regulator, target, sign (+1 activation, -1 inhibition; 0 for the published models, which do not know),
        score (probability, with the sign), and for our model effect (log change of the target for a unit of the
        regulator).

    Raises
    ------
    UserError
        If the family has no network.
    """
    signed = isinstance(model, Gpo)
    table = model.network("probability") if signed else model.network()
    genes = list(table.index)
    found = edges.table(edges.as_scores(table, genes), genes, count)
    if signed:
        place, effect = {gene: row for row, gene in enumerate(genes)}, model.network().to_numpy()
        found["effect"] = effect[found["regulator"].map(place), found["target"].map(place)]
    else:
        found["sign"] = 0
    return found[found["score"].abs() > threshold].reset_index(drop=True)


def evaluate(
    fitted: Mapping[str, Learned | Sequence[Learned]] | Learned,
    data: str | Path | Screen,
    *,
    split: str | None = "test",
    library: float | str = OBSERVED,
    n: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of predicted effects against those of held-out cells, beside every baseline and the ceilings.

    Parameters
    ----------
    fitted
        Models by name, one a seed; or one.
    data
        The screen that they were trained on.
    split
        Cells that are the reference; None: all, training cells among them (the published, leaky reference).
    library, n
        Of the sampled cells.

    Returns
    -------
    DataFrame
        See `evaluation.evaluate`; kind says "model", "baseline" or "ceiling".
    """
    screen = read_screen(data)
    fitted = {"model": fitted} if isinstance(fitted, Learned) else dict(fitted)
    named = {name: [one] if isinstance(one, Learned) else list(one) for name, one in fitted.items()}
    for several in named.values():
        for one in several:
            one.check(screen)
    reference = evaluation.reference(screen, split)
    train_means, tuning = ate.of_split(screen, "train"), ate.of_split(screen, "validation")
    simple = {name: [one] for name, one in evaluation.standard(train_means, tuning, screen.genes).items()}
    sampled = {name: [Sampled(one, library, n) for one in several] for name, several in named.items()}
    table = evaluation.evaluate(simple | sampled, reference, seed=seed)
    table["kind"] = np.where(table["predictor"].isin(list(named)), "model", "baseline")
    ceilings = evaluation.ceilings(screen, reference, seed=seed).assign(kind="ceiling")
    return pd.concat([table, ceilings], ignore_index=True)
