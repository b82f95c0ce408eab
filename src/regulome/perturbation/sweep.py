"""Training of many models: every model with every seed on every screen, in shards made side by side.

A shard file holds the model files of its trainings; the notebook unpacks them, and makes what is missing. Nothing but
running time depends on the number of shards.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from regulome.errors import UserError, closest
from regulome.perturbation import learned_files, library
from regulome.perturbation import screen as screens
from regulome.perturbation.gpo_network import NetworkSettings
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.learned_files import OURS, Learned
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import ModelSettings, TrainingSettings
from regulome.tables import write_bytes

PREPARED = Path("21_perturbseq_preparation") / "screen.h5ad"


@dataclass(frozen=True)
class Variant:
    """A model of the sweep: its title, its family, and what differs from the family's published settings."""

    title: str
    family: str
    changes: Mapping = field(default_factory=dict)

    def settings(self, values: Mapping) -> ModelSettings | NetworkSettings:
        """Settings with the sizes of the notebook's parameters; our model has its own."""
        if self.family == OURS:
            return NetworkSettings()
        sizes = {name: value for name, value in values.items() if name in SIZES}
        published = {"compat": "published", "mask_prior": PRIOR[self.family]}
        return ModelSettings(self.family, **(published | sizes | dict(self.changes)))


SIZES = (
    "basal", "decoder_width", "encoder_layers", "encoder_width", "effect_layers", "effect_width", "margin", "sparsity",
)  # fmt: skip
# Published prior probability of an entry of the mask
PRIOR = {
    "sams": 0.01, "sams-mean-field": 0.01, "cpa": 0.01, "svae+": 0.01, "cvae": 0.01, "cradle": 0.001, "gpo": 0.3,
}  # fmt: skip
VARIANTS = {
    "cvae": Variant("Conditional VAE", "cvae"),
    "cpa": Variant("CPA-VAE", "cpa"),
    "svae+": Variant("SVAE+", "svae+"),
    "sams-mean-field": Variant("SAMS-VAE, mean field", "sams-mean-field"),
    "sams": Variant("SAMS-VAE", "sams"),
    "cradle": Variant("CRADLE-VAE", "cradle"),
    "gpo": Variant("GPO-VAE, published", "gpo"),
    "gpo_hop_0": Variant("GPO-VAE, published, hop 0", "gpo", {"hop": 0}),
    "gpo_corrected": Variant("GPO-VAE, corrected", "gpo", {"compat": "corrected"}),
    OURS: Variant("GPO-VAE, ours", OURS),
}
# Parameters of notebook 22 that decide about the trainings
USES = (
    "seed", "models", "repeated", "seeds", "basal", "decoder_width", "encoder_layers", "encoder_width",
    "effect_layers", "effect_width", "margin", "sparsity", "epochs", "batch", "rate", "particles", "patience", "device",
    "datasets",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One training; `data` is the path of a further screen, empty for that of notebook 21."""

    name: str
    seed: int
    model: ModelSettings | NetworkSettings
    training: TrainingSettings | GpoTraining
    data: str = ""

    @property
    def file(self) -> str:
        """Name of the model file; those of a further screen are in a folder of its name."""
        folder = f"{Path(self.data).stem}/" if self.data else ""
        return f"{folder}{self.name}_seed{self.seed}.pt"


def title(name: str) -> str:
    """What a model is called in figures and tables."""
    return VARIANTS[name].title


def jobs(values: Mapping) -> list[Job]:
    """Every training, in order: screen by screen, seed by seed, models as they are listed.

    Raises
    ------
    UserError
        If there is no such model, a model is repeated that is not trained at all, or two screens have the same name.
    """
    further = values.get("datasets", [])
    stems = [Path(path).stem for path in further]
    for path, stem in zip(further, stems, strict=True):
        if stems.count(stem) > 1:
            raise UserError(f"datasets: found two files called '{stem}' ({path}); expected files of different names")
    for which, known in (("models", VARIANTS), ("repeated", values["models"])):
        for name in values[which]:
            if name not in known:
                raise UserError(f"{which}: found '{name}'{closest(name, known)}; expected some of: {', '.join(known)}")
    found = []
    for data, number, name in product(["", *further], range(values["seeds"]), values["models"]):
        if number == 0 or name in values["repeated"]:
            seed = values["seed"] + number
            found.append(Job(name, seed, VARIANTS[name].settings(values), training(values, name, seed), data))
    return found


def training(values: Mapping, name: str, seed: int) -> TrainingSettings | GpoTraining:
    """How a model is trained; what no parameter says is as published. Our model has its own recipe."""
    if VARIANTS[name].family == OURS:
        return GpoTraining(seed=seed)
    names = ("epochs", "batch", "rate", "particles", "patience")
    return TrainingSettings(seed=seed, **{each: values[each] for each in names})


# --- shards


def make_shard(values: Mapping, index: int, file: Path) -> None:
    """Make one shard for the pipeline; ``values`` are the notebook's parameters that decide about the trainings."""
    torch.set_num_threads(1)
    screen = screens.load(Path(file).parent.parent / PREPARED)
    chosen = jobs(values)[index :: values["shards"]]
    on = read(screen, chosen)
    save(make(on, chosen, values["device"]), file, key(on, chosen))


def read(screen: Screen, chosen: Sequence[Job]) -> dict[str, Screen]:
    """The screens of some trainings by path; "" is the given one. Raw counts are prepared as `prepare` has it.

    Raises
    ------
    UserError
        As `library.read_screen`.
    """
    return {job.data: library.read_screen(job.data) if job.data else screen for job in chosen} | {"": screen}


def make(on: Mapping[str, Screen], chosen: Sequence[Job], device: str = "auto", progress: bool = True) -> dict:
    """Train; the model files (bytes) by name. `on`: screens by path, of `read`."""
    out = {}
    with tqdm(chosen, unit="model", disable=None if progress else True) as bar:
        for job in bar:
            bar.set_description(f"{title(job.name)}, seed {job.seed}")
            model = learned_files.train(on[job.data], job.model, job.training, device, progress=False)
            out[job.file] = _bytes(model.save)
    return out


def gather(files: Sequence[Path], screen: Screen, values: Mapping, folder: Path) -> dict[str, dict[str, list[Learned]]]:
    """All models by screen and name, one a seed; shards that are missing or of something else are made now, and kept.

    Parameters
    ----------
    files
        The shards' files, in order.
    folder
        Takes the model files, NAME_seedS.pt, those of further screens in folders of their names; others of that form
        in it are removed.

    Returns
    -------
    dict
        "" (the given screen) or the name of a further one -> name of the model -> models.
    """
    everything = jobs(values)
    on = read(screen, everything)
    content: dict[str, bytes] = {}
    for index, file in enumerate(files):
        chosen = everything[index :: len(files)]
        found = load(file, key(on, chosen))
        if found is None:
            found = make(on, chosen, values["device"])
            save(found, file, key(on, chosen))
        content |= found
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("**/*_seed*.pt"):
        if old.relative_to(folder).as_posix() not in content:
            old.unlink()
    out: dict[str, dict[str, list[Learned]]] = {}
    for job in everything:
        if not (folder / job.file).exists() or (folder / job.file).read_bytes() != content[job.file]:
            write_bytes(folder / job.file, content[job.file])
        own = out.setdefault(Path(job.data).stem, {})
        own.setdefault(job.name, []).append(learned_files.load(folder / job.file))
    return out


def key(on: Mapping[str, Screen], chosen: Sequence[Job]) -> str:
    """What a shard was made from."""
    made = [[job.file, asdict(job.model), asdict(job.training)] for job in chosen]
    further = dict.fromkeys(job.data for job in chosen if job.data)
    return json.dumps([made, checksum(on[""]), *(checksum(on[path]) for path in further)], sort_keys=True)


def checksum(screen: Screen) -> str:
    """Of all that a training reads."""
    text = json.dumps([screen.genes, screen.labels, screen.latent])
    found = hashlib.sha256(text.encode())
    for values in (
        screen.counts.data, screen.counts.indices, screen.counts.indptr, screen.label, screen.split, screen.qc_fail,
        screen.control, screen.counterfactual, screen.counterfactual_row,
    ):  # fmt: skip
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def save(content: Mapping[str, bytes], file: Path, made_from: str) -> None:
    """Write a shard; it appears whole or not at all."""
    parts = {name: np.frombuffer(data, np.uint8) for name, data in content.items()}
    write_bytes(file, _bytes(lambda path: _savez(path, made_from=np.array(made_from), **parts)))


def load(file: Path, made_from: str) -> dict[str, bytes] | None:
    """Model files of a shard, or None where it is missing, damaged or was made from something else."""
    try:
        with np.load(file, allow_pickle=False) as content:
            if str(content["made_from"]) != made_from:
                return None
            return {name: content[name].tobytes() for name in content.files if name != "made_from"}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _savez(path: Path, **arrays: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


def _bytes(write: Callable[[Path], None]) -> bytes:
    """What a function writes into a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()
