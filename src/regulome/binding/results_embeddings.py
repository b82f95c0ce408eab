"""Ours versus published for protein embeddings: each function returns rows for `Output.compare_all`."""

import pandas as pd

from regulome.binding.embedding_scores import IDENTITY, MEAN, NEAREST, RIDGE, SOFT

_MODULE = "regulome.binding"
KMERS, UNIREP, BERT = "k-mer featuriser", "UniRep (1900)", "TAPE-BERT (768)"
_SHORT = {
    IDENTITY: "identity", KMERS: "kmers", UNIREP: "unirep", BERT: "bert", "none": "none",
    NEAREST: "nearest", SOFT: "soft", RIDGE: "ridge", MEAN: "mean",
}  # fmt: skip

# Published per-protein leave-one-out files, 355 RRM and KH proteins, Pearson of 7-mer Z profiles
PUBLISHED = {(IDENTITY, NEAREST): 0.580, (UNIREP, RIDGE): 0.375, (BERT, RIDGE): 0.131, ("none", MEAN): 0.158}
PUBLISHED_BINS = {  # the same files by identity of the nearest training protein, in the order of BIN_LABELS
    (IDENTITY, NEAREST): (0.366, 0.623, 0.710, 0.706, 0.813),
    (UNIREP, RIDGE): (0.151, 0.346, 0.440, 0.574, 0.770),
    (BERT, RIDGE): (0.060, 0.037, 0.125, 0.200, 0.472),
}
# Numbers of weights as the spec of each size states them, in millions
PUBLISHED_SIZES = {
    "esm2_t6_8M_UR50D": 7.5,
    "esm2_t12_35M_UR50D": 33.5,
    "esm2_t30_150M_UR50D": 148,
    "esm2_t33_650M_UR50D": 651,
    "esm2_t36_3B_UR50D": 2839,
    "esm2_t48_15B_UR50D": 15129,
}
TOLERANCE = 0.01  # of a mean r: the published Gram matrix has four digits, the proteins are the same


def score_rows(table: pd.DataFrame, measured: bool, section: str, ceiling: float | None = None) -> list[dict]:
    """Mean leave-one-out r of every source and method of `embedding_scores.table`.

    Parameters
    ----------
    measured
        Whether the profiles are the published measured ones; else nothing is comparable.
    ceiling
        Agreement of replicates, the most that any method can reach.
    """
    whole = table[table["identity"] == "all"]
    rows = []
    for row in whole.itertuples():
        published = PUBLISHED.get((row.source, row.method)) if measured else None
        words = f"{row.method}, {row.source}" if row.source != "none" else row.method
        rows.append(
            {
                "id": f"loo.{_SHORT.get(row.source, 'other')}.{_SHORT[row.method]}",
                "quantity": f"mean leave-one-out r of profiles: {words}",
                "ours": row.mean,
                "low": row.low,
                "high": row.high,
                "published": published,
                "tolerance": TOLERANCE if published is not None else 0.0,
                "source": "published per-protein leave-one-out scores, 355 RRM/KH proteins" if published else "",
                "section": section,
                "function": f"{_MODULE}.embedding_scores.leave_one_out",
                "note": _note(row, published, measured),
                "role": "baseline" if published is None and row.source in (IDENTITY, "none") else None,
            }
        )
    if ceiling is not None:
        rows.append(
            {
                "id": "loo.ceiling",
                "quantity": "agreement of the two probe sets, mean r of 7-mer Z profiles",
                "ours": ceiling,
                "section": section,
                "function": f"{_MODULE}.registered.replicate_agreement",
                "note": "over the same experiments, the most that a prediction can reach; published: 0.879 over 421",
                "role": "ceiling",
            }
        )
    return rows


def _note(row, published: float | None, measured: bool) -> str:
    if not measured:
        return "synthetic proteins and intensities: nothing to compare with"
    if published is not None and row.method == RIDGE:
        return "ours: ridge, penalty chosen without the query's relatives; the published linear method may differ"
    if published is not None:
        return "95 % interval, homologues resampled together"
    return "no published leave-one-out for this combination"


def bin_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Mean r by identity of the nearest other protein, where the publication gives it."""
    rows = []
    for (source, method), published in PUBLISHED_BINS.items():
        own = table[(table["source"] == source) & (table["method"] == method) & (table["identity"] != "all")]
        for row, value in zip(own.itertuples(), published, strict=True):
            rows.append(
                {
                    "id": f"loo.{_SHORT[source]}.{_SHORT[method]}.{row.identity.split()[0]}",
                    "quantity": f"mean leave-one-out r, {method}, {source}, nearest identity {row.identity}",
                    "ours": row.mean,
                    "low": row.low,
                    "high": row.high,
                    "published": value,
                    "tolerance": TOLERANCE,
                    "source": "published per-protein leave-one-out scores, 355 RRM/KH proteins",
                    "section": section,
                    "function": f"{_MODULE}.embedding_scores.table",
                    "note": f"{row.proteins} proteins",
                }
            )
    return rows


def size_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Parameters of every size of ESM-2, counted in fair-esm's network."""
    return [
        {
            "id": f"size.{row.model.split('_')[2].lower()}",
            "quantity": f"parameters of {row.model}",
            "ours": row.parameters / 1e6,
            "published": PUBLISHED_SIZES[row.model],
            "tolerance": 0.5 if PUBLISHED_SIZES[row.model] > 100 else 0.05,
            "unit": "million",
            "source": "model card of ESM-2",
            "section": section,
            "function": f"{_MODULE}.esm_sizes.parameters",
            "note": "without the contact head",
        }
        for row in table.itertuples()
    ]


def streaming_rows(runs: pd.DataFrame, section: str) -> list[dict]:
    """Largest difference of streamed from whole vectors, on random weights."""
    return [
        {
            "id": f"streaming.{model.split('_')[2].lower()}.difference",
            "quantity": f"largest difference of streamed from whole vectors, {model} with random weights",
            "ours": part["difference"].iloc[0],
            "published": None,
            "section": section,
            "function": f"{_MODULE}.esm_streaming.embed_streamed",
            "note": "rounding; the publication has no streaming",
        }
        for model, part in runs.groupby("model", sort=False)
    ]
