"""Figures of protein embeddings. Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.binding import embedding_scores as names
from regulome.binding.results_embeddings import BERT, KMERS, UNIREP
from regulome.binding.splits import BIN_LABELS
from regulome.style import DOUBLE, PALETTE, panel_letter

COLOURS = {names.IDENTITY: "black", KMERS: "blue", UNIREP: "vermillion", BERT: "green", names.NO_SOURCE: "purple"}
MARKERS = {names.IDENTITY: "s", KMERS: "o", UNIREP: "^", BERT: "D", names.NO_SOURCE: "v"}


def _colour(source: str) -> str:
    return PALETTE[COLOURS.get(source, "orange")]


def scores(table: pd.DataFrame, title: str, ceiling: float | None = None) -> tuple[Figure, pd.DataFrame]:
    """Mean leave-one-out r: (a) every source and method, 95 % intervals; (b) soft neighbours by identity.

    Parameters
    ----------
    table
        Of `embedding_scores.table`.
    title
        Says whether the profiles are measured.
    ceiling
        Agreement of replicates, dotted.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.8), width_ratios=[1.15, 1])
    fig.suptitle(title)
    whole = table[table["identity"] == "all"].reset_index(drop=True)
    labels = []
    for y, row in enumerate(whole.itertuples()):
        colour, marker = _colour(row.source), MARKERS.get(row.source, "o")
        axes[0].plot([row.low, row.high], [y, y], color=colour, lw=1.2)
        axes[0].plot(row.mean, y, marker, ms=4, color=colour)
        labels.append(row.method if row.source == names.NO_SOURCE else f"{row.source}, {row.method}")
    axes[0].set(yticks=range(len(labels)), yticklabels=labels, xlabel="mean leave-one-out r of profiles")
    axes[0].invert_yaxis()
    axes[0].set_xlim(min(0.0, whole["low"].min()), 1.05 * max(whole["high"].max(), ceiling or 0.0))
    if ceiling is not None:
        axes[0].axvline(ceiling, color="black", lw=0.8, ls=":")
        axes[0].annotate(
            "replicates", (ceiling, 0), xycoords=("data", "axes fraction"), xytext=(-2, 3), textcoords="offset points",
            rotation=90, ha="right", va="bottom", fontsize=6,
        )  # fmt: skip
    binned = table[(table["identity"] != "all") & table["method"].isin([names.SOFT, names.MEAN])]
    present = [label for label in BIN_LABELS if label in set(binned["identity"])]
    sources = list(dict.fromkeys(binned["source"]))
    for place, source in enumerate(sources):
        own = binned[binned["source"] == source].set_index("identity").reindex(present)
        x = np.arange(len(present)) + 0.11 * (place - (len(sources) - 1) / 2)
        label = f"{names.MEAN} (baseline)" if source == names.NO_SOURCE else source
        axes[1].errorbar(
            x, own["mean"], [own["mean"] - own["low"], own["high"] - own["mean"]], fmt=MARKERS.get(source, "o") + "-",
            ms=3.5, lw=1, color=_colour(source), label=label,
        )  # fmt: skip
    counts = binned[binned["source"] == sources[0]].set_index("identity").reindex(present)["proteins"]
    ticks = [f"{label.replace(' %', '').replace(' and more', '+')}\n(n = {n})" for label, n in counts.items()]
    axes[1].set(xticks=range(len(present)), xticklabels=ticks)
    axes[1].set(ylabel="mean r, soft neighbours", xlabel="identity of the nearest protein (%)")
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def relatives(capped: pd.DataFrame, cosines: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """(a) Mean r with relatives withheld, band: 95 %; (b) cosine of vectors by identity, band: 10 to 90 % of pairs."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.6))
    fig.suptitle(title)
    for source, own in capped.groupby("source", sort=False):
        label = f"{names.MEAN} (baseline)" if source == names.NO_SOURCE else source
        axes[0].plot(
            100 * own["cap"], own["mean"], MARKERS.get(source, "o") + "-", ms=3.5, color=_colour(source), label=label
        )
        axes[0].fill_between(100 * own["cap"], own["low"], own["high"], color=_colour(source), alpha=0.12, lw=0)
    axes[0].set(xlabel="proteins used: identity below (%)", ylabel="mean r, soft neighbours")
    for source, own in cosines.groupby("source", sort=False):
        axes[1].plot(
            100 * own["identity"], own["median"], MARKERS.get(source, "o") + "-", ms=3.5, color=_colour(source)
        )
        axes[1].fill_between(100 * own["identity"], own["low"], own["high"], color=_colour(source), alpha=0.15, lw=0)
    axes[1].set(xlabel="identity of the pair (%)", ylabel="cosine of z-scored vectors")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    drawn = [capped.assign(panel="a"), cosines.assign(panel="b")]
    return fig, pd.concat(drawn, ignore_index=True)


def sizes(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Weights in memory, all of a network and one layer of it, of `esm_sizes.size_table`."""
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.6, 2.2))
    x = np.arange(len(table))
    for shift, column, colour, label in (
        (-0.2, "whole_gib", "vermillion", "whole network"),
        (0.2, "layer_gib", "blue", "one layer (streamed)"),
    ):
        ax.bar(x + shift, table[column], 0.38, color=PALETTE[colour], label=label)
        for place, value in zip(x, table[column], strict=True):
            ax.annotate(f"{value:.2g}", (place + shift, value), ha="center", va="bottom", fontsize=5)
    labels = [name.split("_")[2] for name in table["model"]]
    ax.set(yscale="log", xticks=x, xticklabels=labels, xlabel="size of ESM-2", ylabel="weights in float32 (GiB)")
    ax.set_ylim(top=3 * table["whole_gib"].max())
    ax.legend(loc="upper left")
    return fig, table
