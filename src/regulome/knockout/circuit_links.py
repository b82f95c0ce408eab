"""Links of circuits: the same deletion in a trained network, in the Hill circuit it learned from, and in a line.

A mutant is the circuit in which gene j sees `strength` times regulator i and every other gene sees it whole, as in
`regulome.circuits.mutation`. Effects are mutant minus wild type: the mean level of every gene over cases and time.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from regulome.circuits.hill_search import HillCircuits
from regulome.circuits.mutation import mutant_links
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.errors import UserError, closest
from regulome.knockout.interface import answer, expected
from regulome.knockout.table import table
from regulome.knockout.targets import Link

UNIT = "level"  # 0 to 1, the largest rate of production


@dataclass(frozen=True)
class LinearRates:
    """The baseline: production rates that are linear in the regulators, f = A x + c, fitted by ridge regression.

    Attributes
    ----------
    slope, intercept
        (N, G) A and (G,) c.
    """

    slope: np.ndarray
    intercept: np.ndarray

    @classmethod
    def fit(cls, levels: np.ndarray, inputs: np.ndarray, start: np.ndarray, dt: float, ridge: float = 1e-3):
        """From the trajectories that the network is trained on.

        Parameters
        ----------
        levels, inputs, start
            (C, T, G), (C, T, I) and (C, G); sample k is the state after k + 1 updates.
        ridge
            Penalty on A, as a share of the number of samples.
        """
        before = np.concatenate([start[:, None], levels[:, :-1]], axis=1)
        rate = before + (levels - before) / dt  # from x' = (1 - dt) x + dt f
        x = np.concatenate([inputs, before], axis=2).reshape(-1, inputs.shape[2] + levels.shape[2])
        y = rate.reshape(len(x), -1)
        centre, mean = x.mean(0), y.mean(0)
        gram = (x - centre).T @ (x - centre) + ridge * len(x) * np.eye(x.shape[1])
        slope = np.linalg.solve(gram, (x - centre).T @ (y - mean))
        return cls(slope, mean - centre @ slope)

    def simulate(self, inputs: np.ndarray, start: np.ndarray, dt: float) -> np.ndarray:
        """(C, T, G) levels by forward Euler; rates stay within 0 and 1, as those of any gene."""
        state, out = start, []
        for k in range(inputs.shape[1]):
            x = np.concatenate([inputs[:, k], state], axis=1)
            state = (1 - dt) * state + dt * np.clip(x @ self.slope + self.intercept, 0, 1)
            out.append(state)
        return np.stack(out, axis=1)


def place(target: Link, regulators: int, genes: int) -> tuple[int, int]:
    """Regulator and target gene of a link, as positions.

    Raises
    ------
    UserError
        If the link is not of the form "regulator -> gene", a name is unknown, or the names are not as many as the model
        has.
    """
    where = f"link '{target.name}'"
    if (len(target.regulators), len(target.genes)) != (regulators, genes):
        raise UserError(
            f"{where}: found names of {len(target.regulators)} regulators and {len(target.genes)} genes; expected "
            f"{regulators} and {genes}, as in the model"
        )
    parts = [part.strip() for part in target.name.split("->")]
    if len(parts) != 2:
        raise UserError(f"{where}: not of the form 'regulator -> gene'")
    for part, known, kind in zip(parts, (target.regulators, target.genes), ("regulator", "gene"), strict=True):
        if part not in known:
            raise UserError(f"{where}: no {kind} '{part}'{closest(part, known)}; expected one of {', '.join(known)}")
    return target.regulators.index(parts[0]), target.genes.index(parts[1])


@answer.register
def _(model: CircuitNetwork, target: Link) -> pd.DataFrame:
    """Median over the replicates of a trained network, with the range of nine in ten of them."""
    expected(target, model, Link)
    i, j = place(target, *model.links.shape[1:])
    start = torch.as_tensor(target.start, dtype=model.start.dtype).expand(model.replicates, -1, -1)
    with torch.no_grad():
        runs = [
            simulate(model, target.inputs, target.dt, links=links, initial=start).mean((1, 2)).double().numpy()
            for links in (model.links, mutant_links(model, i, j, target.strength))
        ]
    change = runs[1] - runs[0]  # (R, G)
    low, high = np.quantile(change, [0.05, 0.95], axis=0)
    words = f"5 to 95 % of {len(change)} trainings"
    return _rows(target, "trained network", np.median(change, axis=0), low, high, words)


@answer.register
def _(model: HillCircuits, target: Link) -> pd.DataFrame:
    """One Hill circuit: what is seen of the regulator is scaled, so that K grows; at 0 the link is gone."""
    expected(target, model, Link)
    if len(model) != 1:
        raise UserError(f"knockout: found {len(model)} Hill circuits; expected one: circuits.select([0])")
    i, j = place(target, *model.signs.shape[1:])
    signs, k = model.signs.copy(), model.k.copy()
    if target.strength:
        k[0, i, j] /= target.strength
    else:
        signs[0, i, j] = 0
    wild, mutant = (
        circuit.simulate(target.inputs, target.dt, target.start[None])[0]
        for circuit in (model, replace(model, signs=signs, k=k))
    )
    return _rows(target, "Hill circuit", (mutant - wild).mean((0, 1)))


@answer.register
def _(model: LinearRates, target: Link) -> pd.DataFrame:
    expected(target, model, Link)
    i, j = place(target, *model.slope.shape)
    slope = model.slope.copy()
    slope[i, j] *= target.strength
    wild, mutant = (
        one.simulate(target.inputs, target.start, target.dt) for one in (model, replace(model, slope=slope))
    )
    return _rows(target, "linear rates", (mutant - wild).mean((0, 1)))


def _rows(target: Link, system: str, effect, low=None, high=None, interval: str = "none") -> pd.DataFrame:
    missing = np.full(len(effect), np.nan)
    low, high = missing if low is None else low, missing if high is None else high
    removed = target.name if target.strength == 0 else f"{target.name} x {target.strength:g}"
    rows = [
        {"readout": f"mean level of {gene}", "effect": e, "low": a, "high": b}
        for gene, e, a, b in zip(target.genes, effect, low, high, strict=True)
    ]
    return table(rows, part="circuits", system=system, removed=removed, kind="link", unit=UNIT, interval=interval)
