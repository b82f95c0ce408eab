"""The folder that a command leaves: checked before the work, filled at its end, replaced only by the same command.

Everything is made in memory, written beside the folder and moved in file by file, the manifest last. A folder with
other content is refused before anything is computed.
"""

import json
import os
import tempfile
from pathlib import Path

from regulome.errors import UserError


def check_folder(folder: Path, manifest: str, force: bool = False) -> None:
    """Refuse a folder that holds anything but what the command left there earlier.

    Parameters
    ----------
    manifest
        Name of the file in which the command lists what it wrote.

    Raises
    ------
    UserError
        If it is a file, cannot be made, or has other content and ``force`` is not set.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: found a file, expected a folder")
    if not folder.exists():
        parent = next((p for p in folder.resolve().parents if p.exists()), None)
        if parent is None or not parent.is_dir() or not os.access(parent, os.W_OK):
            raise UserError(f"--out {folder}: cannot be made; expected a place that can be written")
        return
    if not os.access(folder, os.W_OK):
        raise UserError(f"--out {folder}: cannot be written")
    foreign = sorted({p.name for p in folder.iterdir()} - set(listed(folder, manifest)) - {manifest})
    if foreign and not force:
        raise UserError(
            f"--out {folder}: holds {', '.join(foreign[:3])}{' and more' if len(foreign) > 3 else ''}, which this "
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


def as_json(content: dict) -> bytes:
    """JSON as files hold it: indented, not escaped, with a last line feed."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
