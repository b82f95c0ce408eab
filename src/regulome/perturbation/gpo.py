"""Our GPO-VAE: an autoencoder of counts whose perturbation effects are explained by a signed, sparse network.

Three parts, each fitted to its own evidence, none weighted against another by hand:

* `gpo_training`: a negative binomial autoencoder; perturbation k adds its effects R_k to the logits of the genes;
* `gpo_effects`: the posterior of R, an empirical Bayes estimate over all perturbations and genes, which predicts
  (`gpo_response`);
* `gpo_network`: direct effects A = M * E between the latent genes that explain R by paths; mask and effects have an
  exact spike-and-slab posterior. z_p = d (I - A)^-1 is the gene-indexed latent; it predicts what was never perturbed.

The published model (`training.train`) ties its network to the cells through the median of |Delta| alone, and its
effects through an unconstrained decoder. What differs here: effects have signs; the mask explains paths instead of
being measured differential expression; divergences are exact; no term depends on the batch; predictions are
expectations at libraries as observed instead of samples at 1e4 UMI.

The network does not feed back on the effects of perturbations that were trained: it explains them, and it predicts
those that were not.

    model = gpo.train(screen)
    model.ate(["STAT1"]);  model.predict("STAT1", n=500);  model.network();  model.edges().head()
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from regulome import devices, tensor_file
from regulome.errors import UserError
from regulome.perturbation import gpo_network, gpo_response
from regulome.perturbation.gpo_network import Network, NetworkSettings
from regulome.perturbation.gpo_response import OBSERVED, POSTERIOR
from regulome.perturbation.gpo_training import Autoencoder, GpoTraining
from regulome.perturbation.gpo_training import train as train_autoencoder
from regulome.perturbation.screen import Screen

FORMAT = "regulome gpo model 1"
ARRAYS = (
    "perturbed", "column", "maximum", "effects", "effects_sd", "centre", "libraries", "shift", "residual", "correction",
)  # fmt: skip


@dataclass(frozen=True)
class Gpo:
    """A trained model.

    Attributes
    ----------
    genes, labels, latent
        P measured genes, K perturbations with training cells, G latent genes, as in the screen.
    perturbed
        (G,) bool: perturbed in training.
    column
        (G,) column of each latent gene among `genes`; -1: not measured.
    autoencoder
        See `gpo_training`.
    maximum, effects, effects_sd
        (K, P) effects on the natural logarithm of expression: maximum of the likelihood, posterior mean and sd.
    centre
        (K + 1, L) of the encoder.
    libraries, shift
        (Q,) quantiles of the libraries of training cells; (K,) shift of their logarithm by each perturbation, shrunken.
    residual, correction
        (K, P) what the effects at the maximum leave of the measured ATE of the training cells, and its posterior mean.
    graph
        Posterior of the network.
    record
        Settings and log, plain values.
    estimate
        Of `ate` where none is asked for; `dataclasses.replace(model, estimate="specific")` is a predictor of its own.
    """

    genes: tuple[str, ...]
    labels: tuple[str, ...]
    latent: tuple[str, ...]
    perturbed: np.ndarray
    column: np.ndarray
    autoencoder: Autoencoder
    maximum: np.ndarray
    effects: np.ndarray
    effects_sd: np.ndarray
    centre: np.ndarray
    libraries: np.ndarray
    shift: np.ndarray
    residual: np.ndarray
    correction: np.ndarray
    graph: Network
    record: dict = field(default_factory=dict)
    estimate: str = POSTERIOR

    @property
    def log(self) -> pd.DataFrame:
        """A row an epoch: epoch, seconds, reconstruction, divergence and their sum, training and validation."""
        return pd.DataFrame(self.record["log"])

    @property
    def direction(self) -> int:
        """-1 knockdown or knockout, 1 activation."""
        return self.record["direction"]

    # --- response: see `gpo_response`

    def response(self, label: str, estimate: str | None = None) -> tuple[np.ndarray, float]:
        """See `gpo_response.response`."""
        return gpo_response.response(self, label, estimate or self.estimate)

    def pseudobulk(
        self, label: str, estimate: str | None = None, library: float | str = OBSERVED, seed: int = 0
    ) -> np.ndarray:
        """See `gpo_response.pseudobulk`."""
        return gpo_response.pseudobulk(self, label, estimate or self.estimate, library, seed)

    def ate(
        self,
        labels: Sequence[str] | None = None,
        seed: int = 0,
        estimate: str | None = None,
        library: float | str = OBSERVED,
        **_,
    ) -> np.ndarray:
        """See `gpo_response.ate`; further arguments of `Trained.ate` (n, device) mean nothing here."""
        labels = self.labels if labels is None else labels
        return gpo_response.ate(self, labels, seed, estimate or self.estimate, library)

    def predict(self, label: str, n: int = 2500, seed: int = 0, library: float | str = OBSERVED, **_) -> np.ndarray:
        """See `gpo_response.predict`."""
        return gpo_response.predict(self, label, n, seed, library)

    def log_weights(
        self, screen: Screen, rows: np.ndarray, particles: int = 100, seed: int = 0, batch: int = 128, **_
    ) -> np.ndarray:
        """See `gpo_response.log_weights`."""
        self.check(screen)
        return gpo_response.log_weights(self, screen, rows, particles, seed, batch)

    def check(self, screen: Screen) -> None:
        """Refuse a screen with other genes (UserError)."""
        if screen.genes != self.genes:
            raise UserError(f"{screen.name}: other measured genes than the model was trained on, or another order")

    # --- the network

    def network(self, scale: str = "effect") -> pd.DataFrame:
        """(G, G) signed scores, rows regulators, columns targets; positive: activation; nan where nothing is known.

        Parameters
        ----------
        scale
            "effect": posterior mean of A (log change of the target for a unit log change of the regulator);
            "probability": that of an edge, with the sign of the effect.
        """
        known = np.outer(self.perturbed | (self.column >= 0), self.column >= 0)
        if scale not in ("effect", "probability"):
            raise UserError(f"network: found scale '{scale}'; expected 'effect' or 'probability'")
        graph = self.graph
        values = graph.effect if scale == "effect" else np.sign(graph.mean) * graph.probability
        values = np.where(known, values, np.nan)
        np.fill_diagonal(values, np.nan)
        return pd.DataFrame(values, index=list(self.latent), columns=list(self.latent))

    def edges(self, probability: float = 0.0) -> pd.DataFrame:
        """Pairs above a probability, most probable first.

        Columns: regulator, target, sign, probability, effect, sd, perturbed, which says
        whether the regulator was perturbed; otherwise the edge rests on sparsity alone.
        """
        graph = self.graph
        rows, columns = np.nonzero(np.where(np.isfinite(self.network()), graph.probability, -1) > probability)
        names = np.array(self.latent, object)
        table = pd.DataFrame(
            {
                "regulator": names[rows],
                "target": names[columns],
                "sign": np.sign(graph.mean[rows, columns]).astype(int),
                "probability": graph.probability[rows, columns],
                "effect": graph.effect[rows, columns],
                "sd": graph.sd[rows, columns],
                "perturbed": self.perturbed[rows],
            }
        )
        order = np.lexsort((-np.abs(table["effect"]), -table["probability"]))
        return table.iloc[order].reset_index(drop=True)

    # --- files

    def save(self, path: str | Path) -> None:
        """Write the model; UserError if it cannot be written."""
        text = {name: getattr(self, name) for name in ("genes", "labels", "latent", "record")}
        text |= {"hyper": self.graph.hyper, "estimate": self.estimate}
        tensors = {f"autoencoder.{name}": value for name, value in self.autoencoder.state_dict().items()}
        tensors |= {name: torch.from_numpy(getattr(self, name)) for name in ARRAYS}
        for name in ("probability", "mean", "variance"):
            tensors[f"graph.{name}"] = torch.from_numpy(getattr(self.graph, name))
        tensor_file.write(path, FORMAT, text, tensors)

    @classmethod
    def load(cls, path: str | Path) -> "Gpo":
        """Read a model; nothing in the file is executed.

        Raises
        ------
        UserError
            If the file is missing, damaged or none.
        """
        text, tensors = tensor_file.read(path, FORMAT, "a model that Gpo.save wrote")
        try:
            names = {name: tuple(text[name]) for name in ("genes", "labels", "latent")}
            training, blank = GpoTraining(**text["record"]["training"]), np.ones(len(names["genes"]), np.float32)
            autoencoder, start = Autoencoder(len(blank), training, blank, blank, blank), "autoencoder."
            autoencoder.load_state_dict({n[len(start) :]: v for n, v in tensors.items() if n.startswith(start)})
            posterior = (tensors[f"graph.{name}"].numpy() for name in ("probability", "mean", "variance"))
            arrays = {name: tensors[name].numpy() for name in ARRAYS}
            graph = Network(*posterior, text["hyper"])
            rest = {"record": text["record"], "estimate": text.get("estimate", POSTERIOR)}
            return cls(**names, **arrays, autoencoder=autoencoder.eval(), graph=graph, **rest)
        except (KeyError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:120]
            raise UserError(f"{path}: damaged model ({reason}); expected one that Gpo.save wrote") from None


def train(
    screen: Screen,
    training: GpoTraining | None = None,
    network: NetworkSettings | None = None,
    device: str = "auto",
    progress: bool = True,
    direction: int = -1,
) -> Gpo:
    """Train the model on the training cells of a screen; its validation cells decide when to stop.

    Parameters
    ----------
    direction
        -1 for knockdowns and knockouts, 1 for activation (CRISPRa).

    Raises
    ------
    UserError
        As `gpo_training.train`.
    """
    training, network = training or GpoTraining(), network or NetworkSettings()
    fitted = train_autoencoder(screen, training, devices.choose(device), progress)
    dosage, measured = screen.dosage[fitted.seen], screen.latent_column >= 0
    columns = np.maximum(screen.latent_column, 0)
    noise = (fitted.noise + fitted.control_noise)[:, columns]
    graph = gpo_network.fit(fitted.maximum[:, columns], noise, dosage, measured, network, direction)
    libraries, shift = gpo_response.libraries(screen, fitted.seen, training.cells)
    record = {"training": asdict(training), "network": asdict(network), "direction": direction, "log": fitted.log}
    nothing = np.zeros_like(fitted.maximum)
    model = Gpo(
        screen.genes, tuple(screen.labels[place] for place in fitted.seen), screen.latent, dosage.any(0),
        screen.latent_column, fitted.autoencoder, fitted.maximum, fitted.effects.mean, fitted.effects.sd,
        fitted.centre.numpy(), libraries, shift, nothing, nothing, graph, record,
    )  # fmt: skip
    residual, correction = gpo_response.corrections(model, screen, fitted.seen)
    return replace(model, residual=residual, correction=correction)
