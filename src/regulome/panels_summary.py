"""Figures over all steps: verdicts and deviations, and how much of each paper is regenerated."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regulome.figures import DOUBLE, PALETTE, panel_letter
from regulome.panels import STATUSES
from regulome.panels_verdicts import ORIGINS, deviations, verdict_counts

VERDICT_COLORS = {"agrees": PALETTE["blue"], "differs": PALETTE["vermillion"], "not comparable": "0.78"}
ORIGIN_MARKS = dict(
    zip(ORIGINS, (("o", "black"), ("s", "blue"), ("D", "green"), ("^", "orange"), ("v", "purple"), ("x", "vermillion")),
        strict=True)
)  # fmt: skip
STATUS_COLORS = dict(zip(STATUSES, ("blue", "sky", "purple", "yellow"), strict=True))


def verdicts(results: pd.DataFrame, steps: Sequence[str], beyond: float = 3.0) -> tuple[Figure, pd.DataFrame]:
    """Draw (a) the verdicts of every step and (b) every published number against ours.

    Parameters
    ----------
    results
        As `regulome.panels_verdicts.all_results`.
    steps
        Rows of the figure; a step without results is named so.
    beyond
        Deviations larger than this are drawn at the edge, as triangles.

    Returns
    -------
    tuple
        The figure, and the deviations as `regulome.panels_verdicts.deviations`.
    """
    table = deviations(results)
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 0.19 * len(steps) + 1.1), sharey=True, width_ratios=(1, 1.25))
    _draw_counts(axes[0], results, steps)
    _draw_deviations(axes[1], table, steps, beyond)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def _draw_counts(ax: Axes, results: pd.DataFrame, steps: Sequence[str]) -> None:
    counts = verdict_counts(results, ["step"]).set_index("step").reindex(list(steps)).fillna(0)
    left = np.zeros(len(steps))
    for verdict, color in VERDICT_COLORS.items():
        widths = counts[verdict].to_numpy(dtype=float)
        ax.barh(range(len(steps)), widths, left=left, color=color, label=verdict, height=0.7)
        left += widths
    for place in np.flatnonzero(left == 0):
        ax.annotate("no results", (0, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6)
    ax.set_yticks(range(len(steps)), steps)
    ax.set_ylim(len(steps) - 0.4, -0.6)
    ax.set_xlabel("numbers beside a published one, or without")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _draw_deviations(ax: Axes, table: pd.DataFrame, steps: Sequence[str], beyond: float) -> None:
    ax.axvspan(-1, 1, color="0.93", zorder=0)
    ax.axvline(0, color="0.7", linewidth=0.6, zorder=0)
    rows = table[table["step"].isin(steps)]
    height = rows["step"].map({slug: place for place, slug in enumerate(steps)})
    shift = rows.groupby("step").cumcount() % 5  # five lines a step, so that points do not hide one another
    y = (height + 0.15 * (shift - 2)).to_numpy(dtype=float)
    x = rows["deviation"].clip(-beyond, beyond).to_numpy(dtype=float)
    outside = rows["deviation"].abs().to_numpy(dtype=float) > beyond
    for origin, (mark, color) in ORIGIN_MARKS.items():
        mine = (rows["origin"] == origin).to_numpy()
        if mine.any():
            style = {"color": PALETTE[color], "linewidths": 0.4, "zorder": 3}
            ax.scatter(x[mine & ~outside], y[mine & ~outside], s=7, marker=mark, label=origin, **style)
            for side, arrow in ((-1, "<"), (1, ">")):
                far = mine & outside & (np.sign(x) == side)
                ax.scatter(x[far], y[far], s=16, marker=arrow, **style)
    ax.set_xlim(-1.07 * beyond, 1.07 * beyond)
    ax.set_xlabel("published minus ours, in units of interval and tolerance")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handletextpad=0.2, columnspacing=1.0)


def coverage(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw how many panels of each paper are regenerated, and how many of them are there in this profile.

    `table` is that of `regulome.panels_places.panel_table`.
    """
    there = table["state"].str.contains("there")
    counts = table.assign(there=there).groupby(["paper", "status", "there"], sort=False).size().rename("panels")
    counts = counts.reset_index()
    papers = list(dict.fromkeys(table["paper"]))
    fig, ax = plt.subplots(figsize=(DOUBLE, 0.3 * len(papers) + 0.9))
    left = np.zeros(len(papers))
    for status, color in STATUS_COLORS.items():
        for present in (True, False):
            mine = counts[(counts["status"] == status) & (counts["there"] == present)].set_index("paper")["panels"]
            widths = mine.reindex(papers).fillna(0).to_numpy(dtype=float)
            style = {"facecolor": PALETTE[color]} if present else {"facecolor": "white", "hatch": "////"}
            label = f"{status}, {'drawn' if present else 'nothing to draw'}"
            if widths.any():
                ax.barh(
                    range(len(papers)), widths, left=left, edgecolor=PALETTE[color], label=label, height=0.6, **style
                )
                _write(ax, widths, left, dark=present and color == "blue")
            left += widths
    ax.set_yticks(range(len(papers)), papers)
    ax.set_ylim(len(papers) - 0.4, -0.6)
    ax.set_xlabel("published panels, tables and results")
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=4, columnspacing=1.0)
    return fig, counts


def _write(ax: Axes, widths: np.ndarray, left: np.ndarray, dark: bool) -> None:
    """Write each count into its bar."""
    for place in np.flatnonzero(widths):
        ax.text(
            left[place] + widths[place] / 2, place, f"{widths[place]:.0f}", ha="center", va="center", fontsize=6,
            color="white" if dark else "black",
            bbox=None if dark else {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
        )  # fmt: skip
