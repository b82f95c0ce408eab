"""Time of one training step: the published layout against the prefix tree, in one process.

    python -m regulome.stochastic.solver_benchmark

The published layout repeats the prompt for 1000 sampled states and sends 1000 full sequences through the network in
double precision, logits at every position. The tree works through the same 1000 states, prompt and prefixes once. The
last row is a whole step of our recipe: exact laws of 64 parameter sets.
"""

import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from regulome.errors import as_message
from regulome.stochastic import dataset_shards, networks
from regulome.stochastic.cross_entropy import batch_cross_entropy
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.prefix_tree import PrefixTree, hidden_states
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_training import TrainingSettings, prompts_of, targets
from regulome.stochastic.transformer import named
from regulome.tables import csv_bytes

LAYOUT = "published layout, double precision"


def measure(network: str = "gene_expression", samples: int = 1000, sets: int = 8, rounds: int = 3) -> pd.DataFrame:
    """Seconds of one step (loss, gradient, update) in every layout, alternating, medians of some rounds.

    Parameters
    ----------
    network
        Example to take.
    samples
        States of one parameter set.
    sets
        Exact laws made for our step; a batch of 64 takes each of them several times.

    Returns
    -------
    DataFrame
        layout, states (that the step learns from), seconds, states_per_second, ratio (times faster than the published
        layout at an equal number of states).
    """
    model = networks.load(network)
    data = dataset_shards.make(model, sets, seed=0, threads=1, progress=False)
    law = data[0].clipped([model.bounds[name] for name in model.recorded])[0]
    drawn = law.sample(samples, np.random.default_rng(0))
    settings = TrainingSettings()
    methods = {
        LAYOUT: (samples, _sequences(Solver.new(model, named("published")), data, drawn, torch.float64, True)),
        "published layout, single precision": (
            samples,
            _sequences(Solver.new(model, named("published")), data, drawn, torch.float32, True),
        ),
        "single precision, needed logits only": (
            samples,
            _sequences(Solver.new(model, named("published")), data, drawn, torch.float32, False),
        ),
        "tree, published network": (samples, _tree(Solver.new(model, named("published")), data, drawn)),
        "tree, our network": (samples, _tree(Solver.new(model), data, drawn)),
        "our step, exact laws": (_states(data, settings), _ours(Solver.new(model), data, settings)),
    }
    for _, run in methods.values():
        run()  # warm up and compile
    seconds = np.array([[_elapsed(run) for _, run in methods.values()] for _ in range(rounds)])
    table = pd.DataFrame({"layout": list(methods), "states": [float(states) for states, _ in methods.values()]})
    table["seconds"] = np.median(seconds, axis=0)
    table["states_per_second"] = table["states"] / table["seconds"]
    table["ratio"] = table["states_per_second"] / table["states_per_second"].iloc[0]
    return table


def _sequences(solver: Solver, data: Dataset, drawn: np.ndarray, kind: torch.dtype, everywhere: bool) -> Callable:
    """A step of the published layout."""
    network = solver.transformer.to(kind)
    prompt = prompts_of(solver, data)[:1].to(kind).expand(len(drawn), -1)
    counts = torch.from_numpy(drawn)
    optimiser = torch.optim.AdamW(network.parameters())
    first = network.architecture.prompt_tokens - 1

    def run() -> None:
        optimiser.zero_grad()
        if everywhere:
            hidden = network.norm(network.sequence_states(prompt, counts))
            logits = hidden @ network.embedding(0).T
            loss = torch.nn.functional.cross_entropy(logits[:, first:].flatten(0, 1), counts.flatten())
        else:
            loss = -network(prompt, counts).mean()
        loss.backward()
        optimiser.step()

    return run


def _tree(solver: Solver, data: Dataset, drawn: np.ndarray) -> Callable:
    """A step on the same states through the tree."""
    network, prompt = solver.transformer, prompts_of(solver, data)[:1]
    optimiser = torch.optim.AdamW(network.parameters())

    def run() -> None:
        rows, times = np.unique(drawn, axis=0, return_counts=True)
        tree, places = PrefixTree.of(rows)
        optimiser.zero_grad()
        hidden, counts = hidden_states(network, prompt, tree), torch.from_numpy(rows)
        found = [network.log_softmax(hidden[i][0], i)[places[i], counts[:, i]] for i in range(rows.shape[1])]
        (-(torch.stack(found, -1).mean(-1) @ torch.from_numpy(times).float()) / len(drawn)).backward()
        optimiser.step()

    return run


def _ours(solver: Solver, data: Dataset, settings: TrainingSettings) -> Callable:
    """A step of our recipe."""
    found, prompts = targets(solver, data, settings.smallest)[0], prompts_of(solver, data)
    generator = np.random.default_rng(0)
    sets = np.arange(settings.batch) % len(data)
    optimiser = torch.optim.AdamW(solver.transformer.parameters())

    def run() -> None:
        optimiser.zero_grad()
        batch = found.batch(sets, settings.prefixes, generator)
        batch_cross_entropy(solver.transformer, prompts[torch.from_numpy(sets)], batch).backward()
        optimiser.step()

    return run


def _states(data: Dataset, settings: TrainingSettings) -> int:
    sizes = np.diff(data.offsets)
    return int(sizes[np.arange(settings.batch) % len(data)].sum())


def _elapsed(run: Callable) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main(
    network: str = "gene_expression",
    samples: int = 1000,
    rounds: int = 3,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 1,
) -> None:
    """Print a table of times as CSV; about half a minute."""
    torch.set_num_threads(threads)
    print(csv_bytes(measure(network, samples, rounds=rounds), digits=4).decode(), end="")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
