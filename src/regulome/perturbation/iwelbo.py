"""Importance-weighted bound on the log-likelihood of held-out cells (Burda, Grosse & Salakhutdinov, ICLR 2016)."""

from typing import Protocol

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from regulome.errors import UserError
from regulome.perturbation.screen import Screen


class Weighted(Protocol):
    """A model that can weigh its own samples."""

    def log_weights(self, screen: Screen, rows: np.ndarray, particles: int, seed: int) -> np.ndarray:
        """(S, N) log p(x | z) + log p(z) - log q(z | x), in nats, of S samples z for each of N cells.

        x is decoded as of the cell's own quality; mask, effects and artifact are drawn once and not scored.
        """


def bound(log_weights: np.ndarray) -> np.ndarray:
    """(N,) log of the mean weight over S particles, logsumexp - ln S: in expectation a lower bound on log p(x).

    It grows with S and is the bound of one sample (ELBO) for S = 1.

    Raises
    ------
    UserError
        If there is no particle, or a weight is nan or +infinite.
    """
    weights = np.asarray(log_weights, float)
    if weights.ndim != 2 or not len(weights):
        raise UserError(f"IWELBO: log weights have shape {weights.shape}; expected (particles, cells)")
    if np.isnan(weights).any() or (weights == np.inf).any():
        raise UserError("IWELBO: found log weights that are not numbers; expected finite values or -inf")
    return logsumexp(weights, axis=0) - np.log(len(weights))


def of_cells(model: Weighted, screen: Screen, rows: np.ndarray, particles: int = 100, seed: int = 0) -> pd.DataFrame:
    """A row for each cell: its bound with all particles ("iwelbo") and the mean of bounds of one ("elbo"), nats.

    Published: 100 particles, mean over test cells, without the weights of the quality classes that training uses.
    """
    weights = model.log_weights(screen, rows, particles=particles, seed=seed)
    return pd.DataFrame({"row": rows, "iwelbo": bound(weights), "elbo": np.mean(weights, axis=0, dtype=float)})


def summary(cells: pd.DataFrame) -> dict[str, float]:
    """Means over cells, and the standard error of the bound's."""
    error = cells["iwelbo"].std() / np.sqrt(len(cells)) if len(cells) > 1 else np.nan
    return {"iwelbo": cells["iwelbo"].mean(), "iwelbo_error": error, "elbo": cells["elbo"].mean(), "cells": len(cells)}
