"""What all in-silico knockouts share: the predictor they ask, and the table they return.

Effects are mutant minus wild type in the units of the predictor: negative is binding lost.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

# scan ("residues", "bases", "structure"), removed (in words), start and end (from 1, inclusive), readout, effect (of
# the knockout on the readout), low and high (95 % interval over RNAs; missing where there is one RNA)
COLUMNS = ("scan", "removed", "start", "end", "readout", "effect", "low", "high")
PROFILE, BEST, SCORE = "profile correlation", "mean score of the best RNAs", "score"
HELIX = ("5' strand", "3' strand", "both strands (pairs restored)", "coupling")


class Predicts(Protocol):
    """What a predictor has to offer; every scan makes all its mutants first and asks once."""

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        """(P, N) scores."""


def one(given: Sequences, kind: str) -> str:
    """Letters of the only sequence; UserError if there are more, or of another kind."""
    if given.kind != kind or len(given) != 1:
        raise UserError(f"{given.source}: found {len(given)} sequences of kind {given.kind}; expected one {kind}")
    return given.letters[0]


def scores(predictor: Predicts, protein: Sequences, letters: Sequence[str], rna: Sequences) -> np.ndarray:
    """(N,) float64 scores of one protein on variants of an RNA."""
    variants = sequences(list(letters), "rna", source=rna.names[0])
    return np.asarray(predictor.predict(protein, variants), dtype=np.float64)[0]
