"""Likelihoods of counts against closed forms, brute force and exact solutions; ratios; priors."""

import numpy as np
import pytest
import torch
from inference_laws import POISSON, PoissonLaw, WithoutGradient, draw, telegraph_law
from scipy import integrate, special, stats

from regulome.errors import UserError
from regulome.stochastic import exact, networks
from regulome.stochastic.counts import Cells
from regulome.stochastic.level_law import LevelLaw, applies
from regulome.stochastic.likelihood import FLOOR, Likelihood
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.ratios import burst_statistics, default_reference, ratios, time_exponents
from regulome.stochastic.two_state import TwoStateLaw, log_law, mrna_law, recognise
from regulome.stochastic.two_state_genes import mrna_network


def one(value):
    return torch.tensor([float(value)], dtype=torch.float64)


@pytest.mark.parametrize(("a", "b", "k"), [(0.02, 0.05, 30), (0.7, 2.0, 90), (5.0, 0.3, 20), (80.0, 200.0, 60)])
def test_two_state_law_is_the_confluent_hypergeometric_function(a, b, k):
    n = np.arange(0, 60, 7)
    expected = (
        n * np.log(k) - special.gammaln(n + 1) + special.gammaln(a + n) + special.gammaln(a + b)
        - special.gammaln(a) - special.gammaln(a + b + n) + np.log(special.hyp1f1(a + n, a + b + n, -k))
    )  # fmt: skip
    found = log_law(torch.tensor(n), one(a), one(b), one(k), one(0), one(1))[0].numpy()
    assert np.abs(found - expected)[expected > -30].max() < 1e-7


def test_leak_adds_to_the_poisson_mean():
    a, b, on, off = 0.8, 1.7, 25.0, 3.0
    found = log_law(torch.arange(80), one(a), one(b), one(on), one(off), one(1.0))[0].exp().numpy()
    for n in (0, 4, 30):
        expected, _ = integrate.quad(
            lambda x, n=n: stats.poisson.pmf(n, off + (on - off) * x) * stats.beta.pdf(x, a, b), 0, 1, limit=400
        )
        assert found[n] == pytest.approx(expected, rel=1e-5)
    assert found.sum() == pytest.approx(1, abs=1e-9)


def test_two_gene_copies_are_the_convolution():
    network = mrna_network((0.1, 9), (0.1, 9), (1, 90))
    theta = torch.tensor([[0.9, 1.4, 12.0]], dtype=torch.float64)
    n = np.arange(40)[:, None]
    single = mrna_law(network).observed_log_prob(theta, ("mRNA",), n)[0].exp().numpy()
    double = mrna_law(network, copies=2).observed_log_prob(theta, ("mRNA",), n)[0].exp().numpy()
    assert np.allclose(double, np.convolve(single, single)[:40], atol=1e-14)


@pytest.mark.parametrize("name", ["telegraph", "autoregulation", "afl", "gene_expression", "birth_death"])
def test_level_law_is_the_exact_law(name):
    network = networks.load(name)
    species = next(s for s in network.recorded if s not in ("ON", "G"))
    assert applies(network, (species,))
    theta = network.sample_box(4, 3)
    counts = np.arange(90)[:, None]
    found = LevelLaw(network, species).observed_log_prob(torch.tensor(theta), (species,), counts).exp().numpy()
    for row, point in zip(found, theta, strict=True):
        expected = exact.stationary(network, point).distribution.vector(species, 90)[:90]
        assert np.abs(row - expected).max() < 1e-10


def test_level_law_refuses_two_counted_species():
    with pytest.raises(UserError, match="small internal state"):
        LevelLaw(networks.load("gene_expression"), "Protein")


@pytest.mark.parametrize(
    ("name", "expected"), [("telegraph", True), ("gene_expression", True), ("autoregulation", False)]
)
def test_two_state_genes_are_recognised(name, expected):
    network = networks.load(name)
    found = recognise(network, ("mRNA",))
    assert (found is not None) == expected
    if found:
        theta = network.sample_box(3, 1)
        counts = np.arange(40)[:, None]
        by_levels = LevelLaw(network, "mRNA").observed_log_prob(torch.tensor(theta), ("mRNA",), counts)
        assert torch.allclose(found.observed_log_prob(torch.tensor(theta), ("mRNA",), counts), by_levels, atol=1e-6)


def test_likelihood_is_the_sum_over_cells_not_the_mean():
    counts = np.array([3, 3, 5, 0, 9])
    theta = np.array([[2.0], [4.5]])
    found = Likelihood(PoissonLaw(), Cells.of(["X"], counts))(theta)
    assert np.allclose(found, stats.poisson.logpmf(counts, theta).sum(1))


def test_zero_truncated_likelihood_divides_by_the_chance_of_being_seen():
    counts = np.array([1, 1, 2, 4])
    theta = np.array([[0.3], [2.0]])
    found = Likelihood(PoissonLaw(), Cells.of(["X"], counts), zero_truncated=True)(theta)
    assert np.allclose(found, stats.poisson.logpmf(counts, theta).sum(1) - 4 * np.log1p(-np.exp(-theta[:, 0])))


def test_zero_truncation_refuses_data_with_zeros():
    with pytest.raises(UserError, match="without any molecule"):
        Likelihood(PoissonLaw(), Cells.of(["X"], [0, 3]), zero_truncated=True)


def test_species_of_another_network_are_refused():
    with pytest.raises(UserError, match="'Y' is not recorded"):
        Likelihood(PoissonLaw(), Cells.of(["Y"], [1, 3]))


def test_several_samples_give_the_same_as_one_by_one():
    samples = [Cells.of(["X"], np.random.default_rng(n).poisson(4, 30)) for n in range(3)]
    many = Likelihood(PoissonLaw(), samples, chunk=2)
    theta = np.array([[1.0], [3.0], [6.0], [8.0]])
    alone = np.stack([Likelihood(PoissonLaw(), s)(theta) for s in samples])
    assert np.allclose(many.all(theta), alone)
    assert np.allclose(many.each(np.stack([theta] * 3)), alone)


def test_impossible_counts_have_a_floor_instead_of_minus_infinity():
    class Never:
        network = POISSON

        def observed_log_prob(self, theta, names, counts):
            return torch.full((len(theta), len(counts)), -torch.inf)

    assert Likelihood(Never(), Cells.of(["X"], [1, 2]))(np.array([[1.0]]))[0] == 2 * FLOOR


def test_likelihood_has_the_gradient_of_its_law_and_only_that():
    cells = Cells.of(["mRNA"], draw(telegraph_law(), [0.6, 1.2, 20.0, 1.0], 50, 0))
    theta = torch.tensor([[0.6, 1.2, 20.0, 1.0]], dtype=torch.float64, requires_grad=True)
    smooth = Likelihood(telegraph_law(), cells)
    assert torch.autograd.gradcheck(smooth.torch, (theta,), atol=1e-4)
    assert not Likelihood(WithoutGradient(telegraph_law()), cells).torch(theta).requires_grad


# --- prior


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_prior_density_is_normalised_and_is_that_of_its_draws(scale):
    network = StateTransitionNetwork(
        name="n", states=("X",), events=(Event("b", {"X": 1}, "k + n + 3"),),
        parameters=(Parameter("k", 0.5, 4.0), Parameter("n", -2.0, 2.0)),
    )  # fmt: skip
    prior = BoxPrior(network, scale)
    x = np.stack(np.meshgrid(np.linspace(np.log(0.5), np.log(4), 401), np.linspace(-2, 2, 11), indexing="ij"), -1)
    density = np.exp(prior.log_density(torch.tensor(x)).numpy())
    total = integrate.trapezoid(integrate.trapezoid(density, x[0, :, 1], axis=1), x[:, 0, 0])
    assert total == pytest.approx(1, abs=1e-4)
    draws = prior.sample(20000, np.random.default_rng(0))
    expected = 2.25 if scale == "linear" else 3.5 / np.log(8)
    assert draws[:, 0].mean() == pytest.approx(expected, rel=0.02)
    assert draws[:, 1].mean() == pytest.approx(0, abs=0.05)
    assert prior.log_density(torch.tensor([[2.0, 0.0]])).item() == -np.inf


def test_unbounded_coordinates_invert_and_stay_inside():
    prior = BoxPrior(networks.load("autoregulation"))
    theta = torch.tensor(prior.network.sample_box(20, 0))
    again = prior.theta_of(prior.inside(prior.unbounded(theta)))
    assert torch.allclose(again, theta)
    far = prior.theta_of(prior.inside(torch.full((1, prior.dimension), 30.0, dtype=torch.float64)))
    assert np.allclose(far.numpy(), prior.network.box[:, 1])


# --- ratios


def test_every_rate_of_gene_expression_carries_the_unit_of_time():
    network = networks.load("gene_expression")
    assert time_exponents(network).tolist() == [1] * 7
    assert default_reference(network) == "kdegM"
    theta = network.sample_box(5, 0)
    table = ratios(network, theta)
    assert np.allclose(table, ratios(network, 3.7 * theta))
    assert next(iter(table.columns)) == "kon_per_kdegM"


def test_a_constant_in_a_rate_is_a_clock():
    assert time_exponents(networks.load("autoregulation")) is None  # hillr(...) + 0.1
    assert time_exponents(POISSON) is None
    assert ratios(POISSON, np.ones((3, 1))).shape == (3, 0)


def test_michaelis_constants_and_exponents_have_no_unit_of_time():
    network = StateTransitionNetwork(
        name="feedback",
        states=("X",),
        events=(Event("birth", {"X": 1}, "hillr(X, v, K, n)"), Event("death", {"X": -1}, "d * X")),
        parameters=tuple(Parameter(name, 0.5, 2.0) for name in ("v", "K", "n", "d")),
    )
    assert time_exponents(network).tolist() == [1, 0, 0, 1]
    assert list(ratios(network, np.ones((2, 4))).columns) == ["v_per_d"]
    with pytest.raises(UserError, match="'K' has no unit of time"):
        ratios(network, np.ones((2, 4)), "K")
    with pytest.raises(UserError, match="unknown parameter 'dd'"):
        ratios(network, np.ones((2, 4)), "dd")


def test_burst_statistics_are_the_standard_ones():
    found = burst_statistics(np.array([0.5]), np.array([2.0]), np.array([30.0]), 0.1).iloc[0]
    assert found["burst_size"] == 15
    assert found["burst_frequency"] == 5
    assert found["cycle_frequency"] == pytest.approx(4)
    assert found["fraction_on"] == pytest.approx(0.2)


def test_two_state_law_refuses_unknown_roles_and_species():
    network = networks.load("telegraph")
    with pytest.raises(UserError, match="no parameter for 'kdeg'"):
        TwoStateLaw(network, {"kon": "kon", "koff": "koff", "ksynon": "ksyn"})
    with pytest.raises(UserError, match="unknown parameter 'kom'"):
        TwoStateLaw(network, {"kon": "kom", "koff": "koff", "ksynon": "ksyn", "kdeg": "kdeg"})
    with pytest.raises(UserError, match="expected mRNA alone"):
        telegraph_law().observed_log_prob(torch.ones(1, 4), ("ON",), np.zeros((1, 1)))
