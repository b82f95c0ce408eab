"""The table of effects that every knockout returns, whatever was removed from whatever model.

| column | what it holds |
|---|---|
| part | binding, perturbation, circuits or stochastic |
| system | which model or system the knockout was made in |
| removed | what was removed or weakened, in words: "g2 -> g1", "R07", "R07 -> T12", "mRNA decay x 0.5", "A12C" |
| kind | link, gene, edge, reaction, residues, bases or structure |
| readout | what was looked at: a gene's mean level, a protein's sd, a binding profile |
| unit | of the numbers that follow |
| effect | readout after the knockout minus readout before |
| low, high | interval of the effect; missing where there is none |
| interval | what the interval is of, in words: "5 to 95 % of 16 trainings" |
| truth | effect of the same knockout in what the model was learned from; missing where nobody knows |
| truth_source | where the truth comes from, in words |
| note | what has to be known to read the row, such as "outside the training box" |
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from regulome.errors import UserError, closest

COLUMNS = (
    "part", "system", "removed", "kind", "readout", "unit", "effect", "low", "high", "interval", "truth",
    "truth_source", "note",
)  # fmt: skip
PARTS = ("circuits", "perturbation", "stochastic", "binding")
KINDS = ("link", "gene", "edge", "reaction", "residues", "bases", "structure")
KEYS = ["removed", "readout"]  # name a row among the knockouts of one system
_TEXT = {"interval": "none", "truth_source": "unknown", "note": ""}


def table(rows: Iterable[Mapping[str, object]], **common: object) -> pd.DataFrame:
    """Rows as a table of effects; `common` holds what all rows share, and what is not given is missing.

    Raises
    ------
    UserError
        For a column, part or kind that does not exist, or a row without what names it.
    """
    found = pd.DataFrame([common | dict(row) for row in rows])
    for name in found.columns:
        if name not in COLUMNS:
            raise UserError(f"effects: unknown column '{name}'{closest(name, COLUMNS)}; expected {', '.join(COLUMNS)}")
    for name in ("part", "system", "removed", "kind", "readout", "unit", "effect"):
        if name not in found:
            raise UserError(f"effects: no column '{name}'; expected it in every row")
    for name, known in (("part", PARTS), ("kind", KINDS)):
        wrong = [value for value in found[name].unique() if value not in known]
        if wrong:
            raise UserError(
                f"effects: found {name} '{wrong[0]}'{closest(wrong[0], known)}; expected {', '.join(known)}"
            )
    for name, text in _TEXT.items():
        found[name] = found[name].fillna(text) if name in found else text
    found = found.reindex(columns=list(COLUMNS))
    return found.astype(dict.fromkeys(("effect", "low", "high", "truth"), float))


def join(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several tables of effects as one."""
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def with_truth(effects: pd.DataFrame, true: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with its truth: the effects of the same knockouts, of the same readouts, in another table.

    Parameters
    ----------
    effects, true
        Knockouts of one system in a model and in what is true; a row that is not in `true` has no truth.
    source
        In words.

    Raises
    ------
    UserError
        If two rows of either have the same names, or units differ.
    """
    for name, one in (("effects", effects), ("true effects", true)):
        twice = one.duplicated(KEYS)
        if twice.any():
            raise UserError(f"{name}: found {tuple(one.loc[twice, KEYS].iloc[0])} twice; expected each row once")
    if set(true["unit"]) - set(effects["unit"]):
        found = sorted(set(true["unit"]) - set(effects["unit"]))
        raise UserError(f"true effects: found unit '{found[0]}'; expected {', '.join(sorted(set(effects['unit'])))}")
    values = effects[KEYS].merge(true[[*KEYS, "effect"]], on=KEYS, how="left")["effect"].to_numpy()
    known = np.isfinite(values)
    return effects.assign(truth=values, truth_source=np.where(known, source, _TEXT["truth_source"]))


def over_trainings(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean effect over several trainings of one model, with their range as the interval.

    The tables hold the same rows in the same order, one table a training.
    """
    first, count = tables[0], len(tables)
    if any(not one[KEYS].equals(first[KEYS]) for one in tables):
        raise UserError("trainings: found tables of different knockouts; expected the same rows in the same order")
    values = np.stack([one["effect"] for one in tables])
    if count == 1:
        return first.copy()
    return first.assign(
        effect=values.mean(0), low=values.min(0), high=values.max(0), interval=f"range over {count} trainings"
    )


def largest(effects: pd.DataFrame, count: int) -> pd.DataFrame:
    """Of each system and kind the rows with the largest |truth| (|effect| where it is unknown), in their order."""
    size = effects["truth"].abs().fillna(effects["effect"].abs())
    rank = size.groupby([effects["system"], effects["kind"]]).rank(method="first", ascending=False)
    return effects[rank <= count].reset_index(drop=True)
