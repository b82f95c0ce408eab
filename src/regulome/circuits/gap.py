"""Gap-gene patterning (Fig. 5 of Shen et al. 2021): tasks, patterns, mutants and forecasts of trained networks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from regulome.circuits.gap_data import GENES, series_array
from regulome.circuits.morphogens import maternal_inputs
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.task import Task

INPUTS = ("Bcd", "Tor")
REGULATORS = INPUTS + GENES
STEPS, DT = 30, 0.1  # the paper says dt = 0.2, its code has 0.1 for this figure


@dataclass(frozen=True)
class Mutant:
    """A genotype: factor on the rate f of each gene, and dosage of the two maternal inputs."""

    activity: tuple[float, float, float, float] = (1, 1, 1, 1)
    bcd: float = 1.0
    tor: float = 1.0


MUTANTS = {
    "wild type": Mutant(),
    "hb-": Mutant((0, 1, 1, 1)),
    "Kr-": Mutant((1, 0, 1, 1)),
    "kni-": Mutant((1, 1, 0, 1)),
    "gt-": Mutant((1, 1, 1, 0)),
    "bcd-": Mutant(bcd=0),
    "bcd x0.5": Mutant(bcd=0.5),
    "bcd x2": Mutant(bcd=2),
    "tsl-": Mutant(tor=0),
}


def gap_task(profile: pd.DataFrame, steps: int = STEPS, dt: float = DT) -> Task:
    """From no gap protein at all to the measured profile at the last step; one case a position.

    The loss is the root of the mean squared error over positions and genes.
    """
    targets = np.full((len(profile), steps, len(GENES)), np.nan)
    targets[:, -1] = profile[list(GENES)]
    return _task("gap genes", profile["x"], targets, np.zeros(len(GENES)), dt)


def time_series_task(series: pd.DataFrame, steps_per_class: int, dt: float = DT, classes: int | None = None) -> Task:
    """From the first measured class through the later ones, ``steps_per_class`` Euler steps apart.

    ``classes`` keeps only the first so many classes (the rest is held out).
    """
    levels = series_array(series)[:, :classes]
    targets = np.full((len(levels), (levels.shape[1] - 1) * steps_per_class, len(GENES)), np.nan)
    targets[:, steps_per_class - 1 :: steps_per_class] = levels[:, 1:]
    positions = np.sort(series["x"].unique())
    return _task("gap genes over time", positions, targets, levels[:, 0], dt)


def _task(name: str, x, targets: np.ndarray, initial: np.ndarray, dt: float) -> Task:
    cases, steps, _ = targets.shape
    return Task(
        name=name,
        genes=GENES,
        inputs=INPUTS,
        dt=dt,
        input_values=np.repeat(maternal_inputs(x)[:, None], steps, axis=1),
        targets=targets,
        initial=np.asarray(initial, dtype=float),
        stationary=np.zeros(cases, dtype=bool),
        links=np.ones((len(REGULATORS), len(GENES)), dtype=bool),
        case_names=tuple(f"x = {value:g}" for value in x),
        loss="root_mean",
    )


@torch.no_grad()
def pattern(
    network: CircuitNetwork, x: np.ndarray, mutant: Mutant = MUTANTS["wild type"], steps: int = STEPS
) -> np.ndarray:
    """(R, P, 4) pattern after ``steps`` Euler steps from zero, of the wild type or a mutant genotype."""
    inputs = np.repeat(maternal_inputs(x, mutant.bcd, mutant.tor)[:, None], steps, axis=1)
    return simulate(network, inputs, DT, activity=torch.tensor(mutant.activity))[:, :, -1].numpy()


def boundary_shift(fitted: np.ndarray, measured: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mean displacement of a domain along the axis: Wasserstein-1 distance between profiles of equal mass.

    Parameters
    ----------
    fitted, measured
        (..., P, 4) and (P, 4) non-negative levels.

    Returns
    -------
    numpy.ndarray
        (..., 4) displacement per gene, in the unit of x; by optimal transport on the line (POT).
    """
    import ot

    def mass(values):
        values = np.clip(values, 1e-12, None).reshape(-1, len(x))
        return (values / values.sum(1, keepdims=True)).T

    lead = fitted.shape[:-2]
    ours = np.moveaxis(fitted, -1, -2).reshape(-1, len(x))
    theirs = np.broadcast_to(np.moveaxis(measured, -1, -2), (*lead, len(GENES), len(x))).reshape(-1, len(x))
    grid = np.asarray(x, dtype=float)[:, None]
    distance = [
        ot.wasserstein_1d(grid[:, 0], grid[:, 0], mass(a)[:, 0], mass(b)[:, 0], p=1)
        for a, b in zip(ours, theirs, strict=True)
    ]
    return np.array(distance).reshape(*lead, len(GENES))


def mutant_summary(wild_type: np.ndarray, mutant: np.ndarray) -> dict[str, np.ndarray]:
    """Kr mutant in numbers: peak of kni, mean of hb and of gt along the axis, wild type and mutant; (R,) each.

    ``wild_type`` and ``mutant`` are (R, P, 4) patterns.
    """
    kni, hb, gt = GENES.index("kni"), GENES.index("hb"), GENES.index("gt")
    return {
        "kni_peak_wild_type": wild_type[..., kni].max(-1),
        "kni_peak_mutant": mutant[..., kni].max(-1),
        "hb_mean_wild_type": wild_type[..., hb].mean(-1),
        "hb_mean_mutant": mutant[..., hb].mean(-1),
        "gt_mean_wild_type": wild_type[..., gt].mean(-1),
        "gt_mean_mutant": mutant[..., gt].mean(-1),
    }


# The same numbers of the networks published with the paper (mean of 7 runs).
PUBLISHED_MUTANT = {
    "kni_peak_wild_type": 0.86,
    "kni_peak_mutant": 0.13,
    "hb_mean_wild_type": 0.45,
    "hb_mean_mutant": 0.60,
    "gt_mean_wild_type": 0.26,
    "gt_mean_mutant": 0.40,
}


@torch.no_grad()
def time_course(network: CircuitNetwork, task: Task, steps: int, steps_per_class: int) -> np.ndarray:
    """(R, P, K, 4) levels at every class, running ``steps`` Euler steps from the first class (beyond the training)."""
    inputs = np.repeat(task.input_values[:, :1], steps, axis=1)
    return simulate(network, inputs, task.dt)[:, :, steps_per_class - 1 :: steps_per_class].numpy()


def forecast_errors(course: np.ndarray, levels: np.ndarray, trained_classes: int) -> dict[str, np.ndarray]:
    """Mean squared errors over time classes, and of two forecasts that need no model.

    Parameters
    ----------
    course
        (R, P, K - 1, 4) model at classes 2 to K.
    levels
        (P, K, 4) measured classes.
    trained_classes
        Number of classes that the training saw; the later ones are held out.

    Returns
    -------
    dict
        "trained" and "held out" (R,); "persistence" (the last class seen stays) and "linear" (the last change seen goes
        on, not below zero), numbers.
    """
    squared = (course - levels[None, :, 1:]) ** 2
    last, change = levels[:, trained_classes - 1], levels[:, trained_classes - 1] - levels[:, trained_classes - 2]
    future = levels[:, trained_classes:]
    ahead = np.arange(1, future.shape[1] + 1)[None, :, None]
    linear = np.clip(last[:, None] + ahead * change[:, None], 0, None)
    return {
        "trained": squared[:, :, : trained_classes - 1].mean((1, 2, 3)),
        "held out": squared[:, :, trained_classes - 1 :].mean((1, 2, 3)),
        "persistence": ((future - last[:, None]) ** 2).mean(),
        "linear": ((future - linear) ** 2).mean(),
    }


def mutant_table(network: CircuitNetwork, x: np.ndarray) -> pd.DataFrame:
    """Mean level of each gene along the axis in every genotype of `MUTANTS`, median over runs."""
    rows = {name: np.median(pattern(network, x, genotype).mean(1), axis=0) for name, genotype in MUTANTS.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(GENES)).rename_axis("genotype").reset_index()
