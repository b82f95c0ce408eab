"""Ours versus published over all steps: one table, its counts, and what could not be compared and why."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.errors import UserError
from regulome.panels import folder, read_rows
from regulome.report_inputs import VERDICTS, Step
from regulome.verdicts import RESULT_COLUMNS, result

PARTS = {"1": "binding", "2": "perturbation", "3": "circuits", "4": "stochastic"}
ORIGINS = {
    "paper": "stated in the publication",
    "its public files": "computed from what its authors published with it",
    "other publication": "stated elsewhere",
    "theory": "a closed form or an identity",
    "earlier measurement": "measured before with other code",
    "unclassified": "a source that data/panels/sources.csv does not list",
}
_SOURCES = ("part", "source", "origin")


def read_sources(file: Path | None = None) -> list[tuple[str, str, str]]:
    """Read where published numbers come from: part, pattern of the source, origin.

    Raises
    ------
    UserError
        Other columns, an unknown part or origin, or no pattern; names file, row and column.
    """
    file = file or folder() / "sources.csv"
    found = []
    for where, row in read_rows(file, _SOURCES):
        for column, allowed in (("part", PARTS), ("origin", ORIGINS)):
            if row[column] not in allowed:
                raise UserError(
                    f"{where}, column '{column}': found '{row[column]}'; expected one of {', '.join(allowed)}"
                )
        if not row["source"]:
            raise UserError(f"{where}, column 'source': found nothing; expected a pattern")
        found.append((row["part"], row["source"], row["origin"]))
    return found


def all_results(written: Mapping[str, Step]) -> pd.DataFrame:
    """Return every row of every step: part, step, origin of the published number, then the columns of results.csv."""
    sources = read_sources()
    table = []
    for slug, step in written.items():
        part = PARTS.get(slug[0], "all parts")
        for row in step.rows:
            fields = {name: getattr(row, name) for name in RESULT_COLUMNS}
            table.append({"part": part, "step": slug, "origin": _origin(slug[0], row, sources)} | fields)
    frame = pd.DataFrame(table, columns=["part", "step", "origin", *RESULT_COLUMNS])
    return frame.astype(dict.fromkeys(("ours", "low", "high", "published", "tolerance"), float))


def _origin(part: str, row, sources: list[tuple[str, str, str]]) -> str:
    if row.published is None:
        return ""
    found = [origin for known, pattern, origin in sources if known == part and fnmatchcase(row.source, pattern)]
    return found[0] if found else "unclassified"


def verdict_counts(results: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Count the verdicts for every combination of some columns, in the order of the table; a column a verdict."""
    if results.empty:
        return pd.DataFrame(columns=[*by, *VERDICTS])
    counts = results.groupby([*by, "verdict"], sort=False).size().unstack("verdict", fill_value=0)
    return counts.reindex(columns=list(VERDICTS), fill_value=0).rename_axis(columns=None).reset_index()


def by_origin(results: pd.DataFrame) -> pd.DataFrame:
    """Count agreement and disagreement by part and by where the published number comes from."""
    compared = results[results["verdict"].isin(["agrees", "differs"])]
    return verdict_counts(compared, ["part", "origin"])[["part", "origin", "agrees", "differs"]]


def deviations(results: pd.DataFrame) -> pd.DataFrame:
    """Return how far published numbers lie from ours, in units of what their rows allow.

    The unit is the distance from ours to the end of the widened interval, ``high - ours + tolerance`` above and
    ``ours - low + tolerance`` below: a row agrees exactly when its deviation lies within -1 and 1. Without any
    room the deviation is 0 or infinite.
    """
    rows = results[results["verdict"].isin(["agrees", "differs"])].copy()
    distance = rows["published"] - rows["ours"]
    reach = np.where(distance > 0, rows["high"] - rows["ours"], rows["ours"] - rows["low"])
    room = np.maximum(reach, 0) + rows["tolerance"]
    tiny = 1e-5 * rows["published"].abs()  # the csv files have six digits
    with np.errstate(divide="ignore", invalid="ignore"):
        units = np.where(distance.abs() <= tiny, 0.0, distance / room)
    rows["deviation"] = np.round(np.where(np.isnan(units), np.inf, units), 9)
    return rows[["part", "step", "id", "origin", "ours", "published", "deviation", "verdict"]].reset_index(drop=True)


def not_compared(results: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers without a published counterpart, with the reason that their step gives."""
    rows = results[results["verdict"] == "not comparable"].rename(columns={"note": "reason"})
    return rows[["part", "step", "id", "quantity", "ours", "reason"]].reset_index(drop=True)


def reasons(results: pd.DataFrame) -> pd.DataFrame:
    """Count the reasons, the most frequent first within each step."""
    rows = not_compared(results)
    if rows.empty:
        return pd.DataFrame(columns=["part", "step", "reason", "rows"])
    counts = rows.groupby(["part", "step", "reason"], sort=False).size().rename("rows").reset_index()
    order = counts["step"].map({slug: place for place, slug in enumerate(counts["step"].unique())})
    counts = counts.assign(order=order).sort_values(["order", "rows"], ascending=[True, False], kind="stable")
    return counts.drop(columns="order").reset_index(drop=True)


def contradictions(results: pd.DataFrame) -> list[str]:
    """Return the rows whose stated verdict does not follow from their numbers, as ``STEP: id``.

    Rows whose deviation is within 0.001 of the limit are passed over: the csv files have six digits.
    """
    wrong = []
    edge = deviations(results).set_index(["step", "id"])["deviation"].abs()
    for row in results[results["verdict"].isin(["agrees", "differs", "not comparable"])].itertuples():
        published = None if np.isnan(row.published) else row.published
        tolerance = 0.0 if np.isnan(row.tolerance) else row.tolerance
        interval = {"low": row.low, "high": row.high}
        verdict = result(row.step, ours=row.ours, published=published, tolerance=tolerance, note="-", **interval)[
            "verdict"
        ]
        deviation = edge.get((row.step, row.id), np.inf)
        rounded = abs(deviation - 1) < 1e-3 or (deviation == 0 and row.verdict == "agrees")
        if verdict != row.verdict and not rounded:
            wrong.append(f"{row.step}: {row.id}")
    return wrong
