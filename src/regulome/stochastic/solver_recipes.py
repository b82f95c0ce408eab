"""Every recipe and baseline of the solver's notebooks, scored alike on held-out exact laws."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.stochastic import accuracy
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.published_training import FINE_TUNING, PublishedSettings, fine_tune, pretrain
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_experiments import mean_law, sequence_operations
from regulome.stochastic.transformer import named

OURS = "ours"
EQUAL = "published recipe, equal arithmetic"
LEAN = "published recipe, unused passes left out"
BOTH = "published recipe, both stages"
MEAN = "mean of the training laws (no prompt)"
NEAREST = "nearest training law"
MOMENTS = "negative binomials, exact moments"
ONE = "one trajectory, published window"
ONE_BETTER = "one trajectory, whole run used"


def published_runs(
    network: StateTransitionNetwork,
    histograms: Dataset,
    validation: Dataset,
    operations: float,
    full: PublishedSettings,
    fine_tuning_epochs: int,
    seed: int,
    progress: bool = True,
) -> tuple[dict[str, Solver], pd.DataFrame]:
    """The published recipe for as much arithmetic as ours took, with and without its unused passes, and both stages.

    The updates are those of the published layout, made through the prefix tree; the arithmetic is that of the layout.

    Parameters
    ----------
    histograms
        Training laws, simulated as published.
    operations
        Floating-point operations of our training.
    full
        Its pre-training, for the recipe with both stages.
    fine_tuning_epochs
        After it, with all prompts of every epoch.

    Returns
    -------
    dict, DataFrame
        Solvers by recipe; recipe, stage, epochs, updates_prompts, teraflop, and validation_kl at every look.
    """
    prompt = sequence_operations(Solver.new(network, named("published"), seed), full.samples)
    epochs = {
        EQUAL: max(1, round(operations / (prompt * full.prompts))),
        LEAN: max(1, round(operations / prompt)),
        BOTH: full.epochs,
    }
    solvers, rows = {}, []
    for recipe, number in epochs.items():
        solver = Solver.new(network, named("published"), seed)
        settings = replace(full, epochs=number, check_every=max(1, number // 20))
        pretrain(solver, histograms, settings, validation, progress)
        each = prompt if recipe == LEAN else prompt * full.prompts
        rows += _looks(solver, recipe, each, 0.0)
        if recipe == BOTH and fine_tuning_epochs:
            tuning = replace(
                FINE_TUNING, epochs=fine_tuning_epochs, prompts=full.prompts, samples=full.samples, seed=full.seed,
                check_every=max(1, fine_tuning_epochs // 20),
            )  # fmt: skip
            fine_tune(solver, histograms, tuning, validation, progress)
            rows += _looks(solver, recipe, each, number * each)
        solvers[recipe] = solver
    return solvers, pd.DataFrame(rows)


def _looks(solver: Solver, recipe: str, operations: float, before: float) -> list[dict]:
    stage = solver.record["stages"][-1]
    return [
        {
            "recipe": recipe,
            "stage": stage["stage"],
            "epoch": epoch,
            "teraflop": (before + epoch * operations) / 1e12,
            "validation_kl": kl,
        }
        for epoch, kl in zip(stage["curve"]["epoch"], stage["curve"]["validation_kl"], strict=True)
    ]


def our_curve(solver: Solver, operations: float) -> pd.DataFrame:
    """Divergences of our training against arithmetic; ``operations`` a step."""
    curve = solver.record["curve"]
    work = np.array(curve["step"]) * operations / 1e12
    return pd.DataFrame({"recipe": OURS, "stage": "tree", "epoch": curve["step"], "teraflop": work}).assign(
        training_kl=curve["kl"], validation_kl=curve["validation_kl"]
    )


def score_solvers(solvers: dict[str, Solver], exact: Dataset) -> pd.DataFrame:
    """`accuracy.score_all` of several solvers of stationary laws."""
    return pd.concat(
        [accuracy.score_all(lambda i, s=s: s.joint(exact.theta[i]), exact, name) for name, s in solvers.items()],
        ignore_index=True,
    )


def score_baselines(training: Dataset, exact: Dataset, seed: int, threads: int | None = None) -> pd.DataFrame:
    """`accuracy.score_all` of what needs no training: see the names at the top of this module."""
    mean = mean_law(training)
    one = {
        ONE: accuracy.simulated_laws(exact.network, exact.theta, seed, True, threads),
        ONE_BETTER: accuracy.simulated_laws(exact.network, exact.theta, seed, False, threads),
    }
    laws = {
        MEAN: lambda i: mean,
        NEAREST: accuracy.nearest_laws(training, exact),
        MOMENTS: lambda i: accuracy.negative_binomials(exact[i]),
    } | {name: found.__getitem__ for name, found in one.items()}
    return pd.concat([accuracy.score_all(law, exact, name) for name, law in laws.items()], ignore_index=True)


def keep(solvers: dict[str, Solver], folder: Path) -> list[str]:
    """Save solvers as NAME.pt; return the file names."""
    for name, solver in solvers.items():
        solver.save(folder / f"{name}.pt")
    return [f"{name}.pt" for name in solvers]


def time_table(solver: Solver, exact: Sequence[Dataset]) -> pd.DataFrame:
    """Moments and divergences of a solver of transient laws: one data set of the same parameter sets for each time.

    Returns
    -------
    DataFrame
        time, and the columns of `accuracy.score_all`.
    """
    tables = []
    for data in exact:
        time = float(data.times[0])

        def law(i: int, data: Dataset = data, time: float = time) -> Distribution:
            return solver.joint(data.theta[i], time)

        tables.append(accuracy.score_all(law, data, OURS).assign(time=time))
    return pd.concat(tables, ignore_index=True)
