"""Exponential moving average of the weights.

    m_t = d m_(t-1) + (1 - d) w_t,  m_0 = 0;   average = m_t / (1 - d^t)

The published average starts at the initial weights (``corrected=False``: m_0 = w_0, no division): with d = 0.999 it is
still 37 % initialisation after 1000 steps. The division removes that. Buffers are copied, not averaged.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from regulome.errors import UserError


class Average:
    """Average of a network's parameters; the network itself goes on training.

    Parameters
    ----------
    network
        Whose weights are averaged.
    decay
        d, at least 0 (the last weights) and below 1.
    corrected
        See the module.

    Raises
    ------
    UserError
        If the decay is out of range.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999, corrected: bool = True):
        if not 0 <= decay < 1:
            raise UserError(f"averaging: decay is {decay}; expected at least 0 and below 1")
        self.decay, self.corrected, self.steps = decay, corrected, 0
        start = torch.zeros_like if corrected else torch.clone
        self.sums = {name: start(w.detach()) for name, w in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights after one optimiser step."""
        self.steps += 1
        sums = list(self.sums.values())
        torch._foreach_lerp_(sums, [w.detach() for w in network.parameters()], 1 - self.decay)

    def weights(self) -> dict[str, Tensor]:
        """The average of every parameter; before the first step there is none."""
        if self.corrected and not self.steps:
            raise ValueError("no step yet")
        share = 1 - self.decay**self.steps if self.corrected else 1.0
        return {name: total / share for name, total in self.sums.items()}

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[nn.Module]:
        """The network with averaged weights (its buffers are its own); afterwards it has its own weights again."""
        own = {name: w.detach().clone() for name, w in network.named_parameters()}
        try:
            network.load_state_dict(self.weights(), strict=False)
            yield network
        finally:
            network.load_state_dict(own, strict=False)

    def state(self) -> dict:
        """What a checkpoint keeps."""
        return {"steps": self.steps, "sums": {name: total.cpu().clone() for name, total in self.sums.items()}}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.steps = int(state["steps"])
        for name, total in self.sums.items():
            total.copy_(state["sums"][name])
