"""The networks all perturbation models are made of: a residual trunk, a Gaussian head, a count head."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from regulome.perturbation.distributions import VARIANCE_OFFSET, Gaussian

SLOPE = 0.01  # of the leaky rectifier


class ResidualMLP(nn.Module):
    """`layers` fully connected layers of `width`; all but the first add their output to their input.

    The first layer reads the concatenation of several blocks. `project` gives the share of one block, so that a block
    that many cells have in common (the effect of a perturbation, the counts under several samples) is multiplied once.

    Parameters
    ----------
    blocks
        Widths of the input blocks.
    """

    def __init__(self, blocks: Sequence[int], width: int, layers: int):
        super().__init__()
        self.ends = list(accumulate(blocks))
        self.first = nn.Linear(sum(blocks), width)
        self.rest = nn.ModuleList(nn.Linear(width, width) for _ in range(layers - 1))

    def project(self, block: int, value: Tensor) -> Tensor:
        """(..., width) share of one block in the first layer, without the bias."""
        start = self.ends[block - 1] if block else 0
        return functional.linear(value, self.first.weight[:, start : self.ends[block]])

    def column(self, block: int, position: Tensor) -> Tensor:
        """(R, width) what `project` gives for one-hot rows with the 1 at `position` (R,)."""
        start = self.ends[block - 1] if block else 0
        return self.first.weight[:, start + position].T

    def finish(self, projected: Tensor) -> Tensor:
        """(..., width) output, from the sum of the projected blocks."""
        hidden = functional.leaky_relu(projected + self.first.bias, SLOPE)
        for layer in self.rest:
            hidden = hidden + functional.leaky_relu(layer(hidden), SLOPE)
        return hidden

    def forward(self, *blocks: Tensor) -> Tensor:
        """(..., width) output for blocks (..., block width), whose other axes broadcast."""
        projected = self.project(0, blocks[0])
        for number, value in enumerate(blocks[1:], 1):
            projected = projected + self.project(number, value)
        return self.finish(projected)


class GaussianHead(nn.Module):
    """Mean and variance, exp(.) + 1e-4, of Normal distributions."""

    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.mean = nn.Linear(width, outputs)
        self.log_variance = nn.Linear(width, outputs)

    def forward(self, hidden: Tensor) -> Gaussian:
        """Distributions (..., outputs) for hidden (..., width)."""
        return Gaussian(self.mean(hidden), self.log_variance(hidden).exp() + VARIANCE_OFFSET)


class GaussianMLP(nn.Module):
    """A residual trunk with a Gaussian head."""

    def __init__(self, blocks: Sequence[int], width: int, layers: int, outputs: int):
        super().__init__()
        self.trunk = ResidualMLP(blocks, width, layers)
        self.head = GaussianHead(width, outputs)

    def forward(self, *blocks: Tensor) -> Gaussian:
        """Distributions (..., outputs); see `ResidualMLP.forward`."""
        return self.head(self.trunk(*blocks))


class CountHead(nn.Module):
    """Logits of the shares of P genes, and the inverse dispersion of each gene, which all cells share."""

    def __init__(self, width: int, genes: int):
        super().__init__()
        self.logits = nn.Linear(width, genes)
        self.log_dispersion = nn.Parameter(torch.zeros(genes))

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., P) logits; the expected counts are library * softmax(logits)."""
        return self.logits(hidden)


class CountMLP(nn.Module):
    """A residual trunk with a count head."""

    def __init__(self, blocks: Sequence[int], width: int, layers: int, genes: int):
        super().__init__()
        self.trunk = ResidualMLP(blocks, width, layers)
        self.head = CountHead(width, genes)

    def forward(self, *blocks: Tensor) -> Tensor:
        """(..., P) logits; see `ResidualMLP.forward`."""
        return self.head(self.trunk(*blocks))
