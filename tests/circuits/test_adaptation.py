"""Adaptation readouts: constructed curves, the published networks' motifs, and the ceiling set by the target."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import plain_circuit
import pytest
import torch

from regulome.circuits import adaptation
from regulome.circuits.adaptation import (
    adapts,
    cross_sections,
    motif,
    orient,
    pulses,
    score_levels,
    sensitivity_and_error,
    summarise_levels,
    target_sensitivity_and_error,
)
from regulome.circuits.mutation import signs
from regulome.circuits.network import new_network, replicate_generators

G2 = 2  # its place among the regulators I, g1, g2


@pytest.fixture(scope="module")
def networks(adaptation_task):
    return new_network(adaptation_task, "private", 5, replicate_generators(3, 2), 0.8, torch.float64)


def sign_table(**links):
    """``sign_table(I_g1=1, g2_g1=-1)`` -> (3, 2) signs."""
    table = np.zeros((3, 2), int)
    for name, sign in links.items():
        regulator, target = name.split("_")
        table[["I", "g1", "g2"].index(regulator), ["g1", "g2"].index(target)] = sign
    return table


# ---- curves ----------------------------------------------------------------------------------------------------------


def curve(before, peak, end, peak_at=60):
    """(20, 150): only the last level (input 1) matters; the others hold numbers that must not be read."""
    values = np.full((20, 150), 99.0)
    values[-1] = end
    values[-1, :40] = 7.0  # the run-in, of which sample 39 alone counts
    values[-1, 39] = before
    values[-1, peak_at] = peak
    return values


@pytest.mark.parametrize("peak_at", [40, 60, 148])
def test_sensitivity_and_error_are_measured_from_the_last_sample_before_the_step(peak_at):
    sensitivity, error = sensitivity_and_error(curve(0.4, 0.9, 0.45, peak_at))
    assert (sensitivity, error) == (pytest.approx(0.5), pytest.approx(0.05))


def test_error_has_no_sign_and_sensitivity_may_be_negative():
    sensitivity, error = sensitivity_and_error(curve(0.4, 0.3, 0.2))
    assert (sensitivity, error) == (pytest.approx(-0.1), pytest.approx(0.2))


def test_every_replicate_is_scored_by_itself():
    curves = np.stack([curve(0.4, 0.9, 0.4), curve(0.1, 0.2, 0.15)])
    sensitivity, error = sensitivity_and_error(curves)
    np.testing.assert_allclose(sensitivity, [0.5, 0.1])
    np.testing.assert_allclose(error, [0, 0.05])


def test_a_network_that_does_not_respond_or_does_not_return_does_not_adapt():
    sensitivity, error = np.array([0.40, 0.40, 0.19, 0.40]), np.array([0.02, 0.11, 0.01, 0.10])
    np.testing.assert_array_equal(adapts(sensitivity, error), [True, False, False, True])


def test_pulses_are_g1_after_steps_to_twenty_levels(networks):
    ours = pulses(networks)
    assert ours.shape == (2, 20, 150)
    for c in (0, 9, 19):
        level = 0.05 * (c + 1)
        inputs = np.array([[[0.1]] * 40 + [[level]] * 110]).reshape(1, 150, 1)
        expected = plain_circuit.trajectory(networks, 1, inputs, 0.1)[0, :, 0]
        np.testing.assert_allclose(ours[1, c], expected, atol=1e-12)


def test_a_link_mutation_of_a_pulse_is_that_of_its_mask(networks):
    links = torch.ones(3, 2, dtype=torch.float64)
    links[G2, 0] = 0
    mutant = pulses(networks, links)
    inputs = np.array([[[0.1]] * 40 + [[1.0]] * 110]).reshape(1, 150, 1)
    expected = plain_circuit.trajectory(networks, 0, inputs, 0.1, mutation=(G2, 0, 0.0))[0, :, 0]
    np.testing.assert_allclose(mutant[0, -1], expected, atol=1e-12)


def test_the_ceiling_is_the_peak_and_the_remainder_of_the_published_pulse():
    sensitivity, error = target_sensitivity_and_error()
    assert sensitivity == pytest.approx(2 * (math.exp(-4 / 6) - math.exp(-4 / 3)), abs=1e-15)  # k = 4 is next to 6 ln 2
    assert sensitivity == pytest.approx(0.4996, abs=5e-5) and sensitivity < 0.5
    assert error == pytest.approx(2 * (math.exp(-6.5) - math.exp(-13)), abs=1e-15)
    assert error == pytest.approx(0.0030, abs=5e-5)


# ---- cross-sections --------------------------------------------------------------------------------------------------


def test_cross_sections_hold_the_other_regulators_at_one_half(networks):
    sections = cross_sections(networks, points=11)
    assert sections.shape == (2, 3, 11, 2)
    for i in range(3):
        for p in range(11):
            x = np.full(3, 0.5)
            x[i] = p / 10
            for j in range(2):
                assert sections[1, i, p, j] == pytest.approx(plain_circuit.rate(networks, 1, j, x), abs=1e-7)


# ---- motifs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"I_g1": 1, "I_g2": 1, "g2_g1": -1}, "incoherent feed-forward"),  # Fig. 2c, network 4
        ({"I_g1": 1, "g1_g2": -1, "g2_g1": 1}, "negative feedback"),  # Fig. 2d, network 3
        ({"I_g1": 1, "g1_g2": 1, "g2_g1": -1}, "negative feedback"),  # its mirror image
        ({"I_g2": 1, "g1_g2": 1, "g2_g1": -1}, "negative feedback"),
        ({"I_g1": 1, "I_g2": -1, "g2_g1": 1}, "incoherent feed-forward"),
        ({"I_g1": -1, "I_g2": 1, "g2_g1": 1}, "incoherent feed-forward"),
        ({"I_g1": 1, "I_g2": 1, "g2_g1": 1}, "none"),  # coherent
        ({"I_g1": 1, "g1_g2": 1, "g2_g1": 1}, "none"),  # positive feedback
        ({"g1_g2": 1, "g2_g1": -1}, "none"),  # out of the input's reach
        ({"I_g1": 1, "I_g2": 1}, "none"),
        ({"I_g1": 1}, "none"),
        ({"I_g1": 1, "I_g2": 1, "g1_g2": 1, "g2_g1": -1}, "incoherent feed-forward + negative feedback"),
    ],
)
def test_motifs_are_named_as_in_the_paper(links, expected):
    assert motif(sign_table(**links)) == expected


def test_flipping_the_unobserved_gene_never_changes_the_motif():
    for code in range(3**6):
        table = np.array([(code // 3**place) % 3 - 1 for place in range(6)]).reshape(3, 2)
        flipped = table.copy()
        flipped[G2] *= -1
        flipped[:, 1] *= -1
        assert motif(table) == motif(flipped)


def test_after_orientation_g2_represses_g1_and_twins_coincide():
    feed_forward = sign_table(I_g1=1, I_g2=1, g2_g1=-1, g2_g2=1).astype(float)
    twin = sign_table(I_g1=1, I_g2=-1, g2_g1=1, g2_g2=1).astype(float)
    oriented = orient(np.stack([feed_forward, twin]) * 0.3)
    np.testing.assert_allclose(oriented, np.stack([feed_forward, feed_forward]) * 0.3)


# ---- levels of a sequence --------------------------------------------------------------------------------------------


def test_scores_of_a_level_are_those_of_its_networks(networks):
    values = np.stack([0.2 * sign_table(I_g1=1, I_g2=1, g2_g1=-1), 0.01 * sign_table(I_g1=1, I_g2=1, g2_g1=-1)])
    level = SimpleNamespace(result=SimpleNamespace(network=networks), values=values, count=3)
    scores = score_levels([level], "all links allowed", cutoff=0.05)
    sensitivity, error = sensitivity_and_error(pulses(networks))
    np.testing.assert_allclose(scores["sensitivity"], sensitivity)
    np.testing.assert_allclose(scores["error"], error)
    assert scores["motif"].tolist() == ["incoherent feed-forward", "none"]
    assert scores["links"].tolist() == [3, 3] and scores["replicate"].tolist() == [0, 1]


def test_a_summary_takes_medians_and_shares():
    rows = [(0.4, 0.01, True, "incoherent feed-forward"), (0.1, 0.1, False, "none"),
            (0.3, 0.02, True, "incoherent feed-forward + negative feedback")]  # fmt: skip
    scores = pd.DataFrame(rows, columns=["sensitivity", "error", "adapts", "motif"]).assign(sequence="a", links=4)
    (row,) = summarise_levels(scores).to_dict("records")
    assert (row["sequence"], row["links"], row["sensitivity"], row["error"]) == ("a", 4, 0.3, 0.02)
    assert row["adapting"] == pytest.approx(2 / 3)
    assert row["incoherent feed-forward"] == pytest.approx(2 / 3)
    assert row["negative feedback"] == pytest.approx(1 / 3)


# ---- published numbers -----------------------------------------------------------------------------------------------


def test_published_scores_are_those_of_the_specification():
    text = {
        "all links allowed": (6, ".398/.007 .373/.008 .369/.008 .367/.018 .111/.111 .001/.001"),
        "without I -> g2": (5, ".425/.003 .408/.031 .377/.040 .140/.140 .140/.140"),
    }
    found = {
        (row.sequence, row.links): (row.sensitivity, row.error) for row in adaptation.published_scores().itertuples()
    }
    assert len(found) == 11
    for sequence, (most, numbers) in text.items():
        for links, pair in zip(range(most, 0, -1), numbers.split(), strict=True):
            assert found[sequence, links] == tuple(float(number) for number in pair.split("/"))
    assert adaptation.PUBLISHED_FIG1 == (0.396, 0.021)


def test_published_scores_lose_adaptation_where_the_paper_says_so():
    scores = adaptation.published_scores()
    adapting = scores[adapts(scores["sensitivity"], scores["error"])]
    assert adapting.groupby("sequence")["links"].min().to_dict() == {"all links allowed": 3, "without I -> g2": 3}


def test_published_network_of_fig2_has_the_signs_drawn_in_the_paper():
    links = {name.replace(" -> ", "_"): value for name, value in adaptation.PUBLISHED_LINKS.items()}
    drawn = sign_table(I_g1=1, I_g2=1, g1_g1=-1, g1_g2=1, g2_g1=-1, g2_g2=1)
    values = np.zeros((3, 2))
    for name, value in links.items():
        regulator, target = name.split("_")
        values[["I", "g1", "g2"].index(regulator), ["g1", "g2"].index(target)] = value
    np.testing.assert_array_equal(signs(values, 0.01), drawn)
    assert motif(signs(values, 0.01)) == "incoherent feed-forward + negative feedback"
