"""How well predicted effects agree with true ones: correlation with its interval, signs, and error.

Rows of one circuit, one perturbation, one parameter set or one protein share much; intervals are therefore from a
bootstrap that draws whole groups of rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.binding.knockout_table import PROFILE
from regulome.errors import UserError

SHOWN = ["panel", "method", "n", "pearson", "low", "high", "sign_accuracy", "rmse"]  # in a notebook
DRAWS = 1000
LEAST = 0.1  # of the largest |true effect|: smaller ones have no sign to be right about
COLUMNS = (
    "n", "groups", "pearson", "low", "high", "sign_accuracy", "sign_n", "slope", "rmse", "truth_sd",
)  # fmt: skip


def agreement(
    effect: np.ndarray, truth: np.ndarray, group: np.ndarray, seed: int = 0, least: float = LEAST
) -> dict[str, float]:
    """Agreement of (n,) predicted with (n,) true effects; rows without either are left out.

    Returns
    -------
    dict
        n rows in `groups` groups; Pearson correlation (missing where either is constant) with its 95 % interval (low,
        high); sign_accuracy among the sign_n rows whose true effect is at least `least` times the largest, a
        prediction of exactly 0 counting half; slope of the prediction on the truth; root mean squared error; sd of the
        truth, the error of predicting its mean.
    """
    effect, truth, group = (np.asarray(part) for part in (effect, truth, group))
    known = np.isfinite(effect.astype(float)) & np.isfinite(truth.astype(float))
    x, y, group = effect[known].astype(float), truth[known].astype(float), group[known]
    if len(x) < 3:
        raise UserError(f"agreement: found {len(x)} effects with a known truth; expected at least 3")
    r, low, high, count = _correlation(x, y, group, seed)
    clear = np.abs(y) >= least * np.abs(y).max()
    right = np.where(x[clear] == 0, 0.5, np.sign(x[clear]) == np.sign(y[clear]))
    variance = y.var()
    return {
        "n": len(x), "groups": count, "pearson": r, "low": low, "high": high,
        "sign_accuracy": float(right.mean()), "sign_n": int(clear.sum()),
        "slope": float(np.cov(x, y, ddof=0)[0, 1] / variance) if variance > 0 else np.nan,
        "rmse": float(np.sqrt(((x - y) ** 2).mean())), "truth_sd": float(y.std()),
    }  # fmt: skip


def _correlation(x: np.ndarray, y: np.ndarray, group: np.ndarray, seed: int) -> tuple[float, float, float, int]:
    """Pearson correlation and its interval; moments are summed by group, so that a draw is a product of matrices."""
    _, place = np.unique(group, return_inverse=True)
    count = int(place.max()) + 1
    x, y = x - x.mean(), y - y.mean()
    moments = np.stack([np.bincount(place, part, count) for part in (np.ones(len(x)), x, y, x * x, y * y, x * y)], 1)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    n, sx, sy, sxx, syy, sxy = (np.vstack([np.ones(count), drawn]) @ moments).T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (n * sxx - sx**2) * (n * syy - sy**2)
        r = np.where(spread > 1e-12 * n**2 * sxx * syy, (n * sxy - sx * sy) / np.sqrt(spread), np.nan)
    if not np.isfinite(r[0]):
        return np.nan, np.nan, np.nan, count
    if count == 1:
        return float(r[0]), np.nan, np.nan, count
    return float(r[0]), float(np.nanquantile(r[1:], 0.025)), float(np.nanquantile(r[1:], 0.975)), count


def summary(compared: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """`agreement` of every panel and method, in the order in which they come.

    Parameters
    ----------
    compared
        Tables of `compared`, as one. Where no effect can be positive the share of right signs says nothing, and is
        missing.
    """
    rows = []
    for (panel, method), part in compared.groupby(["panel", "method"], sort=False):
        found = agreement(part["effect"], part["truth"], part["group"], seed)
        if not part["signed"].any():
            found["sign_accuracy"] = np.nan
        rows.append({"panel": panel, "method": method, "role": part["role"].iloc[0]} | found)
    return pd.DataFrame(rows)


def compared(effects: pd.DataFrame, panel: str, method: str, role: str, group: object) -> pd.DataFrame:
    """Rows of a table of effects whose truth is known, as `summary` reads them.

    Parameters
    ----------
    panel, method, role
        Kind of knockout; model or baseline; "model", "baseline" or "ceiling".
    group
        Name of a column, or one value for each row.

    Returns
    -------
    pandas.DataFrame
        panel, method, role, group, removed, readout, effect, low, high, truth, note, and signed (whether effects can be
        positive: a correlation with oneself can only fall).
    """
    groups = effects[group] if isinstance(group, str) else group
    table = effects[["removed", "readout", "effect", "low", "high", "truth", "note"]].copy()
    table.insert(0, "panel", panel)
    table.insert(1, "method", method)
    table.insert(2, "role", role)
    table.insert(3, "group", np.asarray(groups).astype(str))
    table["signed"] = table["readout"] != PROFILE
    return table[np.isfinite(table["truth"])].reset_index(drop=True)


def collect(
    panel: str, tables: Mapping[str, pd.DataFrame], models: Sequence[str], group: str = "system"
) -> pd.DataFrame:
    """`compared` of several methods on the same knockouts; those that are not `models` are baselines.

    Methods without three known truths are left out; where no method has them the table has no rows.
    """
    parts = [
        compared(effects, panel, name, "model" if name in models else "baseline", group)
        for name, effects in tables.items()
        if np.isfinite(effects["truth"]).sum() > 2
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["panel", "method"])
