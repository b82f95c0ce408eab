"""Direct regulatory effects from total ones: a sparse, signed structural model with a spike-and-slab posterior.

A perturbation k of other genes changes gene j by what its direct regulators i pass on:

    t_kj = sum_i t_ki A_ij + e_kj,   for every gene j that k does not itself hit,   A = M * E,
    M_ij ~ Bernoulli(p),  E_ij ~ N(0, s^2),  e_kj ~ N(0, tau).

Chains of regulators are thereby explained by their links (t = d (I - A)^-1 with the perturbed genes held), so that A
holds direct effects only; a gene that was never perturbed can be a link of a chain, at lower prior odds, and one that
no perturbation moves keeps the prior: free rows cannot absorb the fit. The measured changes T have sampling variances
V, which enter twice: as noise of the response, and as errors in the regulators' own changes, which are replaced step by
step by their posterior under the model.

The posterior is q(M_ij) = Bernoulli(P_ij), q(E_ij | M_ij = 1) = N(m_ij, v_ij) by coordinate ascent: every update is
exact, none needs a sample (the updates are those of variational Bayesian variable selection, Carbonetto and Stephens,
Bayesian Analysis 7:73, 2012). p, s and tau come from the data.
"""

from dataclasses import dataclass

import numpy as np

from regulome.errors import UserError

LIMIT = 30.0  # of log odds
SWEEPS = 10  # over all regulators, between two updates of the rest


@dataclass(frozen=True)
class NetworkSettings:
    """How the network is fitted.

    Attributes
    ----------
    prior
        Start of p, the probability of an edge.
    unperturbed
        Prior odds of a regulator that was never perturbed, over those of a perturbed one; 0: no edges from such.
    rounds
        Updates of hyperparameters and of the regulators' changes; over the first 60 % the prior odds grow from even
        to p, so that correlated regulators compete before the prior decides.
    learn
        Whether p, s and tau are learned (EM).
    errors
        Whether errors in the regulators' changes count.
    floor
        Least |log change| of a perturbed gene that is believed: a knockout need not lower its transcript.
    """

    prior: float = 0.05
    unperturbed: float = 0.2
    rounds: int = 15
    learn: bool = True
    errors: bool = True
    floor: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise UserError(f"gpo network: prior is {self.prior}; expected between 0 and 1")
        for name, low in {"unperturbed": 0, "rounds": 1, "floor": 0}.items():
            if not low <= getattr(self, name) < np.inf:
                raise UserError(f"gpo network: {name} is {getattr(self, name)}; expected at least {low}")


@dataclass(frozen=True)
class Network:
    """Posterior of the network; rows regulators, columns targets.

    Attributes
    ----------
    probability
        (G, G) of an edge.
    mean, variance
        (G, G) of the effect E where there is an edge: log change of the target for each unit of log change of the
        regulator; positive: activation.
    hyper
        p, s^2 ("slab"), tau.
    """

    probability: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    hyper: dict

    @property
    def effect(self) -> np.ndarray:
        """(G, G) posterior mean of A."""
        return self.probability * self.mean

    @property
    def sd(self) -> np.ndarray:
        """(G, G) posterior standard deviation of A."""
        return np.sqrt(np.maximum(self.probability * (self.mean**2 + self.variance) - self.effect**2, 0))


def doses(effects, noise, dosage, measured, direction: int = -1, floor: float = 0.5):
    """Changes of all latent genes that the structural model reads.

    A gene that is not measured has the change -1 (or 1) where it is perturbed and 0 elsewhere, so that its effects are
    those of the perturbation as a whole; a measured one that changed less than `floor` where it was perturbed counts as
    changed by `floor`.

    Parameters
    ----------
    effects, noise
        (K, G), anything in the columns of genes that are not measured.
    dosage
        (K, G) 1 where a perturbation hits a gene.
    measured
        (G,) bool.
    direction
        -1 knockdown or knockout, 1 activation.
    """
    hit = dosage > 0
    out, variance = np.where(measured, effects, 0.0), np.where(measured, noise, 0.0)
    small = hit & (direction * out < floor)
    out = np.where(small, direction * np.where(measured, floor, 1.0), out)
    return out, np.where(small, 0.0, variance)


def fit(
    effects: np.ndarray, noise: np.ndarray, dosage: np.ndarray, measured: np.ndarray, settings: NetworkSettings,
    direction: int = -1,
) -> Network:  # fmt: skip
    """Posterior of the network.

    Parameters
    ----------
    effects, noise
        (K, G) log changes of the latent genes under each perturbation, and their sampling variances.
    dosage
        (K, G) 1 where a perturbation hits a gene; combinations are rows like any other.
    measured
        (G,) bool: genes whose changes are known.
    direction
        -1 knockdown or knockout, 1 activation.
    """
    change, variance = doses(effects, noise, dosage, measured, direction, settings.floor)
    return _Fit(change, variance, dosage > 0, measured, settings).run()


class _Fit:
    """State of the coordinate ascent."""

    def __init__(self, change, variance, hit, measured, settings):
        size = change.shape[1]
        self.observed, self.observed_variance, self.settings = change, variance, settings
        self.change, self.variance = change.copy(), variance.copy()
        self.free = ~hit & measured  # entries that the structural equation explains
        self.perturbed = hit.any(0)
        self.prior, self.slab, self.tau = settings.prior, 1.0, 0.01
        start = np.where(self.perturbed, settings.prior, settings.prior * settings.unperturbed)
        self.allowed = (~np.eye(size, dtype=bool)) & (measured | self.perturbed)[:, None] & measured
        self.probability = np.where(self.allowed, start[:, None], 0.0)
        self.mean, self.spread = np.zeros((size, size)), np.ones((size, size))

    def run(self) -> Network:
        rounds = self.settings.rounds
        for number in range(rounds):
            odds = self._log_odds(min(1.0, (number + 1) / (0.6 * rounds)))
            for _ in range(SWEEPS):
                if self._sweep(odds) < 1e-4:
                    break
            if self.settings.learn:
                self._hyper()
            if self.settings.errors and number > 1:
                self._regulators()
        hyper = {"prior": float(self.prior), "slab": float(self.slab), "tau": float(self.tau)}
        return Network(self.probability, self.mean, self.spread, hyper)

    def _log_odds(self, power: float) -> np.ndarray:
        odds = self.prior / (1 - self.prior) * np.where(self.perturbed, 1.0, max(self.settings.unperturbed, 1e-12))
        return power * np.log(odds)

    def _square(self) -> np.ndarray:
        return self.probability * (self.mean**2 + self.spread)

    def _sweep(self, log_odds: np.ndarray) -> float:
        """Update every regulator's effects on all targets; largest change of A."""
        error = self.variance @ self._square() if self.settings.errors else 0.0
        weight = self.free / (self.observed_variance + self.tau + error)
        effect = self.probability * self.mean
        residual, largest = self.observed - self.change @ effect, 0.0
        for row in range(len(effect)):
            allowed = self.allowed[row]
            if not allowed.any() or (not self.perturbed[row] and not self.settings.unperturbed):
                self.probability[row] = 0
                continue
            x = self.change[:, row]
            information = (x * x) @ weight
            score = x @ (weight * residual) + information * effect[row]
            self.spread[row] = 1 / (information + 1 / self.slab)
            self.mean[row] = self.spread[row] * score
            logit = log_odds[row] + 0.5 * np.log(self.spread[row] / self.slab)
            logit += 0.5 * self.mean[row] ** 2 / self.spread[row]
            self.probability[row] = allowed / (1 + np.exp(-np.clip(logit, -LIMIT, LIMIT)))
            new = self.probability[row] * self.mean[row]
            step = new - effect[row]
            residual -= np.outer(x, step)
            effect[row], largest = new, max(largest, float(np.abs(step).max()))
        return largest

    def _hyper(self) -> None:
        """EM updates of p and s^2; tau by the excess of the squared residuals over their sampling variance."""
        perturbed = self.probability[self.perturbed]
        pairs = self.allowed[self.perturbed].sum()
        self.prior = float(np.clip((perturbed.sum() + 1) / (pairs + 20), 0.01, 0.3))
        square, effect = self._square(), self.probability * self.mean
        self.slab = float((square.sum() + 1) / (self.probability.sum() + 1))
        sampling = self.observed_variance + self.variance @ square
        found = (self.observed - self.change @ effect) ** 2 + self.change**2 @ (square - effect**2)
        weight = self.free / (sampling + self.tau) ** 2
        self.tau = max(float(((found - sampling) * weight).sum() / max(weight.sum(), 1e-12)), 1e-5)

    def _regulators(self) -> None:
        """Posterior of the changes themselves: the measured one and the one that the network predicts, half a step."""
        effect = self.probability * self.mean
        spread = self.tau + self.change**2 @ (self._square() - effect**2)
        share = np.where(self.free, self.observed_variance / (self.observed_variance + spread), 0.0)
        target = self.observed + share * (self.change @ effect - self.observed)
        self.change = 0.5 * (self.change + target)
        self.variance = np.where(self.free, share * spread, self.observed_variance)
