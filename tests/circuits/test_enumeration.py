"""Enumeration: the criterion against the plain one, pruning, threads, step size, and criteria files."""

import numpy as np
import pytest

from regulome import paths
from regulome.circuits import enumeration_tables as tables
from regulome.circuits import hill, step_size
from regulome.circuits.criteria import criterion_from_dict, read_criterion
from regulome.circuits.enumeration import enumerate_topologies, judge
from regulome.circuits.hill_kernel import draw
from regulome.errors import UserError

CRITERION = read_criterion(paths.mini_data() / "criteria" / "controlled_oscillation.yaml")
SIGNS = hill.topologies()
SIGNS = SIGNS[hill.connected(SIGNS)]
ABLE = SIGNS[hill.can_oscillate(SIGNS)]


@pytest.fixture(scope="module")
def found():
    return enumerate_topologies(ABLE, CRITERION, 2000, seed=4, threads=2)


def plain_judgement(topology, b, k):
    b, k = b.astype(float), k.astype(float)
    runs = [hill.simulate_hill(topology, b, k, inputs)[..., 0] for inputs in ((0, 0), (0.8, 0), (0, 0.8))]
    return hill.controlled_oscillation(*runs)


def test_successes_are_those_of_the_plain_criterion(found):
    chosen = [m for m in range(len(ABLE)) if found.hits[m]][:6] + list(range(0, 640, 160))
    assert len(chosen) > 6
    for m in chosen:
        passes = plain_judgement(ABLE[m], *draw(ABLE[m], 4, np.arange(2000)))
        np.testing.assert_array_equal(np.flatnonzero(passes), found.winners[m])


def test_neither_threads_nor_the_number_of_sets_change_a_set(found):
    again = enumerate_topologies(ABLE[:60], CRITERION, 1000, seed=4, threads=1)
    for mine, all_of_them in zip(again.winners, found.winners, strict=False):
        np.testing.assert_array_equal(mine, all_of_them[all_of_them < 1000])


def test_nothing_oscillates_outside_the_class(found):
    rest = SIGNS[~hill.can_oscillate(SIGNS)][::16]
    others = enumerate_topologies(rest, CRITERION, 2000, seed=4, threads=2)
    assert others.passed[:, 1].sum() == 0 and others.hits.sum() == 0
    assert found.passed[:, 1].sum() > 0


def test_the_rate_of_success_is_the_published_one(found):
    # 2069 sets of 640 x 160,000: a Poisson count
    expected = 2069 * 2000 / 160_000
    assert abs(found.hits.sum() - expected) < 4 * np.sqrt(expected)


def test_conditions_refuse_in_turn(found):
    passed = found.passed
    assert (np.diff(passed, axis=1) <= 0).all()
    np.testing.assert_array_equal(passed[:, -1], found.hits)


def test_many_successes_are_artefacts_of_the_step(found):
    table = step_size.survival(found, CRITERION, steps=(0.25, 0.05))
    once = table[table["longer"] == 1]
    shares = dict(zip(zip(once["method"], once["dt"], strict=True), once["share"], strict=True))
    assert table["share"].iloc[-1] < shares["rk4", 0.125]  # some oscillations die slowly
    assert shares["euler", 0.25] == 1
    assert 0.15 < shares["euler", 0.05] < 0.7  # released sets: 0.40
    exact = step_size.converged(CRITERION)
    kept = step_size.survivors(found, exact)
    times = (np.arange(200) + 1) * 0.25
    checked = 0
    for topology, sets, survives in zip(ABLE, found.winners, kept, strict=True):
        if len(sets) and checked < 8:
            b, k = draw(topology, 4, sets[:1])
            curves = [
                step_size.exact_trajectory(topology, b[0], k[0], x, times)[None, :, 0]
                for x in ((0, 0), (0.8, 0), (0, 0.8))
            ]
            assert hill.controlled_oscillation(*curves)[0] == survives[0]
            checked += 1
    assert checked == 8


def test_a_prolonged_run_ends_with_a_window_of_the_same_length():
    longer = step_size.prolonged(CRITERION, 10)
    for name, run in longer.runs.items():
        assert (run.length, run.length - run.watch) == (2000, 100)
        np.testing.assert_array_equal(run.inputs, CRITERION.runs[name].inputs)
    two_phases = read_criterion(paths.mini_data() / "criteria" / "adaptation.yaml")
    with pytest.raises(UserError, match="has 2 phases"):
        step_size.prolonged(two_phases)


def test_given_parameters_are_judged_like_drawn_ones(found):
    m = int(np.argmax(found.hits))
    passes = judge(ABLE[m], CRITERION, *draw(ABLE[m], 4, np.arange(2000)))
    np.testing.assert_array_equal(np.flatnonzero(passes), found.winners[m])


def test_tables_count_what_was_found(found):
    table = tables.topology_table([tables.fill(found, SIGNS)])
    assert len(table) == 2304 and table["hits"].sum() == found.hits.sum()
    assert table.loc[~table["can_oscillate"], "hits"].sum() == 0
    links = tables.by_links(table)
    assert links["topologies"].tolist() == [64, 384, 832, 768, 256]
    made = tables.composition(ABLE, found.hits)
    assert made["right branch"] + made["left branch"] == int((found.hits >= 2).sum())
    low, high = tables.expected_range(np.full((1, 100), 5.0), seed=1)  # P(Poisson(5) >= 2) = 0.9596
    assert low < 95.96 < high and high - low < 10


def test_a_known_motif_adapts_and_an_unconnected_one_does_not():
    adaptation = read_criterion(paths.mini_data() / "criteria" / "adaptation.yaml")
    feed_forward = np.array([[[1, 1], [0, 0], [-1, 0]]])  # I -> g1, I -> g2, g2 -| g1
    chain = np.array([[[1, 0], [0, 0], [0, 0]]])  # I -> g1 alone
    found = enumerate_topologies(np.concatenate([feed_forward, chain]), adaptation, 2000, seed=1)
    assert found.hits[0] > 0 and found.hits[1] == 0


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="the criterion needs"):
        enumerate_topologies(hill.topologies(1), CRITERION, 100)


GOOD = {
    "name": "x", "genes": ["g1"], "inputs": ["I"], "dt": 0.1, "steps": 20,
    "runs": {"up": {"I": 1}}, "success": ["up.g1.mean > 0.5"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sucess": []}, "unknown field 'sucess' (did you mean 'success'?)"),
        ({"dt": 1.5}, "dt is 1.5, expected 0 < dt < 1"),
        ({"steps": 0}, "steps: found 0, expected a whole number of at least 1"),
        ({"watch": 20}, "watch is 20, expected less than the 20 steps"),
        ({"runs": {"up": {"J": 1}}}, "'J' is no input of the criterion"),
        ({"runs": {"up": {}}}, "no level for input 'I'"),
        ({"runs": {"up": [{"steps": 5, "I": 0}, {"steps": 5, "I": 1}]}}, "10 steps together, expected 20"),
        ({"success": ["down.g1.mean > 1"]}, "names no run that exists: 'down'"),
        ({"success": ["up.g2.mean > 1"]}, "names no gene that exists: 'g2'"),
        ({"success": ["up.g1.meen > 1"]}, "names no statistic that exists: 'meen'"),
        ({"success": ["up.g1.mean + 1"]}, "is no condition on a statistic"),
        ({"success": ["up.g1.error < 1"]}, "which has no target"),
        ({"start": {"g2": 1}}, "'g2' is no gene of the criterion"),
        ({"targets": {"down": {"g1": 1}}, "success": ["up.g1.mean > 1"]}, "the run 'down', which does not exist"),
    ],
)
def test_a_bad_criterion_is_refused(change, message):
    with pytest.raises(UserError) as error:
        criterion_from_dict(GOOD | change, "my.yaml")
    assert message in str(error.value) and str(error.value).startswith("my.yaml")


def test_a_missing_field_is_named():
    with pytest.raises(UserError, match="field 'runs' is missing"):
        criterion_from_dict({k: v for k, v in GOOD.items() if k != "runs"})


def test_a_step_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="does not divide"):
        criterion_from_dict(GOOD).with_step(0.3)
