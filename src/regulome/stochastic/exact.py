"""Exact laws of the recorded states of a network: truncation chosen, master equation solved, other states summed out.

The equations are solved in `regulome.stochastic.master_equation`, the matrix is made in `generator`, and the sizes in
`truncation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regulome.errors import UserError
from regulome.stochastic import truncation
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.generator import Generator, StateSpace, generator
from regulome.stochastic.master_equation import solve_quasi_stationary, solve_stationary, solve_transient
from regulome.stochastic.moments import check_times
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.reduction import reduce_to

LIMIT = 300_000  # states that are solved without being asked to
ROUNDS = 40  # enlargements of a state space


@dataclass(frozen=True)
class Law:
    """Exact law of the recorded states.

    Attributes
    ----------
    distribution
        Over the recorded states.
    boundary_mass
        Probability of the states in which the truncation blocks an event: the scale of the truncation error.
    names
        States of the (reduced) network that was solved.
    sizes
        Number of values of each of these in the truncation.
    states
        Number of states solved for.
    decay
        Rate at which a quasi-stationary law is lost, 1 / time; 0 for others.
    """

    distribution: Distribution
    boundary_mass: float
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    states: int
    decay: float = 0.0


def stationary(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    sizes: Mapping[str, int] | Sequence[int] | None = None,
    *,
    quasi: bool = False,
    tail: float = truncation.TAIL,
    limit: int = LIMIT,
) -> Law:
    """Stationary law of the recorded states.

    Parameters
    ----------
    theta
        (P,) parameters.
    sizes
        Number of values of each state, by name or in order; None to choose and enlarge until the boundary mass is
        below ``tail``.
    quasi
        The quasi-stationary law instead: that of the chain given that it has not been absorbed.
    limit
        Largest number of states.

    Raises
    ------
    TooManyStates
        If more states are needed.
    UserError
        If the network has waiting times or triggers, several closed classes can be reached, or ``quasi`` is asked of a
        chain without absorption.
    """
    network, theta = _ready(network, theta, reduce=sizes is None)
    solve = solve_quasi_stationary if quasi else lambda built: (solve_stationary(built), 0.0)

    def answer(built: Generator):
        probability, decay = solve(built)
        return [probability], built.edge_mass(probability), decay

    return _truncated(network, theta, sizes, None, tail, limit, answer)[0]


def transient(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    times: Sequence[float],
    sizes: Mapping[str, int] | Sequence[int] | None = None,
    *,
    tail: float = truncation.TAIL,
    limit: int = LIMIT,
) -> list[Law]:
    """Laws of the recorded states at the given times, from the initial counts.

    Parameters
    ----------
    times
        (G,) times of at least 0, in increasing order.

    Raises
    ------
    TooManyStates, UserError
        As `stationary`, and if the times are not in order.
    """
    times = check_times(times)
    network, theta = _ready(network, theta, reduce=sizes is None)
    return _truncated(network, theta, sizes, times, tail, limit, lambda built: (*solve_transient(built, times), 0.0))


def _ready(network: StateTransitionNetwork, theta, reduce: bool) -> tuple[StateTransitionNetwork, np.ndarray]:
    """The part of the network that matters, and its parameters, if a master equation with constant rates exists."""
    check_markov(network)
    theta = check_theta(network, theta)
    return (reduce_to(network, network.recorded) if reduce else network), theta


def check_markov(network: StateTransitionNetwork) -> None:
    """Refuse networks without a master equation of constant rates.

    Raises
    ------
    UserError
        If there are waiting times or triggers.
    """
    if network.triggers or not network.is_markov:
        what = "triggers" if network.triggers else "waiting times"
        raise UserError(f"{network.source}: found {what}, expected constant propensities; use the simulator")


def check_theta(network: StateTransitionNetwork, theta) -> np.ndarray:
    """(P,) parameters as finite numbers.

    Raises
    ------
    UserError
        If they are not, or not as many as the network has.
    """
    theta = np.asarray(theta, float)
    if theta.shape != (len(network.parameters),) or not np.isfinite(theta).all():
        raise UserError(
            f"{network.source}: found parameters {theta.tolist()}, expected {len(network.parameters)} finite numbers: "
            f"{', '.join(network.parameter_names)}"
        )
    return theta


def _truncated(network, theta, sizes, times, tail, limit, solve) -> list[Law]:
    """Solve on a box, and on larger ones until the boundary mass of every law is below the tolerance."""
    if sizes is not None:
        built = generator(StateSpace.of(network, truncation.given_sizes(network, sizes), max(limit, LIMIT)), theta)
        found, _, decay = solve(built)
        return [_law(built, probability, decay) for probability in found]
    now = truncation.first_sizes(network, theta, times, tail)
    for _ in range(ROUNDS):
        built = generator(StateSpace.of(network, now, limit), theta)
        found, edge, decay = solve(built)
        now = truncation.grow(built, found[-1], tail, edge)
        if now is None:
            return [_law(built, probability, decay) for probability in found]
    raise UserError(
        f"{network.source}: found no truncation that holds the law, expected a boundary mass below {tail:g}"
    )


def _law(built: Generator, probability: np.ndarray, decay: float) -> Law:
    network, recorded = built.space.network, built.space.network.recorded_index
    shape = tuple(built.space.sizes[recorded])
    table = np.bincount(np.ravel_multi_index(tuple(built.counts[:, recorded].T), shape), probability)
    kept = np.flatnonzero(table > 0)
    counts = np.stack(np.unravel_index(kept, shape), 1)
    law = Distribution(network.recorded, counts, table[kept] / table[kept].sum())
    edge, sizes = built.boundary_mass(probability), tuple(built.space.sizes.tolist())
    return Law(law, edge, network.states, sizes, len(probability), decay)
