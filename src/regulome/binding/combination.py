"""How much of the two-tower network to add to the homology term, depending on the nearest training protein.

    score = (1 - a) z_homology + a z_two-tower,    a(s) = share max(0, 1 - s / reach)

s is the identity to the nearest training protein: a network can only add where relatives say little. Share and reach
are chosen by the mean correlation on held-out proteins, which neither term was trained on. For standardised
predictions with correlations r_h and r_t with the truth and rho with each other that correlation is

    r = ((1 - a) r_h + a r_t) / sqrt((1 - a)^2 + a^2 + 2 a (1 - a) rho),

so that the choice needs three numbers a protein. Of all choices within one standard error of the best (over proteins,
paired) the one that uses the network least is taken: a network that adds nothing gets nothing.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

SHARES = tuple(np.round(np.linspace(0, 1, 21), 2).tolist())
REACHES = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 3.0)


@dataclass(frozen=True)
class Calibration:
    """What the weights follow from.

    Attributes
    ----------
    share
        Weight of the two-tower term for a protein without any relative.
    reach
        Identity at which it has fallen to 0.
    proteins
        Held-out proteins behind both.
    gain
        Mean correlation of the combination minus that of the homology term, on these proteins (optimistic: they chose).
    """

    share: float
    reach: float
    proteins: int
    gain: float = 0.0

    def weights(self, identity: np.ndarray) -> np.ndarray:
        """(Q, 2) weights of the homology and the two-tower term, not negative, sum 1."""
        tower = self.share * np.maximum(0, 1 - np.asarray(identity, dtype=float) / self.reach)
        return np.stack([1 - tower, tower], axis=-1)


def calibrate(identity: np.ndarray, homology_r: np.ndarray, two_tower_r: np.ndarray, rho: np.ndarray) -> Calibration:
    """Learn the combination from held-out proteins.

    Parameters
    ----------
    identity
        (H,) identities to the nearest training protein.
    homology_r, two_tower_r, rho
        (H,) correlation of each term with the truth, and of the terms with each other.
    """
    tried = [Calibration(0.0, REACHES[0], len(identity))]
    tried += [Calibration(share, reach, len(identity)) for share, reach in product(SHARES[1:], REACHES)]
    weights = [each.weights(identity) for each in tried]
    r = np.stack([combined(w, homology_r, two_tower_r, rho) for w in weights])
    behind = r[r.mean(1).argmax()] - r
    enough = behind.mean(1) <= behind.std(1, ddof=1) / np.sqrt(len(identity)) + 1e-9
    used = np.array([w[:, 1].mean() for w in weights])
    place = int(np.where(enough, used, np.inf).argmin())
    return replace(tried[place], gain=float((r[place] - r[0]).mean()))


def combined(weights: np.ndarray, homology_r: np.ndarray, two_tower_r: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """(Q,) correlation with the truth of the sum of two standardised predictions with weights (Q, 2)."""
    a, b = weights.T
    return (a * homology_r + b * two_tower_r) / np.sqrt(np.maximum(a**2 + b**2 + 2 * a * b * rho, 1e-12))


def mix(terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(P, N) sum of terms (2, P, N) with weights (P, 2)."""
    return np.einsum("kpn,pk->pn", terms, weights).astype(np.float32)
