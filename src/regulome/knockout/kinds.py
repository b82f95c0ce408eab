"""The kinds of knockouts that the analysis compares: their names, their units, and which model is drawn beside what."""

from collections.abc import Mapping

import pandas as pd

from regulome.knockout import binding_study, circuit_study, gene_study, reaction_study
from regulome.perturbation import response_baselines

LINKS, GENES, EDGES, TRUE_EDGES = (
    "links of circuits", "genes of a screen", "edges of a network", "the same, true edges only",
)  # fmt: skip
REACTIONS, BASES, RESIDUES, HELICES = (
    "reactions of a network", "bases of an RNA", "residues of a protein", "helices of an RNA",
)  # fmt: skip
UNITS = {
    LINKS: "level", GENES: "log2", EDGES: "log2", REACTIONS: "relative", BASES: "sd over RNAs", RESIDUES: "r - 1",
    HELICES: "sd over RNAs",
}  # fmt: skip


def drawn(summary: pd.DataFrame, screen_model: str) -> Mapping[str, tuple[str, str]]:
    """Model and baseline of every kind whose truth is known.

    Parameters
    ----------
    summary
        Of `regulome.knockout.agreement.summary`.
    screen_model
        Title of the model whose genes are drawn.
    """
    pairs = {
        LINKS: (circuit_study.MODEL, circuit_study.LINEAR),
        GENES: (screen_model, response_baselines.TRAIN),
        EDGES: (gene_study.OURS, response_baselines.TRAIN),
        REACTIONS: (reaction_study.SOLVER, reaction_study.RATES),
    } | dict.fromkeys((BASES, RESIDUES, HELICES), (binding_study.COMBINED, binding_study.NEAREST))
    return {kind: pair for kind, pair in pairs.items() if kind in set(summary["panel"])}
