"""The file of a predictor: tensors and JSON, with the network's own file inside."""

import copy
import tempfile
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from regulome import tensor_file
from regulome.binding import compact
from regulome.binding.combination import Calibration
from regulome.binding.homology import HomologyTerm, Member
from regulome.binding.model_file import Model
from regulome.binding.rna_regression import KmerRidge
from regulome.binding.sequences import Sequences
from regulome.errors import UserError

if TYPE_CHECKING:
    from regulome.binding.predictor import Predictor

FORMAT = "regulome binding predictor 1"
WHAT = "a binding predictor (Predictor.save)"


def write(path: str | Path, predictor: "Predictor", share: float | None = None) -> None:
    """Write a predictor; coefficients keep half precision, which changes scores in the fourth digit.

    With ``share`` in little room (`regulome.binding.compact`): coefficients rounded to that share of their standard
    deviation, everything else that is large in half precision.
    """
    ridge = predictor.ridge
    text = {
        "training": _plain(predictor.training),
        "reference": _plain(predictor.reference),
        "ridge": {"longest": ridge.longest, "penalty": ridge.penalty},
        "term": asdict(predictor.term),
        "expectation": predictor.expectation.to_dict("list"),
        "kind": predictor.kind,
        "source": predictor.source,
        "targets": predictor.targets,
        "calibration": None if predictor.calibration is None else asdict(predictor.calibration),
    }
    arrays = {
        "coefficients": ridge.coefficients.astype(np.float16),
        "intercept": ridge.intercept,
        "new_r": predictor.new_r,
        "identity": predictor.identity,
        "gram": predictor.gram,
    }
    if predictor.model is not None:
        arrays["model"] = _model_bytes(predictor.model, half=share is not None)
        arrays["reference_vectors"] = predictor.reference_vectors
    if share is not None:
        arrays = compact.packed(arrays, share)
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
    tensor_file.write(path, FORMAT, text, tensors)


def read(path: str | Path) -> dict:
    """What `Predictor` is built from.

    Raises
    ------
    UserError
        If the file is missing, damaged or of another kind.
    """
    text, tensors = tensor_file.read(path, FORMAT, WHAT)
    try:
        arrays = compact.unpacked({name: tensor.numpy() for name, tensor in tensors.items()})
        members = tuple(Member(**member) for member in text["term"]["members"])
        calibration = None if text["calibration"] is None else Calibration(**text["calibration"])
        return {
            "training": _sequences(text["training"], "protein"),
            "ridge": KmerRidge(arrays["coefficients"].astype(np.float32), arrays["intercept"], **text["ridge"]),
            "identity": arrays["identity"],
            "gram": arrays["gram"],
            "term": HomologyTerm(members, text["term"]["penalty"]),
            "expectation": pd.DataFrame(text["expectation"]),
            "new_r": arrays["new_r"],
            "reference": _sequences(text["reference"], "rna"),
            "kind": text["kind"],
            "source": text["source"],
            "targets": text["targets"],
            "model": _model(arrays["model"]) if "model" in arrays else None,
            "reference_vectors": arrays.get("reference_vectors"),
            "calibration": calibration,
        }
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise UserError(f"{path}: damaged ({error}); expected {WHAT}") from None


def _plain(given: Sequences) -> dict:
    return {"names": list(given.names), "letters": list(given.letters), "source": given.source}


def _sequences(text: dict, kind: str) -> Sequences:
    return Sequences(tuple(text["names"]), tuple(text["letters"]), kind, text["source"])


def _model_bytes(model: Model, half: bool) -> np.ndarray:
    if half:
        model = replace(model, network=copy.deepcopy(model.network).half())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        model.save(path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()


def _model(content: np.ndarray) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        path.write_bytes(content.tobytes())
        return Model.load(path)
