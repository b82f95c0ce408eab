"""Synthetic probes and intensities: motif scan, accessibility, noise of a known ceiling, the look of array data.

The scan S (`regulome.binding.scan`) of a protein, standardised over the training RNAs, is its signal s. A measured
intensity is the exponential of signal and noise, shifted and scaled,

    y = scale * (exp(beta z) - shift),    z = sqrt(share) s + sqrt(1 - share) e,    e ~ N(0, 1),

with shift = the median of exp(beta z), so that half of the values are negative, and scale such that 10 % lie below
-1, as in real normalised RNAcompete intensities. The best possible prediction of y is its mean given s; its Pearson
correlation with y is the ceiling that every model is compared with.
"""

import numpy as np

BETA = 1.0  # gives the long upper tail of array data
LENGTHS = {38: 0.586, 35: 0.255, 30: 0.146, 39: 0.005, 41: 0.004, 36: 0.004}  # bases: share, as on the real array
_HYDROGEN_BONDS = {"GC": 3, "CG": 3, "AU": 2, "UA": 2, "GU": 1, "UG": 1}
_LOOP = 3  # fewest bases of a hairpin's loop
_HALF_PAIRED = 12.0  # hydrogen bonds of a helix that is formed half of the time
BLOCKED = -4.0  # energy (natural log) of a base that is paired all the time, at weight 1


def probes(count: int, generator: np.random.Generator) -> list[str]:
    """Random distinct RNAs with the lengths of the real array, starting with AG; a third hold a designed hairpin."""
    lengths = generator.choice(list(LENGTHS), size=count, p=np.array(list(LENGTHS.values())) / sum(LENGTHS.values()))
    done: dict[str, None] = {}
    while len(done) < count:
        done[_probe(int(lengths[len(done)]), generator)] = None
    return list(done)


def _probe(length: int, generator: np.random.Generator) -> str:
    bases = list("AG" + "".join("ACGU"[i] for i in generator.integers(4, size=length - 2)))
    if generator.random() < 1 / 3:
        stem, loop = int(generator.integers(6, 9)), int(generator.integers(4, 8))
        start = 2 + int(generator.integers(0, length - 2 - 2 * stem - loop + 1))
        for i in range(stem):
            bases[start + 2 * stem + loop - 1 - i] = {"A": "U", "C": "G", "G": "C", "U": "A"}[bases[start + i]]
    return "".join(bases)


def paired(rna: str) -> np.ndarray:
    """Share of the time that each base is paired, (L,) in 0..1: a stand-in for a partition function.

    Only the helix with most hydrogen bonds counts, formed with odds exp(bonds - 12): enough to make structure
    matter, and independent of any folding library.
    """
    best, where = 0, (0, 0, 0)
    for centre in range(2 * _LOOP + 1, 2 * len(rna) - 1):  # i + j of all pairs of a helix
        i, j = (centre - _LOOP - 1) // 2, centre - (centre - _LOOP - 1) // 2
        bonds = pairs = 0
        while i >= 0 and j < len(rna):
            bond = _HYDROGEN_BONDS.get(rna[i] + rna[j], 0)
            bonds, pairs = (bonds + bond, pairs + 1) if bond else (0, 0)
            if bonds > best:
                best, where = bonds, (i, j, pairs)
            i, j = i - 1, j + 1
    share = np.zeros(len(rna))
    i, j, pairs = where
    share[i : i + pairs] = share[j - pairs + 1 : j + 1] = 1 / (1 + np.exp(_HALF_PAIRED - best))
    return share


def blocking(rnas: list[str]) -> np.ndarray:
    """(N, Lmax) energy of each base's pairing at weight 1, 0 beyond the end."""
    energy = np.zeros((len(rnas), max(map(len, rnas))))
    for row, rna in zip(energy, rnas, strict=True):
        row[: len(rna)] = BLOCKED * paired(rna)
    return energy


def observe(
    signal: np.ndarray, share: np.ndarray, generator: np.random.Generator, beta: float = BETA
) -> tuple[np.ndarray, np.ndarray]:
    """Measured intensities and the best possible prediction of them, both (P, N), from standardised signals.

    Parameters
    ----------
    signal
        (P, N) s; the columns that fix shift and scale are all of them.
    share
        (P,) part of the variance of z that is signal.
    beta
        Length of the upper tail.
    """
    a, b = np.sqrt(share)[:, None], np.sqrt(1 - share)[:, None]
    raw = np.exp(beta * (a * signal + b * generator.standard_normal(signal.shape)))
    shift = np.median(raw, axis=1, keepdims=True)
    scale = 1 / (shift - np.quantile(raw, 0.1, axis=1, keepdims=True))
    expected = np.exp(beta * a * signal + beta**2 * b**2 / 2)
    return scale * (raw - shift), scale * (expected - shift)
