"""The published GPO-VAE loss computed straightforwardly, for comparison of speed and of results.

Five particles, every row of the mask and all one-hot rows in every step, inputs concatenated, both qualities decoded
for all cells, the negative binomial with its lgammas for every entry, relaxed (not exact) divergences of the mask, full
matrix powers, dense batches. It works on the parameters of a `models.PerturbationModel`, so that both have the same
network.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli
from torch.nn import functional

from regulome.perturbation.batches import Reader
from regulome.perturbation.distributions import nb_log_prob
from regulome.perturbation.models import PerturbationModel


@dataclass(frozen=True)
class DenseBatch:
    """B cells: counts (B, P), dosage (B, G), failing (B,), counterfactual counts (B, P; zeros: none), delta (B, G)."""

    x: Tensor
    dosage: Tensor
    fail: Tensor
    counterfactual: Tensor
    delta: Tensor


def dense_batch(reader: Reader, rows: np.ndarray) -> DenseBatch:
    """The given rows of the reader's screen."""
    screen = reader.screen
    table = np.vstack([screen.counterfactual, np.zeros((1, len(screen.genes)), np.float32)])
    arrays = (
        screen.counts[rows].toarray(), screen.cell_dosage(rows), screen.qc_fail[rows].astype(np.float32),
        table[screen.counterfactual_row[rows]], screen.delta(rows),
    )  # fmt: skip
    return DenseBatch(*(torch.from_numpy(each) for each in arrays))


def loss_terms(model: PerturbationModel, batch: DenseBatch, cells: Tensor, failing: int, particles: int = 5) -> dict:
    """Terms of the published loss, with the mask's divergence from relaxed densities.

    Parameters
    ----------
    cells
        (G,) cells of the split with each treatment.
    failing
        Cells of the split that failed quality control.
    """
    s = model.settings
    fail, x = batch.fail, _normalise(model, batch.x)
    mask, log_ratio_mask, effect, effect_q, artifact, artifact_q = _guide(model, particles)
    offset, spoiled = batch.dosage @ (effect * mask), artifact[:, None]
    q = _encode(model, x, offset, fail[:, None] * spoiled)
    q_other = _encode(model, x, offset, (1 - fail)[:, None] * spoiled)
    basal = q.rsample()

    library, r = batch.x.sum(1), model.decoder.head.log_dispersion.exp()
    likelihood = {}
    for name, block in (("good", torch.zeros_like(basal)), ("bad", spoiled.expand_as(basal))):
        share = torch.softmax(_mlp(model.decoder, torch.cat([basal, offset, block], -1)), -1)
        likelihood[name] = nb_log_prob(batch.x.expand_as(share), library[:, None] * share, r).sum(-1)
    alpha = fail.mean()
    out = {"reconstruction": -(alpha * (1 - fail) * likelihood["good"] + (1 - alpha) * fail * likelihood["bad"]).mean()}

    plating = torch.where(batch.dosage != 0, 1 / cells.clamp(min=1), 0)
    standard = Normal(0.0, 1.0)
    out["kl_basal"] = (q.log_prob(basal) - standard.log_prob(basal)).sum(-1).mean()
    out["kl_mask"] = (plating @ log_ratio_mask).sum(-1).mean()
    out["kl_effect"] = (plating @ (effect_q.log_prob(effect) - standard.log_prob(effect))).sum(-1).mean()
    ratio = (artifact_q.log_prob(artifact) - standard.log_prob(artifact)).sum(-1)
    out["kl_artifact"] = (fail / max(failing, 1) * ratio[:, None]).mean()

    mask, _, effect, _, artifact, _ = _guide(model, particles)
    offset = batch.dosage @ (effect * mask)
    other = _encode(model, _normalise(model, batch.counterfactual), offset, (1 - fail)[:, None] * artifact[:, None])
    v = other.variance / q_other.variance
    kl = -0.5 * (1 + v.log() - (other.mean - q_other.mean) ** 2 - v).sum(-1)
    out["counterfactual"] = s.beta * (kl * (batch.counterfactual.sum(1) > 0)).sum(1).mean()

    w, size = model.mask_logits, len(model.mask_logits)
    power = total = w
    for _ in range(s.hop):
        power = power @ w / size
        total = total + power
    out["network"] = s.network_weight * (batch.dosage @ total - (batch.delta.abs() - s.margin)).abs().mean()
    out["sparsity"] = s.sparsity * torch.sigmoid(w).abs().sum() / size**2
    return out


def _guide(model: PerturbationModel, particles: int) -> tuple:
    """Samples of mask, effects and artifact, log q - log p of the mask, distributions of the others."""
    logits, size = model.mask_logits, len(model.mask_logits)
    relaxed = LogitRelaxedBernoulli(torch.ones(()), logits=logits)
    drawn = relaxed.rsample((particles,))
    prior = LogitRelaxedBernoulli(torch.ones(()), probs=torch.full_like(logits, model.settings.mask_prior))
    ratio = relaxed.log_prob(drawn) - prior.log_prob(drawn)
    soft = torch.sigmoid(drawn)
    mask = soft.detach().round() + soft - soft.detach()
    one_hot = torch.eye(size).expand(particles, -1, -1)
    effect_q = _normal(model.effect_encoder, torch.cat([mask, one_hot], -1))
    artifact_q = _normal(model.artifact_encoder, torch.ones(particles, model.settings.basal))
    return mask, ratio, effect_q.rsample(), effect_q, artifact_q.rsample(), artifact_q


def _encode(model: PerturbationModel, x: Tensor, offset: Tensor, artifact: Tensor) -> Normal:
    return _normal(model.encoder, torch.cat([x.expand(len(offset), -1, -1), offset, artifact], -1))


def _normalise(model: PerturbationModel, x: Tensor) -> Tensor:
    return torch.nan_to_num((torch.log1p(x) - model.gene_mean) / model.gene_sd, nan=1e-6, posinf=1e6, neginf=1e-6)


def _hidden(trunk: nn.Module, x: Tensor) -> Tensor:
    hidden = functional.leaky_relu(trunk.first(x))
    for layer in trunk.rest:
        hidden = hidden + functional.leaky_relu(layer(hidden))
    return hidden


def _mlp(network: nn.Module, x: Tensor) -> Tensor:
    return network.head.logits(_hidden(network.trunk, x))


def _normal(network: nn.Module, x: Tensor) -> Normal:
    hidden = _hidden(network.trunk, x)
    return Normal(network.head.mean(hidden), (network.head.log_variance(hidden).exp() + 1e-4).sqrt())
