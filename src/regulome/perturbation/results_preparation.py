"""Ours versus published for notebook 21: each function returns rows for `Output.compare_all`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome.perturbation import papalexi
from regulome.perturbation.preparation_tables import SUMMARIES
from regulome.perturbation.screen import SPLITS, Screen

_MODULE = "regulome.perturbation"
_FILE = "earlier analysis of the same R file, other code"
_SIZES = {"cells": 18497, "perturbations": 23, "genes": 299}
_SPLIT = {"train": 11837, "validation": 2960, "test": 3700}
ROW_MAX, NEAREST = 1.019, 0.19  # of the published transport on STAT1


def size_rows(screen: Screen, section: str) -> list[dict]:
    """Cells, perturbations, genes and cells of each split; compared on the Papalexi screen, elsewhere only counted."""
    known = screen.name == papalexi.NAME
    found = {"cells": len(screen), "perturbations": len(screen.labels), "genes": len(screen.genes)}
    wanted = dict(_SIZES)
    found |= {part: int((screen.split == place).sum()) for place, part in enumerate(SPLITS)}
    wanted |= _SPLIT
    return [
        {
            "id": f"size.{name}",
            "quantity": f"{name} after guide share, UMI and cell number" if name in _SIZES else f"{name} cells",
            "ours": value,
            "published": wanted[name] if known else None,
            "source": _FILE if known else "",
            "section": section,
            "function": f"{_MODULE}.prepare.select" if name in _SIZES else f"{_MODULE}.splits.by_cell",
            "note": "exact" if known else f"no publication describes this screen ({screen.name})",
        }
        for name, value in found.items()
    ]


def transport_rows(flat: Mapping[str, float], name: str, screen: Screen, section: str) -> list[dict]:
    """How flat the published transport plan is on one perturbation."""
    known = screen.name == papalexi.NAME and name == "STAT1"
    genes = "measured targets and the 20 most variable genes, all cells"
    rows = (
        ("row_max", "largest mass of a row over the uniform mass", ROW_MAX, 0.0005),
        ("nearest", "share of cells paired with their nearest control", NEAREST, 0.005),
    )
    return [
        {
            "id": f"transport.{key}",
            "quantity": f"published transport on {name}: {words}",
            "ours": flat[key],
            "published": published if known else None,
            "tolerance": tolerance,
            "source": "earlier analysis of the same R file, other code" if known else "",
            "section": section,
            "function": f"{_MODULE}.pair_checks.flatness",
            "note": f"genes: {genes}" if known else f"another screen; genes: {genes}",
        }
        for key, words, published, tolerance in rows
    ]


def pair_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """What each way of pairing leaves of the difference of means; random pairs are the baseline."""
    return [
        {
            "id": f"pairs.{row.way.replace(' ', '_')}.slope",
            "quantity": f"slope of the mean of Delta on the difference of means, {row.way}",
            "ours": row.slope,
            "published": None,
            "section": section,
            "function": f"{_MODULE}.pair_checks.compare",
            "note": f"1 is right; {100 * row.same_as_nearest:.0f} % of the pairs are with the nearest control",
            "role": "baseline" if row.way == "random" else None,
        }
        for row in table.itertuples()
    ]


def strong_rows(counts: Mapping[str, pd.DataFrame], section: str) -> list[dict]:
    """Genes that the filters of summary statistics leave, against the published number of perturbed genes.

    The publication then drops unmeasured genes and cells without knockdown, so its number can only be smaller: where
    ours is the smaller one, they contradict each other.
    """
    rows = []
    for name, table in counts.items():
        left, published = int(table["genes"].iloc[-1]), SUMMARIES[name][2]
        rows.append(
            {
                "id": f"strong.{name}",
                "quantity": f"{name}: genes that pass the filters of summary statistics, more than 100 cells",
                "ours": left,
                "published": published if left < published else None,
                "source": "number of perturbed genes of the published file",
                "section": section,
                "function": f"{_MODULE}.strength.count",
                "note": f"an upper bound: further filters, which need the cells, leave the {published} published"
                if left >= published
                else "filters only remove: with its own rule of more than 100 cells these statistics give no more",
            }
        )
    return rows


def latent_rows(screen: Screen, published_rule: int, lfc: float, section: str) -> list[dict]:
    """Sizes of the latent gene sets, by our rule and by the released one."""
    common = {"published": None, "section": section, "function": f"{_MODULE}.latent_genes.extended"}
    measured = int((screen.latent_column[: screen.perturbed] >= 0).sum())
    return [
        common
        | {
            "id": "latent.perturbed",
            "quantity": "perturbed genes (G°) that are measured",
            "ours": measured,
            "note": f"of {screen.perturbed}; the others have no expression that could be compared",
        },
        common
        | {
            "id": "latent.extended",
            "quantity": f"extended genes (G⁺), |log2 fold change| of at least {lfc:g} under some perturbation",
            "ours": len(screen.latent) - screen.perturbed,
            "note": "the published numbers are of other screens: 924 (K562), 272 (RPE1), 347 (Adamson)",
        },
        common
        | {
            "id": "latent.published_rule",
            "quantity": "extended genes by the released code's rule, the same cut",
            "ours": published_rule,
            "note": "top gene of each perturbation only, and no p-value for negative changes",
            "role": "baseline",
        },
    ]


def quality_rows(table: pd.DataFrame, screen: Screen, section: str) -> list[dict]:
    """Share of flagged cells; for a simulated screen of the damaged and of the other ones."""
    whole = table[table["flag"] == "any"].iloc[0]
    rows = [("qc.any", "share of cells with a quality flag at 3 MADs", whole["share"])]
    if "of_damaged" in table:
        rows.append(("qc.damaged", "share of the simulated damaged cells that are flagged", whole["of_damaged"]))
        rows.append(("qc.others", "share of the other cells that are flagged", whole["of_others"]))
    return [
        {
            "id": key,
            "quantity": words,
            "ours": float(value),
            "published": None,
            "section": section,
            "function": f"{_MODULE}.qc_flags.flags",
            "note": f"no published number for this screen ({screen.name})",
        }
        for key, words, value in rows
    ]


def knockdown_rows(
    table: pd.DataFrame, raw_covariates: pd.DataFrame, stays: np.ndarray, label: np.ndarray, section: str
) -> list[dict]:
    """What the on-target filter would leave; for a simulated screen by what is known of each cell."""
    perturbed = label != "control"
    rows = [("target.stay", "share of perturbed cells that the on-target filter would keep", stays[perturbed].mean())]
    if "simulated_escaped" in raw_covariates:
        escaped = raw_covariates["simulated_escaped"].to_numpy(bool)
        rows.append(("target.effective", "of the cells with a simulated knockdown", stays[perturbed & ~escaped].mean()))
        rows.append(("target.escaped", "of the simulated cells that escaped it", stays[perturbed & escaped].mean()))
    remaining = float(table["remaining"].median())
    rows.append(("target.remaining", "median expression of measured targets over that in controls", remaining))
    return [
        {
            "id": key,
            "quantity": words,
            "ours": float(value),
            "published": None,
            "section": section,
            "function": f"{_MODULE}.on_target.keep",
            "note": "the filter is shown, not applied, unless the parameter says so",
        }
        for key, words, value in rows
    ]
