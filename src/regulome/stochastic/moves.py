"""Moves of an ensemble of walkers (emcee): jumps into a mixture, differences of walkers, what data do not see."""

import emcee
import numpy as np

from regulome.stochastic.proposal import Mixture


def moves(mixture: Mixture, efficiency: float) -> list[tuple[emcee.moves.Move, float]]:
    """Moves and how often each is made.

    Parameters
    ----------
    efficiency
        Effective share of draws of the mixture, as weights of the posterior: the higher, the more jumps into it.
    """
    jumps = 0.2 + 0.6 * min(1.0, 2 * efficiency)
    swap = 0.05 * (len(mixture.relabellings) > 1)
    chosen = [(emcee.moves.MHMove(_into(mixture)), jumps), (Differences(mixture), 1 - jumps - swap)]
    return [*chosen, (emcee.moves.MHMove(_relabelling(mixture)), swap)] if swap else chosen


class Differences(emcee.moves.RedBlueMove):
    """Differential evolution (ter Braak 2006) in what data see; what they do not see is drawn from the prior with it.

    Differences are those of two other walkers, both brought to one labelling, in the labelling of the walker that
    moves. A move that ends in another labelling is refused, because it would not be proposed backwards.
    """

    def __init__(self, mixture: Mixture):
        super().__init__()
        self._mixture, self._unseen = mixture, mixture.unseen
        self._onto = self._unseen.basis @ self._unseen.basis.T
        self._back = np.argsort(mixture.relabellings, axis=1)  # inverse permutations

    def get_proposal(self, s: np.ndarray, c: list[np.ndarray], random) -> tuple[np.ndarray, np.ndarray]:
        """(W, P) proposals for walkers s from the others, and the logarithms of the ratio of proposal densities."""
        others, size = self._mixture.folded(np.concatenate(c)), len(self._unseen.basis.T)
        first = random.randint(len(others), size=len(s))
        second = (first + random.randint(1, len(others), size=len(s))) % len(others)
        length = 2.38 / np.sqrt(2 * size) * random.uniform(0.4, 1.2, len(s))
        length = np.where(random.random_sample(len(s)) < 0.1, 1.0, length)  # now and then from mode to mode
        label = self._mixture.labelling(s)
        step = np.take_along_axis(others[first] - others[second], self._back[label], 1)
        new = s + (length[:, None] * step + 1e-5 * random.standard_normal(s.shape)) @ self._onto
        new = self._unseen.redrawn(new, _generator(random))
        ratio = self._unseen.log_density(s) - self._unseen.log_density(new)
        return new, np.where(self._mixture.labelling(new) == label, ratio, -np.inf)


def _into(mixture: Mixture):
    """Jump to a draw of the mixture."""

    def propose(x: np.ndarray, random) -> tuple[np.ndarray, np.ndarray]:
        new = mixture.sample(len(x), _generator(random))
        return new, mixture.log_density(x) - mixture.log_density(new)

    return propose


def _relabelling(mixture: Mixture):
    """Relabel each walker at random, never back to where it is; accepted always if the law has the symmetry exactly."""

    def propose(x: np.ndarray, random) -> tuple[np.ndarray, np.ndarray]:
        chosen = mixture.relabellings[random.randint(1, len(mixture.relabellings), size=len(x))]
        return np.take_along_axis(x, chosen, 1), np.zeros(len(x))

    return propose


def _generator(random) -> np.random.Generator:
    """A NumPy generator that follows emcee's."""
    return np.random.default_rng(random.randint(2**32, size=4, dtype=np.uint32))
