"""A trained perturbation model: what it predicts for cells, the network it read out, and its file.

model = Trained.load("gpo_seed0.pt")
model.predict("STAT1", n=500, seed=0)      # (500, P) counts of sampled cells
model.ate(["STAT1", "JAK2+STAT1"])         # (2, P) average treatment effects
model.network()                            # (G, G) table of edge probabilities
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from regulome import devices, tensor_file
from regulome.errors import UserError, closest
from regulome.perturbation import models, settings
from regulome.perturbation.batches import Reader, treatments
from regulome.perturbation.noise import Noise
from regulome.perturbation.screen import CONTROL, JOIN, Screen

FORMAT = "regulome perturbation model 1"
PUBLISHED_LIBRARY = 1e4
OBSERVED = "observed"
CELLS, LIBRARIES, COUNTS, SHARED, LOCAL = range(5)  # kinds of random numbers


@dataclass(frozen=True)
class Trained:
    """A trained model; on the CPU, in evaluation mode.

    Attributes
    ----------
    model
        The network with its weights.
    genes
        P measured genes, in the order of every prediction.
    labels
        K perturbations of the screen.
    treatments
        T names: the genes (or, with unique combinations, the labels) that a prediction can be asked for.
    libraries
        Sorted libraries of the training controls.
    record
        How it was trained: plain values, ``log`` (a row an epoch).
    """

    model: models.PerturbationModel
    genes: tuple[str, ...]
    labels: tuple[str, ...]
    treatments: tuple[str, ...]
    libraries: np.ndarray
    record: dict = field(default_factory=dict)

    @property
    def settings(self) -> settings.ModelSettings:
        """Which model it is."""
        return self.model.settings

    @property
    def log(self) -> pd.DataFrame:
        """A row an epoch: epoch, seconds, all terms of the loss on training and validation cells."""
        return pd.DataFrame(self.record.get("log", []))

    # --- prediction

    def dosage(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Treatments of a label, and how much of each; none for "control".

        Raises
        ------
        UserError
            If the model has never seen one of them.
        """
        if label == CONTROL:
            return np.zeros(0, int), np.zeros(0, np.float32)
        names = [label] if label in self.treatments else label.split(JOIN)
        for name in names:
            if name not in self.treatments:
                raise UserError(
                    f"label '{label}': '{name}' is no treatment of this model{closest(name, self.treatments)}"
                )
        chosen = np.array([self.treatments.index(name) for name in names])
        never = [self.treatments[i] for i in chosen if not self.model.observed[i]]
        if never:
            raise UserError(
                f"label '{label}': no training cell had {', '.join(never)} perturbed; this model has not learned it"
            )
        return chosen, np.ones(len(chosen), np.float32)

    def predict(
        self,
        label: str,
        n: int = 2500,
        seed: int = 0,
        library: float | str = PUBLISHED_LIBRARY,
        fail: bool = False,
        device: str = "cpu",
    ) -> np.ndarray:
        """(n, P) float32 counts of sampled cells.

        Mask, effects and artifact from their posterior and the basal latent from its prior, all anew for every cell, as
        published. The same seed gives the same basal latents for every label, so that differences between labels vary
        less.

        Parameters
        ----------
        label
            "control", a perturbed gene, or genes joined by "+", trained together or not.
        library
            UMI of a cell (published: 1e4), or "observed": drawn from the libraries of the training controls.
        fail
            Whether the cells are to fail quality control ("cradle", "gpo").

        Raises
        ------
        UserError
            If the label is unknown to the model.
        """
        return np.concatenate([part.numpy() for part in self._cells(label, n, seed, library, fail, device)])

    def pseudobulk(
        self, label: str, n: int = 2500, seed: int = 0, library: float | str = PUBLISHED_LIBRARY, device: str = "cpu"
    ) -> np.ndarray:
        """(P,) mean over sampled cells of log2(1 + 1e4 counts / their sum)."""
        total = np.zeros(len(self.genes))
        for part in self._cells(label, n, seed, library, False, device):
            total += log_rate(part).double().sum(0).numpy()
        return total / n

    def ate(
        self,
        labels: Sequence[str] | None = None,
        n: int = 2500,
        seed: int = 0,
        library: float | str = PUBLISHED_LIBRARY,
        device: str = "cpu",
    ) -> np.ndarray:
        """(K, P) average treatment effects: `pseudobulk` of every label (default: all) minus that of the controls."""
        base = self.pseudobulk(CONTROL, n, seed, library, device)
        labels = self.labels if labels is None else labels
        return np.array([self.pseudobulk(label, n, seed, library, device) - base for label in labels])

    @torch.no_grad()
    def _cells(
        self, label: str, n: int, seed: int, library: float | str, fail: bool, device: str, chunk: int = 500
    ) -> Iterator[Tensor]:
        """Counts of n cells, at most `chunk` at a time."""
        where, (chosen, amount) = devices.choose(device), self.dosage(label)
        model = self.model.to(where)
        try:
            for number, start in enumerate(range(0, n, chunk)):
                size = min(chunk, n - start)
                logits = model.sample_logits(chosen, amount, Noise((seed, CELLS, number), size, device=where), fail)
                umi = self._libraries(library, size, (seed, LIBRARIES, number)).to(where)
                generator = Noise((seed, COUNTS, number), device=where).generator
                rate = torch.softmax(logits, -1) * umi[:, None]
                yield _negative_binomial(rate, model.decoder.head.log_dispersion.exp(), generator).cpu()
        finally:
            self.model.to("cpu")

    def _libraries(self, library: float | str, n: int, seed: tuple[int, ...]) -> Tensor:
        if library == OBSERVED:
            drawn = np.random.default_rng(list(seed)).choice(self.libraries, n)
            return torch.from_numpy(drawn.astype(np.float32))
        if isinstance(library, str) or not library > 0:
            raise UserError(f"library is {library!r}; expected UMI of a cell (above 0) or '{OBSERVED}'")
        return torch.full((n,), float(library))

    # --- the network

    def network(self) -> pd.DataFrame:
        """Probability of every edge: rows regulators, columns targets, both the G latent genes ("gpo").

        Corrected: nan in the rows of genes that no training cell had perturbed, about which nothing was learned.

        Raises
        ------
        UserError
            If the family has no such network.
        """
        if not self.settings.latent_genes:
            raise UserError(f"a model of the family '{self.settings.family}' has no network; expected gpo")
        scores = self.model.edge_scores().numpy()
        return pd.DataFrame(scores, index=list(self.treatments), columns=list(self.treatments))

    # --- densities

    @torch.no_grad()
    def log_weights(
        self,
        screen: Screen,
        rows: np.ndarray,
        particles: int = 100,
        seed: int = 0,
        shared: bool = True,
        batch: int = 128,
        device: str = "cpu",
    ) -> np.ndarray:
        """(S, N) log p(x | z, shared latents) + log p(z) - log q(z) of cells, each decoded as its own quality.

        The logarithm of their mean over particles is the importance-weighted bound; their mean the bound of one sample.
        Mask, effects and artifact are drawn from their posterior once for all cells and are not scored, as published.

        Parameters
        ----------
        rows
            Cells of the screen.
        shared
            Whether all particles share one draw of mask, effects and artifact (only then is it a bound, given them).
        batch
            Cells at a time.
        """
        self.check(screen)
        where, out = devices.choose(device), np.empty((particles, len(rows)), np.float32)
        reader, model = Reader(screen, self.settings, rows, where), self.model.to(where)
        everything = torch.arange(len(self.treatments), device=where)
        try:
            for first in range(1 if shared else particles):
                noise = Noise((seed, SHARED, first), device=where)
                effects, (artifact, _) = model.draw_effects(everything, noise), model.draw_artifact(noise)
                span = slice(0, particles) if shared else slice(first, first + 1)
                for start in range(0, len(rows), batch):
                    part = reader.batch(rows[start : start + batch])
                    local = Noise((seed, LOCAL, first, start), device=where)
                    for some in _blocks(span, 10):
                        local.particles = some.stop - some.start
                        weights = model.log_weights(part, effects, artifact, local)
                        out[some, start : start + batch] = weights.cpu().numpy()
        finally:
            self.model.to("cpu")
        return out

    def check(self, screen: Screen) -> None:
        """Refuse a screen with other genes or perturbations (UserError)."""
        if screen.genes != self.genes:
            raise UserError(f"{screen.name}: other measured genes than the model was trained on, or another order")
        if treatments(screen, self.settings)[0] != self.treatments:
            raise UserError(f"{screen.name}: other perturbations or latent genes than the model was trained on")

    # --- files

    def save(self, path: str | Path) -> None:
        """Write the model; UserError if it cannot be written."""
        text = {
            "settings": asdict(self.settings),
            "sizes": asdict(self.model.sizes),
            "genes": self.genes,
            "labels": self.labels,
            "treatments": self.treatments,
            "record": self.record,
        }
        tensors = {f"network.{name}": values for name, values in self.model.state_dict().items()}
        tensor_file.write(path, FORMAT, text, tensors | {"libraries": torch.from_numpy(self.libraries)})

    @classmethod
    def load(cls, path: str | Path) -> "Trained":
        """Read a model; nothing in the file is executed.

        Raises
        ------
        UserError
            If the file is missing, damaged or none.
        """
        text, tensors = tensor_file.read(path, FORMAT, "a perturbation model (Trained.save)")
        try:
            chosen = settings.from_dict(settings.ModelSettings, text["settings"])
            network = models.build(chosen, models.Sizes(**text["sizes"]))
            start = "network."
            network.load_state_dict({n[len(start) :]: v for n, v in tensors.items() if n.startswith(start)})
            names = (tuple(text[name]) for name in ("genes", "labels", "treatments"))
            return cls(network.eval(), *names, tensors["libraries"].numpy(), text["record"])
        except (KeyError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:120]
            raise UserError(f"{path}: damaged model ({reason}); expected one that Trained.save wrote") from None


def log_rate(counts: Tensor) -> Tensor:
    """log2(1 + 1e4 counts / their sum) of cells (n, P); an empty cell is zero."""
    return torch.log2(1 + 1e4 * counts / counts.sum(1, keepdim=True).clamp(min=1))


def _negative_binomial(mean: Tensor, dispersion: Tensor, generator: torch.Generator) -> Tensor:
    """Counts: Poisson with a Gamma-distributed rate, of shape `dispersion` and the given mean."""
    shape = dispersion.expand_as(mean).contiguous()
    gamma = torch._standard_gamma(shape, generator=generator)
    return torch.poisson(gamma * (mean + 1e-4) / dispersion, generator=generator)


def _blocks(span: slice, size: int) -> Iterator[slice]:
    """The range in blocks of at most `size`."""
    for start in range(span.start, span.stop, size):
        yield slice(start, min(start + size, span.stop))
