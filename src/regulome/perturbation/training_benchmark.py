"""Training speed of the GPO-VAE: our step against a straightforward one with the same network, in one run on one CPU.

    python -m regulome.perturbation.training_benchmark           # a network of 3.1 million parameters; a minute
    python -m regulome.perturbation.training_benchmark --k562    # and seconds an epoch of the size of Replogle K562

Ours: exact divergences, one particle (or a pair of opposite ones, or five), only the perturbations of the batch, only
the quality that a cell has, a negative binomial that touches the nonzero counts. Straightforward: `training_reference`.
Both take the same batches of the same simulated screen. Times are processor times of one thread, medians over
alternating steps, so that a busy machine changes them little.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from scipy.sparse import csr_matrix, vstack

from regulome.errors import UserError, as_message
from regulome.perturbation import training_reference
from regulome.perturbation.noise import Noise
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import ModelSettings, TrainingSettings
from regulome.perturbation.training_run import Run
from regulome.tables import csv_bytes

K562 = {"cells": 129_478, "training": 82_865, "validation": 20_717, "genes": 8_563, "perturbed": 622, "latent": 1_546}
SMALL = {"genes": 2_000, "perturbed": 100, "latent": 200}
UMI = 1.4  # mean counts of a gene in a cell, about that of Replogle K562


def workload(cells: int, genes: int, perturbed: int, latent: int, seed: int = 0) -> Screen:
    """A simulated screen without any effects: its counts have the sparsity of real ones, nothing is to be learned."""
    rng = np.random.default_rng(seed)
    share = rng.lognormal(0, 1.5, genes)
    share *= UMI * genes / share.sum()
    blocks = [csr_matrix(rng.poisson(rng.gamma(2, share / 2, (1, genes))), dtype=np.float32) for _ in range(cells)]
    names = tuple(f"G{i:05d}" for i in range(genes))
    return Screen(
        name="simulated screen without effects",
        counts=vstack(blocks, format="csr"),
        genes=names,
        labels=names[:perturbed],
        label=rng.integers(-1, perturbed, cells),
        latent=names[:latent],
        perturbed=perturbed,
        split=rng.choice(2, cells, p=[0.8, 0.2]),
        qc_fail=rng.random(cells) < 0.2,
        control=rng.integers(0, cells, cells),
        counterfactual=np.tile(np.round(share), (2 * perturbed, 1)).astype(np.float32),  # medians: rare genes are 0
        counterfactual_row=rng.integers(0, 2 * perturbed, cells),
        covariates=pd.DataFrame(index=np.arange(cells).astype(str)),
    )


def our_step(screen: Screen, settings: ModelSettings, particles: int, antithetic: bool, batch: int) -> Callable:
    """A function that makes one training step on rows of the screen."""
    run = Run(screen, settings, TrainingSettings(particles=particles, antithetic=antithetic, batch=batch), "cpu")
    noise = Noise((0,), particles, antithetic)
    return lambda rows: run.step(run.reader.batch(rows), noise)


def straightforward_step(screen: Screen, settings: ModelSettings, particles: int, batch: int) -> Callable:
    """The same for the straightforward loss, with torch's plain Adam."""
    run = Run(screen, settings, TrainingSettings(batch=batch), "cpu")
    cells, model = torch.from_numpy(run.reader.cells).float(), run.network
    adam = torch.optim.Adam(model.parameters(), lr=3e-4, weight_decay=1e-6)

    def step(rows: np.ndarray) -> None:
        part = training_reference.dense_batch(run.reader, rows)
        terms = training_reference.loss_terms(model, part, cells, run.reader.failing, particles)
        adam.zero_grad()
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        adam.step()

    return step


def steps(screen: Screen, settings: ModelSettings, batch: int) -> dict[str, Callable]:
    """All steps that are compared, by name."""
    published = replace(settings, compat="published")
    return {
        "straightforward, 5 particles, relaxed densities": straightforward_step(screen, published, 5, batch),
        "ours, 1 particle": our_step(screen, settings, 1, False, batch),
        "ours, 2 antithetic particles": our_step(screen, settings, 2, True, batch),
        "ours, 5 particles": our_step(screen, settings, 5, False, batch),
        "ours, published terms, 5 particles": our_step(screen, published, 5, False, batch),
    }


def measure(batch: int = 256, rounds: int = 5, seed: int = 0) -> pd.DataFrame:
    """Time all of `steps` in alternation.

    Parameters
    ----------
    batch
        Cells of a step.
    rounds
        Steps of each; one more before, which is not counted.

    Returns
    -------
    DataFrame
        step, seconds (processor time, median), cells_per_s, ratio (to the straightforward one).
    """
    screen = workload(batch * 4, **SMALL, seed=seed)
    settings = ModelSettings.published("gpo", "k562", compat="corrected")
    found = steps(screen, settings, batch)
    rng, spent = np.random.default_rng(seed), {name: [] for name in found}
    for _ in range(rounds + 1):
        rows = rng.choice(screen.rows("train"), batch, replace=False)
        for name, step in found.items():
            spent[name].append(_seconds(step, rows))
    table = pd.DataFrame({"step": list(spent), "seconds": [np.median(times[1:]) for times in spent.values()]})
    table["cells_per_s"] = batch / table["seconds"]
    return table.assign(ratio=table["seconds"].iloc[0] / table["seconds"])


def k562(batch: int = 512, rounds: int = 3, seed: int = 0) -> pd.DataFrame:
    """Seconds an epoch of the size of Replogle K562, from some steps, with the arithmetic.

    Returns
    -------
    DataFrame
        what, value, unit.
    """
    sizes = {name: K562[name] for name in ("genes", "perturbed", "latent")}
    screen = workload(batch * 2, **sizes, seed=seed)
    settings = ModelSettings.published("gpo", "k562", compat="corrected")
    run = Run(screen, settings, TrainingSettings(particles=1, batch=batch), "cpu")
    noise, rng = Noise((0,), 1), np.random.default_rng(seed)
    training, validation = [], []
    for _ in range(rounds + 1):
        rows = rng.choice(screen.rows("train"), batch, replace=False)
        training.append(_seconds(lambda r: run.step(run.reader.batch(r), noise), rows))
        with torch.no_grad():
            validation.append(_seconds(lambda r: run.network.loss_terms(run.reader.batch(r), noise), rows))
    step, look = float(np.median(training[1:])), float(np.median(validation[1:]))
    steps = -(-K562["training"] // batch)
    looks = -(-K562["validation"] // batch)
    entries = screen.counts.nnz / len(screen)
    rows = [
        ("parameters", sum(values.numel() for values in run.network.parameters()), ""),
        (f"training step of {batch} cells (median of {rounds})", step, "s"),
        (f"validation of {batch} cells", look, "s"),
        ("training cells per second", batch / step, "1/s"),
        (f"steps an epoch: {K562['training']} / {batch}", steps, ""),
        (f"epoch: {steps} x {step:.3g} s + {looks} x {look:.3g} s", steps * step + looks * look, "s"),
        ("nonzero counts a cell (simulated)", entries, ""),
        (f"counts in memory: {K562['cells']} x {entries:.0f} x 8 bytes", K562["cells"] * entries * 8 / 2**30, "GiB"),
    ]
    return pd.DataFrame(rows, columns=["what", "value", "unit"])


def _seconds(step: Callable, rows: np.ndarray) -> float:
    start = time.process_time()
    step(rows)
    return time.process_time() - start


def main(
    batch: Annotated[int, typer.Option(help="Cells of a step.")] = 256,
    rounds: Annotated[int, typer.Option(help="Steps of each.")] = 5,
    large: Annotated[bool, typer.Option("--k562", help="Also the size of Replogle K562.")] = False,
) -> None:
    """Print the tables as CSV."""
    if batch < 2 or rounds < 1:
        raise UserError(f"--batch is {batch}, --rounds {rounds}; expected at least 2 and 1")
    torch.set_num_threads(1)
    print(csv_bytes(measure(batch, rounds), digits=4).decode())
    if large:
        print(csv_bytes(k562(rounds=rounds), digits=4).decode(), end="")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
