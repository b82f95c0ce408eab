"""K-mers of proteins: how alike two sequences are without aligning them.

A profile holds ``ln(1 + count)`` of every k-mer that occurs; two profiles are compared by their cosine. Aligning finds
distant relatives better, k-mers see repeated and swapped domains; the homology term averages over both.
"""

import numpy as np
from scipy import sparse

from regulome.binding.sequences import Sequences

_LETTERS = 26  # of the alphabet, so that a k-mer is a number in base 26
LONGEST = 8  # k for which that number fits an index


def counts(proteins: Sequences, k: int) -> sparse.csr_matrix:
    """(P, 26^k) number of times each k-mer occurs; a protein shorter than k has none.

    Raises
    ------
    ValueError
        If k is not 1 to `LONGEST`.
    """
    if not 1 <= k <= LONGEST:
        raise ValueError(f"k is {k}; expected 1 to {LONGEST}")
    powers = _LETTERS ** np.arange(k, dtype=np.int64)[::-1]
    columns, starts = [], [0]
    for letters in proteins.letters:
        codes = np.frombuffer(letters.encode("ascii"), dtype=np.uint8).astype(np.int64) - ord("A")
        if len(codes) >= k:
            columns.append(np.lib.stride_tricks.sliding_window_view(codes, k) @ powers)
        starts.append(starts[-1] + max(0, len(codes) - k + 1))
    index = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
    found = sparse.csr_matrix((np.ones(len(index)), index, starts), shape=(len(proteins), _LETTERS**k))
    found.sum_duplicates()
    return found


def cosine(a: Sequences, b: Sequences | None = None, k: int = 4) -> np.ndarray:
    """(A, B) float32 cosine of k-mer profiles, 0 to 1; 0 where a protein has no k-mer (default of b: a itself)."""
    first = _unit(counts(a, k))
    second = first if b is None else _unit(counts(b, k))
    return np.clip((first @ second.T).toarray(), 0, 1).astype(np.float32)


def overlap(a: Sequences, b: Sequences | None = None, k: int = 4) -> np.ndarray:
    """(A, B) float32 share of k-mers in common: distinct k-mers of both over those of either (Jaccard)."""
    first = _present(counts(a, k))
    second = first if b is None else _present(counts(b, k))
    common = (first @ second.T).toarray()
    sizes = np.add.outer(np.diff(first.indptr), np.diff(second.indptr))
    either = sizes - common
    return np.divide(common, either, out=np.zeros_like(common), where=either > 0).astype(np.float32)


def _unit(profile: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of ln(1 + count) with norm 1."""
    scaled = profile.log1p()
    norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(1)).ravel())
    return sparse.diags(1 / np.where(norms > 0, norms, 1)) @ scaled


def _present(profile: sparse.csr_matrix) -> sparse.csr_matrix:
    return profile.sign().tocsr()
