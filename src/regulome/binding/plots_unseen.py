"""Figures of predictions for unseen proteins. Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.binding import profile_methods, unseen
from regulome.binding.splits import BIN_LABELS, IDENTITY_BINS
from regulome.binding.validation import DISJOINT
from regulome.style import DOUBLE, PALETTE, panel_letter

_COLOURS = {
    unseen.MEAN: "black", unseen.NEAREST: "orange", unseen.SOFT: "sky", unseen.SOFT_IDENTITY: "purple",
    unseen.AFFINITY: "yellow", unseen.LINEAR: "green", unseen.TERM: "blue", unseen.TOWER: "vermillion",
    unseen.BOTH: "black", unseen.CEILING: "black", profile_methods.TERM: "blue", profile_methods.PAIRS: "vermillion",
    profile_methods.SOFT: "purple",
}  # fmt: skip
_TICKS = [label.replace(" and more", " +") for label in BIN_LABELS]


def _colour(method: str) -> str:
    return PALETTE[_COLOURS.get(method, "green")]


def profile_loo(table: pd.DataFrame, published: pd.DataFrame | None, shown: list[str], title: str):
    """Leave-one-out on profile correlations: all methods over all proteins, and some of them by identity bin.

    Parameters
    ----------
    table
        Of `gram.by_bin`.
    published
        Of `results_unseen.published_table`, or None where the data are not the measured ones.
    shown
        Methods of the second panel.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 3.1), width_ratios=[1, 1.25])
    own = table[table["identity"] == "all"].sort_values("mean", ignore_index=True)
    known = pd.DataFrame(columns=["method", "identity", "mean"]) if published is None else published
    other = known[known["identity"] == "all"].sort_values("mean", ignore_index=True)
    names = [*other["method"], *own["method"]]
    axes[0].plot(other["mean"], np.arange(len(other)), "x", ms=5, color=PALETTE["vermillion"], label="published")
    y = np.arange(len(own)) + len(other)
    errors = [own["mean"] - own["low"], own["high"] - own["mean"]]
    axes[0].errorbar(own["mean"], y, xerr=errors, fmt="o", ms=3, lw=0.9, color=PALETTE["blue"], label="ours, 95 %")
    axes[0].set(yticks=range(len(names)), yticklabels=names, xlabel="mean Pearson r", xlim=(0, 0.75))
    axes[0].tick_params(axis="y", labelsize=5.5)
    if len(other):
        axes[0].axhline(len(other) - 0.5, color="grey", lw=0.6)
    places = np.arange(len(BIN_LABELS))
    for i, method in enumerate(shown):
        row = (
            table[(table["method"] == method) & (table["identity"] != "all")].set_index("identity").reindex(BIN_LABELS)
        )
        shift = (i - (len(shown) - 1) / 2) * 0.1
        errors = [row["mean"] - row["low"], row["high"] - row["mean"]]
        axes[1].errorbar(places + shift, row["mean"], yerr=errors, fmt="o-", ms=3, lw=0.9, color=_colour(method),
                         label=method)  # fmt: skip
    for method, marker in (("JPLE, 5-mers + homologues", "x"), ("nearest neighbour, sequence identity", "+")):
        row = (
            known[(known["method"] == method) & (known["identity"] != "all")].set_index("identity").reindex(BIN_LABELS)
        )
        if published is not None:
            axes[1].plot(places, row["mean"], marker, ms=5, ls=":", lw=0.7, color="black", label=f"published: {method}")
    axes[1].set(xlabel="identity of the nearest protein", ylabel="mean Pearson r", ylim=(0, 1))
    axes[1].set_xticks(places, _TICKS, rotation=20)
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=2, title=title)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    parts = [table.assign(source="ours")] + ([] if published is None else [known.assign(source="published")])
    return fig, pd.concat(parts, ignore_index=True)


def caps(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Mean leave-one-out when near relatives are missing; columns cap, method, mean, low, high (cap 2: none)."""
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.6, 2.4))
    order = sorted(table["cap"].unique(), reverse=True)
    for i, (method, rows) in enumerate(table.groupby("method", sort=False)):
        rows = rows.set_index("cap").loc[order]
        errors = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
        ax.errorbar(np.arange(len(order)) + (i - 1) * 0.08, rows["mean"], yerr=errors, fmt="o-", ms=3, lw=0.9,
                    color=_colour(method), label=method)  # fmt: skip
    ax.set_xticks(range(len(order)), ["all" if cap > 1 else f"below {100 * cap:.0f} %" for cap in order])
    ax.set(xlabel="identity of the proteins that may be used", ylabel="mean Pearson r", ylim=(0, None), title=title)
    ax.legend()
    return fig, table


def methods(summary: pd.DataFrame, bins: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Every method in both protocols, and some by identity bin on new RNAs.

    Parameters
    ----------
    summary, bins
        Of `validation.summary` by protocol and method, and by bin as well.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 3.0), width_ratios=[1, 1.2])
    names = list(dict.fromkeys(summary["method"]))
    for (protocol, rows), marker, shift in zip(summary.groupby("protocol"), "os", (-0.13, 0.13), strict=True):
        rows = rows.set_index("method").loc[names]
        errors = [rows["mean"] - rows["mean_low"], rows["mean_high"] - rows["mean"]]
        colour = PALETTE["blue"] if protocol == DISJOINT else PALETTE["orange"]
        axes[0].errorbar(rows["mean"], np.arange(len(names)) + shift, xerr=errors, fmt=marker, ms=3, lw=0.9,
                         color=colour, label=protocol)  # fmt: skip
    axes[0].axvline(0, color="grey", lw=0.6)
    axes[0].set(yticks=range(len(names)), yticklabels=names, xlabel="mean Pearson r with the target")
    axes[0].invert_yaxis()
    shown = (unseen.SOFT, unseen.TERM, unseen.TOWER, unseen.BOTH)
    places, drawn = np.arange(len(BIN_LABELS)), bins[bins["protocol"] == DISJOINT]
    for i, method in enumerate(shown):
        rows = drawn[drawn["method"] == method].set_index("bin").reindex(BIN_LABELS)
        errors = [rows["mean"] - rows["mean_low"], rows["mean_high"] - rows["mean"]]
        axes[1].errorbar(places + (i - 1.5) * 0.1, rows["mean"], yerr=errors, ms=3, lw=0.9, color=_colour(method),
                         fmt="s--" if method == unseen.TERM else "o-", label=method)  # fmt: skip
    count = drawn[drawn["method"] == unseen.BOTH].set_index("bin")["proteins"].reindex(BIN_LABELS).fillna(0).astype(int)
    axes[1].set_xticks(places, [f"{a}\n({n})" for a, n in zip(_TICKS, count, strict=True)])
    axes[1].axhline(0, color="grey", lw=0.6)
    axes[1].set(xlabel="identity of the nearest training protein (proteins)", ylabel="mean Pearson r with the target")
    axes[1].set_title(DISJOINT, fontsize=7)
    pairs = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in axes]
    handles = [pair for pairs_of in pairs for pair in pairs_of]
    fig.legend([h for h, _ in handles], [f"b: {w}" if w in shown else f"a: {w}" for _, w in handles],
               loc="outside lower center", ncols=3)  # fmt: skip
    fig.suptitle(title)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, pd.concat([summary.assign(bin="all"), bins], ignore_index=True)


def differences(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Combination minus every other method on new proteins and new RNAs: pooled with interval, splits as points."""
    own = table[table["protocol"] == DISJOINT]
    pooled = own[own["split"] == "all"].reset_index(drop=True)
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.6, 2.3))
    y = np.arange(len(pooled))
    errors = [pooled["difference"] - pooled["low"], pooled["high"] - pooled["difference"]]
    ax.errorbar(pooled["difference"], y, xerr=errors, fmt="o", ms=4, lw=1, color=PALETTE["blue"],
                label="all splits, 95 % over clusters")  # fmt: skip
    single = own[own["split"] != "all"]
    place = single["other"].map(dict(zip(pooled["other"], y, strict=True)))
    ax.plot(single["difference"], place + 0.25, "|", ms=6, color=PALETTE["vermillion"], label="one split")
    ax.axvline(0, color="grey", lw=0.6)
    ax.set(
        yticks=y, yticklabels=pooled["other"], xlabel="r of the combination minus r of the other method", title=title
    )
    ax.invert_yaxis()
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig, own


def coverage(identity: np.ndarray, r: np.ndarray, learned: pd.DataFrame, weights: pd.DataFrame, title: str):
    """Leave-one-out of training proteins with what is promised from it; share of the two-tower term.

    Parameters
    ----------
    identity, r
        (P,) nearest identity and correlation on held-out RNAs.
    learned
        Of `coverage.table`.
    weights
        Columns identity, two_tower (share in the combination).
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.4), width_ratios=[1.5, 1])
    axes[0].plot(100 * identity, r, "o", ms=2.5, mew=0, alpha=0.5, color="grey", label="a training protein")
    for i, (row, (_, low, high)) in enumerate(zip(learned.itertuples(), IDENTITY_BINS, strict=True)):
        x = [100 * low, 100 * min(high, 1)]
        axes[0].fill_between(x, row.low, row.high, color=PALETTE["blue"], alpha=0.2, lw=0,
                             label="80 % of the proteins" if i == 0 else None)  # fmt: skip
        axes[0].plot(x, [row.expected_r] * 2, color=PALETTE["blue"], lw=1.5, label="expected r" if i == 0 else None)
    axes[0].axhline(0, color="grey", lw=0.6)
    axes[0].set(xlabel="identity of the nearest other protein (%)", ylabel="Pearson r, left out", xlim=(0, 101))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    axes[1].plot(100 * weights["identity"], weights["two_tower"], color=PALETTE["vermillion"])
    axes[1].set(xlabel="identity of the nearest training protein (%)", ylabel="share of the two-tower term")
    axes[1].set(ylim=(-0.02, 1.02), xlim=(0, 101))
    fig.suptitle(title)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    points = pd.DataFrame({"part": "protein", "identity": identity, "r": r})
    return fig, pd.concat([points, weights.assign(part="share of the two-tower term")], ignore_index=True)


def probes(table: pd.DataFrame, ceilings: pd.Series) -> tuple[Figure, pd.DataFrame]:
    """Measured intensities of two proteins, predicted from all others; of `measured_probes.table`.

    Parameters
    ----------
    ceilings
        Agreement of probe sets A and B by protein.
    """
    names = list(dict.fromkeys(table["protein"]))
    levels = [level for level in dict.fromkeys(table["left_out"]) if level != "nothing"]
    shown = [method for method in dict.fromkeys(table["method"])]
    fig, axes = plt.subplots(1, len(names), figsize=(DOUBLE, 2.3), sharey=True, squeeze=False)
    for ax, name, letter in zip(axes[0], names, "ab", strict=False):
        for level, colour, shift in zip(
            [*levels, "nothing"], ("blue", "orange", "black"), (-0.15, 0.15, 0), strict=True
        ):
            rows = table[(table["protein"] == name) & (table["left_out"] == level)]
            place = np.array([shown.index(method) for method in rows["method"]]) + shift
            errors = [rows["r"] - rows["low"], rows["high"] - rows["r"]]
            label = "its own motif is known" if level == "nothing" else f"without {level}"
            ax.errorbar(rows["r"], place, xerr=errors, fmt="o", ms=3, lw=0.9, color=PALETTE[colour], label=label)
        ax.axvline(0, color="grey", lw=0.6)
        identity = table[(table["protein"] == name) & (table["left_out"] == levels[0])]["nearest_identity"].iloc[0]
        agreement = f"; sets A and B, 7-mers: {ceilings[name]:.2f}" if name in ceilings else ""
        ax.set_title(f"{name} (nearest {100 * identity:.0f} %{agreement})", fontsize=7)
        ax.set(xlabel="Pearson r with measured intensities")
        panel_letter(ax, letter)
    axes[0, 0].set(yticks=range(len(shown)), yticklabels=shown)
    axes[0, 0].invert_yaxis()
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig, table
