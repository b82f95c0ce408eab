"""The published prediction task, timed end to end: 44 proteins on 120,678 RNAs with the network of published size.

    python -m regulome.binding.prediction_benchmark                   # all of it: 5 minutes on two cores
    python -m regulome.binding.prediction_benchmark --fraction 0.05   # a twentieth of the RNAs

The weights are random: they cost the same time as trained ones and predict nothing. Proteins and RNAs are random too,
with the lengths of the published ones. What is timed is the command itself, from files to files, structure profiles
included; protein vectors come from the k-mer featuriser (those of a language model are made once and kept).

Beside it, on some RNAs of the same run: the plain network with the RNA tower recomputed for every protein, padded
batches of 1000 RNAs and `numpy.savetxt`, as a direct implementation does it. Both have the same threads; its time for
all is extrapolated, and the table says from how many RNAs.
"""

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from joblib.externals.loky import get_reusable_executor

from regulome.binding import bind_command, featuriser, phime, tokens
from regulome.binding.bind_command import BindSettings, Clock
from regulome.binding.featuriser import featurise
from regulome.binding.model_file import Model
from regulome.binding.sequences import AMINO_ACIDS, BASES, Sequences, sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.two_tower import Settings, TwoTower
from regulome.errors import UserError, as_message
from regulome.tables import csv_bytes

PROTEINS, RNAS = 44, 120_678
LENGTHS = {38: 0.586, 35: 0.255, 30: 0.146, 39: 0.005, 41: 0.004, 36: 0.004}  # shares of the published probes
RESIDUES = (74, 912)  # of the published constructs
USED_BY = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
BATCH = 1000  # RNAs of one forward pass in the published program


def score(seconds: float) -> float:
    """The published score of a running time: max(min(1, 2 - t / 600), 0), 1 up to ten minutes, 0 from twenty."""
    return max(min(1.0, 2.0 - seconds / 600), 0.0)


def workload(rnas: int, generator: np.random.Generator) -> tuple[Sequences, Sequences]:
    """Random proteins (one of them twice, as published) and random RNAs of the published lengths."""
    low, high = np.log(RESIDUES)
    letters = [
        "".join(generator.choice(list(AMINO_ACIDS[:20]), int(np.exp(generator.uniform(low, high)))))
        for _ in range(PROTEINS - 1)
    ]
    share = np.array(list(LENGTHS.values()))
    sizes = generator.choice(list(LENGTHS), rnas, p=share / share.sum())
    codes = np.frombuffer(BASES.encode(), dtype=np.uint8)[generator.integers(0, 4, sizes.sum())].tobytes().decode()
    ends = sizes.cumsum()
    probes = [codes[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return sequences([*letters, letters[0]], "protein"), sequences(probes, "rna")


def random_model(proteins: Sequences, seed: int = 0, structure: bool = True) -> Model:
    """A network of the published size on k-mer vectors, with random weights."""
    vectors = featurise(proteins)
    sd = vectors.values.std(0)
    network = TwoTower(Settings.published(vectors.width, structure=structure), seed).eval()
    targets = TargetTransform.fit(np.random.default_rng(seed).normal(size=(2, 100)).astype(np.float32))
    record = {"kind": "synthetic (random weights, no training)", "longest": max(LENGTHS)}
    mean, sd = vectors.values.mean(0), np.where(sd > 0, sd, np.inf).astype(np.float32)
    return Model(network, featuriser.source_name(), mean, sd, targets, ("random weights",), record)


@torch.no_grad()
def naive(model: Model, proteins: Sequences, rnas: Sequences, structure: np.ndarray, out: Path, threads: int) -> float:
    """Seconds of the direct implementation on some proteins and RNAs: everything again for every protein."""
    coded = torch.from_numpy(tokens.encode(rnas))
    profiles = torch.from_numpy(structure)
    torch.set_num_threads(threads)
    began = time.perf_counter()
    for i in range(len(proteins)):
        one = model.network.protein(torch.from_numpy(model.standardise(featurise(proteins.take([i])))))
        scores = []
        for start in range(0, len(rnas), BATCH):
            part = slice(start, start + BATCH)
            scores.append(model.network.scores(one, model.network.rna(coded[part], profiles[part]))[0])
        np.savetxt(out / f"{i}.txt", torch.cat(scores).numpy(), fmt="%.8f")
    return time.perf_counter() - began


def measure(fraction: float = 1.0, naive_rnas: int = 2000, threads: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Time the command and the direct implementation.

    Parameters
    ----------
    fraction
        Share of the RNAs.
    naive_rnas
        RNAs of the direct implementation, for two proteins.
    threads
        Threads and processes of both (default: all cores).

    Returns
    -------
    DataFrame
        what, value, unit.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"--fraction is {fraction}; expected above 0 and at most 1")
    threads, number = threads or os.cpu_count() or 1, round(RNAS * fraction)
    proteins, rnas = workload(number, np.random.default_rng(seed))
    model = random_model(proteins, seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "rbp.txt").write_text("\n".join(proteins.letters) + "\n")
        (folder / "rna.txt").write_text("\n".join(rnas.letters) + "\n")
        model.save(folder / "model.pt")
        clock, before = Clock(), _processor()
        with clock("total"):
            done = bind_command.run(
                folder / "out",
                folder / "rbp.txt",
                folder / "rna.txt",
                BindSettings(folder / "model.pt", threads=threads, device="cpu"),
            )
        get_reusable_executor().shutdown(wait=True)  # the workers' time and memory count once they have ended
        processor = _processor() - before
        some = rnas.take(range(min(naive_rnas, number)))
        structure = phime.profiles(some, threads, progress=False)
        direct = naive(model, proteins.take([0, 1]), some, structure, folder, threads) / (2 * len(some))
        _check(folder, done.scores, len(some))
    return _table(
        clock.seconds["total"], processor, done.seconds, direct * PROTEINS * number, len(some), number, threads
    )


def _processor() -> float:
    """Processor seconds of this process and of its ended children."""
    used = [resource.getrusage(who) for who in USED_BY]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _check(folder: Path, scores: np.ndarray, some: int) -> None:
    """Both must have computed the same."""
    for i in range(2):
        difference = np.abs(np.loadtxt(folder / f"{i}.txt") - scores[i, :some]).max()
        if difference > 1e-4:
            raise RuntimeError(f"protein {i + 1}: the two implementations differ by {difference}")


def _table(
    total: float, processor: float, stages: dict, direct: float, some: int, number: int, threads: int
) -> pd.DataFrame:
    own, largest = (resource.getrusage(who).ru_maxrss / 2**20 for who in USED_BY)
    folding = stages["structure"]
    rows = [
        ("proteins", PROTEINS, ""),
        ("RNAs", number, ""),
        *((f"command: {stage}", seconds, "s") for stage, seconds in stages.items()),
        ("command: all, with start-up", total, "s"),
        ("command: processor time of all processes", processor, "s"),
        ("RNAs through the tower per second", number / stages["scores"], "1/s"),
        ("structure profiles per second", number / folding, "1/s"),
        ("peak memory, all processes (upper bound)", own + threads * largest, "GiB"),
        (f"tower recomputed per protein (2 proteins x {some} RNAs, extrapolated), structure known", direct, "s"),
        ("times faster, structure known on both sides", direct / (total - folding), ""),
        ("times faster, structure made once on both sides", (direct + folding) / total, ""),
        ("published runtime score of the command", score(total), ""),
        ("published runtime score, tower recomputed per protein", score(direct + folding), ""),
    ]
    return pd.DataFrame(rows, columns=["what", "value", "unit"])


def main(
    fraction: Annotated[float, typer.Option(help="Share of the 120,678 RNAs.")] = 1.0,
    naive_rnas: Annotated[int, typer.Option(help="RNAs of the direct implementation.")] = 2000,
    threads: Annotated[int | None, typer.Option(help="Threads and processes (default: all cores).")] = None,
) -> None:
    """Print the table as CSV."""
    print(csv_bytes(measure(fraction, naive_rnas, threads), digits=4).decode(), end="")


if __name__ == "__main__":
    with as_message():
        typer.run(main)
