"""Pieces of a step that are made before it, one job each: a cluster, or several cores, can make them side by side.

The Snakefile's table says which function makes a piece and which parameters it depends on; the notebook reads all of
them, and makes those that are missing when it is run by itself.
"""

import importlib
from pathlib import Path
from typing import Any

from regulome import dependencies, parameters, paths, steps
from regulome.errors import UserError


def files(slug: str, profile: str) -> list[Path]:
    """Return the shards of a step, in order; none for a step without."""
    entry = steps.step(slug, profile)["shards"]
    if not entry:
        return []
    count = parameters.values(slug, profile)[entry["count"]]
    return [paths.build(profile) / slug / f"shard_{index}.npz" for index in range(count)]


def made_from(slug: str, profile: str) -> dict[str, Any]:
    """Return the parameters that the shards depend on: a change of others leaves them as they are."""
    values = parameters.values(slug, profile)
    entry = steps.step(slug, profile)["shards"]
    return {name: values[name] for name in sorted({*entry["uses"], entry["count"]})}


def inputs(slug: str, profile: str) -> list[Path]:
    """Return the files whose change makes the shards again.

    They are the maker's code, the lock, files that parameters name and what the steps before this one keep.
    """
    maker = steps.step(slug, profile)["shards"]["maker"].split(":")[0]
    module = paths.root() / "src" / Path(*maker.split(".")).with_suffix(".py")
    found = [module, *dependencies.closure(module), paths.root() / "requirements.lock"]
    found += dependencies.files_in(list(made_from(slug, profile).values()))
    for other in steps.step(slug, profile).get("after", []):
        found += steps.kept(other, profile)
    return list(dict.fromkeys(found))


def make(slug: str, profile: str, index: int) -> Path:
    """Make one shard and return its file.

    Raises
    ------
    UserError
        If the step has no such shard, or the maker refuses its parameters.
    """
    found = files(slug, profile)
    if not 0 <= index < len(found):
        raise UserError(f"{slug}: no shard {index}; there are {len(found)}, numbered from 0")
    module, function = steps.step(slug, profile)["shards"]["maker"].split(":")
    found[index].parent.mkdir(parents=True, exist_ok=True)
    getattr(importlib.import_module(module), function)(made_from(slug, profile), index, found[index])
    return found[index]
