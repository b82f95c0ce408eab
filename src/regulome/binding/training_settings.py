"""How the two-tower network is trained: the published values, and a mini recipe for a CPU."""

from dataclasses import dataclass

from regulome.binding.loss import HUBER
from regulome.binding.targets import MODES
from regulome.errors import UserError, closest


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; the defaults are the published values.

    Attributes
    ----------
    epochs, steps
        Epochs, and optimiser steps of each.
    proteins, rnas
        Rows (drawn with replacement) and columns (without) of a step's block.
    rate, decay, protein_decay
        AdamW: constant learning rate, weight decay, weight decay of the protein tower.
    huber, contrastive
        See `loss.block_loss`.
    average
        Decay of the exponential average of the weights; 0 keeps none.
    corrected
        Whether the average is corrected for its start (`averaging`).
    evaluate_average
        Whether validation and the final model take the average or the last weights.
    targets
        One of `targets.MODES`.
    mixed_precision
        On a GPU only: products in bfloat16, loss in single precision.
    seed
        Of the initial weights, batches and dropout.
    """

    epochs: int = 50
    steps: int = 300
    proteins: int = 8
    rnas: int = 2048
    rate: float = 1e-4
    decay: float = 1e-2
    protein_decay: float = 3e-4
    huber: float = HUBER
    contrastive: float = 0.0
    average: float = 0.999
    corrected: bool = True
    evaluate_average: bool = True
    targets: str = "shifted log"
    mixed_precision: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "proteins", "rnas"):
            if getattr(self, name) < 1:
                raise UserError(f"training: {name} is {getattr(self, name)}; expected at least 1")
        for name, low, high in (("decay", 0, 10), ("protein_decay", 0, 10), ("contrastive", 0, 100), ("huber", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise UserError(f"training: {name} is {getattr(self, name)}; expected {low} to {high}")
        if not 0 < self.rate < 1:
            raise UserError(f"training: rate is {self.rate}; expected above 0 and below 1")
        if not 0 <= self.average < 1:
            raise UserError(f"training: average is {self.average}; expected at least 0 and below 1")
        if self.targets not in MODES:
            raise UserError(
                f"training: targets is '{self.targets}'{closest(self.targets, MODES)}; expected {', '.join(MODES)}"
            )

    @classmethod
    def published(cls, **changes) -> "TrainingSettings":
        """The published values."""
        return cls(**changes)

    @classmethod
    def mini(cls, **changes) -> "TrainingSettings":
        """A training of about a minute on a CPU, for `two_tower.Settings.mini`."""
        small = {"epochs": 8, "steps": 25, "proteins": 16, "rnas": 256, "rate": 1e-3, "average": 0.95}
        return cls(**(small | changes))
