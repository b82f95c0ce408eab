"""The published JSON form with all its keys is read and written without loss; every mistake is named with its place."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.errors import UserError
from regulome.stochastic import networks
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Trigger, Waiting
from regulome.stochastic.network_json import from_json, parse, read_file, read_network, to_json, write_network

# The tutorial as it is printed: without state_upper_bound and observed_data_indices.
PRINTED = {
    "state_names": ["ON", "OFF", "mRNA", "Protein"],
    "events": [
        {"state_transition": {"OFF": -1, "ON": 1}, "event_rates": "kon*OFF"},
        {"state_transition": {"ON": -1, "OFF": 1}, "event_rates": "koff*ON"},
        {"state_transition": {"mRNA": 1}, "event_rates": "ksynon*ON", "drive_state": "ON"},
        {"state_transition": {"mRNA": 1}, "event_rates": "ksynoff*OFF", "drive_state": "OFF"},
        {"state_transition": {"Protein": 1}, "event_rates": "ksynM*mRNA", "drive_state": "mRNA"},
        {"state_transition": {"mRNA": -1}, "event_rates": "kdegM*mRNA"},
        {"state_transition": {"Protein": -1}, "event_rates": "kdegP*Protein"},
    ],
    "parameters": {
        "param_names": ["kon", "koff", "ksynon", "ksynoff", "ksynM", "kdegM", "kdegP"],
        "lower_bound_val": [0.01, 0.01, 0.01, 0.01, 0.01, 0.2, 0.2],
        "upper_bound_val": [0.1, 0.1, 10, 10, 2, 0.5, 0.4],
    },
    "model_name": "ts_txl",
    "initial_val": [1, 0, 0, 0],
    "t_end": 6000,
    "train_data_size": 10000,
    "valid_data_size": 1000,
    "dataset_dir": "./dataset",
    "minimal_state_indices": [1, 3, 4],
}


def changed(path, value):
    """The printed file with one entry replaced; the last step of the path is a key or an index."""
    content = copy.deepcopy(PRINTED)
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return content


def test_the_printed_tutorial_is_read_and_what_it_leaves_open_is_said():
    found = parse(PRINTED, "tutorial.json")
    network = found.network
    assert network.recorded == network.observed == ("ON", "mRNA", "Protein")  # indices count from 1
    assert network.bounds == {} and network.initial["ON"] == 1
    assert found.settings == {
        "t_end": 6000,
        "train_data_size": 10000,
        "valid_data_size": 1000,
        "dataset_dir": "./dataset",
    }
    assert [event.name for event in network.events[:4]] == ["OFF -> ON", "ON -> OFF", "0 -> mRNA", "0 -> mRNA (2)"]
    said = " / ".join(found.notes)
    assert "state_upper_bound is not given for ON, mRNA, Protein" in said
    assert "observed_data_indices is not given: all recorded" in said


def test_the_example_is_the_tutorial_with_what_it_lacks():
    example, printed = networks.load("gene_expression"), from_json(PRINTED)
    assert example.states == printed.states and example.parameters == printed.parameters
    assert (example.stoichiometry == printed.stoichiometry).all()
    assert [str(e.rate).replace(" ", "") for e in example.events] == [e.rate for e in printed.events]
    assert example.bounds == {"ON": 2, "mRNA": 100, "Protein": 580}


@pytest.mark.parametrize("name", sorted(networks.examples()))
def test_examples_survive_writing_and_reading(name, tmp_path):
    first = read_file(networks.folder() / f"{name}.json")
    write_network(first.network, tmp_path / "copy.json", first.about, first.settings)
    second = read_file(tmp_path / "copy.json")
    assert (second.about, second.settings) == (first.about, first.settings)
    assert to_json(second.network) == to_json(first.network)
    assert second.network.events == first.network.events and second.network.bounds == first.network.bounds


def test_every_key_of_ours_survives_writing_and_reading(tmp_path):
    network = StateTransitionNetwork(
        name="all",
        states=("A", "lambda", "δ"),
        events=(
            Event("make it", {"A": 2}, "k * mu^2"),
            Event("wait", {"A": -1, "δ": 1}, waiting=Waiting("a", "2 / k")),
            Event("number", {"lambda": 1}, 0.5),
        ),
        parameters=(Parameter("k", 0.1, 2), Parameter("a", -1, 3)),
        initial={"lambda": 4},
        recorded=("δ", "A"),
        bounds={"A": 7},
        observed=("A",),
        constants={"mu": 0.25},
        derived={"total": "A + δ"},
        triggers=(Trigger("late", "time >= 25", {"A": "0", "δ": 3}),),
        time=12.5,
    )
    write_network(network, tmp_path / "n.json")
    back = read_network(tmp_path / "n.json")
    for name in (
        "states",
        "events",
        "parameters",
        "recorded",
        "bounds",
        "observed",
        "constants",
        "derived",
        "triggers",
        "time",
    ):
        assert getattr(back, name) == getattr(network, name), name
    assert back.start.tolist() == [0, 4, 0]


names = st.text("abcδσXYZ_", min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(states=st.lists(names, min_size=1, max_size=5, unique=True), data=st.data())
def test_any_network_survives_writing_and_reading(states, data):
    states = [f"s{name}" for name in states]
    change = st.dictionaries(st.sampled_from(states), st.integers(-3, 3), max_size=3)
    events = [
        Event(f"e{i}", entry, f"k * {data.draw(st.sampled_from(states))}^2 + 1.5")
        for i, entry in enumerate(data.draw(st.lists(change, max_size=4)))
    ]
    recorded = data.draw(st.lists(st.sampled_from(states), min_size=1, unique=True))
    bounds = data.draw(st.dictionaries(st.sampled_from(recorded), st.integers(1, 900)))
    low = data.draw(st.floats(-5, 5))
    network = StateTransitionNetwork(
        "n", tuple(states), tuple(events), (Parameter("k", low, low + 1),), recorded=tuple(recorded), bounds=bounds
    )
    back = from_json(json.loads(json.dumps(to_json(network))))
    assert (back.states, back.events, back.parameters) == (network.states, network.events, network.parameters)
    assert (back.recorded, back.bounds) == (network.recorded, network.bounds)


def test_names_and_mappings_may_take_the_place_of_lists():
    content = copy.deepcopy(PRINTED)
    del content["minimal_state_indices"]
    lists = content["parameters"]
    content |= {
        "recorded": ["mRNA", "Protein"], "observed": ["Protein"], "initial_val": {"ON": 1},
        "state_upper_bound": {"Protein": 580},
        "parameters": {n: [a, b] for n, a, b in zip(*lists.values(), strict=True)},
    }  # fmt: skip
    network = from_json(content)
    assert network.recorded == ("mRNA", "Protein") and network.observed == ("Protein",)
    assert network.bounds == {"Protein": 580} and network.initial == {"ON": 1}
    assert network.parameters == from_json(PRINTED).parameters


def test_a_parameter_that_may_be_negative_is_noted_as_linear():
    found = parse(changed(("parameters", "lower_bound_val", 2), -1))
    assert any("ksynon stands as itself" in note for note in found.notes)
    assert [p.log for p in found.network.parameters] == [True, True, False, True, True, True, True]


MISTAKES = {
    "unknown key": (PRINTED | {"state_name": []}, r"unknown key 'state_name' \(did you mean 'state_names'\?\)"),
    "unknown key of an event": (
        changed(("events", 1, "rate_expression"), "x"),
        r"events\[1\]: unknown key 'rate_expression'",
    ),
    "missing key": ({k: v for k, v in PRINTED.items() if k != "events"}, "key 'events' is missing"),
    "list of networks": ([PRINTED], "found .*, expected a mapping"),
    "text for a list": (changed(("state_names",), "ON"), 'state_names: found "ON", expected a list'),
    "number for a name": (changed(("state_names", 2), 7), r"state_names\[2\]: found 7, expected text"),
    "no states": (PRINTED | {"state_names": []}, "state_names: found an empty list"),
    "two states of one name": (changed(("state_names", 3), "mRNA"), r"state_names\[3\]: 'mRNA' is given twice"),
    "index from 0": (changed(("minimal_state_indices", 0), 0), r"minimal_state_indices\[0\]: found 0.*1 to 4.*from 1"),
    "index too large": (changed(("minimal_state_indices", 2), 5), r"minimal_state_indices\[2\]: found 5"),
    "index no whole number": (changed(("minimal_state_indices", 1), 2.5), r"indices\[1\]: found 2\.5"),
    "index true": (changed(("minimal_state_indices", 1), True), r"indices\[1\]: found True"),
    "index twice": (changed(("minimal_state_indices", 1), 1), r"indices\[1\]: 1 \(ON\) is given twice"),
    "no index": (changed(("minimal_state_indices",), []), "found an empty list"),
    "indices and names": (PRINTED | {"recorded": ["ON"]}, "'minimal_state_indices' and 'recorded', which say the same"),
    "observed but not recorded": (
        PRINTED | {"observed_data_indices": [2, 3]},
        r"observed state 'OFF' is not recorded.*if mRNA, Protein is meant, name them with 'observed'",
    ),
    "unknown state": (
        changed(("events", 0, "state_transition"), {"OF": -1}),
        r"events\[0\]: state_transition: unknown state 'OF' \(did you mean 'OFF'\?\)",
    ),
    "half a molecule": (
        changed(("events", 0, "state_transition"), {"OFF": -0.5}),
        r"events\[0\]: state_transition: OFF: found -0\.5, expected a whole number",
    ),
    "no rate": (
        changed(("events", 0), {"state_transition": {}}),
        r"events\[0\]: expected either 'event_rates' or 'waiting'",
    ),
    "rate of the wrong type": (changed(("events", 0, "event_rates"), ["kon"]), r"events\[0\]: event_rates: found"),
    "unknown name in a rate": (
        changed(("events", 0, "event_rates"), "konn*OFF"),
        r"unknown name 'konn' in 'konn\*OFF' \(did you mean 'kon'\?\)",
    ),
    "code in a rate": (changed(("events", 0, "event_rates"), "().__class__"), "is not arithmetic"),
    "drive state that does not drive": (
        changed(("events", 2, "event_rates"), "ksynon"),
        r"events\[2\]: drive_state 'ON' does not occur.*'ksynon \* ON'",
    ),
    "drive state that changes": (
        changed(("events", 0, "drive_state"), "OFF"),
        r"events\[0\]: drive_state 'OFF' is changed",
    ),
    "drive state unknown": (changed(("events", 2, "drive_state"), "On"), r"drive_state: unknown state 'On'"),
    "event name twice": (
        changed(("events", 1), {"name": "OFF -> ON", "state_transition": {}, "event_rates": 1}),
        r"events\[1\]: name: 'OFF -> ON' is the name of an event before it",
    ),
    "lists of different length": (
        changed(("parameters", "upper_bound_val"), [1, 2]),
        "upper_bound_val: found 2 entries, expected 7",
    ),
    "bound of the wrong type": (
        changed(("parameters", "lower_bound_val", 3), "0.1"),
        r'lower_bound_val\[3\]: found "0.1", expected a number',
    ),
    "empty box": (changed(("parameters", "lower_bound_val", 0), 3), r"parameter 'kon': found the box \[3, 0\.1\]"),
    "unknown part of parameters": (
        changed(("parameters", "upper_bound"), []),
        r"parameters: unknown key 'upper_bound'",
    ),
    "box of three": (
        changed(("parameters",), {"k": [1, 2, 3]}),
        r"parameters: k: found \[1, 2, 3\], expected \[low, high\]",
    ),
    "too few initial values": (changed(("initial_val",), [1, 0]), "initial_val: found 2 entries, expected 4"),
    "negative initial value": (changed(("initial_val", 2), -1), "initial count of 'mRNA': found -1"),
    "broken initial value": (changed(("initial_val", 2), 0.5), r"initial_val\[2\] \(mRNA\): found 0\.5"),
    "too few bounds": (PRINTED | {"state_upper_bound": [2, 100]}, "state_upper_bound: found 2 entries, expected 3"),
    "bound of zero": (PRINTED | {"state_upper_bound": [2, 0, 580]}, "bound of 'mRNA': found 0"),
    "bound of a state that is not recorded": (
        PRINTED | {"state_upper_bound": {"OFF": 2}},
        "state_upper_bound: unknown state 'OFF'",
    ),
    "settings": (PRINTED | {"train_data_size": "many"}, 'train_data_size: found "many", expected a whole number'),
    "time": (PRINTED | {"time": "now"}, 'time: found "now", expected a number'),
    "constant": (PRINTED | {"constants": {"c": None}}, "constants: c: found null, expected a number"),
    "trigger": (PRINTED | {"triggers": [{"condition": "time > 3"}]}, r"triggers\[0\]: key 'assignments' is missing"),
    "waiting": (
        changed(("events", 5), {"state_transition": {"mRNA": -1}, "waiting": {"shape": 2}}),
        r"events\[5\]: waiting: key 'mean' is missing",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_named_with_file_field_and_place(kind):
    content, said = MISTAKES[kind]
    with pytest.raises(UserError, match=said) as caught:
        from_json(content, "net.json")
    assert str(caught.value).startswith("net.json") and "\n" not in str(caught.value)


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.sampled_from(["ON", "kon", "", "a b", "2"])
    ),
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(st.sampled_from(["ON", "shape", "x"]), part)),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_anything_in_any_place_is_read_or_refused_in_one_line(data):
    content = copy.deepcopy(PRINTED) | {"triggers": [{"condition": "time > 2", "assignments": {"ON": "1"}}]}
    content |= {"state_upper_bound": [2, 100, 580], "derived": {"d": "ON"}, "constants": {"c": 1}, "time": 3}
    place, key = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(anything)
    try:
        from_json(content, "net.json")
    except UserError as error:
        assert str(error).startswith("net.json") and "\n" not in str(error)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "the file is empty"),
        ("{'a': 1}", r"not JSON, line 1 column 2"),
        ('{"state_names": ["X"],\n "events": [}', r"not JSON, line 2 column 13"),
        ('{"state_names": ["X"], "state_names": ["Y"], "events": []}', "key 'state_names' is given twice"),
        ('{"events": [{"event_rates": 1, "event_rates": 2}]}', "key 'event_rates' is given twice"),
        ('{"state_names": ["X"], "events": [], "t_end": NaN}', "found NaN, expected a finite number"),
        ('{"state_names": ["X"], "events": [], "t_end": 1e999}', "t_end: found Infinity, expected a number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_broken_files_are_refused_with_the_line(text, said, tmp_path):
    (tmp_path / "net.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said) as caught:
        networks.load(tmp_path / "net.json")
    assert "net.json" in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: cannot be read"):
        read_network(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_network(tmp_path / "bad.json")


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    (tmp_path / "net.json").write_text("\ufeff" + json.dumps(PRINTED), encoding="utf-8")
    assert read_network(tmp_path / "net.json").name == "ts_txl"
