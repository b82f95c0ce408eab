"""Gene networks as the papers draw them: activation with an arrowhead, inhibition with a flat bar.

A signed network is a `networkx.DiGraph` whose edges have `sign` (+1 activation, -1 inhibition) and, if measured,
`value`; `signed_graph` makes one from a matrix, `draw_network` draws it, `write_graphml` hands it to other programs.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Curve
from matplotlib.textpath import TextPath

from regulome.errors import UserError, closest
from regulome.network_layout import Node, Point, default_positions, node_radius, route, shorten
from regulome.style import PALETTE
from regulome.tables import write_bytes

COLOURS = {1: PALETTE["green"], -1: PALETTE["vermillion"], 0: "#999999"}
GREY = "#B8B8B8"  # links that are absent or removed
STYLES = ("solid", "dashed", "grey")
HEAD_LENGTH, HEAD_WIDTH, BAR_WIDTH = 0.5, 0.25, 0.36  # in node radii; the widths are half widths
THIN, THICK = 0.045, 0.17  # line widths in node radii, of a link of value 0 and of the strongest
MARGIN = 0.35  # around the drawing, in node radii
"""

