"""Figures of the Hill enumeration. Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.circuits.enumeration_tables import ENOUGH
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

# Topologies with at least two sets in the published enumeration, by number of links (Shen et al. 2021, Fig. 3f)
PUBLISHED_BY_LINKS = {4: 0, 5: 8, 6: 33, 7: 41, 8: 22}
# Topologies of the published enumeration that keep two sets, and share of its sets that oscillate, with smaller steps
PUBLISHED_SURVIVAL = {0.25: 1.0, 0.2: 0.76, 0.1: 0.47, 0.05: 0.40, 0.025: 0.37}


def counts(table: pd.DataFrame, columns: list[str], links: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Topologies by number of links beside the published ones, successful sets a topology, and two seeds compared.

    Parameters
    ----------
    table
        Of `enumeration_tables.topology_table`.
    columns
        Its columns of hits, one a seed.
    links
        Of `enumeration_tables.by_links`.
    """
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.2), width_ratios=[1.1, 1.1, 1])
    x = np.arange(len(links))
    axes[0].bar(x - 0.2, links["two_sets"], 0.4, color=PALETTE["blue"], label="ours, first seed")
    published = [PUBLISHED_BY_LINKS[n] for n in links["links"]]
    axes[0].bar(x + 0.2, published, 0.4, color=PALETTE["orange"], label="published")
    axes[0].set(
        xticks=x, xticklabels=links["links"], xlabel="number of links", ylabel=f"topologies, {ENOUGH} sets or more"
    )
    axes[0].legend()
    for column, colour in zip(columns, ("blue", "sky", "green"), strict=False):
        ranked = np.sort(table[column])[::-1]
        ranked = ranked[ranked > 0]
        axes[1].plot(
            np.arange(len(ranked)) + 1, ranked, color=PALETTE[colour], label=f"seed {columns.index(column) + 1}"
        )
    axes[1].axhline(ENOUGH, color="grey", lw=0.6, ls=":")
    axes[1].set(xlabel="rank of the topology", ylabel="successful sets", yscale="log")
    axes[1].legend()
    first, second = columns[0], columns[-1]
    either = table[(table[first] > 0) | (table[second] > 0)]
    axes[2].plot(either[first] + 1, either[second] + 1, "o", ms=2.2, mew=0, alpha=0.6, color=PALETTE["blue"])
    top = either[[first, second]].to_numpy().max() * 1.3 + 1
    axes[2].plot([1, top], [1, top], color="grey", lw=0.6)
    axes[2].set(
        xscale="log",
        yscale="log",
        xlabel="sets + 1, first seed",
        ylabel=f"sets + 1, {'last' if first != second else 'same'} seed",
    )
    for ax, letter in zip(axes, "abc", strict=True):
        panel_letter(ax, letter)
    drawn = table[(table[columns] > 0).any(axis=1)]
    return fig, drawn[["topology", "links", *columns]].reset_index(drop=True)


def pools(seeds: pd.DataFrame, published: int = 104) -> tuple[Figure, pd.DataFrame]:
    """Topologies found with draws of their own, and with one pool of draws for all; ``seeds`` of `seed_table`."""
    fig, ax = plt.subplots(figsize=(SINGLE, 2.0))
    names = list(dict.fromkeys(seeds["draws"]))
    for place, (name, colour) in enumerate(zip(names, ("blue", "vermillion"), strict=False)):
        values = seeds[seeds["draws"] == name]["two_sets"]
        ax.plot(values, np.full(len(values), place), "o", color=PALETTE[colour], ms=4, alpha=0.8)
    ax.axvline(published, color="black", lw=0.8, ls="--", label="published")
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.2))
    low, high = min(seeds["two_sets"].min(), published), max(seeds["two_sets"].max(), published)
    ax.set(xlim=(low - 10, high + 10))
    ax.set(xlabel=f"topologies with {ENOUGH} sets or more")
    ax.legend()
    return fig, seeds


def step_size(survival: pd.DataFrame, curves: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Share of successful sets that survive smaller steps, and curves of sets that do and do not.

    Parameters
    ----------
    survival
        Of `step_size.survival`.
    curves
        Of `step_size.examples`.
    """
    fig = plt.figure(figsize=(DOUBLE, 2.5))
    left, right = fig.subfigures(1, 2, width_ratios=[1, 1.25])
    ax = left.subplots()
    euler, exact = survival[survival["method"] == "euler"], survival[survival["method"] == "rk4"]
    ax.plot(euler["dt"], euler["oscillating"], "o-", color=PALETTE["blue"], ms=3.5, label="still oscillate")
    ax.plot(euler["dt"], euler["share"], "s-", color=PALETTE["green"], ms=3.5, label="meet every condition")
    ax.plot(
        list(PUBLISHED_SURVIVAL), list(PUBLISHED_SURVIVAL.values()), "x", color="black", ms=5, label="published sets"
    )
    ax.axhline(exact["share"].iloc[-2], color=PALETTE["green"], lw=0.7, ls=":", label="converged")
    ax.axhline(exact["share"].iloc[-1], color=PALETTE["vermillion"], lw=0.7, ls=":", label="converged and sustained")
    ax.set(xscale="log", xlabel="Euler step dt (lifetimes)", ylabel="share of the successful sets", ylim=(0, 1.05))
    ax.set_xticks(euler["dt"], [f"{dt:g}" for dt in euler["dt"]], rotation=45)
    ax.minorticks_off()
    ax.legend(loc="upper left")
    panel_letter(ax, "a")
    groups = list(curves.groupby(["confirmed", "topology", "set"], sort=False))
    panels = right.subplots(2, (len(groups) + 1) // 2, sharex=True, squeeze=False)
    for panel, ((confirmed, topology, number), curve) in zip(
        panels.T.flat, sorted(groups, key=lambda g: g[0][0]), strict=False
    ):
        panel.plot(curve["time"], curve["euler"], color=PALETTE["vermillion"], lw=0.8, label="Euler, dt 0.25")
        panel.plot(curve["time"], curve["exact"], color="black", lw=0.9, label="exact (LSODA)")
        panel.set_title(f"{topology}, set {number}" + ("" if confirmed else " (artefact)"), fontsize=6.5)
    for panel in panels[-1]:
        panel.set_xlabel("time (lifetimes)")
    for panel in panels[:, 0]:
        panel.set_ylabel("output g1")
    right.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    panel_letter(panels[0, 0], "b")
    thin = curves[curves["time"] % 0.5 == 0]
    table = pd.concat([survival.assign(panel="a"), thin.assign(panel="b")], ignore_index=True)
    return fig, table[["panel", *(c for c in table.columns if c != "panel")]]


def converged_counts(table: pd.DataFrame, sets: int) -> tuple[Figure, pd.DataFrame]:
    """Successful sets of each topology on the Euler map and on the exact solution, of the same ``sets`` draws.

    ``table`` has columns links, hits_map and hits_converged.
    """
    fig, ax = plt.subplots(figsize=(SINGLE, 2.6))
    drawn = table[(table["hits_map"] > 0) | (table["hits_converged"] > 0)]
    rng = np.random.default_rng(0)  # scatter of overlapping points only
    x, y = ((drawn[name] + 1) * np.exp(rng.uniform(-0.12, 0.12, len(drawn))) for name in ("hits_map", "hits_converged"))
    for links, colour in zip(sorted(drawn["links"].unique()), ("vermillion", "sky", "blue", "green"), strict=False):
        of = drawn["links"] == links
        ax.plot(x[of], y[of], "o", ms=2.8, mew=0, alpha=0.7, color=PALETTE[colour], label=f"{links} links")
    top = drawn[["hits_map", "hits_converged"]].to_numpy().max() * 1.4 + 1
    ax.plot([0.8, top], [0.8, top], color="grey", lw=0.6)
    ax.set(xscale="log", yscale="log", xlabel="successful sets + 1, Euler with dt 0.25 (published)")
    ax.set(ylabel="successful sets + 1, converged", title=f"{sets:,} parameter sets a topology")
    ax.legend()
    return fig, drawn.reset_index(drop=True)


def motif_counts(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Adapting parameter sets by motif; columns motif, topologies, adapting (topologies), sets_per_topology."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.8, 1.9), sharey=True)
    y = np.arange(len(table))
    axes[0].barh(y, table["topologies"], color="lightgrey", label="all")
    axes[0].barh(y, table["adapting"], color=PALETTE["blue"], label="adapt")
    axes[0].set(yticks=y, yticklabels=table["motif"], xlabel="topologies")
    axes[0].legend()
    axes[1].barh(y, table["sets_per_topology"], color=PALETTE["blue"])
    axes[1].set(xlabel="adapting sets a topology, per 10,000")
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table
