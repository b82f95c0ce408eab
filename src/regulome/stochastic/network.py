"""State-transition networks: states that jump by events at rates that are expressions of counts and parameters.

A network is a continuous-time Markov chain (or, with waiting times, a jump process) over vectors of counts. Everything
downstream (simulation, exact solution, solver, inference) takes a `StateTransitionNetwork` and nothing else. It is made
in Python as below, from JSON by `regulome.stochastic.network_json` and from SBML by `regulome.stochastic.sbml_import`.

    network = StateTransitionNetwork(
        name="birth_death",
        states=("X",),
        events=(Event("birth", {"X": 1}, "k"), Event("death", {"X": -1}, "gamma * X")),
        parameters=(Parameter("k", 1.0, 50.0), Parameter("gamma", 0.1, 1.0)),
        initial={"X": 0},
    )
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from regulome.errors import UserError, closest
from regulome.stochastic.rates import Rate, check_name, normal_form


@dataclass(frozen=True)
class Parameter:
    """A kinetic parameter with a box prior.

    Attributes
    ----------
    low, high
        Bounds of the box, in the unit of the parameter.
    log
        Whether its logarithm stands in the solver's prompt; false for parameters that may be zero or negative.
    """

    name: str
    low: float
    high: float

    @property
    def log(self) -> bool:
        return self.low > 0


@dataclass(frozen=True)
class Waiting:
    """Gamma waiting time: every single molecule of the event's one reactant waits this long, from its arrival on.

    Attributes
    ----------
    shape, mean
        Expressions of parameters: shape (1 gives an exponential time) and mean (unit of time); the scale is mean/shape.
    """

    shape: str
    mean: str


@dataclass(frozen=True)
class Event:
    """A jump.

    Attributes
    ----------
    change
        Change of counts by state; states that are not named stay.
    rate
        The **full propensity** (1 / time): mass action is not multiplied in. Empty if ``waiting`` is given.
    waiting
        Waiting time of each molecule, instead of a propensity.
    """

    name: str
    change: Mapping[str, int]
    rate: str | float = ""
    waiting: Waiting | None = None


@dataclass(frozen=True)
class Trigger:
    """What SBML calls an event: when the condition becomes true, states are set.

    Attributes
    ----------
    condition
        Comparison over states, parameters and ``time``, for example ``P2 > 30`` or ``time >= 25``.
    assignments
        New counts by state, as expressions of the counts before.
    """

    name: str
    condition: str
    assignments: Mapping[str, str | float]


@dataclass(frozen=True)
class StateTransitionNetwork:
    """States, events and parameters of a stochastic network.

    Attributes
    ----------
    states
        Names of the N states, in the order of every count vector.
    events
        The K events.
    parameters
        The P parameters with their boxes, in the order of every parameter vector.
    initial
        Initial counts by state; 0 where not named.
    recorded
        States whose joint distribution is wanted, in order of factorisation (default: all). The others are summed out.
    bounds
        Number of values of each recorded state: counts 0 to bound - 1. Missing ones are derived where needed. Those of
        other states are kept as hints for truncation.
    observed
        Recorded states that an experiment sees (default: all recorded).
    constants
        Names with a fixed number that rates may use.
    derived
        Outputs that are expressions of states and parameters (assignment rules of SBML).
    triggers
        Sudden changes of state on a condition.
    time
        Length of time that data describe, if they are not stationary (unit of time).
    source
        File it came from, for messages.

    Raises
    ------
    UserError
        If a name is unknown, taken twice or not allowed, an expression is not one, a count is not a whole number of at
        least zero, a box is empty, or an event has neither a rate nor a waiting time; the message names file and field.
    """

    name: str
    states: tuple[str, ...]
    events: tuple[Event, ...]
    parameters: tuple[Parameter, ...] = ()
    initial: Mapping[str, int] = field(default_factory=dict)
    recorded: tuple[str, ...] = ()
    bounds: Mapping[str, int] = field(default_factory=dict)
    observed: tuple[str, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()
    time: float | None = None
    source: str = "network"

    def __post_init__(self):
        _freeze(self, "recorded", tuple(self.recorded) or tuple(self.states))
        _freeze(self, "observed", tuple(self.observed) or tuple(self.recorded))
        _check_names(self)
        _check_events(self)
        _check_numbers(self)

    # --- sizes and vectors

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def box(self) -> np.ndarray:
        """(P, 2) lower and upper bounds of the parameters."""
        return np.array([(p.low, p.high) for p in self.parameters], float).reshape(-1, 2)

    @cached_property
    def start(self) -> np.ndarray:
        """(N,) initial counts."""
        return np.array([int(self.initial.get(state, 0)) for state in self.states])

    @cached_property
    def stoichiometry(self) -> np.ndarray:
        """(K, N) change of every state by every event."""
        return np.array([[int(e.change.get(s, 0)) for s in self.states] for e in self.events]).reshape(
            -1, len(self.states)
        )

    @cached_property
    def recorded_index(self) -> np.ndarray:
        """Positions of the recorded states among all states."""
        return np.array([self.states.index(name) for name in self.recorded])

    @property
    def is_markov(self) -> bool:
        """Whether all events have propensities (no waiting times)."""
        return all(event.waiting is None for event in self.events)

    # --- expressions

    @cached_property
    def rates(self) -> tuple[Rate | None, ...]:
        """The K propensities, parsed; None for events with waiting times."""
        names = (*self.states, *self.parameter_names, *self.constants)
        return tuple(
            None if e.waiting else Rate(e.rate, names, f"{self.source}: event '{e.name}': rate") for e in self.events
        )

    def propensities(self, counts: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Propensities of all events (plain reference; the simulator compiles the same expressions).

        Parameters
        ----------
        counts
            (..., N) counts of the states.
        theta
            (P,) or (..., P) parameters.

        Returns
        -------
        numpy.ndarray
            (..., K) propensities, 1 / time; NaN for events with waiting times.
        """
        counts, theta = np.asarray(counts, float), np.asarray(theta, float)
        values = {name: counts[..., i] for i, name in enumerate(self.states)}
        values |= {name: theta[..., i] for i, name in enumerate(self.parameter_names)}
        values |= self.constants
        shape = np.broadcast_shapes(counts.shape[:-1], theta.shape[:-1])
        found = [np.nan if rate is None else rate(**values) for rate in self.rates]
        return np.stack([np.broadcast_to(value, shape) for value in found], -1) if found else np.empty((*shape, 0))

    # --- parameters

    def theta(self, values: Mapping[str, float] | None = None, **more: float) -> np.ndarray:
        """(P,) parameter vector from names.

        Raises
        ------
        UserError
            If a name is unknown or missing.
        """
        given = {**(values or {}), **more}
        for name in given:
            if name not in self.parameter_names:
                raise UserError(f"{self.source}: unknown parameter '{name}'{closest(name, self.parameter_names)}")
        missing = [name for name in self.parameter_names if name not in given]
        if missing:
            raise UserError(f"{self.source}: no value for parameter {', '.join(missing)}")
        return np.array([float(given[name]) for name in self.parameter_names])

    def sample_box(self, count: int, seed: int, skip: int = 0) -> np.ndarray:
        """Scrambled Sobol points in the box, linear in the parameters as published.

        Parameters
        ----------
        count
            Number of points.
        seed
            Of the scrambling: another seed gives a disjoint set.
        skip
            Points of the sequence to leave out first, for blocks.

        Returns
        -------
        numpy.ndarray
            (count, P).
        """
        import warnings

        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self.parameters), scramble=True, rng=np.random.default_rng(seed))
        if skip:
            sequence.fast_forward(skip)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The balance properties")  # numbers of sets need not be powers of two
            points = sequence.random(count)
        return self.box[:, 0] + points * (self.box[:, 1] - self.box[:, 0])

    # --- derived networks

    def without(self, *events: str) -> "StateTransitionNetwork":
        """The network with these events knocked out (propensity zero).

        Raises
        ------
        UserError
            If there is no such event.
        """
        known = [event.name for event in self.events]
        for name in events:
            if name not in known:
                raise UserError(f"{self.source}: no event '{name}'{closest(name, known)}")
        return replace(self, events=tuple(event for event in self.events if event.name not in events))

    def recording(self, *states: str) -> "StateTransitionNetwork":
        """The network with another choice of recorded (and observed) states."""
        return replace(self, recorded=states, observed=states)

    def with_bounds(self, **bounds: int) -> "StateTransitionNetwork":
        """The network with bounds replaced."""
        return replace(self, bounds={**self.bounds, **bounds})


def _freeze(network, name: str, value) -> None:
    object.__setattr__(network, name, value)


def _check_names(network: StateTransitionNetwork) -> None:
    source, seen = network.source, {}
    groups = {"state": network.states, "parameter": network.parameter_names, "constant": network.constants}
    for group, names in groups.items():
        for name in names:
            check_name(name, f"{source}: {group}")
            plain = normal_form(name)  # µ (micro sign) and μ (Greek mu) are one name
            if plain in seen:
                raise UserError(
                    f"{source}: the name '{name}' is given twice, as {seen[plain]} and as {group}; expected it once"
                )
            seen[plain] = group
    if not network.states:
        raise UserError(f"{source}: no states; expected at least one")
    if len({event.name for event in network.events}) < len(network.events):
        raise UserError(f"{source}: two events have the same name; expected one name each")
    for field_name, names, known in (
        ("initial", network.initial, network.states),
        ("recorded", network.recorded, network.states),
        ("bounds", network.bounds, network.states),
        ("observed", network.observed, network.recorded),
    ):
        for name in names:
            if name not in known:
                raise UserError(
                    f"{source}: {field_name}: unknown state '{name}'{closest(name, known)}; expected {', '.join(known)}"
                )
        if len(set(names)) < len(tuple(names)):
            raise UserError(f"{source}: {field_name}: a state is named twice")


def _check_events(network: StateTransitionNetwork) -> None:
    for event in network.events:
        where = f"{network.source}: event '{event.name}'"
        for state, change in event.change.items():
            if state not in network.states:
                raise UserError(f"{where}: unknown state '{state}'{closest(state, network.states)}")
            if isinstance(change, bool) or change != int(change):
                raise UserError(f"{where}: change of '{state}': found {change!r}, expected a whole number")
        if event.waiting is None and event.rate in ("", None):
            raise UserError(f"{where}: no rate; expected a propensity or a waiting time")
        if event.waiting is not None:
            _check_waiting(network, event, where)
    _ = network.rates  # parses every propensity
    names = (*network.states, *network.parameter_names, *network.constants)
    for name, text in network.derived.items():
        Rate(text, names, f"{network.source}: derived '{name}'")
    for trigger in network.triggers:
        where = f"{network.source}: trigger '{trigger.name}'"
        Rate(trigger.condition, (*names, "time"), f"{where}: condition")
        for state, text in trigger.assignments.items():
            if state not in network.states:
                raise UserError(f"{where}: unknown state '{state}'{closest(state, network.states)}")
            Rate(text, names, f"{where}: '{state}'")


def _check_waiting(network: StateTransitionNetwork, event: Event, where: str) -> None:
    """One reactant, one molecule of it, and no other event that takes it: else whose clock would end?"""
    taken = [state for state, change in event.change.items() if change < 0]
    if len(taken) != 1 or event.change[taken[0]] != -1:
        raise UserError(
            f"{where}: a waiting time needs exactly one reactant that loses one, found {dict(event.change)}"
        )
    for other in network.events:
        if other is not event and other.change.get(taken[0], 0) < 0:
            raise UserError(
                f"{where}: '{taken[0]}' waits here but event '{other.name}' takes it too; expected one of them"
            )
    for part in ("shape", "mean"):
        Rate(getattr(event.waiting, part), (*network.parameter_names, *network.constants), f"{where}: waiting: {part}")


def _check_numbers(network: StateTransitionNetwork) -> None:
    source = network.source
    for state, count in network.initial.items():
        if isinstance(count, bool) or not float(count).is_integer() or count < 0:
            raise UserError(
                f"{source}: initial count of '{state}': found {count!r}, expected a whole number of at least 0"
            )
    for state, bound in network.bounds.items():
        if isinstance(bound, bool) or not float(bound).is_integer() or bound < 1:
            raise UserError(f"{source}: bound of '{state}': found {bound!r}, expected a whole number of at least 1")
    for parameter in network.parameters:
        if not (np.isfinite(parameter.low) and np.isfinite(parameter.high) and parameter.low < parameter.high):
            raise UserError(
                f"{source}: parameter '{parameter.name}': found the box [{parameter.low}, {parameter.high}], "
                "expected two finite numbers, the lower one first"
            )
