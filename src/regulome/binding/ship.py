"""Make the predictor that is shipped with the package from what notebook 15 keeps.

    python -m regulome.binding.ship build/paper/15_unseen_rbps/predictor.pt

The file has to be small. What is left out is chosen by its effect: coefficients get the lowest rank, in steps of eight,
at which every training protein keeps a correlation of `KEPT` with its full prediction on fresh random RNAs; weights
and matrices get half precision. The result is read back and compared with the original, and refused where it is
larger than `LARGEST` or where any protein loses more.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from regulome.binding import predictor_file
from regulome.binding.compact import factors
from regulome.binding.predictor import Predictor
from regulome.binding.scoring import DEFAULT
from regulome.binding.sequences import BASES, Sequences, sequences
from regulome.binding.validation import correlations
from regulome.errors import UserError

LARGEST = 2_000_000  # bytes
KEPT = 0.999
STEP = 8
RECORD = ("kind", "longest", "best_epoch", "targets")  # of the network's record; the log stays in notebook 14
PROBES, LENGTH = 2000, 38


@dataclass(frozen=True)
class Shipped:
    """What was made.

    Attributes
    ----------
    size
        Bytes.
    rank
        Of the coefficients.
    kept
        Smallest and median correlation of shipped and full prediction on random RNAs, over training proteins and
        proteins without relatives.
    """

    size: int
    rank: int
    kept: tuple[float, float]


def ship(path: Path, out: Path = DEFAULT, seed: int = 0) -> Shipped:
    """Write the shipped file.

    Raises
    ------
    UserError
        If the file is no predictor, or cannot be made small without loss.
    """
    full = _lean(Predictor.load(path))
    probes = random_probes(PROBES, np.random.default_rng(seed))
    rank = lowest_rank(full, probes)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        predictor_file.write(temporary, full, rank)
        size = temporary.stat().st_size
        if size > LARGEST:
            raise UserError(f"{path}: {size} bytes with rank {rank}; expected at most {LARGEST}")
        queries = some_proteins(full.training)
        r = correlations(Predictor.load(temporary).predict(queries, probes), full.predict(queries, probes))
        if r.min() < KEPT:
            raise UserError(f"{path}: a protein keeps a correlation of {r.min():.4f}; expected at least {KEPT}")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return Shipped(size, rank, (float(r.min()), float(np.median(r))))


def lowest_rank(predictor: Predictor, probes: Sequences) -> int:
    """Lowest rank of the coefficients at which all training proteins keep `KEPT` on the probes."""
    ridge = predictor.ridge
    whole = ridge.predict(probes)
    most = min(ridge.coefficients.shape)
    for rank in [*range(STEP, most, STEP), most]:
        left, right = factors(ridge.coefficients, rank)
        coefficients = left.astype(np.float32) @ right.astype(np.float32)
        if correlations(replace(ridge, coefficients=coefficients).predict(probes), whole).min() >= KEPT:
            return rank
    return most


def some_proteins(training: Sequences) -> Sequences:
    """Training proteins, and the same read backwards: proteins without relatives, which the network decides."""
    some = training.take(range(0, len(training), max(1, len(training) // 25)))
    return sequences([*some.letters, *(letters[::-1] for letters in some.letters)], "protein")


def random_probes(number: int, generator: np.random.Generator) -> Sequences:
    """Random RNAs of the usual length of a probe."""
    letters = np.array(list(BASES))[generator.integers(0, 4, (number, LENGTH))]
    return sequences(["".join(row) for row in letters], "rna")


def _lean(predictor: Predictor) -> Predictor:
    """Without the log of the network's training."""
    if predictor.model is None:
        return predictor
    record = {name: predictor.model.record[name] for name in RECORD if name in predictor.model.record}
    return replace(predictor, model=replace(predictor.model, record=record))


def main(
    predictor: Annotated[Path, typer.Argument(help="predictor.pt of notebook 15.")],
    out: Annotated[Path, typer.Option(help="File to write (default: the package's own).")] = DEFAULT,
) -> None:
    """Write the shipped predictor and say what it keeps."""
    made = ship(predictor, out)
    print(
        f"{out}: {made.size} bytes, rank {made.rank}; correlation with the full predictor at least {made.kept[0]:.4f}, "
        f"median {made.kept[1]:.4f}"
    )


if __name__ == "__main__":
    try:
        typer.run(main)
    except UserError as error:
        print(f"regulome: {error}", file=sys.stderr)
        sys.exit(2)
