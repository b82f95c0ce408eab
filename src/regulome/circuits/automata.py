"""Cells on a ring that read their neighbours, as in Fig. 6: regulators are neighbour means and own genes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome.circuits.network import CircuitNetwork


@dataclass(frozen=True)
class Ring:
    """Cells of a ring, or the half of it that says all when every time course is mirror symmetric.

    Attributes
    ----------
    cell
        (S,) cell of the ring that each site stands for.
    left, right
        (S,) sites that hold the neighbours of each site.
    weight
        (S,) cells of the ring that each site stands for: how often it counts in a mean over cells.
    """

    cell: np.ndarray
    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray


def full_ring(cells: int) -> Ring:
    """Every cell a site."""
    cell = np.arange(cells)
    return Ring(cell, (cell - 1) % cells, (cell + 1) % cells, np.ones(cells, dtype=np.float32))


def half_ring(cells: int) -> Ring:
    """Cells from the centre (cells // 2) to the opposite side; the other half mirrors them.

    Automata that start from one central cell stay mirror symmetric, so that half of their cells would be computed
    twice. Sums over cells weighted with ``weight`` are those over the ring.
    """
    site = np.arange(cells // 2 + 1)
    right = site + 1
    right[-1] = site[-1] if cells % 2 else site[-1] - 1  # beyond the last site lies its mirror image
    weight = np.full(len(site), 2, dtype=np.float32)
    weight[0] = 1
    if cells % 2 == 0:
        weight[-1] = 1
    return Ring((cells // 2 + site) % cells, np.abs(site - 1), right, weight)


def ring_of(levels: np.ndarray) -> Ring:
    """Half ring if levels (..., cells, G) are exactly mirror symmetric about cell cells // 2, else the full ring."""
    cells = levels.shape[-2]
    mirror = (2 * (cells // 2) - np.arange(cells)) % cells
    return half_ring(cells) if np.array_equal(levels, levels[..., mirror, :]) else full_ring(cells)


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


def predict(network: CircuitNetwork, initial: np.ndarray, n_steps: int, dt: float) -> np.ndarray:
    """(R, T + 1, cells, G) levels of a free run from ``initial`` (R, cells, G), which is the first sample.

    In double precision: unstable patterns blow up rounding, which would break the mirror symmetry of the automaton.
    """
    start = torch.as_tensor(initial, dtype=torch.float64)
    states = ring_states(network.to(torch.float64), start, n_steps + 1, dt)
    return states[..., start.shape[-1] :].transpose(1, 2).numpy()
