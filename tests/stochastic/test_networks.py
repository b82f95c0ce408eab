"""The example networks are those of the publication; names and files are found; bounds follow from moments."""

import json

import numpy as np
import pytest

from regulome import paths
from regulome.errors import UserError
from regulome.stochastic import network_command, networks
from regulome.stochastic.checks import examine
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.network_json import from_json

# bounds of the published weights; other boxes or bounds are said in the files
PUBLISHED = {
    "gene_expression": [2, 100, 580],
    "afl": [2, 149],
    "cascade": [113, 62, 42, 33, 28, 24, 22, 19, 18, 90],
    "splicing": [2, 429, 430],
    "splicing_gamma": [2, 251, 250],
    "sirs": [242, 190, 130],
    "toggle": [2, 2, 342, 342],
}


def test_there_are_eleven_examples_and_each_says_what_it_is():
    found = networks.examples()
    assert set(found) == set(PUBLISHED) | {"autoregulation", "telegraph", "birth_death", "two_stage"}
    assert all(len(about) > 40 for about in found.values())
    for name in found:
        network = networks.load(name)
        assert network.name == name and set(network.bounds) == set(network.recorded)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_bounds_are_the_published_ones(name):
    network = networks.load(name)
    assert [network.bounds[state] for state in network.recorded] == PUBLISHED[name]


def propensities(name, counts, theta):
    return networks.load(name).propensities(np.array(counts), np.array(theta, float)).tolist()


def test_propensities_of_the_published_models_by_hand():
    assert propensities("sirs", [10, 5, 3], [2, 0.1, 0.2, 0.3, 0.05, 0.06, 0.07]) == pytest.approx(
        [2, 0.1 * 50, 0.2 * 5, 0.3 * 3, 0.5, 0.3, 0.21]
    )
    assert propensities("toggle", [0, 1, 4, 7], [2, 3, 0.5, 1, 0.6, 9, 8, 0.1, 0.2]) == pytest.approx(
        [2 / (9 + 49), 0, 0, 0.6, 0, 8, 0.4, 1.4]
    )
    assert propensities("afl", [0, 6], [2, 0.1, 3, 50]) == pytest.approx([2, 0, 0, 50, 6])
    assert propensities("afl", [1, 6], [2, 0.1, 3, 50]) == pytest.approx([0, 0.6, 3, 0, 6])
    kon, k, koff, ksyn, kdeg = 2, 4, 0.5, 10, 0.3
    for n in (-2.0, 1.0):  # n > 0 represses: less switching on with more mRNA
        expected = kon * k**n / (8**n + k**n) + 0.1
        found = propensities("autoregulation", [0, 1, 8], [kon, k, n, koff, ksyn, kdeg])
        assert found == pytest.approx([expected, 0, 0, 2.4])
    assert propensities("cascade", [3, 0, 2, *[0] * 6, 5], [7, 0.5, 0.25])[:4] == pytest.approx([7, 1.5, 0, 1])


def test_the_corner_of_the_cascade_that_lies_above_its_bound_is_said():
    network = networks.load("cascade")
    assert network.box[:, 1].tolist() == [20, 1, 1]
    assert "mean of 100" in networks.examples()["cascade"]  # rho / (k + delta) = 20 / 0.2


def test_a_network_is_found_by_name_and_by_file(tmp_path):
    by_name = networks.load("telegraph")
    copy = tmp_path / "mine.JSON"
    copy.write_text((networks.folder() / "telegraph.json").read_text(encoding="utf-8"), encoding="utf-8")
    assert networks.load(str(copy)).events == by_name.events


@pytest.mark.parametrize(
    "name, said",
    [
        ("telegraf", r"did you mean 'telegraph'\?"),
        ("net.txt", "expected a .json, .xml or .sbml file"),
        ("", "expected a"),
    ],
)
def test_an_unknown_name_is_refused_with_what_there_is(name, said):
    with pytest.raises(UserError, match=said):
        networks.load(name)


def test_derived_bounds_are_mean_plus_three_sd_over_the_box():
    pytest.importorskip("regulome.stochastic.engine")
    network = StateTransitionNetwork(
        "p", ("ON", "OFF", "X"),
        (Event("a", {"ON": 1, "OFF": -1}, "OFF"), Event("b", {"ON": -1, "OFF": 1}, "ON"),
         Event("c", {"X": 1}, "k"), Event("d", {"X": -1}, "X")),
        (Parameter("k", 4, 25),), {"ON": 1}, recorded=("ON", "X"),
    )  # fmt: skip
    found = networks.derive_bounds(network, sets=8, seed=1)
    largest = network.sample_box(8, 1).max()  # X is Poisson with mean k
    assert found.bounds == {"ON": 2, "X": int(np.floor(largest + 3 * np.sqrt(largest))) + 1}
    kept = networks.derive_bounds(network.with_bounds(X=7), sets=2)
    assert kept.bounds == {"ON": 2, "X": 7}


def test_the_network_in_the_documentation_is_read_and_has_no_mistakes():
    text = (paths.root() / "docs" / "your-own-network.md").read_text(encoding="utf-8")
    content = json.loads(text.split("```json")[1].split("```")[0])
    network = from_json(content)
    assert network.recorded == ("ON", "mRNA") and network.parameter_names == ("kon", "koff", "ksyn", "kdeg")
    assert [finding.level for finding in examine(network)] == ["note"]


# --- the command


def test_the_command_shows_a_network_and_what_is_odd_about_it(capsys):
    network_command.run("sirs")
    said = capsys.readouterr().out
    assert "sirs: 3 states, 7 events, 7 parameters" in said
    assert "infection         S -1, I +1                kS * S * I" in said
    assert "warning: I can die out" in said
    network_command.list_examples()
    assert "toggle: Toggle switch" in capsys.readouterr().out


def test_the_command_turns_json_into_sbml_and_back(tmp_path, capsys):
    network_command.run("two_stage", tmp_path / "m.xml", value=["kp=2.5"])
    network_command.run(str(tmp_path / "m.xml"), tmp_path / "m.json", infer=["kr=0.5:5", "dm=0.5:2"])
    back = networks.load(tmp_path / "m.json")
    assert back.parameters == (Parameter("kr", 0.5, 5), Parameter("dm", 0.5, 2))
    assert back.constants["kp"] == 2.5 and back.constants["dp"] == pytest.approx(0.35)
    assert back.propensities(np.array([3, 4]), np.array([1.0, 2.0])) == pytest.approx([1, 6, 7.5, 1.4])
    assert "constants: kp = 2.5" in capsys.readouterr().out


def test_the_command_refuses_a_network_with_a_mistake_and_writes_nothing(tmp_path):
    text = (networks.folder() / "sirs.json").read_text(encoding="utf-8").replace('"δS * S"', '"δS"')
    (tmp_path / "printed.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"event 'death of S'.*make 'S' negative"):
        network_command.run(str(tmp_path / "printed.json"), tmp_path / "out.xml")
    assert not (tmp_path / "out.xml").exists()


@pytest.mark.parametrize(
    "options, said",
    [
        ({"write": "m.txt"}, "ends in .json, .xml or .sbml"),
        ({"write": "m.json", "value": ["kon=1"]}, "--value is for SBML"),
        ({"write": "none/m.json"}, "there is no folder"),
        ({"write": "there.json"}, "is there already"),
        ({"write": "m.xml", "value": ["kom=1"]}, r"unknown parameter 'kom' \(did you mean 'kon'\?\)"),
        ({"write": "m.xml", "value": ["kon"]}, "--value kon: expected NAME="),
        ({"write": "m.xml", "value": ["kon=much"]}, "found 'much', expected a number"),
        ({"infer": ["kon=1:2"]}, "--infer is for SBML"),
        ({"infer": ["kon=1"]}, "found '1', expected LOW:HIGH"),
    ],
)
def test_options_that_are_no_good_are_refused(options, said, tmp_path, capsys):
    (tmp_path / "there.json").write_text("{}")
    if "write" in options:
        options = options | {"write": tmp_path / options["write"]}
    with pytest.raises(UserError, match=said):
        network_command.run("telegraph", **options)
