"""Geometry of a network drawing: where the nodes stand and which way each link goes between their borders.

Positions and paths are plain arrays in data units; nothing here knows about matplotlib.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

GAP = 0.16  # between a link and the border of a node, in node radii
PAIR_BENDS = (0.13, 0.18, 0.24, -0.13, -0.18, -0.24)  # of two opposite links, in chord lengths
SINGLE_BENDS = (0.0, 0.08, -0.08, 0.15, -0.15, 0.22, -0.22, 0.3, -0.3)
SAMPLES = 160  # points along a path
SWEEPS = 3  # over all links when bends are chosen
PORT_ANGLE = np.radians(20)  # two links should leave a node at least this far apart
LOOP_ANGLE = np.radians(27)  # half the opening of a self-link

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
        """Distance of points, shape (n, 2), from the border; negative inside (squares: the larger coordinate)."""
        offset = np.abs(points - np.asarray(self.centre))
        return (offset.max(axis=1) if self.square else np.hypot(*offset.T)) - self.radius


def default_positions(genes: Sequence[str], inputs: Sequence[str]) -> dict[str, Point]:
    """Place nodes on a circle of radius 1, where no straight link can cross a third node.

    Inputs stand at the top, genes from the left over the bottom to the right; one gene stands to the right of its
    inputs; without inputs the genes run clockwise from the upper left.
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
        first = middle - step * (len(inputs) - 1) / 2  # of the last input, the others follow against the clock
        angles = [first + step * (len(inputs) - 1 - k) for k in range(len(inputs))]
        angles += [first + step * (len(inputs) + k) for k in range(len(genes))]
    return {
        name: (float(np.cos(angle)), float(np.sin(angle)))
        for name, angle in zip((*inputs, *genes), angles, strict=True)
    }


def node_radius(positions: Mapping[str, Point]) -> float:
    """Return a node radius that leaves room for links: a fifth of the smallest distance between two nodes."""
    points = np.array(list(positions.values()))
    gaps = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    return 0.2 * float(gaps[gaps > 0].min()) if (gaps > 0).any() else 0.3


def route(links: Sequence[Link], nodes: Mapping[str, Node]) -> dict[Link, np.ndarray]:
    """Choose a path for every link, from the border of its regulator to just before the border of its target.

    Two opposite links bend apart. Other links are straight unless that would touch a third node or leave a node
    too close to another link; the bends are improved one link after the other, with the others in place.

    Returns
    -------
    dict
        Link -> points, shape (n, 2), in the direction of regulation.
    """
    groups = _groups(links)
    chosen: dict[Link, np.ndarray] = {}
    for _ in range(SWEEPS):
        for group in groups:
            others = {link: path for link, path in chosen.items() if link not in group}
            options = [_bent(group, bend, nodes) for bend in (PAIR_BENDS if len(group) == 2 else SINGLE_BENDS)]
            bends = PAIR_BENDS if len(group) == 2 else SINGLE_BENDS
            costs = [
                abs(bend) + _cost(option, others, nodes) for bend, option in zip(bends, options, strict=True)
            ]
            chosen |= options[int(np.argmin(np.round(costs, 9)))]
    for regulator, target in links:
        if regulator == target:
            chosen[regulator, target] = _loop(nodes[regulator], _free_angle(nodes[regulator], chosen, nodes))
    return {link: chosen[link] for link in links}


def _groups(links: Sequence[Link]) -> list[tuple[Link, ...]]:
    """Collect links between different nodes, opposite ones together."""
    groups: list[tuple[Link, ...]] = []
    for regulator, target in links:
        opposite = (target, regulator)
        if regulator == target or (opposite in links and links.index(opposite) < links.index((regulator, target))):
            continue
        link = (regulator, target)
        groups.append((link, opposite) if opposite in links else (link,))
    return groups


def _bent(group: tuple[Link, ...], bend: float, nodes: Mapping[str, Node]) -> dict[Link, np.ndarray]:
    return {(a, b): trim(arc(nodes[a].centre, nodes[b].centre, bend), nodes[a], nodes[b]) for a, b in group}


def arc(start: Point, end: Point, bend: float) -> np.ndarray:
    """Return a quadratic Bezier curve, shape (n, 2), whose middle lies `bend` chord lengths left of the chord."""
    start, end = np.asarray(start), np.asarray(end)
    chord = end - start
    control = (start + end) / 2 + 2 * bend * np.array([-chord[1], chord[0]])
    t = np.linspace(0, 1, SAMPLES)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def trim(path: np.ndarray, start: Node, end: Node) -> np.ndarray:
    """Cut a path between two centres to the part between their borders, leaving the gap before each."""
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


def _cost(option: dict[Link, np.ndarray], others: dict[Link, np.ndarray], nodes: Mapping[str, Node]) -> float:
    """Penalise touching a third node and sharing a direction at a node."""
    cost = 0.0
    for (regulator, target), path in option.items():
        for node in nodes.values():
            if node.name not in (regulator, target):
                clearance = np.hypot(*(path - node.centre).T).min() / node.radius - 1
                cost += 3 * max(0.0, 0.6 - clearance)
        for name, end in ((regulator, 0), (target, -1)):
            used = _ports(nodes[name], others) + _ports(nodes[name], option, without=(regulator, target))
            angle = _angle(nodes[name].centre, path[end])
            cost += sum(0.5 * max(0.0, 1 - _turn(angle, port) / PORT_ANGLE) for port in used)
    return cost


def _ports(node: Node, paths: Mapping[Link, np.ndarray], without: Link | None = None) -> list[float]:
    """Directions in which links leave or reach a node."""
    ports = []
    for link, path in paths.items():
        if link != without and link[0] != link[1]:
            ports += [_angle(node.centre, path[0])] if link[0] == node.name else []
            ports += [_angle(node.centre, path[-1])] if link[1] == node.name else []
    return ports


def _angle(centre: Point, point: np.ndarray) -> float:
    return float(np.arctan2(point[1] - centre[1], point[0] - centre[0]))


def _turn(a: float, b: float) -> float:
    """Angle between two directions, 0 to pi."""
    return abs((a - b + np.pi) % (2 * np.pi) - np.pi)


def _free_angle(node: Node, paths: Mapping[Link, np.ndarray], nodes: Mapping[str, Node]) -> float:
    """Direction of the middle of the widest free sector around a node, for its self-link."""
    neighbours = [other.centre for other in nodes.values() if other.name != node.name]
    taken = sorted(_ports(node, paths) + [_angle(node.centre, np.asarray(point)) for point in neighbours])
    if not taken:
        return np.pi / 2
    widths = np.diff([*taken, taken[0] + 2 * np.pi])
    widest = int(np.argmax(np.round(widths, 6)))
    return taken[widest] + widths[widest] / 2


def _loop(node: Node, angle: float) -> np.ndarray:
    """Return the path of a self-link, a cubic Bezier curve that leaves and comes back along the radius."""
    out, back = (np.array([np.cos(a), np.sin(a)]) for a in (angle + LOOP_ANGLE, angle - LOOP_ANGLE))
    reach = node.radius * 2.6
    centre = np.asarray(node.centre)
    a, b, c, d = centre, centre + reach * out * 1.15, centre + reach * back * 1.15, centre
    t = np.linspace(0, 1, SAMPLES)[:, None]
    path = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return trim(path, node, node)
