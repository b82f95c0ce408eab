"""Structure profiles by other ways, to check the exact ones: Boltzmann samples, and the full base-pair matrix.

Neither uses the window partition function. Samples are drawn from the ensemble (Ding & Lawrence 2003) and the loop of
every base is read from each of them, so that all five channels are checked; the matrix checks the pairs to rounding.
"""

import numpy as np

from regulome.binding.phime import NAMES, vienna

# Loop letters of ViennaRNA's element strings; capitals are paired bases of that loop
_CHANNEL = np.full(256, -1, dtype=np.int8)
for _letter, _name in {"h": "H", "i": "I", "m": "M", "e": "E", "H": "P", "I": "P", "M": "P", "E": "P"}.items():
    _CHANNEL[ord(_letter)] = NAMES.index(_name)


def sample(sequence: str, count: int, seed: int) -> list[str]:
    """Draw structures (dot-bracket) with their Boltzmann probabilities.

    ViennaRNA has one random stream a process; it is seeded here, so that equal arguments give equal samples.
    """
    rna = vienna()
    settings = rna.md()
    settings.uniq_ML = 1  # sampling needs a unique decomposition of multiloops
    ensemble = rna.fold_compound(sequence, settings)
    ensemble.pf()
    rna.init_rand(seed)
    return list(ensemble.pbacktrack(count))


def channels(structures: list[str]) -> np.ndarray:
    """(S, L) uint8 channel of every base, an index into `NAMES`, of S structures of one length."""
    rna = vienna()
    text = "".join(rna.db_to_element_string(structure) for structure in structures)
    codes = np.frombuffer(text.encode(), dtype=np.uint8).reshape(len(structures), -1)
    return _CHANNEL[codes].astype(np.uint8)


def loops(structure: str) -> list[int]:
    """Channel of every base of one dot-bracket structure, base by base; `channels` does the same much faster."""
    found = [NAMES.index("P")] * len(structure)
    free: list[list[int]] = [[]]  # unpaired bases of each loop that is open; the first loop is the exterior
    helices = [0]
    for i, mark in enumerate(structure):
        if mark == "(":
            helices[-1] += 1
            free.append([])
            helices.append(0)
        elif mark == ")":
            channel = NAMES.index("HIM"[min(helices.pop(), 2)])
            for base in free.pop():
                found[base] = channel
        else:
            free[-1].append(i)
    for base in free[0]:
        found[base] = NAMES.index("E")
    return found


def estimate(sequence: str, count: int = 1000, seed: int = 0) -> np.ndarray:
    """(L, 5) share of samples in which a base lies in each channel: the usual estimate of a structure profile.

    The standard error of a share p is :math:`\\sqrt{p(1-p)/count}`, that is up to 0.016 for a thousand samples.
    """
    seen = channels(sample(sequence, count, seed))
    return np.stack([(seen == channel).mean(0) for channel in range(len(NAMES))], axis=1)


def standard_scores(exact: np.ndarray, estimated: np.ndarray, count: int, least: float = 5.0) -> np.ndarray:
    """Differences in standard errors of a binomial share; NaN in cells that expect too few samples for a normal law.

    :math:`z = (\\hat p - p) / \\sqrt{p(1-p)/n}` where both :math:`np` and :math:`n(1-p)` are at least `least`.
    """
    exact = np.asarray(exact, dtype=np.float64)
    variance = exact * (1 - exact) / count
    enough = np.minimum(exact, 1 - exact) * count >= least
    return np.where(enough, (estimated - exact) / np.sqrt(np.where(enough, variance, 1.0)), np.nan)


def pair_matrix(sequence: str) -> np.ndarray:
    """(L, L) float64, symmetric: the probability that two bases pair."""
    ensemble = vienna().fold_compound(sequence)
    ensemble.pf()
    pairs = np.array(ensemble.bpp())[1:, 1:]
    return pairs + pairs.T


def paired(sequence: str) -> np.ndarray:
    """(L,) float64 probability that a base is paired."""
    return pair_matrix(sequence).sum(1)


def best_structure(sequence: str) -> str:
    """Structure of least free energy, in dot-bracket notation."""
    return vienna().fold(sequence)[0]
