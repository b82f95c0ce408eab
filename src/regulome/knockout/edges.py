r"""Edges of a gene regulatory network: zeroed in the network that was learned, cut in the simulated one.

The readout is the answer of the target j to a knockdown of the regulator i, a log2 fold change; the effect of removing
the edge i -> j is that answer without the edge minus that answer with it. In the learned network A (log change of a
gene for a unit log change of a regulator, `regulome.perturbation.gpo_network`) the answer is the regulator's own change
d times the sum over paths p_ij = N_ij / N_ii, N = (I - A)^-1 (the regulator is held), and without the edge, by the
formula of Sherman and Morrison,

    p'_ij = p_ij (1 + A_ij N_ji) - A_ij N_jj,

so that loops through the edge go with it. In the simulated network (`regulome.simulated_screen`) the target's promoter
stays at the rate that the edge has in control cells, whatever the regulator does: a promoter site that no longer
listens. Cutting a site off altogether would also change the control cells, which no log change can express.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from regulome.errors import UserError, closest
from regulome.knockout.interface import answer, expected
from regulome.knockout.table import table
from regulome.knockout.targets import Edge
from regulome.perturbation.ate import SCALE
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.screen import CONTROL, Screen
from regulome.stochastic.gene_ssa import GeneNetwork, sample

UNIT = "log2 fold change"
ROUNDS, TOLERANCE, DAMPING = 5000, 1e-10, 0.3  # of the fixed point


@dataclass(frozen=True)
class TrueNetwork:
    """A simulated gene network whose edges are known.

    Attributes
    ----------
    network
        Genes and links.
    level
        (G,) steady levels of control cells.
    knockdown
        Factor of transcription of a perturbed gene.
    """

    network: GeneNetwork
    level: np.ndarray
    knockdown: float


@dataclass(frozen=True)
class TotalEffects:
    """The baseline without a network: every measured answer is taken for a direct one, so that an edge holds all of it.

    Attributes
    ----------
    names
        Genes.
    change
        (regulators, genes) log2 fold changes by the name of the regulator.
    """

    change: pd.DataFrame


def total_effects(screen: Screen, split: str = "train") -> TotalEffects:
    """Log2 fold changes of the mean share of counts, perturbed over control cells of a split.

    Half a count is added to the counts of each group, so that every ratio exists.
    """
    columns = list(screen.genes)

    def share(label: str) -> np.ndarray:
        rows = screen.rows(split, label)
        counts = np.asarray(screen.counts[rows].sum(0)).ravel()
        return (counts + 0.5) / max(screen.library[rows].sum(), 1.0) * SCALE

    single = [label for label in screen.labels if label in screen.latent and len(screen.rows(split, label))]
    control = share(CONTROL)
    return TotalEffects(
        pd.DataFrame([np.log2(share(name) / control) for name in single], index=single, columns=columns)
    )


# --- one edge


def in_gpo(model: Gpo, target: Edge) -> pd.DataFrame:
    """`knockout` of an edge of a trained network; the regulator falls as it did in the training cells."""
    i, j = (_place(name, model.latent, "latent gene") for name in (target.regulator, target.target))
    effects, _ = _changes(model, np.array([i]), np.array([j]))
    return _row(target, "GPO-VAE, ours", effects[0])


def scan(model: Gpo | TotalEffects, targets: Sequence[Edge]) -> pd.DataFrame:
    """`knockout` of many edges of a trained network, or of the baseline, at once."""
    if isinstance(model, TotalEffects):
        places = [_ends(model, target) for target in targets]
        return rows(targets, "train mean", [-model.change.to_numpy()[place] for place in places])
    i, j = (
        np.array([_place(getattr(one, end), model.latent, "latent gene") for one in targets])
        for end in ("regulator", "target")
    )
    return rows(targets, "GPO-VAE, ours", _changes(model, i, j)[0])


@answer.register
def _(model: TrueNetwork, target: Edge) -> pd.DataFrame:
    """Deterministic steady levels; the effect is 0 where the network has no such edge."""
    expected(target, model, Edge)
    i, j = (_place(name, model.network.names, "gene") for name in (target.regulator, target.target))
    with_edge = steady(model, i)
    without = steady(model, i, deaf=j)
    return _row(target, "simulated network", float(np.log2(without[j] / with_edge[j])))


@answer.register
def _(model: TotalEffects, target: Edge) -> pd.DataFrame:
    expected(target, model, Edge)
    return scan(model, [target])


# --- the parts


def _changes(model: Gpo, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effects of removing the edges i -> j (E,), and the answers with the edges (E,), both log2 fold changes."""
    changes = {row: _own_change(model, row) for row in np.unique(i)}
    own = [changes[row] for row in i]
    a = model.graph.effect
    inverse = np.linalg.inv(np.eye(len(a)) - a)
    path = inverse[i, j] / inverse[i, i]
    without = path * (1 + a[i, j] * inverse[j, i]) - a[i, j] * inverse[j, j]
    scale = np.array(own) / np.log(2)
    return scale * (without - path), scale * path


def _own_change(model: Gpo, gene: int) -> float:
    """Change of a regulator's log expression where it was perturbed, as the fit of the network reads it (`doses`)."""
    name, column = model.latent[gene], model.column[gene]
    if name not in model.labels or column < 0:
        return float(model.direction)
    own = model.direction * float(model.effects[model.labels.index(name), column])
    return model.direction * max(own, model.record["network"]["floor"])


def steady(model: TrueNetwork, gene: int | None = None, deaf: int | None = None) -> np.ndarray:
    """(G,) steady levels x = rate burst promoter(x) when a gene is knocked down.

    Parameters
    ----------
    gene
        The gene that is knocked down (None: none).
    deaf
        A target whose links from `gene` stay as they are in control cells.
    """
    network, rate = model.network, model.network.rate.astype(float).copy()
    if gene is not None:
        rate[gene] *= model.knockdown
    cut = (network.source == gene) & (network.target == (-1 if deaf is None else deaf))
    kept = network.link(model.level[network.source])
    x = model.level.copy()
    for _ in range(ROUNDS):
        factor, promoter = np.where(cut, kept, network.link(x[network.source])), np.ones(len(x))
        np.multiply.at(promoter, network.target, factor)
        step = DAMPING * (rate * network.burst * promoter - x)
        x = x + step
        if np.abs(step).max() < TOLERANCE:
            return x
    raise UserError(f"knockdown of '{network.names[gene] if gene is not None else 'nothing'}': found no steady levels")


def stochastic_check(
    model: TrueNetwork, targets: list[Edge], cells: int, time: float, seed: int, threads: int = 1
) -> pd.DataFrame:
    """The same effects from exact stochastic simulation of cells, for some edges.

    Only the target and the genes upstream of it are simulated; a site that no longer listens is a constant factor of
    the promoter.

    Returns
    -------
    pandas.DataFrame
        removed, effect, low and high (95 %, of the sampling of cells), deterministic.
    """
    rows = []
    for number, target in enumerate(targets):
        i, j = (model.network.names.index(name) for name in (target.regulator, target.target))
        means, errors = [], []
        for deaf in (False, True):
            network, start = _upstream(model, i, j, deaf)
            scale = np.where(np.array(network.names) == target.regulator, model.knockdown, 1.0)
            place = network.names.index(target.target)
            drawn = sample(
                network, np.tile(scale, (cells, 1)), np.ones(cells), start, time, seed + 2 * number + deaf, threads
            )
            found = drawn[:, place]
            means.append(found.mean())
            errors.append(found.std(ddof=1) / np.sqrt(cells) / max(found.mean(), 1e-9) / np.log(2))
        effect, half = np.log2(means[1] / means[0]), 1.96 * np.hypot(*errors)
        exact = answer(model, target)["effect"].iloc[0]
        rows.append((target.name, effect, effect - half, effect + half, exact))
    return pd.DataFrame(rows, columns=["removed", "effect", "low", "high", "deterministic"])


def _upstream(model: TrueNetwork, i: int, j: int, deaf: bool) -> tuple[GeneNetwork, np.ndarray]:
    """The genes i and j and all that act on them; with `deaf`, links i -> j as they are in controls."""
    network = model.network
    keep, last = {i, j}, 0
    while len(keep) > last:
        last = len(keep)
        keep |= set(network.source[np.isin(network.target, list(keep))].tolist())
    order = np.array(sorted(keep))
    links = np.isin(network.source, order) & np.isin(network.target, order)
    cut = (network.source == i) & (network.target == j)
    rate = network.rate.copy()
    if deaf:
        rate[j] *= network.link(model.level[network.source])[cut].prod()
        links &= ~cut
    place = {gene: row for row, gene in enumerate(order)}
    parts = {name: getattr(network, name)[links] for name in ("weight", "threshold", "sign")}
    ends = {name: np.array([place[g] for g in getattr(network, name)[links]], int) for name in ("source", "target")}
    names = tuple(network.names[g] for g in order)
    return replace(network, names=names, rate=rate[order], **ends, **parts), model.level[order]


def _ends(model: TotalEffects, target: Edge) -> tuple[int, int]:
    return (
        _place(target.regulator, tuple(model.change.index), "perturbed gene"),
        _place(target.target, tuple(model.change.columns), "measured gene"),
    )


def _place(name: str, known: tuple[str, ...], kind: str) -> int:
    if name not in known:
        raise UserError(f"edge: no {kind} '{name}'{closest(name, known)}; expected one of {len(known)} names")
    return known.index(name)


def _row(target: Edge, system: str, effect: float) -> pd.DataFrame:
    return rows([target], system, [effect])


def rows(targets: Sequence[Edge], system: str, effect: Sequence[float]) -> pd.DataFrame:
    """Table of the effects of removing edges, one row each."""
    found = [
        {"removed": one.name, "readout": f"{one.target} under knockdown of {one.regulator}", "effect": value}
        for one, value in zip(targets, effect, strict=True)
    ]
    return table(found, part="perturbation", system=system, kind="edge", unit=UNIT)
