"""Link mutation as a method of network inference: a circuit trained on the means of a knockdown screen, then read out.

Part 3 trains a recurrent circuit for a function and reads its topology out by weakening one link at a time (Shen et
al. 2021). Here the function is a screen: rest at the levels of the control cells and, with gene k held at its level
after knockdown, at those of its cells. With one perceptron f_j a gene, outputs in (0, 1),

    dg_j/dt = f_j(g of the regulators) - g_j,      g_k held in case k,      g = sigmoid(mean log fold change),

so that control is 1/2 for every gene. At rest f_j(g) = g_j, and all g are measured: the loss is the departure from that
equation at the measured levels, the root of its squares summed over cases and genes as in part 3, without simulating
at every update (a twentieth of the time). `settle` runs the dynamics; how far it ends from the data is reported.
Regulators are the genes that were knocked down (of others nothing is known), never the gene itself. The weights with
the lowest loss on the means of the validation cells are kept.

Letters: R replicates, C cases (control first), K knocked-down genes, G genes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome.circuits.mutation import rate_values
from regulome.circuits.network import CircuitNetwork, new_network, replicate_generators
from regulome.circuits.optimisers import Adam
from regulome.errors import UserError
from regulome.perturbation.edge_baselines import mean_difference
from regulome.perturbation.edge_evidence import single
from regulome.perturbation.screen import Screen

STRENGTH = 0.5  # what the target sees of its regulator, as in Figs 2 and 4 of Shen et al. 2021
CHECK = 10  # updates between two looks at the validation loss


@dataclass(frozen=True)
class Recipe:
    """How a circuit is trained.

    Attributes
    ----------
    replicates
        Networks, each with random weights of its own.
    hidden
        Units in each of the two hidden layers of every gene.
    updates
        Of the weights, at most.
    rate
        Learning rate (Adam).
    """

    replicates: int = 8
    hidden: int = 8
    updates: int = 400
    rate: float = 3e-3

    def __post_init__(self):
        for name in ("replicates", "hidden", "updates"):
            if getattr(self, name) < 1:
                raise UserError(f"link mutation: {name} is {getattr(self, name)}; expected at least 1")
        if not 0 < self.rate < 1:
            raise UserError(f"link mutation: rate is {self.rate}; expected between 0 and 1")


@dataclass(frozen=True)
class KnockdownTask:
    """What a circuit is trained for; the names are those that `regulome.circuits.network.new_network` reads.

    Attributes
    ----------
    regulators
        K knocked-down genes, which come first among the genes.
    genes
        G genes.
    levels
        (C, G) levels to settle at, between 0 and 1; C = K + 1.
    held
        (C, G) bool: the gene that is held at its level.
    links
        (K, G) bool: every pair but a gene on itself.
    """

    regulators: tuple[str, ...]
    genes: tuple[str, ...]
    levels: np.ndarray
    held: np.ndarray
    links: np.ndarray

    @property
    def initial(self) -> np.ndarray:
        """(G,) every case starts as the control cells."""
        return self.levels[0]


def task(change: np.ndarray, regulators: int, genes: tuple[str, ...] | None = None) -> KnockdownTask:
    """Task from (K, G) changes of mean log expression, knocked-down genes first among the columns.

    Raises
    ------
    UserError
        If a change is not finite or the shape does not fit.
    """
    change = np.asarray(change, float)
    if change.ndim != 2 or len(change) != regulators or change.shape[1] < regulators:
        raise UserError(f"link mutation: found changes of shape {change.shape}; expected {regulators} rows, its genes")
    if not np.isfinite(change).all():
        raise UserError("link mutation: found changes that are not finite; expected a number for every gene and case")
    names = genes or tuple(f"g{i + 1}" for i in range(change.shape[1]))
    held = np.eye(regulators + 1, change.shape[1], -1, dtype=bool)
    return KnockdownTask(
        names[:regulators], names, as_levels(change), held, ~np.eye(regulators, change.shape[1], dtype=bool)
    )


def as_levels(change: np.ndarray) -> np.ndarray:
    """(C, G) levels sigmoid(change) from (K, G) changes of mean log expression, with the control's 1/2 before them."""
    return 1 / (1 + np.exp(-np.vstack([np.zeros(change.shape[1]), change])))


def demanded(network: CircuitNetwork, task: KnockdownTask) -> Tensor:
    """(R, C, G) rates f at the measured levels: where the network rests there, they are the levels. Held genes stay."""
    levels, held = torch.tensor(task.levels, dtype=network.start.dtype), torch.tensor(task.held)
    regulators = levels[:, : len(task.regulators)].expand(network.replicates, -1, -1)
    return torch.where(held, levels, network.rates(regulators))


@torch.no_grad()
def settle(network: CircuitNetwork, task: KnockdownTask, steps: int = 40, dt: float = 0.5) -> Tensor:
    """(R, C, G) levels after `steps` Euler steps from the control, g <- (1 - dt) g + dt f(g), held genes fixed."""
    levels, held = torch.tensor(task.levels, dtype=network.start.dtype), torch.tensor(task.held)
    state = torch.where(held, levels, levels[:1]).expand(network.replicates, *levels.shape)
    for _ in range(steps):
        rates = network.rates(state[..., : len(task.regulators)])
        state = torch.where(held, levels, (1 - dt) * state + dt * rates)
    return state


def errors(state: Tensor, levels: np.ndarray) -> Tensor:
    """(R,) root of the summed squared differences over cases and genes; nan levels are not compared."""
    wanted = torch.tensor(levels, dtype=state.dtype)
    gap = torch.where(torch.isnan(wanted), 0.0, state - wanted.nan_to_num())
    return (gap.square().sum((1, 2)) + 1e-12).sqrt()


def train(own: KnockdownTask, recipe: Recipe, seed: int, judge: np.ndarray | None = None):
    """Train `replicates` circuits.

    Parameters
    ----------
    judge
        (C, G) levels of other cells, nan where there are none: the weights whose rates are nearest to them are kept,
        replicate by replicate (None: the last ones).

    Returns
    -------
    ``(network, loss)``: the trained circuits, and (updates, R) the loss before each update.
    """
    network = new_network(own, "private", recipe.hidden, replicate_generators(seed, recipe.replicates))
    parameters = [each.requires_grad_() for each in network.tensors()]
    optimiser, loss = Adam(recipe.rate), np.zeros((recipe.updates, recipe.replicates), np.float32)
    best, lowest = network.detach(), torch.full((recipe.replicates,), torch.inf)
    for update in range(recipe.updates):
        state = demanded(network, own)
        each = errors(state, own.levels)
        loss[update] = each.detach().numpy()
        if judge is not None and update % CHECK == 0:
            best, lowest = _keep(best, lowest, network, errors(state.detach(), judge))
        gradients = torch.autograd.grad(each.sum(), parameters, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            optimiser.update(parameters, list(gradients))
    return (network.detach() if judge is None else best), loss


def _keep(best: CircuitNetwork, lowest: Tensor, network: CircuitNetwork, found: Tensor):
    """Take over the replicates that came nearer to the validation cells than ever before."""
    better = found < lowest
    for kept, new in zip(best.tensors(), network.tensors(), strict=True):
        kept[better] = new.detach()[better]
    return best, torch.where(better, found, lowest)


def read_out(network: CircuitNetwork, own: KnockdownTask, strength: float = STRENGTH) -> np.ndarray:
    """(R, K, G) f_j at the control levels, less f_j where j sees `strength` times regulator i (eq. 2 of the paper)."""
    control = torch.tensor(own.levels[:1, : len(own.regulators)], dtype=network.start.dtype)
    return rate_values(network, control.expand(network.replicates, 1, -1), strength).numpy()


def infer(change: np.ndarray, regulators: int, recipe: Recipe, seed: int, judge: np.ndarray | None = None):
    """(R, K, G) signed values of every link, from (K, G) mean log changes; see `task` and `train`."""
    own = task(change, regulators)
    network, _ = train(own, recipe, seed, None if judge is None else as_levels(judge))
    return read_out(network, own)


def changes(screen: Screen, split: str) -> tuple[np.ndarray, np.ndarray]:
    """(K, G) mean log change of every latent gene under each single knockdown, and (G,) the order of the genes.

    Knocked-down and measured genes come first; latent genes that were not measured are left out.

    A perturbation without cells in the split is nan.
    """
    total = -mean_difference(screen, split)  # the baseline scores activation as positive: a fall of the target
    measured = screen.latent_column >= 0
    rows = np.array(sorted(row for row in single(screen).values() if measured[row]), int)
    order = np.concatenate([rows, np.setdiff1d(np.flatnonzero(measured), rows)])
    return total[np.ix_(rows, order)], order


def link_mutation(screen: Screen, seed: int, recipe: Recipe) -> np.ndarray:
    """(R, G, G) score matrices of a screen, one a trained circuit; nan out of genes that were not knocked down."""
    change, order = changes(screen, "train")
    judge, _ = changes(screen, "validation")
    values = infer(change, len(change), recipe, seed, judge)
    out = np.full((len(values), len(screen.latent), len(screen.latent)), np.nan)
    out[np.ix_(range(len(values)), order[: len(change)], order)] = values
    return out
