"""Both kinds of trained models alike: the published families (`trained.Trained`) and our own model (`gpo.Gpo`).

Both predict (`predict`, `pseudobulk`, `ate`), have a network where there is one, weigh cells (`log_weights`) and are
saved; which of them a file holds is said by its format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regulome import tensor_file
from regulome.errors import UserError
from regulome.perturbation import gpo, training
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.gpo_network import NetworkSettings
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.screen import JOIN, Screen
from regulome.perturbation.settings import FAMILIES, ModelSettings, TrainingSettings
from regulome.perturbation.trained import OBSERVED, Trained

OURS = "ours"  # name of our model among the families
MODELS = (*FAMILIES, OURS)
Learned = Trained | Gpo


@dataclass(frozen=True)
class Facts:
    """What can be said of either kind.

    Attributes
    ----------
    family, compat
        Compat is "published", "corrected" or, for our model, "ours".
    seed
        Of the training.
    epochs, best_epoch
        Trained, and the one whose weights were kept.
    parameters
        By part.
    signed
        Whether network scores have a sign.
    latent
        Genes of the network, in its order; none without one.
    perturbed
        How many of them, the first, were perturbed.
    """

    family: str
    compat: str
    seed: int
    epochs: int
    best_epoch: int
    parameters: dict[str, int]
    signed: bool
    latent: tuple[str, ...]
    perturbed: int


def load(path: str | Path) -> Learned:
    """A trained model of either kind.

    Raises
    ------
    UserError
        If the file is missing, damaged or none.
    """
    what = "a perturbation model"
    return Gpo.load(path) if tensor_file.format_of(path, what) == gpo.FORMAT else Trained.load(path)


def train(
    screen: Screen,
    model: ModelSettings | NetworkSettings,
    recipe: TrainingSettings | GpoTraining,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    mask_logits: np.ndarray | None = None,
) -> Learned:
    """Train either kind: `training.train`, or `gpo.train`, which takes seconds and keeps no checkpoint."""
    if isinstance(model, NetworkSettings):
        if mask_logits is not None:
            raise UserError("a model of the family 'ours' cannot start from a known mask; expected gpo")
        return gpo.train(screen, recipe, model, device, progress)
    return training.train(screen, model, recipe, device, checkpoint, progress, mask_logits)


def facts(model: Learned) -> Facts:
    """See `Facts`."""
    hit = {gene for label in model.labels for gene in label.split(JOIN)}
    seed, log = model.record["training"]["seed"], model.log
    if isinstance(model, Gpo):
        weights = {"encoder": model.autoencoder.encoder, "decoder": model.autoencoder.decoder}
        sizes = {name: sum(each.numel() for each in part.parameters()) for name, part in weights.items()}
        sizes |= {"mask": model.graph.probability.size, "effects": model.effects.size + model.graph.mean.size}
        best = int(log.loc[log["validation_total"].idxmin(), "epoch"]) if "validation_total" in log else len(log)
        return Facts(
            OURS, OURS, seed, len(log), best, sizes, True, model.latent, sum(gene in hit for gene in model.latent)
        )
    latent = model.treatments if model.settings.latent_genes else ()
    return Facts(
        model.settings.family, model.settings.compat, seed, len(log), model.record["best_epoch"],
        model.model.parameter_counts(), False, latent, sum(gene in hit for gene in latent),
    )  # fmt: skip


def check_label(model: Learned, label: str) -> None:
    """Refuse a label that the model cannot predict (UserError)."""
    if isinstance(model, Gpo):
        model.response(label)
    else:
        model.dosage(label)


@dataclass(frozen=True)
class Sampled:
    """A trained model as a predictor of effects, from `n` sampled cells of the given library."""

    model: Learned
    library: float | str = OBSERVED
    n: int = 1000

    def ate(self, labels: Sequence[str], seed: int = 0) -> np.ndarray:
        """(K, P) effects."""
        return self.model.ate(labels, n=self.n, seed=seed, library=self.library)
