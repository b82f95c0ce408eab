"""Figures of the networks and their engines. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from regulome.network_drawing import draw_network
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.moments import Moments
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.network_table import influences
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

SMALLEST = 1e-6  # probability below which a joint law is left white


def networks(found: Mapping[str, StateTransitionNetwork]) -> tuple[Figure, pd.DataFrame]:
    """Who acts on whom in every network: arrow more, bar less."""
    columns = 4
    rows = -(-len(found) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(DOUBLE, 1.75 * rows), squeeze=False)
    drawn = []
    for ax, (name, network) in zip(axes.flat, found.items(), strict=False):
        links = influences(network)
        targets = list(network.states)
        draw_network(links, ax, _placed(targets, links), nodes=targets, inputs=())
        ax.set_title(name.replace("_", " "))
        drawn.append(links.assign(network=name))
    for ax in axes.flat[len(found) :]:
        ax.set_axis_off()
    return fig, pd.concat(drawn, ignore_index=True)[["network", "regulator", "target", "sign"]]


def _placed(names: Sequence[str], links: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Up to three states in a row, more on a circle; few ones in the order that puts most links between neighbours."""
    row, linked = len(names) <= 3, set(zip(links["regulator"], links["target"], strict=True))
    if len(names) <= 5:

        def neighbours(order: tuple[str, ...]) -> int:
            pairs = [*pairwise(order), *([] if row else [(order[-1], order[0])])]
            return sum(pair in linked or pair[::-1] in linked for pair in pairs)

        names = max(permutations(names), key=neighbours)
    if row:
        return {name: (2.0 * i, 0.0) for i, name in enumerate(names)}
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(names)) / len(names)
    radius = max(1.6, 0.55 * len(names))
    return {name: (radius * np.cos(a), radius * np.sin(a)) for name, a in zip(names, angle, strict=True)}


def gene_expression(
    truth: Distribution, simulated: Mapping[str, Distribution], mrna: np.ndarray
) -> tuple[Figure, pd.DataFrame]:
    """Joint law of mRNA and protein, exact and by the first simulation, and the marginals of all.

    Parameters
    ----------
    truth
        Exact law over states that include mRNA and Protein.
    simulated
        Laws by the names of the protocols.
    mrna
        Closed form of the mRNA marginal.
    """
    fig, axes = plt.subplots(1, 4, figsize=(DOUBLE, 2.2), width_ratios=[1, 1.2, 1.1, 1.1])
    pairs = [law.marginal("mRNA", "Protein") for law in (truth, *simulated.values())]
    shape = tuple(np.max([pair.counts.max(0) for pair in pairs], 0) + 1)
    tables = [pair.table(shape) for pair in pairs]
    inside = np.argwhere(tables[0] > SMALLEST)
    top = max(table.max() for table in tables[:2])
    for ax, table, title in zip(axes, tables, ("exact", "one trajectory"), strict=False):
        shown = ax.pcolormesh(
            np.where(table > SMALLEST, table, np.nan).T, norm=LogNorm(SMALLEST, top), cmap="viridis", rasterized=True
        )
        ax.set(xlim=(0, inside[:, 0].max()), ylim=(0, inside[:, 1].max()), xlabel="mRNA", title=title)
    axes[0].set(ylabel="protein")
    axes[1].set_yticklabels([])
    fig.colorbar(shown, ax=axes[1], label="joint probability")
    frames = []
    for ax, name in zip(axes[2:], ("mRNA", "Protein"), strict=True):
        for (label, law), colour in zip(simulated.items(), ("orange", "sky"), strict=False):
            vector = law.vector(name)
            ax.plot(vector, color=PALETTE[colour], lw=1.0, label=label)
            frames.append(_rows(name, label, vector))
        vector = truth.vector(name)
        ax.plot(vector, color=PALETTE["blue"], lw=1.2, label="exact")
        frames.append(_rows(name, "exact", vector))
        ax.set(xlabel=name if name == "mRNA" else "protein", ylabel="probability", ylim=(0, None))
        ax.set_xlim(0, inside[:, 0 if name == "mRNA" else 1].max())
    n = np.arange(0, inside[:, 0].max(), 3)
    axes[2].plot(n, mrna[n], "o", ms=2.5, mfc="white", mew=0.7, color=PALETTE["black"], label="closed form", zorder=4)
    frames.append(_rows("mRNA", "closed form", mrna[: inside[:, 0].max() + 1]))
    handles, labels = axes[2].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    for ax, letter in zip(axes, "abcd", strict=True):
        panel_letter(ax, letter)
    table = pd.concat(frames, ignore_index=True)
    return fig, table[table["probability"] > SMALLEST].reset_index(drop=True)


def _rows(species: str, law: str, vector: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"species": species, "law": law, "count": np.arange(len(vector)), "probability": vector})


def transient(
    times: np.ndarray,
    moments: Moments,
    laws: Mapping[float, Distribution],
    simulated: np.ndarray,
    grid: np.ndarray,
    name: str = "Protein",
) -> tuple[Figure, pd.DataFrame]:
    """Mean and sd of one species in time, and its law at some times: equations (lines), simulation (points).

    Parameters
    ----------
    times
        (G,) times of the moments.
    simulated
        (R, H) counts of the species in R trajectories at the times ``grid``, which hold those of ``laws``.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.4), width_ratios=[1, 1.3])
    at = moments.names.index(name)
    mean, sd = moments.mean[:, at], moments.sd[:, at]
    axes[0].fill_between(
        times, mean - sd, mean + sd, color=PALETTE["sky"], alpha=0.35, lw=0, label="mean ± sd, equations"
    )
    axes[0].plot(times, mean, color=PALETTE["blue"])
    axes[0].errorbar(
        grid, simulated.mean(0), simulated.std(0), fmt="o", ms=2.5, color=PALETTE["black"], lw=0.7, capsize=1.5,
        label="mean ± sd, simulated",
    )  # fmt: skip
    axes[0].set(xlabel="time (units of the model)", ylabel=name.lower())
    axes[0].legend(loc="lower right")
    frames = []
    for (time, law), colour in zip(laws.items(), ("vermillion", "orange", "green", "blue"), strict=False):
        vector = law.vector(name)
        column = simulated[:, int(np.argmin(np.abs(grid - time)))]
        share = np.bincount(column, minlength=len(vector))[: len(vector)] / len(column)
        error = np.sqrt(share * (1 - share) / len(column))
        every = max(1, int(law.sd[law.names.index(name)] / 4))
        n = np.arange(0, len(vector), every)
        axes[1].plot(vector, color=PALETTE[colour], label=f"t = {time:g}")
        axes[1].errorbar(n, share[n], error[n], fmt="o", ms=2, lw=0.6, color=PALETTE[colour])
        frames.append(
            pd.DataFrame({"time": time, "count": np.arange(len(vector)), "exact": vector, "simulated": share,
                          "standard_error": error})
        )  # fmt: skip
    table = pd.concat(frames, ignore_index=True)
    table = table[table["exact"] > SMALLEST].reset_index(drop=True)
    axes[1].set(xlabel=name.lower(), ylabel="probability", yscale="log", ylim=(1e-5, 1))
    axes[1].set_xlim(-1, table.loc[table["exact"] > 1e-5, "count"].max())
    axes[1].legend()
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def reference_noise(table: pd.DataFrame, earlier: Mapping[str, Mapping[str, float]]) -> tuple[Figure, pd.DataFrame]:
    """Distance of each protocol from the exact law, a point a parameter set.

    Parameters
    ----------
    table
        Of `reference_noise.measure`.
    earlier
        Medians measured before, by protocol and column.
    """
    columns = {
        "tv_joint": "total variation, joint law",
        "tv_Protein": "total variation, protein",
        "kl_Protein": "KL divergence, protein (nats)",
    }
    names = list(dict.fromkeys(table["protocol"]))
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.0), sharey=True)
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        for place, (name, colour) in enumerate(zip(names, ("orange", "sky", "blue"), strict=False)):
            values = np.sort(table.loc[table["protocol"] == name, column])
            spread = 0.2 * np.cos(2.4 * np.arange(len(values)))
            ax.plot(values, len(names) - 1 - place + spread, "o", ms=2.2, mew=0, alpha=0.6, color=PALETTE[colour])
            middle = np.median(values)
            ax.plot([middle] * 2, len(names) - 1 - place + np.array([-0.33, 0.33]), color="black", lw=1.3)
            if column in earlier.get(name, {}):
                ax.plot(
                    earlier[name][column], len(names) - 1 - place, "D", ms=4, mfc="none", mew=0.9,
                    color=PALETTE["vermillion"],
                )  # fmt: skip
        low, high = 10 ** np.floor(np.log10(table[column].min())), 10 ** np.ceil(np.log10(table[column].max()))
        ax.set(xscale="log", xlabel=label, xlim=(low, high), ylim=(-0.6, len(names) - 0.4))
        ax.xaxis.set_minor_formatter(NullFormatter())
    short = [name.replace(": ", ":\n") if ": " in name else name.replace(", ", ",\n") for name in names]
    axes[0].set(yticks=range(len(names)), yticklabels=short[::-1])
    for ax, letter in zip(axes, "abc", strict=True):
        panel_letter(ax, letter)
    return fig, table


def epidemic(
    shares: pd.DataFrame, earlier: Mapping[str, float], laws: Mapping[str, Distribution], time: float
) -> tuple[Figure, pd.DataFrame]:
    """Share of extinct epidemics by birth rate, and the law of the infected by three routes."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.3), width_ratios=[1, 1.3])
    x = np.arange(len(shares))
    error = np.maximum([shares["share"] - shares["low"], shares["high"] - shares["share"]], 0)
    axes[0].bar(
        x, shares["share"], color=PALETTE["sky"], yerr=error, error_kw={"lw": 0.8, "capsize": 2}, label="here, 95 %"
    )
    axes[0].plot(
        x, [earlier.get(name, np.nan) for name in shares["class"]], "D", ms=4, mfc="none", color=PALETTE["vermillion"],
        label="earlier measurement",
    )  # fmt: skip
    axes[0].set(xticks=x, xticklabels=shares["class"], xlabel="births, per unit of time", ylim=(0, 1.1))
    axes[0].set_ylabel(f"share extinct at t = {time:g}")
    axes[0].legend()
    styles = {"exact": ("-", ""), "simulated": ("", "o")}
    colours = {"quasi-stationary": "blue", "stationary": "orange"}
    for name, law in laws.items():
        kind, how = name.split(", ")
        vector = np.where(law.vector("I") > 0, law.vector("I"), np.nan)
        line, marker = styles[how]
        colour = PALETTE["black"] if how == "simulated" else PALETTE[colours[kind]]
        marker = "s" if kind == "stationary" else marker
        axes[1].plot(vector, ls=line if len(vector) > 1 else "", marker=marker, ms=3, color=colour, label=name)
    axes[1].set(xlabel="infected", ylabel="probability")
    longest = max(np.flatnonzero(law.vector("I") > 1e-4).max() for law in laws.values())
    axes[1].set(xlim=(-0.7, longest), yscale="log", ylim=(1e-4, 2))
    axes[1].legend()
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, shares


def insensitivity(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Mean and Fano factor of nascent and mature RNA against the shape of the waiting times."""
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.75, 2.2))
    for (name, part), colour in zip(table.groupby("species", sort=False), ("orange", "blue"), strict=False):
        axes[0].axhline(part["expected"].iloc[0], color=PALETTE[colour], lw=0.8, ls="--")
        axes[0].errorbar(
            part["shape"], part["mean"], 1.96 * part["standard_error"], fmt="o", ms=3, capsize=2, lw=0.8,
            color=PALETTE[colour], label=name,
        )  # fmt: skip
        axes[1].errorbar(
            part["shape"], part["fano"], 1.96 * part["fano_error"], fmt="o-", ms=3, capsize=2, lw=0.8,
            color=PALETTE[colour], label=name,
        )  # fmt: skip
    axes[1].axhline(1, color="grey", lw=0.6, ls=":")
    axes[0].set(ylabel="mean number of molecules", ylim=(0, None))
    axes[1].set(ylabel="Fano factor", ylim=(0, None))
    shapes = sorted(set(table["shape"]))
    for ax, letter in zip(axes, "ab", strict=True):
        ax.set(xscale="log", xlabel="shape of the waiting times", xticks=shapes, xticklabels=[f"{s:g}" for s in shapes])
        ax.minorticks_off()
        panel_letter(ax, letter)
    axes[0].legend()
    return fig, table


def bounds(tables: Mapping[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """Derived bounds against the published ones, a point a species."""
    fig, ax = plt.subplots(figsize=(SINGLE, 2.3))
    both = pd.concat([table.assign(bounds=name) for name, table in tables.items()], ignore_index=True)
    looks = (("blue", "o"), ("sky", "s"), ("vermillion", "^"))
    for (name, part), (colour, marker) in zip(both.groupby("bounds", sort=False), looks, strict=False):
        ax.plot(part["published"], part["bound"], marker, ms=3.5, mfc="none", color=PALETTE[colour], label=name)
    numbers = both[["published", "bound"]].to_numpy()
    ends = [10 ** np.floor(np.log10(numbers.min())), 10 ** np.ceil(np.log10(numbers.max()))]
    ax.plot(ends, ends, color="grey", lw=0.6)
    ax.set(xscale="log", yscale="log", xlabel="published bound", ylabel="largest mean + 3 sd", xlim=ends, ylim=ends)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.legend()
    return fig, both
