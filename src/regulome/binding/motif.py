"""Motifs from k-mer scores: the best k-mers, aligned to the best of them, weighted by their scores.

A motif is a position weight matrix (PWM): (width, 4) probabilities of A, C, G, U.
"""

from collections.abc import Sequence

import numpy as np

from regulome.binding import scan as _scan
from regulome.binding.kmer_scores import words
from regulome.binding.sequences import BASES, Sequences

TOP = 10
FLOOR = 1.0  # smallest weight of a cell, in units of z: the pseudo-count
COVERED = 0.5  # share of the k-mers that a column has to be covered by
OVERLAP = 4  # fewest columns or bases that two aligned motifs or k-mers share
BACKGROUND = 0.25


def from_kmers(scores: np.ndarray, top: int = TOP) -> np.ndarray:
    """PWM of the `top` best k-mers.

    They are aligned without gaps to the best one (`align`). A k-mer adds its z-score to its base in every column that
    it covers; where it does not reach, it adds a quarter of the mean z to each base. Columns that fewer than half of
    the k-mers cover are trimmed. Cells below `FLOOR` are raised to it, then columns are normalised.

    The floor is what the published matrices show: their smallest cell is 1 / (S + 3), S the sum of the ten z-scores.
    Adding 1 to every cell would give 1 / (S + 4).

    Parameters
    ----------
    scores
        (4^k,) z-scores of `regulome.binding.kmer_scores.kmer_scores`.

    Returns
    -------
    ndarray
        (width, 4) probabilities.

    Raises
    ------
    ValueError
        A number of scores that is no power of 4, or scores without a positive one.
    """
    best, z = top_kmers(scores, top)
    offsets = align(best)
    k = len(best[0])
    first, width = min(offsets), max(offsets) - min(offsets) + k
    cells, covered = np.zeros((width, 4)), np.zeros(width)
    for word, weight, offset in zip(best, z, offsets, strict=True):
        inside = np.arange(k) + offset - first
        cells[inside, [BASES.index(base) for base in word]] += weight
        covered[inside] += 1
    cells += ((len(best) - covered) * z.mean() / 4)[:, None]
    kept = np.maximum(cells[covered >= COVERED * len(best)], FLOOR)
    return kept / kept.sum(axis=1, keepdims=True)


def top_kmers(scores: np.ndarray, top: int = TOP) -> tuple[list[str], np.ndarray]:
    """The best k-mers and their z-scores, best first, ties in alphabetical order; only positive scores count."""
    scores = np.asarray(scores, dtype=float)
    k = round(np.log(scores.size) / np.log(4))
    if scores.shape != (4**k,) or k < 1:
        raise ValueError(f"found scores of shape {scores.shape}; expected 4^k of them")
    places = np.argsort(-scores, kind="stable")[:top]
    places = places[scores[places] > 0]
    if not len(places):
        raise ValueError("no k-mer has a positive score")
    all_words = words(k)
    return [all_words[place] for place in places], scores[places]


def align(kmers: Sequence[str]) -> list[int]:
    """Offset of each k-mer to the first one, without gaps: most equal bases, then the smaller shift, then to the left.

    At least `OVERLAP` bases (all but one of shorter k-mers) stay opposite each other.
    """
    k = len(kmers[0])
    reach = k - min(OVERLAP, max(1, k - 1))
    shifts = sorted(range(-reach, reach + 1), key=lambda shift: (abs(shift), shift))
    return [max(shifts, key=lambda shift: _equal(kmers[0], word, shift)) for word in kmers]  # max keeps the first


def _equal(reference: str, word: str, shift: int) -> int:
    return sum(0 <= i + shift < len(reference) and reference[i + shift] == base for i, base in enumerate(word))


def consensus(pwm: np.ndarray, above: float = 0.5) -> str:
    """Most probable bases, N where none is above the given probability."""
    return "".join(BASES[row.argmax()] if row.max() > above else "N" for row in np.asarray(pwm))


def information(pwm: np.ndarray) -> np.ndarray:
    """Heights of a sequence logo, (width, 4) bits: probability times the information of the column (2 - entropy)."""
    pwm = np.asarray(pwm, dtype=float)
    entropy = -(pwm * np.log2(np.where(pwm > 0, pwm, 1.0))).sum(axis=1, keepdims=True)
    return pwm * (2.0 - entropy)


def scan(pwm: np.ndarray, rnas: Sequences) -> np.ndarray:
    r"""Binding anywhere on each RNA: log-sum-exp over windows of the log odds against equal bases.

    Returns
    -------
    ndarray
        (N,) float32, natural logarithm; minus infinity where the motif is longer than the RNA.
    """
    return _scan.log_sum_exp([np.log(np.asarray(pwm) / BACKGROUND)], rnas.letters)[0]


def compare(a: np.ndarray, b: np.ndarray, overlap: int = OVERLAP) -> tuple[float, int]:
    """Similarity of two motifs: Pearson correlation of their cells at the best offset.

    Columns outside a motif are taken as a quarter for each base, so that every offset compares the same cells and a
    short overlap cannot win by chance.

    Returns
    -------
    correlation, offset
        Columns by which `b` is shifted to the right of `a`; of equal ones the smaller shift.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    least = min(overlap, len(a), len(b))
    shifts = sorted(range(least - len(b), len(a) - least + 1), key=lambda shift: (abs(shift), shift))
    found = [(_correlation(a, b, shift), -place) for place, shift in enumerate(shifts)]
    best = max(found)
    return best[0], shifts[-best[1]]


def _correlation(a: np.ndarray, b: np.ndarray, shift: int) -> float:
    first, last = min(0, shift), max(len(a), len(b) + shift)
    both = np.full((2, last - first, 4), BACKGROUND)
    both[0, -first : -first + len(a)] = a
    both[1, shift - first : shift - first + len(b)] = b
    x, y = (part.ravel() - BACKGROUND for part in both)
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm > 0 else 0.0
