"""Drawings, bounds, reference noise, epidemic and waiting times: what notebook 41 puts together."""

import numpy as np
import pandas as pd
import pytest

from regulome.stochastic import closed_forms, epidemic, insensitivity, reference_noise
from regulome.stochastic import network_table as tables
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.networks import load


def links(name):
    return {(row.regulator, row.target): row.sign for row in tables.influences(load(name)).itertuples()}


def test_each_protein_of_the_toggle_switch_represses_the_other_gene():
    assert links("toggle") == {("G1", "P1"): 1, ("G2", "P2"): 1, ("P1", "G2"): -1, ("P2", "G1"): -1}


def test_a_product_that_represses_its_gene_is_drawn_so():
    found = links("autoregulation")  # three quarters of the box: a positive Hill coefficient, repression
    assert found["mRNA", "ON"] == -1 and found["ON", "mRNA"] == 1


def test_waiting_times_and_rates_have_the_same_drawing():
    assert links("splicing_gamma") == links("splicing")


def test_bounds_from_exact_moments_and_from_long_runs_agree():
    network = load("two_stage")
    exact = tables.derived_bounds(network, 8, 3).set_index("species")
    runs = tables.simulated_bounds(network, 8, 3, {"window": 5000.0}, threads=1).set_index("species")
    assert (runs["bound"] / exact["bound"]).to_numpy() == pytest.approx(1, abs=0.08)


def test_distances_of_a_law_from_itself_are_zero_and_from_a_shifted_one_known():
    law = Distribution.of(("A", "B"), np.array([[0, 0], [1, 1]]), np.array([0.5, 0.5]))
    other = Distribution.of(("A", "B"), np.array([[0, 0]]))
    assert set(reference_noise.distances(law, law).values()) == {0.0}
    found = reference_noise.distances(other, law)
    assert found["tv_joint"] == pytest.approx(0.5)
    assert found["kl_A"] == pytest.approx(np.log(2))


def test_longer_references_are_nearer_to_the_exact_law():
    network = load("telegraph")
    found, seconds = reference_noise.measure(network, network.sample_box(4, 2), 8, seed=1)
    medians = found.groupby("protocol", sort=False)["tv_joint"].median()
    assert medians.is_monotonic_decreasing
    assert list(seconds.index) == ["exact", *medians.index]


def test_the_share_of_extinct_epidemics_has_its_interval():
    table = pd.DataFrame({"birth_rate": np.repeat([0.5, 1.5, 3.0, 6.0], 50), "extinct": np.repeat([True, False], 100)})
    found = epidemic.by_birth_rate(table)
    assert found["share"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert found["class"].tolist() == ["below 1", "1 to 2", "2 to 4", "above 4"]
    assert 0.9 < found["low"].iloc[0] < 1 and 0 < found["high"].iloc[-1] < 0.1


def test_means_do_not_depend_on_the_shape_of_the_waiting_times_but_noise_does():
    means = {"ksyn": 6.0, "m_on": 1.0, "m_off": 1.0, "m_spl": 0.5, "m_deg": 1.0}
    found = insensitivity.by_shape(load("splicing_gamma"), means, [1.0, 5.0], 3000, 25.0, seed=4, threads=1)
    assert found["expected"].unique().tolist() == pytest.approx(closed_forms.waiting_means(**means))
    assert (np.abs(found["mean"] - found["expected"]) < 4.5 * found["standard_error"]).all()
    mature = found[found["species"] == "mRNA"]
    assert mature["fano"].iloc[0] - mature["fano"].iloc[1] > 4 * mature["fano_error"].max()
