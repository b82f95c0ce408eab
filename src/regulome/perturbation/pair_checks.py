"""What a way to pair cells with controls does: how flat the transport plan is, and what becomes of the mean difference.

A pair is meant to give each cell its own difference, Delta = cell - control. Two things can go wrong. A plan that is
nearly flat pairs at random, which leaves the mean difference of a perturbation right and every single one noisy. Pairs
chosen for their similarity in the very genes whose difference is measured make the difference too small. The slope of
the mean of Delta on the difference of means (cells of a perturbation minus all controls of the split) shows it: 1 is
right.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from regulome.errors import UserError, closest
from regulome.perturbation import matching
from regulome.perturbation.screen import Screen


def variable_genes(screen: Screen, most: int = 20) -> np.ndarray:
    """Columns of the measured perturbed genes and of the `most` other genes of largest variance, log-normalised."""
    own = screen.latent_column[: screen.perturbed]
    own = own[own >= 0]
    variance = screen.normalised(np.arange(len(screen))).var(0)
    variance[own] = -1
    return np.concatenate([own, np.argsort(-variance, kind="stable")[:most]])


def flatness(
    expression: np.ndarray, screen: Screen, name: str, regulariser: float, scale: str, split: str | None = None
) -> dict[str, float]:
    """How far the transport plan of one perturbation is from uniform.

    Parameters
    ----------
    expression
        (N, genes) values in which cells are compared.
    name
        One of ``screen.labels``.
    regulariser, scale
        See `matching.plan`.
    split
        Cells of one split; None: all.

    Returns
    -------
    dict
        row_max: largest mass of a row over the uniform mass, mean over cells (1: flat); nearest: share of cells whose
        largest mass lies on the nearest control.

    Raises
    ------
    UserError
        If there is no such perturbation, or it has no cells or controls there.
    """
    if name not in screen.labels:
        raise UserError(f"{screen.name}: no perturbation '{name}'{closest(name, screen.labels)}")
    cells, controls = screen.rows(split, name), screen.rows(split, "control")
    if not len(cells) or not len(controls):
        raise UserError(f"{screen.name}: {len(cells)} cells of '{name}' and {len(controls)} controls; expected both")
    cost = cdist(expression[cells], expression[controls])
    plan = matching.plan(cost, regulariser, scale)
    return {
        "row_max": float(plan.max(1).mean() * plan.size),
        "nearest": float((plan.argmax(1) == cost.argmin(1)).mean()),
    }


def compare(
    screen: Screen, expression: np.ndarray, pairs: Mapping[str, np.ndarray]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ways of pairing beside each other, on the training cells.

    Parameters
    ----------
    screen
        Its own pairs are not looked at.
    expression
        (N, genes) values in which controls were matched.
    pairs
        (N,) control rows of each way, as of `matching.match`; "nearest" and "random" have to be among them.

    Returns
    -------
    DataFrame
        way, same_as_nearest (share of cells), distance (mean distance of a pair over that of random pairs),
        controls_used (share of the controls in some pair), slope and r (of the mean of Delta on the difference of
        means, over perturbations and measured latent genes), sd (of Delta around its mean, root mean square).
    DataFrame
        The points: way, perturbation, gene, difference, paired.
    """
    rows = screen.rows("train")
    rows = rows[screen.label[rows] >= 0]
    columns = screen.latent_column[screen.latent_column >= 0]
    value = screen.normalised(np.arange(len(screen)), columns)
    centre = value[screen.rows("train", "control")].mean(0)
    label = screen.label[rows]
    names, genes = np.array(screen.labels)[np.unique(label)], np.array(screen.genes)[columns]
    difference = _means(value[rows] - centre, label)
    length = {way: _length(expression, rows, control) for way, control in pairs.items()}
    table, points = [], []
    for way, control in pairs.items():
        delta = value[rows] - value[control[rows]]
        paired = _means(delta, label)
        spread = np.sqrt(np.mean((delta - paired[np.searchsorted(np.unique(label), label)]) ** 2))
        slope = float((difference * paired).sum() / (difference**2).sum())
        table.append(
            {
                "way": way,
                "same_as_nearest": float((control[rows] == pairs["nearest"][rows]).mean()),
                "distance": length[way] / length["random"],
                "controls_used": len(np.unique(control[rows])) / len(screen.rows("train", "control")),
                "slope": slope,
                "r": float(np.corrcoef(difference.ravel(), paired.ravel())[0, 1]),
                "sd": float(spread),
            }
        )
        points.append(
            pd.DataFrame(
                {
                    "way": way,
                    "perturbation": np.repeat(names, len(genes)),
                    "gene": np.tile(genes, len(names)),
                    "difference": difference.ravel(),
                    "paired": paired.ravel(),
                }
            )
        )
    return pd.DataFrame(table), pd.concat(points, ignore_index=True)


def _length(expression: np.ndarray, rows: np.ndarray, control: np.ndarray) -> float:
    return float(np.linalg.norm(expression[rows] - expression[control[rows]], axis=1).mean())


def _means(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.stack([values[label == each].mean(0) for each in np.unique(label)])
