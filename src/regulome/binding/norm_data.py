"""Reader of the full RNAcompete compendium, ``norm_data.txt.gz`` of the Hughes laboratory's RNAcompete_eukarya pages.

The file (Ray et al., Nature 499:172, 2013; about 241,357 probes and 244 experiments) is not in the data registry,
because its server states no checksum: download it and give its path. Layout: a header, then one probe a line,
tabs between the columns.

| column | content |
|---|---|
| ``RNA_Seq`` | sequence of the probe |
| ``Probe_Set`` | half of the array: SetA or SetB (also read: A, B, "Set A") |
| ``RNCMPT00001``, ... | normalised, signed intensity of each experiment; NaN, NA or nothing where a spot was flagged |
| any other | ignored (probe numbers and the like) |

Columns may stand in any order. The name of the sequence column is known from public readers of the file; for the
probe-set column a few spellings are accepted, and the file may also lack it. Blanks instead of tabs are read where no
cell is empty.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from regulome.binding.compendium import Compendium
from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

SEQUENCE_COLUMNS = ("RNA_Seq", "seq", "sequence")
SET_COLUMNS = ("Probe_Set", "probe_set", "Set", "Fold ID")
EXPERIMENT = re.compile(r"RNCMPT\d+")
ABSENT = ("", "nan", "na")


def read_norm_data(path: str | Path, proteins: Sequences, experiments: Sequence[str] | None = None) -> Compendium:
    """Read the intensities of experiments whose proteins are known.

    Parameters
    ----------
    proteins
        Their constructs, named as the experiments (`regulome.binding.registered.constructs`).
    experiments
        Which ones, in this order (default: all of the file that have a protein, in the file's order).

    Returns
    -------
    Compendium
        Kind "measured"; RNAs named by their number in the file, from 1; flagged probes are NaN.

    Raises
    ------
    UserError
        No such file; no column of sequences or of experiments, or two of one name; an experiment that is not in the
        file or has no protein; a line of another length, an intensity that is no number (line and column named), a
        probe set that is neither A nor B; an experiment without any number; sequences as in `read_sequences`.
    """
    path = Path(path)
    lines = _lines(path)
    header = next(lines, "")
    separator = "\t" if "\t" in header else None
    names = [name.strip() for name in header.split(separator)]
    sequence, half, columns = _columns(path, names, proteins, experiments)
    letters: list[str] = []
    sets: list[str] = []
    rows: list[np.ndarray] = []
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        cells = line.split(separator)
        if len(cells) != len(names):
            raise UserError(f"{path} line {number}: found {len(cells)} columns; expected {len(names)}, as in line 1")
        letters.append(cells[sequence].strip())
        if half is not None:
            sets.append(_half(cells[half], path, number))
        rows.append(_numbers([cells[i] for i in columns.values()], list(columns), path, number))
    if not rows:
        raise UserError(f"{path}: no probes; expected a header and one probe a line")
    values = np.stack(rows, axis=1)
    for name, row in zip(columns, values, strict=True):
        if np.isnan(row).all():
            raise UserError(f"{path}: column '{name}' has no number")
    position = proteins.index()
    return Compendium(
        proteins.take([position[name] for name in columns]),
        sequences(letters, "rna", source=str(path)),
        values,
        "measured",
        np.array(sets) if half is not None else None,
        str(path),
    )


def _lines(path: Path) -> Iterator[str]:
    """Lines one after the other: the whole file would be a gigabyte of text."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            for line in file:
                yield line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; expected UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _columns(path: Path, names: list[str], proteins: Sequences, wanted) -> tuple[int, int | None, dict[str, int]]:
    """Positions of the sequence, of the probe set, and of each experiment."""
    sequence = next((names.index(name) for name in SEQUENCE_COLUMNS if name in names), None)
    if sequence is None:
        raise UserError(f"{path} line 1: no column {' or '.join(SEQUENCE_COLUMNS)}; found {', '.join(names[:5])}")
    half = next((names.index(name) for name in SET_COLUMNS if name in names), None)
    found = [name for name in names if EXPERIMENT.fullmatch(name)]
    if len(set(found)) < len(found):
        twice = next(name for i, name in enumerate(found) if name in found[:i])
        raise UserError(f"{path} line 1: column '{twice}' occurs twice; expected one column an experiment")
    known = set(proteins.names)
    chosen = [name for name in found if name in known] if wanted is None else list(wanted)
    for name in chosen:
        if name not in found:
            raise UserError(f"{path} line 1: no column '{name}'; found {len(found)} experiments")
        if name not in known:
            raise UserError(f"{path} line 1: no protein sequence for experiment '{name}'")
    if not chosen:
        raise UserError(f"{path} line 1: no experiment with a known protein; expected columns like RNCMPT00001")
    return sequence, half, {name: names.index(name) for name in chosen}


def _half(cell: str, path: Path, number: int) -> str:
    name = re.sub(r"(?i)^set[ _]?", "", cell.strip()).upper()
    if name not in ("A", "B"):
        raise UserError(f"{path} line {number}: probe set: found {cell.strip()!r}; expected SetA or SetB")
    return name


def _numbers(cells: list[str], names: list[str], path: Path, number: int) -> np.ndarray:
    try:
        row = np.array(cells, dtype=np.float32)
    except ValueError:
        row = np.array([_number(c, n, path, number) for c, n in zip(cells, names, strict=True)], dtype=np.float32)
    if np.isinf(row).any():
        name = names[int(np.flatnonzero(np.isinf(row))[0])]
        raise UserError(f"{path} line {number}, column '{name}': found an infinite value; expected a number or NaN")
    return row


def _number(cell: str, name: str, path: Path, number: int) -> float:
    if cell.strip().lower() in ABSENT:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise UserError(f"{path} line {number}, column '{name}': found {cell[:20]!r}; expected a number") from None
