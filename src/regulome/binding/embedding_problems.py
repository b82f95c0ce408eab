"""Leave-one-out problems on which vectors are scored: a compendium's own profiles, or the published correlations."""

import numpy as np

from regulome.binding import embedding_scores, featuriser, gram, identity, registered
from regulome.binding.compendium import Compendium
from regulome.binding.results_embeddings import BERT, KMERS, UNIREP
from regulome.binding.vectors import Vectors

MEASURED_KEYS = (
    "eupri_metadata", "rbp420_profile_correlation", "rbp_identity_local", "rbp_unirep", "rbp_bert", "rbp_rrm_kh_unique",
    "rbp_set_a_set_b",
)  # fmt: skip


def short_name(vectors: Vectors) -> str:
    """What to call vectors in tables and figures."""
    return KMERS if vectors.source == featuriser.source_name() else vectors.source


def of_compendium(compendium: Compendium, vectors: Vectors) -> gram.Problem:
    """Correlations between the intensities of a compendium's proteins; kind is the compendium's.

    Missing intensities count as the protein's mean.
    """
    rows = compendium.intensities.astype(float)
    rows = np.where(np.isnan(rows), np.nanmean(rows, axis=1, keepdims=True), rows)
    return embedding_scores.problem(
        compendium.proteins,
        gram.of_profiles(rows),
        identity.pairwise(compendium.proteins),
        {short_name(vectors): vectors},
        compendium.kind,
    )


def of_measured(vectors: Vectors, mirror=None, duplicates: bool = False) -> gram.Problem:
    """The published correlations between measured 7-mer profiles of the 355 RRM and KH experiments.

    The vectors to examine, of all 420 experiments, stand beside the published ones of two language models.

    Parameters
    ----------
    duplicates
        Whether another experiment with the query's sequence may predict it, as in the published comparison.

    Raises
    ------
    UserError
        If a file cannot be fetched.
    ValueError
        If the vectors are not those of the 420 experiments.
    """
    names = registered.rrm_kh(mirror)
    everyone = registered.constructs(mirror)
    if vectors.names != everyone.names:
        raise ValueError("vectors of other proteins than the 420 experiments, or in another order")
    rows = [everyone.index()[name] for name in names]
    percent = registered.identities(mirror).loc[names, names].to_numpy()
    sources = {
        short_name(vectors): vectors,
        UNIREP: registered.published_vectors("unirep", mirror),
        BERT: registered.published_vectors("bert", mirror),
    }
    return embedding_scores.problem(
        everyone.take(rows),
        registered.profile_correlation(mirror).loc[names, names].to_numpy(),
        np.maximum(percent, percent.T) / 100,
        {name: source.take(rows) for name, source in sources.items()},
        "measured",
        duplicates,
    )


def ceiling(names: tuple[str, ...], mirror=None) -> float:
    """Mean agreement of the two probe sets over the given experiments, where it was published."""
    return float(registered.replicate_agreement(mirror).reindex(names).dropna().mean())
