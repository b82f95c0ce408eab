"""Ours versus published for the two-tower training: rows for `Output.compare_all`, and the tables behind them."""

import re
import time
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from regulome.binding import training_baselines as baselines
from regulome.binding import validation
from regulome.binding.compendium import Compendium
from regulome.binding.sequences import sequences
from regulome.binding.targets import MODES, TargetTransform
from regulome.binding.training_run import Run
from regulome.binding.training_settings import TrainingSettings
from regulome.binding.two_tower import Settings, TwoTower
from regulome.binding.vectors import Vectors

_MODULE = "regulome.binding"
# Published sizes: width 256, rank 512, 5120 numbers a protein, hidden layer of 512; in millions of weights
PUBLISHED_SIZES = {"RNA tower": 3.37, "protein tower": 2.75, "head": 0.394}
PUBLISHED_LOSS = {"first": 0.709, "last": 0.306}
PLACES = {validation.SEEN: "seen", validation.PUBLISHED: "published", validation.DISJOINT: "disjoint"}
PUBLISHED_R = {"median": 0.4403, "mean": 0.4152, "test": 0.29}


def huber_of_zero(targets: np.ndarray) -> float:
    """Mean Huber loss (delta 1) of predicting 0 everywhere: what a training starts from."""
    size = np.abs(targets)
    return float(np.where(size <= 1, size**2 / 2, size - 0.5).mean())


def target_table(compendium: Compendium, modes: Iterable[str] = MODES) -> pd.DataFrame:
    """What each transform makes of the intensities.

    Returns
    -------
    DataFrame
        protein, transform, negative and undefined (shares of probes), r_raw (Pearson of intensity and target: the most
        that a perfect model of the target can reach against intensities), skewness, highest (sd) and huber_of_zero;
        one row a protein and transform. Undefined probes are left out of the other numbers.
    """
    rows = []
    for mode in modes:
        with np.errstate(invalid="ignore", divide="ignore"):
            targets = TargetTransform.fit(compendium.intensities, mode).apply(compendium.intensities)
        for name, raw, target in zip(compendium.proteins.names, compendium.intensities, targets, strict=True):
            there = ~np.isnan(raw)
            known = there & np.isfinite(target)
            row = {"protein": name, "transform": mode, "negative": (raw[there] < 0).mean()}
            row |= {"undefined": 1 - known.sum() / there.sum()}
            row |= {"r_raw": validation.correlations(target[None, known], raw[None, known])[0]}
            row |= {"skewness": stats.skew(target[known].astype(float)), "highest": target[known].max()}
            rows.append(row | {"huber_of_zero": huber_of_zero(target[known])})
    return pd.DataFrame(rows)


def quantiles(compendium: Compendium, proteins: Iterable[int], modes: Iterable[str] = MODES) -> pd.DataFrame:
    """Intensity and target at 200 places of the order of a protein's intensities.

    Returns
    -------
    DataFrame
        protein, transform, share (of probes with at most this intensity), raw and target (NaN where undefined).
    """
    chosen, rows = compendium.take(proteins), []
    for mode in modes:
        with np.errstate(invalid="ignore", divide="ignore"):
            targets = TargetTransform.fit(chosen.intensities, mode).apply(chosen.intensities)
        for name, raw, target in zip(chosen.proteins.names, chosen.intensities, targets, strict=True):
            order = np.argsort(np.where(np.isnan(raw), np.inf, raw), kind="stable")[: (~np.isnan(raw)).sum()]
            places = np.unique(np.linspace(0, len(order) - 1, 200).round().astype(int))
            part = {"share": (places + 1) / len(order), "raw": raw[order[places]], "target": target[order[places]]}
            rows.append(pd.DataFrame({"protein": name, "transform": mode} | part))
    return pd.concat(rows, ignore_index=True)


def size_rows(sizes: pd.DataFrame, section: str) -> list[dict]:
    """Numbers of weights of the published architecture; `sizes`: part, published_form."""
    return [
        {
            "id": f"size.{row.part.replace(' ', '_').lower()}",
            "quantity": f"weights of the published {row.part}",
            "ours": row.published_form / 1e6,
            "published": PUBLISHED_SIZES[row.part],
            "tolerance": 0.005 if PUBLISHED_SIZES[row.part] > 1 else 0.0005,
            "unit": "million",
            "source": "published design",
            "section": section,
            "function": f"{_MODULE}.two_tower.TwoTower",
        }
        for row in sizes.itertuples()
        if row.part in PUBLISHED_SIZES
    ]


def target_rows(table: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Share of intensities that the published transform does not define, and the ceiling that ours leaves."""
    published = table[table["transform"] == "published"]
    ours = table[table["transform"] == "shifted log"]
    words = {"section": section, "function": f"{_MODULE}.results_training.target_table", "published": None}
    numbers = [
        {"id": "target.negative", "quantity": f"share of negative intensities ({kind})",
         "ours": ours["negative"].mean(), "low": ours["negative"].min(), "high": ours["negative"].max(),
         "note": "range over proteins; a property of the data, none is published"},
        {"id": "target.undefined", "quantity": f"share of intensities without a published target ({kind})",
         "ours": published["undefined"].mean(), "low": published["undefined"].min(),
         "high": published["undefined"].max(),
         "note": "log(1+y) of y <= -1; range over proteins; the published text does not mention it"},
        {"id": "target.ceiling", "quantity": f"Pearson of intensity and target ({kind})", "role": "ceiling",
         "ours": ours["r_raw"].mean(), "low": ours["r_raw"].min(), "high": ours["r_raw"].max(),
         "note": "what a perfect model of the target reaches against intensities; range over proteins"},
        {"id": "target.huber", "quantity": f"Huber loss of predicting 0, shifted log ({kind})",
         "ours": ours["huber_of_zero"].mean(), "low": ours["huber_of_zero"].min(),
         "high": ours["huber_of_zero"].max(), "role": "baseline", "note": "range over proteins"},
    ]  # fmt: skip
    return [row | words for row in numbers]


def size_table(settings: Settings, vector_width: int = 5120) -> pd.DataFrame:
    """Weights of the network in use and of the published form: part, ours, published_form, published (millions)."""
    ours, form = TwoTower(settings).sizes(), TwoTower(Settings.published(vector_width)).sizes()
    rows = [(part, ours[part], form[part], PUBLISHED_SIZES[part]) for part in form]
    return pd.DataFrame(rows, columns=["part", "ours", "published_form", "published"])


def loss_rows(losses: list[float], log: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """First and last loss, and the log's best epoch, beside what was published on data that are not at hand."""
    best = log.loc[log["median_r"].idxmax()]
    other = f"other data ({kind}), network and budget"
    numbers = [
        ("loss.first", "loss of the first step", losses[0], f"published {PUBLISHED_LOSS['first']}: {other}"),
        ("loss.last", "loss, mean of the last epoch", log["loss"].iloc[-1],
         f"published {PUBLISHED_LOSS['last']}: {other}"),
        ("validation.median", "median r of the tuning proteins, best epoch", best["median_r"],
         f"published {PUBLISHED_R['median']}: {other}"),
        ("validation.mean", "mean r of the tuning proteins, same epoch", best["mean_r"],
         f"published {PUBLISHED_R['mean']}: {other}"),
    ]  # fmt: skip
    words = {"published": None, "section": section, "function": f"{_MODULE}.training.train"}
    return [{"id": i, "quantity": f"{q} ({kind})", "ours": v, "note": note} | words for i, q, v, note in numbers]


def protocol_rows(table: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Mean correlation of every method and protocol with the target, and with the intensity in the disjoint protocol.

    `table`: of `validation.summary` by against, protocol and method.
    """
    rows = []
    chosen = (table["against"] == "target") | (table["protocol"] == validation.DISJOINT)
    for row in table[chosen & (table["method"] != baselines.COPIES)].itertuples():
        place, against = PLACES[row.protocol], "" if row.against == "target" else f".{row.against}"
        role = baselines.ROLES[row.method]
        published = f"published test mean {PUBLISHED_R['test']} on hidden data; " if place == "disjoint" else ""
        rows.append(
            {
                "id": f"r.{place}.{baselines.SHORT[row.method]}{against}",
                "quantity": f"mean r with the {row.against}, {row.protocol}: {row.method} ({kind})",
                "ours": row.mean,
                "low": row.mean_low,
                "high": row.mean_high,
                "published": None,
                "section": section,
                "function": f"{_MODULE}.validation.correlations",
                "note": f"{published}{kind} data" if role == "model" else "",
                "role": None if role == "model" else role,
            }
        )
    return rows


def ablation_rows(table: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Difference of every variant from the default; `table`: of `ablations.table`."""
    return [
        {
            "id": f"ablation.{re.sub('[^a-z0-9.]+', '_', row.variant.lower()).strip('_')}",
            "quantity": f"mean r less that of the default, new proteins on new RNAs: {row.variant} ({kind})",
            "ours": row.difference,
            "low": row.low,
            "high": row.high,
            "published": None,
            "section": section,
            "function": f"{_MODULE}.ablations.table",
            "note": f"mean over {row.seeds} seeds, {row.proteins} proteins; no such numbers are published",
        }
        for row in table.itertuples()
        if row.variant != table["variant"].iloc[0]
    ]


def full_size(rnas: int, steps: int, proteins: int = 8, seed: int = 1) -> tuple[pd.DataFrame, float]:
    """A few steps of the published network at its own size on random data: that it runs, and what a step costs.

    Returns
    -------
    DataFrame
        step, loss; the same on every run.
    float
        CPU seconds a step, the first left out where there are more.
    """
    generator = np.random.default_rng(seed)
    letters = ["".join(np.array(list("ACGU"))[row]) for row in generator.integers(4, size=(rnas, 38))]
    people = sequences(["M" * (i + 9) for i in range(proteins)], "protein", source="random")
    values = generator.normal(size=(proteins, 5120)).astype(np.float32)
    data = Compendium(
        people, sequences(letters, "rna"), generator.gumbel(size=(proteins, rnas)).astype(np.float32), "synthetic"
    )
    recipe = TrainingSettings.published(epochs=steps, steps=1, rnas=rnas, proteins=proteins, seed=seed)
    vectors = Vectors(people.names, values, "random numbers")
    times = []
    run = Run(data, vectors, None, Settings.published(), recipe, "cpu")
    for _ in range(steps):
        start = time.process_time()
        run.train_epoch(tqdm(disable=True))
        times.append(time.process_time() - start)
    return pd.DataFrame({"step": range(1, steps + 1), "loss": run.steps}), float(np.mean(times[1:] or times))


def cost_table(seconds: float, rnas: int) -> pd.DataFrame:
    """What the published training costs: quantity, value (from the seconds of a step with `rnas` RNAs)."""
    step = seconds * 2048 / rnas
    rows = [
        ("operations of the 15,000 published steps (10^15)", 24.0),
        ("CPU seconds a step of 8 x 2048", step),
        ("CPU hours, 15,000 steps", 15_000 * step / 3600),
    ]
    return pd.DataFrame(rows, columns=["quantity", "value"])
