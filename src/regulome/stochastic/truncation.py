"""How many counts of each species a truncated state space has to hold.

First-order networks: from their exact mean and variance, and those given each state of the promoter. Others: from the
rate equations with promoters held, a guess that grows until the probability of the states at the edge is below the
tolerance (`grow`).
"""

from itertools import product

import numpy as np
from scipy import special

from regulome.errors import UserError
from regulome.stochastic import moments
from regulome.stochastic.generator import Generator, natural_sizes
from regulome.stochastic.network import StateTransitionNetwork

TAIL = 1e-11  # probability that may lie at the edge
FEW = 3  # values of a species that counts as a promoter
DEVIATIONS = 9.0  # standard deviations above the mean that are held at most


def from_moments(mean: np.ndarray, sd: np.ndarray, tail: float = TAIL) -> np.ndarray:
    """Sizes from means and standard deviations: the quantile of a gamma law, at most mean + 9 sd + 9.

    The gamma law with the mean and variance of a count has a tail at least as heavy as a Poisson or a negative binomial
    count with the same moments; slow promoters make the variance large and the tail short, hence the second limit.
    """
    mean, variance = np.maximum(np.asarray(mean, float), 1e-12), np.maximum(np.asarray(sd, float) ** 2, 1e-12)
    variance = np.maximum(variance, mean)
    quantile = special.gammainccinv(mean**2 / variance, tail) * variance / mean
    limit = mean + DEVIATIONS * np.sqrt(variance) + DEVIATIONS
    return np.ceil(np.minimum(quantile, limit)).astype(np.int64) + 3


def first_sizes(
    network: StateTransitionNetwork, theta: np.ndarray, times: np.ndarray | None = None, tail: float = TAIL
) -> np.ndarray:
    """(N,) sizes to begin with: exact moments if there are, else the bounds of the network or a small number.

    Parameters
    ----------
    times
        Times at which the law is wanted; None for the stationary one.
    """
    natural = natural_sizes(network)
    if np.isfinite(natural).all():
        return natural.astype(np.int64)
    if moments.is_first_order(network, theta):
        found = moments.stationary(network, theta) if times is None else moments.transient(network, theta, times)
        sizes = from_moments(np.atleast_2d(found.mean), np.atleast_2d(found.sd), tail).max(0)
        held = moments.held(network, theta, np.isfinite(natural))
        if held and times is None:
            sizes = np.minimum(sizes, np.max([from_moments(m.mean, m.sd, tail) for m in held], 0))
    else:
        bound = np.minimum(natural, [network.bounds.get(state, np.inf) for state in network.states])
        mean = rate_equations(network, theta, np.where(bound <= FEW, bound, 0).astype(int))
        sizes = np.minimum(np.where(mean > 1, from_moments(mean, np.sqrt(mean), tail), 2), bound)
    sizes = np.maximum(sizes, network.start + 1)
    return np.minimum(sizes, natural).astype(np.int64)


def rate_equations(network: StateTransitionNetwork, theta: np.ndarray, held: np.ndarray | None = None) -> np.ndarray:
    """(N,) steady state of dx/dt = V^T a(x) from the initial counts: a guess of the mean where moments do not close.

    Parameters
    ----------
    held
        (N,) number of values of species that are held at each of these in turn (promoters), 0 for those that move; the
        answer is the largest over all combinations, if they are at most 16.
    """
    held = np.zeros(len(network.states), int) if held is None else held
    if np.prod(np.maximum(held, 1)) > 16:
        held = np.zeros(len(held), int)
    found = [_settled(network, theta, held > 0, values) for values in product(*(range(max(n, 1)) for n in held))]
    return np.max(found, 0)


def _settled(network, theta: np.ndarray, held: np.ndarray, values: tuple[int, ...], steps: int = 50) -> np.ndarray:
    """Implicit Euler steps that double in length; counts between 0 and 10^6."""
    x = np.where(held, values, network.start).astype(float)
    eye, step = np.eye(len(x)), 1e-2
    for _ in range(steps):
        small = 1e-4 * np.maximum(x, 1.0)
        rates = np.nan_to_num(network.propensities(np.vstack([x, x + np.diag(small)]), theta), posinf=0.0, neginf=0.0)
        drift = rates @ np.where(held, 0, network.stoichiometry)
        jacobian = ((drift[1:] - drift[0]) / small[:, None]).T
        x = np.clip(x + np.linalg.solve(eye - step * jacobian, step * drift[0]), 0.0, 1e6)
        step = min(2 * step, 1e6)
    return x


def given_sizes(network: StateTransitionNetwork, sizes) -> np.ndarray:
    """(N,) sizes from a mapping (bounds of the network fill in, then stoichiometry) or a sequence.

    Raises
    ------
    UserError
        If a name is unknown or a size is missing or no whole number.
    """
    if not isinstance(sizes, dict):
        found = np.asarray(sizes)
    else:
        unknown = [name for name in sizes if name not in network.states]
        if unknown:
            raise UserError(f"{network.source}: size of unknown state '{unknown[0]}'; expected {network.states}")
        natural = dict(zip(network.states, natural_sizes(network), strict=True))
        found = np.array([sizes.get(s, network.bounds.get(s, natural[s])) for s in network.states], float)
        if not np.isfinite(found).all():
            missing = network.states[int(np.argmax(~np.isfinite(found)))]
            raise UserError(f"{network.source}: no size for state '{missing}'; expected one, since nothing bounds it")
    if found.shape != (len(network.states),) or (found != np.floor(found)).any():
        raise UserError(f"{network.source}: sizes: found {sizes}, expected a whole number for each of {network.states}")
    return found.astype(np.int64)


def grow(
    generator: Generator, probability: np.ndarray, tail: float = TAIL, edge: np.ndarray | None = None
) -> np.ndarray | None:
    """Larger sizes if too much probability lies where events are blocked, else None.

    A species grows if the states in which an event would lift it out of the box have more than ``tail``; by how much,
    its marginal tells, continued geometrically to the tolerance.

    Parameters
    ----------
    edge
        (N,) probabilities of these states (default: those under ``probability``).
    """
    sizes = generator.space.sizes.copy()
    edge = generator.edge_mass(probability) if edge is None else edge
    for i in np.flatnonzero(edge > tail):
        marginal = np.bincount(generator.counts[:, i], probability, sizes[i])
        sizes[i] += _missing(np.maximum(marginal, 1e-300), tail)
    return None if (sizes == generator.space.sizes).all() else sizes


def _missing(marginal: np.ndarray, tail: float) -> int:
    size = len(marginal)
    back = max(1, size // 4)
    decay = np.log(marginal[max(0, size - 1 - back)] / marginal[-1]) / back
    needed = np.log(marginal[-1] / tail) / decay if decay > 0 else np.inf
    return int(np.ceil(min(max(1.2 * needed, 0.25 * size, 2), 1.0 * size + 2)))
