"""The scan of motifs over RNAs that semi-real and synthetic intensities are made of."""

from collections.abc import Sequence

import numpy as np

_CODES = np.full(256, 4, dtype=np.uint8)
_CODES[np.frombuffer(b"ACGU", dtype=np.uint8)] = np.arange(4)
_BLOCK = 512  # RNAs a block; keeps the scores of 420 motifs in about 30 MB


def log_sum_exp(
    motifs: Sequence[np.ndarray], rnas: Sequence[str], offsets: np.ndarray | None = None, weights=None
) -> np.ndarray:
    r"""Binding of motifs anywhere on RNAs, as the log of a partition function.

    .. math:: S_{pn} = \\log \\sum_j \\exp\\Big(\\sum_w M_p[w, x_n(j + w)] + \\lambda_p \\bar a_n(j)\\Big)

    over the windows j that lie within the RNA.

    Parameters
    ----------
    motifs
        P arrays (width, 4): log odds of A, C, G, U, natural logarithm. An unknown base (N) scores the row's mean.
    rnas
        N sequences in A, C, G, U, N.
    offsets
        (N, Lmax) energy of each position, for instance of being unpaired; its mean over the window is added, times
        the motif's weight. None: 0.
    weights
        (P,) lambda, one a motif (default 1).

    Returns
    -------
    numpy.ndarray
        (P, N) float32; minus infinity where a motif is longer than the RNA.
    """
    scores = np.empty((len(motifs), len(rnas)), dtype=np.float32)
    weights = np.ones(len(motifs)) if weights is None else np.asarray(weights, dtype=float)
    widths = np.array([len(m) for m in motifs])
    for width in np.unique(widths):
        chosen = np.flatnonzero(widths == width)
        flat = np.stack([_with_unknown(motifs[i]).ravel() for i in chosen], axis=1).astype(np.float32)
        for start in range(0, len(rnas), _BLOCK):
            block = slice(start, start + _BLOCK)
            extra = None if offsets is None else offsets[block]
            scores[chosen, block] = _block(flat, int(width), rnas[block], extra, weights[chosen])
    return scores


def encode(rnas: Sequence[str]) -> np.ndarray:
    """(N, Lmax) uint8: A, C, G, U = 0..3; 4 for N; 5 beyond the end."""
    longest = max(map(len, rnas))
    codes = np.full((len(rnas), longest), 5, dtype=np.uint8)
    for row, rna in zip(codes, rnas, strict=True):
        row[: len(rna)] = _CODES[np.frombuffer(rna.encode(), dtype=np.uint8)]
    return codes


def _with_unknown(motif: np.ndarray) -> np.ndarray:
    return np.concatenate([motif, motif.mean(axis=1, keepdims=True)], axis=1)


def _block(flat: np.ndarray, width: int, rnas, offsets, weights: np.ndarray) -> np.ndarray:
    """(motifs, RNAs) scores of motifs of one width."""
    codes = encode(rnas)
    if codes.shape[1] < width:
        return np.full((flat.shape[1], len(rnas)), -np.inf, dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(codes, width, axis=1)  # (N, J, width)
    one_hot = np.eye(6, 5, dtype=np.float32)[windows]  # a base beyond the end has no entry
    energy = one_hot.reshape(*windows.shape[:2], -1) @ flat  # (N, J, motifs)
    if offsets is not None:
        mean = np.lib.stride_tricks.sliding_window_view(offsets[:, : codes.shape[1]], width, axis=1).mean(axis=2)
        energy += mean[:, :, None].astype(np.float32) * weights.astype(np.float32)
    energy[windows[:, :, -1] == 5] = -np.inf
    top = energy.max(axis=1, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # log 0 where no window fits
        return (np.log(np.exp(energy - safe).sum(axis=1)) + safe[:, 0]).T
