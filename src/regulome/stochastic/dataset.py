"""Data sets: parameter sets with the distribution that each of them gives, in a few flat arrays.

The distributions of T parameter sets follow each other in ``counts`` and ``weights``; set i owns the rows from
``offsets[i]`` to ``offsets[i + 1]``. On disk this is one compressed .npz file, which also holds the network as JSON and
is read without running anything (no pickle). `regulome.stochastic.dataset_json` writes and reads the published form.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regulome.errors import UserError
from regulome.files import replacing
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.network_json import from_json, to_json

ENGINES = ("exact", "ssa", "imported")
FORMAT = "regulome dataset 1"
_KINDS = {
    "theta": ("f", 2), "times": ("f", 1), "offsets": ("i", 1), "counts": ("i", 2), "weights": ("f", 1),
    "engine": ("U", 1), "meta": ("U", 0),
}  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """Parameter sets and their distributions over the recorded states.

    Attributes
    ----------
    theta
        (T, P) parameters, natural units.
    times
        (T,) time of each distribution; infinite for a stationary one.
    offsets
        (T + 1,) first row of each set.
    counts
        (S, N) count vectors of the N recorded states, int16 or int32.
    weights
        (S,) probabilities, float32; those of a set sum to 1.
    engine
        (T,) "exact", "ssa" or "imported": where each distribution comes from.
    seed
        Of the parameter sets and trajectories.
    first, total
        The sets are numbers ``first`` to ``first + T - 1`` of a table of ``total`` sets; this may be one block of it.
    """

    network: StateTransitionNetwork
    theta: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    engine: np.ndarray
    seed: int = 0
    first: int = 0
    total: int = -1

    def __post_init__(self):
        if self.total < 0:
            object.__setattr__(self, "total", len(self.theta))

    @classmethod
    def of(
        cls,
        network: StateTransitionNetwork,
        theta: np.ndarray,
        distributions: Sequence[Distribution],
        engine: str | Sequence[str] = "ssa",
        times: float | Sequence[float] = np.inf,
        seed: int = 0,
        first: int = 0,
        total: int = -1,
    ) -> "Dataset":
        """From one distribution over the recorded states for each parameter set.

        Raises
        ------
        UserError
            If the numbers of sets differ or a distribution is over other states.
        """
        theta = np.asarray(theta, float).reshape(-1, len(network.parameters))
        if len(theta) != len(distributions) or not len(theta):
            raise UserError(
                f"data set: found {len(theta)} parameter sets and {len(distributions)} distributions, expected one each"
            )
        for distribution in distributions:
            if distribution.names != network.recorded:
                raise UserError(
                    f"data set: found a distribution over {distribution.names}, expected {network.recorded}"
                )
        counts = np.concatenate([d.counts for d in distributions])
        kind = np.int16 if counts.max(initial=0) < 2**15 else np.int32
        return cls(
            network,
            theta,
            np.broadcast_to(np.asarray(times, float), len(theta)).copy(),
            np.concatenate([[0], np.cumsum([len(d.weights) for d in distributions])]).astype(np.int64),
            counts.astype(kind),
            np.concatenate([d.weights for d in distributions]).astype(np.float32),
            np.broadcast_to(np.asarray(engine, dtype="U8"), len(theta)).copy(),
            int(seed),
            first,
            total,
        )

    def __len__(self) -> int:
        return len(self.theta)

    def __getitem__(self, index: int) -> Distribution:
        """Distribution of one parameter set."""
        index = range(len(self))[index]
        rows = slice(self.offsets[index], self.offsets[index + 1])
        weights = self.weights[rows].astype(float)
        return Distribution(self.network.recorded, self.counts[rows].astype(np.int64), weights / weights.sum())

    @classmethod
    def merge(cls, parts: Sequence["Dataset"]) -> "Dataset":
        """The table whose blocks these are, in any order.

        Raises
        ------
        UserError
            If they differ in network, seed or size of the table, or sets are missing or there twice.
        """
        parts = sorted(parts, key=lambda part: part.first)
        if not parts:
            raise UserError("data sets to merge: found none, expected at least one")
        one = parts[0]
        for part in parts:
            for what, same in (
                ("network", to_json(part.network) == to_json(one.network)),
                ("seed", part.seed == one.seed),
                ("number of sets of the whole table", part.total == one.total),
            ):
                if not same:
                    raise UserError(f"data sets to merge: the block from set {part.first} on has another {what}")
        expected = 0
        for part in parts:
            if part.first != expected:
                problem = "are missing" if part.first > expected else "are there twice"
                low, high = sorted((expected, part.first))
                raise UserError(f"data sets to merge: sets {low} to {high - 1} {problem}")
            expected += len(part)
        if expected != one.total:
            raise UserError(f"data sets to merge: sets {expected} to {one.total - 1} are missing")
        starts = np.cumsum([0] + [len(part.weights) for part in parts])
        widest = np.result_type(*(part.counts.dtype for part in parts))
        return cls(
            one.network,
            np.concatenate([part.theta for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([[0]] + [part.offsets[1:] + start for part, start in zip(parts, starts, strict=False)]),
            np.concatenate([part.counts for part in parts]).astype(widest),
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.engine for part in parts]),
            one.seed,
            0,
            one.total,
        )

    # --- files

    def save(self, path: str | Path) -> None:
        """Write a compressed .npz file; an existing one is replaced at the end."""
        path = Path(path)
        meta = {"format": FORMAT, "seed": self.seed, "first": self.first, "total": self.total}
        meta |= {"network": to_json(self.network)}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, theta=self.theta, times=self.times, offsets=self.offsets, counts=self.counts,
                weights=self.weights, engine=self.engine, meta=np.array(json.dumps(meta, ensure_ascii=False)),
            )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> "Dataset":
        """Read what `save` wrote, and check all of it.

        Raises
        ------
        UserError
            If the file is missing, is not such a file or is damaged; the message names the array.
        """
        arrays = _arrays(Path(path))
        meta = _meta(arrays["meta"], path)
        network = from_json(meta["network"], str(path))
        _check(arrays, network, meta, path)
        fields = [arrays[name] for name in ("theta", "times", "offsets", "counts", "weights", "engine")]
        return cls(network, *fields, meta["seed"], meta["first"], meta["total"])

    def to_published_json(self, path: str | Path, samples: int = 20_001) -> None:
        """See `regulome.stochastic.dataset_json.write`."""
        from regulome.stochastic import dataset_json

        dataset_json.write(self, path, samples)

    @classmethod
    def from_published_json(cls, path: str | Path, network: StateTransitionNetwork) -> "Dataset":
        """See `regulome.stochastic.dataset_json.read`."""
        from regulome.stochastic import dataset_json

        return dataset_json.read(path, network)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a data set (.npz)")
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError
        with file:
            arrays = {name: file[name] for name in _KINDS if name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{path}: not a data set, or damaged; expected a .npz file as saved") from None
    missing = [name for name in _KINDS if name not in arrays]
    if missing:
        raise UserError(f"{path}: array '{missing[0]}' is missing; expected {', '.join(_KINDS)}")
    for name, (kind, dimensions) in _KINDS.items():
        found = arrays[name]
        if found.dtype.kind != kind or found.ndim != dimensions:
            raise UserError(
                f"{path}: array '{name}': found {found.dtype} with {found.ndim} dimensions, expected kind '{kind}' "
                f"with {dimensions}"
            )
    return arrays


def _meta(array: np.ndarray, path) -> dict:
    try:
        meta = json.loads(str(array))
        if meta["format"] != FORMAT:
            raise UserError(f"{path}: found format '{meta['format']}', expected '{FORMAT}'")
        for key in ("seed", "first", "total"):
            if isinstance(meta[key], bool) or not isinstance(meta[key], int):
                raise UserError(f"{path}: meta: {key}: found {meta[key]!r}, expected a whole number")
        if not isinstance(meta["network"], dict):
            raise UserError(f"{path}: meta: network: expected a network")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: array 'meta' is damaged ({error}); expected the description of a data set") from None
    return meta


def _check(arrays: dict, network: StateTransitionNetwork, meta: dict, path) -> None:
    theta, offsets, counts, weights = (arrays[name] for name in ("theta", "offsets", "counts", "weights"))
    sets = len(theta)
    problems = (
        ("theta", theta.shape[1] != len(network.parameters), f"{len(network.parameters)} columns"),
        ("theta", not np.isfinite(theta).all(), "finite numbers"),
        ("times", len(arrays["times"]) != sets or not (arrays["times"] >= 0).all(), f"{sets} times of at least 0"),
        (
            "engine",
            len(arrays["engine"]) != sets or not np.isin(arrays["engine"], ENGINES).all(),
            f"{sets} of {ENGINES}",
        ),
        ("offsets", len(offsets) != sets + 1 or offsets[:1].sum() != 0, f"{sets + 1} numbers from 0"),
        ("offsets", (np.diff(offsets) <= 0).any(), "increasing numbers"),
        ("counts", counts.shape != (len(weights), len(network.recorded)), f"({len(weights)}, {len(network.recorded)})"),
        ("offsets", len(offsets) > 0 and offsets[-1] != len(weights), f"to end at {len(weights)}"),
        ("counts", (counts < 0).any(), "numbers of at least 0"),
        ("weights", not (np.isfinite(weights).all() and (weights >= 0).all()), "finite numbers of at least 0"),
        ("meta", not 0 <= meta["first"] <= meta["first"] + sets <= meta["total"], "a block inside the table"),
    )
    for name, bad, expected in problems:
        if bad:
            raise UserError(f"{path}: array '{name}' is damaged; expected {expected}")
    sums = np.add.reduceat(weights.astype(float), offsets[:-1]) if sets else np.ones(0)
    if not sets or np.abs(sums - 1).max() > 1e-3:
        which = int(np.argmax(np.abs(sums - 1))) if sets else 0
        raise UserError(f"{path}: weights of set {which}: found a sum that is not 1, expected probabilities")
