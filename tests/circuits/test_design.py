"""The command that designs a circuit: measure, choice, files, messages; and one whole run on a small task."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from regulome import cli, paths
from regulome.circuits import codes, design_command, design_files
from regulome.circuits.codes import in_words
from regulome.circuits.design import CircuitSearch, DesignSettings, first_candidates, perturbed, topology_table
from regulome.circuits.design_bench import bench
from regulome.circuits.hill_fit import HillCircuits
from regulome.circuits.task_file import read_task, task_from_dict
from regulome.errors import UserError

TASKS = ("adaptation", "band_pass", "controlled_oscillation", "pulse", "ratchet", "toggle")
SMALL = {
    "name": "rise",
    "genes": ["g1", "g2"],
    "inputs": ["I"],
    "steps": 12,
    "dt": 0.25,
    "cases": {
        "off": {"inputs": {"I": 0}, "targets": {"g1": 0}, "stationary": True},
        "on": {"inputs": {"I": 1}, "targets": {"g1": "0.7 * (1 - exp(-t))"}},
    },
}
YAML = """
name: rise
genes: [g1, g2]
inputs: [I]
steps: 12
dt: 0.25
cases:
  "off": {inputs: {I: 0}, targets: {g1: 0}, stationary: true}
  "on":  {inputs: {I: 1}, targets: {g1: "0.7 * (1 - exp(-t))"}}
"""
QUICK = {"replicates": 4, "updates": 150, "noise": 0.0, "seed": 5}


@pytest.fixture
def layout():
    return bench(task_from_dict(SMALL), seed=1)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_of_the_repository_has_something_to_design(name):
    found = bench(read_task(paths.mini_data() / "tasks" / f"{name}.yaml"), seed=1)
    assert found.baseline > 0.3
    assert len(found.names) == len(set(found.names)) == len(found.inputs)


def test_the_exact_circuit_explains_everything_and_a_silent_one_less_than_nothing(layout):
    signs = codes.decode(["+00000", "000000"], 1)  # I -> g1: dg/dt = b I^2 / (K^2 + I^2) - g is the target itself
    b, k = np.where(signs > 0, 0.7 * 1.25, 0.0), np.where(signs != 0, 0.5, 1.0)
    r2 = layout.of_circuits(HillCircuits(signs, b, k, np.zeros((2, 2))))
    assert r2[0] > 1 - 1e-6
    assert r2[1] < 0
    still = np.nanmean(layout.targets[..., 0])
    error = np.sqrt(np.nansum(np.square(layout.targets[..., 0] - still)))
    assert layout.baseline == pytest.approx(error, rel=1e-6)


def test_constant_targets_are_refused():
    content = SMALL | {"cases": {"on": {"inputs": {"I": 1}, "targets": {"g1": 0.4}}}}
    with pytest.raises(UserError, match="same level"):
        bench(task_from_dict(content), seed=1)


def test_topologies_are_counted_with_their_intervals(layout):
    signs = codes.decode(["+00000"] * 3 + ["++0000"], 1)
    table = topology_table(layout, signs, np.array([0.9, 0.95, 0.1, 0.99]))
    assert table["topology"].tolist() == ["+00000", "++0000"]
    assert table["networks"].tolist() == [3, 1] and table["learned"].tolist() == [2, 1]
    first = table.iloc[0]
    # Wilson's interval for 3 of 4, from the formula
    z, p, n = 1.959964, 0.75, 4
    centre, half = (p + z**2 / 2 / n) / (1 + z**2 / n), z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2) / (1 + z**2 / n)
    assert (first.low, first.high) == pytest.approx((centre - half, centre + half), abs=1e-5)
    assert in_words(signs[3], ("I", "g1", "g2"), ("g1", "g2")) == "I -> g1, I -> g2"


def test_hidden_genes_are_tried_the_other_way_round(layout):
    table = topology_table(layout, codes.decode(["++00-0"], 1), np.array([0.9]))
    signs, origins = first_candidates(layout, table, 8)
    assert dict(zip(codes.encode(signs), origins, strict=True)) == {"++00-0": "read out", "+-00+0": "reversed"}


def test_links_that_do_nothing_are_pruned(layout):
    settings = DesignSettings(restarts=16, fit_updates=150, seed=1)
    search = CircuitSearch(layout, settings, lambda *_: None)
    search.add(codes.decode(["++000+"], 1), ["read out"])
    search.prune()
    assert search.choice() == "+00000"
    table = search.table()
    assert table["chosen"].sum() == 1 and table["topology"].is_unique
    assert set(table["origin"]) == {"read out", "pruned"}


def test_a_better_circuit_beats_a_simpler_one_only_beyond_the_tolerance(layout):
    search = CircuitSearch(layout, DesignSettings(), lambda *_: None)
    search.rows = [
        {"topology": "a", "links": 5, "r2": 0.99},
        {"topology": "b", "links": 3, "r2": 0.975},
        {"topology": "c", "links": 2, "r2": 0.95},
    ]
    assert search.choice() == "b"


def test_perturbed_circuits_vary_by_a_fifth():
    signs = codes.decode(["++00-0"], 1)
    one = HillCircuits(signs, np.where(signs > 0, 2.0, 0.0), np.full(signs.shape, 0.5), np.zeros((1, 2)))
    many = perturbed(one, seed=1, count=4000)
    assert np.log(many.k / 0.5).std() == pytest.approx(0.2, rel=0.03)
    assert (many.b[:, 2] == 0).all() and np.median(many.b[:, 0]) == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(
    ("content", "force", "message"),
    [(["notes.txt"], False, "notes.txt"), (["notes.txt"], True, None), ([], False, None)],
)
def test_a_folder_of_something_else_is_left_alone(tmp_path, content, force, message):
    for name in content:
        (tmp_path / name).write_text("mine")
    if message:
        with pytest.raises(UserError, match=message):
            design_files.check(tmp_path, force)
    else:
        design_files.check(tmp_path, force)
    assert all((tmp_path / name).read_text() == "mine" for name in content)


def test_a_mistake_in_the_task_ends_with_one_message_and_touches_nothing(tmp_path, capsys):
    file = tmp_path / "task.yaml"
    file.write_text(YAML.replace("targets", "target"))
    with pytest.raises(UserError, match=r"task.yaml: cases: off: unknown field 'target' \(did you mean 'targets'\?\)"):
        design_command.run(file, tmp_path / "out", QUICK, 1, False)
    file.write_text(YAML)
    with pytest.raises(UserError, match="replicates is 0"):
        design_command.run(file, tmp_path / "out", QUICK | {"replicates": 0}, 1, False)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run by the command line: the result and its folder."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("design")
    (folder / "rise.yaml").write_text(YAML)
    options = [f"--{name}={value}" for name, value in QUICK.items()]
    command = ["design", str(folder / "rise.yaml"), "--out", str(folder / "out"), "--threads", "1", *options]
    return CliRunner().invoke(cli.app, command), folder, command


def test_the_command_leaves_a_circuit_that_does_the_task(finished):
    result, folder, _ = finished
    assert result.exit_code == 0, result.output
    assert "Validated" in result.output
    out = folder / "out"
    listed = json.loads((out / "design.json").read_text())["files"]
    assert sorted(p.name for p in out.iterdir()) == listed
    assert {"circuit.xml", "circuit.graphml", "circuit.json", "topologies.csv", "design.png"} <= set(listed)
    circuit = json.loads((out / "circuit.json").read_text())
    assert {"regulator": "I", "target": "g1"}.items() <= circuit["links"][0].items()
    graph = ElementTree.parse(out / "circuit.graphml").getroot()
    assert sum(element.tag.endswith("edge") for element in graph.iter()) == len(circuit["links"])
    assert pd.read_csv(out / "topologies.csv", dtype={"topology": str})["networks"].sum() == 4
    assert not [name for name in folder.iterdir() if name.name.startswith(".design-")]


def test_the_sbml_file_runs_the_curve_of_the_figure(finished):
    roadrunner = pytest.importorskip("roadrunner")
    out = finished[1] / "out"
    run = roadrunner.RoadRunner(str(out / "circuit.xml"))
    run["I"] = 1.0  # constant inputs: the level itself can be set
    run.integrator.relative_tolerance, run.integrator.absolute_tolerance = 1e-9, 1e-12
    found = np.array(run.simulate(0, 3, 13, ["g1"]))[1:, 0]
    drawn = pd.read_csv(out / "design.csv").query("case == 'on' and gene == 'g1'")
    np.testing.assert_allclose(found, drawn["hill_circuit"], atol=1e-4)
    assert found[-1] > 0.5


def test_a_second_run_gives_the_same_bytes_and_clears_what_is_left_over(finished):
    _, folder, command = finished
    out = folder / "out"
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    manifest = json.loads(before["design.json"])
    (out / "old.csv").write_text("of an earlier version")
    (out / "design.json").write_text(json.dumps(manifest | {"files": [*manifest["files"], "old.csv"]}))
    assert CliRunner().invoke(cli.app, command).exit_code == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_a_circuit_that_fails_is_said_to_fail(tmp_path):
    # no link from the input to a gene: the two cases cannot differ
    file = tmp_path / "task.yaml"
    file.write_text(YAML + "forbid: [I -> g1, I -> g2]\n")
    options = [f"--{name}={value}" for name, value in (QUICK | {"updates": 20}).items()]
    command = ["design", str(file), "--out", str(tmp_path / "out"), "--threads", "1", *options]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 3
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "NOT validated" in summary and "No network learned the task" in summary
