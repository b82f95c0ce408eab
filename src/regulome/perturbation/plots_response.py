"""Figures of predicted responses. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from regulome.perturbation import response_baselines as baselines
from regulome.perturbation.ate import Predictor
from regulome.perturbation.evaluation import CEILINGS, Reference
from regulome.perturbation.response_metrics import TITLES
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

SIMPLE = (
    baselines.NO_CHANGE, baselines.GLOBAL, baselines.KNOCKDOWN, baselines.LINEAR, baselines.MATCHING,
    baselines.ADDITIVE,    f"{baselines.ADDITIVE} (shrunken)", baselines.TRAIN, baselines.SHRUNKEN,
)  # fmt: skip
BINS = 60


def colour(name: str) -> str:
    """Grey for baselines, orange for ceilings, blue for models."""
    return "grey" if name in SIMPLE else PALETTE["orange"] if name in CEILINGS else PALETTE["blue"]


def scatter(predictors: Mapping[str, Predictor], ref: Reference, columns: int = 4) -> tuple[Figure, pd.DataFrame]:
    """Predicted against measured effects, every gene of every perturbation, one panel a predictor; binned."""
    rows = -(-len(predictors) // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(DOUBLE, 1.85 * rows + 0.1), squeeze=False, sharex=True, sharey=True
    )
    effects = {name: one.ate(ref.labels) for name, one in predictors.items()}
    low = min(ref.truth.min(), *(matrix.min() for matrix in effects.values()))
    high = max(ref.truth.max(), *(matrix.max() for matrix in effects.values()))
    edges, drawn = np.linspace(low, high, BINS + 1), []
    for ax, (name, matrix), letter in zip(axes.flat, effects.items(), ascii_lowercase, strict=False):
        count, _, _ = np.histogram2d(ref.truth.ravel(), matrix.ravel(), bins=edges)
        shown = np.ma.masked_equal(count.T, 0)
        image = ax.pcolormesh(edges, edges, shown, norm=LogNorm(1, ref.truth.size), cmap="viridis", rasterized=True)
        ax.plot([low, high], [low, high], color="black", lw=0.6, ls=":")
        pearson = ref.score_effects(matrix).summary()["pearson"].iloc[0]
        ax.set_title(f"{name}\n" + (f"r = {pearson:.3f}" if np.isfinite(pearson) else "r undefined"))
        panel_letter(ax, letter)
        i, j = np.nonzero(count)
        middle = (edges[:-1] + edges[1:]) / 2
        part = {"predictor": name, "measured": middle[i], "predicted": middle[j], "genes": count[i, j].astype(int)}
        drawn.append(pd.DataFrame(part))
    for ax in axes.flat[len(effects) :]:
        ax.axis("off")
    for ax in axes.flat[: len(effects)][-columns:]:  # the last of each column
        ax.tick_params(labelbottom=True)
    fig.supxlabel("measured effect (log2, held-out cells)", fontsize=7)
    fig.supylabel("predicted effect (log2)", fontsize=7)
    fig.colorbar(image, ax=axes, label="genes × perturbations", shrink=0.7)
    return fig, pd.concat(drawn, ignore_index=True)


def dots(table: pd.DataFrame, metrics: Sequence[str], columns: int = 3) -> tuple[Figure, pd.DataFrame]:
    """Scores of all predictors with intervals, one panel a metric; rows of `evaluation.evaluate` and `.ceilings`.

    Line at the train mean, or at the global mean where there is none.
    """
    metrics = [name for name in metrics if name in set(table["metric"])]
    drawn = table[table["metric"].isin(metrics)]
    names = list(dict.fromkeys(drawn["predictor"]))
    rows = -(-len(metrics) // columns)
    size = (DOUBLE, (0.155 * len(names) + 0.62) * rows)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    for ax, metric, letter in zip(axes.flat, metrics, "abcdefghijkl", strict=False):
        _dots(ax, drawn[drawn["metric"] == metric].set_index("predictor"), names)
        ax.set(xlabel=TITLES[metric])
        panel_letter(ax, letter)
    for ax in axes.flat[len(metrics) :]:
        ax.axis("off")
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    return fig, drawn.reset_index(drop=True)


def _dots(ax: Axes, own: pd.DataFrame, names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        if name not in own.index or not np.isfinite(own.loc[name, "value"]):
            continue
        row = own.loc[name]
        ax.plot([row["low"], row["high"]], [place, place], color=colour(name), lw=0.9)
        ax.plot(row["value"], place, "o", ms=3.2, color=colour(name))
    for line in (baselines.TRAIN, baselines.GLOBAL):
        if line in own.index and np.isfinite(own.loc[line, "value"]):
            ax.axvline(own.loc[line, "value"], color="grey", lw=0.6, ls=":")
            break
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.tick_params(axis="y", length=0)


def leak(table: pd.DataFrame, metric: str = "pearson") -> tuple[Figure, pd.DataFrame]:
    """One score against held-out cells and against all cells, predictor by predictor; see column reference."""
    drawn = table[(table["metric"] == metric) & table["value"].notna()]
    names, kinds = list(dict.fromkeys(drawn["predictor"])), list(dict.fromkeys(drawn["reference"]))
    fig, ax = plt.subplots(figsize=(SINGLE * 1.35, 0.19 * len(names) + 0.9))
    for kind, tone, marker in zip(kinds, ("blue", "vermillion"), "os", strict=False):
        own = drawn[drawn["reference"] == kind].set_index("predictor")
        places = [names.index(name) for name in own.index]
        ax.plot(own["value"], places, marker, ms=3.5, color=PALETTE[tone], label=kind)
    wide = drawn.pivot(index="predictor", columns="reference", values="value").loc[names]
    ax.hlines(range(len(names)), wide.min(axis=1), wide.max(axis=1), color="grey", lw=0.7, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel=TITLES[metric], ylim=(len(names) - 0.5, -0.5))
    fig.legend(loc="outside lower center", ncols=2, title="reference")
    return fig, drawn.reset_index(drop=True)


def by_size(table: pd.DataFrame, chosen: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Pearson and Systema correlation of each perturbation against the size of its measured effect."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.5), sharex=True)
    drawn = table[table["predictor"].isin(chosen)]
    tones = ("black", "orange", "blue", "vermillion", "green", "purple", "sky")
    for ax, column, letter in zip(axes, ("pearson", "systema"), "ab", strict=True):
        for name, tone, marker in zip(chosen, tones, "os^vDP*", strict=False):
            own = drawn[drawn["predictor"] == name]
            ax.plot(own["size"], own[column], marker, ms=3, mew=0, alpha=0.8, color=PALETTE[tone], label=name)
        ax.axhline(0, color="grey", lw=0.6)
        ax.set(xlabel="root mean square of the measured effect (log2)")
        panel_letter(ax, letter)
    axes[0].set_ylabel("Pearson correlation over genes")
    axes[1].set_ylabel("Systema correlation over genes")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(len(chosen), 6))
    return fig, drawn[["predictor", "perturbation", "cells", "size", "pearson", "systema"]].reset_index(drop=True)


def generated(bounds: pd.DataFrame, rates: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """IWELBO of held-out cells and QC pass rate of generated cells; a dot a training, of `response_models`."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 0.2 * bounds["model"].nunique() + 1.3))
    names = list(dict.fromkeys(bounds["model"]))
    axes[0].errorbar(
        bounds["iwelbo"], [names.index(name) for name in bounds["model"]], xerr=1.96 * bounds["iwelbo_error"],
        fmt="o", ms=3, lw=0.8, color=PALETTE["blue"],
    )  # fmt: skip
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set(xlabel="IWELBO of held-out cells (nats per cell)", ylim=(len(names) - 0.5, -0.5))
    own = rates[rates["library"] == "observed"]
    everyone = list(dict.fromkeys(own["model"]))
    for k, tone, marker in zip(sorted(own["k"].unique()), ("vermillion", "blue", "green"), "os^", strict=False):
        part = own[own["k"] == k]
        places = [everyone.index(name) for name in part["model"]]
        axes[1].plot(part["passing"], places, marker, ms=3, mew=0, color=PALETTE[tone], label=f"{k:g} MAD")
    axes[1].set_yticks(range(len(everyone)), everyone)
    axes[1].set(xlabel="cells without a quality flag (share)", ylim=(len(everyone) - 0.5, -0.5))
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, pd.concat([bounds.assign(panel="a"), own.assign(panel="b")], ignore_index=True)
