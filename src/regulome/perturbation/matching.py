"""A matched control cell for every perturbed cell: what it might have looked like without the perturbation.

Cells are compared by the Euclidean distance of their normalised expression, within a split, one perturbation at a time:

    transport   entropic optimal transport with uniform marginals (POT); the control of largest mass
                min_Π Σ Π_ij C_ij - ε H(Π);   match(i) = argmax_j Π_ij
    exact       the same without entropy (linear programme)
    hungarian   one to one; where cells outnumber controls, none is used more often than it must
    nearest     the control at the smallest distance
    random      any control: what matching has to beat

With the published scale, C is the distance / 100 and ε = 1: a plan so flat that a match is close to arbitrary. The
default measures ε in median distances. `mean_control` gives the other way to a difference: the mean of all controls.
"""

import warnings
from collections.abc import Callable

import numpy as np
import ot
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from regulome.errors import UserError, closest
from regulome.perturbation.screen import SPLITS

METHODS = ("transport", "exact", "hungarian", "nearest", "random")
PUBLISHED = 1.0  # regulariser that goes with the published scale
SCALES = ("median cost", "published")
MOST_CONTROLS = 20_000
MOST_ENTRIES = 2**23  # of a cost matrix: 64 MB, and transport holds about four of the size


def match(
    expression: np.ndarray,
    label: np.ndarray,
    split: np.ndarray,
    method: str = "transport",
    regulariser: float = 0.05,
    scale: str = "median cost",
    seed: int = 0,
    most_controls: int = MOST_CONTROLS,
    most_entries: int = MOST_ENTRIES,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Row of the matched control of every cell; a control is its own.

    Memory does not grow with the screen: of more than ``most_controls`` controls in a split a random part is taken, and
    the cells of a perturbation are matched in random blocks whose cost matrix has at most ``most_entries`` numbers
    (each block with uniform marginals of its own).

    Parameters
    ----------
    expression
        (N, G) normalised expression, logarithms; published: of the measured perturbed genes.
    label
        (N,) perturbation; -1: control.
    split
        (N,) split: controls are of the same one.
    method
        See above.
    regulariser
        ε of transport, in units of ``scale``.
    scale
        "median cost", or "published": distance / 100 (where the published ε is 1).
    seed
        Of "random", and of parts and blocks.
    progress
        Called with the number of finished and of all groups.

    Returns
    -------
    numpy.ndarray
        (N,) int64.

    Raises
    ------
    UserError
        If a setting is unknown or out of range, expression is not finite, or a split has perturbed cells but no
        control.
    """
    _check(expression, label, split, method, regulariser, scale)
    out = np.arange(len(label))
    groups = [(s, k) for s in np.unique(split) for k in np.unique(label[(split == s) & (label >= 0)])]
    for done, (s, k) in enumerate(groups):
        generator = np.random.default_rng([seed, s, k])
        controls = np.flatnonzero((split == s) & (label < 0))
        if len(controls) > most_controls:
            controls = np.sort(np.random.default_rng([seed, s]).choice(controls, most_controls, replace=False))
        rows = np.flatnonzero((split == s) & (label == k))
        size = max(1, most_entries // len(controls))
        order = generator.permutation(rows) if len(rows) > size else rows
        for block in np.array_split(order, -(-len(rows) // size)):
            cost = cdist(expression[block], expression[controls])
            out[block] = controls[_chosen(cost, method, regulariser, scale, generator)]
        if progress:
            progress(done + 1, len(groups))
    return out


def plan(cost: np.ndarray, regulariser: float = 0.05, scale: str = "median cost") -> np.ndarray:
    """Entropic transport plan between uniform marginals.

    Parameters
    ----------
    cost
        (n, m) distances.
    regulariser, scale
        As in `match`.

    Returns
    -------
    numpy.ndarray
        (n, m) non-negative, rows sum to 1 / n, columns to 1 / m.
    """
    unit = 100.0 if scale == "published" else float(np.median(cost)) or 1.0
    scaled = cost / unit
    # beyond this the plain iteration would underflow
    method = "sinkhorn" if scaled.max() < 200 * regulariser else "sinkhorn_log"
    with warnings.catch_warnings():  # a plan that is not yet exact to 1e-6 still has its largest entries
        warnings.filterwarnings("ignore", message="Sinkhorn did not converge")
        return ot.sinkhorn(ot.unif(len(cost)), ot.unif(cost.shape[1]), scaled, regulariser, method, stopThr=1e-6)


def mean_control(values: np.ndarray, label: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Mean of the controls of each split: a difference of cell n from it is ``values[n] - mean[split[n]]``.

    Parameters
    ----------
    values
        (N, P), dense or sparse.

    Returns
    -------
    numpy.ndarray
        (3, P).

    Raises
    ------
    UserError
        If a split has perturbed cells but no control.
    """
    out = np.zeros((len(SPLITS), values.shape[1]))
    for s in np.unique(split):
        controls = np.flatnonzero((split == s) & (label < 0))
        _some(controls, s)
        out[s] = np.asarray(values[controls].mean(0)).ravel()
    return out


def _chosen(cost: np.ndarray, method: str, regulariser: float, scale: str, generator) -> np.ndarray:
    """(n,) column for each row."""
    rows, columns = cost.shape
    if method == "transport":
        return _heaviest(plan(cost, regulariser, scale), cost)
    if method == "exact":
        return _heaviest(ot.emd(ot.unif(rows), ot.unif(columns), cost, numItermax=10**7), cost)
    if method == "hungarian":
        tiled = np.tile(cost, (1, -(-rows // columns)))
        return linear_sum_assignment(tiled)[1] % columns
    return cost.argmin(1) if method == "nearest" else generator.integers(0, columns, rows)


def _heaviest(mass: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """(n,) column of the largest mass of each row; the nearest of equal ones, of which an exact plan has many."""
    largest = mass >= mass.max(1, keepdims=True) * (1 - 1e-9)
    return np.where(largest, cost, np.inf).argmin(1)


def _check(expression: np.ndarray, label: np.ndarray, split: np.ndarray, method: str, regulariser: float, scale: str):
    for name, value, known in (("method", method, METHODS), ("scale", scale, SCALES)):
        if value not in known:
            raise UserError(f"matching: {name}: found '{value}', expected {', '.join(known)}{closest(value, known)}")
    if not regulariser > 0:
        raise UserError(f"matching: regulariser: found {regulariser}, expected a number above 0")
    if not len(expression) == len(label) == len(split):
        raise UserError(
            f"matching: found {len(expression)} rows of expression, {len(label)} labels and {len(split)} splits, "
            "expected equal numbers"
        )
    if not np.isfinite(expression).all():
        row = int(np.flatnonzero(~np.isfinite(expression).all(1))[0])
        raise UserError(f"matching: expression of cell {row} is not finite, expected logarithms of normalised counts")
    for s in np.unique(split[label >= 0]):
        _some(np.flatnonzero((split == s) & (label < 0)), s)


def _some(controls: np.ndarray, s: int) -> None:
    if not len(controls):
        raise UserError(f"matching: the {SPLITS[s]} split has no control cell, expected at least one")
