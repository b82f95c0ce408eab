"""Ours versus published for the solver's accuracy: each function returns rows for `Output.compare_all`."""

import pandas as pd

from regulome.stochastic import solver_recipes as recipes
from regulome.stochastic.accuracy import JOINT

_MODULE = "regulome.stochastic"
_SHORT = {
    recipes.OURS: "ours", recipes.MEAN: "mean_law", recipes.NEAREST: "nearest", recipes.MOMENTS: "moments",
    recipes.ONE: "trajectory", recipes.ONE_BETTER: "trajectory_better",
}  # fmt: skip


def accuracy_rows(table: pd.DataFrame, states: tuple[str, ...], section: str) -> list[dict]:
    """Median total variation and divergence of every state and the joint, every method of `accuracy.summary`."""
    rows = []
    for method in dict.fromkeys(table["method"]):
        own = table[table["method"] == method].set_index("state")
        for state, column in [(JOINT, "tv"), (JOINT, "kl")] + [(state, "kl") for state in states]:
            rows.append(
                {
                    "id": f"accuracy.{_SHORT.get(method, method)}.{state.lower()}.{column}",
                    "quantity": f"median {'total variation' if column == 'tv' else 'KL'}, {state}, {method}",
                    "ours": own.loc[state, f"{column}_median"],
                    "low": own.loc[state, f"{column}_median"],
                    "high": own.loc[state, f"{column}_q90"],
                    "published": None,
                    "unit": "nats" if column == "kl" else "",
                    "section": section,
                    "function": f"{_MODULE}.accuracy.summary",
                    "note": "unfiltered, interval up to the 90 % quantile; the publication states no accuracy",
                    "role": None if method == recipes.OURS else "baseline",
                }
            )
    return rows


def filter_rows(kept: dict[str, float], section: str) -> list[dict]:
    """Share of held-out sets that the published cut would keep."""
    return [
        {
            "id": f"filter.{_SHORT.get(method, method)}",
            "quantity": f"share of sets that the published cut keeps, {method}",
            "ours": share,
            "published": None,
            "section": section,
            "function": f"{_MODULE}.accuracy.filtered",
            "note": "cut at a marginal KL of 0.12; the published shares are not stated",
        }
        for method, share in kept.items()
    ]


def map_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Correlation of the bimodality map with the exact one."""
    return [
        {
            "id": f"afl.bimodality{suffix}",
            "quantity": f"Pearson correlation of the bimodality coefficient, solver and exact, {words}",
            "ours": table[f"solver{suffix}"].corr(table[f"exact{suffix}"]),
            "published": None,
            "section": section,
            "function": f"{_MODULE}.accuracy_maps.bimodality_map",
            "note": "the published map is against simulation; its correlation is printed in a figure only",
        }
        for suffix, words in (("", "rarest counts left out"), ("_whole", "with the whole tail"))
    ]


def network_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Median joint total variation for other networks; columns network, method, state, tv_median, tv_q90."""
    own = table[table["state"] == JOINT]
    return [
        {
            "id": f"network.{row.network}.{_SHORT.get(row.method, row.method)}",
            "quantity": f"median joint total variation, {row.network}, {row.method}",
            "ours": row.tv_median,
            "low": row.tv_median,
            "high": row.tv_q90,
            "published": None,
            "section": section,
            "function": f"{_MODULE}.accuracy.summary",
            "note": "unfiltered, interval up to the 90 % quantile; no accuracy is published",
            "role": None if row.method == recipes.OURS else "baseline",
        }
        for row in own.itertuples()
    ]
