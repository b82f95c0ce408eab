"""Whether a prediction of binding needs a helix of the RNA: its strands are exchanged, one by one and together."""

import numpy as np
import pandas as pd

from regulome.binding import boltzmann
from regulome.binding.knockout_table import COLUMNS, HELIX, Predicts, one, scores
from regulome.binding.sequences import Sequences


def structure_scan(predictor: Predicts, protein: Sequences, rna: Sequences, least: float = 0.2) -> pd.DataFrame:
    r"""Break every helix of an RNA, from either side, and restore it with the strands exchanged.

    Each strand is replaced by the other one's partners, so that every pair is broken by either replacement and
    restored by both. The coupling :math:`s_{53} - s_5 - s_3 + s_0` is zero for a predictor that adds
    up bases, positive where the helix itself is needed, and negative where it hides a site: the compensatory mutation
    of the bench, a double-mutant cycle. ``paired`` shows whether the mutants do what they should: a broken helix may
    find other partners.

    Parameters
    ----------
    least
        Probability that a base pair must have to count.

    Returns
    -------
    DataFrame
        `COLUMNS` with readouts `HELIX`, ``end`` being the partner of ``start``; then ``pairs`` (of the helix) and
        ``paired`` (mean probability that the bases of the helix are paired in that mutant; for the coupling, in the
        wild type). Empty where no pair is likely.

    Raises
    ------
    UserError
        If ViennaRNA is not installed.
    """
    one(protein, "protein")
    letters = one(rna, "rna")
    found = helices(letters, boltzmann.pair_matrix(letters), least)
    mutants = [mutant for helix in found for mutant in _exchanged(letters, helix)]
    values = scores(predictor, protein, [letters, *mutants], rna)
    effects = (values[1:] - values[0]).reshape(-1, 3)
    rows = []
    for number, (i, j, length) in enumerate(found):
        bases = [*range(i, i + length), *range(j - length + 1, j + 1)]
        paired = [boltzmann.paired(m)[bases].mean() for m in (*mutants[3 * number : 3 * number + 3], letters)]
        left, right, both = effects[number]
        name = f"helix {i + 1}-{i + length}/{j - length + 2}-{j + 1}"
        for readout, effect, share in zip(HELIX, (left, right, both, both - left - right), paired, strict=True):
            rows.append(("structure", name, i + 1, j + 1, readout, effect, np.nan, np.nan, length, share))
    return pd.DataFrame(rows, columns=[*COLUMNS, "pairs", "paired"])


def helices(letters: str, pairs: np.ndarray, least: float) -> list[tuple[int, int, int]]:
    """Runs of stacked pairs (i, j), (i+1, j-1), ... as (i, j, length), from 0; a base takes its likeliest partner.

    Parameters
    ----------
    pairs
        (L, L) pair probabilities.
    """
    order = [(-pairs[i, j], i, j) for i in range(len(letters)) for j in range(i + 1, len(letters))]
    chosen: dict[int, int] = {}
    for minus, i, j in sorted(order):
        if -minus < least:
            break
        if i not in chosen and j not in chosen:
            chosen[i], chosen[j] = j, i
    found = []
    for i, j in sorted((i, j) for i, j in chosen.items() if i < j):
        if chosen.get(i - 1) == j + 1:
            continue
        length = 1
        while chosen.get(i + length) == j - length and i + length < j - length:
            length += 1
        found.append((i, j, length))
    return found


def _exchanged(letters: str, helix: tuple[int, int, int]) -> list[str]:
    """The RNA with the 5' strand, the 3' strand, and both strands replaced by what they pair with."""
    i, j, length = helix
    left, right = letters[i : i + length], letters[j - length + 1 : j + 1]
    new_left, new_right = right[::-1], left[::-1]
    between, tail = letters[i + length : j - length + 1], letters[j + 1 :]
    sides = ((new_left, right), (left, new_right), (new_left, new_right))
    return [letters[:i] + a + between + b + tail for a, b in sides]
