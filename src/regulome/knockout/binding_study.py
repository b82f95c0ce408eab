"""Binding sites: bases, residues and helices of proteins that the predictor has not seen, and the truth about them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from regulome.binding import base_scan, profile_problems, synthetic
from regulome.binding.compendium import Compendium
from regulome.binding.predictor import Predictor
from regulome.binding.sequences import Sequences
from regulome.knockout import table
from regulome.knockout.binding_sites import Neighbours, TrueScan, reading_sites, without
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Bases, Helices, Residues

COMBINED, NEAREST, MEAN = "combined predictor", "nearest training protein", "mean training profile"
RULE = {"synthetic": "scan of the true motif (synthetic rule)", "semi-real": "scan of the published motif"}


@dataclass(frozen=True)
class Case:
    """What is asked: unseen proteins, and the RNAs of the scans.

    Attributes
    ----------
    proteins
        Of which neither network nor homology term has seen anything.
    background
        RNAs over which profiles are read and scores are scaled.
    models
        By method; all but the truth are trained without the proteins.
    truth
        The rule that made the intensities.
    kind
        "synthetic" or "semi-real".
    """

    proteins: Sequences
    background: Sequences
    models: Mapping[str, object]
    truth: TrueScan
    kind: str


def case(
    predictor: Predictor, data: Compendium, test: np.ndarray, new_rnas: np.ndarray, proteins: int, rnas: int,
    seed: int, mirror=None,
) -> Case:  # fmt: skip
    """Unseen proteins of a compendium whose intensities were simulated, with models that have never seen them.

    Parameters
    ----------
    test, new_rnas
        Proteins and RNAs that the network was not trained on (`regulome.binding.validation.Split`).
    proteins, rnas
        How many of them; drawn with the seed.
    """
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(test)[:proteins])
    unseen = data.proteins.take(chosen)
    blind = without(predictor, unseen)
    background = data.rnas.take(np.sort(generator.permutation(new_rnas)[:rnas]))
    models = {COMBINED: blind, NEAREST: Neighbours(blind.training, blind.ridge)}
    models[MEAN] = Neighbours(blind.training, blind.ridge, nearest=False)
    return Case(unseen, background, models, true_scan(data, unseen, mirror), data.kind)


def marked(given: Case) -> tuple[str, tuple[int, ...]]:
    """System of the first protein, and the residues that read a base, from 1, where that is known."""
    letters = given.proteins.letters[0]
    known = reading_sites(letters) if given.kind == "synthetic" else ()
    return f"{given.kind} protein {given.proteins.names[0]}", known


def true_scan(data: Compendium, proteins: Sequences, mirror=None) -> TrueScan:
    """The rule behind the intensities of some proteins."""
    if data.kind == "synthetic":
        known = synthetic.truth().drop_duplicates("protein").set_index("protein")["structure"]
        return TrueScan({}, {name: float(known[name]) for name in proteins.names})
    motifs = {name: profile_problems.true_motif(data, name, mirror) for name in proteins.names}
    return TrueScan({name: np.log(4 * np.maximum(one, 1e-9)) for name, one in motifs.items()}, {})


def bases(given: Case) -> dict[str, pd.DataFrame]:
    """Every base of the RNA that each protein truly binds best, replaced; by method, with the truth."""
    return _scan(given, lambda protein, rna: Bases(protein, rna, given.background))


def helices(given: Case) -> dict[str, pd.DataFrame]:
    """Every helix of the same RNAs, broken and restored; by method, with the truth. Needs ViennaRNA."""
    return _scan(given, lambda protein, rna: Helices(protein, rna, given.background))


def residues(given: Case, proteins: int) -> dict[str, pd.DataFrame]:
    """Every residue of the first few proteins, replaced by glycine; the truth is known for synthetic proteins only.

    The mean profile, which does not look at the protein, is left out.
    """
    models = {name: model for name, model in given.models.items() if name != MEAN}
    some = replace(given, proteins=given.proteins.take(range(min(proteins, len(given.proteins)))), models=models)
    return _scan(some, lambda protein, _: Residues(protein, given.background), known=given.kind == "synthetic")


def _scan(given: Case, target, known: bool = True) -> dict[str, pd.DataFrame]:
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in given.models}
    for place, name in enumerate(given.proteins.names):
        protein = given.proteins.take([place])
        asked = target(protein, base_scan.best_rna(given.truth, protein, given.background))
        true = knockout(given.truth, asked) if known else None
        for method, model in given.models.items():
            effects = knockout(model, asked)
            if known:
                effects = table.with_truth(effects, true, RULE[given.kind])
            found[method].append(effects.assign(system=f"{given.kind} protein {name}"))
    return {method: table.join(parts) for method, parts in found.items()}
