"""Ours versus published for unseen proteins: each function returns rows for `Output.compare_all`.

Published numbers: mean Pearson correlation of 7-mer Z-scores in leave-one-out over 355 RRM/KH experiments, recomputed
from the per-protein files that their authors made public.
"""

import pandas as pd

from regulome.binding import profile_methods as methods
from regulome.binding import unseen
from regulome.binding.splits import BIN_LABELS
from regulome.binding.validation import DISJOINT, bootstrap

_MODULE = "regulome.binding"
_SOURCE = "public leave-one-out files of morrislab/RBPbinding (EuPRI)"
ALL = "all"
# Method: mean over all 355, then below 40 %, 40 to 55, 55 to 70, 70 to 90, 90 % and more
PUBLISHED = {
    "JPLE, 5-mers + homologues": (0.625, 0.406, 0.681, 0.739, 0.775, 0.833),
    "JPLE": (0.605, 0.352, 0.674, 0.757, 0.764, 0.832),
    "nearest neighbour, sequence identity": (0.580, 0.366, 0.623, 0.710, 0.706, 0.813),
    "nearest neighbour, k-mer cosine": (0.567, 0.338, 0.598, 0.712, 0.721, 0.810),
    "affinity regression": (0.564, 0.301, 0.606, 0.716, 0.754, 0.826),
    "linear on UniRep": (0.375, 0.151, 0.346, 0.440, 0.574, 0.770),
    "linear on TAPE-BERT": (0.131, 0.060, 0.037, 0.125, 0.200, 0.472),
}
BEST = "JPLE, 5-mers + homologues"
CEILING, MEAN_PROFILE = 0.879, 0.158
# ours: (short id, published method, tolerance, what is not the same)
_PAIRS = {
    methods.NEAREST: ("nearest", "nearest neighbour, sequence identity", 0.01, ""),
    methods.NEAREST_KMERS: ("nearest_kmers", "nearest neighbour, k-mer cosine", 0.02, "the published k is not stated"),
    methods.RIDGE: ("ridge", "affinity regression", 0.02, "kernel ridge is affinity regression without RNA penalty"),
    "linear on UniRep": ("unirep", "linear on UniRep", 0.02, "ridge penalty chosen by nesting"),
    "linear on TAPE-BERT": ("bert", "linear on TAPE-BERT", 0.02, "ridge penalty chosen by nesting"),
    methods.TERM: ("term", BEST, 0.0, "against the best published method"),
    methods.NESTED: ("term_nested", BEST, 0.0, "against the best published method"),
    methods.PAIRS: ("pairs", BEST, 0.0, "against the best published method"),
}


def published_table() -> pd.DataFrame:
    """`PUBLISHED`, one row a method and bin: method, identity, mean."""
    labels = (ALL, *BIN_LABELS)
    rows = [(name, label, value) for name, row in PUBLISHED.items() for label, value in zip(labels, row, strict=True)]
    return pd.DataFrame(rows, columns=["method", "identity", "mean"])


def loo_rows(table: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Leave-one-out over profiles, every method over all proteins.

    Parameters
    ----------
    table
        Of `gram.by_bin`.
    kind
        Of the compendium; published numbers stand beside measured ones only.
    """
    rows = []
    for row in table[table["identity"] == ALL].itertuples():
        short, published, tolerance, note = _PAIRS.get(row.method, (_short(row.method), None, 0.0, ""))
        known = PUBLISHED[published][0] if published else (MEAN_PROFILE if row.method == methods.MEAN else None)
        baseline = not row.method.startswith("homology")
        rows.append(
            {
                "id": f"loo.{short}",
                "quantity": f"mean leave-one-out r over {row.proteins} {kind} profiles, {row.method}",
                "ours": row.mean,
                "low": row.low,
                "high": row.high,
                "published": known if kind == "measured" else None,
                "tolerance": tolerance,
                "source": _SOURCE if kind == "measured" and known is not None else "",
                "section": section,
                "function": f"{_MODULE}.profile_methods.all_methods",
                "note": note or f"{kind} profiles, copies of the query left out",
                "role": "baseline" if baseline and (kind != "measured" or known is None) else None,
            }
        )
    return rows


def ceiling_row(agreement: pd.Series, section: str) -> dict:
    """What no prediction of a measured profile can be expected to pass: how well two halves of an array agree.

    Parameters
    ----------
    agreement
        `registered.replicate_agreement` of the proteins of the leave-one-out.
    """
    low, high = bootstrap(agreement.to_numpy(), None, "mean")
    return {
        "id": "loo.ceiling",
        "quantity": f"mean r of 7-mer scores from probe sets A and B, {len(agreement)} measured profiles",
        "ours": float(agreement.mean()),
        "low": low,
        "high": high,
        "published": CEILING,
        "tolerance": 0.01,
        "source": "published agreement of probe sets A and B over all experiments (EuPRI)",
        "section": section,
        "function": f"{_MODULE}.registered.replicate_agreement",
        "note": "ceiling of the leave-one-out; the published mean is over 421 experiments",
    }


def bin_rows(table: pd.DataFrame, section: str, method: str = methods.TERM) -> list[dict]:
    """The homology term by identity bin beside the best published method (measured profiles only)."""
    labels = (ALL, *BIN_LABELS)
    own = table[(table["method"] == method) & (table["identity"] != ALL)]
    return [
        {
            "id": f"bin.{labels.index(row.identity)}",
            "quantity": f"mean leave-one-out r, nearest identity {row.identity}, {row.proteins} proteins",
            "ours": row.mean,
            "low": row.low,
            "high": row.high,
            "published": PUBLISHED[BEST][labels.index(row.identity)],
            "source": f"{_SOURCE}: {BEST}",
            "section": section,
            "function": f"{_MODULE}.gram.by_bin",
        }
        for row in own.itertuples()
    ]


def unseen_rows(summary: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Mean correlation on new proteins and new RNAs, every method; of `validation.summary`."""
    rows = []
    for row in summary[summary["protocol"] == DISJOINT].itertuples():
        role = {unseen.CEILING: "ceiling"} | dict.fromkeys(unseen.BASELINES, "baseline")
        rows.append(
            {
                "id": f"unseen.{_short(row.method)}",
                "quantity": f"mean r, new proteins on new RNAs ({kind}), {row.method}",
                "ours": row.mean,
                "low": row.mean_low,
                "high": row.mean_high,
                "published": None,
                "section": section,
                "function": f"{_MODULE}.unseen.evaluate",
                "note": f"{kind} intensities; published numbers are of other data and splits",
                "role": role.get(row.method),
            }
        )
    return rows


def gain_rows(gain: tuple[float, float, float], pooled: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Combination minus soft neighbours: over splits, and pooled over proteins."""
    row = pooled[(pooled["protocol"] == DISJOINT) & (pooled["split"] == "all") & (pooled["other"] == unseen.SOFT)].iloc[
        0
    ]
    common = {"published": None, "section": section, "function": f"{_MODULE}.unseen_tables.over_splits"}
    words = f"combination minus {unseen.SOFT}, new proteins on new RNAs ({kind})"
    return [
        common | {"id": "gain.splits", "quantity": f"{words}, over splits", "ours": gain[0], "low": gain[1],
                  "high": gain[2], "note": "Student's t over splits"},
        common | {"id": "gain.proteins", "quantity": f"{words}, over {row.proteins} proteins", "ours": row.difference,
                  "low": row.low, "high": row.high, "note": "bootstrap over clusters of homologues"},
    ]  # fmt: skip


def coverage_rows(inside: float, count: int, section: str) -> list[dict]:
    """Share of test proteins whose correlation lies in the interval that was promised to 80 %."""
    return [
        {
            "id": "coverage.inside",
            "quantity": f"share of {count} new proteins within their 80 % interval",
            "ours": inside,
            "published": None,
            "section": section,
            "function": f"{_MODULE}.coverage.expected",
            "note": "0.8 if the expectation holds for new proteins",
        }
    ]


def probe_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Probe-level correlations of the two measured experiments; of `measured_probes.table`."""
    rows = []
    for i, row in enumerate(table.itertuples()):
        role = None if row.method == "homology term" else "baseline"
        rows.append(
            {
                "id": f"probes.{row.protein.lower()}.{i}",
                "quantity": f"r with measured intensities of {row.protein}, {row.method}, without {row.left_out}",
                "ours": row.r,
                "low": row.low,
                "high": row.high,
                "published": None,
                "section": section,
                "function": f"{_MODULE}.measured_probes.table",
                "note": "measured truth, profiles of the others from published motifs",
                "role": "ceiling" if row.left_out == "nothing" else role,
            }
        )
    return rows


def _short(method: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in method.lower()).split())
