"""Checkpoints of ESM-2 (Lin et al., Science 2023) in fair-esm's format: where they are, and reading them safely.

Reading is ours, for two reasons: fair-esm's own loader fails with torch 2.6 and newer, and checkpoints are read here
without ever running code that a file may contain. The weights for contact prediction, a second file beside each
checkpoint, are not needed and not read.
"""

import argparse
import pickle
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from regulome.errors import UserError, closest

HUB = "https://dl.fbaipublicfiles.com/fair-esm/models"  # where fair-esm's own loader finds them
SIZES = {  # layers, width, attention heads
    "esm2_t6_8M_UR50D": (6, 320, 20),
    "esm2_t12_35M_UR50D": (12, 480, 20),
    "esm2_t30_150M_UR50D": (30, 640, 20),
    "esm2_t33_650M_UR50D": (33, 1280, 20),
    "esm2_t36_3B_UR50D": (36, 2560, 40),
    "esm2_t48_15B_UR50D": (48, 5120, 40),
}
MODELS = tuple(SIZES)
PREFIX = re.compile(r"^encoder\.(sentence_encoder\.)?")  # of the training code
TIMEOUT = 30  # seconds without an answer after which a download is given up


@dataclass(frozen=True)
class EsmSettings:
    """Layers, width and attention heads of a network, and whether it was trained with token dropout."""

    layers: int
    width: int
    heads: int
    token_dropout: bool = True


def locate(name_or_checkpoint: str | Path) -> tuple[str, Path]:
    """Name and file of a checkpoint: a ``.pt`` file, or one of ``MODELS``, which is downloaded once.

    Raises
    ------
    UserError
        No such file, an unknown name, or no network.
    """
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


def read(path: Path, mmap: bool = False) -> dict:
    """Read tensors and settings; anything else in the file is refused before it is made.

    Parameters
    ----------
    mmap
        Map the file instead of reading it: a tensor's bytes are read when they are touched, and given back when
        nothing refers to the result any more.

    Raises
    ------
    UserError
        A damaged file, one that is not a checkpoint of ESM-2 or holds more than numbers and settings.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UserError(
            f"{path}: cannot be loaded ({_refusal(error)}); expected a complete ESM-2 checkpoint of fair-esm, "
            "which holds tensors and settings and nothing else"
        ) from None
    fields = list(content) if isinstance(content, dict) else []
    settings = content["cfg"] if "cfg" in fields else None
    if "model" not in fields or not isinstance(settings, dict) or "model" not in settings:
        found = f"fields {', '.join(map(str, fields[:5]))}" if fields else f"a {type(content).__name__}"
        raise UserError(f"{path}: found {found}; expected the fields cfg and model of an ESM-2 checkpoint of fair-esm")
    return content


def _refusal(error: Exception) -> str:
    """Say why torch refused a file, without torch's advice to load it unsafely."""
    if foreign := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it holds {foreign[1]}, neither a tensor nor a setting"
    if "mmap can only be used" in str(error):
        return "torch's format of before 1.6, which cannot be mapped; load it and write it again with torch.save"
    if isinstance(error, pickle.UnpicklingError):
        return "not a file of torch"
    return " ".join(str(error).split())[:200] or "the file ends early"


def settings_of(path: Path, content: dict) -> EsmSettings:
    """Settings of the network in a checkpoint; UserError where one is missing or no number."""
    namespace = content["cfg"]["model"]
    try:
        return EsmSettings(
            layers=int(namespace.encoder_layers),
            width=int(namespace.encoder_embed_dim),
            heads=int(namespace.encoder_attention_heads),
            token_dropout=bool(namespace.token_dropout),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: weights and settings do not fit together ({error})") from None


def layer_number(layer: int, layers: int, name: str) -> int:
    """Number of a layer from 0, the residue embeddings, to `layers`; negative ones count from the end.

    Raises
    ------
    UserError
        If the network has no such layer.
    """
    if not -layers - 1 <= layer <= layers:
        raise UserError(f"layer is {layer}; expected -{layers + 1} to {layers} for {name}")
    return layer % (layers + 1)
