"""The published inference procedure: what it does, and why it is no posterior."""

import numpy as np
import pytest
import torch
from inference_laws import POISSON, PoissonLaw, WithoutGradient

from regulome.errors import UserError
from regulome.stochastic import published_inference as published
from regulome.stochastic.counts import Cells
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.published_inference import PublishedSettings, infer

PRIOR = BoxPrior(POISSON)


def poisson(size: int, mean: float = 6.0) -> Likelihood:
    return Likelihood(PoissonLaw(), Cells.of(["X"], np.random.default_rng(0).poisson(mean, size)))


def test_step_is_an_adam_sign_step_plus_the_scaled_gradient():
    settings = PublishedSettings(rate=1e-4)
    x = torch.zeros(1, 5, dtype=torch.float64)
    gradient = torch.tensor([0.001, -0.001, 2.0, 80.0, -80.0], dtype=torch.float64)
    found = published._step(x, gradient * 10, 10, settings)[0]
    # below 0.01 in size: raised to 0.01; above 5: cut; large negative: not cut
    expected = [-1e-4 - 0.01, 1e-4 + 0.01, -1e-4 - 2.0, -1e-4 - 5.0, 1e-4 + 80.0]
    assert np.allclose(found, expected)


def test_loss_is_the_mean_over_cells_so_that_size_does_not_matter():
    one = poisson(50)
    cells = one.cells
    many = Likelihood(PoissonLaw(), Cells(cells.names, cells.rows, 1000 * cells.multiplicities))
    a, b = infer(one, PRIOR, 3), infer(many, PRIOR, 3)
    assert np.allclose(a.theta, b.theta)
    assert np.allclose(a.weights, b.weights)


def test_its_width_does_not_shrink_with_the_number_of_cells_as_a_posterior_does():
    width = {n: np.log(infer(poisson(n), PRIOR, 1).sample(4000, np.random.default_rng(0))).std() for n in (50, 5000)}
    true = {n: 1 / np.sqrt(6.0 * n) for n in width}
    assert true[50] / true[5000] == pytest.approx(10)
    assert width[50] / width[5000] < 6
    assert width[5000] > 2 * true[5000]


def test_descent_stops_after_the_loss_exceeded_its_minimum_twice():
    settings = PublishedSettings(iterations=400, starts=1)
    (path,) = infer(poisson(300), PRIOR, 0, settings).paths
    assert 21 < len(path) < 400
    least = np.minimum.accumulate(path)
    worse = [step for step in range(21, len(path)) if path[step] > least[step - 1]]
    assert len(worse) == 2 and worse[-1] == len(path) - 1


def test_the_last_fifty_iterates_of_every_start_are_pooled_with_weights_exp_minus_loss():
    settings = PublishedSettings(iterations=70, starts=3)
    found = infer(poisson(200), PRIOR, 5, settings)
    assert len(found.theta) == sum(min(50, len(path)) for path in found.paths)
    assert np.allclose(found.weights, np.exp(-found.losses) / np.exp(-found.losses).sum())
    assert found.point in found.theta
    low, high = POISSON.box[0]
    assert ((found.theta >= low) & (found.theta <= high)).all()  # the recorded row is the clamped one


def test_only_the_clamped_rows_stay_in_the_box():
    """Data above the box: the recorded rate stops at its edge, the loss of the free rows goes on falling."""
    likelihood = poisson(100, mean=200.0)
    settings = PublishedSettings(iterations=200, starts=1)
    published_run, corrected = (
        infer(likelihood, PRIOR, 0, settings),
        infer(likelihood, PRIOR, 0, PublishedSettings(mode="corrected", iterations=200, starts=1)),
    )
    assert published_run.theta.max() == pytest.approx(40.0)
    at_edge = -likelihood(np.array([[40.0]]))[0] / 100
    assert published_run.losses.min() < 0.9 * at_edge
    assert corrected.losses.min() == pytest.approx(at_edge, rel=1e-6)


def test_hellinger_of_softmaxes_is_nearly_flat():
    likelihood = poisson(500)
    share = likelihood.weights[0] / likelihood.weights[0].sum()
    losses = {}
    for kind in ("Likelihood", "Hellinger"):
        values = [
            float(published._loss(likelihood.rows_log_prob(torch.tensor([[k]], dtype=torch.float64))[0], share, kind))
            for k in (6.0, 12.0)
        ]
        losses[kind] = values[1] - values[0]
    assert losses["Likelihood"] > 1.0
    assert 0 < losses["Hellinger"] < 0.05


def test_wrong_mode_and_a_law_without_gradient_are_refused():
    with pytest.raises(UserError, match="mode is 'upstream'"):
        PublishedSettings(mode="upstream")
    with pytest.raises(UserError, match="no gradient"):
        infer(Likelihood(WithoutGradient(PoissonLaw()), poisson(20).cells), PRIOR, 0)
