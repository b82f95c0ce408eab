"""The two closed-form parts of our GPO-VAE: shrunken effects, and the spike-and-slab network."""

import numpy as np
import pytest
from scipy.stats import norm

from regulome.errors import UserError
from regulome.perturbation import gpo_effects, gpo_network
from regulome.perturbation.gpo_network import NetworkSettings


def test_one_edge_has_the_posterior_probability_of_bayes_theorem():
    """One perturbation, two genes: the marginal likelihoods with and without the edge are Normal densities."""
    settings = NetworkSettings(prior=0.05, unperturbed=0.0, rounds=4, learn=False, errors=False)
    x, y, variance, tau, slab = -1.5, 0.35, 0.02, 0.01, 1.0  # tau and slab: starts of the fit
    effects, noise = np.array([[x, y]]), np.full((1, 2), variance)
    found = gpo_network.fit(effects, noise, np.array([[1.0, 0.0]]), np.ones(2, bool), settings)
    on = norm.pdf(y, 0, np.sqrt(variance + tau + slab * x * x))
    off = norm.pdf(y, 0, np.sqrt(variance + tau))
    assert found.probability[0, 1] == pytest.approx(0.05 * on / (0.05 * on + 0.95 * off), rel=1e-6)
    weight = 1 / (x * x / (variance + tau) + 1 / slab)
    assert found.mean[0, 1] == pytest.approx(weight * x * y / (variance + tau), rel=1e-6)
    assert found.probability[1, 0] == 0 and found.probability[0, 0] == 0


def chain(count: int = 12, noise: float = 0.02, seed: int = 0):
    """Total effects of knockdowns in a random sparse network without noise in the effects, and that network."""
    rng = np.random.default_rng(seed)
    direct = np.triu(rng.random((count, count)) < 0.25, 1) * rng.choice([-0.8, 0.8], (count, count))
    total = -2.0 * np.linalg.inv(np.eye(count) - direct)
    return total + noise * rng.normal(size=total.shape), np.full(total.shape, noise**2), direct


def test_direct_effects_are_told_from_indirect_ones():
    total, noise, direct = chain()
    found = gpo_network.fit(total, noise, np.eye(12), np.ones(12, bool), NetworkSettings())
    off = ~np.eye(12, dtype=bool)
    np.testing.assert_allclose(found.effect[off], direct[off], atol=0.1)
    indirect = (np.abs(total) > 0.5) & (direct == 0) & off
    assert indirect.sum() > 5  # there is something to get wrong
    assert found.probability[indirect].max() < 0.3 < 0.9 < found.probability[direct != 0].min()


def test_what_no_perturbation_moves_keeps_the_prior():
    total, noise, _ = chain()
    total, noise = np.pad(total, ((0, 0), (0, 1))), np.pad(noise, ((0, 0), (0, 1)), constant_values=4e-4)
    dosage = np.eye(12, 13)
    settings = NetworkSettings(prior=0.1, unperturbed=0.5, learn=False, errors=False)
    found = gpo_network.fit(total, noise, dosage, np.ones(13, bool), settings)
    odds = 0.1 / 0.9 * 0.5
    np.testing.assert_allclose(found.probability[12, :12], odds / (1 + odds), rtol=1e-6)
    np.testing.assert_allclose(found.mean[12], 0, atol=1e-9)


def test_unmeasured_and_silent_knockouts_have_a_dose():
    effects, noise = np.array([[np.nan, 1.0, -0.1], [0.2, 0.1, 0.3]]), np.full((2, 3), 0.01)
    dosage, measured = np.array([[1.0, 0, 0], [0, 0, 1.0]]), np.array([False, True, True])
    change, variance = gpo_network.doses(effects, noise, dosage, measured)
    np.testing.assert_allclose(change, [[-1, 1, -0.1], [0, 0.1, -0.5]])
    np.testing.assert_allclose(variance, [[0, 0.01, 0.01], [0, 0.01, 0]])
    up, _ = gpo_network.doses(effects, noise, dosage, measured, direction=1)
    assert up[0, 0] == 1 and up[1, 2] == 0.5


def test_settings_of_the_network_are_checked():
    with pytest.raises(UserError, match="prior"):
        NetworkSettings(prior=0)
    with pytest.raises(UserError, match="rounds"):
        NetworkSettings(rounds=0)


@pytest.fixture(scope="module")
def drawn():
    """Effects of 10 perturbations in two groups on 200 genes, noisy, with an error that all share."""
    rng = np.random.default_rng(5)
    group = np.repeat([0, 1], 5)
    truth = 0.8 * rng.normal(size=(2, 200))[group] + 0.2 * rng.normal(size=(10, 200))
    noise, control = rng.uniform(0.1, 0.6, (10, 200)), rng.uniform(0.05, 0.3, 200)
    shared = np.sqrt(control) * rng.normal(size=200)
    return truth, truth + np.sqrt(noise) * rng.normal(size=noise.shape) + shared, noise, control


def test_the_posterior_mean_is_that_of_a_joint_normal(drawn):
    """Conditioning of one gene's 10 effects, written as a regression with the shared error as an 11th unknown."""
    _, measured, noise, control = drawn
    found = gpo_effects.shrink(measured, noise, control, iterations=8)
    for gene in (0, 77):
        prior = np.zeros((11, 11))
        prior[:10, :10], prior[10, 10] = found.scale[gene] * found.similarity, control[gene]
        design = np.hstack([np.eye(10), np.ones((10, 1))])
        precision = design.T @ (design / noise[:, gene, None]) + np.linalg.inv(prior)
        mean = np.linalg.solve(precision, design.T @ (measured[:, gene] / noise[:, gene]))
        np.testing.assert_allclose(found.mean[:, gene], mean[:10], atol=1e-6)
        np.testing.assert_allclose(found.sd[:, gene], np.sqrt(np.diag(np.linalg.inv(precision)))[:10], atol=1e-6)


def test_shrinking_more_than_halves_the_error_and_its_sd_says_how_large_it_is(drawn):
    truth, measured, noise, control = drawn
    found = gpo_effects.shrink(measured, noise, control)
    error = np.square(found.mean - truth).mean()
    assert error < 0.5 * np.square(measured - truth).mean()
    assert error == pytest.approx(np.square(found.sd).mean(), rel=0.3)
    inside = found.similarity[0, 1:5].mean()
    assert inside > 3 * abs(found.similarity[0, 5:].mean())  # who acts alike is found


def test_portions_of_genes_do_not_change_the_result(drawn, monkeypatch):
    _, measured, noise, control = drawn
    whole = gpo_effects.shrink(measured, noise, control, iterations=3)
    monkeypatch.setattr(gpo_effects, "CHUNK", 700)
    np.testing.assert_allclose(gpo_effects.shrink(measured, noise, control, iterations=3).mean, whole.mean, atol=1e-12)
