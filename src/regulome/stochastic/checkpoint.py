"""Checkpoints of a solver: tensors and JSON text in one torch file, read without running anything that it holds."""

import json
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from regulome.errors import UserError
from regulome.files import replacing
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.network_json import from_json, to_json

FORMAT = "regulome solver 1"
PARTS = ("format", "network", "settings", "record", "weights")


def write(
    path: str | Path, network: StateTransitionNetwork, settings: dict, record: dict, weights: dict[str, Tensor]
) -> None:
    """Write a checkpoint; a file that exists is replaced at the end.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    path = Path(path)
    text = {"network": to_json(network), "settings": settings, "record": record}
    content = {"format": FORMAT} | {name: json.dumps(value, ensure_ascii=False) for name, value in text.items()}
    content["weights"] = {name: weight.detach().cpu().clone() for name, weight in weights.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def read(
    path: str | Path, expected: StateTransitionNetwork | None = None
) -> tuple[StateTransitionNetwork, dict, dict, dict[str, Tensor]]:
    """Network, settings, record and weights of a checkpoint.

    Raises
    ------
    UserError
        If the file is missing, is none or damaged, or is of another network than the expected one: other states,
        events, parameters or boxes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a checkpoint of a solver (.pt)")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{path}: no checkpoint of a solver, or damaged; expected what Solver.save wrote") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or set(content) != set(PARTS):
        raise UserError(f"{path}: no checkpoint of a solver; expected the format '{FORMAT}'")
    with mending(path):
        parts = [json.loads(content[name]) for name in ("network", "settings", "record")]
        network = from_json(parts[0], str(path))
    if expected is not None:
        _compare(path, parts[0], to_json(expected))
    return network, parts[1], parts[2], content["weights"]


@contextmanager
def mending(path: str | Path) -> Iterator[None]:
    """Says of a checkpoint whose parts do not fit together that it is damaged."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(f"{path}: damaged checkpoint ({reason}); expected one that Solver.save wrote") from None


def _compare(path: Path, found: dict, expected: dict) -> None:
    for field in ("state_names", "minimal_state_indices", "parameters", "events"):
        if found.get(field) != expected.get(field):
            names = (values.get("model_name", "a network") for values in (found, expected))
            raise UserError(f"{path}: found '{next(names)}', expected '{next(names)}': {field} differ")
