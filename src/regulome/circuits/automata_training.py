"""Training of networks on the windows of automata: predict the next frames from the first one.

A window holds frames that are several Euler steps apart. The network starts from the first frame and runs freely; its
loss is the root of the summed mean squared errors of the other frames (Fig. 6 of Shen et al. 2021). Every automaton has
its networks, and every network its own random numbers. Networks are ordered by automaton, then replicate.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome import devices
from regulome.circuits.automata import Ring, ring_of
from regulome.circuits.automata_data import FRAME_STEPS
from regulome.circuits.network import LAYERS, CircuitNetwork, truncated_normal
from regulome.circuits.optimisers import Adam
from regulome.errors import UserError

SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class AutomataTraining:
    """How to train; the defaults are the published ones.

    Attributes
    ----------
    hidden
        Units in each of the two hidden layers.
    updates
        Parameter updates of Adam.
    batch
        Windows in each update; every window is used once before any is used again.
    rate, schedule
        Learning rate: "constant", or "cosine": falling to zero along half a cosine.
    decay
        Weight decay, apart from the gradient: every update multiplies all parameters by 1 - rate * decay; 0 is none.
    weight_sd
        Standard deviation of the truncated normal weights and biases at the start.
    dt, frame_steps
        Euler step, and steps between two frames.
    """

    hidden: int = 64
    updates: int = 12001
    batch: int = 8
    rate: float = 1e-2
    schedule: str = "constant"
    decay: float = 0.0
    weight_sd: float = 0.001
    dt: float = 0.2
    frame_steps: int = FRAME_STEPS

    def __post_init__(self):
        if self.schedule not in SCHEDULES:
            raise UserError(f"training: schedule is '{self.schedule}', expected one of {', '.join(SCHEDULES)}")
        for name in ("hidden", "updates", "batch", "frame_steps"):
            if getattr(self, name) < 1:
                raise UserError(f"training: {name} is {getattr(self, name)}, expected at least 1")
        if not 0 <= self.decay < np.inf:
            raise UserError(f"training: decay is {self.decay}, expected a number that is not negative")
        for name in ("rate", "weight_sd", "dt"):
            if not 0 < getattr(self, name) < np.inf:
                raise UserError(f"training: {name} is {getattr(self, name)}, expected a positive number")

    def rates(self) -> np.ndarray:
        """(updates,) learning rate of each update."""
        if self.schedule == "constant":
            return np.full(self.updates, self.rate)
        return self.rate * (1 + np.cos(np.pi * np.arange(self.updates) / self.updates)) / 2


@dataclass(frozen=True)
class TrainedAutomata:
    """Trained networks, M automata times R replicates.

    Attributes
    ----------
    network
        The M R networks; network m R + r is replicate r of automaton m.
    checkpoints
        The networks after some numbers of updates.
    loss
        (updates, M R) loss of each batch before its update.
    """

    network: CircuitNetwork
    checkpoints: dict[int, CircuitNetwork]
    loss: np.ndarray


def new_automata(models: int, genes: int, settings: AutomataTraining, seed: int, replicates: int) -> CircuitNetwork:
    """Random networks for M automata, truncated normal weights and biases; no initial level is trained."""
    sizes = ((2 * genes, settings.hidden), (settings.hidden, settings.hidden), (settings.hidden, genes))
    weights: dict[str, list] = {name: [] for name in LAYERS}
    for m in range(models):
        for r in range(replicates):
            rng = np.random.default_rng([seed, m, r, 0])
            for layer, shape in zip("123", sizes, strict=True):
                weights["w" + layer].append(truncated_normal(rng, settings.weight_sd, (1, *shape)))
                weights["b" + layer].append(truncated_normal(rng, settings.weight_sd, (1, 1, shape[1])))
    count = models * replicates
    return CircuitNetwork(
        architecture="shared",
        weights={name: torch.tensor(np.stack(values), dtype=torch.float32) for name, values in weights.items()},
        start=torch.zeros(count, genes),
        initial=torch.zeros(genes),
        links=torch.ones(count, 2 * genes, genes),
    )


def batch_order(n_windows: int, settings: AutomataTraining, rng: np.random.Generator) -> np.ndarray:
    """(updates, B) windows of each update: shuffled passes through all windows, one after the other."""
    needed = settings.updates * settings.batch
    passes = -(-needed // n_windows)
    order = np.concatenate([rng.permutation(n_windows) for _ in range(passes)])[:needed]
    return order.reshape(settings.updates, settings.batch)


def train_automata(
    windows: np.ndarray,
    settings: AutomataTraining,
    replicates: int,
    seed: int,
    checkpoints: Sequence[int] = (),
    threads: int = 1,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> TrainedAutomata:
    """Train ``replicates`` networks for each automaton.

    On the CPU every network is trained by the compiled kernel, ``threads`` at a time; the result does not depend on
    ``threads``. On a GPU all are one batch of torch operations.

    Parameters
    ----------
    windows
        (M, W, K + 1, cells, G), see `regulome.circuits.automata_data.windows`.
    checkpoints
        Numbers of updates after which the networks are kept as well; those beyond the training are left out.
    progress
        Called with (updates done in all networks, updates in all).

    Raises
    ------
    UserError
        If the device is not to be had.
    """
    train = _train_torch if devices.choose(device) == "cuda" else _train_compiled
    network = new_automata(len(windows), windows.shape[-1], settings, seed, replicates)
    ring = ring_of(windows)
    sites = windows[..., ring.cell, :].astype(np.float32)
    orders = [
        batch_order(windows.shape[1], settings, np.random.default_rng([seed, m, r, 1]))
        for m in range(len(windows))
        for r in range(replicates)
    ]
    stops = sorted({n for n in checkpoints if n < settings.updates} | {settings.updates})
    return train(network, sites, ring, orders, settings, stops, threads, progress)


def flat_parameters(network: CircuitNetwork) -> np.ndarray:
    """(R, P) all weights and biases of each network, layer after layer."""
    return torch.cat([network.weights[name].flatten(1) for name in LAYERS], dim=1).numpy().copy()


def with_parameters(network: CircuitNetwork, flat: np.ndarray) -> CircuitNetwork:
    """Return the network with weights and biases from `flat_parameters`."""
    at, weights = 0, {}
    for name in LAYERS:
        shape = network.weights[name].shape
        size = int(np.prod(shape[1:]))
        weights[name] = torch.tensor(flat[:, at : at + size]).reshape(shape)
        at += size
    return CircuitNetwork(network.architecture, weights, network.start, network.initial, network.links)


def _train_compiled(network, sites, ring, orders, settings, stops, threads, progress) -> TrainedAutomata:
    from threadpoolctl import threadpool_limits

    from regulome.circuits.automata_kernels import train_model

    flat = flat_parameters(network)
    kept = {stop: np.empty_like(flat) for stop in stops}
    loss, rates = np.empty((settings.updates, len(flat)), np.float32), settings.rates()
    replicates, dt = len(flat) // len(sites), np.float32(settings.dt)
    done = [0] * len(flat)

    def run(n: int) -> None:
        means, squares = np.zeros_like(flat[n]), np.zeros_like(flat[n])
        start = 0
        for stop in stops:
            at = slice(start, stop)
            loss[at, n] = train_model(
                flat[n], means, squares, start, sites[n // replicates], orders[n][at], rates[at], settings.decay,
                settings.frame_steps, dt, settings.hidden, ring.left, ring.right, ring.weight,
            )  # fmt: skip
            kept[stop][n] = flat[n]
            start = done[n] = stop
            if progress:
                progress(sum(done), settings.updates * len(flat))

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(len(flat))))
    networks = {stop: with_parameters(network, values) for stop, values in kept.items()}
    return TrainedAutomata(networks[settings.updates], networks, loss)


def window_loss(network: CircuitNetwork, frames: Tensor, ring: Ring, settings: AutomataTraining) -> Tensor:
    """(R,) loss of each network on its windows ``frames`` (R, B, K + 1, sites, G): the plain reference.

    sqrt(sum over the K frames of the mean over windows, cells and genes of the squared error).
    """
    left, right = (torch.as_tensor(side, device=frames.device) for side in (ring.left, ring.right))
    weight = torch.as_tensor(ring.weight, dtype=frames.dtype, device=frames.device)
    state, total = frames[:, :, 0], 0.0
    for k in range(1, frames.shape[2]):
        for _ in range(settings.frame_steps):
            regulators = torch.cat([(state[:, :, left] + state[:, :, right]) / 2, state], dim=-1)
            rate = network.rates(regulators.flatten(1, 2)).unflatten(1, regulators.shape[1:3])
            state = (1 - settings.dt) * state + settings.dt * rate
        squares = (state - frames[:, :, k]).square().mean((1, 3))
        total = total + (squares * weight).sum(-1) / weight.sum()
    return (total + 1e-12).sqrt()


def _train_torch(network, sites, ring, orders, settings, stops, threads, progress, device="cuda") -> TrainedAutomata:
    network, kept = network.detach().to(device), {}
    replicates, optimiser = len(orders) // len(sites), Adam()
    data = torch.as_tensor(sites, device=device)
    order = torch.as_tensor(np.stack(orders), device=device)
    model = torch.arange(len(orders), device=device)[:, None] // replicates
    loss = torch.empty(settings.updates, len(orders), device=device)
    for n, rate in enumerate(settings.rates()):
        parameters = [network.weights[name].requires_grad_() for name in LAYERS]
        losses = window_loss(network, data[model, order[:, n]], ring, settings)
        gradients = torch.autograd.grad(losses.sum(), parameters)
        loss[n] = losses.detach()
        optimiser.rate = rate
        with torch.no_grad():
            for parameter in parameters:
                parameter.mul_(1 - rate * settings.decay)
            optimiser.update(parameters, list(gradients))
        if n + 1 in stops:
            kept[n + 1] = network.detach().to("cpu")
        if progress:
            progress((n + 1) * len(orders), settings.updates * len(orders))
    return TrainedAutomata(kept[settings.updates], kept, loss.cpu().numpy())
