"""Gap-gene profiles: read and checked, without anything that trains, so that mistakes show before a step starts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome import data, paths
from regulome.errors import UserError
from regulome.tables import read_table

GENES = ("hb", "Kr", "kni", "gt")
POSITIONS = np.linspace(0.05, 0.95, 91)  # fraction of egg length from the anterior pole
PAPER_PROFILE = "flyex_gap_nc14_t7"
PAPER_SERIES = "flyex_gap_time_series"


def check_inputs(values: Mapping[str, object]) -> None:
    """Check the files that the parameters of notebook 35 name, before earlier outputs are deleted.

    Registered files that have yet to be downloaded are checked then.

    Raises
    ------
    UserError
        As `read_profile`, `read_time_series` and `series_array`.
    """
    mirror = str(values["data_mirror"])
    for source, read in (
        (str(values["profile_source"]), read_profile),
        (str(values["series_source"]), lambda *where: series_array(read_time_series(*where))),
    ):
        if source not in (PAPER_PROFILE, PAPER_SERIES) or data.local(source, mirror):
            read(source, mirror)


def read_profile(source: str, mirror: str = "") -> pd.DataFrame:
    """Gap-gene profile at the end of the measured period: columns x, hb, Kr, kni, gt; one row a position.

    Parameters
    ----------
    source
        "synthetic" (mini data, known truth), "flyex_gap_nc14_t7" (the frame the paper used), or the path of a CSV
        with a header and these columns (others are ignored). Positions are fractions of egg length, levels fractions of
        the largest possible one: all lie in 0 to 1.
    mirror
        Folder that stands in for downloads (empty: REGULOME_MIRROR, else download).
    """
    if source == PAPER_PROFILE:
        frame = read_table(data.fetch(source, mirror or None), [*GENES, "tll"], header=False)
        if len(frame) != len(POSITIONS):
            raise UserError(f"{source}: found {len(frame)} rows, expected {len(POSITIONS)} positions")
        return pd.DataFrame({"x": POSITIONS, **frame[list(GENES)]})
    path = paths.mini_data() / "gap_genes" / "profile.csv" if source == "synthetic" else source
    return read_table(path, columns=["x", *GENES], low=0, high=1)


def read_time_series(source: str, mirror: str = "") -> pd.DataFrame:
    """Gap-gene profiles over time: columns x, time, hb, Kr, kni, gt with levels scaled to at most 1.

    ``time`` counts from the first class. FlyEx: time classes T1 to T8 of cycle 14A, positions in percent, intensities
    0 to 255.
    """
    if source == PAPER_SERIES:
        frame = read_table(data.fetch(source, mirror or None), columns=["AP", "gt", "kni", "kr", "hb", "time"])
        frame = frame.rename(columns={"kr": "Kr"}).assign(x=frame["AP"] / 100)
        frame[list(GENES)] /= 255
    else:
        path = paths.mini_data() / "gap_genes" / "time_series.csv" if source == "synthetic" else source
        frame = read_table(path, columns=["x", "time", *GENES])
    frame = frame.sort_values(["time", "x"], kind="stable").reset_index(drop=True)
    return frame.assign(time=frame["time"] - frame["time"].min())[["x", "time", *GENES]]


def series_array(series: pd.DataFrame) -> np.ndarray:
    """(P, K, 4) levels at each position and class, both ascending; every class must have every position once."""
    series = series.sort_values(["time", "x"], kind="stable")
    repeated = series[series.duplicated(["time", "x"])]
    if len(repeated):
        raise UserError(f"time series: class {repeated.time.iloc[0]} has position x = {repeated.x.iloc[0]} twice")
    sizes = series.groupby("time")["x"].nunique()
    positions = series["x"].nunique()
    if (sizes != positions).any():
        raise UserError(
            f"time series: class {sizes.index[(sizes != positions).argmax()]} lacks positions that others have"
        )
    return series[list(GENES)].to_numpy().reshape(len(sizes), positions, len(GENES)).transpose(1, 0, 2)


def read_mutant(source: str) -> pd.DataFrame | None:
    """True Kr-mutant pattern of the synthetic system (columns x, hb, Kr, kni, gt); None for measured data."""
    if source != "synthetic":
        return None
    return read_table(paths.mini_data() / "gap_genes" / "kr_mutant.csv", columns=["x", *GENES])
