"""Where everything lives. Notebooks and modules take their folders from here, never from the working directory.

papermill runs a notebook in the caller's folder and nbmake in the notebook's own, so a relative path would mean
two different files.
"""

import os
from functools import lru_cache
from pathlib import Path

from regulome.errors import UserError

PROFILES = ("mini", "paper")


def root() -> Path:
    """Return the repository root: ``REGULOME_ROOT``, else the nearest parent folder that holds the Snakefile.

    Raises
    ------
    UserError
        If neither this file nor the working directory lies inside a checkout.
    """
    if os.environ.get("REGULOME_ROOT"):
        return Path(os.environ["REGULOME_ROOT"]).resolve()
    return _nearest(Path.cwd())


@lru_cache(maxsize=8)  # asked some thousand times before a run starts
def _nearest(working: Path) -> Path:
    """The checkout around this file, else around the working directory."""
    for start in (Path(__file__).resolve(), working.resolve() / "_"):
        for folder in start.parents:
            if (folder / "Snakefile").is_file() and (folder / "notebooks").is_dir():
                return folder
    raise UserError(
        "found no regulome checkout: this needs the repository (notebooks, parameters, data); expected to run inside a "
        "clone of it, or REGULOME_ROOT naming its folder"
    )


def notebooks() -> Path:
    """Folder of the numbered notebooks."""
    return root() / "notebooks"


def params(profile: str) -> Path:
    """Folder of the parameter files of one profile."""
    return root() / "params" / profile


def data() -> Path:
    """Folder of the registry and of the mini data."""
    return root() / "data"


def mini_data() -> Path:
    """Folder of the small synthetic inputs."""
    return data() / "mini"


def outputs() -> Path:
    """Folder that takes figures and tables: ``REGULOME_OUTPUT`` (tests use it), else ``figures``."""
    return Path(os.environ["REGULOME_OUTPUT"]).resolve() if os.environ.get("REGULOME_OUTPUT") else root() / "figures"


def figures(profile: str, slug: str) -> Path:
    """Folder of the figures and tables of one step: ``figures/<profile>/<slug>``."""
    return outputs() / profile / slug


def build(profile: str) -> Path:
    """Folder of executed notebooks, logs and benchmarks: ``REGULOME_BUILD``, else ``build``, then the profile."""
    base = Path(os.environ["REGULOME_BUILD"]).resolve() if os.environ.get("REGULOME_BUILD") else root() / "build"
    return base / profile


def report() -> Path:
    """Folder of the browsable report: ``REGULOME_REPORT``, else ``report``."""
    return Path(os.environ["REGULOME_REPORT"]).resolve() if os.environ.get("REGULOME_REPORT") else root() / "report"
