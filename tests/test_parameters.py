"""Parameters are checked before anything runs; a mistake is named with file, key, found and expected."""

import pytest

from regulome import parameters
from regulome.errors import UserError

SLUG = "90_example"
CELL = """
# %% [markdown]
# # Example

# %% tags=["parameters"]
profile: str = "mini"  # mini or paper (one of: mini, paper)
replicates: int = 8  # independent trainings (>= 1)
rate: float = 1e-3  # learning rate (of Adam) in each step (0 < x <= 1)
layers: list[int] = [10, 10]  # hidden units of each layer (x >= 1)
limit: float | None = None  # largest expression (> 0)
sparse: bool = False  # remove links one after another
names: list[str] = [  # genes (one of: hb, Kr, kni)
    "hb",
]

# %%
print("this line must never run")
"""
GOOD = {
    "profile": "mini",
    "replicates": "8",
    "rate": "0.001",
    "layers": "[10, 10]",
    "limit": "null",
    "sparse": "false",
    "names": "[hb]",
}


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A checkout with one notebook script; returns a function that writes its parameter files."""
    monkeypatch.setenv("REGULOME_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / f"{SLUG}.py").write_text(CELL, encoding="utf-8")

    def write(folder="mini", text=None, **changes):
        content = GOOD | {"profile": folder} | changes
        content = {key: value for key, value in content.items() if value is not None}
        path = tmp_path / "params" / folder / f"{SLUG}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text if text is not None else "".join(f"{key}: {value}\n" for key, value in content.items())
        path.write_text(lines, encoding="utf-8")

    write("mini")
    write("paper")
    return write


def notebook(tmp_path, cell):
    header = '# %% tags=["parameters"]\n'
    (tmp_path / "notebooks" / f"{SLUG}.py").write_text(header + cell, encoding="utf-8")


def message(function, *arguments, **options):
    with pytest.raises(UserError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_values_come_from_notebook_then_file_then_overrides(example):
    example(rate=None, replicates=3)
    values = parameters.values(SLUG, "mini", {"replicates": 4})
    assert values["rate"] == 1e-3
    assert values["replicates"] == 4
    assert values["layers"] == [10, 10]
    assert values["limit"] is None
    assert list(values) == list(GOOD)


@pytest.mark.parametrize("text", ["1e-4", "1.e-4", ".1e-3", "0.0001", "1E-4", "+1e-4"])
def test_exponents_without_a_dot_are_floats(example, text):
    example(rate=text)
    assert parameters.values(SLUG, "mini")["rate"] == pytest.approx(1e-4)


def test_an_integer_becomes_a_float_where_a_float_is_expected(example):
    example(rate=1)
    value = parameters.values(SLUG, "mini")["rate"]
    assert value == 1.0 and type(value) is float


def test_an_unknown_key_is_named_with_the_closest_one(example):
    example(replicate=3)
    text = message(parameters.values, SLUG, "mini")
    assert text == "params/mini/90_example.yaml, line 8: unknown parameter 'replicate' (did you mean 'replicates'?)"


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"replicates": "true"}, "True (bool)", "int"),
        ({"replicates": "8.0"}, "8.0 (float)", "int"),
        ({"replicates": "'8'"}, "'8' (str)", "int"),
        ({"replicates": "null"}, "None (NoneType)", "int"),
        ({"rate": "'1e-4'"}, "'1e-4' (str)", "float"),
        ({"rate": "true"}, "True (bool)", "float"),
        ({"rate": ".nan"}, "nan (float)", "float"),
        ({"limit": ".inf"}, "inf (float)", "float | None"),
        ({"sparse": "1"}, "1 (int)", "bool"),
        ({"layers": "10"}, "10 (int)", "list[int]"),
        ({"layers": "[10, x]"}, "[10, 'x'] (list)", "list[int]"),
        ({"layers": "{a: 1}"}, "{'a': 1} (dict)", "list[int]"),
        ({"names": "[1]"}, "[1] (list)", "list[str]"),
        ({"profile": "no"}, "False (bool)", "str; write it in quotes"),
    ],
)
def test_a_wrong_type_is_named(example, change, found, expected):
    example(**change)
    key = next(iter(change))
    text = message(parameters.values, SLUG, "mini")
    assert f"parameter {key!r}: found {found}, expected {expected}" in text
    assert "params/mini/90_example.yaml, line " in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"replicates": "0"}, "found 0, expected >= 1"),
        ({"rate": "0"}, "found 0.0, expected 0 < x <= 1"),
        ({"rate": "1.5"}, "found 1.5, expected 0 < x <= 1"),
        ({"layers": "[10, 0]"}, "found [10, 0], expected x >= 1"),
        ({"limit": "-1"}, "found -1.0, expected > 0"),
        ({"names": "[hb, eve]"}, "found ['hb', 'eve'], expected one of: hb, Kr, kni"),
    ],
)
def test_a_value_out_of_range_is_named(example, change, expected):
    example(**change)
    assert expected in message(parameters.values, SLUG, "mini")


def test_a_key_given_twice_is_refused(example):
    example(text="profile: mini\nrate: 0.1\nrate: 0.2\n")
    text = message(parameters.values, SLUG, "mini")
    assert "params/mini/90_example.yaml, line 3: key 'rate' is given twice, first in line 2" in text


@pytest.mark.parametrize(
    ("text", "line"), [("profile: mini\nrate: [1,\n", 3), ("profile: mini\n\trate: 1\n", 2), ("- 1\n", 1)]
)
def test_broken_yaml_is_named_with_its_line(example, text, line):
    example(text=text)
    assert f"params/mini/90_example.yaml, line {line}: " in message(parameters.values, SLUG, "mini")


def test_missing_files_are_named(example, tmp_path):
    (tmp_path / "params" / "mini" / f"{SLUG}.yaml").unlink()
    assert message(parameters.values, SLUG, "mini") == "params/mini/90_example.yaml: no such file"
    assert message(parameters.declared, "91_other") == "notebooks/91_other.py: no such notebook"


def test_the_profile_of_the_file_has_to_be_the_one_that_runs(example):
    example("paper", profile="mini")
    assert "found 'mini', expected 'paper'" in message(parameters.values, SLUG, "paper")


def test_defaults_equal_the_mini_file(example):
    parameters.check_defaults(SLUG)
    example(replicates=9)
    text = message(parameters.check_defaults, SLUG)
    assert "params/mini/90_example.yaml, line 2: 'replicates': found 9, expected the notebook's default 8" in text


@pytest.mark.parametrize("profile", ["mini", "paper"])
def test_both_profiles_list_every_parameter(example, profile):
    example(profile, limit=None)
    text = message(parameters.check_defaults, SLUG)
    assert f"params/{profile}/90_example.yaml: parameter 'limit' is missing" in text


def test_values_of_the_command_line_are_yaml_and_text_stays_text(example):
    given = parameters.from_command_line(SLUG, ["rate=1e-2", "layers=[1, 2]", "limit=null", "profile=no"])
    assert given == {"rate": 0.01, "layers": [1, 2], "limit": None, "profile": "no"}
    assert "expected name=value" in message(parameters.from_command_line, SLUG, ["rate"])
    assert "is not YAML" in message(parameters.from_command_line, SLUG, ["layers=[1"])
    assert "90_example, given value: unknown parameter 'x'" in message(parameters.values, SLUG, "mini", {"x": 1})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a: int = 1\n", "line 2: parameter 'a' needs a comment"),
        ("a = 1  # text\n", "line 2: found 'a = 1', expected 'name: type = literal"),
        ("a: int = 1  # x\nb: int = 2 * a  # text\n", "line 3: parameter 'b': "),
        ("a: dict = {}  # text\n", "line 2: type 'dict': expected int, float"),
        ("a: int = 1.5  # text\n", "parameter 'a': found 1.5 (float), expected int"),
        ("a: int = 0  # text (>= 1)\n", "parameter 'a': found 0, expected >= 1"),
        ("a: int = 0  # text (n > 1)\n", "parameter 'a': cannot read the range (n > 1)"),
        ("a: float = 1  # text\n", "write its default 1 as float"),
        ("a: int = = 1  # text\n", "line 2: invalid syntax"),
        ("import os  # text\n", "line 2: found 'import os'"),
    ],
)
def test_mistakes_in_the_parameters_cell_are_named(example, tmp_path, cell, expected):
    notebook(tmp_path, cell)
    text = message(parameters.declared, SLUG)
    assert text.startswith("notebooks/90_example.py") and expected in text


def test_a_notebook_needs_one_parameters_cell(example, tmp_path):
    (tmp_path / "notebooks" / f"{SLUG}.py").write_text("# %%\na: int = 1  # text\n", encoding="utf-8")
    assert "found 0 cells tagged 'parameters'" in message(parameters.declared, SLUG)


def test_brackets_that_state_no_range_are_text(example, tmp_path):
    notebook(tmp_path, "a: int = -5  # text (minutes) and more (see Fig. 1)\n")
    assert parameters.declared(SLUG)["a"].ranges == ()
