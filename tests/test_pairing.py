"""The committed notebooks: pairs that agree, steps that exist, both parameter files, no stored outputs."""

import json
import re
import shutil

import networkx as nx
import pytest
from jupytext.cli import jupytext

from regulome import pairing, parameters, paths, steps
from regulome.errors import UserError

NOTEBOOKS = paths.notebooks()
SLUGS = sorted(path.stem for path in NOTEBOOKS.glob("[0-9][0-9]_*.py"))

TEXT = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Title

# %% tags=["parameters"]
profile: str = "mini"  # mini or paper

# %%
1 + 1
"""


@pytest.mark.parametrize("slug", SLUGS)
def test_script_and_notebook_agree(slug):
    pairing.check(slug)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_notebook_stores_no_outputs_and_no_noise(slug):
    content = json.loads((NOTEBOOKS / f"{slug}.ipynb").read_text(encoding="utf-8"))
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    for cell in content["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
        assert set(cell["metadata"]) <= {"tags", "lines_to_next_cell"}  # the latter is jupytext's


@pytest.mark.parametrize("slug", SLUGS)
def test_defaults_equal_the_mini_parameters_and_paper_has_the_same_keys(slug):
    parameters.check_defaults(slug)
    assert {"profile", "seed", "threads"} <= set(parameters.declared(slug))


def test_every_file_in_notebooks_belongs_to_a_step_and_every_step_has_its_files():
    assert sorted(steps.table()) == SLUGS
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == SLUGS
    for profile in paths.PROFILES:
        assert sorted(path.stem for path in paths.params(profile).glob("*.yaml")) == SLUGS


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A pair made by the command that the documentation gives, with the project's jupytext settings."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOKS / "jupytext.toml", folder)
    script = folder / "90_example.py"
    script.write_text(TEXT, encoding="utf-8")
    jupytext(["--quiet", "--to", "ipynb", "--update", str(script)])
    monkeypatch.setenv("REGULOME_ROOT", str(tmp_path))
    return script


def edit(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_documented_command_makes_a_pair_that_agrees(pair):
    pairing.check("90_example")
    cells = json.loads(pair.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code"]
    assert cells[1]["metadata"] == {"tags": ["parameters"]}


def test_a_script_written_back_from_the_notebook_is_the_same(pair):
    pair.unlink()
    jupytext(["--quiet", "--to", "py:percent", str(pair.with_suffix(".ipynb"))])
    assert pair.read_text(encoding="utf-8") == TEXT


def test_stored_outputs_and_what_jupyterlab_adds_do_not_count(pair):
    def run(content):
        content["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}
        content["cells"][2]["execution_count"] = 3
        content["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["2"]}]
        content["cells"][2]["metadata"]["execution"] = {"iopub.status.busy": "2026-01-01"}
        content["cells"][2]["metadata"]["scrolled"] = True

    edit(pair.with_suffix(".ipynb"), run)
    pairing.check("90_example")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["cells"][2].update(source="1 + 2"),
        lambda content: content["cells"][1]["metadata"].update(tags=["other"]),
        lambda content: content["cells"].pop(),
        lambda content: content["cells"][0].update(cell_type="raw"),
    ],
)
def test_a_difference_is_named_with_the_commands_that_mend_it(pair, change):
    edit(pair.with_suffix(".ipynb"), change)
    with pytest.raises(UserError) as caught:
        pairing.check("90_example")
    assert str(caught.value).startswith("notebooks/90_example.py and notebooks/90_example.ipynb differ: ")
    assert "jupytext --to ipynb --update notebooks/90_example.py" in str(caught.value)


def test_missing_broken_and_foreign_notebooks_are_named(pair):
    notebook = pair.with_suffix(".ipynb")
    text = pair.read_text(encoding="utf-8")
    pair.write_text(re.sub("name: python3", "name: ir", text), encoding="utf-8")
    edit(notebook, lambda content: content["metadata"]["kernelspec"].update(name="ir"))
    with pytest.raises(UserError, match=r"kernelspec: found 'ir', expected 'python3'"):
        pairing.check("90_example")
    notebook.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"notebooks/90_example.ipynb: cannot be read as a notebook"):
        pairing.check("90_example")
    notebook.unlink()
    with pytest.raises(UserError, match=r"notebooks/90_example.ipynb: no such file"):
        pairing.check("90_example")


def took(entry):
    return entry["seconds"] + (entry["shard_seconds"] or 0)


@pytest.mark.parametrize("profile", ["mini", "paper"])
def test_steps_with_the_longest_chain_behind_them_come_first(profile):
    entries = {slug: steps.step(slug, profile) for slug in SLUGS}
    graph = nx.DiGraph()
    for slug, entry in entries.items():
        graph.add_edge(slug, "end", weight=took(entry))
        graph.add_edges_from((before, slug, {"weight": took(entries[before])}) for before in entry["after"])
    found = steps.urgency(entries)
    for slug in SLUGS:
        below = graph.subgraph(nx.descendants(graph, slug) | {slug})
        assert found[slug] == nx.dag_longest_path_length(below)
