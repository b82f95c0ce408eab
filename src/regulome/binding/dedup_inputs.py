"""What notebook 11 looks at: a compendium, and what is known about its proteins from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome.binding import identity, registered, semireal, synthetic
from regulome.binding.compendium import Compendium
from regulome.binding.sequences import Sequences
from regulome.errors import UserError

SOURCES = ("synthetic", "semi-real")
DATA = (
    "rnacompete_RNCMPT00001_train", "rnacompete_RNCMPT00001_test", "rnacompete_RNCMPT00002_train",
    "rnacompete_RNCMPT00002_test", "eupri_metadata", "rbp420_pwms", "rbp420_profile_correlation", "rbp_set_a_set_b",
    "rbp_identity_local",
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """A compendium and its references.

    Attributes
    ----------
    compendium
        What the later notebooks learn from, identical proteins included.
    assayed
        Proteins with intensities to which the route from probes to motifs is applied: the compendium itself where it is
        synthetic, the two measured experiments where it is semi-real (its own intensities come from the very motifs).
    motifs
        Reference PWMs of the assayed proteins, by name: the truth, or the published ones.
    correlation
        (P, P) Pearson correlations between profiles of the compendium's proteins.
    profiles
        What those profiles are.
    domains
        The proteins' domains as the reference identities were made from, in the order of the compendium.
    identities
        first, second (positions), reference (fraction): identities from elsewhere.
    reference
        What those identities are.
    replicates
        Published agreement of probe sets A and B by name of the protein; empty where there is none.
    data
        Keys of the registered files that were read.
    """

    compendium: Compendium
    assayed: Compendium
    motifs: Mapping[str, np.ndarray]
    correlation: np.ndarray
    profiles: str
    domains: Sequences
    identities: pd.DataFrame
    reference: str
    replicates: Mapping[str, float]
    data: tuple[str, ...] = ()

    @property
    def ceiling(self) -> float | None:
        """Median agreement of replicates."""
        return float(np.median(list(self.replicates.values()))) if self.replicates else None

    def aligned(self) -> dict[str, Sequences]:
        """What identities are counted on: the domains first, where these are known, and whole constructs."""
        whole = self.compendium.proteins
        if self.domains.letters == whole.letters:
            return {"whole constructs": whole}
        return {"domains": self.domains, "whole constructs": whole}


def load(source: str, probes: int, held_out: int, seed: int, mirror: str | None = None) -> Inputs:
    """Read or make everything.

    Parameters
    ----------
    source
        "synthetic" (the mini data, which fix the probes), or "semi-real".
    probes, held_out
        Probes of set A and of set B in the semi-real compendium.
    """
    if source not in SOURCES:
        raise UserError(f"source: found '{source}'; expected one of {', '.join(SOURCES)}")
    return _synthetic() if source == "synthetic" else _semireal(probes, held_out, seed, mirror or None)


def _synthetic() -> Inputs:
    whole = synthetic.mini()
    truth = synthetic.truth()
    own = truth[truth["set"] == "training"].drop_duplicates("protein").set_index("protein")
    odds = synthetic.motifs()
    motifs = {name: np.exp(odds[name]) / np.exp(odds[name]).sum(axis=1, keepdims=True) for name in whole.proteins.names}
    z = np.log1p(whole.intensities - whole.intensities.min(axis=1, keepdims=True))
    return Inputs(
        whole, whole, motifs, np.corrcoef(z), "synthetic intensities, shifted log", whole.proteins,
        _within_families(own, whole.proteins), "design of the synthetic families", {},
    )  # fmt: skip


def _within_families(truth: pd.DataFrame, proteins: Sequences) -> pd.DataFrame:
    """Identity of each protein to its family's first one, as designed."""
    place, rows = proteins.index(), []
    for _, family in truth.groupby("family"):
        founders = [name for name, value in family["identity"].items() if value == 1]
        for name, value in family["identity"].items():
            if founders and name not in founders:
                rows.append((place[founders[0]], place[name], float(value)))
    return pd.DataFrame(rows, columns=["first", "second", "reference"])


def _semireal(probes: int, held_out: int, seed: int, mirror: str | None) -> Inputs:
    whole = semireal.build(probes, seed, mirror, held_out)
    names = list(whole.proteins.names)
    measured = registered.measured(mirror)
    table = registered.metadata(mirror)
    published = registered.identities(mirror).loc[names, names].to_numpy() / 100
    i, j = np.triu_indices(len(names), 1)
    pairs = pd.DataFrame({"first": i, "second": j, "reference": published[i, j]})
    pwms = registered.pwms(mirror)
    return Inputs(
        whole,
        measured,
        {name: pwms[name] for name in measured.proteins.names},
        registered.profile_correlation(mirror).loc[names, names].to_numpy(),
        "measured 7-mer profiles",
        identity.domains(whole.proteins, list(table.loc[names, "construct_domain_boundaries"])),
        pairs,
        "published identities",
        registered.replicate_agreement(mirror).dropna().to_dict(),
        DATA,
    )
