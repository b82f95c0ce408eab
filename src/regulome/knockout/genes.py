"""Genes of a perturbation screen: what a knockout does to the mean expression of every gene.

The readout is the average treatment effect (`regulome.perturbation.ate`), difference of the means of
y = log2(1 + 1e4 x / library) between perturbed and control cells. Trained models, baselines and the measured cells
themselves are asked in the same way.
"""

import numpy as np
import pandas as pd

from regulome.errors import UserError, closest
from regulome.knockout.interface import answer, expected
from regulome.knockout.table import table
from regulome.knockout.targets import Edge, Gene
from regulome.perturbation.ate import Means
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.response_baselines import Table
from regulome.perturbation.screen import JOIN
from regulome.perturbation.trained import Trained

UNIT = "log2(1 + counts per 10,000)"
Z = 1.96  # normal 95 % interval


@answer.register
def _(model: Gpo, target: Gene | Edge) -> pd.DataFrame:
    """Posterior mean; a gene that was never perturbed is predicted through the network."""
    expected(target, model, Gene, Edge)
    if isinstance(target, Edge):
        from regulome.knockout.edges import in_gpo

        return in_gpo(model, target)
    _check(target, model.genes, (*model.labels, *model.latent))
    return rows(target, "GPO-VAE, ours", model.ate([target.name])[0])


@answer.register
def _(model: Trained, target: Gene) -> pd.DataFrame:
    """A published model: means of sampled cells, with libraries of real control cells."""
    expected(target, model, Gene)
    _check(target, model.genes, model.labels)
    return rows(target, "published model", model.ate([target.name], n=250, library="observed")[0])


@answer.register
def _(model: Table, target: Gene) -> pd.DataFrame:
    """A baseline; what it does not list has its effect of everything else."""
    expected(target, model, Gene)
    effect = model.ate([target.name])[0]
    if len(effect) != len(target.genes):
        raise UserError(
            f"gene '{target.name}': found {len(target.genes)} genes; expected {len(effect)}, as in the table"
        )
    return rows(target, "baseline", effect)


@answer.register
def _(model: Means, target: Gene) -> pd.DataFrame:
    """Measured cells: difference of means, with its 95 % interval (sampling of cells)."""
    expected(target, model, Gene)
    if target.name not in model.labels or not model.cells[model.labels.index(target.name)]:
        raise UserError(f"gene '{target.name}': no cell has it perturbed{closest(target.name, model.labels)}")
    place = model.labels.index(target.name)
    effect = model.ate[place]
    half = Z * np.sqrt(model.variance[place] / model.cells[place] + model.variance[-1] / model.cells[-1])
    words = f"95 % over {model.cells[place]} perturbed and {model.cells[-1]} control cells"
    return rows(target, "measured cells", effect, effect - half, effect + half, words)


def rows(target: Gene, system: str, effect: np.ndarray, low=None, high=None, interval: str = "none") -> pd.DataFrame:
    """Table of effects on every gene."""
    missing = np.full(len(effect), np.nan)
    low, high = missing if low is None else low, missing if high is None else high
    own = set(target.name.split(JOIN))
    found = [
        {"readout": gene, "effect": e, "low": a, "high": b, "note": "the perturbed gene itself" if gene in own else ""}
        for gene, e, a, b in zip(target.genes, effect, low, high, strict=True)
    ]
    common = {"part": "perturbation", "kind": "gene", "unit": UNIT, "interval": interval}
    return table(found, system=system, removed=target.name, **common)


def _check(target: Gene, genes: tuple[str, ...], known: tuple[str, ...]) -> None:
    if tuple(target.genes) != tuple(genes):
        raise UserError(
            f"gene '{target.name}': found other genes to read than the model's, or another order; expected model.genes"
        )
    if target.name in known:
        return
    for name in target.name.split(JOIN):
        if name not in known:
            raise UserError(f"gene '{name}': the model knows no such gene{closest(name, known)}")
