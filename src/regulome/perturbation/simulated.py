"""Simulated screens as prepared ones, and scores of responses on screens that no setting was chosen on."""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from regulome.perturbation import ate, evaluation, prepare
from regulome.perturbation.ate import Predictor
from regulome.perturbation.edge_references import widened
from regulome.perturbation.layouts import RawScreen
from regulome.perturbation.screen import Screen


def prepared(table: AnnData) -> Screen:
    """A screen of `regulome.simulated_screen`, prepared: random matched controls, every gene latent."""
    label = table.obs["perturbation"].astype(str).to_numpy()
    names = (tuple(table.var_names), tuple(table.obs_names))
    raw = RawScreen("simulated", csr_matrix(table.X), *names, label, table.obs, "simulated")
    return widened(prepare.prepare(raw, prepare.Settings(min_cells=1, match_method="random")))


def responses(
    made: Iterable[tuple[AnnData, pd.DataFrame]], fit: Callable[[Screen], Mapping[str, Predictor]]
) -> pd.DataFrame:
    """Scores against held-out cells of simulated screens, baselines and ceilings beside models.

    Parameters
    ----------
    made
        Screens and their networks, of `regulome.simulated_screen.simulate`.
    fit
        Trains models on a prepared screen.

    Returns
    -------
    DataFrame
        screen (from 0), predictor, metric, value; no rows without screens.
    """
    columns = ["screen", "predictor", "metric", "value"]
    parts = [pd.DataFrame(columns=columns)]
    for number, (table, _) in enumerate(made):
        screen = prepared(table)
        train, validation = (ate.of_split(screen, name) for name in ("train", "validation"))
        reference = evaluation.reference(screen, "test", fdr=None)
        predictors = evaluation.standard(train, validation, screen.genes) | dict(fit(screen))
        found = evaluation.evaluate({name: [one] for name, one in predictors.items()}, reference, draws=2)
        both = pd.concat([found, evaluation.ceilings(screen, reference, draws=2)], ignore_index=True)
        parts.append(both.assign(screen=number)[columns])
    return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else parts[0]
