"""Perfect adaptation (Figs 1 and 2 of Shen et al. 2021): test curves, sensitivity and error, and the motifs found."""

import numpy as np
import pandas as pd
import torch

from regulome.circuits.mutation import signs, step_inputs
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.sparsening import SparseningLevel
from regulome.circuits.topology import flip_gene

TEST_DT = 0.1
TEST_STEPS = 150
STEP_AT = 40  # sample 39 is the last one before the step
LEVELS = np.linspace(0.05, 1, 20)

# One run each, read off the networks published with the paper.
PUBLISHED_FIG1 = (0.396, 0.021)  # sensitivity, error at input 1
PUBLISHED_SPARSENING = {
    "all links allowed": {
        6: (0.398, 0.007), 5: (0.373, 0.008), 4: (0.369, 0.008), 3: (0.367, 0.018), 2: (0.111, 0.111),
        1: (0.001, 0.001),
    },
    "without I -> g2": {5: (0.425, 0.003), 4: (0.408, 0.031), 3: (0.377, 0.040), 2: (0.140, 0.140), 1: (0.140, 0.140)},
}  # fmt: skip
PUBLISHED_LINKS = {  # network #1 of Fig. 2c, protocol "fig2"
    "I -> g1": 0.168, "I -> g2": 0.118, "g1 -> g1": -0.064, "g1 -> g2": 0.026, "g2 -> g1": -0.218, "g2 -> g2": 0.054,
}  # fmt: skip


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


def score_levels(levels: list[SparseningLevel], sequence: str, cutoff: float) -> pd.DataFrame:
    """Score every replicate of every level of a sparsening sequence.

    Returns
    -------
    DataFrame
        Columns sequence, links (their number), replicate, sensitivity, error, adapts, motif.
    """
    frames = []
    for level in levels:
        sensitivity, error = sensitivity_and_error(pulses(level.result.network))
        frames.append(
            pd.DataFrame(
                {
                    "sequence": sequence,
                    "links": level.count,
                    "replicate": np.arange(len(sensitivity)),
                    "sensitivity": sensitivity,
                    "error": error,
                    "adapts": adapts(sensitivity, error),
                    "motif": [motif(signs(values, cutoff)) for values in level.values],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def summarise_levels(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a level: medians, share of replicates that adapt, and share of those with each minimal motif."""
    groups = scores.groupby(["sequence", "links"], sort=False)
    table = groups.agg(sensitivity=("sensitivity", "median"), error=("error", "median"), adapting=("adapts", "mean"))
    for name in ("incoherent feed-forward", "negative feedback"):
        table[name] = groups["motif"].agg(lambda found, name=name: found.str.contains(name).mean())
    return table.reset_index()


def published_scores() -> pd.DataFrame:
    """Sensitivity and error of the published runs, columns sequence, links, sensitivity, error."""
    rows = [
        (sequence, links, *values) for sequence, runs in PUBLISHED_SPARSENING.items() for links, values in runs.items()
    ]
    return pd.DataFrame(rows, columns=["sequence", "links", "sensitivity", "error"])


def orient(values: np.ndarray) -> np.ndarray:
    """(R, 3, 2) link values with the unobserved g2 flipped where it carries the inverse of the input's signal.

    Incoherent feed-forward loops with I -> g2 -| g1 and I -| g2 -> g1 are one circuit, likewise g1 -> g2 -| g1 and
    g1 -| g2 -> g1. After flipping, g2 represses g1 in every replicate.
    """
    return flip_gene(values, regulator=2, target=1, flipped=values[:, 2, 0] > 0)


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
