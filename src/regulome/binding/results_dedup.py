"""Ours versus published for notebook 11: each function returns rows for `Output.compare_all`."""

import pandas as pd

from regulome.binding import duplicates

_MODULE = "regulome.binding"


def duplicate_rows(counts: pd.DataFrame, published: str, compendium: str, section: str) -> list[dict]:
    """The published numbers of duplicates, and those of the compendium.

    Parameters
    ----------
    counts
        Of `dedup_tables.counts`.
    published, compendium
        Names of its rows.
    """
    found = counts.set_index("list")
    expected = duplicates.published_groups()
    wanted = {
        "unique": duplicates.PUBLISHED_UNIQUE,
        "groups": len(expected),
        "extra": sum(len(group) - 1 for group in expected),
    }
    words = {
        "unique": "distinct proteins",
        "groups": "groups of identical proteins",
        "extra": "proteins that repeat another",
    }
    rows = [
        {
            "id": f"published.{column}",
            "quantity": f"{words[column]} among the 200 of the published course",
            "ours": found.loc[published, column],
            "published": value,
            "source": "published de-duplication, 200 to 176; groups from another group's table of duplicates",
            "section": section,
            "function": f"{_MODULE}.duplicates.groups",
            "note": "random sequences with the published groups: exact duplicates alone give the published number",
        }
        for column, value in wanted.items()
    ]
    rows.append(
        {
            "id": "compendium.unique",
            "quantity": f"distinct proteins among the {found.loc[compendium, 'proteins']} of the compendium",
            "ours": found.loc[compendium, "unique"],
            "published": None,
            "section": section,
            "function": f"{_MODULE}.duplicates.groups",
            "note": "counted in the sequences; no publication states it",
        }
    )
    return rows


def identity_rows(check: pd.DataFrame, reference: str, section: str) -> list[dict]:
    """Agreement with reference identities, each way to count."""
    return [
        {
            "id": f"identity.{row.sequence.split()[0]}.{row.denominator}",
            "quantity": f"correlation with {reference}: {row.sequence}, over the {row.denominator} sequence",
            "ours": row.pearson,
            "published": None,
            "section": section,
            "function": f"{_MODULE}.identity.pairwise",
            "note": f"{row.pairs} pairs; median difference {100 * row.median_difference:.1f} points",
        }
        for row in check.itertuples()
    ]


def motif_rows(table: pd.DataFrame, kind: str, section: str, most: int = 3) -> list[dict]:
    """Similarity to the reference motif: single proteins where there are few, else the median and the quartiles."""
    common = {"published": None, "section": section, "function": f"{_MODULE}.motif.from_kmers"}
    if len(table) <= most:
        return [
            common
            | {
                "id": f"motif.{row.name.lower()}",
                "quantity": f"correlation with the published PWM, {row.name}",
                "ours": row.correlation,
                "note": f"{kind}; ours {row.ours}, published {row.reference}; 1 is the same motif",
            }
            for row in table.itertuples(index=False)
        ]
    low, middle, high = table["correlation"].quantile([0.25, 0.5, 0.75])
    return [
        common
        | {
            "id": "motif.median",
            "quantity": f"correlation with the true motif, median of {len(table)} proteins",
            "ours": middle,
            "low": low,
            "high": high,
            "note": f"{kind}; range: quartiles; 1 is the same motif",
        }
    ]


def replicate_rows(trims: pd.DataFrame, trim: float, published: dict[str, float], section: str) -> list[dict]:
    """Agreement of 7-mer scores between probe sets A and B, for proteins with a published value."""
    own = trims[trims["trim"] == trim].set_index("name")["agreement"]
    return [
        {
            "id": f"replicate.{name.lower()}",
            "quantity": f"7-mer scores of probe set A against set B, {name}",
            "ours": own[name],
            "published": value,
            "tolerance": 0.02,
            "source": "replicate agreement of the experiment",
            "section": section,
            "function": f"{_MODULE}.kmer_scores.kmer_scores",
            "note": "30,000 of about 120,000 probes a set: lower than with the whole array",
            "role": "ceiling",
        }
        for name, value in published.items()
        if name in own
    ]


def cluster_rows(shares: dict[str, float], cut: float, profiles: str, section: str) -> list[dict]:
    """Why motif clusters do not decide about splits."""
    words = {
        "unrelated": f"share of pairs in one motif cluster (r at least {cut:g}) with identity below 40 %",
        "split": "share of pairs of 40 % identity and more that motif clusters tear apart",
    }
    return [
        {
            "id": f"motif_clusters.{name}",
            "quantity": text,
            "ours": shares[name],
            "published": None,
            "section": section,
            "function": f"{_MODULE}.clusters.unrelated_share",
            "note": f"complete linkage of {profiles}",
        }
        for name, text in words.items()
    ]


def leak_rows(table: pd.DataFrame, profiles: str, section: str) -> list[dict]:
    """Nearest neighbour and near relatives in training under each way to split."""
    rows = []
    for row in table.itertuples():
        scheme = row.scheme.replace(" ", "_")
        rows.append(
            {
                "id": f"leak.{scheme}.r",
                "quantity": f"mean r of the nearest neighbour, split: {row.scheme}",
                "ours": row.r,
                "low": row.low,
                "high": row.high,
                "section": section,
                "function": f"{_MODULE}.splits.leakage",
                "note": f"{row.proteins} proteins, {profiles}; 95 % interval over clusters",
                "role": "baseline",
            }
        )
        rows.append(
            {
                "id": f"leak.{scheme}.above_40",
                "quantity": f"test proteins with a relative of 40 % and more in training, split: {row.scheme}",
                "ours": row.above_40,
                "published": None,
                "section": section,
                "function": f"{_MODULE}.splits.leakage",
                "note": "share of proteins; identity over the longer sequence",
            }
        )
    return rows
