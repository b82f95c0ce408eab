"""How a step was run: ``run.json``, kept beside its outputs and never compared between runs."""

import json
import os
import platform
import re
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from regulome import paths, steps

SOURCES = ("src", "notebooks", "params", "data", "Snakefile", "requirements.lock")


def record(slug: str, profile: str, seconds: float, threads: int) -> dict[str, Any]:
    """Return what is worth knowing about a run that has just ended: where, with what, for how long.

    `max_rss_mb` is the largest memory of a finished child process, which is the notebook's kernel.
    """
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", *SOURCES)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB on Linux
    return {
        "slug": slug,
        "profile": profile,
        "commit": commit,
        "dirty": None if changed is None else bool(changed),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": _packages(),
        "seconds": round(seconds, 1),
        "max_rss_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6, 1),
        "threads": threads,
    }


def write(folder: Path, run: dict[str, Any]) -> None:
    """Write ``run.json`` into an output folder."""
    from regulome.tables import write_bytes

    write_bytes(folder / "run.json", (json.dumps(run, indent=1, sort_keys=True) + "\n").encode("utf-8"))


def expected_seconds(slug: str, profile: str) -> float | None:
    """Return how long a step took last time, by Snakemake's benchmark or ``run.json``, else what the Snakefile says."""
    try:
        line = (paths.build(profile) / f"{slug}.benchmark.tsv").read_text(encoding="utf-8").splitlines()[1]
        return float(line.split("\t")[0])
    except (OSError, IndexError, ValueError):
        pass
    try:
        return float(json.loads((paths.figures(profile, slug) / "run.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return steps.step(slug, profile)["seconds"]


def _git(*arguments: str) -> str | None:
    """Return what git says about the checkout, or ``None`` without git."""
    try:
        command = ["git", "-C", str(paths.root()), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _packages() -> dict[str, str]:
    """Return the versions of the packages that the project asks for by name."""
    try:
        required = metadata.requires("regulome") or []
    except metadata.PackageNotFoundError:
        return {}
    names = [re.split(r"[ <>=!~;\[(]", line, maxsplit=1)[0] for line in required if "extra ==" not in line]
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
