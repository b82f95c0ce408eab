"""Minibatches of a screen: only the cells of a batch are ever made dense, so that memory does not grow with cells.

Which perturbations occur in a batch is listed once (`treatments`), and cells refer to that list (`dosage`): effects are
computed for these R rows only. All others have weight zero in every term of the loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome.errors import UserError
from regulome.perturbation.distributions import Counts
from regulome.perturbation.screen import SPLITS, Screen
from regulome.perturbation.settings import ModelSettings

BLOCK = 4096  # cells


@dataclass(frozen=True)
class Batch:
    """B cells.

    Attributes
    ----------
    rows
        (B,) rows of the cells in the screen.
    counts
        Raw counts.
    library
        (B,) their sums, at least 1.
    treatments
        (R,) columns of the treatments that occur in the batch.
    dosage
        (B, R) 1 where a cell received a treatment; a control's row is zero.
    plating
        (B, R) 1 / (cells of the split with that treatment) where `dosage` is not 0: summed over an epoch, a treatment's
        column is 1, so that its divergence from the prior counts once.
    fail
        (B,) 1 for cells that failed quality control.
    fail_plating
        (B,) 1 / (failing cells of the split) for these.
    counterfactual, counterfactual_row
        (C, P) expected counts of the other quality, and (B,) which of these belongs to a cell; -1: none. None where the
        model does not ask.
    delta
        (B, G) log fold change against the matched control, nan where a gene is not measured. None where not asked.
    """

    rows: np.ndarray
    counts: Counts
    library: Tensor
    treatments: Tensor
    dosage: Tensor
    plating: Tensor
    fail: Tensor
    fail_plating: Tensor
    counterfactual: Tensor | None = None
    counterfactual_row: Tensor | None = None
    delta: Tensor | None = None

    def __len__(self) -> int:
        return self.counts.cells


def treatments(screen: Screen, settings: ModelSettings) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the T treatments of a model, and (K, T) dosage of every label of the screen.

    "gpo": all G latent genes, in their order. Others: the perturbed genes, or, with unique combinations, the labels.
    """
    if settings.family == "svae+" or settings.combinations == "unique":
        return screen.labels, np.eye(len(screen.labels), dtype=np.float32)
    if settings.latent_genes:
        return screen.latent, screen.dosage
    return screen.latent[: screen.perturbed], screen.dosage[:, : screen.perturbed]


class Reader:
    """Makes the batches of one split.

    Parameters
    ----------
    screen, settings
        Data, and the model that reads them.
    split
        One of `screen.SPLITS`, or the rows themselves.
    device
        "cpu" or "cuda".

    Raises
    ------
    UserError
        If there is no cell.
    """

    def __init__(self, screen: Screen, settings: ModelSettings, split: str | np.ndarray, device: str = "cpu"):
        self.screen, self.settings, self.device = screen, settings, device
        self.rows = screen.rows(split) if isinstance(split, str) else np.asarray(split)
        if not len(self.rows):
            raise UserError(f"{screen.name}: no cell in the split '{split}'; expected some in {', '.join(SPLITS)}")
        self.names, dosage = treatments(screen, settings)
        self.dosage = np.vstack([dosage, np.zeros(dosage.shape[1], np.float32)])  # last: controls
        per_label = np.bincount(screen.label[self.rows] % len(self.dosage), minlength=len(self.dosage))
        self.cells = ((self.dosage != 0) * per_label[:, None]).sum(0)
        self.failing = int(screen.qc_fail[self.rows].sum())

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: np.ndarray) -> Batch:
        """The given rows of the screen."""
        screen = self.screen
        present, dosage = self._present(screen.label[rows])
        weight = np.where(dosage != 0, 1 / np.maximum(self.cells[present], 1), 0).astype(np.float32)
        fail = screen.qc_fail[rows].astype(np.float32)
        table, place = self._counterfactual(rows)
        return Batch(
            rows=rows,
            counts=counts_of(screen, rows, self.device),
            library=self._send(np.maximum(screen.library[rows], 1)),
            treatments=self._send(present),
            dosage=self._send(dosage),
            plating=self._send(weight),
            fail=self._send(fail),
            fail_plating=self._send(fail / max(self.failing, 1)),
            counterfactual=table,
            counterfactual_row=place,
            delta=self._send(screen.delta(rows)) if self.settings.reads_delta else None,
        )

    def epoch(self, size: int, generator: np.random.Generator | None = None) -> Iterator[Batch]:
        """All cells once, in batches of `size` (the last may be smaller); shuffled if there is a generator."""
        rows = self.rows if generator is None else generator.permutation(self.rows)
        for start in range(0, len(rows), size):
            yield self.batch(rows[start : start + size])

    def _present(self, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(R,) treatments of these cells, (B, R) their dosage."""
        kinds, place = np.unique(label, return_inverse=True)
        table = self.dosage[kinds]
        present = np.flatnonzero((table != 0).any(0))
        return present, table[:, present][place]

    def _counterfactual(self, rows: np.ndarray) -> tuple[Tensor | None, Tensor | None]:
        if not self.settings.reads_counterfactual:
            return None, None
        groups, place = np.unique(self.screen.counterfactual_row[rows], return_inverse=True)
        if groups[0] < 0:
            groups, place = groups[1:], place - 1
        return self._send(self.screen.counterfactual[groups]), self._send(place)

    def _send(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def counts_of(screen: Screen, rows: np.ndarray, device: str = "cpu") -> Counts:
    """Nonzero counts of the given rows of a screen."""
    part = screen.counts[rows]
    cell = np.repeat(np.arange(len(rows)), np.diff(part.indptr))
    cell, gene = (torch.from_numpy(index.astype(np.int64)).to(device) for index in (cell, part.indices))
    value = torch.from_numpy(part.data.astype(np.float32)).to(device)
    return Counts(cell, gene, value, len(rows), part.shape[1])


def gene_statistics(screen: Screen, normalisation: str) -> tuple[np.ndarray, np.ndarray]:
    """(P,) mean and unbiased standard deviation over the training cells, of log(1 + counts) or of the counts.

    From the nonzero entries of some cells at a time: nothing of the size cells x genes is made.
    """
    rows, genes = screen.rows("train"), len(screen.genes)
    total, square = np.zeros(genes), np.zeros(genes)
    for start in range(0, len(rows), BLOCK):
        part = screen.counts[rows[start : start + BLOCK]]
        values = part.data.astype(np.float64)
        values = np.log1p(values) if normalisation == "log standardised" else values
        total += np.bincount(part.indices, values, genes)
        square += np.bincount(part.indices, values**2, genes)
    mean = total / len(rows)
    variance = np.maximum(square - len(rows) * mean**2, 0) / max(len(rows) - 1, 1)
    sd = np.sqrt(variance)
    sd[sd < 1e-6 * mean] = 0  # the same in all cells, up to rounding
    return mean.astype(np.float32), sd.astype(np.float32)
