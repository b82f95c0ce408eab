"""Training of our GPO-VAE: gradient steps for the autoencoder, Newton steps for the effects of perturbations.

    x_ng ~ NB(mean l_n softmax(eta_n)_g, dispersion theta_g),   eta_n = dec(z_n) + R[k_n],   z_n ~ N(0, I)

with k_n the perturbation of the cell (R = 0 for controls). q(z_n | x, k) = N(enc(x) - c_k, v(x)), c_k the mean of enc
over the training cells of k: what a perturbation does to the average cell can then not hide in z, and R holds it. The
loss of a batch is the mean over its cells of -log NB + KL(q(z) || N(0, I)), the negative ELBO given R: no weights, no
term that depends on the size of the batch.

R is not trained by gradients. Now and then (`every`) a pass over the training cells sums, for every perturbation and
gene, slope and Fisher information of the log likelihood, which give its maximum T and sampling variance V;
`gpo_effects.shrink` turns them into the posterior of R.
"""

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from regulome.errors import UserError
from regulome.perturbation import gpo_effects
from regulome.perturbation.batches import counts_of, gene_statistics
from regulome.perturbation.distributions import Gaussian, nb_log_likelihood, normal_kl
from regulome.perturbation.screen import Screen
from regulome.perturbation.trunk import CountMLP, GaussianMLP

PSEUDO = 0.3  # information added to every effect: a gene without counts has no maximum
LARGEST = 1.0  # step of an effect


@dataclass(frozen=True)
class GpoTraining:
    """Size of the autoencoder and recipe.

    Attributes
    ----------
    basal
        Width of z.
    width, layers
        Of encoder and decoder.
    epochs
        At most so many.
    warm_up, every
        Epochs before the first Newton step, and from each to the next.
    batch, rate, clip
        Cells of a step, learning rate of Adam, largest norm of the gradient.
    patience
        Epochs without a better validation loss before training stops.
    polish
        Newton steps at the end, with the autoencoder fixed.
    cells
        Cells (libraries, basal latents) over which a predicted mean is taken.
    seed
        Of weights, batches and samples.
    """

    basal: int = 8
    width: int = 64
    layers: int = 1
    epochs: int = 40
    warm_up: int = 3
    every: int = 5
    batch: int = 512
    rate: float = 3e-3
    clip: float = 100.0
    patience: int = 6
    polish: int = 3
    cells: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"basal": 1, "width": 1, "layers": 1, "epochs": 1, "batch": 1, "polish": 1, "cells": 1, "every": 1}
        for name, low in (least | {"warm_up": 0, "patience": 1, "clip": 0, "seed": 0}).items():
            if not low <= getattr(self, name) < np.inf:
                raise UserError(f"gpo training: {name} is {getattr(self, name)}; expected at least {low}")
        if not 0 < self.rate < 1:
            raise UserError(f"gpo training: rate is {self.rate}; expected between 0 and 1")


class Autoencoder(nn.Module):
    """Encoder and decoder of the basal latent z."""

    def __init__(self, genes: int, settings: GpoTraining, mean: np.ndarray, sd: np.ndarray, share: np.ndarray):
        super().__init__()
        self.encoder = GaussianMLP([genes], settings.width, settings.layers, settings.basal)
        self.decoder = CountMLP([settings.basal], settings.width, settings.layers, genes)
        self.register_buffer("gene_mean", torch.from_numpy(mean))
        self.register_buffer("gene_sd", torch.from_numpy(np.where(sd > 0, sd, 1).astype(np.float32)))
        with torch.no_grad():  # start at the mean cell
            self.decoder.head.logits.bias.copy_(torch.from_numpy(np.log(share).astype(np.float32)))
            self.decoder.head.logits.weight.mul_(0.1)
            self.decoder.head.log_dispersion.fill_(1.5)

    def encode(self, dense: Tensor) -> Gaussian:
        """q(z) of cells (B, P) before the centre of their perturbation is taken off."""
        return self.encoder((torch.log1p(dense) - self.gene_mean) / self.gene_sd)


@dataclass
class Fitted:
    """What training leaves.

    Attributes
    ----------
    autoencoder
        In evaluation mode.
    seen
        (K',) labels with training cells.
    maximum, noise, control_noise
        (K', P), (K', P), (P,) T, V and v of `gpo_effects`.
    effects
        Posterior of R.
    centre
        (K' + 1, L) c_k; the last row: controls.
    log
        One row an epoch.
    """

    autoencoder: Autoencoder
    seen: np.ndarray
    maximum: np.ndarray
    noise: np.ndarray
    control_noise: np.ndarray
    effects: gpo_effects.Shrunken
    centre: Tensor
    log: list = field(default_factory=list)


class Run:
    """State of a training."""

    def __init__(self, screen: Screen, settings: GpoTraining, device: str):
        self.screen, self.settings, self.device = screen, settings, device
        self.train_rows, self.held_rows = screen.rows("train"), screen.rows("validation")
        label = screen.label[self.train_rows]
        if not len(self.train_rows) or not (label < 0).any():
            raise UserError(f"{screen.name}: no control cell in the training split; effects need control cells")
        self.seen = np.unique(label[label >= 0])
        if not len(self.seen):
            raise UserError(f"{screen.name}: no perturbed cell in the training split")
        place = np.full(len(screen.labels) + 1, -1)
        place[self.seen] = np.arange(len(self.seen))
        place[-1] = len(self.seen)
        self.held_rows = self.held_rows[place[screen.label[self.held_rows]] >= 0]
        self.group = place[screen.label]  # the last group: controls; -1: not seen in training
        mean, sd = gene_statistics(screen, "log standardised")
        total = np.asarray(screen.counts[self.train_rows].sum(0)).ravel() + 0.5
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.model = Autoencoder(len(screen.genes), settings, mean, sd, total / total.sum()).to(device)
        groups, genes = len(self.seen) + 1, len(screen.genes)
        self.effects = torch.zeros(groups, genes, device=device)
        self.centre = torch.zeros(groups, settings.basal, device=device)
        self.log, self.posterior = [], None

    def batches(self, rows: np.ndarray):
        for start in range(0, len(rows), self.settings.batch):
            part = rows[start : start + self.settings.batch]
            library = torch.from_numpy(np.maximum(self.screen.library[part], 1)).to(self.device)
            yield counts_of(self.screen, part, self.device), library, torch.from_numpy(self.group[part]).to(self.device)

    def terms(self, batch, generator: torch.Generator):
        """Mean negative log likelihood and divergence of the cells of a batch."""
        counts, library, group = batch
        q = self.model.encode(counts.dense())
        q = Gaussian(q.mean - self.centre[group], q.variance)
        noise = torch.randn(q.mean.shape, generator=generator).to(self.device)
        logits = self.model.decoder(q.sample(noise)) + self.effects[group]
        fit = nb_log_likelihood(logits[None], library, self.model.decoder.head.log_dispersion, counts)
        return -fit.mean(), normal_kl(q).sum(1).mean()

    def epoch(self, number: int, optimiser: torch.optim.Optimizer) -> dict:
        """Gradient steps over all training cells, shuffled."""
        seed = int(np.random.SeedSequence([self.settings.seed, number]).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        rows, sums = np.random.default_rng(seed).permutation(self.train_rows), np.zeros(2)
        for batch in self.batches(rows):
            parts = self.terms(batch, generator)
            optimiser.zero_grad()
            (parts[0] + parts[1]).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
            optimiser.step()
            sums += np.array([part.item() for part in parts]) * len(batch[1])
        return {"train_reconstruction": sums[0] / len(rows), "train_kl_basal": sums[1] / len(rows)}

    @torch.no_grad()
    def validate(self) -> dict:
        """The same terms on the validation cells, with the same samples every epoch."""
        if not len(self.held_rows):
            return {"validation_reconstruction": np.nan, "validation_kl_basal": np.nan}
        generator, sums = torch.Generator().manual_seed(0), np.zeros(2)
        for batch in self.batches(self.held_rows):
            sums += np.array([part.item() for part in self.terms(batch, generator)]) * len(batch[1])
        sums /= len(self.held_rows)
        return {"validation_reconstruction": sums[0], "validation_kl_basal": sums[1]}

    @torch.no_grad()
    def newton(self) -> None:
        """One Newton step of the effects, then their posterior."""
        groups = len(self.effects)
        self.centre = self.group_means(lambda counts: self.model.encode(counts.dense()).mean)
        slope, information = np.zeros((2, groups, len(self.screen.genes)))
        dispersion = self.model.decoder.head.log_dispersion.exp()
        generator = torch.Generator().manual_seed(1)
        for counts, library, group in self.batches(self.train_rows):
            dense = counts.dense()
            q = self.model.encode(dense)
            z = q.mean - self.centre[group]
            z = z + q.variance.sqrt() * torch.randn(z.shape, generator=generator).to(self.device)
            mean = library[:, None] * torch.softmax(self.model.decoder(z) + self.effects[group], -1)
            shrink = dispersion / (dispersion + mean)
            member = torch.nn.functional.one_hot(group, groups).T.float()
            slope += (member @ ((dense - mean) * shrink)).double().cpu().numpy()
            information += (member @ (mean * shrink)).double().cpu().numpy()
        variance = 1 / (information + PSEUDO)
        level = self.effects.cpu().numpy() + np.clip(slope * variance, -LARGEST, LARGEST)
        level -= np.median(level - level[-1], 1, keepdims=True)  # softmax leaves a constant of every row free
        self.maximum, self.noise, self.control_noise = level[:-1] - level[-1], variance[:-1], variance[-1]
        self.posterior = gpo_effects.shrink(self.maximum, self.noise, self.control_noise)
        bias = self.model.decoder.head.logits.bias
        bias += torch.from_numpy(level[-1].astype(np.float32)).to(self.device)
        self.effects[:-1] = torch.from_numpy(self.posterior.mean.astype(np.float32)).to(self.device)

    def group_means(self, function) -> Tensor:
        """Mean of a function of the counts over the training cells of every group."""
        total, cells = torch.zeros_like(self.centre), torch.zeros(len(self.centre), 1, device=self.device)
        for counts, _, group in self.batches(self.train_rows):
            total.index_add_(0, group, function(counts))
            cells.index_add_(0, group, torch.ones(len(group), 1, device=self.device))
        return total / cells


def train(screen: Screen, settings: GpoTraining, device: str, progress: bool = True) -> Fitted:
    """Train on the training cells of a screen; the validation cells decide when to stop.

    Raises
    ------
    UserError
        If there are no controls or no perturbed cells in the training split, or the loss is no number.
    """
    run = Run(screen, settings, device)
    optimiser = torch.optim.Adam(run.model.parameters(), settings.rate)
    best, best_state, waited = np.inf, None, 0
    with tqdm(total=settings.epochs, unit=" epochs", disable=None if progress else True) as bar:
        for number in range(1, settings.epochs + 1):
            start = time.perf_counter()
            row = {"epoch": number} | run.epoch(number, optimiser)
            if number > settings.warm_up and (number - settings.warm_up - 1) % settings.every == 0:
                run.newton()
            row |= run.validate()
            row |= {
                f"{part}_total": row[f"{part}_reconstruction"] + row[f"{part}_kl_basal"]
                for part in ("train", "validation")
            }
            if not np.isfinite(row["train_total"]):
                raise UserError(f"{screen.name}: the loss is no number in epoch {number}; expected a smaller rate")
            run.log.append(row | {"seconds": round(time.perf_counter() - start, 3)})
            bar.update()
            watched = row["validation_total"] if len(run.held_rows) else row["train_total"]
            if watched < best - 1e-3:
                best, waited = watched, 0
                best_state = {name: value.clone() for name, value in run.model.state_dict().items()}
            else:
                waited += number > settings.warm_up
            if waited >= settings.patience:
                break
    run.model.load_state_dict(best_state)
    run.model.eval()
    for _ in range(settings.polish):
        run.newton()
    summary = (run.maximum, run.noise, run.control_noise, run.posterior)
    return Fitted(run.model.cpu(), run.seen, *summary, run.centre.cpu(), run.log)
