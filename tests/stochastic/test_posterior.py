"""The posterior against closed forms and quadrature; evidence; predictions; comparison of networks."""

from dataclasses import replace

import arviz
import numpy as np
import pytest
from inference_laws import POISSON, PoissonLaw, WithoutGradient, draw, telegraph_law
from scipy import stats
from scipy.special import gammaln

from regulome.errors import UserError
from regulome.stochastic import posterior as posterior_module
from regulome.stochastic import predictive
from regulome.stochastic.counts import Cells
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.model_comparison import compare
from regulome.stochastic.network import Parameter
from regulome.stochastic.posterior import SamplerSettings, sample
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.smc import smc

SHORT = SamplerSettings(chains=4, steps=60, burn_in=15, starts=3, screened=16)
COUNTS = np.random.default_rng(5).poisson(6.0, 80)
# Uniform prior on [0.1, 40] and n Poisson counts of sum s: Gamma(s + 1, n), the box far away
GAMMA = stats.gamma(COUNTS.sum() + 1, scale=1 / len(COUNTS))
EVIDENCE = gammaln(COUNTS.sum() + 1) - (COUNTS.sum() + 1) * np.log(80) - gammaln(COUNTS + 1).sum() - np.log(39.9)


@pytest.fixture(scope="module")
def poisson():
    return sample(Likelihood(PoissonLaw(), Cells.of(["X"], COUNTS)), BoxPrior(POISSON), 0, SHORT)


def test_posterior_of_a_poisson_rate_is_the_gamma_distribution(poisson):
    draws = poisson.flat[:, 0]
    error = GAMMA.std() / np.sqrt(poisson.summary["ess_bulk"].iloc[0])
    assert draws.mean() == pytest.approx(GAMMA.mean(), abs=4 * error)
    assert draws.std() == pytest.approx(GAMMA.std(), rel=0.08)
    for q in (0.1, 0.9):
        assert GAMMA.cdf(np.quantile(draws, q)) == pytest.approx(q, abs=0.03)


def test_log_uniform_prior_gives_the_other_gamma_distribution():
    few = COUNTS[:3]
    likelihood = Likelihood(PoissonLaw(), Cells.of(["X"], few))
    for scale, shape in (("linear", few.sum() + 1), ("log", few.sum())):
        found = sample(likelihood, BoxPrior(POISSON, scale), 1, SHORT)
        expected = stats.gamma(shape, scale=1 / 3)
        assert found.flat[:, 0].mean() == pytest.approx(expected.mean(), abs=0.12 * expected.std())


def test_a_law_without_gradient_gives_the_same_posterior(poisson):
    law = WithoutGradient(PoissonLaw())
    found = sample(Likelihood(law, Cells.of(["X"], COUNTS)), BoxPrior(POISSON), 0, SHORT)
    assert found.flat.mean() == pytest.approx(poisson.flat.mean(), abs=0.1 * GAMMA.std())


def test_evidence_is_the_integral(poisson):
    assert poisson.evidence.value == pytest.approx(EVIDENCE, abs=4 * poisson.evidence.standard_error + 0.01)
    assert poisson.evidence.by == "importance sampling"


def test_sequential_monte_carlo_finds_posterior_and_evidence_too():
    likelihood = Likelihood(PoissonLaw(), [Cells.of(["X"], COUNTS)] * 6)
    found = smc(likelihood, BoxPrior(POISSON), 0, particles=100, bank=500, shared=False)
    error = found.evidence.std(ddof=1) / np.sqrt(6)
    assert error < 0.2
    assert found.evidence.mean() == pytest.approx(EVIDENCE, abs=4 * error)
    assert found.theta.mean() == pytest.approx(GAMMA.mean(), abs=0.25 * GAMMA.std())
    assert found.theta.std() == pytest.approx(GAMMA.std(), rel=0.15)
    assert 0.1 < found.acceptance < 0.9


def test_sampler_tempers_from_the_prior_where_importance_sampling_fails(monkeypatch):
    monkeypatch.setattr(posterior_module, "TRUSTED", -np.inf)
    found = sample(Likelihood(PoissonLaw(), Cells.of(["X"], COUNTS)), BoxPrior(POISSON), 0, SHORT)
    assert found.evidence.by == "sequential Monte Carlo"
    assert found.evidence.value == pytest.approx(EVIDENCE, abs=0.3)
    assert found.flat.mean() == pytest.approx(GAMMA.mean(), abs=0.3 * GAMMA.std())


def test_a_converged_run_has_no_warnings_and_a_short_one_says_so(poisson):
    assert poisson.warnings == []
    short = SamplerSettings(chains=2, steps=4, burn_in=0, starts=1, screened=4)
    found = sample(Likelihood(PoissonLaw(), Cells.of(["X"], COUNTS)), BoxPrior(POISSON), 0, short)
    assert any("few effective draws" in text for text in found.warnings)


def test_same_seed_same_draws_other_seed_other_draws(poisson):
    likelihood = poisson.likelihood
    assert np.array_equal(sample(likelihood, BoxPrior(POISSON), 0, SHORT).draws, poisson.draws)
    assert not np.array_equal(sample(likelihood, BoxPrior(POISSON), 1, SHORT).draws, poisson.draws)


def test_two_modes_get_their_weights():
    """A law that depends on |k - 20| only has two equal modes; no walker crosses between them by small steps."""

    class Twin:
        network = replace(POISSON, parameters=(Parameter("k", 0.1, 39.9),))

        def observed_log_prob(self, theta, names, counts):
            return PoissonLaw().observed_log_prob((theta - 20).abs() + 1e-9, names, counts)

    likelihood = Likelihood(Twin(), Cells.of(["X"], COUNTS))
    settings = SamplerSettings(chains=4, steps=80, burn_in=20, starts=8, screened=32)
    found = sample(likelihood, BoxPrior(Twin.network), 0, settings)
    assert (found.flat > 20).mean() == pytest.approx(0.5, abs=0.08)


@pytest.fixture(scope="module")
def telegraph():
    law, prior = telegraph_law(), BoxPrior(telegraph_law().network)
    cells = Cells.of(["mRNA"], draw(law, [0.6, 1.2, 25.0, 1.0], 1000, 0))
    settings = SamplerSettings(chains=4, steps=80, burn_in=30, starts=4, screened=64)
    return sample(Likelihood(law, cells), prior, 0, settings, "kdeg")


def test_ratios_are_recovered_where_rates_cannot_be(telegraph):
    table = telegraph.summary.set_index("quantity")
    for name, true in (("kon_per_kdeg", 0.6), ("koff_per_kdeg", 1.2), ("ksyn_per_kdeg", 25.0)):
        assert abs(table.loc[name, "mean"] - true) < 4 * table.loc[name, "sd"]
        assert table.loc[name, "sd"] / table.loc[name, "mean"] < 0.15
    assert table.loc["kdeg", "sd"] / table.loc["kdeg", "mean"] > 0.12  # free along the time scale


def test_netcdf_holds_draws_ratios_and_counts(telegraph, tmp_path):
    for name in ("a.nc", "b.nc"):
        telegraph.inference_data().to_netcdf(str(tmp_path / name))
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    read = arviz.from_netcdf(str(tmp_path / "a.nc"))
    assert read.posterior["kon"].shape == (4, 16 * 80)
    assert np.allclose(read.posterior["kon_per_kdeg"], read.posterior["kon"] / read.posterior["kdeg"])
    assert int(read.observed_data["cells"].sum()) == 1000
    read.close()


def test_predictions_are_adequate_for_the_right_network_and_not_for_another(telegraph):
    cells = telegraph.likelihood.cells
    fitted = predictive.mixed(predictive.of_posterior(telegraph, 40))
    assert fitted.weights.sum() == pytest.approx(1)
    assert predictive.adequacy(cells, fitted, 0).adequate
    poisson = predictive.predict(PoissonLaw(), np.array([[float(cells.distribution.mean[0])]]), ("mRNA",), (130,))[0]
    assert not predictive.adequacy(cells, poisson, 0).adequate
    table = predictive.kl_table(cells, fitted).iloc[0]
    assert table["kl_data_fit"] < 0.06
    assert table["mean_fit"] == pytest.approx(table["mean_data"], rel=0.05)


def test_held_out_density_is_higher_for_the_better_network(telegraph):
    fresh = Cells.of(["mRNA"], draw(telegraph_law(), [0.6, 1.2, 25.0, 1.0], 500, 9))
    mean = telegraph.likelihood.cells.distribution.mean[0]
    poisson = stats.poisson.logpmf(fresh.expanded(), mean).mean()
    assert predictive.held_out(telegraph, fresh) > poisson + 0.5


def test_comparison_prefers_the_true_network_and_has_the_closed_form_evidence(telegraph, poisson):
    law = telegraph_law()
    cells = Cells.of(["X"], COUNTS)

    class Wide(PoissonLaw):
        network = replace(POISSON, parameters=(Parameter("k", 0.1, 400.0),))

    wide = sample(Likelihood(Wide(), cells), BoxPrior(Wide.network), 0, SHORT)
    table = compare({"narrow": poisson, "wide": wide}).set_index("network")
    assert table.index[0] == "narrow"
    difference = table.loc["narrow", "log_evidence"] - table.loc["wide", "log_evidence"]
    assert difference == pytest.approx(np.log(399.9 / 39.9), abs=0.25)  # the price of a box ten times as wide
    assert abs(table.loc["wide", "d_loo"]) < 0.2 and abs(table.loc["narrow", "d_loo"]) < 0.2
    expected = stats.poisson.logpmf(COUNTS, COUNTS.mean()).sum() - 1.0  # about one nat a parameter
    assert table.loc["narrow", "loo"] == pytest.approx(expected, abs=0.5)
    assert law.network.parameter_names == telegraph.names


def test_wrong_sampler_settings_are_refused():
    with pytest.raises(UserError, match="chains is 0"):
        SamplerSettings(chains=0)
    with pytest.raises(UserError, match="7 walkers"):
        SamplerSettings(walkers=7).size(3)
    assert SamplerSettings().size(20) == 42


def test_kl_directions_are_not_confused():
    cells = Cells.of(["X"], [0, 0, 0, 1])
    fitted = predictive.Distribution(("X",), np.array([[0], [1]]), np.array([0.5, 0.5]))
    row = predictive.kl_table(cells, fitted).iloc[0]
    assert row["kl_data_fit"] == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert row["kl_fit_data"] == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(2))
