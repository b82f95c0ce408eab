"""Tasks: what a YAML file means, number for number, and what is refused with which words."""

import math
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulome import paths
from regulome.circuits.task import Task
from regulome.circuits.task_file import read_task, task_from_dict
from regulome.errors import UserError
from regulome.expression import Expression

SAMPLES = 40


def pulse(k):
    """The published pulse, circuits specification 2.1."""
    return 2 * (math.exp(-k / 6) - math.exp(-k / 3))


def content(**changes):
    """A small valid task; a change to None removes the field."""
    fields = {
        "name": "toy",
        "genes": ["g1", "g2"],
        "inputs": ["I"],
        "steps": 4,
        "dt": 0.2,
        "initial": {"g1": 0.4, "g2": "trainable"},
        "cases": {"rest": {"inputs": {"I": 0.1}, "targets": {"g1": 0.4}, "stationary": True}},
    }
    fields.update(changes)
    return {name: value for name, value in fields.items() if value is not None}


def case(**changes):
    return {"full": {"inputs": {"I": 1}, "targets": {"g1": 0.5}} | changes}


def refusal(fields):
    with pytest.raises(UserError) as error:
        task_from_dict(fields, where="tasks/toy.yaml")
    assert str(error.value).startswith("tasks/toy.yaml: ")
    return str(error.value)


# ---- the task that the repository ships -----------------------------------------------------------------------------


def test_adaptation_file_gives_the_published_arrays(adaptation_task):
    task = adaptation_task
    assert (task.name, task.genes, task.inputs) == ("adaptation", ("g1", "g2"), ("I",))
    assert (task.steps, task.dt, task.loss) == (SAMPLES, 0.2, "root_sum")
    assert task.regulators == ("I", "g1", "g2")
    assert task.case_names == ("rest", "full", "random")
    assert task.input_values.shape == (3, SAMPLES, 1) and task.targets.shape == (3, SAMPLES, 2)
    for k in range(SAMPLES):
        assert task.input_values[0, k, 0] == 0.1 and task.input_values[1, k, 0] == 1
        assert task.targets[0, k, 0] == 0.4
        assert task.targets[1, k, 0] == pytest.approx(0.4 + pulse(k), abs=1e-14)
    assert np.isnan(task.targets[:, :, 1]).all(), "g2 is not observed"
    np.testing.assert_array_equal(task.initial, [0.4, np.nan])
    assert task.stationary.tolist() == [True, False, False]
    assert task.links.shape == (3, 2) and task.links.all()
    assert task.draw == {"s": (0.0, 1.0)}


def test_pulse_of_the_adaptation_file_peaks_at_one_half():
    fields = yaml.safe_load((paths.mini_data() / "tasks" / "adaptation.yaml").read_text())
    curve = Expression(fields["cases"]["full"]["targets"]["g1"], ["k"])
    top = 6 * math.log(2)
    assert float(curve(k=top)) - 0.4 == pytest.approx(0.5, abs=1e-15)
    assert float(curve(k=top - 0.01)) < float(curve(k=top)) > float(curve(k=top + 0.01))


def test_random_case_follows_the_drawn_level(adaptation_task):
    draws = np.random.default_rng(0).random((5, 1))
    inputs, targets = adaptation_task.realise(draws)
    assert inputs.shape == (5, 3, SAMPLES, 1) and targets.shape == (5, 3, SAMPLES, 2)
    for r, s in enumerate(draws[:, 0]):
        assert (inputs[r, 2] == s).all()
        for k in range(SAMPLES):
            assert targets[r, 2, k, 0] == pytest.approx(0.4 + s * pulse(k), abs=1e-14)
        np.testing.assert_array_equal(inputs[r, :2], adaptation_task.input_values[:2])
        np.testing.assert_array_equal(targets[r, :2], adaptation_task.targets[:2])
    assert np.isnan(targets[..., 1]).all()


# ---- the language of the file ----------------------------------------------------------------------------------------


def test_draws_are_scaled_to_their_range_in_the_order_of_the_file():
    fields = content(
        draw={"b": [2, 4], "a": [-1, 1]},
        cases={"one": {"inputs": {"I": "a + 10 * b"}, "targets": {"g2": "b * t"}, "at": [1, 3]}},
    )
    inputs, targets = task_from_dict(fields).realise(np.array([[0.25, 0.5], [0.0, 0.75]]))
    for r, (b, a) in enumerate([(2.5, 0.0), (2.0, 0.5)]):
        np.testing.assert_allclose(inputs[r, 0, :, 0], a + 10 * b)
        np.testing.assert_allclose(targets[r, 0, :, 1], [np.nan, b * 0.4, np.nan, b * 0.8])
    assert np.isnan(targets[:, :, :, 0]).all()


def test_time_of_sample_k_is_after_k_plus_one_steps():
    task = task_from_dict(content(cases=case(targets={"g1": "t", "g2": "k"})))
    np.testing.assert_allclose(task.targets[0, :, 0], [0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(task.targets[0, :, 1], [0, 1, 2, 3])


def test_only_the_samples_at_are_compared():
    task = task_from_dict(content(cases=case(targets={"g1": "k"}, at=[0, 3])))
    np.testing.assert_array_equal(task.targets[0, :, 0], [0, np.nan, np.nan, 3])
    last = task_from_dict(content(cases=case(targets={"g1": "k"}, at=3)))
    np.testing.assert_array_equal(last.targets[0, :, 0], [np.nan, np.nan, np.nan, 3])


def test_forbidden_links_are_absent_and_all_others_allowed():
    task = task_from_dict(content(forbid=["I -> g2", "g2->g2"]))
    np.testing.assert_array_equal(task.links, [[True, False], [True, True], [True, False]])
    fewer = task.forbid("g1 -> g1")
    np.testing.assert_array_equal(fewer.links, [[True, False], [False, True], [True, False]])
    assert task.links[1, 0], "the first task is as it was"


def test_defaults_are_zero_start_no_inputs_and_every_link():
    fields = content(inputs=None, initial=None, cases={"only": {"targets": {"g2": 0.3}}})
    task = task_from_dict(fields)
    assert task.inputs == () and task.input_values.shape == (1, 4, 0)
    np.testing.assert_array_equal(task.initial, [0, 0])
    assert task.links.shape == (2, 2) and task.links.all()
    assert task.stationary.tolist() == [False] and task.loss == "root_sum"


@pytest.mark.parametrize("dt", ["1e-1", "0.1", 0.1])
def test_a_step_written_with_an_exponent_is_a_number(dt):
    assert task_from_dict(content(dt=dt)).dt == 0.1


def test_exponent_without_a_dot_is_read_from_a_file(tmp_path):
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(content()).replace("dt: 0.2", "dt: 1e-1"))
    assert read_task(tmp_path / "task.yaml").dt == 0.1


# ---- tables ----------------------------------------------------------------------------------------------------------


def write_table_task(folder, table, **each):
    (folder / "profile.csv").write_text(table)
    fields = content(
        inputs=["Bcd"],
        initial=None,
        cases=None,
        table="profile.csv",
        each={"inputs": {"Bcd": "exp(-x / 0.2)"}, "targets": {"g1": "hb", "g2": "1 - hb"}, "at": [3]} | each,
    )
    (folder / "task.yaml").write_text(yaml.safe_dump(fields))
    return folder / "task.yaml"


def test_each_row_of_a_table_is_a_case(tmp_path):
    task = read_task(write_table_task(tmp_path, "x,hb,other\n0.1,0.9,5\n0.5,0.25,6\n0.7,0,7\n"))
    assert task.case_names == ("profile.csv row 2", "profile.csv row 3", "profile.csv row 4")
    for c, (x, hb) in enumerate([(0.1, 0.9), (0.5, 0.25), (0.7, 0.0)]):
        np.testing.assert_allclose(task.input_values[c, :, 0], [math.exp(-x / 0.2)] * 4)
        np.testing.assert_array_equal(task.targets[c, 3], [hb, 1 - hb])
    assert np.isnan(task.targets[:, :3]).all()


def test_a_corrupt_cell_is_named_with_file_row_and_column(tmp_path):
    path = write_table_task(tmp_path, "x,hb\n0.1,0.9\n0.5,0.2?\n")
    with pytest.raises(UserError) as error:
        read_task(path)
    assert str(error.value).startswith(f"{tmp_path / 'profile.csv'} row 3, column 'hb': found '0.2?'")


def test_a_column_that_the_table_lacks_is_named_with_those_it_has(tmp_path):
    path = write_table_task(tmp_path, "x,hbb\n0.1,0.9\n")
    with pytest.raises(
        UserError, match=r"task\.yaml: cases: profile\.csv row 2: targets: g1: unknown name 'hb' .*'hbb'"
    ):
        read_task(path)


def test_a_table_that_does_not_exist_is_named(tmp_path):
    path = write_table_task(tmp_path, "x,hb\n0.1,0.9\n")
    (tmp_path / "profile.csv").unlink()
    with pytest.raises(UserError, match=r"profile\.csv: no such file"):
        read_task(path)


@pytest.mark.parametrize("name", ["t", "k"])
def test_a_column_named_like_the_time_is_refused(tmp_path, name):
    path = write_table_task(tmp_path, f"x,hb,{name}\n0.1,0.9,1\n")
    with pytest.raises(UserError, match=rf"profile\.csv: columns: '{name}' is the sample number or the time"):
        read_task(path)


def test_a_table_takes_each_and_no_cases(tmp_path):
    message = refusal(content(table="profile.csv"))
    assert "a task with a table takes the field 'each'" in message


def test_a_value_of_the_table_that_makes_a_target_infinite_is_named(tmp_path):
    path = write_table_task(tmp_path, "x,hb\n0.1,0.9\n0.2,0\n", targets={"g1": "1 / hb"})
    with pytest.raises(UserError, match=r"cases: profile\.csv row 3: targets: g1: '1 / hb' is inf at"):
        read_task(path)


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cases": case(targets={"g3": 0.4})}, "cases: full: targets: 'g3' is no gene of the task (did you mean 'g"),
        ({"cases": case(targets={"I": 0.4})}, "cases: full: targets: 'I' is no gene of the task"),
        ({"cases": case(inputs={"I": 1, "J": 2})}, "cases: full: inputs: 'J' is no input of the task"),
        ({"cases": case(inputs={})}, "cases: full: inputs: no level for 'I'"),
        ({"cases": case(targets={"g1": "1 / (k - 2)"})}, "targets: g1: '1 / (k - 2)' is inf at sample k=2"),
        ({"cases": case(targets={"g1": "9 ** 9 ** 9"})}, "targets: g1: '9 ** 9 ** 9' is inf at sample k=0"),
        ({"cases": case(targets={"g1": float("nan")})}, "targets: g1: found nan, expected a finite number"),
        ({"cases": case(targets={"g1": "0.4 + q"})}, "cases: full: targets: g1: unknown name 'q' in '0.4 + q'"),
        ({"cases": case(inputs={"I": "exp(1000)"})}, "cases: full: inputs: I: 'exp(1000)' is inf at sample k=0"),
        ({"cases": case(targets=["g1"])}, "cases: full: targets: found ['g1'], expected a mapping"),
        ({"cases": case(target={"g1": 1})}, "cases: full: unknown field 'target' (did you mean 'targets'?)"),
        ({"cases": case(stationary="no")}, "cases: full: stationary: found 'no', expected true or false"),
        ({"cases": case(at=[0, 4])}, "cases: full: at: found 4, expected sample numbers from 0 to 3"),
        ({"cases": case(at=-1)}, "cases: full: at: found -1, expected sample numbers from 0 to 3"),
        ({"cases": case(at=[1.5])}, "cases: full: at: found 1.5, expected sample numbers"),
        ({"cases": case(at=True)}, "cases: full: at: found True, expected sample numbers"),
        ({"cases": case(targets={})}, "no target is compared"),
        ({"cases": case(at=[])}, "no target is compared"),
        ({"cases": {}}, "cases: found {}, expected at least one named case"),
        ({"cases": {"full": 3}}, "cases: full: found 3, expected a mapping"),
        ({"step": 4}, "unknown field 'step' (did you mean 'steps'?)"),
        ({"steps": None}, "field 'steps' is missing"),
        ({"dt": None}, "field 'dt' is missing"),
        ({"genes": None}, "field 'genes' is missing"),
        ({"name": None}, "field 'name' is missing"),
        ({"steps": 4.0}, "steps is 4.0, expected a whole number of at least 1"),
        ({"steps": "4"}, "steps is '4', expected a whole number"),
        ({"steps": True}, "steps is True, expected a whole number"),
        ({"steps": 0}, "steps is 0, expected a whole number of at least 1"),
        ({"dt": "fast"}, "dt: found 'fast', expected a finite number"),
        ({"dt": "nan"}, "dt: found 'nan', expected a finite number"),
        ({"dt": True}, "dt: found True, expected a finite number"),
        ({"dt": 0}, "dt is 0.0, expected 0 < dt < 1"),
        ({"dt": 1.5}, "dt is 1.5, expected 0 < dt < 1"),
        ({"genes": ["g1", "g1"], "initial": None}, "genes and inputs must have different names"),
        ({"inputs": ["g2"], "cases": case(inputs={"g2": 1})}, "genes and inputs must have different names"),
        ({"genes": "g1"}, "genes: found 'g1', expected a list of names"),
        ({"genes": [1, 2]}, "genes: found [1, 2], expected a list of names"),
        ({"genes": ["t", "g1"]}, "genes: 't' is the sample number or the time"),
        ({"initial": {"g3": 0.1}}, "initial: 'g3' is no gene of the task (did you mean 'g"),
        ({"initial": {"g1": "free"}}, "initial: g1: found 'free', expected a finite number"),
        ({"initial": {"g1": float("nan")}}, "initial: g1: found nan, expected a finite number"),
        ({"initial": [0.4, 0.1]}, "initial: found [0.4, 0.1]"),
        ({"draw": {"s": 1}}, "draw: s: found 1, expected [low, high]"),
        ({"draw": {"s": [0, "x"]}}, "draw: s: found 'x', expected a finite number"),
        ({"draw": {"k": [0, 1]}}, "draw: 'k' is the sample number or the time"),
        ({"forbid": ["I -> g3"]}, "forbid: link 'I -> g3' names no gene of the task: 'g3' (did you mean 'g"),
        ({"forbid": ["J -> g1"]}, "forbid: link 'J -> g1' names no regulator of the task: 'J'"),
        ({"forbid": ["g1 -> I"]}, "forbid: link 'g1 -> I' names no gene of the task: 'I'"),
        ({"forbid": ["I to g2"]}, "forbid: link 'I to g2' is not of the form 'regulator -> gene'"),
        ({"forbid": "I -> g2"}, "forbid: found 'I -> g2', expected a list of links"),
        ({"loss": "mean"}, "loss is 'mean', expected one of root_sum, root_mean"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_field(changes, expected):
    assert expected in refusal(content(**changes))


@pytest.mark.parametrize("kind", ["inputs", "targets"])
def test_a_random_case_that_is_not_finite_is_refused_when_it_is_read(kind):
    cases = case(inputs={"I": "s"})
    cases["full"][kind] = {{"inputs": "I", "targets": "g1"}[kind]: "log(s - 2)"}
    message = refusal(content(draw={"s": [0, 1]}, cases=cases))
    assert f"cases: full: {kind}: " in message and "'log(s - 2)' is nan at sample k=0" in message


def test_a_random_case_that_becomes_infinite_later_is_refused_then():
    task = task_from_dict(content(draw={"s": [0, 1]}, cases=case(targets={"g1": "1 / (s - 0.25)"})))
    with pytest.raises(UserError, match=r"g1: '.*' is inf at sample k=0, expected a finite number"):
        task.realise(np.array([[0.5], [0.25]]))


@pytest.mark.parametrize("content", [None, [], "text", 3])
def test_what_is_no_mapping_is_refused(content):
    with pytest.raises(UserError, match="expected a mapping with the fields of a task"):
        task_from_dict(content)


@pytest.fixture
def arrays(adaptation_task):
    return task_from_dict(content(cases=case()))


def test_a_target_array_with_an_infinite_level_names_gene_case_and_sample(arrays):
    targets = arrays.targets.copy()
    targets[0, 2, 1] = np.inf
    with pytest.raises(UserError, match="task 'toy': target 'g2' of case 'full' is inf at sample 2"):
        replace(arrays, targets=targets)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_an_input_array_that_is_not_finite_names_input_case_and_sample(arrays, value):
    inputs = arrays.input_values.copy()
    inputs[0, 1, 0] = value
    with pytest.raises(UserError, match=f"task 'toy': input 'I' of case 'full' is {value} at sample 1"):
        replace(arrays, input_values=inputs)


@pytest.mark.parametrize("links", [np.ones((2, 2), bool), np.ones((3, 3), bool), np.ones((3, 2)), np.ones(6, bool)])
def test_a_links_mask_of_wrong_shape_or_type_is_refused(arrays, links):
    with pytest.raises(UserError, match=r"links mask has shape .* and type .*, expected \(3 regulators, 2 genes\)"):
        arrays.with_links(links)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"targets": np.zeros((1, 4, 3))}, r"targets have shape \(1, 4, 3\), expected \(cases, steps, 2 genes\)"),
        ({"targets": np.zeros(4)}, r"targets have shape \(4,\)"),
        ({"input_values": np.zeros((1, 3, 1))}, r"inputs have shape \(1, 3, 1\), expected \(1, 4, 1\)"),
        ({"initial": np.zeros(3)}, r"initial state has shape \(3,\), expected \(2,\)"),
        ({"initial": np.array([0, np.inf])}, "initial state is .*, expected finite levels"),
        ({"stationary": np.zeros(2, bool)}, "one name and one stationary flag a case are needed, for 1 cases"),
        ({"case_names": ("a", "b")}, "one name and one stationary flag a case are needed"),
        ({"targets": np.full((1, 4, 2), np.nan)}, "no target is compared"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(arrays, changes, expected):
    with pytest.raises(UserError, match=f"task 'toy': {expected}"):
        replace(arrays, **changes)


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\ngenes: [g1\nsteps: 3\n", "not valid YAML at line 3"),
        ("name: a\n\tsteps: 3\n", "not valid YAML at line 2"),
        ("name: a\nsteps: 3\nsteps: 4\n", "row 3: 'steps' appears twice"),
        ("cases:\n  full: {}\n  rest: {}\n  full: {}\n", "row 4: 'full' appears twice"),
        ("", "found NoneType, expected a mapping"),
        ("- a\n", "found list, expected a mapping"),
        ("name: \x00\n", "not valid YAML"),
        ("? [a]\n: 1\n", "not valid YAML"),
        ("name: !!python/name:os.system\n", "not valid YAML"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, text, expected):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_task(path)
    assert str(error.value).startswith(str(path)) and expected in str(error.value)


def test_a_missing_file_a_folder_and_bytes_are_refused(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: gr\u00f6\u00dfe".encode("latin-1"))
    for name, expected in (("none.yaml", "cannot be read"), ("", "cannot be read"), ("latin.yaml", "not UTF-8 text")):
        with pytest.raises(UserError, match=expected):
            read_task(tmp_path / name)


def test_a_mistake_that_only_shows_in_the_whole_task_still_names_the_file(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text(yaml.safe_dump(content(dt=2)))
    with pytest.raises(UserError) as error:
        read_task(path)
    assert str(error.value).startswith(f"{path}: task 'toy': dt is 2.0")


texts = st.one_of(st.text(max_size=6), st.sampled_from(["g1", "k / 0", "I -> g2"]))
names = st.sampled_from(["g1", "g2", "I", "s", "x"])
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 50), st.floats(), texts),
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(names, part, max_size=3)),
    max_leaves=6,
)
fields_of_a_task = ("name", "genes", "inputs", "steps", "dt", "initial", "draw", "cases", "forbid", "loss", "extra")
places = st.sampled_from(
    [(name,) for name in fields_of_a_task]
    + [("cases", "rest"), ("cases", "rest", "inputs"), ("cases", "rest", "targets"), ("cases", "rest", "at")]
    + [("cases", "rest", "stationary"), ("cases", "rest", "targets", "g1"), ("draw", "s"), ("initial", "g1")]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=places, value=junk)
def test_any_value_anywhere_gives_a_task_or_one_message(place, value):
    fields = content(draw={"s": [0, 1]})
    target = fields
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    try:
        task = task_from_dict(fields, where="f.yaml")
    except UserError as error:
        assert str(error).startswith("f.yaml: ")
    else:
        assert isinstance(task, Task)
        assert np.isfinite(task.realise(np.full((1, len(task.draw)), 0.5))[0]).all()
