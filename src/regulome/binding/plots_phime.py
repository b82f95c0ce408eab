"""Figures of RNA structure profiles. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from regulome.binding.phime import NAMES, WORDS
from regulome.style import DOUBLE, PALETTE, panel_letter

COLOURS = {"P": "black", "H": "orange", "I": "sky", "M": "vermillion", "E": "green"}
LABELS = {name: f"{name}, {WORDS[name]}" for name in NAMES}
_COLUMNS = 2  # panels of examples side by side


def examples(
    letters: Mapping[str, str], values: Mapping[str, np.ndarray], structures: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Profiles of single RNAs as stacked bars, a bar a base; below them the bases and the most stable structure.

    Parameters
    ----------
    letters, values, structures
        Sequence, (L, 5) profile and dot-bracket structure of each, by the title of its panel.
    """
    wide = [name for name in letters if len(letters[name]) > 45]
    narrow = [name for name in letters if name not in wide]
    rows = -(-len(narrow) // _COLUMNS) + len(wide)
    fig = plt.figure(figsize=(DOUBLE, 1.45 * rows + 0.35))
    grid = fig.add_gridspec(rows, _COLUMNS)
    places = [grid[i // _COLUMNS, i % _COLUMNS] for i in range(len(narrow))]
    places += [grid[rows - len(wide) + i, :] for i in range(len(wide))]
    for place, name, letter in zip(places, [*narrow, *wide], "abcdefghijkl", strict=False):
        ax = fig.add_subplot(place)
        _stacked(ax, letters[name], values[name], None if structures is None else structures[name])
        ax.set_title(name)
        panel_letter(ax, letter)
        if place.colspan.start == 0:
            ax.set_ylabel("probability")
    handles = [plt.Rectangle((0, 0), 1, 1, color=PALETTE[COLOURS[name]]) for name in NAMES]
    fig.legend(handles, [LABELS[name] for name in NAMES], loc="outside lower center", ncols=len(NAMES))
    parts = [
        pd.DataFrame(values[name], columns=list(NAMES)).assign(rna=name, base=range(1, len(letters[name]) + 1))
        for name in letters
    ]
    table = pd.concat(parts, ignore_index=True)
    table["letter"] = [letter for name in letters for letter in letters[name]]
    return fig, table[["rna", "base", "letter", *NAMES]]


def _stacked(ax: Axes, letters: str, values: np.ndarray, structure: str | None) -> None:
    base = np.zeros(len(letters))
    for column, name in enumerate(NAMES):
        ax.bar(range(len(letters)), values[:, column], 1.0, bottom=base, color=PALETTE[COLOURS[name]], lw=0)
        base = base + values[:, column]
    labels = list(letters) if structure is None else [f"{a}\n{b}" for a, b in zip(letters, structure, strict=True)]
    ax.set_xticks(range(len(letters)), labels, fontsize=5, family="monospace", linespacing=1.0)
    ax.tick_params(axis="x", length=0)
    ax.set(xlim=(-0.5, len(letters) - 0.5), ylim=(0, 1), yticks=[0, 0.5, 1])


def channel_shares(
    table: pd.DataFrame, published: Mapping[str, float] | None, along: pd.DataFrame, title: str
) -> tuple[Figure, pd.DataFrame]:
    """Share of each channel, with its published value; and the mean profile along the RNA.

    Parameters
    ----------
    table
        Of `phime_checks.share_table`.
    published
        Channel to share, or None where there is nothing to compare with.
    along
        Of `phime_checks.along`.
    title
        Which RNAs.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.3), width_ratios=[1, 1.5])
    places = np.arange(len(table))
    error = [table["share"] - table["low"], table["high"] - table["share"]]
    colours = [PALETTE[COLOURS[name]] for name in table["channel"]]
    axes[0].bar(places, table["share"], 0.65, yerr=error, color=colours, ecolor="grey")
    if published is not None:
        axes[0].plot(
            places, [published[name] for name in table["channel"]], "x", ms=5, mew=1.2, color=PALETTE["purple"],
            label="reference values", zorder=3,
        )  # fmt: skip
        axes[0].legend(loc="upper center")
    above = 3 if published is None else 6  # points, clear of the crosses
    for place, value, top in zip(places, table["share"], table["high"], strict=True):
        axes[0].annotate(f"{value:.2g}", (place, top), xytext=(0, above), textcoords="offset points", ha="center",
                         fontsize=6)  # fmt: skip
    axes[0].set_xticks(places, table["channel"])
    axes[0].set(ylabel="share of bases", ylim=(0, table["high"].max() * 1.3), title=title)
    for name in NAMES:
        axes[1].plot(along["base"], along[name], color=PALETTE[COLOURS[name]], label=LABELS[name])
    axes[1].set(xlabel=f"base (RNAs of {len(along)} bases)", ylabel="mean probability")
    axes[1].legend(loc="upper center", ncols=2)
    axes[1].set(ylim=(0, 1.4), yticks=np.linspace(0, 1, 6))
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    drawn = table if published is None else table.assign(published=[published[name] for name in table["channel"]])
    return fig, drawn


def checks(pairs: pd.DataFrame, samples: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Exact profiles against the full partition function, against samples, and the law of the differences.

    Parameters
    ----------
    pairs
        Of `phime_checks.check_pairs`.
    samples
        Of `phime_checks.check_samples`.
    """
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.3))
    axes[0].plot(pairs["paired_full"], pairs["paired"], "o", ms=1.6, mew=0, rasterized=True, color=PALETTE["black"])
    axes[0].set(xlabel="paired, full partition function", ylabel="paired, window partition function")
    for name in NAMES:
        own = samples[samples["channel"] == name]
        axes[1].plot(
            own["sampled"], own["exact"], "o", ms=1.6, mew=0, rasterized=True, color=PALETTE[COLOURS[name]], label=name
        )
    axes[1].set(xlabel="share of Boltzmann samples", ylabel="exact probability")
    axes[1].legend(markerscale=2.5, handletextpad=0.2, loc="upper left")
    for ax in axes[:2]:
        ax.plot([0, 1], [0, 1], color="grey", lw=0.6, zorder=0)
        ax.set(aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    edges = np.linspace(-4.5, 4.5, 37)
    axes[2].hist(samples["z"].dropna(), edges, density=True, color=PALETTE["sky"], label="all cells")
    x = np.linspace(-4.5, 4.5, 200)
    axes[2].plot(x, stats.norm.pdf(x), color="black", lw=0.8, label="standard normal")
    axes[2].set(xlabel="difference (standard errors)", ylabel="density")
    axes[2].set_ylim(0, 0.58)
    axes[2].legend(loc="upper left")
    for ax, letter in zip(axes, "abc", strict=True):
        panel_letter(ax, letter)
    return fig, samples


def by_length(table: pd.DataFrame, longest_probe: int) -> tuple[Figure, pd.DataFrame]:
    """Share of each channel against the length of random RNAs; `table` of `phime_checks.by_length`."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.2))
    for name in NAMES:
        own = table[table["channel"] == name]
        colour = PALETTE[COLOURS[name]]
        axes[0].fill_between(own["length"], own["low"], own["high"], color=colour, alpha=0.25, lw=0)
        axes[0].plot(own["length"], own["share"], "o-", ms=2.5, color=colour, label=LABELS[name])
    own = table[table["channel"] == "M"]
    error = [own["share"] - own["low"].clip(lower=0), own["high"] - own["share"]]
    axes[1].errorbar(own["length"], own["share"], error, fmt="o-", ms=2.5, color=PALETTE[COLOURS["M"]])
    axes[1].set(yscale="log", ylabel="share of bases in multiloops")
    axes[0].set(ylabel="share of bases", ylim=(0, None))
    for ax, letter in zip(axes, "ab", strict=True):
        ax.axvspan(0, longest_probe, color="0.93", zorder=0)
        ax.set(xlabel="length of the RNA (bases)", xlim=(table["length"].min() - 5, None))
        panel_letter(ax, letter)
    axes[1].annotate("probes", (longest_probe, 1), xycoords=("data", "axes fraction"), xytext=(-2, -8),
                     textcoords="offset points", ha="right", fontsize=6)  # fmt: skip
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(NAMES))
    return fig, table
