"""Training of a perturbation model on a prepared screen.

Adam on shuffled batches of training cells; after every epoch all terms of the loss on the validation cells; the best
validation loss selects the weights, and training stops when it has not improved for `patience` epochs. Batches and
samples of an epoch come from (seed, epoch), so that a training resumed from its checkpoint equals one that was never
interrupted. Validation uses the same samples every epoch.
"""

import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from regulome import devices
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import ModelSettings, TrainingSettings
from regulome.perturbation.trained import Trained
from regulome.perturbation.training_run import Run


def train(
    screen: Screen,
    model: ModelSettings,
    training: TrainingSettings,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    mask_logits: np.ndarray | None = None,
) -> Trained:
    """Train a model.

    Parameters
    ----------
    screen
        Data. Training and validation cells are read, those of the test split never.
    model, training
        Which model, and how.
    device
        "auto", "cpu" or "cuda".
    checkpoint
        File that is written every `keep_every` epochs; a training that finds it goes on from there.
    progress
        Whether to show a bar on a terminal.
    mask_logits
        (T, J) logits that the mask starts from (default: `mask_start` everywhere).

    Returns
    -------
    Trained
        Its `log` has a row an epoch: epoch, seconds, and every term with the start "train_" or "validation_", and
        their sums "train_total" and "validation_total".

    Raises
    ------
    UserError
        If a split has no cells, counts are no counts, the loss is no number, or the checkpoint is of another training.
    """
    run = Run(screen, model, training, devices.choose(device), mask_logits)
    if checkpoint is not None and Path(checkpoint).exists():
        run.restore(checkpoint)
    with tqdm(total=training.epochs, initial=run.epoch, unit=" epochs", disable=None if progress else True) as bar:
        while not run.finished:
            start = time.perf_counter()
            row = run.train_epoch() | run.validate()
            run.log.append(row | {"seconds": round(time.perf_counter() - start, 3)})
            bar.update()
            bar.set_postfix_str(f"validation loss {row['validation_total']:.6g}")
            if checkpoint is not None and (run.epoch % training.keep_every == 0 or run.finished):
                run.save(checkpoint)
    return run.trained()
