"""The sweep over options of the network and its training: named variants, several seeds, scored alike.

Every variant changes one thing of the default and is trained with the same number of steps, blocks and seeds. All are
scored on tuning proteins (what a choice may look at) and by the three protocols of `validation` (what nothing may be
chosen by), against one and the same target, that of the default, and against the intensities themselves.

The pipeline makes the sweep in shards, one job each (`make_shard`); the notebook reads them, and makes what is missing.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from regulome.binding import training_inputs, validation
from regulome.binding.ablation_variants import DEFAULT, NAMES, VARIANTS, Variant
from regulome.binding.targets import TargetTransform
from regulome.binding.training import train
from regulome.binding.training_inputs import Inputs
from regulome.binding.training_settings import TrainingSettings
from regulome.binding.two_tower import Settings
from regulome.errors import UserError, closest
from regulome.tables import write_bytes

TUNING = "tuning proteins, training RNAs"
COLUMNS = ("group", "variant", "seed", "protocol", "protein", "cluster", "r", "r_raw")
LOOKED_AT = 500  # most RNAs of a block that a variant is scored on
RATE = "learning rate"
# Parameters of notebook 14 that decide about the sweep
USES = (
    "seed", "test_fold", "tuning_fold", "new_share", "width", "rank", "layers", "protein_hidden", "dropout",
    "structure", "targets", "block_proteins", "block_rnas", "average", "rates", "variants", "sweep_seeds",
    "sweep_steps",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One training of the sweep and the variants that it serves: some differ in the prediction alone."""

    network: Settings
    training: TrainingSettings
    variants: tuple[Variant, ...]


def recipe(values: Mapping, vector_width: int) -> tuple[Settings, TrainingSettings]:
    """Network and training that the notebook's parameters describe, with the first rate and one short epoch."""
    network = Settings(
        vector_width, values["width"], values["rank"], values["layers"], protein_hidden=values["protein_hidden"],
        dropout=values["dropout"], structure=values["structure"],
    )  # fmt: skip
    training = TrainingSettings(
        1, values["sweep_steps"], values["block_proteins"], values["block_rnas"], values["rates"][0],
        average=values["average"], targets=values["targets"], seed=values["seed"],
    )  # fmt: skip
    return network, training


def runs(values: Mapping, vector_width: int) -> list[Run]:
    """Every training of the sweep, in order: seed by seed, the learning rates after the named variants.

    Raises
    ------
    UserError
        If there is no such variant, or the default is not among them.
    """
    for name in values["variants"]:
        if name not in NAMES:
            raise UserError(f"variants: found '{name}'{closest(name, NAMES)}; expected some of: {'; '.join(NAMES)}")
    if DEFAULT not in values["variants"]:
        raise UserError(f"variants: no '{DEFAULT}', which the others are compared with")
    chosen = [variant for variant in VARIANTS if variant.name in values["variants"]]
    chosen += [Variant(RATE, f"{RATE} {rate:g}", {}, {"rate": rate}) for rate in values["rates"][1:]]
    found: dict[tuple, list[Variant]] = {}
    for seed in range(values["sweep_seeds"]):
        for variant in chosen:
            network, training = variant.of(*recipe(values, vector_width))
            found.setdefault((network, replace(training, seed=values["seed"] + seed)), []).append(variant)
    return [Run(*settings, tuple(variants)) for settings, variants in found.items()]


def divide(inputs: Inputs, values: Mapping) -> validation.Split:
    """The split that the notebook's parameters describe."""
    return validation.split(
        inputs.folds, len(inputs.compendium.rnas), values["seed"], values["new_share"], values["test_fold"],
        values["tuning_fold"], inputs.compendium.probe_set,
    )  # fmt: skip


def blocks(split: validation.Split, most: int = LOOKED_AT) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Proteins and RNAs that every variant is scored on: tuning proteins and the three protocols."""
    found = {TUNING: (split.tuning, split.rnas)} | split.blocks()
    return {name: (rows, columns[:: -(-len(columns) // most)]) for name, (rows, columns) in found.items()}


def make(inputs: Inputs, values: Mapping, index: int = 0, count: int = 1, progress: bool = True) -> pd.DataFrame:
    """One shard of the sweep: every `count`-th training, from number `index`.

    Parameters
    ----------
    values
        The parameters `USES` of the notebook.

    Returns
    -------
    DataFrame
        `COLUMNS`; a row a variant, seed, protocol and protein. r is the correlation with the default's target, r_raw
        that with the intensities.
    """
    split, rows = divide(inputs, values), []
    chosen = runs(values, inputs.vectors.width)[index::count]
    data = inputs.compendium
    reference = TargetTransform.fit(data.intensities[:, split.rnas], values["targets"]).apply(data.intensities)
    own = inputs.part(split.training, split.rnas, "training")
    for run in tqdm(chosen, desc=f"sweep {index + 1}/{count}", unit="training", disable=None if progress else True):
        model = train(own.compendium, own.vectors, own.structure, run.network, run.training, progress=False)
        encoded: dict[bytes, np.ndarray] = {}  # two protocols share the training RNAs, two the new ones
        for protocol, (proteins, rnas) in blocks(split).items():
            part = inputs.part(proteins, rnas)
            if rnas.tobytes() not in encoded:
                encoded[rnas.tobytes()] = model.encode_rnas(part.compendium.rnas, part.structure)
            for variant in run.variants:
                factors = model.protein_factors(part.vectors, variant.noise_copies)
                scores = model.product(factors, encoded[rnas.tobytes()])
                table = {"group": variant.group, "variant": variant.name, "seed": run.training.seed}
                table |= {"protocol": protocol, "protein": part.compendium.proteins.names}
                table |= {"cluster": inputs.clusters[proteins]}
                table |= {"r": validation.correlations(scores, reference[np.ix_(proteins, rnas)])}
                table |= {"r_raw": validation.correlations(scores, part.compendium.intensities)}
                rows.append(pd.DataFrame(table))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


# --- shards


def make_shard(values: Mapping, index: int, file: Path) -> None:
    """Make one shard for the pipeline; ``values`` are the notebook's parameters that decide about the sweep."""
    torch.set_num_threads(1)
    inputs = training_inputs.read(Path(file).parent.parent)
    save(make(inputs, values, index, values["shards"]), file, key(inputs, values, index, values["shards"]))


def gather(files: Sequence[Path], inputs: Inputs, values: Mapping) -> pd.DataFrame:
    """All shards as one table, in the order of the variants; those that are missing or were made from something else
    are made now, and kept."""
    parts = []
    for index, file in enumerate(files):
        wanted = key(inputs, values, index, len(files))
        part = load(file, wanted)
        if part is None:
            part = make(inputs, values, index, len(files))
            save(part, file, wanted)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    order = {name: place for place, name in enumerate(NAMES)}
    place = table["variant"].map(order).fillna(len(order))
    ordered = table.assign(place=place).sort_values(["place", "seed"], kind="stable")
    return ordered.drop(columns="place").reset_index(drop=True)


def key(inputs: Inputs, values: Mapping, index: int, count: int) -> str:
    """What a shard was made from."""
    chosen = {name: values[name] for name in USES}
    return json.dumps([chosen, index, count, inputs.checksum()], sort_keys=True)


def save(table: pd.DataFrame, file: Path, made_from: str) -> None:
    """Write a shard; it appears whole or not at all."""
    columns = {name: table[name].to_numpy() for name in COLUMNS}
    text = {name: np.array(values, dtype=np.str_) for name, values in columns.items() if values.dtype == object}
    buffer = io.BytesIO()
    np.savez(buffer, made_from=np.array(made_from), **(columns | text))
    write_bytes(file, buffer.getvalue())


def load(file: Path, made_from: str) -> pd.DataFrame | None:
    """A shard, or None where the file is missing, damaged or was made from something else."""
    try:
        with np.load(file, allow_pickle=False) as content:
            if str(content["made_from"]) != made_from:
                return None
            return pd.DataFrame({name: content[name] for name in COLUMNS})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


# --- tables


def table(scores: pd.DataFrame, protocol: str, column: str = "r", draws: int = 2000) -> pd.DataFrame:
    """Every variant in one protocol, and its difference from the default over the same proteins and seeds.

    Returns
    -------
    DataFrame
        group, variant, seeds, proteins, mean, low_seed, high_seed (range over seeds of the mean over proteins),
        difference, low, high (95 % interval over clusters of proteins and seeds; pairs have the same seed).
    """
    own, rows = scores[scores["protocol"] == protocol], []
    wide = own.pivot(index=["protein", "cluster"], columns=["variant", "seed"], values=column)
    clusters = wide.index.get_level_values("cluster").to_numpy()
    for group, name in own[["group", "variant"]].drop_duplicates().itertuples(index=False):
        gaps = (wide[name] - wide[DEFAULT][wide[name].columns]).to_numpy()
        low, high = _interval(gaps, clusters, draws)
        by_seed = wide[name].mean()
        row = {"group": group, "variant": name, "seeds": len(by_seed), "proteins": len(gaps)}
        row |= {"mean": by_seed.mean(), "low_seed": by_seed.min(), "high_seed": by_seed.max()}
        rows.append(row | {"difference": gaps.mean(), "low": low, "high": high})
    return pd.DataFrame(rows)


def _interval(gaps: np.ndarray, clusters: np.ndarray, draws: int) -> tuple[float, float]:
    """95 % interval of the mean of (proteins, seeds) differences, resampling clusters and seeds with replacement.

    With a handful of seeds the second part is rough, and rather too narrow.
    """
    generator = np.random.default_rng(0)
    labels = np.unique(clusters, return_inverse=True)[1]
    count, seeds = labels.max() + 1, gaps.shape[1]
    proteins = generator.multinomial(count, np.full(count, 1 / count), size=draws)[:, labels]
    trainings = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    means = ((proteins @ gaps) * trainings).sum(1) / proteins.sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def rate_table(scores: pd.DataFrame, rates: Sequence[float]) -> pd.DataFrame:
    """Learning rates by the mean correlation of the tuning proteins: rate, mean, low_seed, high_seed."""
    found = table(scores, TUNING, draws=10).set_index("variant")
    names = [DEFAULT, *(f"{RATE} {rate:g}" for rate in rates[1:])]
    rows = found.loc[names, ["mean", "low_seed", "high_seed"]].reset_index(drop=True)
    return rows.assign(rate=list(rates))[["rate", "mean", "low_seed", "high_seed"]].sort_values("rate")


def best_rate(scores: pd.DataFrame, rates: Sequence[float]) -> float:
    """The learning rate whose trainings predict the tuning proteins best; test proteins are not looked at."""
    found = rate_table(scores, rates)
    return float(found.loc[found["mean"].idxmax(), "rate"])
