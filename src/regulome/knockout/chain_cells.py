"""Cells of a network in the experiment of a screen: exact stochastic simulation, knockdown, sequencing."""

from dataclasses import dataclass

import numpy as np

from regulome.perturbation.screen import CONTROL
from regulome.simulated_screen import Settings
from regulome.stochastic.gene_ssa import GeneNetwork, sample


@dataclass(frozen=True)
class Cells:
    """Sequenced cells.

    Attributes
    ----------
    counts
        (N, P) captured molecules.
    label
        (N,) the knocked-down gene, or "control".
    molecules
        (N, P) before sequencing.
    """

    counts: np.ndarray
    label: np.ndarray
    molecules: np.ndarray

    def of(self, label: str) -> np.ndarray:
        """(n, P) counts of the cells of one perturbation."""
        return self.counts[self.label == label]


def simulate(
    network: GeneNetwork,
    level: np.ndarray,
    known: Settings,
    labels: tuple[str, ...],
    cells: int,
    seed: int,
    knockdown: float | None = None,
    threads: int | None = None,
) -> Cells:
    """Cells of every knockdown and of the control, as `regulome.simulated_screen` makes them, without damaged ones.

    Transcription of a knocked-down gene times `knockdown` from time 0, looked at after the screen's time; a share
    `known.escape` of the cells stays as the controls. A molecule is seen with the efficiency of its cell; free mRNA is
    added.

    Parameters
    ----------
    level
        (P,) molecules at the beginning.
    known
        Conditions of the experiment.
    labels
        Genes that are knocked down.
    cells
        Of each of them, and of the control.
    knockdown
        Factor of transcription (default: that of the screen); 0: knockout.
    """
    generator = np.random.default_rng([seed, 520])
    label = np.repeat(np.array([*labels, CONTROL], object), cells)
    factor = known.knockdown if knockdown is None else knockdown
    scale = np.ones((len(label), len(network.names)))
    hit = (generator.random(len(label)) >= known.escape) & (label != CONTROL)
    column = [network.names.index(name) for name in label[hit]]
    scale[np.flatnonzero(hit), column] = factor
    size = np.exp(generator.normal(0.0, known.size_sd, len(label)))
    molecules = sample(network, scale, size, level, known.time, int(generator.integers(2**31)), threads)
    seen = np.minimum(1.0, known.capture * np.exp(generator.normal(0.0, known.capture_sd, len(label))))
    free = generator.poisson(known.ambient * known.capture * level, molecules.shape)
    return Cells(generator.binomial(molecules, seen[:, None]) + free, label, molecules)
