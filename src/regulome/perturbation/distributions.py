"""Densities and divergences of the perturbation models: negative binomial, relaxed Bernoulli, Normal."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

MEAN_OFFSET = 1e-4  # added to a mean of counts, so that its logarithm exists
VARIANCE_OFFSET = 1e-4  # added to a variance (or a free standard deviation)
TABLE = 16  # counts up to this are looked up
STIRLING = 8.0  # from this inverse dispersion on, the log rising factorial by Stirling's series


class Gaussian(NamedTuple):
    """Independent Normal distributions: `mean` and `variance` of the same shape."""

    mean: Tensor
    variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """mean + sd * noise; `noise` is standard normal."""
        return self.mean + self.variance.sqrt() * noise

    def take(self, rows: Tensor) -> "Gaussian":
        """Some of the rows (second axis)."""
        return Gaussian(self.mean[:, rows], self.variance[:, rows])

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density of every entry."""
        return -0.5 * ((value - self.mean) ** 2 / self.variance + self.variance.log() + math.log(2 * math.pi))


def normal_kl(q: Gaussian, p_mean: Tensor | float = 0.0, p_variance: Tensor | float = 1.0) -> Tensor:
    """KL(q || N(p_mean, p_variance)) of every entry: (ln(w/v) + (v + (m - n)^2)/w - 1)/2."""
    ratio = q.variance / p_variance
    return 0.5 * (ratio + (q.mean - p_mean) ** 2 / p_variance - 1 - ratio.log())


def bernoulli_kl(logits: Tensor, prior: float) -> Tensor:
    """KL(Bernoulli(sigmoid(logits)) || Bernoulli(prior)) of every entry, stable for any logit."""
    probability = torch.sigmoid(logits)
    on, off = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return probability * (on - math.log(prior)) + (1 - probability) * (off - math.log1p(-prior))


def bernoulli_log_prob(value: Tensor, logits: Tensor) -> Tensor:
    """Log probability mass of 0/1 values; differentiable in `value` too, as the published estimator needs it."""
    return value * logits - functional.softplus(logits)


def straight_through_bernoulli(logits: Tensor, uniform: Tensor, temperature: float = 1.0) -> Tensor:
    """0/1 samples whose gradient is that of the relaxed sample.

    soft = sigmoid((logits + logit(u)) / temperature), clamped to (eps, 1 - eps); the value is soft rounded, the
    gradient that of soft. At any temperature the value is 1 with probability sigmoid(logits).

    Parameters
    ----------
    logits, uniform
        Of shapes that broadcast; `uniform` in [0, 1].
    """
    eps = torch.finfo(logits.dtype).eps
    uniform = uniform.clamp(eps, 1 - eps)
    soft = torch.sigmoid((logits + uniform.log() - torch.log1p(-uniform)) / temperature).clamp(eps, 1 - eps)
    return soft.detach().round() + (soft - soft.detach())


def nb_log_prob(counts: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Log probability of counts under a negative binomial (Gamma-Poisson), of every entry.

    lgamma(x+r) - lgamma(r) - lgamma(x+1) + r ln(r/(r+m)) + x ln(m/(r+m)), with m = mean + 1e-4.

    Parameters
    ----------
    counts, mean
        Of the same shape; `mean` above or equal 0.
    dispersion
        r, the inverse dispersion: the variance is m + m^2/r.
    """
    mean = mean + MEAN_OFFSET
    total = (dispersion + mean).log()
    constant = torch.lgamma(counts + dispersion) - torch.lgamma(dispersion) - torch.lgamma(counts + 1)
    return constant + dispersion * (dispersion.log() - total) + counts * (mean.log() - total)


class Counts(NamedTuple):
    """Counts of B cells over P genes by their nonzero entries: cell, gene (long) and value of each; `cells` is B."""

    cell: Tensor
    gene: Tensor
    value: Tensor
    cells: int
    genes: int

    def dense(self, values: Tensor | None = None) -> Tensor:
        """(B, P) table of the counts, or of other values of the nonzero entries."""
        values = self.value if values is None else values
        out = values.new_zeros(self.cells * self.genes)
        out[self.cell * self.genes + self.gene] = values
        return out.view(self.cells, self.genes)


def nb_log_likelihood(logits: Tensor, library: Tensor, log_dispersion: Tensor, counts: Counts) -> Tensor:
    """Log likelihood of whole cells: the sum of `nb_log_prob` over genes at mean library * softmax(logits).

    The same number at a fraction of the cost: only r ln(1 + m/r) is computed for every gene, the rest for the nonzero
    counts (it is 0 where the count is), from tables where these are small, and the gradient is written out, so that one
    (S, B, P) table is kept.

    Parameters
    ----------
    logits
        (S, B, P) decoder output; S samples of every cell.
    library
        (B,) UMI of the cells.
    log_dispersion
        (P,) natural logarithm of the inverse dispersion.
    counts
        Of the B cells; whole numbers.

    Returns
    -------
    (S, B) tensor
    """
    return _CellLikelihood.apply(logits, library, log_dispersion, counts)


class _CellLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, library, log_dispersion, counts):
        dispersion = log_dispersion.exp()
        mean = torch.softmax(logits, -1).mul_(library[:, None]).add_(MEAN_OFFSET)
        out = -torch.mv(torch.log1p(mean / dispersion).flatten(0, -2), dispersion).view(mean.shape[:-1])
        r, here = dispersion[counts.gene], _entries(mean, counts)
        entries = counts.value * (here / (r + here)).log_() + _constants(counts, dispersion)
        out.index_add_(1, counts.cell, entries)
        ctx.save_for_backward(mean, library, log_dispersion)
        ctx.counts = counts
        return out

    @staticmethod
    def backward(ctx, gradient):
        mean, library, log_dispersion = ctx.saved_tensors
        counts, dispersion = ctx.counts, log_dispersion.exp()
        r, here = dispersion[counts.gene], _entries(mean, counts)
        q = mean / (mean + dispersion)
        by_logits = by_dispersion = None
        if ctx.needs_input_grad[2]:
            # by r: m/(r+m) - ln(1+m/r), and psi(x+r) - psi(r) - x/(r+m) where there are counts
            dense = torch.log1p(-q).add_(q)
            by_dispersion = torch.mv(dense.flatten(0, -2).T, gradient.flatten())
            entries = _slopes(counts, dispersion) - counts.value / (r + here)
            by_dispersion.index_add_(0, counts.gene, (entries * _weights(gradient, counts)).sum(0))
            by_dispersion = by_dispersion * dispersion
        if ctx.needs_input_grad[0]:
            # by m: -r/(r+m), and x r / (m (r+m)) where there are counts; times m for the softmax
            pull = q.mul_(-dispersion)
            flat = pull.view(len(mean), -1)
            flat.index_add_(1, _flat(counts), counts.value * (r / (r + here)))
            pull.mul_(1 - MEAN_OFFSET / mean)
            by_logits = torch.addcmul(pull, mean - MEAN_OFFSET, pull.sum(-1, keepdim=True) / library[:, None], value=-1)
            by_logits.mul_(gradient[..., None])
        return by_logits, None, by_dispersion, None


def _flat(counts: Counts) -> Tensor:
    return counts.cell * counts.genes + counts.gene


def _entries(table: Tensor, counts: Counts) -> Tensor:
    """(S, n) values of a (S, B, P) table at the nonzero counts."""
    return table.view(len(table), -1).index_select(1, _flat(counts))


def _weights(gradient: Tensor, counts: Counts) -> Tensor:
    """(S, n) gradient of the cell of every nonzero count."""
    return gradient.index_select(1, counts.cell)


def _constants(counts: Counts, r: Tensor) -> Tensor:
    """(n,) lgamma(x+r) - lgamma(r) - lgamma(x+1): up to TABLE from a table, sum of ln(r+k) for k < x, by gene."""
    steps = torch.arange(TABLE + 1, device=r.device, dtype=r.dtype)
    rising = torch.cat([torch.zeros_like(r)[None], (r + steps[:-1, None]).log().cumsum(0)])
    out, large = _look_up(rising - torch.lgamma(steps + 1)[:, None], counts)
    x, own = counts.value[large], r[counts.gene[large]]
    out[large] = log_rising(x, own) - torch.lgamma(x + 1)
    return out


def _slopes(counts: Counts, r: Tensor) -> Tensor:
    """(n,) psi(x+r) - psi(r), in the same way."""
    steps = torch.arange(TABLE, device=r.device, dtype=r.dtype)
    rising = torch.cat([torch.zeros_like(r)[None], (1 / (r + steps[:, None])).cumsum(0)])
    out, large = _look_up(rising, counts)
    x, own = counts.value[large], r[counts.gene[large]]
    out[large] = digamma_rise(x, own)
    return out


def _look_up(table: Tensor, counts: Counts) -> tuple[Tensor, Tensor]:
    """Entries (count, gene) of a table of small counts; which counts are too large for it."""
    index = counts.value.clamp(max=TABLE).long() * counts.genes + counts.gene
    return table.view(-1).index_select(0, index), torch.nonzero(counts.value > TABLE)[:, 0]


def log_rising(x: Tensor, r: Tensor) -> Tensor:
    """lgamma(r + x) - lgamma(r), without the cancellation that single precision suffers for large r."""
    large = r.clamp(min=STIRLING)
    total = large + x
    series = x * large.log() + (total - 0.5) * torch.log1p(x / large) - x
    series = series + (1 / total - 1 / large) / 12 - (total**-3 - large**-3) / 360
    return torch.where(r < STIRLING, torch.lgamma(r + x) - torch.lgamma(r), series)


def digamma_rise(x: Tensor, r: Tensor) -> Tensor:
    """psi(r + x) - psi(r), the slope of `log_rising` by r, in the same way."""
    large = r.clamp(min=STIRLING)
    total = large + x
    series = torch.log1p(x / large) - (1 / total - 1 / large) / 2 - (total**-2 - large**-2) / 12
    series = series + (total**-4 - large**-4) / 120
    return torch.where(r < STIRLING, torch.digamma(r + x) - torch.digamma(r), series)
