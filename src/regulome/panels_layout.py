"""Where the places of a page lie: images at their own size, in the paper's order, in rows as wide as the page.

All lengths are pixels of the png files (`regulome.figures.DPI`), so that an image keeps its pixels and the size of
its letters. Nothing here draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

WIDTH = 1440  # of what a page holds: two journal columns at 200 pixels an inch
MARGIN, GAP, PAD = 20, 24, 10  # around a page; between places; inside a band
LINE, SMALL = 26, 22  # heights of a line of 7 and of 6 points
LETTER, SMALL_LETTER = 12.2, 9.4  # mean widths of a letter of either size, DejaVu Sans with a reserve
NARROWEST = 420  # of a place without an image


@dataclass(frozen=True)
class Content:
    """What a place needs: size of its image or table (zero: text alone), its title and its small print."""

    width: int
    height: int
    title: str
    small: str


@dataclass(frozen=True)
class Box:
    """A place on the page, from its upper left corner: the band with the text, and what stands below it."""

    x: int
    y: int
    width: int
    band: int
    content_width: int
    content_height: int
    title: tuple[str, ...]
    small: tuple[str, ...]

    @property
    def bottom(self) -> int:
        """Lower edge."""
        return self.y + self.band + self.content_height


def fit(width: int, height: int) -> tuple[int, int]:
    """Return the size of an image on the page: its own, or reduced to the page's width."""
    return (width, height) if width <= WIDTH else (WIDTH, round(height * WIDTH / width))


def lines(text: str, width: int, letter: float) -> tuple[str, ...]:
    """Break a text into lines that fit a width."""
    return tuple(wrap(text, max(8, int((width - 2 * PAD) / letter)))) if text else ()


def rows(contents: Sequence[Content]) -> list[list[int]]:
    """Group places into rows in their order: as many as fit the width, one at least."""
    found: list[list[int]] = []
    used = 0
    for number, content in enumerate(contents):
        width = max(content.width, NARROWEST)
        if found and used + GAP + width <= WIDTH:
            found[-1].append(number)
            used += GAP + width
        else:
            found.append([number])
            used = width
    return found


def layout(contents: Sequence[Content], top: int) -> tuple[list[Box], int]:
    """Place everything below `top`; return a box for each content and the height of the page.

    The room that is left in a row goes to its places without an image; a row of images alone is spread.
    """
    boxes: dict[int, Box] = {}
    y = top
    for row in rows(contents):
        widths = _widths([contents[number] for number in row])
        texts = [_texts(contents[number], width) for number, width in zip(row, widths, strict=True)]
        band = max(_band(*text) for text in texts)
        x = MARGIN
        for number, width, (title, small) in zip(row, widths, texts, strict=True):
            size = contents[number].width, contents[number].height
            boxes[number] = Box(x, y, width, band, *size, title, small)
            x += width + GAP
        y = max(boxes[number].bottom for number in row) + GAP
    return [boxes[number] for number in range(len(contents))], y - GAP + MARGIN


def _widths(row: Sequence[Content]) -> list[int]:
    widths = [max(content.width, NARROWEST) for content in row]
    left = WIDTH - sum(widths) - GAP * (len(row) - 1)
    takers = [place for place, content in enumerate(row) if not content.width] or list(range(len(row)))
    for place in takers:
        widths[place] += left // len(takers)
    return widths


def _texts(content: Content, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return lines(content.title, width, LETTER), lines(content.small, width, SMALL_LETTER)


def _band(title: tuple[str, ...], small: tuple[str, ...]) -> int:
    return 2 * PAD + LINE * len(title) + SMALL * len(small)
