"""Signed networks: from a matrix, a table of links or a graph, checked link by link; and out as GraphML.

A signed network is a `networkx.DiGraph` whose edges have `sign` (+1 activation, -1 inhibition) and, if
measured, `value`. In a table every row is a link: regulator, target, sign and, optionally, value, label and
style.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from regulome.errors import UserError, closest
from regulome.network_layout import Point
from regulome.tables import write_bytes

STYLES = ("solid", "dashed", "grey")


def signed_graph(
    matrix: np.ndarray | pd.DataFrame, regulators: Sequence[str], targets: Sequence[str], cutoff: float = 0.0
) -> nx.DiGraph:
    """Turn link values into a signed network: a link exists where the absolute value exceeds the cutoff.

    Parameters
    ----------
    matrix
        Values, shape (regulators, targets); positive is activation.
    regulators, targets
        Names of rows and columns. A regulator that is no target is an input (node attribute `kind`).
    cutoff
        In the unit of the values, at least 0.

    Returns
    -------
    DiGraph
        All regulators and targets as nodes, links with `sign` (int) and `value` (float).

    Raises
    ------
    UserError
        Another shape than the names, a repeated name, a value that is not finite, a negative cutoff.
    """
    values = np.asarray(matrix, dtype=float)
    expected = (len(regulators), len(targets))
    if values.shape != expected:
        raise UserError(f"link matrix: found shape {values.shape}; expected {expected} (regulators, targets)")
    for label, names in (("regulators", regulators), ("targets", targets)):
        if len(set(names)) != len(names):
            raise UserError(f"link matrix: the {label} {', '.join(map(str, names))} contain a name twice")
    if not (math.isfinite(cutoff) and cutoff >= 0):
        raise UserError(f"link matrix: found cutoff {cutoff}; expected a finite number of at least 0")
    graph = nx.DiGraph()
    for name in [*(name for name in regulators if name not in targets), *targets]:
        graph.add_node(str(name), kind="gene" if name in targets else "input")
    for row, regulator in enumerate(regulators):
        for column, target in enumerate(targets):
            value = float(values[row, column])
            if not math.isfinite(value):
                raise UserError(f"link matrix, {regulator} on {target}: found {value}; expected a finite number")
            if abs(value) > cutoff:
                graph.add_edge(str(regulator), str(target), sign=1 if value > 0 else -1, value=value)
    return graph


def write_graphml(graph: nx.DiGraph, path: str | Path) -> None:
    """Write a network as GraphML, for Cytoscape, igraph or Gephi; the file appears whole or not at all."""
    buffer = io.BytesIO()
    nx.write_graphml_xml(graph, buffer)
    write_bytes(path, buffer.getvalue() + b"\n")


def checked_links(links: pd.DataFrame | nx.DiGraph) -> pd.DataFrame:
    """Return regulator, target, sign, value, label, style of every link, checked row by row."""
    if isinstance(links, nx.DiGraph):
        links = pd.DataFrame(
            [{"regulator": a, "target": b, **attributes} for a, b, attributes in links.edges(data=True)],
            columns=None if links.size() else ["regulator", "target", "sign"],
        )
    for column in ("regulator", "target", "sign"):
        if column not in links.columns:
            found = ", ".join(map(str, links.columns))
            raise UserError(f"links: missing column '{column}'{closest(column, links.columns)}; found {found}")
    table = pd.DataFrame({"regulator": links["regulator"].astype(str), "target": links["target"].astype(str)})
    table["sign"] = links["sign"]
    table["value"] = pd.to_numeric(links["value"], errors="coerce") if "value" in links else math.nan
    table["label"] = links["label"].fillna("").astype(str) if "label" in links else ""
    table["style"] = links["style"].fillna("solid") if "style" in links else "solid"
    for number, row in enumerate(table.itertuples(), start=1):
        where = f"links row {number} ({row.regulator} on {row.target})"
        if row.style not in STYLES:
            raise UserError(f"{where}: found style '{row.style}'; expected one of {', '.join(STYLES)}")
        if row.sign not in ((-1, 0, 1) if row.style == "grey" else (-1, 1)):
            raise UserError(f"{where}: found sign '{row.sign}'; expected 1 or -1 (0 only with style 'grey')")
        if "value" in links and not math.isfinite(row.value):
            found = links["value"].iloc[number - 1]
            raise UserError(f"{where}: found value '{found}'; expected a finite number")
    repeated = table[table.duplicated(["regulator", "target"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise UserError(f"links: {first.regulator} on {first.target} appears twice; expected one row per link")
    return table


def node_names(links: object, table: pd.DataFrame, nodes: Sequence[str] | None) -> list[str]:
    """Names of all nodes in the order of the layout; the given ones must hold those of the links."""
    if nodes is None and isinstance(links, nx.DiGraph):
        return [str(name) for name in links.nodes]
    used = list(dict.fromkeys(table[["regulator", "target"]].to_numpy().ravel()))
    if nodes is None:
        if not used:
            raise UserError("links: found no row and no `nodes`; expected at least one node to draw")
        return used
    names = list(dict.fromkeys(str(name) for name in nodes))
    for name in used:
        if name not in names:
            raise UserError(f"links: unknown node '{name}'{closest(name, names)}; expected one of {', '.join(names)}")
    return names


def input_names(links: object, table: pd.DataFrame, names: Sequence[str], inputs: Sequence[str] | None) -> list[str]:
    """Names of the inputs in the order of the nodes: given, marked in the graph, or without regulators."""
    if inputs is not None:
        for name in inputs:
            if str(name) not in names:
                raise UserError(f"inputs: unknown node '{name}'{closest(name, names)}; expected {', '.join(names)}")
        return [name for name in names if name in map(str, inputs)]
    marked = links.nodes(data="kind") if isinstance(links, nx.DiGraph) else ()
    kinds = {str(name): kind for name, kind in marked}
    if any(kinds.values()):
        return [name for name in names if kinds.get(name) == "input"]
    return [name for name in names if name not in set(table["target"]) and name in set(table["regulator"])]


def checked_positions(positions: Mapping[str, Point], names: Sequence[str]) -> dict[str, Point]:
    """Return the position of every node as two floats: finite, and no two alike."""
    for name in names:
        if name not in positions:
            raise UserError(f"positions: node '{name}' is missing{closest(name, positions)}")
    found = {name: (float(positions[name][0]), float(positions[name][1])) for name in names}
    for name, point in found.items():
        if not all(map(math.isfinite, point)):
            raise UserError(f"positions: found {point} for node '{name}'; expected two finite numbers")
        twins = [other for other in names if other != name and found[other] == point]
        if twins:
            raise UserError(f"positions: nodes '{name}' and '{twins[0]}' share {point}; expected different places")
    return found
