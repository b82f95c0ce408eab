"""An inferred network as files: CSV for a table program, GraphML for Cytoscape, Gephi, igraph or networkx."""

from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from regulome.errors import UserError
from regulome.network_graph import write_graphml
from regulome.perturbation import edges
from regulome.tables import read_table, write_csv

COLUMNS = ("rank", "regulator", "target", "sign", "score")


def network_table(
    scores: np.ndarray,
    genes: Sequence[str],
    count: int,
    among: np.ndarray | None = None,
    attributes: dict[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """The strongest edges with whatever else is known of them.

    Parameters
    ----------
    count
        Number of edges; fewer where fewer have a score.
    among
        (G, G) bool: pairs to choose from (default: all but the diagonal).
    attributes
        (G, G) matrices by name (wasserstein, p, ...), each a further column.

    Returns
    -------
    DataFrame
        rank, regulator, target, sign (+1 activation, -1 inhibition), score, then the attributes.
    """
    table = edges.table(scores, genes, count, among)
    place = {gene: row for row, gene in enumerate(genes)}
    rows, columns = table["regulator"].map(place).to_numpy(int), table["target"].map(place).to_numpy(int)
    return table.assign(**{name: values[rows, columns] for name, values in (attributes or {}).items()})


def marked(table: pd.DataFrame, truth: np.ndarray, genes: Sequence[str]) -> pd.Series:
    """Whether each edge of the table is a known one; `truth`: (G, G) of `edge_metrics.truth_matrix`."""
    place = {gene: row for row, gene in enumerate(genes)}
    found = truth[table["regulator"].map(place).to_numpy(int), table["target"].map(place).to_numpy(int)]
    return pd.Series(found == 1, table.index)


def graph(table: pd.DataFrame, genes: Sequence[str], perturbed: int, method: str) -> nx.DiGraph:
    """Network of a table of `network_table`.

    Nodes are the genes that have an edge, with `kind` "perturbed" or "extended"; edges have all columns of the table,
    except those that are undefined. The graph has `method`.
    """
    out = nx.DiGraph(method=method)
    used = set(table["regulator"]) | set(table["target"])
    for place, gene in enumerate(genes):
        if gene in used:
            out.add_node(gene, kind="perturbed" if place < perturbed else "extended")
    for row in table.to_dict("records"):
        kept = {name: _plain(value) for name, value in row.items() if name not in ("regulator", "target")}
        out.add_edge(row["regulator"], row["target"], **{n: v for n, v in kept.items() if v == v})
    return out


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def write(
    folder: str | Path, name: str, table: pd.DataFrame, genes: Sequence[str], perturbed: int, method: str
) -> list[Path]:
    """Write FOLDER/NAME.csv and FOLDER/NAME.graphml and return their paths.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    files = [Path(folder) / f"{name}.{suffix}" for suffix in ("csv", "graphml")]
    write_csv(table, files[0], digits=9)
    write_graphml(graph(table, genes, perturbed, method), files[1])
    return files


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read edges of `write` back, or a user's own network with these columns; further ones are left out.

    Raises
    ------
    UserError
        A missing column, a sign that is neither 1 nor -1, an edge given twice; and as `regulome.tables.read_table`.
    """
    table = read_table(path, COLUMNS, text=("regulator", "target"))
    for number, sign in enumerate(table["sign"], start=2):
        if sign not in (-1, 1):
            raise UserError(f"{path} row {number}: found sign {sign:g}; expected 1 or -1")
    twice = table[table.duplicated(["regulator", "target"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(f"{path} row {twice.index[0] + 2}: {row.regulator} on {row.target} appears twice")
    return table.astype({"rank": int, "sign": int})


def read_graphml(path: str | Path) -> nx.DiGraph:
    """Read a GraphML file.

    Raises
    ------
    UserError
        If it is missing or damaged.
    """
    try:
        return nx.read_graphml(path)
    except (OSError, SyntaxError, nx.NetworkXError, ValueError) as error:
        raise UserError(f"{path}: not a GraphML file ({error}); expected one that `write` wrote") from None
