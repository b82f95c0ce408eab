"""Counting topologies: distances by a loop, chance levels by drawing, shares and intervals by closed forms."""

import math

import numpy as np
import pandas as pd
import pytest

from regulome.circuits import codes, hill, hill_fit, oscillation_conversion, results_oscillation
from regulome.circuits import oscillation_topologies as topologies
from regulome.circuits.oscillation_topologies import Found
from regulome.figures import Output


@pytest.fixture(scope="module")
def connected():
    everything = hill.topologies()
    return everything[hill.connected(everything)]


@pytest.fixture(scope="module")
def runs(connected):
    """60 good runs on few topologies, one of them bad and one unconnected."""
    rng = np.random.default_rng(0)
    signs = connected[rng.choice(500, 60) + 900]
    signs = np.concatenate([signs, np.zeros((1, 4, 2), dtype=signs.dtype)])
    good = np.ones(61, dtype=bool)
    good[3] = False
    return Found(signs, hill.connected(signs), good)


def test_distance_counts_a_link_once_and_a_reversed_sign_twice():
    one = codes.decode(["+00+0-++"])
    for name, expected in (("+00+0-++", 0), ("+00+0-+0", 1), ("+00+0+++", 2), ("-00+0+++", 4), ("++0+0-+-", 3)):
        assert topologies.distance(one, codes.decode([name])).item() == expected


def test_nearest_equals_the_loop_and_an_empty_set_is_far(connected):
    one, other = connected[5:400:37], connected[11:2000:91]
    expected = [min(int(np.abs(a.astype(int) - b).sum()) for b in other) for a in one]
    assert topologies.nearest(one, other).tolist() == expected
    assert (topologies.nearest(one, other[:0]) > 100).all()


def test_parts_of_the_venn_diagram():
    rnn = codes.decode(["+00+0+-+", "+00+++-+", "-0-+0-+-"])
    enumerated = codes.decode(["+00+0+-+", "+0+++++-", "++0+++-+", "-00+-+-0"])
    parts = topologies.venn_counts(rnn, enumerated)
    # first: identical; second: one link from the third enumerated, and from the identical one; the rest is far
    assert parts == {"rnn far": 1, "rnn near": 1, "identical": 1, "hill near": 1, "hill far": 2}


def test_branches():
    signs = codes.decode(["+00+0+-+", "+00+0-++", "+00+0+++", "+00+0--+"])
    assert topologies.branch(signs).tolist() == ["right", "left", "neither", "neither"]


def test_wilson_interval_equals_its_closed_form():
    hits, runs, z = 74, 193, 1.959963984540054
    p = hits / runs
    centre, half = p + z * z / 2 / runs, z * math.sqrt(p * (1 - p) / runs + z * z / 4 / runs**2)
    found = topologies.wilson(hits, runs)
    assert found["ours"] == p
    assert found["low"] == pytest.approx((centre - half) / (1 + z * z / runs), abs=1e-9)
    assert found["high"] == pytest.approx((centre + half) / (1 + z * z / runs), abs=1e-9)
    assert math.isnan(topologies.wilson(0, 0)["ours"])


def test_cutoff_decides_which_links_exist_and_which_runs_are_connected():
    values = np.full((3, 4, 2), 1e-3)
    values[1, 3, 0] = -1e-3
    values[2, 2, 1] = 1e-4  # g1 -> g2, without which nothing is connected
    curve = topologies.cutoff_curve(values, np.ones(3, dtype=bool), cutoffs=(0.0, 5e-4, 2e-3)).set_index("cutoff")
    assert curve["distinct"].tolist() == [2, 3, 1]
    assert curve["connected"].tolist() == [2, 2, 0]
    assert curve["runs"].tolist() == [3, 2, 0]
    bad = topologies.cutoff_curve(values, np.array([True, False, True]), cutoffs=(0.0,))
    assert bad["distinct"].tolist() == [1]


def test_degeneracy_starts_with_the_most_frequent_and_ends_at_one():
    names = np.array(["b"] * 6 + ["a"] * 6 + ["c"] * 3 + list("defghijk"))
    curve = topologies.degeneracy(names)
    assert curve["topology"].tolist()[:3] == ["a", "b", "c"] and curve["runs"].tolist()[:3] == [6, 6, 3]
    assert curve["share_runs"].iloc[-1] == curve["share_topologies"].iloc[-1] == 1
    assert topologies.share_of_top(curve, 0.3) == pytest.approx(15 / 23)  # 3 of 11 topologies


def test_hits_are_counted_for_three_denominators(runs):
    enumerated = runs.signs[[3, 5]]
    table = topologies.hit_table(runs, enumerated).set_index(["runs", "distance"])
    names = {tuple(s.ravel()) for s in enumerated}
    direct = np.array([tuple(s.ravel()) in names for s in runs.signs])
    for label, mask in (
        ("all", np.ones(61, dtype=bool)), ("connected", runs.connected), ("good and connected", runs.counted)
    ):  # fmt: skip
        row = table.loc[(label, "direct")]
        assert row["hits"] == direct[mask].sum() and row["number"] == mask.sum()
        assert table.loc[(label, "<= 1 link"), "hits"] >= row["hits"]
    assert runs.counted.sum() == 59 and table.loc[("all", "direct"), "number"] == 61


def test_chance_levels_equal_those_of_many_drawn_topologies(runs, connected):
    enumerated = connected[1000:1400:5]
    levels = topologies.chance_levels(runs, enumerated).set_index("baseline")
    hit = topologies.nearest(connected, enumerated) == 0
    assert levels.loc["uniform", "direct"] == pytest.approx(len(enumerated) / 2304)
    able = hill.can_oscillate(connected)
    assert able.sum() == 640
    assert levels.loc["can oscillate", "direct"] == pytest.approx((hit & able).sum() / 640)

    rng = np.random.default_rng(1)
    counted = runs.signs[runs.counted]
    sizes, links = (counted != 0).sum((1, 2)), (connected != 0).sum((1, 2))
    drawn = [hit[links == size][rng.integers((links == size).sum(), size=300)] for size in sizes]
    assert levels.loc["link counts of the runs", "direct"] == pytest.approx(np.mean(drawn), abs=0.01)

    mixed = np.stack(
        [counted[rng.integers(len(counted), size=200_000)][:, i, j] for i in range(4) for j in range(2)], 1
    )
    mixed = mixed.reshape(-1, 4, 2)
    mixed = mixed[hill.connected(mixed)]
    near = dict(zip(codes.encode(connected), topologies.nearest(connected, enumerated), strict=True))
    distances = np.array([near[name] for name in codes.encode(mixed)])
    assert levels.loc["independent links", "direct"] == pytest.approx((distances == 0).mean(), abs=0.005)
    assert levels.loc["independent links", "near"] == pytest.approx((distances <= 1).mean(), abs=0.005)


def test_a_chance_level_is_certain_when_everything_is_enumerated(runs, connected):
    levels = topologies.chance_levels(runs, connected)
    np.testing.assert_allclose(levels[["direct", "near"]], 1)


def test_conversion_by_sampling_counts_topologies_and_runs(runs):
    names = runs.names[runs.counted]
    first = names[0]
    table = pd.DataFrame({"topology": sorted(set(names)), "hits": 1.0, "hits_converged": 0.0})
    table.loc[table["topology"] == first, ["hits", "hits_converged"]] = [7.0, 1.0]
    found = oscillation_conversion.sampled(runs, table).set_index(["method", "integration", "of"])["ours"]
    assert found["sampling, at least 1 set", "published", "topologies"] == 1
    assert found["sampling, at least 2 sets", "published", "runs"] == pytest.approx((names == first).mean())
    assert found["sampling, at least 2 sets", "converged", "runs"] == 0
    assert found["sampling, at least 1 set", "converged", "topologies"] == pytest.approx(1 / len(set(names)))


def test_circuits_together_pass_as_they_do_one_by_one():
    signs = codes.decode(["0++0+-++", "0+-++-++", "0++++-++"])  # those with the most hits in the enumeration
    fitted, *_ = hill_fit.fit_to_oscillation(signs, seed=0, restarts=32, updates=80)
    random = np.random.default_rng(3).exponential(size=(2, 3, 4, 2))
    circuits = hill_fit.HillCircuits(
        np.concatenate([signs, signs]), *np.concatenate([[fitted.b, fitted.k], random], axis=1), np.full((6, 2), 0.1)
    )
    for substeps in (1, 3):
        together = oscillation_conversion.oscillates(circuits, substeps)
        np.testing.assert_array_equal(together, hill_fit.oscillates(circuits, substeps))
        if substeps == 1:
            assert 0 < together.sum() < 6


def test_rows_hold_published_numbers_only_where_they_can_be_compared(runs, connected, tmp_path, monkeypatch):
    monkeypatch.setenv("REGULOME_OUTPUT", str(tmp_path))
    curves = [topologies.cutoff_curve(np.random.default_rng(0).normal(size=(61, 4, 2)), runs.good)]
    rows = {}
    for number, enumerated in ((200, 104), (32, 50)):
        compare = results_oscillation.Comparison(number, enumerated)
        out = Output("32_controlled_oscillation", "mini")
        out.compare_all(compare.count_rows(curves, [0.6], section="x"))
        out.compare_all(
            compare.branch_rows(runs, connected[:50], pd.DataFrame({"arm": [], "measure": []}, dtype=str), "x")
        )
        rows[number] = out.results().set_index("id")
    assert rows[200].loc["fig3.topologies.0.0005", "published"] == 64
    assert rows[200].loc["fig3.topologies.0", "published"] == 24
    assert np.isnan(rows[32].loc["fig3.topologies.0.0005", "published"])
    assert rows[32].loc["fig3f.hill.right", "verdict"] == "not comparable"
    assert rows[200].loc["fig3f.hill.right", "published"] == 39


def test_published_tolerance_is_the_sampling_error_of_193_runs():
    draws = np.random.default_rng(0).binomial(193, 0.4, size=200_000) / 193
    assert results_oscillation.sampling(0.4) == pytest.approx(1.96 * draws.std(), rel=0.01)
