"""Intensities of proteins never assayed: every method on the same held-out proteins, in two protocols.

`validation.PUBLISHED`: new proteins on the training RNAs, where a neighbour's own intensities can be used.
`validation.DISJOINT`: proteins and RNAs are new; neighbours' profiles come from ridge regression on RNA k-mers.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regulome.binding import combination, embedding_regression, homology, validation
from regulome.binding.affinity_regression import AffinityRegression
from regulome.binding.compendium import Compendium
from regulome.binding.homology import IDENTITY, SoftNeighbours
from regulome.binding.model_file import Model
from regulome.binding.predictor import Predictor
from regulome.binding.splits import bin_of
from regulome.binding.targets import TargetTransform
from regulome.binding.training import TrainingSettings, train
from regulome.binding.training_inputs import Inputs
from regulome.binding.two_tower import Settings
from regulome.binding.validation import DISJOINT, PUBLISHED, Split
from regulome.binding.vectors import Vectors

MEAN, NEAREST, SOFT = "mean profile", "nearest neighbour, identity", "soft neighbours, 4-mers"
SOFT_IDENTITY, AFFINITY, LINEAR = "soft neighbours, identity", "affinity regression", "linear on vectors"
TERM, TOWER, BOTH, CEILING = "homology term", "two-tower", "combination", "scan of the true motif"
METHODS = (MEAN, NEAREST, SOFT, SOFT_IDENTITY, AFFINITY, LINEAR, TERM, TOWER, BOTH)
BASELINES = METHODS[:6]


def named_split(folds: np.ndarray, test_fold: int, compendium: Compendium, seed: int) -> Split:
    """Test proteins of one fold, tuning proteins of the next, the others train; RNAs as `validation.split`."""
    count = int(folds.max()) + 1
    return validation.split(
        folds, len(compendium.rnas), seed, 0.2, test_fold, (test_fold + 1) % count, compendium.probe_set
    )


def fit_predictor(
    compendium: Compendium,
    split: Split,
    model: Model,
    vectors: Vectors,
    structure: np.ndarray | None,
    identity: np.ndarray,
    clusters: np.ndarray,
    longest: int,
    seed: int = 0,
) -> Predictor:
    """Predictor on the training part of a split, its combination calibrated on the tuning proteins and new RNAs.

    Parameters
    ----------
    vectors, structure, identity, clusters
        Of all proteins and RNAs of the compendium.
    """
    training = compendium.take(split.training, split.rnas)
    grid = np.ix_(split.training, split.training)
    fitted = Predictor.fit(
        training, identity=identity[grid], clusters=clusters[split.training], longest=longest, seed=seed
    )
    held = compendium.take(split.tuning, split.new_rnas)
    profiles = structure[split.new_rnas] if model.structure else None
    place = compendium.rnas.index()
    reference = structure[[place[n] for n in fitted.reference.names]] if model.structure else None
    return fitted.with_model(model, held, vectors.take(split.tuning), profiles, reference)


def run_splits(
    inputs: Inputs,
    splits: Sequence[Split],
    network: Settings,
    recipe: TrainingSettings,
    identity: np.ndarray,
    truth: np.ndarray | None,
    longest: int,
    device: str = "auto",
) -> tuple[pd.DataFrame, list[Predictor]]:
    """`run` on several splits, named "1", "2", ...: all scores, and the predictor of each."""
    found = [
        run(inputs, split, network, recipe, identity, truth, longest, f"{number}", device)
        for number, split in enumerate(splits, start=1)
    ]
    return pd.concat([scores for scores, _ in found], ignore_index=True), [predictor for _, predictor in found]


def run(
    inputs: Inputs,
    split: Split,
    network: Settings,
    recipe: TrainingSettings,
    identity: np.ndarray,
    truth: np.ndarray | None,
    longest: int,
    name: str,
    device: str = "auto",
) -> tuple[pd.DataFrame, Predictor]:
    """Train a network on a split, fit the predictor and score everything; `evaluate` and its predictor."""
    own = inputs.part(split.training, split.rnas, "training")
    watched = inputs.part(split.tuning, split.rnas, "tuning")
    model = train(own.compendium, own.vectors, own.structure, network, recipe, watched, device)
    return score(inputs, split, model, identity, truth, longest, name, recipe.seed)


def score(
    inputs: Inputs,
    split: Split,
    model: Model,
    identity: np.ndarray,
    truth: np.ndarray | None,
    longest: int,
    name: str,
    seed: int = 0,
) -> tuple[pd.DataFrame, Predictor]:
    """Fit the predictor around a network that was trained on the split, and score everything."""
    data, clusters = inputs.compendium, inputs.clusters
    predictor = fit_predictor(data, split, model, inputs.vectors, inputs.structure, identity, clusters, longest, seed)
    return evaluate(data, split, predictor, inputs.vectors, inputs.structure, clusters, truth, name), predictor


def evaluate(
    compendium: Compendium,
    split: Split,
    predictor: Predictor,
    vectors: Vectors,
    structure: np.ndarray | None,
    clusters: np.ndarray,
    truth: np.ndarray | None = None,
    name: str = "0",
) -> pd.DataFrame:
    """Correlations of every method on the test proteins of a split.

    Parameters
    ----------
    predictor
        Of `fit_predictor` on the same split.
    truth
        (P, N) scan of the motifs that the intensities were made from, where it is known: the ceiling.
    name
        Of the split.

    Returns
    -------
    DataFrame
        split, protocol, method, protein, cluster, identity (to the nearest training protein), bin, r (with the
        targets, which is what all methods predict), r_raw (with the intensities).
    """
    training = compendium.take(split.training, split.rnas)
    test, parts = compendium.proteins.take(split.test), []
    similarity, own = predictor.similarities(test)
    profiles = np.nan_to_num(_targets(training.intensities, predictor.targets))
    weights = protein_weights(similarity, own, predictor, vectors.take(split.test), vectors.take(split.training))
    affinity = AffinityRegression.fit(profiles, training.proteins, training.rnas, rna_k=min(5, predictor.ridge.longest))
    nearest = similarity[IDENTITY].max(1)
    for protocol, columns in ((PUBLISHED, split.rnas), (DISJOINT, split.new_rnas)):
        rnas = compendium.rnas.take(columns)
        there = profiles if protocol == PUBLISHED else predictor.ridge.predict(rnas)
        predicted = {method: w @ there for method, w in weights.items()} | {AFFINITY: affinity.predict(test, rnas)}
        some = None if structure is None else structure[columns]
        terms, identity = predictor.terms(test, rnas, vectors.take(split.test), some)
        if protocol == PUBLISHED:
            terms = np.stack([_standard(predicted[TERM]), _standard(terms[1])])
        predicted |= {TOWER: terms[1], BOTH: combination.mix(terms, predictor.weights(identity))}
        if truth is not None:
            predicted[CEILING] = truth[np.ix_(split.test, columns)]
        measured = compendium.intensities[np.ix_(split.test, columns)]
        goal = _targets(measured, predictor.targets)
        for method in [m for m in (*METHODS, CEILING) if m in predicted]:
            r = validation.correlations(predicted[method], goal)
            raw = validation.correlations(predicted[method], measured)
            parts.append(_rows(name, protocol, method, test.names, clusters[split.test], nearest, r, raw))
    return pd.concat(parts, ignore_index=True)


def protein_weights(
    similarity: dict, own: dict, predictor: Predictor, queries: Vectors, training: Vectors
) -> dict[str, np.ndarray]:
    """(Q, T) weights of the methods that are weighted sums of training profiles."""
    soft = SoftNeighbours(5, 10.0)
    return {
        MEAN: np.full(similarity[IDENTITY].shape, 1 / similarity[IDENTITY].shape[1]),
        NEAREST: homology.nearest(similarity[IDENTITY]),
        SOFT: soft.weights(similarity["4-mers"]),
        SOFT_IDENTITY: soft.weights(similarity[IDENTITY]),
        LINEAR: embedding_regression.weights(queries, training),
        TERM: predictor.term.weights(similarity, own, predictor.gram),
    }


def nearest_test(split: Split, identity: np.ndarray) -> int:
    """The test protein with the nearest relative in the training."""
    return int(split.test[identity[np.ix_(split.test, split.training)].max(1).argmax()])


def _targets(intensities: np.ndarray, mode: str) -> np.ndarray:
    return TargetTransform.fit(intensities, mode).apply(intensities)


def _standard(values: np.ndarray) -> np.ndarray:
    sd = values.std(1, keepdims=True)
    return (values - values.mean(1, keepdims=True)) / np.where(sd > 1e-9, sd, 1)


def _rows(split, protocol, method, names, clusters, identity, r, raw) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": split,
            "protocol": protocol,
            "method": method,
            "protein": list(names),
            "cluster": clusters,
            "identity": identity,
            "bin": bin_of(identity),
            "r": r,
            "r_raw": raw,
        }
    )
