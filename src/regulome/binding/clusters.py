"""Clusters of proteins: by sequence identity, to decide what may be on two sides of a split; by motif, as published.

Clusters by motif say which proteins bind alike, not which are related: two unrelated proteins that both prefer U-rich
RNA fall together. They are therefore reported, and never used for a split.
"""

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

MOTIF_CUT = 0.6  # correlation of 7-mer profiles at which the EuPRI archive cuts


def by_identity(identity: np.ndarray, threshold: float) -> np.ndarray:
    """Single linkage: two proteins of at least the threshold are in one cluster, and so are their neighbours.

    Only then is every pair across clusters below the threshold, which is what a split has to guarantee.

    Parameters
    ----------
    identity
        (P, P) fraction of identical residues.

    Returns
    -------
    ndarray
        (P,) int, clusters counted in order of their first member.
    """
    linked = np.asarray(identity) >= threshold
    _, labels = connected_components(csr_array(linked | linked.T), directed=False)
    return in_order(labels)


def by_correlation(correlation: np.ndarray, cut: float = MOTIF_CUT) -> np.ndarray:
    """Complete linkage of profiles or motifs on 1 - correlation: any two of a cluster correlate at least by `cut`.

    Parameters
    ----------
    correlation
        (P, P) symmetric, 1 on the diagonal.
    """
    distance = 1.0 - np.asarray(correlation, dtype=float)
    distance = np.clip((distance + distance.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    if len(distance) < 2:
        return np.zeros(len(distance), dtype=int)
    tree = linkage(squareform(distance, checks=False), method="complete")
    return in_order(fcluster(tree, 1.0 - cut + 1e-12, criterion="distance"))


def in_order(labels: np.ndarray) -> np.ndarray:
    """Number labels from 0 in order of first occurrence, so that they depend on the partition alone."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def sizes(labels: np.ndarray) -> np.ndarray:
    """Members of each cluster."""
    return np.bincount(np.asarray(labels))


def threshold_table(identity: np.ndarray, thresholds: list[float]) -> pd.DataFrame:
    """Clusters at several thresholds: threshold, clusters, single (of one protein), largest (its members)."""
    rows = []
    for threshold in thresholds:
        members = sizes(by_identity(identity, threshold))
        rows.append((threshold, len(members), int((members == 1).sum()), int(members.max())))
    return pd.DataFrame(rows, columns=["threshold", "clusters", "single", "largest"])


def unrelated_share(motif_labels: np.ndarray, identity: np.ndarray, below: float = 0.4) -> dict[str, float]:
    """How often proteins of one motif cluster are unrelated by sequence.

    Returns
    -------
    dict
        pairs (that share a motif cluster), unrelated (share of them with identity below `below`), split (share of all
        pairs of at least that identity that motif clusters tear apart).
    """
    i, j = np.triu_indices(len(motif_labels), 1)
    together = motif_labels[i] == motif_labels[j]
    related = np.asarray(identity)[i, j] >= below
    return {
        "pairs": float(together.sum()),
        "unrelated": float((together & ~related).sum() / max(together.sum(), 1)),
        "split": float((related & ~together).sum() / max(related.sum(), 1)),
    }
