"""Log-likelihood of single-cell counts: the sum over cells of ln p(counts | theta), unobserved species summed out.

The law of the counts comes from any object with a ``network`` and
``observed_log_prob(theta (B, P), names, counts (S, N)) -> (B, S)``: the trained solver, the exact likelihood, or the
closed form of the two-state gene. It is the **sum**: the mean, which the published inference uses, is a likelihood
tempered by the number of cells, and says nothing about how much is known (see `published_inference`).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from regulome.errors import UserError
from regulome.stochastic.counts import Cells
from regulome.stochastic.network import StateTransitionNetwork

FLOOR = -700.0  # smallest ln p of a cell: about the smallest double; keeps truncated laws finite


class CountLaw(Protocol):
    """What can stand behind a likelihood."""

    network: StateTransitionNetwork

    def observed_log_prob(self, theta: torch.Tensor, names: Sequence[str], counts: np.ndarray) -> torch.Tensor: ...


class Likelihood:
    """Likelihood of one sample of cells, or of several at once.

    Parameters
    ----------
    model
        A `CountLaw`.
    cells
        One sample, or several of the same species: those are evaluated on the union of their count vectors.
    zero_truncated
        Whether cells without any molecule are missing from the data: every cell then has probability
        p(n) / (1 - p(0)).
    chunk
        Parameter sets evaluated at a time, which bounds memory.
    options
        Further arguments of ``observed_log_prob``, such as ``time``.

    Raises
    ------
    UserError
        If the samples have different species, a species is not recorded by the network, or truncated data hold zeros.
    """

    def __init__(
        self, model: CountLaw, cells: Cells | Sequence[Cells], zero_truncated: bool = False, chunk: int = 64, **options
    ):
        samples = (cells,) if isinstance(cells, Cells) else tuple(cells)
        self.model, self.samples, self.zero_truncated = model, samples, zero_truncated
        self.chunk, self.options, self.names = chunk, options, samples[0].names
        for sample in samples:
            if sample.names != self.names:
                raise UserError(f"{sample.source}: found species {sample.names}, expected {self.names} as before")
            if zero_truncated and sample.has_empty:
                raise UserError(
                    f"{sample.source}: found cells without any molecule, but zero_truncated says there are none"
                )
        for name in self.names:
            if name not in model.network.recorded:
                raise UserError(
                    f"{samples[0].source}: species '{name}' is not recorded by the network "
                    f"({', '.join(model.network.recorded)})"
                )
        empty = [np.zeros((1, len(self.names)), np.int64)] if zero_truncated else []
        self.rows = np.unique(np.concatenate([s.rows for s in samples] + empty), axis=0)
        self.weights = torch.tensor(np.stack([self._weights(sample) for sample in samples]))

    @property
    def network(self) -> StateTransitionNetwork:
        return self.model.network

    @property
    def cells(self) -> Cells:
        """The first sample."""
        return self.samples[0]

    @property
    def totals(self) -> np.ndarray:
        """(D,) number of cells in each sample."""
        return np.array([sample.total for sample in self.samples])

    def _weights(self, sample: Cells) -> np.ndarray:
        """(S,) how often each row of the union occurs in a sample."""
        place = {tuple(row): at for at, row in enumerate(self.rows)}
        weights = np.zeros(len(self.rows))
        weights[[place[tuple(row)] for row in sample.rows]] = sample.multiplicities
        return weights

    def rows_log_prob(self, theta: torch.Tensor) -> torch.Tensor:
        """(B, S) ln p of the distinct rows, at least `FLOOR`, differentiable where the model is; float64."""
        parts = [
            torch.as_tensor(self.model.observed_log_prob(part, self.names, self.rows, **self.options)).double()
            for part in theta.split(self.chunk)
        ]
        found = torch.nan_to_num(torch.cat(parts), nan=FLOOR, neginf=FLOOR).clamp(min=FLOOR)
        if not self.zero_truncated:
            return found
        absent = found[:, :1].clamp(max=-1e-12)  # the empty row comes first
        return found - torch.log(-torch.expm1(absent))

    def torch(self, theta: torch.Tensor) -> torch.Tensor:
        """(B,) log-likelihood of the first sample, differentiable where the model is."""
        return self.rows_log_prob(theta) @ self.weights[0]

    def __call__(self, theta: np.ndarray) -> np.ndarray:
        """(B,) log-likelihood of the first sample at (B, P) parameters."""
        with torch.no_grad():
            return self.torch(torch.as_tensor(np.atleast_2d(theta), dtype=torch.float64)).numpy()

    def each(self, theta: np.ndarray) -> np.ndarray:
        """(D, K) log-likelihood of every sample, each at its own (D, K, P) parameters."""
        theta = torch.as_tensor(theta, dtype=torch.float64)
        with torch.no_grad():
            table = self.rows_log_prob(theta.reshape(-1, theta.shape[-1])).reshape(*theta.shape[:2], -1)
            return torch.einsum("dks,ds->dk", table, self.weights).numpy()

    def all(self, theta: np.ndarray) -> np.ndarray:
        """(D, B) log-likelihood of every sample at the same (B, P) parameters."""
        with torch.no_grad():
            return (self.weights @ self.rows_log_prob(torch.as_tensor(theta, dtype=torch.float64)).T).numpy()

    def saturated(self) -> float:
        """Log-likelihood of the first sample under its own frequencies: the ceiling of every model."""
        share = self.cells.multiplicities / self.cells.total
        return float(self.cells.multiplicities @ np.log(share))
