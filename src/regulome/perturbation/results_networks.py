"""Rows of ours versus published for network inference: each function returns rows for `Output.compare_all`."""

import re

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from regulome.perturbation import network_methods
from regulome.perturbation.network_tables import CEILING, NOTHING

_MODULE = "regulome.perturbation"
# FOR as published: 9 perturbed and measured genes of the Papalexi screen, alone and among 9 or 40 unperturbed ones
POOLS = {0: 0.43, 9: 0.10, 40: 0.02}
# a third party's five-seed reproduction of the published GPO-VAE, on data that are not at hand
REPRODUCED = {
    "RPE1": {"wasserstein": 0.283, "omission": 0.046},
    "K562": {"wasserstein": 0.245, "omission": 0.021},
    "Adamson": {"wasserstein": 0.152, "omission": 0.010},
}


def short(name: str) -> str:
    """Name of a method inside an id."""
    plain = name.replace("|Δ|", "delta")
    return re.sub("[^a-z0-9]+", "_", plain.lower()).strip("_")


def role(name: str) -> str | None:
    """Baseline for methods without training, None for models."""
    return "baseline" if name in network_methods.baselines() else None


def truth_rows(table: pd.DataFrame, kind: str, section: str, place: str = "truth", brief: bool = False) -> list[dict]:
    """AUPRC and, unless `brief`, precision at K and sign accuracy; `table`: of `network_tables.summary`."""
    rows = [
        {
            "id": f"{place}.chance",
            "quantity": f"AUPRC of a random order ({kind})",
            "ours": table["chance"].iloc[0],
            "section": section,
            "function": f"{_MODULE}.edge_metrics.score",
            "role": "baseline",
        }
    ]
    for row in table.itertuples():
        signs = f"right signs of the true edges among the first {row.edges}"
        numbers = [("auprc", "AUPRC", row.auprc, row.auprc_low, row.auprc_high)]
        numbers += [("precision", f"precision of the first {row.edges} edges", row.precision, None, None)]
        numbers += [("signs", signs, row.sign_accuracy, None, None)]
        for name, words, value, low, high in numbers[:1] if brief else numbers:
            if np.isfinite(value):
                rows.append(
                    {
                        "id": f"{place}.{name}.{short(row.method)}",
                        "quantity": f"{words}, {row.method} ({kind})",
                        "ours": value,
                        "low": low,
                        "high": high,
                        "section": section,
                        "function": f"{_MODULE}.edge_metrics.score",
                        "note": f"{row.runs} runs, 95 % interval over regulators; no network was scored so in the "
                        "publication",
                        "role": role(row.method),
                    }
                )
    return rows


def matched_rows(table: pd.DataFrame, kind: str, count: int, section: str) -> list[dict]:
    """Mean Wasserstein distance at one number of edges; `table`: of `network_tables.matched`."""
    stated = ", ".join(f"{name} {values['wasserstein']}" for name, values in REPRODUCED.items())
    return [
        {
            "id": f"wasserstein.{short(row.method)}",
            "quantity": f"mean Wasserstein distance of {count} edges, test cells, {row.method} ({kind})",
            "ours": row.wasserstein,
            "section": section,
            "function": f"{_MODULE}.edge_evidence.at_matched_counts",
            "note": f"reproductions of the published model state {stated}, at other numbers of edges and on other data",
            "role": "ceiling" if row.method == CEILING else role(row.method),
        }
        for row in table[table["edges"] == count].itertuples()
    ]


def omission_rows(table: pd.DataFrame, kind: str, count: int, section: str) -> list[dict]:
    """False omission rates by the definition of CausalBench; `table`: of `network_tables.omissions`."""
    stated = ", ".join(f"{name} {values['omission']}" for name, values in REPRODUCED.items())
    return [
        {
            "id": f"omission.{short(row.method)}",
            "quantity": f"false omission rate (CausalBench), {count} edges, {row.method} ({kind})",
            "ours": row.rate,
            "low": row.low,
            "high": row.high,
            "section": section,
            "function": f"{_MODULE}.edge_evidence.false_omission",
            "note": f"95 % binomial interval, {row.pairs} pairs; the published rates ({stated}) are another quantity",
            "role": "baseline" if row.method == NOTHING else role(row.method),
        }
        for row in table.itertuples()
    ]


def pool_rows(table: pd.DataFrame, kind: str, stated: bool, section: str) -> list[dict]:
    """The rate as published, for several pools; `stated`: whether the numbers of the Papalexi screen apply."""
    return [
        {
            "id": f"omission.published.{row.unperturbed}",
            "quantity": f"'FOR' as published, {row.unperturbed} unperturbed genes in the pool, any network ({kind})",
            "ours": row.rate,
            "low": row.low,
            "high": row.high,
            "published": POOLS.get(row.unperturbed) if stated else None,
            "tolerance": 0.005,
            "source": "the published code's definition, computed on the Papalexi screen" if stated else "",
            "section": section,
            "function": f"{_MODULE}.edge_evidence.published_false_omission",
            "note": "compat: depends on the genes that were not perturbed, not on the network; interval: 20 draws",
        }
        for row in table.itertuples()
    ]


def stability_rows(table: pd.DataFrame, count: int, section: str) -> list[dict]:
    """Mean Jaccard index between runs; `table`: of `network_tables.stability`."""
    means = table.groupby(["method", "repeats"], sort=False)[["jaccard", "spearman", "chance"]].agg(
        ["mean", "min", "max"]
    )
    return [
        {
            "id": f"stability.{what}.{short(name)}",
            "quantity": f"Jaccard index of {count} edges between runs that differ in their {what}, {name}",
            "ours": row["jaccard", "mean"],
            "low": row["jaccard", "min"],
            "high": row["jaccard", "max"],
            "section": section,
            "function": f"{_MODULE}.edges.stability",
            "note": f"chance {row['chance', 'mean']:.3f}; range over pairs of runs; none is published",
            "role": role(name),
        }
        for (name, what), row in means.iterrows()
    ]


def screen_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """AUPRC on further simulated screens, mean and range; `table`: of `network_tables.on_simulated`."""
    return [
        {
            "id": f"screens.auprc.{short(name)}",
            "quantity": f"AUPRC, {name} ({len(values)} further simulated screens)",
            "ours": values.mean(),
            "low": values.min(),
            "high": values.max(),
            "section": section,
            "function": f"{_MODULE}.network_tables.on_simulated",
            "note": "mean and range over screens; no network was scored so in the publication",
            "role": role(name),
        }
        for name, values in table.groupby("method", sort=False)["auprc"]
    ]


def relation_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Share of known relations whose sign is as expected; `table`: of `edge_references.agreement`."""
    if table.empty:
        return []
    right, total = int(table["agrees"].sum()), len(table)
    low, high = proportion_confint(right, total, method="beta")
    return [
        {
            "id": "relations.signs",
            "quantity": f"known interferon-γ relations with the expected sign, mean difference (of {total})",
            "ours": right / total,
            "low": float(low),
            "high": float(high),
            "section": section,
            "function": f"{_MODULE}.edge_references.agreement",
            "note": "sanity check; relations are not independent, chance 0.5",
            "role": "baseline",
        }
    ]
