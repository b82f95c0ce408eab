"""How much faster replicates train together than one after another: ``python -m regulome.circuits.benchmark``.

Three ways of training the same networks, on one thread:

* one by one: each replicate in a call of its own, with PyTorch;
* batched: all replicates in one call, with PyTorch, the same code;
* compiled: all replicates in one call, with the numba kernel.

They take turns in every round, so that a machine busy with something else slows all three; the table holds medians.
Only a few replicates are trained one by one: times are compared per replicate and update.
"""

import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from regulome import paths
from regulome.circuits.task import Task
from regulome.circuits.task_file import read_task
from regulome.circuits.training import TrainingResult, TrainingSettings, train
from regulome.errors import as_message
from regulome.tables import csv_bytes

TASKS = ("adaptation", "controlled_oscillation")

Trainer = tuple[int, Callable[[], list[TrainingResult]]]


def trainers(task: Task, updates: int, replicates: int, one_by_one: int) -> dict[str, Trainer]:
    """Return the trainers by name: how many replicates each trains, and the call that trains them."""
    autograd, compiled = (TrainingSettings(steps=updates, backend=backend) for backend in ("torch", "compiled"))
    return {
        "one by one": (one_by_one, lambda: [train(task, autograd, 1, seed=0, first=r) for r in range(one_by_one)]),
        "batched": (replicates, lambda: [train(task, autograd, replicates, seed=0)]),
        "compiled": (replicates, lambda: [train(task, compiled, replicates, seed=0)]),
    }


def measure(task: Task, updates: int = 20, replicates: int = 200, one_by_one: int = 5, rounds: int = 3) -> pd.DataFrame:
    """Time the three trainers on one thread.

    Parameters
    ----------
    updates
        Parameter updates of each training.
    replicates, one_by_one
        Networks trained together, and one after another.
    rounds
        Turns of each trainer.

    Returns
    -------
    DataFrame
        task, trainer, replicates, updates, seconds (median of the rounds), ms_per_replicate_update, and
        ratio_to_serial: how many times faster than one by one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _, run in trainers(task, 1, replicates, 1).values():
            run()  # compilation and first allocations are not timed
        timed = trainers(task, updates, replicates, one_by_one)
        seconds = [[elapsed(run) for _, run in timed.values()] for _ in range(rounds)]
    finally:
        torch.set_num_threads(before)
    counts = [count for count, _ in timed.values()]
    table = pd.DataFrame({"task": task.name, "trainer": list(timed), "replicates": counts, "updates": updates})
    table["seconds"] = np.median(seconds, axis=0)
    table["ms_per_replicate_update"] = 1000 * table["seconds"] / (table["replicates"] * updates)
    table["ratio_to_serial"] = table["ms_per_replicate_update"].iloc[0] / table["ms_per_replicate_update"]
    return table


def elapsed(run: Callable) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main(
    tasks: Annotated[list[str] | None, typer.Argument(help="Task files (default: the two-gene tasks).")] = None,
    updates: int = 20,
    replicates: int = 200,
    one_by_one: int = 5,
    rounds: int = 3,
) -> None:
    """Print a table of training times as CSV; about a minute."""
    files = tasks or [paths.mini_data() / "tasks" / f"{name}.yaml" for name in TASKS]
    table = pd.concat([measure(read_task(file), updates, replicates, one_by_one, rounds) for file in files])
    print(csv_bytes(table, digits=4).decode(), end="")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
