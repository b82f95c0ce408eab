"""Reactions of a state-transition network: slowed down or removed, in the trained solver and in the exact solution.

Effects are relative changes of the stationary mean and standard deviation of every counted species: knocked-out value
over wild-type value, minus 1 (-1: nothing is left, 1: twice as much).

The exact solution takes any factor. The trained solver knows a reaction only through the parameters in its prompt: the
propensity is scaled by scaling a parameter that this reaction has to itself, most of which enter as logarithms, so that
a factor of 0 cannot be asked of it, and a scaled parameter may lie outside the box that it was trained on; the note
says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from regulome.errors import UserError, closest
from regulome.knockout.interface import answer, expected
from regulome.knockout.table import join, table
from regulome.knockout.targets import Reaction
from regulome.stochastic import exact
from regulome.stochastic import moments as linear
from regulome.stochastic.accuracy import nearest_law
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import Event, StateTransitionNetwork
from regulome.stochastic.solver import Solver

UNIT = "relative change"
INSIDE, OUTSIDE = "inside the training box", "outside the training box"
Model = "StateTransitionNetwork | Solver | NearestLaw | RateEquations"
_FACTOR = 0.5  # by which parameters are scaled to see which propensities follow
_LONG = 1e5  # of the rate equations, in the unit of time of the network
LEAST = 1e-9  # mean or sd that counts as none


@dataclass(frozen=True)
class NearestLaw:
    """The baseline without training: the law of the training set nearest in parameters, before and after.

    Attributes
    ----------
    training
        Parameter sets and their exact laws, those that the solver was trained on.
    """

    training: Dataset


@dataclass(frozen=True)
class RateEquations:
    """The baseline without probabilities: steady state of the rate equations, with the noise of a Poisson law.

    Attributes
    ----------
    network
        Whose propensities are read as rates of change.
    """

    network: StateTransitionNetwork


# --- the models


@answer.register(StateTransitionNetwork)
@answer.register(Solver)
@answer.register(NearestLaw)
@answer.register(RateEquations)
def _(model: Model, target: Reaction) -> pd.DataFrame:
    expected(target, model, Reaction)
    return scan(model, [target])


def scan(model: Model, targets: Sequence[Reaction]) -> pd.DataFrame:
    """`knockout` of many reactions of one wild type, whose law is found once.

    Raises
    ------
    UserError
        As `knockout`, and if the targets are of several wild types.
    """
    theta = np.asarray(targets[0].theta, float)
    if any(not np.array_equal(target.theta, theta) for target in targets):
        raise UserError("reactions: found several wild types; expected one theta")
    wild = before(model, theta)
    return join([_rows(target, system(model), wild, *after(model, target)) for target in targets])


def system(model: Model) -> str:
    """Model and network in words."""
    match model:
        case StateTransitionNetwork():
            return f"exact, {model.name}"
        case Solver():
            return f"solver, {model.network.name}"
        case NearestLaw():
            return f"nearest training law, {model.training.network.name}"
    return f"rate equations, {model.network.name}"


def before(model: Model, theta: np.ndarray) -> dict[str, float]:
    """Mean and sd of every species in the wild type."""
    match model:
        case StateTransitionNetwork():
            return _exact(model, exact.check_theta(model, theta))
        case Solver():
            return moments(model.joint(exact.check_theta(model.network, theta)))
        case NearestLaw():
            return moments(nearest_law(model.training, exact.check_theta(model.training.network, theta)))
    return _steady(model.network, theta)


def after(model: Model, target: Reaction) -> tuple[dict[str, float], str]:
    """The same after the knockout, and what has to be known about it."""
    match model:
        case StateTransitionNetwork():
            return before(scaled(model, target), target.theta), ""
        case Solver():
            theta, note = _changed(model.network, target)
            return before(model, theta), note
        case NearestLaw():
            theta, note = _changed(model.training.network, target)
            return before(model, theta), note
    return _steady(scaled(model.network, target), target.theta), ""


# --- reactions and parameters


def scaled(network: StateTransitionNetwork, target: Reaction) -> StateTransitionNetwork:
    """The network with one propensity multiplied by the target's factor; with factor 0 without the event.

    Raises
    ------
    UserError
        If there is no such event, or it has a waiting time instead of a propensity.
    """
    event = _event(network, target.name)
    if target.factor == 0:
        return network.without(target.name)
    if event.waiting is not None:
        raise UserError(f"reaction '{target.name}': has a waiting time; expected a propensity that can be scaled")
    slower = Event(event.name, event.change, f"{target.factor!r} * ({event.rate})")
    return replace(network, events=tuple(slower if one is event else one for one in network.events))


def own_parameter(network: StateTransitionNetwork, name: str) -> int | None:
    """Place of a parameter that scales this event's propensity and no other's; None if there is none.

    Judged by evaluation: the parameter is halved, in the middle of its box, at counts that are all 1 to 4.
    """
    row = [event.name for event in network.events].index(_event(network, name).name)
    middle = network.box.mean(1)
    counts = 1.0 + np.arange(4)[:, None] * np.ones(len(network.states))
    counts = np.vstack([counts, counts * 0 + 1, np.eye(len(network.states)) + 1])
    before = network.propensities(counts, middle)
    for place in range(len(middle)):
        theta = middle.copy()
        theta[place] *= _FACTOR
        after = network.propensities(counts, theta)
        wanted = before.copy()
        wanted[:, row] *= _FACTOR
        if np.allclose(after, wanted, rtol=1e-9, atol=1e-12) and np.abs(before[:, row]).max() > 0:
            return place
    return None


def scalable(network: StateTransitionNetwork) -> list[str]:
    """Events that a trained solver can be asked about: those with a parameter of their own."""
    return [event.name for event in network.events if own_parameter(network, event.name) is not None]


def _event(network: StateTransitionNetwork, name: str) -> Event:
    known = [event.name for event in network.events]
    if name not in known:
        raise UserError(
            f"reaction '{name}': {network.name} has no such event{closest(name, known)}; expected one of "
            f"{', '.join(known)}"
        )
    return network.events[known.index(name)]


def _changed(network: StateTransitionNetwork, target: Reaction) -> tuple[np.ndarray, str]:
    """Parameters after the knockout, and whether they lie in the box."""
    place = own_parameter(network, target.name)
    if place is None:
        raise UserError(
            f"reaction '{target.name}': no parameter of {network.name} scales this propensity alone, so a trained "
            f"solver cannot be asked; expected one of {', '.join(scalable(network))}, or the exact solution"
        )
    theta = exact.check_theta(network, target.theta).copy()
    theta[place] *= target.factor
    if target.factor == 0 and network.parameters[place].log:
        raise UserError(
            f"reaction '{target.name}': a trained solver reads the logarithm of {network.parameter_names[place]} and "
            "cannot be asked for 0; expected a factor above 0, or the exact solution"
        )
    low, high = network.box[place]
    return theta, INSIDE if low <= theta[place] <= high else OUTSIDE


# --- readouts


def moments(law: Distribution) -> dict[str, float]:
    """Mean and sd of every state that can be more than 1."""
    found = {}
    for name, mean, sd in zip(law.names, law.mean, law.sd, strict=True):
        if len(law.vector(name)) > 2:
            found[f"mean of {name}"], found[f"sd of {name}"] = float(mean), float(sd)
    return found


def _exact(network: StateTransitionNetwork, theta: np.ndarray) -> dict[str, float]:
    """Exact mean and sd: by the moment equations where they close (propensities linear in counts), else from the law.

    The moment equations need no truncation, which a large knockout of a decay could make too large to solve.
    """
    counted = [name for name in network.recorded if network.bounds.get(name, 0) > 2]
    bounded = all(name in network.bounds for name in network.recorded)
    if bounded and linear.is_first_order(network, theta):
        try:
            found = linear.stationary(network, theta)
        except UserError:  # several closed classes, such as a gene that is never switched on: the law decides
            found = None
        if found is not None:
            mean, covariance = found.of(*counted)
            sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
            return {
                f"{kind} of {name}": float(value[i])
                for i, name in enumerate(counted)
                for kind, value in (("mean", mean), ("sd", sd))
            }
    return moments(exact.stationary(network, theta).distribution)


def _steady(network: StateTransitionNetwork, theta) -> dict[str, float]:
    stoichiometry = network.stoichiometry

    def slope(_, x):
        return network.propensities(np.maximum(x, 0)[None], np.asarray(theta, float))[0] @ stoichiometry

    end = solve_ivp(slope, (0, _LONG), network.start.astype(float), method="LSODA", rtol=1e-8, atol=1e-10).y[:, -1]
    found = {}
    for name in network.recorded:
        level = max(float(end[network.states.index(name)]), 0.0)
        found |= {f"mean of {name}": level, f"sd of {name}": np.sqrt(level)}
    return found


def _rows(target: Reaction, system: str, wild: dict, law: dict, note: str = "") -> pd.DataFrame:
    """A species that the wild type does not have is left out, one that the knockout does not have has lost all."""
    rows = [
        {"readout": name, "effect": law.get(name, 0.0) / value - 1} for name, value in wild.items() if value > LEAST
    ]
    return table(
        rows, part="stochastic", system=system, removed=target.words, kind="reaction", unit=UNIT, note=note,
        interval="none: one training" if system.startswith("solver") else "none",
    )  # fmt: skip
