"""Panels of Fig. 6 (cellular automata). Each function takes data and returns (figure, table of what is drawn)."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import auc

from regulome.style import DOUBLE, PALETTE, SINGLE, log_ticks, panel_letter

KINDS = {"activation": PALETTE["green"], "inhibition": PALETTE["vermillion"]}
CLASSES = ("inhibition", "none", "activation")
SHOWN_SAMPLES = 3  # of a space-time image, only every n-th sample is drawn and written


def space_time(truth: np.ndarray, predicted: np.ndarray, dt: float, count: int = 2) -> tuple[Figure, pd.DataFrame]:
    """Fig. 6a, b: the genes that vary most, in all cells over time from an unseen initial state.

    ``truth`` and ``predicted`` (T + 1, cells, G); ``count`` genes are drawn.
    """
    genes = np.sort(truth.std(axis=(0, 1)).argsort()[::-1][:count])
    fig, axes = plt.subplots(
        len(genes), 3, figsize=(DOUBLE, 1.3 * len(genes) + 0.5), sharex=True, sharey=True, squeeze=False
    )
    cells, rows = truth.shape[1], []
    time = dt * np.arange(len(truth))
    columns = (("truth", truth, "viridis", 0, 1), ("prediction", predicted, "viridis", 0, 1))
    columns += (("prediction - truth", predicted - truth, "PuOr", -0.5, 0.5),)
    for row, gene in enumerate(genes):
        for column, (title, levels, colours, low, high) in enumerate(columns):
            ax = axes[row, column]
            image = ax.imshow(
                levels[:, :, gene].T, aspect="auto", origin="lower", cmap=colours, vmin=low, vmax=high,
                extent=(0, time[-1], 0.5, cells + 0.5), interpolation="nearest",
            )  # fmt: skip
            if row == 0:
                ax.set_title(title)
            if column == 0:
                ax.set_ylabel(f"gene {gene + 1}: cell")
                ax.set_yticks([1, (cells + 1) // 2, cells])
            if row == len(genes) - 1:
                ax.set_xlabel("time (1 / decay rate)")
            if column:
                fig.colorbar(
                    image, ax=ax, label="level" if column == 1 else "error", extend=(None, "max", "both")[column]
                )
        shown = slice(None, None, SHOWN_SAMPLES)
        at, cell = np.meshgrid(time[shown], np.arange(1, cells + 1), indexing="ij")
        own = {"truth": truth[shown, :, gene].ravel(), "prediction": predicted[shown, :, gene].ravel()}
        rows.append(pd.DataFrame({"gene": gene + 1, "time": at.ravel(), "cell": cell.ravel(), **own}))
    for ax, letter in zip(axes[0], "abc", strict=True):
        panel_letter(ax, letter)
    return fig, pd.concat(rows, ignore_index=True)


def loss_curve(loss: np.ndarray, published: int, bins: int = 200) -> tuple[Figure, pd.DataFrame]:
    """Training loss (updates, R) against updates: median and 5 to 95 % of the networks.

    The noise of the batches is averaged in ``bins`` stretches; ``published`` marks the published number of updates.
    """
    fig, ax = plt.subplots(figsize=(SINGLE, 2.1))
    edges = np.unique(np.linspace(0, len(loss), min(bins, len(loss)) + 1).astype(int))
    means = np.stack([loss[a:b].mean(0) for a, b in pairwise(edges)])
    low, middle, high = np.quantile(means, [0.05, 0.5, 0.95], axis=1)
    ax.plot(edges[1:], middle)
    ax.fill_between(edges[1:], low, high, alpha=0.2, lw=0)
    ax.axvline(published, color="grey", ls="--", label=f"{published} updates")
    ax.set(yscale="log", xlabel="updates", ylabel="training loss")
    log_ticks(ax.yaxis)
    ax.legend()
    return fig, pd.DataFrame({"updates": edges[1:], "loss": middle, "low": low, "high": high})


def rates_against_truth(true: np.ndarray, learned: np.ndarray, points: int = 2000) -> tuple[Figure, pd.DataFrame]:
    """Fig. 6d: f of the network against the true f (S, G) on the states of an unseen run, with the correlation."""
    fig, ax = plt.subplots(figsize=(SINGLE * 0.8, 2.5))
    at = np.linspace(0, true.size - 1, min(points, true.size)).astype(int)
    x, y = true.ravel(), learned.ravel()
    top = max(1.0, float(x[at].max()))
    ax.plot([0, top], [0, top], color="grey", lw=0.6, ls="--")
    ax.plot(x[at], y[at], ".", color=PALETTE["blue"], ms=1.5, alpha=0.4, mec="none", rasterized=True)
    ax.set(xlabel="true f", ylabel="f of the network", title=f"correlation {np.corrcoef(x, y)[0, 1]:.2f}")
    return fig, pd.DataFrame({"true": x[at], "network": y[at]})


def confusion_matrices(matrices: dict[str, np.ndarray]) -> tuple[Figure, pd.DataFrame]:
    """Fig. 6e: called against true class, counts and shares of the true class."""
    fig, axes = plt.subplots(1, len(matrices), figsize=(DOUBLE * 0.4 * len(matrices), 2.4), squeeze=False)
    rows = []
    for ax, (name, counts), letter in zip(axes[0], matrices.items(), "abcd", strict=False):
        shares = counts / counts.sum(1, keepdims=True)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.ndindex(counts.shape):
            colour = "white" if shares[i, j] > 0.55 else "black"
            ax.text(j, i, f"{counts[i, j]}\n{shares[i, j]:.0%}", ha="center", va="center", color=colour, fontsize=6)
            rows.append((name, CLASSES[i], CLASSES[j], counts[i, j]))
        ax.set_xticks(range(3), CLASSES)
        ax.set_yticks(range(3), CLASSES)
        ax.set(xlabel="called", ylabel="true", title=f"{name}: {np.trace(counts) / counts.sum():.0%} right")
        ax.spines[:].set_visible(False)
        panel_letter(ax, letter)
    return fig, pd.DataFrame(rows, columns=["networks", "true", "called", "links"])


def roc_curves(curves: dict[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """Fig. 6f, g: ROC curves of one automaton, a panel for each method; tables of `automata_readout.roc`."""
    fig, axes = plt.subplots(1, len(curves), figsize=(DOUBLE / 3 * len(curves), 2.5), squeeze=False, sharey=True)
    for ax, (name, table), letter in zip(axes[0], curves.items(), "abcd", strict=False):
        ax.plot([0, 1], [0, 1], color="grey", lw=0.6, ls="--")
        for kind, colour in KINDS.items():
            x, y = table.loc[table["link"] == kind, ["false_positive", "true_positive"]].to_numpy().T
            ax.plot(x, y, color=colour, ls="-" if kind == "activation" else "-.", label=f"{kind}: {auc(x, y):.2f}")
        ax.set(xlabel="false positive rate", title=name, aspect="equal")
        ax.legend(loc="lower right", title="area under curve")
        panel_letter(ax, letter)
    axes[0, 0].set_ylabel("true positive rate")
    return fig, pd.concat([table.assign(method=name) for name, table in curves.items()], ignore_index=True)


def area_comparison(areas: dict[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """Fig. 6h: area under the ROC curve of every automaton, paired lines between methods, bar: mean.

    ``areas`` has for each method a table with one row an automaton and columns activation, inhibition.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.9), sharey=True)
    places = np.arange(len(areas))
    for ax, kind, letter in zip(axes, KINDS, "ab", strict=True):
        values = np.stack([table[kind] for table in areas.values()])
        ax.plot(places, values, color=KINDS[kind], lw=0.3, alpha=0.5)
        ax.plot(places, values, ".", color=KINDS[kind], ms=3.5, alpha=0.7, mec="none")
        ax.hlines(values.mean(1), places - 0.3, places + 0.3, color="black", lw=1.5, zorder=3)
        for place, mean, top in zip(places, values.mean(1), values.max(1), strict=True):
            ax.annotate(f"{mean:.2f}", (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=6)
        ax.axhline(0.5, color="grey", ls="--", lw=0.6)
        ax.set(title=kind, ylim=(min(0.4, values.min() - 0.03), 1.06), xlim=(-0.5, len(areas) - 0.5))
        ax.set_xticks(places, list(areas), rotation=30, ha="right")
        panel_letter(ax, letter)
    axes[0].set_ylabel("area under ROC curve")
    rows = [table.assign(method=name, automaton=np.arange(1, len(table) + 1)) for name, table in areas.items()]
    return fig, pd.concat(rows, ignore_index=True)


def area_against_updates(
    table: pd.DataFrame, baseline: dict[str, float], published: int
) -> tuple[Figure, pd.DataFrame]:
    """Area under the ROC curve against training length: mean over networks, band: 5 to 95 % of them.

    ``table`` has columns updates, automaton, activation, inhibition; ``baseline`` the linear model's means;
    ``published`` marks the published number of updates.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.8, 2.2), sharey=True)
    rows = []
    for ax, kind, letter in zip(axes, KINDS, "ab", strict=True):
        groups = table.groupby("updates")[kind]
        own = pd.DataFrame({"mean": groups.mean(), "low": groups.quantile(0.05), "high": groups.quantile(0.95)})
        ax.plot(own.index, own["mean"], "o-", color=PALETTE["blue"], label="networks")
        ax.fill_between(own.index, own["low"], own["high"], color=PALETTE["blue"], alpha=0.15, lw=0)
        ax.axhline(baseline[kind], color="black", ls=":", label="linear autoregression")
        ax.axhline(0.5, color="grey", ls="--", lw=0.6, label="chance")
        ax.axvline(published, color="grey", lw=0.6)
        ax.set(xlabel="updates (line: published)", title=kind, xlim=(0, None))
        panel_letter(ax, letter)
        rows.append(own.reset_index().assign(link=kind))
    axes[0].set_ylabel("area under ROC curve")
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside right upper")
    return fig, pd.concat(rows, ignore_index=True)
