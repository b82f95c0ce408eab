"""What `regulome.scaling` measures: the core step of each part, at three sizes of one dimension, the rest as stated."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from regulome.scaling_steps import (
    CONTROLS,
    Step,
    binding_scores,
    binding_training,
    circuit_training,
    controls,
    enumeration,
    epoch,
    identities,
    law,
    laws,
    likelihood,
    solver_pass,
    structure,
    training_step,
    trajectories,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One dimension of one step.

    Attributes
    ----------
    part, step, dimension
        What is measured; the step is named with what is held fixed.
    sizes
        Sizes in rising order, so that the largest memory so far is that of the size at hand.
    published
        Size in the publication, or in our paper profile where the publication leaves it open.
    runs
        How many such steps the published run takes; ``why`` has the arithmetic.
    make
        Size to step.
    order
        Exponent of the algorithm at large sizes, from its loops: what is measured should approach it.
    array, bytes
        What fills memory at large sizes, in words and as a function of size.
    linear_beyond
        Size from which cost is in proportion, by a limit in the code.
    """

    part: str
    step: str
    dimension: str
    sizes: tuple[int, ...]
    published: float
    runs: float
    why: str
    make: Callable[[int], Step]
    order: float
    array: str
    bytes: Callable[[float], float]
    linear_beyond: float = math.inf


B, P, C, S = "binding", "perturbation", "circuits", "stochastic"
LIMITED = "blocks of a fixed size, by a limit in the code"
CASES = {
    "structure": Case(
        B, "structure profiles of probes", "RNAs", (100, 400, 1600), 120_678, 1, "all probes once", structure,
        1, "RNAs x 41 bases x 5 contexts x 4 bytes", lambda n: n * 41 * 5 * 4,
    ),
    "structure_length": Case(
        B, "structure profiles of 10 RNAs", "bases", (41, 82, 164), 41, 12_068, "120,678 / 10",
        lambda n: structure(10, n), 3, "bases^2 / 2 x 8 bytes x 5 matrices", lambda n: n**2 / 2 * 8 * 5,
    ),
    "scores": Case(
        B, "scores of 44 proteins, published network", "RNAs", (128, 256, 512), 120_678, 1, "once", binding_scores,
        1, "RNAs x 512 numbers x 4 bytes", lambda n: n * 512 * 4,
    ),
    "identity": Case(
        B, "identity of all pairs", "proteins", (25, 50, 100), 392, 1, "once", identities, 2, "proteins^2 x 4 bytes",
        lambda n: n**2 * 4,
    ),
    "two_tower": Case(
        B, "training step on 8 proteins, published network", "RNAs of a step", (16, 32, 64), 2048, 15_000,
        "50 epochs x 300 steps", binding_training, 1, "RNAs x 41 bases x 256 channels x 4 bytes, one activation",
        lambda n: n * 41 * 256 * 4,
    ),
    "epoch": Case(
        P, "epoch of GPO-VAE, 8563 genes, 622 perturbed", "cells", (640, 1280, 2560), 103_582, 80,
        "80 epochs, as in the paper profile", epoch, 1, "cells x 8563 genes x 0.4 nonzero x 8 bytes",
        lambda n: n * 8563 * 0.4 * 8,
    ),
    "genes": Case(
        P, "training step of GPO-VAE on 128 cells, 100 perturbed", "genes", (2000, 4000, 8000), 8563, 51_840,
        "80 epochs x 648 steps of 128 cells", lambda n: training_step(genes=n),
        1, "103,582 cells x genes x 0.4 nonzero x 8 bytes", lambda n: 103_582 * n * 0.4 * 8,
    ),
    "perturbed": Case(
        P, "training step of GPO-VAE on 128 cells, 2000 genes", "perturbed genes", (200, 400, 800), 622, 51_840,
        "80 epochs x 648 steps of 128 cells", lambda n: training_step(perturbed=n),
        2, "n x 2.5 n links x 4 bytes x 3 (weight, two moments)", lambda n: 2.5 * n**2 * 12,
    ),
    "controls": Case(
        P, "matched controls by transport, 100 cells a perturbation, 8 % controls", "cells", (4000, 8000, 16_000),
        129_478, 1, "once", controls, 2, LIMITED, lambda n: 2**23 * 8 * 4, linear_beyond=20_000 / CONTROLS,
    ),
    "replicates": Case(
        C, "20 updates, 2 genes, 40 time steps", "replicates", (256, 512, 1024), 200, 100, "2001 updates / 20",
        circuit_training, 1, "replicates x 674 weights x 4 bytes x 3 (weight, gradient, moment)",
        lambda n: n * 674 * 12,
    ),
    "circuit_genes": Case(
        C, "20 updates of 64 replicates, 40 time steps", "genes", (4, 8, 16), 3, 100, "2001 updates / 20",
        lambda n: circuit_training(genes=n), 2, "64 x genes x (16 genes + 321) weights x 4 bytes x 3",
        lambda n: 64 * n * (16 * n + 321) * 12,
    ),
    "sets": Case(
        C, "enumeration of 12 topologies", "parameter sets", (20_000, 80_000, 320_000), 160_000, 192, "2304 / 12",
        enumeration, 1, LIMITED, lambda n: 1e8,
    ),
    "topologies": Case(
        C, "enumeration with 40,000 parameter sets", "topologies", (6, 24, 96), 2304, 4, "160,000 / 40,000",
        lambda n: enumeration(count=n), 1, "topologies x 100 bytes", lambda n: n * 100,
    ),
    "laws": Case(
        S, "exact laws of gene expression, small box", "parameter sets", (8, 16, 32), 4096, 1, "once", laws,
        1, "parameter sets x 10,000 states x 20 bytes", lambda n: n * 1e4 * 20,
    ),
    "states": Case(
        S, "one exact law of gene expression", "states", (16_000, 64_000, 256_000), 116_000, 4096,
        "4096 parameter sets", law, 1.5, "states x log2(states) x 8 bytes x 6.5 (fill of the factors, as measured)",
        lambda n: n * math.log2(n) * 8 * 6.5,
    ),
    "trajectories": Case(
        S, "simulation of gene expression, time 5000", "trajectories", (64, 256, 1024), 64, 48, "48 parameter sets",
        trajectories, 1, "one histogram", lambda n: 1e8,
    ),
    "solver": Case(
        S, "pass of the solver's training over exact laws", "parameter sets", (64, 128, 256), 4096, 219,
        "14,000 steps x 64 / 4096", solver_pass, 1, "parameter sets x 10,000 states x 20 bytes", lambda n: n * 1e4 * 20,
    ),
    "likelihood": Case(
        S, "exact likelihood of one parameter set", "cells", (10_000, 100_000, 1_000_000), 10_000, 60_000,
        "200 steps x 300 walkers", likelihood, 1, "cells x 8 bytes", lambda n: n * 8,
    ),
}  # fmt: skip
