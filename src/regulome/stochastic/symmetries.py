"""Relabellings of parameters that data cannot see, because they only swap the names of states nobody observes.

If ON and OFF are not observed, a gene with kon and koff, ksynon and ksynoff exchanged has the same law: the posterior
then has two equal modes. A permutation of the unobserved states together with a permutation of parameters with equal
boxes is such a symmetry if it maps the total propensity of every jump onto that of the permuted jump. This is compared
by value at random counts and parameters, so that it does not matter how rates are written.
"""

from itertools import permutations
from math import factorial

import numpy as np

from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.network import StateTransitionNetwork

MOST_TRIED = 5_000  # pairs of permutations; with more the search is left out
MOST_FOUND = 24
MOST_REACHED = 500  # count vectors of the search for a way between two initial states


def of_likelihood(likelihood: Likelihood) -> np.ndarray:
    """(G, P) relabellings for the observed species of a likelihood, see `relabellings`."""
    return relabellings(likelihood.network, likelihood.names, "time" not in likelihood.options)


def relabellings(network: StateTransitionNetwork, observed, stationary: bool = True) -> np.ndarray:
    """All permutations g of the parameters for which ``theta`` and ``theta[g]`` give the observed states one law.

    Parameters
    ----------
    observed
        Names of the states that data show.
    stationary
        Whether the law is stationary: the initial state then needs to be the same only as far as that law depends on
        it (each of the two initial states can reach the other).

    Returns
    -------
    numpy.ndarray
        (G, P) integers, a group, the identity first; only the identity if there is no symmetry, the network has waiting
        times or triggers, or there are too many candidates to look through.
    """
    identity = np.arange(len(network.parameters))
    hidden = [i for i, name in enumerate(network.states) if name not in observed]
    if not network.is_markov or network.triggers or not len(identity):
        return identity[None]
    if factorial(len(hidden)) > MOST_TRIED:
        return identity[None]
    found, tried = {tuple(identity)}, 0
    for order in permutations(hidden):
        place = np.arange(len(network.states))
        place[hidden] = order  # state i becomes state place[i]
        for candidate in _candidates(network, place):
            tried += 1
            if tried > MOST_TRIED:
                return identity[None]
            if candidate not in found and _same(network, place, np.array(candidate), stationary):
                found.add(candidate)
    return np.array(sorted(found)) if len(found) <= MOST_FOUND else identity[None]  # the identity sorts first


def ordered(theta: np.ndarray, relabelling: np.ndarray, larger: int) -> np.ndarray:
    """(..., P) parameters, relabelled where that makes parameter ``larger`` larger: one labelling of a swap of two."""
    other = theta[..., relabelling]
    return np.where((other[..., larger] > theta[..., larger])[..., None], other, theta)


def _jumps(network: StateTransitionNetwork) -> dict[tuple, list[int]]:
    """Events by their change of the states."""
    jumps: dict[tuple, list[int]] = {}
    for event, change in enumerate(network.stoichiometry):
        if change.any():
            jumps.setdefault(tuple(change), []).append(event)
    return jumps


def _moved(vector, place: np.ndarray) -> np.ndarray:
    """(..., N) counts after their states were permuted."""
    vector = np.asarray(vector)
    result = np.empty_like(vector)
    result[..., place] = vector
    return result


def _candidates(network: StateTransitionNetwork, place: np.ndarray):
    """Permutations of the parameters under which each occurs in the permuted jumps and has the same box."""
    jumps, names = _jumps(network), network.parameter_names
    used = {
        name: {j for j, events in jumps.items() for e in events if name in network.rates[e].names} for name in names
    }
    if {tuple(_moved(jump, place)) for jump in jumps} != set(jumps):
        return
    after = {name: {tuple(_moved(jump, place)) for jump in used[name]} for name in names}
    choices = [
        [j for j, other in enumerate(names) if after[other] == used[name] and (network.box[i] == network.box[j]).all()]
        for i, name in enumerate(names)
    ]
    yield from _distinct(choices, ())


def _distinct(choices: list[list[int]], chosen: tuple):
    """All ways to take one of each list, none twice."""
    if len(chosen) == len(choices):
        yield chosen
        return
    for value in choices[len(chosen)]:
        if value not in chosen:
            yield from _distinct(choices, (*chosen, value))


def _same(network: StateTransitionNetwork, place: np.ndarray, candidate: np.ndarray, stationary: bool) -> bool:
    """Whether permuted states and parameters give every permuted jump its propensity, from the same initial state."""
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 12, (64, len(network.states)))
    theta = network.box[:, 0] + generator.random((64, len(network.parameters))) * np.ptp(network.box, axis=1)
    before = network.propensities(counts, theta)
    after = network.propensities(_moved(counts, place), theta[:, candidate])
    jumps = _jumps(network)
    for jump, events in jumps.items():
        images = jumps[tuple(_moved(jump, place))]
        if not np.allclose(before[:, events].sum(1), after[:, images].sum(1), rtol=1e-9, atol=1e-12, equal_nan=True):
            return False
    goal = _moved(network.start, place)
    return (goal == network.start).all() or (stationary and _reaches(network, goal))


def _reaches(network: StateTransitionNetwork, goal: np.ndarray) -> bool:
    """Whether the initial state leads to another one; the symmetry then leads back."""
    generator = np.random.default_rng(0)
    theta = network.box[:, 0] + generator.random((8, len(network.parameters))) * np.ptp(network.box, axis=1)
    queue, seen = [tuple(network.start)], {tuple(network.start)}
    for counts in queue:
        possible = (np.nan_to_num(network.propensities(np.array(counts), theta)) > 0).any(0)
        for event in np.flatnonzero(possible):
            target = tuple(np.array(counts) + network.stoichiometry[event])
            if target == tuple(goal):
                return True
            if min(target) >= 0 and target not in seen and len(seen) < MOST_REACHED:
                seen.add(target)
                queue.append(target)
    return False
