"""The figure of a design: target, network and circuit in every case, the circuit drawn, the topologies counted."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regulome.circuits.design import Design
from regulome.circuits.design_files import circuit_graph
from regulome.network_drawing import draw_network
from regulome.style import DOUBLE, PALETTE, panel_letter

CASES = 8  # drawn at most; the table has all
COLUMNS = 2  # of panels with curves
BARS = 8  # topologies counted at most
LINES = {"trained network": (PALETTE["blue"], "-", 1.0), "Hill circuit": (PALETTE["vermillion"], "-", 1.4)}


def design_figure(result: Design) -> tuple[Figure, pd.DataFrame]:
    """Draw a design; returns the figure and its curves: case, gene, time, target, network, circuit, inputs."""
    layout = result.bench
    best = layout.of_rnn(result.network.select([int(np.argmax(result.learned))]))[0]
    curves = {"trained network": best, "Hill circuit": layout.curves(result.circuit)[0]}
    shown = np.unique(np.linspace(0, len(layout.names) - 1, min(CASES, len(layout.names))).round().astype(int))
    panels = [(c, j) for c in shown for j in layout.observed]
    rows = max(2, -(-len(panels) // COLUMNS))
    fig = plt.figure(figsize=(DOUBLE, 0.5 + 1.5 * rows), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=[1.9, 1])
    axes = left.subplots(-(-len(panels) // COLUMNS), COLUMNS, squeeze=False, sharex=True, sharey=True)
    for ax, (c, j) in zip(axes.flat, panels, strict=False):
        _case(ax, result, curves, int(c), j)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("time (lifetimes)")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    left.legend(handles, labels, loc="outside upper center", ncols=len(labels), handlelength=1.5, columnspacing=1.0)
    panel_letter(axes.flat[0], "a")
    network, bars = right.subplots(2, 1, height_ratios=[1, 1])
    draw_network(circuit_graph(result), network, legend=True)
    network.set_title(f"Hill circuit, R² = {result.exact:.3f}")
    panel_letter(network, "b")
    _counts(bars, result.topologies)
    panel_letter(bars, "c")
    return fig, curve_table(result, curves)


def _case(ax: Axes, result: Design, curves: dict[str, np.ndarray], case: int, gene: int) -> None:
    layout, task = result.bench, result.task
    time = (np.arange(task.steps) + 1) * task.dt
    for i, (name, style) in enumerate(zip(task.inputs, ("--", ":", "-.") * len(task.inputs), strict=False)):
        # inputs are levels during a step: drawn from its beginning
        levels = layout.inputs[case, :, i]
        ax.step(np.append(time - task.dt, time[-1]), np.append(levels, levels[-1]), style, where="post", color="0.6",
                lw=0.8, label=f"input {name}")  # fmt: skip
    ax.plot(time, layout.targets[case, :, gene], "o", color="black", ms=2, mew=0, label="target")
    for label, (colour, style, width) in LINES.items():
        ax.plot(time, curves[label][case, :, gene], style, color=colour, lw=width, label=label)
    title = layout.names[case] if len(layout.observed) == 1 else f"{layout.names[case]}: {task.genes[gene]}"
    ax.set(title=title, ylabel=f"level of {task.genes[gene]}")


def _counts(ax: Axes, topologies: pd.DataFrame) -> None:
    """Share of networks with each of the most frequent topologies, with 95 % intervals."""
    table = topologies.sort_values(["networks", "topology"], ascending=[False, True]).head(BARS)
    place = np.arange(len(table))
    ax.barh(place, table["share"], color=PALETTE["sky"])
    spans = np.abs([table["share"] - table["low"], table["high"] - table["share"]])
    ax.errorbar(table["share"], place, xerr=spans, fmt="none", color="black", lw=0.8, capsize=1.5)
    ax.set_yticks(place, table["topology"].str.replace("-", "−"), family="monospace")
    ax.invert_yaxis()
    total = int(topologies["networks"].sum())
    ax.set(xlabel=f"share of {total} networks", title=f"{len(table)} of {len(topologies)} topologies", xlim=(0, None))


def curve_table(result: Design, curves: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row a sample of every case and gene."""
    layout, task = result.bench, result.task
    frames = []
    for c, name in enumerate(layout.names):
        for j, gene in enumerate(task.genes):
            frame = {"case": name, "gene": gene, "time": (np.arange(task.steps) + 1) * task.dt}
            frame |= {"target": layout.targets[c, :, j]}
            frame |= {label.replace(" ", "_").lower(): curve[c, :, j] for label, curve in curves.items()}
            frame |= {f"input_{name}": layout.inputs[c, :, i] for i, name in enumerate(task.inputs)}
            frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)
