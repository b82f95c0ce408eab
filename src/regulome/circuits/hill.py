"""Hill-function circuits: every topology of two genes and two inputs, and what their dynamics do.

Production of gene j (Shen et al. 2021, enumeration): with u = x² of each regulator,

    f_j = (sum over activators of b u / (K² + u)) * (product over inhibitors of K² / (K² + u)),   dg/dt = f - g.

There is no basal rate: a gene without activator is never made. Only activators have a maximal rate b. Letters: P
parameter sets, N = I + G regulators (inputs first), G genes.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class OscillationCriteria:
    """When a parameter set counts as a controlled oscillator: samples of the second half of three runs.

    Attributes
    ----------
    rest_variance
        Largest variance of the output at rest, and in the steady response to the second input.
    oscillation_variance
        Smallest variance under the first input.
    slope_product
        The product of the largest and the smallest step-to-step change has to lie below this (it goes both ways).
    ratio
        Smallest ratio of the mean response to the second input over the mean at rest.
    """

    rest_variance: float = 0.002
    oscillation_variance: float = 0.01
    slope_product: float = -0.001
    ratio: float = 4.0


def topologies(n_inputs: int = 2, n_genes: int = 2) -> np.ndarray:
    """(M, N, G) all sign tables in {-1, 0, 1}, links in the order of `regulome.circuits.mutation.link_names`."""
    links = (n_inputs + n_genes) * n_genes
    signs = np.array(list(product((-1, 0, 1), repeat=links)), dtype=np.int8)
    return signs.reshape(-1, n_inputs + n_genes, n_genes)


def connected(signs: np.ndarray, n_inputs: int = 2) -> np.ndarray:
    """(M,) True where every input acts on a gene and every gene acts on every other gene.

    For two inputs and two genes these are the 2304 topologies of the paper.
    """
    reached = (signs[:, :n_inputs] != 0).any(2).all(1)
    between = signs[:, n_inputs:] != 0
    n_genes = signs.shape[2]
    others = ~np.eye(n_genes, dtype=bool)
    return reached & between[:, others].all(1)


def can_oscillate(signs: np.ndarray, n_inputs: int = 2) -> np.ndarray:
    """(M,) True where two genes can oscillate: a negative loop between them, and at least one positive self-loop.

    In two dimensions a limit cycle needs a divergence that changes sign (Bendixson), which decay forbids without
    self-activation, and a loop through both genes that is negative.
    """
    genes = signs[:, n_inputs:]
    return (genes[:, 0, 1] * genes[:, 1, 0] < 0) & ((genes[:, 0, 0] > 0) | (genes[:, 1, 1] > 0))


def hill_rates(regulators: np.ndarray, signs: np.ndarray, b: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(P, G) production rates.

    Parameters
    ----------
    regulators
        (P, N) levels of inputs and genes.
    signs
        (N, G) signs of one topology.
    b, k
        (P, N, G) maximal rate and Michaelis constant of each link; b matters for activators only.
    """
    u = np.square(regulators)[:, :, None]
    square = np.square(k)
    bound = u / (square + u)
    activation = np.where(signs > 0, b * bound, 0).sum(1)
    free = np.where(signs < 0, square / (square + u), 1).prod(1)
    return activation * free


def simulate_hill(signs, b, k, inputs, start: float = 0.1, dt: float = 0.25, n_steps: int = 200) -> np.ndarray:
    """(P, T, G) levels by forward Euler from ``start`` in every gene, with constant ``inputs`` (I,).

    The published enumeration uses dt = 0.25 and 200 steps. The first sample is the state after the first update.
    """
    n_genes = signs.shape[1]
    state = np.full((len(b), n_genes), start, dtype=b.dtype)
    levels = np.broadcast_to(np.asarray(inputs, dtype=b.dtype), (len(b), len(inputs)))
    trajectory = np.empty((len(b), n_steps, n_genes), dtype=b.dtype)
    for t in range(n_steps):
        rate = hill_rates(np.concatenate([levels, state], axis=1), signs, b, k)
        state = (1 - dt) * state + dt * rate
        trajectory[:, t] = state
    return trajectory


def controlled_oscillation(
    rest, oscillation, high, criteria: OscillationCriteria = OscillationCriteria()
) -> np.ndarray:
    """(P,) True where the output rests, oscillates under the first input, and is high and steady under the second.

    Parameters
    ----------
    rest, oscillation, high
        (P, T) output g1 without input, with the first and with the second input; the second half counts.
    """
    half = rest.shape[1] // 2
    rest, oscillation, high = (curve[:, half:] for curve in (rest, oscillation, high))
    slope = np.diff(oscillation, axis=1)
    swings = (oscillation.var(1) > criteria.oscillation_variance) & (
        slope.max(1) * slope.min(1) < criteria.slope_product
    )
    steady = (rest.var(1) < criteria.rest_variance) & (high.var(1) < criteria.rest_variance)
    return swings & steady & (high.mean(1) > criteria.ratio * rest.mean(1))
