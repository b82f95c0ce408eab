"""The folder that a command leaves: checked before the work, filled at its end, replaced only by the same command.

`place` takes what was made in memory and moves it in file by file, the manifest last; `filled` is for results too large
for that: files are written beside the folder, which then changes as a whole. A folder with other content is refused
before anything is computed.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regulome.errors import UserError


def check_folder(folder: Path, manifest: str, force: bool = False, option: str = "--out") -> None:
    """Refuse a folder that holds anything but what the command left there earlier.

    Parameters
    ----------
    manifest
        Name of the file in which the command lists what it wrote.
    option
        What the command line calls the folder, for the messages.

    Raises
    ------
    UserError
        If it is a file, cannot be made, or has other content and ``force`` is not set.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{option} {folder}: found a file, expected a folder")
    if not folder.exists():
        parent = next((p for p in folder.resolve().parents if p.exists()), None)
        if parent is None or not parent.is_dir() or not os.access(parent, os.W_OK):
            raise UserError(f"{option} {folder}: cannot be made; expected a place that can be written")
        return
    if not os.access(folder, os.W_OK):
        raise UserError(f"{option} {folder}: cannot be written")
    foreign = sorted({p.name for p in folder.iterdir()} - set(listed(folder, manifest)) - {manifest})
    if foreign and not force:
        raise UserError(
            f"{option} {folder}: holds {', '.join(foreign[:3])}{' and more' if len(foreign) > 3 else ''}, which this "
            "command did not write; expected an empty or new folder, an earlier result of it, or --force"
        )


def listed(folder: Path, manifest: str) -> list[str]:
    """Files that an earlier run of the command left, by its manifest."""
    try:
        content = json.loads((folder / manifest).read_text(encoding="utf-8"))
        return [str(name) for name in content["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def place(content: dict[str, bytes], folder: Path, manifest: str) -> None:
    """Write beside the folder, then move in; the manifest comes last, files of an earlier run that are left go."""
    old = set(listed(folder, manifest)) - set(content)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.resolve().parent, prefix=".regulome-") as temporary:
            for name, data in content.items():
                (Path(temporary) / name).write_bytes(data)
            for name in sorted(content, key=lambda n: n == manifest):
                os.replace(Path(temporary) / name, folder / name)
        for name in old:
            if Path(name).name == name:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror})") from None


@contextmanager
def filled(folder: Path, manifest: str, option: str = "--out") -> Iterator[Path]:
    """Give an empty folder to write into; when the block ends without an error it becomes ``folder``, at once.

    An earlier result is replaced as a whole. Files that the command did not write (``force`` in `check_folder`) stay:
    then, and where the folder itself cannot be renamed, files move in one by one, the manifest last. An error or an
    interrupt inside the block leaves ``folder`` as it was.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    folder = folder.resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = folder.parent if os.access(folder.parent, os.W_OK) else folder
        with tempfile.TemporaryDirectory(dir=beside, prefix=".regulome-") as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            yield new
            if not _renamed(new, folder, Path(temporary) / "old", manifest):
                _moved(new, folder, manifest)
    except OSError as error:
        raise UserError(f"{option} {folder}: cannot be written ({error.strerror or error})") from None


def _renamed(new: Path, folder: Path, old: Path, manifest: str) -> bool:
    """Put the new folder in place of one that is absent or holds an earlier result alone; say whether that was done."""
    try:
        if folder.exists():
            if {p.name for p in folder.iterdir()} - {*listed(folder, manifest), manifest}:
                return False
            os.rename(folder, old)
    except OSError:
        return False
    try:
        os.rename(new, folder)
    except OSError:
        if old.exists():
            os.rename(old, folder)
        return False
    return True


def _moved(new: Path, folder: Path, manifest: str) -> None:
    """Move files in one by one; without its manifest, an unfinished folder does not pass for a result."""
    left = {name for name in listed(folder, manifest) if Path(name).name == name}
    folder.mkdir(exist_ok=True)
    (folder / manifest).unlink(missing_ok=True)
    for path in sorted(new.iterdir(), key=lambda p: (p.name == manifest, p.name)):
        os.replace(path, folder / path.name)
        left.discard(path.name)
    for name in left - {manifest}:
        (folder / name).unlink(missing_ok=True)


def as_json(content: dict) -> bytes:
    """JSON as files hold it: indented, not escaped, with a last line feed."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
