"""Tables of notebook 21: targets and their knockdown, filters of published statistics, flags, counterfactuals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regulome import data
from regulome.perturbation import on_target, strength
from regulome.perturbation.layouts import RawScreen
from regulome.perturbation.screen import CONTROL, JOIN, SPLITS, Screen

SUMMARIES = {  # key of the registry, sheet, published number of perturbed genes
    "K562": ("replogle2022_summary_stats", "K562", 622),
    "RPE1": ("replogle2022_summary_stats", "RPE1", 383),
    "Adamson": ("adamson2016_summary_stats", "", 68),
}


def targets(raw: RawScreen, percentile: float, values: str = "normalised") -> pd.DataFrame:
    """Every measured target: `on_target.keep`'s table with its remaining expression.

    Returns
    -------
    DataFrame
        perturbation, gene, in (" (in A+B)" for targets of a combination, else empty), cells, stay, control_share,
        threshold, remaining (mean share of the UMI in perturbed cells over that in controls) and its standard error
        (delta method).
    """
    _, table = on_target.keep(raw.counts, raw.genes, raw.label, percentile, values)
    table = table[table["measured"]].reset_index(drop=True)
    column = {gene: place for place, gene in enumerate(raw.genes)}
    share = raw.counts.multiply(1 / np.maximum(np.asarray(raw.counts.sum(1)), 1)).tocsc()
    control = raw.label == CONTROL
    found = []
    for row in table.itertuples():
        level = share[:, column[row.gene]].toarray().ravel()
        own, other = level[raw.label == row.perturbation], level[control]
        ratio = own.mean() / other.mean() if other.mean() else np.nan
        noise = [part.var(ddof=1) / len(part) / max(part.mean(), 1e-12) ** 2 for part in (own, other)]
        found.append((ratio, ratio * np.sqrt(sum(noise))))
    table[["remaining", "remaining_se"]] = pd.DataFrame(found, columns=["r", "s"]).to_numpy()
    pair = table["perturbation"].str.contains(JOIN, regex=False)
    table["in"] = np.where(pair, " (in " + table["perturbation"] + ")", "")
    table.loc[pair, "perturbation"] = table.loc[pair, "gene"]
    return table.drop(columns="measured")


def strong_counts(names: Sequence[str], mirror: str | None = None) -> dict[str, pd.DataFrame]:
    """`strength.count` for registered summary statistics, by screen."""
    found = {}
    for name in names:
        key, sheet, _ = SUMMARIES[name]
        found[name] = strength.count(strength.strong(strength.read_summary(data.fetch(key, mirror), sheet)), name)
    return found


def quality(screen: Screen) -> pd.DataFrame:
    """Cells under every flag; for simulated screens the share of damaged and of other cells among them: true values."""
    flags = screen.covariates.select_dtypes(bool)
    flags = flags[[name for name in flags if name.startswith(("low_", "high_")) or name in ("doublet", "fail")]]
    table = pd.DataFrame({"flag": flags.columns, "cells": flags.sum().to_numpy(), "share": flags.mean().to_numpy()})
    if "simulated_damaged" in screen.covariates:
        damaged = screen.covariates["simulated_damaged"].to_numpy(bool)
        table["of_damaged"] = flags[damaged].mean().to_numpy()
        table["of_others"] = flags[~damaged].mean().to_numpy()
    return table.replace({"flag": {"fail": "any"}})


def counterfactuals(screen: Screen) -> pd.DataFrame:
    """Cells with and without a counterpart of the other quality, by split and quality."""
    rows = []
    for place, part in enumerate(SPLITS):
        for fail in (False, True):
            own = (screen.split == place) & (screen.qc_fail == fail)
            there = screen.counterfactual_row[own] >= 0
            rows.append((part, "failed" if fail else "passed", int(own.sum()), int(there.sum())))
    return pd.DataFrame(rows, columns=["split", "quality", "cells", "with_counterpart"])
