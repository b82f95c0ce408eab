"""Figures of the league. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.knockout import league_tables
from regulome.knockout.league_methods import CEILINGS, LINK, ONE, OURS, PUBLISHED, Played
from regulome.network_drawing import draw_network
from regulome.perturbation import edge_metrics, network_methods
from regulome.style import DOUBLE, PALETTE, panel_letter

NOISE_COLOURS = ("blue", "vermillion", "green", "purple", "orange")
DRAWN = 45  # links of a network; more could not be read
CURVES = (("blue", "-"), ("vermillion", "-"), ("green", "-"), ("black", "--"), ("purple", "--"), ("orange", "--"))


def order(summary: pd.DataFrame) -> list[str]:
    """Methods by mean AUPRC over the whole grid, best first; ceilings at the end."""
    means = summary.groupby("method", sort=False)["auprc"].mean().sort_values(ascending=False, kind="stable")
    return [
        *(name for name in means.index if name not in CEILINGS),
        *(name for name in means.index if name in CEILINGS),
    ]


def by_method(summary: pd.DataFrame, scores: pd.DataFrame, metric: str, label: str) -> tuple[Figure, pd.DataFrame]:
    """One metric of every method, a panel a size, a colour a noise level; small points: screens.

    Parameters
    ----------
    summary, scores
        Of `league_tables.summary` and `league_tables.scores`.
    """
    names, sizes = order(summary), list(dict.fromkeys(summary["size"]))
    names = [name for name in names if summary.loc[summary["method"] == name, metric].notna().any()]
    noises = list(dict.fromkeys(summary["noise"]))
    height = 1.1 + 0.21 * len(names)
    fig, axes = plt.subplots(1, len(sizes), figsize=(DOUBLE, height), sharey=True, squeeze=False)
    for letter, ax, size in zip("abcdefgh", axes[0], sizes, strict=False):
        for number, noise in enumerate(noises):
            shift = 0.0 if len(noises) == 1 else 0.6 * (number / (len(noises) - 1) - 0.5)
            colour = PALETTE[NOISE_COLOURS[number % len(NOISE_COLOURS)]]
            own = summary[(summary["size"] == size) & (summary["noise"] == noise)].set_index("method")
            every = scores[(scores["size"] == size) & (scores["noise"] == noise)]
            for place, name in enumerate(names):
                row, y = own.loc[name], place + shift
                points = every.loc[every["method"] == name, metric]
                ax.plot(points, np.full(len(points), y), "o", ms=2.2, mfc="none", mew=0.5, color=colour)
                ax.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [y, y], color=colour, lw=0.9)
                ax.plot(row[metric], y, "D" if name in CEILINGS else "o", ms=3, color=colour, zorder=3)
            if metric == "auprc":
                ax.axvline(own["chance"].iloc[0], color="0.6", lw=0.8, ls=":")
        if metric != "auprc":
            ax.axvline(0.5, color="0.6", lw=0.8, ls=":")
        first = next((place for place, name in enumerate(names) if name in CEILINGS), len(names))
        ax.axhline(first - 0.5, color="0.8", lw=0.6)
        ax.set(xlabel=label, xlim=(0, 1.03), ylim=(len(names) - 0.4, -0.6))
        ax.set_yticks(range(len(names)), names)
        ax.set_title(f"{size} genes knocked down", fontsize=7)
        if len(sizes) > 1:
            panel_letter(ax, letter)
    handles = [
        plt.Line2D([], [], color=PALETTE[NOISE_COLOURS[number % len(NOISE_COLOURS)]], marker="o", ms=3, lw=0.9)
        for number in range(len(noises))
    ]
    fig.legend(handles, noises, loc="outside lower center", ncols=len(noises), fontsize=6)
    kept = ["size", "noise", "method", "seeds", "chance", metric, f"{metric}_low", f"{metric}_high"]
    return fig, summary[kept]


def curves(played: Played, methods: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Precision-recall curves of one screen: (a) no ceiling, (b) the ceilings; first run of each method."""
    known, _ = league_tables.truth(played.cell)
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 3.3), sharey=True)
    parts = []
    for letter, ax, names in zip("ab", axes, (methods, CEILINGS), strict=True):
        for name, (colour, line) in zip(names, CURVES, strict=False):
            curve = edge_metrics.curve(played.runs(name)[0], known)
            ax.plot(curve["recall"], curve["precision"], line, color=PALETTE[colour], lw=1.2, label=name)
            parts.append(curve.assign(method=name))
        ax.axhline(np.nanmean(known), color="0.6", lw=0.8, ls=":", label="random order")
        ax.set(xlabel="recall of true links", xlim=(0, 1.02), ylim=(0, 1.04))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=6)
        panel_letter(ax, letter)
    axes[0].set_ylabel("precision")
    return fig, pd.concat(parts, ignore_index=True)


def networks(played: Played, method: str) -> tuple[Figure, pd.DataFrame]:
    """(a) True links among the knocked-down genes. (b) The strongest links among them that a method finds.

    Dashed: no such link, or of the other sign. Only links between knocked-down genes are drawn.
    """
    true, learned = league_tables.network_links(played.cell, played.runs(method)[0], played.genes)
    inside = list(played.genes[: played.cell.size])
    true, learned = (table[table["target"].isin(inside)].head(DRAWN) for table in (true, learned))
    learned = learned.assign(style=np.where(learned["right"], "solid", "dashed"))
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 3.6))
    angle = {name: 2 * np.pi * number / len(inside) for number, name in enumerate(inside)}
    place = {name: (float(np.cos(a)), float(np.sin(a))) for name, a in angle.items()}
    titles = ("true network", f"{method}: {int(learned['right'].sum())} of {len(learned)} shown are true")
    for letter, ax, table, title in zip("ab", axes, (true, learned.drop(columns="right")), titles, strict=True):
        draw_network(table, ax, place, nodes=inside, inputs=[], legend=True)
        ax.set_title(title, fontsize=7)
        panel_letter(ax, letter)
    both = [true.assign(network="true"), learned.assign(network=method)]
    return fig, pd.concat(both, ignore_index=True)


def best(summary: pd.DataFrame, size: int, noise: str) -> str:
    """The method, ceilings and single circuits aside, that has the highest mean AUPRC of a place."""
    own = summary[(summary["size"] == size) & (summary["noise"] == noise) & ~summary["method"].isin(CEILINGS)]
    names = [name for name in own.sort_values("auprc", ascending=False, kind="stable")["method"] if name != ONE]
    return names[0]


def shown() -> list[str]:
    """Methods of the precision-recall curves: models, and the simple ones that they have to beat."""
    return [OURS, PUBLISHED, LINK, network_methods.MEAN, network_methods.DIRECT, network_methods.FOREST]
