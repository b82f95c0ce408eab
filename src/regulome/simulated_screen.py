"""A simulated perturbation screen: a random gene network, exact stochastic simulation of every cell, then sequencing.

    python -m regulome.simulated_screen FOLDER

writes what lies in ``data/mini/perturbation``. Nothing measured enters, and no step is approximated: cells are drawn
by Gillespie's direct method (`regulome.stochastic.gene_ssa`), captured molecules are binomial.

1. Network. Regulators act on regulators (feedback included, never on themselves) and on downstream genes. A gene has
   one to three regulators, drawn with probabilities that fall with a regulator's rank as rank^-hub: few regulators have
   many targets. Rates are set so that the deterministic level of every gene in control cells is its drawn level.
2. Perturbation. Transcription of the perturbed genes times ``knockdown`` from time 0, in cells that are then looked at
   after ``time`` mRNA lifetimes. A share ``escape`` of the cells of a perturbation stays as the controls.
3. Sequencing. Every molecule is seen with the capture efficiency of its cell; free mRNA (in the proportions of control
   cells) is added. A share of the cells is damaged: most of their mRNA is lost, mitochondrial mRNA is not.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from regulome import files, paths
from regulome.errors import UserError
from regulome.stochastic.gene_ssa import GeneNetwork, sample

SEED = 20261121
CONTROL = "control"
COMMAND = "python -m regulome.simulated_screen data/mini/perturbation"
_LEVELS = (8.0, 80.0)  # fewest and most molecules of a gene in the average control cell


@dataclass(frozen=True)
class Settings:
    """Size, noise and seed of a simulated screen.

    Attributes
    ----------
    perturbed, regulators, targets, mitochondrial
        Genes: regulators that are perturbed, others, genes that regulate nothing, and unregulated genes called MT-.
    cells, controls
        Cells of each perturbation, and of the control.
    pairs
        Combinations of two perturbed genes, each with `cells` cells; half of them share a target.
    links
        Mean number of regulators of a gene, of 1 to 3.
    activating
        Share of activating links.
    weight
        Range of w, the part of a promoter that one regulator controls (0 to 1).
    hub
        Exponent of the falling probabilities to regulate; 0: all alike.
    level
        Median number of molecules of a gene in the average control cell.
    burst
        Molecules of a transcriptional burst.
    knockdown
        Factor of transcription; 0: knockout.
    escape
        Share of perturbed cells without knockdown.
    time
        mRNA lifetimes between knockdown and sequencing.
    size_sd, capture_sd
        Standard deviation of the logarithm of cell size and of capture efficiency.
    capture
        Median share of molecules that is seen.
    ambient
        Free mRNA in a droplet, as a share of the mean library.
    damaged
        Share of low-quality cells; `kept` of their mRNA is left.
    replicates
        Batches, alike but for their capture efficiency (5 % apart).
    seed
        Of everything.
    """

    perturbed: int = 24
    regulators: int = 8
    targets: int = 60
    mitochondrial: int = 6
    cells: int = 70
    controls: int = 500
    pairs: int = 12
    links: float = 2.0
    activating: float = 0.6
    weight: tuple[float, float] = (0.35, 0.85)
    hub: float = 0.7
    level: float = 25.0
    burst: int = 3
    knockdown: float = 0.1
    escape: float = 0.1
    time: float = 12.0
    size_sd: float = 0.2
    capture: float = 0.1
    capture_sd: float = 0.35
    ambient: float = 0.02
    damaged: float = 0.08
    kept: float = 0.2
    replicates: int = 2
    seed: int = SEED

    def __post_init__(self):
        counts = {"perturbed": 2, "regulators": 0, "targets": 0, "mitochondrial": 0, "cells": 1, "controls": 1}
        counts |= {"pairs": 0, "burst": 1, "replicates": 1}
        for name, least in counts.items():
            if int(getattr(self, name)) != getattr(self, name) or getattr(self, name) < least:
                raise UserError(
                    f"simulated screen: {name}: found {getattr(self, name)}, expected a whole number >= {least}"
                )
        for name in ("activating", "knockdown", "escape", "capture", "ambient", "damaged", "kept"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"simulated screen: {name}: found {getattr(self, name)}, expected 0 to 1")
        if not (1 <= self.links <= 3 and 0 < self.weight[0] <= self.weight[1] < 1 and self.level > 0 and self.time > 0):
            raise UserError(
                "simulated screen: expected links from 1 to 3, a range of weights between 0 and 1, level and time > 0"
            )
        if self.pairs > self.perturbed * (self.perturbed - 1) // 2:
            raise UserError(
                f"simulated screen: pairs: found {self.pairs}, more than there are of {self.perturbed} genes"
            )


def simulate(
    settings: Settings,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    first: int | None = None,
) -> tuple[AnnData, pd.DataFrame]:
    """Simulate a screen; the same settings give the same numbers, whatever the number of threads.

    Parameters
    ----------
    threads, progress
        As in `regulome.stochastic.gene_ssa.sample`.
    first
        Only that many cells, the first ones of the screen, which do not depend on the others (default: all).

    Returns
    -------
    anndata.AnnData
        ``X`` csr raw counts; ``obs`` perturbation ("control", "R01", "R01+R07"), replicate, and what only a simulation
        knows: simulated_damaged and simulated_escaped; ``var`` role and simulated_level (molecules in an average
        control cell); ``uns["simulated"]`` seed, command and settings (JSON).
    pandas.DataFrame
        The true network, one row a link: source, target, sign (1 or -1) and strength, the |log2 fold change| of the
        target's transcription when the regulator alone falls to its knocked-down level.
    """
    seeds = np.random.SeedSequence(settings.seed).spawn(4)
    network, level = draw_network(settings, np.random.default_rng(seeds[0]))
    obs = _cells(settings, network, np.random.default_rng(seeds[1]))
    size = np.exp(np.random.default_rng(seeds[2]).normal(0.0, settings.size_sd, len(obs)))[:first]
    obs = obs[:first]
    ssa, sequencing = (int(seeds[3].generate_state(2)[i]) for i in range(2))
    molecules = sample(network, _scale(settings, network, obs), size, level, settings.time, ssa, threads, progress)
    counts = _sequence(settings, network, molecules, obs, level, sequencing)
    table = AnnData(csr_matrix(counts.astype(np.float32)), obs=obs, var=_genes(settings, network, level))
    command = COMMAND if settings == Settings() else ""
    table.uns["simulated"] = {"seed": settings.seed, "command": command, "settings": json.dumps(asdict(settings))}
    return table, truth(network, level, settings.knockdown)


# --- network


def draw_network(settings: Settings, generator: np.random.Generator) -> tuple[GeneNetwork, np.ndarray]:
    """A random gene network and the (G,) level of every gene in control cells, its deterministic fixed point."""
    actors = settings.perturbed + settings.regulators
    names = _names("R", actors) + _names("T", settings.targets) + _names("MT-", settings.mitochondrial)
    level = np.exp(generator.normal(np.log(settings.level), 0.5, len(names))).clip(*_LEVELS)
    source, target = _links(settings, actors, generator)
    network = GeneNetwork(
        tuple(names),
        np.ones(len(names)),
        settings.burst,
        source,
        target,
        generator.uniform(*settings.weight, len(source)),
        level[source] * generator.uniform(0.5, 0.9, len(source)),
        np.where(generator.random(len(source)) < settings.activating, 1, -1),
    )
    rate = level / settings.burst / network.promoter(level)  # so that production and loss of `level` are equal
    return replace(network, rate=rate), level


def _names(stem: str, number: int) -> list[str]:
    """Symbols whose alphabetical order is that of their numbers."""
    return [f"{stem}{i + 1:0{len(str(number))}d}" for i in range(number)]


def _links(settings: Settings, actors: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Source and target of every link."""
    rank = generator.permutation(actors) + 1.0
    wanted, source, target = rank**-settings.hub, [], []
    for gene in range(actors + settings.targets):
        number = min(1 + generator.binomial(2, (settings.links - 1) / 2), actors - 1)
        chance = np.where(np.arange(actors) == gene, 0.0, wanted)
        source += list(generator.choice(actors, number, replace=False, p=chance / chance.sum()))
        target += [gene] * number
    return np.array(source, int), np.array(target, int)


def truth(network: GeneNetwork, level: np.ndarray, knockdown: float) -> pd.DataFrame:
    """The true links; see `simulate`."""
    names, at = np.array(network.names), level[network.source]
    strength = np.abs(np.log2(network.link(knockdown * at) / network.link(at)))
    table = {"source": names[network.source], "target": names[network.target], "sign": network.sign}
    return pd.DataFrame(table | {"strength": strength.round(4)}).sort_values(["source", "target"], ignore_index=True)


# --- cells


def _cells(settings: Settings, network: GeneNetwork, generator: np.random.Generator) -> pd.DataFrame:
    """One row a cell, in random order as cells come out of a machine."""
    perturbations = [*network.names[: settings.perturbed], *_pairs(settings, network, generator)]
    label = np.repeat([CONTROL, *perturbations], [settings.controls, *[settings.cells] * len(perturbations)])
    label = label[generator.permutation(len(label))]
    escaped = (generator.random(len(label)) < settings.escape) & (label != CONTROL)
    columns = {
        "perturbation": pd.Categorical(label),
        "replicate": pd.Categorical(
            [f"replicate_{i + 1}" for i in generator.integers(0, settings.replicates, len(label))]
        ),
        "simulated_damaged": generator.random(len(label)) < settings.damaged,
        "simulated_escaped": escaped,
    }
    return pd.DataFrame(columns, index=[f"cell_{i:05d}" for i in range(len(label))])


def _pairs(settings: Settings, network: GeneNetwork, generator: np.random.Generator) -> list[str]:
    """Combinations: half of them of regulators that share a target, as far as there are any."""
    hits = np.zeros((settings.perturbed, len(network.names)), bool)
    inside = network.source < settings.perturbed
    hits[network.source[inside], network.target[inside]] = True
    first, second = np.triu_indices(settings.perturbed, 1)
    order = generator.permutation(len(first))
    shared = (hits[first[order]] & hits[second[order]]).any(1)
    half = order[shared][: (settings.pairs + 1) // 2]
    rest = order[~np.isin(order, half)][: settings.pairs - len(half)]
    chosen = np.sort(np.concatenate([half, rest]))
    return [f"{network.names[first[i]]}+{network.names[second[i]]}" for i in chosen]


def _scale(settings: Settings, network: GeneNetwork, obs: pd.DataFrame) -> np.ndarray:
    """(N, G) factor of transcription."""
    out, label = np.ones((len(obs), len(network.names))), obs["perturbation"].astype(str).to_numpy()
    for name in set(label) - {CONTROL}:
        rows = np.flatnonzero((label == name) & ~obs["simulated_escaped"].to_numpy())
        out[np.ix_(rows, [network.names.index(gene) for gene in name.split("+")])] = settings.knockdown
    return out


def _sequence(
    settings: Settings, network: GeneNetwork, molecules: np.ndarray, obs: pd.DataFrame, level: np.ndarray, seed: int
) -> np.ndarray:
    """(N, G) counts of captured molecules and free mRNA; each cell has random numbers of its own."""
    batch = 0.05 * (obs["replicate"].cat.codes.to_numpy() - (settings.replicates - 1) / 2)
    cytoplasmic = np.array([not name.startswith("MT-") for name in network.names])
    damaged, free = obs["simulated_damaged"].to_numpy(), settings.ambient * settings.capture * level
    out = np.empty_like(molecules)
    for n, content in enumerate(molecules):
        generator = np.random.default_rng([seed, n])
        seen = min(1.0, settings.capture * np.exp(batch[n] + generator.normal(0.0, settings.capture_sd)))
        share = np.where(cytoplasmic & damaged[n], settings.kept * seen, seen)
        out[n] = generator.binomial(content, share) + generator.poisson(free)
    return out


def _genes(settings: Settings, network: GeneNetwork, level: np.ndarray) -> pd.DataFrame:
    numbers = (settings.perturbed, settings.regulators, settings.targets, settings.mitochondrial)
    role = np.repeat(["perturbed regulator", "regulator", "downstream", "mitochondrial"], numbers)
    return pd.DataFrame({"role": pd.Categorical(role), "simulated_level": level.round(3)}, index=list(network.names))


# --- files


def folder() -> Path:
    """Where the mini screen lies."""
    return paths.mini_data() / "perturbation"


def write(place: Path, settings: Settings | None = None, threads: int | None = None) -> list[Path]:
    """Write screen.h5ad and truth.csv; the same settings give the same content."""
    table, links = simulate(settings or Settings(), threads)
    with files.replacing(place / "screen.h5ad") as temporary:
        table.write_h5ad(temporary, compression="gzip", compression_opts=9)
    with files.replacing(place / "truth.csv") as temporary:
        links.to_csv(temporary, index=False, lineterminator="\n")
    return [place / "screen.h5ad", place / "truth.csv"]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else folder()):
        print(path)
