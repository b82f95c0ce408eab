"""The command that enumerates a criterion of the user's own: what it writes, and what it refuses before it starts."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from regulome import paths
from regulome.circuits.codes import decode
from regulome.circuits.criteria import read_criterion
from regulome.circuits.enumeration import judge
from regulome.circuits.survey import SurveySettings, run
from regulome.errors import UserError

CRITERION = {
    "name": "on and off", "genes": ["g1"], "inputs": ["I"], "start": 0.0, "dt": 0.1, "steps": 200,
    "runs": {"off": {"I": 0}, "on": {"I": 1}},
    "success": ["on.g1.last > 0.3", "off.g1.last < 0.1"],
}  # fmt: skip


@pytest.fixture
def criterion_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(CRITERION))
    return file


def test_every_topology_is_judged_and_its_circuit_passes(criterion_file, tmp_path):
    out = tmp_path / "result"
    found = run(criterion_file, out, SurveySettings(sets=400), 1, False)
    table = pd.read_csv(out / "topologies.csv")
    assert len(table) == 9 and table["sets"].sum() == found.hits.sum()
    best = table.iloc[0]
    assert best["topology"][0] == "+" and best["in_words"].startswith("I -> g1")
    assert (table[~table["topology"].str.startswith("+")]["sets"] == 0).all()  # nothing else makes g1 when I is on
    circuits = pd.read_csv(out / "circuits.csv")
    criterion = read_criterion(criterion_file)
    for code, links in circuits.groupby("topology"):
        b, k = np.zeros((1, 2, 1)), np.ones((1, 2, 1))
        for link in links.itertuples():
            row = ["I -> g1", "g1 -> g1"].index(link.link)
            b[0, row, 0], k[0, row, 0] = np.nan_to_num(link.b), link.K
        assert judge(decode([code], 1, 1)[0], criterion.with_step(0.05, "rk4"), b, k)[0]
    assert "on and off" in (out / "summary.md").read_text()
    assert sorted(json.loads((out / "enumeration.json").read_text())["files"]) == sorted(p.name for p in out.iterdir())


def test_the_share_of_successes_of_a_simple_circuit_is_the_exact_one(criterion_file, tmp_path):
    # I -> g1 alone: g1 ends at b / (K² + 1) without self-links, b and K exponential
    found = run(criterion_file, tmp_path / "result", SurveySettings(sets=20_000), 1, False)
    simple = found.hits[[tuple(s.reshape(-1)) for s in found.signs].index((1, 0))] / 20_000
    k = np.linspace(0, 40, 200_001)
    exact = np.trapezoid(np.exp(-k) * np.exp(-0.3 * (k**2 + 1)), k)
    assert simple == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_a_second_run_replaces_the_first_with_the_same_bytes(criterion_file, tmp_path):
    out = tmp_path / "result"
    run(criterion_file, out, SurveySettings(sets=100), 1, False)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    run(criterion_file, out, SurveySettings(sets=100), 2, False)
    assert before == {p.name: p.read_bytes() for p in out.iterdir()}


def test_other_files_are_not_overwritten(criterion_file, tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(UserError, match=r"holds mine\.yaml, thesis\.docx, which this command did not write"):
        run(criterion_file, tmp_path, SurveySettings(sets=100), 1, False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.yaml", "thesis.docx"]


def test_too_many_topologies_are_refused(tmp_path):
    file = tmp_path / "big.yaml"
    content = CRITERION | {"genes": ["g1", "g2", "g3"], "inputs": ["I", "J"]}
    content["runs"] = {"off": {"I": 0, "J": 0}, "on": {"I": 1, "J": 1}}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"have 15 links and 3\^15 topologies, expected at most 12"):
        run(file, tmp_path / "result", SurveySettings(), 1, False)


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"sets": 0}, "--sets is 0"), ({"seed": -1}, "--seed is -1"), ({"method": "rk5"}, "--method is 'rk5'")],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(UserError, match=message):
        SurveySettings(**setting)


def test_the_command_line_ends_with_one_sentence_for_a_bad_criterion(tmp_path):
    from regulome.cli import app

    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(CRITERION | {"success": ["on.g1.lst > 1"]}))
    result = CliRunner().invoke(app, ["enumerate", str(file), "--out", str(tmp_path / "result")])
    assert isinstance(result.exception, UserError) and "names no statistic that exists: 'lst'" in str(result.exception)
    assert not (tmp_path / "result").exists()


def test_the_examples_are_criteria():
    for file in sorted((paths.mini_data() / "criteria").glob("*.yaml")):
        assert read_criterion(file).success
