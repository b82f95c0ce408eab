"""How numbers, times, sizes and text are written in the report."""

import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal

NOTHING = "–"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decimals(value: float | None) -> int:
    """Return how many decimals a number has as it was typed: 0.396 has three, 104.0 none."""
    if value is None:
        return 0
    return max(0, -Decimal(f"{value:.6g}").normalize().as_tuple().exponent)


def number(value: float | None, at_least: int = 0, digits: int = 3) -> str:
    """Write a measured number with `digits` significant digits, and with `at_least` that many decimals.

    Whole numbers (counts) are written in full; below 0.0001 and from a million on, powers of ten are used.

    >>> number(0.4012345), number(2113.4), number(104.0), number(1.0, at_least=2), number(-4.5e-7)
    ('0.401', '2113', '104', '1.00', '−4.50 × 10⁻⁷')
    """
    if value is None:
        return NOTHING
    if value == 0 or (value == round(value) and abs(value) < 1e6):
        return _signed(f"{value:.{at_least if at_least < 5 else 0}f}")
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])  # after rounding: 0.9999 is 1.00
    if exponent < -4 or exponent >= 6:
        return _scientific(f"{value:.{digits - 1}e}")
    return _signed(f"{value:.{max(digits - 1 - exponent, at_least, 0)}f}")


def stated(value: float | None) -> str:
    """Write a number that was typed in (published, tolerance) as it was typed, up to six digits."""
    if value is None:
        return NOTHING
    text = f"{value:.6g}"
    return _scientific(text) if "e" in text else _signed(text)


def interval(low: float | None, high: float | None, like: str = "") -> str:
    """Write an interval with an en dash, spaced beside a minus sign; nothing without bounds.

    The bounds get as many decimals as `like`, the number they belong to, unless that would write a share as 0.
    """
    if low is None or high is None:
        return ""
    fixed = re.fullmatch(r"−?[0-9]+(?:\.([0-9]+))?", like)
    if fixed and not fixed[1] and any(0 < abs(bound) < 1 for bound in (low, high)):
        fixed = None
    places = len(fixed[1] or "") if fixed else None
    bounds = [number(bound) if places is None else _signed(f"{bound:.{places}f}") for bound in (low, high)]
    return (" – " if any("−" in bound or "×" in bound for bound in bounds) else "–").join(bounds)


def cell(text: str) -> str:
    """Write one cell of a CSV: a float with at most four significant digits, everything else as it is."""
    if not is_number(text) or not re.search("[.e]", text, re.IGNORECASE):
        return _signed(text) if is_number(text) else text
    written = number(float(text), digits=4)
    return re.sub(r"(\.[0-9]*?)0+(?= |$)", r"\1", written).replace(". ", " ").rstrip(".")


def is_number(text: str) -> bool:
    """Return whether a text is a number, as a column of numbers is set to the right."""
    return bool(re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|-?inf", text, re.IGNORECASE))


def duration(seconds: float | None) -> str:
    """Write a run time: 0.4 s, 42 s, 3 min 12 s, 2 h 05 min."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def memory(megabytes: float | None) -> str:
    """Write an amount of memory: 512 MB, 1.4 GB."""
    if megabytes is None:
        return NOTHING
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def moment(text: str) -> str:
    """Write an ISO date and time to the minute, in UTC when it has a time zone; other text as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    if when.tzinfo is not None:
        return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{when:%Y-%m-%d %H:%M}"


def markdown(text: object) -> str:
    """Escape text for a line or table cell of Markdown: no markup, HTML, mathematics or line breaks."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|$~])", r"\\\1", line)


def _signed(text: str) -> str:
    """Use a minus sign, and none before a zero."""
    if text.startswith("-"):
        return text[1:] if not re.search("[1-9a-z]", text) else "−" + text[1:]
    return text


def _scientific(text: str) -> str:
    mantissa, exponent = text.split("e")
    return f"{_signed(mantissa)} × 10{str(int(exponent)).translate(SUPERSCRIPT)}"


def key(value: object) -> str:
    """Return what a column is sorted by: the number to nine digits, or nothing where there is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return ""
    return f"{found:.9g}" if math.isfinite(found) else ""


def json_text(value: object) -> str:
    """Write a parameter as JSON, with its letters as they are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
