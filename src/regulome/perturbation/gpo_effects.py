"""Effects of all perturbations on all genes, shrunk together: empirical Bayes with a covariance between perturbations.

The likelihood of the effects R (K perturbations, P genes; natural log of expression against controls) is summarised by
its maximum T, the sampling variances V of the perturbed cells and v of the controls, which all perturbations share:

    T_g | R_g ~ N(R_g, diag(V_g) + v_g 11'),    R_g ~ N(0, s_g S)   for every gene g.

S (K, K) says which perturbations act alike, s_g how much a gene responds; both come from the data by EM, with a weak
inverse-gamma prior that keeps s_g near the typical gene. The posterior mean borrows strength from perturbations of the
same pathway, and takes out the error of the control mean that is common to a whole row of measured effects.
"""

from dataclasses import dataclass

import numpy as np

PRIOR_GENES = 2.0  # degrees of freedom of the prior of s_g
CHUNK = 5e7  # numbers at a time


@dataclass(frozen=True)
class Shrunken:
    """Posterior of the effects.

    Attributes
    ----------
    mean, sd
        (K, P).
    similarity
        (K, K) S.
    scale
        (P,) s_g.
    """

    mean: np.ndarray
    sd: np.ndarray
    similarity: np.ndarray
    scale: np.ndarray


def shrink(effects: np.ndarray, noise: np.ndarray, control_noise: np.ndarray, iterations: int = 30) -> Shrunken:
    """Posterior of the effects.

    Parameters
    ----------
    effects, noise
        (K, P) T and V, V above 0.
    control_noise
        (P,) v.
    iterations
        Steps of EM.
    """
    effects, noise = np.asarray(effects, float), np.asarray(noise, float)
    count, genes = effects.shape
    scale = np.median(noise, 0)
    scale = scale / np.exp(np.log(scale).mean())
    standard = effects / np.sqrt(scale)
    similarity = 0.3 * standard @ standard.T / genes + 1e-6 * np.eye(count)
    for _ in range(iterations):
        inverse = np.linalg.inv(similarity + 1e-9 * np.trace(similarity) / count * np.eye(count))
        centre, new, total = np.exp(np.log(scale).mean()), np.empty(genes), np.zeros((count, count))
        for part in _parts(genes, count):
            mean, covariance = _posterior(effects, noise, control_noise, similarity, scale, part)
            second = covariance + mean[:, :, None] * mean[:, None, :]
            own = np.einsum("ij,gij->g", inverse, second)
            new[part] = (own + PRIOR_GENES * centre) / (count + PRIOR_GENES)
            total += np.einsum("gij,g->ij", second, 1 / new[part])
        similarity, scale = total / genes, new
    mean, sd = np.empty_like(effects), np.empty_like(effects)
    for part in _parts(genes, count):
        found, covariance = _posterior(effects, noise, control_noise, similarity, scale, part)
        mean[:, part], sd[:, part] = found.T, np.sqrt(np.maximum(np.einsum("gii->ig", covariance), 0))
    return Shrunken(mean, sd, similarity, scale)


def _parts(genes: int, count: int) -> list[slice]:
    """Genes in portions whose covariances fit in memory."""
    step = max(1, int(CHUNK / count**2))
    return [slice(start, start + step) for start in range(0, genes, step)]


def _posterior(effects, noise, control_noise, similarity, scale, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Mean (g, K) and covariance (g, K, K) of the effects on some genes."""
    prior = scale[part, None, None] * similarity
    total = prior + control_noise[part, None, None]
    places = np.arange(len(similarity))
    total[:, places, places] += noise[:, part].T
    gain = np.linalg.solve(total, prior).transpose(0, 2, 1)
    return np.einsum("gij,jg->gi", gain, effects[:, part]), prior - gain @ prior
