"""Exhaustive Hill enumeration: which topologies do a function, with how many random parameter sets.

Every topology gets the same number of parameter sets, b and K exponential with mean 1, drawn independently for each
topology. A set is refused at the first condition that fails, and the runs that later conditions need are made only
for the sets that are left; the result is the same as if all runs were made.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from regulome.circuits.criteria import Condition, Criterion
from regulome.circuits.hill_kernel import draw, run_drawn, run_given

CHUNK = 8192  # sets evaluated together: their statistics stay in the cache


@dataclass(frozen=True)
class Enumeration:
    """Result for M topologies.

    Attributes
    ----------
    signs
        (M, N, G) topologies.
    winners
        M arrays with the numbers of the parameter sets that do the function (`regulome.circuits.hill_kernel.draw`).
    passed
        (M, conditions) sets left after each condition.
    sets
        Parameter sets tried for each topology.
    seed
        Of the draws.
    """

    signs: np.ndarray
    winners: list[np.ndarray]
    passed: np.ndarray
    sets: int
    seed: int

    @property
    def hits(self) -> np.ndarray:
        """(M,) number of sets that do the function."""
        return np.array([len(w) for w in self.winners])


def enumerate_topologies(
    signs: np.ndarray,
    criterion: Criterion,
    sets: int = 160_000,
    seed: int = 0,
    threads: int = 1,
    shared: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Enumeration:
    """Try ``sets`` random parameter sets of every topology.

    Parameters
    ----------
    signs
        (M, N, G) topologies, see `regulome.circuits.hill.topologies`.
    criterion
        What counts as success, and how it is integrated.
    seed
        Set p of a topology depends on the seed, the topology and p alone, not on the number of threads or sets.
    shared
        Use one pool of parameter sets for all topologies (what one table of random numbers gives; the counts of
        topologies then rise and fall together).
    progress
        Called with (topologies done, topologies in all).

    Raises
    ------
    ValueError
        If the criterion has another number of genes or inputs than the topologies.
    """
    shape = (len(criterion.inputs) + len(criterion.genes), len(criterion.genes))
    if signs.shape[1:] != shape:
        raise ValueError(f"topologies have shape {signs.shape[1:]}, the criterion needs {shape}")
    done = 0
    results = []

    def one(topology: np.ndarray):
        chunks = [(first, min(CHUNK, sets - first)) for first in range(0, sets, CHUNK)]
        parts = [_try(topology, criterion, seed, *chunk, shared) for chunk in chunks]
        return np.concatenate([w for w, _ in parts]), np.sum([p for _, p in parts], axis=0)

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for result in pool.map(one, signs):
            results.append(result)
            done += 1
            if progress:
                progress(done, len(signs))
    passed = np.array([p for _, p in results]).reshape(len(signs), len(criterion.success))
    return Enumeration(signs, [w for w, _ in results], passed, sets, seed)


def _try(topology, criterion: Criterion, seed: int, first: int, count: int, shared: bool):
    """Numbers of the sets first .. first + count that pass, and how many are left after each condition."""
    leading = criterion.success[0].runs[0]
    known = {leading: run_drawn(topology, seed, first, count, *_wanted(criterion, leading), shared)}
    kept, passed = refuse(topology, criterion, count, known, lambda p: draw(topology, seed, first + p, shared))
    return first + kept, passed


def judge(topology: np.ndarray, criterion: Criterion, b: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(P,) True for the parameter sets b, K (P, N, G) with which a topology meets the criterion."""
    kept, _ = refuse(topology, criterion, len(b), {}, lambda p: (b[p], k[p]))
    passes = np.zeros(len(b), dtype=bool)
    passes[kept] = True
    return passes


def refuse(
    topology: np.ndarray,
    criterion: Criterion,
    count: int,
    known: dict[str, dict[str, np.ndarray]],
    parameters: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Apply the conditions in turn to ``count`` parameter sets.

    Parameters
    ----------
    known
        Statistics of runs that are made already: run to statistic to (P, watched genes).
    parameters
        Returns b and K (P, N, G) of the sets at the given positions; asked only for sets that are still in.

    Returns
    -------
    (kept, passed)
        Positions of the sets that meet every condition; number left after each condition.
    """
    kept, passed = np.arange(count), np.zeros(len(criterion.success), dtype=int)
    for number, condition in enumerate(criterion.success):
        for name in condition.runs:
            if name not in known:
                b, k = parameters(kept)
                known[name] = run_given(topology, b, k, *_wanted(criterion, name))
        true = _holds(condition, criterion, known)
        kept = kept[true]
        passed[number] = len(kept)
        if not len(kept):
            break
        known = {run: {name: v[true] for name, v in table.items()} for run, table in known.items()}
    return kept, passed


def _wanted(criterion: Criterion, run: str):
    """Arguments of `run_drawn` and `run_given` for a run and the statistics that the conditions ask of it."""
    return criterion.runs[run], criterion.integration, criterion.watched(run), criterion.statistics(run)


def _holds(condition: Condition, criterion: Criterion, known) -> np.ndarray:
    values = {}
    for name, (run, gene, statistic) in condition.names.items():
        column = criterion.watched(run).index(criterion.genes.index(gene))
        values[name] = known[run][statistic][:, column]
    return condition.expression(**values) > 0
