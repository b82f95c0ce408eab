"""A training under way: what one epoch does, what is kept of it, and the checkpoint between two epochs."""

import hashlib
import json
import math
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from regulome import tensor_file
from regulome.binding import loss as losses
from regulome.binding import tokens
from regulome.binding.averaging import Average
from regulome.binding.compendium import Compendium
from regulome.binding.held_out import HeldOut, evaluate
from regulome.binding.model_file import Model
from regulome.binding.targets import TargetTransform
from regulome.binding.training_settings import TrainingSettings
from regulome.binding.two_tower import Settings, TwoTower
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

FORMAT = "regulome two-tower training 1"


class Run:
    """A training under way: network, optimiser, average, best weights and log."""

    def __init__(
        self,
        compendium: Compendium,
        vectors: Vectors,
        structure: np.ndarray | None,
        settings: Settings,
        training: TrainingSettings,
        device: str,
    ):
        self.settings, self.training, self.device = settings, training, device
        self.compendium, self.vectors = compendium, vectors
        self.epoch, self.log, self.steps = 0, [], []
        self.best: dict = {"epoch": 0, "value": -math.inf, "weights": {}}
        self.targets = TargetTransform.fit(compendium.intensities, training.targets)
        self.mean, self.sd = vector_statistics(vectors.values)
        standard = ((vectors.values - self.mean) / self.sd).astype(np.float32)
        coded = tokens.encode(compendium.rnas)
        profiles = structure[:, : coded.shape[1]] if settings.structure else None
        goals = self.targets.apply(compendium.intensities)
        self.fingerprint = _fingerprint(settings, training, vectors.source, (standard, coded, profiles, goals))
        self.data = [None if a is None else torch.from_numpy(a).to(device) for a in (standard, coded, profiles, goals)]
        self.lengths = compendium.rnas.lengths
        self.network = TwoTower(settings, training.seed).to(device)
        self.optimiser = optimiser(self.network, training)
        self.average = Average(self.network, training.average, training.corrected) if training.average else None

    def train_epoch(self, bar: tqdm) -> float:
        """One epoch; its mean loss."""
        generator = np.random.default_rng([self.training.seed, self.epoch])
        self.network.train()
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if self.device == "cuda" else []):
            torch.manual_seed(int(generator.integers(2**62)))
            found = []
            for _ in range(self.training.steps):
                found.append(self.step(generator))
                bar.update()
        values = torch.stack(found).tolist()
        if not np.isfinite(values).all():
            raise UserError(f"training: the loss is no number in epoch {self.epoch + 1}; expected a lower rate to help")
        self.steps += [round(value, 6) for value in values]
        self.epoch += 1
        return float(np.mean(values))

    def step(self, generator: np.random.Generator) -> torch.Tensor:
        """One step on a drawn block; its loss."""
        vectors, coded, structure, goals = self.data
        rows = generator.integers(len(vectors), size=self.training.proteins)
        columns = generator.choice(len(coded), min(self.training.rnas, len(coded)), replace=False)
        length = max(self.lengths[i] for i in columns)
        rows, columns = (torch.from_numpy(index).to(self.device) for index in (rows, columns))
        mixed = self.training.mixed_precision and self.device == "cuda"
        with torch.autocast("cuda", torch.bfloat16) if mixed else nullcontext():
            profiles = None if structure is None else structure[columns, :length]
            scores = self.network(vectors[rows], coded[columns, :length], profiles)
        loss = losses.block_loss(scores, goals[rows][:, columns], self.training.huber, self.training.contrastive)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        if self.average:
            self.average.update(self.network)
        return loss.detach()

    def look(self, held: list[HeldOut]) -> dict[str, float]:
        """Correlations on the held-out parts; keeps the weights if they are the best."""
        model, row = self.now(), {}
        for place, part in enumerate(held):
            end = "" if place == 0 else f" {part.name}"
            row |= {f"{name}{end}": value for name, value in evaluate(model, part, self.device).items()}
        value = row["median_r"] if held else float(self.epoch)
        if value > self.best["value"]:
            self.best = {"epoch": self.epoch, "value": value, "weights": model.network.state_dict()}
        return row

    def now(self) -> Model:
        """The model as it stands."""
        averaged = self.average and self.training.evaluate_average
        with self.average.in_place(self.network) if averaged else nullcontext():
            weights = {name: w.detach().cpu().clone() for name, w in self.network.state_dict().items()}
        return self.model(weights)

    def model(self, weights: dict | None = None) -> Model:
        """A model with these weights (None: the best)."""
        network = TwoTower(self.settings)
        network.load_state_dict(weights or self.best["weights"])
        record = {
            "training": asdict(self.training),
            "kind": self.compendium.kind,
            "compendium": self.compendium.source,
            "sizes": {"proteins": len(self.compendium.proteins), "rnas": len(self.compendium.rnas)},
            "targets": self.targets.describe(),
            "longest": max(self.lengths),
            "shortest": min(self.lengths),
            "best_epoch": self.best["epoch"],
            "log": self.log,
            "steps": self.steps,
        }
        names = self.compendium.proteins.names
        return Model(network.eval(), self.vectors.source, self.mean, self.sd, self.targets, names, record)

    # --- checkpoint

    def save(self, path: str | Path) -> None:
        """Write all that the next epochs need."""
        state = self.optimiser.state_dict()
        tensors = {f"network.{name}": w for name, w in self.network.state_dict().items()}
        tensors |= {f"best.{name}": w for name, w in self.best["weights"].items()}
        for index, values in state["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in values.items()}
        if self.average:
            tensors |= {f"average.{name}": total for name, total in self.average.sums.items()}
        text = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "log": self.log,
            "steps": self.steps,
            "best": {"epoch": self.best["epoch"], "value": self.best["value"]},
        }
        tensor_file.write(path, FORMAT, text, tensors)

    def restore(self, path: str | Path) -> None:
        """Go on from a checkpoint of the same training."""
        text, tensors = tensor_file.read(path, FORMAT, "a checkpoint of a training")
        for name, value in self.fingerprint.items():
            found = text.get("fingerprint", {}).get(name)
            if found != value:
                raise UserError(
                    f"{path}: checkpoint of another training: {name}: found {found}, expected {value}; remove the file "
                    "or name another"
                )
        if text["epoch"] > self.training.epochs:
            raise UserError(
                f"{path}: checkpoint after {text['epoch']} epochs; expected at most {self.training.epochs} (epochs)"
            )
        parts: dict[str, dict] = {"network": {}, "best": {}, "average": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = tensor
        self.network.load_state_dict(parts["network"])
        state: dict[int, dict] = {}
        for name, tensor in parts["optimiser"].items():
            index, field = name.split(".", 1)
            state.setdefault(int(index), {})[field] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": state})
        self.epoch, self.log, self.steps = text["epoch"], text["log"], text["steps"]
        if self.average:
            self.average.restore({"steps": len(self.steps), "sums": parts["average"]})
        self.best = text["best"] | {"weights": parts["best"]}


def vector_statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d,) mean and sd of protein vectors; the sd of a constant column is infinite, so that its z-score is 0."""
    values = values.astype(np.float64)
    mean, sd = values.mean(0), values.std(0)
    return mean, np.where(sd > 1e-6 * np.maximum(np.abs(mean), 1e-6), sd, np.inf)


def optimiser(network: TwoTower, training: TrainingSettings) -> torch.optim.AdamW:
    """AdamW with two groups: the protein tower has a weight decay of its own."""
    protein = list(network.protein_tower.parameters())
    others = [*network.rna_tower.parameters(), *network.head.parameters()]
    groups = [
        {"params": others, "weight_decay": training.decay},
        {"params": protein, "weight_decay": training.protein_decay},
    ]
    return torch.optim.AdamW(groups, lr=training.rate)


def _fingerprint(settings: Settings, training: TrainingSettings, source: str, arrays: Iterable) -> dict:
    """What must not change between an interrupted training and its continuation."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    recipe = {name: value for name, value in asdict(training).items() if name != "epochs"}
    return json.loads(json.dumps(asdict(settings) | recipe | {"vectors": source, "data": found.hexdigest()[:16]}))
