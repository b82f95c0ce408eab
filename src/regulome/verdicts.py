"""Ours versus published: one row a number, with a verdict that follows from the numbers alone."""

import math

from regulome.errors import UserError

RESULT_COLUMNS = (
    "id",
    "quantity",
    "ours",
    "low",
    "high",
    "published",
    "tolerance",
    "unit",
    "verdict",
    "source",
    "section",
    "function",
    "note",
)
ROLES = ("baseline", "ceiling")


def result(
    where: str,
    *,
    ours: float,
    published: float | None = None,
    tolerance: float = 0.0,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
    role: str | None = None,
) -> dict:
    """Check the numbers of one row and derive its verdict.

    The verdict is "agrees" if ``low - tolerance <= published <= high + tolerance`` (inclusive up to rounding)
    and ours is finite, else "differs"; "not comparable" without a published number; a given role replaces it.

    Parameters
    ----------
    where
        Words that begin every error message.
    ours, low, high
        Our value and its interval; a bound that is missing is replaced by ours, an interval that is not
        finite too, and the note then says so.
    published
        The paper's value; None if it cannot be compared: the note has to say why.
    tolerance
        Absolute, in the unit of the numbers.
    role
        ``baseline`` or ``ceiling`` for numbers that stand beside the model.

    Returns
    -------
    dict
        ours, low, high, published, tolerance, verdict, note

    Raises
    ------
    UserError
        A value that is no number, a negative tolerance, a reversed interval, an unknown role, or neither
        published value nor note nor role.
    """
    if role is not None and role not in ROLES:
        raise UserError(f"{where}: found role '{role}'; expected {' or '.join(ROLES)}")
    if published is None and role is None and not note:
        raise UserError(f"{where}: without a published value the note must say why it cannot be compared")
    ours, tolerance = _number(where, "ours", ours), _number(where, "tolerance", tolerance)
    published = None if published is None else _number(where, "published", published)
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise UserError(f"{where}: found tolerance {tolerance}; expected a finite number of at least 0")
    if published is not None and not math.isfinite(published):
        raise UserError(f"{where}: found published {published}; expected a finite number, or None")
    low = ours if low is None else _number(where, "low", low)
    high = ours if high is None else _number(where, "high", high)
    notes = [note or role or ""]
    if not math.isfinite(ours):
        notes.append("ours is not finite")
        low = high = ours
    elif not (math.isfinite(low) and math.isfinite(high)):
        notes.append("the interval is not finite, ours stands for it")
        low = high = ours
    if low > high:
        raise UserError(f"{where}: found the interval {low:g} to {high:g}; expected low <= high")
    return {
        "ours": ours,
        "low": low,
        "high": high,
        "published": published,
        "tolerance": tolerance,
        "verdict": role or _verdict(low, high, published, tolerance),
        "note": "; ".join(text for text in notes if text),
    }


def _verdict(low: float, high: float, published: float | None, tolerance: float) -> str:
    """Compare; with ours not finite neither comparison holds, so that the verdict is "differs"."""
    if published is None:
        return "not comparable"
    rounding = 1e-12 * max(abs(published), abs(low), abs(high), tolerance)
    distance = max(low - published, published - high)
    return "agrees" if math.isfinite(distance) and distance <= tolerance + rounding else "differs"


def _number(where: str, field: str, value: object) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(f"{where}: found {field} = {value!r}; expected a number") from None
