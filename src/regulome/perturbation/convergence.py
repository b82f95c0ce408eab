"""Convergence subnetworks: the regulators that meet at one gene.

The biological reading of a GPO-VAE network: not single edges, but genes that were not perturbed themselves (G⁺) and on
which many perturbations act. Literal paths from a perturbed gene over such a gene to another perturbed one cannot be
read, because nothing is learned about what an unperturbed gene regulates.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regulome.errors import UserError

PROBABILITY, DISTANCE, FEWEST, MOST = 0.6, 0.3, 3, 30  # published


def subnetworks(
    scores: np.ndarray,
    wasserstein: np.ndarray,
    genes: Sequence[str],
    perturbed: int,
    cutoff: float = PROBABILITY,
    distance: float = DISTANCE,
    fewest: int = FEWEST,
    most: int = MOST,
) -> pd.DataFrame:
    """Edges onto each unperturbed gene that enough regulators share.

    Parameters
    ----------
    scores
        (G, G) signed scores; with the published cutoff, edge probabilities.
    wasserstein
        (G, G) distances of `edge_evidence.evidence`.
    perturbed
        Number of perturbed genes, the first ones.
    cutoff, distance
        An edge needs |score| > cutoff and at least this Wasserstein distance.
    fewest, most
        Number of regulators of a hub.

    Returns
    -------
    DataFrame
        hub, regulators (their number), regulator, target (the hub again), sign, score, wasserstein; hubs with many
        regulators and large distances first.

    Raises
    ------
    UserError
        If `fewest` is above `most` or below 1.
    """
    if not 1 <= fewest <= most:
        raise UserError(f"convergence: found {fewest} to {most} regulators; expected 1 <= fewest <= most")
    strong = (np.nan_to_num(np.abs(scores)) > cutoff) & (np.nan_to_num(wasserstein) >= distance)
    strong[perturbed:] = False
    rows = []
    for column in range(perturbed, len(genes)):
        parents = np.flatnonzero(strong[:, column])
        if fewest <= len(parents) <= most:
            for row in parents[np.argsort(-wasserstein[parents, column], kind="stable")]:
                value = scores[row, column]
                rows.append((genes[column], len(parents), genes[row], genes[column], int(np.sign(value)), value,
                             wasserstein[row, column]))  # fmt: skip
    table = pd.DataFrame(rows, columns=["hub", "regulators", "regulator", "target", "sign", "score", "wasserstein"])
    effect = table.groupby("hub")["wasserstein"].transform("mean")
    by = table.assign(effect=effect).sort_values(["regulators", "effect", "hub"], ascending=[False, False, True])
    return by.drop(columns="effect").reset_index(drop=True)


def against_truth(table: pd.DataFrame, truth: np.ndarray, genes: Sequence[str]) -> pd.DataFrame:
    """True regulators of each hub: hub, regulators (found), true (of them), known (true ones that were perturbed).

    Parameters
    ----------
    table
        Of `subnetworks`.
    truth
        (G, G) of `edge_metrics.truth_matrix`.
    """
    place = {gene: row for row, gene in enumerate(genes)}
    rows = []
    for hub, own in table.groupby("hub", sort=False):
        column = truth[:, place[hub]]
        true = int(np.nansum(column[[place[gene] for gene in own["regulator"]]]))
        rows.append((hub, len(own), true, int(np.nansum(column))))
    return pd.DataFrame(rows, columns=["hub", "regulators", "true", "known"])
