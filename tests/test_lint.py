"""Lint and formatting of everything, with the settings of pyproject.toml; ``bash -n`` for the shell scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUFF = str(Path(sys.executable).parent / "ruff")


@pytest.mark.parametrize(
    "command",
    [
        [RUFF, "check", "--quiet", "--output-format=concise", "."],
        [RUFF, "format", "--check", "."],
        ["bash", "-n", "run_all.sh"],
        ["bash", "-n", ".ci/run"],
    ],
    ids=["ruff check", "ruff format", "run_all.sh", ".ci/run"],
)
def test_lint(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
