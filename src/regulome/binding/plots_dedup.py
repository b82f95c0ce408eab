"""Figures of notebook 11. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from regulome.binding import logo, motif, splits
from regulome.binding.sequences import BASES
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

_COLOURS = {"random": "vermillion", "duplicates removed": "orange", "homologues together": "blue"}
_LEAST = 0.10  # identities below are those of unrelated proteins; the axis of nearest identities starts here


def profiles_by_identity(
    pairs: pd.DataFrame, profiles: str, ceiling: float | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Correlation of the profiles of two proteins by their identity; quartiles in the boxes, 5 and 95 % as whiskers.

    Parameters
    ----------
    pairs
        Of `dedup_tables.pairs_by_identity`.
    profiles
        What the profiles are, for the axis.
    ceiling
        Median agreement of replicates, drawn as a line.
    """
    kinds = [kind for kind in (*splits.BIN_LABELS, "identical") if (pairs["pair"] == kind).any()]
    values = [pairs.loc[pairs["pair"] == kind, "correlation"].to_numpy() for kind in kinds]
    rows = [(k, len(v), *np.percentile(v, [5, 25, 50, 75, 95])) for k, v in zip(kinds, values, strict=True)]
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.62, 2.4))
    generator = np.random.default_rng(0)  # scatter of the points only
    for place, (own, (_, _, p5, p25, p50, p75, p95)) in enumerate(zip(values, rows, strict=True)):
        if len(own) <= 60:
            spread = generator.uniform(-0.28, 0.28, len(own))
            ax.plot(place + spread, own, ".", ms=2.5, mew=0, color=PALETTE["blue"], alpha=0.7)
        ax.plot([place, place], [p5, p95], color="black", lw=0.7)
        ax.add_patch(plt.Rectangle((place - 0.32, p25), 0.64, p75 - p25, fc=PALETTE["sky"], alpha=0.5, lw=0))
        ax.plot([place - 0.32, place + 0.32], [p50, p50], color=PALETTE["blue"], lw=1.6)
    if ceiling is not None:
        ax.axhline(ceiling, color=PALETTE["vermillion"], ls=":", label="probe set A against B, median")
        ax.legend(loc="lower right")
    ticks = [f"{k}\nn = {len(v):,}" for k, v in zip(kinds, values, strict=True)]
    ax.set_xticks(range(len(kinds)), ticks)
    ax.set(xlabel="identity of the two sequences", ylabel=f"correlation of the two profiles\n({profiles})")
    return fig, pd.DataFrame(rows, columns=["pair", "pairs", "p5", "p25", "median", "p75", "p95"])


def identities(pairs: pd.DataFrame, reference: str, bins: int = 50) -> tuple[Figure, pd.DataFrame]:
    """Our identities against reference identities as a map of counts: domains or constructs, both denominators.

    ``pairs`` of `dedup_tables.identity_check`; the table lists the counts that are not zero.
    """
    kinds = pairs[["sequence", "denominator"]].drop_duplicates()
    fig, axes = plt.subplots(1, len(kinds), figsize=(DOUBLE * (0.25 * len(kinds)) + 0.3, 2.1), sharey=True)
    edges = np.linspace(0, 1, bins + 1)
    parts = []
    for place, (ax, (sequence, denominator)) in enumerate(
        zip(np.atleast_1d(axes), kinds.itertuples(index=False), strict=True)
    ):
        own = pairs[(pairs["sequence"] == sequence) & (pairs["denominator"] == denominator)]
        count = np.histogram2d(own["reference"], own["ours"], [edges, edges])[0]
        image = ax.pcolormesh(
            edges, edges, np.ma.masked_equal(count.T, 0), norm=LogNorm(1, max(10, len(own) / 10)), rasterized=True
        )
        ax.plot([0, 1], [0, 1], color="black", lw=0.5)
        ax.set(aspect="equal", xlabel="reference identity", title=f"{sequence}, {denominator}")
        panel_letter(ax, "abcd"[place])
        x, y = np.nonzero(count)
        parts.append(
            pd.DataFrame(
                {"sequence": sequence, "denominator": denominator, "reference": edges[x], "ours": edges[y],
                 "pairs": count[x, y].astype(int)}
            )
        )  # fmt: skip
    np.atleast_1d(axes)[0].set_ylabel("our identity")
    fig.colorbar(image, ax=axes, label="pairs", pad=0.01)
    fig.suptitle(f"reference: {reference}", fontsize=6)
    return fig, pd.concat(parts, ignore_index=True)


def thresholds(table: pd.DataFrame, chosen: float) -> tuple[Figure, pd.DataFrame]:
    """Number of clusters and size of the largest against the threshold, both denominators.

    Parameters
    ----------
    table
        Of `dedup_tables.cluster_table`.
    chosen
        Threshold of the splits, drawn as a line.
    """
    fig, axes = plt.subplots(1, 2, figsize=(SINGLE, 1.9))
    for denominator, colour, marker in (("longer", "orange", "s"), ("shorter", "blue", "o")):
        own = table[table["denominator"] == denominator]
        for ax, column in zip(axes, ("clusters", "largest"), strict=True):
            ax.plot(own["threshold"], own[column], marker=marker, ms=2.5, color=PALETTE[colour], label=denominator)
    for ax, label, letter in zip(axes, ("clusters", "proteins in the largest"), "ab", strict=True):
        ax.axvline(chosen, color="black", lw=0.6, ls=":")
        ax.set(xlabel="identity that links", ylabel=label, ylim=(0, None))
        panel_letter(ax, letter)
    axes[1].legend(title="identity over the")
    return fig, table


def logos(
    ours: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], table: pd.DataFrame, names: Sequence[str],
    labels: Sequence[str] = ("ours", "reference"),
) -> tuple[Figure, pd.DataFrame]:  # fmt: skip
    """Logos of our motifs above the reference motifs, aligned; `table` of `dedup_tables.motif_table`."""
    fig, axes = plt.subplots(2, len(names), figsize=(DOUBLE, 2.4), squeeze=False, sharey=True)
    known = table.set_index("name")
    parts = []
    for place, name in enumerate(names):
        offset = int(known.loc[name, "offset"])
        shifts = (max(0, -offset), max(0, offset))  # columns in front of ours and of the reference
        width = max(len(ours[name]) + shifts[0], len(reference[name]) + shifts[1])
        for ax, matrix, shift, label in zip(axes[:, place], (ours[name], reference[name]), shifts, labels, strict=True):
            heights = np.zeros((width, 4))
            heights[shift : shift + len(matrix)] = motif.information(matrix)
            logo.draw(ax, heights)
            ax.set_ylim(0, 2)
            ax.set_xticks(range(width), range(1, width + 1))
            own = pd.DataFrame(matrix, columns=list(BASES))
            parts.append(own.assign(name=name, motif=label, position=np.arange(len(matrix)) + shift + 1))
        label = f"protein {name}" if name.isdigit() else name
        axes[0, place].set_title(f"{label}, r = {known.loc[name, 'correlation']:.3f}")
        axes[1, place].set_xlabel("position")
        panel_letter(axes[0, place], "abcdefgh"[place])
    for ax, label in zip(axes[:, 0], labels, strict=True):
        ax.set_ylabel(f"{label}\ninformation (bits)")
    return fig, pd.concat(parts, ignore_index=True)[["name", "motif", "position", *BASES]]


def motif_clusters(labels: np.ndarray, fraction: np.ndarray, cut: float) -> tuple[Figure, pd.DataFrame]:
    """Identity of pairs that share a motif cluster, and of all pairs: counts in bins of 5 points."""
    i, j = np.triu_indices(len(labels), 1)
    edges = np.linspace(0, 1, 21)
    together = labels[i] == labels[j]
    everyone = np.histogram(fraction[i, j], edges)[0]
    same = np.histogram(fraction[i, j][together], edges)[0]
    fig, ax = plt.subplots(figsize=(SINGLE, 2.0))
    ax.stairs(np.maximum(everyone, 0.5), edges, color="black", label="all pairs", baseline=0.5)
    ax.stairs(np.maximum(same, 0.5), edges, color=PALETTE["blue"], fill=True, alpha=0.6, baseline=0.5,
              label="pairs of one motif cluster")  # fmt: skip
    ax.axvline(splits.IDENTITY_BINS[0][2], color="black", lw=0.6, ls=":")
    ax.set(yscale="log", ylim=(0.5, None), xlim=(0, 1), xlabel="identity of the two sequences", ylabel="pairs")
    ax.legend(title=f"profiles correlate at least {cut:g}")
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "pairs": everyone, "same_motif_cluster": same})
    return fig, table


def leaks(leak: pd.DataFrame, table: pd.DataFrame, profiles: str) -> tuple[Figure, pd.DataFrame]:
    """What leaks under each split: nearest identity in training, and what the nearest neighbour then reaches.

    Parameters
    ----------
    leak, table
        Of `splits.leakage` and `dedup_tables.leak_table`.
    profiles
        What the profiles are, for the axis.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.2), width_ratios=[1.5, 1])
    for scheme, part in leak.groupby("scheme", sort=False):
        values = np.sort(np.maximum(part["identity"], _LEAST))
        share = (np.arange(len(values)) + 1) / len(values)
        axes[0].step(
            np.r_[_LEAST, values, 1.0], np.r_[0, share, 1], where="post", color=PALETTE[_COLOURS[scheme]], label=scheme
        )
    for _, low, _ in splits.IDENTITY_BINS[1:]:
        axes[0].axvline(low, color="grey", lw=0.4, ls=":")
    axes[0].set(xlabel="identity of the nearest training protein", ylabel="share of the test proteins", ylim=(0, 1.02))
    axes[0].legend(loc="lower right")
    for place, row in enumerate(table.itertuples()):
        error = [[row.r - row.low], [row.high - row.r]]
        axes[1].errorbar(row.r, place, xerr=error, fmt="o", color=PALETTE[_COLOURS[row.scheme]], capsize=2)
    axes[1].set_yticks(range(len(table)), table["scheme"])
    axes[1].invert_yaxis()
    axes[1].margins(y=0.25)
    axes[1].set(xlabel=f"mean r of the nearest neighbour\n({profiles})", xlim=(0, 1))
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, leak
