"""Published single-molecule FISH counts, read from the registered files (`data/registry.yaml`).

Yeast PP7-GAL10 (Fu et al. 2022): mRNA per cell, zeros absent. DUSP1 in HeLa cells (SSIT example data): nuclear,
cytoplasmic and total mRNA against time after dexamethasone. Circadian genes (Phillips et al. 2021): two genes in each
cell, with time and cell area.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regulome import data
from regulome.errors import UserError
from regulome.stochastic.counts import Cells
from regulome.tables import read_table

PHASES = ("all", "g1", "g2")
REPLICATES = (1, 2, 3, 4)
DUSP1 = "dusp1_smfish"
CIRCADIAN = {
    "circadian_smfish_bc": {"Bmal1": "Counts Bmal1", "Cry1": "Counts Cry1"},
    "circadian_smfish_rc": {"Nr1d1": "Counts Nr1d1", "Cry1": "Counts Cry1"},
    "circadian_smfish_bio_replicate_rc": {"Nr1d1": "Counts_Nr1d1", "Cry1": "Counts_Cry1"},
}


@dataclass(frozen=True)
class Sample:
    """Cells with what a fit has to know about them.

    Attributes
    ----------
    zero_truncated
        Whether cells without mRNA are missing.
    copies
        Copies of the gene in each cell.
    """

    cells: Cells
    zero_truncated: bool
    copies: int
    gene: str


def samples(source: str, mirror: str = "") -> dict[str, Sample]:
    """The samples that notebook 44 fits, by title.

    Parameters
    ----------
    source
        "synthetic" (mini data of the same form, known truth) or "smfish" (GAL10, four replicates in all cells, G1 and
        G2, and DUSP1 before the stimulus, two replicates). The cells of a whole population have one or two copies of
        the gene; they are fitted with one, as is customary, which is why G1 and G2 stand beside them.
    """
    if source == "synthetic":
        from regulome.stochastic import synthetic_counts

        found = {
            f"GAL10-like {phase.upper()}": Sample(synthetic_counts.read(f"gal10_{phase}"), True, copies, "GAL10")
            for phase, copies in (("g1", 1), ("g2", 2))
        }
        return found | {
            f"DUSP1-like rep {n}": Sample(synthetic_counts.read("dusp1", n), False, 1, "DUSP1") for n in (1, 2)
        }
    if source != "smfish":
        raise UserError(f"source: found '{source}', expected synthetic or smfish")
    found = {
        f"GAL10 rep {n} {phase.upper() if phase != 'all' else phase}": Sample(
            gal10(n, phase, mirror), True, 2 if phase == "g2" else 1, "GAL10"
        )
        for phase in PHASES
        for n in REPLICATES
    }
    return found | {f"DUSP1 rep {n}": Sample(dusp1(n, mirror=mirror), False, 1, "DUSP1") for n in (1, 2)}


def keys(source: str) -> list[str]:
    """Registered files that `samples` reads."""
    return [*gal10_keys(), DUSP1] if source == "smfish" else []


def check_inputs(values: Mapping[str, object]) -> None:
    """Check the files that the parameters of notebook 44 name, before earlier outputs are deleted.

    Registered files that have yet to be downloaded are checked then.
    """
    source, mirror = str(values["source"]), str(values["data_mirror"])
    if all(data.local(key, mirror) for key in keys(source)):
        samples(source, mirror)


def gal10_keys() -> list[str]:
    """Keys of the twelve GAL10 files: four replicates, all cells and those in G1 and G2."""
    return [gal10_key(replicate, phase) for replicate in REPLICATES for phase in PHASES]


def gal10_key(replicate: int, phase: str) -> str:
    """Key of one GAL10 file."""
    if replicate not in REPLICATES or phase not in PHASES:
        raise UserError(f"GAL10: found replicate {replicate}, phase '{phase}'; expected 1 to 4 and {', '.join(PHASES)}")
    return f"gal10_smfish_rep{replicate}_{phase}"


def gal10(replicate: int, phase: str = "all", mirror: str = "", species: str = "mRNA") -> Cells:
    """GAL10 mRNA of one replicate. Cells without mRNA are absent: use a zero-truncated likelihood.

    Parameters
    ----------
    phase
        "all", "g1" (one copy of the gene) or "g2" (two copies).
    mirror
        Folder that stands in for downloads (empty: REGULOME_MIRROR, else download).
    """
    key = gal10_key(replicate, phase)
    table = read_table(data.fetch(key, mirror or None), columns=[species], header=False, low=1)
    return Cells.of([species], table.to_numpy(), key)


def dusp1(
    replicate: int, time: float = 0.0, column: str = "RNA_total", mirror: str = "", species: str = "mRNA"
) -> Cells:
    """DUSP1 mRNA of one replicate at one time (minutes after 100 nM dexamethasone); time 0 is the stationary sample.

    Parameters
    ----------
    column
        "RNA_total", "RNA_nuc" or "RNA_cyto".
    """
    table = read_table(data.fetch(DUSP1, mirror or None), columns=["time", column, "Rep_num"], low=0)
    chosen = table[(table["time"] == time) & (table["Rep_num"] == replicate)]
    if not len(chosen):
        times = ", ".join(f"{t:g}" for t in sorted(table["time"].unique()))
        raise UserError(
            f"{DUSP1}: no cells of replicate {replicate} at {time:g} min; expected replicate 1 or 2, {times}"
        )
    return Cells.of([species], chosen[column].to_numpy(), f"{DUSP1}, replicate {replicate}, {time:g} min")


def circadian(key: str, time: float | None = None, mirror: str = "") -> tuple[Cells, np.ndarray]:
    """Two circadian genes in each cell, and the (n,) area of each cell relative to the mean.

    Parameters
    ----------
    key
        One of `CIRCADIAN`.
    time
        Hours; None for all cells of the file.

    Returns
    -------
    tuple
        Cells over the two genes (sorted, merged) and the areas, the latter in the order of the file.
    """
    if key not in CIRCADIAN:
        raise UserError(f"found '{key}', expected {', '.join(CIRCADIAN)}")
    columns = CIRCADIAN[key]
    table: pd.DataFrame = read_table(
        data.fetch(key, mirror or None), columns=["Time", "AreaNormed", *columns.values()], low=0
    )
    table = table if time is None else table[table["Time"] == time]
    return Cells.of(list(columns), table[list(columns.values())].to_numpy(), key), table["AreaNormed"].to_numpy()
