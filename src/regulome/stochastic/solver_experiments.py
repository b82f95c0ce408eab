"""Experiments on the solver's training: recipes side by side at equal arithmetic, and what each option is worth.

Compute is counted in floating-point operations of matrix products, forward and backward, so that the comparison does
not depend on the machine and repeats exactly; seconds are measured by `regulome.stochastic.solver_benchmark`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from regulome.stochastic.cross_entropy import batch_cross_entropy
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_targets import Targets
from regulome.stochastic.solver_training import TrainingSettings, prompts_of, train
from regulome.stochastic.transformer import Architecture, named

# Options of our default, switched on one after another from the published network
LADDER: tuple[tuple[str, dict], ...] = (
    ("published network, exact cross-entropy", {"published": True}),
    ("+ scaled prompt, wider initial weights", {"features": 0, "prompt_hidden": 0, "plain": True}),
    ("+ two hidden layers before the prompt", {"features": 0, "plain": True}),
    ("+ 8 prompt tokens of rank 32, not 64 of rank 1", {"features": 0}),
    ("+ smooth functions of the count", {}),
    ("+ ratios of rates (default)", {"ratios": True}),
)


# --- arithmetic


def tree_operations(solver: Solver, dataset: Dataset, settings: TrainingSettings) -> float:
    """Operations of one training step of ours, forward and backward, as counted on one batch."""
    found = Targets(
        (dataset[i].dropped(solver.bounds)[0] for i in range(min(settings.batch, len(dataset)))), solver.bounds
    )
    sets = np.arange(len(found))
    batch = found.batch(sets, settings.prefixes, np.random.default_rng(0))
    prompts = prompts_of(solver, dataset)[: len(sets)]
    return _count(lambda: batch_cross_entropy(solver.transformer, prompts, batch).backward())


def sequence_operations(solver: Solver, samples: int = 1000) -> float:
    """Operations for one parameter set in the published layout: full sequences, logits at every position."""
    network = solver.transformer

    def run() -> None:
        prompt = torch.zeros(samples, solver.prompt.entries)
        counts = torch.zeros(samples, len(solver.bounds), dtype=torch.long)
        (network.norm(network.sequence_states(prompt, counts)) @ network.embedding(0).T).sum().backward()

    return _count(run)


def _count(run) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


# --- recipes


def ladder(
    network: StateTransitionNetwork,
    dataset: Dataset,
    validation: Dataset,
    settings: TrainingSettings,
    progress: bool = True,
) -> pd.DataFrame:
    """Held-out divergence with the options of our default switched on one after another, all trained alike.

    Returns
    -------
    DataFrame
        options, weights, gigaflop (of the whole training), validation_kl (mean joint KL, nats) at the end.
    """
    rows = []
    for options, choice in LADDER:
        solver = Solver.new(network, _architecture(choice), settings.seed, ratios=choice.get("ratios", False))
        work = tree_operations(solver, dataset, settings) * settings.steps / 1e9
        train(solver, dataset, settings, validation, progress=progress)
        kl = solver.record["curve"]["validation_kl"][-1]
        rows.append((options, solver.transformer.size, work, kl))
    return pd.DataFrame(rows, columns=["options", "weights", "gigaflop", "validation_kl"])


def _architecture(choice: dict) -> Architecture:
    if choice.get("published"):
        return named("published")
    plain = {"prompt_tokens": 64, "prompt_rank": 1} if choice.get("plain") else {}
    return named("smooth", **plain, **{k: v for k, v in choice.items() if k in ("features", "prompt_hidden")})


def mean_law(dataset: Dataset, bounds: Sequence[int] | None = None) -> Distribution:
    """Mean of the laws of a data set: the best that a solver without prompt can say."""
    counts, weights = dataset.counts.astype(np.int64), dataset.weights.astype(float)
    law = Distribution.of(dataset.network.recorded, counts, weights)
    return law if bounds is None else law.dropped(bounds)[0]


def disjoint_table(dataset: Dataset, validation: Dataset) -> pd.DataFrame:
    """Distance of every held-out parameter set to the nearest training set, in units of the box's width.

    ``published`` is the same for the published procedure, where the unscrambled sequence begins again: 0 for all.
    """
    from scipy.spatial import cKDTree
    from scipy.stats import qmc

    low, high = dataset.network.box.T
    ours, held = ((d.theta - low) / (high - low) for d in (dataset, validation))
    number = int(np.ceil(np.log2(max(len(ours), len(held)))))
    first = qmc.Sobol(len(low), scramble=False).random_base2(number)
    published = cKDTree(first[: len(ours)]).query(first[: len(held)])[0]
    return pd.DataFrame({"ours": cKDTree(ours).query(held)[0], "published": published})
