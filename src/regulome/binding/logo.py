"""Sequence logos: letters whose heights are given, positive ones stacked upwards, negative ones downwards."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from regulome.binding.sequences import BASES
from regulome.style import PALETTE

COLOURS = {"A": PALETTE["green"], "C": PALETTE["blue"], "G": PALETTE["orange"], "U": PALETTE["vermillion"]}
WIDTH = 0.92  # of a letter, in positions


def draw(ax: Axes, matrix: np.ndarray) -> None:
    """Draw a logo into axes: position i is at x = i, heights are the entries, the largest outermost.

    Parameters
    ----------
    matrix
        (L, 4) heights of A, C, G, U, for instance `regulome.binding.motif.information`; negative ones hang below 0.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.shape[1] != 4:
        raise ValueError(f"found heights of shape {matrix.shape}; expected (positions, 4)")
    for place, heights in enumerate(matrix):
        up, down = 0.0, 0.0
        for i in np.argsort(np.abs(heights), kind="stable"):
            height = abs(heights[i])
            if not height > 0:
                continue
            bottom = up if heights[i] > 0 else down - height
            ax.add_patch(_letter(BASES[i], place, bottom, height, ax))
            up, down = (up + height, down) if heights[i] > 0 else (up, down - height)
    low, high = np.minimum(matrix, 0).sum(axis=1).min(), np.maximum(matrix, 0).sum(axis=1).max()
    ax.set_xlim(-0.6, len(matrix) - 0.4)
    ax.set_ylim(low * 1.02, high * 1.02 if high > low else low + 1)


def _letter(letter: str, place: float, bottom: float, height: float, ax: Axes) -> PathPatch:
    """The outline of a letter, stretched to fill WIDTH x height."""
    outline = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = outline.get_extents()
    fit = Affine2D().translate(-box.x0, -box.y0).scale(WIDTH / box.width, height / box.height)
    fit = fit.translate(place - WIDTH / 2, bottom)
    return PathPatch(outline, facecolor=COLOURS[letter], edgecolor="none", lw=0, transform=fit + ax.transData)
