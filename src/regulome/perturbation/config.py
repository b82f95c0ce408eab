"""One YAML file for one training, in the layout of the published files.

::

    name: adamson
    data_module: AdamsonDataModule          # which published values stand for keys that are left out
    data_module_kwargs.data_path: cells.h5ad  # raw counts, or a prepared screen; the rest is done here
    model: gpo_vae_Model                    # as published; gpo: corrected; ours; or any other family
    model_kwargs:                           # a section, or one dotted key a line
      mask_prior: 0.3
    model_kwargs.logits_or_probs--guide_kwargs.logits_or_probs: logits   # two keys with one value
    n_latent: 100                           # both of model and guide

The published class name means the published loss and matching, faults included; ``compat: corrected`` mends the loss,
``preparation.match_scale: median cost`` with ``preparation.match_regulariser: 0.05`` the matching. Every key is known
(`config_keys`) or an error; what has no meaning here is reported, not silently dropped. Two keys that set the same
thing must agree.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regulome.errors import UserError, closest
from regulome.perturbation import matching
from regulome.perturbation.config_keys import DATA_MODULES, PUBLISHED_MODEL, SECTIONS, Key, keys
from regulome.perturbation.gpo_network import NetworkSettings
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.learned_files import MODELS, OURS
from regulome.perturbation.prepare import Settings as Preparation
from regulome.perturbation.settings import COMPAT, ModelSettings, TrainingSettings
from regulome.yaml_lines import read_mapping

PUBLISHED_PREPARATION = {"match_scale": "published", "match_regulariser": matching.PUBLISHED}

_KINDS = {
    "whole": "a whole number", "number": "a number", "flag": "true or false", "text": "a text",
    "whole list": "a list of whole numbers", "any": "a value",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """A training, as its file describes it.

    Attributes
    ----------
    path
        The file.
    name
        Of the training: that of its folder.
    model, training, preparation
        Settings; the last are for raw counts.
    data
        h5ad file, or None if the file names none.
    summary
        Summary statistics of the perturbations, for the filter of strong ones, or None.
    dataset
        "adamson", "k562" or "rpe1": whose published values stand for what the file leaves out.
    held_out
        Latent genes whose perturbations are kept out of training, by position.
    start
        .npy file of (G, G) edge probabilities that the mask starts from, or None.
    device
        "auto", "cpu" or "cuda".
    notes
        What of the file has no meaning here, sentences.
    """

    path: Path
    name: str
    model: ModelSettings | NetworkSettings
    training: TrainingSettings | GpoTraining
    preparation: Preparation
    data: Path | None = None
    summary: Path | None = None
    dataset: str = "k562"
    held_out: tuple[int, ...] = ()
    start: Path | None = None
    device: str = "auto"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A key of the file: its value and where it stands."""

    key: str
    value: Any
    where: str


def read(path: str | Path) -> Config:
    """Read a configuration.

    Raises
    ------
    UserError
        Naming the file, the line and the key, with what was found and what was expected.
    """
    path = Path(path)
    entries = _entries(path)
    model = _one(entries, "model", "gpo", (PUBLISHED_MODEL, *MODELS))
    known = keys(model)
    for entry in entries:
        _check(entry, known)
    dataset = DATA_MODULES[_one(entries, "data_module", "ReplogleDataModule", tuple(DATA_MODULES))]
    parts: dict[str, Any] = _defaults(entries, model, dataset)
    parts["run"] = {"name": path.stem, "dataset": dataset}
    for target, entry in _targets(entries, known).items():
        _set(parts, target, entry, known[entry.key])
    run = parts.pop("run")
    for name in ("data", "summary", "start"):
        if name in run:
            run[name] = _file(run[name], path)
    return Config(path=path, notes=_notes(entries, known), **parts, **run)


def _defaults(entries: list[Entry], model: str, dataset: str) -> dict[str, Any]:
    """Settings that stand for what the file leaves out."""
    if model == OURS:
        return {"model": NetworkSettings(), "training": GpoTraining(), "preparation": Preparation()}
    published = model == PUBLISHED_MODEL
    compat = _one(entries, "compat", "published" if published else "corrected", COMPAT)
    return {
        "model": ModelSettings.published("gpo" if published else model, dataset, compat=compat),
        "training": TrainingSettings(),
        "preparation": Preparation(**(PUBLISHED_PREPARATION if published else {})),
    }


def _entries(path: Path) -> list[Entry]:
    """Keys of the file, ``a--b: v`` as two; an empty section is none."""
    out = []
    for joined, (value, line) in read_mapping(path, nested=True).items():
        if joined in SECTIONS and value is None:
            continue
        out += [Entry(key.strip(), value, f"{path}, line {line}") for key in _split(joined)]
    return out


def _split(joined: str) -> list[str]:
    """The keys of ``a.b--c.d``; in a section, ``a: {b--c: v}``, the later ones have its name too."""
    first, *others = joined.split("--")
    section = first.rpartition(".")[0]
    return [first, *(key if "." in key or not section else f"{section}.{key}" for key in others)]


def _one(entries: list[Entry], key: str, default: str, choices: tuple[str, ...]) -> str:
    """Value of a key on which the meaning of others depends."""
    for entry in entries:
        if entry.key == key and entry.value not in choices:
            raise UserError(
                f"{entry.where}: {key} is {entry.value!r}{closest(entry.value, choices)}; expected {', '.join(choices)}"
            )
    return next((entry.value for entry in entries if entry.key == key), default)


def _check(entry: Entry, known: dict[str, Key]) -> None:
    """Refuse an unknown key, a value of another type, a value that is not offered."""
    if entry.key not in known:
        section = entry.key.rpartition(".")[0]
        others = [name for name in known if name.rpartition(".")[0] == section] or list(SECTIONS)
        hint = closest(entry.key, known) or f"; expected one of {', '.join(others)}"
        raise UserError(f"{entry.where}: unknown key '{entry.key}'{hint}")
    key = known[entry.key]
    if entry.value is None and key.null:
        return
    if not _is(entry.value, key.kind):
        raise UserError(f"{entry.where}: {entry.key} is {entry.value!r}; expected {_KINDS[key.kind]}")
    if key.choices and entry.value not in key.choices:
        listed = ", ".join("null" if each is None else str(each).lower() for each in key.choices)
        raise UserError(
            f"{entry.where}: {entry.key} is {entry.value!r}{closest(entry.value, key.choices)}; offered here: {listed}"
        )


def _is(value: object, kind: str) -> bool:
    if kind == "any":
        return True
    if kind == "flag":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "whole list":
        return isinstance(value, list) and all(_is(each, "whole") and each >= 0 for each in value)
    return isinstance(value, {"whole": int, "number": int | float, "text": str}[kind])


def _targets(entries: list[Entry], known: dict[str, Key]) -> dict[str, Entry]:
    """What is set, by which key; UserError if two keys set the same thing to different values."""
    out: dict[str, Entry] = {}
    for entry in entries:
        key = known[entry.key]
        if not key.target or (entry.value is None and None not in key.choices):
            continue
        first = out.setdefault(key.target, entry)
        if known[first.key].convert(first.value) != key.convert(entry.value):
            raise UserError(
                f"{entry.where}: {entry.key} is {entry.value!r}, but {first.key} is {first.value!r} in "
                f"{first.where.rpartition(', ')[2]}; expected the same, since both set one thing"
            )
    return out


def _set(parts: dict[str, Any], target: str, entry: Entry, key: Key) -> None:
    """Set one field; the settings themselves know its range."""
    part, _, name = target.partition(".")
    value = key.convert(entry.value)
    if part == "run":
        parts[part][name] = value
        return
    try:
        parts[part] = replace(parts[part], **{name: float(value) if key.kind == "number" else value})
    except UserError as error:
        raise UserError(f"{entry.where}: {entry.key} is {entry.value!r}: {error}") from None


def _file(name: str, config: Path) -> Path:
    """A file that the configuration names: from the working folder, as published, else from the file's own folder."""
    return Path(name) if Path(name).exists() or Path(name).is_absolute() else config.parent / name


def _notes(entries: list[Entry], known: dict[str, Key]) -> tuple[str, ...]:
    return tuple(
        f"{entry.key}: ignored, {known[entry.key].ignored}"
        for entry in entries
        if known[entry.key].ignored and entry.value
    )
