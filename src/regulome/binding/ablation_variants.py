"""The options that the sweep of `ablations` compares: each changes one thing of the default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from regulome.binding.training_settings import TrainingSettings
from regulome.binding.two_tower import Settings

DEFAULT = "default"
NOISE_COPIES = 5


@dataclass(frozen=True)
class Variant:
    """One change of the default.

    Attributes
    ----------
    group, name
        What is varied, and how.
    network, training
        Changed fields of `two_tower.Settings` and `training_settings.TrainingSettings`; a callable gets the default's
        value.
    noise_copies
        Noisy copies of a protein's vector that a prediction averages (0: none).
    """

    group: str
    name: str
    network: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    noise_copies: int = 0

    def of(self, network: Settings, training: TrainingSettings) -> tuple[Settings, TrainingSettings]:
        """The settings of this variant."""
        return replace(network, **_changed(self.network, network)), replace(
            training, **_changed(self.training, training)
        )


def _changed(changes: Mapping, default) -> dict:
    return {name: value(getattr(default, name)) if callable(value) else value for name, value in changes.items()}


def _times(factor: float, step: int = 1):
    return lambda value: max(step, round(value * factor / step) * step)


# The published ablations. The publication names the options, not their values; the contrastive term is ours (`loss`).
VARIANTS = (
    Variant(DEFAULT, DEFAULT),
    Variant("rank", "rank x 1/4", {"rank": _times(1 / 4)}),
    Variant("rank", "rank x 4", {"rank": _times(4)}),
    Variant("width", "width x 1/2", {"width": _times(1 / 2, 4)}),
    Variant("width", "width x 3/2", {"width": _times(3 / 2, 4)}),
    Variant("dropout", "dropout 0", {"dropout": 0.0}),
    Variant("dropout", "dropout 0.3 (published)", {"dropout": 0.3}),
    Variant("dropout", "dropout 0.5", {"dropout": 0.5}),
    Variant("structure", "without structure", {"structure": False}),
    Variant("structure", "with structure", {"structure": True}),
    Variant("averaged weights", "last weights, no average", {}, {"evaluate_average": False}),
    Variant("averaged weights", "average from the start (published)", {}, {"corrected": False, "average": 0.999}),
    Variant("test-time copies", "5 noisy copies of the vector", noise_copies=NOISE_COPIES),
    Variant("loss", "with a contrastive term", {}, {"contrastive": 0.1}),
    Variant("loss", "correlation alone", {}, {"huber": 0.0}),
    Variant("target", "target: log, negatives at 0", {}, {"targets": "clipped log"}),
    Variant("target", "target: published log", {}, {"targets": "published"}),
    Variant("target", "target: z-score alone", {}, {"targets": "z"}),
    Variant("block", "8 proteins a step (published)", {}, {"proteins": 8}),
)
NAMES = tuple(variant.name for variant in VARIANTS)
