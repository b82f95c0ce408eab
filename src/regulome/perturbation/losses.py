"""The terms of the loss, each by itself, as published and corrected.

With D' the plating of `batches` (a treatment's column sums to 1 over an epoch) and S particles, what is minimised is

    reconstruction    minus mean log likelihood
  + kl_basal          divergence of the basal latents from their prior, mean over cells
  + kl_mask, kl_effect, kl_artifact
                      divergences of what cells share, plated: mean over cells of D' times the divergence
  + counterfactual    divergence between basal latents from own and from counterfactual counts
  + network, sparsity alignment of the mask with measured changes, and its mean probability ("gpo")

What `compat` changes:

| term | published | corrected |
|---|---|---|
| reconstruction | weights alpha (passed) and 1 - alpha (failed), alpha = share of failing cells | every cell 1 |
| kl | Monte-Carlo: mean over particles of log q - log p at the samples | exact |
| counterfactual | squared mean difference not divided by the variance; sum over cells | a divergence; mean over cells |
| network | all cells (controls add a constant); walks through never perturbed rows too | perturbed ones |
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from regulome.errors import UserError
from regulome.perturbation.batches import Batch
from regulome.perturbation.distributions import Gaussian, bernoulli_kl, bernoulli_log_prob, normal_kl
from regulome.perturbation.families import Draw

if TYPE_CHECKING:
    from regulome.perturbation.models import PerturbationModel

TERMS = (
    "reconstruction", "kl_basal", "kl_mask", "kl_effect", "kl_artifact", "counterfactual", "network", "sparsity",
)  # fmt: skip


def terms(model: "PerturbationModel", batch: Batch, draw: Draw) -> dict[str, Tensor]:
    """Those of `TERMS` that the model has, weighted, in the order of the table."""
    s, family = model.settings, model.family
    exact = not s.published_term("kl")
    out = {
        "reconstruction": reconstruction(draw.log_likelihood, batch.fail, s),
        "kl_basal": basal_kl(draw, exact).mean(),
    }
    if draw.effects is not None:
        out |= _shared(model, batch, draw, exact)
    if draw.artifact is not None:
        out["kl_artifact"] = plated(artifact_kl(draw, exact)[:, None], batch.fail_plating[:, None])
    if batch.counterfactual is not None:
        value = draw.log_likelihood.new_zeros(())  # no cell of this batch has a counterfactual
        if draw.counterfactual is not None:
            first, second, _ = draw.counterfactual
            value = counterfactual(first, second, s.published_term("counterfactual"), len(batch))
        out["counterfactual"] = s.beta * value
    if family.mask and batch.delta is not None:
        out["network"] = s.network_weight * network(model, batch)
    if s.latent_genes and s.sparsity:
        out["sparsity"] = s.sparsity * sparsity(model)
    return out


def reconstruction(log_likelihood: Tensor, fail: Tensor, settings) -> Tensor:
    """Minus the mean (weighted) log likelihood, (S, B) -> scalar."""
    if not settings.published_term("reconstruction") or settings.family not in ("cradle", "gpo"):
        return -log_likelihood.mean()
    alpha = fail.mean() if settings.alpha is None else settings.alpha
    return -(log_likelihood * (alpha * (1 - fail) + (1 - alpha) * fail)).mean()


def basal_kl(draw: Draw, exact: bool) -> Tensor:
    """(S or 1, B) divergence of the basal latent of every cell, summed over its L entries."""
    if exact:
        return normal_kl(draw.basal_q, draw.prior_mean).sum(-1)
    prior = Gaussian(torch.zeros_like(draw.basal) + draw.prior_mean, torch.ones_like(draw.basal))
    return (draw.basal_q.log_prob(draw.basal) - prior.log_prob(draw.basal)).sum(-1)


def artifact_kl(draw: Draw, exact: bool) -> Tensor:
    """(S or 1,) divergence of the artifact."""
    if exact:
        return normal_kl(draw.artifact_q).sum(-1)
    prior = Gaussian(torch.zeros_like(draw.artifact), torch.ones_like(draw.artifact))
    return (draw.artifact_q.log_prob(draw.artifact) - prior.log_prob(draw.artifact)).sum(-1)


def mask_kl(model: "PerturbationModel", draw: Draw, exact: bool) -> Tensor:
    """(S or 1, R) divergence of the mask of every treatment of the batch, summed over its J entries.

    For "svae+" the mask has no divergence; its probabilities p, point estimates, have minus their log prior density,
    Beta(1, c): -(ln c + (c - 1) ln(1 - p)).
    """
    effects, s = draw.effects, model.settings
    if s.family == "svae+":
        off = torch.nn.functional.logsigmoid(-effects.logits)
        value = -(torch.as_tensor(s.concentration).log() + (s.concentration - 1) * off)
        return value.sum(-1).unsqueeze(0)
    if exact:
        return bernoulli_kl(effects.logits, s.mask_prior).sum(-1).unsqueeze(0)
    prior = torch.logit(torch.as_tensor(s.mask_prior, dtype=torch.float64)).to(effects.logits)
    value = bernoulli_log_prob(effects.mask, effects.logits) - bernoulli_log_prob(effects.mask, prior)
    return value.sum(-1)


def effect_kl(model: "PerturbationModel", draw: Draw, exact: bool) -> Tensor:
    """(S or 1, R) divergence of the effects of every treatment of the batch, summed over their J entries."""
    effects, variance = draw.effects, model.settings.effect_sd**2
    if exact:
        return normal_kl(effects.q, 0.0, variance).sum(-1)
    prior = Gaussian(torch.zeros_like(effects.value), torch.full_like(effects.value, variance))
    return (effects.q.log_prob(effects.value) - prior.log_prob(effects.value)).sum(-1)


def plated(divergence: Tensor, plating: Tensor) -> Tensor:
    """Mean over particles and cells of plating (B, R) times the divergence (S or 1, R) of what the cells share."""
    return (divergence.mean(0) * plating.mean(0)).sum()


def _shared(model: "PerturbationModel", batch: Batch, draw: Draw, exact: bool) -> dict[str, Tensor]:
    out = {}
    if model.family.mask:
        out["kl_mask"] = plated(mask_kl(model, draw, exact), batch.plating)
    if draw.effects.q is not None:
        out["kl_effect"] = plated(effect_kl(model, draw, exact), batch.plating)
    return out


def counterfactual(first: Gaussian, second: Gaussian, published: bool, cells: int) -> Tensor:
    """Divergence of `first` from `second` (S, C, L), from counterfactual and from own counts.

    Corrected: KL(first || second), summed over L, mean over particles, sum over the C cells divided by the batch's.
    Published: 1/2 (v1/v2 + (m1 - m2)^2 - 1 - ln(v1/v2)), the square not divided by v2; sum over cells.
    """
    if not published:
        return normal_kl(first, second.mean, second.variance).sum((-1, -2)).mean() / cells
    ratio = first.variance / second.variance
    value = 0.5 * (ratio + (first.mean - second.mean) ** 2 - 1 - ratio.log())
    return value.sum((-1, -2)).mean()


def network(model: "PerturbationModel", batch: Batch) -> Tensor:
    """Mean over cells and measured latent genes of |(D S_K)_nj - (|delta_nj| - c)|.

    S_K = sum_k W^(k+1) / G^k for k = 0..K, on the logits W. Only the rows of the batch's treatments are computed.
    """
    s = model.settings
    weights, published = model.mask_logits, s.published_term("network")
    if not published:
        weights = weights * model.observed[:, None]
    predicted = batch.dosage @ walks(weights, batch.treatments, s.hop)
    counted = ~torch.isnan(batch.delta)
    target = torch.where(counted, batch.delta, 0).abs() - s.margin
    if not published:
        counted = counted & (batch.dosage != 0).any(1)[:, None]
    return ((predicted - target).abs() * counted).sum() / counted.sum().clamp(min=1)


def walks(weights: Tensor, rows: Tensor, hop: int) -> Tensor:
    """(R, G) rows of S_K = sum over k = 0..hop of W^(k+1) / G^k."""
    step = total = weights[rows]
    for _ in range(hop):
        step = step @ weights / len(weights)
        total = total + step
    return total


def sparsity(model: "PerturbationModel") -> Tensor:
    """Mean probability of an edge; corrected: over the rows of perturbed genes."""
    probability = torch.sigmoid(model.mask_logits)
    if model.settings.published_term("network"):
        return probability.mean()
    return probability.mean(1) @ model.observed / model.observed.sum().clamp(min=1)


def check(means: dict[str, float], where: str) -> None:
    """Refuse a loss that is no number.

    Raises
    ------
    UserError
        Naming the terms.
    """
    wrong = [name for name, value in means.items() if not math.isfinite(value)]
    if wrong:
        raise UserError(f"training: {', '.join(wrong)} is no number {where}; expected a lower rate or a clip to help")
