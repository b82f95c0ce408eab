"""Sequence identity of proteins: local alignment of every pair, BLOSUM62, affine gaps (11 for the first residue, 1 more
for each further one).

An alignment of highest score need not be unique. Score and number of identical residues are therefore maximised
together, as one number ``score * _BIG + identical``: among the alignments of best score the one with most identities
counts, and the result does not depend on the order of the two sequences. The kernel is our own because the libraries
with wheels for every platform need minutes for a compendium; the tests hold it against Biopython's aligner.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

GAP_FIRST, GAP_FURTHER = 11, 1
DENOMINATORS = ("longer", "shorter")
FLANK = 15  # residues on either side of a domain in the published comparison
_BIG = 1 << 20
_SAME_AS = {"U": "C", "O": "K"}  # selenocysteine and pyrrolysine, which BLOSUM62 does not have
_AMBIGUOUS = "XBZ"  # never identical to anything


def pairwise(a: Sequences, b: Sequences | None = None, denominator: str = "longer") -> np.ndarray:
    """Fraction of identical residues of every protein of `a` with every protein of `b` (default: `a` itself).

    Identical residues of the best local alignment over the length of one of the two whole sequences.

    Parameters
    ----------
    denominator
        "longer": the longer sequence; the definition of the published percent identities of RNAcompete proteins, there
        on domains with `FLANK` residues around them (see `domains`). "shorter": the shorter sequence, so that a
        fragment is identical to the protein that it comes from.

    Returns
    -------
    ndarray
        (A, B) float32 from 0 to 1; 1 for equal sequences without unknown residues.
    """
    return fraction(identical_residues(a, b), a, b, denominator)


def fraction(
    identical: np.ndarray, a: Sequences, b: Sequences | None = None, denominator: str = "longer"
) -> np.ndarray:
    """As `pairwise`, from the result of `identical_residues`, which both denominators share."""
    if denominator not in DENOMINATORS:
        raise ValueError(f"denominator is {denominator!r}; expected one of {', '.join(DENOMINATORS)}")
    other = a if b is None else b
    choose = np.maximum if denominator == "longer" else np.minimum
    return (identical / choose.outer(np.asarray(a.lengths), np.asarray(other.lengths))).astype(np.float32)


def identical_residues(a: Sequences, b: Sequences | None = None) -> np.ndarray:
    """Identical residues in the best local alignment, (A, B) int64; equal sequences are aligned once."""
    letters_a, places_a = _unique(a)
    letters_b, places_b = (letters_a, places_a) if b is None else _unique(b)
    codes_a, starts_a = _codes(letters_a)
    codes_b, starts_b = _codes(letters_b)
    found = _all_pairs(codes_a, starts_a, codes_b, starts_b, b is None, _table(), *_gaps())
    return (found % _BIG)[np.ix_(places_a, places_b)]


def scores(a: Sequences, b: Sequences | None = None) -> np.ndarray:
    """Scores of the best local alignments, (A, B) int64."""
    other = a if b is None else b
    codes_a, starts_a = _codes(a.letters)
    codes_b, starts_b = _codes(other.letters)
    return _all_pairs(codes_a, starts_a, codes_b, starts_b, b is None, _table(), *_gaps()) // _BIG


def domains(proteins: Sequences, boundaries: Sequence[str], flank: int = FLANK) -> Sequences:
    """The proteins' RNA-binding domains with `flank` residues on either side, joined in order.

    Parameters
    ----------
    boundaries
        For each protein first and last residue of every domain, counted from 1: "46;125;126;213". A protein without
        domains ("") stays whole.

    Raises
    ------
    UserError
        Boundaries that are no numbers, come in odd numbers or lie outside the sequence; the protein is named.
    """
    done = []
    for name, letters, text in zip(proteins.names, proteins.letters, boundaries, strict=True):
        inside = np.zeros(len(letters), dtype=bool)
        for first, last in _boundaries(name, text, len(letters)):
            inside[max(0, first - 1 - flank) : last + flank] = True
        done.append("".join(np.array(list(letters))[inside]) if inside.any() else letters)
    return sequences(done, "protein", proteins.names, f"domains of {proteins.source}")


def _boundaries(name: str, text: str, length: int) -> list[tuple[int, int]]:
    cells = [cell for cell in str(text).split(";") if cell.strip()]
    try:
        numbers = [int(float(cell)) for cell in cells]
    except ValueError:
        raise UserError(f"domain boundaries of '{name}': found {text!r}; expected numbers between semicolons") from None
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    if len(numbers) % 2 or any(not 1 <= first <= last <= length for first, last in pairs):
        raise UserError(
            f"domain boundaries of '{name}': found {text!r}; expected first and last residues from 1 to {length}"
        )
    return pairs


def _unique(proteins: Sequences) -> tuple[list[str], list[int]]:
    """Distinct sequences, and for each protein the place of its own among them."""
    letters = list(dict.fromkeys(proteins.letters))
    place = {sequence: i for i, sequence in enumerate(letters)}
    return letters, [place[sequence] for sequence in proteins.letters]


def _codes(letters: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """All sequences end to end as numbers from 0 (A) to 25 (Z), and where each starts."""
    codes = np.frombuffer("".join(letters).encode("ascii"), dtype=np.uint8) - np.uint8(ord("A"))
    return codes, np.concatenate([[0], np.cumsum([len(sequence) for sequence in letters])]).astype(np.int64)


def _gaps() -> tuple[int, int]:
    return -GAP_FIRST * _BIG, -GAP_FURTHER * _BIG


def _table() -> np.ndarray:
    """(26, 26) int64: BLOSUM62 times `_BIG`, plus 1 where two residues are identical."""
    from Bio.Align import substitution_matrices

    blosum = substitution_matrices.load("BLOSUM62")
    table = np.zeros((26, 26), dtype=np.int64)
    for i in range(26):
        for j in range(26):
            letters = [chr(ord("A") + k) for k in (i, j)]
            first, second = (_SAME_AS.get(letter, letter if letter in blosum.alphabet else "X") for letter in letters)
            same = i == j and letters[0] not in _AMBIGUOUS
            table[i, j] = int(blosum[first, second]) * _BIG + same
    return table


@njit(cache=True, nogil=True)
def _all_pairs(codes_a, starts_a, codes_b, starts_b, symmetric, table, gap_first, gap_further):
    """Best local alignment of every pair, score and identities as one number (see the module)."""
    count_a, count_b = len(starts_a) - 1, len(starts_b) - 1
    longest = (starts_b[1:] - starts_b[:-1]).max()
    above, vertical = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    found = np.zeros((count_a, count_b), np.int64)
    for i in range(count_a):
        a = codes_a[starts_a[i] : starts_a[i + 1]]
        for j in range(i if symmetric else 0, count_b):
            b = codes_b[starts_b[j] : starts_b[j + 1]]
            found[i, j] = _local(a, b, table, gap_first, gap_further, above, vertical)
            if symmetric:
                found[j, i] = found[i, j]
    return found


@njit(cache=True, nogil=True)
def _local(a, b, table, gap_first, gap_further, above, vertical):
    """Smith-Waterman with affine gaps (Gotoh): best value of any cell; `above` and `vertical` are work space."""
    width = len(b)
    above[: width + 1] = 0
    vertical[: width + 1] = gap_first
    zero = np.int64(0)
    best = zero
    for residue in a:
        row = table[residue]  # unsigned codes: no test for negative places in the inner loop, which doubles its speed
        diagonal, left, horizontal = zero, zero, gap_first
        for j in range(width):
            up = above[j + 1]
            vertical[j] = max(vertical[j] + gap_further, up + gap_first)
            horizontal = max(horizontal + gap_further, left + gap_first)
            left = max(max(zero, diagonal + row[b[j]], vertical[j]), horizontal)
            above[j + 1] = left
            diagonal = up
            best = max(best, left)
    return best
