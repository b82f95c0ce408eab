"""Exact stationary law of one species with a small internal state, for many parameter sets at once.

A gene with a few states and one product whose count goes up and down by one is a quasi-birth-death process: levels
(counts) of blocks (gene states). With U, L and D the rates up, within and down, balance reads
``U p(n-1) + L p(n) + D p(n+1) = 0``. Elimination from the top gives ``p(n+1) = R p(n)`` with matrices R of numbers that
are not negative, so that going up again loses no accuracy (Latouche and Ramaswami 1999). Feedback of the product on the
gene is allowed: every rate may depend on the count.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.reduction import reduce_to

MOST_BLOCKS = 8  # internal states
MOST_LEVELS = 1 << 14
TAIL = 1e-10  # mass that the highest level may hold
FLOOR = -700.0


class LevelLaw:
    """Log-probability of the counts of one species, without gradient; the interface of solver and exact likelihood.

    Parameters
    ----------
    network
        A network whose states, but for the observed one, have at most `MOST_BLOCKS` joint values.
    species
        The observed one.

    Raises
    ------
    UserError
        If the network is not of this kind (`applies` says so beforehand).
    """

    def __init__(self, network: StateTransitionNetwork, species: str):
        self.network, self.species = network, species
        part = reduce_to(network, (species,))
        blocks = _blocks(part, species)
        if blocks is None:
            raise UserError(f"{network.source}: '{species}' is not one species with a small internal state")
        self._part, self._blocks = part, blocks

    @cached_property
    def _parameters(self) -> list[int]:
        return [self.network.parameter_names.index(name) for name in self._part.parameter_names]

    def observed_log_prob(self, theta: torch.Tensor, names: Sequence[str], counts: np.ndarray) -> torch.Tensor:
        """(B, S) ln p of (S, 1) counts for (B, P) parameters, at least -700."""
        if tuple(names) != (self.species,):
            raise UserError(f"level law: found species {', '.join(names)}, expected {self.species} alone")
        wanted = np.asarray(counts).reshape(-1).astype(np.int64)
        sets = theta.detach().cpu().numpy()[:, self._parameters]
        found = np.full((len(sets), len(wanted)), FLOOR)
        rows, levels = np.arange(len(sets)), int(1.3 * wanted.max(initial=0)) + 30
        while len(rows):
            logs = self._laws(sets[rows], levels)
            done = (logs[:, -1] < np.log(TAIL)) | (levels >= MOST_LEVELS)
            found[rows[done]] = logs[done][:, wanted]
            rows, levels = rows[~done], 2 * levels
        return theta.new_tensor(np.maximum(found, FLOOR))

    def _laws(self, theta: np.ndarray, levels: int) -> np.ndarray:
        """(B, levels) ln p of the counts 0, 1, ..."""
        up, within, down = self._rates(theta, levels)
        size = within.shape[-1]
        ratio = np.empty((levels - 1, len(theta), size, size))
        block = within[-1]
        for n in range(levels - 2, -1, -1):
            ratio[n] = np.maximum(-_solve(block, up[n]), 0.0)
            block = within[n] + down[n + 1] @ ratio[n]
        level = _null(block)
        logs, scale = np.empty((levels, len(theta))), np.zeros(len(theta))
        for n in range(levels):
            mass = level.sum(-1)
            with np.errstate(divide="ignore"):
                logs[n] = scale + np.log(mass)
            if n == levels - 1:
                break
            safe = np.where(mass > 0, mass, 1.0)
            scale, level = scale + np.log(safe), (ratio[n] @ (level / safe[:, None])[..., None])[..., 0]
        highest = logs.max(0)
        return (logs - highest - np.log(np.exp(logs - highest).sum(0))).T

    def _rates(self, theta: np.ndarray, levels: int):
        """(levels, B, m, m) rates up, within (with outflow on the diagonal) and down, to block by from block."""
        part, blocks, size = self._part, self._blocks, len(self._blocks)
        place = part.states.index(self.species)
        counts = np.repeat(blocks[None], levels, 0)
        counts[..., place] = np.arange(levels)[:, None]
        rates = part.propensities(counts[:, :, None], theta)  # (levels, m, B, K)
        rates = np.nan_to_num(np.moveaxis(rates, 2, 1), nan=0.0)
        result = {jump: np.zeros((levels, len(theta), size, size)) for jump in (1, 0, -1)}
        known = {tuple(block): i for i, block in enumerate(blocks)}
        for event, change in enumerate(part.stoichiometry):
            jump = int(change[place])
            for source in range(size):
                target = blocks[source] + change
                target[place] = 0
                goal = known.get(tuple(target))
                if goal is None or (jump == 0 and goal == source):
                    continue
                rate = rates[..., source, event].copy()
                rate[(levels - 1) if jump == 1 else levels :] = 0.0  # the top reflects
                if jump == -1:
                    rate[0] = 0.0
                result[jump][..., goal, source] += rate
                result[0][..., source, source] -= rate
        return result[1], result[0], result[-1]


def _solve(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Batched solution of small systems; LAPACK has too much to say about two equations."""
    if left.shape[-1] != 2:
        return np.linalg.solve(left, right)
    a, b, c, d = left[:, 0, 0, None], left[:, 0, 1, None], left[:, 1, 0, None], left[:, 1, 1, None]
    first, second = right[:, 0], right[:, 1]
    return np.stack([d * first - b * second, a * second - c * first], 1) / (a * d - b * c)[:, None]


def _null(block: np.ndarray) -> np.ndarray:
    """(B, m) stationary law of (B, m, m) generators in columns."""
    system = block.copy()
    system[:, -1, :] = 1.0
    right = np.zeros((*block.shape[:1], block.shape[1], 1))
    right[:, -1] = 1.0
    return np.maximum(np.linalg.solve(system, right)[..., 0], 0.0)


def applies(network: StateTransitionNetwork, names: Sequence[str]) -> bool:
    """Whether `LevelLaw` solves the observed species of a network."""
    if len(names) != 1 or not network.is_markov or network.triggers:
        return False
    return _blocks(reduce_to(network, tuple(names)), names[0]) is not None


def _blocks(network: StateTransitionNetwork, species: str) -> np.ndarray | None:
    """(m, N) joint values of the other states (0 for the species), None if they are many or jumps longer than one."""
    place = network.states.index(species)
    changes = network.stoichiometry
    if np.abs(changes[:, place]).max(initial=0) > 1:
        return None
    start = network.start.copy()
    start[place] = 0
    generator = np.random.default_rng(0)
    theta = network.box[:, 0] + generator.random((8, len(network.parameters))) * np.ptp(network.box, axis=1)
    found, open_blocks = [tuple(start)], [start]
    while open_blocks:
        block = open_blocks.pop()
        probe = np.repeat(block[None], 8, 0)
        probe[:, place] = [0, 1, 2, 3, 5, 8, 20, 50]
        possible = (np.nan_to_num(network.propensities(probe[:, None], theta)) > 0).any((0, 1))
        for event in np.flatnonzero(possible):
            target = block + changes[event]
            target[place] = 0
            if (target < 0).any() or tuple(target) in found:
                continue
            found.append(tuple(target))
            open_blocks.append(target)
            if len(found) > MOST_BLOCKS:
                return None
    return np.array(sorted(found))
