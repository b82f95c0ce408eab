"""Perfect adaptation (Figs 1 and 2 of Shen et al. 2021): test curves, sensitivity and error, and the motifs found."""

import numpy as np
import torch

from regulome.circuits.mutation import step_inputs
from regulome.circuits.network import CircuitNetwork, simulate

TEST_DT = 0.1
TEST_STEPS = 150
STEP_AT = 40  # sample 39 is the last one before the step
LEVELS = np.linspace(0.05, 1, 20)


@torch.no_grad()
def pulses(network: CircuitNetwork, links: torch.Tensor | None = None) -> np.ndarray:
    """(R, 20, 150) output g1 after the input steps from 0.1 to each of 20 levels at time 4 (Fig. 1b).

    ``links`` replaces the network's links (a link mutation); the initial state is the trained one.
    """
    inputs = step_inputs(LEVELS[:, None], TEST_STEPS, on=STEP_AT, rest=0.1)
    return simulate(network, inputs, TEST_DT, links=links)[..., 0].numpy()


def sensitivity_and_error(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity max g1 - g1(before) and adaptation error |g1(end) - g1(before)| at input 1.

    Parameters
    ----------
    curves
        (..., 20, 150) output of `pulses`.

    Returns
    -------
    sensitivity, error
        (...) each, in units of the output level.
    """
    full = curves[..., -1, :]
    before = full[..., STEP_AT - 1]
    return full[..., STEP_AT:].max(-1) - before, np.abs(full[..., -1] - before)


def adapts(sensitivity: np.ndarray, error: np.ndarray) -> np.ndarray:
    """True where a network responds (sensitivity at least 0.2) and returns (error at most a quarter of it)."""
    return (sensitivity >= 0.2) & (error <= 0.25 * sensitivity)


def target_sensitivity_and_error() -> tuple[float, float]:
    """What a network that meets the training target exactly would score: the ceiling (peak of the pulse, its rest)."""
    k = np.arange(40)
    pulse = 2 * (np.exp(-k / 6) - np.exp(-k / 3))
    return float(pulse.max()), float(pulse[-1])


def motif(signs: np.ndarray) -> str:
    """Name the motif of one network of input I and genes g1 (output), g2.

    Parameters
    ----------
    signs
        (3, 2) signs, regulators I, g1, g2; targets g1, g2.

    Returns
    -------
    str
        "incoherent feed-forward" if the direct path I -> g1 and the path over g2 have opposite signs,
        "negative feedback" if g1 -> g2 -> g1 is negative and the input reaches it, both joined by " + ", else "none".
    """
    direct, to_g2 = signs[0]
    g1_to_g2, g2_to_g1 = signs[1, 1], signs[2, 0]
    found = []
    if direct * to_g2 * g2_to_g1 < 0:
        found.append("incoherent feed-forward")
    if g1_to_g2 * g2_to_g1 < 0 and (direct or to_g2):
        found.append("negative feedback")
    return " + ".join(found) or "none"


@torch.no_grad()
def cross_sections(network: CircuitNetwork, points: int = 100, others: float = 0.5) -> np.ndarray:
    """f of every gene along one regulator, the other regulators held at ``others`` (Fig. 1c).

    Returns
    -------
    numpy.ndarray
        (R, N, points, G); regulator levels run from 0 to 1.
    """
    n = network.links.shape[1]
    sections = []
    for i in range(n):
        x = torch.full((network.replicates, points, n), others, dtype=network.start.dtype)
        x[:, :, i] = torch.linspace(0, 1, points)
        sections.append(network.rates(x))
    return torch.stack(sections, dim=1).numpy()
