"""G+, the extended latent genes: measured, never perturbed, and strongly changed by some perturbation.

Every perturbation is compared with the controls by Wilcoxon's rank-sum test (scanpy), on log-normalised counts of the
training cells only, so that the choice of genes sees no test cell. Rules, with the log2 fold change LFC of scanpy and p
adjusted by Benjamini and Hochberg among the genes of one perturbation:

* "any" (ours): |LFC| >= `lfc` and p < `p` in at least one perturbation, with UMI of the gene in a share of at least
  `min_share` of its cells or of the controls, because the LFC of a gene that nearly no cell has is arbitrary. If that
  gives more than `most` genes, those that change under most perturbations are kept, ties by their largest |LFC|.
* "published": what the released code does. Its condition, `LFC > lfc and p < cut or LFC < -lfc`, lets a negative change
  pass without a p-value (operator precedence), and it is asked only of the first gene of each perturbation, the one
  with the highest score. It can give at most one gene a perturbation, so the released files (924 genes of 622
  perturbations) were not made by it.
"""

import warnings
from collections.abc import Collection, Sequence

import anndata
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from regulome.errors import UserError, closest
from regulome.perturbation.screen import CONTROL

RULES = ("any", "published")


def differential(counts: csr_matrix, genes: Sequence[str], label: np.ndarray) -> pd.DataFrame:
    """Wilcoxon's test of every perturbation and gene against the controls.

    Parameters
    ----------
    counts
        (N, P) raw counts of the cells to be looked at; they are scaled to their median library and log1p-transformed.
    genes
        P symbols.
    label
        (N,) text; perturbations of a single cell are left out.

    Returns
    -------
    DataFrame
        perturbation, gene, score (z of the test), log2fc, p (adjusted), share (of its cells with UMI of the gene),
        control_share. scanpy runs on the CPU on every machine; its table is the one the rules were written for.

    Raises
    ------
    UserError
        If there are no controls among the cells, or no perturbation with two cells.
    """
    import scanpy

    kinds, sizes = np.unique(label.astype(str), return_counts=True)
    groups = [str(kind) for kind, size in zip(kinds, sizes, strict=True) if size > 1 and kind != CONTROL]
    if CONTROL not in kinds or not groups:
        raise UserError("latent genes: no controls, or no perturbation with two cells, among the training cells")
    obs = pd.DataFrame({"label": pd.Categorical(label.astype(str))}, index=[str(row) for row in range(len(label))])
    table = anndata.AnnData(counts.astype(np.float32), obs=obs, var=pd.DataFrame(index=list(genes)))
    scanpy.pp.normalize_total(table)
    scanpy.pp.log1p(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)  # scanpy adds its columns one by one
        scanpy.tl.rank_genes_groups(
            table, "label", groups=groups, reference=CONTROL, method="wilcoxon", pts=True, tie_correct=True
        )
    found = scanpy.get.rank_genes_groups_df(table, groups)
    found["group"] = found["group"].astype(str) if "group" in found else groups[0]
    share = table.uns["rank_genes_groups"]["pts"]
    at = (share.index.get_indexer(found["names"]), share.columns.get_indexer(found["group"]))
    return pd.DataFrame(
        {
            "perturbation": found["group"],
            "gene": found["names"].astype(str),
            "score": found["scores"].astype(float),
            "log2fc": found["logfoldchanges"].astype(float),
            "p": found["pvals_adj"].astype(float),
            "share": share.to_numpy()[at],
            "control_share": share[CONTROL].to_numpy()[at[0]],
        }
    )


def responding(
    table: pd.DataFrame, rule: str = "any", lfc: float = 1.0, p: float = 0.01, min_share: float = 0.05
) -> pd.DataFrame:
    """Rows of `differential` that meet a rule.

    Raises
    ------
    UserError
        If the rule is unknown.
    """
    if rule not in RULES:
        raise UserError(f"latent genes: rule is '{rule}'{closest(rule, RULES)}; expected one of {', '.join(RULES)}")
    if rule == "published":
        first = table.loc[table.groupby("perturbation")["score"].idxmax()]
        return first[((first["log2fc"] > lfc) & (first["p"] < p)) | (first["log2fc"] < -lfc)]
    seen = table[["share", "control_share"]].max(axis=1) >= min_share
    return table[(table["log2fc"].abs() >= lfc) & (table["p"] < p) & seen]


def extended(
    table: pd.DataFrame, perturbed: Collection[str], rule: str = "any", lfc: float = 1.0, p: float = 0.01,
    min_share: float = 0.05, most: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """G+: gene, perturbations (how many change it), strongest (under which it changes most), log2fc (there); by gene.

    Parameters
    ----------
    table
        Of `differential`.
    perturbed
        Genes that are perturbed: none of them is taken.
    rule, lfc, p, min_share
        See the module.
    most
        Largest number of genes; 0: no limit.
    """
    hits = responding(table, rule, lfc, p, min_share)
    hits = hits[~hits["gene"].isin(list(perturbed))]
    hits = hits.assign(size=hits["log2fc"].abs()).sort_values(["size", "gene"], ascending=[False, True])
    by_gene = hits.groupby("gene")
    found = pd.DataFrame(
        {
            "perturbations": by_gene.size(),
            "strongest": by_gene["perturbation"].first(),
            "log2fc": by_gene["log2fc"].first(),
        }
    ).reset_index()
    order = found.assign(size=found["log2fc"].abs()).sort_values(
        ["perturbations", "size"], ascending=False, kind="stable"
    )
    return (found.loc[order.index[:most]] if most else found).sort_values("gene").reset_index(drop=True)
