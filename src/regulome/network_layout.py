"""Geometry of a network drawing: where the nodes stand and which way each link goes between their borders.

Positions and paths are plain arrays in data units; nothing here knows about matplotlib.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

GAP = 0.16  # between a link and the border of a node, in node radii
PAIR_BENDS = (0.12, 0.17, 0.22, 0.28, 0.34, -0.12, -0.17, -0.22, -0.28, -0.34)  # of opposite links, in chords
SINGLE_BENDS = (0.0, 0.06, -0.06, 0.12, -0.12, 0.18, -0.18, 0.25, -0.25, 0.32, -0.32)
SAMPLES = 120  # points along a path
SWEEPS = 4  # over all links when bends are chosen
HEAD_LENGTH, HEAD_WIDTH, BAR_WIDTH = 0.5, 0.25, 0.34  # of the largest heads, in node radii; half widths
LOOP_ANGLE = math.radians(27)  # half the opening of a self-link

Point = tuple[float, float]
Link = tuple[str, str]


@dataclass(frozen=True)
class Node:
    """A node: name, centre, and the radius of its circle (or half the side of its square)."""

    name: str
    centre: Point
    radius: float
    square: bool = False

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance of points, shape (n, 2), from the border; negative inside."""
        offset = np.abs(points - np.asarray(self.centre))
        return (offset.max(axis=1) if self.square else np.hypot(*offset.T)) - self.radius


def default_positions(genes: Sequence[str], inputs: Sequence[str]) -> dict[str, Point]:
    """Place nodes on a circle of radius 1, where no straight link can cross a third node.

    Inputs stand at the top, genes from the left over the bottom to the right; one gene stands to the right of
    its inputs; without inputs the genes run clockwise from the upper left.
    """
    total = len(genes) + len(inputs)
    if total == 1:
        return {name: (0.0, 0.0) for name in (*inputs, *genes)}
    step = 2 * np.pi / total
    if not inputs:
        start = {2: np.pi, 4: 3 * np.pi / 4}.get(total, np.pi / 2)
        angles = [start - step * k for k in range(total)]
    else:
        middle = np.pi if len(genes) == 1 else np.pi / 2
        first = middle - step * (len(inputs) - 1) / 2  # the last input; the others follow against the clock
        angles = [first + step * (len(inputs) - 1 - k) for k in range(len(inputs))]
        angles += [first + step * (len(inputs) + k) for k in range(len(genes))]
    return {
        name: (float(np.cos(angle)), float(np.sin(angle)))
        for name, angle in zip((*inputs, *genes), angles, strict=True)
    }


def node_radius(positions: Mapping[str, Point]) -> float:
    """Return a node radius that leaves room for links: 0.22 of the smallest distance between two nodes."""
    points = np.array(list(positions.values()))
    gaps = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    return 0.22 * float(gaps[gaps > 0].min()) if (gaps > 0).any() else 0.3


def head_scale(links: Sequence[Link]) -> float:
    """Return the size of heads, 1 to 0.65: smaller where many links end at one node."""
    arriving = Counter(target for _, target in links)
    return float(np.clip(4 / max(arriving.values(), default=1), 0.65, 1.0))


def route(links: Sequence[Link], nodes: Mapping[str, Node]) -> dict[Link, np.ndarray]:
    """Choose a path for every link, from the border of its regulator to just before the border of its target.

    Two opposite links bend apart. Other links are straight unless that would touch a third node or leave too
    little room for the heads at a node; bends are improved one after the other, with the others in place.

    Returns
    -------
    dict
        Link -> points, shape (n, 2), in the direction of regulation.
    """
    size = head_scale(links)
    choices = {link: _options(link, links, nodes, size) for link in links if link[0] != link[1]}
    chosen: dict[Link, Option] = {}
    for _ in range(SWEEPS):
        for group in _groups(links):
            others = [option for link, option in chosen.items() if link not in group]
            chosen |= dict(zip(group, _best([choices[link] for link in group], others), strict=True))
    paths = {link: option.full for link, option in chosen.items()}
    between = [option.path for option in chosen.values()]
    for name in (regulator for regulator, target in links if regulator == target):
        paths[name, name] = _best_loop(nodes[name], between, nodes)
    return {link: paths[link] for link in links}


def _groups(links: Sequence[Link]) -> list[tuple[Link, ...]]:
    """Collect links between different nodes, two opposite ones together."""
    groups: dict[frozenset, tuple[Link, ...]] = {}
    for link in links:
        if link[0] != link[1]:
            groups[frozenset(link)] = (*groups.get(frozenset(link), ()), link)
    return list(groups.values())


@dataclass(frozen=True, eq=False)
class Option:
    """One way a link could go: bend, path in full and thinned, middle and half width of its head, cost."""

    link: Link
    bend: float
    full: np.ndarray
    path: np.ndarray
    head: np.ndarray
    reach: float
    cost: float


def _options(link: Link, links: Sequence[Link], nodes: Mapping[str, Node], size: float) -> list[Option]:
    regulator, target = nodes[link[0]], nodes[link[1]]
    options = []
    for bend in PAIR_BENDS if (link[1], link[0]) in links else SINGLE_BENDS:
        path = trim(arc(regulator.centre, target.centre, bend), regulator, target)
        thinned = path[np.linspace(0, len(path) - 1, 30).round().astype(int)]
        head, _ = shorten(path, HEAD_LENGTH / 2 * size * target.radius)
        thirds = [node for node in nodes.values() if node.name not in link]
        room = [node.distance(path).min() / node.radius for node in thirds]
        cost = abs(bend) + 4 * bend**2 + sum(max(0.0, 0.6 - each) + 20 * max(0.0, 0.3 - each) for each in room)
        reach = BAR_WIDTH * size * target.radius
        options.append(Option(link, bend, path, thinned, head[-1], reach, cost))
    return options


def arc(start: Point, end: Point, bend: float) -> np.ndarray:
    """Return a quadratic Bezier curve, shape (n, 2); its middle is `bend` chord lengths left of the chord."""
    start, end = np.asarray(start), np.asarray(end)
    chord = end - start
    control = (start + end) / 2 + 2 * bend * np.array([-chord[1], chord[0]])
    t = np.linspace(0, 1, SAMPLES)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def trim(path: np.ndarray, start: Node, end: Node) -> np.ndarray:
    """Cut a path between two centres to the part between their borders, leaving a gap at each."""
    path = _cut(path, start.distance(path) - GAP * start.radius / 2)
    return _cut(path[::-1], end.distance(path[::-1]) - GAP * end.radius)[::-1]


def _cut(path: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Drop the first points, which lie inside, and begin where the distance is zero."""
    first = int(np.argmax(distance > 0))
    share = -distance[first - 1] / (distance[first] - distance[first - 1])
    return np.vstack([path[first - 1] + share * (path[first] - path[first - 1]), path[first:]])


def shorten(path: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut a length off the end of a path; return the rest and the unit vector from its end to the old end."""
    to_end = np.append(np.cumsum(np.hypot(*np.diff(path, axis=0).T)[::-1])[::-1], 0.0)
    kept = path[to_end > length]
    share = (to_end[len(kept) - 1] - length) / (to_end[len(kept) - 1] - to_end[len(kept)])
    end = kept[-1] + share * (path[len(kept)] - kept[-1])
    direction = path[-1] - end
    return np.vstack([kept, end]), direction / np.hypot(*direction)


def _best(choices: Sequence[Sequence[Option]], others: Sequence[Option]) -> tuple[Option, ...]:
    """Choose one option per link at the least cost; opposite links bend to their own side."""
    alone = {option: option.cost + _clash(option, others) for each in choices for option in each}
    combined = [
        combination
        for combination in itertools.product(*choices)
        if len({np.sign(option.bend) for option in combination}) == 1
    ]
    costs = [
        sum(alone[option] for option in combination) + _clash(combination[0], combination[1:])
        for combination in combined
    ]
    return combined[int(np.argmin(np.round(costs, 9)))]


def _clash(one: Option, others: Sequence[Option]) -> float:
    """Penalise heads of two links that touch, lines that run over a head, and lines that leave as one."""
    if not others:
        return 0.0
    heads, reaches = np.array([other.head for other in others]), np.array([other.reach for other in others])
    paths = np.array([other.path for other in others])
    between = np.hypot(*(heads - one.head).T) / (one.reach + reaches)
    over_ours = np.hypot(*(paths - one.head).transpose(2, 0, 1)).min(axis=1) / one.reach
    over_theirs = np.hypot(*(heads[:, None] - one.path).transpose(2, 0, 1)).min(axis=1) / reaches
    tails = np.hypot(*(paths[:, 0] - one.path[0]).T) / reaches
    nearest = np.minimum(between, np.minimum(over_ours, over_theirs) / 1.3)
    return float((4 * np.maximum(0, 1 - nearest) ** 2 + 3 * np.maximum(0, 1 - tails) ** 2).sum())


def _best_loop(node: Node, paths: Sequence[np.ndarray], nodes: Mapping[str, Node]) -> np.ndarray:
    """Choose the direction of a self-link: free of other links and nodes, if possible away from them all."""
    others = [other for other in nodes.values() if other.name != node.name]
    away = np.subtract(node.centre, np.mean([other.centre for other in others], axis=0)) if others else (0, 1)
    outward = math.atan2(away[1], away[0])
    points = np.vstack([np.empty((0, 2)), *paths])
    loops, scores = [], []
    for turn in np.radians(np.arange(0, 360, 15)):
        loop = _loop(node, outward + turn)
        room = [other.distance(loop).min() for other in others]
        room += list(np.hypot(*(points[:, None] - loop[::4]).transpose(2, 0, 1)).min(axis=1))
        loops.append(loop)
        scores.append(min(1.0, min(room, default=1.0) / (0.4 * node.radius)) + 0.2 * math.cos(turn))
    return loops[int(np.argmax(np.round(scores, 9)))]


def _loop(node: Node, angle: float) -> np.ndarray:
    """Return the path of a self-link, a cubic Bezier curve that leaves and comes back along the radius."""
    out, back = (np.array([np.cos(a), np.sin(a)]) for a in (angle + LOOP_ANGLE, angle - LOOP_ANGLE))
    reach = node.radius * 2.6
    centre = np.asarray(node.centre)
    a, b, c, d = centre, centre + reach * out * 1.15, centre + reach * back * 1.15, centre
    t = np.linspace(0, 1, SAMPLES)[:, None]
    path = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return trim(path, node, node)
