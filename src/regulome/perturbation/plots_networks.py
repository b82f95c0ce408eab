"""Figures of network inference. Each function takes data and returns (figure, table of what is drawn)."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from statsmodels.stats.proportion import proportion_confint

from regulome.network_drawing import draw_network
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

_COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky", "black")
_DASHES = ("--", "-.", (0, (4, 1, 1, 1, 1, 1)))
CEILING = "#777777"
NEIGHBOURS = 7  # names of more could not be read


def _looks(methods: Sequence[str], models: Sequence[str]) -> dict[str, dict]:
    """Look of each method's line, the same in all panels: models solid and thick, methods without training dashed."""
    out = {}
    for i, name in enumerate(methods):
        style = {"ls": "-", "lw": 1.8} if name in models else {"ls": _DASHES[i % len(_DASHES)], "lw": 1}
        out[name] = {"color": PALETTE[_COLOURS[i % len(_COLOURS)]], **style}
    return out


def _letters(axes) -> None:
    for ax, letter in zip(np.ravel(axes), "abcdefgh", strict=False):
        panel_letter(ax, letter)


def _intervals(
    ax: Axes, names: Sequence[str], table: pd.DataFrame, columns: tuple[str, str, str], models: Sequence[str]
):
    """Value and interval of every method from top to bottom; models in blue, the others in black."""
    value, low, high = columns
    for place, name in enumerate(names):
        row = table.loc[name]
        colour, marker = (PALETTE["blue"], "o") if name in models else (PALETTE["black"], "s")
        ax.plot([row[low], row[high]], [place] * 2, color=colour, lw=1)
        ax.plot(row[value], place, marker, ms=4, color=colour, zorder=3)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))


def against_truth(
    curves: Mapping[str, pd.DataFrame], table: pd.DataFrame, runs: pd.DataFrame, models: Sequence[str], title: str
) -> tuple[Figure, pd.DataFrame]:
    """(a) Precision-recall curves. (b) AUPRC with intervals. (c) Right signs among the true edges found.

    Parameters
    ----------
    curves
        Of `edge_metrics.curve`, by method; those to be drawn.
    table
        Of `network_tables.summary`, best first.
    runs
        Of `edge_metrics.score_all`: the AUPRC of every run, drawn as small points.
    models
        Names of the trained models.
    """
    names, by_name = list(table["method"]), table.set_index("method")
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 1.1 + 0.2 * max(len(names), 9)), width_ratios=[1.3, 1, 0.75])
    for name, look in _looks(list(curves), models).items():
        axes[0].plot(curves[name]["recall"], curves[name]["precision"], label=name, **look)
    chance = table["chance"].iloc[0]
    axes[0].axhline(chance, color="0.6", lw=0.8, ls=":", label="chance")
    axes[0].set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=5.5, handlelength=2.5)
    _intervals(axes[1], names, by_name, ("auprc", "auprc_low", "auprc_high"), models)
    for place, name in enumerate(names):
        own = runs.loc[runs["method"] == name, "auprc"]
        if len(own) > 1:
            axes[1].plot(own, np.full(len(own), place + 0.22), "o", ms=1.8, color="0.45", mew=0)
    axes[1].axvline(chance, color="0.6", lw=0.8, ls=":")
    axes[1].set(xlabel="AUPRC", xlim=(0, None))
    _signs(axes[2], table)
    axes[2].axvline(0.5, color="0.6", lw=0.8, ls=":")
    axes[2].set(xlabel="right signs among\ntrue edges found", xlim=(0, 1.02), yticks=range(len(names)), yticklabels=[])
    axes[2].set_ylim(axes[1].get_ylim())
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    drawn = [curve.assign(method=name, panel="curve") for name, curve in curves.items()]
    return fig, pd.concat([table.assign(panel="area"), *drawn], ignore_index=True)


def _signs(ax: Axes, table: pd.DataFrame) -> None:
    """Share of right signs with its binomial interval, a row a method; nothing for methods without signs."""
    for place, row in enumerate(table.itertuples()):
        if np.isfinite(row.sign_accuracy) and row.signed_edges >= 1:
            total = round(row.signed_edges)
            low, high = proportion_confint(round(row.sign_accuracy * total), total, method="beta")
            ax.plot([low, high], [place] * 2, color=PALETTE["green"], lw=1)
            ax.plot(row.sign_accuracy, place, "D", ms=3.5, color=PALETTE["green"], clip_on=False)


def matched(
    table: pd.DataFrame, methods: Sequence[str], models: Sequence[str], ceiling: str, title: str
) -> tuple[Figure, pd.DataFrame]:
    """Mean Wasserstein distance and share of significant edges against the number of edges.

    Parameters
    ----------
    table
        Of `network_tables.matched`.
    methods
        Those to be drawn, beside the ceiling.
    models
        Names of the trained models.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.7))
    for name, look in {
        **_looks(methods, models),
        ceiling: {"color": CEILING, "ls": "-", "lw": 2.5, "alpha": 0.6},
    }.items():
        own = table[table["method"] == name]
        share = own["significant"] / own["edges"]
        axes[0].plot(own["edges"], own["wasserstein"], "o", ms=2, mew=0, color=look["color"])
        axes[0].plot(own["edges"], own["wasserstein"], label=name, zorder=1 if name == ceiling else 2, **look)
        if own["runs"].iloc[0] > 1:
            axes[0].errorbar(
                own["edges"], own["wasserstein"], own["wasserstein_sd"], fmt="none", lw=0.7, color=look["color"]
            )
        axes[1].plot(own["edges"], share, "o", ms=2, mew=0, color=look["color"])
        axes[1].plot(own["edges"], share, zorder=1 if name == ceiling else 2, **look)
    for ax, words in zip(
        axes, ("mean Wasserstein distance\n(log expression)", "share of edges with p < 0.05"), strict=True
    ):
        ax.set(xlabel="number of edges K", ylabel=words, xscale="log")
        ax.set_xticks(sorted(set(table["edges"])), [f"{count:g}" for count in sorted(set(table["edges"]))])
        ax.minorticks_off()
        ax.set_ylim(0, None)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=5.5)
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    return fig, table[table["method"].isin([*methods, ceiling])].reset_index(drop=True)


def omissions(table: pd.DataFrame, pools: pd.DataFrame, models: Sequence[str], nothing: str, title: str):
    """(a) False omission rate of every method. (b) The published quantity against the pool it is drawn from.

    Parameters
    ----------
    table
        Of `network_tables.omissions`.
    pools
        Of `network_tables.pools`.
    """
    names = list(table["method"])
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 0.9 + 0.19 * len(names)), width_ratios=[1, 1])
    known = table.set_index("method")
    _intervals(axes[0], names, known, ("rate", "low", "high"), models)
    axes[0].plot(known["all_pairs"], np.arange(len(names)) + 0.25, "|", ms=5, color=PALETTE["vermillion"])
    axes[0].axvline(known.loc[nothing, "all_pairs"], color="0.6", lw=0.8, ls=":")
    axes[0].set(xlabel="false omission rate (CausalBench), 95 % interval", xlim=(0, None))
    axes[1].plot(pools["unperturbed"], pools["expected"], color="0.6", lw=1, label="expected, no network involved")
    axes[1].errorbar(
        pools["unperturbed"], pools["rate"], [pools["rate"] - pools["low"], pools["high"] - pools["rate"]],
        fmt="o", ms=4, lw=1, color=PALETTE["vermillion"], label="as published, 90 % of the draws", capsize=0,
    )  # fmt: skip
    axes[1].set(xlabel="unperturbed genes in the pool", ylabel="'FOR' as published, any network", ylim=(0, None))
    axes[1].legend()
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    return fig, pd.concat([table.assign(panel="a"), pools.assign(panel="b")], ignore_index=True)


def stability(table: pd.DataFrame, count: int, title: str) -> tuple[Figure, pd.DataFrame]:
    """Jaccard index and rank correlation of every pair of runs; bar: mean, dotted: chance.

    Parameters
    ----------
    table
        Of `network_tables.stability`.
    """
    names = list(dict.fromkeys(zip(table["method"], table["repeats"], strict=True)))
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 0.9 + 0.2 * len(names)), sharey=True)
    colours = {"seed": PALETTE["blue"], "cells": PALETTE["vermillion"]}
    for place, (name, what) in enumerate(names):
        own = table[(table["method"] == name) & (table["repeats"] == what)]
        for ax, column in zip(axes, ("jaccard", "spearman"), strict=True):
            ax.plot(own[column], np.full(len(own), place), "o", ms=2.5, mfc="none", mew=0.6, color=colours[what])
            ax.plot([own[column].mean()] * 2, [place - 0.3, place + 0.3], color=colours[what], lw=1.8)
    axes[0].axvline(table["chance"].iloc[0], color="0.6", lw=0.8, ls=":")
    axes[1].axvline(0, color="0.6", lw=0.8, ls=":")
    axes[0].set(xlabel=f"Jaccard index of the first {count} edges", xlim=(0, 1.02))
    axes[1].set(xlabel="rank correlation of all pairs", xlim=(min(-0.1, table["spearman"].min() - 0.05), 1.02))
    labels = [f"{name} ({'other seed' if what == 'seed' else 'other cells'})" for name, what in names]
    axes[0].set(yticks=range(len(names)), yticklabels=labels, ylim=(len(names) - 0.5, -0.5))
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    return fig, table


def network(table: pd.DataFrame, true: pd.Series | None, title: str) -> tuple[Figure, pd.DataFrame]:
    """The strongest edges as a network; where the truth is known, dashed edges are none.

    Parameters
    ----------
    table
        Of `export.network_table`; not more than about 30 edges can be read.
    true
        Whether each edge is a true one, or None.
    """
    links = table[["regulator", "target", "sign"]].assign(value=table["score"].abs())
    if true is not None:
        links["style"] = np.where(true, "solid", "dashed")
    fig, ax = plt.subplots(figsize=(SINGLE * 1.35, SINGLE * 1.35))
    regulators = set(links["regulator"])
    fill = {name: "#DCEAF5" for name in regulators}
    draw_network(links, ax, _ring(links), colours=fill, inputs=[], legend=True)
    ax.set_title(title, fontsize=7)
    return fig, links


def _ring(links: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Nodes on two rings: those that regulate inside, those that are only regulated outside, near their regulators."""
    inside = sorted(set(links["regulator"]))
    outside = sorted(set(links["target"]) - set(inside))
    angle = {name: 2 * math.pi * i / len(inside) for i, name in enumerate(inside)}
    pull = {}
    for name in outside:
        towards = sum(np.exp(1j * angle[regulator]) for regulator in links.loc[links["target"] == name, "regulator"])
        pull[name] = float(np.angle(towards)) % (2 * math.pi)
    order = sorted(outside, key=lambda name: (pull[name], name))
    radius = max(1.0, len(inside) / 7)
    places = {name: (radius * math.cos(a), radius * math.sin(a)) for name, a in angle.items()}
    start = pull[order[0]] if order else 0.0
    for i, name in enumerate(order):
        turn = start + 2 * math.pi * i / len(order)
        reach = max(2 * radius, len(order) / 7)
        places[name] = (reach * math.cos(turn), reach * math.sin(turn))
    return places


def hubs(table: pd.DataFrame, known: pd.DataFrame | None, most: int = 6) -> tuple[Figure, pd.DataFrame]:
    """Convergence subnetworks: each hub in the middle of its regulators.

    Parameters
    ----------
    table
        Of `convergence.subnetworks`.
    known
        Of `convergence.against_truth`, or None: written above each hub.
    most
        Number of hubs that are drawn, the first of the table, each with its `NEIGHBOURS` strongest regulators.
    """
    names = list(dict.fromkeys(table["hub"]))[:most]
    columns, rows = min(3, max(1, len(names))), max(1, math.ceil(len(names) / 3))
    fig, axes = plt.subplots(rows, columns, figsize=(DOUBLE * columns / 3, 2.25 * rows), squeeze=False)
    if not names:
        axes[0, 0].text(0.5, 0.5, "no gene has enough regulators", ha="center", va="center", fontsize=6.5)
    for ax, name in zip(axes.ravel(), names, strict=False):
        own = table[table["hub"] == name].head(NEIGHBOURS)
        total = own["regulators"].iloc[0]
        places = {name: (0.0, 0.0)}
        for i, regulator in enumerate(own["regulator"]):
            angle = math.pi / 2 - 2 * math.pi * i / len(own)
            places[regulator] = (math.cos(angle), math.sin(angle))
        links = own[["regulator", "target", "sign"]].assign(value=own["wasserstein"])
        draw_network(links, ax, places, inputs=[], colours={name: "#FBE5D6"}, scale=table["wasserstein"].max())
        words = f"{total} regulators"
        if known is not None:
            row = known[known["hub"] == name].iloc[0]
            words = f"{row['true']} of {total} regulators are true"
        ax.set_title(f"{name}: {words}" + (f", {len(own)} drawn" if len(own) < total else ""), fontsize=6.5)
    for ax in axes.ravel()[len(names) :]:
        ax.set_axis_off()
    return fig, table[table["hub"].isin(names)].reset_index(drop=True)
