"""A training under way: what one epoch does, what is kept of it, and the checkpoint between two epochs."""

import hashlib
import json
import math
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from regulome import tensor_file
from regulome.errors import UserError
from regulome.perturbation import losses, models
from regulome.perturbation.batches import Batch, Reader, gene_statistics
from regulome.perturbation.noise import Noise
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import ModelSettings, TrainingSettings
from regulome.perturbation.trained import Trained

FORMAT = "regulome perturbation training 1"
TRAIN, VALIDATE = 0, 1  # kinds of samples


class Run:
    """A training under way: model, optimiser, best weights and log."""

    def __init__(
        self,
        screen: Screen,
        settings: ModelSettings,
        training: TrainingSettings,
        device: str,
        mask_logits: np.ndarray | None = None,
    ):
        check_screen(screen, settings)
        self.screen, self.settings, self.training, self.device = screen, settings, training, device
        self.reader = Reader(screen, settings, "train", device)
        self.validation = Reader(screen, settings, "validation", device)
        self.epoch, self.steps, self.log = 0, 0, []
        self.best: dict = {"epoch": 0, "value": math.inf, "weights": {}}
        sizes = models.Sizes(len(screen.genes), len(self.reader.names))
        network = models.build(settings, sizes, training.seed)
        mean, sd = gene_statistics(screen, settings.normalisation)
        network.gene_mean.copy_(torch.from_numpy(mean))
        network.gene_sd.copy_(torch.from_numpy(sd))
        network.observed.copy_(torch.from_numpy((self.reader.cells > 0).astype(np.float32)))
        if mask_logits is not None:
            _start_mask(network, mask_logits)
        self.network = network.to(device)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=training.rate, weight_decay=training.decay, fused=True
        )

    @property
    def finished(self) -> bool:
        """Whether the epochs, the steps or the patience are used up."""
        t = self.training
        tired = 0 < t.patience <= self.epoch - self.best["epoch"]
        return self.epoch >= t.epochs or 0 < t.steps <= self.steps or tired

    def train_epoch(self) -> dict[str, float]:
        """One epoch over the training cells; the mean of every term."""
        t = self.training
        noise = Noise((t.seed, TRAIN, self.epoch), t.particles, t.antithetic, self.device)
        mean = Mean()
        self.network.train()
        for batch in self.reader.epoch(t.batch, np.random.default_rng([t.seed, self.epoch])):
            mean.add(self.step(batch, noise), len(batch))
        self.epoch += 1
        return {"epoch": self.epoch} | mean.values("train_", f"in epoch {self.epoch}")

    def step(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """One optimiser step; the terms of the loss before it."""
        terms = self.network.loss_terms(batch, noise)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        if self.training.clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip)
        self.optimiser.step()
        self.steps += 1
        return {name: value.detach() for name, value in terms.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The mean of every term over the validation cells; keeps the weights if their sum is the lowest so far."""
        t = self.training
        noise = Noise((t.seed, VALIDATE), t.particles, t.antithetic, self.device)
        mean = Mean()
        self.network.eval()
        for batch in self.validation.epoch(t.batch):
            mean.add(self.network.loss_terms(batch, noise), len(batch))
        row = mean.values("validation_", f"on validation cells after epoch {self.epoch}")
        if row["validation_total"] < self.best["value"]:
            self.best = {"epoch": self.epoch, "value": row["validation_total"], "weights": self._weights()}
        return row

    def _weights(self) -> dict[str, Tensor]:
        return {name: values.detach().cpu().clone() for name, values in self.network.state_dict().items()}

    def trained(self) -> Trained:
        """The model with its best weights."""
        network = models.build(self.settings, self.network.sizes)
        network.load_state_dict(self.best["weights"])
        controls = self.screen.rows("train", "control")
        record = {
            "training": asdict(self.training),
            "screen": self.screen.name,
            "best_epoch": self.best["epoch"],
            "best_validation": self.best["value"],
            "steps": self.steps,
            "log": self.log,
        }
        return Trained(
            model=network.eval(),
            genes=self.screen.genes,
            labels=self.screen.labels,
            treatments=self.reader.names,
            libraries=np.sort(self.screen.library[controls]),
            record=record,
        )

    # --- checkpoint

    @cached_property
    def fingerprint(self) -> dict:
        """What a checkpoint must have been made with."""
        data = hashlib.sha256()
        for values in (
            self.screen.counts.data, self.screen.counts.indices, self.screen.label, self.screen.split,
            self.screen.qc_fail, self.screen.control, self.screen.counterfactual, self.screen.counterfactual_row,
        ):  # fmt: skip
            data.update(np.ascontiguousarray(values).tobytes())
        names = json.dumps([self.screen.genes, self.screen.labels, self.screen.latent])
        limits = ("epochs", "steps", "patience", "keep_every")
        training = {name: value for name, value in asdict(self.training).items() if name not in limits}
        return {
            "model": asdict(self.settings),
            "training": training,
            "data": data.hexdigest(),
            "names": hashlib.sha256(names.encode()).hexdigest(),
        }

    def save(self, path: str | Path) -> None:
        """Write all that the next epochs need."""
        tensors = {f"network.{name}": values for name, values in self.network.state_dict().items()}
        tensors |= {f"best.{name}": values for name, values in self.best["weights"].items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in values.items()}
        text = {"fingerprint": self.fingerprint, "epoch": self.epoch, "steps": self.steps, "log": self.log}
        text["best"] = {"epoch": self.best["epoch"], "value": self.best["value"]}
        tensor_file.write(path, FORMAT, text, tensors)

    def restore(self, path: str | Path) -> None:
        """Go on from a checkpoint of the same training.

        Raises
        ------
        UserError
            If it is of another one.
        """
        text, tensors = tensor_file.read(path, FORMAT, "a checkpoint of a training")
        for name, value in self.fingerprint.items():
            if text.get("fingerprint", {}).get(name) != value:
                raise UserError(f"{path}: checkpoint of another training ({name} differs); remove it or name another")
        parts: dict[str, dict] = {"network": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = tensor
        self.network.load_state_dict(parts["network"])
        state: dict[int, dict] = {}
        for name, tensor in parts["optimiser"].items():
            index, field = name.split(".", 1)
            state.setdefault(int(index), {})[field] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": state})
        self.epoch, self.steps, self.log = text["epoch"], text["steps"], text["log"]
        self.best = text["best"] | {"weights": parts["best"]}


class Mean:
    """Mean of the terms over the batches of an epoch, every cell with the same weight; one transfer at the end."""

    def __init__(self):
        self.names: list[str] = []
        self.rows: list[Tensor] = []
        self.cells: list[int] = []

    def add(self, terms: dict[str, Tensor], cells: int) -> None:
        """Count a batch."""
        self.names = list(terms)
        self.rows.append(torch.stack(list(terms.values())).detach())
        self.cells.append(cells)

    def values(self, start: str, where: str) -> dict[str, float]:
        """Mean of every term and of their sum ("total"), named from `start`; UserError if one is no number."""
        table = torch.stack(self.rows).double().cpu().numpy()
        mean = dict(zip(self.names, np.average(table, axis=0, weights=self.cells).tolist(), strict=True))
        losses.check(mean, where)
        return {f"{start}{name}": value for name, value in (mean | {"total": sum(mean.values())}).items()}


def check_screen(screen: Screen, settings: ModelSettings) -> None:
    """Refuse what no model can be trained on.

    Raises
    ------
    UserError
        Negative, fractional or missing counts; no perturbed training cell; the published reconstruction without
        failing cells, which would weigh every cell 0.
    """
    values = screen.counts.data
    if not np.isfinite(values).all() or (values < 0).any() or (values != np.round(values)).any():
        raise UserError(f"{screen.name}: counts with negative, fractional or missing values; expected raw UMI counts")
    rows = screen.rows("train")
    if len(rows) and (screen.label[rows] < 0).all():
        raise UserError(f"{screen.name}: all training cells are controls; expected perturbed ones")
    published = settings.family in ("cradle", "gpo") and settings.published_term("reconstruction")
    if published and settings.alpha is None and not screen.qc_fail[rows].any():
        raise UserError(
            f"{screen.name}: no training cell failed quality control, so that the published reconstruction weighs "
            "passing cells 0; give alpha, or take reconstruction: corrected"
        )


def _start_mask(network: models.PerturbationModel, logits: np.ndarray) -> None:
    found, expected = np.shape(logits), tuple(network.mask_logits.shape) if network.family.mask else None
    if found != expected:
        raise UserError(f"mask_logits: found shape {found}; expected {expected or 'none: the family has no mask'}")
    with torch.no_grad():
        network.mask_logits.copy_(torch.as_tensor(logits))
