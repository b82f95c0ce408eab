"""Panels of Fig. 3 (controlled oscillation): fits, tests, and what the trained rates look like.

Each function takes data and returns (figure, table of what is drawn). The panels on topologies are in
`regulome.circuits.plots_topologies`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.circuits.oscillation import LEVELS, SETTLED, STEP_AT, TEST_DT, TRAINED
from regulome.circuits.plots_adaptation import faint
from regulome.style import DOUBLE, PALETTE, panel_letter

TITLES = {"rest": "no input", "oscillation": "I1 = 0.8", "high": "I2 = 0.8"}


def fits(curves: np.ndarray, task, errors: np.ndarray) -> tuple[Figure, pd.DataFrame]:
    """Fig. 3b: g1 of every run in the conditions of the training, with the target and the squared error.

    Parameters
    ----------
    curves
        (R, C, T) output.
    errors
        (R, C) squared errors.
    """
    time = (np.arange(task.steps) + 1) * task.dt
    fig, axes = plt.subplots(1, len(task.case_names), figsize=(DOUBLE, 2.0), sharey=True)
    frames = []
    for c, (ax, name) in enumerate(zip(axes, task.case_names, strict=True)):
        low, middle, high = np.quantile(curves[:, c], [0.05, 0.5, 0.95], axis=0)
        ax.plot(time, curves[:, c].T, color=PALETTE["blue"], lw=0.4, alpha=faint(len(curves)))
        ax.plot(time, middle, color=PALETTE["blue"], label="runs (thin), median")
        ax.plot(time, task.targets[c, :, 0], color="black", ls="--", lw=0.8, label="target")
        title = f"{TITLES.get(name, name)}, squared error {np.median(errors[:, c]):.2g}"
        ax.set(title=title, xlabel="time (lifetimes)", ylim=(-0.02, 1.05))
        panel_letter(ax, "abcdef"[c])
        columns = {"target": task.targets[c, :, 0], "median": middle, "low": low, "high": high}
        frames.append(pd.DataFrame({"case": name, "time": time, **columns}))
    axes[0].set_ylabel("output g1")
    axes[0].legend(loc="upper left")
    return fig, pd.concat(frames, ignore_index=True)


def level_responses(curves: np.ndarray, good: np.ndarray) -> tuple[Figure, pd.DataFrame]:
    """The test: g1 of the median run in time, and swing and mean of g1 against the level of each input.

    Parameters
    ----------
    curves
        (R, 2, 20, T) of `regulome.circuits.oscillation.responses`.
    good
        (R,) runs that pass.
    """
    time = (np.arange(curves.shape[-1]) + 1) * TEST_DT
    settled = curves[..., -round(SETTLED / TEST_DT) :]
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE, 2.1))
    for i, (name, colour) in enumerate((("I1", "blue"), ("I2", "vermillion"))):
        axes[0].plot(time, curves[0, i, TRAINED], color=PALETTE[colour], lw=0.8, label=f"{name} = {LEVELS[TRAINED]:g}")
    axes[0].axvline(STEP_AT * TEST_DT, color="grey", lw=0.6, ls=":")
    axes[0].set(xlabel="time (lifetimes)", ylabel="output g1", title="replicate 0", ylim=(0, 1.05))
    frames = []
    for ax, values, words in (
        (axes[1], np.ptp(settled, axis=-1), "peak-to-peak amplitude of g1"),
        (axes[2], settled.mean(-1), "mean of g1"),
    ):
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
        for i, (name, colour) in enumerate((("I1", "blue"), ("I2", "vermillion"))):
            ax.fill_between(LEVELS, low[i], high[i], color=PALETTE[colour], alpha=0.2, lw=0)
            ax.plot(LEVELS, middle[i], "o-", color=PALETTE[colour], ms=2, lw=0.8, label=name)
            columns = {"median": middle[i], "low": low[i], "high": high[i]}
            frames.append(pd.DataFrame({"measure": words, "input": name, "level": LEVELS, **columns}))
        ax.axvline(LEVELS[TRAINED], color="grey", lw=0.6, ls=":")
        ax.set(xlabel="level of the input", ylabel=words, ylim=(-0.02, None))
    axes[1].set_title(f"{good.sum()} of {len(good)} runs are good")
    axes[2].set_title("median, 5 to 95 % of runs")
    for ax, letter in zip(axes, "abc", strict=True):
        ax.legend()
        panel_letter(ax, letter)
    return fig, pd.concat(frames, ignore_index=True)


def monotonicity(table: pd.DataFrame, minority: np.ndarray) -> tuple[Figure, pd.DataFrame]:
    """Share of non-monotone links, and how large the rarer sign of the slope is.

    Parameters
    ----------
    table
        Of `regulome.circuits.monotonicity.audit_table`.
    minority
        (K,) share of the slope with the rarer sign, all links that exist.
    """
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 2.4), width_ratios=[1.8, 1])
    x = np.arange(len(table))
    for shift, column, colour, words in (
        (-0.27, "both_signs", "sky", "both signs occur"),
        (0, "non_monotone", "blue", "rarer sign ≥ 5 % of the slope"),
        (0.27, "sign_agrees", "orange", "mutation has the sign of the mean slope"),
    ):
        axes[0].bar(x + shift, table[column], width=0.27, color=PALETTE[colour], label=words)
    axes[0].set_xticks(x, [name.replace(" -> ", "→") for name in table["link"]], rotation=30, ha="right")
    axes[0].set(ylabel="share of runs with the link", ylim=(0, 1))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    axes[1].hist(minority, bins=np.linspace(0, 0.5, 26), color=PALETTE["blue"])
    axes[1].set(xlabel="share of the slope with the rarer sign", ylabel="links, all runs")
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def step_sizes(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Do the networks oscillate with a smaller Euler step? Share, amplitude and period against dt.

    ``table`` has columns dt, replicate, swing, period, oscillates.
    """
    fig, axes = plt.subplots(1, 3, figsize=(DOUBLE * 0.9, 2.0))
    groups = table.groupby("dt")
    share = groups["oscillates"].mean()
    axes[0].plot(share.index, share, "o-", color=PALETTE["blue"])
    axes[0].set(ylabel="share of runs that oscillate", ylim=(0, 1.05))
    for ax, column, words in ((axes[1], "swing", "amplitude of g1"), (axes[2], "period", "period (lifetimes)")):
        low, middle, high = (groups[column].quantile(q) for q in (0.05, 0.5, 0.95))
        error = [middle - low, high - middle]
        ax.errorbar(middle.index, middle, error, fmt="o-", color=PALETTE["blue"], lw=0.8)
        ax.set(ylabel=words, ylim=(0, None))
    axes[2].plot(0.2, 3.0, "x", color=PALETTE["vermillion"], ms=5, label="target, trained at 0.2")
    axes[2].legend(loc="lower right")
    for ax, letter in zip(axes, "abc", strict=True):
        ax.set(xlabel="Euler step dt (lifetimes)", xlim=(0, 0.22))
        panel_letter(ax, letter)
    return fig, table
