"""Structure profiles on disk, by sequence: an SQLite file that several runs may read and extend at once.

Every addition is one transaction: a run that is killed leaves the file as it was before its last addition.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from regulome.errors import UserError

PATIENCE = 60.0  # seconds to wait for another run that is writing
_AT_ONCE = 500  # keys of one question
_TABLE = "CREATE TABLE IF NOT EXISTS profiles (key BLOB PRIMARY KEY, profile BLOB NOT NULL) WITHOUT ROWID"


class ProfileCache:
    """Profiles of earlier runs.

    Parameters
    ----------
    path
        The file; made with its folder if it is not there.
    software
        Name and version of what makes the profiles: another version finds none of these.

    Raises
    ------
    UserError
        If the file cannot be made or written, or is something else.
    """

    def __init__(self, path: str | Path, software: str):
        self.path, self.software = Path(path), software
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: the cache cannot be made ({error.strerror})") from None
        with self._open() as database:
            database.execute(_TABLE)

    def __len__(self) -> int:
        with self._open() as database:
            return database.execute("SELECT count(*) FROM profiles").fetchone()[0]

    def get(self, letters: Sequence[str]) -> dict[str, np.ndarray]:
        """Those of the sequences that are known, each (L, 5) float32, in the order asked for."""
        keys = {self._key(sequence): sequence for sequence in letters}
        found: dict[str, np.ndarray] = {}
        wanted = list(keys)
        with self._open() as database:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                question = f"SELECT key, profile FROM profiles WHERE key IN ({','.join('?' * len(some))})"
                for key, content in database.execute(question, some):
                    found[keys[key]] = self._profile(keys[key], content)
        return {sequence: found[sequence] for sequence in letters if sequence in found}

    def put(self, profiles: Mapping[str, np.ndarray]) -> None:
        """Add profiles, all or none; one that is there already stays as it is."""
        rows = [(self._key(letters), _bytes(values)) for letters, values in profiles.items()]
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO profiles VALUES (?, ?)", rows)

    def _key(self, letters: str) -> bytes:
        return hashlib.sha256(f"{self.software}\n{letters}".encode()).digest()

    def _profile(self, letters: str, content: bytes) -> np.ndarray:
        if len(content) != len(letters) * 20:
            raise UserError(f"{self.path}: a profile is damaged; delete the file to fold the RNAs again")
        return np.frombuffer(content, dtype="<f4").reshape(len(letters), 5)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end of the block, undone where it fails."""
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as database, database:
                yield database
        except sqlite3.OperationalError as error:
            raise UserError(f"{self.path}: the cache cannot be used ({error}); expected a file to write to") from None
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self.path}: found a file that is no cache of structure profiles ({error}); expected one, or a new "
                "name"
            ) from None


def _bytes(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()
