"""The mini data of the binding part: a synthetic compendium whose truth is known. Nothing measured enters.

    python -m regulome.binding.synthetic FOLDER

writes what lies in ``data/mini/binding``: the three files of a compendium in the published course layout, proteins and
RNAs that no training sees (``new_*``), and the truth (``motifs.csv``). Proteins and their recognition code are in
`regulome.binding.synthetic_proteins`, probes and intensities in `regulome.binding.synthetic_intensities`.
"""

import gzip
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome import paths
from regulome.binding import scan
from regulome.binding.compendium import Compendium, read_compendium
from regulome.binding.sequences import sequences
from regulome.binding.synthetic_intensities import blocking, observe, probes
from regulome.binding.synthetic_proteins import Family, Protein, families
from regulome.tables import write_bytes

SEED = 20261121
NEW_IDENTITIES = (
    0.9,
    0.7,
    0.55,
    0.55,
    0.4,
    0.4,
    None,
    None,
)  # to the first of a training family; None: a family of its own
NEW_RNAS = 300
DUPLICATES = 4  # rows of the compendium whose protein also stands in another row, in three groups


@dataclass(frozen=True)
class World:
    """A synthetic compendium, proteins and RNAs outside it, and the truth about both.

    Attributes
    ----------
    training
        Compendium of the training proteins and RNAs.
    new
        Compendium of new proteins on new RNAs.
    truth
        One row a protein and site of its motif: set ("training" or "new"), protein (its name), family, identity (to
        the family's first protein), structure (weight of accessibility), ceiling (Pearson correlation that the best
        possible prediction reaches), site (1 to 6), residue, and log odds A, C, G, U.
    """

    training: Compendium
    new: Compendium
    truth: pd.DataFrame


def make(proteins: int = 96, rnas: int = 2000, seed: int = SEED) -> Compendium:
    """A synthetic compendium, kind "synthetic"; the same seed gives the same numbers."""
    return world(proteins, rnas, seed).training


def world(proteins: int = 96, rnas: int = 2000, seed: int = SEED) -> World:
    """A synthetic compendium with the rest of its world.

    Parameters
    ----------
    proteins
        Rows, `DUPLICATES` of them measured a second or third time (with other noise).
    rnas
        Training probes, the first half set A, the second set B.
    """
    generator = np.random.default_rng(seed)
    drawn, trained = families(proteins - DUPLICATES, generator)
    trained += [trained[i % len(trained)] for i in (0, 10, 20, 20)]
    trained = [trained[i] for i in generator.permutation(len(trained))]
    new = [_new(i, identity, drawn, generator) for i, identity in enumerate(NEW_IDENTITIES)]
    structure = _structure_weights(len(drawn) + len(new), generator)
    everyone = trained + new
    letters = probes(rnas + NEW_RNAS, generator)
    weights = np.array([structure[p.family] for p in everyone])
    scores = scan.log_sum_exp([p.motif for p in everyone], letters, blocking(letters), weights)
    known = scores[:, :rnas]
    signal = (scores - known.mean(axis=1, keepdims=True)) / known.std(axis=1, keepdims=True)
    share = generator.uniform(0.7, 0.9, len(everyone))
    measured, best = observe(signal, share, generator)
    ceiling = [np.corrcoef(m, b)[0, 1] for m, b in zip(measured, best, strict=True)]
    p, n = len(trained), rnas
    half = np.where(np.arange(rnas) < rnas // 2, "A", "B")
    return World(
        _compendium(trained, letters[:n], measured[:p, :n], None, half),
        _compendium(new, letters[n:], measured[p:, n:], [f"new_{i + 1}" for i in range(len(new))], None),
        pd.concat(
            [
                _truth("training", [str(i + 1) for i in range(p)], trained, weights[:p], ceiling[:p]),
                _truth("new", [f"new_{i + 1}" for i in range(len(new))], new, weights[p:], ceiling[p:]),
            ],
            ignore_index=True,
        ),
    )


def _new(i: int, identity: float | None, drawn: list[Family], generator: np.random.Generator) -> Protein:
    family = Family.draw(len(drawn) + i, generator) if identity is None else drawn[i % len(drawn)]
    return family.member(identity or 1.0, generator)


def _structure_weights(count: int, generator: np.random.Generator) -> np.ndarray:
    """(families,) weight of accessibility: 1 for two families of five, 0 for the others."""
    return (generator.permutation(count) % 5 < 2).astype(float)


def _compendium(proteins: list[Protein], rnas: list[str], values, names, probe_set) -> Compendium:
    source = "synthetic"
    return Compendium(
        sequences([p.sequence for p in proteins], "protein", names, source),
        sequences(rnas, "rna", None, source),
        values.astype(np.float32),
        "synthetic",
        probe_set,
        source,
    )


def _truth(name: str, names, proteins: list[Protein], weights, ceiling) -> pd.DataFrame:
    rows = [
        (name, label, p.family + 1, p.identity, weight, top, site + 1, residue, *odds)
        for label, p, weight, top in zip(names, proteins, weights, ceiling, strict=True)
        for site, (residue, odds) in enumerate(zip(p.read, p.motif, strict=True))
    ]
    columns = ["set", "protein", "family", "identity", "structure", "ceiling", "site", "residue", *"ACGU"]
    return pd.DataFrame(rows, columns=columns)


# --- files


def write(folder: Path, seed: int = SEED) -> list[Path]:
    """Write the files of the mini data; the same seed gives the same content."""
    made = world(seed=seed)
    content = {
        "intensities.txt.gz": gzip.compress(_matrix(made.training), mtime=0),
        "proteins.txt": _lines(made.training.proteins.letters),
        "rnas.txt": _lines(made.training.rnas.letters),
        "new_proteins.fasta": _fasta(made.new.proteins),
        "new_rnas.txt": _lines(made.new.rnas.letters),
        "new_intensities.txt.gz": gzip.compress(_matrix(made.new), mtime=0),
        "motifs.csv": made.truth.to_csv(index=False, float_format="%.4f", lineterminator="\n").encode(),
    }
    for name, part in content.items():
        write_bytes(folder / name, part)
    return [folder / name for name in content]


def folder() -> Path:
    """Where the mini data lie."""
    return paths.mini_data() / "binding"


def mini() -> Compendium:
    """The training compendium of the mini data."""
    found = read_compendium(
        folder() / "intensities.txt.gz", folder() / "proteins.txt", folder() / "rnas.txt", "synthetic"
    )
    half = np.where(np.arange(len(found.rnas)) < len(found.rnas) // 2, "A", "B")
    return replace(found, probe_set=half, source="synthetic (data/mini/binding)")


def mini_new() -> Compendium:
    """New proteins on new RNAs, which no training sees."""
    files = ("new_intensities.txt.gz", "new_proteins.fasta", "new_rnas.txt")
    found = read_compendium(*(folder() / name for name in files), "synthetic")
    return replace(found, source="synthetic (data/mini/binding)")


def truth() -> pd.DataFrame:
    """What is true of the mini data's proteins (columns: `World.truth`); names are text."""
    return pd.read_csv(folder() / "motifs.csv", dtype={"protein": str}, keep_default_na=False)


def motifs() -> dict[str, np.ndarray]:
    """Log odds (6, 4) of A, C, G, U of each protein of the mini data, natural logarithm, zero mean over the bases."""
    table = truth()
    return {name: rows[list("ACGU")].to_numpy() for name, rows in table.groupby("protein", sort=False)}


def _matrix(compendium: Compendium) -> bytes:
    """One row an RNA, one column a protein, blanks between them: the published course layout."""
    rows = compendium.intensities.T
    line = " ".join(["%.3f"] * rows.shape[1])
    return _lines([line % tuple(row) for row in rows.tolist()])


def _lines(lines) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _fasta(proteins) -> bytes:
    return _lines([f">{name}\n{letters}" for name, letters in zip(proteins.names, proteins.letters, strict=True)])


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else folder()):
        print(path)
