"""The inference procedure of the DynGPT publication ("NeuralABC"), for comparison with `posterior`.

``mode="published"`` keeps what the published code does, as far as it is documented:

* The loss is the **mean** negative log-likelihood a cell, so widths say nothing about how many cells there are. The
  alternative "Hellinger" compares softmax(p) with softmax(w), not p with w, which makes it nearly flat.
* The "posterior" is the descent path: the last 50 iterates of every start, weighted by exp(-loss). Its width is set by
  step size and stop rule.
* A step is a *first* step of Adam (a fresh optimiser each time, so ``rate * sign(gradient)``) and then the gradient
  averaged over distinct count vectors, its size raised to at least 0.01 and cut at 5 (upwards only: large negative
  ones pass). Averaged over hundreds of rows it is nearly always 0.01: a walk of fixed step.
* After a step the logarithms of the parameters are clamped to the box in the first P rows of the prompt only, by a slip
  of an index. Other rows wander out of the box, and they dominate the gradient.
* It stops after 80 iterations, or once (after 20) the loss has exceeded its minimum twice.
* The acceptance threshold is read by nothing.

One thing is not kept: there, every count vector has a copy of the prompt, and copies drift apart by at most 80 times
the rate; here there are two, the clamped and the free one. The prompt's initial state and time, which the same steps
also move, are no inputs of the laws used here.

``mode="corrected"`` is the same descent with the summed likelihood, all rows clamped and the plain gradient direction;
it is still a path, not a posterior.
"""

from dataclasses import dataclass

import numpy as np
import torch

from regulome.errors import UserError
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior

MODES, LOSSES = ("published", "corrected"), ("Likelihood", "Hellinger")
POOLED = 50  # last iterates of every start
BANDWIDTH = 0.1  # of the density over ln theta


@dataclass(frozen=True)
class PublishedSettings:
    """The published numbers.

    Attributes
    ----------
    rate
        inference_lr.
    iterations
        iteration_steps.
    starts
        random_r0_number.
    loss
        inference_loss_func: "Likelihood" or "Hellinger".
    patience
        Iterations before the stop rule counts.
    """

    mode: str = "published"
    loss: str = "Likelihood"
    rate: float = 1e-4
    iterations: int = 80
    starts: int = 2
    patience: int = 20

    def __post_init__(self):
        for name, known in (("mode", MODES), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                raise UserError(
                    f"published inference: {name} is '{getattr(self, name)}', expected {' or '.join(known)}"
                )


@dataclass(frozen=True)
class PublishedResult:
    """What the procedure leaves.

    Attributes
    ----------
    theta, losses, weights
        (I, P) pooled iterates, (I,) their losses and weights (es_params, es_loss).
    point
        (P,) pooled iterate with the highest weighted density (es_param).
    paths
        Loss of every iteration of every start.
    """

    theta: np.ndarray
    losses: np.ndarray
    weights: np.ndarray
    point: np.ndarray
    paths: list[np.ndarray]

    def sample(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """(count, P) resampled iterates: the published "posterior"."""
        return self.theta[generator.choice(len(self.theta), count, p=self.weights)]


def infer(
    likelihood: Likelihood, prior: BoxPrior, seed: int, settings: PublishedSettings | None = None
) -> PublishedResult:
    """Run the procedure on the first sample of a likelihood whose law is differentiable.

    Raises
    ------
    UserError
        If the law has no gradient.
    """
    settings = settings or PublishedSettings()
    generator = np.random.default_rng([seed, 6])
    thetas, losses, paths = [], [], []
    for _ in range(settings.starts):
        theta, path = _descend(likelihood, prior, prior.sample(1, generator), settings)
        thetas.append(theta[-POOLED:])
        losses.append(path[-POOLED:])
        paths.append(path)
    theta, loss = np.concatenate(thetas), np.concatenate(losses)
    weights = np.exp(loss.min() - loss)
    weights /= weights.sum()
    return PublishedResult(theta, loss, weights, theta[_densest(prior, theta, weights)], paths)


def _descend(likelihood, prior, start, settings):
    """(I, P) iterates of one start and their (I,) losses."""
    low, high = prior.coordinates(torch.tensor(prior.network.box.T))
    share = likelihood.weights[0] / likelihood.weights[0].sum()
    first = torch.arange(len(share)) < prior.dimension  # the rows that are clamped
    x = prior.coordinates(torch.tensor(start)).repeat(2, 1)  # the clamped copy and the free one
    path, losses, least, worse = [], [], np.inf, 0
    for step in range(settings.iterations):
        path.append(prior.theta_of(x[0]).numpy())
        inside = x.clone().requires_grad_(True)
        table = likelihood.rows_log_prob(prior.theta_of(inside))
        log_p = torch.where(first, table[0], table[1]) if settings.mode == "published" else table[0]
        loss = _loss(log_p, share, settings.loss)
        if not loss.requires_grad:
            raise UserError("published inference: the law of the counts has no gradient; expected the solver")
        (gradient,) = torch.autograd.grad(loss, inside)
        losses.append(float(loss.detach()))
        if step > settings.patience and losses[-1] > least:
            worse += 1
        least = min(least, losses[-1])
        if worse >= 2:
            break
        x = _step(x, gradient.sum(0), len(share), settings)
        x[0] = torch.minimum(torch.maximum(x[0], low), high)
        if settings.mode == "corrected":
            x[1] = x[0]
    return np.stack(path), np.array(losses)


def _step(x: torch.Tensor, gradient: torch.Tensor, rows: int, settings: PublishedSettings) -> torch.Tensor:
    """One published step, or a normalised one of the same length."""
    if settings.mode == "corrected":
        return x - 0.01 * np.sqrt(len(gradient)) * gradient / gradient.norm().clamp(min=1e-12)
    mean = gradient / rows
    sign = torch.where(mean < 0, -1.0, 1.0)
    scaled = torch.where(mean.abs() < 0.01, 0.01 * sign, torch.where(mean >= 5, 5.0, mean))
    return x - settings.rate * torch.sign(gradient) - scaled


def _loss(log_p: torch.Tensor, share: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "Likelihood":
        return -(share * log_p).sum()
    p, q = torch.softmax(log_p.exp(), 0), torch.softmax(share, 0)
    return ((p.sqrt() - q.sqrt()) ** 2).sum().clamp(min=1e-30).sqrt() / np.sqrt(2)


def _densest(prior: BoxPrior, theta: np.ndarray, weights: np.ndarray) -> int:
    """Iterate with the highest weighted Gaussian kernel density over ln theta."""
    x = prior.coordinates(torch.tensor(theta)).numpy()
    distance = ((x[:, None] - x[None]) ** 2).sum(-1)
    return int((np.exp(-distance / (2 * BANDWIDTH**2)) @ weights).argmax())
