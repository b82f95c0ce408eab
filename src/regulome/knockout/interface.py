"""One question to every model: `knockout(model, target)`.

What kind of model it is decides how the answer is found; `regulome.knockout.targets` lists what can be asked, and
`regulome.knockout.table` what comes back. Trained models, what they were learned from (a Hill circuit, a simulated gene
network, the exact law, measured cells) and baselines are all asked in the same way, so that a prediction and its truth
are two answers to one question.

| model | target | part |
|---|---|---|
| `CircuitNetwork` (trained), `HillCircuits`, `LinearRates` | `Link` | circuits |
| `Gpo`, `Trained`, `Table` (a baseline), `Means` (measured cells) | `Gene` | perturbation |
| `Gpo` (trained network), `TrueNetwork` | `Edge` | perturbation |
| `Solver` (trained), `StateTransitionNetwork` (exact), `NearestLaw` | `Reaction` | stochastic |
| `Predictor` (trained), `Neighbours`, `TrueScan` | `Bases`, `Residues`, `Helices` | binding |
"""

from functools import singledispatch

import pandas as pd

from regulome.errors import UserError


def knockout(model: object, target: object) -> pd.DataFrame:
    """Effects of a knockout in a model.

    Parameters
    ----------
    model, target
        See the table above.

    Returns
    -------
    pandas.DataFrame
        Columns `regulome.knockout.table.COLUMNS`, one row a readout.

    Raises
    ------
    UserError
        For a model or target that is none of these, or does not fit the other; for an unknown link, gene, edge,
        reaction or residue.
    """
    # each of these registers the models of its part
    from regulome.knockout import binding_sites, circuit_links, edges, genes, reactions  # noqa: F401

    return answer(model, target)


@singledispatch
def answer(model: object, target: object) -> pd.DataFrame:
    """What the adapters register; ask `knockout`."""
    raise UserError(
        f"knockout: found a model of type {type(model).__name__}; expected one of the models listed in {__name__}"
    )


def expected(target: object, model: object, *kinds: type) -> None:
    """Refuse a target that the model cannot answer (UserError)."""
    if not isinstance(target, kinds):
        words = " or ".join(kind.__name__ for kind in kinds)
        raise UserError(
            f"knockout: found a target of type {type(target).__name__} for a {type(model).__name__}; expected {words}"
        )
