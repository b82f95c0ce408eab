"""Strong perturbations, from published summary statistics: enough differential genes, knockdown and cells.

Accepted are Table S1 of Replogle et al. 2022 (``summary_stats.xlsx``, one sheet a screen) and CSV files with the same
four columns (``summary_stats_adamson.csv``). The statistics describe every perturbation as a whole; there is no p-value
of a pair of genes in them.
"""

from pathlib import Path

import pandas as pd

from regulome.errors import UserError, closest

COLUMNS = {
    "genetic perturbation": "perturbation",
    "Number of DEGs (anderson-darling)": "degs",
    "percent knockdown": "knockdown",
    "number of cells (filtered)": "cells",
}
SHEETS = {"K562": "TabB_K562_day6_summary_stat", "RPE1": "TabC_RPE1_summary_statistic"}


def read_summary(path: str | Path, sheet: str = "") -> pd.DataFrame:
    """Summary statistics of one screen.

    Parameters
    ----------
    path
        ``.xlsx`` or ``.csv``.
    sheet
        Of an xlsx file, or a key of `SHEETS`; it can be left out where there is one sheet.

    Returns
    -------
    DataFrame
        perturbation (as in the file), gene (second field of ids such as ``10023_ZC3H18_P1P2_ENSG00000158545``, else the
        id itself, which may be an Ensembl id), degs, knockdown (change of the target as a fraction: -0.3 is 30 % less;
        nan where it is not measured), cells. Rows of controls are left out.

    Raises
    ------
    UserError
        A missing or damaged file, sheet or column, a value that is no number.
    """
    path = Path(path)
    table = _table(path, sheet)
    for name in COLUMNS:
        if name not in table:
            raise UserError(f"{path}: no column '{name}'{closest(name, table.columns)}; expected {', '.join(COLUMNS)}")
    table = table[list(COLUMNS)].rename(columns=COLUMNS)
    names = table["perturbation"].astype(str)
    for column in ("degs", "knockdown", "cells"):
        numbers = pd.to_numeric(table[column], errors="coerce")
        wrong = numbers.isna() & table[column].notna()
        if wrong.any():
            row = int(wrong.argmax())
            raise UserError(
                f"{path}, row {row + 2}, column '{column}': found '{table[column][row]}'; expected a number"
            )
        table[column] = numbers
    fields = names.str.split("_")
    table.insert(1, "gene", fields.str[1].where(fields.str.len() >= 3, names))
    return table[~names.str.contains("non-targeting")].reset_index(drop=True)


def _table(path: Path, sheet: str) -> pd.DataFrame:
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path)
        with pd.ExcelFile(path) as book:
            sheet = SHEETS.get(sheet, sheet) or (book.sheet_names[0] if len(book.sheet_names) == 1 else "")
            if sheet not in book.sheet_names:
                names = ", ".join(book.sheet_names)
                raise UserError(
                    f"{path}: no sheet '{sheet}'{closest(sheet, book.sheet_names)}; expected one of {names}"
                )
            return book.parse(sheet)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (ValueError, OSError, KeyError) as error:
        raise UserError(f"{path}: not an Excel or CSV file, or damaged ({error})") from None


def strong(summary: pd.DataFrame, min_degs: int = 50, max_knockdown: float = -0.3, min_cells: int = 25) -> pd.DataFrame:
    """The published filters, one column each, and all of them.

    Parameters
    ----------
    summary
        Of `read_summary`.
    min_degs
        More differential genes than this (Anderson-Darling, cells against controls).
    max_knockdown
        Change of the target at most this; a target that was not measured does not pass.
    min_cells
        More filtered cells than this.

    Returns
    -------
    DataFrame
        The rows of `summary` with degs_pass, knockdown_pass, cells_pass and strong.
    """
    passed = summary.assign(
        degs_pass=summary["degs"] > min_degs,
        knockdown_pass=summary["knockdown"] <= max_knockdown,
        cells_pass=summary["cells"] > min_cells,
    )
    return passed.assign(strong=passed[["degs_pass", "knockdown_pass", "cells_pass"]].all(axis=1))


def genes(table: pd.DataFrame) -> set[str]:
    """Genes (or Ensembl ids) with at least one strong row: two guide pairs for two promoters count once."""
    return set(table.loc[table["strong"], "gene"])


def count(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """How many genes are left after each filter, one row a filter.

    Returns
    -------
    DataFrame
        screen, filter, genes. The last row adds the later rule of more than 100 cells, applied to these statistics.
    """
    left, rows = table, [("all", table["gene"].nunique())]
    for column, words in (
        ("degs_pass", "differential genes"),
        ("knockdown_pass", "knockdown"),
        ("cells_pass", "cells"),
    ):
        left = left[left[column]]
        rows.append((words, left["gene"].nunique()))
    rows.append(("more than 100 cells", left.loc[left["cells"] > 100, "gene"].nunique()))
    return pd.DataFrame(rows, columns=["filter", "genes"]).assign(screen=name)[["screen", "filter", "genes"]]
