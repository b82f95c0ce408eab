"""Which perturbation model, and how it is trained: values only, checked where they are made."""

from dataclasses import dataclass, fields, replace

from regulome.errors import UserError, closest

FAMILIES = ("sams", "sams-mean-field", "cpa", "svae+", "cvae", "cradle", "gpo")
COMPAT = ("published", "corrected")
NORMALISATIONS = ("log standardised", "standardised", "none")
COMBINATIONS = ("additive", "unique")

# Values of the published configurations that differ between data sets, for "gpo" and "cradle".
DATASETS = {
    "k562": {"basal": 100, "encoder_width": 200, "margin": 0.8, "sparsity": 5.0},
    "rpe1": {"basal": 200, "encoder_width": 200, "margin": 0.5, "sparsity": 10.0},
    "adamson": {"basal": 100, "encoder_width": 400, "margin": 0.4, "sparsity": 1.0},
}


@dataclass(frozen=True)
class ModelSettings:
    """One perturbation model.

    Attributes
    ----------
    family
        One of `FAMILIES`; `models.FAMILIES` says what each consists of.
    compat
        "published": every term of the loss as in the published code; "corrected": without its faults. The fields
        `reconstruction`, `kl`, `counterfactual` and `network` choose it for single terms ("": as `compat`).
    basal
        L, width of the basal latent (and of the effects, except for "gpo", where these are one per latent gene).
    mask_prior
        Prior probability of an entry of the mask.
    mask_start
        Logit that the mask starts from (0: probability 0.5).
    effect_sd
        Prior standard deviation of an effect.
    decoder_layers, decoder_width, encoder_layers, encoder_width, effect_layers, effect_width
        Hidden layers. The published decoders of "cradle" and "gpo" have one layer more than their configuration says:
        this is the true number.
    normalisation
        Of the counts, before the encoder: one of `NORMALISATIONS`.
    offset_in_encoder
        Whether the encoder of the basal latent sees the cell's perturbation effect (published
        ``mean_field_encoder: false``). Never for "sams-mean-field" and "svae+", always for "cvae".
    combinations
        "additive": a combination is the sum of its genes; "unique": a treatment of its own ("svae+" always).
    temperature
        Of the relaxed mask.
    concentration
        "svae+": second parameter of the Beta(1, .) prior of a mask probability.
    alpha
        Weight of the reconstruction of passing cells, 1 - alpha of failing ones, in the published reconstruction; None:
        share of failing cells in the batch.
    beta
        Weight of the counterfactual divergence ("cradle", "gpo").
    hop
        Longest walk through the mask, minus 1, in the network loss ("gpo").
    margin
        c: how much a |log fold change| has to exceed for an edge ("gpo"; published ``fc_criteria``).
    network_weight, sparsity
        Weights of the network loss and of the mean mask probability ("gpo"; ``gloss_coeff``, ``penaly_coeff``).
    """

    family: str = "gpo"
    compat: str = "corrected"
    basal: int = 100
    mask_prior: float = 0.3
    mask_start: float = 0.0
    effect_sd: float = 1.0
    decoder_layers: int = 2
    decoder_width: int = 400
    encoder_layers: int = 1
    encoder_width: int = 400
    effect_layers: int = 4
    effect_width: int = 400
    normalisation: str = "log standardised"
    offset_in_encoder: bool = True
    combinations: str = "additive"
    temperature: float = 1.0
    concentration: float = 2.0
    alpha: float | None = None
    beta: float = 0.1
    hop: int = 5
    margin: float = 0.8
    network_weight: float = 100.0
    sparsity: float = 5.0
    reconstruction: str = ""
    kl: str = ""
    counterfactual: str = ""
    network: str = ""

    def __post_init__(self) -> None:
        self._one_of("family", FAMILIES)
        self._one_of("compat", COMPAT)
        self._one_of("normalisation", NORMALISATIONS)
        self._one_of("combinations", COMBINATIONS)
        for name in ("reconstruction", "kl", "counterfactual", "network"):
            self._one_of(name, (*COMPAT, ""))
        for part in ("basal", "decoder_layers", "decoder_width", "encoder_layers", "encoder_width"):
            _at_least("model", self, part, 1)
        for part in ("effect_layers", "effect_width"):
            _at_least("model", self, part, 1)
        for part in ("hop", "beta", "margin", "network_weight", "sparsity"):
            _at_least("model", self, part, 0)
        for part in ("effect_sd", "temperature", "concentration"):
            _between("model", self, part, 0, float("inf"))
        _between("model", self, "mask_prior", 0, 1)
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise UserError(f"model: alpha is {self.alpha}; expected 0 to 1, or none")

    def published_term(self, term: str) -> bool:
        """Whether a term (reconstruction, kl, counterfactual, network) is computed as published."""
        return (getattr(self, term) or self.compat) == "published"

    @property
    def latent_genes(self) -> bool:
        """Whether treatments and effects are indexed by the latent genes of the screen, the mask a network."""
        return self.family == "gpo"

    @property
    def reads_counterfactual(self) -> bool:
        """Whether batches need counterfactual cells."""
        return self.family in ("cradle", "gpo") and self.beta > 0

    @property
    def reads_delta(self) -> bool:
        """Whether batches need the log fold change of every cell against its matched control."""
        return self.family == "gpo" and self.network_weight > 0

    @classmethod
    def published(cls, family: str = "gpo", dataset: str = "k562", **changes) -> "ModelSettings":
        """The published model, with the values of one of `DATASETS` where they differ.

        Raises
        ------
        UserError
            If family or data set is unknown.
        """
        if dataset not in DATASETS:
            raise UserError(f"model: unknown data set '{dataset}'; expected {', '.join(DATASETS)}")
        return cls(family=family, **({"compat": "published"} | published_values(family, dataset) | changes))

    @classmethod
    def mini(cls, family: str = "gpo", **changes) -> "ModelSettings":
        """A small network, for a screen of some hundred genes on a CPU."""
        small = {"basal": 10, "decoder_width": 64, "encoder_width": 64, "effect_layers": 2, "effect_width": 64}
        return cls(family=family, **(small | {"margin": 0.2, "sparsity": 1.0} | changes))

    def _one_of(self, name: str, known: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in known:
            listed = ", ".join(repr(each) for each in known)
            raise UserError(f"model: {name} is {value!r}{closest(value, known)}; expected one of {listed}")


def published_values(family: str, dataset: str) -> dict:
    """Published values of a family that differ from the defaults; those of SAMS-VAE's relatives are for Norman 2019."""
    if family in ("gpo", "cradle"):
        return DATASETS[dataset] | ({"mask_prior": 0.001} if family == "cradle" else {})
    return {"basal": 200, "mask_prior": 0.01}


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained; the defaults are the published values.

    Attributes
    ----------
    epochs
        At most so many.
    batch
        Cells of a step.
    rate, decay, clip
        Adam: learning rate, weight decay (of all parameters), largest norm of the gradient (0: no clipping).
    particles
        Monte-Carlo samples of a step.
    antithetic
        Whether the particles come in pairs of opposite noise.
    patience
        Epochs without a better validation loss before training stops (0: never).
    steps
        At most so many optimiser steps (0: no limit); the epoch under way is finished.
    keep_every
        Epochs between two checkpoints.
    seed
        Of the initial weights, the batches and the samples.
    """

    epochs: int = 2000
    batch: int = 512
    rate: float = 3e-4
    decay: float = 1e-6
    clip: float = 100.0
    particles: int = 5
    antithetic: bool = False
    patience: int = 30
    steps: int = 0
    keep_every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "particles", "keep_every"):
            _at_least("training", self, name, 1)
        for name in ("decay", "clip", "patience", "steps", "seed"):
            _at_least("training", self, name, 0)
        _between("training", self, "rate", 0, 1)
        if self.antithetic and self.particles % 2:
            raise UserError(f"training: particles is {self.particles}; expected an even number where antithetic is on")

    @classmethod
    def mini(cls, **changes) -> "TrainingSettings":
        """Some seconds on a CPU, for `ModelSettings.mini`."""
        return cls(**({"epochs": 60, "rate": 3e-3, "particles": 1, "patience": 10} | changes))


def from_dict(kind: type, values: dict):
    """Settings of `kind` from plain values, as `dataclasses.asdict` gives them.

    Raises
    ------
    UserError
        If a name is unknown or a value is not allowed.
    """
    known = [field.name for field in fields(kind)]
    for name in values:
        if name not in known:
            raise UserError(f"unknown setting '{name}'{closest(name, known)}; expected {', '.join(known)}")
    return replace(kind(), **values)


def _at_least(what: str, settings: object, name: str, low: float) -> None:
    value = getattr(settings, name)
    if not low <= value < float("inf"):
        raise UserError(f"{what}: {name} is {value}; expected at least {low}")


def _between(what: str, settings: object, name: str, low: float, high: float) -> None:
    value = getattr(settings, name)
    if not low < value < high:
        limit = f"above {low}" + (f" and below {high}" if high < float("inf") else "")
        raise UserError(f"{what}: {name} is {value}; expected {limit}")
