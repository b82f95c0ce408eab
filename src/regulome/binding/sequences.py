"""Protein and RNA sequences from files: one sequence a line, or FASTA, plain or ``.gz``.

Order is preserved always: row i of a matrix belongs to sequence i. What a reader changed (T to U, case, unknown
letters) is counted and can be reported; what it cannot read is an error that names file, line and position.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from regulome.errors import UserError

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWYXBUZO"  # ESM-2's alphabet; X is an unknown residue
BASES = "ACGU"
UNKNOWN = {"protein": "X", "rna": "N"}
_ALPHABET = {"protein": AMINO_ACIDS, "rna": BASES + "N"}
_WORD = {"protein": "amino acids", "rna": "bases"}


@dataclass(frozen=True)
class Sequences:
    """Named sequences of one kind, in the order of their file.

    Attributes
    ----------
    names
        Unique; numbers from 1 ("1", "2", ...) where the file has no names.
    letters
        Upper case; RNA in A, C, G, U (N where unknown), proteins in ``AMINO_ACIDS``.
    kind
        "protein" or "rna".
    source
        File, data set or rule they come from.
    changed
        What reading changed: counts by "T to U", "lower case" and "unknown letters" (only those that happened).
    """

    names: tuple[str, ...]
    letters: tuple[str, ...]
    kind: str
    source: str = "sequences"
    changed: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _ALPHABET:
            raise ValueError(f"kind is {self.kind!r}; expected protein or rna")
        if len(self.names) != len(self.letters):
            raise ValueError(f"{len(self.names)} names for {len(self.letters)} sequences")

    def __len__(self) -> int:
        return len(self.letters)

    @property
    def lengths(self) -> list[int]:
        """Residues or bases of each."""
        return [len(letters) for letters in self.letters]

    def take(self, indices: Iterable[int]) -> "Sequences":
        """Those at the given positions, in the given order."""
        chosen = [int(i) for i in indices]
        return replace(self, names=tuple(self.names[i] for i in chosen), letters=tuple(self.letters[i] for i in chosen))

    def index(self) -> dict[str, int]:
        """Position of each name."""
        return {name: i for i, name in enumerate(self.names)}

    def checksum(self) -> str:
        """SHA-256 over the letters in order: embeddings and profiles carry it, so that they cannot be mixed up."""
        return hashlib.sha256("\n".join(self.letters).encode()).hexdigest()


def sequences(
    letters: Sequence[str],
    kind: str,
    names: Sequence[str] | None = None,
    source: str = "sequences",
    unknown: str = "error",
) -> Sequences:
    """Check and normalise sequences that come from memory rather than from a file (errors as in `read_sequences`)."""
    names = [str(i + 1) for i in range(len(letters))] if names is None else list(names)
    places = [f"{source}: record '{name}'" for name in names]
    return _checked(list(letters), names, kind, source, places, unknown)


def read_sequences(path: str | Path, kind: str, unknown: str = "error") -> Sequences:
    """Read sequences, one a line or FASTA, plain or ``.gz``, in upper or lower case, with LF or CRLF.

    Parameters
    ----------
    kind
        "protein" or "rna". In RNA, T becomes U.
    unknown
        "error", or "replace": letters outside the alphabet become X (protein) or N (RNA) and are counted.

    Raises
    ------
    UserError
        No such file, not text, no sequences, an empty line between sequences (rows of a matrix would shift), a name
        used twice, a letter outside the alphabet. The line and the position are counted from 1.
    """
    if unknown not in ("error", "replace"):
        raise ValueError(f"unknown is {unknown!r}; expected error or replace")
    path = Path(path)
    lines = [line.strip() for line in text_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise UserError(f"{path}: no sequences; expected one a line, or FASTA")
    first = next(line for line in lines if line)
    names, letters, places = (_fasta if first.startswith(">") else _plain)(path, lines)
    return _checked(letters, names, kind, str(path), places, unknown)


def text_lines(path: Path) -> list[str]:
    """Lines of a text file, plain or ``.gz``; UserError if it cannot be read."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; expected UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _plain(path: Path, lines: list[str]) -> tuple[list[str], list[str], list[str]]:
    for number, line in enumerate(lines, start=1):
        if not line:
            raise UserError(f"{path} line {number}: empty; expected one sequence a line")
    names = [str(number) for number in range(1, len(lines) + 1)]
    return names, lines, [f"{path} line {number}" for number in range(1, len(lines) + 1)]


def _fasta(path: Path, lines: list[str]) -> tuple[list[str], list[str], list[str]]:
    names: list[str] = []
    parts: list[list[str]] = []
    places: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if line.startswith(">"):
            name = (line[1:].split() or [""])[0]
            if not name:
                raise UserError(f"{path} line {number}: a record without a name; expected '>name'")
            if name in seen:
                raise UserError(f"{path} line {number}: record '{name}' occurs twice; expected unique names")
            seen.add(name)
            names.append(name)
            parts.append([])
            places.append(f"{path} line {number}: record '{name}'")
        elif line:
            parts[-1].append(line)
    letters = ["".join(lines_of_record) for lines_of_record in parts]
    for place, sequence in zip(places, letters, strict=True):
        if not sequence:
            raise UserError(f"{place} is empty; expected a sequence")
    return names, letters, places


def _checked(
    letters: list[str], names: list[str], kind: str, source: str, places: list[str], unknown: str
) -> Sequences:
    if not letters:
        raise UserError(f"{source}: no sequences; expected at least one")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise UserError(f"{source}: record '{twice}' occurs twice; expected unique names")
    counts = {"T to U": 0, "lower case": 0, "unknown letters": 0}
    alphabet = set(_ALPHABET[kind])
    done = []
    for place, sequence in zip(places, letters, strict=True):
        if not sequence:
            raise UserError(f"{place}: empty; expected {_WORD[kind]}")
        upper = sequence.upper()
        counts["lower case"] += upper != sequence
        if kind == "rna" and "T" in upper:
            counts["T to U"] += 1
            upper = upper.replace("T", "U")
        if not alphabet.issuperset(upper):
            upper = _unknown(upper, alphabet, place, kind, unknown, counts)
        done.append(upper)
    changed = tuple((what, number) for what, number in counts.items() if number)
    return Sequences(tuple(names), tuple(done), kind, source, changed)


def _unknown(sequence: str, alphabet: set[str], place: str, kind: str, unknown: str, counts: dict[str, int]) -> str:
    bad = [i for i, letter in enumerate(sequence) if letter not in alphabet]
    if unknown == "error":
        raise UserError(
            f"{place}, position {bad[0] + 1}: found {sequence[bad[0]]!r}; expected {_WORD[kind]}, one of "
            f"{_ALPHABET[kind]} ({UNKNOWN[kind]} where unknown)"
        )
    counts["unknown letters"] += len(bad)
    return "".join(letter if letter in alphabet else UNKNOWN[kind] for letter in sequence)
