"""Notebooks run for real, on small throw-away ones: what is written, what is refused, what a failure says."""

import base64
import io
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from toy_checkout import HEADER, write_notebook

from regulome import locks, notebook, paths, provenance, steps
from regulome.errors import UserError
from regulome.progress import Progress, duration

SLUG = "90_example"
SNAKEFILE = 'STEPS = {\n    "90_example": {"tables": ["facts"]},\n}\n'
CELLS = """
# %% [markdown]
# # An example

# %% tags=["parameters"]
profile: str = "mini"  # mini or paper
seed: int = 1  # of the random numbers
threads: int = 1  # of linear algebra (1 <= x <= 8)
rate: float = 1e-3  # step (> 0)

# %%
import json
import os
from pathlib import Path

from regulome import paths

# %% [markdown]
# ## Facts and λ

# %%
names = ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "PYTHONHASHSEED"]
facts = {name: os.environ.get(name) for name in names} | {"rate": rate, "seed": seed, "folder": os.getcwd()}
folder = paths.figures(profile, "90_example")
(folder / "facts.csv").write_text(json.dumps(facts))
"""
REST = """
# %%
(folder / "results.csv").write_text("id\\n")
(folder / "manifest.json").write_text("{}")
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one notebook; returns a function that replaces the notebook's last cells."""
    for name in ("REGULOME_OUTPUT", "REGULOME_BUILD", "REGULOME_PIPELINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGULOME_ROOT", str(tmp_path))
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    parameter_file = tmp_path / "params" / "mini" / f"{SLUG}.yaml"
    parameter_file.parent.mkdir(parents=True)
    parameter_file.write_text("profile: mini\nseed: 1\nthreads: 2\nrate: 5e-1\n", encoding="utf-8")

    def write(rest=REST):
        write_notebook(tmp_path, SLUG, HEADER + CELLS + rest)

    write()
    return write


@pytest.fixture
def earlier():
    """Outputs of an earlier run; returns a function that tells whether they are as they were."""
    written = [*steps.outputs(SLUG, "mini"), *steps.executed(SLUG, "mini")]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"earlier {path.name}", encoding="utf-8")
    return lambda: all(path.is_file() and path.read_text() == f"earlier {path.name}" for path in written)


def refused(**overrides):
    with pytest.raises(UserError) as caught:
        notebook.run(SLUG, "mini", overrides)
    return str(caught.value)


def test_a_run_leaves_outputs_executed_notebook_page_and_record(checkout, tmp_path, capsys):
    before = dict(os.environ)
    page = notebook.run(SLUG, "mini")
    facts = json.loads((tmp_path / "figures/mini/90_example/facts.csv").read_text())
    assert facts == {
        "OMP_NUM_THREADS": "2",
        "NUMBA_NUM_THREADS": "2",
        "PYTHONHASHSEED": "0",
        "rate": 0.5,
        "seed": 1,
        "folder": str(tmp_path),
    }
    assert dict(os.environ) == before
    assert page == tmp_path / "build/mini/90_example.html"
    assert 'id="Facts-and-%CE%BB"' in page.read_text(encoding="utf-8")
    executed = nbformat.read(tmp_path / "build/mini/90_example.ipynb", as_version=4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
    run = json.loads((tmp_path / "figures/mini/90_example/run.json").read_text())
    assert run["slug"] == SLUG and run["profile"] == "mini" and run["threads"] == 2
    assert 0 < run["seconds"] < 60 and 20 < run["max_rss_mb"] < 5000
    assert {"numpy", "torch", "pandas"} <= set(run["packages"])
    assert not list((tmp_path / "build/mini").glob("*.running.ipynb"))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "90_example: 7 cells, time unknown"
    assert said[-1].startswith("90_example: done in ") and said[-1].endswith("build/mini/90_example.html")


def test_a_run_with_other_parameters_is_a_trial_that_the_pipeline_replaces(checkout, tmp_path):
    build = tmp_path / "build/mini"
    assert notebook.run(SLUG, "mini", {"seed": 7}) == build / "90_example.trial.html"
    assert json.loads((tmp_path / "figures/mini/90_example/facts.csv").read_text())["seed"] == 7
    assert not any(path.exists() for path in steps.executed(SLUG, "mini"))
    notebook.run(SLUG, "mini", {"seed": 1})
    assert all(path.exists() for path in steps.executed(SLUG, "mini"))
    assert not list(build.glob("*.trial.*"))


def test_the_source_notebook_is_not_touched(checkout, tmp_path):
    files = sorted((tmp_path / "notebooks").iterdir())
    before = [path.read_bytes() for path in files]
    notebook.run(SLUG, "mini")
    assert sorted((tmp_path / "notebooks").iterdir()) == files
    assert [path.read_bytes() for path in files] == before


def test_bad_parameters_leave_earlier_outputs_untouched(checkout, earlier, tmp_path):
    assert "unknown parameter 'sed' (did you mean 'seed'?)" in refused(sed=1)
    assert "parameter 'threads': found 9, expected 1 <= x <= 8" in refused(threads=9)
    (tmp_path / "params/mini/90_example.yaml").write_text("seed: [\n")
    assert "params/mini/90_example.yaml, line 2" in refused()
    assert earlier()


def test_a_wrong_step_or_profile_is_named(checkout, earlier):
    with pytest.raises(UserError, match=r"no step '90_exmple' \(did you mean '90_example'\?\)"):
        notebook.run("90_exmple", "mini")
    with pytest.raises(UserError, match=r"no profile 'papr' \(did you mean 'paper'\?\)"):
        notebook.run(SLUG, "papr")
    assert earlier()


def test_a_pair_that_differs_leaves_earlier_outputs_untouched(checkout, earlier, tmp_path):
    script = tmp_path / "notebooks/90_example.py"
    script.write_text(script.read_text(encoding="utf-8") + "\n# %%\n1 + 1\n", encoding="utf-8")
    assert "notebooks/90_example.py and notebooks/90_example.ipynb differ" in refused()
    assert earlier()


def test_an_output_folder_that_cannot_be_written_is_named(checkout, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/mini").write_text("a file in the way")
    assert refused() == ("figures/mini/90_example: cannot write outputs: figures/mini is a file, expected a folder")
    assert (tmp_path / "figures/mini").read_text() == "a file in the way"


def test_a_second_run_of_the_same_step_is_refused_while_the_first_goes_on(checkout, earlier, tmp_path, monkeypatch):
    monkeypatch.setattr(notebook, "PATIENCE", 0.0)
    code = (
        "import sys, time, pathlib; from regulome import locks\n"
        "locks.acquire(pathlib.Path(sys.argv[1]), 'it'); print('locked', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "build/mini/.90_example.lock"
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        assert refused() == f"mini 90_example is already running as process {other.pid}: wait for it, or stop it"
        assert earlier()
        other.kill()
        other.wait()
    with locks.held(lock, "it"):  # the lock of a killed process is free
        pass


def test_a_failing_cell_is_named_with_the_notebook_to_open(checkout, earlier, tmp_path):
    checkout('\n# %%\nraise ValueError("no such gene: \\x1b[31mhb2\\x1b[0m")\n' + REST)
    assert refused() == (
        "90_example: code cell [5], under 'Facts and λ' failed\n"
        "ValueError: no such gene: hb2\n"
        "open build/mini/90_example.failed.ipynb to see the cell and what led to it"
    )
    failed = nbformat.read(tmp_path / "build/mini/90_example.failed.ipynb", as_version=4)
    failing = [cell for cell in failed.cells if any(out.output_type == "error" for out in cell.get("outputs", []))]
    assert [cell.execution_count for cell in failing] == [5]
    written = [*steps.outputs(SLUG, "mini"), *steps.executed(SLUG, "mini")]
    assert not [path for path in written if path.exists()]
    checkout()
    notebook.run(SLUG, "mini")
    assert not (tmp_path / "build/mini/90_example.failed.ipynb").exists()


def test_a_users_mistake_found_in_the_notebook_is_shown_alone(checkout):
    checkout('\n# %%\nfrom regulome.errors import UserError\nraise UserError("my.csv row 3: found x")\n')
    assert refused().splitlines()[1] == "my.csv row 3: found x"


def test_a_kernel_that_dies_is_named_with_its_cell(checkout):
    checkout("\n# %%\nos._exit(9)\n")
    lines = refused().splitlines()
    assert lines[0] == "90_example: code cell [5], under 'Facts and λ' failed"
    assert "the kernel died" in lines[1] and "memory" in lines[1]


def test_missing_and_empty_outputs_are_named(checkout, tmp_path):
    checkout('\n# %%\n(folder / "results.csv").write_text("")\n')
    text = refused()
    assert "missing or empty: results.csv, manifest.json" in text and "STEPS in the Snakefile" in text
    assert not (tmp_path / "figures/mini/90_example/facts.csv").exists()


def test_outputs_that_the_snakefile_does_not_declare_are_named(checkout):
    checkout(REST + '(folder / "extra.png").write_text("x")\n')
    assert "files in figures/mini/90_example that the Snakefile does not declare: extra.png" in refused()


def test_the_expected_time_comes_from_the_benchmark_else_from_the_last_record_else_from_the_snakefile(checkout):
    assert provenance.expected_seconds(SLUG, "mini") is None
    snakefile = paths.root() / "Snakefile"
    stated = SNAKEFILE.replace('"tables":', '"seconds": {"mini": 40, "paper": 400}, "tables":')
    snakefile.write_text(stated, encoding="utf-8")
    assert provenance.expected_seconds(SLUG, "mini") == 40
    provenance.write(paths.figures("mini", SLUG), {"seconds": 12.5})
    assert provenance.expected_seconds(SLUG, "mini") == 12.5
    benchmark = paths.build("mini") / "90_example.benchmark.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\tmax_rss\n83.2\t0:01:23\t100\n")
    assert provenance.expected_seconds(SLUG, "mini") == 83.2


def test_durations_read_as_people_say_them():
    assert [duration(s) for s in (7.6, 59.9, 200, 7500)] == ["8 s", "1 min 00 s", "3 min 20 s", "2 h 05 min"]


def test_progress_is_a_bar_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("90_example", 5, 200.0)
    progress.update(3)
    progress.close()
    assert "90_example: 3/5 cells" in terminal.getvalue() and "of about 3 min 20 s" in terminal.getvalue()


def test_progress_in_a_log_says_a_line_when_the_last_one_is_long_ago(monkeypatch, capsys):
    progress = Progress("90_example", 5, 200.0)
    progress.update()
    assert capsys.readouterr().err == "90_example: 5 cells, about 3 min 20 s, as before\n"
    progress.start -= 20.0
    progress.said -= 20.0
    progress.update()
    progress.update()
    progress.close()
    assert capsys.readouterr().err == "90_example: 2/5 cells, 20 s of about 3 min 20 s\n"


PICTURES = """
# %%
import matplotlib.pyplot as plt
import pandas as pd

from regulome import figures

out = figures.Output("90_example", profile)
table = pd.DataFrame({"y": [1, 2]})
fig, ax = plt.subplots()
ax.plot([1, 2])
out.save(fig, table, "line", caption='The "line": 1 < 2.', section="Facts")
fig, ax = plt.subplots()
out.add(figures.render(fig, table, "hidden"), "hidden", caption="Drawn elsewhere.", section="Facts")
plt.close(fig)
out.compare("y", "y", ours=1.0, note="none")
out.close()
"""


def test_a_saved_figure_is_shown_as_its_file_with_its_caption_as_alternative_text(checkout, tmp_path):
    described = '{"tables": ["facts"], "figures": ["line", "hidden"]}'
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace('{"tables": ["facts"]}', described), encoding="utf-8")
    checkout(PICTURES)
    page = notebook.run(SLUG, "mini").read_text(encoding="utf-8")
    executed = nbformat.read(tmp_path / "build/mini/90_example.ipynb", as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    shown = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert [base64.b64decode(png) for png in shown] == [(tmp_path / "figures/mini/90_example/line.png").read_bytes()]
    assert re.findall(r'<img[^>]*\balt="([^"]*)"', page) == ["The &quot;line&quot;: 1 &lt; 2."]
