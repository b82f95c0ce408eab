"""Figures of the solver's accuracy. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from regulome.stochastic.accuracy import JOINT
from regulome.stochastic.distribution import Distribution
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

CUT = 0.12  # marginal divergence above which most published panels drop a parameter set


def moments(scores: pd.DataFrame, states: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Mean and sd of every state, solver against exact, and box plots of the marginal divergence in both directions.

    ``scores`` are those of one method, of `accuracy.score_all`.
    """
    fig, axes = plt.subplots(len(states), 3, figsize=(DOUBLE, 1.9 * len(states)), squeeze=False)
    drawn = scores[scores["state"].isin(states)]
    for row, state in enumerate(states):
        own = drawn[drawn["state"] == state]
        for ax, name, words in zip(axes[row], ("mean", "sd"), ("mean", "sd"), strict=False):
            ax.plot(own[f"exact_{name}"], own[name], "o", ms=2.4, mew=0, alpha=0.5, color=PALETTE["blue"])
            top = own[[name, f"exact_{name}"]].to_numpy().max() * 1.05
            ax.plot([0, top], [0, top], color="grey", lw=0.7)
            ax.set(xlabel=f"exact {words} of {state}", ylabel=f"solver's {words}", aspect="equal")
        values = [own[name].clip(lower=1e-7) for name in ("kl", "kl_reverse")]
        axes[row, 2].boxplot(values, widths=0.5, flierprops={"ms": 2}, medianprops={"color": PALETTE["vermillion"]})
        axes[row, 2].axhline(CUT, color="black", lw=0.7, ls=":")
        axes[row, 2].set(yscale="log", ylabel=f"KL of {state} (nats)")
        axes[row, 2].set_xticks([1, 2], ["exact‖solver", "solver‖exact"])
    for ax, letter in zip(axes.flat, "abcdefghijkl", strict=False):
        panel_letter(ax, letter)
    return fig, drawn.reset_index(drop=True)


def cumulative(scores: pd.DataFrame, last: str) -> tuple[Figure, pd.DataFrame]:
    """Share of held-out sets with at most this distance: joint total variation, divergence of the last state."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.7), sharey=True)
    colours = ("blue", "black", "orange", "green", "vermillion", "purple", "sky")
    drawn = scores[scores["state"].isin([JOINT, last])]
    for ax, (state, column, label) in zip(
        axes, ((JOINT, "tv", "joint total variation"), (last, "kl", f"KL of {last} (nats)")), strict=True
    ):
        for method, colour in zip(dict.fromkeys(scores["method"]), colours, strict=False):
            values = np.sort(drawn[(drawn["method"] == method) & (drawn["state"] == state)][column].clip(lower=1e-6))
            share = (np.arange(len(values)) + 1) / len(values)
            ax.step(values, share, where="post", color=PALETTE[colour], label=method)
        ax.set(xscale="log", xlabel=label)
    axes[0].set(ylabel="share of held-out sets", ylim=(0, 1.03))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, drawn.reset_index(drop=True)


def joints(tables: dict[str, pd.DataFrame], states: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Joint law of two states, exact above the solver's, one column a parameter set; of `accuracy_maps.joint_table`."""
    fig, axes = plt.subplots(2, len(tables), figsize=(DOUBLE, 3.6), squeeze=False)
    for column, (title, table) in enumerate(tables.items()):
        ends = [int(table[state].max()) + 1 for state in states]
        norm = LogNorm(1e-5, table["probability"].max())
        for row, law in enumerate(("exact", "solver")):
            ax = axes[row, column]
            own = table[table["law"] == law]
            grid = np.full(ends, np.nan)
            grid[tuple(own[state] for state in states)] = own["probability"]
            image = ax.imshow(grid.T, origin="lower", aspect="auto", norm=norm, cmap="viridis", interpolation="nearest")
            ax.set(ylabel=f"{law}: {states[1]}" if column == 0 else "")
            if row == 0:
                ax.set_title(title)
            else:
                ax.set_xlabel(states[0])
        fig.colorbar(image, ax=axes[:, column], label="probability" if column == len(tables) - 1 else "", shrink=0.8)
    return fig, pd.concat([table.assign(set=title) for title, table in tables.items()], ignore_index=True)


def corner(exact: Distribution, found: Distribution, states: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Marginals on the diagonal, joint laws of pairs of states: exact above it, the solver's below."""
    n = len(states)
    fig, axes = plt.subplots(n, n, figsize=(DOUBLE * 0.8, DOUBLE * 0.72), squeeze=False)
    ends = [max(len(exact.vector(state)), 2) for state in states]
    rows = []
    for i, j in np.ndindex(n, n):
        ax = axes[i, j]
        if i == j:
            vectors = [law.vector(states[i], ends[i])[: ends[i]] for law in (exact, found)]
            ax.bar(range(ends[i]), vectors[1], width=1.0, color=PALETTE["sky"], label="solver")
            ax.stairs(vectors[0], np.arange(ends[i] + 1) - 0.5, color="black", lw=0.9, label="exact")
            ax.set(ylabel="probability")
            rows += [(states[i], k, a, b) for k, (a, b) in enumerate(zip(*vectors, strict=True))]
        else:
            law = exact if j > i else found
            pair = law.marginal(states[j], states[i])
            inside = (pair.counts < [ends[j], ends[i]]).all(1) & (pair.weights > 1e-6)
            grid = np.full((ends[j], ends[i]), np.nan)
            grid[tuple(pair.counts[inside].T)] = pair.weights[inside]
            ax.imshow(grid.T, origin="lower", aspect="auto", norm=LogNorm(1e-6, 1), cmap="viridis")
            ax.set(ylabel=states[i])
        ax.set(xlabel=states[j])
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if ends[j] == 2:
            ax.set_xticks([0, 1])
        if i != j and ends[i] == 2:
            ax.set_yticks([0, 1])
    axes[-1, -1].legend(loc="upper right")
    return fig, pd.DataFrame(rows, columns=["state", "count", "exact", "solver"])


def bimodality(table: pd.DataFrame, x: str, y: str) -> tuple[Figure, pd.DataFrame]:
    """Bimodality coefficient over two parameters, exact and by the solver, and one against the other."""
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.3), width_ratios=[1, 1.2, 1])
    low, high = table[["exact", "solver"]].to_numpy().min(), table[["exact", "solver"]].to_numpy().max()
    for ax, law in zip(axes, ("exact", "solver"), strict=False):
        grid = table.pivot(index=y, columns=x, values=law)
        image = ax.pcolormesh(grid.columns, grid.index, grid, vmin=low, vmax=high, cmap="viridis", shading="nearest")
        ax.set(xlabel=x, ylabel=y, title=law)
    fig.colorbar(image, ax=axes[1], label="bimodality coefficient")
    axes[2].plot(table["exact"], table["solver"], "o", ms=2, mew=0, alpha=0.4, color=PALETTE["blue"])
    axes[2].plot([low, high], [low, high], color="grey", lw=0.7)
    axes[2].axvline(5 / 9, color="black", lw=0.7, ls=":")
    axes[2].set(xlabel="exact coefficient", ylabel="solver's coefficient", aspect="equal")
    for ax, letter in zip(axes, "abc", strict=True):
        panel_letter(ax, letter)
    return fig, table


def networks(scores: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Joint total variation of several networks, solver and nearest training law; columns network, method, tv."""
    fig, ax = plt.subplots(figsize=(SINGLE * 1.3, 0.5 * scores["network"].nunique() + 0.9))
    drawn = scores[scores["state"] == JOINT].reset_index(drop=True)
    rng = np.random.default_rng(0)  # scatter of the points only
    names, methods = list(dict.fromkeys(drawn["network"])), list(dict.fromkeys(drawn["method"]))
    for place, name in enumerate(names):
        for shift, (method, colour) in enumerate(zip(methods, ("blue", "black"), strict=False)):
            values = drawn[(drawn["network"] == name) & (drawn["method"] == method)]["tv"].clip(lower=1e-4)
            y = place + 0.36 * shift - 0.18
            style = {"color": PALETTE[colour]}
            ax.plot(values, y + rng.uniform(-0.1, 0.1, len(values)), "o", ms=2, mew=0, alpha=0.35, **style)
            ax.plot([values.median()] * 2, [y - 0.15, y + 0.15], lw=2, label=method if place == 0 else None, **style)
    ax.set(yticks=range(len(names)), yticklabels=names, xscale="log", xlabel="joint total variation")
    ax.invert_yaxis()
    fig.legend(loc="outside lower center", ncols=2)
    return fig, drawn
