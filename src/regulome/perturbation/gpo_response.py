"""What our GPO-VAE predicts: mean expression, average treatment effects and cells of a perturbation.

The mean of y = log2(1 + 1e4 x / library) is that of cells with basal latents from the prior and libraries as observed
under the perturbation, in expectation over counts (`gpo_moments`). y of sparse counts depends on the library, and on
more than the mean of the counts; what the negative binomial misses shows in the training cells, as the residual between
their ATE and that of the model at the maximum of its likelihood. Its posterior mean is added to predictions.

Three estimates of the effect of a perturbation that was trained:

* "posterior": posterior means throughout, the estimate of least error (default);
* "likelihood": not shrunken;
* "specific": what is specific to the perturbation (its distance from the mean effect) is shrunken less, by 30 % of the
  way, and then stretched by 20 %. Least error asks for short predictions, but scores that look for the nearest measured
  effect favour long ones: a measured effect is longer than the true one by its noise.
"""

from collections.abc import Sequence

import numpy as np
import torch

from regulome.errors import UserError, closest
from regulome.perturbation import ate as measured
from regulome.perturbation import gpo_effects
from regulome.perturbation.batches import counts_of
from regulome.perturbation.distributions import Gaussian, nb_log_likelihood
from regulome.perturbation.gpo_moments import expected_y
from regulome.perturbation.screen import CONTROL, JOIN, Screen

POSTERIOR, LIKELIHOOD, SPECIFIC = "posterior", "likelihood", "specific"
ESTIMATES = (POSTERIOR, LIKELIHOOD, SPECIFIC)
OBSERVED = "observed"
MEASURED_SHARE, STRETCH = 0.7, 1.2  # of "specific"; chosen on validation cells of Papalexi 2021
BLOCK = 10  # particles at a time


def response(model, label: str, estimate: str = POSTERIOR) -> tuple[np.ndarray, float]:
    """(P,) effects on log expression, and the shift of the log library, of a perturbation.

    One that was trained has its own; a new combination has the sum of its genes; a gene that was never perturbed has
    the mean effect of the single genes that were, and what the network says in addition.

    Raises
    ------
    UserError
        An unknown gene, or another estimate.
    """
    _known(estimate)
    if label == CONTROL:
        return np.zeros(len(model.genes)), 0.0
    table = model.maximum if estimate == LIKELIHOOD else model.effects
    if label in model.labels:
        place = model.labels.index(label)
        return table[place], float(model.shift[place])
    names = label.split(JOIN)
    if len(names) > 1:
        parts = [response(model, name, estimate) for name in names]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)
    if label not in model.latent:
        known = (*model.labels, *model.latent)
        raise UserError(f"label '{label}': this model knows nothing of that gene{closest(label, known)}")
    return _unseen(model, model.latent.index(label), table), 0.0


def _unseen(model, gene: int, table: np.ndarray) -> np.ndarray:
    """(P,) effects of a gene that was never perturbed.

    Its own fall is the median of those of the perturbed genes that are measured; other genes have the mean effect of
    the trained perturbations of single genes, and latent ones what the paths of the network add.
    """
    single = [place for place, name in enumerate(model.labels) if JOIN not in name]
    own = [(place, model.column[model.latent.index(model.labels[place])]) for place in single]
    falls = [table[place, column] for place, column in own if column >= 0]
    dose = float(np.median(falls)) if falls else float(model.direction)
    out = table[single].mean(0) if single else np.zeros(len(model.genes))
    known = model.column >= 0
    out[model.column[known]] += dose * paths(model.graph.effect)[gene, known]
    if known[gene]:
        out[model.column[gene]] = dose
    return out


def paths(effect: np.ndarray) -> np.ndarray:
    """(G, G) total effects of a unit change of each gene (row), held there, on the others: (I - A)^-1, rows scaled.

    Holding gene i cuts its own regulators off, which divides row i of the inverse by its diagonal.
    """
    inverse = np.linalg.pinv(np.eye(len(effect)) - effect)
    own = np.diag(inverse)
    out = inverse / np.where(np.abs(own) > 0.1, own, 1.0)[:, None]
    np.fill_diagonal(out, 0.0)
    return out


def pseudobulk(
    model, label: str, estimate: str = POSTERIOR, library: float | str = OBSERVED, seed: int = 0
) -> np.ndarray:
    """(P,) mean of log2(1 + 1e4 counts / library) over cells, exact but for the basal latents (drawn with the seed)."""
    if label == CONTROL:
        return _mean(model, label, POSTERIOR, library, seed)
    return _mean(model, CONTROL, POSTERIOR, library, seed) + ate(model, [label], seed, estimate, library)[0]


def ate(
    model, labels: Sequence[str], seed: int = 0, estimate: str = POSTERIOR, library: float | str = OBSERVED
) -> np.ndarray:
    """(K, P) average treatment effects.

    Parameters
    ----------
    estimate
        See the module; only labels that were trained have a correction.
    library
        "observed", or UMI of every cell (published: 1e4); then there is no correction by the training cells.

    Raises
    ------
    UserError
        An unknown gene, estimate or library.
    """
    _known(estimate)
    base = _mean(model, CONTROL, estimate, library, seed)
    out = np.array([_mean(model, label, estimate, library, seed) - base for label in labels])
    place = [model.labels.index(label) if label in model.labels else -1 for label in labels]
    if library == OBSERVED and estimate != LIKELIHOOD:
        out += np.vstack([model.correction, np.zeros(len(model.genes))])[place]
    return _specific(model, out, place, seed, library) if estimate == SPECIFIC else out


def _specific(model, effects: np.ndarray, place: list[int], seed: int, library: float | str) -> np.ndarray:
    """The estimate "specific", from posterior means (K, P)."""
    centre = ate(model, model.labels, seed, POSTERIOR, library).mean(0)
    unshrunken = ate(model, model.labels, seed, LIKELIHOOD, library)
    if library == OBSERVED:
        unshrunken = unshrunken + model.residual
    unshrunken = np.vstack([unshrunken - unshrunken.mean(0), np.zeros(len(model.genes))])[place]
    own = effects - centre
    trained = np.array(place)[:, None] >= 0
    mixed = np.where(trained, MEASURED_SHARE * unshrunken + (1 - MEASURED_SHARE) * own, own)
    return centre + STRETCH * mixed


def predict(model, label: str, n: int = 2500, seed: int = 0, library: float | str = OBSERVED) -> np.ndarray:
    """(n, P) float32 counts of sampled cells."""
    rng = np.random.default_rng([seed, 0])
    effect, shift = response(model, label)
    sizes = _sizes(model, library, shift)
    size = rng.choice(sizes, n)
    share, dispersion = _shares(model, effect, n, seed)
    mean = size[:, None] * share
    return rng.poisson(rng.gamma(dispersion, 1.0, mean.shape) * mean / dispersion).astype(np.float32)


@torch.no_grad()
def log_weights(model, screen: Screen, rows: np.ndarray, particles: int, seed: int, batch: int) -> np.ndarray:
    """(S, N) log p(x | z, R) + log p(z) - log q(z) of cells, at the posterior mean of R; see `Trained.log_weights`.

    Raises
    ------
    UserError
        If a perturbation has no training cells.
    """
    place = {label: number for number, label in enumerate(model.labels)}
    names = np.array([*screen.labels, CONTROL], object)
    place[CONTROL] = len(model.labels)
    unknown = sorted(set(names[screen.label[rows]]) - set(place))
    if unknown:
        raise UserError(f"{screen.name}: no training cell had {unknown[0]} perturbed; its cells have no density")
    table = torch.from_numpy(np.vstack([model.effects, np.zeros(len(model.genes))]).astype(np.float32))
    out, centre = np.empty((particles, len(rows)), np.float32), torch.from_numpy(model.centre)
    prior, decoder = Gaussian(torch.zeros(1), torch.ones(1)), model.autoencoder.decoder
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        counts, group = counts_of(screen, part), torch.tensor([place[name] for name in names[screen.label[part]]])
        q = model.autoencoder.encode(counts.dense())
        q, generator = Gaussian(q.mean - centre[group], q.variance), _generator(seed, 2, start)
        library = torch.from_numpy(np.maximum(screen.library[part], 1))
        for first in range(0, particles, BLOCK):
            z = q.sample(torch.randn((min(BLOCK, particles - first), *q.mean.shape), generator=generator))
            fit = nb_log_likelihood(decoder(z) + table[group], library, decoder.head.log_dispersion, counts)
            weight = fit + (prior.log_prob(z) - q.log_prob(z)).sum(-1)
            out[first : first + len(z), start : start + batch] = weight.numpy()
    return out


# --- what training leaves for predictions


def libraries(screen: Screen, seen: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count,) quantiles of the library of training cells, and the shift of its logarithm by each perturbation.

    The quantiles are taken after the shift of each perturbation is taken off. A shift is shrunken towards 0 by the
    share of the variance between perturbations that sampling explains.
    """
    rows = screen.rows("train")
    size, label = np.log(np.maximum(screen.library[rows], 1).astype(float)), screen.label[rows]
    control = size[label < 0]
    shift = np.array([size[label == place].mean() for place in seen]) - control.mean()
    spread = np.array([size[label == place].var() / (label == place).sum() for place in seen])
    between = max(np.mean(shift**2) - spread.mean() - control.var() / len(control), 0.0)
    shift = shift * between / np.maximum(between + spread, 1e-12)
    centred = size.copy()
    for place, step in zip(seen, shift, strict=True):
        centred[label == place] -= step
    return np.exp(np.quantile(centred, (np.arange(count) + 0.5) / count)), shift


def corrections(model, screen: Screen, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, P) residual of the training cells' ATE, and its posterior mean: what training leaves in `Gpo`."""
    found = measured.of_split(screen, "train")
    residual = found.ate[seen] - ate(model, model.labels, 0, LIKELIHOOD)
    variance = np.where(np.isfinite(found.variance), found.variance, np.nanmean(found.variance, 0))
    noise = variance / np.maximum(found.cells, 1)[:, None] + 1e-6
    return residual, gpo_effects.shrink(residual, noise[:-1][seen], noise[-1]).mean


# --- parts


def _known(estimate: str) -> None:
    if estimate not in ESTIMATES:
        raise UserError(f"estimate is '{estimate}'{closest(estimate, ESTIMATES)}; expected {', '.join(ESTIMATES)}")


def _mean(model, label: str, estimate: str, library: float | str, seed: int) -> np.ndarray:
    effect, shift = response(model, label, estimate)
    size = _sizes(model, library, shift)
    share, dispersion = _shares(model, effect, len(size), seed)
    return expected_y(size[:, None] * share, dispersion, size)


def _sizes(model, library: float | str, shift: float) -> np.ndarray:
    if library == OBSERVED:
        return model.libraries * np.exp(shift)
    if isinstance(library, str) or not library > 0:
        raise UserError(f"library is {library!r}; expected UMI of a cell (above 0) or '{OBSERVED}'")
    return np.full(len(model.libraries), float(library))


@torch.no_grad()
def _shares(model, effect: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, P) shares of expression of cells with basal latents from the prior; (P,) dispersion."""
    z = torch.randn(n, model.centre.shape[1], generator=_generator(seed, 1))
    logits = model.autoencoder.decoder(z) + torch.from_numpy(effect.astype(np.float32))
    dispersion = model.autoencoder.decoder.head.log_dispersion.exp()
    return torch.softmax(logits, -1).double().numpy(), dispersion.double().numpy()


def _generator(*seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
