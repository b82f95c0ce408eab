"""Densities, samples and divergences against torch.distributions, scipy and finite differences."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Bernoulli, NegativeBinomial, Normal, kl_divergence

from regulome.perturbation import distributions
from regulome.perturbation.distributions import Counts, Gaussian

LARGE = 40  # beyond the table of small counts


@pytest.fixture
def cells() -> tuple[torch.Tensor, Counts, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Dense counts, their entries, logits of two particles, libraries and log dispersions, in double precision."""
    generator = torch.Generator().manual_seed(1)
    dense = torch.poisson(torch.full((5, 7), 1.5, dtype=torch.float64), generator=generator)
    dense[2, 3], dense[0, 0] = LARGE, 2 * LARGE
    cell, gene = torch.nonzero(dense, as_tuple=True)
    counts = Counts(cell, gene, dense[cell, gene], *dense.shape)
    logits = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    log_dispersion = torch.randn(7, generator=generator, dtype=torch.float64)
    return dense, counts, logits, dense.sum(1), log_dispersion


def published_mean(logits, library):
    return library[:, None] * torch.softmax(logits, -1)


def test_negative_binomial_is_that_of_torch_and_of_scipy(cells):
    dense, _, logits, library, log_dispersion = cells
    mean, r = published_mean(logits, library), log_dispersion.exp()
    found = distributions.nb_log_prob(dense, mean, r)
    shifted = mean + distributions.MEAN_OFFSET
    torch.testing.assert_close(found, NegativeBinomial(r, logits=(shifted / r).log()).log_prob(dense))
    scipy = stats.nbinom.logpmf(dense.numpy(), r.numpy(), (r / (r + shifted)).numpy())
    np.testing.assert_allclose(found.numpy(), scipy, rtol=1e-9)


def test_likelihood_of_sparse_cells_is_the_sum_over_genes(cells):
    dense, counts, logits, library, log_dispersion = cells
    expected = distributions.nb_log_prob(dense, published_mean(logits, library), log_dispersion.exp()).sum(-1)
    torch.testing.assert_close(distributions.nb_log_likelihood(logits, library, log_dispersion, counts), expected)


def test_gradient_of_sparse_likelihood_is_that_of_autograd_on_the_plain_one(cells):
    dense, counts, logits, library, log_dispersion = cells
    weights = torch.linspace(0.5, 2, 10, dtype=torch.float64).view(2, 5)
    gradients = []
    for sparse in (True, False):
        a, b = logits.clone().requires_grad_(), log_dispersion.clone().requires_grad_()
        if sparse:
            value = distributions.nb_log_likelihood(a, library, b, counts)
        else:
            value = distributions.nb_log_prob(dense, published_mean(a, library), b.exp()).sum(-1)
        gradients.append(torch.autograd.grad((value * weights).sum(), (a, b)))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected)


def test_single_precision_keeps_its_digits_for_nearly_poisson_genes(cells):
    dense, counts, logits, library, _ = cells
    double = torch.full((7,), 14.0, dtype=torch.float64, requires_grad=True)
    exact = distributions.nb_log_prob(dense, published_mean(logits, library), double.exp()).sum(-1)
    single = Counts(counts.cell, counts.gene, counts.value.float(), counts.cells, counts.genes)
    r = double.detach().float().requires_grad_()
    found = distributions.nb_log_likelihood(logits.float(), library.float(), r, single)
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-3)
    slopes = [torch.autograd.grad(value.sum(), by)[0].double() for value, by in ((found, r), (exact, double))]
    torch.testing.assert_close(slopes[0], slopes[1], rtol=0.01, atol=1e-4)


@pytest.mark.parametrize("r", [0.01, 1.0, 7.9, 8.1, 100.0, 1e4])
def test_log_rising_factorial_is_the_difference_of_two_lgammas(r):
    x = torch.tensor([0.0, 1, 2, 17, 500], dtype=torch.float64)
    found = distributions.log_rising(x, torch.full_like(x, r))
    expected = [math.fsum(math.log(r + k) for k in range(int(each))) for each in x]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-9)
    slope = [math.fsum(1 / (r + k) for k in range(int(each))) for each in x]
    found = distributions.digamma_rise(x, torch.full_like(x, r))
    np.testing.assert_allclose(found.numpy(), slope, rtol=1e-6, atol=1e-9)


def test_straight_through_samples_are_zero_or_one_with_the_probability_of_their_logit():
    logits = torch.tensor([-3.0, -0.5, 0.0, 2.0])
    uniform = torch.rand(200_000, 4, generator=torch.Generator().manual_seed(3))
    for temperature in (1.0, 0.3):
        drawn = distributions.straight_through_bernoulli(logits, uniform, temperature)
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        torch.testing.assert_close(drawn.mean(0), torch.sigmoid(logits), atol=5e-3, rtol=0)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_gradient_of_a_straight_through_sample_is_that_of_the_relaxed_one(temperature):
    logits = torch.tensor([-1.0, 0.2, 1.5], dtype=torch.float64, requires_grad=True)
    uniform = torch.tensor([0.2, 0.6, 0.9], dtype=torch.float64)
    drawn = distributions.straight_through_bernoulli(logits, uniform, temperature)
    found = torch.autograd.grad((drawn * torch.tensor([1.0, 2.0, 3.0])).sum(), logits)[0]

    def soft(w, u):
        return 1 / (1 + math.exp(-(w + math.log(u / (1 - u))) / temperature))

    for i, (w, u) in enumerate(zip(logits.tolist(), uniform.tolist(), strict=True)):
        slope = (soft(w + 1e-6, u) - soft(w - 1e-6, u)) / 2e-6
        assert found[i].item() == pytest.approx((i + 1) * slope, rel=1e-6)


def test_extreme_uniform_numbers_give_finite_samples_and_gradients():
    logits = torch.tensor([-50.0, 0.0, 50.0], requires_grad=True)
    for u in (0.0, 1.0):
        drawn = distributions.straight_through_bernoulli(logits, torch.full((3,), u))
        assert torch.isfinite(torch.autograd.grad(drawn.sum(), logits)[0]).all()


def test_divergences_are_those_of_torch():
    logits = torch.tensor([-8.0, -1.0, 0.0, 3.0])
    expected = kl_divergence(Bernoulli(logits=logits), Bernoulli(torch.tensor(0.3)))
    torch.testing.assert_close(distributions.bernoulli_kl(logits, 0.3), expected)
    mean, variance = torch.tensor([0.0, -2.0, 5.0]), torch.tensor([1.0, 0.1, 4.0])
    expected = kl_divergence(Normal(mean, variance.sqrt()), Normal(torch.tensor(0.5), torch.tensor(2.0)))
    torch.testing.assert_close(distributions.normal_kl(Gaussian(mean, variance), 0.5, 4.0), expected)


def test_log_densities_are_those_of_torch():
    q = Gaussian(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.25]))
    value, logits = torch.tensor([0.3, 1.0]), torch.tensor([-0.7, 2.0])
    torch.testing.assert_close(q.log_prob(value), Normal(q.mean, q.variance.sqrt()).log_prob(value))
    drawn = torch.tensor([1.0, 0.0])
    found = distributions.bernoulli_log_prob(drawn, logits)
    torch.testing.assert_close(found, Bernoulli(logits=logits).log_prob(drawn))
