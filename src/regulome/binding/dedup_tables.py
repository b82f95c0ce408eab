"""Tables of notebook 11: duplicates, identities against a reference, motifs, what leaks through a split."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.binding import clusters, duplicates, identity, kmer_scores, motif, probe_zscores, splits
from regulome.binding.compendium import Compendium
from regulome.binding.sequences import Sequences
from regulome.binding.validation import bootstrap


def counts(lists: Mapping[str, Sequences]) -> pd.DataFrame:
    """Exact duplicates of several lists of proteins: list, proteins, unique, groups, extra."""
    rows = []
    for name, proteins in lists.items():
        found = duplicates.groups(proteins)
        extra = sum(len(places) - 1 for places in found)
        rows.append((name, len(proteins), len(proteins) - extra, len(found), extra))
    return pd.DataFrame(rows, columns=["list", "proteins", "unique", "groups", "extra"])


def pairs_by_identity(fraction: np.ndarray, correlation: np.ndarray, proteins: Sequences) -> pd.DataFrame:
    """Every pair of proteins: pair ("identical" or an identity bin), identity, correlation of the profiles."""
    number = duplicates.unique_number(proteins)
    i, j = np.triu_indices(len(number), 1)
    kind = np.where(number[i] == number[j], "identical", splits.bin_of(fraction[i, j]))
    return pd.DataFrame({"pair": kind, "identity": fraction[i, j], "correlation": correlation[i, j]})


def summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """Correlation of profiles by kind of pair: pair, pairs, low (quartile), median, high (quartile)."""
    order = [*splits.BIN_LABELS, "identical"]
    rows = []
    for kind in order:
        values = pairs.loc[pairs["pair"] == kind, "correlation"]
        if len(values):
            rows.append((kind, len(values), *values.quantile([0.25, 0.5, 0.75])))
    return pd.DataFrame(rows, columns=["pair", "pairs", "low", "median", "high"])


def identity_check(identical: Mapping[str, np.ndarray], proteins: Mapping[str, Sequences], reference: pd.DataFrame):
    """Our identities beside those from elsewhere, for each way to count them.

    Parameters
    ----------
    identical
        What was aligned ("domains", "whole constructs"): `identity.identical_residues`.
    proteins
        The aligned sequences, under the same names.
    reference
        Columns first, second, reference.

    Returns
    -------
    (DataFrame, DataFrame)
        Pairs with columns sequence, denominator, reference, ours; and sequence, denominator, pairs, pearson,
        median_difference (absolute), mean_difference (ours minus reference), in fractions.
    """
    i, j = reference["first"].to_numpy(), reference["second"].to_numpy()
    parts, rows = [], []
    for name, residues in identical.items():
        for denominator in identity.DENOMINATORS:
            ours = identity.fraction(residues, proteins[name], denominator=denominator)[i, j]
            pairs = pd.DataFrame({"reference": reference["reference"], "ours": ours})
            difference = pairs["ours"] - pairs["reference"]
            r = pairs.corr().iloc[0, 1]
            rows.append((name, denominator, len(pairs), r, difference.abs().median(), difference.mean()))
            parts.append(pairs.assign(sequence=name, denominator=denominator))
    columns = ["sequence", "denominator", "pairs", "pearson", "median_difference", "mean_difference"]
    return pd.concat(parts, ignore_index=True), pd.DataFrame(rows, columns=columns)


def cluster_table(identical: np.ndarray, proteins: Sequences, thresholds: Sequence[float]) -> pd.DataFrame:
    """`clusters.threshold_table` for both denominators, with a column denominator in front."""
    parts = []
    for denominator in identity.DENOMINATORS:
        fraction = identity.fraction(identical, proteins, denominator=denominator)
        table = clusters.threshold_table(fraction, list(thresholds))
        parts.append(table.assign(denominator=denominator))
    return pd.concat(parts, ignore_index=True)[["denominator", "threshold", "clusters", "single", "largest"]]


def motifs(scores: np.ndarray, names: Sequence[str], top: int) -> dict[str, np.ndarray]:
    """PWM of each protein from its k-mer scores (P, 4^k)."""
    return {name: motif.from_kmers(row, top) for name, row in zip(names, scores, strict=True)}


def motif_table(
    ours: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], assayed: Compendium
) -> pd.DataFrame:
    """Motifs beside reference motifs.

    Returns
    -------
    DataFrame
        name, ours, reference (consensus of each), correlation (best offset), offset, scan and reference_scan (Pearson
        of each motif's scan with the protein's intensities).
    """
    rows = []
    for row, name in zip(assayed.intensities, assayed.proteins.names, strict=True):
        r, offset = motif.compare(ours[name], reference[name])
        known = ~np.isnan(row)
        scans = [np.corrcoef(motif.scan(m[name], assayed.rnas)[known], row[known])[0, 1] for m in (ours, reference)]
        rows.append((name, motif.consensus(ours[name]), motif.consensus(reference[name]), r, offset, *scans))
    columns = ["name", "ours", "reference", "correlation", "offset", "scan", "reference_scan"]
    return pd.DataFrame(rows, columns=columns)


def trim_table(assayed: Compendium, reference: Mapping[str, np.ndarray], k: int, top: int, trims: Sequence[float]):
    """What the trimmed mean decides about: agreement of probe sets and similarity to the reference motif.

    Returns
    -------
    DataFrame
        One row a protein and share cut off at either end: trim, name, agreement (Pearson of the k-mer scores of sets A
        and B), motif (correlation of the motif of all probes with the reference).
    """
    z = probe_zscores.robust(assayed.intensities)
    sides = [np.flatnonzero(assayed.probe_set == side) for side in "AB"]
    rows = []
    for trim in trims:
        both = kmer_scores.kmer_scores(z, assayed.rnas, k, trim)
        a, b = (kmer_scores.kmer_scores(z[:, side], assayed.rnas.take(side), k, trim) for side in sides)
        for i, name in enumerate(assayed.proteins.names):
            agreement = np.corrcoef(a[i], b[i])[0, 1]
            found = motif.compare(motif.from_kmers(both[i], top), reference[name])[0]
            rows.append((trim, name, agreement, found))
    return pd.DataFrame(rows, columns=["trim", "name", "agreement", "motif"])


def schemes(proteins: Sequences, homologues: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
    """Folds of three ways to split: all proteins at random, distinct ones at random, clusters of homologues whole."""
    number = duplicates.unique_number(proteins)
    first = np.unique(number, return_index=True)[1]
    distinct = np.full(len(number), -1)
    distinct[first] = splits.folds(np.arange(len(first)), count, seed)
    return {
        "random": splits.folds(np.arange(len(number)), count, seed),
        "duplicates removed": distinct,
        "homologues together": splits.folds(homologues, count, seed),
    }


def leak_table(leaks: pd.DataFrame, homologues: np.ndarray) -> pd.DataFrame:
    """What passes from training to test under each scheme, from `splits.leakage`.

    Returns
    -------
    DataFrame
        scheme, proteins, median (of the nearest identity), identical, above_90, above_40 (shares of the proteins), r,
        low, high (mean correlation with the nearest neighbour's profile; 95 % interval by resampling clusters).
    """
    rows = []
    for scheme, part in leaks.groupby("scheme", sort=False):
        nearest = part["identity"]
        low, high = bootstrap(part["correlation"].to_numpy(), homologues[part["protein"]])
        shares = [(nearest >= threshold).mean() for threshold in (1.0, 0.9, 0.4)]
        rows.append((scheme, len(part), nearest.median(), *shares, part["correlation"].mean(), low, high))
    columns = ["scheme", "proteins", "median", "identical", "above_90", "above_40", "r", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def protein_table(
    proteins: Sequences, homologues: np.ndarray, protein_folds: np.ndarray, fraction: np.ndarray
) -> pd.DataFrame:
    """What later notebooks read: name, duplicate_group, cluster, fold, nearest_identity (to the other folds).

    Proteins with the same number in ``duplicate_group`` have the same sequence.
    """
    return pd.DataFrame(
        {
            "name": proteins.names,
            "duplicate_group": duplicates.unique_number(proteins),
            "cluster": homologues,
            "fold": protein_folds,
            "nearest_identity": splits.nearest_training(fraction, protein_folds)[1],
        }
    )
