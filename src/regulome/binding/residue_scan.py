"""Which residues a prediction of binding needs: stretches of the protein are deleted, the profile is read again."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome.binding.knockout_table import BEST, COLUMNS, PROFILE, Predicts, one
from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

DRAWS = 200  # bootstrap samples of RNAs


def deletion_scan(
    predictor: Predicts,
    protein: Sequences,
    rnas: Sequences,
    window: int = 10,
    step: int = 5,
    domains: Mapping[str, tuple[int, int]] | None = None,
    top: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Delete stretches of residues and read the predicted binding profile again.

    Two readouts: the change of the Pearson correlation with the wild type's profile, :math:`r - 1` (0: the profile is
    the same, -1: nothing of it is left), with a bootstrap interval over RNAs; and the change of the mean score of the
    RNAs that the wild type binds best, with the interval of a mean.

    Parameters
    ----------
    protein
        One protein.
    window, step
        Residues of a stretch, and between the starts of neighbours; the last stretch ends with the protein.
    domains
        Further stretches, name to (start, end), from 1, inclusive.
    top
        Share of RNAs that count as the best.

    Raises
    ------
    UserError
        A window that leaves no protein, or a domain outside it.
    """
    letters = one(protein, "protein")
    stretches = windows(len(letters), window, step) | _inside(domains or {}, len(letters))
    mutants = [letters[: start - 1] + letters[end:] for start, end in stretches.values()]
    everything = sequences([letters, *mutants], "protein", ["wild type", *stretches], source=protein.names[0])
    scores = np.asarray(predictor.predict(everything, rnas), dtype=np.float64)
    best = np.argsort(-scores[0], kind="stable")[: max(2, round(top * len(rnas)))]
    change = scores[1:, best] - scores[0, best]
    half = 1.96 * change.std(1, ddof=1) / np.sqrt(len(best))
    correlation, low, high = correlation_interval(scores[0], scores[1:], np.random.default_rng(seed))
    rows = []
    for i, (name, (start, end)) in enumerate(stretches.items()):
        place = ("residues", name, start, end)
        rows.append((*place, PROFILE, correlation[i] - 1, low[i] - 1, high[i] - 1))
        mean = change[i].mean()
        rows.append((*place, BEST, mean, mean - half[i], mean + half[i]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def windows(length: int, window: int, step: int) -> dict[str, tuple[int, int]]:
    """Stretches of a protein, "start-end" to (start, end), from 1, inclusive; the last one ends with the protein."""
    if not (1 <= window < length):
        raise UserError(f"window: found {window}, expected 1 to {length - 1} for a protein of {length} residues")
    if step < 1:
        raise UserError(f"step: found {step}, expected at least 1")
    starts = list(range(1, length - window + 2, step))
    if starts[-1] != length - window + 1:
        starts.append(length - window + 1)
    return {f"{start}-{start + window - 1}": (start, start + window - 1) for start in starts}


def domain_windows(names: str, boundaries: str) -> dict[str, tuple[int, int]]:
    """Domains of a construct in the words of the EuPRI metadata: "RRM;RRM" and "18;100;103;188", from 1, inclusive.

    Raises
    ------
    UserError
        If there are not two boundaries a domain.
    """
    words = [word for word in str(names).split(";") if word]
    numbers = [word for word in str(boundaries).split(";") if word]
    if len(numbers) != 2 * len(words) or not all(number.isdigit() for number in numbers):
        raise UserError(f"domains: found boundaries '{boundaries}' for '{names}'; expected a start and an end for each")
    return {
        f"{word.split('_')[0].rstrip('s')} {i + 1}": (int(numbers[2 * i]), int(numbers[2 * i + 1]))
        for i, word in enumerate(words)
    }


def correlation_interval(
    wild: np.ndarray, mutants: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pearson correlation of (M, N) profiles with one of N values, and the 95 % interval of a bootstrap over N.

    A constant profile has correlation 0.
    """
    count = len(wild)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS) / count
    weights = np.concatenate([np.full((1, count), 1 / count), draws])
    x, y = wild - wild.mean(), mutants - mutants.mean(1, keepdims=True)
    mean_x, mean_y = weights @ x, weights @ y.T
    cross = weights @ (x * y).T - mean_x[:, None] * mean_y
    spread = (weights @ x**2 - mean_x**2)[:, None] * (weights @ (y**2).T - mean_y**2)
    least = np.finfo(float).eps * (x**2).mean() * (y**2).mean(1)
    found = np.divide(cross, np.sqrt(np.maximum(spread, 0)), out=np.zeros_like(cross), where=spread > least)
    return found[0], np.quantile(found[1:], 0.025, axis=0), np.quantile(found[1:], 0.975, axis=0)


def _inside(domains: Mapping[str, tuple[int, int]], length: int) -> dict[str, tuple[int, int]]:
    for name, (start, end) in domains.items():
        if not (1 <= start <= end <= length) or end - start + 1 >= length:
            raise UserError(
                f"domain '{name}': found residues {start} to {end}; expected a part of the protein's 1 to {length}"
            )
    return dict(domains)
