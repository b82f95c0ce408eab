"""Figures of the solver's training. Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.stochastic import solver_recipes as names
from regulome.style import DOUBLE, PALETTE, SINGLE, log_ticks, panel_letter

COLOURS = {
    names.OURS: "blue", names.EQUAL: "purple", names.LEAN: "orange", names.BOTH: "vermillion",
    names.MEAN: "black", names.NEAREST: "black", names.MOMENTS: "black", names.ONE: "black", names.ONE_BETTER: "black",
}  # fmt: skip


def distances(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Cumulative share of held-out sets by distance to the nearest training set; columns ours and published."""
    fig, ax = plt.subplots(figsize=(SINGLE, 2.0))
    for name, colour, label in (("published", "vermillion", "published"), ("ours", "blue", "ours")):
        values = np.sort(table[name])
        ax.step(values, (np.arange(len(values)) + 1) / len(values), where="post", color=PALETTE[colour], label=label)
    ax.set(xlabel="distance to the nearest training set (widths of the box)", ylabel="share of held-out sets")
    ax.set(ylim=(0, 1.03), xlim=(-0.01, None))
    ax.legend(loc="center left", bbox_to_anchor=(0.06, 0.5))
    return fig, table


def curves(ours: pd.DataFrame, published: pd.DataFrame, floor: float) -> tuple[Figure, pd.DataFrame]:
    """Divergence against steps (ours) and against arithmetic (all recipes).

    Parameters
    ----------
    ours, published
        Of `solver_recipes.our_curve` and `solver_recipes.published_runs`.
    floor
        Mean divergence of the best law without prompt.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.4), width_ratios=[1, 1.25])
    axes[0].plot(ours["epoch"], ours["training_kl"], color=PALETTE["sky"], label="training sets")
    axes[0].plot(ours["epoch"], ours["validation_kl"], color=PALETTE["blue"], label="held-out sets")
    axes[0].set(yscale="log", xlabel="step", ylabel="mean joint KL (nats)")
    axes[0].legend()
    both = pd.concat([ours, published], ignore_index=True)
    for recipe, rows in both.groupby("recipe", sort=False):
        axes[1].plot(
            rows["teraflop"], rows["validation_kl"], "o-", ms=2.5, color=PALETTE[COLOURS[recipe]], label=recipe
        )
    axes[1].axhline(floor, color="black", lw=0.8, ls=":", label="mean of the training laws")
    axes[1].set(
        xscale="log", yscale="log", xlabel="arithmetic ($10^{12}$ operations)", ylabel="held-out joint KL (nats)"
    )
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, both


def recipes(scores: pd.DataFrame, last: str) -> tuple[Figure, pd.DataFrame]:
    """Joint total variation and divergence of one marginal for every method, a point a held-out set."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.7), sharey=True)
    methods = list(dict.fromkeys(scores["method"]))
    rng = np.random.default_rng(0)  # scatter of the points only
    drawn = scores[scores["state"].isin(["joint", last])]
    for ax, (state, column, label) in zip(
        axes, (("joint", "tv", "joint total variation"), (last, "kl", f"KL of {last} (nats)")), strict=True
    ):
        for place, method in enumerate(methods):
            values = drawn[(drawn["method"] == method) & (drawn["state"] == state)][column].clip(lower=1e-6)
            colour = PALETTE[COLOURS.get(method, "green")]
            ax.plot(values, place + rng.uniform(-0.25, 0.25, len(values)), "o", ms=2, mew=0, alpha=0.4, color=colour)
            ax.plot([values.median()] * 2, [place - 0.36, place + 0.36], color=colour, lw=2)
        ax.set(xscale="log", xlabel=label)
    axes[0].set(yticks=range(len(methods)), yticklabels=methods)
    axes[0].invert_yaxis()
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, drawn.reset_index(drop=True)


def ladder(rungs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Held-out divergence with options switched on one after another; of `solver_experiments.ladder`."""
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.75, 2.0))
    y = np.arange(len(rungs))
    ax.plot(rungs["validation_kl"], y, "o-", color=PALETTE["blue"], ms=4)
    for place, value in zip(y, rungs["validation_kl"], strict=True):
        text = {"xytext": (7, 0), "textcoords": "offset points", "va": "center", "fontsize": 6}
        ax.annotate(f"{value:.3g}", (value, place), **text)
    ax.set(yticks=y, yticklabels=rungs["options"], xlabel="held-out joint KL (nats)", xscale="log")
    log_ticks(ax.xaxis)
    ax.margins(x=0.15, y=0.12)
    ax.invert_yaxis()
    return fig, rungs


def in_time(table: pd.DataFrame, state: str, shown: int = 3) -> tuple[Figure, pd.DataFrame]:
    """Mean and sd through time, exact and by the solver, and total variation; of `solver_recipes.time_table`."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.2), width_ratios=[1.2, 1])
    own = table[table["state"] == state]
    for place, colour in zip(range(shown), ("blue", "vermillion", "green"), strict=True):
        rows = own[own["set"] == place].sort_values("time")
        low, high = rows["exact_mean"] - rows["exact_sd"], rows["exact_mean"] + rows["exact_sd"]
        axes[0].fill_between(rows["time"], low, high, color=PALETTE[colour], alpha=0.15, lw=0)
        axes[0].plot(rows["time"], rows["exact_mean"], color=PALETTE[colour])
        axes[0].errorbar(
            rows["time"], rows["mean"], rows["sd"], fmt="o", ms=3, lw=0.8, capsize=2, color=PALETTE[colour]
        )
    axes[0].set(xlabel="time (unit of the rates)", ylabel=f"{state}: mean ± sd")
    joint = table[table["state"] == "joint"]
    axes[1].plot(joint["time"], joint["tv"], "o", ms=2.2, mew=0, alpha=0.5, color=PALETTE["blue"])
    medians = joint.groupby("time")["tv"].median()
    axes[1].plot(medians.index, medians, color=PALETTE["blue"], label="median")
    axes[1].set(xlabel="time (unit of the rates)", ylabel="joint total variation", ylim=(0, None))
    axes[1].legend()
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table
