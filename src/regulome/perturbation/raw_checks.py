"""Are these raw UMI counts? Checks of the matrix of a screen, one message for each mistake."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from regulome.errors import UserError

_LOOKED_AT = 200  # cells; enough to name what a matrix is instead of counts


def check_counts(matrix: csr_matrix, cells: Sequence[str], genes: Sequence[str], where: str) -> csr_matrix:
    """(N, P) counts as float32, without stored zeros.

    Parameters
    ----------
    matrix
        What stands where raw counts are expected.
    cells, genes
        Its names, for messages.
    where
        File and field, which begin every message.

    Raises
    ------
    UserError
        No cells, no genes, no counts at all; a value that is not finite, negative or not whole, with its cell
        and gene; values that were normalised are named as such.
    """
    if not all(matrix.shape):
        raise UserError(f"{where}: found {matrix.shape[0]} cells and {matrix.shape[1]} genes; expected some of both")
    if not matrix.count_nonzero():
        raise UserError(f"{where}: all {matrix.shape[0]} cells are empty; expected raw UMI counts")
    for bad, expected in (
        (~np.isfinite(matrix.data), "a finite number"),
        (matrix.data < 0, "raw UMI counts; negative values are those of centred or scaled data"),
        (matrix.data != np.round(matrix.data), "raw UMI counts, whole numbers"),
    ):
        if bad.any():
            place = int(bad.argmax())
            row = int(np.searchsorted(matrix.indptr, place, side="right")) - 1
            found = f"cell '{cells[row]}', gene '{genes[matrix.indices[place]]}': found {matrix.data[place]:g}"
            guess = looks_like(matrix) if "whole" in expected else ""
            raise UserError(f"{where}, {found}; expected {expected}{guess and f'; it looks like {guess}'}")
    matrix = matrix.astype(np.float32)
    matrix.eliminate_zeros()
    return matrix


def looks_like(matrix: csr_matrix) -> str:
    """Name the normalisation of values that are not whole numbers; "" where it cannot be told.

    The sums of a cell give a scaling away if all genes are there; of some genes only, every value of a cell is a whole
    multiple of one number, its scaling factor.
    """
    filled = np.flatnonzero(np.diff(matrix.indptr))[:_LOOKED_AT]
    values = [matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]].astype(float) for row in filled]
    if not values or not all(np.isfinite(each).all() for each in values):
        return ""
    for name, back in (("log1p", np.expm1), ("log2(1 + x)", lambda x: np.exp2(x) - 1), ("", lambda x: x)):
        if max(each.max() for each in values) > (30 if name else np.inf):
            continue
        undone = [back(each) for each in values]
        of = f"{name} of counts" if name else "counts"
        if name and all(np.abs(each - np.round(each)).max() < 0.02 for each in undone):
            return of
        sums = np.array([each.sum() for each in undone])
        if len(sums) > 1 and np.ptp(sums) < 0.01 * sums.mean():
            return f"{of} scaled to {sums.mean():,.0f} a cell"
        if np.mean([_multiples(each) for each in undone]) > 0.9:
            return f"{of} scaled by cell (some genes of it)"
    return ""


def _multiples(values: np.ndarray) -> bool:
    """Whether all values are whole multiples of the smallest; fewer than three different ones say nothing."""
    ratio = values[values > 0] / values[values > 0].min()
    few = len(np.unique(np.round(ratio, 2))) < 3
    return not few and np.allclose(ratio, np.round(ratio), rtol=2e-3, atol=2e-3)


def check_genes(genes: Sequence[str], where: str) -> None:
    """Refuse gene names that occur twice or are empty."""
    seen: set[str] = set()
    for row, gene in enumerate(genes):
        if not str(gene).strip() or str(gene) == "nan":
            raise UserError(f"{where}, row {row + 1}: the gene has no name; expected its symbol")
        if gene in seen:
            raise UserError(f"{where}: gene '{gene}' occurs {list(genes).count(gene)} times; expected different names")
        seen.add(gene)
