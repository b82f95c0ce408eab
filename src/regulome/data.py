"""Real data files: one call looks in the cache, then in a mirror folder, then downloads
and checks the sha256 each time. Files that only their page offers (``page``) are not downloaded: the user places them.

The registry is ``data/registry.yaml``; its header documents the fields. The cache has the layout of the
mirror (KEY/FILE), so a filled cache can be copied to a machine without a network and named in
``REGULOME_MIRROR``.
"""

import os
import re
import tempfile
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from regulome import paths
from regulome.errors import UserError, closest
from regulome.yaml_lines import read_yaml

HOST = "https://raw.githubusercontent.com"
TIMEOUT = 30  # seconds without an answer
PATTERNS = {
    "file": (r"[^/\\]*[^/\\.][^/\\]*", "a file name without folders"),
    "sha256": (r"[0-9a-f]{64}", "64 hexadecimal digits in lower case"),
    "repository": (r"[\w.-]+/[\w.-]+", "OWNER/NAME"),
    "commit": (r"[0-9a-f]{40}", "40 hexadecimal digits in lower case"),
    "path": (r"[^/].*", "a path inside the repository"),
    "url": (r"https?://.+", "an http or https address"),
    "page": (r"https?://.+", "an http or https address"),
}
OPTIONAL = ("url", "page")
PLACED = ("bytes", "sha256", "repository", "commit", "path", "url")  # fields that an entry with a page need not have


@dataclass(frozen=True)
class Entry:
    """One data file of the registry; the fields are those of ``data/registry.yaml``, `key` its name there."""

    key: str
    file: str
    licence: str
    citation: str
    content: str
    bytes: int = 0
    sha256: str = ""
    repository: str = ""
    commit: str = ""
    path: str = ""
    url: str | None = None
    page: str | None = None

    @property
    def address(self) -> str:
        """Where a reader finds it: `page`, or the download address, `url` or the raw file at the registered commit."""
        return self.page or self.url or f"{HOST}/{self.repository}/{self.commit}/{quote(self.path)}"


def load_registry(path: Path | None = None) -> dict[str, Entry]:
    """Read and check a registry (default: ``data/registry.yaml`` of the repository).

    Raises
    ------
    UserError
        Missing file, broken YAML, a repeated key, a missing, unknown or malformed field. The message names
        file, entry and field.
    """
    path = paths.data() / "registry.yaml" if path is None else Path(path)
    return dict(_registry(path, path.stat().st_mtime_ns if path.is_file() else 0))


@lru_cache(maxsize=4)
def _registry(path: Path, changed: int) -> dict[str, Entry]:
    """Reading takes a second; ``changed`` makes an edited file a new one."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}; expected one mapping per data file")
    return {key: _entry(path, key, values) for key, values in content.items()}


def _entry(path: Path, key: object, values: object) -> Entry:
    where = f"{path}, entry '{key}'"
    if not re.fullmatch(r"\w+", str(key), re.ASCII):
        raise UserError(f"{where}: the key must have letters, digits and underscores only")
    if not isinstance(values, dict):
        raise UserError(f"{where}: found {type(values).__name__}; expected the fields of a data file")
    known = [field.name for field in fields(Entry) if field.name != "key"]
    for name in values:
        if name not in known:
            raise UserError(f"{where}: unknown field '{name}'{closest(name, known)}; expected {', '.join(known)}")
    for name in known:
        if name not in values and name not in (*OPTIONAL, *(PLACED if "page" in values else ())):
            raise UserError(f"{where}: missing field '{name}'")
        if name in values:
            _check_field(where, name, values[name])
    return Entry(key=str(key), **values)


def _check_field(where: str, name: str, value: object) -> None:
    if name == "bytes":
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{where}, field 'bytes': found {value!r}; expected a positive whole number")
        return
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}, field '{name}': found {value!r}; expected text (in quotes if it is all digits)")
    pattern, expected = PATTERNS.get(name, (r"(?s).+", "text"))
    if not re.fullmatch(pattern, value):
        found = f"{value!r} ({len(value)} characters)"
        raise UserError(f"{where}, field '{name}': found {found}; expected {expected}")


def keys() -> list[str]:
    """Names of all registered data files, in the order of the registry."""
    return list(load_registry())


def named_in(text: str) -> list[str]:
    """Names of the registered data files that occur in a text, such as the source that a prepared screen states."""
    return [key for key in keys() if key in text]


def describe(key: str) -> Entry:
    """Return the registry entry of one data file; UserError with the closest name if there is none."""
    registry = load_registry()
    if key not in registry:
        raise UserError(f"unknown data key '{key}'{closest(key, registry)}; `regulome data list` shows all of them")
    return registry[key]


def citation(key: str) -> dict[str, str]:
    """Return what a text that uses the file states: key, citation, licence, content, address, sha256."""
    entry = describe(key)
    return {
        "key": entry.key,
        "citation": entry.citation,
        "licence": entry.licence,
        "content": entry.content,
        "address": entry.address,
        "sha256": entry.sha256,
    }


def cache() -> Path:
    """Folder of downloaded files: ``REGULOME_CACHE``, else the platform's cache folder."""
    if os.environ.get("REGULOME_CACHE"):
        return Path(os.environ["REGULOME_CACHE"]).expanduser().resolve()
    import pooch

    return Path(pooch.os_cache("regulome"))


def fetch(key: str, mirror: str | Path | None = None) -> Path:
    """Return the path of a verified data file: from the cache, else the mirror, else downloaded to the cache.

    Parameters
    ----------
    key
        Name in the registry.
    mirror
        Folder that holds KEY/FILE (default, also for an empty text: ``REGULOME_MIRROR``). Its files are read
        in place, not copied.

    Raises
    ------
    UserError
        Unknown key; a file with another sha256, wherever it was found; a cache that cannot be written; a
        failed download, with every place that was looked at; a file that the user has to place, where it is not
        there. A failed download leaves nothing in the cache.
    """
    entry = describe(key)
    found = local(key, mirror)
    if found is None and entry.page:
        raise UserError(
            f"'{entry.key}' is not downloaded: get {entry.file} from {entry.page} and place it at "
            f"FOLDER/{entry.key}/{entry.file} with REGULOME_MIRROR=FOLDER, or give its path where one is asked for"
        )
    if found is None:
        found, mirrored = _places(entry, mirror)
        _download(entry, found, mirrored)
    return found


def local(key: str, mirror: str | Path | None = None) -> Path | None:
    """Return the verified file from the cache or the mirror, as `fetch`, or None where it is in neither."""
    entry = describe(key)
    cached, mirrored = _places(entry, mirror)
    if cached.is_file():
        _check_content(cached, entry, "Delete the file to obtain it again.")
        return cached
    if mirrored is not None and mirrored.is_file():
        _check_content(mirrored, entry, "Copy the file to the mirror again.")
        return mirrored
    return None


def _places(entry: Entry, mirror: str | Path | None) -> tuple[Path, Path | None]:
    """Where a file lies in the cache and, if there is one, in the mirror."""
    mirror = mirror or os.environ.get("REGULOME_MIRROR")
    mirrored = Path(mirror).expanduser().resolve() / entry.key / entry.file if mirror else None
    return cache() / entry.key / entry.file, mirrored


def _check_content(path: Path, entry: Entry, advice: str, name: object = None) -> None:
    import pooch

    if not entry.sha256:  # a placed file whose content is not registered
        return
    try:
        found = pooch.file_hash(str(path), alg="sha256")
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror})") from None
    if found != entry.sha256:
        raise UserError(
            f"{name or path}: wrong content for '{entry.key}'\n"
            f"  found:    sha256 {found}, {path.stat().st_size} bytes\n"
            f"  expected: sha256 {entry.sha256}, {entry.bytes} bytes\n"
            f"{advice}"
        )


def _download(entry: Entry, cached: Path, mirrored: Path | None) -> None:
    """Download into a temporary folder beside the cached file, check it there, then move it into place."""
    import pooch
    import requests

    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".part-") as folder:
            part = Path(folder) / entry.file
            pooch.HTTPDownloader(timeout=TIMEOUT, chunk_size=1 << 16)(entry.address, str(part), None)
            _check_content(part, entry, "Nothing was kept of this download.", name=entry.address)
            os.replace(part, cached)
    except requests.RequestException as error:  # before OSError, its parent
        raise UserError(_not_found(entry, cached, mirrored, error)) from None
    except OSError as error:
        raise UserError(
            f"cannot write to the cache folder {cached.parent} ({error.strerror}); set REGULOME_CACHE to a "
            f"folder that can be written, or REGULOME_MIRROR to one that holds {entry.key}/{entry.file}"
        ) from None


def _not_found(entry: Entry, cached: Path, mirrored: Path | None, error: Exception) -> str:
    return (
        f"'{entry.key}' was not found and could not be downloaded\n"
        f"  cache:    {cached}: no such file\n"
        f"  mirror:   {f'{mirrored}: no such file' if mirrored else 'none given'}\n"
        f"  download: {entry.address}: {_reason(error)}\n"
        f"Without a network, place the file at FOLDER/{entry.key}/{entry.file} and set "
        "REGULOME_MIRROR=FOLDER."
    )


def _reason(error: Exception) -> str:
    """Say in a few words why a request failed; the libraries wrap the reason in several layers."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    cause = error.args[0] if error.args else error
    return f"{type(error).__name__}: {getattr(cause, 'reason', cause)}"
