"""RNA letters as the numbers that the network reads: A, C, G, U = 0 to 3, padding 4."""

import warnings

import numpy as np

from regulome.binding.sequences import BASES, Sequences

PAD = 4
_CODE = np.zeros(256, dtype=np.uint8)  # N, the one letter of `Sequences` beside the bases, reads as A
_CODE[list(BASES.encode())] = range(4)


def encode(rnas: Sequences) -> np.ndarray:
    """(N, L) uint8 tokens, right-padded with 4 to the longest RNA.

    The published table has rows for four bases and padding only: an unknown base (N) reads as A, as published, but not
    silently: a warning counts them.
    """
    lengths = np.array(rnas.lengths)
    letters = np.frombuffer("".join(rnas.letters).encode("ascii"), dtype=np.uint8)
    unknown = int((letters == ord("N")).sum())
    if unknown:
        warnings.warn(f"{rnas.source}: {unknown} unknown bases (N) read as A, as published", stacklevel=2)
    tokens = np.full((len(rnas), lengths.max(initial=0)), PAD, dtype=np.uint8)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = _CODE[letters]
    return tokens


def lengths(tokens: np.ndarray) -> np.ndarray:
    """(N,) bases of every row."""
    return (tokens != PAD).sum(1)
