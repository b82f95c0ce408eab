"""A mixture of Student t distributions fitted to a posterior: where ensembles start, what they jump to, the evidence.

Begins with the Laplace approximation of every distinct mode and is then adapted by importance sampling (population
Monte Carlo; Cappé et al., Stat Comput 18:447, 2008). With weights w = posterior / mixture of its draws, the mean of w
is the model evidence, and Pareto's k of the weights (Vehtari et al. 2024) says whether that can be trusted (below 0.7).
Components are over the coordinates that data see; what they do not see (`unseen`) is drawn from the prior. Where
parameters can be relabelled, components describe one labelling and are repeated in all.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import gammaln, logsumexp
from sklearn.mixture import GaussianMixture

from regulome.stochastic.fit import Fit, laplace, log_posterior
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.unseen import Unseen

FREEDOM = 5.0  # degrees of freedom: tails heavier than those of the posterior
WIDE = 0.1  # share of draws from the prior
APART = 4.0  # Mahalanobis distance beyond which two modes are two


@dataclass(frozen=True)
class Mixture:
    """Multivariate t distributions over what data see, and with a share of `WIDE` the prior, which is never too narrow.

    Attributes
    ----------
    weights, means, scales
        (M,), (M, Q) and (M, Q, Q), over ``y = x basis``.
    unseen
        What data do not see, with the basis of the rest.
    """

    unseen: Unseen
    weights: np.ndarray
    means: np.ndarray
    scales: np.ndarray

    @property
    def prior(self) -> BoxPrior:
        return self.unseen.prior

    @property
    def relabellings(self) -> np.ndarray:
        """(G, P) permutations of the coordinates under which the mixture is symmetric."""
        return self.unseen.relabellings

    def sample(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """(count, P) draws."""
        which = generator.choice(len(self.weights), count, p=self.weights)
        normal = generator.standard_normal((count, self.means.shape[1]))
        stretch = np.sqrt(FREEDOM / generator.chisquare(FREEDOM, count))
        roots = np.linalg.cholesky(self.scales)
        narrow = self.means[which] + stretch[:, None] * np.einsum("nij,nj->ni", roots[which], normal)
        narrow = self.unseen.redrawn(relabelled(narrow @ self.unseen.basis.T, self.relabellings, generator), generator)
        wide = self.prior.coordinates(torch.tensor(self.prior.sample(count, generator))).numpy()
        return np.where(generator.random((count, 1)) < WIDE, wide, narrow)

    def component_log_density(self, x: np.ndarray) -> np.ndarray:
        """(B, M) ln of weight times density of each component, over y."""
        x = x @ self.unseen.basis
        size = self.means.shape[1]
        roots = np.linalg.cholesky(self.scales)
        apart = np.linalg.solve(roots[:, None], (x[None] - self.means[:, None])[..., None])[..., 0]
        distance = (apart**2).sum(-1).T
        volume = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(1)
        constant = gammaln((FREEDOM + size) / 2) - gammaln(FREEDOM / 2) - size / 2 * np.log(FREEDOM * np.pi) - volume
        with np.errstate(divide="ignore"):
            return np.log(self.weights) + constant - (FREEDOM + size) / 2 * np.log1p(distance / FREEDOM)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """(B,) ln density."""
        images = logsumexp(self._images(x), axis=0) - np.log(len(self.relabellings))
        narrow = np.log1p(-WIDE) + images + self.unseen.log_density(x)
        return np.logaddexp(narrow, np.log(WIDE) + self.prior.log_density(torch.tensor(x)).numpy())

    def labelling(self, x: np.ndarray) -> np.ndarray:
        """(B,) the relabelling that brings each point closest to the components."""
        if len(self.relabellings) == 1:
            return np.zeros(len(x), int)
        return self._images(x).argmax(0)

    def folded(self, x: np.ndarray) -> np.ndarray:
        """(B, P) points in the labelling of the components."""
        return np.take_along_axis(x, self.relabellings[self.labelling(x)], 1)

    def _images(self, x: np.ndarray) -> np.ndarray:
        """(G, B) ln density of the components at every relabelling of the points."""
        images = x[:, self.relabellings].swapaxes(0, 1).reshape(-1, x.shape[1])
        return logsumexp(self.component_log_density(images), axis=1).reshape(-1, len(x))


def relabelled(x: np.ndarray, relabellings: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(..., P) points, each relabelled at random."""
    if len(relabellings) == 1:
        return x
    return np.take_along_axis(x, relabellings[generator.integers(len(relabellings), size=x.shape[:-1])], -1)


@dataclass(frozen=True)
class Weighted:
    """Draws of a mixture with ln(posterior / mixture), and what they say.

    Attributes
    ----------
    x, log_weights
        (K, P) and (K,).
    evidence, evidence_sd
        ln of the model evidence and the standard error of that.
    effective
        Effective number of draws, (sum w)^2 / sum w^2.
    pareto_k
        Shape of the tail of the weights; above 0.7 the evidence is not reliable.
    """

    x: np.ndarray
    log_weights: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        return np.exp(self.log_weights - logsumexp(self.log_weights))

    @property
    def evidence(self) -> float:
        return float(logsumexp(self.log_weights) - np.log(len(self.x)))

    @property
    def evidence_sd(self) -> float:
        return float(np.sqrt(max(1 / self.effective - 1 / len(self.x), 0.0)))

    @property
    def effective(self) -> float:
        return float(1 / (self.shares**2).sum())

    @property
    def pareto_k(self) -> float:
        import arviz

        return float(arviz.psislw(self.log_weights - self.log_weights.max())[1])


def weigh(mixture: Mixture, likelihood: Likelihood, prior: BoxPrior, count: int, generator) -> Weighted:
    """Draw from a mixture and weigh against the posterior."""
    x = mixture.sample(count, generator)
    return Weighted(x, log_posterior(likelihood, prior, x) - mixture.log_density(x))


def adapted(
    found: Fit,
    likelihood: Likelihood,
    prior: BoxPrior,
    generator: np.random.Generator,
    rounds: int = 4,
    draws: int = 300,
) -> Mixture:
    """The mixture for a posterior, from the end points of a fit.

    Parameters
    ----------
    found
        Its starts within 15 nats of the best seed the modes.
    rounds, draws
        Rounds of adaptation, and likelihoods evaluated in each.
    """
    near = found.theta[found.log_likelihood > found.log_likelihood[0] - 15]
    mixture = _modes(Unseen.of(likelihood, prior, found.best), *laplace(likelihood, prior, near))
    x, target = np.empty((0, prior.dimension)), np.empty(0)
    for _ in range(rounds):
        new = weigh(mixture, likelihood, prior, draws, generator)
        target = np.append(target, new.log_weights + mixture.log_density(new.x))
        x = np.concatenate([x, new.x])
        mixture = _fitted(mixture, x, target - mixture.log_density(x))
    return mixture


def of_draws(unseen: Unseen, x: np.ndarray, seed: int, most: int = 4) -> Mixture:
    """The mixture for (K, P) draws of a posterior, with as many components as the BIC asks for (scikit-learn)."""
    x = _aligned(x, unseen.relabellings) @ unseen.basis
    fits = [
        GaussianMixture(n, reg_covar=1e-6, random_state=seed, n_init=2).fit(x)
        for n in range(1, most + 1)
        if len(x) > 4 * n * x.shape[1]
    ]
    best = min(fits or [GaussianMixture(1, reg_covar=1e-6).fit(x)], key=lambda f: f.bic(x))
    return Mixture(unseen, best.weights_ / best.weights_.sum(), best.means_, best.covariances_)


def _aligned(x: np.ndarray, relabellings: np.ndarray, rounds: int = 10) -> np.ndarray:
    """(K, P) draws in one labelling: each in the one that is closest to the mean of all, from the first draw on."""
    centre, width, rows = x[0], x.std(0) + 1e-12, np.arange(len(x))
    images = x[:, relabellings]  # (K, G, P)
    for _ in range(rounds):
        apart = (((images - centre) / width) ** 2).sum(-1)
        x = images[rows, apart.argmin(1)]
        centre = x.mean(0)
    return x


def _modes(unseen: Unseen, mode: np.ndarray, covariance: np.ndarray, height: np.ndarray) -> Mixture:
    """One component a distinct mode (relabelled ones are the same), weighted by its Laplace evidence (at least 5 %)."""
    kept: list[int] = []
    basis, relabellings = unseen.basis, unseen.relabellings
    images, covariance = mode[:, relabellings] @ basis, basis.T @ covariance @ basis
    mode = mode @ basis
    for at in np.argsort(-height, kind="stable"):
        steps = [image - mode[other] for other in kept for image in images[at]]
        others = [other for other in kept for _ in relabellings]
        far = [
            step @ np.linalg.solve(covariance[other], step) > APART**2
            for step, other in zip(steps, others, strict=True)
        ]
        if all(far):
            kept.append(at)
    evidence = height[kept] + np.linalg.slogdet(covariance[kept])[1] / 2
    weights = np.maximum(np.exp(evidence - evidence.max()), 0.05)
    return Mixture(unseen, weights / weights.sum(), mode[kept], covariance[kept])


def _fitted(mixture: Mixture, x: np.ndarray, log_weights: np.ndarray) -> Mixture:
    """One step of expectation maximisation on weighted draws; the largest weights are cut to keep it stable."""
    cut = np.sort(log_weights)[-max(len(x) // 50, 5)]
    weights = np.exp(np.minimum(log_weights, cut) - cut)
    weights /= weights.sum()
    density, x = mixture.log_density(x), mixture.folded(x)
    parts = mixture.component_log_density(x)
    part = np.log1p(-WIDE) + mixture.unseen.log_density(x) - density  # rest: the prior
    duty = weights[:, None] * np.exp(parts + part[:, None])
    total = duty.sum(0)
    means, scales = mixture.means.copy(), mixture.scales.copy()
    y, size = x @ mixture.unseen.basis, means.shape[1]
    for m in range(len(total)):
        effective = total[m] ** 2 / max((duty[:, m] ** 2).sum(), 1e-300)
        if effective < 2 * size:  # too few draws to say anything: keep the component
            continue
        share = duty[:, m] / total[m]
        means[m] = share @ y
        apart = y - means[m]
        trust = effective / (effective + 2 * size)
        scales[m] = trust * (apart.T * share) @ apart + (1 - trust) * mixture.scales[m] + 1e-9 * np.eye(size)
    new = np.maximum(total, 0.02)
    return Mixture(mixture.unseen, new / new.sum(), means, scales)
