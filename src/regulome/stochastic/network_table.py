"""The example networks in one table, and how far the engines are from what is known in closed form."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regulome.stochastic import closed_forms, engine, exact, moments, ssa
from regulome.stochastic.checks import examine
from regulome.stochastic.generator import natural_sizes
from regulome.stochastic.network import StateTransitionNetwork


def overview(networks: Mapping[str, StateTransitionNetwork], seed: int = 0) -> pd.DataFrame:
    """One row a network: its sizes, the engine chosen at the middle of its box, and what the checks find.

    Columns: network, states, events, parameters, recorded, engine, state_space (states solved for, or estimated where
    simulated; missing where not countable), boundary_mass (of the exact law), findings.
    """
    rows = []
    for name, network in networks.items():
        theta = network.box.mean(1)
        chosen = engine.choose(network, theta)
        row = {
            "network": name,
            "states": len(network.states),
            "events": len(network.events),
            "parameters": len(network.parameters),
            "recorded": ", ".join(network.recorded),
            "engine": chosen,
            "state_space": np.nan,
            "boundary_mass": np.nan,
        }
        if chosen == "exact":
            law = exact.stationary(network, theta)
            row |= {"state_space": law.states, "boundary_mass": law.boundary_mass}
        elif network.is_markov:
            row |= {"state_space": engine.size(network, theta)[0]}
        found = examine(network, seed=seed, strict=False)
        row["findings"] = "; ".join(f"{f.level}: {f.kind} ({', '.join(f.names)})" for f in found)
        rows.append(row)
    return pd.DataFrame(rows)


def influences(network: StateTransitionNetwork) -> pd.DataFrame:
    """Signed influence of states on each other: regulator, target, sign.

    The sign of change x (slope of the propensity), summed over events, at three quarters of the box (in the middle some
    Hill coefficients are 0) and a few counts, one half for a promoter. A state's own first-order loss is left out;
    autocatalysis is kept.
    """
    theta, size = network.box @ (0.25, 0.75), len(network.states)
    known = np.array([network.bounds.get(state, np.inf) for state in network.states])
    counts = np.where(np.minimum(known, natural_sizes(network)) <= 2, 0.5, np.maximum(network.start, 2.0))
    links = np.zeros((size, size))
    step = network.propensities(counts + np.eye(size), theta) - network.propensities(counts, theta)
    for k, event in enumerate(network.events):
        if event.waiting is None:
            slope = step[:, k]
        else:
            slope = np.array([1.0 if event.change.get(state, 0) < 0 else 0.0 for state in network.states])
        links += slope[:, None] * network.stoichiometry[k]
    loss = np.eye(size, dtype=bool) & (links < 0)
    links[loss | (np.abs(links) < 1e-12)] = 0.0
    rows = [
        {"regulator": network.states[a], "target": network.states[b], "sign": int(np.sign(links[a, b]))}
        for a, b in np.argwhere(links != 0)
    ]
    return pd.DataFrame(rows, columns=["regulator", "target", "sign"])


def derived_bounds(network: StateTransitionNetwork, sets: int, seed: int) -> pd.DataFrame:
    """Largest mean + 3 sd over Sobol sets of the box, from exact moments, beside the bounds of the file.

    Columns: species, largest_mean, bound (rounded down, plus one value for the count of 0), published.
    """
    found = [moments.stationary(network, theta).of(*network.recorded) for theta in network.sample_box(sets, seed)]
    mean = np.array([m for m, _ in found])
    sd = np.sqrt([np.diag(c) for _, c in found])
    return _bounds(network, mean, sd)


def simulated_bounds(
    network: StateTransitionNetwork, sets: int, seed: int, options: Mapping, threads: int = 1
) -> pd.DataFrame:
    """The same from one simulated trajectory a set, as published; ``options`` are those of `ssa.occupancy`."""
    theta, means, sds = network.sample_box(sets, seed), [], []
    for first in range(0, sets, 64):
        block = theta[first : first + 64]
        for law in ssa.occupancy(network, block, seed=seed, first_set=first, threads=threads, **options):
            means.append(law.mean)
            sds.append(law.sd)
    return _bounds(network, np.array(means), np.array(sds))


def _bounds(network: StateTransitionNetwork, mean: np.ndarray, sd: np.ndarray) -> pd.DataFrame:
    """Species that stoichiometry does not bound, with the largest mean and the bound that follows."""
    table = pd.DataFrame(
        {
            "species": network.recorded,
            "largest_mean": mean.max(0),
            "bound": np.floor((mean + 3 * sd).max(0)) + 1,
            "published": [network.bounds.get(name, np.nan) for name in network.recorded],
        }
    )
    return table[np.isinf(natural_sizes(network)[network.recorded_index])].reset_index(drop=True)


def closed_form_table(networks: Mapping[str, StateTransitionNetwork], sets: int, seed: int) -> pd.DataFrame:
    """Largest distance of the exact engine from closed forms over Sobol sets of the boxes.

    Columns: network, quantity, sets, largest (total variation, or relative difference of moments), boundary_mass.
    """
    rows = []
    for name, quantity, compare in (
        ("birth_death", "stationary law, Poisson: total variation", _birth_death),
        ("telegraph", "stationary law, 1F1: total variation", _telegraph),
        ("gene_expression", "mRNA marginal, Poisson-Beta: total variation", _mrna),
        ("gene_expression", "means and covariances of the joint law: relative difference", _gene_moments),
        ("two_stage", "mean and Fano factor of the protein: relative difference", _two_stage),
        ("cascade", "law of the first species, Poisson: total variation", _cascade),
    ):
        found = [compare(networks[name], theta) for theta in networks[name].sample_box(sets, seed)]
        rows.append({"network": name, "quantity": quantity, "sets": sets, "largest": max(f[0] for f in found),
                     "boundary_mass": max(f[1] for f in found)})  # fmt: skip
    return pd.DataFrame(rows)


def _vectors(law: exact.Law, name: str, expected) -> tuple[float, float]:
    found = law.distribution.vector(name)
    full = expected(4 * len(found) + 50)
    return 0.5 * float(np.abs(np.pad(found, (0, len(full) - len(found))) - full).sum()), law.boundary_mass


def _by_change(network: StateTransitionNetwork, theta: np.ndarray) -> dict[tuple[int, ...], float]:
    """Propensity, with one molecule of everything, of the event with each change vector."""
    rates = network.propensities(np.ones(len(network.states)), theta)
    return {tuple(change): rate for change, rate in zip(network.stoichiometry.tolist(), rates, strict=True)}


def _birth_death(network, theta):
    rate = _by_change(network, theta)
    law = exact.stationary(network, theta)
    return _vectors(law, network.recorded[0], lambda n: closed_forms.birth_death(rate[1,], rate[-1,], n))


def _telegraph(network, theta):
    value = dict(zip(network.parameter_names, theta, strict=True))
    rates = [value[name] for name in ("kon", "koff", "ksyn", "kdeg")]
    return _vectors(exact.stationary(network, theta), "mRNA", lambda n: closed_forms.telegraph(*rates, n))


def _mrna(network, theta):
    value = dict(zip(network.parameter_names, theta, strict=True))
    rates = [value[name] for name in ("kon", "koff", "ksynon", "ksynoff", "kdegM")]
    law = exact.stationary(network.recording("mRNA"), theta)
    return _vectors(law, "mRNA", lambda n: closed_forms.leaky_telegraph(*rates, n))


def _gene_moments(network, theta):
    mean, covariance = closed_forms.gene_expression_moments(**dict(zip(network.parameter_names, theta, strict=True)))
    law = exact.stationary(network, theta)
    centred = law.distribution.counts - law.distribution.mean
    found = centred.T @ (law.distribution.weights[:, None] * centred)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    return max(np.abs(law.distribution.mean / mean - 1).max(), (np.abs(found - covariance) / scale).max()), (
        law.boundary_mass
    )


def _two_stage(network, theta):
    rate = _by_change(network, theta)
    mean, fano = closed_forms.two_stage_moments(rate[1, 0], rate[-1, 0], rate[0, 1], rate[0, -1])
    law = exact.stationary(network, theta)
    found, sd = law.distribution.mean[-1], law.distribution.sd[-1]
    return max(abs(found / mean - 1), abs(sd**2 / found / fano - 1)), law.boundary_mass


def _cascade(network, theta):
    mean = moments.stationary(network, theta).mean[0]
    value = dict(zip(network.parameter_names, theta, strict=True))
    means = closed_forms.cascade_means(*(value[name] for name in network.parameter_names), len(network.states))
    law = exact.stationary(network.recording(network.states[0]), theta)
    distance, edge = _vectors(law, network.states[0], lambda n: closed_forms.birth_death(means[0], 1.0, n))
    return max(distance, abs(mean / means[0] - 1)), edge
