"""Link mutation: read a trained network out as a topology by weakening one regulation at a time.

A mutant (i -> j, strength s) is the network in which target j sees s times regulator i and every other target sees it
whole. Values are wild type minus mutant, so that a positive value is an activation. Two kinds are in use (Shen et al.
2021): the change of the *trajectory* of gene j when the mutant runs freely, and the change of the *rate* f_j along the
wild-type trajectory (their eq. 2). The figures of the paper differ in strength, step, time window and reduction; each
is a protocol in `PROTOCOLS`, under the number of its figure.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome.circuits.morphogens import maternal_inputs
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.errors import UserError, closest


@dataclass(frozen=True)
class Protocol:
    """How link mutations are measured.

    Attributes
    ----------
    kind
        "trajectory" (free-running mutant) or "rate" (change of f along the wild-type trajectory).
    strength
        What the target sees of the regulator: 0 is a knock-out, 0.9 a weak knock-down.
    dt
        Euler step of the test.
    inputs
        (C, T, I) input levels of the test; row k acts during the update that produces sample k.
    reduce
        "mean" over cases and samples, or "sum_final": sum over cases of the last sample.
    every
        Use every n-th sample ("rate" only).
    scale
        Factor on the values (the published tables hold 100 times the mean in Fig. 6).
    cutoff
        Smallest absolute value that counts as a link; None where the paper states none.
    """

    kind: str
    strength: float
    dt: float
    inputs: np.ndarray
    reduce: str = "mean"
    every: int = 1
    scale: float = 1.0
    cutoff: float | None = None


def step_inputs(levels, n_steps: int, on: int, rest: float = 0.0) -> np.ndarray:
    """(C, T, I) inputs that stay at ``rest`` for the first ``on`` samples and then jump to ``levels`` (C, I)."""
    levels = np.asarray(levels, dtype=float)
    inputs = np.repeat(levels[:, None], n_steps, axis=1)
    inputs[:, :on] = rest
    return inputs


def _adaptation() -> Protocol:
    levels = [[0.25], [0.5], [0.75], [1.0]]
    return Protocol("trajectory", 0.5, 0.2, step_inputs(levels, 60, on=20, rest=0.1))


def _two_inputs(levels) -> list[list[float]]:
    return [[level, 0.0] for level in levels] + [[0.0, level] for level in levels]


def _oscillation() -> Protocol:
    inputs = step_inputs(_two_inputs([0.25, 0.5, 0.75, 1.0]), 300, on=60)
    return Protocol("trajectory", 0.9, 0.1, inputs, cutoff=5e-4)


def _sparse_oscillators() -> Protocol:
    return Protocol("trajectory", 0.5, 0.2, step_inputs(_two_inputs([0.5, 1.0]), 120, on=60))


def _gap_genes() -> Protocol:
    inputs = np.repeat(maternal_inputs(np.linspace(0, 1, 64))[:, None], 30, axis=1)
    return Protocol("trajectory", 0.0, 0.1, inputs, reduce="sum_final", cutoff=1.0)


def _cellular_automata() -> Protocol:
    return Protocol("rate", 0.0, 0.2, np.zeros((21, 150, 0)), every=2, scale=100.0)


PROTOCOLS: dict[str, Callable[[], Protocol]] = {
    "fig2": _adaptation,
    "fig3": _oscillation,
    "fig4": _sparse_oscillators,
    "fig5": _gap_genes,
    "fig6": _cellular_automata,
}


def protocol(name: str) -> Protocol:
    """Return the protocol of one figure of the paper ("fig2" ... "fig6").

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in PROTOCOLS:
        raise UserError(f"link mutation protocol '{name}' is unknown{closest(name, PROTOCOLS)}: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]()


def mutant_links(network: CircuitNetwork, regulator: int, target: int, strength: float) -> Tensor:
    """(R, N, G) links of the network with one of them scaled by ``strength``."""
    links = network.links.clone()
    links[:, regulator, target] *= strength
    return links


@torch.no_grad()
def mutant_trajectories(network: CircuitNetwork, test: Protocol) -> tuple[Tensor, Tensor]:
    """Run the wild type and every single-link mutant freely.

    Returns
    -------
    wild_type, mutants
        (R, C, T, G) and (N, G, R, C, T, G): all genes, so that any phenotype can be read off.
    """
    n, genes = network.links.shape[1:]
    wild_type = simulate(network, test.inputs, test.dt)
    mutants = [
        [
            simulate(network, test.inputs, test.dt, links=mutant_links(network, i, j, test.strength))
            for j in range(genes)
        ]
        for i in range(n)
    ]
    return wild_type, torch.stack([torch.stack(row) for row in mutants])


@torch.no_grad()
def rate_values(network: CircuitNetwork, regulators: Tensor, strength: float) -> Tensor:
    """Mean change of f_j(x) - f_j(mutated x) over states (eq. 2 of the paper).

    Parameters
    ----------
    regulators
        (R, S, N) states visited by the wild type: inputs, then genes.

    Returns
    -------
    Tensor
        (R, N, G) values.
    """
    n, genes = network.links.shape[1:]
    base = network.rates(regulators)
    values = torch.zeros(network.replicates, n, genes, dtype=base.dtype)
    for i in range(n):
        # weakening regulator i for every target at once gives the whole row: f_j depends on row entry j alone
        links = network.links.clone()
        links[:, i] *= strength
        values[:, i] = (base - network.rates(regulators, links)).mean(1)
    return values


@torch.no_grad()
def wild_type_states(network: CircuitNetwork, test: Protocol, initial: Tensor | None = None) -> Tensor:
    """(R, S, N) regulator levels along the wild-type trajectory: what f is evaluated on, before each update.

    A protocol without inputs for a network whose first half of the regulators are neighbour means runs on a ring of
    cells (`regulome.circuits.automata`).
    """
    if test.inputs.shape[-1] == network.links.shape[1] - network.n_genes:
        inputs = torch.as_tensor(test.inputs, dtype=network.start.dtype).expand(network.replicates, *test.inputs.shape)
        start = network.initial_state(inputs.shape[1]) if initial is None else initial
        trajectory = simulate(network, inputs, test.dt, initial=start)
        before = torch.cat([start[:, :, None], trajectory[:, :, :-1]], dim=2)
        states = torch.cat([inputs, before], dim=-1)
    else:
        from regulome.circuits.automata import ring_states

        if initial is None:
            raise ValueError("a ring of cells has no trained initial state: pass `initial` (R, cells, G)")
        states = ring_states(network, initial, test.inputs.shape[1], test.dt)
    return states[:, :, :: test.every].flatten(1, 2)


def link_values(network: CircuitNetwork, test: Protocol, initial: Tensor | None = None) -> np.ndarray:
    """Signed value of every link of every replicate under a protocol.

    Returns
    -------
    numpy.ndarray
        (R, N, G), wild type minus mutant; deleted links are exactly 0.
    """
    if test.kind == "rate":
        values = rate_values(network, wild_type_states(network, test, initial), test.strength)
        return test.scale * values.numpy()
    wild_type, mutants = mutant_trajectories(network, test)
    change = _change_of_target(wild_type, mutants)
    values = change.mean((-1, -2)) if test.reduce == "mean" else change[..., -1].sum(-1)
    return test.scale * values.permute(2, 0, 1).numpy()


def link_effects(network: CircuitNetwork, test: Protocol) -> np.ndarray:
    """(R, N, G) mean squared change of the target's own trajectory: the order in which sparsening deletes links."""
    wild_type, mutants = mutant_trajectories(network, test)
    return _change_of_target(wild_type, mutants).square().mean((-1, -2)).permute(2, 0, 1).numpy()


def _change_of_target(wild_type: Tensor, mutants: Tensor) -> Tensor:
    """(N, G, R, C, T): change of gene j in the mutants of links onto j."""
    own = torch.diagonal(mutants, dim1=1, dim2=5).movedim(-1, 1)
    return wild_type.permute(3, 0, 1, 2)[None] - own


def signs(values: np.ndarray, cutoff: float) -> np.ndarray:
    """-1 inhibition, 0 absent, +1 activation: the sign of each value whose size is above the cutoff."""
    return np.where(np.abs(values) > cutoff, np.sign(values), 0).astype(int)


def link_names(regulators, genes) -> list[str]:
    """Names such as "I -> g2", regulators first, in the order of a flattened (N, G) table."""
    return [f"{regulator} -> {gene}" for regulator in regulators for gene in genes]
