"""Data sets: blocks and merging, files, the published JSON form, the command, and files that are no data sets."""

import json
from dataclasses import replace

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.stochastic import dataset_json, simulate_command, ssa
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.dataset_shards import Simulation, make, sets_of_block
from regulome.stochastic.distribution import Distribution, total_variation
from regulome.stochastic.network import Parameter
from regulome.stochastic.networks import load

SHORT = Simulation(burn_in=5.0, window=40.0)
ARRAYS = ("theta", "times", "offsets", "counts", "weights", "engine")


@pytest.fixture(scope="module")
def network():
    return load("birth_death")


@pytest.fixture(scope="module")
def dataset(network):
    return make(network, 7, seed=3, engine="ssa", simulation=SHORT, threads=2)


def same(left, right):
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ARRAYS)


def test_blocks_make_the_table_that_one_call_makes(network, dataset):
    parts = [make(network, 7, 3, i, 3, "ssa", simulation=SHORT, threads=1) for i in (2, 0, 1)]
    assert [len(part) for part in parts] == [3, 2, 2]
    assert same(Dataset.merge(parts), dataset) and len(dataset) == 7
    assert [i for k in range(3) for i in sets_of_block(7, k, 3)] == list(range(7))
    assert np.array_equal(dataset.theta, network.sample_box(7, 3))
    assert not np.isin(make(network, 7, 4, engine="ssa", simulation=SHORT).theta, dataset.theta).any()


def test_sets_hold_what_the_simulator_gives(network, dataset):
    expected = ssa.occupancy(network, dataset.theta, burn_in=5.0, window=40.0, seed=3)
    for i, distribution in enumerate(expected):
        assert total_variation(dataset[i], distribution) < 1e-6
    assert dataset[-1].weights.sum() == pytest.approx(1)
    assert dataset.weights.dtype == np.float32 and dataset.counts.dtype == np.int16
    assert set(dataset.engine) == {"ssa"} and np.isinf(dataset.times).all()
    with pytest.raises(IndexError):
        dataset[7]


def test_exact_and_simulated_agree(network):
    exact = make(network, 3, seed=1, engine="exact", threads=1)
    auto = make(network, 3, seed=1, threads=1)
    long = make(network, 3, seed=1, engine="ssa", simulation=Simulation(4, window=20_000.0))
    assert set(exact.engine) == {"exact"} == set(auto.engine)
    for p, q in zip(exact, long, strict=True):
        assert total_variation(p, q) < 0.03
    for i, (k, gamma) in enumerate(exact.theta):
        assert exact[i].mean == pytest.approx(k / gamma, rel=1e-3)


def test_times_of_each_set(network):
    table = make(network, 4, seed=2, engine="ssa", time=(0.5, 3.0), simulation=Simulation(4000))
    again = [make(network, 4, 2, i, 2, "ssa", (0.5, 3.0), Simulation(4000)) for i in range(2)]
    assert same(Dataset.merge(again), table)
    assert ((table.times >= 0.5) & (table.times <= 3)).all() and len(set(table.times)) == 4
    for (k, gamma), t, found in zip(table.theta, table.times, table, strict=True):
        start = network.start[0]
        expected = start * np.exp(-gamma * t) + k / gamma * (1 - np.exp(-gamma * t))
        assert found.mean[0] == pytest.approx(expected, abs=5 * np.sqrt((expected + 1) / 4000))


def test_merging_refuses_what_does_not_belong_together(network, dataset):
    parts = [make(network, 7, 3, i, 3, "ssa", simulation=SHORT) for i in range(3)]
    for wrong, message in (
        ([], "found none"),
        (parts[:2], "sets 4 to 6 are missing"),
        (parts[1:], "sets 0 to 1 are missing"),
        ([*parts, parts[1]], "sets 2 to 3 are there twice"),
        ([parts[0], replace(parts[1], seed=9), parts[2]], "from set 2 on has another seed"),
        ([parts[0], parts[1], replace(parts[2], total=9)], "from set 4 on has another number of sets"),
        ([parts[0], parts[1], replace(parts[2], network=load("telegraph"))], "from set 4 on has another network"),
    ):
        with pytest.raises(UserError, match=message):
            Dataset.merge(wrong)


def test_files_hold_everything_and_are_the_same_bytes_each_time(tmp_path, dataset):
    dataset.save(tmp_path / "a.npz")
    dataset.save(tmp_path / "b.npz")
    found = Dataset.load(tmp_path / "a.npz")
    assert same(found, dataset) and (found.seed, found.first, found.total) == (3, 0, 7)
    assert found.network.rates[0].text == dataset.network.rates[0].text
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def damaged(tmp_path, dataset, **change):
    dataset.save(tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays |= change
    np.savez(tmp_path / "bad.npz", **{name: value for name, value in arrays.items() if value is not None})
    return tmp_path / "bad.npz"


def test_damaged_files_are_refused_by_name(tmp_path, dataset):
    for change, message in (
        (dict(theta=None), "array 'theta' is missing"),
        (dict(theta=dataset.theta[:, :1]), "array 'theta' is damaged; expected 2 columns"),
        (dict(theta=dataset.theta * np.nan), "array 'theta' is damaged; expected finite"),
        (dict(counts=-dataset.counts), "array 'counts' is damaged"),
        (dict(counts=dataset.counts.astype(float)), "array 'counts': found float64"),
        (dict(weights=dataset.weights * np.float32(2)), "weights of set \\d: found a sum that is not 1"),
        (dict(weights=-dataset.weights), "array 'weights' is damaged"),
        (dict(offsets=dataset.offsets[::-1].copy()), "array 'offsets' is damaged"),
        (
            dict(offsets=np.where(dataset.offsets == dataset.offsets[-1], 10**9, dataset.offsets)),
            "'offsets' is damaged",
        ),
        (dict(engine=np.full(7, "magic")), "array 'engine' is damaged"),
        (dict(times=-np.ones(7)), "array 'times' is damaged"),
        (dict(meta=np.array("{}")), "array 'meta' is damaged"),
        (dict(meta=np.array("not json")), "array 'meta' is damaged"),
        (dict(meta=np.array([{"a": 1}], dtype=object)), "not a data set"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            Dataset.load(damaged(tmp_path, dataset, **change))
        assert "bad.npz" in str(caught.value)


def test_other_files_are_refused(tmp_path, dataset):
    dataset.save(tmp_path / "good.npz")
    whole = (tmp_path / "good.npz").read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:100] + bytes(400) + whole[500:]):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"x\.npz: "):
            Dataset.load(tmp_path / "x.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    for name in ("one.npy", "none.npz"):
        with pytest.raises(UserError, match=name):
            Dataset.load(tmp_path / name)


# --- the published JSON form


def test_published_json_holds_log_parameters_start_and_time(tmp_path, network, dataset):
    dataset.to_published_json(tmp_path / "d.json", samples=20_001)
    content = json.loads((tmp_path / "d.json").read_text())
    assert len(content) == 7
    prompt, table = content[2]
    assert prompt == pytest.approx([*np.log(dataset.theta[2]), *network.start, 0.0])
    assert sum(table.values()) == 20_001 and all(isinstance(n, int) and n > 0 for n in table.values())
    found = Dataset.from_published_json(tmp_path / "d.json", network)
    assert found.theta == pytest.approx(dataset.theta) and set(found.engine) == {"imported"}
    for p, q in zip(found, dataset, strict=True):
        assert total_variation(p, q) <= len(q.weights) / 20_001
    found.to_published_json(tmp_path / "again.json", samples=20_001)
    for (prompt, table), (other, back) in zip(content, json.loads((tmp_path / "again.json").read_text()), strict=True):
        assert prompt == pytest.approx(other) and table == back


def test_parameters_that_may_be_negative_are_shifted_as_published(tmp_path, network):
    exponent = replace(network, parameters=(Parameter("k", 1, 9), Parameter("gamma", -2, 2)))
    state = Distribution.of(("X",), [[1], [2]])
    table = Dataset.of(exponent, [[3.0, -0.5], [3.0, -2.0]], [state, state])
    table.to_published_json(tmp_path / "n.json")
    content = json.loads((tmp_path / "n.json").read_text())
    assert content[0][0][:2] == pytest.approx([np.log(3), np.log(1.5)])
    found = Dataset.from_published_json(tmp_path / "n.json", exponent)  # the second entry, with ln 0, is skipped
    assert found.theta == pytest.approx(np.array([[3.0, -0.5]]))


def test_whole_numbers_keep_their_sum():
    weights = np.array([0.5, 0.25, 0.125, 0.125])
    assert dataset_json.whole_numbers(weights, 8).tolist() == [4, 2, 1, 1]
    assert dataset_json.whole_numbers(weights, 7).sum() == 7


def test_broken_json_is_refused_by_entry(tmp_path, network):
    good = [[0.1, 0.2, 0, 0.0], {"3": 5}]
    for content, message in (
        ("{", "not JSON"),
        ("[]", "expected a list"),
        ({"a": 1}, "expected a list"),
        ([good, [1]], "entry 1: expected \\[prompt"),
        ([good, [[0.1, 0.0], {"3": 5}]], "entry 1: prompt: found 2 numbers, expected 4"),
        ([[["a", 0, 0, 0], {"3": 5}]], "entry 0: prompt: expected numbers only"),
        ([[good[0], {"3_4": 5}]], "entry 0: state '3_4': expected 1 counts"),
        ([[good[0], {"-3": 5}]], "entry 0: state '-3'"),
        ([[good[0], {"3": -5}]], "entry 0: state '3': found -5"),
        ([[good[0], {}]], "entry 0: no counts"),
    ):
        (tmp_path / "b.json").write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(UserError, match=message) as caught:
            Dataset.from_published_json(tmp_path / "b.json", network)
        assert "b.json" in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        Dataset.from_published_json(tmp_path / "none.json", network)


# --- the command


def test_command_writes_a_block_and_its_json(tmp_path, capsys):
    out = tmp_path / "d.npz"
    options = dict(sets=5, seed=1, engine="ssa", simulation=SHORT, threads=1)
    for i in (1, 2):
        simulate_command.run("birth_death", tmp_path / f"{i}.npz", block=f"{i}/2", json=i == 1, **options)
    assert "2 parameter sets, 0 solved exactly, 2 simulated" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "1.json").read_text())) == 2
    simulate_command.merge([tmp_path / "2.npz", tmp_path / "1.npz"], out)
    assert same(Dataset.load(out), simulate_command.run("birth_death", out, **options))  # an earlier data set may go


def test_command_refuses_before_any_work(tmp_path):
    (tmp_path / "other.npz").write_text("mine")
    (tmp_path / "d.json").write_text("mine")
    for options, message in (
        (dict(out=tmp_path / "other.npz"), "other.npz: holds something else than a data set"),
        (dict(out=tmp_path / "d.csv"), "ending in .npz"),
        (dict(out=tmp_path / "no" / "d.npz"), "no folder that can be written"),
        (dict(json=True), "d.json is there already"),
        (dict(block="0/2"), "--block is '0/2'"),
        (dict(block="3"), "--block is '3'"),
        (dict(time="x"), "--time is 'x'"),
        (dict(threads=0), "--threads is 0"),
        (dict(sets=0), "sets: found 0"),
        (dict(sets=2, block="1/3"), "at most 2 blocks"),
        (dict(engine="magic"), "engine: found 'magic'"),
        (dict(network="birht_death"), "did you mean 'birth_death'"),
    ):
        with pytest.raises(UserError, match=message):
            simulate_command.run(**({"network": "birth_death", "out": tmp_path / "d.npz"} | options))
    assert (tmp_path / "other.npz").read_text() == "mine" and not (tmp_path / "d.npz").exists()
