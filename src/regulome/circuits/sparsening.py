"""Sequential sparsening: delete the least important link, train again from scratch, repeat.

All replicates go down together; each deletes its own least important link, so a level of the sequence is one batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from regulome.circuits.mutation import Protocol, link_effects, link_values
from regulome.circuits.task import Task
from regulome.circuits.training import TrainingResult, TrainingSettings, train


@dataclass(frozen=True)
class SparseningLevel:
    """One level of R sequences.

    Attributes
    ----------
    links
        (R, N, G) links that each replicate was trained with.
    result
        The trained networks.
    values
        (R, N, G) signed link values of the trained networks.
    deleted
        (R, 2) regulator and target of the link deleted next, or None at the last level.
    """

    links: np.ndarray
    result: TrainingResult
    values: np.ndarray
    deleted: np.ndarray | None

    @property
    def count(self) -> int:
        """Number of links, the same in every replicate."""
        return int(self.links[0].sum())


def least_important(effects: np.ndarray, links: np.ndarray, protected: np.ndarray) -> np.ndarray:
    """(R, 2) regulator and target of the link with the smallest effect among those that exist and are not protected.

    Raises
    ------
    ValueError
        If a replicate has no link left that may be deleted.
    """
    candidates = links & ~protected
    if not candidates.any((1, 2)).all():
        raise ValueError("no link is left to delete: all remaining links are protected")
    flat = np.where(candidates, effects, np.inf).reshape(len(effects), -1).argmin(1)
    return np.stack(np.unravel_index(flat, effects.shape[1:]), axis=1)


def sparsen(
    task: Task,
    settings: TrainingSettings,
    test: Protocol,
    replicates: int,
    seed: int,
    down_to: int = 1,
    protect_inputs: bool = False,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[SparseningLevel]:
    """Train, delete the link whose mutation changes its target least, train again from scratch, and so on.

    The effect of a link is the mean squared change of its *target's* trajectory under ``test`` (not of the output),
    as in the public code of Shen et al. (2021).

    Parameters
    ----------
    down_to
        Number of links at which to stop.
    protect_inputs
        Never delete a link that starts at an input.
    device
        Where to train, see `regulome.circuits.training.train`.
    progress
        Called with (levels done, levels in all).

    Returns
    -------
    list of SparseningLevel
        From all links of the task down to ``down_to`` links.

    Raises
    ------
    ValueError
        If ``down_to`` is larger than the number of links, or smaller than the number of protected ones.
    """
    n_inputs = len(task.inputs)
    links = np.repeat(task.links[None], replicates, axis=0)
    protected = np.zeros_like(links)
    protected[:, :n_inputs] = protect_inputs
    if not int((task.links & protected[0]).sum()) <= down_to <= int(task.links.sum()) or down_to < 1:
        raise ValueError(f"down_to is {down_to}, expected 1 to {task.links.sum()} links, protected ones included")
    levels: list[SparseningLevel] = []
    total = int(task.links.sum()) - down_to + 1
    for level in range(total):
        fresh = int(np.random.SeedSequence([seed, level]).generate_state(1)[0])
        result = train(task, settings, replicates, fresh, links=links, device=device)
        values = link_values(result.network, test)
        last = level == total - 1
        effects = None if last else link_effects(result.network, test)
        deleted = None if last else least_important(effects, links, protected)
        levels.append(SparseningLevel(links.copy(), result, values, deleted))
        if progress:
            progress(level + 1, total)
        if not last:
            links = links.copy()
            links[np.arange(replicates), deleted[:, 0], deleted[:, 1]] = False
    return levels
