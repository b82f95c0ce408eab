"""Cells on a ring that read their neighbours, as in Fig. 6: regulators are neighbour means and own genes."""

import torch
from torch import Tensor

from regulome.circuits.network import CircuitNetwork


def neighbour_mean(state: Tensor) -> Tensor:
    """(..., cells, G) mean of the two neighbours of each cell on the ring."""
    return (state.roll(1, dims=-2) + state.roll(-1, dims=-2)) / 2


@torch.no_grad()
def ring_states(network: CircuitNetwork, initial: Tensor, n_steps: int, dt: float) -> Tensor:
    """Run the network in every cell of a ring.

    Parameters
    ----------
    initial
        (R, cells, G) levels at time zero.

    Returns
    -------
    Tensor
        (R, cells, T, 2 G) regulators of each cell before each update: neighbour means, then its own genes.
    """
    state, states = initial, []
    for _ in range(n_steps):
        regulators = torch.cat([neighbour_mean(state), state], dim=-1)
        states.append(regulators)
        state = (1 - dt) * state + dt * network.rates(regulators)
    return torch.stack(states, dim=2)
