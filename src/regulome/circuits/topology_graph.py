"""The graph of topologies (Fig. 3f): rows by number of links, edges where one link is added or removed.

The two branches, which differ in both links between the genes, stand side by side. Within a row and branch the order
is found by swapping: two topologies change places whenever that brings related ones (distance 1 or 2) closer.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from regulome.circuits.oscillation_topologies import branch, distance

BRANCHES = ("left", "right", "neither")  # from left to right
GAP = 2.0  # between branches, in node distances


@dataclass(frozen=True)
class TopologyGraph:
    """Topologies in rows, with the edges between neighbouring rows.

    Attributes
    ----------
    signs
        (M, N, G) signs of the nodes.
    links
        (M,) number of links: the row.
    x
        (M,) horizontal position; neighbours of a row and branch are 1 apart.
    edges
        (E, 2) nodes at distance 1, the one with fewer links first.
    """

    signs: np.ndarray
    links: np.ndarray
    x: np.ndarray
    edges: np.ndarray

    @property
    def branch(self) -> np.ndarray:
        """(M,) "left", "right" or "neither"."""
        return branch(self.signs)

    def length(self) -> float:
        """Summed horizontal length of the edges."""
        return float(np.abs(self.x[self.edges[:, 0]] - self.x[self.edges[:, 1]]).sum())


def layered_graph(signs: np.ndarray, seed: int, restarts: int = 20, sweeps: int = 200) -> TopologyGraph:
    """Lay out distinct topologies (M, N, G) in rows; the layout with the shortest edges of ``restarts`` is kept.

    Parameters
    ----------
    seed
        Of the starting orders and of the order in which swaps are tried: the same seed gives the same layout.
    sweeps
        How often all pairs are tried at most; a search ends earlier when a sweep finds no swap.
    """
    signs = np.asarray(signs)
    links, between = (signs != 0).sum((1, 2)), distance(signs, signs)
    related = [np.flatnonzero((row == 1) | (row == 2)) for row in between]
    edges = np.argwhere((between == 1) & (links[None] > links[:, None]))
    layouts = []
    for stream in np.random.SeedSequence(seed).spawn(restarts):
        x = _search(links, branch(signs), related, np.random.default_rng(stream), sweeps)
        layouts.append(TopologyGraph(signs, links, x, edges))
    return min(layouts, key=TopologyGraph.length)


def _search(links, branches, related, rng: np.random.Generator, sweeps: int) -> np.ndarray:
    """(M,) positions after swapping pairs, in random order, until no swap helps."""
    x, pairs = _start(links, branches, rng)
    for _ in range(sweeps):
        rng.shuffle(pairs)
        # a list: every swap has to be tried, a generator would stop at the first that helps
        if not any([_swap_if_closer(x, a, b, related) for a, b in pairs]):
            break
    return x


def _start(links: np.ndarray, branches: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(M,) starting positions, random within row and branch, and (K, 2) pairs that may change places."""
    x, pairs, left_edge = np.zeros(len(links)), [], 0.0
    for name in BRANCHES:
        rows = [np.flatnonzero((links == count) & (branches == name)) for count in np.unique(links)]
        width = max(len(row) for row in rows) if rows else 0
        for row in rows:
            x[rng.permutation(row)] = left_edge + (width - 1) / 2 + np.arange(len(row)) - (len(row) - 1) / 2
            pairs += combinations(row.tolist(), 2)
        left_edge += width + GAP if width else 0
    return x, np.array(pairs, dtype=int).reshape(-1, 2)


def _swap_if_closer(x: np.ndarray, a: int, b: int, related: list[np.ndarray]) -> bool:
    """Swap two nodes of a row if the summed distance to their relatives shrinks; the pair itself does not count."""
    to_a, to_b = (x[others[others != other]] for others, other in ((related[a], b), (related[b], a)))
    now = np.abs(to_a - x[a]).sum() + np.abs(to_b - x[b]).sum()
    then = np.abs(to_a - x[b]).sum() + np.abs(to_b - x[a]).sum()
    if then >= now - 1e-9:
        return False
    x[a], x[b] = x[b], x[a]
    return True


def node_table(graph: TopologyGraph, names: np.ndarray, hits: np.ndarray, runs: np.ndarray) -> pd.DataFrame:
    """One row a node, for the figure and its table.

    Parameters
    ----------
    names
        (M,) names of the topologies.
    hits
        (M,) parameter sets of the enumeration that pass.
    runs
        (M,) trained networks with this topology.
    """
    fewer, more = (np.bincount(graph.edges[:, side], minlength=len(graph.x)) for side in (1, 0))
    return pd.DataFrame(
        {"topology": names, "links": graph.links, "branch": graph.branch, "x": graph.x, "hits": hits, "runs": runs}
        | {"neighbours_fewer_links": fewer, "neighbours_more_links": more}
    )
