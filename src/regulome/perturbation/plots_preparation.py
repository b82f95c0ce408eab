"""Figures of notebook 21. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.perturbation import qc_flags
from regulome.perturbation.screen import CONTROL, SPLITS, Screen
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

_LINES = ("-", "--", ":")  # of k = 3, 4, 5
_WAYS = ("vermillion", "orange", "blue", "green", "purple", "black", "sky")


def quality(values: pd.DataFrame, limits: pd.DataFrame, bins: int = 50) -> tuple[Figure, pd.DataFrame]:
    """Distribution of every quality measure with the limits of each k.

    Parameters
    ----------
    values
        With the columns of `qc_flags.measures`; measures without numbers are left out.
    limits
        Of `qc_flags.limits`.
    """
    shown = [name for name in qc_flags.SIDES if values[name].notna().any()]
    fig, axes = plt.subplots(1, len(shown), figsize=(min(DOUBLE, 0.8 + 1.9 * len(shown)), 1.9), squeeze=False)
    parts = []
    for place, (ax, name) in enumerate(zip(axes[0], shown, strict=True)):
        own = limits[limits["measure"] == name]
        count, edges = np.histogram(values[name], bins)
        ax.stairs(count, edges, fill=True, color=PALETTE["sky"])
        for row, line in zip(own.itertuples(), _LINES, strict=False):
            if edges[0] <= row.limit <= edges[-1]:
                ax.axvline(row.limit, color=PALETTE["vermillion"], ls=line, lw=0.9)
        ax.axvline(own["median"].iloc[0], color="black", lw=0.7)
        inside = own["limit"].between(edges[0], edges[-1])
        ax.text(
            0.97, 0.95, "limit outside" if not inside.any() else "", transform=ax.transAxes, ha="right", va="top",
            color=PALETTE["vermillion"], fontsize=6,
        )  # fmt: skip
        ax.set(xlabel=qc_flags.UNITS[name], ylabel="" if place else "cells")
        ax.xaxis.set_major_locator(plt.MaxNLocator(5))
        panel_letter(ax, "abcde"[place])
        parts.append(pd.DataFrame({"measure": name, "low": edges[:-1], "high": edges[1:], "cells": count}))
    handles = [plt.Line2D([], [], color="black", lw=0.7, label="median")]
    handles += [
        plt.Line2D([], [], color=PALETTE["vermillion"], lw=0.9, ls=line, label=f"{k:g} MAD")
        for k, line in zip(sorted(limits["k"].unique()), _LINES, strict=False)
    ]
    axes[0, -1].legend(handles=handles, loc="upper right", bbox_to_anchor=(1.0, 0.88))
    return fig, pd.concat(parts, ignore_index=True)


def on_target(table: pd.DataFrame, percentile: float) -> tuple[Figure, pd.DataFrame]:
    """What is left of each measured target, and the share of its cells that the on-target filter would keep.

    Single perturbations are drawn, combinations only where there are no others.

    Parameters
    ----------
    table
        Of `preparation_tables.targets`.
    percentile
        Of the filter.
    """
    alone = table[table["in"] == ""]
    table = (alone if len(alone) else table).sort_values("remaining", ascending=False, kind="stable")
    table = table.reset_index(drop=True)
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.72, 0.9 + 0.115 * len(table)), sharey=True)
    place = np.arange(len(table))
    axes[0].errorbar(
        100 * table["remaining"], place, xerr=196 * table["remaining_se"], fmt="o", ms=3, lw=0.8, color=PALETTE["blue"]
    )
    axes[0].axvline(100, color="black", lw=0.6, ls=":")
    axes[0].set(
        yticks=place, yticklabels=table["perturbation"] + table["in"], xlabel="expression of the target (% of controls)"
    )
    axes[0].set_xlim(0, max(110, 100 * (table["remaining"] + 2 * table["remaining_se"]).max()))
    share = 100 * table["stay"] / table["cells"]
    axes[1].hlines(place, 100 * table["control_share"], share, color="0.7", lw=0.8)
    axes[1].plot(share, place, "o", ms=3, color=PALETTE["blue"], label="perturbed cells")
    axes[1].plot(
        100 * table["control_share"], place, "s", ms=2.5, mfc="white", color=PALETTE["orange"], label="control cells"
    )
    axes[1].set(xlabel=f"cells up to the {percentile:g}th percentile (%)", xlim=(0, 102))
    axes[1].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    for ax, letter in zip(axes, "ab", strict=True):
        ax.set_ylim(-0.7, len(table) - 0.3)
        ax.grid(axis="y", lw=0.3, color="0.9")
        panel_letter(ax, letter)
    return fig, table


def responses(tests: pd.DataFrame, screen: Screen, p: float = 0.01, limit: float = 3.0) -> tuple[Figure, pd.DataFrame]:
    """log2 fold change of every measured latent gene under every perturbation; grey: adjusted p not below `p`.

    Parameters
    ----------
    tests
        Of `latent_genes.differential`.
    limit
        Of the colours.
    """
    genes = [gene for gene, column in zip(screen.latent, screen.latent_column, strict=True) if column >= 0]
    table = tests[tests["gene"].isin(genes)]
    shape = {"index": "perturbation", "columns": "gene"}
    change = table.pivot(values="log2fc", **shape).reindex(columns=genes)
    sure = table.pivot(values="p", **shape).reindex(columns=genes) < p
    fig, ax = plt.subplots(figsize=(DOUBLE, 1.1 + 0.085 * len(change)))
    ax.set_facecolor("0.88")
    image = ax.imshow(
        np.ma.masked_where(~sure.to_numpy(), change.clip(-limit, limit).to_numpy()),
        cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="none",
    )  # fmt: skip
    measured = sum(gene in screen.latent[: screen.perturbed] for gene in genes)
    ax.axvline(measured - 0.5, color="black", lw=0.8)
    size = min(6.0, 430 / max(len(genes), 60))
    ax.set_xticks(range(len(genes)), genes, rotation=90, fontsize=size)
    ax.set_yticks(range(len(change)), change.index, fontsize=min(6.0, 220 / len(change)))
    ax.tick_params(length=0)
    ax.set(xlabel=f"latent genes: {measured} perturbed and measured, then {len(genes) - measured} extended")
    ax.set_ylabel("perturbation")
    fig.colorbar(image, ax=ax, label="log2 fold change\nagainst controls", pad=0.01, fraction=0.03, extend="both")
    return fig, table.sort_values(["perturbation", "gene"]).reset_index(drop=True)


def pairs(table: pd.DataFrame, points: pd.DataFrame, shown: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Ways to pair cells with controls: mean of Delta against the difference of means, and the summary of each.

    Parameters
    ----------
    table, points
        Of `pair_checks.compare`.
    shown
        Ways whose points are drawn.
    """
    colour = dict(zip(table["way"], _WAYS, strict=False))
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.3), gridspec_kw={"width_ratios": [1.15, 1, 1]})
    for way in shown:
        own = points[points["way"] == way]
        axes[0].plot(
            own["difference"], own["paired"], ".", ms=2, mew=0, alpha=0.6, color=PALETTE[colour[way]], label=way
        )
    reach = 1.05 * points["difference"].abs().max()
    axes[0].plot([-reach, reach], [-reach, reach], color="black", lw=0.5)
    axes[0].set(xlabel="difference of means (log units)", ylabel="mean of Δ over pairs (log units)")
    axes[0].legend(loc="upper left", markerscale=4, handletextpad=0.2)
    place = np.arange(len(table))[::-1]
    for ax, column, label in (
        (axes[1], "slope", "slope of the mean of Δ (1: right)"),
        (axes[2], "same_as_nearest", "pairs with the nearest control (%)"),
    ):
        values = table[column] * (100 if column == "same_as_nearest" else 1)
        ax.barh(place, values, color=[PALETTE[colour[way]] for way in table["way"]], height=0.65)
        for at, value in zip(place, values, strict=True):
            text = f"{value:.0f}" if column == "same_as_nearest" else f"{value:.2f}"
            back = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            ax.annotate(text, (value, at), (3, 0), textcoords="offset points", va="center", fontsize=6, bbox=back)
        ax.set(xlabel=label, xlim=(0, 1.18 * values.max()), yticks=place)
        ax.set_yticklabels(table["way"] if column == "slope" else [])
        ax.tick_params(axis="y", length=0)
    axes[1].axvline(1, color="black", lw=0.6, ls=":")
    for ax, letter in zip(axes, "abc", strict=True):
        panel_letter(ax, letter)
    return fig, points


def sizes(screen: Screen) -> tuple[Figure, pd.DataFrame]:
    """Cells of every perturbation in each split, and how many of them fail quality control."""
    names = [CONTROL, *screen.labels]
    table = pd.DataFrame(
        [
            {"perturbation": name, "split": part, "cells": len(rows), "failed": int(screen.qc_fail[rows].sum())}
            for name in names
            for part in SPLITS
            for rows in [screen.rows(part, name)]
        ]
    )
    wide = table.pivot(index="perturbation", columns="split", values="cells").loc[screen.labels[:], list(SPLITS)]
    fig, ax = plt.subplots(figsize=(DOUBLE, 2.1))
    bottom = np.zeros(len(wide))
    for part, colour in zip(SPLITS, ("blue", "sky", "orange"), strict=True):
        controls = table[(table["perturbation"] == CONTROL) & (table["split"] == part)]["cells"].item()
        ax.bar(
            wide.index,
            wide[part],
            bottom=bottom,
            color=PALETTE[colour],
            label=f"{part} ({controls:,} controls)",
            width=0.8,
        )
        bottom += wide[part].to_numpy()
    failed = table[table["perturbation"] != CONTROL].groupby("perturbation")["failed"].sum().loc[wide.index]
    ax.plot(wide.index, failed, "_", color="black", ms=6, label="failed quality control")
    ax.tick_params(axis="x", rotation=90, length=0)
    ax.set(ylabel="cells", xlim=(-0.7, len(wide) - 0.3), ylim=(0, 1.3 * bottom.max()))
    ax.legend(loc="upper center", ncols=4)
    return fig, table


def filters(tables: Mapping[str, pd.DataFrame], published: Mapping[str, int]) -> tuple[Figure, pd.DataFrame]:
    """Genes left after each filter of published summary statistics, and the published number of perturbed genes.

    Parameters
    ----------
    tables
        Of `strength.count`, by screen.
    published
        |G°| of the publication, by screen.
    """
    fig, ax = plt.subplots(figsize=(SINGLE * 1.3, 2.3))
    for (name, table), colour, marker in zip(tables.items(), ("blue", "orange", "green"), "os^", strict=False):
        place = np.arange(len(table))
        ax.plot(place, table["genes"], marker=marker, ms=4, color=PALETTE[colour], label=name)
        ax.axhline(published[name], color=PALETTE[colour], lw=0.8, ls=":")
        for at, value in zip(place, table["genes"], strict=True):
            above = 4 if name != "K562" or at == table.index[-1] else -9
            ax.annotate(f"{value:,}", (at, value), (0, above), textcoords="offset points", ha="center", fontsize=5.5)
    ticks = [text.replace(" ", "\n", 1) for text in next(iter(tables.values()))["filter"]]
    ax.set_xticks(range(len(ticks)), ticks)
    ax.set(yscale="log", ylabel="perturbed genes", xlabel="left after the filter", xlim=(-0.3, len(ticks) - 0.6))
    ax.legend(title="dotted: published", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig, pd.concat(tables.values(), ignore_index=True)
