"""What a trained network has to beat: predictions that need no network, for every protocol of `validation`.

On RNAs of the training, a new protein gets a mixture of measured training profiles: their mean, the nearest protein's,
or that of several neighbours. On new RNAs nobody has measured anything, so each training profile is first continued to
them by a ridge regression of its own on the k-mers of the RNA (`rna_regression`), and the same mixtures are taken of
these. The scan of the very motifs that semi-real and synthetic intensities were made from is the ceiling.
"""

import numpy as np
import pandas as pd

from regulome.binding import homology, registered, scan, synthetic, validation
from regulome.binding.compendium import Compendium
from regulome.binding.rna_regression import KmerRidge
from regulome.binding.sequences import Sequences
from regulome.binding.synthetic_intensities import blocking

MODEL = "two-tower"
COPIES = "two-tower, 5 noisy copies"
MEAN = "mean training profile"
NEAREST = "nearest training protein (identity)"
SOFT = "5 nearest training proteins (4-mers)"
OWN = "own k-mer ridge regression"
CEILING = "scan of the true motif"
ROLES = {
    MODEL: "model", COPIES: "model", OWN: "baseline", NEAREST: "baseline", SOFT: "baseline", MEAN: "baseline",
    CEILING: "ceiling",
}  # fmt: skip
SHORT = {
    MODEL: "two_tower", COPIES: "noisy_copies", MEAN: "mean_profile", NEAREST: "nearest", SOFT: "soft", OWN: "ridge",
    CEILING: "ceiling",
}  # fmt: skip


def mixtures(similarity: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(Q, T) weights of the training profiles by method, from `homology.similarities` of queries and training."""
    identity = similarity[homology.IDENTITY]
    return {
        MEAN: np.full(identity.shape, 1 / identity.shape[1]),
        NEAREST: homology.nearest(identity),
        SOFT: homology.SoftNeighbours(5, 10.0).weights(similarity["4-mers"]),
    }


def predictions(
    proteins: Sequences, rnas: Sequences, targets: np.ndarray, split: validation.Split
) -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Every baseline in every protocol.

    Parameters
    ----------
    proteins, rnas
        All P and N of the compendium.
    targets
        (P, N) of all; only those of training proteins on training RNAs are read.

    Returns
    -------
    dict
        By protocol and method: (proteins, RNAs) of the protocol's block, in its order.
    (test,) array
        Identity of every test protein with its nearest training protein.
    """
    known = _known(targets, split)
    new = KmerRidge.tuned(known, rnas.take(split.rnas)).predict(rnas.take(split.new_rnas))
    similarity = homology.similarities(proteins.take(split.test), proteins.take(split.training))
    weights = mixtures(similarity)
    return {
        validation.SEEN: {MEAN: np.repeat(new.mean(0, keepdims=True), len(new), 0), OWN: new},
        validation.PUBLISHED: {name: (w @ known).astype(np.float32) for name, w in weights.items()},
        validation.DISJOINT: {name: (w @ new).astype(np.float32) for name, w in weights.items()},
    }, similarity[homology.IDENTITY].max(1)


def tuning_scores(proteins: Sequences, targets: np.ndarray, split: validation.Split) -> dict[str, float]:
    """Mean correlation of the mean profile and the nearest protein for the tuning proteins on training RNAs."""
    known = _known(targets, split)
    weights = mixtures(homology.similarities(proteins.take(split.tuning), proteins.take(split.training)))
    measured = targets[np.ix_(split.tuning, split.rnas)]
    return {name: float(validation.correlations(weights[name] @ known, measured).mean()) for name in (MEAN, NEAREST)}


def true_scan(compendium: Compendium, mirror=None) -> np.ndarray | None:
    """(P, N) scan of the motifs that the intensities were made from; None for measured ones, where nobody knows.

    Synthetic: the mini data's true motifs with accessibility; semi-real: the published PWMs. Intensities are an
    increasing function of it, plus noise. Of merged duplicates it is the first one's.
    """
    names, letters = compendium.proteins.names, compendium.rnas.letters
    if compendium.kind == "semi-real":
        matrices = registered.pwms(mirror)
        return scan.log_sum_exp([np.log(4 * matrices[name]) for name in names], letters)
    if compendium.kind == "synthetic":
        motifs, truth = synthetic.motifs(), synthetic.truth().drop_duplicates("protein").set_index("protein")
        return scan.log_sum_exp([motifs[n] for n in names], letters, blocking(letters), truth["structure"][list(names)])
    return None


def _known(targets: np.ndarray, split: validation.Split) -> np.ndarray:
    """(training, rnas) targets that training may read; a missing one counts as the mean, 0."""
    known = targets[np.ix_(split.training, split.rnas)]
    return np.where(np.isfinite(known), known, 0).astype(np.float32)


def score(
    predicted: dict[str, dict[str, np.ndarray]],
    measured: dict[str, np.ndarray],
    split: validation.Split,
    names: tuple[str, ...],
    clusters: np.ndarray,
) -> pd.DataFrame:
    """Correlation of every prediction with every kind of measured value.

    Parameters
    ----------
    predicted
        By protocol and method, as from `predictions`.
    measured
        By name ("target", "intensity"): (P, N) of all.
    names, clusters
        Of the P proteins.

    Returns
    -------
    DataFrame
        against, protocol, method, protein, cluster, r.
    """
    rows = []
    for against, values in measured.items():
        for protocol, block in split.blocks().items():
            for method, scores in predicted[protocol].items():
                r = validation.correlations(scores, values[np.ix_(*block)])
                part = {"against": against, "protocol": protocol, "method": method}
                part |= {"protein": [names[i] for i in block[0]], "cluster": clusters[block[0]], "r": r}
                rows.append(pd.DataFrame(part))
    return pd.concat(rows, ignore_index=True)
