"""What each family of perturbation models consists of, and what a pass over a batch gives."""

from dataclasses import dataclass

from torch import Tensor

from regulome.perturbation.distributions import Gaussian


@dataclass(frozen=True)
class Family:
    """What a family consists of.

    Attributes
    ----------
    mask
        Whether effects are masked.
    effects
        "amortised": q(E | M) by a network; "free": free Normal distributions; "point": free numbers; "none".
    joined
        How the effect meets the basal latent: "added", "concatenated", "prior mean" (z_n ~ N(effect, I), "svae+") or
        "dosage" (the decoder reads the dosage itself).
    artifact
        Whether failing cells have a latent of their own.
    """

    mask: bool
    effects: str
    joined: str
    artifact: bool = False


FAMILIES = {
    "sams": Family(True, "amortised", "added"),
    "sams-mean-field": Family(True, "free", "added"),
    "cpa": Family(False, "free", "added"),
    "svae+": Family(True, "point", "prior mean"),
    "cvae": Family(False, "none", "dosage"),
    "cradle": Family(True, "amortised", "concatenated", artifact=True),
    "gpo": Family(True, "amortised", "concatenated", artifact=True),
}


@dataclass(frozen=True)
class Sizes:
    """P `genes`, T `treatments` (G for "gpo")."""

    genes: int
    treatments: int


@dataclass(frozen=True)
class Effects:
    """Effects of R treatments under S particles (1 where nothing is random).

    Attributes
    ----------
    logits
        (R, J) of the mask, or None.
    mask
        (S, R, J) 0/1 samples, or None.
    q
        (S or 1, R, J) distributions of the effects, or None.
    value
        (S, R, J) samples of the effects.
    total
        (S, R, J) value * mask: what a treatment does to the latent.
    """

    logits: Tensor | None
    mask: Tensor | None
    q: Gaussian | None
    value: Tensor
    total: Tensor

    def take(self, rows: Tensor) -> "Effects":
        """Effects of some of the treatments."""
        q = None if self.q is None else self.q.take(rows)
        mask = None if self.mask is None else self.mask[:, rows]
        logits = None if self.logits is None else self.logits[rows]
        return Effects(logits, mask, q, self.value[:, rows], self.total[:, rows])


@dataclass(frozen=True)
class Draw:
    """What one pass over a batch of B cells gives, under S particles.

    Attributes
    ----------
    effects
        Of the R treatments of the batch, or None ("cvae").
    artifact, artifact_q
        (S, L) samples and (1, L) distribution, or None.
    basal, basal_q
        (S, B, L) samples and (S or 1, B, L) distributions.
    prior_mean
        Mean of the basal latent's prior: 0, or (S, B, L) for "svae+".
    log_likelihood
        (S, B) of the counts, decoded with the artifact for failing cells and without it for the others.
    counterfactual
        Two distributions (S, C, L) of the basal latent of the C cells that have counterfactual counts: from these, and
        from the cell's own counts, both encoded as the other quality; and their rows (C,). None without.
    """

    effects: Effects | None
    artifact: Tensor | None
    artifact_q: Gaussian | None
    basal: Tensor
    basal_q: Gaussian
    prior_mean: Tensor | float
    log_likelihood: Tensor
    counterfactual: tuple[Gaussian, Gaussian, Tensor] | None = None
