"""Notebooks under nbmake (``pytest --nbmake notebooks``) write to a temporary folder, not the checkout."""

import os
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

OWNED, COLLECTED = pytest.StashKey[tempfile.TemporaryDirectory](), pytest.StashKey[set]()
SCRATCH = "REGULOME_TEST_SCRATCH"  # folder of the notebooks, the same for all test processes
FOLDERS = {"REGULOME_OUTPUT": "figures", "REGULOME_BUILD": "build", "REGULOME_REPORT": "report"}
PATIENCE = 1800  # seconds that a notebook waits for those it reads


def pytest_configure(config):
    """Make the notebooks' folder, once: processes started later find it in the environment."""
    if SCRATCH not in os.environ:
        config.stash[OWNED] = tempfile.TemporaryDirectory(prefix="regulome-notebooks-")
        os.environ[SCRATCH] = config.stash[OWNED].name


def pytest_unconfigure(config):
    """Remove what the notebooks wrote."""
    if OWNED in config.stash:
        config.stash[OWNED].cleanup()
        del os.environ[SCRATCH]


def pytest_collection_modifyitems(config, items):
    """Mark notebooks, so that ``-m "not notebooks"`` leaves them out, and put each after those it reads.

    Notebooks over all parts come after everything else: they read what all the others wrote.
    """
    notebooks = [item for item in items if item.path.suffix == ".ipynb"]
    order = _running_order() if notebooks else {}
    notebooks.sort(key=lambda item: order.get(item.path.stem, 0))
    for item in notebooks:
        item.add_marker("notebooks")
    others = [item for item in items if item.path.suffix != ".ipynb"]
    late = [item for item in notebooks if _over_all_parts(item.path.name)]
    items[:] = [*(item for item in notebooks if item not in late), *others, *late]
    config.stash[COLLECTED] = {item.path.stem for item in notebooks}


@cache
def _over_all_parts(name: str) -> bool:
    """Whether a notebook reads what notebooks of other parts wrote."""
    from regulome import steps

    slug = name.removesuffix(".ipynb")
    return any(earlier[0] != slug[0] for earlier in steps.table().get(slug, {}).get("after", []))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep tests of a file, and notebooks of a part, on one process: they share fixtures and outputs.

    A scheduler of our own, because pytest-xdist 3.8 does not see its own ``xdist_group`` marks under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            if not file.endswith(".ipynb"):
                return file
            name = file.split("/")[-1]
            return "all parts" if _over_all_parts(name) else f"part {name[0]}"

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
    scratch = Path(os.environ[SCRATCH])
    _wait_for_earlier(item, scratch)
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in FOLDERS.items():
            patch.setenv(name, str(scratch / folder))
        try:
            return (yield)
        finally:
            (scratch / f"{item.path.stem}.ended").touch()


def _wait_for_earlier(item, scratch: Path) -> None:
    """Wait until the notebooks that this one reads have ended, in whichever process they run."""
    from regulome import steps

    earlier = set(steps.table().get(item.path.stem, {}).get("after", [])) & item.config.stash[COLLECTED]
    end = time.monotonic() + PATIENCE
    while not all((scratch / f"{slug}.ended").exists() for slug in earlier) and time.monotonic() < end:
        time.sleep(0.5)
