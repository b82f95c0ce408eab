"""Protein embeddings from ESM-2 (Lin et al., Science 2023): one vector a protein, the mean over its residues.

The network and its alphabet are fair-esm's, held in memory as a whole. `esm_streaming` gives the same vectors with
one layer at a time in memory.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from regulome import devices
from regulome.binding import esm_checkpoint
from regulome.binding.sequences import AMINO_ACIDS, Sequences
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

BATCH_TOKENS = 4096


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
        One of `esm_checkpoint.MODELS` (downloaded once, into the folder that torch.hub and fair-esm use), or a
        local checkpoint ``*.pt`` in fair-esm's format.
    device
        "cpu", "cuda" or "auto" (cuda if there is one).

    Raises
    ------
    UserError
        Unknown name or device, no network, no such file, or a file that is not an ESM-2 checkpoint or holds
        anything but numbers and settings.
    """
    device = devices.choose(device)
    name, path = esm_checkpoint.locate(name_or_checkpoint)
    network = _network(path, esm_checkpoint.read(path))
    return ProteinModel(name, network.eval().requires_grad_(False).to(device))


def _network(path: Path, content: dict) -> torch.nn.Module:
    from esm.pretrained import load_model_and_alphabet_core

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Regression weights not found")
            network, _ = load_model_and_alphabet_core("esm2", content, None)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: weights and settings do not fit together ({reason})") from None
    return network


def embed(model: ProteinModel, proteins: Sequences, layer: int = -1, batch_tokens: int = BATCH_TOKENS) -> Vectors:
    """Embed proteins: the mean of a layer's representations over the residues.

    The begin and end tokens and the padding are left out of the mean. The result does not depend on the batch
    beyond rounding (about 1e-6).

    Parameters
    ----------
    proteins
        Amino acids of ESM-2's alphabet, upper case.
    layer
        1 to L is a transformer layer, 0 the residue embeddings; -1 the last, after its normalisation.
    batch_tokens
        Largest batch, padding included; a longer protein is a batch of its own. ESM-2 was trained on proteins of
        up to 1022 residues.

    Returns
    -------
    Vectors
        (P, width) float32 in the order of `proteins`; the source states model, layer and pooling.

    Raises
    ------
    UserError
        No sequences, an empty one, a letter that ESM-2 does not know (record and position are named), a layer or
        batch size out of range.
    """
    check_sequences(proteins)
    layer = esm_checkpoint.layer_number(layer, model.layers, model.name)
    converter = model.network.alphabet.get_batch_converter()
    vectors: dict[int, np.ndarray] = {}
    for places in batches(proteins.lengths, batch_tokens):
        _, _, tokens = converter([(proteins.names[i], proteins.letters[i]) for i in places])
        with torch.inference_mode():
            output = model.network(tokens.to(model.device), repr_layers=[layer])["representations"][layer]
        vectors |= pooled(places, output, proteins)
    return collected(vectors, proteins, model.name, layer)


def batches(lengths: list[int], batch_tokens: int) -> Iterator[list[int]]:
    """Places of sequences in batches of similar length, so that there is little padding.

    Raises
    ------
    UserError
        If a batch cannot hold a token.
    """
    if batch_tokens < 1:
        raise UserError(f"batch_tokens is {batch_tokens}; expected at least 1")
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * (lengths[place] + 2) > batch_tokens:
            yield batch
            batch = []
        batch.append(place)
    yield batch


def pooled(places: list[int], output: torch.Tensor, proteins: Sequences) -> dict[int, np.ndarray]:
    """Mean over the residues, positions 1 to the length, of (B, T, width) representations; by place."""
    means = {}
    for place, residues in zip(places, output.float(), strict=True):
        means[place] = residues[1 : proteins.lengths[place] + 1].mean(0).cpu().numpy()
    return means


def collected(vectors: dict[int, np.ndarray], proteins: Sequences, model: str, layer: int) -> Vectors:
    """Vectors in the order of the proteins, with the name of model, layer and pooling."""
    values = np.stack([vectors[place] for place in range(len(proteins))])
    return Vectors(proteins.names, values, f"{model} layer {layer} mean", proteins.checksum())


def check_sequences(proteins: Sequences) -> None:
    """Refuse what ESM-2 cannot read; the UserError names the record and the position, counted from 1.

    `read_sequences` has checked files already; this is for sequences that come from elsewhere.
    """
    where = proteins.source
    if proteins.kind != "protein":
        raise UserError(f"{where}: found {proteins.kind.upper()} sequences; expected proteins")
    if not len(proteins):
        raise UserError(f"{where}: no sequences; expected at least one")
    known = set(AMINO_ACIDS)
    for name, sequence in zip(proteins.names, proteins.letters, strict=True):
        if not sequence:
            raise UserError(f"{where}: record '{name}' is empty; expected amino acids")
        if bad := set(sequence) - known:
            position = next(i for i, letter in enumerate(sequence) if letter in bad)
            raise UserError(
                f"{where}: record '{name}', position {position + 1}: found '{sequence[position]}'; expected one of "
                f'{AMINO_ACIDS} (X is an unknown residue; reading with unknown="replace" puts it there)'
            )
