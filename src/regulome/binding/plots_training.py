"""Figures of the two-tower training. Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.binding import validation
from regulome.style import DOUBLE, PALETTE, panel_letter

_COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky", "black")
ROLES = {"model": ("blue", "o"), "baseline": ("black", "s"), "ceiling": ("green", "D")}


def _letters(axes) -> None:
    for ax, letter in zip(np.ravel(axes), "abcdefgh", strict=False):
        panel_letter(ax, letter)


def targets(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Raw intensities, the map from intensity to target, and targets; (b) and (c) of the first protein.

    Parameters
    ----------
    table
        Of `results_training.quantiles`.
    title
        Data set and its kind.
    """
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.4))
    first = table["protein"].iloc[0]
    raw = table[table["transform"] == table["transform"].iloc[0]]
    for (protein, rows), style in zip(raw.groupby("protein", sort=False), ("-", "--", ":", "-."), strict=False):
        axes[0].plot(rows["raw"], rows["share"], style, color=PALETTE["black"], lw=1, label=f"protein {protein}")
    axes[0].axvspan(raw["raw"].min(), -1, color=PALETTE["vermillion"], alpha=0.15, lw=0, label="log(1+y) undefined")
    axes[0].set_xscale("symlog", linthresh=1)
    axes[0].set(xlabel="intensity y (units of the source)", ylabel="share of probes below", ylim=(0, 1.02))
    axes[0].legend(loc="lower right")
    own = table[table["protein"] == first]
    styles = zip(_COLOURS, ("-", "--", "-.", ":"), strict=False)
    for (name, rows), (colour, style) in zip(own.groupby("transform", sort=False), styles, strict=False):
        known = rows.dropna(subset="target")
        axes[1].plot(known["raw"], known["target"], style, color=PALETTE[colour], lw=1.2, label=name)
        axes[2].plot(known["target"], known["share"], style, color=PALETTE[colour], lw=1.2)
    axes[1].set_xscale("symlog", linthresh=1)
    axes[1].set(xlabel="intensity y (units of the source)", ylabel="target (sd)")
    axes[2].set(xlabel="target (sd)", ylabel="share of probes below", ylim=(0, 1.02))
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    fig.suptitle(f"{title}; (b, c): protein {first}", fontsize=7)
    _letters(axes)
    return fig, table


def curves(log: pd.DataFrame, steps: pd.DataFrame, baselines: dict[str, float], title: str):
    """Training loss by step; median and mean correlation of the tuning proteins by epoch.

    Parameters
    ----------
    log
        epoch, median_r, mean_r, seconds and (optional) chosen.
    steps
        step and loss.
    baselines
        Mean correlation on the same proteins and RNAs of what needs no training, by name.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.3))
    axes[0].plot(steps["step"], steps["loss"], color=PALETTE["sky"], lw=0.6, label="every step")
    width = max(1, len(steps) // 20)
    smooth = steps["loss"].rolling(width, min_periods=1, center=True).mean()
    axes[0].plot(steps["step"], smooth, color=PALETTE["blue"], lw=1.2, label=f"mean of {width} steps")
    axes[0].set(xlabel="step", ylabel="0.2 Huber + 0.8 (1 - r)")
    axes[0].legend()
    axes[1].plot(log["epoch"], log["median_r"], "o-", ms=3, color=PALETTE["blue"], label="two-tower, median")
    axes[1].plot(log["epoch"], log["mean_r"], "s-", ms=3, color=PALETTE["vermillion"], label="two-tower, mean")
    for (name, value), style in zip(baselines.items(), (":", "--", "-."), strict=False):
        axes[1].axhline(value, color="black", lw=0.8, ls=style, label=f"{name}, mean")
    axes[1].set(xlabel="epoch", ylabel="Pearson r, tuning proteins")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    both = pd.concat([log.assign(panel="validation"), steps.assign(panel="loss")], ignore_index=True)
    return fig, both


def protocols(table: pd.DataFrame, roles: dict[str, str], title: str) -> tuple[Figure, pd.DataFrame]:
    """Mean (filled) and median (open) correlation of every method, one panel a protocol, 95 % intervals.

    Parameters
    ----------
    table
        Of `validation.summary` by protocol and method.
    roles
        "model", "baseline" or "ceiling" of each method, in the order in which they are drawn.
    """
    order = {name: place for place, name in enumerate(roles)}
    methods = sorted(dict.fromkeys(table["method"]), key=lambda name: order.get(name, len(order)))
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 0.9 + 0.22 * len(methods)), sharey=True, sharex=True)
    for ax, protocol in zip(axes, validation.PROTOCOLS, strict=True):
        for row in table[table["protocol"] == protocol].itertuples():
            colour, marker = ROLES[roles.get(row.method, "baseline")]
            place = methods.index(row.method)
            for shift, value, low, high, face in (
                (-0.14, row.mean, row.mean_low, row.mean_high, PALETTE[colour]),
                (0.14, row.median, row.median_low, row.median_high, "white"),
            ):
                ax.plot([low, high], [place + shift] * 2, color=PALETTE[colour], lw=1)
                ax.plot(value, place + shift, marker, ms=4, color=PALETTE[colour], mfc=face, mew=0.8)
        ax.set_title(protocol)
        ax.set(xlabel="Pearson r per protein")
        ax.axvline(0, color="0.8", lw=0.6, zorder=0)
    axes[0].set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
    fig.suptitle(f"{title}; filled: mean, open: median", fontsize=7)
    _letters(axes)
    return fig, table


def by_identity(scores: pd.DataFrame, methods: list[str], title: str) -> tuple[Figure, pd.DataFrame]:
    """Correlation of every new protein on new RNAs against its identity with the nearest training protein.

    Parameters
    ----------
    scores
        protocol, method, protein, identity (fraction) and r.
    methods
        The two to draw; the right panel sets one against the other.
    """
    own = scores[(scores["protocol"] == validation.DISJOINT) & scores["method"].isin(methods)]
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.85, 2.5), width_ratios=[1.35, 1])
    for name, colour, marker in zip(methods, ("blue", "vermillion"), "os", strict=True):
        rows = own[own["method"] == name]
        axes[0].plot(100 * rows["identity"], rows["r"], marker, ms=3, mew=0.6, mfc="none", color=PALETTE[colour],
                     label=name)  # fmt: skip
    axes[0].set(xlabel="identity with the nearest training protein (%)", ylabel="Pearson r on new RNAs")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    wide = own.pivot(index="protein", columns="method", values="r")
    axes[1].plot([-1, 1], [-1, 1], color="0.7", lw=0.8, zorder=0)
    axes[1].plot(wide[methods[1]], wide[methods[0]], "o", ms=3, mew=0.6, mfc="none", color=PALETTE["black"])
    ends = (min(0.0, float(wide.min().min())) - 0.05, min(1.0, float(wide.max().max()) + 0.05))
    axes[1].set(xlabel="r, nearest training protein", ylabel=f"r, {methods[0]}", xlim=ends, ylim=ends)
    axes[1].set_aspect("equal")
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    return fig, own.reset_index(drop=True)


def ablations(tables: dict[str, pd.DataFrame], title: str) -> tuple[Figure, pd.DataFrame]:
    """Difference of every variant from the default, one panel a protocol.

    Parameters
    ----------
    tables
        By protocol, of `ablations.table`; the default comes first.
    """
    first = next(iter(tables.values()))
    fig, axes = plt.subplots(1, len(tables), figsize=(DOUBLE, 0.9 + 0.17 * len(first)), sharey=True)
    for ax, (protocol, table) in zip(axes, tables.items(), strict=True):
        for place, row in list(enumerate(table.itertuples()))[1:]:
            ax.plot([row.low, row.high], [place] * 2, color=PALETTE["blue"], lw=1)
            ax.plot(row.difference, place, "o", ms=3.5, color=PALETTE["blue"])
        groups = table["group"].to_numpy()
        for place in np.flatnonzero(groups[1:] != groups[:-1]):
            ax.axhline(place + 0.5, color="0.88", lw=0.6, zorder=0)
        ax.axvline(0, color="black", lw=0.8, ls=":")
        base = table.iloc[0]
        ax.set_title(protocol.replace(", ", ",\n") + f"\ndefault: r = {base['mean']:.3f}", fontsize=6)
        ax.set(xlabel="difference of r")
    axes[0].set(yticks=range(len(first)), yticklabels=first["variant"], ylim=(len(first) - 0.4, -0.6))
    fig.suptitle(title, fontsize=7)
    _letters(axes)
    return fig, pd.concat([table.assign(protocol=name) for name, table in tables.items()], ignore_index=True)
