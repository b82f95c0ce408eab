"""In-silico knockouts of binding: residues of the protein, bases of the RNA, and helices of the RNA.

A predictor is anything with ``predict(proteins, rnas) -> (P, N)`` scores. The scans are in `residue_scan`, `base_scan`
and `helix_scan` and are offered here as well; all return the columns of `knockout_table.COLUMNS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

import pandas as pd

from regulome.binding.base_scan import best_rna, effect_matrix, importance, motif, mutation_scan, random_rnas
from regulome.binding.helix_scan import structure_scan
from regulome.binding.knockout_table import BEST, COLUMNS, HELIX, PROFILE, SCORE, Predicts
from regulome.binding.residue_scan import deletion_scan, domain_windows
from regulome.binding.sequences import Sequences

__all__ = [
    "BEST", "COLUMNS", "HELIX", "PROFILE", "SCORE", "Predicts", "Target", "best_rna", "deletion_scan",
    "domain_windows", "effect_matrix", "importance", "knockout", "motif", "mutation_scan", "random_rnas",
    "structure_scan",
]  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What to knock out.

    Attributes
    ----------
    protein
        One protein.
    rnas
        RNAs over which its binding profile is read.
    rna
        One RNA whose bases and helices are knocked out; None: the one of `rnas` with the highest prediction.
    domains
        Further windows of the protein to delete, each as name to (start, end), from 1, inclusive.
    window, step
        Residues deleted at a time, and between one window and the next.
    """

    protein: Sequences
    rnas: Sequences
    rna: Sequences | None = None
    domains: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    window: int = 10
    step: int = 5


def knockout(predictor: Predicts, target: Target, structure: bool | None = None, seed: int = 0) -> pd.DataFrame:
    """All knockouts of a target: residues, bases, and helices.

    Parameters
    ----------
    structure
        Whether to knock out helices, which needs ViennaRNA; None: if it is installed.
    seed
        Of the bootstrap over RNAs.

    Returns
    -------
    DataFrame
        See `COLUMNS`.

    Raises
    ------
    UserError
        As the single scans.
    """
    residues = deletion_scan(
        predictor, target.protein, target.rnas, target.window, target.step, domains=target.domains, seed=seed
    )
    rna = target.rna if target.rna is not None else best_rna(predictor, target.protein, target.rnas)
    parts = [residues, mutation_scan(predictor, target.protein, rna)]
    if structure or (structure is None and find_spec("RNA") is not None):
        parts.append(structure_scan(predictor, target.protein, rna))
    return pd.concat([part[list(COLUMNS)] for part in parts if len(part)], ignore_index=True)
