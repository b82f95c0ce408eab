"""Generated simulators on disk: a source file named by its content, so that numba's cache works across processes."""

import hashlib
import importlib.util
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from numba import config

from regulome import lanes  # noqa: F401 - points numba's cache to its folder


@lru_cache(maxsize=64)
def load(text: str) -> ModuleType:
    """Module of a source text; what it imports from this package counts as content too."""
    folder = Path(config.CACHE_DIR) / "networks"
    support = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("ssa_random.py", "ssa_support.py"))
    name = f"ssa_{hashlib.sha256(text.encode() + support).hexdigest()[:20]}"
    try:
        path = _written(folder / f"{name}.py", text)
    except OSError:  # an installation that cannot be written to: compiled anew in every process
        path = _written(Path(tempfile.mkdtemp(prefix="regulome-")) / f"{name}.py", text)
    spec = importlib.util.spec_from_file_location(f"regulome_networks_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _written(path: Path, text: str) -> Path:
    """The file, made if it is not there; several processes may do so at once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    return path
