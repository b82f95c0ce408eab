"""A prepared perturbation screen: counts, who was perturbed, splits, matched controls. What every model reads.

One h5ad file holds it, with integer positions instead of names of cells, so that a reordered table cannot mispair them.
"""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome import files
from regulome.errors import UserError

SPLITS = ("train", "validation", "test")
CONTROL = "control"
FORMAT = "regulome screen 1"
JOIN = "+"  # between the genes of a combination's label


@dataclass(frozen=True)
class Screen:
    """Cells of a perturbation screen.

    Attributes
    ----------
    name
        Of the data, for titles; says when they are simulated.
    counts
        (N, P) raw UMI counts.
    genes
        P measured genes, all different.
    labels
        K perturbations, sorted; a combination is its genes, sorted and joined by "+".
    label
        (N,) position in `labels` of each cell; -1: control.
    latent
        G latent genes: the perturbed ones (G°, sorted), then the extended ones (G⁺, sorted), which are measured and
        respond but are never perturbed.
    perturbed
        |G°|.
    split
        (N,) position in `SPLITS` of each cell.
    qc_fail
        (N,) whether any quality flag is up.
    control
        (N,) row of the matched control cell, of the same split; a control cell is its own.
    counterfactual
        (M, P) expected counts of cells of the other quality, one row for each group of cells that share them.
    counterfactual_row
        (N,) row of `counterfactual` for each cell; -1: none.
    covariates
        (N rows) whatever else is known of the cells: replicate, quality measures.
    settings
        How it was prepared: plain values.
    """

    name: str
    counts: csr_matrix
    genes: tuple[str, ...]
    labels: tuple[str, ...]
    label: np.ndarray
    latent: tuple[str, ...]
    perturbed: int
    split: np.ndarray
    qc_fail: np.ndarray
    control: np.ndarray
    counterfactual: np.ndarray
    counterfactual_row: np.ndarray
    covariates: pd.DataFrame
    settings: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return self.counts.shape[0]

    @cached_property
    def library(self) -> np.ndarray:
        """(N,) UMI of each cell over the P genes."""
        return np.asarray(self.counts.sum(1), np.float32).ravel()

    @cached_property
    def size_target(self) -> float:
        """Median library of the training cells: what `normalised` scales cells to."""
        return float(np.median(self.library[self.split == 0]))

    @cached_property
    def dosage(self) -> np.ndarray:
        """(K, G) 1 where a perturbation hits a latent gene."""
        place = {gene: column for column, gene in enumerate(self.latent)}
        out = np.zeros((len(self.labels), len(self.latent)), np.float32)
        for row, label in enumerate(self.labels):
            out[row, [place[gene] for gene in label.split(JOIN)]] = 1
        return out

    @cached_property
    def latent_column(self) -> np.ndarray:
        """(G,) position of each latent gene among the measured ones; -1: not measured."""
        place = {gene: column for column, gene in enumerate(self.genes)}
        return np.array([place.get(gene, -1) for gene in self.latent])

    def rows(self, split: str | None = None, label: str | None = None, passed: bool = False) -> np.ndarray:
        """Rows of the cells of a split, of one perturbation (or "control"), or that passed quality control."""
        keep = np.ones(len(self), bool)
        if split is not None:
            keep &= self.split == SPLITS.index(split)
        if label is not None:
            keep &= self.label == (-1 if label == CONTROL else self.labels.index(label))
        return np.flatnonzero(keep & ~self.qc_fail if passed else keep)

    def cell_dosage(self, rows: np.ndarray) -> np.ndarray:
        """(B, G) perturbed genes of cells; zero for controls."""
        padded = np.vstack([self.dosage, np.zeros(len(self.latent), np.float32)])
        return padded[self.label[rows]]

    def normalised(self, rows: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """(B, P or columns) log(1 + counts scaled to `size_target`), natural logarithm; an empty cell is zero."""
        counts = self.counts[rows] if columns is None else self.counts[rows][:, columns]
        library = np.maximum(self.library[rows], 1)
        return np.log1p(counts.toarray() * (self.size_target / library)[:, None]).astype(np.float32)

    def delta(self, rows: np.ndarray) -> np.ndarray:
        """(B, G) `normalised` of cells minus that of their matched controls; nan where a gene is not measured."""
        out = np.full((len(rows), len(self.latent)), np.nan, np.float32)
        known = self.latent_column >= 0
        columns = self.latent_column[known]
        out[:, known] = self.normalised(rows, columns) - self.normalised(self.control[rows], columns)
        return out

    def take(self, rows: np.ndarray) -> "Screen":
        """The screen with some of its cells; matched controls must be among them.

        Raises
        ------
        UserError
            If a cell's matched control is left out.
        """
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        control = place[self.control[rows]]
        if (control < 0).any():
            raise UserError(f"{self.name}: {int((control < 0).sum())} cells are taken without their matched controls")
        return replace(
            self,
            counts=self.counts[rows],
            label=self.label[rows],
            split=self.split[rows],
            qc_fail=self.qc_fail[rows],
            control=control,
            counterfactual_row=self.counterfactual_row[rows],
            covariates=self.covariates.iloc[rows],
        )


def save(screen: Screen, path: str | Path) -> None:
    """Write the screen as h5ad; a file that exists is replaced at the end."""
    obs = screen.covariates.copy()
    obs.index = obs.index.astype(str)
    obs["perturbation"] = pd.Categorical(np.array([*screen.labels, CONTROL], object)[screen.label])
    obs["split"] = pd.Categorical(np.array(SPLITS, object)[screen.split])
    obs["qc_fail"], obs["control_row"] = screen.qc_fail, screen.control
    obs["counterfactual_row"] = screen.counterfactual_row
    text = {"format": FORMAT, "name": screen.name, "labels": screen.labels, "latent": screen.latent}
    text |= {"perturbed": screen.perturbed, "settings": screen.settings, "covariates": list(screen.covariates)}
    table = anndata.AnnData(screen.counts, obs=obs, var=pd.DataFrame(index=list(screen.genes)))
    table.uns["regulome"] = json.dumps(text)
    table.uns["counterfactual"] = screen.counterfactual
    with files.replacing(path) as temporary:
        table.write_h5ad(temporary, compression="gzip")


def load(path: str | Path) -> Screen:
    """Read a file of `save`.

    Raises
    ------
    UserError
        If it is missing, damaged or not such a file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a prepared screen (regulome.perturbation.screen.save)")
    try:
        table = anndata.read_h5ad(path)
        text = json.loads(table.uns["regulome"])
        if text["format"] != FORMAT:
            raise ValueError(text["format"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not a prepared screen, or damaged ({error})") from None
    obs, place = table.obs, {label: row for row, label in enumerate(text["labels"])} | {CONTROL: -1}
    return Screen(
        name=text["name"],
        counts=csr_matrix(table.X, dtype=np.float32),
        genes=tuple(table.var_names),
        labels=tuple(text["labels"]),
        label=obs["perturbation"].map(place).to_numpy(np.int64),
        latent=tuple(text["latent"]),
        perturbed=text["perturbed"],
        split=obs["split"].map({name: i for i, name in enumerate(SPLITS)}).to_numpy(np.int64),
        qc_fail=obs["qc_fail"].to_numpy(bool),
        control=obs["control_row"].to_numpy(np.int64),
        counterfactual=np.asarray(table.uns["counterfactual"], np.float32),
        counterfactual_row=obs["counterfactual_row"].to_numpy(np.int64),
        covariates=obs[text["covariates"]],
        settings=text["settings"],
    )
