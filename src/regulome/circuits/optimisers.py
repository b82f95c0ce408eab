"""RMSProp and Adam as TensorFlow 1 defined them, for stacked replicates.

The published circuits were trained with these. `torch.optim.RMSprop` differs in the start of the accumulator (0
instead of 1), its decay (0.99 instead of 0.9) and the place of epsilon (outside the root instead of inside), which
changes which topology a run finds. Every tensor has replicates on its first axis and no step mixes them.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class RMSProp:
    """TensorFlow 1 RMSProp without momentum: p -= rate * g / sqrt(s + 1e-10), s = 0.9 s + 0.1 g², s(0) = 1."""

    rate: float = 1e-3
    decay: float = 0.9
    epsilon: float = 1e-10
    squares: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def update(self, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        """Change the parameters in place."""
        if not self.squares:
            self.squares = [torch.ones_like(p) for p in parameters]
        for p, g, s in zip(parameters, gradients, self.squares, strict=True):
            s.mul_(self.decay).addcmul_(g, g, value=1 - self.decay)
            p.addcdiv_(g, (s + self.epsilon).sqrt_(), value=-self.rate)

    def select(self, index: Tensor) -> None:
        """Keep the state of some replicates only."""
        self.squares = [s[index] for s in self.squares]


@dataclass
class Adam:
    """TensorFlow 1 Adam: the bias corrections scale the rate, epsilon is added to the uncorrected root."""

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    step: int = 0
    means: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def update(self, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        """Change the parameters in place."""
        if not self.means:
            self.means = [torch.zeros_like(p) for p in parameters]
            self.squares = [torch.zeros_like(p) for p in parameters]
        self.step += 1
        rate = self.rate * (1 - self.beta2**self.step) ** 0.5 / (1 - self.beta1**self.step)
        for p, g, m, s in zip(parameters, gradients, self.means, self.squares, strict=True):
            m.mul_(self.beta1).add_(g, alpha=1 - self.beta1)
            s.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            p.addcdiv_(m, s.sqrt().add_(self.epsilon), value=-rate)

    def select(self, index: Tensor) -> None:
        """Keep the state of some replicates only."""
        self.means, self.squares = [m[index] for m in self.means], [s[index] for s in self.squares]


OPTIMISERS = {"rmsprop": RMSProp, "adam": Adam}
