"""Make the predictor that is shipped with the package from what notebook 15 keeps.

    python -m regulome.binding.ship build/paper/15_unseen_rbps

The file has to be small: weights of the network and matrices in half precision, coefficients of the regression rounded
to a share of their standard deviation, the finest of `SHARES` that fits into `LARGEST`. The result is read back and
compared with the original, on training proteins and on proteins without relatives; it is refused where it is too
large, or where the correlation with the original is below `KEPT` for any protein.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from regulome.binding import predictor_file
from regulome.binding.predictor import Predictor
from regulome.binding.scoring import DEFAULT
from regulome.binding.sequences import BASES, Sequences, sequences
from regulome.binding.validation import correlations
from regulome.errors import UserError, as_message

FILE = "predictor.pt"  # in the folder of notebook 15
LARGEST = 3_500_000  # bytes
KEPT = 0.995
SHARES = (1 / 8, 1 / 6, 1 / 5, 1 / 4, 1 / 3)
RECORD = ("kind", "longest", "shortest", "best_epoch", "targets")  # kept of the network's record, without the log
PROBES, LENGTH, PROTEINS = 2000, 38, 25  # of the comparison


@dataclass(frozen=True)
class Shipped:
    """What was made.

    Attributes
    ----------
    size
        Bytes.
    share
        Step of the coefficients, as a share of their standard deviation.
    kept, median
        Smallest and median correlation of shipped and full prediction, one a protein.
    """

    size: int
    share: float
    kept: float
    median: float


def ship(path: Path, out: Path = DEFAULT, seed: int = 0) -> Shipped:
    """Write the shipped file.

    Parameters
    ----------
    path
        `FILE` of notebook 15, or its folder.
    seed
        Of the RNAs of the comparison.

    Raises
    ------
    UserError
        If the file is no predictor, or cannot be made small without loss.
    """
    full = _lean(Predictor.load(path / FILE if path.is_dir() else path))
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        size, share = _written(full, temporary)
        if size > LARGEST:
            raise UserError(f"{path}: {size} bytes, with the coarsest coefficients; expected at most {LARGEST}")
        r = kept(full, Predictor.load(temporary), np.random.default_rng(seed))
        if r.min() < KEPT:
            raise UserError(f"{path}: a protein keeps a correlation of {r.min():.4f}; expected at least {KEPT}")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return Shipped(size, share, float(r.min()), float(np.median(r)))


def kept(full: Predictor, small: Predictor, generator: np.random.Generator) -> np.ndarray:
    """Correlation of two predictors on random RNAs: for training proteins, and for the same ones read backwards,
    proteins without relatives, where the network counts most."""
    training = full.training
    some = training.take(range(0, len(training), max(1, len(training) // PROTEINS))).letters
    queries = sequences([*some, *(letters[::-1] for letters in some)], "protein")
    letters = np.array(list(BASES))[generator.integers(0, 4, (PROBES, LENGTH))]
    probes: Sequences = sequences(["".join(row) for row in letters], "rna")
    return correlations(small.predict(queries, probes), full.predict(queries, probes))


def _written(full: Predictor, path: Path) -> tuple[int, float]:
    """Write with the finest coefficients that fit; size and share."""
    for share in SHARES:
        predictor_file.write(path, full, share)
        size = path.stat().st_size
        if size <= LARGEST:
            break
    return size, share


def _lean(predictor: Predictor) -> Predictor:
    """Without the log of the network's training."""
    if predictor.model is None:
        return predictor
    record = {name: predictor.model.record[name] for name in RECORD if name in predictor.model.record}
    return replace(predictor, model=replace(predictor.model, record=record))


def main(
    folder: Annotated[Path, typer.Argument(help="Folder that notebook 15 keeps, or a predictor.")],
    out: Annotated[Path, typer.Option(help="File to write (default: the package's own).")] = DEFAULT,
) -> None:
    """Write the shipped predictor and say what it keeps."""
    made = ship(folder, out)
    print(
        f"{out}: {made.size} bytes, coefficients to {made.share:.3f} of their sd; correlation with the full predictor "
        f"at least {made.kept:.4f}, median {made.median:.4f}"
    )


if __name__ == "__main__":
    with as_message():
        typer.run(main)
