"""How well networks predict an automaton from an unseen initial state, beside forecasts without a network."""

import numpy as np
import torch
from sklearn.linear_model import LinearRegression

from regulome.circuits.automata import ring_of
from regulome.circuits.automata_baselines import frame_pairs
from regulome.circuits.automata_data import Recordings, windows
from regulome.circuits.automata_training import AutomataTraining, window_loss
from regulome.circuits.network import CircuitNetwork


def loss_of(predicted: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(M,) sqrt(sum over frames of the mean squared error): the training loss, for predictions (M, W, K, cells, G)."""
    return np.sqrt(np.square(predicted - frames).mean((1, 3, 4)).sum(1))


@torch.no_grad()
def network_loss(
    network: CircuitNetwork, levels: np.ndarray, settings: AutomataTraining, replicates: int
) -> np.ndarray:
    """(M, R) loss of every replicate on all windows of time courses (M, I, T + 1, cells, G)."""
    frames = windows(levels, apart=settings.frame_steps)
    ring = ring_of(frames)
    frames = torch.as_tensor(np.repeat(frames[..., ring.cell, :], replicates, axis=0), dtype=network.start.dtype)
    return window_loss(network, frames, ring, settings).numpy().reshape(-1, replicates)


def forecast_losses(recordings: Recordings, settings: AutomataTraining) -> dict[str, np.ndarray]:
    """(M,) loss on the windows of the held-out time course, of forecasts that need no network.

    "persistence": the first frame stays. "mean level": every gene at its mean over the training. "linear
    autoregression": the linear model of Fig. 6g, applied to its own prediction frame after frame.
    """
    apart = settings.frame_steps
    frames = windows(recordings.unseen[:, None], apart=apart)
    start, wanted = frames[:, :, :1], frames[:, :, 1:]
    level = recordings.seen.mean((1, 2, 3))[:, None, None, None]
    linear = []
    for own, first in zip(recordings.seen, frames[:, :, 0], strict=True):
        states, following, _ = frame_pairs(own, apart)
        model, state, course = LinearRegression().fit(states, following), first, []
        for _ in range(wanted.shape[2]):
            neighbours = (np.roll(state, 1, axis=-2) + np.roll(state, -1, axis=-2)) / 2
            regulators = np.concatenate([neighbours, state], axis=-1)
            state = model.predict(regulators.reshape(-1, regulators.shape[-1])).reshape(state.shape)
            course.append(state)
        linear.append(np.stack(course, axis=1))
    return {
        "persistence": loss_of(np.broadcast_to(start, wanted.shape), wanted),
        "mean level": loss_of(np.broadcast_to(level, wanted.shape), wanted),
        "linear autoregression": loss_of(np.stack(linear), wanted),
    }


@torch.no_grad()
def rates_on(network: CircuitNetwork, recordings: Recordings, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Fig. 6d: true f (M, S, G) and f of every replicate (M, R, S, G) on the states of the held-out time course."""
    states = recordings.states(recordings.unseen)
    repeated = torch.as_tensor(np.repeat(states, replicates, axis=0), dtype=network.start.dtype)
    learned = network.rates(repeated).numpy()
    return recordings.truth.rates(states), learned.reshape(len(states), replicates, *learned.shape[1:])


def rate_correlations(true: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """(M, R) correlation of learned and true f over states and genes, from `rates_on`."""
    return np.array(
        [[np.corrcoef(t.ravel(), own.ravel())[0, 1] for own in runs] for t, runs in zip(true, learned, strict=True)]
    )
