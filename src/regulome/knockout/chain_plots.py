"""The figure of the chain from a learned network to simulated cells."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.knockout.chain_scores import LEARNED, NOTHING, ROLES, SOURCES, TRAIN, TRUE
from regulome.style import DOUBLE, PALETTE, panel_letter


def chain(
    points: pd.DataFrame, spread: pd.DataFrame, scores: pd.DataFrame, summary: pd.DataFrame
) -> tuple[Figure, pd.DataFrame]:
    """(a) Effects, learned network against held-out cells. (b) Pearson. (c) Fano factors. (d) Wasserstein distance.

    Parameters
    ----------
    points, spread
        Of `chain_scores.effect_points` and `chain_scores.fano`, one screen.
    scores, summary
        Of `chain_scores.table` for all screens, and of `chain_scores.summary`.
    """
    fig, axes = plt.subplots(2, 2, figsize=(DOUBLE, 4.8))
    own = points["gene"] == points["perturbation"]
    for rows, colour, words in ((~own, "blue", "other genes"), (own, "vermillion", "the gene knocked down")):
        axes[0, 0].plot(
            points.loc[rows, "held_out"], points.loc[rows, LEARNED], ".", ms=3, color=PALETTE[colour], label=words
        )
    ends = [points[["held_out", LEARNED]].to_numpy().min(), points[["held_out", LEARNED]].to_numpy().max()]
    axes[0, 0].plot(ends, ends, color="0.6", lw=0.8)
    axes[0, 0].set(xlabel="effect in held-out cells (log2)", ylabel="effect, learned network (log2)")
    axes[0, 0].legend(fontsize=5.5)
    _sources(axes[0, 1], scores, summary, "pearson_off", "Pearson r of effects, without own gene")
    for name, colour, marker in ((TRUE, "black", "s"), (NOTHING, "orange", "^"), (LEARNED, "blue", "o")):
        axes[1, 0].plot(
            spread["held_out"], spread[name], marker, ms=3, mfc="none", mew=0.7, color=PALETTE[colour], label=name
        )
    ends = [1.0, 1.02 * float(np.nanmax(spread[["held_out", TRUE, NOTHING, LEARNED]].to_numpy()))]
    axes[1, 0].plot(ends, ends, color="0.6", lw=0.8)
    axes[1, 0].set(xlabel="Fano factor of counts, held-out controls", ylabel="Fano factor, simulated controls")
    axes[1, 0].legend(fontsize=5.5)
    _sources(axes[1, 1], scores, summary, "wasserstein", "mean Wasserstein distance to held-out cells")
    for ax, letter in zip(axes.ravel(), "abcd", strict=True):
        panel_letter(ax, letter)
    drawn = points[["perturbation", "gene", "held_out", LEARNED]].assign(panel="a")
    rest = [spread[["gene", "held_out", TRUE, NOTHING, LEARNED, TRAIN]].assign(panel="c"), scores.assign(panel="b, d")]
    return fig, pd.concat([drawn, *rest], ignore_index=True)


def _sources(ax, scores: pd.DataFrame, summary: pd.DataFrame, column: str, label: str) -> None:
    """Mean and every screen, by source."""
    means = summary.set_index("source")[column].dropna()
    names = [name for name in SOURCES if name in means.index]
    for place, name in enumerate(names):
        points = scores.loc[scores["source"] == name, column]
        colour = PALETTE["blue"] if name == LEARNED else "0.5" if ROLES.get(name) == "ceiling" else PALETTE["black"]
        ax.plot(points, np.full(len(points), place), "o", ms=3, mfc="none", mew=0.7, color=colour)
        ax.plot([means[name]] * 2, [place - 0.3, place + 0.3], color=colour, lw=1.8)
    words = [f"{name} (ceiling)" if ROLES.get(name) == "ceiling" else name for name in names]
    ax.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), words)
    ax.locator_params(axis="x", nbins=5)
    if column != "wasserstein":
        ax.axvline(0, color="0.6", lw=0.8, ls=":")
