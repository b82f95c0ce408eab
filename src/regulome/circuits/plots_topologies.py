"""Panels of Fig. 3 on topologies: counts, Venn diagram, hit probabilities, the layered graph, and what moves them.

Each function takes data and returns (figure, table of what is drawn).
"""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from scipy.optimize import brentq

from regulome.circuits import codes
from regulome.circuits.topology_graph import TopologyGraph
from regulome.network_drawing import draw_network
from regulome.style import DOUBLE, PALETTE, panel_letter

PUBLISHED = PALETTE["vermillion"]
POSITIONS = {"I1": (-0.6, 1), "I2": (0.6, 1), "g1": (-0.6, 0), "g2": (0.6, 0)}
BRANCH_COLOURS = {"left": PALETTE["orange"], "right": PALETTE["blue"], "neither": "grey"}


def topology_counts(cutoffs: pd.DataFrame, published: dict, curve: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Distinct topologies against the cutoff, and how unevenly the runs fall on them.

    ``cutoffs`` of `oscillation_topologies.cutoff_curve`, ``published`` cutoff -> (distinct, connected), ``curve`` of
    `oscillation_topologies.degeneracy`.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.8, 2.3))
    x = np.arange(len(cutoffs))
    axes[0].plot(x, cutoffs["distinct"], "o--", color=PALETTE["sky"], label="all")
    axes[0].plot(x, cutoffs["connected"], "o-", color=PALETTE["blue"], label="connected")
    theirs = cutoffs["cutoff"].map(lambda c: published[c][1] or published[c][0]).astype(float)  # at 0 all are connected
    axes[0].plot(x, theirs, "x", color=PUBLISHED, ms=4.5, label="published networks, connected")
    axes[0].set_xticks(x, [f"{c:g}" for c in cutoffs["cutoff"]], rotation=30, ha="right")
    axes[0].set(xlabel="cutoff on the link value", ylabel="distinct topologies")
    axes[0].set_ylim(0, 1.45 * axes[0].dataLim.ymax)  # room for the legend
    axes[0].legend(loc="upper left")
    share = np.concatenate([[0], curve["share_topologies"]])
    axes[1].plot(share, np.concatenate([[0], curve["share_runs"]]), color=PALETTE["blue"], label="ours")
    axes[1].plot([0, 1], [0, 1], color="grey", lw=0.6, ls=":", label="all equally frequent")
    axes[1].plot(0.3, 0.8, "*", color=PUBLISHED, ms=6, label="text of the paper")
    axes[1].plot(0.3, 0.63, "x", color=PUBLISHED, ms=4.5, label="published networks")
    axes[1].set(xlabel="share of topologies, most frequent first", ylabel="share of runs", xlim=(0, 1), ylim=(0, 1.02))
    axes[1].legend(loc="lower right")
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    table = pd.concat([cutoffs.assign(panel="a", published=theirs), curve.assign(panel="b")], ignore_index=True)
    return fig, table


def frequent_topologies(curve: pd.DataFrame, hits: dict[str, int], count: int = 8) -> tuple[Figure, pd.DataFrame]:
    """The most frequent topologies as networks, with their runs and their hits in the enumeration."""
    shown = curve.head(count).copy()
    shown["hits"] = shown["topology"].map(hits).fillna(0).astype(int)
    columns = 4
    fig, axes = plt.subplots(-(-len(shown) // columns), columns, figsize=(DOUBLE, 1.65 * -(-len(shown) // columns)))
    for ax in np.atleast_1d(axes).flat[len(shown) :]:
        ax.set_visible(False)
    for ax, row in zip(np.atleast_1d(axes).flat, shown.itertuples(), strict=False):
        signs = codes.decode([row.topology])[0]
        links = [
            (regulator, target, int(signs[i, j]))
            for i, regulator in enumerate(("I1", "I2", "g1", "g2"))
            for j, target in enumerate(("g1", "g2"))
            if signs[i, j]
        ]
        table = pd.DataFrame(links, columns=["regulator", "target", "sign"])
        draw_network(table, ax, POSITIONS, nodes=list(POSITIONS), inputs=["I1", "I2"])
        ax.set_title(f"{row.runs} runs, {row.hits} hits")
    return fig, shown


def venn(parts: dict[str, dict[str, int]]) -> tuple[Figure, pd.DataFrame]:
    """Fig. 3d: two sets of topologies as circles whose areas, and whose overlap, are to scale.

    ``parts`` maps a title to the counts of `oscillation_topologies.venn_counts`. Members that are one link from the
    other set are given as a number; they have no area of their own.
    """
    fig, axes = plt.subplots(1, len(parts), figsize=(DOUBLE * 0.9, 2.5), squeeze=False)
    rows, spans = [], []
    for ax, letter, (title, n) in zip(axes[0], "abc", parts.items(), strict=False):
        rnn, hill = (n[f"{side} far"] + n[f"{side} near"] + n["identical"] for side in ("rnn", "hill"))
        left, right, apart = _circles(rnn, hill, n["identical"])
        for centre, radius, colour in ((0, left, PALETTE["blue"]), (apart, right, PALETTE["orange"])):
            ax.add_patch(Circle((centre, 0), radius, facecolor=colour, alpha=0.35, edgecolor=colour))
        edges = (-left, min(apart - right, left), left, apart + right)  # crescent, lens, crescent on the axis
        texts = (
            f"{n['rnn far'] + n['rnn near']}\n({n['rnn near']} one\nlink off)",
            f"{n['identical']}",
            f"{n['hill far'] + n['hill near']}\n({n['hill near']} one\nlink off)",
        )
        for x, text in zip(np.convolve(edges, [0.5, 0.5], "valid"), texts, strict=True):
            ax.text(x, 0, text, ha="center", va="center")
        for x, text, colour in ((0.0, f"networks: {rnn}", PALETTE["blue"]), (1.0, f"Hill: {hill}", "#8A5F00")):
            ax.text(x, -0.02, text, ha="right" if x else "left", va="top", color=colour, transform=ax.transAxes)
        spans.append((-left, apart + right, max(left, right)))
        ax.set_aspect("equal")
        ax.axis("off")
        ax.set_title(title)
        panel_letter(ax, letter)
        rows.append({"enumeration": title, "networks": rnn, "hill": hill, **n})
    width, height = 0.53 * max(high - low for low, high, _ in spans), 1.05 * max(radius for *_, radius in spans)
    for ax, (low, high, _) in zip(axes[0], spans, strict=False):  # one scale for all panels
        ax.set(xlim=((low + high) / 2 - width, (low + high) / 2 + width), ylim=(-height, height))
    return fig, pd.DataFrame(rows)


def _bars(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Heights and (2, K) distances to the ends of the intervals, for `Axes.errorbar`."""
    middle, low, high = (rows[name].to_numpy() for name in ("ours", "low", "high"))
    return middle, np.stack([middle - low, high - middle]).clip(0)


def _circles(left: float, right: float, common: float) -> tuple[float, float, float]:
    """Radii and distance of two circles with areas ``left`` and ``right`` that share the area ``common``."""
    r, s = np.sqrt(max(left, 1e-9) / np.pi), np.sqrt(max(right, 1e-9) / np.pi)
    if common <= 0:
        return r, s, (r + s) * 1.05
    if common >= min(left, right):
        return r, s, abs(r - s)

    def overlap(d):
        a = r * r * np.arccos(np.clip((d * d + r * r - s * s) / (2 * d * r), -1, 1))
        b = s * s * np.arccos(np.clip((d * d + s * s - r * r) / (2 * d * s), -1, 1))
        kite = max(0, (-d + r + s) * (d + r - s) * (d - r + s) * (d + r + s))
        return a + b - 0.5 * np.sqrt(kite) - common

    return r, s, brentq(overlap, abs(r - s) + 1e-9, r + s)


def probabilities(
    seeds: pd.DataFrame, chance: pd.DataFrame, published: dict[str, float], titles: dict[str, str]
) -> tuple[Figure, pd.DataFrame]:
    """Fig. 3e: share of runs whose topology is in the enumeration, or one link from it, beside chance.

    Parameters
    ----------
    seeds
        Columns seed, enumeration, distance, ours, low, high; the counted runs.
    chance
        Columns enumeration, baseline, direct, near.
    published
        Value of each distance, for the first enumeration.
    titles
        Enumeration -> title of its panel.
    """
    fig, axes = plt.subplots(1, len(titles), figsize=(DOUBLE, 2.7), sharey=True, squeeze=False)
    for ax, letter, (key, title) in zip(axes[0], "abc", titles.items(), strict=False):
        for i, (name, column, colour) in enumerate((("direct", "direct", "blue"), ("<= 1 link", "near", "sky"))):
            rows = seeds[(seeds["enumeration"] == key) & (seeds["distance"] == name)]
            shift = 0.4 * i - 0.2
            x = np.linspace(-0.12, 0.12, len(rows)) if len(rows) > 1 else np.zeros(1)
            words = "in the enumeration" if name == "direct" else "within one link"
            ax.bar(shift, rows["ours"].mean(), width=0.38, color=PALETTE[colour], alpha=0.8, label=words)
            ax.errorbar(shift + x, *_bars(rows), fmt="o", color="black", ms=2, lw=0.7)
            levels = chance[chance["enumeration"] == key]
            ax.bar(np.arange(len(levels)) + 1.2 + shift, levels[column], width=0.38, color=PALETTE[colour], alpha=0.35)
            if key == next(iter(titles)):
                ax.plot(shift, published[name], "x", color=PUBLISHED, ms=5, label="published" if i else None)
        labels = [fill(name, 14) for name in ("trained networks", *levels["baseline"])]
        ax.set_xticks([0, *np.arange(len(levels)) + 1.2], labels, rotation=35, ha="right", rotation_mode="anchor")
        ax.axvline(0.6, color="grey", lw=0.6, ls=":")
        ax.set(title=title, ylim=(0, 1.05))
        panel_letter(ax, letter)
    axes[0, 0].set_ylabel("probability (95 %)")
    axes[0, 0].legend(loc="upper right")
    table = pd.concat([seeds.assign(kind="trained"), chance.assign(kind="chance")], ignore_index=True)
    return fig, table


def layered(graph: TopologyGraph, table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Fig. 3f: topologies of the enumeration in rows by number of links; area is the number of hits.

    ``table`` of `topology_graph.node_table`. Filled: found by trained networks, with the number of runs.
    """
    fig, ax = plt.subplots(figsize=(DOUBLE, 3.3))
    ends = np.stack([graph.x[graph.edges], graph.links[graph.edges]], axis=-1)
    ax.add_collection(LineCollection(ends, colors="#BBBBBB", linewidths=0.5, zorder=1))
    for name, colour in BRANCH_COLOURS.items():
        part = table[table["branch"] == name]
        if not len(part):
            continue
        area = 10 + 160 * part["hits"] / table["hits"].max()
        seen = part["runs"].to_numpy() > 0
        filled = [colour if hit else "white" for hit in seen]
        ax.scatter(part["x"], part["links"], s=area, c=filled, edgecolors=colour, linewidths=0.8, zorder=2)
        label = f"{name} branch: {len(part)} topologies, {seen.sum()} found"
        ax.text(part["x"].mean(), table["links"].max() + 0.55, label, color=colour, ha="center", fontsize=7)
    for row in table[table["runs"] > 0].itertuples():
        below = (0, -2 - np.sqrt((10 + 160 * row.hits / table["hits"].max()) / np.pi))  # scatter sizes are areas
        how = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 5}
        ax.annotate(f"{row.runs}", (row.x, row.links), below, **how)
    ax.set_yticks(sorted(table["links"].unique()))
    ax.set(ylabel="number of links", ylim=(table["links"].min() - 0.5, table["links"].max() + 0.8), xticks=[])
    ax.spines["bottom"].set_visible(False)
    return fig, table


def branch_shares(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Share of left-branch topologies, and of good runs, in the three arms of the experiment on the bias.

    ``table`` has columns arm, measure, ours, low, high, with 95 % Wilson intervals.
    """
    measures = list(dict.fromkeys(table["measure"]))
    fig, axes = plt.subplots(1, len(measures), figsize=(DOUBLE * 0.8, 2.2), sharey=True, squeeze=False)
    for ax, measure, letter in zip(axes[0], measures, "abcd", strict=False):
        rows = table[table["measure"] == measure]
        x = np.arange(len(rows))
        ax.bar(x, rows["ours"], color=PALETTE["orange" if "left" in measure else "sky"], width=0.6)
        ax.errorbar(x, *_bars(rows), fmt="none", color="black", lw=0.8, capsize=2)
        ax.set_xticks(x, [arm.replace(", ", ",\n") for arm in rows["arm"]])
        ax.set(title=measure, ylim=(0, 1.05))
        panel_letter(ax, letter)
    axes[0, 0].set_ylabel("share (95 % interval)")
    return fig, table


def training_grid(table: pd.DataFrame, published: dict[str, float]) -> tuple[Figure, pd.DataFrame]:
    """What the published numbers depend on: four measures against the length of the training, a line a noise level.

    ``table`` has columns noise, updates, measure, ours, low, high; ``published`` maps a measure to a value.
    """
    measures = list(dict.fromkeys(table["measure"]))
    fig, axes = plt.subplots(1, len(measures), figsize=(DOUBLE, 2.1), squeeze=False)
    noises = sorted(table["noise"].unique())
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(noises)))
    lengths = sorted(table["updates"].unique())
    for ax, measure, letter in zip(axes[0], measures, "abcd", strict=False):
        for i, (noise, colour) in enumerate(zip(noises, colours, strict=True)):
            rows = table[(table["measure"] == measure) & (table["noise"] == noise)].sort_values("updates")
            x = rows["updates"] * (1 + 0.03 * (i - (len(noises) - 1) / 2))  # side by side, so that intervals show
            ax.errorbar(x, *_bars(rows), fmt="o-", color=colour, ms=2.5, lw=0.8, label=f"noise {noise:g}")
        if measure in published:
            ax.axhline(published[measure], color=PUBLISHED, lw=0.8, ls="--", label="published")
        ax.set_xscale("log")
        ax.set_xticks(lengths, [f"{n:g}" for n in lengths])
        ax.minorticks_off()
        ax.set(title=measure, xlabel="updates", xlim=(min(lengths) / 1.3, max(lengths) * 1.3))
        ax.set_ylim(0, None if "number" in measure else 1.05)
        panel_letter(ax, letter)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(noises) + 1)
    return fig, table


def read_outs(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Hit probabilities by strength of the mutation and kind of read-out, with 95 % Wilson intervals.

    ``table`` has columns kind, strength, distance, ours, low, high, sign_agrees.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE * 0.8, 2.2), sharey=True)
    strengths = sorted(table["strength"].unique())
    for ax, name, title, letter in zip(
        axes, ("direct", "<= 1 link"), ("in the enumeration", "within one link"), "ab", strict=True
    ):
        for kind, colour, shift in (("trajectory", "blue", -0.06), ("rate", "orange", 0.06)):
            rows = table[(table["kind"] == kind) & (table["distance"] == name)]
            x = np.array([strengths.index(s) for s in rows["strength"]]) + shift
            ax.errorbar(x, *_bars(rows), fmt="o", color=PALETTE[colour], label=f"change of the {kind}")
        ax.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
        ax.set(title=title, xlabel="what the target sees of the regulator, \N{GREEK SMALL LETTER LAMDA}", ylim=(0, 1))
        panel_letter(ax, letter)
    axes[0].set_ylabel("probability (95 %)")
    axes[1].legend()
    return fig, table


def conversions(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Share of networks that become Hill circuits: by sampling and by gradient fit, published and converged step.

    ``table`` has columns method, integration, of ("topologies" or "runs"), ours, low, high.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.2), width_ratios=[3, 4], sharey=True)
    for ax, of, letter in zip(axes, ("topologies", "runs"), "ab", strict=True):
        part = table[table["of"] == of]
        methods = list(dict.fromkeys(part["method"]))
        for integration, colour, shift in (("published", "blue", -0.2), ("converged", "orange", 0.2)):
            rows = part[part["integration"] == integration].set_index("method").reindex(methods).dropna(subset="ours")
            x = np.array([methods.index(m) for m in rows.index]) + shift
            ax.bar(x, rows["ours"], width=0.38, color=PALETTE[colour], label=f"{integration} integration")
            ax.errorbar(x, *_bars(rows), fmt="none", color="black", lw=0.7)
        ax.set_xticks(range(len(methods)), [fill(m, 16) for m in methods])
        ax.set(title=f"share of {of}", ylim=(0, 1.05))
        panel_letter(ax, letter)
    axes[0].set_ylabel("share converted (95 %)")
    axes[1].legend(loc="upper right")
    return fig, table
