"""Predictions of effects that need no network: what every model is compared with, and ceilings.

Each is a predictor (`regulome.perturbation.ate.Predictor`) made from the training cells alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regulome.errors import UserError, closest
from regulome.perturbation import ate
from regulome.perturbation.ate import Means
from regulome.perturbation.response_metrics import scores
from regulome.perturbation.screen import JOIN, Screen

NO_CHANGE, GLOBAL, TRAIN, SHRUNKEN = "no change", "global mean", "train mean", "shrunken mean"
LINEAR, ADDITIVE, MATCHING, KNOCKDOWN = "linear", "additive", "matching mean", "knockdown alone"
SHRINKAGES = ("zero", "gene", "perturbation", "product", "low rank")


@dataclass(frozen=True)
class Table:
    """Effects that are looked up.

    Attributes
    ----------
    effects
        (P,) by label.
    other
        (P,) effects of every label that is not listed.
    """

    effects: Mapping[str, np.ndarray]
    other: np.ndarray

    def ate(self, labels: Sequence[str], seed: int = 0) -> np.ndarray:
        """(K, P) effects; nothing is random."""
        return np.stack([self.effects.get(label, self.other) for label in labels])


def known(train: Means) -> tuple[list[str], np.ndarray]:
    """Labels that have training cells, and their effects (K', P).

    Raises
    ------
    UserError
        If there is none.
    """
    seen = np.flatnonzero(train.cells[:-1])
    if not len(seen):
        raise UserError("baselines: no perturbation has training cells")
    return [train.labels[row] for row in seen], train.ate[seen]


def no_change(train: Means) -> Table:
    """Every perturbed cell is like a control cell: effects of zero."""
    return Table({}, np.zeros(train.mean.shape[1]))


def global_mean(train: Means) -> Table:
    """Mean of the training effects of all perturbations, whatever is perturbed; each perturbation weighs the same."""
    return Table({}, known(train)[1].mean(0))


def train_mean(train: Means) -> Table:
    """Effect of each perturbation among training cells; `global_mean` for one without training cells."""
    labels, effects = known(train)
    return Table(dict(zip(labels, effects, strict=True)), effects.mean(0))


def shrunken_mean(train: Means, kind: str) -> Table:
    """Training effects drawn towards what is expected before seeing the perturbation (empirical Bayes).

    An effect is target + w (ATE - target), w = τ² / (τ² + s²), with s² the sampling variance of the perturbed mean and
    τ² the variance of true effects, by moments: mean square of ATE - target, less the mean s², at least 0.

    Parameters
    ----------
    kind
        "zero": target 0, one τ² a gene. "gene": target the global mean, one τ² a gene. "perturbation": global mean,
        one τ² a perturbation. "product": global mean, τ² of the gene times τ² of the perturbation over the mean τ².
        "low rank": global mean; singular values of (ATE - target) / s are shrunk as is optimal for unit noise (Gavish
        and Donoho, IEEE Trans Inf Theory 63:2137, 2017, Frobenius loss).

    Raises
    ------
    UserError
        If the kind is unknown.
    """
    if kind not in SHRINKAGES:
        raise UserError(f"shrinkage is '{kind}'; expected one of {', '.join(SHRINKAGES)}{closest(kind, SHRINKAGES)}")
    labels, effects = known(train)
    noise = _noise(train)
    centre = effects.mean(0)
    target = np.zeros_like(centre) if kind == "zero" else centre
    rest = effects - target
    if kind == "low rank":
        shrunk = _low_rank(rest, noise)
    else:
        excess = rest**2 - noise
        tau = _tau(excess, kind)
        with np.errstate(invalid="ignore"):
            shrunk = rest * np.nan_to_num(tau / (tau + noise))
    return Table(dict(zip(labels, target + shrunk, strict=True)), centre)


def _noise(train: Means) -> np.ndarray:
    """(K', P) sampling variance; a perturbation of one cell takes the mean variance of cells of the others."""
    seen = train.cells[:-1] > 0
    variance = train.variance[:-1][seen]
    typical = np.nan_to_num(np.nanmean(np.vstack([variance, train.variance[-1:]]), axis=0))
    return np.where(np.isfinite(variance), variance, typical) / train.cells[:-1][seen, None]


def _tau(excess: np.ndarray, kind: str) -> np.ndarray:
    by_gene = np.maximum(excess.mean(0, keepdims=True), 0)
    by_perturbation = np.maximum(excess.mean(1, keepdims=True), 0)
    if kind in ("zero", "gene"):
        return np.broadcast_to(by_gene, excess.shape)
    if kind == "perturbation":
        return np.broadcast_to(by_perturbation, excess.shape)
    return by_gene * by_perturbation / max(by_perturbation.mean(), 1e-300)


def _low_rank(rest: np.ndarray, noise: np.ndarray) -> np.ndarray:
    # noise of mean i, gene g is close to v_g / n_i; a product keeps the standardised matrix of the same rank
    row, column = noise.mean(1, keepdims=True), noise.mean(0, keepdims=True)
    scale = np.sqrt(row * column / max(noise.mean(), 1e-300))
    alive = scale[0] > 0
    if not alive.any():
        return rest
    out = rest.copy()
    left, values, right = np.linalg.svd(rest[:, alive] / scale[:, alive], full_matrices=False)
    long, short = max(left.shape[0], alive.sum()), min(left.shape[0], alive.sum())
    y, beta = values / np.sqrt(long), short / long
    kept = np.where(y > 1 + np.sqrt(beta), np.sqrt(np.maximum((y**2 - beta - 1) ** 2 - 4 * beta, 0)) / y, 0)
    out[:, alive] = (left * kept * np.sqrt(long)) @ right * scale[:, alive]
    return out


def best_shrunken(train: Means, validation: Means) -> tuple[str, Table, dict[str, float]]:
    """The shrinkage with the highest ATE Pearson on validation cells: kind, predictor, and the score of every kind."""
    labels = [name for name, cells in zip(validation.labels, validation.cells, strict=False) if cells]
    truth = validation.ate[validation.cells[:-1] > 0]
    tables = {kind: shrunken_mean(train, kind) for kind in SHRINKAGES}
    found = {kind: float(scores(t.ate(labels), truth).summary()["pearson"].iloc[0]) for kind, t in tables.items()}
    best = max(found, key=lambda kind: (np.nan_to_num(found[kind], nan=-2), -SHRINKAGES.index(kind)))
    return best, tables[best], found


@dataclass(frozen=True)
class Linear:
    """Linear model of Ahlmann-Eltze, Huber & Anders (Nat Methods 22:1657, 2025), which predicts unseen perturbations.

    Y (genes x training perturbations) are effects, centred by the mean b of each gene. Singular vectors give genes an
    embedding G (P, d); a perturbation has that of its gene, the sum for a combination: columns of Q. Then K =
    (G'G + rI)⁻¹ G'Y Q' (QQ' + rI)⁻¹ and the prediction is G K q + b. A perturbation of a gene that is not measured has
    no embedding: it takes no part in K, and b is predicted for it.
    """

    gene_embedding: np.ndarray
    coupling: np.ndarray
    mean: np.ndarray
    columns: Mapping[str, int]

    def embedding(self, label: str) -> np.ndarray | None:
        """(d,) of a perturbation; None if one of its genes is not measured."""
        places = [self.columns.get(gene) for gene in label.split(JOIN)]
        return None if None in places else self.gene_embedding[places].sum(0)

    def ate(self, labels: Sequence[str], seed: int = 0) -> np.ndarray:
        """(K, P) effects; nothing is random."""
        found = [self.embedding(label) for label in labels]
        zero = np.zeros(self.coupling.shape[1])
        q = np.stack([zero if one is None else one for one in found])
        return q @ self.coupling.T @ self.gene_embedding.T + self.mean


def linear(train: Means, genes: Sequence[str], dimensions: int = 10, ridge: float = 0.1) -> Linear:
    """Fit `Linear` to the training effects; `genes` name the P columns. At most K' - 1 dimensions are used."""
    labels, effects = known(train)
    mean = effects.mean(0)
    y = (effects - mean).T
    left, values, _ = np.linalg.svd(y, full_matrices=False)
    d = max(min(dimensions, len(labels) - 1), 1)
    embedding = left[:, :d] * values[:d]
    model = Linear(embedding, np.zeros((d, d)), mean, {gene: column for column, gene in enumerate(genes)})
    usable = [(row, q) for row, q in enumerate(map(model.embedding, labels)) if q is not None]
    if not usable:
        return model
    q = np.stack([one for _, one in usable], 1)
    y, eye = y[:, [row for row, _ in usable]], ridge * np.eye(d)
    coupling = np.linalg.solve(embedding.T @ embedding + eye, embedding.T @ y @ q.T) @ np.linalg.inv(q @ q.T + eye)
    return Linear(embedding, coupling, mean, model.columns)


def of_singles(train: Means, combine: str, singles: Table | None = None) -> "Combined":
    """Predict combinations from the effects of their genes alone: ADDITIVE (sum) or MATCHING (mean, as in Systema).

    `singles` predicts single perturbations (default: `train_mean`); one without training cells has the global mean.
    """
    if combine not in (ADDITIVE, MATCHING):
        raise UserError(f"combine is '{combine}'; expected {ADDITIVE} or {MATCHING}")
    return Combined(singles or train_mean(train), combine == ADDITIVE)


def knockdown(train: Means, genes: Sequence[str]) -> "Knockdown":
    """For perturbations without training cells: `global_mean`, but for what perturbing a gene does to the gene itself.

    That is the median, over single perturbations of training, of the effect on the own gene. What a model adds to this
    is what it knows about other genes.
    """
    place = {gene: column for column, gene in enumerate(genes)}
    labels, effects = known(train)
    own = [row[place[label]] for label, row in zip(labels, effects, strict=True) if label in place]
    return Knockdown(train_mean(train), place, float(np.median(own)) if own else 0.0)


@dataclass(frozen=True)
class Knockdown:
    """Effects of trained perturbations, else the global mean with the own gene set to `dose`; sums for combinations."""

    trained: Table
    columns: Mapping[str, int]
    dose: float

    def ate(self, labels: Sequence[str], seed: int = 0) -> np.ndarray:
        """(K, P) effects; nothing is random."""
        return np.stack([sum(self._single(gene) for gene in label.split(JOIN)) for label in labels])

    def _single(self, gene: str) -> np.ndarray:
        out = self.trained.ate([gene])[0].copy()
        if gene not in self.trained.effects and gene in self.columns:
            out[self.columns[gene]] = self.dose
        return out


@dataclass(frozen=True)
class Combined:
    """Sum (or mean) of predicted single effects."""

    singles: Table
    add: bool

    def ate(self, labels: Sequence[str], seed: int = 0) -> np.ndarray:
        """(K, P) effects; nothing is random."""
        parts = [self.singles.ate(label.split(JOIN)) for label in labels]
        return np.stack([part.sum(0) if self.add else part.mean(0) for part in parts])


def halves(screen: Screen, rows: np.ndarray, seed: int, method: str = ate.PUBLISHED) -> tuple[Means, Means]:
    """Effects in two random halves of some cells: how well measured effects agree with themselves."""
    rows = np.random.default_rng(seed).permutation(rows)
    half = len(rows) // 2
    return ate.means(screen, rows[:half], method), ate.means(screen, rows[half:], method)


def perfect_pearson(train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> float:
    """ATE Pearson that the true effects would reach against the measured test effects.

    Three independent measurements of the same effects have correlations r = sqrt(R R'), with R the reliability of each;
    so sqrt(R_test) = sqrt(r_train,test r_validation,test / r_train,validation). nan if a correlation is not positive.
    """
    r = np.corrcoef([matrix.ravel() for matrix in (train, validation, test)])
    if min(r[0, 1], r[0, 2], r[1, 2]) <= 0:
        return float("nan")
    return float(np.sqrt(r[0, 2] * r[1, 2] / r[0, 1]))
