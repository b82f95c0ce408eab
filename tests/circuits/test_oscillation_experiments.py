"""The experiments of notebook 32 on tiny trainings: tables that add up, and arms that differ where they should."""

import numpy as np
import pandas as pd
import pytest

from regulome import paths
from regulome.circuits import codes, hill, oscillation_experiments, plots_topologies
from regulome.circuits.mutation import link_values, protocol
from regulome.circuits.network import new_network, replicate_generators
from regulome.circuits.oscillation_topologies import Found
from regulome.circuits.task_file import read_task
from regulome.circuits.training import TrainingSettings


@pytest.fixture(scope="module")
def task():
    return read_task(paths.mini_data() / "tasks" / "controlled_oscillation.yaml")


@pytest.fixture(scope="module")
def network(task):
    return new_network(task, "private", 5, replicate_generators(1, 4), weight_sd=0.5)


def found(names, good):
    signs = codes.decode(names)
    return Found(signs, hill.connected(signs), np.array(good))


def test_enumerated_topologies_are_those_with_enough_sets():
    table = pd.DataFrame({"topology": ["+00+0+-+", "+00+0-++", "-00+0-++"], "hits": [1, 2, 9], "few": [0, 0, 0]})
    assert codes.encode(oscillation_experiments.enumerated(table, "hits")) == ["+00+0-++", "-00+0-++"]
    assert codes.encode(oscillation_experiments.enumerated(table, "hits", least=3)) == ["-00+0-++"]
    assert oscillation_experiments.enumerated(table, "few").shape == (0, 4, 2)


def test_left_branch_is_counted_among_good_runs_only():
    left, right = "+00+0-++", "+00+0+-+"
    arms = {"a": found([left, left, right, left], [True, False, True, True]), "b": found([right], [False])}
    table = oscillation_experiments.arm_table(arms).set_index(["arm", "measure"])
    assert table.loc[("a", "good runs"), "ours"] == pytest.approx(3 / 4)
    assert table.loc[("a", "left branch, of good runs"), "ours"] == pytest.approx(2 / 3)
    assert table.loc[("b", "left branch, of good runs"), "runs"] == 0
    assert np.isnan(table.loc[("b", "left branch, of good runs"), "ours"])


def test_arms_fix_the_level_of_g2_and_start_from_different_weights(task):
    settings = TrainingSettings(hidden=4, steps=3)
    arms = oscillation_experiments.left_branch_arms(task, settings, 2, seed=0, first_stage=60, level=0.7)
    assert list(arms) == ["g2 starts at 0.7", "g2 at 0.7, two stages"]
    one, two = arms.values()
    for arm in (one, two):
        assert arm.initial.tolist() == pytest.approx([0.1, 0.7])
    moved = [(a - b).abs().max().item() for a, b in zip(one.tensors()[:6], two.tensors()[:6], strict=True)]
    assert max(moved) > 2 * 3 * 1e-3 * 10**0.5  # further than RMSProp can go in three updates of each


def test_the_reference_read_out_agrees_with_itself_and_has_the_published_cutoffs(network):
    good = np.ones(4, dtype=bool)
    everything = hill.topologies()
    able = everything[hill.connected(everything)]
    table = oscillation_experiments.read_out_table(network, good, able, strengths=(0.9,))
    same = table[table["kind"] == "trajectory"]
    assert (same["sign_agrees"] == 1).all() and (table["sign_agrees"] <= 1).all()
    assert set(table["kind"]) == {"trajectory", "rate"} and set(table["distance"]) == {"direct", "<= 1 link"}
    counted = same["ours"].dropna()
    assert (counted == 1).all()  # the set holds every connected topology


def test_seeds_are_tabled_one_by_one_and_chance_is_pooled():
    seeds = [found(["+00+0+-+", "+00+0-++"], [True, True]), found(["+00+0+-+", "+00+0+-+"], [True, True])]
    sets = {"hits": codes.decode(["+00+0+-+"]), "none": np.zeros((0, 4, 2), dtype=int)}
    trained, chance = oscillation_experiments.seed_table(seeds, sets)
    direct = trained[(trained["distance"] == "direct") & (trained["runs"] == "all")]
    assert direct[direct["enumeration"] == "hits"]["ours"].tolist() == [0.5, 1.0]
    assert (direct[direct["enumeration"] == "none"]["ours"] == 0).all()
    independent = chance.set_index(["enumeration", "baseline"]).loc[("hits", "independent links"), "direct"]
    # signs of the two links between the genes are 3/4 and 3/4 with the right sign, the opposite pair 1/4 and 1/4;
    # g1 -> g2 and g2 -> g1 are drawn independently, all other links are the same in every run
    assert independent == pytest.approx(9 / 16)


def test_grid_has_a_row_for_every_measure_and_training(task):
    grid = oscillation_experiments.training_grid(
        task, TrainingSettings(hidden=4), (0.0, 0.05), (2, 3), 2, 0, 5e-4, codes.decode(["+00+0+-+"])
    )
    assert len(grid) == 2 * 2 * 4
    assert set(grid["noise"]) == {0.0, 0.05} and set(grid["updates"]) == {2, 3}
    assert (grid[grid["measure"] == "good runs"]["ours"] == 0).all()  # three updates train nothing


def test_a_smaller_step_leaves_the_time_that_is_looked_at_unchanged(network):
    table = oscillation_experiments.step_size_table(network, steps=(0.1, 0.05))
    assert table.groupby("dt").size().tolist() == [4, 4]
    assert (table["oscillates"] == (table["swing"] > 0.2)).all()


@pytest.mark.parametrize(("left", "right", "common"), [(64, 104, 21), (10, 100, 10), (5, 7, 0), (30, 30, 29)])
def test_areas_of_the_venn_circles_are_to_scale(left, right, common):
    r, s, apart = plots_topologies._circles(left, right, common)
    assert np.pi * r * r == pytest.approx(left) and np.pi * s * s == pytest.approx(right)
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (400_000, 2)) * r
    inside = (points**2).sum(1) < r * r
    both = inside & (((points - [apart, 0]) ** 2).sum(1) < s * s)
    assert both.mean() * 4 * r * r == pytest.approx(common, abs=0.01 * max(left, right))


def test_values_of_the_protocol_are_those_of_the_read_out(network):
    ours = oscillation_experiments.read_out(network, 0.0)
    np.testing.assert_array_equal(ours.signs, np.sign(link_values(network, protocol("fig3"))))
