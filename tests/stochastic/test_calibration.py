"""Simulation-based calibration: uniform ranks where law and sampler are right, and not where the law is wrong."""

import numpy as np
import pytest
from inference_laws import POISSON, PoissonLaw, telegraph_law
from scipy.stats import kstest

from regulome.stochastic.calibration import calibrate, calibrate_ensembles, simulate, uniform_band
from regulome.stochastic.posterior import SamplerSettings
from regulome.stochastic.prior import BoxPrior


class Shifted(PoissonLaw):
    """A law that is wrong by ten per cent."""

    def observed_log_prob(self, theta, names, counts):
        return super().observed_log_prob(1.1 * theta, names, counts)


@pytest.fixture(scope="module")
def experiments():
    prior = BoxPrior(POISSON)
    return prior, *simulate(PoissonLaw(), prior, ("X",), (100,), 200, 60, 0)


def test_simulated_counts_come_from_the_law_at_their_truth(experiments):
    _, truth, samples = experiments
    z = [(s.distribution.mean[0] - t) / np.sqrt(t / 60) for s, t in zip(samples, truth[:, 0], strict=True)]
    assert kstest(z, "norm").pvalue > 1e-3


def test_ranks_are_uniform_and_intervals_cover_with_the_right_law(experiments):
    prior, truth, samples = experiments
    found = calibrate(PoissonLaw(), prior, truth, samples, 0, particles=50, bank=2000)
    row = found.table().iloc[0]
    assert row["p_value"] > 1e-3
    assert row["coverage_low"] <= row["coverage_90"] <= row["coverage_high"]
    assert row["correlation_with_truth"] > 0.98
    z, band = uniform_band(200, 50, mass=0.999)
    shares = np.bincount(found.ranks[:, 0], minlength=51).cumsum() / 200
    assert (np.abs(shares - z) <= band + 1e-12).all()


def test_a_law_wrong_by_ten_per_cent_is_found_out(experiments):
    prior, truth, samples = experiments
    found = calibrate(Shifted(), prior, truth, samples, 0, particles=50, bank=2000)
    row = found.table().iloc[0]
    assert row["p_value"] < 1e-6
    assert row["coverage_90"] < row["coverage_low"]


def test_ratios_of_a_two_state_gene_are_calibrated():
    law, prior = telegraph_law(), BoxPrior(telegraph_law().network)
    law.nodes = 64
    truth, samples = simulate(law, prior, ("mRNA",), (130,), 60, 60, 1)
    found = calibrate(law, prior, truth, samples, 1, "kdeg", particles=32, bank=2048, moves=3)
    table = found.table(bins=6).set_index("quantity")
    ratios = [name for name in table.index if "_per_" in name]
    assert ratios == ["kon_per_kdeg", "koff_per_kdeg", "ksyn_per_kdeg"]
    assert (table.loc[ratios, "p_value"] > 1e-3).all()
    assert (table.loc[ratios, "coverage_90"] > 0.78).all()
    assert table.loc["kon_per_kdeg", "correlation_with_truth"] > 0.7


def test_ensembles_are_calibrated_with_the_right_law_and_not_with_a_wrong_one(experiments):
    prior, truth, samples = experiments
    settings = SamplerSettings(chains=2, steps=20, burn_in=5, starts=1, screened=4)
    few = (prior, truth[:12], samples[:12], 0, None, 39, settings)
    good, bad = (calibrate_ensembles(law, *few) for law in (PoissonLaw(), Shifted()))
    assert good.ranks.shape == (12, 1) and good.draws == 39
    row = good.table(bins=3).iloc[0]
    assert row["p_value"] > 1e-3 and row["coverage_90"] >= row["coverage_low"]
    assert bad.table(bins=3).iloc[0]["coverage_90"] < row["coverage_low"]


def test_uniform_ranks_stay_inside_the_band_as_often_as_it_says():
    z, band = uniform_band(100, 40, mass=0.9)
    generator, inside = np.random.default_rng(7), 0
    for _ in range(500):
        shares = np.bincount(generator.integers(0, 41, 100), minlength=41).cumsum() / 100
        inside += bool((np.abs(shares - z) <= band + 1e-12).all())
    assert 0.86 < inside / 500 < 0.94
