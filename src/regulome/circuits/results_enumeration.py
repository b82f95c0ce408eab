"""Ours versus published for the Hill enumeration: each function returns rows for `Output.compare_all`."""

import numpy as np
import pandas as pd

from regulome.circuits.enumeration_tables import composition, correlation, expected_range
from regulome.circuits.plots_enumeration import PUBLISHED_BY_LINKS, PUBLISHED_SURVIVAL

_MODULE = "regulome.circuits"
# Released enumeration of Shen et al. (2021): topologies with one and two sets, sets, most sets of one topology
PUBLISHED = {"one_set": 133, "two_sets": 104, "sets": 2069, "largest": 142}
PUBLISHED_COMPOSITION = {
    "g1 activates itself": 76, "g2 activates itself": 92, "right branch": 39, "left branch": 65,
}  # fmt: skip
PUBLISHED_SETS = 160_000
PUBLISHED_SIZES = {4: 64, 5: 384, 6: 832, 7: 768, 8: 256}


def space_rows(links: pd.DataFrame, section: str) -> list[dict]:
    """Number of connected topologies, in all and by number of links."""
    where = {"section": section, "function": f"{_MODULE}.hill.connected", "source": "Fig. 3, public code"}
    rows = [{"id": "fig3.connected", "quantity": "connected topologies", "ours": int(links["topologies"].sum())}]
    rows[0]["published"] = 2304
    rows += [
        {
            "id": f"fig3.connected.{n}",
            "quantity": f"connected topologies with {n} links",
            "ours": int(count),
            "published": PUBLISHED_SIZES[n],
        }
        for n, count in zip(links["links"], links["topologies"], strict=True)
    ]
    return [row | where for row in rows]


def count_rows(seeds: pd.DataFrame, hits: np.ndarray, signs: np.ndarray, seed: int, section: str) -> list[dict]:
    """Successful topologies and sets: mean over seeds, range expected from drawing again (topologies) or of the seeds.

    Parameters
    ----------
    seeds
        Of `enumeration_tables.seed_table`, independent draws.
    hits
        (seeds, M) successful sets.
    """
    where = {"section": section, "function": f"{_MODULE}.enumeration.enumerate_topologies", "source": "Fig. 3d"}
    words = {
        "two_sets": "topologies with 2 successful sets or more",
        "one_set": "topologies with 1 successful set or more",
        "sets": "successful parameter sets",
        "largest": "most successful sets of one topology",
    }
    rows = []
    for name, quantity in words.items():
        values = seeds[name]
        low, high = expected_range(hits, seed) if name == "two_sets" else (values.min(), values.max())
        spread = 0.1 * PUBLISHED[name] if name != "two_sets" else 0
        rows.append(
            {"id": f"fig3.{name}", "quantity": quantity, "ours": values.mean(), "low": low, "high": high,
             "published": PUBLISHED[name], "tolerance": spread,
             "note": "range: all parameters drawn again" if name == "two_sets" else "range: seeds"} | where
        )  # fmt: skip
    found = [composition(signs, h) for h in hits]
    for name, published in PUBLISHED_COMPOSITION.items():
        values = [f[name] for f in found]
        rows.append(
            {"id": f"fig3f.{name.replace(' ', '_')}", "quantity": f"topologies with 2 sets or more: {name}",
             "ours": np.mean(values), "low": min(values), "high": max(values), "published": published,
             "tolerance": 10} | where
            | {"source": "Fig. 3f", "function": f"{_MODULE}.enumeration_tables.composition"}
        )  # fmt: skip
    if len(hits) > 1:
        rows.append(
            {"id": "fig3.correlation", "quantity": "correlation of the counts between seeds", "ours": correlation(hits),
             "published": None, "note": "one enumeration is published"} | where
        )  # fmt: skip
    return rows


def link_rows(tables: list[pd.DataFrame], section: str) -> list[dict]:
    """Successful topologies by number of links; one table of `by_links` a seed."""
    rows = []
    for n, published in PUBLISHED_BY_LINKS.items():
        values = [int(table.loc[table["links"] == n, "two_sets"].iloc[0]) for table in tables]
        rows.append(
            {
                "id": f"fig3f.links.{n}",
                "quantity": f"topologies with 2 sets or more and {n} links",
                "ours": np.mean(values),
                "low": min(values),
                "high": max(values),
                "published": published,
                "tolerance": 2 * np.sqrt(published),
                "source": "Fig. 3f",
                "section": section,
                "function": f"{_MODULE}.enumeration_tables.by_links",
                "note": "tolerance: two standard deviations of a count",
            }
        )
    return rows


def pruning_rows(outside: dict[str, int], section: str) -> list[dict]:
    """Oscillating and successful sets outside the 640 topologies with a negative loop and a positive self-loop."""
    return [
        {
            "id": f"fig3.pruning.{name}",
            "quantity": f"{words} outside the 640 topologies that can oscillate",
            "ours": outside[name],
            "published": None,
            "note": "0 is what the theory of planar systems says",
            "section": section,
            "function": f"{_MODULE}.hill.can_oscillate",
        }
        for name, words in (("oscillating", "oscillating sets"), ("successful", "successful sets"))
    ]


def step_rows(survival: pd.DataFrame, exact: int, published_map: int, sets: int, section: str) -> list[dict]:
    """What is left of the published count when the step becomes small.

    Parameters
    ----------
    survival
        Of `step_size.survival`.
    exact, published_map
        Topologies with two sets or more by the converged integration and by the published Euler map, of the same
        ``sets`` draws each.
    """
    where = {"section": section, "function": f"{_MODULE}.step_size.survival"}
    rows = []
    for dt, published in PUBLISHED_SURVIVAL.items():
        row = survival[(survival["method"] == "euler") & (survival["dt"] == dt)].iloc[0]
        rows.append(
            {"id": f"fig3.step.{dt:g}", "quantity": f"share of successful sets that oscillate with Euler step {dt:g}",
             "ours": row["oscillating"], "published": published, "tolerance": 0.04,
             "source": "released parameter sets, integrated again"} | where
        )  # fmt: skip
    fine = survival[(survival["method"] == "euler") & (survival["dt"] == 0.025)].iloc[0]
    rows.append(
        {"id": "fig3.step.topologies", "quantity": "topologies that keep 2 sets with Euler step 0.025",
         "ours": int(fine["topologies"]), "published": 49, "tolerance": 2 * np.sqrt(49),
         "source": "released parameter sets, integrated again"} | where
    )  # fmt: skip
    lasting = survival.iloc[-1]
    rows.append(
        {"id": "fig3.sustained", "quantity": "share of successful sets that last ten times as long, converged",
         "ours": lasting["share"], "published": None,
         "note": f"{lasting['topologies']} topologies keep 2 such sets; the paper looks at 50 lifetimes"} | where
    )  # fmt: skip
    fair = sets == PUBLISHED_SETS
    rows.append(
        {"id": "fig3.converged", "quantity": f"topologies with 2 sets or more of {sets}, converged integration",
         "ours": int(exact), "published": PUBLISHED["two_sets"] if fair else None, "source": "Fig. 3d",
         "section": section, "function": f"{_MODULE}.step_size.converged",
         "note": f"the Euler map with step 0.25 gives {published_map} with the same draws"
         + ("" if fair else "; the paper has 160000 sets")}
    )  # fmt: skip
    return rows
