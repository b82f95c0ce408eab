"""The recurrent gene circuit: many replicates of one network, stacked along the first axis.

Dynamics (Shen et al. 2021, eq. 1): dg/dt = f(g, I) - g, where f is a small perceptron with outputs in (0, 1) and the
decay rate is 1. With forward Euler, g <- (1 - dt) g + dt f([I, g]).

Two architectures share one layout of the weights, a stack of M perceptrons with O outputs each:

* ``shared``: M = 1 perceptron, O = G outputs. Every gene reads the same hidden layers.
* ``private``: M = G perceptrons, O = 1 output. Each gene has its own copy of all regulators, so that a link can be
  deleted (masked) for one target without touching the others.

Letters: R replicates, C cases, T steps, G genes, N = I + G regulators (inputs first), H hidden units.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

ARCHITECTURES = ("shared", "private")
LAYERS = ("w1", "b1", "w2", "b2", "w3", "b3")


@dataclass(frozen=True)
class CircuitNetwork:
    """Weights of R replicates of one gene circuit.

    Attributes
    ----------
    weights
        w1 (R, M, N, H), b1 (R, M, 1, H), w2 (R, M, H, H), b2 (R, M, 1, H), w3 (R, M, H, O), b3 (R, M, 1, O).
    start
        (R, G) trained initial levels, used where ``initial`` is NaN.
    initial
        (G,) or (C, G) fixed initial levels.
    links
        (R, N, G) 1 where a link exists, 0 where it is deleted.
    """

    architecture: str
    weights: dict[str, Tensor]
    start: Tensor
    initial: Tensor
    links: Tensor

    @property
    def replicates(self) -> int:
        """Number of replicates R."""
        return self.start.shape[0]

    @property
    def n_genes(self) -> int:
        """Number of genes G."""
        return self.start.shape[1]

    def tensors(self) -> list[Tensor]:
        """All trained tensors, replicates first: the six layers and the initial levels."""
        return [*(self.weights[name] for name in LAYERS), self.start]

    def select(self, index) -> "CircuitNetwork":
        """Return the replicates at ``index`` (integers, booleans or a slice)."""
        if not isinstance(index, slice):
            index = torch.as_tensor(np.asarray(index))
        weights = {name: tensor[index] for name, tensor in self.weights.items()}
        return replace(self, weights=weights, start=self.start[index], links=self.links[index])

    def detach(self) -> "CircuitNetwork":
        """Return a copy that records no gradients."""
        weights = {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        return replace(self, weights=weights, start=self.start.detach().clone())

    def to(self, target: torch.dtype | str) -> "CircuitNetwork":
        """Return the network in another floating-point type or on another device."""
        weights = {name: tensor.to(target) for name, tensor in self.weights.items()}
        moved = {name: getattr(self, name).to(target) for name in ("start", "initial", "links")}
        return replace(self, weights=weights, **moved)

    def initial_state(self, cases: int) -> Tensor:
        """(R, C, G) levels at time zero: fixed where given, else trained."""
        fixed = self.initial.expand(cases, self.n_genes)
        return torch.where(torch.isnan(fixed), self.start[:, None], fixed.nan_to_num())

    def rates(self, regulators: Tensor, links: Tensor | None = None) -> Tensor:
        """Production rates f.

        Parameters
        ----------
        regulators
            (R, C, N) levels of inputs and genes.
        links
            (R, N, G) or (N, G) factor on regulator i as target j sees it; default: the network's own links.

        Returns
        -------
        Tensor
            (R, C, G) rates in (0, 1).
        """
        links = self.links if links is None else links.expand(self.links.shape)
        if self.architecture == "shared" and same_for_all_targets(links):
            return self._perceptron((regulators * links[:, None, :, 0])[:, None])[:, 0]
        seen = regulators[:, None] * links.transpose(1, 2)[:, :, None]  # (R, G, C, N): what each target sees
        if self.architecture == "private":
            return self._perceptron(seen)[..., 0].transpose(1, 2)
        # one shared perceptron cannot hide a regulator from one target: run a masked copy a target, keep its output
        copies = self._perceptron(seen.flatten(1, 2)[:, None]).unflatten(2, seen.shape[1:3])
        return torch.diagonal(copies[:, 0], dim1=1, dim2=3)

    def _perceptron(self, x: Tensor) -> Tensor:
        """(R, M, B, N) -> (R, M, B, O)."""
        w = self.weights
        lead = x.shape[:2]
        x = x.flatten(0, 1)
        for i in "12":
            x = torch.relu(torch.baddbmm(w["b" + i].flatten(0, 1), x, w["w" + i].flatten(0, 1)))
        return torch.sigmoid(torch.baddbmm(w["b3"].flatten(0, 1), x, w["w3"].flatten(0, 1))).unflatten(0, lead)


def same_for_all_targets(links: Tensor) -> bool:
    """Whether every target sees the same regulators: all that a shared perceptron can be trained with."""
    return bool((links == links[..., :1]).all())


def truncated_normal(rng: np.random.Generator, sd: float, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers with those beyond two standard deviations drawn again (weights, biases and noise)."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return sd * values


def replicate_generators(seed: int, replicates: int, first: int = 0) -> list[np.random.Generator]:
    """One generator a replicate: replicate r is the same whatever the size of the batch it is trained in."""
    children = np.random.SeedSequence(seed).spawn(first + replicates)[first:]
    return [np.random.default_rng(child) for child in children]


def new_network(
    task,
    architecture: str,
    hidden: int,
    generators: list[np.random.Generator],
    weight_sd: float = 0.1,
    dtype: torch.dtype = torch.float32,
) -> CircuitNetwork:
    """Random networks for a task, one a generator.

    Weights and biases are truncated normal with standard deviation ``weight_sd``, trainable initial levels uniform in
    (0, 1) (public code of Shen et al. 2021).

    Raises
    ------
    ValueError
        If the architecture is unknown.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture is '{architecture}', expected one of {', '.join(ARCHITECTURES)}")
    n, genes = len(task.regulators), len(task.genes)
    modules, outputs = (1, genes) if architecture == "shared" else (genes, 1)
    sizes = {"1": (n, hidden), "2": (hidden, hidden), "3": (hidden, outputs)}
    weights: dict[str, list] = {name: [] for name in LAYERS}
    starts = []
    for rng in generators:
        for i, (fan_in, fan_out) in sizes.items():
            weights["w" + i].append(truncated_normal(rng, weight_sd, (modules, fan_in, fan_out)))
            weights["b" + i].append(truncated_normal(rng, weight_sd, (modules, 1, fan_out)))
        starts.append(rng.uniform(0, 1, genes))
    links = np.broadcast_to(task.links, (len(generators), n, genes))
    return CircuitNetwork(
        architecture=architecture,
        weights={name: torch.tensor(np.stack(values), dtype=dtype) for name, values in weights.items()},
        start=torch.tensor(np.stack(starts), dtype=dtype),
        initial=torch.tensor(task.initial, dtype=dtype),
        links=torch.tensor(links.copy(), dtype=dtype),
    )


def simulate(
    network: CircuitNetwork,
    inputs: Tensor | np.ndarray,
    dt: float,
    links: Tensor | None = None,
    activity: Tensor | None = None,
    noise: Tensor | None = None,
    initial: Tensor | None = None,
) -> Tensor:
    """Integrate dg/dt = f - g by forward Euler.

    Parameters
    ----------
    inputs
        (C, T, I) or (R, C, T, I) levels; row k acts during the update that produces sample k.
    links
        Replaces the network's links (see `CircuitNetwork.rates`): a link mutation.
    activity
        (G,) factor on f: 0 is a gene knocked out.
    noise
        (R, C, T, G) numbers added to f at each step.
    initial
        (R, C, G) state at time zero; default: the network's own.

    Returns
    -------
    Tensor
        (R, C, T, G) levels; the first sample is the state after the first update.
    """
    inputs = torch.as_tensor(inputs, dtype=network.start.dtype)
    inputs = inputs.expand(network.replicates, *inputs.shape[-3:])
    state = network.initial_state(inputs.shape[1]) if initial is None else initial
    trajectory = []
    for k in range(inputs.shape[2]):
        rate = network.rates(torch.cat([inputs[:, :, k], state], dim=-1), links)
        if activity is not None:
            rate = rate * activity
        if noise is not None:
            rate = rate + noise[:, :, k]
        state = (1 - dt) * state + dt * rate
        trajectory.append(state)
    return torch.stack(trajectory, dim=2)
