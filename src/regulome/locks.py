"""One run at a time: a lock that the operating system releases however the run ends, a kill included."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regulome.errors import UserError


def acquire(path: Path, what: str, patience: float = 0.0) -> int:
    """Lock a file for this process and return its descriptor; the lock ends when that is closed.

    Parameters
    ----------
    path
        Lock file; it stays behind empty of meaning, only the lock on it counts.
    what
        What is locked, for the message.
    patience
        Seconds to wait for another process to let go.

    Raises
    ------
    UserError
        If another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            owner = os.read(handle, 20).decode() or "?"
            os.close(handle)
            raise UserError(f"{what} is already running as process {owner}: wait for it, or stop it") from None
        except OSError:
            return handle  # a file system without locks, such as some cluster scratch disks: run unprotected
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        return handle


@contextmanager
def held(path: Path, what: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock while a block runs; see :func:`acquire`."""
    handle = acquire(path, what, patience)
    try:
        yield
    finally:
        os.close(handle)
