"""Gene networks as the papers draw them: activation with an arrowhead, inhibition with a flat bar.

A signed network is a `networkx.DiGraph` whose edges have `sign` (+1 activation, -1 inhibition) and, if
measured, `value`; `signed_graph` makes one from a matrix, `draw_network` draws it, `write_graphml` hands it
to other programs.
"""

import math
from collections.abc import Mapping, Sequence

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Curve
from matplotlib.textpath import TextPath

from regulome.errors import UserError
from regulome.network_graph import (
    checked_links,
    checked_positions,
    input_names,
    node_names,
    signed_graph,
    write_graphml,
)
from regulome.network_layout import (
    BAR_WIDTH,
    HEAD_LENGTH,
    HEAD_WIDTH,
    Node,
    Point,
    default_positions,
    head_scale,
    node_radius,
    route,
    shorten,
)
from regulome.style import PALETTE

__all__ = ["draw_network", "signed_graph", "write_graphml"]

COLOURS = {1: PALETTE["green"], -1: PALETTE["vermillion"], 0: "#999999"}
GREY = "#B8B8B8"  # links that are absent or removed
THIN, THICK = 0.045, 0.17  # line widths in node radii, of a link of value 0 and of the strongest
LARGEST = 13  # radius of a node in points, however large the axes
MARGIN = 0.35  # around the drawing, in node radii


def draw_network(
    links: pd.DataFrame | nx.DiGraph,
    ax: Axes,
    positions: Mapping[str, Point] | None = None,
    *,
    nodes: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    colours: Mapping[str, str] | None = None,
    scale: float | None = None,
    legend: bool = False,
) -> dict[str, Point]:
    """Draw a signed network: circles are genes, squares inputs, arrowheads activation, bars inhibition.

    Parameters
    ----------
    links
        Table with columns regulator, target, sign (+1, -1; 0 only for grey links) and, optionally, value (the
        line width follows its size), label (written at the link) and style ("solid", "dashed", or "grey" for
        a link that is absent or was removed); or a network whose edges have these attributes.
    ax
        Axes that the drawing takes for itself; their axis lines are removed.
    positions
        Centre of every node in any unit (default: on a circle, inputs at the top or left).
    nodes
        All nodes, in the order of the layout (default: those of the links, or of the network).
    inputs
        Nodes drawn as inputs (default: those marked so by `signed_graph`, else those without regulators).
    colours
        Fill colour of nodes.
    scale
        Absolute value with the thickest line (default: the largest); larger ones are drawn as thick.
    legend
        Whether to explain the two heads below the drawing.

    Returns
    -------
    dict
        Positions used, to draw another network of the same nodes in the same places.

    Raises
    ------
    UserError
        A missing column, an unknown node, a repeated link, a sign, value or style that is none.
    """
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise UserError(f"network drawing: found scale {scale}; expected a positive number")
    table = checked_links(links)
    names = node_names(links, table, nodes)
    given = input_names(links, table, names, inputs)
    if positions is None:
        positions = default_positions([name for name in names if name not in given], given)
    positions = checked_positions(positions, names)
    radius = node_radius(positions)
    placed = {name: Node(name, positions[name], radius, name in given) for name in names}
    routes = route([(row.regulator, row.target) for row in table.itertuples()], placed)
    size = radius * head_scale(list(routes))
    unit = _frame(ax, placed, routes, radius)
    strongest = scale or max([abs(value) for value in table["value"].dropna()], default=1.0) or 1.0
    for row in table.itertuples():
        strength = 0.5 if math.isnan(row.value) else min(abs(row.value) / strongest, 1.0)
        width = size * (THIN + (THICK - THIN) * strength)
        _draw_link(ax, row, routes[row.regulator, row.target], size, width, unit)
    _draw_labels(ax, table, routes, radius, unit)
    for node in placed.values():
        _draw_node(ax, node, (colours or {}).get(node.name), unit)
    if legend:
        _draw_legend(ax, table)
    return positions


def _frame(ax: Axes, nodes: Mapping[str, Node], routes: Mapping, radius: float) -> float:
    """Set the limits of the axes around everything drawn; return the length of one data unit in points."""
    centres = np.array([node.centre for node in nodes.values()])
    everything = np.vstack([centres - 1.1 * radius, centres + 1.1 * radius, *routes.values()])
    low, high = everything.min(axis=0) - MARGIN * radius, everything.max(axis=0) + MARGIN * radius
    ax.set_axis_off()
    ax.set_aspect("equal")
    box = ax.get_window_extent()
    points = 72 / ax.figure.dpi * np.array([box.width, box.height])
    unit = min(*(points / (high - low)), LARGEST / radius)
    half = points / unit / 2
    ax.set_xlim(*((low + high)[0] / 2 + half[0] * np.array([-1, 1])))
    ax.set_ylim(*((low + high)[1] / 2 + half[1] * np.array([-1, 1])))
    return unit


def _draw_link(ax: Axes, row: object, path: np.ndarray, size: float, width: float, unit: float) -> None:
    """Draw line and head of one link; `size` (of the head) and `width` in data units, `unit` in points."""
    name = f"link {row.regulator} {row.target}"
    grey = row.style == "grey"
    colour = GREY if grey else COLOURS[row.sign]
    length = size * HEAD_LENGTH if row.sign > 0 else width / 2
    line, direction = shorten(path, length)
    normal = np.array([-direction[1], direction[0]])
    halo = [patheffects.withStroke(linewidth=(width + 0.1 * size) * unit, foreground="white")]
    ax.add_patch(
        PathPatch(
            Curve(line),
            facecolor="none",
            edgecolor=colour,
            linewidth=width * unit,
            linestyle="solid" if row.style == "solid" else (0, (3, 1.5)),
            capstyle="butt",
            path_effects=halo,
            zorder=1.5 if grey else 2,
            gid=name,
        )
    )
    if row.sign > 0:
        side = normal * max(size * HEAD_WIDTH, 1.1 * width)
        corners = np.array([path[-1], line[-1] + side, line[-1] - side])
        ax.add_patch(Polygon(corners, facecolor=colour, edgecolor="none", zorder=3, gid=f"{name} head"))
    elif row.sign < 0:
        side = normal * max(size * BAR_WIDTH, 1.6 * width)
        thickness = max(width, size * 0.1)
        inner = path[-1] - direction * thickness
        corners = np.array([path[-1] + side, path[-1] - side, inner - side, inner + side])
        ax.add_patch(Polygon(corners, facecolor=colour, edgecolor="none", zorder=3, gid=f"{name} head"))


def _draw_labels(ax: Axes, table: pd.DataFrame, routes: Mapping, radius: float, unit: float) -> None:
    """Write link labels on their lines, each where it is farthest from the other lines and labels."""
    written: list[np.ndarray] = []
    for row in table.itertuples():
        if not row.label:
            continue
        link = (row.regulator, row.target)
        path = routes[link]
        others = np.vstack([path[:0], *(other for key, other in routes.items() if key != link), *written])
        candidates = path[[round(share * (len(path) - 1)) for share in (0.5, 0.42, 0.58, 0.34, 0.66)]]
        room = [np.hypot(*(others - point).T).min(initial=9e9) for point in candidates]
        place = candidates[int(np.argmax(np.round(room, 6)))]
        written.append(place[None])
        ax.text(
            *place,
            row.label,
            fontsize=max(0.55 * radius * unit, 4),
            ha="center",
            va="center",
            zorder=4,
            color="#333333",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            gid=f"label {row.regulator} {row.target}",
        )


def _draw_node(ax: Axes, node: Node, fill: str | None, unit: float) -> None:
    look = {
        "facecolor": fill or ("#E4E4E4" if node.square else "white"),
        "edgecolor": "#333333",
        "linewidth": max(0.07 * node.radius * unit, 0.4),
        "zorder": 5,
        "gid": f"node {node.name}",
    }
    x, y = node.centre
    if node.square:
        side = 2 * node.radius
        ax.add_patch(Rectangle((x - node.radius, y - node.radius), side, side, **look))
    else:
        ax.add_patch(Circle(node.centre, node.radius, **look))
    width = max(TextPath((0, 0), node.name, size=10).get_extents().width, 1)
    size = node.radius * unit * min(0.68, 16 / width)  # the name fits into the node
    ax.text(x, y, node.name, fontsize=size, ha="center", va="center_baseline", zorder=6)


def _draw_legend(ax: Axes, table: pd.DataFrame) -> None:
    entries = [("→ activation", COLOURS[1]), ("⊣ inhibition", COLOURS[-1])]
    if (table["style"] == "grey").any():
        entries.append(("- - absent", "#808080"))
    ax.legend(
        [Line2D([], [], linestyle="none") for _ in entries],
        [text for text, _ in entries],
        labelcolor=[colour for _, colour in entries],
        handlelength=0,
        handletextpad=0,
        columnspacing=1,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(entries),
    )
