"""Trained models as predictors: found in a folder, sampled once, then looked up like any baseline."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.errors import UserError
from regulome.perturbation import ate, iwelbo, learned_files, qc_rate
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.gpo_network import NetworkSettings
from regulome.perturbation.gpo_response import SPECIFIC
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.learned_files import Learned
from regulome.perturbation.library import fit
from regulome.perturbation.response_baselines import Table
from regulome.perturbation.screen import CONTROL, Screen
from regulome.perturbation.settings import TrainingSettings, from_dict
from regulome.perturbation.sweep import VARIANTS

FILE = r"(?P<name>.+)_seed(?P<seed>\d+)\.pt"


def load(folder: str | Path, screen: Screen) -> dict[str, list[Learned]]:
    """Models of a folder, NAME_seedS.pt, by title and in the order of seeds; none if there is no such folder.

    Titles, and the order of models, are those of `sweep.VARIANTS`; a model that is not listed there keeps its name.

    Raises
    ------
    UserError
        If a file is damaged, or a model was trained on other genes or perturbations.
    """
    found: dict[str, dict[int, Learned]] = {}
    for path in sorted(Path(folder).glob("*.pt")):
        match = re.fullmatch(FILE, path.name)
        if match:
            model = learned_files.load(path)
            model.check(screen)
            found.setdefault(match["name"], {})[int(match["seed"])] = model
    listed = [name for name in VARIANTS if name in found]
    titles = {name: VARIANTS[name].title if name in VARIANTS else name for name in [*listed, *sorted(found)]}
    return {words: [found[name][seed] for seed in sorted(found[name])] for name, words in titles.items()}


def specific(models: Mapping[str, Sequence[Learned]]) -> dict[str, list[Learned]]:
    """Our models with their estimate "specific" (see `gpo_response`), under a title of its own."""
    own = {name: several for name, several in models.items() if isinstance(several[0], Gpo)}
    return {f"{name}, specific": [replace(one, estimate=SPECIFIC) for one in several] for name, several in own.items()}


def ours(screen: Screen, seed: int = 0) -> dict[str, Learned]:
    """Our model trained with its own settings, with both of its estimates, by title."""
    model = fit(screen, seed=seed, device="cpu", progress=False)
    models = {VARIANTS[learned_files.OURS].title: [model]}
    return {name: several[0] for name, several in (models | specific(models)).items()}


def effects(
    models: Mapping[str, Sequence[Learned]],
    labels: Sequence[str],
    cells: int = 2500,
    seed: int = 0,
    method: str = ate.PUBLISHED,
    library: float | str = qc_rate.OBSERVED,
    device: str = "cpu",
) -> dict[str, list[Table]]:
    """Effects from `cells` sampled cells of each perturbation and as many controls, once for every model.

    As published, mask, effects and basal latents are drawn anew for every cell, which is decoded as passing quality
    control.

    Parameters
    ----------
    library
        "observed": sampled cells have libraries of real controls. 1e4, as published: then y, a concave function of the
        share of a gene, has other means than in real cells of a few hundred UMI, and so have effects.

    Raises
    ------
    UserError
        If an effect is not finite, or a model cannot predict one of the labels.
    """
    options = {"n": cells, "seed": seed, "library": library, "device": device}
    return {name: [_table(one, labels, method, options) for one in several] for name, several in models.items()}


def _table(model: Learned, labels: Sequence[str], method: str, options: dict) -> Table:
    if method == ate.PUBLISHED:
        found = model.ate(labels, **options)
    else:
        control = model.predict(CONTROL, **options)
        found = np.array([ate.of_samples(model.predict(label, **options), control, method) for label in labels])
    if not np.isfinite(found).all():
        raise UserError(f"a model ({type(model).__name__}) predicts effects that are not finite")
    return Table(dict(zip(labels, found, strict=True)), np.full(found.shape[1], np.nan))


def refit(
    models: Mapping[str, Sequence[Learned]], screen: Screen, names: Sequence[str], epochs: int, device: str = "cpu"
) -> dict[str, list[Learned]]:
    """Train some models anew on a screen with another split: their own settings, the first of their seeds.

    Names without a model are left out, so that the same list serves folders with other models.
    """
    chosen = {name: models[name][0] for name in names if name in models}
    return {name: [_again(model, screen, epochs, device)] for name, model in chosen.items()}


def refitted(models: Mapping[str, Sequence[Learned]], screen: Screen, **options) -> dict[str, Learned]:
    """The models of `refit`, one a name: predictors for `held_out.over_splits`."""
    return {name: several[0] for name, several in refit(models, screen, **options).items()}


def _again(model: Learned, screen: Screen, epochs: int, device: str) -> Learned:
    recipe = model.record["training"] | {"epochs": epochs}
    if isinstance(model, Gpo):
        settings, training = from_dict(NetworkSettings, model.record["network"]), from_dict(GpoTraining, recipe)
    else:
        settings, training = model.settings, from_dict(TrainingSettings, recipe)
    return learned_files.train(screen, settings, training, device, progress=False)


def predict_unseen(models: Mapping[str, Sequence[Learned]]) -> list[str]:
    """Names of the models that can predict a perturbation without training cells: ours alone, through its network."""
    return [name for name, several in models.items() if isinstance(several[0], Gpo)]


def bounds(
    models: Mapping[str, Sequence[Learned]], screen: Screen, rows: np.ndarray, particles: int = 100, seed: int = 0
) -> pd.DataFrame:
    """IWELBO of the given cells, nats: a row for each model and seed of training."""
    found = [
        {"model": name, "training": place} | iwelbo.summary(iwelbo.of_cells(model, screen, rows, particles, seed))
        for name, several in models.items()
        for place, model in enumerate(several)
    ]
    return pd.DataFrame(found, columns=["model", "training", "iwelbo", "iwelbo_error", "elbo", "cells"])


def pass_rates(
    models: Mapping[str, Sequence[Learned]], screen: Screen, labels: Sequence[str], cells: int = 100, seed: int = 0
) -> pd.DataFrame:
    """QC pass rate of generated cells: rows model, training, library, k, passing, cells; the real cells first."""
    parts = [qc_rate.real(screen).assign(model="real cells", training=0, library=qc_rate.OBSERVED)]
    for name, several in models.items():
        for place, model in enumerate(several):
            for library in (qc_rate.OBSERVED, qc_rate.PUBLISHED):
                found = qc_rate.generated(model, screen, labels, cells, library, seed=seed)
                parts.append(found.assign(model=name, training=place, library=str(library)))
    return pd.concat(parts, ignore_index=True)[["model", "training", "library", "k", "passing", "cells"]]
