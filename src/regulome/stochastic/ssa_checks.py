"""Checks of what a simulation is given, and its errors in words."""

import numpy as np

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.ssa_code import STATUS


def checked_theta(network: StateTransitionNetwork, theta: np.ndarray) -> np.ndarray:
    """(T, P) float64 parameters.

    Raises
    ------
    UserError
        If their number is wrong, one is not finite, or one is negative whose box is not.
    """
    theta = np.ascontiguousarray(np.atleast_2d(np.asarray(theta, float)))
    if theta.ndim != 2 or theta.shape[1] != len(network.parameters):
        raise UserError(
            f"{network.source}: found parameters of shape {theta.shape}, expected (sets, {len(network.parameters)}) "
            f"for {', '.join(network.parameter_names)}"
        )
    bad = ~np.isfinite(theta) | ((theta < 0) & (network.box[:, 0] >= 0))
    if bad.any():
        s, p = np.argwhere(bad)[0]
        raise UserError(
            f"{network.source}: parameter '{network.parameter_names[p]}' of set {s}: found {theta[s, p]}, expected a "
            f"finite number{' of at least 0' if network.box[p, 0] >= 0 else ''}"
        )
    return theta


def check_numbers(trajectories: int, seed: int) -> None:
    """Refuse numbers of trajectories and seeds that are no good."""
    if trajectories < 1:
        raise UserError(f"trajectories: found {trajectories}, expected at least 1")
    if not 0 <= seed < 2**64:
        raise UserError(f"seed: found {seed}, expected 0 to {2**64 - 1}")


def check_run(
    network: StateTransitionNetwork,
    theta: np.ndarray,
    number: int,
    report: np.ndarray,
    left: np.ndarray,
    most_events: int,
    survive: str = "",
) -> None:
    """Raise what a kernel reports: status, event and trajectory in ``report``, the counts then in ``left``."""
    status, which, trajectory = STATUS[report[0]], int(report[1]), int(report[2])
    if status == "done":
        return
    event = f"event '{network.events[which].name}'" if 0 <= which < len(network.events) else "an event"
    counts = ", ".join(f"{name} = {value:g}" for name, value in zip(network.states, left, strict=True))
    where = f"{network.source}: parameter set {number}, trajectory {trajectory}: "
    if status == "rate":
        value = network.propensities(left, theta)[which] if which >= 0 else np.nan
        raise UserError(f"{where}{event}: propensity is {value:g} at {counts}; expected a number of at least 0")
    if status == "negative":
        short = [s for s, value in zip(network.states, left, strict=True) if value < 0]
        raise UserError(
            f"{where}{event} made '{short[0]}' negative ({counts}); expected a propensity of 0 where '{short[0]}' "
            "runs out"
        )
    if status == "events":
        raise UserError(
            f"{where}more than {most_events} events (then {counts}): the counts may explode; expected fewer, or a "
            "larger most_events"
        )
    if status == "assignment":
        name = network.triggers[which].name
        raise UserError(f"{where}trigger '{name}' sets a count that is not a whole number of at least 0, from {counts}")
    if status == "triggers":
        raise UserError(f"{where}triggers set each other off without end at {counts}")
    if status == "large":
        raise UserError(f"{where}count above 2147483647 ({counts})")
    raise UserError(f"{where}the initial state ({counts}) does not meet the condition to survive '{survive}'")
