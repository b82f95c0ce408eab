"""Ours versus published for the knockout analysis: rows for `regulome.figures.Output.compare_all`.

None of the four publications compares predicted with true effects of knockouts in this form, so that nothing is
published to compare with; models stand beside baselines and what measured effects reach among themselves.
"""

import re

import pandas as pd

REASON = "no publication states how predicted and true knockout effects agree"


def agreement_rows(summary: pd.DataFrame, section: str) -> list[dict]:
    """Correlation and share of right signs of every method; `summary` of `regulome.knockout.agreement`."""
    rows = []
    for row in summary.itertuples():
        where = {"section": section, "function": "regulome.knockout.agreement.agreement", "published": None}
        role = None if row.role == "model" else row.role
        name = f"knockout.{_short(row.panel)}.{_short(row.method)}"
        groups = f"n = {row.n} in {row.groups} groups; {REASON}"
        rows.append(
            {
                "id": f"{name}.r",
                "quantity": f"correlation of predicted and true effects, {row.panel}, {row.method}",
                "ours": row.pearson,
                "low": row.low,
                "high": row.high,
                "role": role,
                "note": f"95 % bootstrap over groups, {groups}",
            }
            | where
        )
        if row.sign_accuracy != row.sign_accuracy:  # missing where no effect can be positive
            continue
        rows.append(
            {
                "id": f"{name}.signs",
                "quantity": f"share of right signs, {row.panel}, {row.method}",
                "ours": row.sign_accuracy,
                "role": role,
                "note": f"{row.sign_n} effects of at least a tenth of the largest true one; {REASON}",
            }
            | where
        )
    return rows


def ceiling_row(value: float, panel: str, section: str) -> dict:
    """What the true effects would reach against held-out cells."""
    return {
        "id": f"knockout.{_short(panel)}.ceiling",
        "quantity": f"correlation of the true effects with held-out cells, {panel}",
        "ours": value,
        "role": "ceiling",
        "note": "estimated from the correlations between training, validation and held-out cells",
        "section": section,
        "function": "regulome.knockout.gene_study.ceiling",
    }


def check_rows(check: pd.DataFrame, section: str) -> list[dict]:
    """Agreement of the deterministic truth about edges with exact stochastic simulation (a ceiling)."""
    if len(check) < 3:
        return []
    return [
        {
            "id": "knockout.edges.simulation",
            "quantity": "correlation of deterministic and stochastically simulated effects of edges",
            "ours": check["effect"].corr(check["deterministic"]),
            "role": "ceiling",
            "note": f"{len(check)} edges of the simulated network",
            "section": section,
            "function": "regulome.knockout.edges.stochastic_check",
        }
    ]


def _short(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
