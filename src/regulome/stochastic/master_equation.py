"""The master equation dp/dt = A p on a finite set of states: stationary, quasi-stationary and transient solutions.

Stationary: one modal state is given probability 1, its row and column are deleted, the rest is one sparse LU
factorisation without pivoting (the matrix is an M-matrix), and the result is normalised. Transient: uniformisation
(Jensen), p(t) = sum_n Poisson(n; L t) (1 + A/L)^n p(0), which cannot go negative, for all times in one pass.
"""

import numpy as np
from scipy import sparse, special
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

from regulome.errors import UserError
from regulome.stochastic import moments, truncation
from regulome.stochastic.generator import Generator

IMPROBABLE = 1e4  # a pinned state that is less probable than the mode by this factor costs digits
CHECKED = 32  # steps of uniformisation between looks at the edge and at convergence
SETTLED = 1e-13  # change of p in one step of uniformisation, times the steps left, that counts as none


# --- stationary


def solve_stationary(built: Generator) -> np.ndarray:
    """(R,) stationary probabilities on the closed class that the chain ends in; 0 on the others."""
    if built.irreducible:
        return _solve(built.matrix, _guess(built))
    number, label = csgraph.connected_components(built.matrix, directed=True, connection="strong")
    closed = _closed(built.matrix, number, label)
    if len(closed) > 1:
        raise UserError(
            f"{built.space.network.source}: found {len(closed)} closed classes of states that the start can end in, "
            "expected one; the stationary law depends on chance (ask for the quasi-stationary one, or start in a class)"
        )
    keep = np.flatnonzero(label == closed[0])
    probability = np.zeros(len(label))
    probability[keep] = _solve(built.part(keep).matrix, len(keep) // 3)
    return probability


def _closed(matrix: sparse.csc_array, number: int, label: np.ndarray) -> np.ndarray:
    """Classes that no rate leads out of."""
    entries = matrix.tocoo()
    leaves = label[entries.row] != label[entries.col]
    is_open = np.zeros(number, bool)
    is_open[label[entries.col[leaves]]] = True
    return np.flatnonzero(~is_open)


def _guess(built: Generator) -> int:
    """The state nearest the mean, which is not improbable; `_solve` moves on from there if it is."""
    network = built.space.network
    if moments.is_first_order(network, built.theta):
        center = moments.stationary(network, built.theta).mean
    else:
        center = truncation.rate_equations(network, built.theta)
    return int(np.argmin((((built.counts - center) / built.space.sizes) ** 2).sum(1)))


def _solve(matrix: sparse.csc_array, pin: int) -> np.ndarray:
    """Null vector of a generator in columns, summing to 1; pinned at another state if the first is too improbable."""
    if matrix.shape[0] == 1:
        return np.ones(1)
    for _ in range(3):
        pinned, column = _pinned(matrix, pin)
        x = _factor(pinned).solve(column)
        if not np.isfinite(x).all():
            break
        pin = int(np.argmax(np.abs(x)))
        if np.abs(x[pin]) < IMPROBABLE:
            return np.maximum(x, 0.0) / np.maximum(x, 0.0).sum()
    raise UserError("stationary law: found no state to start from; expected an irreducible network")


def _pinned(matrix: sparse.csc_array, pin: int) -> tuple[sparse.csc_array, np.ndarray]:
    """The matrix with row and column of one state replaced by x = 1, and the right-hand side."""
    result = matrix.copy()
    own = slice(matrix.indptr[pin], matrix.indptr[pin + 1])
    right = np.zeros(matrix.shape[0])
    right[matrix.indices[own]] = -matrix.data[own]
    result.data[matrix.indices == pin] = 0.0
    result.data[own] = np.where(matrix.indices[own] == pin, -1.0, 0.0)
    right[pin] = -1.0
    return result, right


def _factor(matrix: sparse.csc_array):
    return sparse_linalg.splu(
        sparse.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0
    )


# --- quasi-stationary


def solve_quasi_stationary(built: Generator) -> tuple[np.ndarray, float]:
    """Dominant eigenvector of the rates among the states that can be lost, and the rate of loss.

    Inverse iteration at 0: the eigenvalue nearest 0 of the transient class is minus the rate of absorption.
    """
    number, label = csgraph.connected_components(built.matrix, directed=True, connection="strong")
    home = label[built.start]
    if number == 1 or home in _closed(built.matrix, number, label):
        raise UserError(
            f"{built.space.network.source}: found no absorption from the initial state, expected a class of states "
            "that the chain leaves for ever; the stationary law is the one to ask for"
        )
    keep = np.flatnonzero(label == home)
    matrix = built.part(keep).matrix
    factor = _factor(matrix)
    vector, decay = np.full(len(keep), 1.0 / len(keep)), 0.0
    for _ in range(500):
        image = np.maximum(-factor.solve(vector), 0.0)
        new, before, decay = image / image.sum(), decay, 1.0 / image.sum()
        change = np.abs(new - vector).sum()
        vector = new
        if change < 1e-12 and abs(decay - before) <= 1e-12 * decay:
            break
    probability = np.zeros(len(label))
    probability[keep] = vector
    return probability, float(decay)


# --- transient


def solve_transient(built: Generator, times: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Probabilities at each time, and (N,) the largest probability at the edge on the way.

    One vector (1 + A/L)^n p(0) at a time serves all times whose Poisson weight of n is not nil. Once it stops changing,
    the remaining weight goes to it at once.
    """
    size = built.matrix.shape[0]
    rate = float(np.abs(built.matrix.diagonal()).max(initial=0.0))
    vector = np.zeros(size)
    vector[built.start] = 1.0
    edge = built.edge_mass(vector)
    if rate == 0 or times[-1] == 0:
        return [vector.copy() for _ in times], edge
    step = (built.matrix / rate + sparse.eye_array(size)).tocsr()
    mean = rate * times
    first = np.maximum(np.floor(mean - 9 * np.sqrt(mean) - 9), 0).astype(int)
    last = np.ceil(mean + 9 * np.sqrt(mean) + 20).astype(int)
    found, left = np.zeros((len(times), size)), np.ones(len(times))
    for n in range(last.max() + 1):
        for g in np.flatnonzero((first <= n) & (n <= last)):
            weight = np.exp(special.xlogy(n, mean[g]) - mean[g] - special.gammaln(n + 1))
            found[g] += weight * vector
            left[g] -= weight
        before, vector = vector, step @ vector
        if n % CHECKED == 0:
            edge = np.maximum(edge, built.edge_mass(vector))
            if np.abs(vector - before).sum() * (last.max() - n) < SETTLED:
                found += np.where(last > n, np.maximum(left, 0.0), 0.0)[:, None] * vector
                break
    return [p / p.sum() for p in found], edge
