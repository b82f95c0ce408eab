"""Papalexi et al., Nat Genet 53:322 (2021): knockout of 25 regulators of PD-L1 in THP-1 cells, from its R file.

The file holds 20,729 cells x 299 genes, 110 guides and the replicate. A cell's perturbation is the target of the guide
with most UMIs. With a share of that guide of at least 0.6 and at least 50 UMIs, 18,632 cells remain; with more than 100
cells of a perturbation, 18,497 of 23 perturbations (MYC has 92 cells, SPI1 has 43).
"""

import numpy as np
import pandas as pd

from regulome import data
from regulome.errors import UserError
from regulome.perturbation import r_data
from regulome.perturbation.layouts import RawScreen, is_control
from regulome.perturbation.screen import CONTROL

KEY = "papalexi2021_lowmoi"
NAME = "Papalexi 2021 (THP-1, knockout)"


def read(mirror: str | None = None, min_fraction: float = 0.6, min_umi: int = 50, min_cells: int = 101) -> RawScreen:
    """The screen as specified: dominant guide, enough UMIs, enough cells of each perturbation.

    Parameters
    ----------
    mirror
        Folder of data files, see `regulome.data.fetch`.
    min_fraction
        Least share of the dominant guide among a cell's guide UMIs.
    min_umi
        Least UMIs of a cell over the measured genes.
    min_cells
        Least cells of a perturbation, the others are left out; 0 keeps all 25.

    Raises
    ------
    UserError
        If the file is missing or other than registered, or nothing is left.
    """
    content = r_data.read(data.fetch(KEY, mirror), "lowmoi_example_data")
    counts, guides = (r_data.sparse(content[name]) for name in ("response_matrix", "grna_matrix"))
    targets = content["grna_target_data_frame"].astype(str).set_index("grna_id")["grna_target"]
    target = targets.loc[list(r_data.row_names(content["grna_matrix"]))].to_numpy()
    label, share = dominant(guides.toarray(), target)
    umi = np.asarray(counts.sum(1)).ravel()
    keep = (share >= min_fraction) & (umi >= min_umi)
    sizes = pd.Series(label[keep]).value_counts()
    keep &= np.isin(label, [*sizes.index[sizes >= min_cells], CONTROL])
    if not keep.any() or set(label[keep]) == {CONTROL}:
        raise UserError(
            f"{KEY}: no perturbed cell with a guide share of {min_fraction}, {min_umi} UMI, {min_cells} cells"
        )
    covariates = pd.DataFrame(
        {"replicate": content["extra_covariates"]["bio_rep"].astype(str).to_numpy(), "guide_share": share}
    )
    cells = tuple(str(cell) for cell in content["extra_covariates"].index)
    covariates.index = pd.Index(cells)
    notes = (f"{int((~keep).sum()):,} of {len(keep):,} cells left out: guide share, UMI, or too few of a perturbation",)
    raw = RawScreen(
        NAME,
        counts,
        r_data.row_names(content["response_matrix"]),
        cells,
        label,
        covariates,
        f"{KEY}, R data",
        notes=notes,
    )
    return raw.take(keep)


def dominant(guides: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label of each cell by its guide with most UMIs, and the share of that guide.

    Parameters
    ----------
    guides
        (N, guides) UMIs.
    target
        (guides,) the gene that each one hits; non-targeting guides are controls.

    Returns
    -------
    ``(label, share)``: (N,) text, and (N,) numbers, 0 for a cell without guides.
    """
    total = guides.sum(1)
    label = np.array([CONTROL if is_control(gene) else gene for gene in target], object)[guides.argmax(1)]
    return label, guides.max(1) / np.maximum(total, 1)
