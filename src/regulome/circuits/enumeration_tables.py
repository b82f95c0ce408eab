"""Tables of an enumeration: counts a topology, by number of links, branches, and how far random draws move them."""

import numpy as np
import pandas as pd

from regulome.circuits.codes import encode
from regulome.circuits.enumeration import Enumeration
from regulome.circuits.hill import can_oscillate

ENOUGH = 2  # successful sets that a topology needs to count (Shen et al. 2021)


def topology_table(found: list[Enumeration], exact: Enumeration | None = None) -> pd.DataFrame:
    """One row a topology: name, number of links, class, and successful sets for each seed.

    Parameters
    ----------
    found
        Enumerations of the same topologies with different seeds.
    exact
        The first seed's draws (all or the first of them) judged with the converged integration: column
        hits_converged, beside hits_map, the successes of the first enumeration among the same sets.
    """
    signs = found[0].signs
    table = pd.DataFrame(
        {"topology": encode(signs), "links": (signs != 0).sum((1, 2)), "can_oscillate": can_oscillate(signs)}
    )
    for number, enumeration in enumerate(found, start=1):
        table["hits" if number == 1 else f"hits_{number}"] = enumeration.hits
    if exact is not None:
        table["hits_map"] = [int((w < exact.sets).sum()) for w in found[0].winners]
        table["hits_converged"] = exact.hits
    return table


def fill(found: Enumeration, signs: np.ndarray) -> Enumeration:
    """The enumeration of a class of topologies as one of all ``signs``, nothing found outside the class."""
    place = {code: number for number, code in enumerate(encode(found.signs))}
    rows = [place.get(code) for code in encode(signs)]
    none = np.zeros(0, dtype=int)
    passed = np.array([found.passed[r] if r is not None else np.zeros_like(found.passed[0]) for r in rows])
    winners = [found.winners[r] if r is not None else none for r in rows]
    return Enumeration(signs, winners, passed, found.sets, found.seed)


def by_links(table: pd.DataFrame, column: str = "hits") -> pd.DataFrame:
    """Per number of links: topologies, those that can oscillate, with at least one and two sets, and sets."""
    rows = []
    for links, group in table.groupby("links"):
        hits = group[column]
        rows.append(
            (links, len(group), int(group["can_oscillate"].sum()), int((hits >= 1).sum()), int((hits >= ENOUGH).sum()),
             int(hits.sum()))
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["links", "topologies", "can_oscillate", "one_set", "two_sets", "sets"])


def composition(signs: np.ndarray, hits: np.ndarray) -> dict[str, int]:
    """Of the topologies with enough sets: both self-activations, and the two branches of the loop between the genes.

    "right" is g1 -> g2 with g2 -| g1, "left" the opposite.
    """
    genes = signs[hits >= ENOUGH][:, -2:]
    return {
        "g1 activates itself": int((genes[:, 0, 0] > 0).sum()),
        "g2 activates itself": int((genes[:, 1, 1] > 0).sum()),
        "right branch": int(((genes[:, 0, 1] > 0) & (genes[:, 1, 0] < 0)).sum()),
        "left branch": int(((genes[:, 0, 1] < 0) & (genes[:, 1, 0] > 0)).sum()),
    }


def expected_range(hits: np.ndarray, seed: int, draws: int = 2000) -> tuple[float, float]:
    """5 to 95 % range of the number of topologies with enough sets if all parameters were drawn again.

    Successful sets are rare and independent, so each topology's count is Poisson; its rate is the mean over seeds.

    Parameters
    ----------
    hits
        (seeds, M) successful sets.
    """
    rng = np.random.default_rng(seed)
    counts = (rng.poisson(hits.mean(0), size=(draws, hits.shape[1])) >= ENOUGH).sum(1)
    low, high = np.quantile(counts, [0.05, 0.95])
    return float(low), float(high)


def seed_table(found: list[Enumeration], label: str) -> pd.DataFrame:
    """One row a seed: topologies with one and two sets, sets, and the most sets of one topology."""
    rows = [
        (label, e.seed, int((e.hits >= 1).sum()), int((e.hits >= ENOUGH).sum()), int(e.hits.sum()), int(e.hits.max()))
        for e in found
    ]
    return pd.DataFrame(rows, columns=["draws", "seed", "one_set", "two_sets", "sets", "largest"])


def correlation(hits: np.ndarray) -> float:
    """Mean Pearson correlation of the counts of topologies between pairs of seeds; hits (seeds, M)."""
    matrix = np.corrcoef(hits)
    return float(matrix[np.triu_indices(len(matrix), 1)].mean()) if len(hits) > 1 else float("nan")


def motif_table(found: Enumeration, motifs: list[str]) -> pd.DataFrame:
    """One row a motif: topologies, those with enough sets, and successful sets a topology per 10,000 tried.

    Parameters
    ----------
    motifs
        Name of the motif of each topology of ``found``.
    """
    table = pd.DataFrame({"motif": motifs, "hits": found.hits})
    rows = [
        (name, len(group), int((group["hits"] >= ENOUGH).sum()), 1e4 * group["hits"].mean() / found.sets)
        for name, group in table.groupby("motif")
    ]
    return pd.DataFrame(rows, columns=["motif", "topologies", "adapting", "sets_per_topology"])
