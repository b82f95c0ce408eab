"""Notebooks under nbmake (``pytest --nbmake notebooks``) write to a temporary folder, not the checkout."""

import os
import tempfile

import pytest

SCRATCH = pytest.StashKey[tempfile.TemporaryDirectory]()
FOLDERS = {"REGULOME_OUTPUT": "figures", "REGULOME_BUILD": "build", "REGULOME_REPORT": "report"}


def pytest_collection_modifyitems(items):
    """Mark notebooks, so that ``-m "not notebooks"`` leaves them out."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("notebooks")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Name the folders that a notebook's kernel writes to; later notebooks find what earlier ones wrote."""
    if item.path.suffix != ".ipynb":
        return (yield)
    if SCRATCH not in item.config.stash:
        item.config.stash[SCRATCH] = tempfile.TemporaryDirectory(prefix="regulome-notebooks-")
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in FOLDERS.items():
            patch.setenv(name, os.path.join(item.config.stash[SCRATCH].name, folder))
        return (yield)


def pytest_unconfigure(config):
    """Remove what the notebooks wrote."""
    if SCRATCH in config.stash:
        config.stash[SCRATCH].cleanup()
