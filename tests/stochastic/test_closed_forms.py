"""Closed forms against each other and against direct numerical integration."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from regulome.stochastic import closed_forms as forms


def test_the_transient_of_birth_and_death_solves_the_master_equation():
    k, gamma, start, length, step = 7.0, 0.4, 12, 80, 1e-4
    now, later = (forms.birth_death_transient(k, gamma, start, t, length) for t in (1.5, 1.5 + step))
    n = np.arange(length)
    flow = k * np.append(0, now[:-1]) + gamma * np.append((n * now)[1:], 0) - (k + gamma * n) * now
    assert now.sum() == pytest.approx(1, abs=1e-12)
    assert np.abs((later - now) / step - flow).max() < 1e-4


def test_the_transient_of_birth_and_death_ends_in_the_stationary_law_and_begins_at_the_start():
    assert forms.birth_death_transient(7.0, 0.4, 12, 200.0, 80) == pytest.approx(forms.birth_death(7.0, 0.4, 80))
    assert forms.birth_death_transient(7.0, 0.4, 12, 0.0, 80)[12] == pytest.approx(1)


@pytest.mark.parametrize("rates", [(0.3, 0.7, 20.0, 1.0), (0.02, 0.05, 30.0, 0.5), (5.0, 40.0, 300.0, 1.0)])
def test_the_telegraph_law_has_its_mean_and_fano_factor(rates):
    law = forms.telegraph(*rates, 400)
    n = np.arange(400)
    mean, fano = forms.telegraph_moments(*rates)
    assert law.sum() == pytest.approx(1, abs=1e-10)
    assert n @ law == pytest.approx(mean, rel=1e-9)
    assert (n - mean) ** 2 @ law / mean == pytest.approx(fano, rel=1e-8)


@pytest.mark.parametrize("rates", [(0.3, 0.7, 20.0, 1.0), (0.02, 0.05, 30.0, 0.5)])
def test_two_routes_to_the_telegraph_law_agree(rates):
    kon, koff, ksyn, kdeg = rates
    mixture = forms.leaky_telegraph(kon, koff, ksyn, 0.0, kdeg, 120)
    assert mixture == pytest.approx(forms.telegraph(*rates, 120), abs=1e-13)


@pytest.mark.parametrize(("a", "b"), [(0.03, 0.06), (0.5, 2.0), (3.0, 0.1)])
def test_the_quadrature_has_the_moments_of_the_beta_law(a, b):
    x, weights = forms.beta_quadrature(a, b, 60)
    powers = np.arange(1, 8)
    expected = special.beta(a + powers, b) / special.beta(a, b)
    assert x[None] ** powers[:, None] @ weights == pytest.approx(expected, rel=1e-12)


def test_the_leaky_gene_is_a_poisson_mixture():
    kon, koff, high, low, kdeg = 1.3, 2.1, 9.0, 2.0, 1.0
    beta = stats.beta(kon, koff)
    direct = integrate.quad(lambda x: beta.pdf(x) * stats.poisson.pmf(4, low + (high - low) * x), 0, 1)[0]
    assert forms.leaky_telegraph(kon, koff, high, low, kdeg, 10)[4] == pytest.approx(direct, rel=1e-8)


def test_a_batch_of_one_is_birth_and_death_and_larger_batches_add_variance():
    mean, variance = forms.batch_immigration_moments(7.0, 0.4, 1, 1.5, start=12)
    law = forms.birth_death_transient(7.0, 0.4, 12, 1.5, 200)
    n = np.arange(200)
    assert (mean, variance) == pytest.approx((n @ law, n**2 @ law - (n @ law) ** 2))
    mean, variance = forms.batch_immigration_moments(2.0, 1.0, 5, 100.0)
    assert variance / mean == pytest.approx((5 + 1) / 2)  # stationary Fano factor of batches of b: (b + 1)/2
