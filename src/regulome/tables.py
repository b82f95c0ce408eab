"""Numeric tables in and out: a strict reader that names the row at fault, writers that leave no half files.

Every part reads its tables through `read_table`. pandas alone would turn a corrupted file into text columns or
missing values, and the mistake would surface as a strange figure an hour later.
"""

import csv
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from regulome.errors import UserError, closest


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    header: bool = True,
    n_columns: int | None = None,
    text: Sequence[str] = (),
    low: float | None = None,
    high: float | None = None,
    delimiter: str = ",",
) -> pd.DataFrame:
    """Read a table of finite numbers, checking every cell.

    Parameters
    ----------
    path
        UTF-8 text file, one row a line.
    columns
        With a header: the columns to return, in this order; others are ignored (None: all of them). Without
        a header: the names of the fields, one each.
    header
        Whether the first line holds the column names.
    n_columns
        Number of fields that every row must have (None: as many as the first row; without a header, as many
        as `columns`).
    text
        Columns that hold text rather than numbers; surrounding blanks are removed, empty cells are refused.
    low, high
        Inclusive bounds of every number.
    delimiter
        Field separator.

    Returns
    -------
    DataFrame
        One row a data line; number columns are float64. Without header and names, columns are 0, 1, ...

    Raises
    ------
    UserError
        No such file, not text, no rows, a missing or repeated column, a row with another number of fields, a
        blank line between rows, a cell that is not a finite number or lies outside the bounds. The row in the
        message is the line number of the file, counted from 1.
    """
    path = Path(path)
    rows = _rows(path, delimiter)
    if not rows:
        expected = "a header line and data rows" if header else "data rows"
        raise UserError(f"{path}: the file is empty; expected {expected}")
    if header:
        first, names = rows[0]
        names = [name.strip() for name in names]
        _check_header(path, first, names, columns, n_columns)
        rows = rows[1:]
        if not rows:
            raise UserError(f"{path}: no data rows after the header; expected at least one")
    else:
        names = _names_without_header(path, rows[0], columns, n_columns)
    _check_fields(path, rows, names, header)
    wanted = list(columns) if columns is not None else names
    table = {}
    for name in wanted:
        at = names.index(name)
        label = f"column '{name}'" if header or columns is not None else f"column {at + 1}"
        convert = _text if name in text else _number
        table[name] = [convert(path, line, label, cells[at], low, high) for line, cells in rows]
    return pd.DataFrame(table, columns=pd.Index(wanted))


def _rows(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """Split a file into (first line number, cells); trailing blank lines are dropped, inner ones refused."""
    rows, blank, line = [], None, 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, delimiter=delimiter, strict=True)
            for cells in reader:
                if not any(cell.strip() for cell in cells) and len(cells) < 2:
                    blank = blank or line
                elif blank:
                    raise UserError(f"{path} row {blank}: blank line; expected a row of values")
                else:
                    rows.append((line, cells))
                line = reader.line_num + 1
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} row {_line_of_bad_byte(path)}: {error.reason}; expected UTF-8 text") from None
    except csv.Error as error:
        raise UserError(f"{path} row {line}: corrupted CSV ({error})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror})") from None
    return rows


def _line_of_bad_byte(path: Path) -> int:
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return len((content[: error.start] + b"x").splitlines())
    return 1


def _check_header(
    path: Path, line: int, names: list[str], columns: Sequence[str] | None, n_columns: int | None
) -> None:
    if n_columns is not None and len(names) != n_columns:
        raise UserError(f"{path} row {line}: the header has {len(names)} columns; expected {n_columns}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(f"{path} row {line}: column '{repeated[0]}' appears twice; expected unique names")
    for name in columns or ():
        if name not in names:
            raise UserError(
                f"{path} row {line}: missing column '{name}'{closest(name, names)}; "
                f"found {', '.join(names)}; expected {', '.join(columns)}"
            )


def _names_without_header(
    path: Path, first: tuple[int, list[str]], columns: Sequence[str] | None, n_columns: int | None
) -> list:
    line, cells = first
    expected = len(columns) if columns is not None else n_columns
    if expected is not None and len(cells) != expected:
        raise UserError(f"{path} row {line}: found {len(cells)} fields; expected {expected}")
    return list(columns) if columns is not None else list(range(len(cells)))


def _check_fields(path: Path, rows: list[tuple[int, list[str]]], names: list, header: bool) -> None:
    source = "the header" if header else "the first row"
    for line, cells in rows:
        if len(cells) != len(names):
            raise UserError(
                f"{path} row {line}: corrupted CSV, found {len(cells)} fields; expected {len(names)} as in {source}"
            )


def _number(path: Path, line: int, label: str, cell: str, low: float | None, high: float | None) -> float:
    try:
        value = float(cell) if "_" not in cell else math.nan  # Python would read 1_000 as a number
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{path} row {line}, {label}: found '{cell.strip()}'; expected a finite number")
    if (low is not None and value < low) or (high is not None and value > high):
        raise UserError(f"{path} row {line}, {label}: found {cell.strip()}; expected a number {_bounds(low, high)}")
    return value


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return f"of at most {high:g}"
    return f"of at least {low:g}" if high is None else f"between {low:g} and {high:g}"


def _text(path: Path, line: int, label: str, cell: str, low: float | None, high: float | None) -> str:
    if not cell.strip():
        raise UserError(f"{path} row {line}, {label}: the cell is empty; expected text")
    return cell.strip()


def csv_bytes(df: pd.DataFrame, digits: int = 6) -> bytes:
    """Render a table as CSV with reproducible bytes.

    Floats are written with `digits` significant digits (``%.6g``): far more than any figure shows, few enough
    that rounding noise of the last bits does not change the file. Integers and text are exact. A named index
    becomes the first columns; an unnamed one only counts rows and is dropped. Missing values are empty cells,
    lines end in LF.

    Raises
    ------
    UserError
        If the columns are nested, or a name appears twice.
    """
    if any(name is not None for name in df.index.names):
        df = df.reset_index()
    if df.columns.nlevels > 1:
        raise UserError("the table has nested columns; expected one level (use reset_index or melt first)")
    if not df.columns.is_unique:
        repeated = df.columns[df.columns.duplicated()][0]
        raise UserError(f"the table has column '{repeated}' twice; expected unique names")
    text = df.to_csv(index=False, float_format=f"%.{digits}g", lineterminator="\n")
    return text.encode("utf-8")


def write_csv(df: pd.DataFrame, path: str | Path, digits: int = 6) -> None:
    """Write a table in the form of `csv_bytes`; the file appears whole or not at all."""
    write_bytes(path, csv_bytes(df, digits))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file through a temporary name in the same folder, so that nobody ever reads half of it.

    Raises
    ------
    UserError
        If the folder cannot be made or written; an earlier file is then untouched.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
            part = Path(folder) / path.name
            part.write_bytes(content)
            os.replace(part, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror}); expected a folder that can be written: "
            "REGULOME_OUTPUT, REGULOME_BUILD and REGULOME_REPORT name others"
        ) from None
