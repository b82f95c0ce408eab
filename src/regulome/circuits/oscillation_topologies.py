"""Topologies found by many trainings: how many, how often, and how close to the topologies of an enumeration.

A run's topology is the sign of every link value above a cutoff. The distance of two topologies is the L1 distance of
their signs: adding or removing a link counts one, turning an activation into an inhibition two (Shen et al. 2021).
Letters: R runs, M topologies of a set, L = 8 links in the order of `regulome.circuits.codes`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from regulome.circuits import codes, hill
from regulome.circuits.mutation import signs

CUTOFFS = (0.0, 1e-4, 3e-4, 5e-4, 7e-4, 8e-4, 1e-3, 2e-3)
# Networks published with the paper, read out in the same way: distinct topologies and, of those, connected ones.
PUBLISHED_CUTOFFS = {
    0.0: (24, None), 1e-4: (42, None), 3e-4: (61, 59), 5e-4: (66, 64), 7e-4: (69, 66), 8e-4: (71, 68), 1e-3: (67, 65),
    2e-3: (58, 33),
}  # fmt: skip
CORE = ("g1->g1", "g1->g2", "g2->g1", "g2->g2")
PUBLISHED_CORES = {"++-+": 36, "-+--": 35, "++--": 33, "++-0": 30, "-+-+": 30}


@dataclass(frozen=True)
class Found:
    """Topologies of R runs.

    Attributes
    ----------
    signs
        (R, 4, 2) signs.
    connected
        (R,) every input acts on a gene, and each gene on the other.
    good
        (R,) the run does what it was trained for.
    """

    signs: np.ndarray
    connected: np.ndarray
    good: np.ndarray

    @property
    def names(self) -> np.ndarray:
        """(R,) names of the topologies."""
        return np.array(codes.encode(self.signs))

    @property
    def counted(self) -> np.ndarray:
        """(R,) runs that the published numbers refer to: good and connected."""
        return self.good & self.connected

    def populations(self) -> dict[str, np.ndarray]:
        """(R,) masks of the three denominators: good and connected (as published), connected, all."""
        return {
            "good and connected": self.counted,
            "connected": self.connected,
            "all": np.ones(len(self.good), dtype=bool),
        }


def found_topologies(values: np.ndarray, good: np.ndarray, cutoff: float) -> Found:
    """Topologies of the runs with link values (R, 4, 2)."""
    table = signs(values, cutoff)
    return Found(table, hill.connected(table), np.asarray(good))


def pool(seeds: list[Found]) -> Found:
    """Runs of several training seeds as one."""
    return Found(
        *(np.concatenate([getattr(found, name) for found in seeds]) for name in ("signs", "connected", "good"))
    )


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(A, B) L1 distances between the signs of two sets of topologies (A, N, G) and (B, N, G)."""
    a, b = (np.asarray(s).reshape(len(s), -1).astype(int) for s in (one, other))
    return np.abs(a[:, None] - b[None]).sum(2)


def nearest(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(A,) distance of each topology of one set to the nearest of the other; a large number if that set is empty."""
    if not len(other):
        return np.full(len(one), np.iinfo(int).max)
    return distance(one, other).min(1)


def cutoff_curve(values: np.ndarray, good: np.ndarray, cutoffs=CUTOFFS) -> pd.DataFrame:
    """Number of distinct topologies of the good runs, and of the connected ones among them, against the cutoff."""
    rows = []
    for cutoff in cutoffs:
        found = found_topologies(values, good, cutoff)
        distinct, connected = (len(set(found.names[mask])) for mask in (found.good, found.counted))
        rows.append((cutoff, distinct, connected, int(found.counted.sum())))
    return pd.DataFrame(rows, columns=["cutoff", "distinct", "connected", "runs"])


def degeneracy(names: np.ndarray) -> pd.DataFrame:
    """Cumulative share of the runs against the share of the topologies, most frequent first.

    Returns
    -------
    DataFrame
        Columns topology, runs, share_topologies, share_runs.
    """
    counts = pd.Series(names).value_counts(sort=False).rename("runs").rename_axis("topology").reset_index()
    counts = counts.sort_values(["runs", "topology"], ascending=[False, True], ignore_index=True)
    counts["share_topologies"] = (counts.index + 1) / len(counts)
    counts["share_runs"] = counts["runs"].cumsum() / counts["runs"].sum()
    return counts


def share_of_top(curve: pd.DataFrame, top: float = 0.3) -> float:
    """Share of the runs in the most frequent ``top`` of the topologies (rounded to whole topologies)."""
    count = max(1, round(top * len(curve)))
    return float(curve["share_runs"].iloc[count - 1])


def core_counts(found: Found) -> pd.DataFrame:
    """How many counted runs have each set of signs among the genes, beside the published networks.

    Returns
    -------
    DataFrame
        Columns core (signs of g1->g1, g1->g2, g2->g1, g2->g2), ours, published (NaN: fewer than 30, not stated).
    """
    ours = pd.Series([name[4:] for name in found.names[found.counted]], dtype=object).value_counts()
    table = pd.DataFrame({"ours": ours, "published": pd.Series(PUBLISHED_CORES)}).rename_axis("core").reset_index()
    table["ours"] = table["ours"].fillna(0).astype(int)
    return table.sort_values(["published", "ours", "core"], ascending=[False, False, True], ignore_index=True)


def branch(signs: np.ndarray) -> np.ndarray:
    """(M,) "right" for g1 -> g2 -| g1, "left" for g1 -| g2 -> g1, "neither" without negative loop between the genes."""
    forth, back = signs[:, 2, 1], signs[:, 3, 0]
    return np.where((forth > 0) & (back < 0), "right", np.where((forth < 0) & (back > 0), "left", "neither"))


def wilson(hits: int, runs: int) -> dict[str, float]:
    """Share of successes with its 95 % Wilson interval, as the arguments of a row ours versus published."""
    if not runs:
        return {"ours": np.nan, "low": np.nan, "high": np.nan}
    interval = binomtest(int(hits), int(runs)).proportion_ci(method="wilson")
    return {"ours": hits / runs, "low": float(interval.low), "high": float(interval.high)}


def venn_counts(rnn: np.ndarray, enumerated: np.ndarray) -> dict[str, int]:
    """Sizes of the parts of the Venn diagram of two sets of distinct topologies.

    Returns
    -------
    dict
        "identical"; "rnn near" and "hill near", members without identical partner but at distance 1 of the other set;
        "rnn far" and "hill far".
    """
    ours, theirs = nearest(rnn, enumerated), nearest(enumerated, rnn)
    return {
        "rnn far": int((ours > 1).sum()),
        "rnn near": int((ours == 1).sum()),
        "identical": int((ours == 0).sum()),
        "hill near": int((theirs == 1).sum()),
        "hill far": int((theirs > 1).sum()),
    }


def hit_table(found: Found, enumerated: np.ndarray) -> pd.DataFrame:
    """Share of runs whose topology is one of the enumerated, and within one link of one, for every denominator.

    An unconnected run cannot be in the enumeration and counts as a miss.

    Returns
    -------
    DataFrame
        Columns runs, number, distance ("direct", "<= 1 link"), hits, ours, low, high (Wilson, 95 %).
    """
    near = nearest(found.signs, enumerated)
    near = np.where(found.connected, near, 9)
    rows = []
    for label, mask in found.populations().items():
        for name, reach in (("direct", 0), ("<= 1 link", 1)):
            hits, runs = int((near[mask] <= reach).sum()), int(mask.sum())
            rows.append({"runs": label, "number": runs, "distance": name, "hits": hits, **wilson(hits, runs)})
    return pd.DataFrame(rows)


def chance_levels(found: Found, enumerated: np.ndarray) -> pd.DataFrame:
    """Exact hit probabilities of topologies drawn without regard to the function: the control the paper lacks.

    All are drawn from the 2304 connected topologies: uniformly; uniformly among those that can oscillate (negative
    loop between the genes, one positive self-loop); with the link counts of the counted runs; with the signs of each
    link drawn independently as often as the counted runs have them; with the core among the genes taken from a counted
    run and the input links drawn independently.

    Returns
    -------
    DataFrame
        Columns baseline, direct, near (probability of distance at most 1).
    """
    everything = hill.topologies()
    everything = everything[hill.connected(everything)]
    near = nearest(everything, enumerated)
    runs = found.signs[found.counted]
    rows = []
    for name, weights in _chance_weights(everything, runs).items():
        weights = weights / weights.sum()
        rows.append((name, float(weights[near == 0].sum()), float(weights[near <= 1].sum())))
    return pd.DataFrame(rows, columns=["baseline", "direct", "near"])


def _chance_weights(everything: np.ndarray, runs: np.ndarray) -> dict[str, np.ndarray]:
    """(2304,) unnormalised probability of each connected topology under each way of drawing."""
    links = (everything != 0).sum((1, 2))
    frequency = np.bincount((runs != 0).sum((1, 2)), minlength=9)
    marginal = np.stack([(runs == sign).mean(0) for sign in (-1, 0, 1)])  # (3, N, G)
    each = marginal[everything + 1, np.arange(4)[:, None], np.arange(2)]
    cores = pd.Series([name[4:] for name in codes.encode(runs)]).value_counts()
    core = pd.Series([name[4:] for name in codes.encode(everything)])
    inputs = pd.Series(each[:, :2].prod((1, 2)))
    return {
        "uniform": np.ones(len(everything)),
        "can oscillate": hill.can_oscillate(everything).astype(float),
        "link counts of the runs": frequency[links] / np.bincount(links, minlength=9)[links],
        "independent links": each.prod((1, 2)),
        "core of a run, independent inputs": core.map(cores).fillna(0).to_numpy() * inputs.to_numpy(),
    }
