"""Affinity regression (Pelossof et al., Nat Biotechnol 2015): profiles from products of RNA and protein k-mers.

    Y = D W P',    Y (N, T) profiles,  D (N, F) k-mer counts of RNAs,  P (T, G) k-mer profiles of proteins

with W (F, G) by ridge regression. With D = U_d s_d V_d' and P = U_p s_p V_p' (singular values) the minimum of
|Y - D W P'|^2 + penalty |W|^2 is closed,

    W = V_d [ s_d s_p' / (s_d^2 s_p'^2 + penalty) * (U_d' Y U_p) ] V_p'.

The publication first multiplies both sides by Y' and solves with a sparse penalty; this is its least-squares core, in
which nothing is approximated but the ranks.
"""

from dataclasses import dataclass

import numpy as np

from regulome.binding import protein_kmers, rna_regression
from regulome.binding.sequences import Sequences


@dataclass(frozen=True)
class AffinityRegression:
    """A fitted affinity regression.

    Attributes
    ----------
    interaction
        (F, T) float32: V_d [...] U-side, ready for `protein_side`.
    training
        Training proteins: the protein side lives in the span of their k-mers.
    protein_basis
        (T, R) that turns a query's products with the training into coordinates.
    mean_x
        (F,) mean counts of the training RNAs.
    rna_k, protein_k
        Longest RNA k-mer, protein k-mer.
    """

    interaction: np.ndarray
    training: Sequences
    protein_basis: np.ndarray
    mean_x: np.ndarray
    rna_k: int
    protein_k: int

    @classmethod
    def fit(
        cls,
        profiles: np.ndarray,
        proteins: Sequences,
        rnas: Sequences,
        rna_k: int = 5,
        protein_k: int = 4,
        penalty: float = 300.0,
    ) -> "AffinityRegression":
        """Fit.

        Parameters
        ----------
        profiles
            (T, N); NaN counts as the protein's mean.
        penalty
            On W, in units of squared RNA counts (protein profiles have norm 1).
        """
        x = rna_regression.counts(rnas, rna_k)
        y = rna_regression._filled(profiles)
        y = y - y.mean(1, keepdims=True)
        mean_x = rna_regression.column_means(x)
        square = (x.T @ x).toarray().astype(np.float64) - len(rnas) * np.outer(mean_x, mean_x)
        values_d, v_d = np.linalg.eigh(square)
        values_p, u_p = np.linalg.eigh(protein_kmers.cosine(proteins, None, protein_k).astype(np.float64))
        keep_d, keep_p = values_d > 1e-6 * values_d.max(), values_p > 1e-6 * values_p.max()
        values_d, v_d, values_p, u_p = values_d[keep_d], v_d[:, keep_d], values_p[keep_p], u_p[:, keep_p]
        right = v_d.T @ (x.T @ y.T) @ u_p  # = s_d U_d' Y U_p, since D centred and Y centred have the same product
        core = right * np.sqrt(values_p) / (np.outer(values_d, values_p) + penalty)
        interaction = (v_d @ core).astype(np.float32)
        return cls(interaction, proteins, u_p / np.sqrt(values_p), mean_x, rna_k, protein_k)

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        """(Q, N) float32 predicted profiles, up to a constant."""
        side = protein_kmers.cosine(proteins, self.training, self.protein_k) @ self.protein_basis  # P V_p
        coefficients = self.interaction @ side.T.astype(np.float32)
        x = rna_regression.counts(rnas, self.rna_k)
        return np.ascontiguousarray((x @ coefficients - self.mean_x @ coefficients).T, dtype=np.float32)
