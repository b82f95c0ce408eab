"""The gap-gene network: what is known of it, what a vote over trained networks says, and how far both agree."""

import numpy as np
import pandas as pd

from regulome import paths
from regulome.circuits import mutation
from regulome.circuits.gap import INPUTS, REGULATORS
from regulome.circuits.gap_data import GENES
from regulome.circuits.morphogens import maternal_inputs
from regulome.circuits.topology import majority_signs
from regulome.tables import read_table

# Links known from experiments, as collected in the logical gap-gene model of Sanchez & Thieffry (2001).
# Hb acts on Kr both ways (activates at low, represses at high levels) and is therefore not scored.
KNOWN_LINKS = {
    ("hb", "gt"): -1,
    ("hb", "kni"): -1,
    ("Kr", "hb"): -1,
    ("Kr", "gt"): -1,
    ("gt", "kni"): -1,
    ("gt", "Kr"): -1,
    ("kni", "Kr"): -1,
}
KNOWN_SOURCE = "Sanchez & Thieffry, J Theor Biol 211:115 (2001)"

# Mean link values of the networks published with the paper (7 converged runs); None where the runs disagree in sign.
# Rows hb, Kr, kni, gt, Bcd, Tor; columns hb, Kr, kni, gt.
PUBLISHED_VALUES = pd.DataFrame(
    [
        [7.0, -7.0, -3.0, None],
        [-6.1, 7.0, None, -10.1],
        [-5.3, -8.2, 4.7, 1.9],
        [None, -0.7, -4.3, 6.3],
        [19.9, 5.1, -7.4, 6.6],
        [-4.7, -6.9, -8.7, -9.8],
    ],
    index=["hb", "Kr", "kni", "gt", "Bcd", "Tor"],
    columns=list(GENES),
    dtype=float,
)


def link_frequencies(signs: np.ndarray) -> pd.DataFrame:
    """Share of runs in which each link activates, is absent or inhibits; one row a link, 24 rows.

    Parameters
    ----------
    signs
        (R, 6, 4) signs, regulators Bcd, Tor, hb, Kr, kni, gt.
    """
    rows = []
    for i, regulator in enumerate(REGULATORS):
        for j, gene in enumerate(GENES):
            shares = [(signs[:, i, j] == value).mean() for value in (1, 0, -1)]
            rows.append((regulator, gene, *shares))
    return pd.DataFrame(rows, columns=["regulator", "target", "activation", "absent", "inhibition"])


def agreement(signs: np.ndarray, known: dict[tuple[str, str], int] = KNOWN_LINKS) -> pd.DataFrame:
    """Per known link: its sign, the majority sign, and the share of runs that have the known sign.

    Parameters
    ----------
    signs
        (R, 6, 4) signs of the runs.
    known
        Sign of each (regulator, target).
    """
    majority = majority_signs(signs)
    rows = []
    for (regulator, gene), sign in known.items():
        i, j = REGULATORS.index(regulator), GENES.index(gene)
        share = float((signs[:, i, j] == sign).mean())
        rows.append((regulator, gene, sign, int(majority[i, j]), bool(majority[i, j] == sign), share))
    return pd.DataFrame(rows, columns=["regulator", "target", "known", "majority", "agrees", "share"])


def correlation_signs(profile: pd.DataFrame, cutoff: float = 0.1) -> np.ndarray:
    """(6, 4) signs of the correlations along the axis: the baseline that looks at the pattern alone."""
    levels = np.concatenate([maternal_inputs(profile["x"]), profile[list(GENES)]], axis=1)
    return mutation.signs(np.corrcoef(levels.T)[:, len(INPUTS) :], cutoff)


def known_links(source: str) -> tuple[dict[tuple[str, str], int], str]:
    """Links to score against and where they are from.

    The synthetic system has all 24 (absent ones as 0); any other profile is scored against the literature.
    """
    if source != "synthetic":
        return KNOWN_LINKS, KNOWN_SOURCE
    path = paths.mini_data() / "gap_genes" / "links.csv"
    frame = read_table(path, columns=["regulator", "target", "sign"], text=("regulator", "target"))
    return {(row.regulator, row.target): int(row.sign) for row in frame.itertuples()}, "truth of the synthetic system"


def published_agreement(signs: np.ndarray) -> tuple[int, int]:
    """How many of the links on which the published networks agree have the same majority sign here, and of how many."""
    majority = pd.DataFrame(majority_signs(signs), index=REGULATORS, columns=GENES)
    theirs = PUBLISHED_VALUES.stack().dropna()
    ours = majority.stack().loc[theirs.index]
    return int((ours == np.sign(theirs)).sum()), len(theirs)
