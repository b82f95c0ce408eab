"""Proteins whose sequences are equal letter by letter, and what becomes of their intensities.

The published preparation went from 200 proteins to 176. That number is what removing exact duplicates gives: the table
of another group that used the same files names 13 groups with 24 proteins too many (`PUBLISHED_GROUPS`).
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from regulome.binding.compendium import Compendium
from regulome.binding.sequences import Sequences

# Kept protein and its copies, counted from 0, among the 200 training proteins of the published course
PUBLISHED_GROUPS = (
    "18:19; 41:42-45; 86:87; 90:91; 115:116; 133:134; 145:146-149; 152:153; 161:162-165; 166:167; 170:171-173; "
    "174:175; 195:196"
)
PUBLISHED_PROTEINS, PUBLISHED_UNIQUE = 200, 176
PUBLISHED_BYTES, PUBLISHED_UNIQUE_BYTES = 59_808, 53_747  # of the file with all and with the unique sequences
HOW = ("average", "first")


def unique_number(proteins: Sequences) -> np.ndarray:
    """(P,) int: number of each protein's sequence, counted in order of first occurrence; equal means identical."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(letters, len(seen)) for letters in proteins.letters], dtype=int)


def groups(proteins: Sequences) -> list[list[int]]:
    """Positions of proteins with equal sequences, one list a group of two or more, in order of first occurrence."""
    number = unique_number(proteins)
    members: dict[int, list[int]] = {}
    for place, key in enumerate(number.tolist()):
        members.setdefault(key, []).append(place)
    return [places for places in members.values() if len(places) > 1]


def published_groups() -> list[list[int]]:
    """`PUBLISHED_GROUPS` in the form of `groups`."""
    found = []
    for text in PUBLISHED_GROUPS.split(";"):
        kept, copies = text.strip().split(":")
        first, _, last = copies.partition("-")
        found.append([int(kept), *range(int(first), int(last or first) + 1)])
    return found


def like_published(seed: int) -> Sequences:
    """200 random proteins with the published groups of copies, for `groups` to find."""
    generator = np.random.default_rng(seed)
    alphabet = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    letters = ["".join(generator.choice(alphabet, 60)) for _ in range(PUBLISHED_PROTEINS)]
    for kept, *copies in published_groups():
        for copy in copies:
            letters[copy] = letters[kept]
    names = tuple(str(i + 1) for i in range(PUBLISHED_PROTEINS))
    return Sequences(names, tuple(letters), "protein", "random proteins with the published groups")


def merge(compendium: Compendium, how: str = "average") -> tuple[Compendium, list[list[int]]]:
    """One row for each distinct protein, in order of first occurrence, under the first one's name.

    Parameters
    ----------
    how
        "average": rows of identical proteins are brought to mean 0 and sd 1, averaged, and brought back to the mean
        location and scale of the group, so that the units stay those of the source. "first": the first row is kept
        and the others are lost, as published.

    Returns
    -------
    (Compendium, groups)
        A probe that is missing (NaN) in one row takes the others' value.
    """
    if how not in HOW:
        raise ValueError(f"how is {how!r}; expected one of {', '.join(HOW)}")
    number = unique_number(compendium.proteins)
    found = groups(compendium.proteins)
    kept = compendium.take(np.unique(number, return_index=True)[1])
    if how == "first":
        return kept, found
    intensities = kept.intensities.copy()
    for members in found:
        intensities[number[members[0]]] = _average(compendium.intensities[members])
    return replace(kept, intensities=intensities), found


def _average(rows: np.ndarray) -> np.ndarray:
    """Mean of rows (R, N) in units of each row's own mean and sd, in the group's mean location and scale."""
    rows = rows.astype(np.float64)
    mean, sd = np.nanmean(rows, axis=1, keepdims=True), np.nanstd(rows, axis=1, keepdims=True)
    z = (rows - mean) / np.where(sd > 0, sd, 1)
    known = np.isfinite(z).sum(axis=0)
    total = np.nansum(z, axis=0)
    averaged = np.divide(total, known, out=np.full(len(total), np.nan), where=known > 0)
    return averaged * sd.mean() + mean.mean()


def report(proteins: Sequences) -> pd.DataFrame:
    """One row a protein that has copies: group, name, position, copies of it in the list, residues."""
    rows = [
        (group, proteins.names[place], place, len(places) - 1, len(proteins.letters[place]))
        for group, places in enumerate(groups(proteins))
        for place in places
    ]
    return pd.DataFrame(rows, columns=["group", "name", "position", "copies", "residues"])
