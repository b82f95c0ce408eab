"""What each size of ESM-2 needs: parameters counted, memory and time measured on random weights or estimated.

Random weights have the shapes and the cost of trained ones and mean nothing: their name says "random_weights" in
every file, and no result uses them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from regulome.binding.esm_checkpoint import SIZES
from regulome.binding.sequences import AMINO_ACIDS, Sequences, sequences
from regulome.tables import write_bytes

GIB, MIB = 2**30, 2**20
HOW = ("whole", "streamed")
ESTIMATED, MEASURED = "estimated", "measured"


def parameters(layers: int, width: int, heads: int) -> int:
    """Weights of fair-esm's ESM2 of a size, counted on a network without storage; the contact head is left out."""
    network = _network(layers, width, heads, "meta")
    return sum(values.numel() for name, values in network.named_parameters() if not name.startswith("contact_head"))


def layer_bytes(width: int) -> int:
    """Bytes of one layer in float32: 12 width^2 weights, 13 width biases and norms."""
    return 4 * (12 * width**2 + 13 * width)


def operations(layers: int, width: int, lengths: Sequence[int]) -> float:
    """Multiplications and additions of a forward pass: 24 width^2 a token and layer, 4 T^2 width in the attention."""
    tokens = np.asarray(lengths) + 2.0
    return float(layers * (24 * width**2 * tokens.sum() + 4 * width * (tokens**2).sum()))


def _network(layers: int, width: int, heads: int, device: str) -> torch.nn.Module:
    from esm.model.esm2 import ESM2

    with torch.device(device):
        return ESM2(num_layers=layers, embed_dim=width, attention_heads=heads, token_dropout=True)


def write_random(folder: str | Path, layers: int, width: int, heads: int, seed: int, half: bool = False) -> Path:
    """Write a checkpoint of random weights in fair-esm's format and return its path.

    Parameters
    ----------
    half
        Store float16, as the published large checkpoints do.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(layers, width, heads, "cpu")
    settings = argparse.Namespace(
        encoder_layers=layers, encoder_embed_dim=width, encoder_attention_heads=heads, token_dropout=True
    )
    weights = {}
    for name, values in network.state_dict().items():
        if not name.startswith("contact_head"):  # a second file holds these
            prefix = "encoder." if name.startswith("lm_head") else "encoder.sentence_encoder."
            weights[prefix + name] = values.half() if half else values
    path = Path(folder) / f"esm2_random_weights_{layers}x{width}.pt"
    torch.save({"cfg": {"model": settings}, "model": weights}, path)
    return path


def random_proteins(count: int, length: int, seed: int) -> Sequences:
    """Proteins of random residues, all of one length: what time and memory are measured on."""
    rng = np.random.default_rng(seed)
    letters = ["".join(row) for row in rng.choice(list(AMINO_ACIDS[:20]), (count, length))]
    return sequences(letters, "protein", source="random residues")


# --- measuring, each run in a process of its own


def measure(checkpoint: Path, proteins: Sequences, how: str, threads: int = 1) -> dict[str, float]:
    """Seconds and peak memory of one run in a process of its own.

    Returns
    -------
    dict
        ``seconds``, loading included; ``peak_mib``, resident memory at its peak above that before the checkpoint was
        touched; ``vectors`` (P, width).

    Raises
    ------
    subprocess.CalledProcessError
        If that process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        fasta, out = Path(folder) / "proteins.fasta", Path(folder) / "measured.npz"
        text = "".join(f">{name}\n{letters}\n" for name, letters in zip(proteins.names, proteins.letters, strict=True))
        write_bytes(fasta, text.encode())
        words = [sys.executable, "-m", __name__, str(checkpoint), str(fasta), str(out), how, str(threads)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        with np.load(out) as content:
            return json.loads(done.stdout) | {"vectors": content["values"]}


def _measure_here(checkpoint: str, fasta: str, out: str, how: str, threads: str) -> None:
    """Body of the process."""
    import time

    from regulome.binding.embeddings import embed, load_esm2
    from regulome.binding.esm_streaming import embed_streamed
    from regulome.binding.sequences import read_sequences

    torch.set_num_threads(int(threads))
    proteins = read_sequences(fasta, "protein")
    with tempfile.TemporaryDirectory() as folder:  # libraries load and buffers grow here, not in what is measured
        tiny, short = write_random(folder, 1, 8, 2, seed=0), random_proteins(1, 4, seed=0)
        embed(load_esm2(tiny, "cpu"), short)
        embed_streamed(tiny, short, device="cpu", progress=False)
    before, start = _peak_bytes(), time.perf_counter()
    if how == "whole":
        vectors = embed(load_esm2(checkpoint, "cpu"), proteins, batch_tokens=1024)
    else:
        vectors = embed_streamed(checkpoint, proteins, device="cpu", batch_tokens=1024, progress=False)
    seconds = time.perf_counter() - start
    np.savez(out, values=vectors.values)
    print(json.dumps({"seconds": seconds, "peak_mib": (_peak_bytes() - before) / MIB}))


def _peak_bytes() -> int:
    """Peak resident memory of this process so far, 0 where the system does not tell.

    Linux: VmHWM, which begins anew with the program; what getrusage tells there includes the parent process.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return 1024 * int(lines[0].split()[1]) if lines else 0
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# --- tables


def size_table() -> pd.DataFrame:
    """What follows from the shape of each size: one row a model.

    Returns
    -------
    DataFrame
        model, layers, width, parameters, file_gib (float16, as the large ones are stored), whole_gib (all weights in
        float32), layer_gib (one layer in float32: what streaming holds of the weights).
    """
    rows = []
    for name, (layers, width, heads) in SIZES.items():
        number = parameters(layers, width, heads)
        rows.append((name, layers, width, number, 2 * number / GIB, 4 * number / GIB, layer_bytes(width) / GIB))
    columns = ["model", "layers", "width", "parameters", "file_gib", "whole_gib", "layer_gib"]
    return pd.DataFrame(rows, columns=columns)


def measured_runs(models: Sequence[str], count: int, length: int, seed: int, threads: int = 1) -> pd.DataFrame:
    """Whole and streamed passes with random weights of some sizes, each in a process of its own.

    Parameters
    ----------
    models
        Of `esm_checkpoint.SIZES`.
    count, length
        Proteins and their residues.

    Returns
    -------
    DataFrame
        model, how, seconds (loading included), peak_mib, difference (largest, of streamed from whole vectors).
    """
    proteins = random_proteins(count, length, seed)
    return pd.concat([_both(name, proteins, seed, threads) for name in models], ignore_index=True)


def expected_seconds(runs: pd.DataFrame, count: int, length: int) -> pd.DataFrame:
    """Streamed seconds a protein of every size: measured, or estimated from operations at the largest measured rate.

    Returns
    -------
    DataFrame
        model, seconds_per_protein, time ("measured" or "estimated").
    """
    seconds = runs[runs["how"] == "streamed"].set_index("model")["seconds"] / count
    largest = max(seconds.index, key=lambda name: SIZES[name][1])
    rate = operations(*SIZES[largest][:2], [length]) / seconds[largest]
    rows = [
        (name, seconds[name], MEASURED)
        if name in seconds.index
        else (name, operations(layers, width, [length]) / rate, ESTIMATED)
        for name, (layers, width, _) in SIZES.items()
    ]
    return pd.DataFrame(rows, columns=["model", "seconds_per_protein", "time"])


def _both(name: str, proteins: Sequences, seed: int, threads: int) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_random(folder, *SIZES[name], seed)
        found = {how: measure(checkpoint, proteins, how, threads) for how in HOW}
    difference = float(np.abs(found["streamed"].pop("vectors") - found["whole"].pop("vectors")).max())
    return pd.DataFrame([{"model": name, "how": how, **found[how], "difference": difference} for how in HOW])


if __name__ == "__main__":
    _measure_here(*sys.argv[1:])
