"""The two training stages of the publication: `pretrain` on sampled states, `fine_tune` by a score-function objective.

What is published and what stands here:

* One "epoch" is one optimiser step. Pre-training looks at 100 parameter sets an epoch, but zeroes the gradients at each
  of them, so that only the last one counts: ``gradients="published"`` makes the same updates and leaves the other 99
  passes out; ``"accumulated"`` averages over all of them, which was meant.
* The published code pushes 1000 full sequences of 64 + N tokens a parameter set through the network, in double
  precision. Equal count vectors give equal terms, and the prefix tree computes each once: same loss, same gradient
  (tested), a small part of the work. ``layout="sequences"`` computes it the published way.
* Pre-training normalises over the largest bound for every state (a promoter may be "17"), fine-tuning and use over the
  state's own bound.
* Counts above a bound are put into the last bin, as published.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from regulome.errors import UserError, closest
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.prefix_tree import PrefixTree, hidden_states
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_training import mean_divergence, prompts_of, targets

GRADIENTS = ("published", "accumulated")
LOSSES = ("kl", "klreweight", "l2", "crossEntropy")
LAYOUTS = ("tree", "sequences")
UNSEEN = 1e-26  # count of a state that the reference has not seen, before it is divided by the number of samples


@dataclass(frozen=True)
class PublishedSettings:
    """Sizes of the published stages.

    Attributes
    ----------
    epochs
        Optimiser steps.
    prompts
        Parameter sets an epoch.
    samples
        States of each: drawn from the reference (pre-training); half from it and half from the network (fine-tuning).
    rate, final_rate, rate_epochs
        Learning rate after 20 steps of warm-up, what a cosine takes it to, and in how many epochs.
    decay
        Weight decay of matrices.
    gradients
        "published" or "accumulated" (pre-training; fine-tuning accumulates as published).
    loss
        Of the fine-tuning: kl, klreweight, l2 or crossEntropy.
    weighted
        Whether pre-training draws states by their probability, or evenly over those that occur.
    reference_samples
        Number of samples in each published reference histogram, for the probability of unseen states.
    layout
        "tree" or "sequences".
    check_every
        Epochs between two looks at the held-out sets.
    seed
        Of the drawing.
    """

    epochs: int = 1000
    prompts: int = 100
    samples: int = 1000
    rate: float = 1e-3
    final_rate: float = 6e-4
    rate_epochs: int = 1000
    decay: float = 0.1
    gradients: str = "published"
    loss: str = "kl"
    weighted: bool = True
    reference_samples: int = 20_001
    layout: str = "tree"
    check_every: int = 50
    seed: int = 0

    def __post_init__(self):
        for name, known in (("gradients", GRADIENTS), ("loss", LOSSES), ("layout", LAYOUTS)):
            value = getattr(self, name)
            if value not in known:
                raise UserError(
                    f"training: {name} is '{value}'{closest(value, known)}, expected one of {', '.join(known)}"
                )
        for name in ("epochs", "prompts", "rate_epochs", "reference_samples", "check_every"):
            if getattr(self, name) < 1:
                raise UserError(f"training: {name} is {getattr(self, name)}, expected at least 1")
        if self.samples < 2:
            raise UserError(f"training: samples is {self.samples}, expected at least 2")


FINE_TUNING = PublishedSettings(rate=8e-4, final_rate=6e-5, rate_epochs=10_000)


def rate_at(epoch: int, settings: PublishedSettings) -> float:
    """Learning rate of an epoch counted from 0: 20 steps of warm-up from 0, a cosine, then constant."""
    if epoch < 20:
        return settings.rate * epoch / 20
    if epoch >= settings.rate_epochs:
        return settings.final_rate
    share = (epoch - 20) / max(settings.rate_epochs - 20, 1)
    return settings.final_rate + 0.5 * (1 + math.cos(math.pi * share)) * (settings.rate - settings.final_rate)


def pretrain(
    solver: Solver,
    dataset: Dataset,
    settings: PublishedSettings,
    validation: Dataset | None = None,
    progress: bool = True,
) -> Solver:
    """First stage: cross-entropy of states drawn from the reference, averaged over states and samples.

    The solver is trained in place; its record gets a stage with ``loss`` (mean over the epoch's parameter sets that
    were computed) and ``curve`` (``epoch`` and ``validation_kl``, mean joint KL of held-out laws, if there are).
    """
    generator = np.random.default_rng(settings.seed)
    laws, prompts = _clipped(solver, dataset), prompts_of(solver, dataset)
    optimiser = _optimiser(solver, settings)
    used = settings.prompts if settings.gradients == "accumulated" else 1
    losses, curve = [], _Curve(solver, validation, settings)
    for epoch in tqdm(range(settings.epochs), unit=" epochs", disable=None if progress else True):
        optimiser.zero_grad()
        mean = 0.0
        for place in generator.integers(0, max(len(laws) - 1, 1), used):  # the last set can never be drawn
            counts, weights = laws[place]
            p = weights / weights.sum() if settings.weighted else None
            drawn = counts[generator.choice(len(counts), settings.samples, p=p)]
            rows, times = np.unique(drawn, axis=0, return_counts=True)
            found = _log_probabilities(solver, prompts[place : place + 1], rows, times, settings.layout, masked=False)
            loss = -(found.sum(-1) @ found.new_tensor(times)) / (settings.samples * len(solver.bounds)) / used
            loss.backward()
            mean += loss.item()
        _update(optimiser, rate_at(epoch, settings))
        losses.append(mean)
        curve.look(epoch + 1)
    return _record(solver, "pretrain", settings, {"loss": losses, "curve": curve.values})


def fine_tune(
    solver: Solver,
    dataset: Dataset,
    settings: PublishedSettings = FINE_TUNING,
    validation: Dataset | None = None,
    progress: bool = True,
) -> Solver:
    """Second stage: half of the states from the network, half evenly from the reference's support, one of four losses.

    With D = ln p - ln q held fixed, r the reference probabilities and p the network's:

        kl            mean (D - mean D) ln p        (score function of the reverse KL, if all states came from p)
        klreweight    mean p/mean(p) (D - mean D) ln p
        l2            sum (p - r)^2, r scaled to the sum of p
        crossEntropy  - sum r ln p
    """
    generator = np.random.default_rng(settings.seed)
    laws, prompts = _clipped(solver, dataset), prompts_of(solver, dataset)
    optimiser = _optimiser(solver, settings)
    history: dict[str, list] = {"loss": [], "mean_delta": [], "sd_delta": []}
    curve = _Curve(solver, validation, settings)
    for epoch in tqdm(range(settings.epochs), unit=" epochs", disable=None if progress else True):
        optimiser.zero_grad()
        sums = np.zeros(3)
        places = generator.permutation(len(laws))[: settings.prompts]
        for place in places:
            loss, delta = _fine_tuning_loss(
                solver, prompts[place : place + 1], dataset, laws, place, settings, generator
            )
            (loss / len(places)).backward()
            sums += [loss.item(), delta.mean().item(), delta.std().item()]
        _update(optimiser, rate_at(epoch, settings))
        for name, value in zip(history, sums / len(places), strict=True):
            history[name].append(float(value))
        curve.look(epoch + 1)
    return _record(solver, "fine_tune", settings, history | {"curve": curve.values})


class _Curve:
    """Looks at held-out laws now and then."""

    def __init__(self, solver: Solver, validation: Dataset | None, settings: PublishedSettings):
        self.values: dict[str, list] = {"epoch": [], "validation_kl": []}
        self.solver, self.settings = solver, settings
        self.held = None if validation is None else (targets(solver, validation)[0], prompts_of(solver, validation))

    def look(self, epoch: int) -> None:
        """Add the divergence after this epoch, if it is time to."""
        if self.held and (epoch % self.settings.check_every == 0 or epoch == self.settings.epochs):
            self.values["epoch"].append(epoch)
            self.values["validation_kl"].append(mean_divergence(self.solver, *self.held))


def _fine_tuning_loss(solver, prompt, dataset, laws, place, settings, generator) -> tuple[Tensor, Tensor]:
    counts, weights = laws[place]
    half = settings.samples // 2
    time = None if np.isinf(dataset.times[place]) else float(dataset.times[place])
    own = solver.sample(dataset.theta[place], half, generator, time)
    even = counts[generator.integers(0, len(counts), half)]
    rows, times = np.unique(np.concatenate([own, even]), axis=0, return_counts=True)
    found = _log_probabilities(solver, prompt, rows, times, settings.layout).sum(-1)
    known = {row.tobytes(): weight for row, weight in zip(counts, weights, strict=True)}
    seen = np.array([known.get(row.tobytes(), 0.0) for row in rows])
    reference = np.maximum(seen, UNSEEN / settings.reference_samples)
    log_p, times = found.double(), torch.from_numpy(times / times.sum())
    delta = log_p.detach() - torch.from_numpy(np.log(reference))
    mean = (times * delta).sum()
    p, r = log_p.exp(), torch.from_numpy(seen)
    if settings.loss == "kl":
        return (times * (delta - mean) * log_p).sum(), delta
    if settings.loss == "klreweight":
        share = p.detach() / (times * p.detach()).sum()
        return (times * share * (delta - mean) * log_p).sum(), delta
    if settings.loss == "l2":
        return ((p - r * (p.detach().sum() / max(r.sum(), 1e-300))) ** 2).sum(), delta
    return -(r * log_p).sum(), delta


def _clipped(solver: Solver, dataset: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Counts and probabilities of every set, counts above a bound in the last bin."""
    laws = (dataset[i].clipped(solver.bounds)[0] for i in range(len(dataset)))
    return [(law.counts, law.weights) for law in laws]


def _log_probabilities(
    solver: Solver, prompt: Tensor, rows: np.ndarray, times: np.ndarray, layout: str, masked: bool = True
) -> Tensor:
    """(S, N) conditional log-probabilities of distinct count vectors, by the tree or by a sequence for every sample."""
    network = solver.transformer
    if layout == "sequences":
        every = torch.from_numpy(np.repeat(rows, times, axis=0))
        found = network(prompt.expand(len(every), -1), every, masked)
        return found[torch.from_numpy(np.cumsum(times) - 1)]
    tree, places = PrefixTree.of(rows)
    hidden = hidden_states(network, prompt, tree)
    counts = torch.from_numpy(rows)
    found = [network.log_softmax(hidden[i][0], i, masked)[places[i], counts[:, i]] for i in range(rows.shape[1])]
    return torch.stack(found, -1)


def _optimiser(solver: Solver, settings: PublishedSettings) -> torch.optim.AdamW:
    weights = list(solver.transformer.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": settings.decay},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.999))


def _update(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()


def _record(solver: Solver, stage: str, settings: PublishedSettings, history: dict) -> Solver:
    solver.record.setdefault("recipe", "published")
    solver.record.setdefault("stages", []).append({"stage": stage, "settings": asdict(settings)} | history)
    return solver
