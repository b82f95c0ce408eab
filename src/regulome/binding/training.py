"""Training of the two-tower network on a compendium.

A step draws 8 proteins with and 2048 RNAs without replacement, encodes each once and scores all against all. The loss
is `loss.block_loss`; AdamW has its own weight decay for the protein tower; an exponential average of the weights is
what is evaluated. After every epoch the held-out proteins are scored; the best median correlation selects the model.

Every epoch draws from generators seeded by (seed, epoch), so a run that is resumed from its checkpoint equals one that
was never interrupted.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from regulome import devices
from regulome.binding.compendium import Compendium
from regulome.binding.held_out import HeldOut, check, evaluate, part
from regulome.binding.model_file import Model
from regulome.binding.training_run import Run
from regulome.binding.training_settings import TrainingSettings
from regulome.binding.two_tower import Settings
from regulome.binding.vectors import Vectors

__all__ = ["HeldOut", "TrainingSettings", "evaluate", "part", "train"]


def train(
    compendium: Compendium,
    vectors: Vectors,
    structure: np.ndarray | None,
    settings: Settings,
    training: TrainingSettings,
    held_out: HeldOut | Sequence[HeldOut] = (),
    device: str = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Model:
    """Train a network.

    Parameters
    ----------
    compendium, vectors, structure
        Training proteins and RNAs, their vectors (in the order of the proteins) and profiles (N, L, 5; None where the
        network has no structure). All statistics come from these alone.
    settings, training
        Network and recipe.
    held_out
        Parts to watch after every epoch; the first selects the best epoch by its median correlation with the targets.
        Without any the last epoch is taken.
    device
        "auto", "cpu" or "cuda".
    checkpoint
        File that is written after every epoch; a training that finds it goes on from there.
    progress
        Whether to show a bar on a terminal.

    Returns
    -------
    Model
        Its record has ``log``, a row an epoch (epoch, loss, median_r and mean_r with the targets, median_r_raw and
        mean_r_raw with the intensities, for further held-out parts the same with their name, seconds), ``steps`` (loss
        of every step), ``best_epoch``, ``targets`` (one sentence), ``kind`` of the compendium and the settings.

    Raises
    ------
    UserError
        If vectors, profiles and proteins do not fit each other, the loss is no number, or the checkpoint is of another
        training.
    """
    held = [held_out] if isinstance(held_out, HeldOut) else list(held_out)
    for each in [HeldOut(compendium, vectors, structure, "training"), *held]:
        check(each, settings)
    run = Run(compendium, vectors, structure, settings, training, devices.choose(device))
    if checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    total = training.epochs * training.steps
    with tqdm(
        total=total, initial=run.epoch * training.steps, unit=" steps", disable=None if progress else True
    ) as bar:
        while run.epoch < training.epochs:
            start = time.perf_counter()
            mean = run.train_epoch(bar)
            row = {"epoch": run.epoch, "loss": mean} | run.look(held)
            run.log.append(row | {"seconds": round(time.perf_counter() - start, 3)})
            if held:
                bar.set_postfix_str(f"median r {row['median_r']:.3f}, mean {row['mean_r']:.3f}")
            if checkpoint is not None:
                run.save(checkpoint)
    return run.model()
