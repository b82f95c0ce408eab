"""The published form of a data set: a JSON list with one entry a parameter set.

    [[ln theta_1, ..., ln theta_P, initial counts of the recorded states, time], {"0_12_301": 14, "1_9_288": 3, ...}]

The time is 0 for a stationary distribution. A parameter whose box reaches below zero is stored as ln(theta - low), as
published for the Hill exponent in [-2, 2], ln(n + 2).
"""

import json
import math
from pathlib import Path

import numpy as np

from regulome.errors import UserError
from regulome.files import replacing
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork


def shift(network: StateTransitionNetwork) -> np.ndarray:
    """(P,) what is added to each parameter before its logarithm is taken."""
    return np.where(network.box[:, 0] > 0, 0.0, -network.box[:, 0])


def write(dataset: Dataset, path: str | Path, samples: int = 20_001) -> None:
    """Write a data set in the published form.

    Parameters
    ----------
    samples
        Sum of the counts of each entry; weights become whole numbers by largest remainders (20,001 is the published
        number for gene expression).
    """
    if samples < 1:
        raise UserError(f"samples: found {samples}, expected at least 1")
    path, network = Path(path), dataset.network
    start = network.start[network.recorded_index]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file, np.errstate(divide="ignore"):
        logs = np.log(dataset.theta + shift(network))
        for i, log in enumerate(logs):
            time = dataset.times[i] if np.isfinite(dataset.times[i]) else 0.0
            distribution = dataset[i]
            numbers = whole_numbers(distribution.weights, samples)
            table = {
                "_".join(map(str, row)): int(n)
                for row, n in zip(distribution.counts.tolist(), numbers, strict=True)
                if n
            }
            file.write(("[" if i == 0 else ",\n") + json.dumps([[*log, *start.tolist(), float(time)], table]))
        file.write("]\n")


def whole_numbers(weights: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to ``total``, as near to ``total * weights`` as can be (largest remainders)."""
    exact = weights * total
    numbers = np.floor(exact).astype(np.int64)
    first = np.argsort(numbers - exact, kind="stable")[: total - numbers.sum()]
    numbers[first] += 1
    return numbers


def read(path: str | Path, network: StateTransitionNetwork) -> Dataset:
    """Read a data set in the published form; entries whose prompt is not finite are skipped, as published.

    Raises
    ------
    UserError
        If it is not such a file; the message names the entry.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, list) or not content:
        raise UserError(f"{path}: expected a list of [prompt, {{counts}}] entries")
    theta, times, distributions = [], [], []
    for i, entry in enumerate(content):
        where = f"{path}: entry {i}"
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], dict)):
            raise UserError(f"{where}: expected [prompt, {{counts}}]")
        prompt = _prompt(entry[0], network, where)
        if not np.isfinite(prompt).all():
            continue
        theta.append(np.exp(prompt[: len(network.parameters)]) - shift(network))
        times.append(prompt[-1] if prompt[-1] > 0 else np.inf)
        distributions.append(_distribution(entry[1], network, where))
    if not theta:
        raise UserError(f"{path}: no entry with a finite prompt")
    return Dataset.of(network, np.array(theta), distributions, "imported", times)


def _prompt(found, network: StateTransitionNetwork, where: str) -> np.ndarray:
    length = len(network.parameters) + len(network.recorded) + 1
    if not isinstance(found, list) or len(found) != length:
        size = len(found) if isinstance(found, list) else "none"
        raise UserError(
            f"{where}: prompt: found {size} numbers, expected {length}: {len(network.parameters)} log-parameters, "
            f"{len(network.recorded)} initial counts and the time"
        )
    try:
        return np.array([float(value) for value in found])
    except (TypeError, ValueError):
        raise UserError(f"{where}: prompt: expected numbers only") from None


def _distribution(table: dict, network: StateTransitionNetwork, where: str) -> Distribution:
    rows = np.empty((len(table), len(network.recorded)), np.int64)
    weights = np.empty(len(table))
    for j, (key, number) in enumerate(table.items()):
        parts = key.split("_")
        if len(parts) != len(network.recorded) or not all(part.isdecimal() for part in parts):
            raise UserError(f"{where}: state '{key}': expected {len(network.recorded)} counts joined by '_'")
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not (math.isfinite(number) and number >= 0)
        ):
            raise UserError(f"{where}: state '{key}': found {number!r}, expected a number of at least 0")
        rows[j], weights[j] = [int(part) for part in parts], number
    if not weights.sum() > 0:
        raise UserError(f"{where}: no counts")
    return Distribution.of(network.recorded, rows, weights)
