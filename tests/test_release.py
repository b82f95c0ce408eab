"""What a release is: one version everywhere, a wheel that works without the repository, files that name what exists."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import regulome
from regulome import paths

ROOT = paths.root()


def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_version_stands_in_one_place_and_the_texts_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"] and "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "regulome.__version__"}
    newest = re.search(r"^## \[([\d.]+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest[1] == str(citation()["version"]) == regulome.__version__
    assert newest[2] == str(citation()["date-released"])


def test_the_citation_names_what_the_format_requires():
    found = citation()
    for where in (found, *found["references"]):
        assert where["title"] and where["type"] and where["authors"]
        for author in where["authors"]:
            assert author.get("name") or (author["family-names"] and author["given-names"])
    assert found["cff-version"] == "1.2.0" and found["message"] and found["license"] == "MIT"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that no build folder appears in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignored)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("regulome-*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = {path for path in (ROOT / "src/regulome").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    expected = {path.relative_to(ROOT / "src").as_posix() for path in files}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not expected - names
    assert {"regulome/py.typed", "regulome/binding/default_model.pt"} <= names
    assert {name.split("/")[0] for name in names} == {"regulome", f"regulome-{regulome.__version__}.dist-info"}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs the wheel's command line in a folder that is no checkout."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder / "packages")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGULOME_")}
    environment["PYTHONPATH"] = str(folder / "packages")

    def run(*arguments):
        start = "import sys, regulome; from regulome.cli import main; print(regulome.__file__, file=sys.stderr); main()"
        done = subprocess.run(
            [sys.executable, "-c", start, *arguments], cwd=folder, env=environment, capture_output=True, text=True
        )
        where, *message = done.stderr.splitlines()
        assert Path(where).is_relative_to(folder)  # not the checkout
        return done.returncode, done.stdout, message

    return run


def test_the_installed_command_says_its_version(installed):
    assert installed("--version") == (0, f"{regulome.__version__}\n", [])


def test_what_needs_the_repository_says_so_in_one_line(installed):
    status, out, message = installed("run", "31_adaptation")
    assert (status, out, len(message)) == (2, "", 1)
    assert message[0].startswith("regulome: found no regulome checkout")


def test_hooks_before_a_commit_call_commands_of_the_environment():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    for hook in hooks:
        command = hook["entry"].split()[0]
        assert (Path(sys.executable).parent / command).exists(), command


def test_containers_name_files_that_exist():
    copied = re.findall(r"^COPY (\S+) ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert copied and all((ROOT / name).exists() for name in copied)
    start = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))["postCreateCommand"]
    assert start.split()[:2] == ["bash", "run_all.sh"]
    yaml.safe_load((ROOT / ".binder/environment.yml").read_text(encoding="utf-8"))
    assert os.access(ROOT / ".binder/postBuild", os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / ".binder/postBuild"]).returncode == 0
