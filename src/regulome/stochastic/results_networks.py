"""Ours versus published for the networks and engines: each function returns rows for `Output.compare_all`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome.stochastic.reference_noise import PUBLISHED, RESIDENCE

_MODULE = "regulome.stochastic"
EARLIER = "measured before with other code, 48 parameter sets; not in the paper"
# Medians over 48 parameter sets of the gene-expression network, earlier measurement
NOISE = {
    PUBLISHED: {"tv_joint": 0.202, "tv_Protein": 0.080, "kl_Protein": 0.026},
    RESIDENCE: {"tv_joint": 0.081, "tv_Protein": 0.032, "kl_Protein": 0.0050},
}
EXTINCT = 0.245  # of 400 Sobol sets at t = 10^4, earlier measurement
EXTINCT_SETS = 400
EXTINCT_BY_BIRTHS = {"below 1": 1.0, "1 to 2": 0.80, "2 to 4": 0.33, "above 4": 0.0}
WORDS = {
    "tv_joint": "total variation of the joint law",
    "tv_Protein": "total variation of the protein",
    "kl_Protein": "KL divergence of the protein, nats",
}


def bound_rows(tables: Mapping[str, pd.DataFrame], sets: Mapping[str, int], section: str) -> list[dict]:
    """Derived bounds beside those of the published weights; ``sets`` is the number of parameter sets of each table."""
    return [
        {"id": f"bounds.{number + 1}.{row.species.lower()}", "ours": row.bound, "published": row.published,
         "quantity": f"{name}: bound of {row.species}, largest mean + 3 sd", "tolerance": 0.1 * row.published,
         "source": "bounds of the published weights", "section": section,
         "function": f"{_MODULE}.network_table.derived_bounds",
         "note": f"largest of {sets[name]} Sobol sets; theirs is the largest of tens of thousands of simulated ones"}
        for number, (name, table) in enumerate(tables.items())
        for row in table.itertuples()
    ]  # fmt: skip


def closed_form_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Distance of the exact engine from closed forms, which are 0 away from the truth."""
    return [
        {"id": f"exact.{number + 1}", "quantity": f"{row.network}: {row.quantity}, largest of {row.sets} sets",
         "ours": row.largest, "published": 0.0, "tolerance": 1e-9, "source": "closed form", "section": section,
         "function": f"{_MODULE}.exact.stationary", "note": f"boundary mass at most {row.boundary_mass:.0e}"}
        for number, row in enumerate(table.itertuples())
    ]  # fmt: skip


def noise_rows(table: pd.DataFrame, section: str, seed: int = 0) -> list[dict]:
    """Median distance of simulated references from the exact law; interval: parameter sets drawn again."""
    rows = []
    for number, (name, part) in enumerate(table.groupby("protocol", sort=False)):
        for column, words in WORDS.items():
            low, high = _interval(part[column].to_numpy(), seed)
            known = NOISE.get(name, {}).get(column)
            rows.append(
                {"id": f"noise.{number + 1}.{column.lower()}", "quantity": f"{name}: {words}, median",
                 "ours": part[column].median(), "low": low, "high": high, "published": known,
                 "tolerance": 0.1 * known if known else 0.0, "source": EARLIER if known else "", "section": section,
                 "function": f"{_MODULE}.reference_noise.measure",
                 "note": "" if known else "no earlier number for this protocol"}
            )  # fmt: skip
    return rows


def _interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    draws = np.random.default_rng(seed).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(np.median(values[draws], axis=1), [0.025, 0.975])
    return float(low), float(high)


def epidemic_rows(total: Mapping[str, float], shares: pd.DataFrame, decay: float, section: str) -> list[dict]:
    """Share of extinct epidemics, in all and by birth rate, and the rate of loss of the quasi-stationary law."""
    where = {"section": section, "function": f"{_MODULE}.epidemic.extinction"}
    where |= {"source": EARLIER.replace("48", "400"), "note": "tolerance: 95 % sampling error of the earlier number"}
    rows = [
        {"id": "sirs.extinct", "quantity": f"SIRS: share of {total['sets']} sets extinct at t = 10^4",
         "ours": total["share"], "low": total["low"], "high": total["high"], "published": EXTINCT,
         "tolerance": _sampling(EXTINCT, EXTINCT_SETS)}
    ]  # fmt: skip
    for row in shares.itertuples():
        known = EXTINCT_BY_BIRTHS[row[1]]
        tolerance = _sampling(known, EXTINCT_SETS * row.sets / total["sets"])
        rows.append(
            {"id": f"sirs.extinct.{row.Index + 1}", "quantity": f"SIRS: share extinct, births {row[1]}",
             "ours": row.share, "low": row.low, "high": row.high, "published": known, "tolerance": tolerance}
        )  # fmt: skip
    rows.append(
        {"id": "sirs.decay", "quantity": "SIRS example: rate at which the quasi-stationary law is lost",
         "ours": decay, "published": None, "unit": "1 / time", "function": f"{_MODULE}.exact.stationary",
         "source": "", "note": "the publication treats single runs as stationary", "section": section}
    )  # fmt: skip
    return [where | row for row in rows]


def _sampling(share: float, sets: float) -> float:
    """Half the 95 % interval of a share measured on so many sets, at least one set."""
    return max(1.96 * float(np.sqrt(share * (1 - share) / sets)), 1 / sets)


def delay_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Means of the delayed splicing network beside Little's law."""
    return [
        {"id": f"delay.{row.species.lower()}.{row.shape:g}", "ours": row.mean, "published": row.expected,
         "quantity": f"mean {row.species}, Gamma shape {row.shape:g}", "low": row.mean - 2.6 * row.standard_error,
         "high": row.mean + 2.6 * row.standard_error, "source": "Little's law", "section": section,
         "function": f"{_MODULE}.insensitivity.by_shape", "note": "interval: 99 %"}
        for row in table.itertuples()
    ]  # fmt: skip
