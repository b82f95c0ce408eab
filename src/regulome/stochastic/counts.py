"""Counts of molecules in single cells, as an experiment delivers them.

A CSV file with a header that names the species and one row a cell; other columns are ignored. A file of one column may
lack the header (one number a line), as smFISH pipelines write it. Equal cells are merged: a likelihood is evaluated
once for each distinct count vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.errors import UserError, closest
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.tables import read_table


@dataclass(frozen=True)
class Cells:
    """Counts of observed species in a sample of cells.

    Attributes
    ----------
    names
        The N observed species.
    rows
        (U, N) distinct count vectors, in lexicographic order.
    multiplicities
        (U,) number of cells with each of them.
    source
        File or simulation that they come from, for messages.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    multiplicities: np.ndarray
    source: str = "cells"

    @classmethod
    def of(cls, names: Sequence[str], counts: np.ndarray, source: str = "cells") -> "Cells":
        """From an (n, N) array with one row a cell.

        Raises
        ------
        UserError
            If there is no cell, or a count is missing, negative or not whole.
        """
        table = np.asarray(counts, float).reshape(-1, len(names))
        _check_counts(table, names, source, first_row=1, word="cell")
        rows, multiplicities = np.unique(table.astype(np.int64), axis=0, return_counts=True)
        return cls(tuple(names), rows, multiplicities, source)

    @property
    def total(self) -> int:
        """Number of cells."""
        return int(self.multiplicities.sum())

    @cached_property
    def distribution(self) -> Distribution:
        """The empirical distribution."""
        return Distribution.of(self.names, self.rows, self.multiplicities)

    @property
    def has_empty(self) -> bool:
        """Whether a cell has no molecule of any observed species."""
        return bool((self.rows.sum(1) == 0).any())

    def expanded(self) -> np.ndarray:
        """(n, N) counts with one row a cell, sorted."""
        return np.repeat(self.rows, self.multiplicities, axis=0)

    def sample(self, size: int, generator: np.random.Generator) -> "Cells":
        """A random subset of this size, without replacement."""
        if not 1 <= size <= self.total:
            raise UserError(f"{self.source}: asked for {size} cells, expected 1 to {self.total}")
        return Cells.of(self.names, generator.permutation(self.expanded())[:size], f"{size} cells of {self.source}")

    def split(self, generator: np.random.Generator, share: float = 0.5) -> tuple["Cells", "Cells"]:
        """Two random parts, the first with this share of the cells."""
        mixed = generator.permutation(self.expanded())
        cut = round(share * len(mixed))
        return tuple(Cells.of(self.names, part, f"part of {self.source}") for part in (mixed[:cut], mixed[cut:]))

    def clipped(self, network: StateTransitionNetwork) -> tuple["Cells", int]:
        """Counts at or above a bound of the network put into the last bin, as published; and how many cells."""
        top = np.array([network.bounds.get(name, np.iinfo(np.int64).max) - 1 for name in self.names])
        counts = self.expanded()
        return Cells.of(self.names, np.minimum(counts, top), self.source), int((counts > top).any(1).sum())


def read_counts(
    path: str | Path,
    network: StateTransitionNetwork,
    columns: Mapping[str, str] | None = None,
    above_bound: str = "refuse",
) -> Cells:
    """Read counts of species of a network from a CSV file.

    Parameters
    ----------
    columns
        Column of each observed species (``{"mRNA": "RNA_total"}``; the column of a file without header is called
        ``1``). Default: every recorded species of the network that has a column of its own name or, in a file of one
        column without header, the only observed species.
    above_bound
        What to do with counts that the network's bounds exclude: "refuse" or "clip" (into the last bin, as published).

    Raises
    ------
    UserError
        Naming file, line, column, what was found and what was expected: no such file, an empty one, an unknown species
        or column, no matching column, and a cell that is empty, no number, negative, not whole or above the bound.
    """
    path = Path(path)
    if above_bound not in ("refuse", "clip"):
        raise UserError(f"counts: above_bound is '{above_bound}', expected refuse or clip")
    for name in columns or ():
        if name not in network.recorded:
            raise UserError(
                f"{path}: columns: the network records no species '{name}'{closest(name, network.recorded)}; "
                f"expected {', '.join(network.recorded)}"
            )
    if columns is not None and not columns:
        raise UserError(f"{path}: columns: found none, expected the column of at least one species")
    header = _header(path)
    table = _headerless(path, network, columns) if header is None else _named(path, header, network, columns)
    first_row = 1 if header is None else 2
    if above_bound == "refuse":
        _check_bounds(table, network, path, first_row)
    _check_counts(table.to_numpy(), table.columns, str(path), first_row, "row")
    cells = Cells.of(table.columns, table.to_numpy(), str(path))
    return cells.clipped(network)[0] if above_bound == "clip" else cells


def _header(path: Path) -> list[str] | None:
    """Names of the columns; None if the first line holds numbers."""
    try:
        with path.open(encoding="utf-8-sig") as handle:
            cells = [cell.strip().strip('"') for cell in handle.readline().split(",")]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {error.reason}; expected UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror})") from None
    if not any(cells):
        raise UserError(f"{path}: the file is empty or its first line is; expected counts, one cell a row")
    numbers = [_is_number(cell) for cell in cells]
    if all(numbers) and len(cells) > 1:
        raise UserError(f"{path} row 1: found {len(cells)} numbers, expected a header with the names of the species")
    return None if all(numbers) else cells


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _headerless(path: Path, network: StateTransitionNetwork, columns: Mapping[str, str] | None) -> pd.DataFrame:
    if columns is not None and (len(columns) > 1 or str(next(iter(columns.values()))) != "1"):
        raise UserError(f"{path}: one column without header; found columns {dict(columns)}, expected {{SPECIES: 1}}")
    names = list(columns or network.observed)
    if len(names) != 1:
        raise UserError(
            f"{path}: one column without header, but the network has {len(names)} observed species "
            f"({', '.join(names)}); expected columns: {{SPECIES: 1}}"
        )
    return read_table(path, columns=names, header=False, low=0)


def _named(
    path: Path, header: list[str], network: StateTransitionNetwork, columns: Mapping[str, str] | None
) -> pd.DataFrame:
    if columns is None:
        columns = {name: name for name in network.recorded if name in header}
        if not columns:
            raise UserError(
                f"{path} row 1: no column is a species of the network; found {', '.join(header)}, expected one or more "
                f"of {', '.join(network.recorded)}, or columns: {{SPECIES: COLUMN}}"
            )
    table = read_table(path, columns=[str(column) for column in columns.values()], low=0)
    return table.set_axis(list(columns), axis=1)


def _check_counts(table: np.ndarray, names: Sequence[str], source: str, first_row: int, word: str) -> None:
    if not len(table):
        raise UserError(f"{source}: found no cells, expected at least one")
    with np.errstate(invalid="ignore"):
        wrong = ~((table >= 0) & (table == np.floor(table)) & np.isfinite(table))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise UserError(
            f"{source} {word} {row + first_row}, column '{list(names)[column]}': found {table[row, column]:g}, "
            "expected a whole number of at least 0"
        )


def _check_bounds(table: pd.DataFrame, network: StateTransitionNetwork, path: Path, first_row: int) -> None:
    for name in table.columns:
        bound = network.bounds.get(name)
        above = np.flatnonzero(table[name] >= bound) if bound else ()
        if len(above):
            raise UserError(
                f"{path} row {above[0] + first_row}, column '{name}': found {table[name].iloc[above[0]]:g}, expected "
                f"at most {bound - 1}, the largest count of the network ({len(above)} such cells; above_bound: clip "
                "puts them into the last bin)"
            )
