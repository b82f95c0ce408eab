"""Perturbation screens from h5ad files: which column holds the perturbation, where the raw counts are.

Four layouts are recognised, see ``docs/perturbation.md``: generic, scPerturb, Replogle and Adamson. Labels come out as
gene symbols, combinations as their sorted symbols joined by "+", controls as "control".
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, issparse, vstack

from regulome.errors import UserError, closest
from regulome.perturbation.raw_checks import check_counts, check_genes
from regulome.perturbation.screen import CONTROL, JOIN

LAYOUTS = ("generic", "scPerturb", "Replogle", "Adamson")
COLUMNS = ("perturbation", "gene", "condition")  # of obs, in order of preference
SYMBOLS = ("gene_name", "gene_symbol", "gene_symbols", "feature_name")  # of var, where its index holds Ensembl ids
ENSEMBL = ("ensembl_id", "gene_id", "gene_ids", "ensemble_id")
RESERVED = ("perturbation", "split", "qc_fail", "control_row", "counterfactual_row")  # columns of a prepared screen
UNASSIGNED = ("", "*", "nan", "none", "na", "<na>", "unassigned", "unknown", "multiple", "doublet")
_CONTAINS = re.compile(r"non[-_ ]?targeting|control|ctrl|safe[-_ ]?targeting|unperturbed", re.IGNORECASE)
_WHOLE = re.compile(r"(nt|ntc|neg)([-_ ]?g?\d+)?", re.IGNORECASE)  # NT, NTC, NTg1; not NT5E, NTRK1
_VECTOR = re.compile(r"(_only)?_p[A-Za-z]{2,3}\d+(-\d+)?$")  # of the guide: CREB1_pDS269
_GUIDE = re.compile(r"(sg|g|guide)?\d+", re.IGNORECASE)
_ROWS = 4096  # cells read at once from a dense matrix


@dataclass(frozen=True)
class RawScreen:
    """Cells as they were measured, before any filter.

    Attributes
    ----------
    name
        Of the data, for titles.
    counts
        (N, P) raw UMI counts.
    genes
        P measured genes, all different.
    cells
        N names.
    label
        (N,) text: perturbed gene, genes of a combination sorted and joined by "+", or "control".
    covariates
        (N rows) the other columns of the cells.
    source
        File and layout, in words.
    gene_ids
        Ensembl ids of genes, where the file has them.
    notes
        What reading changed or left out, sentences for the reader.
    """

    name: str
    counts: csr_matrix
    genes: tuple[str, ...]
    cells: tuple[str, ...]
    label: np.ndarray
    covariates: pd.DataFrame
    source: str
    gene_ids: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.counts.shape[0]

    @property
    def perturbations(self) -> list[str]:
        """Labels other than "control", sorted."""
        return sorted(set(self.label) - {CONTROL})

    def take(self, rows: np.ndarray) -> "RawScreen":
        """Some of the cells, by row or by a mask of all."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        return replace(
            self,
            counts=self.counts[rows],
            cells=tuple(np.asarray(self.cells, object)[rows]),
            label=self.label[rows],
            covariates=self.covariates.iloc[rows],
        )


def is_control(label: str) -> bool:
    """Whether a label names unperturbed cells: it contains non-targeting, safe-targeting, control, ctrl or unperturbed,
    or is NT, NTC, neg, alone or with a number."""
    return bool(_CONTAINS.search(label) or _WHOLE.fullmatch(label))


def read(path: str | Path, layout: str = "auto", column: str = "", name: str = "") -> RawScreen:
    """Read a screen from an h5ad file.

    Parameters
    ----------
    path
        The file. A dense matrix is read in blocks, so that only the sparse counts are ever in memory.
    layout
        One of `LAYOUTS`; "auto" recognises it.
    column
        Column of ``obs`` that holds the perturbation (default: the layout's).
    name
        Of the data (default: ``uns["name"]``, else the name of the file).

    Raises
    ------
    UserError
        No file, not an h5ad file, no column of perturbations, no raw counts (normalised ones are named), NaN, repeated
        genes, no controls, no perturbed cells, labels of guides instead of genes. The message names file and field.
    """
    path = Path(path)
    table = _open(path)
    try:
        if layout not in (*LAYOUTS, "auto"):
            raise UserError(f"layout is '{layout}'; expected auto, {', '.join(LAYOUTS)}{closest(layout, LAYOUTS)}")
        column = _column(table, path, column)
        layout = recognise(table, column) if layout == "auto" else layout
        genes_of, counts = _counts(table, path)
        genes, ids = _genes(genes_of, f"{path}, var")
        obs = table.obs
        name = name or str(table.uns.get("name", "simulated screen" if "simulated" in table.uns else path.stem))
    finally:
        if table.file.is_open:
            table.file.close()
    texts = obs[column].astype(object).where(obs[column].notna(), "").astype(str).str.strip()
    label = labels(texts.to_numpy(), genes, layout, f"{path}, obs['{column}']")
    if "gene_id" in obs and column == "gene":
        pairs = obs[[column, "gene_id"]].astype(str).drop_duplicates()
        ids |= {gene: key for gene, key in pairs.itertuples(index=False) if key.startswith("ENS")}
    assigned = label != ""
    notes = [f"{int((~assigned).sum()):,} cells without a perturbation are left out"] if not assigned.all() else []
    covariates = obs.drop(columns=[column, *(set(RESERVED) & set(obs.columns) - {column})])
    cells = pd.Index(obs.index.astype(str))
    cells = cells if cells.is_unique else pd.Index(anndata.utils.make_index_unique(cells))
    covariates.index = cells
    screen = RawScreen(
        name, counts, genes, tuple(cells), label, covariates, f"{path.name}, {layout} layout", ids, tuple(notes)
    )
    screen = screen if assigned.all() else screen.take(assigned)
    check_labels(screen.label, f"{path}, obs['{column}']")
    return screen


def recognise(table: anndata.AnnData, column: str) -> str:
    """The layout of a file, by its columns and labels."""
    texts = table.obs[column].dropna().astype(str).unique()
    vectors = [text for text in texts if _VECTOR.search(text)]
    if len(vectors) > len(texts) / 2:
        return "Adamson"
    if column == "gene" and "gene_id" in table.obs and "gene_name" in table.var:
        return "Replogle"
    return "scPerturb" if column == "perturbation" and "ncounts" in table.obs else "generic"


def labels(texts: np.ndarray, genes: Collection[str], layout: str, where: str) -> np.ndarray:
    """(N,) labels in our form; "" where a cell has no perturbation.

    Parameters
    ----------
    texts
        (N,) as in the file.
    genes
        Measured genes: a label with an underscore that is one of them is no combination.
    layout
        "Adamson": the name of the guide's vector at the end is taken off.
    where
        File and field, for messages.
    """
    kinds = pd.unique(texts)
    stripped = {text: _VECTOR.sub("", text) if layout == "Adamson" else text for text in kinds}
    if layout == "Adamson":  # controls are guides of no human gene: 62(mod)_pBA581, Gal4-4(mod)_pBA582
        stripped = {text: CONTROL if "(mod)" in text else short for text, short in stripped.items()}
    known = set(genes) | {text for text in stripped.values() if not re.search(r"[+;_]", text)}
    clean = {text: _label(short, known, where) for text, short in stripped.items()}
    return np.array([clean[text] for text in texts], object)


def _label(text: str, known: set[str], where: str) -> str:
    if text.lower() in UNASSIGNED:
        return ""
    parts: list[str] = []
    for part in filter(None, (each.strip() for each in re.split(r"[+;]", text))):
        parts += [part] if part in known and not is_control(part) else _pieces(part, known, where)
    return JOIN.join(sorted(set(parts))) or CONTROL


def _pieces(part: str, known: set[str], where: str) -> list[str]:
    """Genes of 'A_B', none for a control; 'A_ctrl' is A if A is a gene that is known."""
    pieces = [piece for piece in part.split("_") if piece]
    genes = [piece for piece in pieces if not is_control(piece)]
    if is_control(part) and not (genes and set(genes) <= known and len(genes) < len(pieces)):
        return []
    guides = [piece for piece in genes if _GUIDE.fullmatch(piece)]
    if guides and len(genes) > 1:
        raise UserError(
            f"{where}: label '{part}' looks like a guide ('{guides[0]}' is no gene); expected the gene alone, or the "
            "genes of a combination: 'A', 'A+B', 'A;B' or 'A_B'"
        )
    return genes


def check_labels(label: np.ndarray, where: str) -> None:
    """Refuse a screen without controls or without perturbed cells."""
    kinds, sizes = np.unique(label.astype(str), return_counts=True)
    if CONTROL not in kinds:
        most = ", ".join(f"'{kinds[i]}'" for i in np.argsort(-sizes, kind="stable")[:5])
        raise UserError(
            f"{where}: no control cells among {len(kinds)} labels (most frequent: {most}); expected some labelled "
            "'control', 'non-targeting' or 'NT'"
        )
    if len(kinds) < 2:
        raise UserError(f"{where}: all {len(label)} cells are controls; expected perturbed cells too")


def _open(path: Path) -> anndata.AnnData:
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a screen in h5ad format")
    try:
        return anndata.read_h5ad(path, backed="r")
    except Exception as error:  # h5py, zarr and anndata each have their own
        raise UserError(f"{path}: not an h5ad file, or damaged ({error})") from None


def _column(table: anndata.AnnData, path: Path, wanted: str) -> str:
    columns = list(table.obs.columns)
    found = [name for name in ([wanted] if wanted else COLUMNS) if name in columns]
    if not found:
        names = [wanted] if wanted else COLUMNS
        near = next((hint for name in names if (hint := closest(name, columns))), "")
        raise UserError(
            f"{path}, obs: no column {' or '.join(repr(name) for name in names)}{near}; found "
            f"{', '.join(columns) or 'no columns'}; expected the perturbed gene of every cell"
        )
    return found[0]


def _counts(table: anndata.AnnData, path: Path) -> tuple[pd.DataFrame, csr_matrix]:
    """The annotation of genes and the raw counts: of layers['counts'], X or raw, the first that holds counts."""
    places: list[tuple[str, pd.DataFrame, Callable]] = [(f"{path}, X", table.var, lambda: table.X)]
    if "counts" in table.layers:
        places.insert(0, (f"{path}, layers['counts']", table.var, lambda: table.layers["counts"]))
    if table.raw is not None:
        places.append((f"{path}, raw", table.raw.var, lambda: table.raw.X))
    first = None
    for where, var, matrix in places:
        try:
            return var, check_counts(_sparse(matrix()), table.obs_names, var.index.astype(str), where)
        except UserError as error:
            first = first or error
    raise UserError(
        f"{first}. Raw counts were looked for in {', '.join(where.split(', ')[-1] for where, *_ in places)}"
    )


def _sparse(matrix) -> csr_matrix:
    """The matrix as csr; a dense one on disk goes block by block."""
    if matrix is None:
        return csr_matrix((0, 0))
    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    if issparse(matrix):
        return matrix.tocsr()
    blocks = [csr_matrix(np.asarray(matrix[start : start + _ROWS])) for start in range(0, matrix.shape[0], _ROWS)]
    return vstack(blocks, format="csr") if blocks else csr_matrix(matrix.shape)


def _genes(var: pd.DataFrame, where: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Symbols, all different, and Ensembl ids where there are some.

    Symbols that two Ensembl ids share are told apart: the first keeps the symbol, the others get their id as well.
    """
    names = var.index.astype(str)
    column = next((each for each in SYMBOLS if each in var), None)
    if column and names.str.startswith("ENS").mean() > 0.5:
        symbols = var[column].astype(object).where(var[column].notna(), "").astype(str).to_numpy()
        symbols = np.where(symbols == "", names, symbols)
        again = pd.Series(symbols).duplicated().to_numpy()
        genes = tuple(np.where(again, symbols + "_" + names.to_numpy(object), symbols))
        check_genes(genes, where)
        return genes, dict(zip(genes, names, strict=True))
    check_genes(tuple(names), where)
    column = next((each for each in ENSEMBL if each in var), None)
    ids = dict(zip(names, var[column].astype(str), strict=True)) if column else {}
    return tuple(names), {gene: key for gene, key in ids.items() if key.startswith("ENS")}
