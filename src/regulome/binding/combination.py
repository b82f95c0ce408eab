"""How much of the two-tower network to add to the homology term, depending on the nearest training protein.

Two predictions with standard deviation 1, correlations r_h and r_t with the truth and rho with each other are combined
best by the weights R^-1 (r_h, r_t), R = ((1, rho), (rho, 1)); negative ones become 0. Of the three

    r_h   rises with the identity s to the nearest training protein: isotonic regression on leave-one-out,
    r_t   one number: the mean over held-out clusters, whose proteins the network has not seen,
    rho   = r_h r_t + excess, r_h r_t being its value if the two erred independently; the excess is the mean over the
          same held-out proteins.

Nothing is fitted to proteins that the network has seen, where its correlations mean nothing for new ones.
"""

from dataclasses import dataclass, replace

import numpy as np

SHRINK = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)


@dataclass(frozen=True)
class Calibration:
    """What the weights follow from.

    Attributes
    ----------
    identity, homology_r
        Knots of r_h(s): identities, rising, and correlations, not falling.
    two_tower_r, excess
        r_t and rho - r_h r_t.
    proteins
        Held-out proteins behind the two numbers.
    shrink
        What the two-tower weight is multiplied with: of `SHRINK` the one that does best on the held-out proteins, since
        the two numbers are means, and a protein is not.
    """

    identity: tuple[float, ...]
    homology_r: tuple[float, ...]
    two_tower_r: float
    excess: float
    proteins: int
    shrink: float = 1.0

    def weights(self, identity: np.ndarray) -> np.ndarray:
        """(Q, 2) weights of the homology and the two-tower term, not negative, sum 1."""
        r_h = np.interp(np.asarray(identity, dtype=float), self.identity, self.homology_r)
        r_t = np.full_like(r_h, self.two_tower_r)
        rho = np.clip(r_h * r_t + self.excess, -0.95, 0.95)
        found = np.maximum(np.stack([r_h - rho * r_t, self.shrink * (r_t - rho * r_h)], axis=1), 0)
        total = found.sum(1, keepdims=True)
        return np.where(total > 0, found / np.where(total > 0, total, 1), np.array([1.0, 0.0]))


def calibrate(
    identity: np.ndarray,
    homology_r: np.ndarray,
    held_homology_r: np.ndarray,
    two_tower_r: np.ndarray,
    rho: np.ndarray,
    held_identity: np.ndarray,
) -> Calibration:
    """Learn the combination.

    Parameters
    ----------
    identity, homology_r
        (P,) leave-one-out of the homology term: nearest identities and correlations.
    held_homology_r, two_tower_r, rho
        (H,) held-out proteins: correlation of each term with the truth, and of the terms with each other.
    held_identity
        (H,) their nearest identities.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0).fit(identity, np.asarray(homology_r, dtype=float))
    excess = np.mean(rho - held_homology_r * two_tower_r)
    full = Calibration(
        tuple(float(x) for x in fitted.X_thresholds_),
        tuple(float(y) for y in fitted.y_thresholds_),
        float(max(np.mean(two_tower_r), 0.0)),
        float(excess),
        len(two_tower_r),
    )
    tried = [replace(full, shrink=shrink) for shrink in SHRINK]
    means = [_combined(c.weights(held_identity), held_homology_r, two_tower_r, rho).mean() for c in tried]
    return tried[int(np.argmax(means))]


def _combined(weights: np.ndarray, homology_r: np.ndarray, two_tower_r: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Correlation of the weighted sum of two standardised predictions with the truth."""
    a, b = weights.T
    return (a * homology_r + b * two_tower_r) / np.sqrt(np.maximum(a**2 + b**2 + 2 * a * b * rho, 1e-12))


def mix(terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(P, N) sum of terms (2, P, N) with weights (P, 2)."""
    return np.einsum("kpn,pk->pn", terms, weights).astype(np.float32)
