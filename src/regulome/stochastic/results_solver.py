"""Ours versus published for the solver: each function returns rows for `Output.compare_all`, or a table behind them."""

import pandas as pd

from regulome.stochastic import solver_recipes as recipes
from regulome.stochastic.accuracy import JOINT
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_experiments import sequence_operations, tree_operations
from regulome.stochastic.solver_training import TrainingSettings
from regulome.stochastic.transformer import PUBLISHED, CountTransformer

_MODULE = "regulome.stochastic"
# Published numbers of weights: (parameters, bounds of the recorded states), counted in the released networks
PUBLISHED_SIZES = {"gene expression": (7, (2, 100, 580), 95_488), "AFL": (4, (2, 149), 67_648)}
_ROLES = {recipes.NEAREST: "baseline", recipes.MEAN: "baseline", recipes.MOMENTS: "baseline", recipes.ONE: "baseline",
          recipes.ONE_BETTER: "baseline"}  # fmt: skip
_SHORT = {
    recipes.OURS: "ours", recipes.EQUAL: "published_equal", recipes.LEAN: "published_lean",
    recipes.BOTH: "published_long", recipes.MEAN: "mean_law", recipes.NEAREST: "nearest",
    recipes.MOMENTS: "moments", recipes.ONE: "trajectory", recipes.ONE_BETTER: "trajectory_better",
}  # fmt: skip


def size_table(seed: int = 0) -> pd.DataFrame:
    """Weights of the published architecture: network, weights, published, without_positions (for two networks)."""
    import torch

    rows = []
    for name, (parameters, bounds, published) in PUBLISHED_SIZES.items():
        generator = torch.Generator().manual_seed(seed)
        network = CountTransformer(PUBLISHED, parameters + len(bounds) + 1, bounds, generator)
        rows.append((name, network.size, published, network.size - network.position.numel()))
    return pd.DataFrame(rows, columns=["network", "weights", "published", "without_positions"])


def size_rows(sizes: pd.DataFrame, section: str) -> list[dict]:
    """Numbers of weights."""
    return [
        {
            "id": f"size.{row.network.replace(' ', '_').lower()}",
            "quantity": f"weights of the published network, {row.network}",
            "ours": row.weights,
            "published": row.published,
            "source": "released weights",
            "section": section,
            "function": f"{_MODULE}.transformer.CountTransformer",
        }
        for row in sizes.itertuples()
    ]


def recipe_rows(table: pd.DataFrame, last: str, section: str, prefix: str = "recipe") -> list[dict]:
    """Median joint total variation and divergence of the last state's marginal, for every method of `summary`."""
    rows = []
    for method in dict.fromkeys(table["method"]):
        own = table[table["method"] == method].set_index("state")
        for state, column, words in (
            (JOINT, "tv_median", "median joint total variation"),
            (last, "kl_median", f"median KL of {last}"),
        ):
            rows.append(
                {
                    "id": f"{prefix}.{_SHORT.get(method, method)}.{column.split('_')[0]}",
                    "quantity": f"{words}, {method}",
                    "ours": own.loc[state, column],
                    "published": None,
                    "unit": "nats" if column.startswith("kl") else "",
                    "section": section,
                    "function": f"{_MODULE}.accuracy.summary",
                    "note": "unfiltered; the publication states no accuracy" if method not in _ROLES else "",
                    "role": _ROLES.get(method),
                }
            )
    return rows


def cost_table(plain: Solver, solver: Solver, dataset: Dataset, settings: TrainingSettings) -> pd.DataFrame:
    """Arithmetic of a step: layout, states (that it learns from), gigaflop, states_per_gigaflop."""
    states = len(dataset.weights) / len(dataset) * min(settings.batch, len(dataset))
    rows = [
        ("published: 1000 sampled states of one set", 1000.0, sequence_operations(plain) / 1e9),
        (f"ours: whole laws of {min(settings.batch, len(dataset))} sets", states,
         tree_operations(solver, dataset, settings) / 1e9),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["layout", "states", "gigaflop"])
    return table.assign(states_per_gigaflop=table["states"] / table["gigaflop"])


def cost_rows(cost: pd.DataFrame, section: str) -> list[dict]:
    """How many times more states our step learns from for the same arithmetic."""
    rate = cost["states_per_gigaflop"]
    return [
        {
            "id": "cost.ratio",
            "quantity": "states learned from for the same arithmetic, ours over published layout",
            "ours": rate.iloc[1] / rate.iloc[0],
            "published": None,
            "section": section,
            "function": f"{_MODULE}.solver_experiments.tree_operations",
            "note": "counted operations; the publication states no cost",
        }
    ]


def time_rows(in_time: pd.DataFrame, section: str) -> list[dict]:
    """Median joint total variation of the solver of transient laws, over all times."""
    joint = in_time[in_time["state"] == JOINT]
    medians = joint.groupby("time")["tv"].median()
    return [
        {
            "id": "time.tv",
            "quantity": "median joint total variation with time as an input",
            "ours": joint["tv"].median(),
            "low": medians.min(),
            "high": medians.max(),
            "published": None,
            "section": section,
            "function": f"{_MODULE}.solver_recipes.time_table",
            "note": "range: medians at single times; the published time slot is always 0",
        }
    ]
