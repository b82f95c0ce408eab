"""Target laws of the solver's training as tries, and batches of them for the prefix tree.

The count vectors of every parameter set, in lexicographic order, are the leaves of a trie. A batch takes from each
trie at most K prefixes a level. Where there are more, they are drawn in proportion to their probability (systematic
sampling), so that the expectation of the batch's loss is the cross-entropy over all of them; the conditional law after
each drawn prefix is always used whole, so no single count is ever sampled.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
import torch
from torch import Tensor

from regulome.stochastic.distribution import Distribution
from regulome.stochastic.prefix_tree import PrefixTree


@dataclass(frozen=True)
class Level:
    """Prefixes of one length, of all parameter sets.

    Attributes
    ----------
    offsets
        (T + 1,) where each parameter set begins.
    values, masses
        (n,) last count and probability of every prefix.
    parents
        (n,) place of its parent in the level before, counted within the parameter set.
    children
        (n + 1,) where its continuations begin in the next level.
    """

    offsets: np.ndarray
    values: np.ndarray
    masses: np.ndarray
    parents: np.ndarray
    children: np.ndarray


@dataclass(frozen=True)
class Batch:
    """What one training step needs of B parameter sets.

    Attributes
    ----------
    tree
        The prefixes.
    weights
        For the root and every level: (B, n) weight of each prefix in the loss, summing to 1 over a set; 0 is padding.
    laws
        For the root and every level: (B, n, bound) law of the next count.
    """

    tree: PrefixTree
    weights: tuple[Tensor, ...]
    laws: tuple[Tensor, ...]

    def to(self, device: str) -> "Batch":
        """The same batch on another device."""
        weights, laws = (tuple(part.to(device) for part in parts) for parts in (self.weights, self.laws))
        return Batch(self.tree.to(device), weights, laws)


class Targets:
    """Tries of T target laws over the same states.

    Parameters
    ----------
    distributions
        The laws, counts below the bounds.
    bounds
        Number of values of each of the N states.
    smallest
        States with less probability are left out and the rest is normalised.

    Attributes
    ----------
    levels
        One a state; the last holds the count vectors themselves.
    entropy
        (T,) entropies of the laws, in nats.
    """

    def __init__(self, distributions: Iterable[Distribution], bounds: tuple[int, ...], smallest: float = 0.0):
        self.bounds = tuple(bounds)
        tries = [_trie(law, smallest) for law in distributions]
        self.levels = [_join(tries, i) for i in range(len(self.bounds))]
        leaves = [trie[-1][1].astype(float) for trie in tries]
        self.entropy = np.array([-(masses * np.log(masses)).sum() for masses in leaves])

    def __len__(self) -> int:
        return len(self.levels[0].offsets) - 1

    def batch(self, sets: np.ndarray, prefixes: int, generator: np.random.Generator | None) -> Batch:
        """Prefixes, weights and conditional laws of some parameter sets.

        Parameters
        ----------
        sets
            (B,) which parameter sets.
        prefixes
            Most prefixes a level.
        generator
            For the drawing; None takes every prefix.
        """
        sets = np.asarray(sets, np.int64)
        chosen = self._choose(sets, prefixes, generator)
        above, root = np.zeros((len(sets), 1), np.int64), self.levels[0]
        counts, parents, weights = [], [], [np.ones((len(sets), 1), np.float32)]
        laws = [_laws(root.offsets[sets], root.offsets[sets + 1], root.values, root.masses, self.bounds[0])[:, None]]
        for i, (nodes, weight) in enumerate(chosen):
            level, following = self.levels[i], self.levels[i + 1]
            found = _counts(level.offsets, level.values, level.parents, sets, nodes, above)
            place = np.where(nodes >= 0, level.offsets[sets][:, None] + nodes, 0)
            first, last = level.children[place], np.where(nodes >= 0, level.children[place + 1], level.children[place])
            law = _laws(first.ravel(), last.ravel(), following.values, following.masses, self.bounds[i + 1])
            parts = (*found, weight, law.reshape(*nodes.shape, -1))
            for kept, part in zip((counts, parents, weights, laws), parts, strict=True):
                kept.append(part)
            above = nodes
        tree = PrefixTree(tuple(map(torch.from_numpy, counts)), tuple(map(torch.from_numpy, parents)))
        return Batch(tree, tuple(map(torch.from_numpy, weights)), tuple(map(torch.from_numpy, laws)))

    def _choose(self, sets: np.ndarray, prefixes: int, generator: np.random.Generator | None) -> list:
        """(nodes, weights) of every branching level, chosen from the deepest one upwards."""
        chosen: list = []
        for i in reversed(range(len(self.bounds) - 1)):
            level = self.levels[i]
            most = int((level.offsets[sets + 1] - level.offsets[sets]).max())
            width = most if generator is None else min(most, prefixes)
            if not chosen:
                start = np.zeros(len(sets)) if generator is None else generator.random(len(sets))
                chosen.append(_draw(level.offsets, level.masses, sets, width, start))
            else:
                below = self.levels[i + 1]
                chosen.append(
                    _ancestors(level.offsets, level.masses, sets, width, below.parents, below.offsets, *chosen[-1])
                )
        return chosen[::-1]


def _trie(law: Distribution, smallest: float) -> list[tuple[np.ndarray, ...]]:
    """(values, masses, parents, children) of every level of one law; children end with the size of the next level."""
    keep = law.weights >= smallest
    counts, weights = law.counts[keep], law.weights[keep] / law.weights[keep].sum()
    levels, depth = [], counts.shape[1]
    changed = np.zeros(len(counts), bool)
    changed[0] = True
    places = []
    for i in range(depth):
        changed[1:] |= counts[1:, i] != counts[:-1, i]
        places.append(np.flatnonzero(changed))
    for i, first in enumerate(places):
        masses = np.add.reduceat(weights, first)
        parents = np.searchsorted(places[i - 1], first, "right") - 1 if i else np.zeros(len(first), int)
        children = np.searchsorted(places[i + 1], first) if i + 1 < depth else np.zeros(len(first), int)
        levels.append(
            (counts[first, i].astype(np.int32), masses.astype(np.float32), parents.astype(np.int32), children)
        )
    return levels


def _join(tries: list, i: int) -> Level:
    """One level of many tries end to end."""
    parts = [trie[i] for trie in tries]
    offsets = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])])
    values, masses, parents = (np.concatenate([part[k] for part in parts]) for k in range(3))
    children = np.zeros(1, np.int64)
    if i + 1 < len(tries[0]):
        sizes = np.cumsum([0, *(len(trie[i + 1][0]) for trie in tries)])
        children = np.concatenate([part[3] + size for part, size in zip(parts, sizes[:-1], strict=True)] + [sizes[-1:]])
    return Level(offsets, values, masses, parents, children)


@numba.njit(cache=True)
def _draw(offsets, masses, sets, width, start):
    """Prefixes (B, width) of the last branching level, counted within the set, and weights; -1 and 0 are padding.

    All prefixes where they fit, else those hit by equally spaced points on the cumulated probability.
    """
    nodes = np.full((len(sets), width), -1, np.int64)
    weights = np.zeros((len(sets), width), np.float32)
    for b in range(len(sets)):
        first, size = offsets[sets[b]], offsets[sets[b] + 1] - offsets[sets[b]]
        if size <= width:
            for j in range(size):
                nodes[b, j], weights[b, j] = j, masses[first + j]
            continue
        whole = 0.0
        for j in range(size):
            whole += masses[first + j]
        total, hits, taken = 0.0, 0, 0
        for j in range(size):
            total += masses[first + j] / whole
            before = hits
            while hits < width and (start[b] + hits) / width < total:
                hits += 1
            if hits > before:
                nodes[b, taken], weights[b, taken] = j, (hits - before) / width
                taken += 1
    return nodes, weights


@numba.njit(cache=True)
def _ancestors(offsets, masses, sets, width, parents, below_offsets, below, below_weights):
    """As `_draw` for a level above: all prefixes where they fit, else the parents of those drawn below."""
    nodes = np.full((len(sets), width), -1, np.int64)
    weights = np.zeros((len(sets), width), np.float32)
    for b in range(len(sets)):
        first, size = offsets[sets[b]], offsets[sets[b] + 1] - offsets[sets[b]]
        if size <= width:
            for j in range(size):
                nodes[b, j], weights[b, j] = j, masses[first + j]
            continue
        taken = -1
        for j in range(below.shape[1]):
            if below[b, j] >= 0:
                parent = parents[below_offsets[sets[b]] + below[b, j]]
                if taken < 0 or nodes[b, taken] != parent:
                    taken += 1
                    nodes[b, taken] = parent
                weights[b, taken] += below_weights[b, j]
    return nodes, weights


@numba.njit(cache=True)
def _counts(offsets, values, parents, sets, nodes, above):
    """Last counts (B, n) of chosen prefixes, and the places of their parents among those chosen above."""
    counts = np.zeros(nodes.shape, np.int64)
    places = np.zeros(nodes.shape, np.int64)
    for b in range(len(sets)):
        place = 0
        for j in range(nodes.shape[1]):
            if nodes[b, j] >= 0:
                node = offsets[sets[b]] + nodes[b, j]
                counts[b, j] = values[node]
                while above[b, place] != parents[node]:
                    place += 1
                places[b, j] = place
    return counts, places


@numba.njit(cache=True)
def _laws(first, last, values, masses, bound):
    """(n, bound) laws of the next count, from the ranges of the next level that continue each prefix."""
    laws = np.zeros((len(first), bound), np.float32)
    for j in range(len(first)):
        total = 0.0
        for node in range(first[j], last[j]):
            total += masses[node]
        for node in range(first[j], last[j]):
            laws[j, values[node]] = masses[node] / total
    return laws
