"""A compendium: intensities of many proteins on many RNA probes.

Files have the published course layout: a matrix of numbers (one row an RNA, one column a protein, blanks or tabs
between them, no header), one file of protein sequences and one of RNA sequences, in the same orders. `save` and
`load` keep all of it in one .npz file.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regulome.binding.sequences import Sequences, read_sequences, text_lines
from regulome.errors import UserError
from regulome.tables import write_bytes

KINDS = ("measured", "semi-real", "synthetic")
FORMAT = "regulome compendium 1"
_ARRAYS = ("meta", "intensities", "probe_set")


@dataclass(frozen=True)
class Compendium:
    """Intensities of P proteins on N RNAs.

    Attributes
    ----------
    proteins, rnas
        P and N sequences.
    intensities
        (P, N) float32, in the units of the source; NaN where a probe was flagged.
    kind
        "measured", "semi-real" (real sequences, targets from a scan of published motifs) or "synthetic". It goes
        into every table and figure title: semi-real and synthetic results are never quoted as measured ones.
    probe_set
        (N,) "A" or "B" where the array's two halves are known, else None.
    source
        Files or rule.
    """

    proteins: Sequences
    rnas: Sequences
    intensities: np.ndarray
    kind: str
    probe_set: np.ndarray | None = None
    source: str = "compendium"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; expected one of {', '.join(KINDS)}")
        if self.intensities.shape != (len(self.proteins), len(self.rnas)):
            raise ValueError(
                f"intensities are {self.intensities.shape} for {len(self.proteins)} proteins and {len(self.rnas)} RNAs"
            )

    def take(self, proteins: Iterable[int] | None = None, rnas: Iterable[int] | None = None) -> "Compendium":
        """The given proteins and RNAs (None: all), in the given order."""
        rows = np.arange(len(self.proteins)) if proteins is None else np.asarray(list(proteins), dtype=int)
        columns = np.arange(len(self.rnas)) if rnas is None else np.asarray(list(rnas), dtype=int)
        return Compendium(
            self.proteins.take(rows),
            self.rnas.take(columns),
            self.intensities[np.ix_(rows, columns)],
            self.kind,
            None if self.probe_set is None else self.probe_set[columns],
            self.source,
        )


def read_compendium(
    matrix: str | Path, proteins: str | Path, rnas: str | Path, kind: str = "measured", unknown: str = "error"
) -> Compendium:
    """Read the three files of a compendium (layout: see the module); each may be ``.gz``.

    A matrix with proteins as rows is recognised by its size; where both counts are equal, rows are RNAs.

    Raises
    ------
    UserError
        What `read_sequences` refuses; a cell that is no number (row and column named); rows of unequal length; a
        size that fits neither way round; a column without any number.
    """
    protein_list = read_sequences(proteins, "protein", unknown)
    rna_list = read_sequences(rnas, "rna", unknown)
    values = read_matrix(matrix)
    size, wanted = values.shape, (len(rna_list), len(protein_list))
    if size != wanted and size != wanted[::-1]:
        raise UserError(
            f"{matrix}: found {size[0]} rows and {size[1]} columns; expected {wanted[0]} rows ({rnas}) and "
            f"{wanted[1]} columns ({proteins})"
        )
    by_protein = np.ascontiguousarray(values.T if size == wanted else values)
    for i, row in enumerate(by_protein):
        if np.isnan(row).all():
            line = "column" if size == wanted else "row"
            raise UserError(f"{matrix}: {line} {i + 1} (protein '{protein_list.names[i]}') has no number")
    return Compendium(protein_list, rna_list, by_protein, kind, None, f"{matrix}")


def read_matrix(path: str | Path) -> np.ndarray:
    """Read a matrix of numbers, blanks, tabs or commas between them: (rows, columns) float32; "nan"/"NA" is NaN.

    Raises
    ------
    UserError
        Naming row and column (from 1) of a cell that is no number or infinite, or the row whose length differs.
    """
    path = Path(path)
    lines = text_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UserError(f"{path}: empty; expected a matrix of numbers")
    separator = "," if "," in lines[0] else ("\t" if "\t" in lines[0] else None)
    width = len(lines[0].split(separator))
    values = np.empty((len(lines), width), dtype=np.float32)
    for number, line in enumerate(lines, start=1):
        cells = line.split(separator)
        if len(cells) != width:
            raise UserError(f"{path} row {number}: found {len(cells)} columns; expected {width}, as in row 1")
        try:
            with np.errstate(over="ignore"):  # becomes infinite and is refused below
                values[number - 1] = cells
        except ValueError:
            values[number - 1] = [_number(cell, path, number, i + 1) for i, cell in enumerate(cells)]
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0] + 1
        raise UserError(f"{path} row {row}, column {column}: found an infinite value; expected a number or nan")
    return values


def _number(cell: str, path: Path, row: int, column: int) -> float:
    if cell.strip().lower() in ("na", ""):
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise UserError(f"{path} row {row}, column {column}: found {cell[:20]!r}; expected a number") from None


def save(compendium: Compendium, path: str | Path) -> None:
    """Write a compendium as one compressed .npz file (no pickle); an existing one is replaced at the end."""
    meta = {"format": FORMAT, "kind": compendium.kind, "source": compendium.source}
    for part in ("proteins", "rnas"):
        meta[part] = vars(getattr(compendium, part))
    probe_set = compendium.probe_set
    content = io.BytesIO()
    np.savez_compressed(
        content,
        meta=np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8),
        intensities=np.asarray(compendium.intensities, dtype=np.float32),
        probe_set=np.empty(0, dtype="U1") if probe_set is None else np.asarray(probe_set, dtype="U1"),
    )
    write_bytes(path, content.getvalue())


def load(path: str | Path) -> Compendium:
    """Read what `save` wrote.

    Raises
    ------
    UserError
        If the file is missing, is no such file or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a compendium (.npz)")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
        meta = json.loads(arrays["meta"].tobytes())
        if meta["format"] != FORMAT:
            raise UserError(f"{path}: found format '{meta['format']}'; expected '{FORMAT}'")
        proteins, rnas = (_sequences(meta[part]) for part in ("proteins", "rnas"))
        probe_set = arrays["probe_set"] if len(arrays["probe_set"]) else None
        return Compendium(proteins, rnas, arrays["intensities"], meta["kind"], probe_set, meta["source"])
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{path}: not a compendium, or damaged; expected a .npz file as saved") from None


def _sequences(fields: dict) -> Sequences:
    changed = tuple((what, number) for what, number in fields["changed"])
    return Sequences(tuple(fields["names"]), tuple(fields["letters"]), fields["kind"], fields["source"], changed)
