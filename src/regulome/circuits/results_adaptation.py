"""Ours versus published for Figs 1 and 2: each function returns rows for `regulome.figures.Output.compare_all`.

The paper shows one run where we have a distribution: ours is the median over replicates, with the 5 to 95 % range.
"""

import numpy as np
import pandas as pd

from regulome.circuits import adaptation
from regulome.circuits.topology import quantiles

_MODULE = "regulome.circuits"


def pulse_rows(trained: np.ndarray, untrained: np.ndarray, section: str) -> list[dict]:
    """Fig. 1b: sensitivity and error beside an untrained network (baseline) and the target itself (ceiling).

    ``trained`` and ``untrained`` are (R, 20, T) curves of `regulome.circuits.adaptation.pulses`.
    """
    where = {"section": section, "function": f"{_MODULE}.adaptation.sensitivity_and_error"}
    rows = []
    for name, ours, published, base, best in zip(
        ("sensitivity", "error"),
        adaptation.sensitivity_and_error(trained),
        adaptation.PUBLISHED_FIG1,
        adaptation.sensitivity_and_error(untrained),
        adaptation.target_sensitivity_and_error(),
        strict=True,
    ):
        words = f"{'sensitivity' if name == 'sensitivity' else 'adaptation error'} at input 1"
        row = {"id": f"fig1b.{name}", "quantity": words, **quantiles(ours), **where}
        rows += [
            row | {"published": published, "tolerance": 0.02, "source": "Fig. 1b"},
            {"id": f"fig1b.{name}.untrained", "quantity": f"{words}, untrained network", "role": "baseline"}
            | quantiles(base)
            | where,
            {"id": f"fig1b.{name}.target", "quantity": f"{words}, target met exactly", "role": "ceiling", "ours": best}
            | where,
        ]
    return rows


def link_rows(values: np.ndarray, names: list[str], section: str) -> list[dict]:
    """Fig. 2c, network with all six links: every link value; ``values`` (R, 3, 2), oriented."""
    columns = dict(zip(names, values.reshape(len(values), -1).T, strict=True))
    return [
        {
            "id": f"fig2c.6.link.{name.replace(' -> ', '.')}",
            "quantity": f"value of the link {name}, network of 6 links",
            **quantiles(columns[name]),
            "published": published,
            "tolerance": 0.02,
            "source": "Fig. 2c",
            "section": section,
            "function": f"{_MODULE}.mutation.link_values",
        }
        for name, published in adaptation.PUBLISHED_LINKS.items()
    ]


def sparsening_rows(scores: pd.DataFrame, section: str) -> list[dict]:
    """Figs 2c and d: sensitivity and error at every number of links; ``scores`` of `adaptation.score_levels`."""
    rows = []
    for run in adaptation.published_scores().itertuples():
        level = scores[(scores["sequence"] == run.sequence) & (scores["links"] == run.links)]
        panel = "2c" if run.sequence.startswith("all") else "2d"
        for name in ("sensitivity", "error"):
            rows.append(
                {
                    "id": f"fig{panel}.{run.links}.{name}",
                    "quantity": f"{name}, {run.links} {'links' if run.links > 1 else 'link'}, {run.sequence}",
                    **quantiles(level[name]),
                    "published": getattr(run, name),
                    "tolerance": 0.03,
                    "source": f"Fig. {panel}",
                    "section": section,
                    "function": f"{_MODULE}.adaptation.score_levels",
                    "note": f"{level['adapts'].mean():.0%} of the replicates adapt",
                }
            )
    return rows


def minimal_motifs(scores: pd.DataFrame) -> dict[str, float]:
    """Share of the three-link networks with the published motif: of all replicates (2c), of those that adapt (2d)."""
    free, banned = (
        scores[(scores["links"] == 3) & (scores["sequence"] == sequence)]
        for sequence in adaptation.PUBLISHED_SPARSENING
    )
    return {
        "incoherent feed-forward": float(free["motif"].str.contains("incoherent feed-forward").mean()),
        "negative feedback": float(banned[banned["adapts"]]["motif"].str.contains("negative feedback").mean()),
    }


def motif_rows(shares: dict[str, float], section: str) -> list[dict]:
    """Figs 2c and d: the motifs that are left with three links."""
    words = {
        "incoherent feed-forward": ("2c", "share of 3-link networks that are incoherent feed-forward loops"),
        "negative feedback": ("2d", "share of adapting 3-link networks without I -> g2 with negative feedback"),
    }
    return [
        {
            "id": f"fig{panel}.3.motif",
            "quantity": quantity,
            "ours": shares[name],
            "published": 1,
            "tolerance": 0.1,
            "source": f"Fig. {panel}",
            "section": section,
            "function": f"{_MODULE}.adaptation.motif",
        }
        for name, (panel, quantity) in words.items()
    ]
