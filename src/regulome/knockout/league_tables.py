"""Tables of the league: every method on every screen, means with intervals over seeds, and who wins where."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from regulome.knockout.league_grid import Cell
from regulome.knockout.league_methods import CEILINGS, ONE, Played
from regulome.perturbation import edge_metrics

METRICS = ("auprc", "auroc", "precision", "sign_accuracy", "sign_accuracy_all")
PLACE = ["size", "noise"]


def truth(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """(K, G) 1 where there is a link, 0 where none, nan for a gene on itself; (K, G) signs."""
    network, _ = cell.network()
    found = np.zeros((cell.size, len(network.names)))
    signs = np.zeros_like(found)
    inside = network.source < cell.size
    source, target = network.source[inside], network.target[inside]
    found[source, target] = 1
    signs[source, target] = network.sign[inside]
    found[np.arange(cell.size), np.arange(cell.size)] = np.nan
    return found, signs


def scores(played: Iterable[Played]) -> pd.DataFrame:
    """Scores of every method on every screen, one row each, mean over the runs of a method.

    Returns
    -------
    DataFrame
        size, noise, seed, method, runs, chance, edges, pairs, then `METRICS` (signs nan for methods without).
    """
    rows = []
    for each in played:
        known, signs = truth(each.cell)
        for method in dict.fromkeys(each.methods):
            found = pd.DataFrame([edge_metrics.score(run, known, signs) for run in each.runs(method)])
            row = {"size": each.cell.size, "noise": each.cell.noise, "seed": each.cell.seed, "method": method}
            kept = found[["chance", "edges", "pairs", *METRICS]].mean()
            rows.append(row | {"runs": len(found)} | kept.to_dict())
    return pd.DataFrame(rows).astype({"edges": int, "pairs": int})


def seconds(played: Iterable[Played]) -> pd.DataFrame:
    """Mean wall time (s) of a training or computation by method and size; other numbers at the next run."""
    rows = [
        {"method": name, "size": each.cell.size, "seconds": took}
        for each in played
        for name, took in zip(each.methods, each.seconds, strict=True)
        if took > 0
    ]
    return pd.DataFrame(rows).pivot_table(index="method", columns="size", values="seconds", sort=False)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with 95 % intervals of Student's t (nan from one seed), best AUPRC of each place first.

    Returns
    -------
    DataFrame
        size, noise, method, seeds, chance, and NAME, NAME_low, NAME_high of every metric.
    """
    rows = []
    for (size, noise, method), own in table.groupby([*PLACE, "method"], sort=False):
        row = {"size": size, "noise": noise, "method": method, "seeds": len(own), "chance": own["chance"].mean()}
        for name in METRICS:
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), interval(own[name]), strict=True))
        rows.append(row)
    out = pd.DataFrame(rows)
    out["order"] = out.groupby(PLACE, sort=False).ngroup()
    return out.sort_values(["order", "auprc"], ascending=[True, False], kind="stable", ignore_index=True).drop(
        columns="order"
    )


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean and interval of Student's t over the finite values, within 0 to 1."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else np.nan, np.nan, np.nan)
    half = stats.t.ppf((1 + level) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean()), max(0.0, float(known.mean() - half)), min(1.0, float(known.mean() + half))


def winners(table: pd.DataFrame) -> pd.DataFrame:
    """Who comes first in AUPRC (ceilings aside) at every size and noise level, and against whom.

    Returns
    -------
    DataFrame
        size, noise, winner, auprc, second, auprc_second, and lead with lead_low and lead_high: mean difference between
        the two over the same seeds with its 95 % interval (nan from one seed).
    """
    rows = []
    for (size, noise), own in table[~table["method"].isin([*CEILINGS, ONE])].groupby(PLACE, sort=False):
        wide = own.pivot(index="seed", columns="method", values="auprc")
        order = wide.mean().sort_values(ascending=False, kind="stable")
        first, second = order.index[:2]
        gap = (wide[first] - wide[second]).to_numpy()
        low = high = np.nan
        if len(gap) > 1:
            half = stats.t.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
            low, high = gap.mean() - half, gap.mean() + half
        rows.append((size, noise, first, order.iloc[0], second, order.iloc[1], gap.mean(), low, high))
    columns = ["size", "noise", "winner", "auprc", "second", "auprc_second", "lead", "lead_low", "lead_high"]
    return pd.DataFrame(rows, columns=columns)


def statement(found: pd.DataFrame) -> str:
    """`winners` in words, one sentence a place."""
    lines = []
    for row in found.itertuples():
        clear = row.lead_low > 0
        tail = "" if clear else "; the interval of the difference contains 0" if np.isfinite(row.lead_low) else ""
        lines.append(
            f"{row.size} knocked-down genes, {row.noise}: {row.winner} (AUPRC {row.auprc:.3f}) before {row.second} "
            f"({row.auprc_second:.3f}){tail}."
        )
    return "\n".join(lines)


def network_links(cell: Cell, scores: np.ndarray, genes: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """True links, and as many of the strongest learned ones.

    Returns
    -------
    Two tables: regulator, target, sign, value; the learned one also has right: whether the link exists with that sign
    (any sign, where the method has none).
    """
    known, signs = truth(cell)
    rows, columns = np.nonzero(known == 1)
    names = np.array(genes, object)
    true = pd.DataFrame({"regulator": names[rows], "target": names[columns], "sign": signs[rows, columns].astype(int)})
    strength = np.nan_to_num(np.abs(np.where(np.isfinite(known), scores, np.nan)))
    order = np.argsort(-strength, axis=None, kind="stable")[: len(rows)]
    rows, columns = np.divmod(order, len(genes))
    found = scores[rows, columns]
    signed = (np.nan_to_num(scores) < 0).any()
    sign = np.where(found < 0, -1, 1)
    right = (known[rows, columns] == 1) & ((sign == signs[rows, columns]) | (not signed))
    learned = pd.DataFrame({"regulator": names[rows], "target": names[columns], "sign": sign})
    return true, learned.assign(value=np.abs(found), right=right)
