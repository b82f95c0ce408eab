"""Random numbers of the Monte-Carlo particles: seeded, on any device, in pairs of opposite sign where asked for."""

import numpy as np
import torch
from torch import Tensor


class Noise:
    """Draws for S particles.

    Parameters
    ----------
    seed
        Whole numbers; other numbers give independent draws.
    particles
        S.
    antithetic
        Whether the second half of the particles has the opposite noise of the first (S even).
    """

    def __init__(self, seed: tuple[int, ...], particles: int = 1, antithetic: bool = False, device: str = "cpu"):
        self.particles, self.antithetic, self.device = particles, antithetic, device
        state = np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0]
        self.generator = torch.Generator(device).manual_seed(int(state >> np.uint64(1)))

    def normal(self, *shape: int) -> Tensor:
        """(S, *shape) standard normal."""
        drawn = torch.randn(self._own, *shape, generator=self.generator, device=self.device)
        return torch.cat([drawn, -drawn]) if self.antithetic else drawn

    def uniform(self, *shape: int) -> Tensor:
        """(S, *shape) uniform in [0, 1)."""
        drawn = torch.rand(self._own, *shape, generator=self.generator, device=self.device)
        return torch.cat([drawn, 1 - drawn]) if self.antithetic else drawn

    @property
    def _own(self) -> int:
        return self.particles // 2 if self.antithetic else self.particles
