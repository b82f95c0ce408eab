"""The multi-start fit: optimum against other optimisers and closed forms, acceptance of starts."""

import numpy as np
import pytest
import torch
from inference_laws import PoissonLaw, WithoutGradient, draw, telegraph_law
from scipy.optimize import minimize
from scipy.stats import chi2

from regulome.errors import UserError
from regulome.stochastic.acceptance import accepted, threshold
from regulome.stochastic.counts import Cells
from regulome.stochastic.fit import Fit, fit, laplace, minimise, polish
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior

TRUE = np.array([0.6, 1.2, 25.0, 1.0])


@pytest.fixture(scope="module")
def telegraph() -> Likelihood:
    return Likelihood(telegraph_law(), Cells.of(["mRNA"], draw(telegraph_law(), TRUE, 800, 0)))


@pytest.fixture(scope="module")
def fitted(telegraph) -> Fit:
    return fit(telegraph, BoxPrior(telegraph.network), seed=0, starts=6, screened=64)


def test_bfgs_finds_the_minimum_of_rosenbrock_from_every_start():
    starts = torch.tensor([[-1.2, 1.0], [2.0, 2.0], [0.0, -1.5]], dtype=torch.float64)
    u, value, finished, _ = minimise(
        lambda x: 100 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (1 - x[:, 0]) ** 2, starts, 300, 1e-12
    )
    assert finished.all()
    assert value.max() < 1e-8
    assert torch.allclose(u, torch.ones_like(u), atol=1e-3)


@pytest.mark.parametrize("law", [PoissonLaw(), WithoutGradient(PoissonLaw())])
def test_poisson_rate_is_the_mean_with_and_without_gradient(law):
    counts = np.random.default_rng(0).poisson(7.3, 200)
    likelihood = Likelihood(law, Cells.of(["X"], counts))
    found = fit(likelihood, BoxPrior(likelihood.network), seed=0, starts=3, screened=8, tolerance=1e-8)
    assert found.converged.all()
    assert np.allclose(found.theta[:, 0], counts.mean(), rtol=1e-4)


def test_fit_reaches_what_another_optimiser_reaches(telegraph, fitted):
    prior = BoxPrior(telegraph.network)

    def loss(u):
        return -telegraph(prior.theta_of(prior.inside(torch.tensor(u))).numpy())[0]

    other = minimize(loss, prior.unbounded(torch.tensor(TRUE)).numpy(), method="Nelder-Mead", options={"maxiter": 600})
    assert fitted.log_likelihood[0] > -other.fun - 0.01
    assert fitted.log_likelihood[0] > telegraph(TRUE)[0]
    assert fitted.log_likelihood[0] < telegraph.saturated()


def test_all_starts_are_reported_best_first(fitted):
    table = fitted.table()
    assert len(table) == 6
    assert table["log_likelihood"].is_monotonic_decreasing
    assert (table["below_best"] >= 0).all()


def test_stationary_data_leave_a_line_of_equal_fits(fitted):
    """Starts end at different rates, all with the same likelihood and the same ratios."""
    good = fitted.theta[fitted.log_likelihood > fitted.log_likelihood[0] - 0.01]
    assert len(good) >= 3
    assert np.ptp(np.log(good[:, 3])) > 0.1
    assert np.ptp(np.log(good[:, :3] / good[:, 3:]), axis=0).max() < 0.05


def test_fit_is_the_same_again(telegraph, fitted):
    again = fit(telegraph, BoxPrior(telegraph.network), seed=0, starts=6, screened=64)
    assert np.array_equal(again.theta, fitted.theta)


def test_polish_climbs_from_a_point(telegraph, fitted):
    best, level = polish(telegraph, BoxPrior(telegraph.network), TRUE)
    assert level == pytest.approx(fitted.log_likelihood[0], abs=0.02)
    assert level == pytest.approx(telegraph(best)[0])


def test_laplace_width_of_a_poisson_rate_is_that_of_the_gamma_posterior():
    counts = np.random.default_rng(1).poisson(12.0, 400)
    likelihood = Likelihood(PoissonLaw(), Cells.of(["X"], counts))
    mode, covariance, _ = laplace(likelihood, BoxPrior(likelihood.network), np.array([10.0]))
    assert np.exp(mode[0, 0]) == pytest.approx(counts.mean(), rel=0.01)
    assert np.sqrt(covariance[0, 0, 0]) == pytest.approx(1 / np.sqrt(counts.sum()), rel=0.02)  # sd of ln k


def test_accepted_starts_lie_within_the_likelihood_ratio_region():
    level = np.array([-100.0, -100.5, -100 - chi2.ppf(0.95, 2) / 2 + 1e-6, -100 - chi2.ppf(0.95, 2) / 2 - 1e-6, -900])
    found = Fit(("a", "b"), np.ones((5, 2)), np.ones((5, 2)), level, np.ones(5, bool), 0)
    assert accepted(found).tolist() == [True, True, True, False, False]
    assert threshold(7) > threshold(2)


def test_threshold_accepts_the_truth_as_often_as_it_says():
    """95 % of simulated samples: the true rate is within the threshold of the best fit."""
    generator, inside = np.random.default_rng(2), 0
    for _ in range(400):
        counts = generator.poisson(9.0, 60)
        best = counts.mean()
        loss = (counts * np.log(best) - best).sum() - (counts * np.log(9.0) - 9.0).sum()
        inside += loss <= threshold(1)
    assert 0.92 < inside / 400 < 0.98


def test_wrong_numbers_are_refused(telegraph):
    with pytest.raises(UserError, match="0 starts of 8"):
        fit(telegraph, BoxPrior(telegraph.network), 0, starts=0, screened=8)
    with pytest.raises(UserError, match="confidence of 1"):
        threshold(3, 1.0)
