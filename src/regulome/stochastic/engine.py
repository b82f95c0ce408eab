"""Which engine gives the law of a network: exact solution where the states are few, simulation elsewhere.

Both return a `Distribution` over the recorded states, so that nothing downstream depends on the choice.
"""

import numpy as np

from regulome.errors import UserError
from regulome.stochastic import exact, ssa, truncation
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.generator import TooManyStates, coordinates
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.reduction import reduce_to

ENGINES = ("auto", "exact", "ssa")
# States up to which sparse LU takes seconds, by number of long axes: fill-in grows with the dimension of the grid.
MOST = {0: 300_000, 1: 300_000, 2: 300_000, 3: 20_000}
MOST_FURTHER = 8_000  # with four long axes or more
LONG = 8  # values of a species that make its axis long
ENDPOINTS = 20_000  # trajectories for a law at one time


def size(network: StateTransitionNetwork, theta: np.ndarray, time: float | None = None) -> tuple[int, int]:
    """Estimated number of states of the truncation, and of long axes, for one parameter vector.

    Only the part of the network counts on which the recorded states depend.
    """
    network = reduce_to(network, network.recorded)
    times = None if time is None else np.array([float(time)])
    sizes = truncation.first_sizes(network, np.asarray(theta, float), times)[coordinates(network).independent]
    return int(min(np.prod(sizes.astype(float)), 1e18)), int((sizes > LONG).sum())


def choose(network: StateTransitionNetwork, theta: np.ndarray, time: float | None = None) -> str:
    """``"exact"`` if the truncated state space is small enough, else ``"ssa"``.

    Up to 300,000 states on one or two long axes, 20,000 on three, 8,000 on more; networks with waiting times or
    triggers, or whose counts grow without limit, are simulated.
    """
    if not network.is_markov or network.triggers:
        return "ssa"
    try:
        states, axes = size(network, theta, time)
    except UserError:
        return "ssa"
    return "exact" if states <= limit(axes) else "ssa"


def limit(axes: int) -> int:
    """Number of states that the exact engine takes on."""
    return MOST.get(axes, MOST_FURTHER)


def solve(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    seed: int = 0,
    engine: str = "auto",
    time: float | None = None,
    **options,
) -> Distribution:
    """Law of the recorded states: stationary, or at a time from the initial counts.

    Parameters
    ----------
    theta
        (P,) parameters.
    seed
        Of the simulation, if there is one.
    engine
        ``"exact"``, ``"ssa"``, or ``"auto"`` for `choose`, with simulation as the way out if the truncation turns out
        to need more states than estimated.
    time
        None or infinity for the stationary law.
    options
        For the simulation: those of `regulome.stochastic.ssa.occupancy` (stationary) or `final` (at a time; 20,000
        trajectories unless given).

    Raises
    ------
    UserError
        If the engine is unknown, or the network cannot be solved by the one asked for.
    """
    if engine not in ENGINES:
        raise UserError(f"engine: found '{engine}', expected one of {', '.join(ENGINES)}")
    time = None if time is None or np.isinf(time) else float(time)
    if engine == "exact" or (engine == "auto" and choose(network, theta, time) == "exact"):
        try:
            if time is None:
                return exact.stationary(network, theta).distribution
            return exact.transient(network, theta, [time])[0].distribution
        except TooManyStates:
            if engine == "exact":
                raise
    sets = np.asarray(theta, float)[None]
    if time is None:
        return ssa.occupancy(network, sets, seed=seed, **options)[0]
    counts = ssa.final(network, sets, time, options.pop("trajectories", ENDPOINTS), seed, **options)[0]
    return Distribution.of(network.recorded, counts[:, _columns(network, counts)])


def _columns(network: StateTransitionNetwork, counts: np.ndarray) -> np.ndarray:
    """Columns of the recorded states in simulated counts."""
    return network.recorded_index if counts.shape[1] >= len(network.states) else np.arange(counts.shape[1])
