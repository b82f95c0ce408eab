"""The steps whose cost `regulome.scaling` measures: each function takes a size, prepares inputs and returns the step.

Inputs are random: what is computed costs the same as with real ones and means nothing. A step takes no arguments. Parts
are imported inside the functions, one process a case.
"""

from collections.abc import Callable

import numpy as np

Step = Callable[[], object]
GROUP, CONTROLS = 100, 0.08  # cells of a perturbation and share of controls, when control cells are matched


def _probes(count: int, length: int | None = None):
    from regulome.binding.phime_benchmark import random_probes
    from regulome.binding.sequences import BASES, sequences

    rng = np.random.default_rng(count)
    letters = (
        random_probes(count) if length is None else ["".join(rng.choice(list(BASES), length)) for _ in range(count)]
    )
    return sequences(letters, "rna")


def _proteins(count: int, length: int = 200):
    from regulome.binding.sequences import AMINO_ACIDS, sequences

    rng = np.random.default_rng(count)
    return sequences(["".join(rng.choice(list(AMINO_ACIDS[:20]), length)) for _ in range(count)], "protein")


def structure(rnas: int, length: int | None = None) -> Step:
    """Exact structure profiles of RNAs."""
    from regulome.binding.phime import profiles

    given = _probes(rnas, length)
    return lambda: profiles(given, 1, progress=False)


def binding_scores(rnas: int) -> Step:
    """Scores of 44 proteins from a network of published size."""
    import torch

    from regulome.binding.featuriser import featurise
    from regulome.binding.prediction_benchmark import PROTEINS, random_model

    torch.set_num_threads(1)
    proteins, given = _proteins(PROTEINS), _probes(rnas)
    model = random_model(proteins, structure=False)
    vectors = featurise(proteins)
    return lambda: model.predict(vectors, given, threads=1)


def identities(proteins: int) -> Step:
    """Sequence identity of all pairs."""
    from regulome.binding.identity import pairwise

    given = _proteins(proteins)
    return lambda: pairwise(given)


def binding_training(rnas: int) -> Step:
    """A training step of the network of published size on 8 proteins and some RNAs."""
    import torch

    from regulome.binding import tokens
    from regulome.binding.featuriser import featurise
    from regulome.binding.loss import block_loss
    from regulome.binding.two_tower import Settings, TwoTower

    torch.set_num_threads(1)
    vectors = torch.from_numpy(featurise(_proteins(8)).values)
    coded = torch.from_numpy(tokens.encode(_probes(rnas)))
    network = TwoTower(Settings.published(vectors.shape[1], structure=False))
    goals = torch.from_numpy(np.random.default_rng(0).normal(size=(8, rnas)).astype(np.float32))
    optimiser = torch.optim.AdamW(network.parameters())

    def step() -> None:
        optimiser.zero_grad()
        block_loss(network(vectors, coded), goals).backward()
        optimiser.step()

    return step


def _screen(cells: int, genes: int, perturbed: int, latent: int, batch: int):
    import torch

    from regulome.perturbation.settings import ModelSettings, TrainingSettings
    from regulome.perturbation.training_benchmark import workload
    from regulome.perturbation.training_run import Run

    torch.set_num_threads(1)
    settings = ModelSettings.published("gpo", "k562", compat="corrected")
    screen = workload(cells, genes, perturbed, latent)
    return Run(screen, settings, TrainingSettings(particles=1, batch=batch), "cpu")


def epoch(cells: int) -> Step:
    """An epoch of GPO-VAE, validation included, at the other sizes of Replogle K562."""
    from regulome.perturbation.training_benchmark import K562

    run = _screen(cells, K562["genes"], K562["perturbed"], K562["latent"], 128)
    return lambda: (run.train_epoch(), run.validate())


def training_step(genes: int = 2000, perturbed: int = 100) -> Step:
    """A training step of GPO-VAE on 128 cells; the network has perturbed x 2.5 perturbed links."""
    from regulome.perturbation.noise import Noise

    run = _screen(320, genes, perturbed, 5 * perturbed // 2, 128)
    rows, noise = run.screen.rows("train")[:128], Noise((0,), 1)
    return lambda: run.step(run.reader.batch(rows), noise)


def controls(cells: int) -> Step:
    """A matched control for every cell, by transport on 50 genes."""
    from regulome.perturbation.matching import match

    rng = np.random.default_rng(0)
    some = round(CONTROLS * cells)
    label = np.concatenate([np.full(some, -1), np.arange(cells - some) // GROUP])
    values = rng.normal(size=(cells, 50))
    return lambda: match(values, label, np.zeros(cells, int))


def circuit_training(replicates: int = 64, genes: int = 2) -> Step:
    """20 updates of replicates on one case of 40 steps, one input, all links allowed."""
    from regulome.circuits.task import Task
    from regulome.circuits.training import TrainingSettings, train

    steps = 40
    task = Task(
        name="sizes",
        genes=tuple(f"g{i + 1}" for i in range(genes)),
        inputs=("I",),
        dt=0.2,
        input_values=np.ones((1, steps, 1)),
        targets=np.full((1, steps, genes), 0.5),
        initial=np.zeros(genes),
        stationary=np.zeros(1, bool),
        links=np.ones((genes + 1, genes), bool),
        case_names=("on",),
    )
    return lambda: train(task, TrainingSettings(steps=20), replicates, seed=0)


def enumeration(sets: int = 40_000, count: int = 12) -> Step:
    """Random Hill parameters for topologies of two genes and two inputs, three conditions."""
    from regulome import paths
    from regulome.circuits.criteria import read_criterion
    from regulome.circuits.enumeration import enumerate_topologies
    from regulome.circuits.hill import connected, topologies

    criterion = read_criterion(paths.mini_data() / "criteria" / "controlled_oscillation.yaml")
    signs = topologies()
    signs = signs[connected(signs)]
    chosen = signs[:: len(signs) // count][:count]
    return lambda: enumerate_topologies(chosen, criterion, sets, seed=0, threads=1)


def laws(sets: int) -> Step:
    """Exact laws of gene expression over a box in which they have some 10,000 states."""
    from regulome.stochastic.dataset_shards import make

    network = _gene_expression()
    return lambda: make(network, sets, seed=0, threads=1, progress=False)


def _gene_expression():
    from regulome.stochastic.networks import load, narrowed

    return narrowed(load("gene_expression"), [0.1, 0.1, 5.0, 5.0, 0.6, 0.5, 0.4], [2, 50, 150])


def law(states: int) -> Step:
    """The stationary law of gene expression on a given number of states; mRNA and protein grow alike."""
    from regulome.stochastic.exact import stationary
    from regulome.stochastic.networks import load

    network = load("gene_expression")
    theta = np.array([0.05, 0.05, 5.0, 0.1, 1.0, 0.3, 0.3])
    long = round((states / 4) ** 0.5)
    sizes = {"ON": 2, "OFF": 2, "mRNA": long, "Protein": long}
    return lambda: stationary(network, theta, sizes)


def trajectories(count: int) -> Step:
    """Simulation of gene expression to 500 relaxation times."""
    from regulome.stochastic.networks import load
    from regulome.stochastic.ssa import occupancy

    network = load("gene_expression")
    theta = np.array([[0.05, 0.05, 5.0, 0.1, 1.0, 0.3, 0.3]])
    return lambda: occupancy(network, theta, trajectories=count, burn_in=100.0, window=5000.0, threads=1)


def solver_pass(sets: int) -> Step:
    """One pass of the solver's training over exact laws, 16 sets a step."""
    import torch

    from regulome.stochastic.dataset_shards import make
    from regulome.stochastic.solver import Solver
    from regulome.stochastic.solver_training import TrainingSettings, train

    torch.set_num_threads(1)
    network = _gene_expression()
    data = make(network, sets, seed=0, threads=1, progress=False)
    settings = TrainingSettings(steps=sets // 16, batch=16)
    return lambda: train(Solver.new(network), data, settings, device="cpu", progress=False)


def likelihood(cells: int) -> Step:
    """The exact likelihood of mRNA counts under one parameter set of the telegraph."""
    import torch

    from regulome.stochastic.exact_likelihood import ExactLikelihood
    from regulome.stochastic.networks import load

    network = load("telegraph")
    counts = np.random.default_rng(0).poisson(15, size=(cells, 1))
    theta = torch.tensor([[0.5, 0.5, 20.0, 1.0]], dtype=torch.float64)

    def step() -> float:
        rows, times = np.unique(counts, axis=0, return_counts=True)
        found = ExactLikelihood(network).observed_log_prob(theta, ("mRNA",), rows)
        return float(found[0] @ torch.from_numpy(times).double())

    return step
