"""The keys of a training configuration: those of the published files, and our own; what each of them sets.

A published key names a class, or an argument of one: ``model_kwargs.n_latent``. What it sets here is a field of
`settings.ModelSettings` ("model"), `settings.TrainingSettings` ("training"), `prepare.Settings` ("preparation") or of
`config.Config` itself ("run"). Our own keys are the fields' own names behind ``model_kwargs.``, ``preparation.`` and,
for the training, without anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from regulome import devices
from regulome.perturbation import prepare, settings
from regulome.perturbation.gpo_network import NetworkSettings
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.learned_files import OURS

PUBLISHED_MODEL = "gpo_vae_Model"
DATA_MODULES = {"AdamsonDataModule": "adamson", "ReplogleDataModule": "k562", "RPE1DataModule": "rpe1"}
NORMALISATIONS = {"log_standardize": "log standardised", "standardize": "standardised", None: "none"}
ONE_LAYER_MORE = ("cradle", "gpo")  # their published decoders have one layer more than the key says
PAIRS = {"ot": "transport", "hpm": "hungarian"}
SECTIONS = (
    "wandb_kwargs", "data_module_kwargs", "model_kwargs", "guide_kwargs", "loss_module_kwargs",
    "lightning_module_kwargs", "preparation", "training",
)  # fmt: skip

_NO_ACCOUNT = "no online account is used; the losses of every epoch are in log.csv"
_NO_NUMBER = "which GPU is the matter of CUDA_VISIBLE_DEVICES, whether one of `device`"


@dataclass(frozen=True)
class Key:
    """What a key may hold, and what it sets.

    Attributes
    ----------
    target
        Part and field, such as "model.basal"; "": nothing.
    kind
        "whole", "number", "flag", "text", "whole list" or "any".
    choices
        Values that are allowed, if not all.
    null
        Whether it may be empty; nothing is set then, unless null is one of the choices.
    convert
        From the file's value to the field's.
    ignored
        Why it sets nothing.
    """

    target: str
    kind: str
    choices: tuple = ()
    null: bool = False
    convert: Callable = lambda value: value
    ignored: str = ""


def _no_limit(value: float) -> float:
    """Published: -1 switches a limit off; here 0 does."""
    return 0 if value == -1 else value


PUBLISHED = {
    "name": Key("run.name", "text"),
    "seed": Key("training.seed", "whole"),
    "n_latent": Key("model.basal", "whole"),
    "max_epochs": Key("training.epochs", "whole"),
    "max_steps": Key("training.steps", "whole", convert=_no_limit),
    "gradient_clip_norm": Key("training.clip", "number", convert=_no_limit),
    "devices": Key("", "any", ignored=_NO_NUMBER),
    "use_wandb": Key("", "flag", ignored=_NO_ACCOUNT),
    "wandb_kwargs.name": Key("", "text", null=True, ignored=_NO_ACCOUNT),
    "wandb_kwargs.project": Key("", "text", null=True, ignored=_NO_ACCOUNT),
    "data_module": Key("", "text", choices=tuple(DATA_MODULES)),
    "data_module_kwargs.batch_size": Key("training.batch", "whole"),
    "data_module_kwargs.data_path": Key("run.data", "text"),
    "data_module_kwargs.qc_threshold": Key("preparation.k", "number"),
    "data_module_kwargs.stat_path": Key("run.summary", "text", null=True),
    "data_module_kwargs.get_pair_mode": Key(
        "preparation.match_method", "text", choices=tuple(PAIRS), convert=PAIRS.get
    ),
    "data_module_kwargs.mask_test": Key("run.held_out", "whole list", null=True, convert=tuple),
    "model": Key("", "text"),
    "model_kwargs.n_latent": Key("model.basal", "whole"),
    "model_kwargs.mask_prior": Key("model.mask_prior", "number"),
    "model_kwargs.mask_prior_prob": Key("model.mask_prior", "number"),
    "model_kwargs.logits_or_probs": Key("", "text", choices=("logits",)),
    "model_kwargs.embedding_prior_scale": Key("model.effect_sd", "number"),
    "model_kwargs.likelihood_key": Key("", "text", choices=("library_nb",)),
    "model_kwargs.decoder_n_layers": Key("model.decoder_layers", "whole", convert=lambda layers: layers + 1),
    "model_kwargs.decoder_n_hidden": Key("model.decoder_width", "whole"),
    "model_kwargs.sum_mode": Key("", "flag", choices=(False,)),
    "guide": Key("", "text", choices=("gpo_vae_CorrelatedNormalGuide",)),
    "guide_kwargs.n_latent": Key("model.basal", "whole"),
    "guide_kwargs.basal_encoder_n_layers": Key("model.encoder_layers", "whole"),
    "guide_kwargs.basal_encoder_n_hidden": Key("model.encoder_width", "whole"),
    "guide_kwargs.embedding_encoder_n_layers": Key("model.effect_layers", "whole"),
    "guide_kwargs.embedding_encoder_n_hidden": Key("model.effect_width", "whole"),
    "guide_kwargs.basal_encoder_input_normalization": Key(
        "model.normalisation", "any", choices=tuple(NORMALISATIONS), convert=NORMALISATIONS.get
    ),
    "guide_kwargs.mean_field_encoder": Key("model.offset_in_encoder", "flag", convert=lambda flag: not flag),
    "guide_kwargs.mask_init": Key("model.mask_start", "number", null=True),
    "guide_kwargs.logits_or_probs": Key("", "text", choices=("logits",)),
    "guide_kwargs.knowledge_path": Key("run.start", "text", null=True),
    "guide_kwargs.gs_temperature": Key("model.temperature", "number"),
    "loss_module": Key("", "text", choices=("gpo_vae_ELBOLossModule",)),
    "loss_module_kwargs.beta": Key("model.beta", "number"),
    "loss_module_kwargs.alpha": Key("model.alpha", "number", null=True),
    "loss_module_kwargs.hop": Key("model.hop", "whole"),
    "loss_module_kwargs.fc_criteria": Key("model.margin", "number"),
    "loss_module_kwargs.knowledge_path": Key("", "any", choices=(None,)),
    "loss_module_kwargs.gloss_coeff": Key("model.network_weight", "number"),
    "loss_module_kwargs.penaly_coeff": Key("model.sparsity", "number"),
    "loss_module_kwargs.penalty_coeff": Key("model.sparsity", "number"),
    "lightning_module_kwargs.lr": Key("training.rate", "number"),
    "lightning_module_kwargs.n_particles": Key("training.particles", "whole"),
    "predictor": Key("", "text", choices=("gpo_vae_Predictor",)),
}  # fmt: skip

OWN = {
    "compat": Key("", "text", choices=settings.COMPAT),
    "device": Key("run.device", "text", choices=devices.DEVICES),
    "decay": Key("training.decay", "number"),
    "antithetic": Key("training.antithetic", "flag"),
    "patience": Key("training.patience", "whole"),
    "keep_every": Key("training.keep_every", "whole"),
}


def keys(model: str) -> dict[str, Key]:
    """Every key of a configuration of this model (a published class or a family): published ones, ours, and the fields
    of its settings by their own names."""
    if model == OURS:
        return _ours()
    family = "gpo" if model == PUBLISHED_MODEL else model
    own = _fields("model_kwargs", settings.ModelSettings, ("family", "compat"))
    own |= _fields("preparation", prepare.Settings, ("seed", "device"))
    table = own | PUBLISHED | OWN
    if family not in ONE_LAYER_MORE:
        name = "model_kwargs.decoder_n_layers"
        table[name] = replace(table[name], convert=lambda layers: layers)
    return table


def _ours() -> dict[str, Key]:
    """Of our own model: published keys that say something about it, ``model_kwargs.`` of its network, ``training.``."""
    said = {
        name: key for name, key in (PUBLISHED | OWN).items() if key.target.partition(".")[0] in ("run", "preparation")
    }
    said |= {name: key for name, key in PUBLISHED.items() if key.ignored or name in ("model", "data_module")}
    known = {each.name for each in fields(GpoTraining)}
    shared = {name: key for name, key in (PUBLISHED | OWN).items() if key.target.startswith("training.")}
    said |= {name: key for name, key in shared.items() if key.target.partition(".")[2] in known}
    said["n_latent"] = Key("training.basal", "whole")
    said |= _fields("model_kwargs", NetworkSettings, ()) | _fields("training", GpoTraining, ())
    return said | _fields("preparation", prepare.Settings, ("seed", "device"))


def _fields(section: str, kind: type, without: tuple[str, ...]) -> dict[str, Key]:
    """A key for each field of a settings class."""
    kinds = {int: "whole", float: "number", bool: "flag", str: "text"}
    part = "model" if section == "model_kwargs" else section
    return {
        f"{section}.{each.name}": Key(
            f"{part}.{each.name}", kinds.get(each.type, "number"), null=each.type not in kinds
        )
        for each in fields(kind)
        if each.name not in without
    }
