"""What the command line does with a trained model: predict, network, evaluate. Each leaves a folder."""

from collections.abc import Sequence
from pathlib import Path

from regulome import __version__
from regulome.command_folder import as_json, check_folder, filled
from regulome.errors import UserError
from regulome.perturbation import export, learned_files, library
from regulome.perturbation import screen as screens
from regulome.perturbation.response_metrics import TITLES
from regulome.perturbation.train_command import MODEL, SCREEN, say
from regulome.tables import write_csv

MANIFEST = "result.json"


def load(path: Path) -> learned_files.Learned:
    """A model from its file, or from the folder of `train`."""
    return learned_files.load(path / MODEL if path.is_dir() else path)


def predict(
    path: Path, out: Path, wanted: Sequence[str] | None, cells: int = 0, seed: int = 0, force: bool = False
) -> None:
    """Write effects.csv and pseudobulk.csv (perturbations by genes), and cells.h5ad if `cells` are asked for."""
    check_folder(out, MANIFEST, force)
    model = load(path)
    wanted = library.labels_of(model, wanted or None)
    means = library.pseudobulk(model, wanted, seed=seed)
    effects = library.pseudobulk(model, wanted, effects=True, seed=seed)
    with filled(out, MANIFEST) as folder:
        write_csv(means, folder / "pseudobulk.csv")
        write_csv(effects, folder / "effects.csv")
        if cells:
            library.predict(model, wanted, cells, seed=seed).write_h5ad(folder / "cells.h5ad", compression="gzip")
        _manifest(folder, "predict", model=str(path), perturbations=wanted, seed=seed)
    say(f"{out}: {len(wanted)} perturbations, {len(model.genes)} genes")


def network(path: Path, out: Path, threshold: float = 0.5, force: bool = False) -> None:
    """Write network.csv and network.graphml."""
    check_folder(out, MANIFEST, force)
    model = load(path)
    table = library.network(model, threshold)
    facts = learned_files.facts(model)
    with filled(out, MANIFEST) as folder:
        export.write(folder, "network", table, facts.latent, facts.perturbed, facts.family)
        _manifest(folder, "network", model=str(path), threshold=threshold, edges=len(table))
    say(f"{out}: {len(table)} edges with a score above {threshold:g} among {len(facts.latent)} genes")


def evaluate(paths: Sequence[Path], out: Path, data: Path | None = None, seed: int = 0, force: bool = False) -> None:
    """Write scores.csv, and show the correlation of every predictor."""
    check_folder(out, MANIFEST, force)
    data = paths[0] / SCREEN if data is None else data
    if not data.is_file():
        raise UserError(f"{data}: no such file; expected the prepared screen that the model was trained on (--data)")
    models = [load(path) for path in paths]
    scores = library.evaluate({"model": models}, screens.load(data), seed=seed)
    with filled(out, MANIFEST) as folder:
        write_csv(scores, folder / "scores.csv")
        _manifest(folder, "evaluate", models=[str(path) for path in paths], data=str(data), seed=seed)
    for row in scores[scores["metric"] == "pearson"].itertuples():
        say(f"{row.predictor} ({row.kind}): {TITLES['pearson']} {row.value:.3f} ({row.low:.3f} to {row.high:.3f})")


def _manifest(folder: Path, command: str, **known) -> None:
    files = sorted([MANIFEST, *(path.name for path in folder.iterdir())])
    text = {"made_by": f"regulome {__version__}, command perturbation {command}"} | known | {"files": files}
    (folder / MANIFEST).write_bytes(as_json(text))
