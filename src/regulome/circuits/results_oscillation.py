"""Ours versus published for Fig. 3: each function returns rows for `regulome.figures.Output.compare_all`.

The published networks are a sample themselves. A share of their 193 runs has a standard error, and its 95 % interval
is the tolerance; our interval is that of the pooled seeds (Wilson). Counts of topologies grow with the number of runs
and are compared only when there are about as many as published.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome.circuits import oscillation, oscillation_topologies
from regulome.circuits.oscillation_topologies import Found, branch, wilson
from regulome.circuits.topology import quantiles

_MODULE = "regulome.circuits"
RUNS, CONNECTED, TRAINED = 195, 193, 200  # networks published, connected ones, trainings
PROBABILITIES = {"direct": 74 / CONNECTED, "<= 1 link": 106 / CONNECTED}
VENN = {"networks": 64, "hill": 104, "identical": 21, "rnn near": 15, "hill near": 16}
GRID = {  # measures of `oscillation_experiments.training_grid`
    "good runs": RUNS / TRAINED,
    "number of topologies": VENN["networks"],
    "in the enumeration": PROBABILITIES["direct"],
    "within one link": PROBABILITIES["<= 1 link"],
}
TOLERANCES = {"rest": 0.005, "oscillation": 0.1, "high": 0.05}  # published networks: 1.4 to 1.6 under I1
PERIOD = 3.0  # of the target, lifetimes
WORDS = {"direct": "in the enumeration", "<= 1 link": "within one link of the enumeration"}


def sampling(share: float, runs: int = CONNECTED) -> float:
    """Half the 95 % interval of a published share of ``runs`` networks."""
    return 1.96 * float(np.sqrt(share * (1 - share) / runs))


@dataclass(frozen=True)
class Comparison:
    """How many runs and enumerated topologies there are: decides which published numbers can stand beside ours.

    Attributes
    ----------
    runs
        Trainings of one seed; counts of topologies are compared from 150 on.
    enumerated
        Topologies with at least two hits; hit probabilities are compared when they are 104, give or take 20.
    """

    runs: int
    enumerated: int

    def count(self, value: float, tolerance: float, source: str) -> dict:
        """A published count of topologies, or why it cannot be compared."""
        if self.runs >= 150:
            return {"published": value, "tolerance": tolerance, "source": source}
        return {"note": f"grows with the number of runs: {self.runs} here, {TRAINED} in the paper"}

    def hit(self, value: float, tolerance: float, source: str) -> dict:
        """A published number that depends on the enumeration, or why it cannot be compared."""
        if abs(self.enumerated - VENN["hill"]) <= 20:
            return {"published": value, "tolerance": tolerance, "source": source}
        return {"note": f"the enumeration has {self.enumerated} topologies here, {VENN['hill']} in the paper"}

    def training_rows(self, errors: np.ndarray, seeds: list[Found], case_names, section: str) -> list[dict]:
        """Fig. 3b: squared error of each case, (R, C), and shares of good and of connected runs, all seeds pooled."""
        where = {"section": section, "function": f"{_MODULE}.oscillation.squared_errors"}
        rows = [
            {"id": f"fig3b.{name}", "quantity": f"squared error of g1, case {name}", **quantiles(errors[:, c]), **where}
            | {"published": oscillation.PUBLISHED_ERRORS[name], "tolerance": TOLERANCES[name], "source": "Fig. 3b"}
            | {"note": "median and 5 to 95 % of all runs"}
            for c, name in enumerate(case_names)
            if name in oscillation.PUBLISHED_ERRORS
        ]
        good, connected = (np.concatenate([getattr(f, name) for f in seeds]) for name in ("good", "connected"))
        for name, hits, runs, published, of in (
            ("good", good.sum(), len(good), RUNS / TRAINED, TRAINED),
            ("connected", (good & connected).sum(), good.sum(), CONNECTED / RUNS, RUNS),
        ):
            words = "share of runs that are good" if name == "good" else "share of good runs that are connected"
            rows.append(
                {"id": f"fig3.{name}", "quantity": words, **wilson(int(hits), int(runs)), "published": published}
                | {"tolerance": sampling(published, of), "source": "published networks", "section": section}
                | {"function": f"{_MODULE}.oscillation.good_runs", "note": f"{runs} runs"}
            )
        return rows

    def count_rows(self, curves: list[pd.DataFrame], top: list[float], section: str) -> list[dict]:
        """Distinct connected topologies at each cutoff, and the degeneracy; one curve and number a training seed."""
        rows = []
        for i, cutoff in enumerate(curves[0]["cutoff"]):
            published = oscillation_topologies.PUBLISHED_CUTOFFS[cutoff]
            column = "distinct" if published[1] is None else "connected"
            ours = [int(curve[column].iloc[i]) for curve in curves]
            words = "distinct topologies of good runs" + (", connected" if column == "connected" else "")
            rows.append(
                {"id": f"fig3.topologies.{cutoff:g}", "quantity": f"{words}, cutoff {cutoff:g}"}
                | {"ours": float(np.mean(ours)), "low": min(ours), "high": max(ours), "section": section}
                | {"function": f"{_MODULE}.oscillation_topologies.cutoff_curve"}
                | self.count(published[0] if column == "distinct" else published[1], 5, "published networks")
            )
        interval = {"ours": float(np.mean(top)), "low": min(top), "high": max(top), "section": section}
        words = "share of runs in the most frequent 30 % of the topologies"
        function = {"function": f"{_MODULE}.oscillation_topologies.degeneracy"}
        rows += [
            {"id": "fig3.degeneracy.text", "quantity": words, **interval, **function}
            | self.count(0.8, 0.05, "text of the paper"),
            {"id": "fig3.degeneracy.networks", "quantity": f"{words} (published networks)", **interval, **function}
            | self.count(0.63, 0.05, "published networks"),
        ]
        return rows

    def core_rows(self, cores: pd.DataFrame, runs: int, section: str) -> list[dict]:
        """Shares of the five published cores; ``cores`` of `oscillation_topologies.core_counts`, all seeds pooled."""
        return [
            {
                "id": f"fig3.core.{row.core}",
                "quantity": f"share of runs with g1->g1, g1->g2, g2->g1, g2->g2 = {row.core}",
            }
            | {**wilson(row.ours, runs), "published": row.published / CONNECTED, "source": "published networks"}
            | {"tolerance": sampling(row.published / CONNECTED), "section": section}
            | {"function": f"{_MODULE}.oscillation_topologies.core_counts"}
            for row in cores.dropna().itertuples()
        ]

    def venn_rows(self, venn: pd.DataFrame, section: str) -> list[dict]:
        """Fig. 3d; ``venn`` has one row an enumeration, the published one first."""
        words = {
            "networks": "connected topologies of trained networks",
            "hill": "topologies of the enumeration",
            "identical": "topologies in both",
            "rnn near": "network topologies one link from the enumeration",
            "hill near": "enumerated topologies one link from a network topology",
        }
        rows = []
        for i, row in enumerate(venn.to_dict("records")):
            for part, published in VENN.items():
                extra = {"note": "the paper has no converged enumeration"}
                if i == 0:
                    rule = self.hit if part == "hill" else self.count
                    extra = rule(published, 6, "Fig. 3d")
                rows.append(
                    {"id": f"fig3d.{i}.{part.replace(' ', '_')}", "quantity": f"{words[part]} ({row['enumeration']})"}
                    | {"ours": row[part], "section": section, **extra}
                    | {"function": f"{_MODULE}.oscillation_topologies.venn_counts"}
                )
        return rows

    def probability_rows(self, trained: pd.DataFrame, chance: pd.DataFrame, titles: dict, section: str) -> list[dict]:
        """Fig. 3e: hit probabilities of the pooled seeds for every denominator, chance levels, and the ceiling."""
        rows, function = [], {"function": f"{_MODULE}.oscillation_topologies.hit_table", "section": section}
        for (key, runs, name), part in trained.groupby(["enumeration", "runs", "distance"], sort=False):
            number = int(part["number"].sum())
            spread = f"{part['ours'].min():.3f} to {part['ours'].max():.3f} over {len(part)} seeds, {number} runs"
            extra = {"note": spread}
            if key == next(iter(titles)) and runs == "good and connected":
                extra |= self.hit(PROBABILITIES[name], sampling(PROBABILITIES[name]), "Fig. 3e")
            rows.append(
                {"id": f"fig3e.{key}.{name[0]}.{runs.replace(' ', '_')}", **wilson(int(part["hits"].sum()), number)}
                | {"quantity": f"share of runs {WORDS[name]} ({titles[key]}; {runs})", **function, **extra}
            )
        for row in chance.itertuples():
            for name, value in (("direct", row.direct), ("<= 1 link", row.near)):
                words = f"{WORDS[name]} ({titles[row.enumeration]}), by chance: {row.baseline}"
                rows.append(
                    {"id": f"fig3e.{row.enumeration}.{name[0]}.chance.{row.baseline.replace(' ', '_')}", "ours": value}
                    | {"quantity": words, "role": "baseline", "section": section}
                    | {"function": f"{_MODULE}.oscillation_topologies.chance_levels"}
                )
        words = "share of runs in the enumeration, all of them"
        return [*rows, {"id": "fig3e.ceiling", "quantity": words, "ours": 1.0, "role": "ceiling", **function}]

    def branch_rows(self, found: Found, hill_set: np.ndarray, arms: pd.DataFrame, section: str) -> list[dict]:
        """Fig. 3f: branches of the enumeration and of the runs, and the experiment on the bias."""
        where = {"section": section, "function": f"{_MODULE}.oscillation_topologies.branch"}
        sides, ours = branch(hill_set), branch(found.signs[found.counted])
        rows = [
            {"id": f"fig3f.hill.{name}", "quantity": f"enumerated topologies, {words}", "ours": int(count), **where}
            | self.hit(published, 10, "Fig. 3f")
            for name, words, count, published in (
                ("right", "right branch", (sides == "right").sum(), 39),
                ("left", "left branch", (sides == "left").sum(), 65),
                ("g1", "g1 activates itself", (hill_set[:, 2, 0] > 0).sum(), 76),
                ("g2", "g2 activates itself", (hill_set[:, 3, 1] > 0).sum(), 92),
            )
        ]
        rows.append(
            {"id": "fig3f.right", "quantity": "share of runs in the right branch", **where, "source": "Fig. 3f"}
            | {**wilson(int((ours == "right").sum()), len(ours)), "published": 188 / CONNECTED}
            | {"tolerance": sampling(188 / CONNECTED)}
        )
        left = arms[arms["measure"].str.startswith("left")]
        return rows + [
            {"id": f"fig3f.left.{i}", "quantity": f"share of good runs in the left branch, {row.arm}", **where}
            | {
                "ours": row.ours,
                "low": row.low,
                "high": row.high,
                "note": f"no share in the paper; {row.runs} good runs",
            }
            for i, row in enumerate(left.itertuples())
        ]


def audit_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Monotonicity (not in the paper): all links together; ``table`` of `monotonicity.audit_table`."""
    row = table[table["link"] == "all links"].iloc[0]
    where = {"section": section, "function": f"{_MODULE}.monotonicity.audit", "note": "not in the paper"}
    return [
        {"id": "audit.non_monotone", "quantity": "share of links with a non-monotone f (rarer sign at least 5 %)"}
        | {**wilson(round(row["non_monotone"] * row["number"]), int(row["number"])), **where},
        {"id": "audit.agrees", "quantity": "share of links whose mutation has the sign of the mean derivative"}
        | {**wilson(round(row["sign_agrees"] * row["number"]), int(row["number"])), **where},
    ]


def step_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Euler step of the test: share of runs that oscillate, and their period."""
    where, rows = {"section": section, "function": f"{_MODULE}.oscillation_experiments.step_size_table"}, []
    for dt, part in table.groupby("dt", sort=False):
        rows.append(
            {"id": f"dt.{dt:g}.share", "quantity": f"share of runs that oscillate under I1, dt {dt:g}", **where}
            | {**wilson(int(part["oscillates"].sum()), len(part)), "note": "not in the paper"}
        )
        periods = part.loc[part["oscillates"], "period"].dropna()
        if len(periods):
            extra = {"note": "not in the paper"}
            if dt == 0.2:
                extra = {"published": PERIOD, "tolerance": 0.05, "source": "target of the training"}
            words = f"period of the runs that oscillate, dt {dt:g}"
            rows.append(
                {
                    "id": f"dt.{dt:g}.period",
                    "quantity": words,
                    "unit": "lifetimes",
                    **quantiles(periods),
                    **where,
                    **extra,
                }
            )
    return rows


def conversion_rows(table: pd.DataFrame, difference: pd.DataFrame, section: str) -> list[dict]:
    """Conversion to Hill circuits; tables of `oscillation_conversion`. Sampling as published is compared."""
    published = {"topologies": VENN["identical"] / VENN["networks"], "runs": PROBABILITIES["direct"]}
    function = {"section": section, "function": f"{_MODULE}.oscillation_conversion.fitted_to_runs"}
    rows = [
        {"id": f"conversion.difference.{name}", "quantity": words, **quantiles(difference[name]), **function, **role}
        for name, words, role in (
            ("fitted", "rms difference of network and Hill circuit fitted to it", {"note": "not in the paper"}),
            ("constant", "rms difference of network and its mean levels", {"role": "baseline"}),
        )
    ]
    for row in table.to_dict("records"):
        words = f"share of {row['of']} that become Hill circuits: {row['method']}, {row['integration']} integration"
        extra = {"note": "not in the paper"}
        if row["method"] == "sampling, at least 2 sets" and row["integration"] == "published":
            runs = VENN["networks"] if row["of"] == "topologies" else CONNECTED
            extra = {"published": published[row["of"]], "tolerance": sampling(published[row["of"]], runs)}
            extra["source"] = "Figs 3d, e"
        name = row["method"].replace(",", "").replace(" ", "_")
        rows.append(
            {"id": f"conversion.{name}.{row['integration']}.{row['of']}", "quantity": words, "section": section}
            | {key: row[key] for key in ("ours", "low", "high")}
            | {"function": f"{_MODULE}.oscillation_conversion", **extra}
        )
    return rows
