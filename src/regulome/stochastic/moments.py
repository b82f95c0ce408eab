"""Exact means and covariances of first-order networks.

Where all propensities are affine in the counts, a(x) = a0 + W x, mean m and covariance C obey closed linear equations

    dm/dt = V^T (a0 + W m),    dC/dt = J C + C J^T + V^T diag(a0 + W m) V,    J = V^T W

with V the (K, N) stoichiometry. They are solved in the independent species, so that conservation laws do not make them
singular.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from regulome.errors import UserError
from regulome.stochastic.generator import coordinates
from regulome.stochastic.network import StateTransitionNetwork


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of all states of a network.

    Attributes
    ----------
    mean
        (N,) or (G, N).
    covariance
        (N, N) or (G, N, N).
    """

    names: tuple[str, ...]
    mean: np.ndarray
    covariance: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """(N,) or (G, N) standard deviations."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=-2, axis2=-1), 0.0))

    def of(self, *names: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of some of the states."""
        index = [self.names.index(name) for name in names]
        return self.mean[..., index], self.covariance[..., index, :][..., index]


def affine(network: StateTransitionNetwork, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """a0 (K,) and W (K, N) of propensities that are affine in the counts; None if one is not.

    Judged by evaluation at a fixed set of counts small and large, so that it does not matter how a rate is written.
    """
    if not network.is_markov or network.triggers:
        return None
    size = len(network.states)
    unit = np.eye(size)
    points = np.vstack([np.zeros((1, size)), unit, 2 * unit, 1e3 * unit, _mixed(size)])
    values = network.propensities(points, theta)
    if not np.isfinite(values).all():
        return None
    constant, slope = values[0], (values[1 : size + 1] - values[0]).T
    expected = constant + points @ slope.T
    scale = np.abs(constant) + points @ np.abs(slope).T + 1e-300
    return (constant, slope) if (np.abs(values - expected) <= 1e-9 * scale).all() else None


def is_first_order(network: StateTransitionNetwork, theta: np.ndarray) -> bool:
    """Whether all propensities are affine in the counts."""
    return affine(network, theta) is not None


def stationary(network: StateTransitionNetwork, theta: np.ndarray) -> Moments:
    """Exact stationary mean and covariance.

    Raises
    ------
    UserError
        If a propensity is not affine in the counts, or the network has no stationary mean.
    """
    axes, jacobian, drift, slope, change = _system(network, theta)
    if np.linalg.eigvals(jacobian).real.max(initial=-1.0) >= -1e-12 * np.abs(jacobian).max(initial=0.0):
        raise UserError(f"{network.source}: found counts that grow without limit, expected a stationary state")
    mean = np.linalg.solve(jacobian, -drift)
    rates = slope[0] + slope[1] @ mean
    noise = change.T @ (rates[:, None] * change)
    covariance = linalg.solve_continuous_lyapunov(jacobian, -noise)
    return _expanded(network, axes, mean[None], covariance[None], single=True)


def held(network: StateTransitionNetwork, theta: np.ndarray, bounded: np.ndarray, most: int = 16) -> list[Moments]:
    """Stationary moments with the bounded species (promoters) held in each of their states.

    Where products are made the faster the more there is of their maker, a count is stochastically smaller than with the
    promoter for ever in its most active state: a limit on its tail that slow switching leaves far below mean + 9 sd.

    Parameters
    ----------
    bounded
        (N,) which species stoichiometry bounds.
    most
        States of the bounded species above which the answer is empty.

    Returns
    -------
    list
        A `Moments` for each state of the bounded species; empty if there are none of these, too many, an event changes
        bounded and other species together, or counts would grow without limit.
    """
    found = affine(network, theta)
    if found is None or not bounded.any():
        return []
    moves_bounded, moves_others = (network.stoichiometry[:, part].any(1) for part in (bounded, ~bounded))
    states = _configurations(network, bounded, most)
    change = network.stoichiometry[:, ~bounded].astype(float)
    jacobian = change.T @ found[1][:, ~bounded]
    unstable = np.linalg.eigvals(jacobian).real.max(initial=-1.0) >= 0
    if (moves_bounded & moves_others).any() or not states or unstable:
        return []
    answer = []
    for counts in states:
        rates = found[0] + found[1][:, bounded] @ counts
        mean = np.linalg.solve(jacobian, -change.T @ rates)
        rates = rates + found[1][:, ~bounded] @ mean
        spread = linalg.solve_continuous_lyapunov(jacobian, -change.T @ (rates[:, None] * change))
        full, covariance = np.zeros(len(bounded)), np.zeros((len(bounded),) * 2)
        full[bounded], full[~bounded] = counts, mean
        covariance[np.ix_(~bounded, ~bounded)] = spread
        answer.append(Moments(network.states, full, covariance))
    return answer


def _configurations(network: StateTransitionNetwork, bounded: np.ndarray, most: int) -> list[np.ndarray]:
    """Counts of the bounded species that their own changes lead to from the start; empty if more than ``most``."""
    changes = {tuple(row) for row in network.stoichiometry[:, bounded].tolist() if any(row)}
    seen = {tuple(network.start[bounded].tolist())}
    fresh = set(seen)
    while fresh and len(seen) <= most:
        fresh = {tuple(np.add(state, change).tolist()) for state in fresh for change in changes}
        fresh = {state for state in fresh if min(state) >= 0} - seen
        seen |= fresh
    return [np.array(state, float) for state in sorted(seen)] if len(seen) <= most else []


def transient(network: StateTransitionNetwork, theta: np.ndarray, times: Sequence[float]) -> Moments:
    """Exact mean and covariance at the given times, from the initial counts.

    Parameters
    ----------
    times
        (G,) times, at least 0, in increasing order.

    Raises
    ------
    UserError
        If a propensity is not affine in the counts or the times are not in order.
    """
    times = check_times(times)
    axes, jacobian, drift, slope, change = _system(network, theta)
    size = len(axes.independent)
    eye = np.eye(size)
    matrix = np.zeros((size + size**2 + 1,) * 2)
    matrix[:size, :size], matrix[:size, -1] = jacobian, drift
    block = slice(size, size + size**2)
    matrix[block, block] = np.kron(jacobian, eye) + np.kron(eye, jacobian)
    pairs = np.einsum("ki,kj->ijk", change, change).reshape(size**2, -1)
    matrix[block, :size], matrix[block, -1] = pairs @ slope[1], pairs @ slope[0]
    state = np.concatenate([network.start[axes.independent], np.zeros(size**2), [1.0]])
    found, now = [], 0.0
    for time in times:
        state, now = linalg.expm(matrix * (time - now)) @ state, time
        found.append(state)
    found = np.array(found)
    return _expanded(network, axes, found[:, :size], found[:, block].reshape(-1, size, size))


def check_times(times: Sequence[float]) -> np.ndarray:
    """(G,) times as numbers, if they are at least 0 and in increasing order.

    Raises
    ------
    UserError
        If they are not.
    """
    found = np.atleast_1d(np.asarray(times, float))
    if not np.isfinite(found).all() or (found < 0).any() or (np.diff(found) < 0).any():
        raise UserError(f"times: found {found.tolist()}, expected finite times of at least 0 in increasing order")
    return found


def _system(network: StateTransitionNetwork, theta: np.ndarray):
    """Linear equations of the independent species: Jacobian, constant drift, propensities (a0, W) and changes."""
    found = affine(network, np.asarray(theta, float))
    if found is None:
        raise UserError(
            f"{network.source}: found a propensity that is not affine in the counts (or a waiting time), expected a "
            "first-order network; moments of others do not close"
        )
    axes = coordinates(network)
    constant, slope = found
    offset = network.start - network.start[axes.independent] @ axes.expansion
    inner = (constant + slope @ offset, slope @ axes.expansion.T)
    change = network.stoichiometry[:, axes.independent].astype(float)
    return axes, change.T @ inner[1], change.T @ inner[0], inner, change


def _expanded(network, axes, mean, covariance, single: bool = False) -> Moments:
    """From independent species to all."""
    full = network.start + (mean - network.start[axes.independent]) @ axes.expansion
    spread = axes.expansion.T @ covariance @ axes.expansion
    return Moments(network.states, full[0] if single else full, spread[0] if single else spread)


def _mixed(size: int) -> np.ndarray:
    """A few counts with all species at once."""
    index = np.arange(size)
    return np.stack([np.full(size, 1.0), 1.0 + index, 5.0 + 7 * index[::-1], 300.0 + 11 * index])
