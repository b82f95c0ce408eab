"""The league in pieces that the pipeline can make side by side; nothing but running time depends on their number.

A shard holds, screen by screen, the score matrices of every method (`league_methods.Played`); the notebook reads all
shards and plays the screens that are missing or were played with other settings.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from regulome.knockout import league_grid, league_methods
from regulome.knockout.league_grid import Cell
from regulome.knockout.league_methods import Played, Setup
from regulome.perturbation import sweep

# Parameters of notebook 52 that decide about the screens and the methods
USES = (
    "seed", "sizes", "cells", "captures", "seeds", "circuits", "hidden", "updates", "width", "epochs", "rate", "trees",
)  # fmt: skip


def make_shard(values: Mapping, index: int, file: Path) -> None:
    """Make one shard for the pipeline; ``values`` are the notebook's parameters in `USES`, and ``shards``."""
    chosen, setup = league_grid.cells(values)[index :: values["shards"]], Setup.of(values)
    sweep.save(make(chosen, setup), file, key(chosen, setup))


def make(chosen: Sequence[Cell], setup: Setup, progress: bool = True) -> dict[str, bytes]:
    """Play; what was found by name of the screen. One thread, so that results do not depend on the machine's cores."""
    threads, out = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    try:
        with tqdm(chosen, unit="screen", disable=None if progress else True) as bar:
            for cell in bar:
                bar.set_description(cell.noise)
                out[cell.name] = pack(league_methods.play(cell, setup))
    finally:
        torch.set_num_threads(threads)
    return out


def gather(files: Sequence[Path], values: Mapping) -> list[Played]:
    """All screens in the order of the grid; shards that are missing or made from something else are made, and kept."""
    content: dict[str, bytes] = {}
    grid, setup = league_grid.cells(values), Setup.of(values)
    for index, file in enumerate(files):
        chosen = grid[index :: len(files)]
        found = sweep.load(file, key(chosen, setup))
        if found is None:
            found = make(chosen, setup)
            sweep.save(found, file, key(chosen, setup))
        content |= found
    return [unpack(content[cell.name], cell) for cell in grid]


def key(chosen: Sequence[Cell], setup: Setup) -> str:
    """What a shard was made from."""
    return json.dumps([[asdict(cell) for cell in chosen], asdict(setup)], sort_keys=True)


def pack(played: Played) -> bytes:
    """As bytes, without pickled objects."""
    buffer = io.BytesIO()
    names = {"genes": np.array(played.genes), "methods": np.array(played.methods)}
    np.savez(buffer, seconds=played.seconds, scores=played.scores, **names)
    return buffer.getvalue()


def unpack(content: bytes, cell: Cell) -> Played:
    """The reverse of `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        names = [tuple(found[name].tolist()) for name in ("genes", "methods")]
        return Played(cell, *names, found["seconds"], found["scores"])
