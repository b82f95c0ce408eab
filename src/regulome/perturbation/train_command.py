"""``python -m regulome.perturbation train --config FILE``: from one YAML file to a folder with a trained model.

The folder appears at the end, as a whole: model.pt, log.csv (every term of the loss, every epoch), config.yaml (the
file as it was), screen.h5ad (the prepared cells, where the data were raw counts) and training.json (what was used).
While a training runs, a checkpoint lies beside the folder; the same command goes on from it after an interruption.
"""

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from regulome import __version__, devices
from regulome.command_folder import as_json, check_folder, filled
from regulome.errors import UserError
from regulome.perturbation import learned_files, library, strength
from regulome.perturbation import screen as screens
from regulome.perturbation.config import Config, read
from regulome.perturbation.learned_files import Learned
from regulome.perturbation.screen import JOIN, Screen
from regulome.perturbation.settings import ModelSettings
from regulome.tables import write_csv

MANIFEST, MODEL, LOG, CONFIG, SCREEN = "training.json", "model.pt", "log.csv", "config.yaml", "screen.h5ad"
SHEETS = {"k562": "K562", "rpe1": "RPE1", "adamson": ""}  # of the summary statistics


@dataclass(frozen=True)
class Options:
    """Options of the command; None: as the file says.

    Attributes
    ----------
    device, seed
        Instead of the file's.
    restart
        Forget a checkpoint.
    force
        Write into a folder with other content.
    progress
        Whether to show a bar on a terminal.
    """

    device: str | None = None
    seed: int | None = None
    restart: bool = False
    force: bool = False
    progress: bool = True


def run(file: str | Path, out: Path | None = None, options: Options | None = None) -> Learned:
    """Train what the file describes and write the folder (default: results/NAME).

    Raises
    ------
    UserError
        If the file, its data, an option or the folder is no good: then nothing has been written.
    """
    options, config = options or Options(), read(file)
    out = Path("results") / config.name if out is None else out
    device = devices.choose(options.device or config.device)
    training = config.training if options.seed is None else replace(config.training, seed=options.seed)
    check_folder(out, MANIFEST, options.force)
    for note in config.notes:
        say(f"{config.path}: {note}")
    screen, raw = data(config)
    checkpoint = out.parent / f".{out.name}.checkpoint.pt"
    if options.restart:
        checkpoint.unlink(missing_ok=True)
    say(_about(screen, config))
    try:
        start = _start(config, screen)
        model = learned_files.train(screen, config.model, training, device, checkpoint, options.progress, start)
    except KeyboardInterrupt:
        if checkpoint.exists():
            say(f"interrupted; the same command goes on from {checkpoint}")
        raise
    write(out, model, config, screen if raw else None)
    checkpoint.unlink(missing_ok=True)
    facts = learned_files.facts(model)
    say(f"{out}: best epoch {facts.best_epoch} of {facts.epochs}")
    return model


def data(config: Config) -> tuple[Screen, bool]:
    """The prepared screen of a configuration, and whether it was prepared just now, from raw counts."""
    if config.data is None:
        raise UserError(f"{config.path}: data_module_kwargs.data_path: not given; expected an h5ad file of cells")
    raw = not library.is_prepared(config.data)
    summary = None
    if raw and config.summary is not None:
        summary = strength.read_summary(config.summary, SHEETS[config.dataset])
    if not raw:
        say(f"{config.data}: prepared already; settings of the preparation have no effect")
    screen = library.read_screen(config.data, config.preparation, summary)
    return hold_out(screen, config), raw


def hold_out(screen: Screen, config: Config) -> Screen:
    """The screen with the cells of the held-out latent genes moved to the test split.

    The published code lets these cells pass for controls, in training too, which teaches the model that their
    perturbations do nothing.
    """
    if not config.held_out:
        return screen
    most = screen.perturbed - 1
    if max(config.held_out) > most:
        raise UserError(
            f"{config.path}: data_module_kwargs.mask_test: found {max(config.held_out)}; expected positions of "
            f"perturbed genes, 0 to {most}"
        )
    genes = {screen.latent[place] for place in config.held_out}
    labels = [row for row, label in enumerate(screen.labels) if genes & set(label.split(JOIN))]
    say(f"held out: {', '.join(screen.labels[row] for row in labels)}")
    return replace(screen, split=np.where(np.isin(screen.label, labels), 2, screen.split))


def _start(config: Config, screen: Screen) -> np.ndarray | None:
    """(G, G) logits that the mask starts from; UserError if the file does not hold G x G probabilities."""
    if config.start is None:
        return None
    size = len(screen.latent)
    try:
        found = np.load(config.start, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{config.start}: cannot be read as .npy ({error})") from None
    if found.shape != (size, size) or not ((found >= 0) & (found <= 1)).all():
        raise UserError(
            f"{config.start}: found shape {found.shape}; expected probabilities, {size} x {size}: the latent genes of "
            f"{screen.name} in their order"
        )
    inside = np.clip(found.astype(float), 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


def write(out: Path, model: Learned, config: Config, screen: Screen | None) -> None:
    """Write the folder."""
    with filled(out, MANIFEST) as folder:
        model.save(folder / MODEL)
        write_csv(model.log.drop(columns="seconds"), folder / LOG)
        (folder / CONFIG).write_bytes(config.path.read_bytes())
        if screen is not None:
            screens.save(screen, folder / SCREEN)
        files = sorted([MANIFEST, *(path.name for path in folder.iterdir())])
        (folder / MANIFEST).write_bytes(as_json(_manifest(model, config) | {"files": files}))


def _manifest(model: Learned, config: Config) -> dict:
    facts = learned_files.facts(model)
    return {
        "made_by": f"regulome {__version__}, command perturbation train",
        "name": config.name,
        "data": str(config.data),
        "family": facts.family,
        "compat": facts.compat,
        "parameters": facts.parameters,
        "best_epoch": facts.best_epoch,
        "epochs": facts.epochs,
        "model": asdict(config.model),
        "training": model.record["training"],
        "ignored": list(config.notes),
    }


def _about(screen: Screen, config: Config) -> str:
    cells = np.bincount(screen.split, minlength=3)
    model = config.model
    words = f"{model.family}, {model.compat}" if isinstance(model, ModelSettings) else learned_files.OURS
    return (
        f"{screen.name}: {cells[0]} training, {cells[1]} validation cells, {len(screen.genes)} genes, "
        f"{len(screen.labels)} perturbations, {len(screen.latent)} latent genes; model: {words}"
    )


def say(text: str) -> None:
    """A line on stderr; stdout stays free."""
    print(text, file=sys.stderr, flush=True)
