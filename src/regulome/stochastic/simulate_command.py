"""The command ``regulome simulate``: a network from a file, parameter sets of its box, a data set as .npz."""

import os
import time as clock
from pathlib import Path

from regulome.errors import UserError
from regulome.progress import duration
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.dataset_shards import Simulation, make, sets_of_block
from regulome.stochastic.networks import load


def run(
    network: str,
    out: Path,
    sets: int = 1000,
    seed: int = 0,
    block: str = "1/1",
    engine: str = "auto",
    time: str | None = None,
    simulation: Simulation | None = None,
    threads: int | None = None,
    json: bool = False,
    force: bool = False,
) -> Dataset:
    """Make one block of a data set and write it; merge blocks with `merge`.

    Parameters
    ----------
    network
        JSON or SBML file, or the name of an example.
    out
        File to write, ending in .npz.
    block
        "i/n": the i-th of n blocks, counted from 1.
    time
        A time, or two joined by ":" for a random time of each set; default: stationary.
    json
        Also write the published JSON form beside it.
    force
        Replace a file that is not a data set.

    Raises
    ------
    UserError
        If an option, the network or the file is no good: nothing is written.
    """
    index, count = parse_block(block)
    sets_of_block(sets, index, count)
    times = parse_time(time)
    if threads is not None and threads < 1:
        raise UserError(f"--threads is {threads}, expected at least 1")
    files = [out, out.with_suffix(".json")] if json else [out]
    check_file(out, force)
    if json and files[1].exists() and not force:
        raise UserError(f"--out {out}: {files[1]} is there already; expected no such file, or --force")
    began = clock.monotonic()
    dataset = make(load(network), sets, seed, index, count, engine, times, simulation, threads=threads)
    dataset.save(out)
    if json:
        dataset.to_published_json(files[1])
    exact = int((dataset.engine == "exact").sum())
    print(f"{len(dataset)} parameter sets, {exact} solved exactly, {len(dataset) - exact} simulated")
    print(f"{', '.join(map(str, files))} (in {duration(clock.monotonic() - began)})")
    return dataset


def merge(parts: list[Path], out: Path, force: bool = False) -> Dataset:
    """Write the table whose blocks the files hold.

    Raises
    ------
    UserError
        If they are not the blocks of one table.
    """
    check_file(out, force)
    dataset = Dataset.merge([Dataset.load(part) for part in parts])
    dataset.save(out)
    print(f"{out}: {len(dataset)} parameter sets")
    return dataset


def parse_block(text: str) -> tuple[int, int]:
    """Index from 0 and number of blocks from "i/n", counted from 1."""
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not 1 <= int(parts[0]) <= int(parts[1]):
        raise UserError(f"--block is '{text}', expected i/n, such as 1/4 for the first of four blocks")
    return int(parts[0]) - 1, int(parts[1])


def parse_time(text: str | None) -> float | tuple[float, float] | None:
    """A time, or the two of "low:high"."""
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(":")]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise UserError(f"--time is '{text}', expected a number, or two joined by ':'")
    return values[0] if len(values) == 1 else (values[0], values[1])


def check_file(out: Path, force: bool) -> None:
    """Refuse, before any work, a name that cannot be written or a file that is not a data set."""
    if out.suffix != ".npz":
        raise UserError(f"--out {out}: expected a file name ending in .npz")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise UserError(f"--out {out}: {out.parent} is no folder that can be written")
    if out.is_dir():
        raise UserError(f"--out {out}: found a folder, expected a file")
    if out.exists() and not force:
        try:
            Dataset.load(out)
        except UserError:
            raise UserError(
                f"--out {out}: holds something else than a data set; expected a new file, an earlier data set, or "
                "--force"
            ) from None
