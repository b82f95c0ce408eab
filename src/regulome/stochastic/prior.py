"""Box priors, and the two coordinates in which the inference works.

Sampling is in x = ln theta, where the ridge along which all rates grow together is straight; the box has hard walls.
Climbing is in u with ``x = ln low + (ln high - ln low) sigmoid(u)``: every u is inside the box, so that no optimiser
has to know about walls. A parameter that may be zero or negative has x = theta.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork

SCALES = ("linear", "log")


@dataclass(frozen=True)
class BoxPrior:
    """Independent priors over the boxes of a network's parameters.

    Attributes
    ----------
    network
        Gives names and boxes.
    scale
        "linear": uniform in theta (as published); its density over ln theta is proportional to theta.
        "log": uniform in ln theta. Parameters whose box reaches zero are uniform in theta in both.
    """

    network: StateTransitionNetwork
    scale: str = "linear"

    def __post_init__(self):
        if self.scale not in SCALES:
            raise UserError(f"prior: found scale '{self.scale}', expected {' or '.join(SCALES)}")
        if not self.network.parameters:
            raise UserError(f"{self.network.source}: the network has no parameters to infer")

    @property
    def dimension(self) -> int:
        """Number of parameters P."""
        return len(self.network.parameters)

    @cached_property
    def _logarithmic(self) -> torch.Tensor:
        return torch.tensor([parameter.log for parameter in self.network.parameters])

    @cached_property
    def _edges(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(P,) bounds of ln theta (theta where that may not be positive)."""
        box = torch.tensor(self.network.box)
        box = torch.where(self._logarithmic[:, None], box.clamp(min=1e-300).log(), box)
        return box[:, 0], box[:, 1]

    def theta_of(self, x: torch.Tensor) -> torch.Tensor:
        """(..., P) parameters at coordinates x, float64."""
        return torch.where(self._logarithmic, torch.where(self._logarithmic, x, 0.0).exp(), x)

    def coordinates(self, theta: torch.Tensor) -> torch.Tensor:
        """(..., P) coordinates x of parameters."""
        return torch.where(self._logarithmic, theta.clamp(min=1e-300).log(), theta)

    def log_density(self, x: torch.Tensor) -> torch.Tensor:
        """(...,) ln density over x, normalised; minus infinity outside the box."""
        low, high = self._edges
        inside = ((x >= low) & (x <= high)).all(-1)
        width = (high - low).log().sum()
        if self.scale == "linear":
            box = torch.tensor(self.network.box)
            width = (box[:, 1] - box[:, 0]).log().sum() - torch.where(self._logarithmic, x, 0.0).sum(-1)
        return torch.where(inside, -width, -torch.inf)

    def inside(self, u: torch.Tensor) -> torch.Tensor:
        """(..., P) coordinates x at unbounded coordinates u."""
        low, high = self._edges
        return low + (high - low) * torch.sigmoid(u)

    def unbounded(self, theta: torch.Tensor, margin: float = 1e-9) -> torch.Tensor:
        """(..., P) unbounded coordinates of parameters in the box; those on an edge are moved in by ``margin``."""
        low, high = self._edges
        return torch.logit(((self.coordinates(theta) - low) / (high - low)).clamp(margin, 1 - margin))

    def log_jacobian(self, u: torch.Tensor) -> torch.Tensor:
        """(..., P) ln dx/du."""
        low, high = self._edges
        sigmoid = torch.nn.functional.logsigmoid
        return (high - low).log() + sigmoid(u) + sigmoid(-u)

    def sample(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """(count, P) draws of theta."""
        box, part = self.network.box, generator.random((count, self.dimension))
        plain = box[:, 0] + part * (box[:, 1] - box[:, 0])
        if self.scale == "linear":
            return plain
        low, high = (edge.numpy() for edge in self._edges)
        with np.errstate(over="ignore"):
            return np.where(self._logarithmic.numpy(), np.exp(low + part * (high - low)), plain)
