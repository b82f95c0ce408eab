"""Perturbations and combinations without a training cell: splits, baselines that can predict them, scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from regulome.errors import UserError
from regulome.perturbation import ate, prepare, splits
from regulome.perturbation import response_baselines as baselines
from regulome.perturbation.ate import Means, Predictor
from regulome.perturbation.evaluation import Reference, evaluate, reference
from regulome.perturbation.screen import JOIN, SPLITS, Screen


def unseen(train: Means, genes: Sequence[str]) -> dict[str, Predictor]:
    """Baselines for perturbations without training cells."""
    return {
        baselines.NO_CHANGE: baselines.no_change(train),
        baselines.GLOBAL: baselines.global_mean(train),
        baselines.KNOCKDOWN: baselines.knockdown(train, genes),
        baselines.LINEAR: baselines.linear(train, genes),
    }


def combinations(train: Means, validation: Means | None, genes: Sequence[str]) -> dict[str, Predictor]:
    """Baselines for combinations of genes that training has seen alone; "(shrunken)" adds shrunken single effects."""
    out = {name: one for name, one in unseen(train, genes).items() if name != baselines.KNOCKDOWN}
    out[baselines.ADDITIVE] = baselines.of_singles(train, baselines.ADDITIVE)
    out[baselines.MATCHING] = baselines.of_singles(train, baselines.MATCHING)
    if validation is not None:
        singles = baselines.best_shrunken(train, validation)[1]
        out[f"{baselines.ADDITIVE} (shrunken)"] = baselines.of_singles(train, baselines.ADDITIVE, singles)
    return out


def over_splits(
    screen: Screen, kind: str, seeds: Sequence[int], fit: Callable[[Screen], Mapping[str, Predictor]] | None = None
) -> pd.DataFrame:
    """Scores where whole "perturbations" or "combinations" are held out, over several random splits.

    Parameters
    ----------
    fit
        Trains models on the screen of a split; None: the baselines alone.

    Returns
    -------
    Rows: split (seed), held_out (perturbations), predictor, metric, value. A perturbation of the test split has no cell
    in training; controls are split at random.
    """
    parts = []
    for seed in seeds:
        other = resplit(screen, kind, seed)
        train = ate.of_split(other, "train")
        ref = reference(other, "test", unseen_labels(other), fdr=None)
        simple = unseen(train, screen.genes) if kind == "perturbations" else combinations(train, None, screen.genes)
        predictors = simple | dict(fit(other) if fit else {})
        table = evaluate({name: [one] for name, one in predictors.items()}, ref, base=baselines.GLOBAL, draws=2)
        parts.append(table[["predictor", "metric", "value"]].assign(split=seed, held_out=len(ref.labels)))
    return pd.concat(parts, ignore_index=True)[["split", "held_out", "predictor", "metric", "value"]]


def resplit(screen: Screen, kind: str, seed: int) -> Screen:
    """The screen with another split; matched controls stay as they are: effects do not use them, models do."""
    if kind not in ("perturbations", "combinations"):
        raise UserError(f"kind is '{kind}'; expected perturbations or combinations")
    if kind == "perturbations":
        return replace(screen, split=splits.by_perturbation(screen.labels, screen.label, seed))
    return replace(screen, split=splits.by_combination(screen.labels, screen.label, seed))


def unseen_labels(screen: Screen) -> list[str]:
    """Perturbations of the test split that have no training cell."""
    cells = [np.bincount(screen.label[screen.rows(name)] + 1, minlength=len(screen.labels) + 1) for name in SPLITS]
    return [name for row, name in enumerate(screen.labels) if cells[2][row + 1] and not cells[0][row + 1]]


def summary_over_splits(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and range over the splits of `over_splits`, in columns that `evaluate` has too."""
    groups = table.groupby(["predictor", "metric"], sort=False)["value"]
    out = groups.agg(value="mean", sd="std", seeds="count", low="min", high="max").reset_index()
    return out.assign(reference=f"held out, {table['split'].nunique()} splits")


@dataclass(frozen=True)
class Held:
    """Perturbations without training cells: what is measured, and baselines that can predict it."""

    screen: Screen
    reference: Reference
    predictors: dict[str, list[Predictor]]


def pairs(screen: Screen, seed: int = 0) -> Held | None:
    """All combinations held out, single perturbations in training; None for a screen without combinations.

    Controls are matched anew within the new split, as the screen was prepared.
    """
    if not any(JOIN in name for name in screen.labels):
        return None
    other = resplit(screen, "combinations", seed)
    other = prepare.pair(other, prepare.Settings.of(screen.settings))
    train, validation = (ate.of_split(other, name) for name in ("train", "validation"))
    ref = reference(other, "test", unseen_labels(other))
    predictors = combinations(train, validation, screen.genes)
    return Held(other, ref, {name: [one] for name, one in predictors.items()})
