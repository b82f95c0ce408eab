"""What the network loss of GPO-VAE estimates, and how its terms compare with their corrected forms.

The loss is an L1 regression, mean |(D S_K)_nj - (|delta_nj| - c)|, whose optimum is a conditional median: the rows of
S_K = sum_k W^(k+1) / G^k that belong to perturbed genes become median |delta| - c. With one term (hop 0) that is W
itself. With more, rows of genes that nobody perturbed are free, take up part of the fit, and W is no longer determined.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from regulome.perturbation import losses, models
from regulome.perturbation.batches import Reader
from regulome.perturbation.noise import Noise
from regulome.perturbation.screen import JOIN, Screen
from regulome.perturbation.settings import COMPAT, ModelSettings
from regulome.perturbation.trained import Trained

SATURATED = 3.0  # |logit| of a probability below 0.05 or above 0.95


def single_rows(screen: Screen) -> np.ndarray:
    """Latent genes that some training cells had perturbed alone, by position."""
    seen = {screen.labels[row] for row in np.unique(screen.label[screen.rows("train")]) if row >= 0}
    return np.array([place for place, gene in enumerate(screen.latent) if gene in seen], int)


def medians(screen: Screen, margin: float) -> np.ndarray:
    """(G, G) median over training cells of |delta| minus c; nan in rows that nobody perturbed alone and in columns that
    were not measured."""
    out = np.full((len(screen.latent),) * 2, np.nan)
    for row in single_rows(screen):
        out[row] = np.median(np.abs(screen.delta(screen.rows("train", screen.latent[row]))), 0) - margin
    return out


def fit(
    screen: Screen, hop: int, margin: float, epochs: int = 60, rate: float = 0.02, compat: str = "published",
    seed: int = 0, batch: int = 512,
) -> np.ndarray:  # fmt: skip
    """(G, G) logits W that the network loss alone makes of the training cells, combinations left out.

    From 0, by Adam whose rate falls to zero linearly. (Where a gene is perturbed alone and in combinations, its row is
    a compromise, and no longer the median of anything.)
    """
    settings = ModelSettings(
        "gpo", compat, basal=1, decoder_width=1, encoder_width=1, effect_width=1, beta=0.0, hop=hop, margin=margin
    )
    alone = np.array([JOIN not in label for label in screen.labels] + [True])
    reader = Reader(screen, settings, screen.rows("train")[alone[screen.label[screen.rows("train")]]])
    model = models.build(settings, models.Sizes(len(screen.genes), len(screen.latent)))
    model.observed.copy_(torch.from_numpy((reader.cells > 0).astype(np.float32)))
    batches = list(reader.epoch(batch, np.random.default_rng(seed)))
    optimiser = torch.optim.Adam([model.mask_logits], lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, epochs * len(batches))
    for _ in range(epochs):
        for part in batches:
            optimiser.zero_grad()
            losses.network(model, part).backward()
            optimiser.step()
            schedule.step()
    return model.mask_logits.detach().numpy()


def walks(weights: np.ndarray, hop: int) -> np.ndarray:
    """(G, G) S_K of logits W."""
    return losses.walks(torch.from_numpy(weights), torch.arange(len(weights)), hop).numpy()


def points(weights: np.ndarray, screen: Screen, hop: int, margin: float, name: str) -> pd.DataFrame:
    """A row an entry of the perturbed rows: fit, hop, regulator, target, median (|delta| less c), W and S_K."""
    goal, total = medians(screen, margin), walks(weights, hop)
    rows, columns = np.nonzero(np.isfinite(goal))
    genes = np.array(screen.latent, object)
    return pd.DataFrame(
        {
            "fit": name,
            "hop": hop,
            "regulator": genes[rows],
            "target": genes[columns],
            "median": goal[rows, columns],
            "w": weights[rows, columns],
            "s": total[rows, columns],
        }
    )


def summary(weights: np.ndarray, screen: Screen, hop: int, margin: float, name: str) -> dict:
    """How far W and S_K are what the data say.

    Returns
    -------
    dict
        fit, hop, r_w and r_s (Pearson with the medians), error_w (largest |W - median|), same_edges (share of entries,
        the diagonal left out, on which sigmoid(W) > 0.5 and median |delta| > c agree), saturated and
        saturated_extended (share of |W| > 3 in the perturbed rows, in those of G+), edges_extended (share of
        sigmoid(W) > 0.5 in G+).
    """
    table = points(weights, screen, hop, margin, name)
    off = table["regulator"] != table["target"]
    own, extended = weights[single_rows(screen)], weights[screen.perturbed :]
    return {
        "fit": name,
        "hop": hop,
        "r_w": _pearson(table["w"], table["median"]),
        "r_s": _pearson(table["s"], table["median"]),
        "error_w": float((table["w"] - table["median"]).abs().max()),
        "same_edges": float(((table["w"] > 0) == (table["median"] > 0))[off].mean()),
        "saturated": _share(np.abs(own) > SATURATED),
        "saturated_extended": _share(np.abs(extended) > SATURATED),
        "edges_extended": _share(extended > 0),
    }


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else float("nan")


def _pearson(a: pd.Series, b: pd.Series) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")


def term_forms(
    model: Trained, screen: Screen, sizes: tuple[int, ...] = (32, 128, 512), cells: int = 2048, particles: int = 5,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Every term of the loss of one trained model, as published and corrected, on the same training cells.

    Parameters
    ----------
    sizes
        Cells of a batch.
    cells
        At most so many cells are looked at.

    Returns
    -------
    DataFrame
        term, form, batch, value (mean over batches), sd (over batches), batches.
    """
    rows = np.random.default_rng(seed).permutation(screen.rows("train"))[:cells]
    out = []
    for form in COMPAT:
        settings = replace(model.settings, compat=form)
        network = models.build(settings, model.model.sizes)
        network.load_state_dict(model.model.state_dict())
        reader = Reader(screen, settings, "train")
        for size in sizes:
            parts = [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]
            with torch.no_grad():
                noise = Noise((seed, size), particles)
                found = pd.DataFrame(
                    [{n: float(v) for n, v in network.loss_terms(reader.batch(part), noise).items()} for part in parts]
                )
            for term in found:
                sd = found[term].std() if len(found) > 1 else 0.0
                out.append((term, form, size, found[term].mean(), sd, len(found)))
    return pd.DataFrame(out, columns=["term", "form", "batch", "value", "sd", "batches"])
