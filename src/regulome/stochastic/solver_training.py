"""Training of the solver on exact or simulated laws: exact cross-entropy through the prefix tree.

    minimise  E_theta [ - sum_s p(s | theta) ln q(s | theta) ]

with AdamW, a linear warm-up and a cosine to zero. What the record shows is the Kullback-Leibler divergence: the
cross-entropy less the entropy of the given laws, which is 0 for a perfect solver. Validation sets are other points.
"""

import math
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from tqdm import tqdm

from regulome import devices
from regulome.errors import UserError
from regulome.stochastic.cross_entropy import batch_cross_entropy
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_targets import Targets


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    steps
        Optimiser steps.
    batch
        Parameter sets a step.
    prefixes
        Most prefixes a level and parameter set; where there are more they are drawn in proportion to their
        probability. 0 takes all.
    rate
        Learning rate after the warm-up; a cosine takes it to 0.
    warm_up
        Steps of linear warm-up.
    decay
        Weight decay of matrices (AdamW).
    clip
        Largest norm of the gradient; 0 does not clip.
    smallest
        Count vectors of the given laws with less probability are left out.
    check_every
        Steps between two looks at the validation sets.
    seed
        Of the initial weights, order and drawing.
    """

    steps: int = 2000
    batch: int = 64
    prefixes: int = 8
    rate: float = 2e-3
    warm_up: int = 50
    decay: float = 0.0
    clip: float = 1.0
    smallest: float = 1e-8
    check_every: int = 200
    seed: int = 0

    def __post_init__(self):
        for name, low in (("steps", 1), ("batch", 1), ("prefixes", 0), ("warm_up", 0), ("check_every", 1)):
            if getattr(self, name) < low:
                raise UserError(f"training: {name} is {getattr(self, name)}, expected at least {low}")
        for name, low in (("rate", 0.0), ("decay", 0.0), ("clip", 0.0), ("smallest", 0.0)):
            value = getattr(self, name)
            if not (low <= value < 1e3) or (name == "rate" and value == 0):
                raise UserError(f"training: {name} is {value}, expected a finite number above or at {low:g}")


def targets(solver: Solver, dataset: Dataset, smallest: float = 0.0) -> tuple[Targets, np.ndarray]:
    """Laws of a data set within the solver's bounds, and (T,) the probability that lay outside and was left out.

    Raises
    ------
    UserError
        If the data set is of other states.
    """
    if dataset.network.recorded != solver.network.recorded:
        found, expected = (", ".join(x.network.recorded) for x in (dataset, solver))
        raise UserError(f"training: found laws of {found}, expected {expected}")
    lost = np.zeros(len(dataset))

    def inside():
        for i in range(len(dataset)):
            law, lost[i] = dataset[i].dropped(solver.bounds)
            yield law

    return Targets(inside(), solver.bounds, smallest), lost


def train(
    solver: Solver,
    dataset: Dataset,
    settings: TrainingSettings,
    validation: Dataset | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Solver:
    """Train a solver, in place, and return it with its record.

    Parameters
    ----------
    dataset, validation
        Laws to learn, and laws of other parameter sets to look at meanwhile.
    device
        "auto", "cpu" or "cuda".
    progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    Solver
        The same solver; its record has ``settings``, ``sets``, ``lost`` (largest probability above the bounds) and
        ``curve``: lists ``step``, ``kl`` (mean since the last entry) and ``validation_kl``.

    Raises
    ------
    UserError
        If the data sets do not fit, or share a parameter set.
    """
    if validation is not None:
        check_disjoint(dataset, validation)
    where = devices.choose(device)
    solver.to(where)
    found, lost = targets(solver, dataset, settings.smallest)
    prompts = prompts_of(solver, dataset)
    held = None if validation is None else (targets(solver, validation)[0], prompts_of(solver, validation))
    network, generator = solver.transformer, np.random.default_rng(settings.seed)
    optimiser = _optimiser(network, settings)
    curve: dict[str, list] = {"step": [], "kl": [], "validation_kl": []}
    recent, seconds = [], 0.0
    order = _order(len(found), settings.batch, generator)
    with tqdm(total=settings.steps, unit=" steps", disable=None if progress else True) as bar:
        for step in range(1, settings.steps + 1):
            start = time.perf_counter()
            sets = next(order)
            batch = found.batch(sets, settings.prefixes, generator if settings.prefixes else None).to(where)
            loss = batch_cross_entropy(network, prompts[torch.from_numpy(sets)], batch)
            _step(network, optimiser, loss, settings.rate * schedule(step, settings), settings.clip)
            recent.append(loss.item() - found.entropy[sets].mean())
            seconds += time.perf_counter() - start
            if step % settings.check_every == 0 or step == settings.steps:
                curve["step"].append(step)
                curve["kl"].append(float(np.mean(recent)))
                curve["validation_kl"].append(math.nan if held is None else mean_divergence(solver, *held))
                recent.clear()
                bar.set_postfix_str(f"KL {curve['kl'][-1]:.4f}, held out {curve['validation_kl'][-1]:.4f}")
            bar.update()
    solver.to("cpu")
    sizes = {"sets": len(dataset), "validation_sets": 0 if validation is None else len(validation)}
    solver.record = {"recipe": "tree", "settings": asdict(settings), "curve": curve, "lost": float(lost.max())} | sizes
    solver.seconds = seconds
    return solver


def schedule(step: int, settings: TrainingSettings) -> float:
    """Factor of the learning rate at a step counted from 1: linear warm-up, then a cosine to 0 after the last step."""
    warm = min(1.0, step / max(settings.warm_up, 1))
    return warm * 0.5 * (1.0 + math.cos(math.pi * (step - 1) / settings.steps))


@torch.no_grad()
def mean_divergence(solver: Solver, found: Targets, prompts: torch.Tensor, chunk: int = 16) -> float:
    """Mean joint KL divergence of given laws from the solver's, over all prefixes."""
    total = 0.0
    for start in range(0, len(found), chunk):
        sets = np.arange(start, min(start + chunk, len(found)))
        batch = found.batch(sets, 0, None).to(solver.device)
        total += len(sets) * batch_cross_entropy(solver.transformer, prompts[torch.from_numpy(sets)], batch).item()
    return total / len(found) - float(found.entropy.mean())


def check_disjoint(dataset: Dataset, validation: Dataset) -> None:
    """Refuse validation on parameter sets of the training.

    Raises
    ------
    UserError
        If a parameter set (with its time) is in both; the message names the first.
    """
    rows = [np.column_stack([d.theta, np.nan_to_num(d.times, posinf=-1.0)]) for d in (dataset, validation)]
    known = {row.tobytes() for row in rows[0]}
    for place, row in enumerate(rows[1]):
        if row.tobytes() in known:
            raise UserError(f"validation: set {place} is a training set too; expected another seed")


def prompts_of(solver: Solver, dataset: Dataset) -> torch.Tensor:
    """(T, C) prompt vectors of a data set, on the device of the solver."""
    times = torch.from_numpy(dataset.times)
    return solver.prompt(torch.from_numpy(dataset.theta), times if np.isfinite(dataset.times).all() else None).to(
        solver.device
    )


def _optimiser(network: torch.nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    groups = [
        {"params": [w for w in network.parameters() if w.dim() > 1], "weight_decay": settings.decay},
        {"params": [w for w in network.parameters() if w.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.99))


def _step(network: torch.nn.Module, optimiser: torch.optim.Optimizer, loss, rate: float, clip: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    if clip:
        torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()


def _order(number: int, batch: int, generator: np.random.Generator):
    """Batches of sets without end, each pass over all sets in a new order; a batch may be all sets."""
    batch = min(batch, number)
    while True:
        order = generator.permutation(number)
        for start in range(0, number - batch + 1, batch):
            yield order[start : start + batch]
