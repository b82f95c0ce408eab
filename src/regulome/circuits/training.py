"""Training of many replicates of a gene circuit at once.

All replicates are one batch: their weights are stacked, every operation is a batched matrix product, and the loss of
each is its own square root, so that no replicate feels another. A replicate that has converged leaves the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from regulome import devices
from regulome.circuits.network import CircuitNetwork, new_network, replicate_generators, same_for_all_targets, simulate
from regulome.circuits.noise import noise_at, noise_keys
from regulome.circuits.optimisers import OPTIMISERS
from regulome.circuits.task import Task
from regulome.errors import UserError, closest

BACKENDS = ("torch", "compiled", "auto")


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; the defaults are those of the published Figs 2 to 4.

    Attributes
    ----------
    architecture
        "private" (a perceptron a gene) or "shared" (one for all genes).
    hidden
        Units in each of the two hidden layers.
    steps
        Parameter updates.
    optimiser, rate
        "rmsprop" or "adam" (TensorFlow 1 definitions) and the learning rate.
    noise
        Standard deviation of the truncated normal noise added to f at every Euler step of the training; 0 is none.
    weight_sd
        Standard deviation of the truncated normal weights and biases at the start.
    stop_below
        A replicate stops when its mean loss over ``check_every`` updates falls below this; None trains all to the end.
    check_every
        Updates between two looks at ``stop_below``.
    backend
        "torch" (autograd, any device), "compiled" (numba kernel on the CPU, same arithmetic) or "auto".
    """

    architecture: str = "private"
    hidden: int = 16
    steps: int = 2001
    optimiser: str = "rmsprop"
    rate: float = 1e-3
    noise: float = 0.0
    weight_sd: float = 0.1
    stop_below: float | None = None
    check_every: int = 100
    backend: str = "auto"

    def __post_init__(self):
        for name, known in (("optimiser", OPTIMISERS), ("backend", BACKENDS), ("architecture", ("shared", "private"))):
            value = getattr(self, name)
            if value not in known:
                raise UserError(
                    f"training: {name} is '{value}', expected one of {', '.join(known)}{closest(value, known)}"
                )
        for name, low in (("hidden", 1), ("steps", 1), ("check_every", 1)):
            if getattr(self, name) < low:
                raise UserError(f"training: {name} is {getattr(self, name)}, expected at least {low}")
        for name, positive in (("rate", True), ("weight_sd", True), ("noise", False)):
            value = getattr(self, name)
            if not (0 < value < np.inf or (value == 0 and not positive)):
                expected = "a positive number" if positive else "a number that is not negative"
                raise UserError(f"training: {name} is {value}, expected {expected}")


@dataclass(frozen=True)
class TrainingResult:
    """Trained replicates.

    Attributes
    ----------
    network
        The R trained networks, in the order of their seeds.
    loss
        (steps, R) loss before each update; NaN after a replicate has stopped.
    updates
        (R,) number of updates that each replicate received.
    """

    network: CircuitNetwork
    loss: np.ndarray
    updates: np.ndarray

    @property
    def final_loss(self) -> np.ndarray:
        """(R,) mean loss over the last 20 updates of each replicate (a random case makes single values jump)."""
        return np.array([self.loss[max(0, n - 20) : n, r].mean() for r, n in enumerate(self.updates)])


def replicate_loss(task: Task, trajectory: Tensor, targets: Tensor, stationary: Tensor) -> Tensor:
    """Loss of each replicate, the square root of its squared errors (`Task.loss`).

    The published code adds, under the root, the departure of every gene from its first sample in the cases that must
    stay at rest: sum over t and genes of (X[t] - X[0])². Without it the unobserved genes drift.

    Parameters
    ----------
    trajectory
        (R, C, T, G) simulated levels.
    targets
        (R or 1, C, T, G) with NaN where nothing is compared.
    stationary
        (C,) booleans.

    Returns
    -------
    Tensor
        (R,) losses.
    """
    compared = ~torch.isnan(targets)
    errors = torch.where(compared, trajectory - targets.nan_to_num(), 0).square().sum((1, 2, 3))
    if task.loss == "root_mean":
        errors = errors / compared.sum((1, 2, 3))
    resting = trajectory[:, stationary]
    if resting.shape[1]:
        errors = errors + (resting - resting[:, :, :1]).square().sum((1, 2, 3))
    return (errors + 1e-12).sqrt()  # the root has no slope at zero


def train(
    task: Task,
    settings: TrainingSettings,
    replicates: int,
    seed: int,
    links: np.ndarray | None = None,
    first: int = 0,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    start: CircuitNetwork | None = None,
) -> TrainingResult:
    """Train ``replicates`` networks for a task, all at once.

    Parameters
    ----------
    seed, first
        Replicate r takes its weights, random cases and noise from stream ``first + r`` of the seed, so that a block of
        replicates gives the same networks as the same rows of a larger block (to the rounding of batched products).
    links
        (R, N, G) or (N, G) booleans, links each replicate may use; default: ``task.links``.
    device
        "auto", "cpu" or "cuda"; the compiled trainer runs on the CPU only. The networks come back to the CPU.
    progress
        Called with (updates done, updates in all).
    start
        Networks whose weights and trained initial levels the training starts from, one a replicate; the optimiser
        starts afresh, fixed initial levels and links are those of the task. Default: random networks.

    Raises
    ------
    UserError
        If the links have the wrong shape, ``start`` does not fit the task, or the device is not to be had.
    ValueError
        If a shared network is to be trained without a link that other targets of the same regulator keep.
    """
    device = devices.choose(device)
    generators = replicate_generators(seed, replicates, first)
    network = new_network(task, settings.architecture, settings.hidden, generators, settings.weight_sd)
    if start is not None:
        network = _with_weights(network, task, start)
    if links is not None:
        network = _with_links(network, task, np.asarray(links))
    if settings.architecture == "shared" and not same_for_all_targets(network.links):
        raise ValueError("a shared network can lose a regulator only for all genes at once: use architecture 'private'")
    if settings.backend == "compiled" or (settings.backend == "auto" and device == "cpu"):
        from regulome.circuits.compiled import train_compiled

        result = train_compiled(task, settings, network, generators, progress)
    else:
        result = _train_torch(task, settings, network, generators, device, progress)
    if progress:
        progress(settings.steps, settings.steps)  # all replicates may have stopped early
    return result


def _with_links(network: CircuitNetwork, task: Task, links: np.ndarray) -> CircuitNetwork:
    shape = tuple(network.links.shape)
    if links.shape not in (shape, shape[1:]) or links.dtype != bool:
        raise UserError(
            f"task '{task.name}': links mask has shape {links.shape} and type {links.dtype}, "
            f"expected booleans of shape {shape[1:]} (regulators, genes) or {shape}"
        )
    return replace(network, links=torch.tensor(np.broadcast_to(links & task.links, shape).copy(), dtype=torch.float32))


def _with_weights(network: CircuitNetwork, task: Task, start: CircuitNetwork) -> CircuitNetwork:
    """Put the weights and trained levels of ``start`` into a new network of the task."""
    expected, found = ([tuple(t.shape) for t in n.tensors()] for n in (network, start))
    if start.architecture != network.architecture or found != expected:
        raise UserError(
            f"task '{task.name}': the networks to start from are {start.architecture} with weights of shapes {found}, "
            f"expected {network.architecture} with {expected}"
        )
    given = start.detach().to(torch.float32)
    return replace(network, weights=given.weights, start=given.start)


def _train_torch(task, settings, network, generators, device, progress) -> TrainingResult:
    replicates = network.replicates
    active = np.arange(replicates)  # replicates still in the batch
    finished: dict[int, CircuitNetwork] = {}
    history = np.full((settings.steps, replicates), np.nan, dtype=np.float32)
    network = network.to(device)
    optimiser = OPTIMISERS[settings.optimiser](settings.rate)
    stationary = torch.from_numpy(task.stationary).to(device)
    fixed = [torch.tensor(a, dtype=torch.float32, device=device) for a in task.realise()] if not task.draw else None
    keys = noise_keys(generators)
    for step in range(settings.steps):
        inputs, targets = fixed or _draw_cases(task, generators, device)
        noise = None
        if settings.noise:
            shape = (len(task.case_names), task.steps, len(task.genes))
            noise = torch.from_numpy(noise_at(keys, step, settings.noise, shape)).to(device)
        parameters = [p.requires_grad_() for p in network.tensors()]
        trajectory = simulate(network, inputs, task.dt, noise=noise)
        losses = replicate_loss(task, trajectory, targets, stationary)
        gradients = torch.autograd.grad(losses.sum(), parameters, allow_unused=True, materialize_grads=True)
        history[step, active] = losses.detach().cpu().numpy()
        with torch.no_grad():
            optimiser.update(parameters, list(gradients))
        if progress:
            progress(step + 1, settings.steps)
        if settings.stop_below is not None and (step + 1) % settings.check_every == 0 and step + 1 < settings.steps:
            done = history[step + 1 - settings.check_every : step + 1, active].mean(0) < settings.stop_below
            for position in np.flatnonzero(done):
                finished[int(active[position])] = network.detach().select([int(position)])
            if done.any():
                keep = np.flatnonzero(~done)
                active, generators, keys = active[keep], [generators[i] for i in keep], keys[keep]
                if not len(active):
                    break
                network = network.detach().select(keep)
                optimiser.select(torch.from_numpy(keep).to(device))
    for position, replicate in enumerate(active):
        finished[int(replicate)] = network.detach().select([position])
    return TrainingResult(
        network=_stack([finished[r].to("cpu") for r in range(replicates)]),
        loss=history,
        updates=np.isfinite(history).sum(0),
    )


def _draw_cases(task: Task, generators, device: str) -> tuple[Tensor, Tensor]:
    draws = np.stack([rng.random(len(task.draw)) for rng in generators])
    return tuple(torch.tensor(a, dtype=torch.float32, device=device) for a in task.realise(draws))


def _stack(parts: list[CircuitNetwork]) -> CircuitNetwork:
    weights = {name: torch.cat([part.weights[name] for part in parts]) for name in parts[0].weights}
    return replace(
        parts[0],
        weights=weights,
        start=torch.cat([part.start for part in parts]),
        links=torch.cat([part.links for part in parts]),
    )
