"""scanpy on the CPU or rapids-singlecell on a GPU: the one place that chooses, and families of similar rows.

Both packages offer the same functions under ``pp`` and ``tl``. rapids-singlecell is optional
(``environment-gpu.yml``) and cannot even be imported without CUDA, so nothing else in the project imports it.
"""

import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome.errors import UserError, closest

if TYPE_CHECKING:
    from anndata import AnnData

DEVICES = ("auto", "cpu", "cuda")
MAX_COMPONENTS = 50  # scanpy's default number of principal components


@dataclass(frozen=True)
class Backend:
    """The package that does the work.

    Attributes
    ----------
    name
        "scanpy" or "rapids-singlecell".
    pp, tl
        Its modules of preprocessing functions and of tools.
    """

    name: str
    pp: ModuleType
    tl: ModuleType

    @property
    def on_gpu(self) -> bool:
        """Whether arrays have to be moved to a GPU."""
        return self.name != "scanpy"

    def to_device(self, adata: "AnnData") -> "AnnData":
        """Move ``X`` and the layers to the memory where this package computes, in place, and return the object."""
        if self.on_gpu:
            from rapids_singlecell.get import anndata_to_GPU

            anndata_to_GPU(adata, convert_all=True)
        return adata

    def to_host(self, adata: "AnnData") -> "AnnData":
        """Move every array back to the computer's memory, in place, and return the object."""
        if self.on_gpu:
            from rapids_singlecell.get import anndata_to_CPU

            anndata_to_CPU(adata, convert_all=True)
            for table in (adata.obsm, adata.varm, adata.obsp):
                for key, values in table.items():
                    if hasattr(values, "__cuda_array_interface__"):
                        table[key] = values.get()
        return adata


def backend(device: str = "auto") -> Backend:
    """Choose the package.

    Parameters
    ----------
    device
        "cpu": scanpy. "cuda": rapids-singlecell. "auto": rapids-singlecell where it works, else scanpy; which of
        the two it was is ``Backend.name``.

    Raises
    ------
    UserError
        If the device is unknown, or "cuda" is asked for and rapids-singlecell cannot be used.
    """
    if device not in DEVICES:
        raise UserError(f"device is '{device}'; expected one of {', '.join(DEVICES)}{closest(device, DEVICES)}")
    if device != "cpu":
        try:
            return _rapids()
        except Exception as error:  # without CUDA the import raises whatever the CUDA libraries raise
            if device == "cuda":
                raise UserError(
                    f"device is 'gpu', but rapids-singlecell cannot be used here ({type(error).__name__}: {error}); "
                    "expected an NVIDIA GPU and the packages of environment-gpu.yml "
                    "(conda env create -f environment-gpu.yml), or device 'cpu'"
                ) from None
    import scanpy

    return Backend("scanpy", scanpy.pp, scanpy.tl)


def _rapids() -> Backend:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the CUDA libraries say on their way to failing
        import rapids_singlecell
        from cupy.cuda.runtime import getDeviceCount

        if not getDeviceCount():
            raise RuntimeError("no CUDA device")
    return Backend("rapids-singlecell", rapids_singlecell.pp, rapids_singlecell.tl)


def families(
    table: pd.DataFrame, n_neighbors: int = 5, resolution: float = 0.2, seed: int = 0, device: str = "auto"
) -> "AnnData":
    """Group rows with similar values: principal components, nearest-neighbour graph, Leiden communities.

    Two rows are joined in the graph if either is among the nearest neighbours of the other. Edges have no
    weights, so that the graph is the same from both packages and identical rows do no harm. Communities
    maximise modularity (Traag, Waltman & van Eck, Sci Rep 2019).

    The defaults are meant for tens to hundreds of rows and many columns, such as the links of independently
    trained networks: one Gaussian cloud in 24 dimensions is one family, and a family of five among forty is
    found. A cloud that is wide in only one or two dimensions has no such guarantee, modularity cuts it:
    compare with rows drawn from one Gaussian of the same covariance.

    Parameters
    ----------
    table
        (items, features) finite numbers, all in one unit or standardised beforehand.
    n_neighbors
        Size of a neighbourhood, the row itself included (as in scanpy); at most the number of rows is used.
        A family smaller than this is not told from its neighbours.
    resolution
        Of the modularity; larger values give more families.
    seed
        Of the Leiden algorithm.
    device
        See `backend`.

    Returns
    -------
    AnnData
        ``X`` the table, ``obs["family"]`` "1" (the largest), "2", ...; ``obsm["X_pca"]`` and ``uns["pca"]`` the
        components with their variance, ``obsp["connectivities"]`` the graph, ``uns["families"]`` the backend and
        settings. Row and column names are kept.

    Raises
    ------
    UserError
        If the table has fewer than two rows or no columns, repeated names, or a value that is not a finite
        number; if a setting is out of range.
    """
    _check(table, n_neighbors, resolution)
    from anndata import AnnData

    package = backend(device)
    adata = AnnData(
        table.to_numpy(dtype=float),
        obs=pd.DataFrame(index=table.index.astype(str)),
        var=pd.DataFrame(index=table.columns.astype(str)),
    )
    neighbours = min(n_neighbors, len(table))
    package.to_device(adata)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        # identical rows give a variance or a kernel width of zero; the kernel's weights are not used
        warnings.filterwarnings("ignore", message="Changing the sparsity structure")
        components = min(len(table) - 1, table.shape[1], MAX_COMPONENTS)
        package.pp.pca(adata, n_comps=components, svd_solver="full", random_state=seed)
        # the kernel "umap" would compile for up to a minute
        kernel = {} if package.on_gpu else {"method": "gauss"}
        package.pp.neighbors(adata, neighbours, use_rep="X_pca", random_state=seed, **kernel)
    adata.obsp["connectivities"] = _joined(adata.obsp["distances"])
    flavor = {} if package.on_gpu else {"flavor": "igraph", "n_iterations": 2, "directed": False}
    package.tl.leiden(adata, resolution, random_state=seed, key_added="family", use_weights=False, **flavor)
    package.to_host(adata)
    adata.uns["pca"]["variance_ratio"] = np.nan_to_num(adata.uns["pca"]["variance_ratio"])
    adata.obs["family"] = _largest_first(adata.obs["family"])
    adata.uns["families"] = {"backend": package.name, "n_neighbors": neighbours, "resolution": resolution, "seed": seed}
    return adata


def _check(table: pd.DataFrame, n_neighbors: int, resolution: float) -> None:
    rows, columns = table.shape
    if rows < 2 or columns < 1:
        raise UserError(f"families: the table has {rows} rows and {columns} columns; expected at least 2 and 1")
    for axis, names in (("row", table.index.astype(str)), ("column", table.columns.astype(str))):
        if not names.is_unique:
            raise UserError(f"families: {axis} '{names[names.duplicated()][0]}' occurs twice; expected unique names")
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        row, column = bad[0]
        raise UserError(
            f"families: row '{table.index[row]}', column '{table.columns[column]}': found "
            f"'{table.iloc[row, column]}'; expected a finite number"
        )
    if n_neighbors < 2 or not resolution > 0:
        raise UserError(
            f"families: n_neighbors is {n_neighbors} and resolution {resolution}; expected at least 2, and above 0"
        )


def _joined(distances) -> csr_matrix:
    """(n, n) graph without weights: an edge wherever a distance to another row is stored, a zero included."""
    stored = distances.tocoo()
    others = stored.row != stored.col
    edges = (stored.row[others], stored.col[others])
    graph = csr_matrix((np.ones(others.sum(), dtype=np.float32), edges), shape=stored.shape)
    return graph.maximum(graph.T)


def _largest_first(labels: pd.Series) -> pd.Categorical:
    """Name the families "1", "2", ... by decreasing size; of two equal ones the first is that of the earlier row."""
    sizes = labels.astype(str).groupby(labels.astype(str).to_numpy(), sort=False).size()  # in order of appearance
    order = sizes.sort_values(ascending=False, kind="stable").index
    names = {old: str(rank) for rank, old in enumerate(order, start=1)}
    return pd.Categorical(labels.astype(str).map(names), categories=list(names.values()))
