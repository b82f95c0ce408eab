"""What can be knocked out: one small record for each kind of target.

A target says what is removed and under which conditions the model is looked at; the model is asked by
`regulome.knockout.interface.knockout`.
"""

from dataclasses import dataclass

import numpy as np

from regulome.binding.sequences import Sequences
from regulome.errors import UserError


@dataclass(frozen=True)
class Link:
    """A regulatory link of a circuit, removed (or weakened) for one target gene.

    Attributes
    ----------
    name
        "g2 -> g1": g1 no longer sees g2, all others do.
    regulators, genes
        Names of the N = I + G regulators, inputs first, and of the G genes of the model.
    inputs
        (C, T, I) input levels of the test, as in `regulome.circuits.network.simulate`.
    start
        (C, G) levels at time zero.
    dt
        Euler step, in lifetimes of the gene products.
    strength
        What the target sees of the regulator: 0 is the knockout.
    """

    name: str
    regulators: tuple[str, ...]
    genes: tuple[str, ...]
    inputs: np.ndarray
    start: np.ndarray
    dt: float
    strength: float = 0.0

    def __post_init__(self):
        if not 0 <= self.strength < 1:
            raise UserError(f"link '{self.name}': found strength {self.strength}; expected 0 <= strength < 1")


@dataclass(frozen=True)
class Gene:
    """A gene that is knocked out, or several ("R01+R07"); the readout is the mean expression of every gene.

    Attributes
    ----------
    name
        Label of the perturbation.
    genes
        Names of the measured genes, in the order of the model's effects.
    """

    name: str
    genes: tuple[str, ...]


@dataclass(frozen=True)
class Edge:
    """An edge of a gene regulatory network; the readout is how the target answers the regulator's knockdown.

    Attributes
    ----------
    regulator, target
        Genes.
    """

    regulator: str
    target: str

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.regulator} -> {self.target}"


@dataclass(frozen=True)
class Reaction:
    """A reaction (event) of a state-transition network whose propensity is multiplied by a factor.

    Attributes
    ----------
    name
        Of the event.
    theta
        (P,) parameters of the wild type.
    factor
        0: the reaction is removed; 0.5: half as fast.
    """

    name: str
    theta: np.ndarray
    factor: float = 0.0

    def __post_init__(self):
        if not 0 <= self.factor < np.inf or self.factor == 1:
            raise UserError(f"reaction '{self.name}': found factor {self.factor}; expected a number >= 0, not 1")

    @property
    def words(self) -> str:
        """What is removed, in words."""
        return self.name if self.factor == 0 else f"{self.name} x {self.factor:g}"


@dataclass(frozen=True)
class Residues:
    """Residues of a protein, each replaced by another one; the readout is the binding profile.

    Attributes
    ----------
    protein
        One protein.
    rnas
        RNAs over which the profile is read.
    start, end
        Residues to be replaced one by one, from 1, inclusive; end None: to the end of the protein.
    by
        The residue that replaces them; where it stands already nothing is done.
    """

    protein: Sequences
    rnas: Sequences
    start: int = 1
    end: int | None = None
    by: str = "G"


@dataclass(frozen=True)
class Bases:
    """Every base of an RNA, replaced by each of the others; the readout is the score of the RNA.

    Attributes
    ----------
    protein, rna
        One protein and one RNA.
    background
        RNAs whose scores' standard deviation is the unit; None: scores as the model gives them.
    """

    protein: Sequences
    rna: Sequences
    background: Sequences | None = None


@dataclass(frozen=True)
class Helices:
    """Every helix of an RNA, broken from either side and restored; needs ViennaRNA.

    Attributes
    ----------
    protein, rna, background
        As for `Bases`.
    """

    protein: Sequences
    rna: Sequences
    background: Sequences | None = None
