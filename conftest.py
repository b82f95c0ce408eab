"""Notebooks under nbmake (``pytest --nbmake notebooks``) write to a temporary folder, not the checkout."""

import os
import tempfile

import pytest

SCRATCH = pytest.StashKey[tempfile.TemporaryDirectory]()
FOLDERS = {"REGULOME_OUTPUT": "figures", "REGULOME_BUILD": "build", "REGULOME_REPORT": "report"}


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(config, items):
    """Mark notebooks, so that ``-m "not notebooks"`` leaves them out, and put those that others read first.

    Tests of a file, and notebooks of a part, run on one process after another: they share fixtures and outputs.
    """
    places = [place for place, item in enumerate(items) if item.path.suffix == ".ipynb"]
    notebooks = [items[place] for place in places]
    for item in notebooks:
        item.add_marker("notebooks")
    if notebooks:
        order = _running_order()
        notebooks.sort(key=lambda item: order.get(item.path.stem, 0))
    for place, item in zip(places, notebooks, strict=True):
        items[place] = item
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            notebook = item.path.suffix == ".ipynb"
            name = f"part {item.path.stem[0]}" if notebook else f"{item.path.parent.name}/{item.path.stem}"
            item.add_marker(pytest.mark.xdist_group(name))


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
