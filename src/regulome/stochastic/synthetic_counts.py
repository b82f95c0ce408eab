"""Synthetic smFISH counts with known truth: what `data/mini/inference` holds.

Made by ``python -m regulome.stochastic.synthetic_counts`` (seed 2022). The rates are such that means and widths are
those of the yeast GAL10 and the DUSP1 data: one file a sample, in the form of the real files.
"""

from pathlib import Path

import numpy as np

from regulome import paths
from regulome.stochastic.counts import Cells, read_counts
from regulome.stochastic.two_state_genes import mrna_network
from regulome.tables import write_bytes

SEED = 2022
CELLS = 500
# rates in units of the mRNA's lifetime: kon, koff, ksyn; and gene copies
GAL10 = {"kon": 3.0, "koff": 1.2, "ksyn": 12.0}
DUSP1 = {1: {"kon": 0.9, "koff": 3.0, "ksyn": 260.0}, 2: {"kon": 1.0, "koff": 2.4, "ksyn": 150.0}}
TELEGRAPH = {"kon": 0.6, "koff": 1.2, "ksyn": 30.0, "kdeg": 1.0}
_ANY = mrna_network((0.01, 100.0), (0.01, 100.0), (0.1, 1000.0))


def _draw(
    rates: dict, cells: int, generator: np.random.Generator, copies: int = 1, truncated: bool = False
) -> np.ndarray:
    """(cells,) counts of the two-state gene, kdeg = 1."""
    import torch  # only to make the files: they are checked before every run, which torch would slow by 2 s

    from regulome.stochastic.two_state import mrna_law

    theta = torch.tensor([[rates["kon"], rates["koff"], rates["ksyn"]]], dtype=torch.float64)
    grid = np.arange(int(rates["ksyn"] * copies * 1.5) + 40)
    law = mrna_law(_ANY, copies).observed_log_prob(theta, ("mRNA",), grid[:, None])[0].exp().numpy()
    law[0] *= not truncated
    return generator.choice(grid, cells, p=law / law.sum())


def make(folder: Path | None = None, seed: int = SEED) -> list[Path]:
    """Write all files; the same seed gives the same bytes."""
    folder = paths.mini_data() / "inference" if folder is None else folder
    generator, written = np.random.default_rng(seed), []

    def write(name: str, header: str, rows) -> None:
        lines = ([header] if header else []) + [",".join(map(str, row)) for row in rows]
        write_bytes(folder / name, ("\n".join(lines) + "\n").encode())
        written.append(folder / name)

    for phase, copies in (("g1", 1), ("g2", 2)):  # one column, no header, zeros absent: as the yeast files
        write(f"gal10_{phase}.txt", "", _draw(GAL10, CELLS, generator, copies, truncated=True)[:, None])
    rows = [
        (n, 0, count, replicate)
        for replicate, rates in DUSP1.items()
        for n, count in enumerate(_draw(rates, CELLS, generator))
    ]
    write("dusp1.csv", "cell_number,time,RNA_total,Rep_num", rows)
    write("telegraph.csv", "cell,mRNA", enumerate(_draw(TELEGRAPH, CELLS, generator)))
    return written


def read(name: str, replicate: int | None = None) -> Cells:
    """A synthetic sample: "gal10_g1", "gal10_g2", "dusp1" (with a replicate) or "telegraph"."""
    folder = paths.mini_data() / "inference"
    if name == "dusp1":
        from regulome.tables import read_table

        table = read_table(folder / "dusp1.csv", columns=["RNA_total", "Rep_num"], low=0)
        counts = table.loc[table["Rep_num"] == replicate, "RNA_total"].to_numpy()
        return Cells.of(["mRNA"], counts, f"synthetic DUSP1, replicate {replicate}")
    suffix = "csv" if name == "telegraph" else "txt"
    return read_counts(folder / f"{name}.{suffix}", _ANY)


if __name__ == "__main__":
    for path in make():
        print(path)
