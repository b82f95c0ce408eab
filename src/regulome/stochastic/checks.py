"""Is a network what its author meant? Mistakes that no parser sees, found by walking through its states.

A walk fires events that have a positive propensity, chosen evenly or so as to use up a species, and so reaches the
corners that a simulation meets rarely: the last infected, the empty promoter. What is wrong at a state that was reached
is an error; what would be wrong at a state that was not is a warning.
"""

from dataclasses import dataclass

import numpy as np

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.structure import active, conservation_laws, siphons

WALKERS, STEPS = 96, 160
ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    level
        "error", "warning" or "note".
    kind
        "negative count", "negative propensity", "propensity not finite", "waiting time", "absorbing", "never made",
        "no loss", "conserved" or "never happens".
    names
        Event or states that it is about.
    message
        In words, with the file.
    """

    level: str
    kind: str
    names: tuple[str, ...]
    message: str


def examine(
    network: StateTransitionNetwork, theta: np.ndarray | None = None, seed: int = 0, strict: bool = True
) -> list[Finding]:
    """Look for mistakes and traps in a network.

    Parameters
    ----------
    theta
        (P,) one parameter set; default: corners and Sobol points of the box.
    seed
        Of the walks and of the points.
    strict
        Whether an error is raised (the first, if there are several); otherwise it stands in the list.

    Returns
    -------
    list of Finding
        Errors first, then warnings, then notes.

    Raises
    ------
    UserError
        If at a state that can be reached an event makes a count negative, or a propensity is negative or not a finite
        number; or if a waiting time is not positive somewhere in the box. The message names the event and the state.
    """
    points = _points(network, theta, seed)
    walk = _Walk(network, points, seed)
    found = [*_waiting_times(network, points), *walk.findings()]
    if not any(finding.level == ERROR for finding in found):
        found += [*_corners(network, walk), *_traps(network, walk), *_growth(network, walk), *_silent(network, walk)]
    found += [
        Finding(NOTE, "conserved", tuple(law.weights), f"{network.source}: {law} at all times")
        for law in conservation_laws(network)
    ]
    found.sort(key=lambda finding: (ERROR, WARNING, NOTE).index(finding.level))
    if strict and found and found[0].level == ERROR:
        raise UserError(found[0].message)
    return found


def _points(network: StateTransitionNetwork, theta, seed: int) -> np.ndarray:
    """(W, P) parameters of the walkers: the given set, or both corners, the middle and Sobol points of the box."""
    if theta is not None or not network.parameters:
        given = np.zeros(len(network.parameters)) if theta is None else np.asarray(theta, float)
        return np.tile(given, (WALKERS, 1))
    low, high = network.box.T
    fixed = np.stack([low, high, (low + high) / 2])
    return np.concatenate([fixed, network.sample_box(WALKERS, seed)[: WALKERS - 3]])


class _Walk:
    """States that walkers reached, and the first mistake that each event made on the way."""

    def __init__(self, network: StateTransitionNetwork, theta: np.ndarray, seed: int):
        self.network, self.theta = network, theta
        self.wrong: dict[tuple[str, int], Finding] = {}
        self.fired = np.zeros(len(network.events), bool)
        rng = np.random.default_rng(seed)
        counts = np.tile(network.start, (len(theta), 1))
        favourite = rng.integers(0, len(network.states), len(theta))  # the species that a third of the walks use up
        states = [counts]
        for _ in range(STEPS if len(network.events) else 0):
            rates = active(network, counts, theta)
            self._judge(counts, rates)
            rates = np.where(np.isfinite(rates) & (rates > 0), rates, 0.0)
            after = counts[:, None, :] + network.stoichiometry
            rates = np.where((after < 0).any(-1), 0.0, rates)
            event, moves = self._choice(rates, counts, favourite, rng)
            counts = np.where(moves[:, None], counts + network.stoichiometry[event], counts)
            self.fired[event[moves]] = True
            states.append(counts)
        self.states = np.concatenate(states)
        self.points = np.tile(theta, (len(states), 1))

    def _choice(self, rates, counts, favourite, rng) -> tuple[np.ndarray, np.ndarray]:
        """An event for every walker, and whether it has one: by propensity, evenly, or to lower its favourite."""
        weights = (rates > 0).astype(float)
        weights[::3] = rates[::3]
        lowers = (self.network.stoichiometry[:, favourite] < 0).T
        weights[1::3] *= np.where(lowers[1::3], 20.0, 1.0)
        total = weights.cumsum(1)
        moves = total[:, -1] > 0
        drawn = rng.random(len(rates)) * total[:, -1]
        return np.minimum((total <= drawn[:, None]).sum(1), rates.shape[1] - 1), moves

    def _judge(self, counts, rates) -> None:
        network = self.network
        negative = ((counts[:, None, :] + network.stoichiometry) < 0).any(-1) & (rates > 0)
        waits = [event.waiting is not None for event in network.events]
        scale = np.abs(np.where(np.isfinite(rates), rates, 0)).max(1, initial=0)
        for kind, wrong in (
            ("propensity not finite", ~np.isfinite(rates)),
            ("negative propensity", rates < -1e-12 * scale[:, None]),
            ("negative count", negative & ~np.array(waits, bool)),
        ):
            for k in np.flatnonzero(wrong.any(0)):
                if (kind, k) not in self.wrong:
                    w = int(np.argmax(wrong[:, k]))
                    self.wrong[kind, k] = _mistake(network, ERROR, kind, k, counts[w], self.theta[w], rates[w, k])

    def findings(self) -> list[Finding]:
        return list(self.wrong.values())


def _mistake(network, level: str, kind: str, k: int, counts, theta, rate: float) -> Finding:
    event = network.events[k]
    where = f"{network.source}: event '{event.name}'"
    names = network.rates[k].names if network.rates[k] else frozenset()
    at = ", ".join(
        [f"{s} = {int(n)}" for s, n in zip(network.states, counts, strict=True) if s in names or event.change.get(s)]
        + [f"{p} = {v:.4g}" for p, v in zip(network.parameter_names, theta, strict=True) if p in names]
    )
    if kind == "negative count":
        short = next(s for s, n in zip(network.states, counts, strict=True) if n + event.change.get(s, 0) < 0)
        message = (
            f"{where}: its propensity '{event.rate}' is {rate:.4g} at {at}, where the event would make '{short}' "
            f"negative; expected 0 there (mass action is not multiplied in: is '* {short}' missing?)"
        )
        if level == WARNING:
            message += "; the state was not reached in trial walks"
        return Finding(level, kind, (event.name,), message)
    return Finding(
        level, kind, (event.name,),
        f"{where}: its propensity '{event.rate}' is {rate:.4g} at {at}; expected a number of at least 0",
    )  # fmt: skip


def _waiting_times(network: StateTransitionNetwork, theta: np.ndarray) -> list[Finding]:
    from regulome.stochastic.rates import Rate

    values = {name: theta[:, i] for i, name in enumerate(network.parameter_names)} | dict(network.constants)
    found = []
    for event in network.events:
        for part in ("shape", "mean") if event.waiting else ():
            text = getattr(event.waiting, part)
            number = np.broadcast_to(Rate(text, values)(**values), len(theta))
            if not (np.isfinite(number) & (number > 0)).all():
                worst = number[np.argmin(np.where(np.isfinite(number), number, -np.inf))]
                message = (
                    f"{network.source}: event '{event.name}': waiting: {part} '{text}' is {worst:.4g}; expected > 0"
                )
                found.append(Finding(ERROR, "waiting time", (event.name,), message))
    return found


def _corners(network: StateTransitionNetwork, walk: _Walk) -> list[Finding]:
    """Propensities where a reactant is short, at states that obey the conservation laws but were not reached."""
    laws = conservation_laws(network)
    found = []
    for k, event in enumerate(network.events):
        for state, change in event.change.items():
            for count in range(-change) if event.waiting is None else ():
                counts = walk.states[:: max(1, len(walk.states) // 512)].copy()
                theta = walk.points[:: max(1, len(walk.points) // 512)]
                counts[:, network.states.index(state)] = count
                rates = active(network, counts, theta)[:, k]
                wrong = (rates > 0) & _lawful(network, laws, counts)
                if wrong.any():
                    w = int(np.argmax(wrong))
                    found.append(_mistake(network, WARNING, "negative count", k, counts[w], theta[w], rates[w]))
                    break
    return found


def _lawful(network: StateTransitionNetwork, laws, counts: np.ndarray) -> np.ndarray:
    lawful = np.ones(len(counts), bool)
    for law in laws:
        lawful &= sum(w * counts[:, network.states.index(s)] for s, w in law.weights.items()) == law.value
    return lawful


def _traps(network: StateTransitionNetwork, walk: _Walk) -> list[Finding]:
    """Siphons that can be emptied, and those that are empty from the start."""
    states, theta = _sample(walk)
    filled = [set(law.weights) for law in conservation_laws(network) if law.value > 0]
    found = []
    for members in siphons(network, states, theta):
        said, where = ", ".join(members), network.source
        places = [network.states.index(name) for name in members]
        if not network.start[places].any():
            message = f"{where}: {said}: none at the start and nothing makes the first one; their counts stay 0"
            found.append(Finding(WARNING, "never made", members, message))
        elif not any(law <= set(members) for law in filled) and _can_vanish(network, places, states, theta):
            total = " + ".join(members)
            message = (
                f"{where}: {said} can die out and nothing makes the first one again: an absorbing class. The "
                f"stationary law is that with {total} = 0, whatever the parameters; for the quasi-stationary law ask "
                f"for survival of '{total} > 0', or name a time"
            )
            found.append(Finding(WARNING, "absorbing", members, message))
    return found


def _sample(walk: _Walk) -> tuple[np.ndarray, np.ndarray]:
    """About 200 of the visited states, each also with one more of everything, so that no species is always zero."""
    step = max(1, len(walk.states) // 200)
    states, theta = walk.states[::step], walk.points[::step]
    return np.concatenate([states, states + 1]), np.concatenate([theta, theta])


def _can_vanish(network: StateTransitionNetwork, places: list[int], counts: np.ndarray, theta: np.ndarray) -> bool:
    """Whether an event takes the last of the species: the rest of them zero, this one as many as it takes."""
    change = network.stoichiometry[:, places]
    for k in np.flatnonzero(((change < 0).any(1)) & (change <= 0).all(1)):
        last = np.array(counts)
        last[:, places] = -change[k]
        if (active(network, last, theta)[:, k] > 0).any():
            return True
    return False


def _growth(network: StateTransitionNetwork, walk: _Walk) -> list[Finding]:
    found = []
    for i, name in enumerate(network.states):
        change = network.stoichiometry[:, i]
        lost = (change < 0).any() or any(name in trigger.assignments for trigger in network.triggers)
        if (walk.fired & (change > 0)).any() and not lost:
            message = f"{network.source}: '{name}' is made and never lost: there is no stationary law"
            found.append(Finding(WARNING, "no loss", (name,), message))
    return found


def _silent(network: StateTransitionNetwork, walk: _Walk) -> list[Finding]:
    """Events whose propensity is zero at every visited state."""
    states, theta = _sample(walk)
    rates = active(network, states, theta) if len(network.events) else np.zeros((1, 0))
    return [
        Finding(WARNING, "never happens", (event.name,), f"{network.source}: event '{event.name}' never happens")
        for event, fired, rate in zip(network.events, walk.fired, rates.T, strict=True)
        if not fired and not (rate > 0).any()
    ]
