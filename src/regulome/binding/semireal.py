"""The semi-real compendium: real proteins, real probes, intensities from a scan of published motifs.

Probe intensities of 418 of the 420 experiments are not at hand. Here their place is taken by the log-sum-exp scan
(`regulome.binding.scan`) of each experiment's published position weight matrix over real array probes, plus noise.
What is learnt on it, mapping real sequences to real motifs, is good for tests and comparisons of methods. It is
not measured: the name "semi-real" goes into every table and figure.

Noise. For each experiment the correlation r of 7-mer scores between probe sets A and B was published. Over 7-mers,
let V be the variance of the mean signal of the probes that hold a 7-mer, as both sets agree on it; X the variance
that the rest of those probes adds, and h the mean of 1 / (number of those probes), both on the full array. Then
independent probe noise of variance sigma^2 gives

    r = V / (V + X + sigma^2 h),    so    sigma^2 = (V (1 / r - 1) - X) / h,

and sigma^2 = 0 where already X brings the agreement below r. This puts the ceiling of the semi-real data where the
measured agreement puts it. It is an approximation: published scores are trimmed means of robust z-scores, these are
means of standardised scans.
"""

import numpy as np
import pandas as pd
from scipy import sparse

from regulome.binding import registered, scan
from regulome.binding.compendium import Compendium
from regulome.binding.synthetic_intensities import observe
from regulome.errors import UserError

FULL_SET = 120_500  # probes of each set on the whole array (A 120,326, B 121,031, rounded down)
CALIBRATION = 8_000  # probes of each set that fix the noise; always the same ones
BETA = 0.8  # upper tail as long as in the two measured experiments
_K = 7


def build(rnas: int = 12_000, seed: int = 0, mirror=None, held_out: int = 4_000, noise: bool = True) -> Compendium:
    """The semi-real compendium: 420 real constructs on real probes (kind "semi-real").

    Parameters
    ----------
    rnas
        Probes of set A, drawn without replacement.
    seed
        Of the draw and of the noise.
    held_out
        Probes of set B, for validation on RNAs that no training has seen; they come after those of set A.
    noise
        False: the noise-free expectation of the intensities instead.

    Raises
    ------
    UserError
        If more probes are wanted than there are.
    """
    return make(rnas, seed, mirror, held_out, noise)[0]


def make(
    rnas: int = 12_000, seed: int = 0, mirror=None, held_out: int = 4_000, noise: bool = True
) -> tuple[Compendium, pd.DataFrame]:
    """As `build`, with one row an experiment: what its noise was made of.

    Columns: protein; agreement (published Pearson correlation of 7-mer scores between sets A and B; the median where
    it is missing); share (of the variance of the log intensity that is signal); ceiling (Pearson correlation of the
    noisy intensities with the best possible prediction).
    """
    real = registered.measured(mirror)
    chosen = _draw(real, {"A": rnas, "B": held_out}, np.random.default_rng([seed, 0]))
    proteins = registered.constructs(mirror)
    matrices = registered.pwms(mirror)
    motifs = [np.log(4 * matrices[name]) for name in proteins.names]  # odds against equal frequencies
    agreement = registered.replicate_agreement(mirror).reindex(proteins.names)
    agreement = agreement.fillna(agreement.median()).to_numpy()
    fixed = _draw(real, dict.fromkeys("AB", CALIBRATION), None)
    calibration = scan.log_sum_exp(motifs, [real.rnas.letters[i] for i in fixed])
    mean, deviation = calibration.mean(axis=1, keepdims=True), calibration.std(axis=1, keepdims=True)
    half = len(fixed) // 2
    share = signal_share(
        (calibration - mean) / deviation,
        kmer_membership([real.rnas.letters[i] for i in fixed[:half]]),
        kmer_membership([real.rnas.letters[i] for i in fixed[half:]]),
        agreement,
    )
    picked = real.rnas.take(chosen)
    signal = (scan.log_sum_exp(motifs, picked.letters) - mean) / deviation
    noisy, expected = observe(signal, share, np.random.default_rng([seed, 1]), BETA)
    ceiling = [np.corrcoef(a, b)[0, 1] for a, b in zip(noisy, expected, strict=True)]
    table = pd.DataFrame({"protein": proteins.names, "agreement": agreement, "share": share, "ceiling": ceiling})
    values = (noisy if noise else expected).astype(np.float32)
    source = "semi-real: scan of 420 published motifs" + (" with noise" if noise else "")
    return Compendium(proteins, picked, values, "semi-real", real.probe_set[chosen], source), table


def signal_share(signal: np.ndarray, set_a, set_b, agreement: np.ndarray, full: float = FULL_SET) -> np.ndarray:
    """Part of a probe's variance that is signal, so that 7-mer scores of a full array agree as given.

    Parameters
    ----------
    signal
        (P, A + B) standardised scans of the probes of set A, then of set B.
    set_a, set_b
        `kmer_membership` of both.
    agreement
        (P,) correlations r.
    full
        Probes of each set on the whole array.

    Returns
    -------
    numpy.ndarray
        (P,) 1 / (1 + sigma^2).
    """
    counts = [np.diff(members.indptr) for members in (set_a, set_b)]
    seen = np.flatnonzero((counts[0] > 0) & (counts[1] > 0))
    split = set_a.shape[1]
    means, shrink, noise = [], [], []
    for members, count, values in zip((set_a, set_b), counts, np.split(signal, [split], axis=1), strict=True):
        mean = (members[seen] @ values.T) / count[seen, None]
        means.append(mean - mean.mean(axis=0))
        shrink.append(members.shape[1] / full)
        noise.append(np.mean(1 / count[seen]) * shrink[-1])  # h of this set
    common = (means[0] * means[1]).mean(axis=0)  # V
    excess = sum(((m**2).mean(axis=0) - common) * f for m, f in zip(means, shrink, strict=True)) / 2  # X
    common = np.maximum(common, 1e-12)
    variance = (common * (1 / agreement - 1) - excess) / np.mean(noise)
    return 1 / (1 + np.maximum(variance, 0))


def kmer_membership(rnas) -> sparse.csr_array:
    """(16384, N) which probes hold a 7-mer; once, however often it occurs in them."""
    codes = scan.encode(rnas)
    windows = np.lib.stride_tricks.sliding_window_view(codes, _K, axis=1).astype(np.int64)
    probe, start = np.nonzero((windows < 4).all(axis=2))
    kmer = windows[probe, start] @ 4 ** np.arange(_K - 1, -1, -1)
    kmer, probe = np.divmod(np.unique(kmer * len(rnas) + probe), len(rnas))
    return sparse.csr_array((np.ones(len(kmer), dtype=np.float32), (kmer, probe)), shape=(4**_K, len(rnas)))


def _draw(real: Compendium, wanted: dict[str, int], generator: np.random.Generator | None) -> np.ndarray:
    """Positions of probes of sets A and B, in the order of the array; evenly spaced ones without a generator."""
    chosen = []
    for name, number in wanted.items():
        there = np.flatnonzero(real.probe_set == name)
        if not 0 <= number <= len(there):
            raise UserError(f"probes of set {name}: found {number}; expected at most {len(there)}")
        if generator is None:
            picked = there[np.arange(number) * len(there) // number]
        else:
            picked = np.sort(generator.choice(there, number, replace=False))
        chosen.append(picked)
    return np.concatenate(chosen)
