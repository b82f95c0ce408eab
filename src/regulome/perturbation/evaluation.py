"""Score predictors of effects against measured ones: which cells are the reference, which baselines, which intervals.

Effects measured on held-out cells are the reference. The published one is built from all cells, training cells among
them: it leaks, and stands beside under its own name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from regulome.errors import UserError
from regulome.perturbation import ate
from regulome.perturbation import response_baselines as baselines
from regulome.perturbation.ate import Means, Predictor
from regulome.perturbation.response_metrics import TITLES, Scores, bootstrap, normalised, scores
from regulome.perturbation.screen import CONTROL, JOIN, Screen

HELD_OUT, LEAKY = "held-out cells", "all cells (leaky, as published)"
HALF, VALIDATION, PERFECT = "half against half", "validation cells", "true effects (estimated)"
CEILINGS = (HALF, VALIDATION, PERFECT)
MINIMUM = 2  # cells of a perturbation in the reference


@dataclass(frozen=True)
class Reference:
    """Measured effects to compare with.

    Attributes
    ----------
    name
        Of the cells.
    labels
        K perturbations.
    truth
        (K, P) effects.
    cells
        (K,) cells of each perturbation.
    targets
        Columns of the genes that each perturbation hits; those that are not measured have none.
    significant
        (K, P) genes that differ from controls (Wilcoxon, Benjamini-Hochberg), or None.
    """

    name: str
    labels: tuple[str, ...]
    truth: np.ndarray
    cells: np.ndarray
    targets: tuple[tuple[int, ...], ...]
    significant: np.ndarray | None

    def score(self, predictor: Predictor, seed: int = 0) -> Scores:
        """Scores of one predictor; a prediction that is not finite is a `UserError`."""
        return self.score_effects(predictor.ate(self.labels, seed=seed))

    def score_effects(self, effects: np.ndarray) -> Scores:
        """Scores of predicted effects (K, P)."""
        return scores(effects, self.truth, targets=self.targets, significant=self.significant)


def reference(
    screen: Screen,
    split: str | None = "test",
    labels: Sequence[str] | None = None,
    fdr: float | None = 0.05,
    method: str = ate.PUBLISHED,
) -> Reference:
    """Effects among the cells of one split (None: all cells, the leaky reference).

    Parameters
    ----------
    labels
        Perturbations to keep (default: all); those with fewer than `MINIMUM` cells in the split are left out.
    fdr
        False discovery rate of the differential genes; None skips the tests.

    Raises
    ------
    UserError
        If the split has no controls, or no perturbation has enough cells.
    """
    found = ate.of_split(screen, split, method)
    wanted = set(screen.labels if labels is None else labels)
    keep = [row for row, name in enumerate(found.labels) if found.cells[row] >= MINIMUM and name in wanted]
    if not keep:
        raise UserError(f"{screen.name}: no perturbation has {MINIMUM} cells in the split '{split or 'all'}'")
    names = tuple(found.labels[row] for row in keep)
    place = {gene: column for column, gene in enumerate(screen.genes)}
    targets = tuple(tuple(place[gene] for gene in name.split(JOIN) if gene in place) for name in names)
    significant = None if fdr is None else differential(screen, screen.rows(split), names, fdr)
    name = LEAKY if split is None else HELD_OUT if split == "test" else f"{split} cells"
    return Reference(name, names, found.ate[keep], found.cells[:-1][keep], targets, significant)


def differential(screen: Screen, rows: np.ndarray, labels: Sequence[str], fdr: float = 0.05) -> np.ndarray:
    """(K, P) whether y of a gene differs between perturbed and control cells.

    Wilcoxon rank-sum test (normal approximation, ties corrected), Benjamini-Hochberg over the genes of a perturbation.
    scipy rather than scanpy, whose correction for ties took minutes for a screen of 299 genes.
    """
    control = _dense(screen, rows, CONTROL)
    out = np.zeros((len(labels), len(screen.genes)), bool)
    for row, name in enumerate(labels):
        p = stats.mannwhitneyu(_dense(screen, rows, name), control, axis=0, method="asymptotic").pvalue
        out[row] = stats.false_discovery_control(np.nan_to_num(p, nan=1.0)) < fdr  # nan: the same value in all cells
    return out


def _dense(screen: Screen, rows: np.ndarray, label: str) -> np.ndarray:
    return ate.transformed(screen.counts[np.intersect1d(rows, screen.rows(label=label))]).toarray()


def standard(train: Means, validation: Means | None, genes: Sequence[str]) -> dict[str, Predictor]:
    """Baselines for perturbations that training has seen; the shrinkage is chosen on validation cells."""
    out: dict[str, Predictor] = {
        baselines.NO_CHANGE: baselines.no_change(train),
        baselines.GLOBAL: baselines.global_mean(train),
        baselines.TRAIN: baselines.train_mean(train),
    }
    if validation is not None:
        out[baselines.SHRUNKEN] = baselines.best_shrunken(train, validation)[1]
    return out | {baselines.LINEAR: baselines.linear(train, genes)}


def evaluate(
    predictors: Mapping[str, Sequence[Predictor]],
    ref: Reference,
    *,
    base: str = baselines.TRAIN,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Every score of every predictor.

    Parameters
    ----------
    predictors
        By name, one for each seed of training (a baseline has one).
    base
        Predictor that the others are compared with on the same draws of perturbations, if it is among them.
    draws
        Draws of perturbations for the intervals.

    Returns
    -------
    Rows: reference, predictor, metric, value (mean over seeds), sd over seeds, seeds, low and high (95 % of draws of
    perturbations, of the mean over seeds), gain over `base` with its interval, normalised (0: as `base`, 1: perfect).
    """
    weights = bootstrap(len(ref.labels), draws, seed)
    found = {
        name: [ref.score(one, seed + place) for place, one in enumerate(several)]
        for name, several in predictors.items()
    }
    return _table(found, weights, ref.name, base)


def _table(found: Mapping[str, Sequence[Scores]], weights: np.ndarray, where: str, base: str) -> pd.DataFrame:
    point = {name: pd.concat([one.summary() for one in several]) for name, several in found.items()}
    drawn = {name: sum(one.summary(weights) for one in several) / len(several) for name, several in found.items()}
    rows = []
    for name in found:
        for metric in point[name]:
            values = point[name][metric]
            row = {"reference": where, "predictor": name, "metric": metric, "value": values.mean()}
            row |= {"sd": values.std() if len(values) > 1 else np.nan, "seeds": len(values)}
            row["low"], row["high"] = _interval(drawn[name][metric])
            if base in found:
                other = point[base][metric].mean()
                row["gain"] = row["value"] - other
                row["normalised"] = normalised(row["value"], other, higher_is_better=metric != "mae")
                row["gain_low"], row["gain_high"] = _interval(drawn[name][metric] - drawn[base][metric])
            rows.append(row)
    return pd.DataFrame(rows)


def _interval(values: pd.Series) -> tuple[float, float]:
    values = values.dropna()
    return tuple(np.quantile(values, [0.025, 0.975])) if len(values) else (np.nan, np.nan)


def ceilings(screen: Screen, ref: Reference, seeds: int = 10, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """How far measured effects agree with themselves, in the rows of `evaluate`.

    "half against half": one half of the training cells predicts the other, `seeds` random halves. "validation cells"
    predict the reference. "true effects (estimated)": Pearson correlation that the true effects would have with the
    reference, from the correlations between the three splits; only this one bounds every predictor.
    """
    weights = bootstrap(len(ref.labels), draws, seed)
    keep = [screen.labels.index(name) for name in ref.labels]
    pairs = [baselines.halves(screen, screen.rows("train"), seed + i) for i in range(seeds)]
    pairs = [(a.ate[keep], b.ate[keep]) for a, b in pairs]
    options = {"targets": ref.targets, "significant": ref.significant}
    halves = [scores(b, a, **options) for a, b in pairs if np.isfinite(a).all() and np.isfinite(b).all()]
    train, validation = (ate.of_split(screen, name).ate[keep] for name in ("train", "validation"))
    found = {HALF: halves} if halves else {}
    if np.isfinite(validation).all():
        found[VALIDATION] = [ref.score_effects(validation)]
    table = _table(found, weights, ref.name, "")
    if ref.name != HELD_OUT or not np.isfinite(validation).all() or not np.isfinite(train).all():
        return table
    limit = [baselines.perfect_pearson(*(m[rows] for m in (train, validation, ref.truth))) for rows in _drawn(weights)]
    low, high = _interval(pd.Series(limit[1:]))
    row = {"reference": ref.name, "predictor": PERFECT, "metric": "pearson", "value": limit[0], "seeds": 1}
    return pd.concat([table, pd.DataFrame([row | {"low": low, "high": high}])], ignore_index=True)


def _drawn(weights: np.ndarray) -> list[np.ndarray]:
    rows = np.arange(weights.shape[1])
    return [rows, *(np.repeat(rows, times) for times in weights)]


def by_perturbation(predictors: Mapping[str, Sequence[Predictor]], ref: Reference, seed: int = 0) -> pd.DataFrame:
    """Scores of each predictor and perturbation, means over seeds.

    Columns: predictor, perturbation, cells, size (root mean square of the true effect), pearson, and the scores that
    `Scores.values` has.
    """
    size = np.sqrt((ref.truth**2).mean(1))
    parts = []
    for name, several in predictors.items():
        effects = [one.ate(ref.labels, seed=seed + place) for place, one in enumerate(several)]
        values = sum(ref.score_effects(matrix).values for matrix in effects) / len(effects)
        pearson = np.mean([[_pearson(a, b) for a, b in zip(m, ref.truth, strict=True)] for m in effects], axis=0)
        known = {"predictor": name, "perturbation": ref.labels, "cells": ref.cells, "size": size, "pearson": pearson}
        parts.append(pd.DataFrame(known).join(values))
    return pd.concat(parts, ignore_index=True)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan


def wide(table: pd.DataFrame, metrics: Sequence[str] = tuple(TITLES)) -> pd.DataFrame:
    """Predictors by metrics, "value" alone, in the order of the rows: for reading."""
    order = list(dict.fromkeys(table["predictor"]))
    pivot = table.pivot(index="predictor", columns="metric", values="value").loc[order]
    return pivot[[name for name in metrics if name in pivot]]
