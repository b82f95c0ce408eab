"""Reactions: every reaction of a network slowed down, in the trained solver, in baselines, and exactly."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.errors import UserError
from regulome.knockout import reactions, table
from regulome.knockout.interface import knockout
from regulome.knockout.reactions import NearestLaw, RateEquations
from regulome.knockout.targets import Reaction
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.solver import Solver

SOLVER, NEAREST, RATES = "trained solver", "nearest training law", "rate equations, Poisson noise"
EXACT = "exact stationary law"


def wild_types(solver: Solver, sets: int, seed: int) -> np.ndarray:
    """(sets, P) parameters of the box that no training has seen (uniform, from a seed of their own)."""
    return solver.network.sample_box(sets, seed=seed)


def all_reactions(network: StateTransitionNetwork, theta: np.ndarray, factors: Sequence[float]) -> list[Reaction]:
    """Every reaction that a solver can be asked about, times every factor, for one wild type."""
    return [Reaction(name, theta, factor) for name in reactions.scalable(network) for factor in factors]


def study(
    solvers: Mapping[str, Solver], training: Mapping[str, Dataset], sets: int, factors: Sequence[float], seed: int
) -> dict[str, pd.DataFrame]:
    """Tables of effects with the exact law as truth, by method; `system` names network and wild type.

    Parameters
    ----------
    solvers
        By network.
    training
        Laws of the training, for the networks that have them at hand.
    factors
        By which propensities are multiplied.
    """
    found: dict[str, list[pd.DataFrame]] = {SOLVER: [], RATES: [], NEAREST: []}
    for name, solver in solvers.items():
        network = solver.network
        models = {SOLVER: solver, RATES: RateEquations(network)}
        if name in training:
            models[NEAREST] = NearestLaw(training[name])
        for number, theta in enumerate(wild_types(solver, sets, seed)):
            targets = all_reactions(network, theta, factors)
            true = reactions.scan(network, targets)
            for method, model in models.items():
                one = table.with_truth(reactions.scan(model, targets), true, EXACT)
                found[method].append(one.assign(system=f"{name}, set {number + 1}"))
    notes = table.join(found[SOLVER])[["system", *table.KEYS, "note"]]
    tables = {method: table.join(parts) for method, parts in found.items() if parts}
    return {
        method: one.drop(columns="note").merge(notes, on=["system", *table.KEYS], how="left")[list(table.COLUMNS)]
        for method, one in tables.items()
    }


def by_note(effects: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    """Tables of `study`, apart by whether the scaled parameter lies in the training box."""
    notes = (reactions.INSIDE, reactions.OUTSIDE)
    return {
        note: {name: one[one["note"] == note].reset_index(drop=True) for name, one in effects.items()} for note in notes
    }


def removal(solvers: Mapping[str, Solver], effects: pd.DataFrame, sets: int, seed: int) -> pd.DataFrame:
    """Exact effects of slowing down, beside that of removing the reaction: what a solver cannot be asked for.

    Events without which there is no stationary law (a species that is never lost) have no removal.

    Parameters
    ----------
    effects
        Table of `study`, whose truth is that of slowing down.
    sets, seed
        Wild types to take, the first ones of `study` with that seed.

    Returns
    -------
    pandas.DataFrame
        network, reaction, readout, factor, effect (mean over wild types), removal (the same at factor 0).
    """
    rows = []
    for name, solver in solvers.items():
        for number, theta in enumerate(wild_types(solver, sets, seed)):
            own = effects[effects["system"] == f"{name}, set {number + 1}"]
            for event in reactions.scalable(solver.network):
                try:
                    gone = knockout(solver.network, Reaction(event, theta)).set_index("readout")["effect"]
                except UserError:
                    continue
                slowed = own[own["removed"].str.startswith(f"{event} x ") & own["readout"].str.startswith("mean")]
                rows += [
                    (name, event, row.readout, float(row.removed.rsplit(" ", 1)[1]), row.truth, gone[row.readout])
                    for row in slowed.itertuples()
                ]
    columns = ["network", "reaction", "readout", "factor", "effect", "removal"]
    keys = columns[:4]
    return pd.DataFrame(rows, columns=columns).groupby(keys, sort=False, as_index=False)[columns[4:]].mean()
