"""RNAs longer than a model can read: cut into overlapping windows, scored as probes, the best window counts.

A network with a table of L positions has no value for position L + 1, and one trained on probes of 30 to 41 bases
has learnt nothing about position 42. An RNA longer than ``longest`` is therefore read as windows of that length,
each folded and scored as if it were a probe of its own, and its score is the largest of them: the score of its best
site. That is no probe intensity of the long RNA: the largest of many windows grows with their number, and structure
that spans more than a window is not seen. RNAs that fit are not touched.
"""

from dataclasses import dataclass

import numpy as np

from regulome.binding.sequences import Sequences


@dataclass(frozen=True)
class Windows:
    """Windows of N RNAs.

    Attributes
    ----------
    rnas
        M >= N sequences: an RNA that fits is one window, the whole of it.
    first
        (N,) position in ``rnas`` of each RNA's first window.
    start
        (M,) first base of each window in its RNA, from 0.
    """

    rnas: Sequences
    first: np.ndarray
    start: np.ndarray

    @property
    def cut(self) -> int:
        """Number of RNAs that were cut."""
        return int((np.diff(np.append(self.first, len(self.rnas))) > 1).sum())

    def best(self, scores: np.ndarray) -> np.ndarray:
        """Scores of the RNAs: (..., M) of the windows to (..., N), the largest of each RNA's windows."""
        if len(self.first) == len(self.rnas):
            return scores
        return np.maximum.reduceat(scores, self.first, axis=-1)

    def of_profiles(self, profiles: np.ndarray | None) -> np.ndarray | None:
        """(M, L, 5) profiles of the windows, cut out of those of the whole RNAs, (N, L, 5); nothing is folded anew."""
        if profiles is None or len(self.first) == len(self.rnas):
            return profiles
        owner = np.repeat(np.arange(len(self.first)), np.diff(np.append(self.first, len(self.rnas))))
        found = np.zeros((len(self.rnas), max(self.rnas.lengths), profiles.shape[2]), dtype=profiles.dtype)
        for row, (rna, begin, length) in enumerate(zip(owner, self.start, self.rnas.lengths, strict=True)):
            found[row, :length] = profiles[rna, begin : begin + length]
        return found


def cut(rnas: Sequences, longest: int, step: int | None = None) -> Windows:
    """Cut RNAs longer than ``longest`` bases.

    Parameters
    ----------
    longest
        Bases of a window.
    step
        Bases from one window to the next (default: half a window, so that a site of up to half a window lies whole
        in one); the last window ends with the RNA.

    Raises
    ------
    ValueError
        If ``longest`` or ``step`` is below 1.
    """
    step = max(1, longest // 2) if step is None else step
    if longest < 1 or step < 1:
        raise ValueError(f"longest is {longest} and step {step}; expected at least 1")
    if max(rnas.lengths, default=0) <= longest:
        return Windows(rnas, np.arange(len(rnas)), np.zeros(len(rnas), dtype=int))
    names, letters, first, start = [], [], [], []
    for name, sequence in zip(rnas.names, rnas.letters, strict=True):
        first.append(len(letters))
        for begin in _begins(len(sequence), longest, step):
            names.append(name if len(sequence) <= longest else f"{name}:{begin + 1}")
            letters.append(sequence[begin : begin + longest])
            start.append(begin)
    return Windows(Sequences(tuple(names), tuple(letters), "rna", rnas.source), np.array(first), np.array(start))


def _begins(length: int, longest: int, step: int) -> list[int]:
    last = max(0, length - longest)
    return sorted({*range(0, last, step), last})
