"""Scores of all k-mers from probe z-scores: what a protein prefers, on a scale that no longer depends on the probes.

Score of a k-mer: trimmed mean of max(z, 0) over the probes that contain it, then z over all 4^k of them. Two arrays
with other probes give comparable scores, which is how replicate agreement (probe set A against B) is measured.
"""

from dataclasses import dataclass

import numpy as np

from regulome.binding.sequences import BASES, Sequences

TRIM = 0.1  # share of the probes left out at either end; of those tried, halves of an array agree best (notebook 11)


@dataclass(frozen=True)
class KmerIndex:
    """Which probes contain which k-mer, each probe once a k-mer.

    Attributes
    ----------
    k
        Length of the words.
    kmers, probes
        (M,) number of the k-mer (base 4, A 0 to U 3, first base most significant) and position of the probe.
    """

    k: int
    kmers: np.ndarray
    probes: np.ndarray

    @classmethod
    def of(cls, rnas: Sequences, k: int) -> "KmerIndex":
        """Words with an unknown base (N) are left out."""
        codes, starts = _codes(rnas)
        end = len(codes) - k + 1
        if end < 1:
            return cls(k, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        number, known = np.zeros(end, dtype=np.int64), np.ones(end, dtype=bool)
        for i in range(k):
            number = number * 4 + codes[i : i + end] % 4
            known &= codes[i : i + end] < 4
        owner = np.repeat(np.arange(len(rnas)), np.diff(starts))
        probe = owner[:end]
        kept = known & (probe == owner[k - 1 :])  # words that begin and end in one probe
        both = np.unique(number[kept] * len(rnas) + probe[kept])
        return cls(k, both // len(rnas), both % len(rnas))

    def counts(self) -> np.ndarray:
        """(4^k,) probes that contain each k-mer."""
        return np.bincount(self.kmers, minlength=4**self.k)


def words(k: int) -> list[str]:
    """All k-mers in the order of the scores: AAA..A first, UUU..U last."""
    return ["".join(BASES[(number >> 2 * (k - 1 - i)) & 3] for i in range(k)) for number in range(4**k)]


def kmer_scores(z: np.ndarray, rnas: Sequences, k: int = 7, trim: float = TRIM) -> np.ndarray:
    """z-scores of all k-mers.

    Parameters
    ----------
    z
        (P, N) probe z-scores, for instance of `regulome.binding.probe_zscores.robust`; NaN is left out.
    trim
        Share of the probes of a k-mer that is cut off at either end (0 <= trim < 0.5), rounded down to whole probes.

    Returns
    -------
    ndarray
        (P, 4^k) float64, mean 0 and sd 1 over the k-mers that occur; 0 for those that do not.
    """
    if not 0 <= trim < 0.5:
        raise ValueError(f"trim is {trim}; expected 0 <= trim < 0.5")
    index = KmerIndex.of(rnas, k)
    means = np.stack([_trimmed_means(row, index, trim) for row in np.atleast_2d(np.asarray(z, dtype=np.float64))])
    centred = means - np.nanmean(means, axis=1, keepdims=True)
    sd = np.nanstd(means, axis=1, keepdims=True)
    return np.nan_to_num(centred / np.where(sd > 0, sd, 1.0), nan=0.0)


def _trimmed_means(z: np.ndarray, index: KmerIndex, trim: float) -> np.ndarray:
    """(4^k,) trimmed mean of max(z, 0) of each k-mer's probes, NaN where no probe has it.

    Probes are ranked once; sorting the pairs by (k-mer, rank) then orders every k-mer's values, and running sums give
    all means at once.
    """
    values = np.maximum(z, 0)
    rank = np.empty(len(z), dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(z))
    measured = ~np.isnan(z[index.probes])
    kmers, probes = index.kmers[measured], index.probes[measured]
    key = np.sort(kmers * len(z) + rank[probes])
    by_rank = np.empty_like(values)
    by_rank[rank] = values
    ordered = by_rank[key % len(z)]
    count = np.bincount(kmers, minlength=4**index.k)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    cut = np.floor(count * trim).astype(np.int64)
    total = np.concatenate([[0.0], np.cumsum(ordered)])
    kept = count - 2 * cut
    summed = total[first + count - cut] - total[first + cut]
    return np.divide(summed, kept, out=np.full(len(count), np.nan), where=kept > 0)


def _codes(rnas: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """All bases end to end (A, C, G, U = 0..3, anything else 4) and where each RNA starts."""
    table = np.full(256, 4, dtype=np.uint8)
    table[np.frombuffer(BASES.encode(), dtype=np.uint8)] = np.arange(4)
    codes = table[np.frombuffer("".join(rnas.letters).encode("ascii"), dtype=np.uint8)]
    return codes, np.concatenate([[0], np.cumsum(rnas.lengths)])
