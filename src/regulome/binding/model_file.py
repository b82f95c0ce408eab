"""A trained two-tower model: the network and everything that it needs to read new input.

    model = Model.load("model.pt")
    model.predict(vectors, rnas, structure)        # (P, N) scores; the RNA tower runs once, whatever P is

The file names what made the protein vectors, their width, whether structure profiles are read, the statistics of the
vectors (over training proteins) and of the targets (over training RNAs). Input that does not fit is refused.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from regulome import devices, tensor_file
from regulome.binding import fast_tower, tokens
from regulome.binding.sequences import Sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.two_tower import Settings, TwoTower
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

FORMAT = "regulome two-tower 1"
TARGET_STATISTICS = ("low", "high", "mean", "sd", "negative", "undefined")
CHUNK = 16_384  # RNAs of one product
NOISE = 0.01  # sd of the noise of `predict(noise_copies=...)`, in the units of z-scored vectors


@dataclass(frozen=True)
class Model:
    """A trained network with its statistics.

    Attributes
    ----------
    network
        The network, on the CPU, in evaluation mode.
    vector_source
        What made the protein vectors (`Vectors.source`).
    vector_mean, vector_sd
        (d,) over the training proteins; sd is infinite where all training proteins agree, so that such a column
        counts as 0.
    targets
        How intensities became targets, with the statistics of the training proteins.
    proteins
        Names of the training proteins.
    record
        How it was trained: plain values, ``log`` (a row an epoch), ``longest`` (bases of the longest training RNA)
        and more.
    path
        File it was read from, for messages.
    """

    network: TwoTower
    vector_source: str
    vector_mean: np.ndarray
    vector_sd: np.ndarray
    targets: TargetTransform
    proteins: tuple[str, ...]
    record: dict = field(default_factory=dict)
    path: str = "model"

    @property
    def settings(self) -> Settings:
        """Sizes and options of the network."""
        return self.network.settings

    @property
    def structure(self) -> bool:
        """Whether it reads structure profiles."""
        return self.settings.structure

    @property
    def longest(self) -> int:
        """Bases of the longest RNA that it can read; positions beyond were never trained."""
        return int(self.record.get("longest", self.settings.positions))

    @property
    def shortest(self) -> int:
        """Bases of the shortest RNA of the training; scores of shorter ones are extrapolated."""
        return int(self.record.get("shortest", 1))

    @property
    def log(self) -> pd.DataFrame:
        """Training log, a row an epoch: epoch, loss, median_r, mean_r (and raw ones), seconds."""
        return pd.DataFrame(self.record.get("log", []))

    # --- files

    def save(self, path: str | Path) -> None:
        """Write the model.

        Raises
        ------
        UserError
            If the file cannot be written.
        """
        text = {
            "settings": asdict(self.settings),
            "vector_source": self.vector_source,
            "targets": self.targets.mode,
            "proteins": list(self.proteins),
            "record": self.record,
        }
        tensors = {f"network.{name}": weights for name, weights in self.network.state_dict().items()}
        tensors |= {"vector_mean": torch.from_numpy(self.vector_mean), "vector_sd": torch.from_numpy(self.vector_sd)}
        tensors |= {f"targets.{name}": torch.from_numpy(getattr(self.targets, name)) for name in TARGET_STATISTICS}
        tensor_file.write(path, FORMAT, text, tensors)

    @classmethod
    def load(
        cls, path: str | Path, vector_source: str | None = None, width: int | None = None, structure: bool | None = None
    ) -> "Model":
        """Read a model; nothing in the file is executed.

        Parameters
        ----------
        vector_source, width, structure
            What the caller will bring (None: not asked).

        Raises
        ------
        UserError
            If the file is missing, damaged or none, or does not fit what the caller will bring.
        """
        text, tensors = tensor_file.read(path, FORMAT, "a two-tower model (Model.save)")
        try:
            network = TwoTower(Settings(**text["settings"]))
            start = "network."
            network.load_state_dict({n[len(start) :]: w for n, w in tensors.items() if n.startswith(start)})
            statistics = {name: tensors[f"targets.{name}"].numpy() for name in TARGET_STATISTICS}
            model = cls(
                network.eval(),
                text["vector_source"],
                tensors["vector_mean"].numpy(),
                tensors["vector_sd"].numpy(),
                TargetTransform(text["targets"], **statistics),
                tuple(text["proteins"]),
                text["record"],
                str(path),
            )
        except (RuntimeError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0][:120]
            raise UserError(f"{path}: damaged model ({reason}); expected one that Model.save wrote") from None
        if vector_source is not None or width is not None:
            model.check_vectors(vector_source or model.vector_source, width or model.settings.vector_width)
        if structure is False:
            model.check_structure(None)
        return model

    # --- what fits

    def check_vectors(self, source: str, width: int) -> None:
        """Refuse protein vectors of another source or width (UserError)."""
        if source != self.vector_source or width != self.settings.vector_width:
            raise UserError(
                f"{self.path}: found protein vectors from '{source}' of width {width}; this model was trained on "
                f"'{self.vector_source}' of width {self.settings.vector_width}"
            )

    def check_structure(self, structure: np.ndarray | None, shape: tuple[int, int] | None = None) -> None:
        """Refuse missing profiles, or those of other RNAs, where the model reads them (UserError)."""
        if not self.structure:
            return
        if structure is None:
            raise UserError(f"{self.path}: no structure profiles; this model was trained with them (PHIME, 5 channels)")
        if shape is not None and not (
            structure.ndim == 3 and len(structure) == shape[0] and structure.shape[1] >= shape[1]
        ):
            raise UserError(
                f"{self.path}: found structure profiles {structure.shape}; expected {shape[0]} RNAs x at least "
                f"{shape[1]} positions x 5"
            )

    # --- prediction

    def standardise(self, vectors: Vectors) -> np.ndarray:
        """(P, d) float32 z-scores of protein vectors, by the statistics of the training proteins."""
        self.check_vectors(vectors.source, vectors.width)
        return ((vectors.values - self.vector_mean) / self.vector_sd).astype(np.float32)

    def encode_rnas(
        self,
        rnas: Sequences,
        structure: np.ndarray | None = None,
        device: str = "cpu",
        threads: int = 1,
        progress: bool = False,
    ) -> np.ndarray:
        """(N, D) float32 vectors of RNAs, in their order.

        Parameters
        ----------
        structure
            (N, L, 5) profiles; ignored by a model without structure.
        device
            "cpu" (by length, without padding: `regulome.binding.fast_tower`), "cuda" or "auto".
        threads
            Threads on a CPU; they do not change the result.

        Raises
        ------
        UserError
            If an RNA is longer than `longest` (see `regulome.binding.rna_windows`), or profiles do not fit.
        """
        long = [name for name, length in zip(rnas.names, rnas.lengths, strict=True) if length > self.longest]
        if long:
            raise UserError(
                f"{rnas.source}: RNA '{long[0]}' has {rnas.lengths[rnas.names.index(long[0])]} bases; this model "
                f"reads at most {self.longest}"
            )
        coded = tokens.encode(rnas)
        self.check_structure(structure, coded.shape)
        return fast_tower.encode(
            self.network, coded, structure if self.structure else None, devices.choose(device), threads, progress
        )

    @torch.no_grad()
    def protein_factors(self, vectors: Vectors, noise_copies: int = 0, seed: int = 0) -> np.ndarray:
        """(P, R) what the proteins bring into the product.

        With ``noise_copies`` it is the mean over that many copies with noise of sd 0.01 on the z-scored vectors: the
        score is linear in it, so that this equals averaging scores, at no cost on the RNA side.
        """
        standard = torch.from_numpy(self.standardise(vectors))
        head, tower = self.network.head, self.network.protein
        if not noise_copies:
            return head.of_proteins(tower(standard)).numpy()
        generator = torch.Generator().manual_seed(seed)
        copies = (standard + NOISE * torch.randn(standard.shape, generator=generator) for _ in range(noise_copies))
        return torch.stack([head.of_proteins(tower(copy)) for copy in copies]).mean(0).numpy()

    def predict(
        self,
        vectors: Vectors,
        rnas: Sequences,
        structure: np.ndarray | None = None,
        device: str = "cpu",
        threads: int = 1,
        noise_copies: int = 0,
        seed: int = 0,
        progress: bool = False,
    ) -> np.ndarray:
        """(P, N) float32 scores, in the order of the input; the scale is that of z-scored targets.

        Parameters
        ----------
        vectors
            P protein vectors of the model's source.
        rnas, structure, device, threads
            As in `encode_rnas`.
        noise_copies
            See `protein_factors` (0: none, 5 as published).

        Raises
        ------
        UserError
            As `encode_rnas`, and if the vectors are of another source or width.
        """
        factors = torch.from_numpy(self.protein_factors(vectors, noise_copies, seed))
        return self.product(factors, self.encode_rnas(rnas, structure, device, threads, progress))

    @torch.no_grad()
    def product(self, factors: torch.Tensor | np.ndarray, rnas: np.ndarray) -> np.ndarray:
        """(P, N) scores of (P, R) protein factors on (N, D) RNA vectors."""
        factors, head = torch.as_tensor(factors), self.network.head
        scores = np.empty((len(factors), len(rnas)), dtype=np.float32)
        for start in range(0, len(rnas), CHUNK):
            part = torch.from_numpy(rnas[start : start + CHUNK])
            scores[:, start : start + CHUNK] = (factors @ head.of_rnas(part).T + head.bias).numpy()
        return scores

    def with_record(self, **values) -> "Model":
        """The same model with more in its record."""
        return replace(self, record=self.record | values)
