"""Network drawings, measured on what was drawn: heads end at borders, opposite links part, bars stand across.

The distances below are computed from the artists in the axes, not taken from the drawing code.
"""

import itertools

import matplotlib as mpl
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, Rectangle

from regulome.errors import UserError
from regulome.network_drawing import draw_network, signed_graph, write_graphml
from regulome.style import PALETTE

GAP_GENES = ["hb", "Kr", "kni", "gt"]
GAP_VALUES = np.array(
    [
        [7.0, -7.0, -3.0, -0.2],
        [-6.1, 7.0, -0.3, -10.1],
        [-5.3, -8.2, 4.7, 1.9],
        [0.6, -0.7, -4.3, 6.3],
        [19.9, 5.1, -7.4, 6.6],
        [-4.7, -6.9, -8.7, -9.8],
    ]
)


def links_of(text):
    """Table from lines such as ``I -> g1 0.5`` and ``g1 -| g2``; the number is optional."""
    rows = []
    for regulator, kind, target, *value in (line.split() for line in text.split(";")):
        row = {"regulator": regulator, "target": target, "sign": {"->": 1, "-|": -1}[kind]}
        rows.append(row | ({"value": float(value[0])} if value else {}))
    return pd.DataFrame(rows)


class Drawing:
    """What a reader can measure in a drawing."""

    def __init__(self, links, size=(4, 4), **options):
        self.figure, self.ax = plt.subplots(figsize=size)
        self.positions = draw_network(links, self.ax, **options)
        plt.close(self.figure)
        self.artists = {artist.get_gid(): artist for artist in [*self.ax.patches, *self.ax.texts]}

    def node(self, name):
        """Centre, and radius or half side."""
        shape = self.artists[f"node {name}"]
        if isinstance(shape, Circle):
            return np.array(shape.center), shape.radius
        return np.array(shape.get_center()), shape.get_width() / 2

    def border(self, name, points):
        """Distance of points from the border of a node, negative inside."""
        centre, size = self.node(name)
        offset = np.abs(np.atleast_2d(points) - centre)
        if isinstance(self.artists[f"node {name}"], Circle):
            return np.hypot(*offset.T) - size
        outside = np.hypot(*np.maximum(offset - size, 0).T)
        return np.where(offset.max(axis=1) > size, outside, offset.max(axis=1) - size)

    def line(self, regulator, target):
        return self.artists[f"link {regulator} {target}"].get_path().vertices

    def head(self, regulator, target):
        return self.artists[f"link {regulator} {target} head"].get_xy()[:-1]

    def links(self):
        names = [gid.split() for gid in self.artists if gid and gid.startswith("link")]
        return [tuple(words[1:]) for words in names if words[-1] != "head"]

    def nodes(self):
        return [gid.split()[1] for gid in self.artists if gid and gid.startswith("node")]


def assert_sound(drawing):
    """Check every link of a drawing: both ends at the borders, nothing below a node, everything in view."""
    for regulator, target in drawing.links():
        line, head = drawing.line(regulator, target), drawing.head(regulator, target)
        size = drawing.node(target)[1]
        tip = head[np.argmin(drawing.border(target, head))]
        assert 0 < drawing.border(target, tip)[0] < 0.3 * size, "the head ends just before the border"
        assert 0 < drawing.border(regulator, line[:1])[0] < 0.3 * size, "the line starts at the border"
        everything = np.vstack([line, head])
        for name in drawing.nodes():
            assert drawing.border(name, everything).min() > 0, f"{regulator} on {target} runs over {name}"
        low, high = np.array([drawing.ax.get_xlim(), drawing.ax.get_ylim()]).T
        assert (everything > low).all()
        assert (everything < high).all()


def end_direction(line, length):
    """Unit vector of the last stretch of a line."""
    before = line[np.hypot(*(line - line[-1]).T) > length][-1]
    return (line[-1] - before) / np.hypot(*(line[-1] - before))


def crossings(one, two):
    """Number of crossings of two polylines."""

    def side(a, b, points):
        return np.sign((b - a)[0] * (points - a)[:, 1] - (b - a)[1] * (points - a)[:, 0])

    found = 0
    for a, b in itertools.pairwise(one):
        apart = side(a, b, two)[:-1] != side(a, b, two)[1:]
        for k in np.flatnonzero(apart):
            found += side(two[k], two[k + 1], np.array([a, b])).prod() < 0
    return found


def test_all_links_of_two_genes_and_an_input_are_sound():
    drawing = Drawing(links_of("I -> g1;I -| g2;g1 -| g1;g1 -> g2;g2 -| g1;g2 -> g2"))
    assert len(drawing.links()) == 6
    assert_sound(drawing)


def test_all_24_links_of_the_gap_genes_are_sound_and_their_heads_apart():
    drawing = Drawing(signed_graph(GAP_VALUES, [*GAP_GENES, "Bcd", "Tor"], GAP_GENES))
    assert len(drawing.links()) == 24
    assert_sound(drawing)
    centres = {link: drawing.head(*link).mean(axis=0) for link in drawing.links()}
    for one, two in itertools.combinations(centres, 2):
        assert np.hypot(*(centres[one] - centres[two])) > 0.2 * drawing.node("hb")[1], (one, two)


@settings(max_examples=15, deadline=None)
@given(data=st.data(), genes=st.integers(1, 4), inputs=st.integers(0, 2))
def test_any_small_network_is_sound(data, genes, inputs):
    names = [f"g{i}" for i in range(genes)]
    cell = st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.1, -3.0])
    size = (genes + inputs) * genes
    values = np.array(data.draw(st.lists(cell, min_size=size, max_size=size))).reshape(-1, genes)
    graph = signed_graph(values, [*names, *(f"I{i}" for i in range(inputs))], names)
    drawing = Drawing(graph)
    assert set(drawing.links()) == set(graph.edges)
    assert_sound(drawing)


def test_a_link_between_given_positions_goes_around_a_node_in_between():
    positions = {"a": (0, 0), "b": (5, 0), "c": (10, 0)}
    drawing = Drawing(links_of("a -> c;b -> c"), positions=positions)
    assert drawing.positions == positions
    assert_sound(drawing)


@pytest.mark.parametrize("sign", ["->", "-|"])
def test_heads_have_the_shape_of_their_sign_and_stand_across_the_end_of_the_line(sign):
    drawing = Drawing(links_of(f"a {sign} b;b {sign} a;b {sign} c;c {sign} c"))
    for link in drawing.links():
        line, head = drawing.line(*link), drawing.head(*link)
        direction = end_direction(line, 0.03 * drawing.node(link[1])[1])
        sides = np.roll(head, -1, axis=0) - head
        longest = max(sides, key=lambda side: np.hypot(*side))
        if sign == "-|":
            assert len(head) == 4
            assert abs(longest @ direction) / np.hypot(*longest) < 0.2, "the bar stands across the line"
            assert np.hypot(*longest) > 3 * min(np.hypot(*side) for side in sides), "the bar is flat"
            across = head @ direction
            assert across.min() - 1e-9 < line[-1] @ direction < across.max() + 1e-9, "the line meets the bar"
        else:
            assert len(head) == 3
            tip = head[np.argmax(head @ direction)]
            base = np.array([corner for corner in head if not np.array_equal(corner, tip)])
            assert np.allclose(np.hypot(*(base - tip).T), np.hypot(*(base[0] - tip))), "both flanks are equal"
            assert np.allclose(base.mean(axis=0), line[-1], atol=1e-9), "the line ends in the base"


def test_opposite_links_bend_apart_and_never_cross():
    drawing = Drawing(links_of("a -> b;b -| a;b -> c;c -> b;c -| a;a -| c"))
    size = drawing.node("a")[1]
    for one, two in (("a", "b"), ("b", "c"), ("c", "a")):
        there, back = drawing.line(one, two), drawing.line(two, one)
        middle = there[len(there) // 2]
        assert np.hypot(*(back - middle).T).min() > 0.4 * size
        assert crossings(there, back) == 0


def test_a_lonely_link_is_straight():
    drawing = Drawing(links_of("a -> b"))
    line = drawing.line("a", "b")
    direction = line[-1] - line[0]
    offsets = (line - line[0]) @ np.array([-direction[1], direction[0]])
    assert np.abs(offsets).max() < 1e-9


@pytest.mark.parametrize("text", ["g -| g", "g -> g", "I -> g;g -| g;g -> h;h -> h"])
def test_a_self_link_is_a_loop_outside_its_node(text):
    drawing = Drawing(links_of(text))
    assert_sound(drawing)
    x, y = np.vstack([drawing.line("g", "g"), drawing.head("g", "g").mean(axis=0)]).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    size = drawing.node("g")[1]
    assert area > 0.3 * size**2
    assert drawing.border("g", drawing.line("g", "g")).max() > 0.7 * size


def test_activation_and_inhibition_differ_in_colour_too():
    drawing = Drawing(links_of("a -> b;b -| a"))
    colours = {link: to_hex(drawing.artists[f"link {link[0]} {link[1]}"].get_edgecolor()) for link in drawing.links()}
    assert colours == {("a", "b"): PALETTE["green"].lower(), ("b", "a"): PALETTE["vermillion"].lower()}


def test_line_width_grows_with_the_value_up_to_the_scale():
    links = links_of("a -> b 0.1;a -> c -0.5;a -> d 1;b -> c 2;c -> d 40")
    drawing = Drawing(links, scale=2)
    widths = [drawing.artists[f"link {r} {t}"].get_linewidth() for r, t in drawing.links()]
    assert drawing.links() == list(zip(links["regulator"], links["target"], strict=True))
    assert widths[0] < widths[1] < widths[2] < widths[3] == widths[4]
    assert np.diff(widths[:3]) == pytest.approx(np.array([0.4, 0.5]) * (widths[3] - widths[2]), rel=1e-6)


def test_inputs_are_squares_at_the_top_and_genes_circles():
    drawing = Drawing(links_of("I1 -> g1;I2 -> g2;g1 -> g2;g2 -| g1"))
    shapes = {name: type(drawing.artists[f"node {name}"]) for name in drawing.nodes()}
    assert shapes == {"I1": Rectangle, "I2": Rectangle, "g1": Circle, "g2": Circle}
    x, y = ({name: drawing.positions[name][k] for name in drawing.nodes()} for k in (0, 1))
    assert min(y["I1"], y["I2"]) > max(y["g1"], y["g2"])
    assert x["I1"] < x["I2"]
    assert x["g1"] < x["g2"]


def test_inputs_can_be_given_and_a_single_gene_stands_right_of_its_input():
    chosen = Drawing(links_of("a -> b;b -> c"), inputs=[])
    assert all(isinstance(chosen.artists[f"node {name}"], Circle) for name in "abc")
    drawing = Drawing(links_of("I -> g"))
    assert drawing.positions["I"][0] < drawing.positions["g"][0]


def test_a_network_without_links_shows_all_its_nodes():
    graph = signed_graph(np.zeros((3, 2)), ["g1", "g2", "I"], ["g1", "g2"], cutoff=0.5)
    drawing = Drawing(graph)
    assert sorted(drawing.nodes()) == ["I", "g1", "g2"]
    assert isinstance(drawing.artists["node I"], Rectangle)
    assert drawing.links() == []


@pytest.mark.parametrize(("genes", "inputs"), list(itertools.product(range(1, 5), range(3))))
def test_default_nodes_stand_well_apart(genes, inputs):
    names = [f"g{i}" for i in range(genes)]
    values = np.zeros((genes + inputs, genes))
    drawing = Drawing(signed_graph(values, [*names, *(f"I{i}" for i in range(inputs))], names))
    for one, two in itertools.combinations(drawing.nodes(), 2):
        (a, size), (b, _) = drawing.node(one), drawing.node(two)
        assert np.hypot(*(a - b)) > 3.5 * size


def test_grey_links_are_dashed_light_and_may_have_no_sign():
    links = links_of("a -> b;b -| a;a -> a;b -> b")
    links["style"] = ["solid", "dashed", "grey", "grey"]
    links.loc[3, "sign"] = 0
    drawing = Drawing(links)
    dashes = {link: drawing.artists["link {} {}".format(*link)].get_linestyle() for link in drawing.links()}
    assert dashes["a", "b"] in ("-", "solid")
    assert all(dashes[link] not in ("-", "solid") for link in (("b", "a"), ("a", "a"), ("b", "b")))
    grey = np.array(drawing.artists["link a a"].get_edgecolor()[:3])
    assert np.ptp(grey) == 0
    assert grey[0] > 0.6
    assert "link a a head" in drawing.artists
    assert "link b b head" not in drawing.artists


def test_link_labels_stand_on_their_lines_and_node_names_in_their_nodes():
    links = links_of("a -> b;b -| a;a -> c")
    links["label"] = ["0.95", None, "1.00"]
    drawing = Drawing(links)
    written = {text.get_text(): np.array(text.get_position()) for text in drawing.ax.texts}
    assert set(written) == {"0.95", "1.00", "a", "b", "c"}
    for label, link in (("0.95", ("a", "b")), ("1.00", ("a", "c"))):
        assert np.hypot(*(drawing.line(*link) - written[label]).T).min() < 1e-6
    for name in "abc":
        assert np.allclose(written[name], drawing.node(name)[0])


@pytest.mark.parametrize("size", [(1.2, 1.2), (4, 2), (10, 10)])
@pytest.mark.parametrize("name", ["g", "ATM/Chk2"])
def test_names_fit_into_their_nodes_whatever_the_size_of_the_axes(size, name):
    drawing = Drawing(links_of(f"I -> {name};{name} -> b"), size=size)
    renderer = FigureCanvasAgg(drawing.figure).get_renderer()
    text = next(text for text in drawing.ax.texts if text.get_text() == name)
    node = drawing.artists[f"node {name}"].get_window_extent(renderer)
    box = text.get_window_extent(renderer)
    assert box.width < node.width
    assert box.height < node.height
    assert text.get_fontsize() < 12


def test_the_legend_explains_both_heads():
    drawing = Drawing(links_of("a -> b;b -| a"), legend=True)
    assert [text.get_text() for text in drawing.ax.get_legend().get_texts()] == ["→ activation", "⊣ inhibition"]


def test_a_graph_and_its_table_give_the_same_drawing():
    graph = signed_graph(GAP_VALUES, [*GAP_GENES, "Bcd", "Tor"], GAP_GENES, cutoff=3)
    rows = [(a, b, each["sign"], each["value"]) for a, b, each in graph.edges(data=True)]
    table = pd.DataFrame(rows, columns=["regulator", "target", "sign", "value"])
    one, two = Drawing(graph), Drawing(table, nodes=list(graph))
    assert one.links() == two.links()
    for link in one.links():
        np.testing.assert_array_equal(one.line(*link), two.line(*link))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"target": ["g2", "g3"]}, {"nodes": ["g1", "g2"]}, "unknown node 'g3' (did you mean"),
        ({}, {"inputs": ["I"]}, "inputs: unknown node 'I'"),
        ({}, {"positions": {"g1": (0, 0)}}, "positions: node 'g2' is missing"),
        ({}, {"positions": {"g1": (0, 0), "g2": (0, np.nan)}}, "found (0.0, nan) for node 'g2'"),
        ({}, {"positions": {"g1": (0, 0), "g2": (0, 0)}}, "nodes 'g1' and 'g2' share (0.0, 0.0)"),
        ({}, {"scale": 0.0}, "found scale 0.0; expected a positive number"),
        ({"value": [1.0, np.nan]}, {}, "links row 2 (g2 on g1): found value 'nan'; expected a finite number"),
        ({"value": [1.0, "strong"]}, {}, "links row 2 (g2 on g1): found value 'strong'"),
        ({"sign": [1, 2]}, {}, "links row 2 (g2 on g1): found sign '2'; expected 1 or -1"),
        ({"sign": [0, 1]}, {}, "links row 1 (g1 on g2): found sign '0'"),
        ({"sign": ["+", "-"]}, {}, "links row 1 (g1 on g2): found sign '+'"),
        ({"style": ["solid", "dotted"]}, {}, "found style 'dotted'; expected one of solid, dashed, grey"),
        ({"regulator": ["g1", "g1"], "target": ["g2", "g2"]}, {}, "g1 on g2 appears twice"),
    ],
)
def test_links_that_cannot_be_drawn_are_named(change, options, message):
    links = pd.DataFrame({"regulator": ["g1", "g2"], "target": ["g2", "g1"], "sign": [1, -1]}).assign(**change)
    figure, ax = plt.subplots()
    with pytest.raises(UserError) as error:
        draw_network(links, ax, **options)
    plt.close(figure)
    assert message in str(error.value)
    assert not ax.patches, "nothing was drawn"


def test_a_missing_column_and_an_empty_table_are_named():
    figure, ax = plt.subplots()
    with pytest.raises(UserError, match=r"missing column 'sign' \(did you mean 'signs'\?\)"):
        draw_network(pd.DataFrame({"regulator": ["a"], "target": ["b"], "signs": [1]}), ax)
    with pytest.raises(UserError, match="found no row"):
        draw_network(pd.DataFrame({"regulator": [], "target": [], "sign": []}), ax)
    plt.close(figure)


def test_a_signed_graph_keeps_values_beyond_the_cutoff_with_their_sign():
    graph = signed_graph([[0.5, -0.5], [-2.0, 0.0], [1.0, 0.4]], ["g1", "g2", "I"], ["g1", "g2"], cutoff=0.5)
    assert dict(graph.nodes(data="kind")) == {"I": "input", "g1": "gene", "g2": "gene"}
    assert sorted(graph.edges(data=True)) == [
        ("I", "g1", {"sign": 1, "value": 1.0}),
        ("g2", "g1", {"sign": -1, "value": -2.0}),
    ]


@pytest.mark.parametrize(
    ("matrix", "cutoff", "message"),
    [
        ([[1.0, 2.0]], 0, "found shape (1, 2); expected (2, 2)"),
        ([[1.0, np.nan], [0, 0]], 0, "a on b: found nan; expected a finite number"),
        ([[1.0, 0], [0, 0]], -1, "found cutoff -1"),
        ([[1.0, 0], [0, 0]], np.nan, "found cutoff nan"),
    ],
)
def test_a_faulty_link_matrix_is_named(matrix, cutoff, message):
    with pytest.raises(UserError) as error:
        signed_graph(matrix, ["a", "b"], ["a", "b"], cutoff)
    assert message in str(error.value)


def test_a_repeated_name_in_a_link_matrix_is_refused():
    with pytest.raises(UserError, match="the targets a, a contain a name twice"):
        signed_graph(np.zeros((2, 2)), ["a", "b"], ["a", "a"])


def test_graphml_is_read_back_as_the_same_network(tmp_path):
    graph = signed_graph(GAP_VALUES, [*GAP_GENES, "Bcd", "Tor"], GAP_GENES, cutoff=1)
    file = tmp_path / "net.graphml"
    write_graphml(graph, file)
    found = nx.read_graphml(file)
    assert dict(found.nodes(data=True)) == dict(graph.nodes(data=True))
    assert sorted(found.edges(data=True)) == sorted(graph.edges(data=True))
    before = file.read_bytes()
    write_graphml(graph, file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net.graphml"]
