"""Recordings of automata: time courses from random initial conditions, and the down-sampled windows to train on."""

from dataclasses import dataclass

import numpy as np

from regulome.circuits.automata_truth import HillAutomata, simulate_automata
from regulome.errors import UserError

FRAME_STEPS = 10  # Euler steps between two frames that the training sees


@dataclass(frozen=True)
class Recordings:
    """Time courses of M automata from I initial conditions, of which the last one is held out.

    Attributes
    ----------
    truth
        The automata in units of the recordings.
    levels
        (M, I, T + 1, cells, G) levels, at most 1; the first sample is the initial state.
    dt
        Euler step of the recordings.
    """

    truth: HillAutomata
    levels: np.ndarray
    dt: float

    @property
    def seen(self) -> np.ndarray:
        """(M, I - 1, T + 1, cells, G) time courses for training."""
        return self.levels[:, :-1]

    @property
    def unseen(self) -> np.ndarray:
        """(M, T + 1, cells, G) time course from the initial condition that is held out."""
        return self.levels[:, -1]

    def states(self, levels: np.ndarray, every: int = 2) -> np.ndarray:
        """(M, S, 2 G) regulators of all cells in every n-th sample of ``levels`` (M, ..., T, cells, G)."""
        levels = levels[..., ::every, :, :]
        neighbours = (np.roll(levels, 1, axis=-2) + np.roll(levels, -1, axis=-2)) / 2
        states = np.concatenate([neighbours, levels], axis=-1)
        return states.reshape(len(states), -1, states.shape[-1])


def record(
    automata: HillAutomata, cells: int, initials: int, n_steps: int, seed: int, dt: float = 0.2, held_out: int = 1
) -> Recordings:
    """Simulate automata from random states of the central cell, all others empty (published: 16 + 1 states, 320 steps).

    Every gene is divided by its largest level over all time courses, as published; a gene that is never made keeps its
    unit. Automaton m has random numbers of its own.

    Raises
    ------
    UserError
        If there is no automaton (a search that found none).
    """
    if not len(automata):
        raise UserError("recordings: there is no automaton; expected at least one (let the search try more topologies)")
    start = np.zeros((len(automata), initials + held_out, cells, automata.n_genes))
    for m, own in enumerate(start):
        own[:, cells // 2] = np.random.default_rng([seed, m]).random((initials + held_out, automata.n_genes))
    levels = simulate_automata(automata, start, n_steps, dt)
    unit = levels.max(axis=(1, 2, 3))
    unit[unit == 0] = 1
    return Recordings(automata.rescaled(unit), levels / unit[:, None, None, None], dt)


def windows(levels: np.ndarray, frames: int = 3, apart: int = FRAME_STEPS) -> np.ndarray:
    """(M, W, frames + 1, cells, G) windows: a start, and the frames to be met ``apart`` Euler steps after each other.

    Windows start every ``apart`` samples. With three frames, the published windows of 320 steps begin at 0, 10, ... 270
    (28 a time course; a 29th would fit).

    Raises
    ------
    ValueError
        If the time courses are shorter than a window.
    """
    n_steps = levels.shape[2] - 1
    starts = np.arange(0, n_steps - (frames + 1) * apart, apart)
    if not len(starts):
        raise ValueError(f"{n_steps} steps are too few for windows of {frames} frames {apart} steps apart")
    at = starts[:, None] + apart * np.arange(frames + 1)
    cut = levels[:, :, at]
    return cut.reshape(len(levels), -1, *cut.shape[3:])
