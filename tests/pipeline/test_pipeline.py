"""The pipeline through run_all.sh, on a checkout in small: what runs, what does not, and what a kill leaves.

The tests share one checkout and run in this order; each leaves it up to date.
"""

import os
import re
import signal
import subprocess
import time

import pytest
from toy_checkout import call, command, environment, make, outputs, set_parameters

pytestmark = pytest.mark.pipeline
STEPS = {"91_first", "92_second"}
RESULTS = ("*.csv", "*.png", "*.pdf", "manifest.json")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The toy checkout after its first complete run."""
    folder = make(tmp_path_factory.mktemp("checkout"))
    done = call(folder)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"regulome: done; results in {folder}/report/mini.html"
    return folder


def planned(folder, *arguments):
    """Notebooks that Snakemake would run now."""
    done = call(folder, "mini", "-n", *arguments)
    assert done.returncode == 0, done.stdout
    return jobs(done.stdout) - {"91_first_shard"}


def jobs(listing):
    return set(re.findall(r"^(9\d_\w+) +[12]$", listing, re.MULTILINE))


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_first_run_leaves_outputs_executed_notebooks_benchmarks_and_report(checkout):
    expected = {f"91_first/line.{kind}" for kind in ("png", "pdf", "csv")} | {"92_second/table.csv"}
    expected |= {f"{slug}/{name}" for slug in STEPS for name in ("results.csv", "manifest.json")}
    assert set(outputs(checkout)) == {f"figures/mini/{name}" for name in expected}
    for slug in STEPS:
        for kind in ("ipynb", "html", "log", "benchmark.tsv"):
            assert (checkout / f"build/mini/{slug}.{kind}").stat().st_size > 0
    assert "a line" in (checkout / "report/index.html").read_text(encoding="utf-8").lower()
    assert (checkout / "build/mini/RESULTS.md").is_file()


def test_shards_come_before_their_step_and_later_steps_read_what_it_keeps(checkout):
    kept = "0 of 2, seed 1; 1 of 2, seed 1"
    assert (checkout / "build/mini/91_first/line.txt").read_text() == kept
    assert kept in outputs(checkout, "table.csv")["figures/mini/92_second/table.csv"].decode()


def test_shards_are_made_again_only_when_what_they_depend_on_changes(checkout):
    set_parameters(checkout, "91_first", points=6)
    assert "91_first_shard" not in call(checkout, "mini", "-n").stdout
    set_parameters(checkout, "91_first", seed=3)
    assert re.search(r"^91_first_shard +2$", call(checkout, "mini", "-n").stdout, re.MULTILINE)
    set_parameters(checkout, "91_first")


def test_nothing_runs_when_nothing_has_changed_even_if_files_are_touched(checkout):
    before = {path: path.stat().st_mtime_ns for path in (checkout / "figures").rglob("*.*")}
    for folder in ("notebooks", "params", "src"):
        for path in (checkout / folder).rglob("*.*"):
            os.utime(path)
    os.utime(checkout / "requirements.lock")
    start = time.monotonic()
    done = call(checkout)
    assert time.monotonic() - start < 60  # seconds when nothing runs, minutes when anything does
    assert "Nothing to be done" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in (checkout / "figures").rglob("*.*")} == before


def test_only_the_steps_that_use_a_changed_file_would_run(checkout):
    def planned_after(*names):
        texts = {name: (checkout / name).read_bytes() for name in names}
        for name, text in texts.items():
            (checkout / name).write_bytes(text + b"\n")
        found = planned(checkout)
        for name, text in texts.items():
            (checkout / name).write_bytes(text)
        return found

    assert planned_after("src/regulome/toy_shared.py") == STEPS
    assert planned_after("params/mini/92_second.yaml") == {"92_second"}
    assert planned_after("requirements.lock") == STEPS
    assert planned_after("src/regulome/cli.py", "params/paper/92_second.yaml", "run_all.sh") == set()


def test_a_changed_module_is_followed_by_new_results_of_its_importer_alone(checkout):
    before = outputs(checkout, *RESULTS)
    edit(checkout / "src/regulome/toy_second.py", "1.0", "2.0")
    done = call(checkout, "mini", "--until", "92_second")
    assert "92_second: done in" in done.stdout and "91_first" not in done.stdout
    after = outputs(checkout, *RESULTS)
    assert {name for name in before if before[name] != after[name]} == {"figures/mini/92_second/table.csv"}


def test_a_killed_run_goes_on_with_the_same_command_and_gives_the_same_bytes(checkout):
    set_parameters(checkout, "91_first", seed=2)
    waiting = environment(checkout) | {"TOY_WAIT": "300"}
    first, lock = checkout / "figures/mini/91_first", checkout / "build/mini/.pipeline.lock"
    with subprocess.Popen(command(checkout), cwd=checkout, env=waiting, stdout=subprocess.DEVNULL) as running:
        wait_until(lambda: (first / "line.csv").exists() and not (first / "results.csv").exists())
        second = call(checkout)
        assert second.returncode == 1 and "the mini profile is already running as process" in second.stdout
        os.kill(int(lock.read_text()), signal.SIGKILL)  # Snakemake; the notebook has to end by itself
        assert running.wait(timeout=60) == 1
    assert (first / "line.csv").exists() and not (first / "results.csv").exists()
    done = call(checkout)
    assert done.returncode == 0, done.stdout
    assert "91_first: done in" in done.stdout and "92_second: done in" in done.stdout
    resumed = outputs(checkout, *RESULTS)
    done = call(checkout, "mini", "--forcerun", "91_first", "--until", "92_second")
    assert "91_first: done in" in done.stdout and "92_second: done in" in done.stdout, done.stdout
    assert outputs(checkout, *RESULTS) == resumed and len(resumed) == 8


def test_bad_parameters_stop_the_run_before_any_output_is_deleted(checkout):
    before = outputs(checkout)
    parameters = checkout / "params/mini/91_first.yaml"
    text = parameters.read_text(encoding="utf-8")
    parameters.write_text(text.replace("points: 5", "point: 6"), encoding="utf-8")
    done = call(checkout)
    assert done.returncode == 1
    assert "params/mini/91_first.yaml, line 4: unknown parameter 'point' (did you mean 'points'?)" in done.stdout
    assert "Traceback" not in done.stdout
    parameters.write_text(text, encoding="utf-8")
    assert outputs(checkout) == before and planned(checkout) == set()


def test_a_failing_notebook_is_named_and_the_report_stays(checkout):
    report = (checkout / "report/mini.html").read_bytes()
    module = checkout / "src/regulome/toy_second.py"
    edit(module, "POWER", "POWR")
    done = call(checkout)
    assert done.returncode == 1
    assert "92_second: code cell [3], under 'A table' failed\n" in done.stdout
    assert "open build/mini/92_second.failed.ipynb to see the cell" in done.stdout
    assert (checkout / "build/mini/92_second.failed.ipynb").is_file()
    assert (checkout / "report/mini.html").read_bytes() == report
    edit(module, "POWR", "POWER")
    assert call(checkout, "mini", "--until", "92_second").returncode == 0


def test_a_step_that_failed_after_a_complete_run_is_made_by_the_same_command(checkout):
    before = outputs(checkout, *RESULTS)
    (checkout / "figures/mini/91_first/line.csv").unlink()  # a failed step leaves its outputs missing, later ones stay
    assert planned(checkout) == STEPS
    assert call(checkout).returncode == 0
    assert outputs(checkout, *RESULTS) == before


def test_an_output_folder_that_cannot_be_made_is_named(checkout):
    folder = checkout / "figures/paper"
    folder.write_text("a file in the way")
    done = call(checkout, "paper")
    folder.unlink()
    assert done.returncode == 1
    assert "figures/paper/91_first: cannot write outputs: figures/paper is a file" in done.stdout


def test_steps_are_listed_with_what_they_do_and_chosen_by_name(checkout):
    listing = call(checkout, "mini", "--list-rules").stdout
    assert "91_first (Draws a line.)" in listing and "92_second (Reads the line" in listing
    assert planned(checkout, "--forceall", "--until", "91_first") == {"91_first"}
    done = call(checkout, "mini", "--until", "93_third")
    assert done.returncode == 1 and "93_third" in done.stdout
    done = call(checkout, "mini", "--config", "profil=paper")
    assert done.returncode == 1 and "--config profil: unknown key (did you mean 'profile'?)" in done.stdout


def test_one_file_can_be_asked_for_by_its_name(checkout):
    name = "build/mini/91_first/shard_0.npz"
    content = (checkout / name).read_bytes()
    (checkout / name).unlink()
    done = call(checkout, "mini", name)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"regulome: done; results in {checkout}/{name}"
    assert (checkout / name).read_bytes() == content
    assert planned(checkout) == set()


def test_a_dry_run_for_a_slurm_cluster_plans_every_step(checkout):
    done = call(checkout, "paper", "--profile", "params/cluster/slurm", "-n")
    assert done.returncode == 0, done.stdout
    assert jobs(done.stdout) == STEPS | {"91_first_shard"}
    assert "Using profile params/cluster/slurm" in done.stdout


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
