"""The smallest part of a network that some of its states depend on.

A protein that feeds back on nothing has no influence on the law of its mRNA: the events that touch only the protein can
be left out, and the law of the rest is unchanged, exactly.
"""

from collections.abc import Sequence
from dataclasses import replace

from regulome.errors import UserError, closest
from regulome.stochastic.network import StateTransitionNetwork


def upstream(network: StateTransitionNetwork, names: Sequence[str]) -> tuple[str, ...]:
    """States that these depend on, themselves included, in the order of the network.

    A state depends on those in the propensity of every event that changes it (with a waiting time: on the reactant).
    """
    found = set(names)
    while True:
        more = set(found)
        for event, rate in zip(network.events, network.rates, strict=True):
            changed = {state for state, change in event.change.items() if change}
            if changed & found:
                more |= {s for s, change in event.change.items() if change < 0} if rate is None else rate.names
        more &= set(network.states)
        if more == found:
            return tuple(state for state in network.states if state in found)
        found = more


def reduce_to(network: StateTransitionNetwork, observed: Sequence[str]) -> StateTransitionNetwork:
    """The network of the observed states and all that they depend on, recording the observed ones.

    Parameters
    ----------
    observed
        Names of states, in the order in which they are wanted.

    Returns
    -------
    StateTransitionNetwork
        With the same parameters (some may be without effect), and exactly the same law of the observed states.

    Raises
    ------
    UserError
        If a name is no state of the network.
    """
    for name in observed:
        if name not in network.states:
            raise UserError(
                f"{network.source}: unknown state '{name}'{closest(name, network.states)}; expected some of "
                f"{', '.join(network.states)}"
            )
    if network.triggers or network.derived:
        return network.recording(*observed)
    keep = upstream(network, observed)
    events = [
        replace(event, change={s: c for s, c in event.change.items() if s in keep})
        for event in network.events
        if any(change and state in keep for state, change in event.change.items())
    ]
    return replace(
        network,
        states=keep,
        events=tuple(events),
        initial={s: c for s, c in network.initial.items() if s in keep},
        recorded=tuple(observed),
        observed=tuple(observed),
        bounds={s: b for s, b in network.bounds.items() if s in keep},
    )
