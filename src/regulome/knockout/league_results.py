"""Rows of ours versus published for the league and the chain: each function returns rows for `Output.compare_all`."""

import numpy as np
import pandas as pd

from regulome.knockout.chain_scores import ROLES
from regulome.knockout.league_methods import CEILINGS, LINK, OURS, PUBLISHED
from regulome.perturbation import network_methods
from regulome.perturbation.results_networks import role, short

_NOTE = "simulated screens; none of the four publications compares these methods on a known network"
_CHAIN = "simulated screens; no publication simulates a learned network against the cells that it came from"
OVERALL = {"auroc": "AUROC", "sign_accuracy": "right signs of the true links among the first"}
# methods whose AUPRC has a row for every size and noise level; the table has all of them
SHOWN = (OURS, PUBLISHED, LINK, *CEILINGS, network_methods.MEAN, network_methods.DIRECT, network_methods.FOREST)
CHAIN = {
    "pearson": "Pearson r of all effects",
    "pearson_off": "Pearson r of effects without the gene's own",
    "wasserstein": "mean Wasserstein distance of log expression to held-out cells",
    "fano_ratio": "median ratio of Fano factors to held-out controls",
}


def league_rows(summary: pd.DataFrame, section: str) -> list[dict]:
    """AUPRC of the main methods at every size and noise level; `summary`: of `league_tables.summary`."""
    rows = []
    for row in summary[summary["method"].isin(SHOWN)].itertuples():
        place = f"{row.size} genes, {row.noise}"
        known = np.isfinite(row.auprc_low)
        rows.append(
            {
                "id": f"league.auprc.{short(place)}.{short(row.method)}",
                "quantity": f"AUPRC, {row.method} ({place})",
                "ours": row.auprc,
                "low": row.auprc_low if known else None,
                "high": row.auprc_high if known else None,
                "section": section,
                "function": "regulome.knockout.league_tables.summary",
                "note": f"{row.seeds} networks, 95 % interval over them, chance {row.chance:.3f}; {_NOTE}",
                "role": _role(row.method),
            }
        )
    return rows


def overall_rows(summary: pd.DataFrame, section: str) -> list[dict]:
    """AUROC and sign accuracy of the same methods, mean and range over sizes and noise levels."""
    return [
        {
            "id": f"league.{name}.{short(method)}",
            "quantity": f"{words}, {method} (all sizes and noise levels)",
            "ours": own[name].mean(),
            "low": own[name].min(),
            "high": own[name].max(),
            "section": section,
            "function": "regulome.knockout.league_tables.summary",
            "note": f"mean and range over {len(own)} sizes and noise levels; {_NOTE}",
            "role": _role(method),
        }
        for method, own in summary[summary["method"].isin(SHOWN)].groupby("method", sort=False)
        for name, words in OVERALL.items()
        if own[name].notna().all()
    ]


def _role(method: str) -> str | None:
    return "ceiling" if method in CEILINGS else role(method)


def chain_rows(summary: pd.DataFrame, section: str) -> list[dict]:
    """Scores of every source; `summary`: of `chain_scores.summary`."""
    return [
        {
            "id": f"chain.{name}.{short(row['source'])}",
            "quantity": f"{words}, {row['source']}",
            "ours": row[name],
            "low": row[f"{name}_low"],
            "high": row[f"{name}_high"],
            "section": section,
            "function": "regulome.knockout.chain_scores.table",
            "note": f"mean and range over {row['screens']} screens; {_CHAIN}",
            "role": ROLES.get(row["source"]),
        }
        for _, row in summary.iterrows()
        for name, words in CHAIN.items()
        if np.isfinite(row[name])
    ]
