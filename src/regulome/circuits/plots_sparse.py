"""Panels of Fig. 4 (three-gene oscillators). Each function takes data and returns (figure, table of what is drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from regulome.circuits.codes import decode
from regulome.circuits.hill_transfer import DT
from regulome.circuits.plots_adaptation import faint
from regulome.circuits.sparse_oscillators import (
    P53,
    P53_NAMES,
    PUBLISHED_HIGH,
    PUBLISHED_RANGES,
    RELEASED,
    STEP_AT,
    TEST_DT,
)
from regulome.network_drawing import draw_network
from regulome.style import DOUBLE, PALETTE, SINGLE, panel_letter

REGULATORS = ("I1", "I2", "g1", "g2", "g3")
POSITIONS = {"I2": (-1, 1), "I1": (1, 1), "g1": (-1, 0), "g2": (1, 0), "g3": (0, -1)}
DRAWN, ACROSS = 6, 3  # classes drawn, and side by side


def trajectories(
    curves: dict[int, np.ndarray], scores: pd.DataFrame, replicate: int = 0
) -> tuple[Figure, pd.DataFrame]:
    """Fig. 4a: g1 under I1 (above) and I2 (below) for every number of links; ``curves`` (R, 3, T) by links.

    One replicate is black, whatever it looks like; the table has its curve and quantiles of all.
    """
    fig, axes = plt.subplots(2, len(curves), figsize=(DOUBLE, 2.4), sharex=True, sharey=True)
    good = scores.groupby("links")["good"].agg(["sum", "size"])
    rows = []
    for column, (links, levels) in enumerate(curves.items()):
        time = (np.arange(levels.shape[2]) + 1) * TEST_DT
        for row, condition in enumerate(("oscillation", "high")):
            ax, drawn = axes[row, column], levels[:, row + 1]
            ax.plot(time, drawn.T, color=PALETTE["blue"], lw=0.3, alpha=faint(len(drawn)))
            ax.plot(time, drawn[replicate], color="black", lw=0.7)
            ax.axvline(STEP_AT * TEST_DT, color="grey", lw=0.5, ls=":")
            low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95], axis=0)
            table = {"links": links, "condition": condition, "time": time, "replicate": drawn[replicate]}
            rows.append(pd.DataFrame(table | {"low": low, "median": middle, "high": high}))
        axes[0, column].set_title(f"{links} links\n{good['sum'][links]}/{good['size'][links]} good")
    axes[0, 0].set(ylim=(0, 1.05), ylabel="g1 under I1", xticks=(0, 15, 30))
    axes[1, 0].set_ylabel("g1 under I2")
    fig.supxlabel("time (lifetimes)", fontsize=plt.rcParams["axes.labelsize"])
    return fig, pd.concat(rows, ignore_index=True)


def phenotypes(shares: dict[str, pd.DataFrame], scores: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Share of good networks (a), swing of g1 under I1 (b) and level under I2 (c) against the number of links.

    ``shares`` maps a name to `sparse_oscillators.shares`; ``scores`` are of `sparse_oscillators.score_levels`.
    """
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.2))
    looks = zip(PALETTE.values(), "osD^", strict=False)
    for shift, ((name, table), (colour, marker)) in enumerate(zip(shares.items(), looks, strict=False)):
        x, error = table["links"] + 0.12 * shift, [table["share"] - table["low"], table["high"] - table["share"]]
        axes[0].errorbar(
            x, table["share"], error, fmt=f"{marker}-", color=colour, lw=0.8, ms=3, capsize=1.5, label=name
        )
    axes[0].set(ylabel="share of good networks", ylim=(-0.03, 1.03))
    axes[0].legend(loc="lower left")
    rng = np.random.default_rng(0)  # horizontal scatter of the points only
    x = scores["links"] + rng.uniform(-0.15, 0.15, len(scores))
    published = [pd.Series({k: high - low for k, (low, high) in PUBLISHED_RANGES.items()}), pd.Series(PUBLISHED_HIGH)]
    labels = ("swing of g1 under I1", "mean g1 under I2")
    for ax, name, run, label in zip(axes[1:], ("swing", "high"), published, labels, strict=True):
        for good, colour in ((True, PALETTE["blue"]), (False, PALETTE["orange"])):
            kept = scores["good"] == good
            ax.plot(
                x[kept],
                scores[name][kept],
                "o",
                color=colour,
                ms=2.2,
                alpha=0.5,
                mew=0,
                label="good" if good else "not good",
            )
        run = run[run.index.isin(scores["links"])]
        ax.plot(run.index, run, "x--", color="black", lw=0.6, ms=4, label="published run")
        ax.set(ylabel=label)
    axes[2].legend(loc="lower left")
    axes[2].set_ylim(0, 1)
    for ax, letter in zip(axes, "abc", strict=True):
        ax.set(xlabel="number of links", xticks=sorted(scores["links"].unique()))
        ax.invert_xaxis()
        panel_letter(ax, letter)
    kept = [
        "links",
        "replicate",
        "minimum",
        "maximum",
        "swing",
        "high",
        "rest",
        "oscillates",
        "is_high",
        "rests",
        "good",
    ]
    frames = [table.assign(panel="a", group=name) for name, table in shares.items()]
    return fig, pd.concat([*frames, scores[kept].assign(panel="b, c")], ignore_index=True)


def signed_links(code: str, names: dict[str, str] | None = None) -> pd.DataFrame:
    """Links of one topology as a table that `draw_network` takes; ``names`` renames nodes."""
    names = names or {name: name for name in REGULATORS}
    signs = decode([code], 2, 3)[0]
    rows = [(names[REGULATORS[i]], names[REGULATORS[2 + j]], signs[i, j]) for i, j in np.argwhere(signs)]
    return pd.DataFrame(rows, columns=["regulator", "target", "sign"])


def _draw(code: str, ax, names: dict[str, str] | None = None) -> None:
    names = names or {name: name for name in REGULATORS}
    positions = {names[node]: point for node, point in POSITIONS.items()}
    draw_network(signed_links(code, names), ax, positions, nodes=list(positions), inputs=["I1", "I2"])


def class_drawings(table: pd.DataFrame, links: int, drawn: int = DRAWN) -> tuple[Figure, pd.DataFrame]:
    """Fig. 4b, c: the most frequent canonical classes of the good networks with ``links`` links, with counts."""
    rows = table[table["links"] == links].reset_index(drop=True)
    height = -(-max(1, min(drawn, len(rows))) // ACROSS)
    fig, axes = plt.subplots(height, ACROSS, figsize=(DOUBLE * 0.85, 1.9 * height), squeeze=False)
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, row in zip(axes.flat, rows.itertuples(), strict=False):
        _draw(row.canonical, ax)
        title = f"{row.networks} of {row.of} ({row.low:.0%}–{row.high:.0%})"
        title += ", p53 module" if row.p53 else ""
        ax.set_title(title, color=PALETTE["blue"] if row.p53 else "black")
    if rows.empty:
        axes[0, 0].set_title(f"no good network with {links} links")
    return fig, rows


def deletion_tree(nodes: pd.DataFrame, votes: dict[tuple[str, str], int], p53: str) -> tuple[Figure, pd.DataFrame]:
    """The tree of deletions: a dot a set of links, rows by their number, coloured by the share of good replicates.

    Parameters
    ----------
    nodes
        Table of `sparse_oscillators.tree_nodes`.
    votes
        Edges of `deletion_tree.Tree`.
    p53
        Name of the set of links of the p53 module, which is marked.
    """
    places = _places(nodes, votes)
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.75, 3.0))
    most = max(votes.values(), default=1)
    for (parent, child), count in votes.items():
        (x0, y0), (x1, y1) = places[parent], places[child]
        ax.plot([x0, x1], [y0, y1], color="#888888", lw=0.3 + 1.8 * count / most, zorder=1)
    x, y = np.array([places[name] for name in nodes["mask"]]).T
    size = 25 + 130 * nodes["votes"] / max(1, nodes["votes"].max())
    dots = ax.scatter(x, y, s=size, c=nodes["share"], cmap="viridis", norm=Normalize(0, 1), edgecolor="white", zorder=2)
    for name in nodes["mask"][nodes["mask"] == p53]:
        ax.scatter(*places[name], s=330, facecolor="none", edgecolor=PALETTE["vermillion"], lw=1.3, zorder=3)
        where = {"xytext": (0, -16), "textcoords": "offset points", "ha": "center"}
        ax.annotate("p53 module's links", places[name], color=PALETTE["vermillion"], **where)
    edge = max(place for place, _ in places.values())
    for links, group in nodes.groupby("links"):
        text = f"{group['good'].sum()}/{group['replicates'].sum()} good"
        ax.annotate(text, (edge, links), (12, 0), textcoords="offset points", va="center")
    ax.set(ylabel="number of links", xticks=[], yticks=sorted(nodes["links"].unique()))
    ax.margins(x=0.12, y=0.1)
    ax.spines["bottom"].set_visible(False)
    fig.colorbar(dots, ax=ax, label="share of good replicates", shrink=0.7)
    edges = pd.DataFrame([(*edge, count) for edge, count in votes.items()], columns=["parent", "mask", "edge_votes"])
    return fig, nodes.assign(x=x).merge(edges, on="mask", how="left")


def _places(nodes: pd.DataFrame, votes: dict[tuple[str, str], int]) -> dict[str, tuple[float, float]]:
    """Rows by the number of links; within a row, by the mean place of the parents."""
    places = {}
    for links in sorted(nodes["links"].unique(), reverse=True):
        names = nodes["mask"][nodes["links"] == links].tolist()
        above = {n: [places[p][0] for p, child in votes if child == n and p in places] for n in names}
        ordered = sorted(names, key=lambda n: (np.mean(above[n]) if above[n] else 0.0, n))
        for i, name in enumerate(ordered):
            places[name] = (i - (len(names) - 1) / 2, float(links))
    return places


def control(every: pd.DataFrame, sparsened: set[str], p53: str, reference: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Share of good replicates of arbitrary connected sets of links, beside sparsened ones.

    Parameters
    ----------
    every
        Columns mask, good, total, share, low, high: arbitrary sets.
    sparsened
        Names of the sets that sparsening or the tree arrived at.
    p53
        Name of the p53 module's set.
    reference
        One row a pooled share: name, share, low, high.
    """
    table = every.sort_values(["share", "mask"], ascending=[False, True], ignore_index=True)
    table["reached"], table["p53"] = table["mask"].isin(sparsened), table["mask"] == p53
    fig, (ax, pooled) = plt.subplots(1, 2, figsize=(DOUBLE, 2.2), width_ratios=[2.4, 1])
    looks = {False: (PALETTE["orange"], "not reached"), True: (PALETTE["blue"], "reached by sparsening or tree")}
    for reached, (colour, label) in looks.items():
        part = table[table["reached"] == reached]
        error = [part["share"] - part["low"], part["high"] - part["share"]]
        ax.errorbar(part.index + 1, part["share"], error, fmt="o", color=colour, ms=3, lw=0.7, label=label)
    for index, row in table[table["p53"]].iterrows():
        where = {"xytext": (10, 10), "textcoords": "offset points", "arrowprops": {"arrowstyle": "-", "lw": 0.6}}
        ax.annotate("p53 module", (index + 1, row["high"]), **where)
    ax.set(xlabel="connected set of 6 links, by rank", ylabel="share of good replicates", ylim=(-0.03, 1.03))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(loc="upper right")
    error = [reference["share"] - reference["low"], reference["high"] - reference["share"]]
    pooled.errorbar(reference["share"], range(len(reference)), xerr=error, fmt="o", color="black", ms=3, capsize=2)
    pooled.set(
        xlabel="share of good networks", yticks=range(len(reference)), yticklabels=reference["name"], xlim=(-0.03, 1.03)
    )
    pooled.invert_yaxis()
    panel_letter(ax, "a")
    panel_letter(pooled, "b")
    return fig, pd.concat([table.assign(panel="a"), reference.assign(panel="b")], ignore_index=True)


def p53_module(rnn: np.ndarray, on_map: np.ndarray, exact: np.ndarray) -> tuple[Figure, pd.DataFrame]:
    """Fig. 4d: network #6 as released and the p53 module, and trained network and Hill circuits in three conditions.

    Parameters
    ----------
    rnn
        (R, 3, T) output of trained networks with this topology; R may be 0.
    on_map, exact
        (3, T, G) Hill circuit on the Euler map it was fitted to, and solution of the one fitted to the solution.
    """
    fig, panels = plt.subplot_mosaic("aaabbb;ccddee", figsize=(DOUBLE, 3.5), height_ratios=[1.15, 1])
    axes = [panels[letter] for letter in "abcde"]
    for ax, code, names, title in (
        (axes[0], RELEASED, None, "#6, released"),
        (axes[1], P53, P53_NAMES, "p53 module (#6-3)"),
    ):
        _draw(code, ax, names)
        ax.set_title(title)
    rows = []
    for ax, case, title in zip(axes[2:], range(3), ("rest", "I1 = 0.8", "I2 = 0.8"), strict=True):
        if len(rnn):
            time = (np.arange(rnn.shape[2]) + 1 - STEP_AT) * TEST_DT
            ax.plot(time, rnn[0, case], color=PALETTE["blue"], lw=0.8, label="trained network")
            rows.append(pd.DataFrame({"model": "trained network", "case": title, "time": time, "g1": rnn[0, case]}))
        for curve, colour, style, name in (
            (on_map, PALETTE["orange"], "--", "Hill, Euler map (dt 0.25)"),
            (exact, PALETTE["vermillion"], "-", "Hill, solution"),
        ):
            time = (np.arange(curve.shape[1]) + 1) * DT
            ax.plot(time, curve[case, :, 0], color=colour, lw=0.8, ls=style, label=name)
            rows.append(pd.DataFrame({"model": name, "case": title, "time": time, "g1": curve[case, :, 0]}))
        ax.set(title=title, xlabel="time since the step", xlim=(-6, 50))
    axes[2].set_ylabel("g1 (p53)")
    top = max(ax.get_ylim()[1] for ax in axes[2:])
    for ax, letter in zip(axes, "abcde", strict=True):
        panel_letter(ax, letter)
        if letter in "cde":
            ax.set_ylim(-0.02, top)
    fig.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig, pd.concat(rows, ignore_index=True)


def transfer(summary: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Share of topologies for which each search finds Hill parameters; ``summary`` of `hill_transfer.summarise`."""
    fig, ax = plt.subplots(figsize=(SINGLE * 1.35, 2.3))
    groups = list(dict.fromkeys(summary["group"]))
    searches = list(dict.fromkeys(summary["search"]))
    for shift, (group, colour) in enumerate(zip(groups, PALETTE.values(), strict=False)):
        rows = summary[summary["group"] == group]
        x = np.arange(len(searches)) + 0.8 * (shift - (len(groups) - 1) / 2) / len(groups)
        error = [rows["share"] - rows["low"], rows["high"] - rows["share"]]
        ax.bar(x, rows["share"], 0.75 / len(groups), color=colour, label=f"{group} ({rows['of'].iloc[0]})")
        ax.errorbar(x, rows["share"], error, fmt="none", ecolor="#444444", lw=0.7, capsize=1.5)
    ax.set(ylabel="share of topologies", ylim=(0, 1.02), xticks=range(len(searches)))
    ax.set_xticklabels([name.replace(", ", ",\n") for name in searches])
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return fig, summary
