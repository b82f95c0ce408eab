"""Ours versus published for structure profiles: each function returns rows for `Output.compare_all`."""

import pandas as pd

from regulome.binding.phime import WORDS

_MODULE = "regulome.binding"
# Channel means over 2,000 RNAcompete probes, ViennaRNA 2.7.2 and 2.6.4
REFERENCE = {"P": 0.327, "H": 0.216, "I": 0.100, "M": 0.0004, "E": 0.357}
_SOURCE = "reference run, 2,000 RNAcompete probes, ViennaRNA 2.7.2"


def share_rows(table: pd.DataFrame, real: bool, section: str) -> list[dict]:
    """Share of each channel, of `phime_checks.share_table`; `real`: these are probes of the array."""
    return [
        {
            "id": f"share.{row.channel.lower()}",
            "quantity": f"share of bases: {WORDS[row.channel]} ({row.channel})",
            "ours": row.share,
            "low": row.low,
            "high": row.high,
            "published": REFERENCE[row.channel] if real else None,
            "tolerance": 0.0001 if row.channel == "M" else 0.01,
            "source": _SOURCE if real else "",
            "section": section,
            "function": f"{_MODULE}.phime.profiles",
            "note": "another sample of probes of the same design" if real else "synthetic RNAs",
        }
        for row in table.itertuples()
    ]


def check_rows(pairs: pd.DataFrame, summary: pd.Series, count: int, section: str) -> list[dict]:
    """Agreement with the full partition function and with samples."""
    difference = (pairs["paired"] - pairs["paired_full"]).abs().max()
    function = f"{_MODULE}.phime_checks"
    return [
        {
            "id": "check.pairs",
            "quantity": "largest difference from the full partition function, paired",
            "ours": difference,
            "published": 0.0,
            "tolerance": 1e-12,
            "source": "identity: the window is the whole RNA",
            "section": section,
            "function": f"{function}.check_pairs",
        },
        {
            "id": "check.samples.sd",
            "quantity": f"sd of differences from {count} Boltzmann samples, in standard errors",
            "ours": summary["sd_z"],
            "published": 1.0,
            "tolerance": 0.1,
            "source": "binomial law of a share",
            "section": section,
            "function": f"{function}.check_samples",
            "note": f"{summary['cells']:.0f} cells, which neighbouring bases share: no independent draws",
        },
        {
            "id": "check.samples.mean",
            "quantity": f"mean of differences from {count} Boltzmann samples, in standard errors",
            "ours": summary["mean_z"],
            "published": 0.0,
            "tolerance": 0.1,
            "source": "binomial law of a share",
            "section": section,
            "function": f"{function}.check_samples",
        },
    ]


def length_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Share of multiloops in the shortest and the longest random RNAs, of `phime_checks.by_length`."""
    own = table[table["channel"] == "M"].sort_values("length")
    return [
        {
            "id": f"multiloop.{row.length}",
            "quantity": f"share of bases in multiloops, random RNAs of {row.length} bases",
            "ours": row.share,
            "low": row.low,
            "high": row.high,
            "section": section,
            "function": f"{_MODULE}.phime_checks.by_length",
            "note": "no published value; shows for which RNAs the channel matters",
        }
        for row in own.iloc[[0, -1]].itertuples()
    ]
