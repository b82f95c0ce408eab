"""Progress of a running notebook on the terminal: a bar where someone looks at it, plain lines in a log."""

import sys
import threading
import time

from tqdm import tqdm

EVERY = 15.0  # seconds between two plain lines


def duration(seconds: float) -> str:
    """Return a duration as people say it: ``8 s``, ``3 min 20 s``, ``2 h 05 min``.

    >>> duration(200)
    '3 min 20 s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts executed cells; has the methods of the bar that papermill drives.

    Parameters
    ----------
    name
        Step, shown in front.
    total
        Number of cells.
    expected
        Seconds that the step took last time, if known.
    """

    def __init__(self, name: str, total: int, expected: float | None):
        self.name, self.total, self.expected, self.n = name, total, expected, 0
        self.start = self.said = time.monotonic()
        self.bar = None
        if sys.stderr.isatty():
            layout = "{desc}: {n_fmt}/{total_fmt} cells |{bar}| {elapsed}{postfix}"
            self.bar = tqdm(total=total, desc=name, bar_format=layout, leave=False)
            self.bar.set_postfix_str("" if expected is None else f"of about {duration(expected)}")
        else:
            about = "time unknown" if expected is None else f"about {duration(expected)}, as before"
            self._say(f"{total} cells, {about}")
        self.stopped = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def update(self, cells: int = 1) -> None:
        """Count executed cells."""
        self.n += cells
        self.refresh()

    def refresh(self) -> None:
        """Draw the bar, or say a line if the last one is long ago."""
        if self.bar is not None:
            self.bar.n = self.n
            self.bar.refresh()
        elif time.monotonic() - self.said >= EVERY:
            about = "" if self.expected is None else f" of about {duration(self.expected)}"
            self._say(f"{self.n}/{self.total} cells, {duration(self.elapsed)}{about}")

    def set_description(self, text: str) -> None:
        """Ignore papermill's description of a cell: the step's name stays in front."""

    def close(self) -> None:
        """Take the bar away."""
        self.stopped.set()
        if self.bar is not None:
            self.bar.close()

    def done(self, where: str) -> None:
        """Say the closing line."""
        self._say(f"done in {duration(self.elapsed)}: {where}")

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def _tick(self) -> None:
        """Keep the clock going through a long cell."""
        while not self.stopped.wait(1.0):
            self.refresh()
