"""Hill circuits in torch: many topologies and parameter sets in one batch, on any device, differentiable.

The equations are those of `regulome.circuits.hill`; there every row is a parameter set of one topology, here every row
has signs of its own. Letters: B circuits, C cases, T steps, N = I + G regulators (inputs first), G genes.
"""

import numpy as np
import torch
from torch import Tensor

from regulome.circuits.hill import OscillationCriteria

PUBLISHED = OscillationCriteria()
SMALLEST_K2 = 1e-12  # K = 0 would make an absent regulator 0 / 0


def rates(regulators: Tensor, signs: Tensor, b: Tensor, k: Tensor) -> Tensor:
    """(B, C, G) production rates.

    Parameters
    ----------
    regulators
        (B, C, N) levels of inputs and genes.
    signs
        (B, N, G) +1 activation, -1 inhibition, 0 absent.
    b, k
        (B, N, G) maximal rate and Michaelis constant of each link; b matters for activators only.
    """
    u = regulators.square()[..., None]
    square = k.square().clamp(min=SMALLEST_K2)[:, None]
    below = square + u
    activation = torch.where(signs[:, None] > 0, b[:, None] * u / below, 0).sum(2)
    free = torch.where(signs[:, None] < 0, square / below, 1).prod(2)
    return activation * free


def simulate(signs: Tensor, b: Tensor, k: Tensor, inputs: Tensor, start: Tensor, dt: float) -> Tensor:
    """(B, C, T, G) levels by forward Euler; the first sample is the state after the first update.

    Parameters
    ----------
    signs, b, k
        (B, N, G), see `rates`.
    inputs
        (C, T, I) or (B, C, T, I) levels; row t acts during the update that produces sample t.
    start
        (B, G) or (B, C, G) levels at time zero.
    """
    inputs = inputs.expand(len(b), *inputs.shape[-3:])
    state = start[:, None] if start.ndim == 2 else start
    state = state.expand(len(b), inputs.shape[1], b.shape[2])
    trajectory = []
    for t in range(inputs.shape[2]):
        rate = rates(torch.cat([inputs[:, :, t], state], dim=-1), signs, b, k)
        state = (1 - dt) * state + dt * rate
        trajectory.append(state)
    return torch.stack(trajectory, dim=2)


def simulate_rk4(
    signs: Tensor, b: Tensor, k: Tensor, inputs: Tensor, start: Tensor, dt: float, substeps: int = 8
) -> Tensor:
    """As `simulate`, by fourth-order Runge-Kutta with ``substeps`` steps a sample: close to the exact solution."""
    inputs = inputs.expand(len(b), *inputs.shape[-3:])
    state = start[:, None] if start.ndim == 2 else start
    state = state.expand(len(b), inputs.shape[1], b.shape[2])
    h = dt / substeps
    trajectory = []
    for t in range(inputs.shape[2]):
        held = inputs[:, :, t]

        def slope(x: Tensor, held: Tensor = held) -> Tensor:
            return rates(torch.cat([held, x], dim=-1), signs, b, k) - x

        for _ in range(substeps):
            first = slope(state)
            second = slope(state + h / 2 * first)
            third = slope(state + h / 2 * second)
            state = state + h / 6 * (first + 2 * second + 2 * third + slope(state + h * third))
        trajectory.append(state)
    return torch.stack(trajectory, dim=2)


@torch.no_grad()
def statistics(
    signs: np.ndarray,
    b: Tensor,
    k: Tensor,
    start: float = 0.1,
    dt: float = 0.25,
    n_steps: int = 200,
    level: float = 0.8,
) -> dict[str, Tensor]:
    """What the criteria of the enumeration look at: statistics of g1 over the second half of three runs.

    Nothing but running sums is stored, so that millions of parameter sets of one topology fit on a GPU.

    Parameters
    ----------
    signs
        (N, G) one topology of two inputs, or (B, N, G).
    b, k
        (B, N, G); their device and type are used.

    Returns
    -------
    dict
        "mean", "variance", "largest" and "smallest" change between samples, each (B, 3): at rest, under the first
        input and under the second.
    """
    inputs = torch.tensor([[0, 0], [level, 0], [0, level]], dtype=b.dtype, device=b.device).expand(len(b), 3, 2)
    sign = torch.as_tensor(np.array(signs), device=b.device).expand(b.shape)
    state = torch.full((len(b), 3, b.shape[2]), start, dtype=b.dtype, device=b.device)
    half = n_steps // 2
    total = square = shift = 0.0
    last = largest = smallest = None
    for t in range(n_steps):
        state = (1 - dt) * state + dt * rates(torch.cat([inputs, state], dim=-1), sign, b, k)
        output = state[..., 0]
        if t == half:  # sums of differences from one value: float32 keeps the digits of a small variance
            shift, largest, smallest = output, torch.full_like(output, -torch.inf), torch.full_like(output, torch.inf)
        if t > half:
            largest, smallest = torch.maximum(largest, output - last), torch.minimum(smallest, output - last)
        if t >= half:
            total, square = total + (output - shift), square + (output - shift).square()
        last = output
    mean = total / (n_steps - half)
    variance = square / (n_steps - half) - mean.square()
    return {"mean": mean + shift, "variance": variance, "largest": largest, "smallest": smallest}


def passes(found: dict[str, Tensor], criteria: OscillationCriteria = PUBLISHED) -> Tensor:
    """(B,) True where the `statistics` meet the criteria (`regulome.circuits.hill.controlled_oscillation`)."""
    mean, variance = found["mean"], found["variance"]
    slope = found["largest"][:, 1] * found["smallest"][:, 1]
    swings = (variance[:, 1] > criteria.oscillation_variance) & (slope < criteria.slope_product)
    steady = (variance[:, 0] < criteria.rest_variance) & (variance[:, 2] < criteria.rest_variance)
    return swings & steady & (mean[:, 2] > criteria.ratio * mean[:, 0])
