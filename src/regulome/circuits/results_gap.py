"""Ours versus published for Fig. 5: each function returns rows for `regulome.figures.Output.compare_all`.

Published values hold for the profile of the paper; with any other profile the rows say so and stand beside the truth of
the synthetic system. Intervals are 5 to 95 % of the runs kept.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome.circuits import gap, gap_data, gap_network
from regulome.circuits.topology import quantiles

_MODULE = "regulome.circuits.gap"


@dataclass(frozen=True)
class Comparison:
    """Whose profile was fitted: decides whether a published value can stand beside ours."""

    profile_source: str

    def published(self, value: float, tolerance: float, source: str) -> dict:
        """The paper's value for the paper's profile, else why there is none."""
        if self.profile_source == gap_data.PAPER_PROFILE:
            return {"published": value, "tolerance": tolerance, "source": source}
        return {"note": "not the profile of the paper"}

    def fit_rows(self, mse, kept, mean_mse, alone_mse, shift: pd.DataFrame, section: str) -> list[dict]:
        """Fig. 5b: converged share and error, beside the mean level and a network without mutual regulation.

        ``mse``, ``kept`` (booleans) and ``alone_mse`` are (R,), ``mean_mse`` a number, ``shift`` displacement per gene.
        """
        where = {"section": section, "function": f"{_MODULE}.pattern"}
        best = {"ours": float(np.median(mse[kept])), "low": float(mse[kept].min()), "high": float(mse[kept].max())}
        rows = [
            {"id": "fig5b.converged", "quantity": "share of runs that converged", "ours": float(kept.mean())}
            | self.published(0.8, 0.1, "Fig. 5b, 40 of 50"),
            {"id": "fig5b.mse", "quantity": "mean squared error of kept runs (range over runs)", **best}
            | self.published(1e-3, 4e-4, "Fig. 5b, 6.5e-4 to 1.36e-3"),
            {"id": "fig5b.mse.mean_level", "quantity": "mean squared error, mean level", "ours": mean_mse}
            | {"role": "baseline"},
            {"id": "fig5b.mse.inputs_only", "quantity": "mean squared error, no regulation among the gap genes"}
            | {"role": "baseline", **quantiles(alone_mse)},
        ]
        rows = [row | where for row in rows]
        for gene in gap_data.GENES:
            row = {"id": f"fig5b.shift.{gene}", "quantity": f"displacement of {gene}", "unit": "egg lengths"}
            row |= {"note": "not in the paper", "section": section, "function": f"{_MODULE}.boundary_shift"}
            rows.append(row | quantiles(shift[gene]))
        return rows

    def network_rows(self, agreement: pd.DataFrame, correlated: pd.DataFrame, signed, section: str) -> list[dict]:
        """Fig. 5d: known links recovered by the vote, beside single runs, correlation and chance.

        ``agreement`` and ``correlated`` of `gap_network.agreement`; ``signed`` (R, 6, 4) signs of the kept runs.
        """
        where = {"section": section, "function": f"{_MODULE}_network.agreement"}
        words = f"share of {len(agreement)} known links with the known sign"
        rows = [
            {"id": "fig5d.known", "quantity": words, "ours": float(agreement["agrees"].mean())}
            | self.published(5 / 7, 1 / 7, "published networks, same cutoff"),
            {"id": "fig5d.known.runs", "quantity": f"{words}, mean over single runs"}
            | {"ours": float(agreement["share"].mean()), "note": "the paper states the vote only"},
            {"id": "fig5d.known.correlation", "quantity": f"{words}, from correlations", "role": "baseline"}
            | {"ours": float(correlated["agrees"].mean())},
            {"id": "fig5d.known.chance", "quantity": f"{words}, by chance", "role": "baseline", "ours": 1 / 3},
            {"id": "fig5d.known.ceiling", "quantity": f"{words}, all right", "role": "ceiling", "ours": 1.0},
        ]
        rows = [row | where for row in rows]
        if self.profile_source == gap_data.PAPER_PROFILE:
            same, determined = gap_network.published_agreement(signed)
            row = {"id": "fig5c.published", "quantity": "links with the sign on which the published networks agree"}
            row |= {"ours": same, **self.published(determined, 2, "7 published networks"), "section": section}
            rows.append(row | {"function": f"{_MODULE}_network.published_agreement"})
        return rows

    def mutant_rows(self, numbers: dict, alone: dict, section: str) -> list[dict]:
        """Fig. 5e: kni, hb and gt of wild type and Kr mutant; ``alone`` is the network without mutual regulation."""
        where = {"section": section, "function": f"{_MODULE}.mutant_summary"}
        rows = []
        for name, values in numbers.items():
            gene, measure, genotype = name.split("_", 2)
            words = f"{measure} of {gene}, {'wild type' if genotype == 'wild_type' else 'Kr mutant'}"
            published = self.published(gap.PUBLISHED_MUTANT[name], 0.05, "Fig. 5e, published networks")
            rows.append({"id": f"fig5e.{name}", "quantity": words, **quantiles(values), **published, **where})
            if genotype == "mutant":
                row = {"id": f"fig5e.{name}.inputs_only", "role": "baseline", **quantiles(alone[name]), **where}
                rows.append(row | {"quantity": f"{words}, no regulation among the gap genes"})
        return rows


def truth_rows(predicted: np.ndarray, truth: np.ndarray, unchanged: np.ndarray, section: str) -> list[dict]:
    """Synthetic system only: error of the predicted mutant (R, P, 4) against the true one, wild type as baseline."""
    where = {"section": section, "function": f"{_MODULE}.pattern"}
    words = "rms error of the predicted Kr mutant against the truth"
    errors = np.sqrt(((predicted - truth) ** 2).mean((1, 2)))
    base = float(np.sqrt(((unchanged - truth) ** 2).mean()))
    rows = [
        {"id": "mutant.rmse", "quantity": words, **quantiles(errors), "note": "the paper has no measured mutant"},
        {"id": "mutant.rmse.unchanged", "quantity": f"{words}, wild type without Kr", "ours": base, "role": "baseline"},
        {"id": "mutant.rmse.noise", "quantity": f"{words}, measurement noise alone", "ours": 0.01, "role": "ceiling"},
    ]
    return [row | where for row in rows]


def series_rows(errors: dict[str, np.ndarray], held_out: int, section: str) -> list[dict]:
    """Time series (not in the paper): errors of `gap.forecast_errors`."""
    where = {"section": section, "function": f"{_MODULE}.forecast_errors"}
    words = f"mean squared error of the {held_out} held-out time classes"
    note = "not in the paper"
    rows = [
        {"id": "series.forecast", "quantity": words, **quantiles(errors["held out"]), "note": note},
        {"id": "series.persistence", "quantity": f"{words}, last class seen stays", "role": "baseline"}
        | {"ours": float(errors["persistence"])},
        {"id": "series.linear", "quantity": f"{words}, last change goes on", "role": "baseline"}
        | {"ours": float(errors["linear"])},
        {"id": "series.trained", "quantity": "mean squared error of the trained classes", "note": note}
        | quantiles(errors["trained"]),
    ]
    return [row | where for row in rows]
