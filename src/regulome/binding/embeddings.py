"""Protein embeddings from ESM-2 (Lin et al., Science 2023): one vector a protein, the mean over its residues.

The network and its alphabet are fair-esm's. Loading is ours, for two reasons: fair-esm's own loader fails with
torch 2.6 and newer, and checkpoints are read here without ever running code that a file may contain. The weights
for contact prediction, a second file beside each checkpoint, are not needed and not read.
"""

import argparse
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from regulome import devices
from regulome.binding.fasta import read_fasta
from regulome.errors import UserError, closest
from regulome.tables import write_csv

HUB = "https://dl.fbaipublicfiles.com/fair-esm/models"  # where fair-esm's own loader finds them
MODELS = (
    "esm2_t6_8M_UR50D",
    "esm2_t12_35M_UR50D",
    "esm2_t30_150M_UR50D",
    "esm2_t33_650M_UR50D",
    "esm2_t36_3B_UR50D",
    "esm2_t48_15B_UR50D",
)
LETTERS = "ACDEFGHIKLMNPQRSTVWYXBUZO"  # the amino acids of ESM-2's alphabet, X unknown; no J, gap or stop
BATCH_TOKENS = 4096
TIMEOUT = 30  # seconds without an answer after which a download is given up


@dataclass(frozen=True)
class ProteinModel:
    """A protein language model ready for use.

    Attributes
    ----------
    name
        The checkpoint's name; it goes with the embeddings wherever they are written.
    network
        fair-esm's ESM2, in evaluation mode.
    """

    name: str
    network: torch.nn.Module

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return self.network.num_layers

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device


def load_esm2(name_or_checkpoint: str | Path, device: str = "auto") -> ProteinModel:
    """Load ESM-2.

    Parameters
    ----------
    name_or_checkpoint
        One of ``MODELS`` (downloaded once, into the folder that torch.hub and fair-esm use), or a local
        checkpoint ``*.pt`` in fair-esm's format.
    device
        "cpu", "cuda" or "auto" (cuda if there is one).

    Raises
    ------
    UserError
        Unknown name or device, no network, no such file, or a file that is not an ESM-2 checkpoint or holds
        anything but numbers and settings.
    """
    device = devices.choose(device)
    name, path = _checkpoint(name_or_checkpoint)
    network = _network(path, _read_checkpoint(path))
    return ProteinModel(name, network.eval().requires_grad_(False).to(device))


def _checkpoint(name_or_checkpoint: str | Path) -> tuple[str, Path]:
    path = Path(name_or_checkpoint).expanduser()
    if path.suffix == ".pt":
        if not path.is_file():
            raise UserError(f"{path}: no such file; expected an ESM-2 checkpoint")
        return path.stem, path
    name = str(name_or_checkpoint)
    if name not in MODELS:
        raise UserError(
            f"'{name}' is neither an ESM-2 model{closest(name, MODELS)} nor a checkpoint; "
            f"expected a path that ends in .pt, or one of {', '.join(MODELS)}"
        )
    return name, _download(name)


def _download(name: str) -> Path:
    import pooch
    import requests

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    address = f"{HUB}/{name}.pt"
    fetch = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=True)
    try:
        return Path(pooch.retrieve(address, None, f"{name}.pt", folder, downloader=fetch))
    except (requests.RequestException, OSError) as error:
        raise UserError(
            f"{name}: not in {folder}, and cannot be downloaded from {address} ({type(error).__name__}); without a "
            f"network, place the file there or give the path of a local checkpoint, .../{name}.pt"
        ) from None


def _read_checkpoint(path: Path) -> dict:
    """Read tensors and settings; anything else in the file is refused before it is made."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UserError(
            f"{path}: cannot be loaded ({_refusal(error)}); expected a complete ESM-2 checkpoint of fair-esm, "
            "which holds tensors and settings and nothing else"
        ) from None


def _refusal(error: Exception) -> str:
    """Say why torch refused a file, without torch's advice to load it unsafely."""
    if foreign := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it holds {foreign[1]}, neither a tensor nor a setting"
    if isinstance(error, pickle.UnpicklingError):
        return "not a file of torch"
    return " ".join(str(error).split())[:200] or "the file ends early"


def _network(path: Path, content: dict) -> torch.nn.Module:
    from esm.pretrained import load_model_and_alphabet_core

    fields = list(content) if isinstance(content, dict) else []
    settings = content["cfg"] if "cfg" in fields else None
    if "model" not in fields or not isinstance(settings, dict) or "model" not in settings:
        found = f"fields {', '.join(map(str, fields[:5]))}" if fields else f"a {type(content).__name__}"
        raise UserError(f"{path}: found {found}; expected the fields cfg and model of an ESM-2 checkpoint of fair-esm")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Regression weights not found")
            network, _ = load_model_and_alphabet_core("esm2", content, None)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: weights and settings do not fit together ({reason})") from None
    return network


def embed(
    model: ProteinModel,
    sequences: Mapping[str, str],
    layer: int = -1,
    batch_tokens: int = BATCH_TOKENS,
    where: str | Path = "sequences",
) -> pd.DataFrame:
    """Embed proteins: the mean of a layer's representations over the residues.

    The begin and end tokens and the padding are left out of the mean. The result does not depend on the batch
    beyond rounding (about 1e-6).

    Parameters
    ----------
    sequences
        Name to amino acids, upper case (``LETTERS``).
    layer
        1 to L is a transformer layer, 0 the residue embeddings; -1 the last, after its normalisation.
    batch_tokens
        Largest batch, padding included; a longer protein is a batch of its own. ESM-2 was trained on proteins of
        up to 1022 residues.
    where
        What to call the sequences in an error.

    Returns
    -------
    DataFrame
        (proteins, width) in the order of ``sequences``, float32; ``attrs["source"]`` states model, layer, pooling.

    Raises
    ------
    UserError
        No sequences, an empty one, a letter that ESM-2 does not know (record and position are named), a layer or
        batch size out of range.
    """
    check_sequences(sequences, where)
    if not -model.layers - 1 <= layer <= model.layers:
        raise UserError(f"layer is {layer}; expected -{model.layers + 1} to {model.layers} for {model.name}")
    if batch_tokens < 1:
        raise UserError(f"batch_tokens is {batch_tokens}; expected at least 1")
    layer %= model.layers + 1
    converter = model.network.alphabet.get_batch_converter()
    vectors = {}
    for names in _batches({name: len(sequence) for name, sequence in sequences.items()}, batch_tokens):
        _, _, tokens = converter([(name, sequences[name]) for name in names])
        with torch.inference_mode():
            output = model.network(tokens.to(model.device), repr_layers=[layer])["representations"][layer]
        for name, residues in zip(names, output.float(), strict=True):
            vectors[name] = residues[1 : len(sequences[name]) + 1].mean(0).cpu().numpy()
    values = np.stack([vectors[name] for name in sequences])
    table = pd.DataFrame(values, index=pd.Index(list(sequences), name="name"))
    table.columns = [f"e{i}" for i in table.columns]
    table.attrs["source"] = f"{model.name} layer {layer} mean"
    return table


def _batches(lengths: Mapping[str, int], batch_tokens: int) -> Iterator[list[str]]:
    """Names in batches of similar length: little padding."""
    batch: list[str] = []
    for name in sorted(lengths, key=lengths.__getitem__):
        if batch and (len(batch) + 1) * (lengths[name] + 2) > batch_tokens:
            yield batch
            batch = []
        batch.append(name)
    yield batch


def check_sequences(sequences: Mapping[str, str], where: str | Path = "sequences") -> None:
    """Refuse what ESM-2 cannot read; the UserError names the record and the position, counted from 1."""
    if not sequences:
        raise UserError(f"{where}: no sequences; expected at least one")
    known = set(LETTERS)
    for name, sequence in sequences.items():
        if not sequence:
            raise UserError(f"{where}: record '{name}' is empty; expected amino acids")
        if bad := set(sequence) - known:
            position = next(i for i, letter in enumerate(sequence) if letter in bad)
            raise UserError(
                f"{where}: record '{name}', position {position + 1}: found '{sequence[position]}'; expected one of "
                f"{LETTERS} (X is an unknown residue)"
            )


def embed_fasta(
    path: str | Path,
    checkpoint: str | Path,
    out_csv: str | Path,
    layer: int = -1,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "auto",
) -> pd.DataFrame:
    """Embed the proteins of a FASTA file and write them as CSV: name, source, e0, e1, ...

    ``source`` states model, layer and pooling in every row, so that vectors of two models cannot be mixed unseen.
    The file appears whole or not at all. Parameters, result and errors are those of `load_esm2`, `read_fasta` and
    `embed`; sequences are checked before the model is loaded.
    """
    sequences = read_fasta(path)
    check_sequences(sequences, path)
    table = embed(load_esm2(checkpoint, device), sequences, layer, batch_tokens, path)
    written = table.reset_index()
    written.insert(1, "source", table.attrs["source"])
    write_csv(written, out_csv)
    return table
