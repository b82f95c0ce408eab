"""Controlled oscillation with three genes and ever fewer links (Shen et al. 2021, Fig. 4): phenotypes and classes.

Under I1 the output g1 oscillates, under I2 it is high, without input it rests. Letters: R replicates, T samples,
N = 5 regulators (I1, I2, g1, g2, g3), G = 3 genes.
"""

from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
import torch

from regulome.circuits.canonical import canonical, classes
from regulome.circuits.codes import decode, encode
from regulome.circuits.deletion_tree import Trained, Tree
from regulome.circuits.mutation import signs as signs_of
from regulome.circuits.mutation import step_inputs
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.oscillation_topologies import wilson
from regulome.circuits.sparsening import SparseningLevel

TEST_DT, TEST_STEPS, STEP_AT = 0.1, 300, 60
WINDOW = 150  # the published ranges are taken from this sample on: 15 units of time
CONDITIONS = {"rest": (0.0, 0.0), "oscillation": (0.8, 0.0), "high": (0.0, 0.8)}
LINKS = range(11, 3, -1)

# Fig. 4a, one published sequence of networks #1 (11 links) to #8 (4 links), at input 0.8 and samples 150 to 300
PUBLISHED_RANGES = {
    11: (0.146, 0.618), 10: (0.125, 0.612), 9: (0.158, 0.622), 8: (0.138, 0.616), 7: (0.135, 0.595), 6: (0.143, 0.579),
    5: (0.294, 0.300), 4: (0.337, 0.338),
}  # fmt: skip
PUBLISHED_HIGH = {11: 0.827, 10: 0.792, 9: 0.791, 8: 0.831, 7: 0.822, 6: 0.760, 5: 0.796, 4: 0.831}
P53 = "0+0+0000++00--0"  # Fig. 4d: I1 -> g2, I2 -> g1, g1 -> g3, g2 -> g1, g3 -| g1, g3 -| g2
P53_NAMES = {"I1": "I1", "I2": "I2", "g1": "p53", "g2": "ATM", "g3": "Wip1"}  # g2 stands for ATM and Chk2
RELEASED = "0-0+0000--00+-0"  # network #6 as released: I1 -| g2, I2 -> g1, g1 -| g3, g2 -| g1, g3 -> g1, g3 -| g2


@dataclass(frozen=True)
class Phenotype:
    """When a network counts as good; ours, as the paper states no criterion.

    Attributes
    ----------
    swing
        Smallest peak-to-peak amplitude of g1 under I1, in each third of samples 150 to 300: it must not be damped.
    steady
        Largest peak-to-peak amplitude under I2, and at rest.
    high, low
        Smallest mean under I2, and largest mean at rest.
    """

    swing: float = 0.2
    steady: float = 0.1
    high: float = 0.6
    low: float = 0.2


@torch.no_grad()
def responses(network: CircuitNetwork) -> np.ndarray:
    """(R, 3, 300, G) all genes at rest, under I1 = 0.8 and under I2 = 0.8 from sample 60 on; dt 0.1."""
    inputs = step_inputs(list(CONDITIONS.values()), TEST_STEPS, on=STEP_AT)
    return simulate(network, inputs, TEST_DT).numpy()


def measures(curves: np.ndarray) -> pd.DataFrame:
    """Numbers that decide about the phenotype, one row a replicate, from g1 (R, 3, 300).

    Columns: minimum, maximum and swing under I1; least_swing, the smallest swing of three consecutive thirds; high and
    drift, mean and swing under I2; rest and unrest, mean and swing without input.
    """
    rest, oscillation, high = (curves[:, i, WINDOW:] for i in range(3))
    thirds = oscillation.reshape(len(curves), 3, -1)
    return pd.DataFrame(
        {
            "minimum": oscillation.min(1),
            "maximum": oscillation.max(1),
            "swing": np.ptp(oscillation, axis=1),
            "least_swing": np.ptp(thirds, axis=2).min(1),
            "high": high.mean(1),
            "drift": np.ptp(high, axis=1),
            "rest": rest.mean(1),
            "unrest": np.ptp(rest, axis=1),
        }
    )


def judge(found: pd.DataFrame, criterion: Phenotype = Phenotype()) -> pd.DataFrame:
    """Whether each replicate oscillates, is high, rests, and all three (good); ``found`` of `measures`."""
    verdicts = pd.DataFrame(
        {
            "oscillates": found["least_swing"] > criterion.swing,
            "is_high": (found["high"] > criterion.high) & (found["drift"] < criterion.steady),
            "rests": (found["rest"] < criterion.low) & (found["unrest"] < criterion.steady),
        }
    )
    return verdicts.assign(good=verdicts.all(axis=1))


def is_good(network: CircuitNetwork, criterion: Phenotype = Phenotype()) -> np.ndarray:
    """(R,) True where a network does the function."""
    return judge(measures(responses(network)[..., 0]), criterion)["good"].to_numpy()


def score_levels(levels: list[SparseningLevel], cutoff: float, criterion: Phenotype = Phenotype()) -> pd.DataFrame:
    """Measures, phenotype, topology and canonical class of every replicate of every level of a sparsening."""
    frames = []
    for level in levels:
        found = measures(responses(level.result.network)[..., 0])
        table = pd.concat([found, judge(found, criterion)], axis=1)
        table["topology"] = encode(signs_of(level.values, cutoff))
        table["canonical"] = encode(classes(level.values, cutoff))
        table["loss"] = level.result.final_loss
        frames.append(table.assign(links=level.count, replicate=np.arange(len(table))))
    return pd.concat(frames, ignore_index=True)


def tree_scores(sets: list[Trained], cutoff: float) -> pd.DataFrame:
    """One row a replicate of each trained set of links: mask, links, replicate, good, loss, topology, canonical."""
    frames = [
        pd.DataFrame(
            {
                "mask": s.name,
                "links": int(s.links.sum()),
                "replicate": np.arange(len(s.good)),
                "good": s.good,
                "loss": s.loss,
                "topology": encode(signs_of(s.values, cutoff)),
                "canonical": encode(classes(s.values, cutoff)),
            }
        )
        for s in sets
    ]
    columns = ["mask", "links", "replicate", "good", "loss", "topology", "canonical"]
    nothing = pd.DataFrame(columns=columns).astype({"good": bool})  # a tree may end early
    return pd.concat(frames, ignore_index=True) if frames else nothing


def shares(scores: pd.DataFrame, by: str = "links") -> pd.DataFrame:
    """Good networks of all, with 95 % Wilson interval: columns ``by``, good, total, share, low, high."""
    rows = []
    for value, group in scores.groupby(by, sort=False):
        interval = wilson(group["good"].sum(), len(group))
        rows.append((value, int(group["good"].sum()), len(group), *interval.values()))
    return pd.DataFrame(rows, columns=[by, "good", "total", "share", "low", "high"])


def class_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Canonical classes among the good networks of every number of links, most frequent first.

    Returns
    -------
    DataFrame
        Columns links, canonical, networks, of (good networks with that many links), share with its 95 % Wilson
        interval low, high, p53 (whether it is the class of the p53 module) and negative_loop (`has_negative_loop`).
    """
    rows = []
    for links, group in scores[scores["good"]].groupby("links", sort=False):
        counts = group["canonical"].value_counts(sort=False).rename_axis("canonical").reset_index(name="networks")
        for code, count in counts.sort_values(["networks", "canonical"], ascending=[False, True]).to_numpy():
            rows.append((links, code, int(count), len(group), *wilson(count, len(group)).values(), code == P53))
    columns = ["links", "canonical", "networks", "of", "share", "low", "high", "p53"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(negative_loop=[has_negative_loop(code) for code in table["canonical"]])


def has_negative_loop(code: str) -> bool:
    """Whether a loop among the genes of a topology is negative; without one, monotone circuits cannot oscillate."""
    genes = decode([code], 2, 3)[0][2:]
    graph = nx.DiGraph([(int(i), int(j)) for i, j in np.argwhere(genes)])
    loops = nx.simple_cycles(graph)
    return any(np.prod([genes[i, j] for i, j in zip(loop, [*loop[1:], loop[0]], strict=True)]) < 0 for loop in loops)


def published_class() -> pd.DataFrame:
    """The released network #6 and the p53 module #6-3, with their canonical forms: the paper says they are one."""
    table = pd.DataFrame({"network": ["#6, released", "#6-3, p53 module"], "topology": [RELEASED, P53]})
    return table.assign(canonical=encode(canonical(decode(table["topology"], 2, 3))))


def cutoff_sensitivity(scored: dict[int, tuple[np.ndarray, np.ndarray]], cutoffs) -> pd.DataFrame:
    """How the classes depend on the smallest value that counts as a link.

    Parameters
    ----------
    scored
        Number of links to link values (R, N, G) and good (R,).

    Returns
    -------
    DataFrame
        Columns links, cutoff, good, classes (distinct among good networks), p53 (good networks of that class).
    """
    rows = []
    for links, (values, good) in scored.items():
        for cutoff in cutoffs:
            found = encode(classes(values[good], cutoff)) if good.any() else []
            rows.append((links, cutoff, int(good.sum()), len(set(found)), found.count(P53)))
    return pd.DataFrame(rows, columns=["links", "cutoff", "good", "classes", "p53"])


def tree_nodes(tree: Tree, cutoff: float) -> pd.DataFrame:
    """One row a set of links of the tree: mask, links, votes, replicates, good, share, low, high, p53, parents."""
    scores = tree_scores([s for level in tree.levels for s in level], cutoff)
    table = shares(scores, "mask").rename(columns={"total": "replicates"})
    votes, parents = {}, {}
    for (_parent, child), count in tree.votes.items():
        votes[child] = votes.get(child, 0) + count
        parents[child] = parents.get(child, 0) + 1
    p53 = scores[scores["good"] & (scores["canonical"] == P53)].groupby("mask").size()
    return table.assign(
        links=table["mask"].str.count("x"),
        votes=table["mask"].map(votes).fillna(0).astype(int),
        parents=table["mask"].map(parents).fillna(0).astype(int),
        p53=table["mask"].map(p53).fillna(0).astype(int),
    )


def reference_shares(sequences: pd.DataFrame, tree: pd.DataFrame, control: pd.DataFrame, p53: pd.DataFrame):
    """Good six-link networks of sparsening, tree, arbitrary connected sets and the p53 module's set, pooled.

    Returns
    -------
    DataFrame
        Columns name, good, total, share, low, high (95 % Wilson interval; replicates of a set count separately).
    """
    groups = {"sequences": sequences[sequences["links"] == 6], "tree": tree}
    groups |= {"any connected set": control, "p53 module's links": p53}
    pooled = pd.concat([table.assign(name=name) for name, table in groups.items() if len(table)])
    return shares(pooled, "name")
