"""Shards of the training laws: made by the pipeline or by the notebook, the result is the same table."""

import numpy as np
import pytest

from regulome.stochastic import training_shards
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.dataset_shards import make
from regulome.stochastic.networks import load

VALUES = {"network": "telegraph", "highest": [], "bounds": [], "sets": 6, "seed": 4, "shards": 2}


@pytest.fixture
def files(tmp_path):
    return [tmp_path / "shards" / f"shard_{index}.npz" for index in range(2)]


def gather(files, **changes):
    values = {"network": load("telegraph"), "sets": 6, "seed": 4} | changes
    return training_shards.gather(files, **values, threads=1)


def test_shards_together_are_the_table_that_one_call_makes(files):
    whole = make(load("telegraph"), 6, 4, threads=1)
    found = gather(files)
    for name in ("theta", "offsets", "counts", "weights"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_a_shard_of_the_pipeline_is_read_and_not_made_again(files):
    files[0].parent.mkdir()
    for index, file in enumerate(files):
        training_shards.make_shard(VALUES, index, file)
    before = [file.stat().st_mtime_ns for file in files]
    gather(files)
    assert [file.stat().st_mtime_ns for file in files] == before


@pytest.mark.parametrize("change", [{"seed": 5}, {"sets": 8}, {"network": load("birth_death")}])
def test_shards_made_from_something_else_are_replaced(files, change):
    gather(files)
    found = gather(files, **change)
    assert found.seed == change.get("seed", 4) and len(found) == change.get("sets", 6)
    assert found.network.name == change.get("network", load("telegraph")).name
    assert Dataset.merge([Dataset.load(file) for file in files]).network.name == found.network.name


def test_a_broken_shard_is_made_again(files):
    first = gather(files)
    files[1].write_bytes(b"not a shard")
    np.testing.assert_array_equal(gather(files).weights, first.weights)
