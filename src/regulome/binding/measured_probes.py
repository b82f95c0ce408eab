"""Probe-level prediction of the two experiments whose probe intensities were measured, from all other proteins.

Each is predicted as a weighted sum of the others' profiles. Those profiles are not measured: they are scans of the
published motifs over the same probes. What is measured is the truth they are held against, so the numbers show what
homologues' motifs are worth on an array, and nothing of the query, of a copy of it or (second level) of a homologue
enters.
"""

import numpy as np
import pandas as pd

from regulome.binding import gram, homology, profile_problems, registered, scan, validation
from regulome.binding.homology import IDENTITY, SoftNeighbours, default_term
from regulome.binding.targets import TargetTransform

KEYS = tuple(f"rnacompete_{name}_{half}" for name in registered.MEASURED for half in ("train", "test"))
HOMOLOGUE = 0.4  # identity from which a protein counts as a homologue
LEVELS = {"itself and copies": 2.0, "and homologues of 40 % and more": HOMOLOGUE}
OWN = "its own published motif"


def table(probe_set: str = "B", most: int = 30_000, mirror=None, draws: int = 200, seed: int = 0) -> pd.DataFrame:
    """Correlation of predicted with measured intensities.

    Parameters
    ----------
    probe_set
        Half of the array.
    most
        Evenly spaced probes of it that are used.

    Returns
    -------
    DataFrame
        protein, left_out (from the training), nearest_identity, method, r (with intensities), low, high (95 %
        bootstrap over probes), r_target (with the shifted logarithm).
    """
    names = registered.experiments(mirror)
    everyone = profile_problems.measured(names, mirror)
    real = registered.measured(mirror)
    there = np.flatnonzero(real.probe_set == probe_set)
    there = there[np.arange(min(most, len(there))) * len(there) // min(most, len(there))]
    matrices = registered.pwms(mirror)
    motifs = [np.log(4 * matrices[name]) for name in names]
    profiles = scan.log_sum_exp(motifs, [real.rnas.letters[i] for i in there]).astype(np.float64)
    profiles = (profiles - profiles.mean(1, keepdims=True)) / profiles.std(1, keepdims=True)
    goals = TargetTransform.fit(real.intensities[:, there]).apply(real.intensities[:, there])
    rows = []
    for number, name in enumerate(registered.MEASURED):
        query = names.index(name)
        for level, cap in LEVELS.items():
            part = everyone.capped(cap)
            nearest = float(part.nearest_identity()[query])
            for method, weights in _weights(part, query).items():
                predicted = weights @ profiles
                r, low, high = _interval(predicted, real.intensities[number, there], draws, seed)
                target = validation.correlations(predicted[None], goals[number : number + 1])[0]
                rows.append((name, level, nearest, method, r, low, high, target))
        r, low, high = _interval(profiles[query], real.intensities[number, there], draws, seed)
        target = validation.correlations(profiles[query : query + 1], goals[number : number + 1])[0]
        rows.append((name, "nothing", 1.0, OWN, r, low, high, target))
    columns = ["protein", "left_out", "nearest_identity", "method", "r", "low", "high", "r_target"]
    return pd.DataFrame(rows, columns=columns)


def _weights(part: gram.Problem, query: int) -> dict[str, np.ndarray]:
    """(420,) weights by method."""
    identity, exclude = part.similarity[IDENTITY][query : query + 1], part.exclude[query : query + 1]
    some = {name: values[query : query + 1] for name, values in part.similarity.items()}
    found = {
        "mean profile": (~exclude).astype(float),
        "nearest neighbour, identity": homology.nearest(identity, exclude),
        "soft neighbours, 4-mers": SoftNeighbours(5, 10.0).weights(some["4-mers"], exclude),
        "homology term": default_term().weights(some, part.similarity, part.gram, exclude),
    }
    return {name: values[0] for name, values in found.items()}


def _interval(predicted: np.ndarray, measured: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    """Correlation with its 95 % bootstrap interval over probes; flagged ones are left out."""
    known = np.isfinite(measured)
    x, y = predicted[known], measured[known].astype(np.float64)
    generator = np.random.default_rng(seed)
    picks = (generator.integers(len(x), size=len(x)) for _ in range(draws))
    found = [np.corrcoef(x[p], y[p])[0, 1] for p in picks]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(np.corrcoef(x, y)[0, 1]), float(low), float(high)
