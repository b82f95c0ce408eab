"""Files of tensors and JSON text in torch's format, read without running anything that they hold."""

import json
import pickle
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from regulome.errors import UserError
from regulome.files import replacing


def write(path: str | Path, form: str, text: dict, tensors: dict[str, Tensor]) -> None:
    """Write a file of the given format; one that exists is replaced at the end.

    Parameters
    ----------
    form
        Name of the format, which `read` asks for.
    text
        Plain values, kept as JSON.
    tensors
        By name.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    path = Path(path)
    kept = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    content = {"format": form, "text": json.dumps(text, ensure_ascii=False), "tensors": kept}
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def read(path: str | Path, form: str, what: str) -> tuple[dict, dict[str, Tensor]]:
    """Values and tensors of a file that `write` wrote.

    Parameters
    ----------
    form
        Name of the format that is expected.
    what
        What such a file is, for messages.

    Raises
    ------
    UserError
        If the file is missing, damaged or of another format.
    """
    content = _content(Path(path), what)
    if not isinstance(content, dict) or set(content) != {"format", "text", "tensors"} or content["format"] != form:
        found = content.get("format", "none") if isinstance(content, dict) else "none"
        raise UserError(f"{path}: not {what}: found format '{found}', expected '{form}'")
    try:
        return json.loads(content["text"]), dict(content["tensors"])
    except (ValueError, TypeError):
        raise UserError(f"{path}: damaged; expected {what}") from None


def format_of(path: str | Path, what: str) -> str:
    """Name of the format of a file that `write` wrote, for callers that accept several (errors as in `read`)."""
    content = _content(Path(path), what)
    if not isinstance(content, dict) or not isinstance(content.get("format"), str):
        raise UserError(f"{path}: not {what}: found no format")
    return content["format"]


def _content(path: Path, what: str) -> object:
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected {what}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{path}: not {what}, or damaged") from None
