"""Panels of Figs 1 and 2 (adaptation). Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from regulome.circuits.adaptation import LEVELS, STEP_AT, TEST_DT
from regulome.circuits.topology import drawable
from regulome.network_drawing import draw_network
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

PANELS = 3  # networks side by side

POSITIONS = {"I": (0, 1), "g1": (-0.6, 0), "g2": (0.6, 0)}


def faint(count: int) -> float:
    """Opacity of one of many curves: the more there are, the fainter, so that the median stays visible."""
    return max(0.05, min(0.4, 5 / count))


def loss_curves(loss: np.ndarray, every: int = 10) -> tuple[Figure, pd.DataFrame]:
    """Training loss of every replicate; ``loss`` (updates, R)."""
    kept = np.arange(0, len(loss), every)
    fig, ax = plt.subplots(figsize=(SINGLE, 2.0))
    ax.plot(kept, loss[kept], color=PALETTE["blue"], lw=0.4, alpha=faint(loss.shape[1]))
    ax.plot(kept, np.nanmedian(loss[kept], 1), color="black", lw=1.2, label="median")
    ax.set(xlabel="update", ylabel="loss (root of summed squares)", yscale="log")
    ax.legend()
    table = pd.DataFrame(loss[kept], columns=[f"replicate_{r}" for r in range(loss.shape[1])])
    return fig, table.assign(update=kept)[["update", *table.columns]]


def pulse_curves(curves: np.ndarray, replicate: int = 0) -> tuple[Figure, pd.DataFrame]:
    """Fig. 1b: g1 of one replicate at 20 input levels, and of all replicates at input 1; ``curves`` (R, 20, T)."""
    time = (np.arange(curves.shape[-1]) + 1) * TEST_DT
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.75, 2.1), sharey=True)
    colours = sns.color_palette("viridis", len(LEVELS))
    for level, curve, colour in zip(LEVELS, curves[replicate], colours, strict=True):
        axes[0].plot(time, curve, color=colour, lw=0.7, label=f"{level:g}" if level in LEVELS[[0, 9, 19]] else None)
    axes[0].legend(title="input I")
    axes[0].set(xlabel="time (lifetimes)", ylabel="output g1", title=f"replicate {replicate}, 20 input levels")
    axes[1].plot(time, curves[:, -1].T, color=PALETTE["blue"], lw=0.4, alpha=faint(len(curves)))
    axes[1].plot(time, np.median(curves[:, -1], 0), color="black", label="median")
    axes[1].legend()
    axes[1].set(xlabel="time (lifetimes)", title=f"input 1, all {len(curves)} replicates")
    for ax, letter in zip(axes, "ab", strict=True):
        ax.axvline(STEP_AT * TEST_DT, color="grey", lw=0.6, ls=":")
        panel_letter(ax, letter)
    frames = [
        pd.DataFrame({"replicate": r, "level": level, "time": time, "g1": curves[r, i]})
        for r in range(len(curves))
        for i, level in enumerate(LEVELS)
        if r == replicate or i == len(LEVELS) - 1
    ]
    return fig, pd.concat(frames, ignore_index=True)


def rate_sections(sections: np.ndarray, regulators, genes, replicate: int = 0) -> tuple[Figure, pd.DataFrame]:
    """Fig. 1c: f of each gene along one regulator, the others at 0.5; ``sections`` (R, N, points, G).

    One replicate is a line, the central 80 % of all replicates a band.
    """
    x = np.linspace(0, 1, sections.shape[2])
    low, middle, high = np.quantile(sections, [0.1, 0.5, 0.9], axis=0)
    fig, axes = plt.subplots(1, len(genes), figsize=(SINGLE * 0.85 * len(genes), 2.0), sharey=True, squeeze=False)
    rows = []
    for j, (ax, gene) in enumerate(zip(axes[0], genes, strict=True)):
        for i, (regulator, colour) in enumerate(zip(regulators, PALETTE.values(), strict=False)):
            ax.fill_between(x, low[i, :, j], high[i, :, j], color=colour, alpha=0.15, lw=0)
            ax.plot(x, sections[replicate, i, :, j], color=colour, lw=1.4, label=regulator)
            curves = {"f": sections[replicate, i, :, j], "median": middle[i, :, j]}
            curves |= {"low": low[i, :, j], "high": high[i, :, j]}
            rows.append(pd.DataFrame({"target": gene, "regulator": regulator, "level": x, **curves}))
        ax.set(xlabel="level of the regulator", ylabel="f" if j == 0 else "", title=f"production rate of {gene}")
        panel_letter(ax, "ab"[j] if j < 2 else "")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), title="varied", loc="outside right upper")
    return fig, pd.concat(rows, ignore_index=True)


def knockouts(
    wild_type: np.ndarray, mutants: dict[str, np.ndarray], links: pd.DataFrame
) -> tuple[Figure, pd.DataFrame]:
    """Fig. 1d: the network read out, and g1 at input 1 without each of three links.

    Parameters
    ----------
    wild_type
        (R, 20, T) output curves.
    mutants
        Same, per knocked-out link.
    links
        Majority table of the network.
    """
    time = (np.arange(wild_type.shape[-1]) + 1) * TEST_DT
    fig, axes = plt.subplots(1, 1 + len(mutants), figsize=(DOUBLE, 1.9), width_ratios=[1.1, *[1] * len(mutants)])
    draw_network(drawable(links), axes[0], POSITIONS, inputs=["I"])
    panel_letter(axes[0], "a")
    rows = [pd.DataFrame({"link": "wild type", "time": time, "g1": np.median(wild_type[:, -1], 0)})]
    for ax, letter, (name, curves) in zip(axes[1:], "bcdefg", mutants.items(), strict=False):
        ax.plot(time, curves[:, -1].T, color=PALETTE["vermillion"], lw=0.3, alpha=faint(len(curves)))
        ax.plot(time, np.median(wild_type[:, -1], 0), color="black", label="wild type")
        ax.plot(time, np.median(curves[:, -1], 0), color=PALETTE["vermillion"], lw=1.4, label="mutant")
        ax.set(
            title=f"without {name}", xlabel="time (lifetimes)", ylim=(0, 1), ylabel="output g1" if letter == "b" else ""
        )
        panel_letter(ax, letter)
        low, middle, high = np.quantile(curves[:, -1], [0.05, 0.5, 0.95], axis=0)
        rows.append(pd.DataFrame({"link": name, "time": time, "g1": middle, "low": low, "high": high}))
    axes[1].legend()
    return fig, pd.concat(rows, ignore_index=True)


def sparsening_scores(scores: pd.DataFrame, published: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Figs 2c, d: sensitivity and error against the number of links; a point a replicate, a line for the paper's run.

    Both tables have columns sequence, links, sensitivity, error.
    """
    sequences = list(dict.fromkeys(scores["sequence"]))
    fig, axes = plt.subplots(1, len(sequences), figsize=(DOUBLE * 0.75, 2.1), sharey=True, squeeze=False)
    rng = np.random.default_rng(0)  # horizontal scatter of the points only
    for ax, sequence, letter in zip(axes[0], sequences, "ab", strict=False):
        ours, theirs = (table[table["sequence"] == sequence] for table in (scores, published))
        for name, colour, shift in (("sensitivity", PALETTE["blue"], -0.12), ("error", PALETTE["vermillion"], 0.12)):
            x = ours["links"] + shift + rng.uniform(-0.07, 0.07, len(ours))
            ax.plot(x, ours[name], "o", color=colour, ms=1.8, alpha=0.35, mew=0)
            middle = ours.groupby("links")[name].median()
            ax.plot(middle.index + shift, middle, "_", color=colour, ms=9, mew=1.8, label=f"{name}, median")
            ax.plot(theirs["links"], theirs[name], "x--", color=colour, lw=0.6, ms=3.5, label=f"{name}, published run")
        ax.set(title=sequence, xlabel="number of links", ylabel="output units" if letter == "a" else "")
        ax.invert_xaxis()
        panel_letter(ax, letter)
    axes[0, 0].legend(loc="center left", bbox_to_anchor=(0, 0.55))
    table = pd.concat([scores.assign(origin="ours"), published.assign(origin="published")], ignore_index=True)
    return fig, table


def network_sequence(tables: dict[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """Networks of a sequence, one a level; ``tables`` maps a title to a majority table."""
    rows = -(-len(tables) // PANELS)
    fig, axes = plt.subplots(rows, PANELS, figsize=(DOUBLE * 0.85, 1.6 * rows), squeeze=False)
    largest = max(table["value"].abs().max() for table in tables.values())
    for ax in axes.flat[len(tables) :]:
        ax.set_visible(False)
    for ax, (title, table) in zip(axes.flat, tables.items(), strict=False):
        draw_network(drawable(table), ax, POSITIONS, nodes=["I", "g1", "g2"], inputs=["I"], scale=largest)
        ax.set_title(title)
    return fig, pd.concat([table.assign(network=title) for title, table in tables.items()], ignore_index=True)
