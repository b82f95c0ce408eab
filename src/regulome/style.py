"""How every figure looks: the style sheet, journal widths, colours, panel letters and the signed matrix."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from regulome.errors import UserError

SINGLE = 89 / 25.4  # width of a figure in one journal column, inches
DOUBLE = 183 / 25.4  # width over two columns, inches

# Okabe and Ito, "Color Universal Design" (2008)
PALETTE = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}


def style() -> None:
    """Load the style of all figures (``style.mplstyle``)."""
    plt.style.use(Path(__file__).with_name("style.mplstyle"))


def panel_letter(ax: Axes, letter: str) -> None:
    """Write the bold panel letter of a journal figure at the upper left of a panel, outside its axes."""
    ax.annotate(
        letter,
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(-20, 4),
        textcoords="offset points",
        fontsize=plt.rcParams["font.size"] + 2,
        fontweight="bold",
        va="bottom",
        ha="left",
    )


def log_ticks(axis: Axis, steps: tuple[float, ...] = (1, 2, 5)) -> None:
    """Label a logarithmic axis with plain numbers, at ``steps`` times each power of ten.

    Matplotlib labels powers of ten only, which leaves a short axis with one label or none.
    """
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())


def heatmap_signed(
    df: pd.DataFrame,
    ax: Axes,
    label: str = "",
    limit: float | None = None,
    digits: int = 2,
    annotate: bool = True,
    colorbar: bool = True,
) -> Axes:
    """Draw signed values as a matrix whose colours are centred at zero.

    The map runs from brown (negative) over white to blue-green (positive) and is safe for colour-blind
    readers; the written values carry the sign a second time.

    Parameters
    ----------
    df
        Matrix, rows by columns, with the labels to be written; missing values stay blank.
    label
        Name and unit of the values, written at the colour bar.
    limit
        Value of the darkest colours (default: the largest absolute value).
    digits
        Decimals of the written values.

    Raises
    ------
    UserError
        If there is no finite value, a value is infinite, or the limit is not positive.
    """
    import seaborn as sns

    values = df.to_numpy(dtype=float)
    if np.isinf(values).any() or not np.isfinite(values).any():
        raise UserError("heatmap: found infinite values only or among others; expected finite or missing values")
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise UserError(f"heatmap: found limit {limit}; expected a positive number")
    largest = limit or float(np.nanmax(np.abs(values))) or 1.0
    sns.heatmap(
        pd.DataFrame(values, df.index, df.columns),
        ax=ax,
        cmap="BrBG",
        center=0,
        vmin=-largest,
        vmax=largest,
        annot=annotate,
        fmt=f"+.{digits}f",
        annot_kws={"fontsize": plt.rcParams["xtick.labelsize"]},
        linewidths=0.5,
        linecolor="white",
        square=True,
        cbar=colorbar,
        cbar_kws={"label": label, "shrink": 0.8} if colorbar else None,
    )
    ax.tick_params(length=0)
    ax.set_yticklabels(ax.get_yticklabels(), rotation=0)
    return ax
