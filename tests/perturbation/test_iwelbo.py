"""The importance-weighted bound where the likelihood is known."""

import numpy as np
import pytest
from scipy import stats

from regulome.errors import UserError
from regulome.perturbation import iwelbo


class GaussianModel:
    """z ~ N(0, 1), x ~ N(z, 1), with a posterior that is exact (N(x / 2, 1/2)) or too narrow."""

    def __init__(self, x, width):
        self.x, self.width = np.asarray(x), width

    def log_weights(self, screen, rows, particles, seed):
        q = stats.norm(self.x[rows] / 2, self.width)
        z = q.rvs((particles, len(rows)), random_state=np.random.default_rng(seed))
        return stats.norm.logpdf(self.x[rows], z) + stats.norm.logpdf(z) - q.logpdf(z)


X = np.linspace(-2, 3, 4000)
TRUE = stats.norm(0, np.sqrt(2)).logpdf(X)


def test_exact_posterior_gives_the_likelihood_of_every_cell():
    found = iwelbo.of_cells(GaussianModel(X, np.sqrt(0.5)), None, np.arange(len(X)), particles=3)
    assert found["iwelbo"].to_numpy() == pytest.approx(TRUE) and found["elbo"].to_numpy() == pytest.approx(TRUE)


def test_wrong_posterior_gives_a_lower_bound_that_grows_with_the_particles():
    means = [
        iwelbo.summary(iwelbo.of_cells(GaussianModel(X, 1.0), None, np.arange(len(X)), particles, seed=1))["iwelbo"]
        for particles in (1, 10, 500)
    ]
    assert means[0] < means[1] < means[2] and means[2] == pytest.approx(TRUE.mean(), abs=0.01)
    assert means[0] < TRUE.mean() - 0.1


def test_elbo_has_the_closed_form_of_the_divergence():
    # KL(N(m, 1) || N(m, 1/2)) = (2 - 1 - ln 2) / 2
    found = iwelbo.summary(iwelbo.of_cells(GaussianModel(X, 1.0), None, np.arange(len(X)), 100, seed=2))
    assert TRUE.mean() - found["elbo"] == pytest.approx((1 - np.log(2)) / 2, abs=0.02)


def test_far_weights_do_not_overflow_and_nan_is_refused():
    assert iwelbo.bound(np.array([[-1e5], [-1e5]])) == pytest.approx([-1e5])
    assert iwelbo.bound(np.array([[-np.inf], [0.0]])) == pytest.approx([-np.log(2)])
    with pytest.raises(UserError, match="not numbers"):
        iwelbo.bound(np.array([[np.nan]]))
    with pytest.raises(UserError, match="shape"):
        iwelbo.bound(np.zeros((0, 3)))
