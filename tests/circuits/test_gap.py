"""Gap genes: inputs, profiles, tasks, mutants, scores, and the synthetic system that the mini data come from."""

import csv
import math
import os

import numpy as np
import pandas as pd
import plain_circuit
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.stats import pearsonr, wasserstein_distance

from regulome import paths
from regulome.circuits import synthetic_gap
from regulome.circuits.gap import (
    DT,
    INPUTS,
    MUTANTS,
    REGULATORS,
    STEPS,
    boundary_shift,
    gap_task,
    pattern,
    time_series_task,
)
from regulome.circuits.gap_data import GENES, POSITIONS, read_profile, read_time_series, series_array
from regulome.circuits.gap_network import (
    KNOWN_LINKS,
    PUBLISHED_VALUES,
    agreement,
    correlation_signs,
    known_links,
    link_frequencies,
)
from regulome.circuits.morphogens import maternal_inputs
from regulome.circuits.network import new_network, replicate_generators
from regulome.circuits.topology import majority_signs
from regulome.circuits.training import replicate_loss
from regulome.errors import UserError

MINI = paths.mini_data() / "gap_genes"
with_mirror = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="REGULOME_MIRROR is not set")


def read_plain(path):
    """The file as the standard library reads it: {column: list of floats}."""
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


# ---- inputs and profiles ---------------------------------------------------------------------------------------------


def test_maternal_inputs_are_the_published_exponentials():
    ours = maternal_inputs([0.0, 0.2, 0.5, 1.0])
    for row, x in zip(ours, (0.0, 0.2, 0.5, 1.0), strict=True):
        assert row[0] == pytest.approx(math.exp(-x / 0.2), rel=1e-14)
        assert row[1] == pytest.approx(math.exp(-x / 0.05) + math.exp(-(1 - x) / 0.05), rel=1e-14)
    assert ours[0, 1] == pytest.approx(1, abs=1e-8) and ours[3, 1] == pytest.approx(1, abs=1e-8)
    np.testing.assert_allclose(maternal_inputs([0.3], bcd=2, tor=0), [[2 * math.exp(-1.5), 0]])


def test_grid_and_sizes_are_those_of_the_paper():
    assert len(POSITIONS) == 91 and POSITIONS[0] == 0.05 and POSITIONS[-1] == pytest.approx(0.95)
    np.testing.assert_allclose(np.diff(POSITIONS), 0.01)
    assert (STEPS, DT) == (30, 0.1)
    assert REGULATORS == ("Bcd", "Tor", "hb", "Kr", "kni", "gt")


def test_synthetic_profile_is_the_file():
    profile, plain = read_profile("synthetic"), read_plain(MINI / "profile.csv")
    assert list(profile.columns) == ["x", *GENES]
    for name in profile.columns:
        assert profile[name].tolist() == plain[name]
    np.testing.assert_allclose(profile["x"], POSITIONS)


def test_a_users_profile_may_have_its_columns_in_any_order_and_more_of_them(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("cad,gt,x,Kr,hb,kni\n9,0.4,0.1,0.2,0.1,0.3\n9,0.8,0.2,0.6,0.5,0.7\n")
    profile = read_profile(str(path))
    assert list(profile.columns) == ["x", *GENES]
    np.testing.assert_array_equal(profile, [[0.1, 0.1, 0.2, 0.3, 0.4], [0.2, 0.5, 0.6, 0.7, 0.8]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,hb,Kr,kni,gt\n0.1,0.1,0.2,0.3,0.4\n0.2,1,oops,0,0\n", "row 3, column 'Kr': found 'oops'"),
        ("x,hb,Kr,kni,gt\n0.1,0.1,0.2,nan,0.4\n", "row 2, column 'kni': found 'nan'"),
        ("x,hb,Kr,kni,gt\n0.1,0.1,0.2,0.3,0.4\n0.2,1,2\n", "row 3: corrupted CSV, found 3 fields; expected 5"),
        ("x,hb,kr,kni,gt\n0.1,1,2,3,4\n", "row 1: missing column 'Kr' (did you mean 'kr'?)"),
        ("x,hb,Kr,kni,gt\n35,0.1,0.2,0.3,0.4\n", "row 2, column 'x': found 35; expected a number between 0 and 1"),
        ("x,hb,Kr,kni,gt\n0.1,0.1,0.2,200,0.4\n", "row 2, column 'kni': found 200"),
        ("", "the file is empty"),
    ],
)
def test_a_corrupted_profile_is_named_with_file_and_row(tmp_path, text, expected):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_profile(str(path))
    assert str(error.value).startswith(str(path)) and expected in str(error.value)


@with_mirror
def test_measured_profile_has_the_published_maxima():
    profile = read_profile("flyex_gap_nc14_t7")
    assert len(profile) == 91
    np.testing.assert_allclose(profile[list(GENES)].max(), [0.91, 0.98, 0.93, 0.96], atol=0.005)


@with_mirror
def test_measured_time_series_agrees_with_the_measured_profile_at_class_7():
    series, profile = read_time_series("flyex_gap_time_series"), read_profile("flyex_gap_nc14_t7")
    assert sorted(series["time"].unique()) == list(range(8))
    assert series[list(GENES)].min().min() >= 0 and series[list(GENES)].max().max() <= 1
    late = series[series["time"] == 6].set_index("x").sort_index()
    for gene, expected in zip(GENES, (0.996, 0.997, 0.871, 0.992), strict=True):
        levels = np.interp(profile["x"], late.index, late[gene])
        assert pearsonr(levels, profile[gene])[0] == pytest.approx(expected, abs=0.003), gene


# ---- tasks -----------------------------------------------------------------------------------------------------------


def test_gap_task_compares_the_last_step_alone():
    profile = read_profile("synthetic")
    task = gap_task(profile)
    assert task.genes == GENES and task.inputs == INPUTS and task.dt == 0.1 and task.loss == "root_mean"
    assert task.targets.shape == (91, 30, 4) and task.input_values.shape == (91, 30, 2)
    assert np.isnan(task.targets[:, :-1]).all()
    np.testing.assert_array_equal(task.targets[:, -1], profile[list(GENES)])
    for k in (0, 29):
        np.testing.assert_array_equal(task.input_values[:, k], maternal_inputs(profile["x"]))
    np.testing.assert_array_equal(task.initial, np.zeros(4))
    assert not task.stationary.any() and task.links.all()


def test_gap_loss_is_the_root_of_the_mean_over_91_positions_and_4_genes():
    profile = read_profile("synthetic")
    task = gap_task(profile)
    trajectory = np.random.default_rng(0).random((1, 91, 30, 4))
    ours = replicate_loss(task, *map(torch.from_numpy, (trajectory, task.targets[None], task.stationary)))
    total = 0.0
    for p in range(91):
        for j, gene in enumerate(GENES):
            total += (trajectory[0, p, 29, j] - profile[gene][p]) ** 2
    assert float(ours) == pytest.approx(math.sqrt(total / 364), rel=1e-9)


def small_series(path=None):
    """3 positions, 4 classes, numbers that say where they belong: gene.position.class."""
    rows = [
        (0.1 * (p + 1), 5.0 + 2 * k, *((10 * j + p) / 100 + k / 1000 for j in range(4)))
        for k in range(4)
        for p in range(3)
    ]
    frame = pd.DataFrame(rows, columns=["x", "time", *GENES])
    if path:
        frame.sample(frac=1, random_state=3).to_csv(path, index=False)
    return frame


def test_time_series_round_trip_from_a_shuffled_file(tmp_path):
    expected = small_series(tmp_path / "series.csv")
    series = read_time_series(str(tmp_path / "series.csv"))
    assert series["time"].tolist() == [0.0] * 3 + [2.0] * 3 + [4.0] * 3 + [6.0] * 3
    np.testing.assert_allclose(series[["x", *GENES]], expected[["x", *GENES]])


def test_series_array_does_not_depend_on_the_order_of_rows():
    series = small_series()
    for frame in (series, series.sample(frac=1, random_state=0), series[::-1]):
        levels = series_array(frame)
        assert levels.shape == (3, 4, 4)
        for p in range(3):
            for k in range(4):
                np.testing.assert_allclose(levels[p, k], [(10 * j + p) / 100 + k / 1000 for j in range(4)])


def test_a_class_without_all_positions_is_named():
    with pytest.raises(UserError, match=r"time series: class 9\.0 lacks positions that others have"):
        series_array(small_series().drop(index=7))


def test_a_position_given_twice_is_named():
    series = small_series()
    with pytest.raises(UserError, match=r"time series: class 7\.0 has position x = 0\.2 twice"):
        series_array(pd.concat([series, series.iloc[[4]]]))


@pytest.mark.parametrize("shuffle", [False, True])
def test_time_series_task_starts_at_the_first_class_and_meets_the_others_in_turn(shuffle):
    series = small_series()
    task = time_series_task(series.sample(frac=1, random_state=1) if shuffle else series, steps_per_class=5, classes=3)
    levels = series_array(series)
    assert task.targets.shape == (3, 10, 4)
    np.testing.assert_allclose(task.initial, levels[:, 0])
    np.testing.assert_allclose(task.targets[:, 4], levels[:, 1])
    np.testing.assert_allclose(task.targets[:, 9], levels[:, 2])
    assert np.isnan(np.delete(task.targets, [4, 9], axis=1)).all(), "class 4 is held out"
    np.testing.assert_allclose(task.input_values[:, 0], maternal_inputs([0.1, 0.2, 0.3]))


# ---- patterns and mutants --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "activity", "bcd", "tor"),
    [
        ("wild type", (1, 1, 1, 1), 1, 1),
        ("hb-", (0, 1, 1, 1), 1, 1),
        ("Kr-", (1, 0, 1, 1), 1, 1),
        ("kni-", (1, 1, 0, 1), 1, 1),
        ("gt-", (1, 1, 1, 0), 1, 1),
        ("bcd-", (1, 1, 1, 1), 0, 1),
        ("bcd x0.5", (1, 1, 1, 1), 0.5, 1),
        ("bcd x2", (1, 1, 1, 1), 2, 1),
        ("tsl-", (1, 1, 1, 1), 1, 0),
    ],
)
def test_patterns_of_all_genotypes_equal_the_loop(name, activity, bcd, tor):
    network = new_network(
        gap_task(read_profile("synthetic")), "shared", 5, replicate_generators(0, 2), 0.9, torch.float64
    )
    x = np.array([0.1, 0.45, 0.8])
    ours = pattern(network, x, MUTANTS[name])
    assert ours.shape == (2, 3, 4)
    levels = [[bcd * math.exp(-p / 0.2), tor * (math.exp(-p / 0.05) + math.exp((p - 1) / 0.05))] for p in x]
    inputs = np.repeat(np.array(levels)[:, None], 30, axis=1)
    for r in range(2):
        expected = plain_circuit.trajectory(network, r, inputs, 0.1, activity=activity)[:, -1]
        np.testing.assert_allclose(ours[r], expected, atol=1e-12)
    for j, factor in enumerate(activity):
        assert (ours[:, :, j] == 0).all() == (factor == 0)


def test_all_genotypes_are_tested_here():
    assert len(MUTANTS) == 9


def test_boundary_shift_is_the_wasserstein_distance_of_normalised_profiles():
    rng = np.random.default_rng(0)
    fitted, measured = rng.random((3, 91, 4)), rng.random((91, 4))
    ours = boundary_shift(fitted, measured, POSITIONS)
    assert ours.shape == (3, 4)
    for r in range(3):
        for j in range(4):
            expected = wasserstein_distance(POSITIONS, POSITIONS, fitted[r, :, j], measured[:, j])
            assert ours[r, j] == pytest.approx(expected, rel=1e-6)


def test_a_domain_moved_by_a_tenth_has_shifted_by_a_tenth_whatever_its_height():
    def domain(centre):
        return np.exp(-(((POSITIONS - centre) / 0.04) ** 2))[:, None] * np.ones(4)

    np.testing.assert_allclose(boundary_shift(0.3 * domain(0.6), domain(0.5), POSITIONS), 0.1, atol=1e-6)


# ---- scores of many runs ---------------------------------------------------------------------------------------------


def random_signs(runs=7, seed=0):
    return np.random.default_rng(seed).integers(-1, 2, (runs, 6, 4))


def test_frequencies_of_every_link_are_counts_over_runs_and_sum_to_one():
    signs = random_signs()
    table = link_frequencies(signs)
    assert len(table) == 24
    np.testing.assert_allclose(table[["activation", "absent", "inhibition"]].sum(axis=1), 1)
    for row in table.itertuples():
        own = [int(run[REGULATORS.index(row.regulator), GENES.index(row.target)]) for run in signs]
        assert row.activation == pytest.approx(own.count(1) / 7)
        assert row.absent == pytest.approx(own.count(0) / 7)
        assert row.inhibition == pytest.approx(own.count(-1) / 7)


@pytest.mark.parametrize(
    ("votes", "winner"),
    [
        ([1, 1, 1, -1], 1), ([-1, -1, 0, 1], -1), ([0, 0, 1, -1], 0), ([1, 1, -1, -1], 0), ([1, 1, 0, 0], 0),
        ([-1, -1, 0, 0], 0), ([1, 0, -1], 0), ([1], 1),
    ],
)  # fmt: skip
def test_majority_is_the_most_frequent_sign_and_a_tie_is_absent(votes, winner):
    signs = np.zeros((len(votes), 6, 4), int)
    signs[:, 3, 2] = votes
    majority = majority_signs(signs)
    assert majority[3, 2] == winner
    assert np.delete(majority.ravel(), 3 * 4 + 2).tolist() == [0] * 23


def test_agreement_scores_each_known_link():
    signs = np.zeros((4, 6, 4), int)
    signs[:, REGULATORS.index("Kr"), GENES.index("hb")] = [-1, -1, -1, 1]
    signs[:, REGULATORS.index("hb"), GENES.index("gt")] = [1, 1, -1, 0]
    table = agreement(signs, {("Kr", "hb"): -1, ("hb", "gt"): -1, ("gt", "gt"): 0})
    assert list(table.itertuples(index=False, name=None)) == [
        ("Kr", "hb", -1, -1, True, 0.75),
        ("hb", "gt", -1, 1, False, 0.25),
        ("gt", "gt", 0, 0, True, 1.0),
    ]


def test_correlation_baseline_is_the_sign_of_pearsons_r():
    profile = read_profile("synthetic")
    ours = correlation_signs(profile, cutoff=0.1)
    inputs = maternal_inputs(profile["x"])
    levels = {"Bcd": inputs[:, 0], "Tor": inputs[:, 1], **{gene: profile[gene] for gene in GENES}}
    for i, regulator in enumerate(REGULATORS):
        for j, gene in enumerate(GENES):
            r = pearsonr(levels[regulator], levels[gene])[0]
            assert ours[i, j] == (0 if abs(r) <= 0.1 else np.sign(r)), (regulator, gene)


def test_known_links_are_the_one_way_links_of_the_logical_model():
    model = "Hb-|Gt, Hb-|Kni, Kr-|Hb, Kr-|Gt, Gt-|Kni, Gt-|Kr, Kni-|Kr"
    names = {"Hb": "hb", "Kr": "Kr", "Kni": "kni", "Gt": "gt"}
    expected = {tuple(names[part] for part in link.split("-|")): -1 for link in model.split(", ")}
    assert expected == KNOWN_LINKS
    links, origin = known_links("flyex_gap_nc14_t7")
    assert links == expected and "Sanchez" in origin


def test_published_values_are_those_of_the_specification():
    text = """hb  +7.0 -7.0 -3.0 mixed
              Kr  -6.1 +7.0 mixed -10.1
              kni -5.3 -8.2 +4.7 +1.9
              gt  mixed -0.7 -4.3 +6.3
              Bcd +19.9 +5.1 -7.4 +6.6
              Tor -4.7 -6.9 -8.7 -9.8"""
    assert PUBLISHED_VALUES.shape == (6, 4) and list(PUBLISHED_VALUES.columns) == ["hb", "Kr", "kni", "gt"]
    for line in text.splitlines():
        regulator, *values = line.split()
        for gene, value in zip(PUBLISHED_VALUES.columns, values, strict=True):
            found = PUBLISHED_VALUES.loc[regulator, gene]
            assert np.isnan(found) if value == "mixed" else found == float(value), (regulator, gene)


def test_published_values_recover_the_known_links_but_the_mixed_one():
    signs = np.sign(PUBLISHED_VALUES)
    missed = [link for link, sign in KNOWN_LINKS.items() if signs.loc[link] != sign]
    assert missed == [("hb", "gt")]


# ---- the synthetic system --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strengths():
    """(6, 4) strengths of the links of the synthetic circuit."""
    links = read_plain_links()
    return np.array([[links[r, g][1] for g in GENES] for r in REGULATORS])


def read_plain_links():
    with open(MINI / "links.csv", newline="") as handle:
        return {
            (row["regulator"], row["target"]): (int(row["sign"]), float(row["weight"]))
            for row in csv.DictReader(handle)
        }


def test_links_of_the_synthetic_system_are_its_signs():
    links = read_plain_links()
    assert len(links) == 24
    for i, regulator in enumerate(REGULATORS):
        for j, gene in enumerate(GENES):
            sign, weight = links[regulator, gene]
            assert sign == synthetic_gap.SIGNS[i, j] == np.sign(weight)
            assert sign == 0 or abs(weight) >= 1
    truth, origin = known_links("synthetic")
    assert truth == {link: sign for link, (sign, _) in links.items()}
    assert "synthetic" in origin


def test_synthetic_circuit_is_euler_on_one_sigmoid_layer(strengths):
    x, offsets = np.array([0.2, 0.6]), np.array([-2.0, -1.0, -3.0, 0.5])
    ours = synthetic_gap.simulate_circuit(torch.from_numpy(strengths), torch.from_numpy(offsets), x).numpy()
    for p in range(2):
        g = np.zeros(4)
        for k in range(30):
            regulators = np.concatenate([maternal_inputs(x)[p], g])
            f = [1 / (1 + math.exp(-(regulators @ strengths[:, j] + offsets[j]))) for j in range(4)]
            g = g + 0.1 * (np.array(f) - g)
            np.testing.assert_allclose(ours[p, k], g, atol=1e-12)

    def slope(_, g):
        return 1 / (1 + np.exp(-(np.concatenate([maternal_inputs(x)[0], g]) @ strengths + offsets))) - g

    exact = solve_ivp(slope, (0, 3), np.zeros(4), rtol=1e-9, atol=1e-11).y[:, -1]
    np.testing.assert_allclose(ours[0, -1], exact, atol=0.05)


def test_the_mini_data_are_what_their_script_makes(tmp_path):
    synthetic_gap.make(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in MINI.iterdir()) and len(names) == 4
    for name in names:
        made, kept = pd.read_csv(tmp_path / name), pd.read_csv(MINI / name)
        assert list(made.columns) == list(kept.columns) and len(made) == len(kept)
        for column in made:
            if kept[column].dtype.kind == "f":
                np.testing.assert_allclose(
                    made[column], kept[column], rtol=1e-3, atol=1e-3, err_msg=f"{name}: {column}"
                )
            else:
                assert made[column].tolist() == kept[column].tolist()


def test_synthetic_time_course_ends_at_the_profile_and_its_kr_mutant_lacks_kr():
    profile, series = read_profile("synthetic"), read_time_series("synthetic")
    levels = series_array(series)
    assert levels.shape[0] == 91 and levels.shape[2] == 4
    assert (levels[:, 0] < 0.2).all(), "it starts from next to nothing"
    last = np.abs(levels[:, -1] - profile[list(GENES)])
    assert last.max().max() < 0.2
    mutant = pd.DataFrame(read_plain(MINI / "kr_mutant.csv"))
    assert mutant["Kr"].max() < 0.06 and profile["Kr"].max() > 0.5
    assert mutant[list(GENES)].min().min() >= 0
