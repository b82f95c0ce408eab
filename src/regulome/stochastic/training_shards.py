"""The training laws of the solver in shards: made side by side before notebook 42, or by the notebook itself.

A shard is one block of `regulome.stochastic.dataset_shards.make`; nothing but running time depends on their number.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regulome.errors import UserError
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.dataset_shards import make, sets_of_block
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.network_json import to_json
from regulome.stochastic.networks import load, narrowed


def make_shard(values: Mapping, index: int, file: Path) -> None:
    """Make one shard for the pipeline; ``values`` are the notebook's parameters that decide about the laws."""
    network = narrowed(load(values["network"]), values["highest"], values["bounds"])
    make(network, values["sets"], values["seed"], index, values["shards"], threads=1).save(file)


def gather(files: Sequence[Path], network: StateTransitionNetwork, sets: int, seed: int, threads: int = 1) -> Dataset:
    """All shards as one data set; those that are missing or were made from something else are made now, and kept.

    Parameters
    ----------
    files
        The shards' files, in order.
    sets, seed
        Of the whole table.
    """
    parts = []
    for index, file in enumerate(files):
        part = _matching(file, network, sets, seed, index, len(files))
        if part is None:
            part = make(network, sets, seed, index, len(files), threads=threads)
            file.parent.mkdir(parents=True, exist_ok=True)
            part.save(file)
        parts.append(part)
    return Dataset.merge(parts)


def _matching(
    file: Path, network: StateTransitionNetwork, sets: int, seed: int, index: int, count: int
) -> Dataset | None:
    """The shard if the file holds it, else None."""
    if not file.exists():
        return None
    try:
        part = Dataset.load(file)
    except UserError:
        return None
    block = sets_of_block(sets, index, count)
    wanted, found = (sets, seed, block.start, len(block)), (part.total, part.seed, part.first, len(part))
    return part if found == wanted and to_json(part.network) == to_json(network) else None
