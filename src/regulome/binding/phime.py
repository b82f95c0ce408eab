"""Secondary structure of RNA as five probabilities a base: paired, hairpin, internal, multiloop, exterior (PHIME).

The profiles are exact: ViennaRNA's partition function sums over every secondary structure (McCaskill 1990, Turner 2004
energies, 37 degrees, dangles 2). Its window version splits the probability of being unpaired by the kind of loop; the
window here is the whole RNA, so the numbers are those of the whole molecule.

ViennaRNA has a licence of its own and is optional: everything else of this package runs without it.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from importlib import metadata
from os import cpu_count
from pathlib import Path
from types import ModuleType

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from regulome.binding.phime_cache import ProfileCache
from regulome.binding.sequences import BASES, Sequences
from regulome.errors import UserError

NAMES = ("P", "H", "I", "M", "E")
WORDS = {"P": "paired", "H": "hairpin loop", "I": "internal loop or bulge", "M": "multiloop", "E": "exterior"}
SHORTEST = 5  # bases that can form a pair: two that pair and three between them
CHUNK = 250  # RNAs that a worker takes at a time, about a third of a second
MOST_BYTES = 8 * 2**30  # of the padded array


def profile(sequence: str, dtype: type = np.float32) -> np.ndarray:
    """Exact structure profile of one RNA.

    With loop-type probabilities :math:`E_i, H_i, I_i, M_i` of base :math:`i` summed over the Boltzmann ensemble,
    :math:`P_i = 1 - (E_i + H_i + I_i + M_i)`. Bulges count as internal loops; a letter N pairs with nothing.

    Parameters
    ----------
    sequence
        L letters A, C, G, U (or T) and N, upper or lower case.
    dtype
        Of the result; float64 shows the full precision.

    Returns
    -------
    ndarray
        (L, 5) in the order of `NAMES`; rows sum to one.

    Raises
    ------
    UserError
        If ViennaRNA is not installed, the sequence is empty, or has other letters.
    """
    letters = sequence.upper().replace("T", "U")
    if not letters or not set(BASES + "N").issuperset(letters):
        wrong = next((letter for letter in letters if letter not in BASES + "N"), "nothing")
        raise UserError(f"RNA: found {wrong!r}; expected letters {BASES} (N where unknown)")
    rna = vienna()
    return _profile(letters, rna, rna.md()).astype(dtype)


def profiles(rnas: Sequences, workers: int = 1, cache: str | Path | None = None, progress: bool = True) -> np.ndarray:
    """Structure profiles of many RNAs; every distinct sequence is folded once.

    Parameters
    ----------
    rnas
        N RNAs.
    workers
        Processes; the result does not depend on it, bit by bit.
    cache
        File of profiles computed earlier, by sequence; new ones are added to it while the work goes on, so that an
        interrupted run loses little. Several runs may share it.
    progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    ndarray
        (N, Lmax, 5) float32, zero beyond the length of each RNA.

    Raises
    ------
    UserError
        As `profile`; a cache that cannot be used; an array too large to hold.
    """
    if workers < 1:
        raise UserError(f"workers: found {workers}, expected at least 1")
    longest = max(rnas.lengths)
    if len(rnas) * longest * 20 > MOST_BYTES:
        raise UserError(
            f"{rnas.source}: {len(rnas)} profiles of up to {longest} bases take more than {MOST_BYTES >> 30} GiB; "
            "expected RNAs of similar length in one call"
        )
    result = np.zeros((len(rnas), longest, len(NAMES)), dtype=np.float32)
    rows: dict[str, list[int]] = {}
    for row, letters in enumerate(rnas.letters):
        rows.setdefault(letters, []).append(row)
    for letters, values in _found_or_folded(list(rows), workers, cache, progress):
        result[rows[letters], : len(letters)] = values
    return result


def shares(values: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """(5,) mean of each channel over all bases of all RNAs; padding does not count."""
    return values.sum((0, 1), dtype=np.float64) / np.sum(lengths)


def software() -> str:
    """Name and version of what makes the profiles; part of the key of a cached profile."""
    vienna()
    return f"ViennaRNA {metadata.version('ViennaRNA')}"


def installed() -> bool:
    """Whether ViennaRNA is there."""
    return importlib.util.find_spec("RNA") is not None


def vienna() -> ModuleType:
    """The module of ViennaRNA, or one clear message that it is missing."""
    try:
        import RNA
    except ImportError:
        raise UserError(
            "structure profiles need ViennaRNA, which is not installed: pip install ViennaRNA, or use a model that "
            "was trained without structure"
        ) from None
    return RNA


def _found_or_folded(
    distinct: list[str], workers: int, cache: str | Path | None, progress: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Every distinct sequence with its profile: those of the cache first."""
    store = None if cache is None else ProfileCache(cache, software())
    known = {} if store is None else store.get(distinct)
    yield from known.items()
    missing = [letters for letters in distinct if letters not in known]
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    with tqdm(total=len(missing), unit=" RNAs", desc="structure", disable=None if progress else True) as bar:
        for chunk, folded in zip(chunks, _folded(chunks, min(workers, len(chunks))), strict=True):
            if store is not None:
                store.put(dict(zip(chunk, folded, strict=True)))
            yield from zip(chunk, folded, strict=True)
            bar.update(len(chunk))


def _folded(chunks: list[list[str]], workers: int) -> Iterator[list[np.ndarray]]:
    """Profiles of chunks, in order, on several processes (ViennaRNA holds Python's lock, so threads cannot help)."""
    if workers <= 1:
        return map(_fold, chunks)
    processes = min(workers, 2 * (cpu_count() or 1))
    return Parallel(processes, return_as="generator")(delayed(_fold)(chunk) for chunk in chunks)


def _fold(chunk: list[str]) -> list[np.ndarray]:
    rna = vienna()
    settings = rna.md()
    return [_profile(letters, rna, settings).astype(np.float32) for letters in chunk]


def _profile(letters: str, rna: ModuleType, settings: object) -> np.ndarray:
    """(L, 5) float64 of one checked sequence.

    ViennaRNA calls back once a base and loop type with the probability in ``v[1]`` (stretches of one base), the base
    counted from 1, and the loop type in the lowest four bits of ``what``. It reads beyond its memory for RNAs too short
    to pair, which need no calculation. Without ``PROBS_WINDOW_UP`` the split alone would return nothing, silently.
    """
    result = np.zeros((len(letters), len(NAMES)))
    if len(letters) < SHORTEST:
        result[:, NAMES.index("E")] = 1.0
        return result
    column = {1: NAMES.index("E"), 2: NAMES.index("H"), 4: NAMES.index("I"), 8: NAMES.index("M")}

    def collect(v: list, v_size: int, base: int, max_size: int, what: int, data: None) -> None:
        result[base - 1, column[what & 15]] = v[1]

    ensemble = rna.fold_compound(letters, settings, rna.OPTION_WINDOW)
    if not ensemble.probs_window(1, rna.PROBS_WINDOW_UP | rna.PROBS_WINDOW_UP_SPLIT, collect, None):
        raise RuntimeError(f"ViennaRNA has no partition function for {letters}")
    result[:, 0] = 1.0 - result[:, 1:].sum(1)
    return np.clip(result, 0.0, 1.0)  # rounding leaves values such as -2e-16
