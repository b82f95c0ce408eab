"""What the published numbers of Fig. 3 depend on: seeds, read-out, Euler step, training noise and length, and g2(0).

Each function returns a tidy table, one row a number, with 95 % Wilson intervals where the number is a share of runs.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from regulome.circuits import codes, oscillation
from regulome.circuits.mutation import link_values, protocol
from regulome.circuits.network import CircuitNetwork
from regulome.circuits.oscillation_topologies import (
    CUTOFFS,
    Found,
    branch,
    chance_levels,
    cutoff_curve,
    found_topologies,
    hit_table,
    pool,
    wilson,
)
from regulome.circuits.task import Task
from regulome.circuits.training import TrainingSettings, train


def read_out(network: CircuitNetwork, cutoff: float) -> Found:
    """Topologies of trained networks under the published protocol, and which runs are good."""
    good = oscillation.good_runs(oscillation.responses(network))
    return found_topologies(link_values(network, protocol("fig3")), good, cutoff)


def enumerated(table: pd.DataFrame, column: str, least: int = 2) -> np.ndarray:
    """(M, 4, 2) topologies of notebook 33 with at least ``least`` parameter sets in a column of hits."""
    names = table.loc[table[column] >= least, "topology"]
    return codes.decode(names) if len(names) else np.zeros((0, 4, 2), dtype=int)


def seed_table(seeds: list[Found], sets: dict[str, np.ndarray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hit probabilities of every training seed, and the chance levels, for each set of enumerated topologies.

    Returns
    -------
    trained, chance
        Columns of `hit_table` with seed and enumeration, and of `chance_levels` (all seeds pooled) with enumeration.
    """
    everything = pool(seeds)
    trained = [
        hit_table(found, signs).assign(seed=number, enumeration=name)
        for name, signs in sets.items()
        for number, found in enumerate(seeds)
    ]
    chance = [chance_levels(everything, signs).assign(enumeration=name) for name, signs in sets.items()]
    return pd.concat(trained, ignore_index=True), pd.concat(chance, ignore_index=True)


def read_out_table(network: CircuitNetwork, good: np.ndarray, hill_set: np.ndarray, strengths) -> pd.DataFrame:
    """Hit probabilities by kind of read-out and strength of the mutation, each at its own best cutoff.

    The best cutoff has the most distinct connected topologies, as in the paper; rate values are means of changes of f
    and have their own scale, so that their cutoffs are spread over the same quantiles of the values.

    Returns
    -------
    DataFrame
        Columns kind, strength, cutoff, distinct, distance, ours, low, high, sign_agrees (share of links with the sign
        of the trajectory value at 0.9, cutoff 0).
    """
    test, rows = protocol("fig3"), []
    reference = link_values(network, test)
    for kind in ("trajectory", "rate"):
        for strength in strengths:
            values = link_values(network, replace(test, kind=kind, strength=strength))
            curve = cutoff_curve(values, good, _cutoffs_like(reference, values))
            best = curve.loc[curve["connected"].idxmax()]
            table = hit_table(found_topologies(values, good, best["cutoff"]), hill_set)
            table = table[table["runs"] == "good and connected"]
            agrees = (np.sign(values) == np.sign(reference)).mean()
            columns = {"kind": kind, "strength": strength, "cutoff": best["cutoff"], "distinct": int(best["connected"])}
            rows.append(table[["distance", "ours", "low", "high"]].assign(**columns, sign_agrees=agrees))
    return pd.concat(rows, ignore_index=True)


def _cutoffs_like(reference: np.ndarray, values: np.ndarray) -> list[float]:
    """Cutoffs that call as many links absent as the published ones do for the reference."""
    shares = [(np.abs(reference) <= cutoff).mean() for cutoff in CUTOFFS]
    return sorted({float(f"{np.quantile(np.abs(values), share):.4g}") for share in shares})


def step_size_table(network: CircuitNetwork, steps, least: float = oscillation.GoodRun.swing) -> pd.DataFrame:
    """Amplitude and period of every run under I1 = 0.8 with other Euler steps.

    Returns
    -------
    DataFrame
        Columns dt, replicate, swing, period, oscillates (amplitude at least that of a good run over the last 20 units
        of time).
    """
    frames = []
    for dt in steps:
        swing, period = oscillation.swing_and_period(oscillation.oscillation_at(network, dt), dt)
        columns = {"dt": dt, "replicate": np.arange(len(swing)), "swing": swing, "period": period}
        frames.append(pd.DataFrame(columns | {"oscillates": swing > least}))
    return pd.concat(frames, ignore_index=True)


def left_branch_arms(
    task: Task,
    settings: TrainingSettings,
    replicates: int,
    seed: int,
    first_stage: int,
    level: float = 0.9,
    device: str = "auto",
) -> dict[str, CircuitNetwork]:
    """Train towards the left branch: g2 starts high, and, in the second arm, the oscillation comes first.

    Parameters
    ----------
    first_stage
        Updates of the first stage, in which every case has the oscillating target and nothing has to rest; the second
        stage trains the full task from there for ``settings.steps`` updates.
    level
        Fixed initial level of g2.
    """
    fixed = oscillation.with_initial(task, "g2", level)
    one = train(fixed, settings, replicates, seed, device=device).network
    free = train(
        oscillation.unconditional(fixed), replace(settings, steps=first_stage), replicates, seed, device=device
    )
    two = train(fixed, settings, replicates, seed + 1, device=device, start=free.network).network
    return {f"g2 starts at {level:g}": one, f"g2 at {level:g}, two stages": two}


def arm_table(arms: dict[str, Found]) -> pd.DataFrame:
    """Share of good runs, and of left-branch topologies among the good runs, per arm.

    Returns
    -------
    DataFrame
        Columns arm, measure, runs, ours, low, high.
    """
    rows = []
    for arm, found in arms.items():
        left = (branch(found.signs) == "left")[found.good]
        for measure, hits, runs in (
            ("good runs", found.good.sum(), len(found.good)),
            ("left branch, of good runs", left.sum(), len(left)),
        ):
            rows.append({"arm": arm, "measure": measure, "runs": int(runs), **wilson(int(hits), int(runs))})
    return pd.DataFrame(rows)


def training_grid(
    task: Task,
    settings: TrainingSettings,
    noises,
    lengths,
    replicates: int,
    seed: int,
    cutoff: float,
    hill_set: np.ndarray,
    device: str = "auto",
) -> pd.DataFrame:
    """Train at every noise level and length, all from the same starting weights, and read out the published numbers.

    Returns
    -------
    DataFrame
        Columns noise, updates, measure ("good runs", "number of topologies", "in the enumeration", "within one link"),
        ours, low, high.
    """
    rows = []
    for noise in noises:
        for length in lengths:
            trained = train(task, replace(settings, noise=noise, steps=length), replicates, seed, device=device)
            found = read_out(trained.network, cutoff)
            hits = hit_table(found, hill_set)
            hits = hits[hits["runs"] == "good and connected"].set_index("distance")[["ours", "low", "high"]]
            count = len(set(found.names[found.counted]))
            measures = {
                "good runs": wilson(int(found.good.sum()), replicates),
                "number of topologies": dict.fromkeys(("ours", "low", "high"), float(count)),
                "in the enumeration": hits.loc["direct"].to_dict(),
                "within one link": hits.loc["<= 1 link"].to_dict(),
            }
            rows += [{"noise": noise, "updates": length, "measure": m, **v} for m, v in measures.items()]
    return pd.DataFrame(rows)
