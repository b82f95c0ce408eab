"""Quality of cells: UMI, genes, shares of mitochondrial, ribosomal and haemoglobin UMI, doublets; flags by MADs.

A flag is up where a measure lies further than k median absolute deviations (not scaled to a standard deviation, as
published) on the bad side of the median: too few UMI or genes, too large a share. The publication uses k = 3, and 4 and
5 for the pass rate of generated cells.
"""

import warnings
from collections.abc import Sequence

import anndata
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome import singlecell
from regulome.errors import UserError

SIDES = {"umi": "low", "n_genes": "low", "pct_mt": "high", "pct_ribo": "high", "pct_hb": "high"}
UNITS = {
    "umi": "UMI of a cell",
    "n_genes": "genes with UMI",
    "pct_mt": "mitochondrial UMI (%)",
    "pct_ribo": "ribosomal UMI (%)",
    "pct_hb": "haemoglobin UMI (%)",
}
FAMILIES = {
    "mt": r"^MT-",
    "ribo": r"^RP[SL]",
    "hb": r"^HB[^(P)]",
}  # as published; the last one takes HBEGF and HBS1L too
KS = (3.0, 4.0, 5.0)
DOUBLETS = ("auto", "on", "off")
_ENOUGH_GENES = 1000  # for simulated doublets to differ from cells


def measures(counts: csr_matrix, genes: Sequence[str], device: str = "auto") -> pd.DataFrame:
    """(N, 5) measures of each cell, by scanpy (CPU) or rapids-singlecell (GPU).

    Parameters
    ----------
    counts
        (N, P) raw counts.
    genes
        P symbols.
    device
        See `regulome.singlecell.backend`.

    Returns
    -------
    DataFrame
        umi, n_genes, and pct_mt, pct_ribo, pct_hb in percent of the cell's UMI; nan where no such gene is measured, 0
        in an empty cell.
    """
    package = singlecell.backend(device)
    table = _table(counts, genes)
    names = pd.Series(list(genes)).str.upper()
    for name, pattern in FAMILIES.items():
        table.var[name] = names.str.contains(pattern).to_numpy()
    package.to_device(table)
    only_scanpy = {} if package.on_gpu else {"percent_top": None, "inplace": True}  # what the other does anyway
    package.pp.calculate_qc_metrics(table, qc_vars=list(FAMILIES), log1p=False, **only_scanpy)
    package.to_host(table)
    found = pd.DataFrame(
        {"umi": table.obs["total_counts"].to_numpy(float), "n_genes": table.obs["n_genes_by_counts"].to_numpy(float)}
    )
    for name in FAMILIES:
        share = np.nan_to_num(table.obs[f"pct_counts_{name}"].to_numpy(float))
        found[f"pct_{name}"] = share if table.var[name].any() else np.nan
    return found


def _table(counts: csr_matrix, genes: Sequence[str]) -> anndata.AnnData:
    obs = pd.DataFrame(index=[str(row) for row in range(counts.shape[0])])
    return anndata.AnnData(counts.astype(np.float32), obs=obs, var=pd.DataFrame(index=list(genes)))


def limits(values: pd.DataFrame, ks: Sequence[float] = KS) -> pd.DataFrame:
    """Median, MAD and limit of each measure, one row for every k.

    Parameters
    ----------
    values
        Of `measures`.
    ks
        Numbers of MADs.

    Returns
    -------
    DataFrame
        measure, side ("low" or "high": where the bad cells are), median, mad, k, limit. Measures of genes that are not
        there have no row. A MAD of zero (more than half of the cells alike, often without one UMI of a rare family)
        would flag every other cell: the limit is then infinite, nothing is flagged.

    Raises
    ------
    UserError
        If a k is not positive.
    """
    rows = []
    for name, side in SIDES.items():
        own = values[name].to_numpy(float)
        if np.isnan(own).all():
            continue
        median = float(np.median(own))
        mad = float(np.median(np.abs(own - median)))
        for k in ks:
            if not k > 0:
                raise UserError(f"quality flags: k is {k}; expected a number of MADs above 0")
            step = k * mad if mad else np.inf
            rows.append((name, side, median, mad, float(k), median - step if side == "low" else median + step))
    return pd.DataFrame(rows, columns=["measure", "side", "median", "mad", "k", "limit"])


def judge(values: pd.DataFrame, limit: pd.DataFrame, k: float) -> pd.DataFrame:
    """(N, measures) flags of cells against the limits of one k; the cells need not be those that set the limits."""
    flags = {}
    for row in limit[limit["k"] == k].itertuples():
        own = values[row.measure].to_numpy(float)
        flags[f"{row.side}_{row.measure}"] = own < row.limit if row.side == "low" else own > row.limit
    return pd.DataFrame(flags, index=values.index)


def flags(
    counts: csr_matrix, genes: Sequence[str], k: float = 3.0, device: str = "auto", doublets: str = "auto",
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Measures and flags of every cell; a cell fails if any flag is up (column ``fail``).

    Parameters
    ----------
    counts, genes, device
        As `measures`.
    k
        Number of MADs.
    doublets
        "on": simulated doublets (scrublet) add the flag ``doublet``; "off": they do not; "auto": they do where at least
        1,000 genes are measured.
    seed
        Of the simulated doublets.

    Raises
    ------
    UserError
        An unknown choice, or doublets asked for where they cannot be found.
    """
    if doublets not in DOUBLETS:
        raise UserError(f"doublets is '{doublets}'; expected one of {', '.join(DOUBLETS)}")
    values = measures(counts, genes, device)
    found = judge(values, limits(values, (k,)), k)
    if doublets == "on" or (doublets == "auto" and len(genes) >= _ENOUGH_GENES):
        found["doublet"] = doublet(counts, genes, device, seed)
    return values.join(found).assign(fail=found.any(axis=1))


def doublet(counts: csr_matrix, genes: Sequence[str], device: str = "auto", seed: int = 0) -> np.ndarray:
    """(N,) whether a cell looks like two: Scrublet (Wolock et al., Cell Syst 2019) of scanpy or rapids-singlecell.

    The limit of the score separates the simulated doublets that look like cells of one type from those that look like
    none, see `valley`; where they are not two groups, nothing is flagged.
    """
    package = singlecell.backend(device)
    table = package.to_device(_table(counts, genes))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            package.pp.scrublet(table, threshold=1.0, random_state=seed, verbose=False)  # its own needs another package
    except (ValueError, ZeroDivisionError, IndexError) as error:
        raise UserError(
            f"doublets cannot be looked for in {counts.shape[0]} cells x {counts.shape[1]} genes ({error}); "
            "expected doublets 'off' for so few"
        ) from None
    package.to_host(table)
    return table.obs["doublet_score"].to_numpy(float) > valley(np.asarray(table.uns["scrublet"]["doublet_scores_sim"]))


def valley(scores: np.ndarray) -> float:
    """Otsu's threshold: the cut of least variance within its two sides; infinite where these overlap.

    They overlap if their means lie less than three standard deviations (mean of both sides') apart; the halves of a
    Gaussian distribution lie 2.6 apart.
    """
    values = np.sort(scores)
    count = np.arange(1, len(values))
    low, square = np.cumsum(values)[:-1] / count, np.cumsum(values**2)[:-1] / count
    rest = len(values) - count
    high, high_square = (values.sum() - low * count) / rest, ((values**2).sum() - square * count) / rest
    spread = [np.maximum(part, 0) for part in (square - low**2, high_square - high**2)]
    best = int(np.argmin(count * spread[0] + rest * spread[1]))
    apart = high[best] - low[best] > 1.5 * (np.sqrt(spread[0][best]) + np.sqrt(spread[1][best]))
    return float((values[best] + values[best + 1]) / 2) if apart else np.inf


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Cells under each flag of `flags`, and under any: flag, cells, share."""
    up = found.select_dtypes(bool)
    rows = [(name, int(up[name].sum()), float(up[name].mean())) for name in up]
    return pd.DataFrame(rows, columns=["flag", "cells", "share"]).replace({"flag": {"fail": "any"}})
