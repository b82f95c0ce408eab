"""All methods of the comparison of networks, by name: baselines that need no training, and trained models."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from regulome.perturbation import edge_baselines as simple
from regulome.perturbation import edges, learned_files, library
from regulome.perturbation.direct_effects import direct_effects
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.screen import Screen
from regulome.perturbation.sweep import VARIANTS
from regulome.perturbation.tree_ensemble import tree_ensemble

MEDIAN, MEAN, Z, DISTANCE = "median |Δ|", "mean difference", "mean difference, z-score", "Wasserstein, training cells"
PEARSON, SPEARMAN = "correlation, controls", "rank correlation, controls"
PEARSON_ALL, SPEARMAN_ALL = "correlation, all cells", "rank correlation, all cells"
BOOSTING, FOREST = "tree ensemble, boosting", "tree ensemble, forest"
DIRECT, RANDOM = "direct effects, ridge", "random"
TRAINED = VARIANTS[learned_files.OURS].title
FILE = re.compile(r"(.+)_seed(\d+)\.pt$")
CHEAP = (MEDIAN, MEAN, Z, DISTANCE, DIRECT, PEARSON, SPEARMAN, PEARSON_ALL, SPEARMAN_ALL, RANDOM)
RESAMPLED = (MEDIAN, MEAN, DIRECT, SPEARMAN_ALL)  # networks from cells drawn anew
SEEDED = (BOOSTING, FOREST, RANDOM, TRAINED)  # the others give the same scores every time

Method = Callable[[Screen, int], np.ndarray]


def baselines(trees: int = 100, cells: int = 2000, threads: int = 1, direction: int = -1) -> dict[str, Method]:
    """Every baseline as a function of screen and seed.

    Parameters
    ----------
    trees, cells, threads
        Of the tree ensembles.
    direction
        -1 for knockdowns and knockouts, 1 for activation.
    """
    turn = {"direction": direction}
    ensemble = {"trees": trees, "cells": cells, "threads": threads}
    return {
        MEDIAN: lambda screen, seed: simple.median_delta(screen, **turn),
        MEAN: lambda screen, seed: simple.mean_difference(screen, **turn),
        Z: lambda screen, seed: simple.mean_difference(screen, standardised=True, **turn),
        DISTANCE: lambda screen, seed: simple.wasserstein(screen, **turn),
        DIRECT: lambda screen, seed: direct_effects(screen, **turn),
        PEARSON: lambda screen, seed: simple.correlation(screen),
        SPEARMAN: lambda screen, seed: simple.correlation(screen, kind="spearman"),
        PEARSON_ALL: lambda screen, seed: simple.correlation(screen, "all"),
        SPEARMAN_ALL: lambda screen, seed: simple.correlation(screen, "all", "spearman"),
        BOOSTING: lambda screen, seed: tree_ensemble(screen, seed, "boosting", **ensemble),
        FOREST: lambda screen, seed: tree_ensemble(screen, seed, "forest", **ensemble),
        RANDOM: lambda screen, seed: simple.random(screen, seed),
    }


def ours(screen: Screen, seed: int) -> np.ndarray:
    """Signed effects of the network of our GPO-VAE, trained here with its own settings."""
    return library.fit(screen, seed=seed, device="cpu", progress=False).network()


def run(methods: dict[str, Method], screen: Screen, seeds: Sequence[int]) -> dict[str, list[np.ndarray]]:
    """Score matrices of every method, one a seed; a method without randomness has one alone."""
    out = {}
    for name, method in methods.items():
        chosen = seeds if name in SEEDED else seeds[:1]
        out[name] = [edges.as_scores(method(screen, seed), screen.latent, name) for seed in chosen]
    return out


def models(folder: str | Path, screen: Screen) -> tuple[dict[str, list[np.ndarray]], dict[str, list[np.ndarray]]]:
    """Networks of the trained models of a folder, NAME_seedS.pt, by title and in the order of the seeds.

    Models without a network, such as SAMS-VAE, are left out.

    Returns
    -------
    ``(scores, probabilities)``: what edges are ranked by, and the probability of each edge (with its sign, where the
    model knows signs). For the published families both are sigmoid(W), for our model the first is the effect.

    Raises
    ------
    UserError
        If a file is damaged, or of another screen.
    """
    scores: dict[str, list[np.ndarray]] = {}
    probabilities: dict[str, list[np.ndarray]] = {}
    files = [(match[1], int(match[2]), path) for path in Path(folder).glob("*.pt") if (match := FILE.match(path.name))]
    order = list(VARIANTS)
    for name, _, path in sorted(files, key=lambda each: (order.index(each[0]) if each[0] in order else 99, *each[:2])):
        model = learned_files.load(path)
        if learned_files.facts(model).latent:
            model.check(screen)
            title = VARIANTS[name].title if name in VARIANTS else name
            both = [model.network(), model.network("probability") if isinstance(model, Gpo) else model.network()]
            for found, network in zip((scores, probabilities), both, strict=True):
                found.setdefault(title, []).append(edges.as_scores(network, screen.latent, name))
    return scores, probabilities


def resampled(screen: Screen, seed: int) -> Screen:
    """The screen with its training cells drawn anew, with replacement within each perturbation; the others stay.

    It says how much of a network rests on which cells happened to be sequenced, also for methods without randomness.
    """
    rng, rows = np.random.default_rng([seed, 242]), np.arange(len(screen))
    for label in range(-1, len(screen.labels)):
        own = np.flatnonzero((screen.label == label) & (screen.split == 0))
        if len(own):
            rows[own] = rng.choice(own, len(own))
    controls = {row: place for place, row in enumerate(rows)}  # a drawn copy of each matched control, if there is one
    pool = np.flatnonzero((screen.label < 0) & (screen.split == 0))
    control = [controls.get(screen.control[row], -1) for row in rows]
    control = np.array([place if place >= 0 else rng.choice(pool) for place in control])
    return replace(
        screen,
        counts=screen.counts[rows],
        qc_fail=screen.qc_fail[rows],
        control=control,
        counterfactual_row=screen.counterfactual_row[rows],
        covariates=screen.covariates.iloc[rows],
    )
