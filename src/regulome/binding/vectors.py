"""Protein vectors with the name of what made them.

The source's name travels with the vectors: into their file, the checkpoint of a model trained on them, and every
figure title, so that the vectors of two sources are never mixed unseen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Vectors:
    """One vector a protein.

    Attributes
    ----------
    names
        P protein names.
    values
        (P, d) float32.
    source
        What made them, for instance "esm2_t6_8M_UR50D layer 6 mean" or "k-mers (2, 3; 2048 buckets) +
        physico-chemical, 2592".
    checksum
        `Sequences.checksum` of the proteins, "" where it is not known.
    pooling
        How a sequence of any length became one vector.
    """

    names: tuple[str, ...]
    values: np.ndarray
    source: str
    checksum: str = ""
    pooling: str = "mean over residues"

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.names) != len(self.values):
            raise ValueError(f"{len(self.names)} names for vectors of shape {self.values.shape}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def width(self) -> int:
        """Numbers a vector."""
        return self.values.shape[1]

    def take(self, indices: Iterable[int]) -> "Vectors":
        """Those at the given positions, in the given order; the checksum no longer holds and is dropped."""
        chosen = [int(i) for i in indices]
        return replace(self, names=tuple(self.names[i] for i in chosen), values=self.values[chosen], checksum="")
