"""Leave-one-out problems. That of the published comparison: 355 RNAcompete experiments with RRM or KH domains.

Profiles are measured 7-mer Z-scores, known by their correlations; identities are the published ones, of the binding
regions; k-mers are those of the constructs and, as "domain k-mers", of their domains with 15 residues around them.
"""

from collections.abc import Sequence

import numpy as np

from regulome.binding import clusters, gram, homology, identity, protein_kmers, registered, synthetic
from regulome.binding.compendium import Compendium
from regulome.binding.gram import Problem
from regulome.binding.targets import TargetTransform
from regulome.binding.vectors import Vectors

KEYS = (
    "rbp420_profile_correlation",
    "rbp_identity_local",
    "eupri_metadata",
    "rbp_rrm_kh_unique",
    "rbp_unirep",
    "rbp_bert",
)
DOMAIN_KMERS = (2, 3, 4, 5)
SOURCES = {"UniRep": "unirep", "TAPE-BERT": "bert"}
CLUSTER_IDENTITY = 0.4  # proteins at least this alike are resampled together and share a fold


def measured(names: Sequence[str] | None = None, mirror=None, duplicates: bool = False) -> Problem:
    """Problem over the given experiments (default: the 355 of the published comparison).

    Parameters
    ----------
    duplicates
        Whether another experiment with the same construct may predict the query, as in the published comparison.

    Returns
    -------
    Problem
        Similarities: identity, 1- to 5-mers, domain 2- to 5-mers.
    """
    names = registered.rrm_kh(mirror) if names is None else list(names)
    everyone = registered.constructs(mirror)
    proteins = everyone.take([everyone.index()[name] for name in names])
    table = registered.metadata(mirror).loc[names]
    percent = registered.identities(mirror).loc[names, names].to_numpy()
    similarity = homology.similarities(proteins, None, np.maximum(percent, percent.T) / 100)
    for k in (1, 2, 5):
        similarity[f"{k}-mers"] = protein_kmers.cosine(proteins, None, k).astype(np.float64)
    parts = identity.domains(proteins, list(table["construct_domain_boundaries"]))
    for k in DOMAIN_KMERS:
        similarity[f"domain {k}-mers"] = protein_kmers.cosine(parts, None, k).astype(np.float64)
    correlation = registered.profile_correlation(mirror).loc[names, names].to_numpy()
    return gram.problem(proteins, correlation, similarity, "measured", duplicates)


def of_compendium(compendium: Compendium, known: np.ndarray, targets: str = "shifted log") -> Problem:
    """Problem over the proteins of a compendium, profiles being their targets; `known` (P, P) fractions identical."""
    goals = np.nan_to_num(TargetTransform.fit(compendium.intensities, targets).apply(compendium.intensities))
    similarity = homology.similarities(compendium.proteins, None, known)
    return gram.problem(compendium.proteins, gram.of_profiles(goals), similarity, compendium.kind)


def choose(
    profiles: str, compendium: Compendium, known: np.ndarray, vectors: Vectors, mirror=None
) -> tuple[Problem, dict[str, Vectors]]:
    """The measured problem with published protein vectors, or that of a compendium with its own.

    Parameters
    ----------
    profiles
        "measured" or "compendium".
    """
    if profiles == "compendium":
        return of_compendium(compendium, known), {"vectors": vectors}
    problem, names = measured(mirror=mirror), registered.experiments(mirror)
    rows = [names.index(name) for name in problem.proteins.names]
    return problem, {label: registered.published_vectors(key, mirror).take(rows) for label, key in SOURCES.items()}


def families(problem: Problem, threshold: float = CLUSTER_IDENTITY) -> np.ndarray:
    """(P,) clusters of homologous proteins."""
    return clusters.by_identity(problem.similarity["identity"], threshold)


def true_motif(compendium: Compendium, name: str, mirror=None) -> np.ndarray:
    """(width, 4) probabilities of the motif that a protein's synthetic or semi-real intensities were made from."""
    if compendium.kind == "semi-real":
        return registered.pwms(mirror)[name]
    odds = synthetic.motifs()[name]
    return np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
