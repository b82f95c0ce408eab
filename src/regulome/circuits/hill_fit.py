"""Fit Hill circuits by gradient descent: many topologies, many random starts of each, all in one batch.

Three aims: the targets of a task, the behaviour of trained networks, and the criteria of the enumeration. The search
itself is in `regulome.circuits.hill_search`; the best restart of each topology is returned.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from regulome.circuits.hill import OscillationCriteria, controlled_oscillation, simulate_hill
from regulome.circuits.hill_search import HillCircuits, HillSearch, Objective
from regulome.circuits.network import CircuitNetwork
from regulome.circuits.network import simulate as simulate_network
from regulome.circuits.task import Task

__all__ = [
    "HillCircuits",
    "fit_to_networks",
    "fit_to_oscillation",
    "fit_to_task",
    "fixed_draws",
    "oscillates",
    "task_loss",
]

_DRAWS = 4  # random cases are replaced by this many fixed draws, so that losses of two updates can be compared
PUBLISHED = OscillationCriteria()
_GRID_DT, _GRID_STEPS = 0.25, 200  # the enumeration's Euler step and length


def fit_to_task(
    task: Task,
    signs: np.ndarray,
    seed: int,
    restarts: int = 16,
    updates: int = 1500,
    device: str = "auto",
    rate: float = 0.05,
    first: HillCircuits | None = None,
    refine: int = 1,
    prior: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[HillCircuits, np.ndarray]:
    """Fit every topology to the targets of a task.

    Parameters
    ----------
    signs
        (B, N, G) topologies.
    restarts
        Random starts of each topology; on the CPU multiples of 16 cost nothing extra.
    first
        Parameters (of the same topologies) that the first restart begins with instead of random ones.
    refine
        Integrate with dt / refine, inputs held, and compare every refine-th sample.
    prior
        Weight of a pull towards ordinary parameters (b = 1, K = 0.5) during the search, in units of the loss; where
        the task leaves a direction free, parameters otherwise run to their bounds.

    Returns
    -------
    HillCircuits, numpy.ndarray
        Best parameter set of each topology, and its loss (B,), the task's own
        (`regulome.circuits.training.replicate_loss`) in float64; the mean over four fixed draws where a task draws
        random numbers.
    """
    signs = _checked(signs, len(task.regulators), len(task.genes))
    inputs, targets = fixed_draws(task, seed)
    fixed = np.tile(np.broadcast_to(task.initial, (len(task.case_names), len(task.genes))), (len(inputs), 1))

    def states(start: Tensor) -> Tensor:  # (..., G) -> (..., S C, G)
        known = torch.as_tensor(fixed, dtype=start.dtype, device=start.device)
        return torch.where(torch.isnan(known), start[..., None, :], known.nan_to_num())

    levels = np.repeat(inputs.reshape(-1, *inputs.shape[2:]), refine, axis=1)
    compare = task_loss(task, targets)

    def objective(x: Tensor) -> Tensor:
        return compare(x[..., refine - 1 :: refine, :])

    search = HillSearch(signs, seed, restarts, device)
    if first is not None:
        search.begin_with(first)
    search.fix_start(np.where(np.isnan(fixed).any(0), np.nan, fixed[0]))
    search.run(search.trajectory(levels, task.dt / refine, states), objective, updates, rate, progress, prior=prior)
    return search.best(
        objective, lambda c: c.simulate(levels, task.dt / refine, states(torch.as_tensor(c.start)).numpy())
    )


def task_loss(task: Task, targets: np.ndarray) -> Objective:
    """Loss of trajectories (..., S C, T, G) of the cases of a task, repeated for S draws: (...,).

    ``targets`` is (S, C, T, G); the loss of each draw is `regulome.circuits.training.replicate_loss`.
    """
    compared = ~np.isnan(targets)
    resting = np.ones(targets.shape[1:]) * task.stationary[:, None, None]
    scale = 1 / compared.sum((1, 2, 3)) if task.loss == "root_mean" else np.ones(len(targets))

    def loss(x: Tensor) -> Tensor:
        x = x.unflatten(-3, targets.shape[:2])
        weight, target, rest, factor = (
            torch.as_tensor(a, dtype=x.dtype, device=x.device)
            for a in (compared, np.nan_to_num(targets), resting, scale)
        )
        errors = ((x - target) * weight).square().sum((-1, -2, -3)) * factor
        if task.stationary.any():
            errors = errors + ((x - x[..., :1, :]) * rest).square().sum((-1, -2, -3))
        return (errors + 1e-12).sqrt().mean(-1)

    return loss


def fit_to_networks(
    network: CircuitNetwork,
    signs: np.ndarray,
    inputs: np.ndarray,
    dt: float,
    seed: int,
    restarts: int = 16,
    updates: int = 1500,
    device: str = "auto",
    rate: float = 0.05,
) -> tuple[HillCircuits, np.ndarray]:
    """Convert trained networks into Hill circuits: first their rates, then their trajectories.

    The first half of the updates matches f of the network at states along its own trajectories, which needs no
    unrolling; the second half matches the trajectories that follow from it.

    Parameters
    ----------
    signs
        (B, N, G) topology of each of the B replicates.
    inputs
        (C, T, I) levels of the cases to be matched.

    Returns
    -------
    HillCircuits, numpy.ndarray
        Best parameter set for each network, and the root mean squared difference (B,) of the trajectories of all
        genes. Circuits start where the networks start in the first case.
    """
    signs = _checked(signs, *network.links.shape[1:])
    if len(signs) != network.replicates:
        raise ValueError(f"signs of {len(signs)} topologies for {network.replicates} networks: expected one each")
    with torch.no_grad():
        levels = torch.as_tensor(np.asarray(inputs), dtype=network.start.dtype)
        start = network.initial_state(len(levels))
        wanted = simulate_network(network, levels, dt)
        before = torch.cat([start[:, :, None], wanted[:, :, :-1]], dim=2)
        every = max(1, before.shape[1] * before.shape[2] // 96)
        shown = levels.expand(len(signs), *levels.shape).flatten(1, 2)[:, ::every]
        visited = before.flatten(1, 2)[:, ::every]
        produced = network.rates(torch.cat([shown, visited], dim=-1))
    search = HillSearch(signs, seed, restarts, device)
    search.fix_start(start[:, 0].numpy())
    # one Euler step with dt = 1 is the rate itself, and every state a case
    rates = search.trajectory(shown[:, :, None].numpy(), 1.0, lambda _: visited[:, None])
    search.run(rates, _distance(produced[:, None, :, None]), updates // 2, rate)
    unrolled = search.trajectory(levels.numpy(), dt, lambda _: start[:, None])
    objective = _distance(wanted[:, None])
    search.run(unrolled, objective, updates - updates // 2, rate)
    return search.best(objective, lambda circuits: circuits.simulate(levels.numpy(), dt, start.numpy()))


def _distance(wanted: Tensor) -> Objective:
    """Root mean squared difference from (B, 1, C, T, G)."""
    return lambda x: ((x - wanted.to(x)).square().mean((-1, -2, -3)) + 1e-12).sqrt()


def fit_to_oscillation(
    signs: np.ndarray,
    seed: int,
    restarts: int = 48,
    updates: int = 200,
    device: str = "auto",
    rate: float = 0.05,
    refine: int = 1,
    screen: int = 100,
    criteria: OscillationCriteria = PUBLISHED,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[HillCircuits, np.ndarray, np.ndarray]:
    """Search each topology (two inputs) for a controlled oscillator in the sense of the enumeration, any period.

    The loss adds hinges on the logarithms of what `hill.controlled_oscillation` looks at, on the published test runs
    (three runs of 50 time units from 0.1, Euler step 0.25, second half); it is zero where all criteria hold with 10 %
    to spare. The logarithm gives even a decaying wiggle a slope towards oscillation: it grows with the damping.

    Parameters
    ----------
    refine
        Integrate with 0.25 / refine and look at every refine-th sample: 1 is the published Euler map.
    screen
        The descent begins with the best of ``restarts * (1 + screen)`` random parameter sets of each topology.

    Returns
    -------
    HillCircuits, passed, loss
        Best parameter set, whether it meets the criteria in the NumPy reference (B,), and its loss (B,).
    """
    signs = _checked(signs, 4 if np.ndim(signs) == 3 and np.shape(signs)[2] == 2 else np.shape(signs)[1], None)
    steps = _GRID_STEPS * refine
    inputs = np.repeat(np.array([[0, 0], [0.8, 0], [0, 0.8]])[:, None], steps, axis=1)
    search = HillSearch(signs, seed, restarts, device)
    search.fix_start(np.full(signs.shape[2], 0.1))
    objective = oscillation_loss(criteria, refine)
    run = search.trajectory(
        inputs, _GRID_DT / refine, lambda start: start[..., None, :].expand(*start.shape[:-1], 3, -1)
    )
    search.screen(run, objective, screen)
    search.run(run, objective, updates, rate, progress, enough=0.0)
    circuits, loss = search.best(objective, lambda c: c.simulate(inputs, _GRID_DT / refine))
    return circuits, oscillates(circuits, refine, criteria), loss


def oscillates(circuits: HillCircuits, refine: int = 1, criteria: OscillationCriteria = PUBLISHED) -> np.ndarray:
    """(B,) True where a circuit meets the criteria of the enumeration, by the NumPy reference."""
    passed = np.zeros(len(circuits), dtype=bool)
    for i in range(len(circuits)):
        b, k = circuits.b[i : i + 1], circuits.k[i : i + 1]
        runs = [
            simulate_hill(circuits.signs[i], b, k, levels, 0.1, _GRID_DT / refine, _GRID_STEPS * refine)
            for levels in ((0, 0), (0.8, 0), (0, 0.8))
        ]
        passed[i] = controlled_oscillation(*(run[:, refine - 1 :: refine, 0] for run in runs), criteria)[0]
    return passed


def oscillation_loss(criteria: OscillationCriteria, refine: int = 1) -> Objective:
    """Sum of hinges on trajectories (..., 3, T, G) at rest, under the first and under the second input."""
    margin, tiny = 1.1, 1e-9

    def below(value: Tensor, limit: float) -> Tensor:
        return torch.relu(torch.log(value + tiny) - np.log(limit / margin))

    def above(value: Tensor, limit: float) -> Tensor:
        return torch.relu(np.log(limit * margin) - torch.log(value.clamp(min=0) + tiny))

    def loss(x: Tensor) -> Tensor:
        output = x[..., refine - 1 :: refine, 0]
        output = output[..., output.shape[-1] // 2 :]
        mean, variance = output.mean(-1), output.var(-1, unbiased=False)
        slope = output[..., 1, 1:] - output[..., 1, :-1]
        product = -slope.amax(-1) * slope.amin(-1)
        return (
            below(variance[..., 0], criteria.rest_variance)
            + above(variance[..., 1], criteria.oscillation_variance)
            + above(product, -criteria.slope_product)
            + below(variance[..., 2], criteria.rest_variance)
            + above((mean[..., 2] + 1e-6) / (mean[..., 0] + 1e-6), criteria.ratio)
        )

    return loss


def fixed_draws(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (S, C, T, I) and targets (S, C, T, G); one row, or a Latin square of draws where a task is random."""
    if not task.draw:
        return task.realise()
    rng = np.random.default_rng(seed)
    middle = (np.arange(_DRAWS) + 0.5) / _DRAWS
    return task.realise(np.stack([rng.permutation(middle) for _ in task.draw], axis=1))


def _checked(signs, regulators: int, genes: int | None) -> np.ndarray:
    """Signs as (B, N, G) integers, or a message."""
    signs = np.asarray(signs)
    if (
        signs.ndim != 3
        or signs.shape[1] != regulators
        or (genes is not None and signs.shape[2] != genes)
        or not len(signs)
    ):
        raise ValueError(
            f"signs have shape {signs.shape}, expected (topologies, {regulators} regulators, {genes} genes)"
        )
    if not np.isin(signs, (-1, 0, 1)).all():
        raise ValueError("signs have to be -1, 0 or 1")
    return signs.astype(np.int8)
