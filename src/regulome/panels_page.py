"""One page a published figure, composed from the images that the steps have saved; nothing is computed again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from regulome import figures
from regulome import report_format as fmt
from regulome.figures import DPI, PALETTE
from regulome.panels import Page
from regulome.panels_layout import LINE, MARGIN, PAD, SMALL, SMALL_LETTER, WIDTH, Box, Content, fit, layout, lines
from regulome.panels_places import Place, tally
from regulome.report_inputs import Row

HEAD = MARGIN + 2 * LINE + 2 * SMALL  # title, what is known, key of the colours
COLUMNS = (0.56, 0.7, 0.83)  # where ours, published and verdict begin, as shares of a table's width
BANDS = {"regenerated": "#dce9f5", "other data": "#fbe8cf", "not regenerated": "#f3dbe8", "not described": "#e3dff0"}
NOTHING = "#e2e2e2"  # band of a place without image or numbers
VERDICTS = {"agrees": PALETTE["blue"], "differs": PALETTE["vermillion"]}


def draw(page: Page, places: Sequence[Place], profile: str, rows: int = 12) -> tuple[Figure, pd.DataFrame]:
    """Draw a page: every place with a band that names the published panel, its status and where it comes from.

    Parameters
    ----------
    places
        As `regulome.panels_places.places` gives them.
    rows
        Most rows of a table of numbers; the rest are counted below it.

    Returns
    -------
    tuple
        The figure, two journal columns wide, and a table with one row a place.
    """
    boxes, height = layout([_content(place, rows) for place in places], HEAD + PAD)
    fig = plt.figure(figsize=((WIDTH + 2 * MARGIN) / DPI, height / DPI), layout="constrained")
    fig.set_layout_engine("none")  # a placeholder, which saving keeps; layout="none" would not survive that
    _draw_head(fig, page, profile)
    for place, box in zip(places, boxes, strict=True):
        _draw_band(fig, place, box)
        if place.image is not None:
            _draw_image(fig, place, box)
        elif place.numbers and not place.source:
            _draw_numbers(fig, place.numbers, box, rows)
    return fig, _table(places)


def render_all(
    pages: Sequence[tuple[Page, Sequence[Place]]], profile: str, rows: int, processes: int
) -> Iterator[dict[str, bytes]]:
    """The files of every page, see `regulome.figures.render`, in order; drawn by so many processes."""
    tasks = [(page, places, profile, rows) for page, places in pages]
    if processes == 1:
        yield from map(_render, tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:  # a kernel has threads: no fork
        yield from pool.map(_render, tasks)


def _render(task: tuple[Page, Sequence[Place], str, int]) -> dict[str, bytes]:
    figures.style()
    fig, table = draw(*task)
    try:
        return figures.render(fig, table, task[0].name)
    finally:
        plt.close(fig)


def caption(page: Page, places: Sequence[Place]) -> str:
    """Return the caption of a page: which letters come from where."""
    found = [f"{', '.join(place.letters)}: {place.source}" for place in places if place.image is not None]
    found += [f"{', '.join(p.letters)}: ours and published" for p in places if p.numbers and not p.source]
    what = "; ".join(found) if found else "no step of this page has run"
    return f"{page.title}, composed from what the steps wrote. {what}. Letters inside an image are its own."


def _draw_head(fig: Figure, page: Page, profile: str) -> None:
    about = "Mini profile: small and simulated inputs." if profile == "mini" else "Paper profile."
    _text(fig, MARGIN, MARGIN - PAD, page.title, fontsize=9, fontweight="bold")
    _text(fig, MARGIN, MARGIN + LINE + 4, f"{about} {page.known}", fontsize=6, color="0.35")
    x, y = MARGIN, MARGIN + 2 * LINE + 4
    for word, color in (BANDS | {"nothing here": NOTHING}).items():
        _rectangle(fig, x, y + 3, SMALL - 6, SMALL - 6, color)
        _text(fig, x + SMALL, y, word, fontsize=6, color="0.35")
        x += int(SMALL * 2.2 + SMALL_LETTER * len(word))


def _content(place: Place, rows: int) -> Content:
    title = f"{', '.join(place.letters)}  {place.shows}"
    if place.image is not None:
        with Image.open(place.image) as image:
            return Content(*fit(*image.size), title, _small(place))
    if place.numbers and not place.source:
        shown = min(len(place.numbers), rows) + 1 + (len(place.numbers) > rows)
        return Content(WIDTH, shown * SMALL + PAD, title, _small(place))
    return Content(0, 0, title, _small(place))


def _small(place: Place) -> str:
    """Status, verdicts, origin and note in one line of small print."""
    counts = tally(place.numbers)
    verdicts = ", ".join(
        f"{count} {word}"
        for count, word in (
            (counts["agrees"], "agree" if counts["agrees"] != 1 else "agrees"),
            (counts["differs"], "differ" if counts["differs"] != 1 else "differs"),
            (counts["not comparable"], "not comparable"),
        )
        if count
    )
    origin = place.absent if place.absent not in ("", place.status) else place.source
    parts = [place.status.capitalize(), origin, f"numbers: {verdicts}" if verdicts else "", place.note]
    return " | ".join(part for part in parts if part)


def _draw_band(fig: Figure, place: Place, box: Box) -> None:
    there = place.image is not None or (place.numbers and not place.source)
    _rectangle(fig, box.x, box.y, box.width, box.band, BANDS[place.status] if there else NOTHING)
    y = box.y + PAD
    for line in box.title:
        _text(fig, box.x + PAD, y, line, fontsize=7, fontweight="bold")
        y += LINE
    for line in box.small:
        _text(fig, box.x + PAD, y, line, fontsize=6, color="0.25")
        y += SMALL


def _draw_image(fig: Figure, place: Place, box: Box) -> None:
    """Show an image pixel by pixel; one wider than the page is reduced."""
    with Image.open(place.image) as image:
        pixels = image.convert("RGB")
        size = (box.content_width, box.content_height)
        pixels = np.asarray(pixels if pixels.size == size else pixels.resize(size, Image.Resampling.LANCZOS))
    width, height = fig.get_figwidth() * DPI, fig.get_figheight() * DPI
    bottom = height - box.y - box.band - size[1]
    ax = fig.add_axes((box.x / width, bottom / height, size[0] / width, size[1] / height))
    ax.imshow(pixels, aspect="auto", interpolation="none")
    ax.set_axis_off()


def _draw_numbers(fig: Figure, numbers: Sequence[Row], box: Box, rows: int) -> None:
    """Write ours beside published, a row a number; the colour repeats the verdict."""
    y = box.y + box.band + PAD // 2
    _line(fig, box, y, ("", "ours", "published", "verdict"), "0.35")
    for row in numbers[:rows]:
        y += SMALL
        words = f"{row.quantity} ({row.unit})" if row.unit else row.quantity
        large = row.ours is not None and abs(row.ours) >= 1e4  # a count: six digits, as the csv files have them
        mine = fmt.stated(row.ours) if large else fmt.number(row.ours, digits=4)
        cells = (words, mine, fmt.stated(row.published), row.verdict)
        _line(fig, box, y, cells, VERDICTS.get(row.verdict, "0.35"))
    if len(numbers) > rows:
        _line(fig, box, y + SMALL, (f"and {len(numbers) - rows} more in results.csv", "", "", ""), "0.35")


def _line(fig: Figure, box: Box, y: int, cells: Sequence[str], color: str) -> None:
    first = lines(cells[0], int(box.width * COLUMNS[0]), SMALL_LETTER)
    words = first[0] + (" ..." if len(first) > 1 else "") if first else ""
    _text(fig, box.x + PAD, y, words, fontsize=6)
    for start, cell in zip(COLUMNS, cells[1:], strict=True):
        _text(fig, box.x + int(box.width * start), y, cell, fontsize=6, color=color)


def _text(fig: Figure, x: float, y: float, text: str, **style) -> None:
    """Write text with its upper left corner at pixels from the upper left corner of the page; dollars are no TeX."""
    width, height = fig.get_figwidth() * DPI, fig.get_figheight() * DPI
    fig.text(x / width, 1 - y / height, text, va="top", ha="left", parse_math=False, **style)


def _rectangle(fig: Figure, x: float, y: float, width: float, height: float, color: str) -> None:
    across, down = fig.get_figwidth() * DPI, fig.get_figheight() * DPI
    corner = (x / across, 1 - (y + height) / down)
    patch = Rectangle(corner, width / across, height / down, facecolor=color, edgecolor="none", zorder=-1)
    fig.add_artist(patch)


def _table(places: Sequence[Place]) -> pd.DataFrame:
    return pd.DataFrame(
        {"panel": ", ".join(place.letters), "shows": place.shows, "status": place.status, "source": place.source}
        | {"absent": place.absent}
        | tally(place.numbers)
        | {"note": place.note}
        for place in places
    )
