"""How long a network remembers: relaxation times of its rate equations, which scale burn-in and window.

The slowest relaxation time is 1 / min |Re lambda| over the eigenvalues of the Jacobian of dx/dt = S^T a(x), where S is
the stoichiometry and a the propensities; eigenvalues of conserved sums, zero, do not count. For networks of first-order
events this is exact for the means at any x: a promoter that switches has kon + koff, an mRNA its degradation rate. For
others the Jacobian is taken at the steady state that the rate equations reach from the initial counts. Bistable
networks may switch more slowly than that; nothing short of the chain's own spectrum would tell.
"""

import numpy as np

from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.rates import Rate

_STEPS = 60  # linearly implicit Euler steps, each twice as long as the one before
_CONSERVED = 1e-9  # eigenvalues below this share of the largest are zero


def relaxation_times(network: StateTransitionNetwork, theta: np.ndarray) -> np.ndarray:
    """Slowest relaxation time of each parameter set.

    Parameters
    ----------
    theta
        (T, P) parameters.

    Returns
    -------
    numpy.ndarray
        (T,) times, in the unit of the network; 1 where nothing relaxes.
    """
    theta = np.atleast_2d(np.asarray(theta, float))
    x = np.broadcast_to(network.start.astype(float), (len(theta), len(network.states)))
    drift, jacobian = _linearised(network, theta, x)
    fastest = np.abs(jacobian).sum(-1).max(-1)
    step = 0.1 / np.where(fastest > 0, fastest, 1.0)
    identity = np.eye(x.shape[1])
    for _ in range(_STEPS):
        move = np.linalg.solve(identity - step[:, None, None] * jacobian, (step[:, None] * drift)[..., None])[..., 0]
        x = np.clip(x + np.nan_to_num(move), 0.0, 1e12)
        drift, jacobian = _linearised(network, theta, x)
        step = np.minimum(step * 2, 1e12)
    rates = np.abs(np.linalg.eigvals(jacobian).real)
    rates = np.where(rates > _CONSERVED * rates.max(-1, keepdims=True), rates, np.inf)
    slowest = np.min(rates, -1)
    return np.maximum(np.where(np.isfinite(slowest), 1.0 / slowest, 1.0), _waiting_times(network, theta))


def _linearised(network, theta, x) -> tuple[np.ndarray, np.ndarray]:
    """Drift (T, N) and its Jacobian (T, N, N) by forward differences."""
    states = x.shape[1]
    steps = 1e-4 * np.maximum(x, 1.0)
    points = np.repeat(x[:, None], states + 1, 1)
    points[:, np.arange(states) + 1, np.arange(states)] += steps
    rates = np.nan_to_num(_propensities(network, theta, points), posinf=0.0, neginf=0.0)
    drift = rates @ network.stoichiometry
    return drift[:, 0], ((drift[:, 1:] - drift[:, :1]) / steps[:, :, None]).transpose(0, 2, 1)


def _propensities(network, theta, x) -> np.ndarray:
    """Propensities (T, M, K); a waiting time counts as an exponential one of the same mean."""
    rates = network.propensities(x, theta[:, None])
    for k, event in enumerate(network.events):
        if event.waiting:
            taken = next(i for i, change in enumerate(network.stoichiometry[k]) if change < 0)
            rates[..., k] = x[..., taken] / _value(network, event.waiting.mean, theta)[:, None]
    return rates


def _waiting_times(network, theta) -> np.ndarray:
    """Longest mean of the remaining waiting time of a molecule found at random, mean (1 + 1 / shape) / 2."""
    longest = np.zeros(len(theta))
    for event in network.events:
        if event.waiting:
            mean, shape = (_value(network, text, theta) for text in (event.waiting.mean, event.waiting.shape))
            longest = np.maximum(longest, mean * (1 + 1 / shape) / 2)
    return longest


def _value(network, text, theta) -> np.ndarray:
    values = {name: theta[:, i] for i, name in enumerate(network.parameter_names)} | dict(network.constants)
    return np.broadcast_to(Rate(text, values)(**values), len(theta))
