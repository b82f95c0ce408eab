"""Maximum-likelihood fit from many starts at once, and the Gaussian approximation around a mode.

All starts climb together (one batch a step) by BFGS in the unbounded coordinates of `prior.BoxPrior`. The gradient
comes from the model where it is differentiable (solver, closed form), else from central differences, which the same
batch evaluates (exact likelihood).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from regulome.errors import UserError
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior

EDGE = 9.0  # |u| beyond which a parameter sits on the edge of its box
_STEP = 1e-3  # of central differences in u
_LONGEST = 3.0  # longest step in u


@dataclass(frozen=True)
class Fit:
    """End points of all starts.

    Attributes
    ----------
    names
        The P parameters.
    starts, theta
        (B, P) where each start began and ended, best first.
    log_likelihood
        (B,) sums over cells, nats.
    converged
        (B,) whether the expected gain of another step was below the tolerance.
    evaluations
        Parameter sets whose likelihood was computed, gradients counted as one.
    """

    names: tuple[str, ...]
    starts: np.ndarray
    theta: np.ndarray
    log_likelihood: np.ndarray
    converged: np.ndarray
    evaluations: int

    @property
    def best(self) -> np.ndarray:
        """(P,) parameters with the highest likelihood."""
        return self.theta[0]

    def table(self) -> pd.DataFrame:
        """One row a start: log-likelihood, distance to the best, parameters."""
        rows = pd.DataFrame(self.theta, columns=list(self.names))
        rows.insert(0, "converged", self.converged)
        rows.insert(0, "below_best", self.log_likelihood[0] - self.log_likelihood)
        rows.insert(0, "log_likelihood", self.log_likelihood)
        return rows.rename_axis("start").reset_index()


def fit(
    likelihood: Likelihood,
    prior: BoxPrior,
    seed: int,
    starts: int = 8,
    screened: int = 256,
    steps: int = 100,
    tolerance: float = 1e-3,
) -> Fit:
    """Maximise the likelihood inside the box.

    Parameters
    ----------
    starts
        Points that climb: those with the highest likelihood of ``screened`` Sobol points (equal numbers: plain starts).
    steps
        Most BFGS steps of each.
    tolerance
        Expected gain in log-likelihood (nats) below which a start stops.
    """
    if not 1 <= starts <= screened:
        raise UserError(f"fit: found {starts} starts of {screened} screened points, expected at least 1 and no more")
    points = prior.network.sample_box(screened, seed)
    first = points[np.argsort(-likelihood(points), kind="stable")[:starts]]

    def loss(u: torch.Tensor) -> torch.Tensor:
        return -likelihood.torch(prior.theta_of(prior.inside(u)))

    u, value, converged, count = minimise(loss, prior.unbounded(torch.tensor(first)), steps, tolerance)
    order = np.argsort(value.numpy(), kind="stable")
    return Fit(
        prior.network.parameter_names,
        first[order],
        prior.theta_of(prior.inside(u)).numpy()[order],
        -value.numpy()[order],
        converged.numpy()[order],
        count + screened,
    )


def polish(
    likelihood: Likelihood, prior: BoxPrior, theta: np.ndarray, steps: int = 30, tolerance: float = 1e-3
) -> tuple[np.ndarray, float]:
    """(P,) parameters and log-likelihood after a climb from one point, such as the end of a fit with another law."""

    def loss(u: torch.Tensor) -> torch.Tensor:
        return -likelihood.torch(prior.theta_of(prior.inside(u)))

    u, value, _, _ = minimise(loss, prior.unbounded(torch.tensor(theta[None])), steps, tolerance)
    return prior.theta_of(prior.inside(u))[0].numpy(), -float(value[0])


def log_posterior(likelihood: Likelihood, prior: BoxPrior, x: np.ndarray) -> np.ndarray:
    """(B,) ln of likelihood times prior density at (B, P) coordinates x; minus infinity outside the box."""
    x = torch.as_tensor(x, dtype=torch.float64)
    result = prior.log_density(x)
    inside = torch.isfinite(result)
    if inside.any():
        with torch.no_grad():
            result[inside] += likelihood.torch(prior.theta_of(x[inside]))
    return result.numpy()


def laplace(
    likelihood: Likelihood, prior: BoxPrior, theta: np.ndarray, steps: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modes of the posterior near the given (B, P) parameters, with the Gaussian around each.

    The modes are those over u, which stay away from the walls of the box.

    Returns
    -------
    tuple
        (B, P) modes and (B, P, P) covariances in coordinates x (inverse Hessians, their eigenvalues over u at least
        0.1, so that a flat direction is as wide as the box), (B,) log posterior.
    """

    def loss(u: torch.Tensor) -> torch.Tensor:
        x = prior.inside(u)
        return -(likelihood.torch(prior.theta_of(x)) + prior.log_density(x) + prior.log_jacobian(u).sum(-1))

    begin = prior.unbounded(torch.tensor(np.atleast_2d(theta))).clamp(-4, 4)
    mode, value, _, _ = minimise(loss, begin, steps, 1e-2)
    size = mode.shape[1]
    offsets = 1e-2 * torch.eye(size, dtype=mode.dtype)
    around = torch.cat([mode[:, None] + offsets, mode[:, None] - offsets], 1).reshape(-1, size)
    slopes = value_and_gradient(loss, around)[1].reshape(-1, 2, size, size)
    hessian = (slopes[:, 0] - slopes[:, 1]) / 2e-2
    values, vectors = torch.linalg.eigh((hessian + hessian.transpose(1, 2)) / 2)
    covariance = vectors @ torch.diag_embed(1 / values.clamp(min=0.1)) @ vectors.transpose(1, 2)
    stretch = prior.log_jacobian(mode).exp()
    covariance = stretch[:, :, None] * covariance * stretch[:, None, :]
    return prior.inside(mode).numpy(), covariance.numpy(), -value.numpy()


Loss = Callable[[torch.Tensor], torch.Tensor]


def value_and_gradient(loss: Loss, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) losses and (B, P) gradients at (B, P) points, automatic if the loss is differentiable."""
    inside = u.detach().clone().requires_grad_(True)
    value = loss(inside)
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), inside)
        if bool(torch.isfinite(gradient).all()) and bool((gradient != 0).any()):
            return value.detach(), gradient
    size = u.shape[1]
    offsets = _STEP * torch.eye(size, dtype=u.dtype)
    around = torch.cat([u[:, None], u[:, None] + offsets, u[:, None] - offsets], 1)
    with torch.no_grad():
        table = loss(around.reshape(-1, size)).reshape(len(u), -1)
    return table[:, 0], (table[:, 1 : size + 1] - table[:, size + 1 :]) / (2 * _STEP)


def minimise(
    loss: Loss, u: torch.Tensor, steps: int, tolerance: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """BFGS with backtracking, every row of u on its own path (Nocedal & Wright 2006, algorithm 6.1).

    A row is finished when the decrease that its quadratic model promises is below the tolerance in two steps running,
    or no step decreases it.

    Returns
    -------
    tuple
        (B, P) points, (B,) losses, (B,) whether finished, evaluations.
    """
    u = u.clamp(-EDGE, EDGE)
    value, slope = value_and_gradient(loss, u)
    count, size = len(u), u.shape[1]
    eye = torch.eye(size, dtype=u.dtype)
    inverse = eye.expand(len(u), -1, -1) / slope.norm(dim=1).clamp(min=1.0)[:, None, None]
    fresh, calm = torch.ones(len(u), dtype=torch.bool), torch.zeros(len(u), dtype=torch.long)
    for _ in range(steps):
        rows = torch.nonzero(calm < 2).ravel()
        if not len(rows):
            break
        direction = -(inverse[rows] @ slope[rows][:, :, None])[:, :, 0]
        direction = direction * (_LONGEST / direction.norm(dim=1).clamp(min=_LONGEST))[:, None]
        promise = -(slope[rows] * direction).sum(1)
        new_u, new_value, new_slope, used = _line_search(loss, u[rows], value[rows], slope[rows], direction)
        count += used
        moved, change = new_u - u[rows], new_slope - slope[rows]
        stuck = moved.abs().sum(1) == 0
        inverse[rows] = _update(inverse[rows], moved, change, fresh[rows], eye)
        # A start that is stuck tries steepest descent once before it counts as finished.
        again = stuck & ~fresh[rows]
        inverse[rows[again]] = eye / slope[rows[again]].norm(dim=1).clamp(min=1.0)[:, None, None]
        quiet = (promise < tolerance) | stuck
        calm[rows] = torch.where(quiet, calm[rows] + 1, 0)
        calm[rows[stuck & fresh[rows]]] = 2
        fresh[rows] = again
        u[rows], value[rows], slope[rows] = new_u, new_value, new_slope
    return u, value, calm >= 2, count


def _line_search(loss: Loss, u, value, slope, direction, halvings: int = 12):
    """Longest of the steps 1, 1/3, 1/9, ... that decreases enough; none: the row stays where it is."""
    best_u, best_value, best_slope = u.clone(), value.clone(), slope.clone()
    open_rows, length, used = torch.arange(len(u)), 1.0, 0
    for _ in range(halvings):
        trial = (u[open_rows] + length * direction[open_rows]).clamp(-EDGE, EDGE)
        found, gradient = value_and_gradient(loss, trial)
        used += len(open_rows)
        expected = 1e-4 * (slope[open_rows] * (trial - u[open_rows])).sum(1)
        good = found <= value[open_rows] + expected
        at = open_rows[good]
        best_u[at], best_value[at], best_slope[at] = trial[good], found[good], gradient[good]
        open_rows = open_rows[~good]
        if not len(open_rows):
            break
        length /= 3
    return best_u, best_value, best_slope, used


def _update(inverse, moved, change, fresh, eye):
    """Inverse Hessians after a step; rows whose curvature is not positive keep theirs."""
    curvature = (moved * change).sum(1)
    good = curvature > 1e-10 * moved.norm(dim=1) * change.norm(dim=1)
    safe = torch.where(good, curvature, 1.0)
    first = (safe / (change * change).sum(1).clamp(min=1e-300))[:, None, None] * eye
    start = torch.where((fresh & good)[:, None, None], first, inverse)
    left = eye - moved[:, :, None] * change[:, None, :] / safe[:, None, None]
    new = left @ start @ left.transpose(1, 2) + moved[:, :, None] * moved[:, None, :] / safe[:, None, None]
    return torch.where(good[:, None, None], new, inverse)
