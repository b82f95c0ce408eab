"""Train a two-tower model on a user's compendium.

    python -m regulome.binding.train intensities.txt.gz proteins.txt rnas.txt --out model.pt
    python -m regulome.binding.train training.yaml --out model.pt

Whole clusters of homologues and a share of the RNAs are held out; the log shows the correlation on new proteins with
new RNAs (which selects the epoch) and, as published, with the RNAs of the training. Beside the model, ``.log.csv``
keeps the log, and ``.checkpoint`` what an interrupted training needs: the same command goes on from it.
"""

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from regulome.binding import clusters, duplicates, embedding_sources, identity, splits, train_file
from regulome.binding.compendium import Compendium, read_compendium
from regulome.binding.model_file import Model
from regulome.binding.train_file import TrainFile
from regulome.binding.training import HeldOut, part, train
from regulome.errors import UserError, as_message
from regulome.tables import write_csv

DISJOINT, PUBLISHED = "new proteins, new RNAs", "new proteins, training RNAs"


def run(
    settings: TrainFile, out: Path, seed: int = 1, device: str = "auto", threads: int | None = None, force: bool = False
) -> Model:
    """Train on the files of the settings, and write the model with its log.

    Raises
    ------
    UserError
        If a file, a setting or the place of the result is no good: before anything is trained.
    """
    _check_out(out, force)
    torch.set_num_threads(threads or os.cpu_count() or 1)
    compendium = read(settings)
    vectors = embedding_sources.embed(settings.vectors, compendium.proteins, device)
    network, recipe = settings.settings(vectors.width), settings.recipe(seed=seed)
    parts = split(compendium, settings, seed)
    structure = _fold(compendium, threads) if settings.structure else None
    taken = [part(compendium, vectors, structure, *rows, name=name) for name, rows in parts.items()]
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    model = train(*_inputs(taken[0]), network, recipe, taken[1:], device, checkpoint)
    model.save(out)
    write_csv(model.log, out.with_name(f"{out.name}.log.csv"))
    checkpoint.unlink(missing_ok=True)
    return model


def read(settings: TrainFile) -> Compendium:
    """The compendium of the settings; identical proteins become one row unless they are to be kept."""
    files = settings.matrix, settings.proteins, settings.rnas
    compendium = read_compendium(*files, settings.kind, settings.unknown)
    if settings.duplicates == "keep":
        return compendium
    merged, groups = duplicates.merge(compendium)
    if groups:
        print(f"{len(groups)} groups of identical proteins: their rows are averaged, {len(merged.proteins)} remain")
    return merged


def split(compendium: Compendium, settings: TrainFile, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positions of proteins and RNAs for the training and both kinds of validation, by name.

    Raises
    ------
    UserError
        If there are too few clusters of homologues to hold a share of them out.
    """
    labels = clusters.by_identity(identity.pairwise(compendium.proteins), settings.identity)
    folds = max(2, round(1 / settings.new_proteins))
    if labels.max() + 1 < folds:
        raise UserError(
            f"{settings.proteins}: found {labels.max() + 1} clusters of proteins below {settings.identity:.0%} "
            f"identity; expected at least {folds} to hold {settings.new_proteins:.0%} out (new_proteins, identity)"
        )
    try:
        found = splits.doubly_disjoint(
            splits.folds(labels, folds, seed), 0, compendium.rnas, seed, settings.new_rnas, compendium.probe_set
        )
    except ValueError as error:
        raise UserError(f"{settings.rnas}: RNAs cannot be held out ({error}); expected more of them") from None
    known, new = found.training_proteins, found.test_proteins
    print(f"{len(known)} proteins train, {len(new)} without relatives among them are held out")
    return {
        "training": (known, found.training_rnas),
        DISJOINT: (new, found.test_rnas),
        PUBLISHED: (new, found.training_rnas),
    }


def _inputs(taken: HeldOut) -> tuple:
    return taken.compendium, taken.vectors, taken.structure


def _fold(compendium: Compendium, threads: int | None) -> np.ndarray:
    from regulome.binding import phime

    return phime.profiles(compendium.rnas, threads or os.cpu_count() or 1)


def _check_out(out: Path, force: bool) -> None:
    if out.exists() and not force:
        raise UserError(f"--out {out}: exists; expected a new file, or --force")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise UserError(f"--out {out}: cannot be written; expected a file in a folder that can be written")


def main(
    files: Annotated[list[Path], typer.Argument(metavar="YAML | MATRIX PROTEINS RNAS", help="One file, or three.")],
    out: Annotated[Path, typer.Option(help="File for the model.")],
    vectors: Annotated[str, typer.Option(help="With three files: kmers, an ESM-2 model or .pt, or a file.")] = "kmers",
    structure: Annotated[bool, typer.Option("--structure", help="With three files: fold the RNAs.")] = False,
    size: Annotated[str, typer.Option(help="With three files: published or mini.")] = "published",
    seed: Annotated[int, typer.Option(help="Of weights, batches and split.", min=0)] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (default: all cores).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that exists.")] = False,
) -> None:
    """Train a two-tower model: a YAML file (python -c "help('regulome.binding.train_file')"), or three files."""
    if len(files) == 1:
        settings = train_file.read(files[0])
    elif len(files) == 3:
        if size not in train_file.SIZES:
            raise UserError(f"--size is '{size}'; expected {' or '.join(train_file.SIZES)}")
        settings = TrainFile(*files, vectors=vectors, structure=structure, size=size)
    else:
        raise UserError(f"found {len(files)} files; expected one YAML file, or MATRIX PROTEINS RNAS")
    model = run(settings, out, seed, device, threads, force)
    print(model.record["targets"])
    shown = ["epoch", "loss", "median_r", "mean_r", f"median_r {PUBLISHED}", f"mean_r {PUBLISHED}", "seconds"]
    print(model.log[shown].to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(
        f"{out}: epoch {model.record['best_epoch']}; r with the targets of {DISJOINT}; vectors: {model.vector_source}"
    )


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    with as_message():
        app()
