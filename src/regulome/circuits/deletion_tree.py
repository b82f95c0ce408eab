"""A tree of deletions: sparsening that tries several links at every level and trains no set of links twice.

Every replicate of a network names its least important links; the sets of links that result, identical ones merged, are
the next level. A set is trained with random numbers that depend on the seed and the set alone, so that it is the
same wherever the search came from. Letters: R replicates, N = I + G regulators, G genes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import torch

from regulome.circuits.canonical import canonical_mask
from regulome.circuits.mutation import Protocol, mutant_links
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.task import Task
from regulome.circuits.training import TrainingSettings, train

Judge = Callable[[CircuitNetwork], np.ndarray]


@dataclass(frozen=True)
class Trained:
    """R replicates trained with one set of links.

    Attributes
    ----------
    links
        (N, G) booleans.
    network, loss
        The networks and their final losses (R,).
    values, effects
        (R, N, G) signed link values, and mean squared change of the target when a link is weakened.
    good
        (R,) whether a replicate does the function.
    """

    links: np.ndarray
    network: CircuitNetwork
    loss: np.ndarray
    values: np.ndarray
    effects: np.ndarray
    good: np.ndarray

    @property
    def name(self) -> str:
        """Name of the set of links, see `mask_name`."""
        return mask_name(self.links)


@dataclass
class Trainer:
    """Trains sets of links for a task, each once.

    Attributes
    ----------
    judge
        Says which replicates of a network do the function.
    replicates
        Of each set; multiples of 16 cost nothing extra on the CPU.
    known
        Sets trained so far, by name.
    """

    task: Task
    settings: TrainingSettings
    test: Protocol
    judge: Judge
    replicates: int
    seed: int
    device: str = "auto"
    known: dict[str, Trained] = field(default_factory=dict)

    def __call__(self, masks: Sequence[np.ndarray]) -> list[Trained]:
        """Train every set of links (N, G) that is not known yet; sets are spread over the threads of torch."""
        new = {mask_name(mask): mask for mask in masks if mask_name(mask) not in self.known}
        with ThreadPoolExecutor(max_workers=1 if self.device == "cuda" else torch.get_num_threads()) as pool:
            for trained in pool.map(self._train, new.values()):
                self.known[trained.name] = trained
        return [self.known[mask_name(mask)] for mask in masks]

    def _train(self, mask: np.ndarray) -> Trained:
        seed = int(np.random.SeedSequence([self.seed, *mask.ravel().astype(int)]).generate_state(1)[0])
        result = train(self.task, self.settings, self.replicates, seed, links=mask, device=self.device)
        network = result.network
        values, effects = read_out(network, self.test)
        return Trained(mask, network, result.final_loss, values, effects, self.judge(network))


@dataclass(frozen=True)
class Tree:
    """Levels of a tree of deletions, from the most to the fewest links.

    Attributes
    ----------
    levels
        Sets trained at each level.
    votes
        For every edge (name of the larger set, name of the smaller), the replicates that proposed the deletion.
    refused
        Proposed sets that the width left out, by level.
    """

    levels: list[list[Trained]]
    votes: dict[tuple[str, str], int]
    refused: list[int]

    @property
    def visited(self) -> int:
        """Number of distinct sets of links that were trained."""
        return sum(map(len, self.levels))


@torch.no_grad()
def read_out(network: CircuitNetwork, test: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Link values and effects (R, N, G) of trajectories, from one run of each mutant of a link that exists.

    The same as `mutation.link_values` and `mutation.link_effects`, which run the mutants of absent links too.
    """
    values, effects = np.zeros((2, *network.links.shape), dtype=np.float32)
    wild_type = simulate(network, test.inputs, test.dt)
    for regulator, target in np.argwhere(network.links.numpy().any(0)):
        mutant = simulate(network, test.inputs, test.dt, mutant_links(network, regulator, target, test.strength))
        change = wild_type[..., target] - mutant[..., target]
        values[:, regulator, target] = test.scale * change.mean((1, 2)).numpy()
        effects[:, regulator, target] = change.square().mean((1, 2)).numpy()
    return values, effects


def mask_name(links: np.ndarray) -> str:
    """Name of a set of links (N, G): a character a link in the order of `mutation.link_names`, "x" where it exists."""
    return "".join("x" if link else "." for link in np.asarray(links).ravel())


def proposals(effects: np.ndarray, links: np.ndarray, protected: np.ndarray, branch: int) -> list[tuple[int, int]]:
    """The ``branch`` links (regulator, target) of one replicate (N, G) with the smallest effects, least first."""
    candidates = np.where(links & ~protected, effects, np.inf).ravel()
    order = np.argsort(candidates, kind="stable")[:branch]
    return [divmod(int(i), links.shape[1]) for i in order if np.isfinite(candidates[i])]


def children(parents: Iterable[Trained], allowed: np.ndarray, protected: np.ndarray, branch: int, observed=(0,)):
    """Sets of links proposed by the good replicates of the level above, identical ones merged.

    Returns
    -------
    sets, votes
        Name to (N, G) links; (parent, child) to the number of replicates that propose this step.
    """
    sets, votes = {}, Counter()
    for parent in parents:
        for effects in parent.effects[parent.good]:
            for regulator, target in proposals(effects, parent.links, protected, branch):
                links = parent.links.copy()
                links[regulator, target] = False
                links = canonical_mask(links, allowed, observed)
                sets[mask_name(links)] = links
                votes[parent.name, mask_name(links)] += 1
    return sets, votes


def grow(
    trainer: Trainer,
    down_to: int,
    branch: int = 2,
    width: int = 8,
    observed: Sequence[int] = (0,),
    protect_inputs: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Tree:
    """Grow a tree of deletions breadth first, from all links of the task.

    Only replicates that do the function propose deletions; a level without any is the last. With ``branch`` 1 and one
    replicate this is plain sparsening.

    Parameters
    ----------
    down_to
        Number of links at which to stop.
    branch
        Least important links that each replicate proposes to delete.
    width
        Sets kept at each level: those that most replicates propose (ties: by name).
    progress
        Called with (levels done, levels in all).
    """
    allowed = trainer.task.links
    protected = np.zeros_like(allowed)
    protected[: len(trainer.task.inputs)] = protect_inputs
    total = int(allowed.sum()) - down_to
    levels, refused, votes = [trainer([allowed])], [0], Counter()
    for level in range(total):
        if progress:
            progress(level + 1, total + 1)
        sets, proposed = children(levels[-1], allowed, protected, branch, observed)
        support = Counter()
        for (_, child), count in proposed.items():
            support[child] += count
        kept = sorted(support, key=lambda name: (-support[name], name))[:width]
        if not kept:
            break
        votes.update({edge: count for edge, count in proposed.items() if edge[1] in kept})
        levels.append(trainer([sets[name] for name in kept]))
        refused.append(len(sets) - len(kept))
    return Tree(levels, dict(votes), refused)


def all_masks(allowed: np.ndarray, protected: np.ndarray, links: int) -> list[np.ndarray]:
    """All sets of ``links`` links that a task allows and that hold the protected ones."""
    free = np.argwhere(allowed & ~protected)
    fixed = allowed & protected
    masks = []
    for chosen in combinations(range(len(free)), links - int(fixed.sum())):
        mask = fixed.copy()
        mask[tuple(free[list(chosen)].T)] = True
        masks.append(mask)
    return masks


def is_connected(links: np.ndarray, n_inputs: int, output: int = 0) -> bool:
    """Whether every input reaches the output, and every gene is reached by an input and reaches the output."""
    genes = links[n_inputs:].astype(int)
    reach = np.linalg.matrix_power(np.eye(len(genes), dtype=int) + genes, len(genes)) > 0
    seen = links[:n_inputs].astype(int) @ reach > 0  # (I, G): what each input reaches
    return bool(seen[:, output].all() and seen.any(0).all() and reach[:, output].all())
