"""What the training of notebook 14 reads: the files that notebooks 11 to 13 keep, brought into one order."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.binding import compendium as compendia
from regulome.binding import duplicates, structure_file, vector_files
from regulome.binding.compendium import Compendium
from regulome.binding.held_out import HeldOut, part
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

COLUMNS = ("name", "cluster", "fold")


@dataclass(frozen=True)
class Inputs:
    """Distinct proteins on RNAs, with everything that a training needs about them.

    Attributes
    ----------
    compendium
        One row a distinct protein: rows of identical proteins are averaged.
    proteins
        Name, cluster and fold of each, in the order of the compendium.
    structure
        (N, L, 5) profiles of the RNAs.
    vectors
        Vectors of the proteins.
    """

    compendium: Compendium
    proteins: pd.DataFrame
    structure: np.ndarray
    vectors: Vectors

    @property
    def clusters(self) -> np.ndarray:
        """(P,) cluster of homologues of every protein."""
        return self.proteins["cluster"].to_numpy()

    @property
    def folds(self) -> np.ndarray:
        """(P,) fold of every protein; a cluster lies in one."""
        return self.proteins["fold"].to_numpy()

    def checksum(self) -> str:
        """SHA-256 over everything that a training reads."""
        found = hashlib.sha256(self.proteins[list(COLUMNS)].to_csv(index=False).encode())
        for text in (self.compendium.proteins.checksum(), self.compendium.rnas.checksum(), self.vectors.source):
            found.update(text.encode())
        for values in (self.compendium.intensities, self.vectors.values, self.structure):
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()

    def part(self, proteins, rnas, name: str = "validation") -> HeldOut:
        """The given proteins and RNAs with their vectors and profiles."""
        return part(self.compendium, self.vectors, self.structure, proteins, rnas, name)


def files(build: Path) -> dict[str, Path]:
    """The four files below ``build/<profile>``."""
    return {
        "compendium": build / "11_rbp_dedup" / "compendium.npz",
        "proteins": build / "11_rbp_dedup" / "proteins.csv",
        "structure": build / "12_phime" / "structure.npz",
        "vectors": build / "13_protein_embeddings" / "vectors.npz",
    }


def read(build: Path) -> Inputs:
    """Read the kept files of one profile and merge identical proteins.

    Raises
    ------
    UserError
        If a file is missing or damaged, or the files are not about the same proteins and RNAs.
    """
    place = files(build)
    for name, file in place.items():
        if not file.is_file():
            raise UserError(f"{file}: no such file ({name}); expected what notebook {file.parent.name} keeps")
    everyone = compendia.load(place["compendium"])
    table = pd.read_csv(place["proteins"], dtype={"name": str})
    for column in COLUMNS:
        if column not in table:
            raise UserError(f"{place['proteins']}: no column '{column}'; expected {', '.join(COLUMNS)}")
    if tuple(table["name"]) != everyone.proteins.names:
        raise UserError(f"{place['proteins']}: other proteins than in {place['compendium']}; run notebook 11 again")
    vectors = vector_files.load(place["vectors"], everyone.proteins)
    merged, _ = duplicates.merge(everyone)
    index = everyone.proteins.index()
    rows = [index[name] for name in merged.proteins.names]
    structure = structure_file.load(place["structure"], merged.rnas)
    return Inputs(merged, table.iloc[rows].reset_index(drop=True), structure, vectors.take(rows))
