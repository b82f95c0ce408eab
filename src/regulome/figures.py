"""Figures and tables of a notebook: drawn in one style, written with reproducible bytes, listed in a manifest.

`Output` is what a notebook uses. `save` alone writes one figure with the data drawn in it.
"""

import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regulome import data, paths
from regulome.errors import UserError
from regulome.tables import csv_bytes, write_bytes

SINGLE = 89 / 25.4  # width of a figure in one journal column, inches
DOUBLE = 183 / 25.4  # width over two columns, inches
DPI = 200  # of the png files

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
RESERVED = ("results", "manifest", "run")


def style() -> None:
    """Load the style of all figures (``style.mplstyle``) for the rest of the session."""
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

    The map runs from brown (negative) over white to blue-green (positive) and is safe for colour-blind readers; the
    written values carry the sign a second time.

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
        raise UserError(
            "heatmap: found infinite values only or among others; expected finite or missing values"
        )
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


def save(fig: Figure, df: pd.DataFrame, name: str, folder: str | Path) -> list[Path]:
    """Write NAME.png, NAME.pdf and NAME.csv (the data drawn in the figure); return their paths.

    The same figure and data give the same bytes: no dates, no software names. Numbers of the csv have six
    significant digits, see `regulome.tables.csv_bytes`. All three are rendered before the first is written, so a
    figure that cannot be drawn leaves earlier files untouched.

    Raises
    ------
    UserError
        If the name is not lower-case letters, digits and underscores, the table is empty or malformed, or the folder
        cannot be written.
    """
    _check_name(name)
    content = {"png": _render(fig, "png"), "pdf": _render(fig, "pdf"), "csv": _table_bytes(df, name)}
    files = [Path(folder) / f"{name}.{suffix}" for suffix in content]
    for file, rendered in zip(files, content.values(), strict=True):
        write_bytes(file, rendered)
    return files


def _render(fig: Figure, kind: str) -> bytes:
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    buffer = io.BytesIO()
    with mpl.rc_context({"savefig.bbox": "standard", "pdf.fonttype": 42, "pdf.compression": 6}):
        fig.savefig(buffer, format=kind, dpi=DPI, metadata=metadata[kind])
    return buffer.getvalue()


def _table_bytes(df: pd.DataFrame, name: str) -> bytes:
    if not isinstance(df, pd.DataFrame) or df.shape[1] == 0:
        raise UserError(f"'{name}': found {type(df).__name__}; expected a DataFrame with at least one column")
    return csv_bytes(df)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"found name '{name}'; expected lower-case letters, digits and underscores, a letter first"
        )
    if name in RESERVED:
        raise UserError(f"the name '{name}' is taken; expected none of {', '.join(RESERVED)}")


class Output:
    """Everything one notebook leaves: figures, tables, ours-versus-published rows and the manifest that lists them.

    Parameters
    ----------
    slug
        Name of the step, for example ``31_adaptation``.
    profile
        ``mini`` or ``paper``; the folder is ``figures/PROFILE/SLUG``.
    title
        Title in the report (default: the slug in words).
    parameters
        Parameters of the run, recorded in the manifest.
    """

    def __init__(
        self,
        slug: str,
        profile: str,
        title: str | None = None,
        parameters: Mapping[str, object] | None = None,
    ):
        if profile not in paths.PROFILES:
            raise UserError(f"found profile '{profile}'; expected one of {', '.join(paths.PROFILES)}")
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", slug):
            raise UserError(
                f"found slug '{slug}'; expected two digits, an underscore and a name: 31_adaptation"
            )
        self.slug, self.profile = slug, profile
        self.title = title or slug[3:].replace("_", " ").capitalize()
        self.folder = paths.figures(profile, slug)
        self._parameters = json.loads(json.dumps(dict(parameters or {}), default=_plain))
        self._figures: list[dict] = []
        self._tables: list[dict] = []
        self._rows: list[dict] = []
        self._data: set[str] = set()
        self._closed = False

    def save(self, fig: Figure, df: pd.DataFrame, name: str, *, caption: str, section: str) -> None:
        """Write a figure as png, pdf and csv and list it; see `save` of the module for the files.

        Raises
        ------
        UserError
            As `save`; also for an empty caption or section, or a name that this notebook has used.
        """
        item = self._item(name, caption, section)
        files = save(fig, df, name, self.folder)
        self._figures.append(item | {"files": [file.name for file in files]})

    def table(self, df: pd.DataFrame, name: str, *, caption: str, section: str) -> None:
        """Write a table without figure as NAME.csv and list it; raises as `save`."""
        item = self._item(name, caption, section)
        write_bytes(self.folder / f"{name}.csv", _table_bytes(df, name))
        self._tables.append(item)

    def compare(
        self,
        id: str,
        quantity: str,
        *,
        ours: float,
        published: float | None = None,
        tolerance: float = 0.0,
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
        source: str = "",
        section: str = "",
        function: str = "",
        note: str = "",
        role: str | None = None,
    ) -> str:
        """Add a row of ours versus published and return its verdict.

        The verdict is "agrees" if ``low - tolerance <= published <= high + tolerance`` and ours is finite, else
        "differs"; "not comparable" without a published number; a given role replaces it.

        Parameters
        ----------
        id, quantity
            Unique name of the row (``fig1b.sensitivity``) and what it is in words.
        ours, low, high
            Our value and its interval in `unit`; an interval that is missing or not finite is replaced by ours.
        published
            The paper's value, None if it cannot be compared: the note then says why.
        tolerance
            Absolute, in `unit`.
        source, section, function
            Where the paper states it; section of the notebook; function of the package that computes it.
        role
            ``baseline`` or ``ceiling`` for numbers that stand beside the model.

        Raises
        ------
        UserError
            Repeated id, an empty id or quantity, a value that is no number, a negative tolerance, a reversed interval,
            an unknown role, or neither published value nor note nor role.
        """
        self._check_open()
        where = f"{self.slug}, result '{id}'"
        if not id or not quantity:
            raise UserError(f"{where}: id and quantity must not be empty")
        if any(row["id"] == id for row in self._rows):
            raise UserError(f"{where}: the id is used already; expected a new one")
        if role is not None and role not in ROLES:
            raise UserError(f"{where}: found role '{role}'; expected {' or '.join(ROLES)}")
        if published is None and role is None and not note:
            raise UserError(f"{where}: without a published value the note must say why it cannot be compared")
        row = _result(where, ours, published, tolerance, low, high, note, role)
        words = {"id": id, "quantity": quantity, "unit": unit, "source": source}
        self._rows.append(row | words | {"section": section, "function": function})
        return row["verdict"]

    def results(self) -> pd.DataFrame:
        """Return the rows added so far, one per number, with the columns of results.csv."""
        table = pd.DataFrame(self._rows, columns=list(RESULT_COLUMNS))
        numbers = ["ours", "low", "high", "published", "tolerance"]
        return table.astype(dict.fromkeys(numbers, float))

    def uses(self, *keys: str) -> None:
        """Record that the notebook used these registered data files, so that the report cites them."""
        self._check_open()
        self._data.update(data.describe(key).key for key in keys)

    def close(self) -> None:
        """Write results.csv (a header alone if there are no rows), then manifest.json; nothing can be added later."""
        self._check_open()
        manifest = {
            "slug": self.slug,
            "profile": self.profile,
            "title": self.title,
            "figures": self._figures,
            "tables": self._tables,
            "data": sorted(self._data),
            "parameters": self._parameters,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_bytes(self.folder / "results.csv", csv_bytes(self.results()))
        write_bytes(self.folder / "manifest.json", text.encode("utf-8"))
        self._closed = True

    def _item(self, name: str, caption: str, section: str) -> dict:
        self._check_open()
        _check_name(name)
        if any(item["name"] == name for item in self._figures + self._tables):
            raise UserError(f"{self.slug}: '{name}' was saved already; expected a new name")
        for field, value in (("caption", caption), ("section", section)):
            if not value.strip():
                raise UserError(f"{self.slug}, '{name}': the {field} is empty; expected text")
        return {"name": name, "caption": " ".join(caption.split()), "section": section.strip()}

    def _check_open(self) -> None:
        if self._closed:
            raise UserError(f"{self.slug}: the output is closed; expected close() as the last call")


def _result(
    where: str,
    ours: float,
    published: float | None,
    tolerance: float,
    low: float | None,
    high: float | None,
    note: str,
    role: str | None,
) -> dict:
    ours, tolerance = _float(where, "ours", ours), _float(where, "tolerance", tolerance)
    bounds = [ours if given is None else _float(where, "low or high", given) for given in (low, high)]
    published = None if published is None else _float(where, "published", published)
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise UserError(f"{where}: found tolerance {tolerance}; expected a number of at least 0")
    if published is not None and not math.isfinite(published):
        raise UserError(f"{where}: found published {published}; expected a finite number, or None")
    notes = [note or role or ""]
    if not math.isfinite(ours):
        notes.append("ours is not finite")
    if not all(math.isfinite(bound) for bound in bounds):
        if math.isfinite(ours):
            notes.append("the interval is not finite, ours stands for it")
        bounds = [ours, ours]
    if bounds[0] > bounds[1]:
        raise UserError(f"{where}: found the interval {bounds[0]:g} to {bounds[1]:g}; expected low <= high")
    inside = (
        math.isfinite(ours)
        and published is not None
        and bounds[0] - tolerance <= published <= bounds[1] + tolerance
    )
    verdict = role or ("not comparable" if published is None else "agrees" if inside else "differs")
    return {
        "ours": ours,
        "low": bounds[0],
        "high": bounds[1],
        "published": published,
        "tolerance": tolerance,
        "verdict": verdict,
        "note": "; ".join(text for text in notes if text),
    }


def _float(where: str, field: str, value: object) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(f"{where}: found {field} = {value!r}; expected a number") from None


def _plain(value: object) -> object:
    """Turn what JSON does not know into what it knows, for the parameters in the manifest."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise UserError(f"parameters: found a {type(value).__name__}; expected numbers, text, lists or mappings")
