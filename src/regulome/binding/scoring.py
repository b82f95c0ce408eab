"""What the command scores with: a bare two-tower network, or a predictor that combines it with homologues.

Both are asked the same things: what they are, what they need (protein vectors, structure profiles, the longest RNA),
what to expect for a protein, and the scores.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome import devices
from regulome.binding import embedding_sources, featuriser, phime, structure_file
from regulome.binding.esm_checkpoint import MODELS
from regulome.binding.model_file import FORMAT as NETWORK
from regulome.binding.model_file import Model
from regulome.binding.predictor import TERMS, Predictor
from regulome.binding.sequences import Sequences
from regulome.binding.vectors import Vectors
from regulome.errors import UserError, closest
from regulome.tensor_file import format_of

DEFAULT = Path(__file__).with_name("default_model.pt")
METHODS = ("combination", "two-tower", "homology")
Coverage = pd.DataFrame  # columns nearest, nearest_identity, expected_r, low, high and more; one row a protein


class Scorer:
    """A two-tower network alone.

    Attributes
    ----------
    model
        The network.
    path
        Its file.
    method
        One of ``METHODS``.
    """

    methods = ("two-tower",)

    def __init__(self, model: Model, path: Path, method: str | None):
        self.model, self.path, self.method = model, path, self._chosen(path, method)

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def about(self) -> str:
        """Which model this is, what it was trained on, from which protein vectors."""
        shipped = " (shipped with regulome)" if self.path == DEFAULT else ""
        return f"{self.path.name}{shipped}, {self.method}; trained on {self._trained_on()}{self._reads()}"

    @property
    def network_used(self) -> bool:
        """Whether the method needs the two-tower network."""
        return self.method != "homology"

    @property
    def longest(self) -> int:
        """Bases of the longest RNA that it reads as one."""
        return self.model.longest

    @property
    def structure_used(self) -> bool:
        """Whether the method reads structure profiles."""
        return self.network_used and self.model.structure

    @property
    def shortest(self) -> int:
        """Bases of the shortest RNA of the training."""
        return self.model.shortest

    def check(self, source: str | None, structure: Path | None) -> None:
        """Refuse, before any work, vectors of another source than the training's, and profiles that cannot be had.

        Raises
        ------
        UserError
            Vectors for a method that reads none, or from another source; no such file of profiles, or no ViennaRNA to
            make them. What a file of vectors holds is seen by `vectors`.
        """
        if source is not None and not self.network_used:
            raise UserError(
                f"--embedding is '{source}'; {self.path} with the method {self.method} reads no protein vectors: "
                "expected no --embedding, or a model with a two-tower network"
            )
        if source is not None:
            embedding_sources.check_source(source)
            if found := embedding_sources.announced(source):
                self.model.check_vectors(*found)
        if not self.structure_used:
            return
        if not _is_structure_file(structure):
            phime.vienna()
        elif not structure.is_file():
            raise UserError(f"--structure {structure}: no such file; expected the structure.npz of notebook 12")

    def vectors(self, proteins: Sequences, source: str | None, device: str, threads: int) -> Vectors | None:
        """Protein vectors of the model's source; None where the method needs none.

        Raises
        ------
        UserError
            If they come from another source or have another width than those of the training.
        """
        if not self.network_used:
            return None
        found = embedding_sources.embed(source or self._source(), proteins, device, threads)
        self.model.check_vectors(found.source, found.width)
        return found

    def profiles(self, rnas: Sequences, path: Path | None, workers: int) -> np.ndarray | None:
        """(N, L, 5) structure profiles, made or looked up; None where the model reads none."""
        if not self.structure_used:
            return None
        if _is_structure_file(path):
            return structure_file.load(path, rnas)
        return phime.profiles(rnas, workers, path)

    def coverage(self, proteins: Sequences) -> Coverage | None:
        """What to expect of each protein; None: a bare network does not know its training proteins' sequences."""
        return None

    def scores(
        self,
        proteins: Sequences,
        vectors: Vectors | None,
        rnas: Sequences,
        structure: np.ndarray | None,
        device: str,
        threads: int,
    ) -> np.ndarray:
        """(P, N) float32."""
        return self.model.predict(vectors, rnas, structure, devices.choose(device), threads, progress=True)

    def _chosen(self, path: Path, method: str | None) -> str:
        if method is None:
            return self.methods[0]
        if method not in METHODS:
            raise UserError(f"--method is '{method}'{closest(method, METHODS)}; expected {', '.join(METHODS)}")
        if method not in self.methods:
            raise UserError(
                f"--method is '{method}'; expected {' or '.join(self.methods)}, which is what {path} has (a predictor, "
                "as notebook 15 keeps it, has all)"
            )
        return method

    def _source(self) -> str:
        """What to call `embedding_sources.embed` with for the vectors that the model was trained on."""
        name = self.model.vector_source
        if name == featuriser.source_name():
            return embedding_sources.KMERS
        if name.split()[0] in MODELS:
            return name.split()[0]
        raise UserError(
            f"{self.path}: trained on protein vectors '{name}', which cannot be made here; expected --embedding with "
            "a file of such vectors for these proteins"
        )

    def _trained_on(self) -> str:
        record = self.model.record
        kind = record.get("kind", "unknown")
        return f"{kind} intensities of {len(self.model.proteins)} proteins"

    def _reads(self) -> str:
        if not self.network_used:
            return ""
        structure = ", structure profiles" if self.model.structure else ""
        return f"; reads protein vectors '{self.model.vector_source}'{structure}"


class PredictorScorer(Scorer):
    """A predictor: homologues' profiles, and the two-tower network where it has one.

    Attributes
    ----------
    predictor
        `regulome.binding.predictor.Predictor`.
    """

    def __init__(self, predictor: Predictor, path: Path, method: str | None):
        self.predictor = predictor
        self.methods = METHODS if predictor.model is not None else ("homology",)
        super().__init__(predictor.model, path, method)

    @property
    def longest(self) -> int:
        """Bases of the longest RNA that it reads as one."""
        return self.predictor.longest

    @property
    def shortest(self) -> int:
        """Bases of the shortest RNA of the training, as far as its reference RNAs show."""
        return min(self.predictor.reference.lengths)

    def coverage(self, proteins: Sequences) -> Coverage:
        """What to expect of each protein (`Predictor.coverage`)."""
        return self.predictor.coverage(proteins).drop(columns="protein")

    def scores(
        self,
        proteins: Sequences,
        vectors: Vectors | None,
        rnas: Sequences,
        structure: np.ndarray | None,
        device: str,
        threads: int,
    ) -> np.ndarray:
        """(P, N) float32."""
        if self.method == "combination":
            return self.predictor.predict(proteins, rnas, vectors, structure, threads, progress=True)
        if self.method == "homology":
            return replace(self.predictor, model=None, calibration=None).predict(proteins, rnas, threads=threads)
        terms, _ = self.predictor.terms(proteins, rnas, vectors, structure, threads, progress=True)
        return terms[TERMS.index("two-tower")]

    def _trained_on(self) -> str:
        p = self.predictor
        return f"{p.kind} intensities of {len(p.training)} proteins ({p.source})"


def load(path: Path | None, method: str | None = None) -> Scorer:
    """Read a predictor or a network.

    Parameters
    ----------
    path
        None: the shipped predictor.
    method
        One of ``METHODS``; None: the first that the file has. The shipped predictor works without ViennaRNA as well:
        then this is "homology".

    Raises
    ------
    UserError
        No such file, another format, a damaged file, or a method that it does not have.
    """
    file = DEFAULT if path is None else Path(path)
    if format_of(file, "a predictor or a two-tower network") == NETWORK:
        return Scorer(Model.load(file), file, method)
    scorer = PredictorScorer(Predictor.load(file), file, method)
    if path is None and method is None and scorer.structure_used and not phime.installed():
        return PredictorScorer(scorer.predictor, file, "homology")
    return scorer


def _is_structure_file(path: Path | None) -> bool:
    """Whether it is a finished file of profiles, not a cache that grows."""
    return path is not None and Path(path).suffix == ".npz"
