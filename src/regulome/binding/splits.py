"""Training and test parts that share no homologues, and no RNAs where a test has to be doubly disjoint.

Bins of identity are those of the published comparison of methods: what can be expected for a protein depends on its
nearest relative in training far more than on the method.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome.binding.sequences import Sequences

# label, lowest identity (inclusive), highest (exclusive)
IDENTITY_BINS = (
    ("below 40 %", 0.0, 0.40),
    ("40 to 55 %", 0.40, 0.55),
    ("55 to 70 %", 0.55, 0.70),
    ("70 to 90 %", 0.70, 0.90),
    ("90 % and more", 0.90, np.inf),
)
BIN_LABELS = tuple(label for label, _, _ in IDENTITY_BINS)


def bin_of(identity: float | np.ndarray) -> str | np.ndarray:
    """Label of the identity bin: a text for a number, an array of texts for an array."""
    place = np.searchsorted([low for _, low, _ in IDENTITY_BINS[1:]], np.asarray(identity, dtype=float), side="right")
    return BIN_LABELS[int(place)] if np.ndim(identity) == 0 else np.array(BIN_LABELS, dtype=object)[place]


def folds(clusters: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Spread whole clusters over folds of about equal size.

    Clusters come in random order, then by size, largest first; each goes to the fold that has fewest proteins.

    Parameters
    ----------
    clusters
        (P,) cluster of each protein. ``np.arange(P)`` gives the usual split that ignores homologues.

    Returns
    -------
    ndarray
        (P,) int, 0 to count - 1.

    Raises
    ------
    ValueError
        Fewer clusters than folds.
    """
    members = np.bincount(clusters)
    if len(members) < count:
        raise ValueError(f"{len(members)} clusters cannot fill {count} folds")
    order = np.random.default_rng(seed).permutation(len(members))
    order = order[np.argsort(-members[order], kind="stable")]
    fold_of, filled = np.zeros(len(members), dtype=int), np.zeros(count, dtype=int)
    for cluster in order:
        fold_of[cluster] = filled.argmin()
        filled[fold_of[cluster]] += members[cluster]
    return fold_of[clusters]


@dataclass(frozen=True)
class Split:
    """Positions of proteins and RNAs for training and for the test; no protein and no RNA is in both.

    Attributes
    ----------
    training_proteins, test_proteins, training_rnas, test_rnas
        Sorted positions.
    """

    training_proteins: np.ndarray
    test_proteins: np.ndarray
    training_rnas: np.ndarray
    test_rnas: np.ndarray


def doubly_disjoint(
    protein_folds: np.ndarray,
    fold: int,
    rnas: Sequences,
    seed: int,
    share: float = 0.2,
    probe_set: np.ndarray | None = None,
) -> Split:
    """Hold out the proteins of one fold and, for them alone, RNAs that training never sees.

    Parameters
    ----------
    protein_folds
        (P,) of `folds`.
    rnas
        Equal sequences stay on one side.
    share
        Share of the distinct RNAs in the test, drawn at random because probe files are sorted by sequence.
    probe_set
        (N,) "A" or "B": training on A and test on B, the array's own halves; `share` and `seed` are then unused.

    Raises
    ------
    ValueError
        A fold without proteins, or a side without RNAs.
    """
    test = np.asarray(protein_folds) == fold
    if probe_set is None:
        number = _number(rnas.letters)
        distinct = int(number.max()) + 1
        chosen = np.random.default_rng(seed).permutation(distinct)[: max(1, round(share * distinct))]
        held = np.isin(number, chosen)
    else:
        held = np.asarray(probe_set) == "B"
        seen = {letters for letters, out in zip(rnas.letters, held, strict=True) if not out}
        held_twice = np.array([out and letters in seen for letters, out in zip(rnas.letters, held, strict=True)])
        if held_twice.any():
            raise ValueError(f"{held_twice.sum()} RNAs of set B are in set A as well")
    parts = [np.flatnonzero(side) for side in (~test, test, ~held, held)]
    if any(len(part) == 0 for part in parts):
        raise ValueError(f"fold {fold}: a side of the split is empty")
    return Split(*parts)


def _number(letters: tuple[str, ...]) -> np.ndarray:
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(sequence, len(seen)) for sequence in letters], dtype=int)


def nearest_training(identity: np.ndarray, protein_folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each protein, the most identical protein of the other folds: its position and the identity.

    Parameters
    ----------
    identity
        (P, P); ties go to the first.

    Raises
    ------
    ValueError
        All proteins in one fold.
    """
    same = np.asarray(protein_folds)[:, None] == np.asarray(protein_folds)[None, :]
    if same.all(axis=1).any():
        raise ValueError("a fold holds all proteins; expected at least two folds")
    allowed = np.where(same, -1.0, identity)
    place = allowed.argmax(axis=1)
    return place, np.asarray(identity)[np.arange(len(place)), place]


def leakage(identity: np.ndarray, schemes: dict[str, np.ndarray], correlation: np.ndarray) -> pd.DataFrame:
    """What each split lets through: one row a protein and scheme.

    Parameters
    ----------
    schemes
        Name of each scheme and its folds, (P,); -1 for proteins that the scheme leaves out.
    correlation
        (P, P) correlation between the proteins' profiles.

    Returns
    -------
    DataFrame
        scheme, protein (position), fold, nearest (position in training), identity, correlation (of the two profiles:
        what the nearest neighbour as a predictor reaches).
    """
    parts = []
    for scheme, protein_folds in schemes.items():
        kept = np.flatnonzero(np.asarray(protein_folds) >= 0)
        place, best = nearest_training(identity[np.ix_(kept, kept)], protein_folds[kept])
        columns = {"scheme": scheme, "protein": kept, "fold": protein_folds[kept], "nearest": kept[place]}
        parts.append(pd.DataFrame(columns | {"identity": best, "correlation": correlation[kept, kept[place]]}))
    return pd.concat(parts, ignore_index=True)
