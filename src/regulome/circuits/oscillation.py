"""Controlled oscillation (Fig. 3 of Shen et al. 2021): test curves, which runs are good, and variants of the task.

Under input I1 the output g1 oscillates, under I2 it is high and steady, without input it rests. Letters: R replicates,
C cases, T samples, G genes.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from regulome.circuits.mutation import step_inputs
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.task import Task

TEST_DT = 0.1
TEST_STEPS = 300
STEP_AT = 60  # the input is on from this sample on
LEVELS = np.linspace(0.05, 1, 20)
TRAINED = 15  # LEVELS[15] is 0.8, the level shown in training
PUBLISHED_ERRORS = {"rest": 0.0, "oscillation": 1.5, "high": 0.53}  # Fig. 3b, squared errors of one run
SETTLED = 10.0  # the last units of time of a test: about three periods


@dataclass(frozen=True)
class GoodRun:
    """What a run has to do in the test, at the trained level 0.8; ours, as the paper states no criterion.

    Attributes
    ----------
    swing
        Smallest peak-to-peak amplitude of g1 under I1, over the last 10 units of time (three periods).
    steady
        Largest peak-to-peak amplitude under I2 over the same time, and at rest, before the input.
    high, low
        Smallest mean under I2, and largest level at rest.
    """

    swing: float = 0.2
    steady: float = 0.1
    high: float = 0.6
    low: float = 0.2


@torch.no_grad()
def squared_errors(network: CircuitNetwork, task: Task) -> np.ndarray:
    """(R, C) squared errors against the target, summed over samples, in the conditions of the training, no noise.

    The penalty on the rest state is not part of it.
    """
    curves = simulate(network, task.input_values, task.dt).numpy()
    return np.nansum(np.square(curves - task.targets), axis=(2, 3))


@torch.no_grad()
def responses(network: CircuitNetwork, gene: int = 0) -> np.ndarray:
    """(R, 2, 20, 300) one gene at 20 levels of each input; dt 0.1, both inputs off for the first 60 samples."""
    levels = np.concatenate([LEVELS[:, None] * [1, 0], LEVELS[:, None] * [0, 1]])
    inputs = step_inputs(levels, TEST_STEPS, on=STEP_AT)
    curves = simulate(network, inputs, TEST_DT)[..., gene].numpy()
    return curves.reshape(len(curves), 2, len(LEVELS), TEST_STEPS)


def measures(curves: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers that decide whether a run is good, (R,) each, from the test ``curves`` (R, 2, 20, T) of g1.

    "swing" and "drift": peak-to-peak amplitude over the last 10 units of time, under I1 and I2; "high": mean under I2;
    "rest": largest level before the input; "unrest": its peak-to-peak amplitude.
    """
    settled = curves[:, :, TRAINED, -round(SETTLED / TEST_DT) :]
    before = curves[:, :, TRAINED, :STEP_AT]
    return {
        "swing": np.ptp(settled[:, 0], axis=-1),
        "drift": np.ptp(settled[:, 1], axis=-1),
        "high": settled[:, 1].mean(-1),
        "rest": before.max((1, 2)),
        "unrest": np.ptp(before, axis=-1).max(1),
    }


def good_runs(curves: np.ndarray, criterion: GoodRun = GoodRun()) -> np.ndarray:
    """(R,) True where the output oscillates under I1, is high and steady under I2, and rests without input."""
    found = measures(curves)
    steady = (found["drift"] < criterion.steady) & (found["unrest"] < criterion.steady)
    return (
        steady & (found["swing"] > criterion.swing) & (found["high"] > criterion.high) & (found["rest"] < criterion.low)
    )


def unconditional(task: Task, case: str = "oscillation") -> Task:
    """The first stage of the two-stage training: the target of one case in all cases, and no rest state."""
    index = task.case_names.index(case)
    targets = np.repeat(task.targets[index : index + 1], len(task.case_names), axis=0)
    return replace(task, name=f"{task.name}, unconditional", targets=targets, stationary=np.zeros_like(task.stationary))


def with_initial(task: Task, gene: str, level: float) -> Task:
    """The same task with the initial level of one gene fixed instead of trained."""
    initial = np.array(task.initial)
    initial[..., task.genes.index(gene)] = level
    return replace(task, initial=initial)


@torch.no_grad()
def oscillation_at(network: CircuitNetwork, dt: float, level: float = 0.8, duration: float = 40.0) -> np.ndarray:
    """(R, T) output g1 under I1 at a constant level, integrated with another Euler step.

    A step of the training length can make an oscillator that the differential equation does not have.
    """
    inputs = np.zeros((1, round(duration / dt), 2))
    inputs[..., 0] = level
    return simulate(network, inputs, dt)[:, 0, :, 0].numpy()


def swing_and_period(curves: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Peak-to-peak amplitude and period over the last 20 units of time.

    The period is the mean distance between upward crossings of the middle level, interpolated between samples; NaN
    where the curve crosses fewer than twice or swings by less than 0.01.

    Parameters
    ----------
    curves
        (R, T) output.

    Returns
    -------
    swing, period
        (R,) each; the period in units of time.
    """
    tail = np.asarray(curves, dtype=float)[:, -round(20 / dt) :]
    swing = np.ptp(tail, axis=1)
    period = np.full(len(tail), np.nan)
    for r, curve in enumerate(tail - (tail.max(1) + tail.min(1))[:, None] / 2):
        up = np.flatnonzero((curve[:-1] < 0) & (curve[1:] >= 0))
        if len(up) > 1 and swing[r] > 0.01:
            crossing = up - curve[up] / (curve[up + 1] - curve[up])
            period[r] = dt * (crossing[-1] - crossing[0]) / (len(up) - 1)
    return swing, period
