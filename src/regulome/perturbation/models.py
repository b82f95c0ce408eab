"""All perturbation models, in one class: SAMS-VAE, its relatives CPA-VAE, SVAE+, conditional VAE, CRADLE-VAE, GPO-VAE.

A cell n with dosage d_n (treatments), library l_n and quality q_n (1: failed):

    z_n ~ N(0, I)                                    basal latent, width L
    M_tj ~ Bernoulli(pi),  E_tj ~ N(0, s^2)          mask and effect of treatment t, shared by all cells
    a ~ N(0, I)                                      artifact, shared by all failing cells
    x_n ~ NegativeBinomial(mean l_n softmax(decoder(z_n, d_n (E*M), q_n a)), one inverse dispersion per gene)

`FAMILIES` says which of these a family has. Encoders give Normal distributions of z, of E
given M, and of a; the mask has free logits W and straight-through samples.
"""

import numpy as np
import torch
from torch import Tensor, nn

from regulome.perturbation import losses
from regulome.perturbation.batches import Batch
from regulome.perturbation.distributions import (
    VARIANCE_OFFSET,
    Counts,
    Gaussian,
    nb_log_likelihood,
    straight_through_bernoulli,
)
from regulome.perturbation.families import FAMILIES, Draw, Effects, Family, Sizes
from regulome.perturbation.noise import Noise
from regulome.perturbation.settings import ModelSettings
from regulome.perturbation.trunk import CountMLP, GaussianMLP


class PerturbationModel(nn.Module):
    """One of `FAMILIES`.

    Parameters
    ----------
    settings, sizes
        Which model, and its sizes.
    seed
        Of the initial weights.
    """

    def __init__(self, settings: ModelSettings, sizes: Sizes, seed: int = 0):
        super().__init__()
        self.settings, self.sizes, self.family = settings, sizes, FAMILIES[settings.family]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build(settings, sizes, self.family)
        self.register_buffer("gene_mean", torch.zeros(sizes.genes))
        self.register_buffer("gene_sd", torch.ones(sizes.genes))
        self.register_buffer("observed", torch.ones(sizes.treatments))  # 1: a treatment of some training cell

    def _build(self, s: ModelSettings, sizes: Sizes, family: Family) -> None:
        wide = self.effect_width
        if family.mask:
            self.mask_logits = nn.Parameter(torch.full((sizes.treatments, wide), s.mask_start))
        if family.effects == "amortised":
            self.effect_encoder = GaussianMLP((wide, sizes.treatments), s.effect_width, s.effect_layers, wide)
        elif family.effects == "free":
            self.effect_mean = nn.Parameter(torch.zeros(sizes.treatments, wide))
            self.effect_log_sd = nn.Parameter(torch.zeros(sizes.treatments, wide))
        elif family.effects == "point":
            self.effect_mean = nn.Parameter(0.1 * torch.randn(sizes.treatments, wide))
        if family.artifact:
            self.artifact_encoder = GaussianMLP((s.basal,), s.effect_width, s.effect_layers, s.basal)
        blocks = (sizes.genes, *((wide,) if self.encodes_offset else ()), *((s.basal,) if family.artifact else ()))
        self.encoder = GaussianMLP(blocks, s.encoder_width, s.encoder_layers, s.basal)
        blocks = (s.basal, *((wide,) if self.decodes_offset else ()), *((s.basal,) if family.artifact else ()))
        self.decoder = CountMLP(blocks, s.decoder_width, s.decoder_layers, sizes.genes)

    @property
    def effect_width(self) -> int:
        """J: T for "gpo" (latent genes) and "cvae" (the dosage itself), L otherwise."""
        own = self.settings.latent_genes or self.family.joined == "dosage"
        return self.sizes.treatments if own else self.settings.basal

    @property
    def encodes_offset(self) -> bool:
        """Whether the encoder of the basal latent reads the perturbation's effect (or dosage)."""
        if self.family.joined == "dosage":
            return True
        return self.settings.offset_in_encoder and self.settings.family not in ("sams-mean-field", "svae+")

    @property
    def decodes_offset(self) -> bool:
        """Whether the decoder reads it as a block of its own."""
        return self.family.joined in ("concatenated", "dosage")

    def parameter_counts(self) -> dict[str, int]:
        """Parameters by part: mask, effects, artifact, encoder, decoder (with the dispersions)."""
        out = dict.fromkeys(("mask", "effects", "artifact", "encoder", "decoder"), 0)
        for name, values in self.named_parameters():
            part = name.split("_")[0].split(".")[0]
            out["effects" if part == "effect" else part] += values.numel()
        return out

    # --- the parts

    def normalise(self, counts: Counts | Tensor) -> Tensor:
        """(B, P) counts as the encoder reads them: log(1 + counts), standardised by the training cells.

        A gene that no training cell has is 0; as published, it is 1e-6 or, where a cell does have it, 1e6.
        """
        kind = self.settings.normalisation
        if kind == "log standardised":
            counts = counts.log1p() if isinstance(counts, Tensor) else counts.dense(counts.value.log1p())
        dense = counts if isinstance(counts, Tensor) else counts.dense()
        if kind == "none":
            return dense
        if self.settings.compat == "published":
            return torch.nan_to_num((dense - self.gene_mean) / self.gene_sd, nan=1e-6, posinf=1e6, neginf=1e-6)
        return (dense - self.gene_mean) / torch.where(self.gene_sd > 0, self.gene_sd, torch.inf)

    def draw_effects(self, treatments: Tensor, noise: Noise) -> Effects | None:
        """Effects of the given treatments (R,), drawn from their approximate posterior; None for "cvae"."""
        if self.family.effects == "none":
            return None
        logits = mask = q = None
        shape = (len(treatments), self.effect_width)
        if self.family.mask:
            logits = self.mask_logits[treatments]
            mask = straight_through_bernoulli(logits, noise.uniform(*shape), self.settings.temperature)
        if self.family.effects == "point":
            value = self.effect_mean[treatments].unsqueeze(0)
        else:
            q = self.effect_distribution(treatments, mask)
            value = q.sample(noise.normal(*shape))
        return Effects(logits, mask, q, value, value if mask is None else value * mask)

    def effect_distribution(self, treatments: Tensor, mask: Tensor | None) -> Gaussian:
        """q(E | M) of the given treatments: (S or 1, R, J)."""
        if self.family.effects == "free":
            sd = self.effect_log_sd[treatments].exp() + VARIANCE_OFFSET
            return Gaussian(self.effect_mean[treatments].unsqueeze(0), (sd**2).unsqueeze(0))
        trunk = self.effect_encoder.trunk
        hidden = trunk.finish(trunk.project(0, mask) + trunk.column(1, treatments))
        return self.effect_encoder.head(hidden)

    def draw_artifact(self, noise: Noise) -> tuple[Tensor | None, Gaussian | None]:
        """(S, L) samples of the artifact and their (1, L) distribution; None without artifact."""
        if not self.family.artifact:
            return None, None
        q = self.artifact_encoder(self.gene_mean.new_ones(1, self.settings.basal))
        return q.sample(noise.normal(self.settings.basal)), q

    def offset(self, effects: Effects | None, batch: Batch) -> Tensor:
        """(S or 1, B, J) effect of each cell's treatments on the latent; for "cvae" the dosage."""
        return self._by_cell(batch, lambda rows: rows, effects)

    def encode(
        self, counts: Tensor, batch: Batch, effects: Effects | None, artifact: Tensor | None, fail: Tensor
    ) -> Gaussian:
        """(S or 1, B, L) distribution of the basal latent.

        Parameters
        ----------
        counts
            (B, encoder width) projection of normalised counts, as `self.encoder.trunk.project(0, ...)` gives it.
        fail
            (B,) quality to encode with: the cells' own, or the opposite.
        """
        trunk, projected, block = self.encoder.trunk, counts, 1
        if self.encodes_offset:
            projected = projected + self._by_cell(batch, lambda rows: trunk.project(1, rows), effects)
            block = 2
        if artifact is not None:
            projected = projected + fail[:, None] * trunk.project(block, artifact)[:, None]
        found = self.encoder.head(trunk.finish(projected))
        return found if found.mean.dim() == 3 else Gaussian(found.mean.unsqueeze(0), found.variance.unsqueeze(0))

    def logits(
        self, basal: Tensor, batch: Batch, effects: Effects | None, artifact: Tensor | None, fail: Tensor
    ) -> Tensor:
        """(S, B, P) logits of the genes' shares, decoded with the artifact where `fail` is 1."""
        trunk = self.decoder.trunk
        if self.family.joined == "added":
            basal = basal + self.offset(effects, batch)
        projected = trunk.project(0, basal)
        if self.decodes_offset:
            projected = projected + self._by_cell(batch, lambda rows: trunk.project(1, rows), effects)
        if artifact is not None:
            projected = projected + fail[:, None] * trunk.project(2, artifact)[:, None]
        return self.decoder.head(trunk.finish(projected))

    def _by_cell(self, batch: Batch, linear, effects: Effects | None) -> Tensor:
        """(S, B, ...) a linear map of the effects, computed once per treatment and summed over each cell's."""
        if effects is not None:
            return batch.dosage @ linear(effects.total)
        rows = batch.dosage.new_zeros(len(batch.treatments), self.sizes.treatments)
        rows[torch.arange(len(rows), device=rows.device), batch.treatments] = 1
        return (batch.dosage @ linear(rows)).unsqueeze(0)

    # --- a pass over a batch

    def forward(self, batch: Batch, noise: Noise) -> Draw:
        """Encode, sample and decode a batch."""
        effects, (artifact, artifact_q) = self.draw_effects(batch.treatments, noise), self.draw_artifact(noise)
        projected = self.encoder.trunk.project(0, self.normalise(batch.counts))
        q = self.encode(projected, batch, effects, artifact, batch.fail)
        basal = q.sample(noise.normal(len(batch), self.settings.basal))
        logits = self.logits(basal, batch, effects, artifact, batch.fail)
        likelihood = nb_log_likelihood(logits, batch.library, self.decoder.head.log_dispersion, batch.counts)
        prior_mean: Tensor | float = 0.0
        if self.family.joined == "prior mean":
            prior_mean = self.offset(effects, batch)
        counterfactual = self._counterfactual(projected, batch, noise, effects, artifact)
        return Draw(effects, artifact, artifact_q, basal, q, prior_mean, likelihood, counterfactual)

    def _counterfactual(
        self, projected: Tensor, batch: Batch, noise: Noise, effects: Effects | None, artifact: Tensor | None
    ) -> tuple[Gaussian, Gaussian, Tensor] | None:
        """Basal latents from counterfactual and from own counts. As published, the first has samples of its own."""
        if batch.counterfactual is None or not len(batch.counterfactual):
            return None
        rows = torch.nonzero(batch.counterfactual_row >= 0)[:, 0]
        other = 1 - batch.fail
        own = self.encode(projected, batch, effects, artifact, other)
        if self.settings.published_term("counterfactual"):
            effects, (artifact, _) = self.draw_effects(batch.treatments, noise), self.draw_artifact(noise)
        table = self.encoder.trunk.project(0, self.normalise(batch.counterfactual))
        from_table = self.encode(table[batch.counterfactual_row], batch, effects, artifact, other)
        return from_table.take(rows), own.take(rows), rows

    def loss_terms(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Terms of the loss of a batch, weighted: their sum is what is minimised."""
        return losses.terms(self, batch, self(batch, noise))

    # --- samples of the prior

    @torch.no_grad()
    def sample_logits(self, treatments: np.ndarray, dosage: np.ndarray, noise: Noise, fail: bool = False) -> Tensor:
        """(S, P) logits of new cells of one condition: effects from their posterior, basal latent from the prior.

        Parameters
        ----------
        treatments, dosage
            (R,) treatments of the condition and how much of each; empty for a control.
        fail
            Whether the cells are to have the artifact.
        """
        device = self.gene_mean.device
        chosen = torch.as_tensor(treatments, dtype=torch.long, device=device)
        amount = torch.as_tensor(dosage, dtype=torch.float32, device=device)[None]
        one, quality = torch.ones(1, device=device), torch.full((1,), float(fail), device=device)
        empty = Counts(chosen[:0], chosen[:0], one[:0], 1, self.sizes.genes)
        batch = Batch(np.zeros(1, int), empty, one, chosen, amount, amount, quality, quality)
        basal = noise.normal(1, self.settings.basal)
        effects, (artifact, _) = self.draw_effects(chosen, noise), self.draw_artifact(noise)
        if self.family.joined == "prior mean":
            basal = basal + self.offset(effects, batch)
        return self.logits(basal, batch, effects, artifact, quality).squeeze(1)

    @torch.no_grad()
    def log_weights(self, batch: Batch, effects: Effects | None, artifact: Tensor | None, noise: Noise) -> Tensor:
        """(S, B) log p(x | z, effects, artifact) + log p(z) - log q(z), for effects of all treatments."""
        effects = None if effects is None else effects.take(batch.treatments)
        projected = self.encoder.trunk.project(0, self.normalise(batch.counts))
        q = self.encode(projected, batch, effects, artifact, batch.fail)
        basal = q.sample(noise.normal(len(batch), self.settings.basal))
        logits = self.logits(basal, batch, effects, artifact, batch.fail)
        likelihood = nb_log_likelihood(logits, batch.library, self.decoder.head.log_dispersion, batch.counts)
        centre = self.offset(effects, batch) if self.family.joined == "prior mean" else torch.zeros_like(basal)
        prior = Gaussian(centre, torch.ones_like(centre))
        return likelihood + (prior.log_prob(basal) - q.log_prob(basal)).sum(-1)

    @torch.no_grad()
    def edge_scores(self) -> Tensor:
        """(T, J) probability of every entry of the mask.

        Corrected: nan in the rows of treatments that no training cell had, about which nothing was learned.
        """
        scores = torch.sigmoid(self.mask_logits)
        if self.settings.compat != "published":
            scores[self.observed == 0] = torch.nan
        return scores


def build(settings: ModelSettings, sizes: Sizes, seed: int = 0) -> PerturbationModel:
    """The model that the settings describe, with its initial weights."""
    return PerturbationModel(settings, sizes, seed)
