"""What notebook 12 asks of structure profiles: are they right, which channels matter, and for which lengths."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.binding import boltzmann
from regulome.binding.phime import NAMES, profile, profiles, shares, vienna
from regulome.binding.sequences import BASES, Sequences, sequences

# Phenylalanine tRNA of yeast, unmodified (Rajbhandary & Chang 1968): a cloverleaf, the textbook multiloop
TRNA = "GCGGAUUUAGCUCAGUUGGGAGAGCGCCAGACUGAAGAUCUGGAGGUCCUGUGUUCGAUCCACAGAAUUCGCACCA"


def share_table(rnas: Sequences, values: np.ndarray) -> pd.DataFrame:
    """Channels of a set of RNAs: channel, share (mean over all bases), low, high (95 %, over RNAs), largest_mean.

    ``largest_mean`` is the mean of the channel in the RNA that has most of it. The interval is that of a ratio of
    sums, with RNAs as the sampled units.
    """
    lengths = np.array(rnas.lengths, dtype=np.float64)
    sums = values.sum(1, dtype=np.float64)
    mean = shares(values, rnas.lengths)
    residual = sums - mean * lengths[:, None]
    half = 1.96 * np.sqrt((residual**2).sum(0)) / lengths.sum()
    largest = (sums / lengths[:, None]).max(0)
    return pd.DataFrame(
        {"channel": NAMES, "share": mean, "low": mean - half, "high": mean + half, "largest_mean": largest}
    )


def along(rnas: Sequences, values: np.ndarray) -> pd.DataFrame:
    """Mean profile along the RNAs of the most frequent length: base, and one column a channel."""
    lengths = np.array(rnas.lengths)
    length = np.bincount(lengths).argmax()
    mean = values[lengths == length, :length].mean(0, dtype=np.float64)
    return pd.DataFrame(mean, columns=list(NAMES)).assign(base=np.arange(1, length + 1))[["base", *NAMES]]


def chosen_examples(rnas: Sequences, values: np.ndarray) -> dict[str, int]:
    """RNAs shown as examples, by a rule: least, median and most paired, and most multiloop; words to position."""
    means = values.sum(1) / np.array(rnas.lengths)[:, None]
    order = np.argsort(means[:, 0], kind="stable")
    return {
        "least paired": int(order[0]),
        "median": int(order[len(order) // 2]),
        "most paired": int(order[-1]),
        "most multiloop": int(np.argmax(means[:, NAMES.index("M")])),
    }


def chosen_for_checks(rnas: Sequences, count: int, seed: int) -> Sequences:
    """Distinct RNAs drawn at random, in the order of the file."""
    distinct = list({letters: row for row, letters in reversed(list(enumerate(rnas.letters)))}.values())
    drawn = np.random.default_rng(seed).choice(sorted(distinct), size=min(count, len(distinct)), replace=False)
    return rnas.take(np.sort(drawn))


def check_pairs(rnas: Sequences) -> pd.DataFrame:
    """Every base: rna, base, paired (window partition function), paired_full (full partition function)."""
    parts = [
        pd.DataFrame(
            {
                "rna": name,
                "base": np.arange(1, len(letters) + 1),
                "paired": profile(letters, np.float64)[:, 0],
                "paired_full": boltzmann.paired(letters),
            }
        )
        for name, letters in zip(rnas.names, rnas.letters, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def check_samples(rnas: Sequences, count: int, seed: int) -> pd.DataFrame:
    """Every base and channel: rna, base, channel, exact, sampled, z (standard errors; missing where too few samples).

    Each RNA has `count` structures drawn from its ensemble, see `boltzmann.standard_scores`.
    """
    parts = []
    for place, (name, letters) in enumerate(zip(rnas.names, rnas.letters, strict=True)):
        exact = profile(letters, np.float64)
        sampled = boltzmann.estimate(letters, count, seed + place)
        part = pd.DataFrame(
            {
                "rna": name,
                "base": np.repeat(np.arange(1, len(letters) + 1), len(NAMES)),
                "channel": NAMES * len(letters),
                "exact": exact.ravel(),
                "sampled": sampled.ravel(),
                "z": boltzmann.standard_scores(exact, sampled, count).ravel(),
            }
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def sample_summary(table: pd.DataFrame) -> pd.Series:
    """cells (that expect enough samples), mean_z, sd_z, largest_z, largest_difference (over all cells)."""
    z = table["z"].dropna()
    return pd.Series(
        {
            "cells": len(z),
            "mean_z": z.mean(),
            "sd_z": z.std(),
            "largest_z": z.abs().max(),
            "largest_difference": (table["sampled"] - table["exact"]).abs().max(),
        }
    )


def by_length(lengths: Sequence[int], count: int, seed: int, workers: int = 1) -> pd.DataFrame:
    """Channel shares of random RNAs of several lengths: length, channel, share, low, high.

    Bases are drawn with equal probability; `count` RNAs of each length.
    """
    parts = []
    for length in lengths:
        rnas = random_letters(count, [length], seed + length)
        table = share_table(rnas, profiles(rnas, workers, progress=False))
        parts.append(table.assign(length=length)[["length", "channel", "share", "low", "high"]])
    return pd.concat(parts, ignore_index=True)


def random_letters(count: int, lengths: Sequence[int], seed: int) -> Sequences:
    """RNAs of independent bases, each as likely as the others, of the given lengths in turn."""
    rng = np.random.default_rng(seed)
    letters = ["".join(rng.choice(list(BASES), size=lengths[i % len(lengths)])) for i in range(count)]
    return sequences(letters, "rna", source="random RNAs")


def check_installed(parameters: Mapping[str, object]) -> None:
    """Refuse notebook 12 where ViennaRNA is missing, while earlier outputs still exist (of any parameters)."""
    vienna()
