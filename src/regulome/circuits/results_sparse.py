"""Ours versus published for Fig. 4: each function returns rows for `regulome.figures.Output.compare_all`.

The paper shows one sequence; ours is the median over replicates with the 5 to 95 % range, shares have 95 % Wilson
intervals.
"""

import numpy as np
import pandas as pd

from regulome.circuits.canonical import orbit
from regulome.circuits.codes import decode
from regulome.circuits.oscillation_topologies import wilson
from regulome.circuits.sparse_oscillators import P53, PUBLISHED_HIGH, PUBLISHED_RANGES, published_class
from regulome.circuits.topology import quantiles

_MODULE = "regulome.circuits.sparse_oscillators"


def range_rows(scores: pd.DataFrame, section: str) -> list[dict]:
    """Fig. 4a: minimum and maximum of g1 under I1 and its mean under I2, for every number of links."""
    rows = []
    for links, (low, high) in PUBLISHED_RANGES.items():
        level = scores[scores["links"] == links]
        if level.empty:
            continue
        numbers = {"minimum": (low, "smallest g1 under I1"), "maximum": (high, "largest g1 under I1")}
        numbers["high"] = (PUBLISHED_HIGH[links], "mean g1 under I2")
        for name, (published, words) in numbers.items():
            rows.append(
                {
                    "id": f"fig4a.{links}.{name}",
                    "quantity": f"{words}, {links} links",
                    **quantiles(level[name]),
                    "published": published,
                    "tolerance": 0.03,
                    "source": f"Fig. 4a, #{12 - links}",
                    "section": section,
                    "function": f"{_MODULE}.measures",
                    "note": f"{level['good'].sum()} of {len(level)} replicates are good",
                }
            )
    return rows


def phenotype_rows(shares: pd.DataFrame, section: str) -> list[dict]:
    """Share of good networks for every number of links; the paper's one run works down to six."""
    return [
        {
            "id": f"fig4a.{row.links}.good",
            "quantity": f"share of networks with {row.links} links that do the function",
            "ours": row.share,
            "low": row.low,
            "high": row.high,
            "source": "Fig. 4a",
            "section": section,
            "function": f"{_MODULE}.judge",
            "note": f"the paper shows one run, which {'works' if row.links >= 6 else 'does not work'}",
        }
        for row in shares.itertuples()
    ]


def class_rows(winners: dict[str, pd.DataFrame], section: str) -> list[dict]:
    """Fig. 4b to d: #6 and the p53 module are one class, and how often it is found among good six-link networks.

    ``winners`` maps a search to its good networks with six links, with a column canonical.
    """
    same = published_class()["canonical"].nunique() == 1
    where = {"section": section, "function": "regulome.circuits.canonical.canonical"}
    rows = [
        {"id": "fig4bc.same_class", "quantity": "#6 and the p53 module #6-3 are one canonical class (1: yes)"}
        | {"ours": float(same), "published": 1, "source": "Fig. 4c, d", **where}
    ]
    size = len(orbit(decode([P53], 2, 3)[0]))
    for name, table in winners.items():
        hits = int((table["canonical"] == P53).sum())
        row = {"id": f"fig4d.p53.{name.replace(' ', '_')}", "quantity": f"p53 class among good 6-link networks, {name}"}
        row |= wilson(hits, len(table)) | where | {"source": "Fig. 4d"}
        rows.append(row | {"note": f"{hits} of {len(table)} networks; the paper shows one sequence; orbit size {size}"})
    return rows


def control_rows(reference: pd.DataFrame, section: str) -> list[dict]:
    """Sparsened six-link networks beside arbitrary connected ones; ``reference`` has name, share, low, high."""
    rows = []
    for number, row in enumerate(reference.itertuples()):
        role = {"role": "baseline"} if row.name.startswith("any") else {"note": "the paper has no control"}
        rows.append(
            {
                "id": f"control.{number}",
                "quantity": f"share of good 6-link networks, {row.name}",
                "ours": row.share,
                "low": row.low,
                "high": row.high,
                "section": section,
                "function": "regulome.circuits.deletion_tree.Trainer",
            }
            | role
        )
    return rows


def transfer_rows(summary: pd.DataFrame, section: str) -> list[dict]:
    """Topologies for which Hill parameters are found, by search; random topologies are the baseline."""
    rows = []
    for number, row in enumerate(summary.itertuples()):
        role = {"role": "baseline"} if "random" in row.group else {"note": "the paper does not transfer three genes"}
        rows.append(
            {
                "id": f"transfer.{number}",
                "quantity": f"share of topologies with Hill parameters: {row.group}; {row.search}",
                "ours": row.share if np.isfinite(row.share) else 0.0,
                "low": row.low,
                "high": row.high,
                "section": section,
                "function": "regulome.circuits.hill_transfer.search",
            }
            | role
        )
    return rows
