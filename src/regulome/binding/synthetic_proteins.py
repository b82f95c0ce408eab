"""Synthetic RNA-binding proteins with a recognition code: what decides which bases they prefer is known.

A construct is an RRM-like domain of 80 residues between two tails. Six of its residues (`SITES`) read one base each:
the residue decides the base that is preferred and how strongly (`CODE`), whatever the rest of the protein is. Their
neighbours in the sequence never change, so the code can be learnt from short words of the sequence. Proteins come in
families: homologues share 95 to 35 % of their residues with the first one, and the more distant ones have other
residues at some of the six sites.
"""

from dataclasses import dataclass

import numpy as np

# an RRM-like domain: beta-alpha-beta-beta-alpha-beta, with aromatic residues where RNP1 and RNP2 have them
SCAFFOLD = "SGNLKVFVGNLPPDTTEEDLKELFSQYGEVVSVRILRDPETGRSRGFAYVEFANPEDAQRAIEALNGRELDGRPIRVEWA"
SITES = (7, 35, 45, 49, 68, 76)  # positions from 0; in motif order
WIDTH = len(SITES)

# residue at a site: base that it prefers, natural-log odds against each other base; Gly reads nothing
PREFERENCES = {
    "N": ("A", 2.4), "S": ("A", 1.6), "C": ("A", 0.9),
    "H": ("C", 2.4), "T": ("C", 1.6), "Y": ("C", 0.9),
    "E": ("G", 2.4), "K": ("G", 1.6), "D": ("G", 0.9),
    "Q": ("U", 2.4), "R": ("U", 1.6), "F": ("U", 0.9),
    "G": ("N", 0.0),
}  # fmt: skip
_RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
_FREQUENCIES = np.array(  # per cent, as in vertebrate proteins
    [8.3, 1.4, 5.5, 6.7, 3.9, 7.1, 2.3, 5.9, 5.8, 9.7, 2.4, 4.1, 4.7, 3.9, 5.5, 6.6, 5.4, 6.9, 1.1, 2.9]
)
_FAMILY_SIZES = (8, 6, 5, 4, 3, 2, 1, 1)  # repeated; then cut to the wanted number
_IDENTITIES = (1.0, 0.95, 0.45, 0.70, 0.35, 0.85, 0.55, 0.90)  # of a family's members to its first
_FROZEN = sorted({site + shift for site in SITES for shift in (-1, 1)})


@dataclass(frozen=True)
class Protein:
    """One synthetic protein.

    Attributes
    ----------
    sequence
        Residues.
    family
        Number of its family.
    identity
        Fraction of residues identical to the family's first protein, tails aside.
    read
        The six residues that read the RNA, in motif order.
    """

    sequence: str
    family: int
    identity: float
    read: str

    @property
    def motif(self) -> np.ndarray:
        """(6, 4) log odds of A, C, G, U, zero mean over the bases."""
        return motif(self.read)


def motif(read: str) -> np.ndarray:
    """Log odds that the recognition code gives to the residues at the sites: (sites, 4), zero mean over the bases."""
    odds = np.zeros((len(read), 4))
    for i, residue in enumerate(read):
        base, strength = PREFERENCES[residue]
        if strength:
            odds[i, "ACGU".index(base)] = strength
    return odds - odds.mean(axis=1, keepdims=True)


@dataclass(frozen=True)
class Family:
    """What the members of a family come from: the first domain and its two tails."""

    number: int
    domain: str
    tails: tuple[str, str]

    @classmethod
    def draw(cls, number: int, generator: np.random.Generator) -> "Family":
        """A family without relation to any other."""
        return cls(number, _first(generator), _tails(generator))

    def member(self, identity: float, generator: np.random.Generator) -> Protein:
        """A homologue: about ``identity`` of the first domain's residues stay; below 80 % the sites begin to change."""
        domain = list(self.domain)
        change_of_site = min(0.5, max(0.0, 0.8 - identity))
        for site in SITES:
            if generator.random() < change_of_site:
                domain[site] = _other(domain[site], "".join(PREFERENCES), None, generator)
        free = [i for i in range(len(domain)) if i not in SITES and i not in _FROZEN]
        wanted = round((1 - identity) * len(domain)) - _differences(domain, self.domain)
        for i in generator.choice(free, size=min(len(free), max(0, wanted)), replace=False):
            domain[i] = _other(domain[i], _RESIDUES, _FREQUENCIES, generator)
        left, right = (_mutated(tail, identity, generator) for tail in self.tails)
        same = 1 - _differences(domain, self.domain) / len(domain)
        read = "".join(domain[site] for site in SITES)
        return Protein(left + "".join(domain) + right, self.number, same, read)


def families(count: int, generator: np.random.Generator) -> tuple[list[Family], list[Protein]]:
    """Families and their ``count`` proteins, family by family, the last family cut short."""
    drawn: list[Family] = []
    proteins: list[Protein] = []
    while len(proteins) < count:
        number = len(drawn)
        drawn.append(Family.draw(number, generator))
        for i in range(_FAMILY_SIZES[number % len(_FAMILY_SIZES)]):
            proteins.append(drawn[-1].member(_IDENTITIES[i], generator))
    return drawn, proteins[:count]


def _differences(a, b) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def _first(generator: np.random.Generator) -> str:
    """A family's first domain: a fifth of the scaffold, the frozen neighbours, random sites, the rest its own."""
    domain = [_drawn(generator) if generator.random() > 0.2 else residue for residue in SCAFFOLD]
    for i in _FROZEN:
        domain[i] = SCAFFOLD[i]
    choices = "".join(PREFERENCES).replace("G", "")
    for site in SITES:
        domain[site] = choices[generator.integers(len(choices))]
    if generator.random() < 0.25:  # a quarter of the families read five bases
        domain[SITES[-1]] = "G"
    return "".join(domain)


def _tails(generator: np.random.Generator) -> tuple[str, str]:
    left, right = generator.integers(6, 15, size=2)
    return "M" + "".join(_drawn(generator) for _ in range(left)), "".join(_drawn(generator) for _ in range(right))


def _mutated(tail: str, identity: float, generator: np.random.Generator) -> str:
    return "".join(a if generator.random() < identity else _drawn(generator) for a in tail)


def _drawn(generator: np.random.Generator) -> str:
    return _RESIDUES[generator.choice(len(_RESIDUES), p=_FREQUENCIES / _FREQUENCIES.sum())]


def _other(residue: str, letters: str, weights: np.ndarray | None, generator: np.random.Generator) -> str:
    """Another residue than the one there."""
    keep = np.array([letter != residue for letter in letters])
    p = keep * (np.ones(len(letters)) if weights is None else weights)
    return letters[generator.choice(len(letters), p=p / p.sum())]
