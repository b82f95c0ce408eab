"""The command line: messages without tracebacks, status 2 for a user's mistake, and a quick start."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_checkout import ROOT, environment, make


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A toy checkout; these tests never run its notebooks."""
    return make(tmp_path_factory.mktemp("checkout"))


def regulome(folder, *arguments):
    command = [str(Path(sys.executable).parent / "regulome"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)


def test_check_says_that_all_notebooks_are_good(checkout):
    done = regulome(checkout, "check")
    assert (done.returncode, done.stdout) == (0, "91_first: good\n92_second: good\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "91_frst"], "regulome: no step '91_frst' (did you mean '91_first'?)"),
        (["run", "91_first", "--profile", "papr"], "regulome: no profile 'papr' (did you mean 'paper'?)"),
        (["run", "91_first", "-p", "point=3"], "unknown parameter 'point' (did you mean 'points'?)"),
        (["run", "91_first", "-p", "points=1"], "parameter 'points': found 1, expected >= 2"),
        (["run", "91_first", "-p", "points"], "regulome: -p points: expected name=value"),
        (["check", "93_third"], "regulome: no step '93_third'"),
        (["data", "fetch", "nothing_here"], "nothing_here"),
    ],
)
def test_a_users_mistake_gives_one_message_and_status_2(checkout, arguments, expected):
    done = regulome(checkout, *arguments)
    assert done.returncode == 2
    assert expected in done.stderr and "Traceback" not in done.stderr
    assert not (checkout / "figures").exists()


def test_an_unknown_command_is_refused(checkout):
    assert regulome(checkout, "rnu").returncode == 2


def test_data_list_names_key_licence_and_citation(checkout):
    done = regulome(checkout, "data", "list")
    assert done.returncode == 0
    assert "flyex_gap_nc14_t7" in done.stdout and "Shen" in done.stdout


def test_help_and_version_load_no_heavy_package(checkout):
    code = "import sys; sys.argv = ['regulome', '--version']\nimport regulome.cli\ntry: regulome.cli.main()\nfinally: "
    code += "print([name for name in ('numpy', 'torch', 'nbformat', 'pandas', 'yaml') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(checkout), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1:] == ["[]"]
    assert done.stdout.splitlines()[0].count(".") == 2


def test_the_package_runs_as_a_module(checkout):
    for arguments in (["--version"], ["run", "31_adaptatoin"]):
        module, script = (
            subprocess.run([*start, *arguments], env=environment(checkout), capture_output=True, text=True)
            for start in ([sys.executable, "-m", "regulome"], [Path(sys.executable).with_name("regulome")])
        )
        assert (module.returncode, module.stdout, module.stderr) == (script.returncode, script.stdout, script.stderr)
        assert module.stdout + module.stderr


def run_all(folder, *arguments, cwd=None, **variables):
    command = ["bash", str(folder / "run_all.sh"), *arguments]
    env = {name: value for name, value in (environment(folder) | variables).items() if value is not None}
    return subprocess.run(command, cwd=cwd or folder, env=env, capture_output=True, text=True)


def test_run_all_explains_itself_at_once(checkout, tmp_path):
    start = time.monotonic()
    done = run_all(ROOT, "--help", cwd=tmp_path)
    assert done.returncode == 0 and time.monotonic() - start < 2
    for word in ("mini", "paper", "test", "lab", "--until 35_gap_genes", "report/index.html"):
        assert word in done.stdout


def test_run_all_refuses_an_unknown_command(checkout):
    done = run_all(checkout, "papr")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("regulome: unknown command papr\nusage: ")


def test_run_all_refuses_an_old_or_missing_python(checkout, tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.1\nexit 1\n')
    old.chmod(0o755)
    for python, found in ((str(old), "found Python 3.8.1"), (str(tmp_path / "none"), "No such file")):
        done = run_all(checkout, VIRTUAL_ENV=None, CONDA_PREFIX=None, PYTHON=python)
        assert done.returncode == 1
        assert "needs Python 3.11 or newer" in done.stderr and found in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.fixture
def installed(tmp_path):
    """A checkout with a .venv that sees the packages of this environment; no installation is needed in it."""
    folder = make(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    packages = next((folder / ".venv/lib").glob("python3*/site-packages"))
    real = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (packages / "real.pth").write_text(real.stdout)
    return folder


def test_an_installation_that_is_whole_is_used_and_a_changed_lock_is_noticed(installed):
    alone = {"VIRTUAL_ENV": None, "CONDA_PREFIX": None}
    marker = installed / ".venv/.regulome-installed"
    assert run_all(installed, "mini", "--list-rules", **alone).returncode == 0
    assert marker.is_file()
    with (installed / "requirements.lock").open("a") as lock:
        lock.write("a-package-that-is-not-there==1.0\n")
    done = run_all(installed, "mini", "--list-rules", **alone)
    assert done.returncode == 1
    assert "requirements.lock or pyproject.toml has changed" in done.stdout
    assert "installing failed" in done.stderr
    assert not marker.exists()


def test_an_active_environment_is_used_if_it_satisfies_the_lock_and_named_if_not(installed):
    assert run_all(installed, "mini", "--list-rules").returncode == 0
    assert not (installed / ".venv/.regulome-installed").exists()
    lock = installed / "requirements.lock"
    good = lock.read_text()
    lock.write_text(good + "numpy==1.0\nnot-needed-here==1 ; sys_platform == 'win32'\n")
    done = run_all(installed, "mini", "--list-rules", PYTHON="none")  # so that it cannot go on to install
    assert "not using the active environment" in done.stdout and "numpy is 2" in done.stdout
    assert "expected ==1.0" in done.stdout and "not-needed-here" not in done.stdout
    lock.write_text(good)
    done = run_all(installed, "mini", "--list-rules", PYTHONPATH="", PYTHON="none")
    assert "regulome is not installed from this folder" in done.stdout
