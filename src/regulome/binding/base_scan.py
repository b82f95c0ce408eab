"""Which bases a prediction of binding needs: every base of an RNA is replaced; and the motif of a whole profile."""

import numpy as np
import pandas as pd

from regulome.binding.kmer_scores import kmer_scores
from regulome.binding.knockout_table import SCORE, Predicts, one, scores
from regulome.binding.motif import from_kmers
from regulome.binding.sequences import BASES, Sequences, sequences
from regulome.errors import UserError


def best_rna(predictor: Predicts, protein: Sequences, rnas: Sequences) -> Sequences:
    """The RNA that the protein is predicted to bind best."""
    one(protein, "protein")
    return rnas.take([int(np.argmax(np.asarray(predictor.predict(protein, rnas))[0]))])


def mutation_scan(predictor: Predicts, protein: Sequences, rna: Sequences) -> pd.DataFrame:
    """Replace every base of an RNA by each of the others.

    Returns
    -------
    DataFrame
        `COLUMNS`, then ``wild_type``, ``mutant`` (letters) and ``wild_type_score``; ``removed`` as in "A12C".
    """
    one(protein, "protein")
    letters = one(rna, "rna")
    changes = [(i, old, new) for i, old in enumerate(letters) for new in BASES if new != old]
    mutants = [letters[:i] + new + letters[i + 1 :] for i, _, new in changes]
    found = scores(predictor, protein, [letters, *mutants], rna)
    places = [i + 1 for i, _, _ in changes]
    table = pd.DataFrame(
        {
            "scan": "bases",
            "removed": [f"{old}{i + 1}{new}" for i, old, new in changes],
            "start": places,
            "end": places,
            "readout": SCORE,
            "effect": found[1:] - found[0],
            "low": np.nan,
            "high": np.nan,
            "wild_type": [old for _, old, _ in changes],
            "mutant": [new for _, _, new in changes],
        }
    )
    return table.assign(wild_type_score=found[0])


def effect_matrix(table: pd.DataFrame) -> pd.DataFrame:
    """(L, 4) effects of a `mutation_scan`: rows positions, columns A, C, G, U, zero at the wild type."""
    return table.pivot(index="start", columns="mutant", values="effect").reindex(columns=list(BASES)).fillna(0.0)


def importance(table: pd.DataFrame) -> pd.DataFrame:
    """Logo of a `mutation_scan`: minus the mean effect of the other bases, at the base of the wild type; else zero."""
    mean = -table.groupby("start")["effect"].mean()
    wild = table.groupby("start")["wild_type"].first()
    return pd.DataFrame({base: mean.where(wild == base, 0.0) for base in BASES})


def motif(
    predictor: Predicts, protein: Sequences, rnas: Sequences | None = None, k: int = 6, top: int = 10, seed: int = 0
) -> np.ndarray:
    """Motif that a predictor ascribes to a protein: (width, 4) probabilities of A, C, G, U.

    The field's recipe for measured profiles applied to the predicted one: scores of all k-mers from the RNAs that hold
    them, the best aligned to each other, see `regulome.binding.motif`.

    Parameters
    ----------
    rnas
        RNAs to predict on (default: `random_rnas`).
    k
        Length of the words; with few RNAs a shorter one is seen more often.
    """
    one(protein, "protein")
    rnas = random_rnas(4000, 38, seed) if rnas is None else rnas
    found = np.asarray(predictor.predict(protein, rnas), dtype=np.float64)
    spread = found.std(1, keepdims=True)
    z = (found - found.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    words = kmer_scores(z, rnas, k)[0]
    if not (words > 0).any():
        raise UserError(f"protein '{protein.names[0]}': the same prediction for all RNAs; expected a profile")
    return from_kmers(words, top)


def random_rnas(count: int, length: int, seed: int) -> Sequences:
    """RNAs of independent bases, each as likely as the others."""
    drawn = np.random.default_rng(seed).integers(0, 4, (count, length))
    return sequences(["".join(BASES[b] for b in row) for row in drawn], "rna", source=f"random RNAs, seed {seed}")
