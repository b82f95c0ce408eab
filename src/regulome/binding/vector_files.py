"""Files of protein vectors: ``.npz`` and ``.csv`` with a header, and the published course's ``.npy`` without.

==========  =====================================================================================================
``.npz``    arrays ``names`` (P), ``values`` (P, width) float32, and the header: ``source``, ``pooling``, ``width``,
            ``checksum``
``.csv``    the header as lines ``# source: ...``, then ``name,e0,e1,...`` and a row a protein; also ``.csv.gz``
``.npy``    (P, width), one row a protein, as ``esm_emb_train.npy``; nothing says what made it
==========  =====================================================================================================

``checksum`` is that of the sequences (`Sequences.checksum`): vectors of other proteins, or in another order, are
refused. ``source`` is compared with what a model was trained on (`require`).
"""

import csv
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from regulome.binding.sequences import Sequences, text_lines
from regulome.binding.vectors import Vectors
from regulome.errors import UserError
from regulome.tables import write_bytes

SUFFIXES = (".npz", ".csv", ".csv.gz", ".npy")
FIELDS = ("source", "pooling", "width", "checksum")
NO_HEADER = "vectors without header"


def is_vector_file(name: str | Path) -> bool:
    """Whether a name ends as a file of vectors does."""
    return str(name).endswith(SUFFIXES)


def save(vectors: Vectors, path: str | Path) -> None:
    """Write ``.npz`` or ``.csv``; the file appears whole or not at all, the same vectors give the same bytes.

    Raises
    ------
    UserError
        Another ending, or a folder that cannot be written.
    """
    name = str(path)
    if name.endswith(".npz"):
        write_bytes(path, _npz(vectors))
    elif name.endswith(".csv"):
        write_bytes(path, _csv(vectors))
    else:
        raise UserError(f"{path}: found the ending '{Path(path).suffix}'; expected .npz or .csv")


def _header(vectors: Vectors) -> dict[str, str]:
    return {
        "source": vectors.source,
        "pooling": vectors.pooling,
        "width": str(vectors.width),
        "checksum": vectors.checksum,
    }


def _npz(vectors: Vectors) -> bytes:
    buffer = io.BytesIO()
    arrays = {name: np.array(text) for name, text in _header(vectors).items()}
    np.savez_compressed(buffer, names=np.array(vectors.names), values=vectors.values.astype(np.float32), **arrays)
    return buffer.getvalue()


def _csv(vectors: Vectors) -> bytes:
    text = io.StringIO()
    for name, value in _header(vectors).items():
        text.write(f"# {name}: {value}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["name", *(f"e{i}" for i in range(vectors.width))])
    for name, values in zip(vectors.names, vectors.values, strict=True):
        rows.writerow([name, *(f"{value:.9g}" for value in values)])  # nine digits give back every float32
    return text.getvalue().encode()


def load(path: str | Path, proteins: Sequences | None = None, source: str | None = None) -> Vectors:
    """Read vectors, and check that they are those of the given proteins.

    Parameters
    ----------
    proteins
        The sequences that the vectors have to belong to, in this order; the result carries their names. A file
        without header needs them.
    source
        Name of what made the vectors of a file without header (default: ``NO_HEADER``).

    Raises
    ------
    UserError
        No such file, another format, a missing field, a cell that is no number, a width other than the header's,
        another number of proteins, other names or sequences than those given.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected protein vectors")
    if path.name.endswith(".npz"):
        vectors = _read_npz(path)
    elif path.name.endswith(".npy"):
        vectors = _read_npy(path, proteins, source or NO_HEADER)
    elif path.name.endswith((".csv", ".csv.gz")):
        vectors = _read_csv(path)
    else:
        raise UserError(f"{path}: found the ending '{path.suffix}'; expected one of {', '.join(SUFFIXES)}")
    if not np.isfinite(vectors.values).all():
        row, column = np.argwhere(~np.isfinite(vectors.values))[0] + 1
        raise UserError(f"{path}: vector {row}, number {column}: found a value that is not finite; expected a number")
    return vectors if proteins is None else _of(vectors, proteins, path)


def _of(vectors: Vectors, proteins: Sequences, path: Path) -> Vectors:
    """Check that vectors belong to proteins."""
    if len(vectors) != len(proteins):
        raise UserError(
            f"{path}: found {len(vectors)} vectors; expected {len(proteins)}, one a protein of {proteins.source}"
        )
    if vectors.checksum and vectors.checksum != proteins.checksum():
        raise UserError(
            f"{path}: made from other sequences: found checksum {vectors.checksum[:12]}, expected "
            f"{proteins.checksum()[:12]} ({proteins.source}){_first_difference(vectors, proteins)}"
        )
    if not vectors.checksum and (difference := _first_difference(vectors, proteins)):
        raise UserError(f"{path}: vectors of other proteins{difference}")
    return replace(vectors, names=proteins.names, checksum=proteins.checksum())


def _first_difference(vectors: Vectors, proteins: Sequences) -> str:
    for row, (found, expected) in enumerate(zip(vectors.names, proteins.names, strict=True), start=1):
        if found != expected:
            return f"; vector {row}: found the name '{found}', expected '{expected}'"
    return ""


def require(vectors: Vectors, source: str, width: int, where: str | Path) -> None:
    """Refuse vectors of another source or width than a model was trained on.

    Raises
    ------
    UserError
        Naming both sources, or both widths.
    """
    if vectors.width != width:
        raise UserError(
            f"{where}: found protein vectors with {vectors.width} numbers ({vectors.source}); expected {width} "
            f"({source})"
        )
    if vectors.source != source:
        raise UserError(f"{where}: found protein vectors of '{vectors.source}'; expected those of '{source}'")


# --- readers


def _read_npz(path: Path) -> Vectors:
    try:
        with np.load(path, allow_pickle=False) as content:
            fields = {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read as .npz ({error})") from None
    for name in ("names", "values", *FIELDS):
        if name not in fields:
            raise UserError(f"{path}: missing field '{name}'; found {', '.join(fields)}")
    header = {name: str(fields[name]) for name in FIELDS}
    return _vectors(path, [str(name) for name in fields["names"].ravel()], fields["values"], header)


def _read_csv(path: Path) -> Vectors:
    lines = text_lines(path)
    header = {}
    while lines and lines[0].startswith("#"):
        name, colon, value = lines.pop(0)[1:].partition(":")
        if not colon:
            raise UserError(f"{path} line {len(header) + 1}: found '#{name[:30]}'; expected '# field: value'")
        header[name.strip()] = value.strip()
    for name in FIELDS:
        if name not in header:
            raise UserError(f"{path}: missing line '# {name}: ...' at the top; found {', '.join(header) or 'none'}")
    rows = list(csv.reader(lines))
    if len(rows) < 2 or rows[0][0] != "name":
        raise UserError(f"{path} line {len(header) + 1}: expected the line 'name,e0,e1,...' and a row a protein")
    width = len(rows[0]) - 1
    values = np.empty((len(rows) - 1, width), dtype=np.float32)
    for number, row in enumerate(rows[1:]):
        line = len(header) + number + 2
        if len(row) != width + 1:
            raise UserError(f"{path} line {line}: found {len(row)} fields; expected {width + 1}, as in the names' line")
        try:
            values[number] = row[1:]
        except ValueError:
            column = next(i for i, cell in enumerate(row[1:], start=1) if not _is_number(cell))
            raise UserError(
                f"{path} line {line}, column '{rows[0][column]}': found {row[column][:20]!r}; expected a number"
            ) from None
    return _vectors(path, [row[0] for row in rows[1:]], values, header)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _vectors(path: Path, names: list[str], values: np.ndarray, header: dict[str, str]) -> Vectors:
    if values.ndim != 2 or len(names) != len(values) or values.dtype.kind not in "fiu":
        raise UserError(f"{path}: found {len(names)} names for values {values.shape}; expected numbers, a row a name")
    if header["width"] != str(values.shape[1]):
        raise UserError(f"{path}: found {values.shape[1]} numbers a vector; expected width {header['width']}")
    return Vectors(tuple(names), values.astype(np.float32), header["source"], header["checksum"], header["pooling"])


def _read_npy(path: Path, proteins: Sequences | None, source: str) -> Vectors:
    if proteins is None:
        raise UserError(f"{path}: a file without names and header; expected the proteins that its rows belong to")
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as .npy ({error})") from None
    if values.ndim != 2 or values.dtype.kind not in "fiu" or len(values) != len(proteins):
        raise UserError(
            f"{path}: found {values.dtype} values of shape {values.shape}; expected {len(proteins)} rows of numbers, "
            f"one a protein of {proteins.source}"
        )
    return Vectors(proteins.names, values.astype(np.float32), source, proteins.checksum(), "unknown")
