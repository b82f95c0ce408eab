"""Figures and tables of a notebook: written with reproducible bytes and listed in a manifest.

`Output` is what a notebook uses; `save` alone writes one figure with the data drawn in it. How figures look
is in `regulome.style`, whose names are offered here as well.
"""

import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome import data, paths
from regulome.errors import UserError
from regulome.style import DOUBLE, PALETTE, SINGLE, heatmap_signed, panel_letter, style
from regulome.tables import csv_bytes, write_bytes
from regulome.verdicts import RESULT_COLUMNS, result

__all__ = ["DOUBLE", "PALETTE", "SINGLE", "Output", "heatmap_signed", "panel_letter", "save", "style"]

DPI = 200  # of the png files
RESERVED = ("results", "manifest", "run")


def save(fig: Figure, df: pd.DataFrame, name: str, folder: str | Path) -> list[Path]:
    """Write NAME.png, NAME.pdf and NAME.csv (the data drawn in the figure); return their paths.

    The same figure and data give the same bytes: no dates, no software names. Numbers of the csv have six
    significant digits, see `regulome.tables.csv_bytes`. All three are rendered before the first is written,
    so that a figure that cannot be drawn leaves earlier files untouched.

    Raises
    ------
    UserError
        If the name is not lower-case letters, digits and underscores, the table is empty or malformed, or the
        folder cannot be written.
    """
    return _write(render(fig, df, name), name, folder)


def render(fig: Figure, df: pd.DataFrame, name: str) -> dict[str, bytes]:
    """Return the content of the files that `save` writes, by suffix; raises as it does."""
    _check_name(name)
    return {**_drawings(fig), "csv": _table_bytes(df, name)}


def _write(content: Mapping[str, bytes], name: str, folder: str | Path) -> list[Path]:
    files = [Path(folder) / f"{name}.{suffix}" for suffix in content]
    for file, rendered in zip(files, content.values(), strict=True):
        write_bytes(file, rendered)
    return files


def _drawings(fig: Figure) -> dict[str, bytes]:
    """Draw a figure as png and pdf, both in the places that its layout engine finds at the png's resolution.

    savefig finds them anew for each file, and with any engine, even one that moves nothing, draws twice.
    """
    engine, dpi = fig.get_layout_engine(), fig.get_dpi()
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        try:
            if engine is not None:
                fig.set_dpi(DPI)
                engine.execute(fig)
                fig.set_layout_engine(None)
            return {kind: _render(fig, kind) for kind in ("png", "pdf")}
        finally:
            fig.set_dpi(dpi)
            fig.set_layout_engine("none" if engine is None else engine)


def _render(fig: Figure, kind: str) -> bytes:
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    buffer = io.BytesIO()
    with mpl.rc_context({"savefig.bbox": "standard", "pdf.fonttype": 42, "pdf.compression": 6}):
        fig.savefig(buffer, format=kind, dpi=DPI, metadata=metadata[kind])
    return buffer.getvalue()


def _show(fig: Figure, png: Path, caption: str) -> None:
    from IPython.display import Image, display

    display(Image(data=png.read_bytes(), width=round(fig.get_figwidth() * plt.rcParams["figure.dpi"]), alt=caption))


def _table_bytes(df: pd.DataFrame, name: str) -> bytes:
    if not isinstance(df, pd.DataFrame) or df.shape[1] == 0:
        raise UserError(f"'{name}': found {type(df).__name__}; expected a DataFrame with at least one column")
    return csv_bytes(df)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"found name '{name}'; expected lower-case letters, digits and underscores, a letter first")
    if name in RESERVED:
        raise UserError(f"the name '{name}' is taken; expected none of {', '.join(RESERVED)}")


class Output:
    """What one notebook leaves: figures, tables, ours-versus-published rows and the manifest that lists them.

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
        self, slug: str, profile: str, title: str | None = None, parameters: Mapping[str, object] | None = None
    ):
        if profile not in paths.PROFILES:
            raise UserError(f"found profile '{profile}'; expected one of {', '.join(paths.PROFILES)}")
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", slug):
            raise UserError(f"found slug '{slug}'; expected two digits, an underscore and a name: 31_adaptation")
        self.slug, self.profile = slug, profile
        self.title = title or slug[3:].replace("_", " ").capitalize()
        self.folder = paths.figures(profile, slug)
        self._parameters = _plain_parameters(dict(parameters or {}))
        self._figures: list[dict] = []
        self._tables: list[dict] = []
        self._rows: list[dict] = []
        self._data: set[str] = set()
        self._closed = False

    def save(self, fig: Figure, df: pd.DataFrame, name: str, *, caption: str, section: str) -> None:
        """Write a figure as png, pdf and csv and list it; see `save` of the module for the files.

        In a notebook the cell shows the png, and the figure is closed.

        Raises
        ------
        UserError
            As `save`; also for an empty caption or section, or a name that this notebook has used.
        """
        self.add(render(fig, df, name), name, caption=caption, section=section)
        if "inline" in mpl.get_backend():  # else Jupyter draws the figure twice more at the end of the cell
            _show(fig, self.folder / f"{name}.png", caption)
            plt.close(fig)

    def add(self, content: Mapping[str, bytes], name: str, *, caption: str, section: str) -> None:
        """Write and list a figure that `render` has drawn, perhaps in another process; it is not shown.

        Raises
        ------
        UserError
            For an empty caption or section, or a name that is malformed or that this notebook has used.
        """
        item = self._item(name, caption, section)
        files = _write(content, name, self.folder)
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
        """Add a row of ours versus published and return its verdict, see `regulome.verdicts.result`.

        Parameters
        ----------
        id, quantity
            Unique name of the row (``fig1b.sensitivity``) and what it is in words.
        ours, low, high, published, tolerance, unit
            Our value and its interval (default: ours), the paper's value (None: the note says why there is
            none) and the absolute tolerance, all in `unit`.
        source, section, function
            Where the paper states it; section of the notebook; function of the package that computes it.
        role
            ``baseline`` or ``ceiling`` for numbers that stand beside the model.

        Raises
        ------
        UserError
            An empty or repeated id, an empty quantity, and as `regulome.verdicts.result`.
        """
        self._check_open()
        where = f"{self.slug}, result '{id}'"
        if not id or not quantity:
            raise UserError(f"{where}: found an empty id or quantity; expected text")
        if any(row["id"] == id for row in self._rows):
            raise UserError(f"{where}: the id is used already; expected a new one")
        row = result(
            where, ours=ours, published=published, tolerance=tolerance, low=low, high=high, note=note, role=role
        )
        words = {"id": id, "quantity": quantity, "unit": unit, "source": source}
        self._rows.append(row | words | {"section": section, "function": function})
        return row["verdict"]

    def compare_all(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows, each a mapping with the arguments of `compare`."""
        for row in rows:
            self.compare(**row)

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
        """Write results.csv (a header alone without rows), then manifest.json; nothing can be added later."""
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


def _plain_parameters(parameters: dict) -> dict:
    """Reduce parameters to what JSON holds, so that the manifest can be compared between runs."""
    try:
        return json.loads(json.dumps(parameters, default=_plain, allow_nan=False))
    except ValueError:
        raise UserError("parameters: found a number that is not finite; expected finite numbers") from None


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise UserError(f"parameters: found a {type(value).__name__}; expected numbers, text, lists or mappings")
