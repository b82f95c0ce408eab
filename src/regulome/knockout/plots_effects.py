"""Figures of the knockout analysis: predicted against true effects of all parts, and how well they agree."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from regulome.style import DOUBLE, PALETTE, panel_letter

COLOURS = {"model": PALETTE["blue"], "baseline": "#777777", "ceiling": PALETTE["orange"]}
MOST = 2000  # points of one panel that are drawn
COLUMNS = 4  # two panels a row, each beside its baseline


def effects(
    compared: pd.DataFrame, summary: pd.DataFrame, shown: Mapping[str, tuple[str, str]], units: Mapping[str, str],
    seed: int = 0,
) -> tuple[Figure, pd.DataFrame]:  # fmt: skip
    """Predicted against true effects: every panel as the model sees it, and beside it the same from its baseline.

    Parameters
    ----------
    compared, summary
        Of `regulome.knockout.agreement`.
    shown
        Model and baseline of each panel, in the order of drawing.
    units
        Of each panel's effects.
    seed
        Of the draw of points where there are more than `MOST`; numbers are those of all points.
    """
    rows = -(-2 * len(shown) // COLUMNS)
    fig, axes = plt.subplots(rows, COLUMNS, figsize=(DOUBLE, 1.86 * rows), layout="constrained")
    fig.get_layout_engine().set(w_pad=0.03, h_pad=0.05)
    drawn, generator = [], np.random.default_rng(seed)
    for number, (panel, methods) in enumerate(shown.items()):
        pair = axes.ravel()[2 * number : 2 * number + 2]
        part = compared[(compared["panel"] == panel) & compared["method"].isin(methods)]
        limits = _limits(part)
        for ax, method in zip(pair, methods, strict=True):
            points = part[part["method"] == method]
            if len(points) > MOST:
                points = points.iloc[np.sort(generator.choice(len(points), MOST, replace=False))]
            found = summary[(summary["panel"] == panel) & (summary["method"] == method)].iloc[0]
            _scatter(ax, points, found, limits)
            ax.set_xlabel(f"true effect ({units[panel]})")
            drawn.append(points[["panel", "method", "effect", "low", "high", "truth"]])
        pair[0].set_ylabel("predicted effect")
        pair[0].set_title(f"{panel}\n{methods[0]}", color=COLOURS["model"])
        pair[1].set_title(f"baseline:\n{methods[1]}", color=COLOURS["baseline"])
        pair[1].tick_params(labelleft=False)
        panel_letter(pair[0], chr(ord("a") + number))
    for ax in axes.ravel()[2 * len(shown) :]:
        ax.axis("off")
    return fig, pd.concat(drawn, ignore_index=True)


def _limits(part: pd.DataFrame) -> tuple[float, float]:
    values = part[["effect", "truth"]].to_numpy(float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    edge = 0.06 * max(high - low, 1e-9)
    return low - edge, high + edge


def _scatter(ax: Axes, points: pd.DataFrame, found: pd.Series, limits: tuple[float, float]) -> None:
    colour = COLOURS[found["role"]]
    ax.axhline(0, color="0.85", lw=0.6, zorder=0)
    ax.axvline(0, color="0.85", lw=0.6, zorder=0)
    ax.plot(limits, limits, color="0.5", lw=0.7, ls=":", zorder=1)
    if len(points) <= 500 and np.isfinite(points["low"]).any():
        low, high = (points["effect"] - points["low"]).clip(lower=0), (points["high"] - points["effect"]).clip(lower=0)
        ax.errorbar(
            points["truth"], points["effect"], np.stack([low, high]), fmt="none", ecolor=colour, alpha=0.3, lw=0.5
        )
    size = 8 if len(points) <= 500 else 3
    ax.scatter(points["truth"], points["effect"], s=size, color=colour, alpha=0.5, lw=0, rasterized=True, zorder=2)
    ax.set(xlim=limits, ylim=limits)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.text(0.97, 0.04, describe(found), transform=ax.transAxes, va="bottom", ha="right", fontsize=5.5, zorder=3,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1})  # fmt: skip


def describe(found: pd.Series) -> str:
    """Correlation with interval, share of right signs, and number of knockouts, in three lines."""
    if not np.isfinite(found["pearson"]):
        first = "r: none (constant)"
    elif np.isfinite(found["low"]):
        first = f"r = {found['pearson']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    else:
        first = f"r = {found['pearson']:.2f}"
    if not np.isfinite(found["sign_accuracy"]):
        return f"{first}\nn = {found['n']}"
    return f"{first}\nsigns {100 * found['sign_accuracy']:.0f} % of {found['sign_n']}\nn = {found['n']}"


def agreements(summary: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Correlation and share of right signs of every method in every panel."""
    panels = list(dict.fromkeys(summary["panel"]))
    table = summary.iloc[::-1].reset_index(drop=True)
    place, at, ticks = np.zeros(len(table)), 0.0, []
    for i, row in table.iterrows():
        if i and row["panel"] != table.loc[i - 1, "panel"]:
            at += 0.8
        place[i] = at
        ticks.append(row["method"])
        at += 1
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 0.16 * at + 0.7), sharey=True, layout="constrained")
    for ax, value in zip(axes, ("pearson", "sign_accuracy"), strict=True):
        for role, colour in COLOURS.items():
            own = (table["role"] == role).to_numpy()
            if not own.any():
                continue
            part = table[own]
            if value == "pearson":
                bars = np.stack([part[value] - part["low"], part["high"] - part[value]]).astype(float)
                ax.errorbar(part[value], place[own], xerr=np.nan_to_num(bars).clip(0), fmt="none", ecolor=colour, lw=1)
            ax.plot(part[value], place[own], "o", ms=4, color=colour, label=role)
        ax.axvline(0 if value == "pearson" else 0.5, color="0.6", lw=0.7, ls=":")
        ax.grid(axis="y", lw=0.3, color="0.92")
    axes[0].set_yticks(place, ticks)
    axes[0].set_ylim(-0.8, at)
    axes[0].set_xlabel("correlation of predicted and true effects")
    axes[1].set_xlabel("share of right signs")
    axes[1].set_xlim(-0.02, 1.02)
    for panel in panels:
        top = place[(table["panel"] == panel).to_numpy()].max()
        axes[1].text(
            1.03, top, panel, transform=axes[1].get_yaxis_transform(), va="center", ha="left", fontweight="bold"
        )
    axes[1].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.2)
    panel_letter(axes[0], "a")
    panel_letter(axes[1], "b")
    return fig, summary


def removal(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Exact effects of slowing a reaction down, against that of removing it; columns of `reaction_study.removal`."""
    networks = list(dict.fromkeys(table["network"]))
    fig, axes = plt.subplots(1, len(networks), figsize=(DOUBLE, 2.4), layout="constrained", squeeze=False)
    marks = dict(zip(sorted(table["factor"].unique(), reverse=True), ("o", "s", "^", "v"), strict=False))
    colours = list(PALETTE.values())
    for ax, name in zip(axes[0], networks, strict=True):
        part = table[table["network"] == name]
        names = {event: colours[i % len(colours)] for i, event in enumerate(dict.fromkeys(part["reaction"]))}
        for (event, factor), points in part.groupby(["reaction", "factor"], sort=False):
            ax.plot(points["removal"], points["effect"], marks[factor], color=names[event], ms=4, alpha=0.8)
        for event, colour in names.items():
            ax.plot([], [], "o", color=colour, ms=4, label=event)
        for factor, mark in marks.items():
            ax.plot([], [], mark, color="0.4", ms=4, mfc="none", label=f"rate x {factor:g}")
        low, high = ax.get_xlim()
        ax.plot([low, high], [low, high], ":", color="0.5", lw=0.7, zorder=0)
        ax.axhline(0, color="0.85", lw=0.6, zorder=0)
        ax.set(
            title=name.replace("_", " "), xlabel="reaction removed (relative change of a mean)", ylabel="slowed down"
        )
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for ax, letter in zip(axes[0], "abcdef", strict=False):
        panel_letter(ax, letter)
    return fig, table


def sites(effects: Mapping[str, pd.DataFrame], protein: str, marked: Sequence[int]) -> tuple[Figure, pd.DataFrame]:
    """Effects along one protein, by method: every residue replaced.

    Parameters
    ----------
    effects
        Tables of residue knockouts, by method; the truth is drawn where it is known.
    protein
        System to draw.
    marked
        Residues that read a base in truth, from 1.
    """
    fig, ax = plt.subplots(figsize=(DOUBLE, 2.2), layout="constrained")
    colours, rows = dict(zip(effects, (PALETTE["blue"], "#777777", PALETTE["purple"]), strict=False)), []
    truth = None
    for method, table in effects.items():
        own = table[table["system"] == protein]
        place = own["removed"].str.extract(r": [A-Z](\d+)")[0].astype(int)
        ax.plot(place, own["effect"], "-", lw=1, color=colours[method], label=method)
        ax.fill_between(place, own["low"], own["high"], color=colours[method], alpha=0.2, lw=0)
        truth = (place, own["truth"]) if np.isfinite(own["truth"]).any() else truth
        rows.append(
            own.assign(method=method, residue=place)[["method", "residue", "removed", "effect", "low", "high", "truth"]]
        )
    if truth is not None:
        ax.vlines(truth[0], 0, truth[1], color=PALETTE["vermillion"], lw=1.2, label="true effect", zorder=0)
    for place in marked:
        ax.axvline(place, color="0.9", lw=3, zorder=-1)
    ax.set(xlabel=f"residue of {protein}", ylabel="profile correlation - 1")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0.2)
    return fig, pd.concat(rows, ignore_index=True)
