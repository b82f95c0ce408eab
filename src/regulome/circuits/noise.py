"""Noise of the training: truncated normal numbers by position, the same for the plain and the compiled trainer.

The noise of replicate r at one update is a function of its key, the update, and the place in the trajectory
(`regulome.threefry`), so that it does not matter which replicates are trained together, nor by which trainer.
"""

import numpy as np
from numba import njit

from regulome.lanes import LANES
from regulome.threefry import threefry, truncated_normal
from regulome.threefry_lanes import truncated_normals


def noise_keys(generators: list[np.random.Generator]) -> np.ndarray:
    """(R, 2) keys, one a replicate, from a child of its generator (whose own numbers are not touched)."""
    return np.stack([rng.spawn(1)[0].integers(0, 2**32, 2, dtype=np.uint32) for rng in generators])


def noise_at(keys: np.ndarray, update: int, sd: float, shape: tuple[int, ...]) -> np.ndarray:
    """(R, *shape) normal numbers cut at two standard deviations, float32, of one update.

    Parameters
    ----------
    keys
        (R, 2) of `noise_keys`.
    update
        Number of the parameter update.
    sd
        Standard deviation before the cut.
    shape
        (C, T, G) cases, samples, genes.
    """
    count = int(np.prod(shape))
    pairs = np.arange(-(-count // 2), dtype=np.uint32)
    rows = []
    for key in keys:
        words = threefry((int(key[0]), int(key[1])), pairs, np.full_like(pairs, update))
        rows.append(truncated_normal(np.stack(words, axis=1).reshape(-1)[:count]))
    return (np.float32(sd) * np.stack(rows)).reshape(len(keys), *shape)


def lane_keys(keys: np.ndarray, sd: float) -> np.ndarray:
    """Rows for `fill`: the two words of sixteen keys as float32 bits, and the standard deviation."""
    rows = np.empty((3, LANES), np.float32)
    rows[:2] = np.ascontiguousarray(keys.T.astype(np.uint32)).view(np.float32)
    rows[2] = sd
    return rows.reshape(-1)


@njit(error_model="numpy", nogil=True, cache=True)
def fill(noise, keys, update, cases, steps, genes):
    """The numbers of `noise_at` for sixteen replicates, into a flat array ordered (T, C, G, lanes)."""
    spare = np.empty(LANES, np.float32)
    count = cases * steps * genes
    for at in range(0, count, 2):
        first = _place(at, cases, steps, genes)
        if at + 1 < count:
            truncated_normals(noise, first, noise, _place(at + 1, cases, steps, genes), keys, at // 2, update)
        else:
            truncated_normals(noise, first, spare, 0, keys, at // 2, update)


@njit(error_model="numpy", nogil=True, inline="always")
def _place(at, cases, steps, genes):
    """Offset in (T, C, G, lanes) of number ``at`` in the order (C, T, G)."""
    gene, rest = at % genes, at // genes
    return ((rest % steps * cases + rest // steps) * genes + gene) * LANES
