"""Residues, bases and helices: the scans of part 1 in the common table, for predictors, baselines and the truth.

The truth is a model too: the scan of the motif that simulated intensities were made from. In the synthetic world of the
mini profile the motif follows from six residues of the protein (`regulome.binding.synthetic_proteins`), so that there a
residue knockout has a true effect as well; for semi-real intensities (published motifs over real probes) nobody knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from regulome.binding import base_scan, helix_scan, homology, knockout_table, residue_scan, scan
from regulome.binding.knockout_table import PROFILE, Predicts
from regulome.binding.predictor import Predictor
from regulome.binding.rna_regression import KmerRidge
from regulome.binding.sequences import Sequences, sequences
from regulome.binding.synthetic_intensities import blocking
from regulome.binding.synthetic_proteins import PREFERENCES, SCAFFOLD, SITES, motif
from regulome.errors import UserError
from regulome.knockout.interface import answer, expected
from regulome.knockout.table import COLUMNS, table
from regulome.knockout.targets import Bases, Helices, Residues

_RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
Z_UNIT, SCORE_UNIT, PROFILE_UNIT = "sd over RNAs", "score", "Pearson correlation"


@dataclass(frozen=True)
class Neighbours:
    """Baselines: profiles of training proteins, continued to any RNA by ridge regression on its k-mers.

    Attributes
    ----------
    training
        T proteins.
    ridge
        Their profiles on any RNA.
    nearest
        Whether the nearest training protein stands for the query; else their mean, whoever is asked.
    """

    training: Sequences
    ridge: KmerRidge
    nearest: bool = True

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        """(P, N) scores."""
        if not self.nearest:
            return self.ridge.predict(rnas, np.full((len(proteins), len(self.training)), 1 / len(self.training)))
        identity = homology.similarities(proteins, self.training)[homology.IDENTITY]
        return self.ridge.predict(rnas, homology.nearest(identity))


@dataclass(frozen=True)
class TrueScan:
    """The rule that simulated intensities were made by: a scan of each protein's motif over the RNA.

    Attributes
    ----------
    motifs
        (width, 4) log odds of each protein, by name; for the synthetic world empty: there the residues tell.
    structure
        Weight of accessibility by protein (synthetic); 0 for one that is not listed.
    """

    motifs: Mapping[str, np.ndarray]
    structure: Mapping[str, float]

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        """(P, N) scores; a mutant has its protein's name before the first blank."""
        names = [name.split()[0] for name in proteins.names]
        odds = [self._odds(name, letters) for name, letters in zip(names, proteins.letters, strict=True)]
        weights = np.array([self.structure.get(name, 0.0) for name in names])
        offsets = blocking(list(rnas.letters)) if weights.any() else None
        return scan.log_sum_exp(odds, rnas.letters, offsets, weights)

    def _odds(self, name: str, letters: str) -> np.ndarray:
        if self.motifs:
            if name not in self.motifs:
                raise UserError(f"protein '{name}': its motif is not known; expected one of {len(self.motifs)} names")
            return self.motifs[name]
        return motif("".join(letters[site - 1] for site in reading_sites(letters)))


def reading_sites(letters: str) -> tuple[int, ...]:
    """Residues, from 1, that read a base in a synthetic protein: found by their neighbours, which never change.

    Raises
    ------
    UserError
        If the protein is no synthetic one.
    """
    frozen = [(site + shift, SCAFFOLD[site + shift]) for site in SITES for shift in (-1, 1)]
    frozen = [(i, letter) for i, letter in frozen if i not in SITES]
    for start in range(len(letters) - len(SCAFFOLD) + 1):
        if sum(letters[start + i] != letter for i, letter in frozen) <= 1:  # a mutant may have lost one of them
            return tuple(start + site + 1 for site in SITES)
    raise UserError("protein: found no synthetic domain; expected a protein of the synthetic data")


def without(predictor: Predictor, proteins: Sequences) -> Predictor:
    """The predictor as if these proteins had never been measured: their profiles are taken out of the homology term.

    The penalty of the ridge regression and the weights of the two terms stay as they are.

    Raises
    ------
    UserError
        If the network itself was trained on one of them.
    """
    if predictor.model is not None:
        seen = set(predictor.model.proteins) & set(proteins.names)
        if seen:
            raise UserError(f"protein '{sorted(seen)[0]}': the network was trained on it; expected held-out proteins")
    gone = set(proteins.letters)
    rows = np.array([i for i, letters in enumerate(predictor.training.letters) if letters not in gone])
    ridge = replace(
        predictor.ridge, coefficients=predictor.ridge.coefficients[rows], intercept=predictor.ridge.intercept[rows]
    )
    square = np.ix_(rows, rows)
    parts = {"identity": predictor.identity[square], "gram": predictor.gram[square], "new_r": predictor.new_r[rows]}
    return replace(predictor, training=predictor.training.take(rows), ridge=ridge, **parts)


# --- answers


@answer.register(Predictor)
@answer.register(Neighbours)
@answer.register(TrueScan)
def _(model: Predicts, target: Bases | Residues | Helices) -> pd.DataFrame:
    expected(target, model, Bases, Residues, Helices)
    system = {Predictor: "combined predictor", TrueScan: "scan of the true motif"}.get(type(model), "neighbours")
    if isinstance(target, Residues):
        return _residues(model, target, system)
    if isinstance(target, Bases):
        found, kind = base_scan.mutation_scan(model, target.protein, target.rna), "bases"
    else:
        found, kind = helix_scan.structure_scan(model, target.protein, target.rna), "structure"
    scale, unit = _scale(model, target)
    rows = [
        {"removed": f"{target.rna.names[0]}: {row.removed}", "readout": row.readout, "effect": row.effect / scale}
        for row in found.itertuples()
    ]
    return _common(rows, system, kind, unit) if rows else _none()


def _scale(model: Predicts, target: Bases | Helices) -> tuple[float, str]:
    if target.background is None:
        return 1.0, SCORE_UNIT
    spread = float(np.asarray(model.predict(target.protein, target.background)).std())
    if not spread > 0:
        raise UserError(f"protein '{target.protein.names[0]}': the same score for all RNAs; expected a profile")
    return spread, Z_UNIT


def _residues(model: Predicts, target: Residues, system: str) -> pd.DataFrame:
    letters = knockout_table.one(target.protein, "protein")
    end = len(letters) if target.end is None else target.end
    if not 1 <= target.start <= end <= len(letters):
        raise UserError(
            f"residues {target.start} to {end}: protein '{target.protein.names[0]}' has residues 1 to {len(letters)}; "
            "expected a range within them"
        )
    if len(target.by) != 1 or target.by not in _RESIDUES:
        raise UserError(f"residues: found '{target.by}' to replace them; expected one amino acid letter")
    places = [i for i in range(target.start, end + 1) if letters[i - 1] != target.by]
    if not places:
        raise UserError(f"residues {target.start} to {end}: all are {target.by} already; expected another range")
    name = target.protein.names[0]
    names = [f"{letters[i - 1]}{i}{target.by}" for i in places]
    mutants = [letters[: i - 1] + target.by + letters[i:] for i in places]
    everything = sequences(
        [letters, *mutants], "protein", [f"{name} wild_type", *(f"{name} {word}" for word in names)], source=name
    )
    scores = np.asarray(model.predict(everything, target.rnas), dtype=float)
    r, low, high = residue_scan.correlation_interval(scores[0], scores[1:], np.random.default_rng(0))
    rows = [
        {"removed": f"{name}: {word}", "readout": PROFILE, "effect": e - 1, "low": a - 1, "high": b - 1}
        for word, e, a, b in zip(names, r, low, high, strict=True)
    ]
    return _common(rows, system, "residues", PROFILE_UNIT, "95 % over RNAs")


def _common(rows: list[dict], system: str, kind: str, unit: str, interval: str = "none") -> pd.DataFrame:
    return table(rows, part="binding", system=system, kind=kind, unit=unit, interval=interval)


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS))


def is_synthetic_site(letters: str, place: int) -> bool:
    """Whether a residue of a synthetic protein reads a base, and is not glycine, which reads none."""
    return place in reading_sites(letters) and PREFERENCES[letters[place - 1]][1] > 0
