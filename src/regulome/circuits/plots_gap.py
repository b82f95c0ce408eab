"""Panels of Fig. 5 (gap genes). Each function takes data and returns (figure, table of what is drawn).

Measured levels are drawn but not repeated in the tables: they belong to their source and come through `regulome.data`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.circuits.gap import INPUTS, REGULATORS
from regulome.circuits.gap_data import GENES
from regulome.circuits.topology import drawable
from regulome.network_drawing import draw_network
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

COLOURS = dict(zip(GENES, (PALETTE["blue"], PALETTE["green"], PALETTE["vermillion"], PALETTE["orange"]), strict=True))
POSITIONS = {
    "Bcd": (-0.65, 1.25), "Tor": (0.65, 1.25),
    "hb": (-1, 0.35), "Kr": (1, 0.35), "kni": (1, -0.9), "gt": (-1, -0.9),
}  # fmt: skip


def pattern_overlay(profile: pd.DataFrame, patterns: np.ndarray, kept: np.ndarray) -> tuple[Figure, pd.DataFrame]:
    """Fig. 5b: measured profile (thick), every kept run (thin); rejected runs in a panel of their own.

    Parameters
    ----------
    profile
        Columns x, hb, Kr, kni, gt.
    patterns
        (R, P, 4) fitted patterns.
    kept
        (R,) True where the run converged.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.2), sharey=True)
    for ax, letter, chosen, title in (
        (axes[0], "a", kept, f"{kept.sum()} runs kept"),
        (axes[1], "b", ~kept, f"{(~kept).sum()} runs rejected"),
    ):
        for j, gene in enumerate(GENES):
            ax.plot(profile["x"], profile[gene], color=COLOURS[gene], lw=3.5, alpha=0.25)
            for curve in patterns[chosen, :, j]:
                ax.plot(profile["x"], curve, color=COLOURS[gene], lw=0.4, alpha=0.7)
            ax.plot([], [], color=COLOURS[gene], label=gene)
        ax.set(title=title, xlabel="position (fraction of egg length)", ylim=(0, 1.05))
        panel_letter(ax, letter)
    axes[0].set_ylabel("level (thick: data; thin: runs)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    rows = [
        pd.DataFrame({"run": r, "kept": kept[r], "x": profile["x"], **dict(zip(GENES, patterns[r].T, strict=True))})
        for r in range(len(patterns))
    ]
    return fig, pd.concat(rows, ignore_index=True)


def loss_histogram(mse: np.ndarray, threshold: float, baselines: dict[str, float]) -> tuple[Figure, pd.DataFrame]:
    """Final mean squared error of every run, the line between kept and rejected, and the baselines."""
    fig, ax = plt.subplots(figsize=(SINGLE, 2.0))
    bins = np.geomspace(min(mse.min(), threshold) * 0.8, max(mse.max(), threshold) * 1.3, 25)
    ax.hist(mse, bins=bins, color=PALETTE["blue"], alpha=0.7)
    ax.axvline(threshold, color="black", ls="--", label=f"kept below {threshold:g}")
    for (name, value), colour in zip(baselines.items(), ("vermillion", "orange", "purple"), strict=False):
        ax.axvline(value, color=PALETTE[colour], label=f"{name}: {value:.2g}")
    ax.set(xscale="log", xlabel="mean squared error of the final pattern", ylabel="runs")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.32), ncols=2)
    rows = [("run", value) for value in mse] + list(baselines.items())
    return fig, pd.DataFrame(rows, columns=["what", "mse"])


def frequency_bars(frequencies: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Fig. 5c: share of runs with activation, no link and inhibition for each of the 24 links."""
    fig, axes = plt.subplots(1, len(REGULATORS), figsize=(DOUBLE, 1.9), sharey=True)
    kinds = (("activation", PALETTE["green"]), ("absent", "#BBBBBB"), ("inhibition", PALETTE["vermillion"]))
    for ax, regulator in zip(axes, REGULATORS, strict=True):
        rows = frequencies[frequencies["regulator"] == regulator]
        bottom = np.zeros(len(rows))
        for kind, colour in kinds:
            ax.bar(rows["target"], rows[kind], bottom=bottom, color=colour, label=kind, width=0.75)
            bottom += rows[kind].to_numpy()
        ax.set(title=f"{regulator} \N{RIGHTWARDS ARROW}", ylim=(0, 1))
    axes[0].set_ylabel("share of runs kept")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig, frequencies


def network_pair(majority: pd.DataFrame, known: dict, title: str) -> tuple[Figure, pd.DataFrame]:
    """Fig. 5d: the majority network beside the one known, all nodes in the same places."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.8, 2.9))
    draw_network(drawable(majority, labels=False), axes[0], POSITIONS, nodes=list(REGULATORS), inputs=list(INPUTS))
    axes[0].set_title("inferred: sign that most runs have")
    rows = [(r, g, sign) for (r, g), sign in known.items() if sign]
    table = pd.DataFrame(rows, columns=["regulator", "target", "sign"])
    draw_network(table, axes[1], POSITIONS, nodes=list(REGULATORS), inputs=list(INPUTS), legend=True)
    axes[1].set_title(title)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, pd.concat([majority.assign(network="inferred"), table.assign(network="known")], ignore_index=True)


def mutant_patterns(
    profile: pd.DataFrame, wild_type: np.ndarray, mutant: np.ndarray, truth: pd.DataFrame | None
) -> tuple[Figure, pd.DataFrame]:
    """Fig. 5e: pattern of the Kr mutant, median and 5 to 95 % over runs, beside the wild type.

    ``wild_type`` and ``mutant`` (R, P, 4); ``truth`` has the true mutant pattern where it is known.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.2), sharey=True)
    x, rows = profile["x"], []
    for ax, letter, name, patterns in ((axes[0], "a", "wild type", wild_type), (axes[1], "b", "Kr mutant", mutant)):
        low, middle, high = np.quantile(patterns, [0.05, 0.5, 0.95], axis=0)
        for j, gene in enumerate(GENES):
            if gene == "Kr" and name == "Kr mutant":
                continue
            ax.plot(x, middle[:, j], color=COLOURS[gene], label=gene)
            ax.fill_between(x, low[:, j], high[:, j], color=COLOURS[gene], alpha=0.2, lw=0)
            rows.append(
                pd.DataFrame(
                    {
                        "genotype": name,
                        "gene": gene,
                        "x": x,
                        "level": middle[:, j],
                        "low": low[:, j],
                        "high": high[:, j],
                    }
                )
            )
        ax.set(title=name, xlabel="position (fraction of egg length)", ylim=(0, 1.05))
        panel_letter(ax, letter)
    if truth is not None:
        for gene in ("hb", "kni", "gt"):
            axes[1].plot(truth["x"], truth[gene], color=COLOURS[gene], lw=0.9, ls="--")
        axes[0].plot([], [], color="grey", ls="--", label="truth")
    axes[0].set_ylabel("level")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return fig, pd.concat(rows, ignore_index=True)


def time_courses(x: np.ndarray, measured: np.ndarray, fitted: np.ndarray, trained: int) -> tuple[Figure, pd.DataFrame]:
    """Measured (points) and fitted (median of the runs) profiles of every time class; held-out classes are marked.

    Parameters
    ----------
    measured
        (P, K, 4) classes 2 to K + 1.
    fitted
        (R, P, K, 4) likewise.
    trained
        How many of the K classes were trained on.
    """
    count = measured.shape[1]
    columns = int(np.ceil(count / 2))
    fig, axes = plt.subplots(2, columns, figsize=(DOUBLE, 3.0), sharex=True, sharey=True)
    low, middle, high = np.quantile(fitted, [0.05, 0.5, 0.95], axis=0)
    rows = []
    for k, ax in enumerate(axes.flat):
        if k >= count:
            ax.set_visible(False)
            continue
        for j, gene in enumerate(GENES):
            ax.plot(x, measured[:, k, j], ".", color=COLOURS[gene], ms=1.5, alpha=0.6)
            ax.plot(x, middle[:, k, j], color=COLOURS[gene], label=gene)
            ax.fill_between(x, low[:, k, j], high[:, k, j], color=COLOURS[gene], alpha=0.2, lw=0)
            rows.append(
                pd.DataFrame(
                    {
                        "class": k + 2,
                        "trained": k < trained,
                        "gene": gene,
                        "x": x,
                        "fitted": middle[:, k, j],
                        "low": low[:, k, j],
                        "high": high[:, k, j],
                    }
                )
            )
        ax.set_title(f"class T{k + 2}" + ("" if k < trained else ", held out"))
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    fig.supxlabel("position (fraction of egg length)", fontsize=7)
    fig.supylabel("level", fontsize=7)
    return fig, pd.concat(rows, ignore_index=True)


def solution_families(adata) -> tuple[Figure, pd.DataFrame]:
    """Networks of all runs in the plane of their first two principal components, coloured by Leiden family."""
    fig, ax = plt.subplots(figsize=(SINGLE, 2.3))
    table = pd.DataFrame(adata.obsm["X_pca"][:, :2], index=adata.obs_names, columns=["PC1", "PC2"])
    table["family"], table["kept"] = adata.obs["family"].astype(str).to_numpy(), adata.obs["kept"].to_numpy()
    explained = adata.uns["pca"]["variance_ratio"]
    for (family, rows), colour in zip(table.groupby("family"), PALETTE.values(), strict=False):
        for kept, marker in ((True, "o"), (False, "x")):
            points = rows[rows["kept"] == kept]
            if len(points):
                label = f"family {family}, {'kept' if kept else 'rejected'}"
                ax.plot(points["PC1"], points["PC2"], marker, color=colour, ms=4, alpha=0.8, ls="", label=label)
    ax.set(xlabel=f"PC 1 ({explained[0]:.0%} of variance)", ylabel=f"PC 2 ({explained[1]:.0%})")
    ax.legend()
    return fig, table.rename_axis("run").reset_index()
