"""The steps of the pipeline, as the table STEPS at the top of the Snakefile states them.

The Snakefile is the table of contents that people read; the runner and the command line read the same lines
here, so that what a step writes is stated once. The table is a Python literal: it is parsed, never run.
"""

import ast
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from regulome import paths
from regulome.errors import UserError, closest

KEYS = (
    "about",
    "figures",
    "tables",
    "keeps",
    "shards",
    "reads",
    "data",
    "after",
    "check",
    "mem_mb",
    "minutes",
    "seconds",
    "shard_seconds",
)
SHARD_KEYS = {"maker", "count", "uses"}
TABLE = re.compile(r"^STEPS = (\{.*?^\})", re.DOTALL | re.MULTILINE)
EVERY_STEP = ("results.csv", "manifest.json")


def relative(path: Path) -> str:
    """Return a path as rules and messages show it: relative to the checkout where it lies inside."""
    path = Path(path)
    try:
        root = paths.root()
    except UserError:  # installed without the repository
        return str(path)
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def table() -> dict[str, dict[str, Any]]:
    """Return the table of steps: slug to entry.

    Raises
    ------
    UserError
        If the Snakefile holds no table, or an entry has a key that means nothing.
    """
    return dict(_parse((paths.root() / "Snakefile").read_text(encoding="utf-8")))


@lru_cache(maxsize=2)  # a run of the pipeline asks for an entry some hundred times
def _parse(text: str) -> dict[str, dict[str, Any]]:
    match = TABLE.search(text)
    try:
        steps = ast.literal_eval(match[1]) if match else None
    except (SyntaxError, ValueError) as error:
        raise UserError(f"Snakefile: the table STEPS has to be a literal: {error}") from None
    if steps is None:
        raise UserError("Snakefile: found no table 'STEPS = {...}' that starts and ends at the beginning of a line")
    for slug, entry in steps.items():
        for key in entry:
            if key not in KEYS:
                raise UserError(f"Snakefile: step {slug!r}: unknown key {key!r}{closest(key, KEYS)}")
        if entry.get("shards") and set(entry["shards"]) != SHARD_KEYS:
            raise UserError(
                f"Snakefile: step {slug!r}: 'shards' has the keys {', '.join(entry['shards'])}; expected "
                f"{', '.join(sorted(SHARD_KEYS))}"
            )
    return steps


def step(slug: str, profile: str = "mini") -> dict[str, Any]:
    """Return the entry of one step, with every key present and ``{"mini": ..., "paper": ...}`` resolved.

    Raises
    ------
    UserError
        If there is no such step or profile.
    """
    steps = table()
    if slug not in steps:
        raise UserError(f"no step {slug!r}{closest(slug, steps)}; the Snakefile lists: {', '.join(steps)}")
    if profile not in paths.PROFILES:
        raise UserError(f"no profile {profile!r}{closest(profile, paths.PROFILES)}; expected mini or paper")
    entry = {
        "about": "",
        "figures": [],
        "tables": [],
        "keeps": [],
        "shards": {},
        "reads": [],
        "data": [],
        "after": [],
        "check": "",
        "mem_mb": 2000,
        "minutes": 60,
        "seconds": None,
        "shard_seconds": None,
    }
    entry |= steps[slug]
    return {key: value[profile] if _differs(value) else value for key, value in entry.items()}


def _differs(value: Any) -> bool:
    """Whether a value of the table differs between the profiles."""
    return isinstance(value, dict) and set(value) == set(paths.PROFILES)


def urgency(entries: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Seconds from the start of each step, or of its shards, to the end of the longest chain of steps that wait for it.

    ``entries`` holds the entry of every slug, as `step` returns it. Steps with more behind them start first, so
    that the last ones do not wait while cores are idle.
    """

    @cache
    def behind(slug: str) -> int:
        later = (behind(other) for other, entry in entries.items() if slug in entry["after"])
        own = (entries[slug]["seconds"] or 0) + (entries[slug]["shard_seconds"] or 0)
        return round(own) + max(later, default=0)

    return {slug: behind(slug) for slug in entries}


def outputs(slug: str, profile: str) -> list[Path]:
    """Return the files that a step has to leave in its output folder."""
    entry = step(slug, profile)
    names = [f"{name}.{kind}" for name in entry["figures"] for kind in ("png", "pdf", "csv")]
    names += [f"{name}.csv" for name in entry["tables"]]
    return [paths.figures(profile, slug) / name for name in (*names, *EVERY_STEP)]


def kept(slug: str, profile: str) -> list[Path]:
    """Return the files that a step leaves in ``build/PROFILE/SLUG`` for later steps, such as trained models."""
    return [paths.build(profile) / slug / name for name in step(slug, profile)["keeps"]]


def executed(slug: str, profile: str) -> list[Path]:
    """Return the executed notebook and its page."""
    return [paths.build(profile) / f"{slug}.ipynb", paths.build(profile) / f"{slug}.html"]
