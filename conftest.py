"""Notebooks under nbmake (``pytest --nbmake notebooks``) write to a temporary folder, not the checkout."""

import os
import tempfile

import pytest

SCRATCH = pytest.StashKey[tempfile.TemporaryDirectory]()
FOLDERS = {"REGULOME_OUTPUT": "figures", "REGULOME_BUILD": "build", "REGULOME_REPORT": "report"}


def pytest_collection_modifyitems(items):
    """Mark notebooks, so that ``-m "not notebooks"`` leaves them out, and put those that others read first."""
    places = [place for place, item in enumerate(items) if item.path.suffix == ".ipynb"]
    notebooks = [items[place] for place in places]
    for item in notebooks:
        item.add_marker("notebooks")
    if notebooks:
        order = _running_order()
        notebooks.sort(key=lambda item: order.get(item.path.stem, 0))
    for place, item in zip(places, notebooks, strict=True):
        items[place] = item


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep tests of a file, and notebooks of a part, on one process: they share fixtures and outputs.

    A scheduler of our own, because pytest-xdist 3.8 does not see its own ``xdist_group`` marks under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return f"part {file.split('/')[-1][0]}" if file.endswith(".ipynb") else file

    return Together(config, log)


def _running_order() -> dict[str, int]:
    """Place of each step when every step comes after those whose outputs it reads."""
    from regulome import steps

    table, order = steps.table(), {}

    def visit(slug: str) -> None:
        for earlier in table[slug].get("after", []):
            visit(earlier)
        order.setdefault(slug, len(order))

    for slug in table:
        visit(slug)
    return order


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
