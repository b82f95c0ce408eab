"""Tables of the comparison of networks (notebook 24): every method against known edges, test cells and itself."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from regulome.perturbation import edge_baselines, edge_evidence, edge_metrics, edges, network_methods, simulated
from regulome.perturbation.edge_evidence import Evidence
from regulome.perturbation.screen import Screen

CEILING = "Wasserstein, test cells themselves"
NOTHING = "no edges"

Found = Mapping[str, Sequence[np.ndarray]]


def known_pairs(screen: Screen, known: pd.DataFrame, complete: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs that can be edges, which of them are known ones, and their signs.

    A pair can be an edge if its regulator was perturbed alone and its target is measured.

    Parameters
    ----------
    known, complete
        As in `edge_metrics.truth_matrix`.

    Returns
    -------
    ``(among, truth, signs)``: (G, G) bool, (G, G) of `edge_metrics.truth_matrix` with nan for other pairs, and of
    `edge_metrics.truth_signs`.
    """
    measured = np.flatnonzero(screen.latent_column >= 0)
    among = edges.pairs(edge_evidence.single(screen).values(), measured, len(screen.latent))
    truth = np.where(among, edge_metrics.truth_matrix(known, screen.latent, complete), np.nan)
    return among, truth, edge_metrics.truth_signs(known, screen.latent)


def summary(
    found: Found, truth: np.ndarray, signs: np.ndarray, at: Sequence[int], draws: int, seed: int, reference: str
) -> pd.DataFrame:
    """Scores of every method against known edges, best first.

    Returns
    -------
    DataFrame
        method, runs, pairs, edges, chance; auprc with its interval over regulators and sd over runs, difference from
        the reference with its interval; auroc, precision, precision_K, sign_accuracy, sign_accuracy_all (means over
        runs).
    """
    every = edge_metrics.score_all(found, truth, signs, at)
    means = every.groupby("method", sort=False).mean(numeric_only=True).drop(columns=["run", "auprc"])
    spread = every.groupby("method", sort=False)["auprc"].agg(runs="size", auprc_sd="std")
    table = edge_metrics.bootstrap(found, truth, reference, draws, seed).set_index("method")
    whole = table.join(spread).join(means).sort_values("auprc", ascending=False, kind="stable").reset_index()
    return whole.astype({"pairs": int, "edges": int})


def matched(found: Found, cells: Evidence, counts: Sequence[int], among: np.ndarray) -> pd.DataFrame:
    """`edge_evidence.at_matched_counts` of every method (mean over runs), with the most that a ranking can reach."""
    parts = []
    for name, runs in {**found, CEILING: [cells.wasserstein]}.items():
        tables = [edge_evidence.at_matched_counts(scores, cells, counts, among) for scores in runs]
        both = pd.concat(tables).groupby("edges", as_index=False)
        mean, sd = both.mean(), both["wasserstein"].std()
        parts.append(mean.assign(method=name, runs=len(runs), wasserstein_sd=sd["wasserstein"]))
    table = pd.concat(parts, ignore_index=True)
    return table[["method", "runs", "edges", "wasserstein", "wasserstein_sd", "significant", "not_significant"]]


def omissions(found: Found, cells: Evidence, count: int, among: np.ndarray, seed: int) -> pd.DataFrame:
    """False omission rate (CausalBench's definition) of the `count` strongest edges of every method, first run.

    Returns
    -------
    DataFrame
        method, then the keys of `edge_evidence.false_omission`; the first row is a network without edges, what any has
        to fall below.
    """
    rows = [{"method": NOTHING} | _omission(np.zeros(among.shape, bool), cells, seed)]
    for name, runs in found.items():
        rows.append({"method": name} | _omission(edges.top(runs[0], count, among), cells, seed))
    return pd.DataFrame(rows)


def _omission(network: np.ndarray, cells: Evidence, seed: int) -> dict[str, float]:
    return edge_evidence.false_omission(network, cells, np.random.default_rng([seed, 243]))


def pools(cells: Evidence, both: np.ndarray, extra: Sequence[int], seed: int, repeats: int = 20) -> pd.DataFrame:
    """The rate as published against the number of unperturbed genes in the pool, whatever network is predicted.

    Parameters
    ----------
    both
        Places of the genes that were perturbed and measured.
    extra
        Numbers of unperturbed genes.
    repeats
        Draws of 500 pairs.

    Returns
    -------
    DataFrame
        unperturbed, pool, rate (mean of the draws), low, high (5 and 95 % of them), expected: share of significant
        pairs times the probability that both genes of a random pair were perturbed.
    """
    p, rows = cells.p[np.ix_(both, both)], []
    share = (p[np.isfinite(p)] < edge_evidence.LEVEL).mean()
    for more in extra:
        pool = len(both) + more
        rates = [
            edge_evidence.published_false_omission(p, len(both), pool, np.random.default_rng([seed, 244, draw]))
            for draw in range(repeats)
        ]
        chance = len(both) * (len(both) - 1) / (pool * (pool - 1))
        rows.append((more, pool, np.mean(rates), *np.quantile(rates, [0.05, 0.95]), share * chance))
    return pd.DataFrame(rows, columns=["unperturbed", "pool", "rate", "low", "high", "expected"])


def readouts(
    models: Found, median: np.ndarray, criterion: float, truth: np.ndarray | None, perturbed: int
) -> pd.DataFrame:
    """Networks that come with a cut of their own: sigmoid(W) > 0.5 of models, median |Δ| > c.

    Parameters
    ----------
    median
        (G, G) of `edge_baselines.median_delta`.
    truth
        (G, G) known edges, or None.

    Returns
    -------
    DataFrame
        readout, run, edges (off the diagonal), of_unperturbed (edges out of genes that were never perturbed),
        precision, recall (nan without truth).
    """
    rows = []
    for name, runs in models.items():
        for run, scores in enumerate(runs):
            rows.append(
                {"readout": f"{name}: probability > 0.5", "run": run} | _counts(edges.readout(scores), truth, perturbed)
            )
    chosen = edge_baselines.median_readout(median, criterion)
    rows.append({"readout": f"median |Δ| > {criterion:g}", "run": 0} | _counts(chosen, truth, perturbed))
    return pd.DataFrame(rows)


def _counts(network: np.ndarray, truth: np.ndarray | None, perturbed: int) -> dict[str, float]:
    out = {"edges": int(network.sum()), "of_unperturbed": int(network[perturbed:].sum())}
    if truth is None:
        return out | {"precision": np.nan, "recall": np.nan}
    known, right = network & np.isfinite(truth), network & (truth == 1)
    out["precision"] = right.sum() / known.sum() if known.any() else np.nan
    return out | {"recall": right.sum() / max(np.nansum(truth), 1)}


def stability(runs: Mapping[tuple[str, str], Sequence[np.ndarray]], count: int, among: np.ndarray) -> pd.DataFrame:
    """`edges.stability` of every method of `repeats`: method, repeats (what changes), first, second, jaccard, ..."""
    parts = [
        edges.stability(networks, count, among).assign(method=name, repeats=what)
        for (name, what), networks in runs.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[["method", "repeats", "first", "second", "jaccard", "spearman", "chance"]]


def repeats(
    found: Found, methods: Mapping[str, network_methods.Method], screen: Screen, resamplings: int
) -> dict[tuple[str, str], list[np.ndarray]]:
    """Networks that should agree: seeds of what was run, and chosen methods on training cells drawn anew.

    Returns
    -------
    dict
        (method, what changes: "seed" or "cells") -> score matrices; methods with a single run are left out.
    """
    out = {(name, "seed"): list(runs) for name, runs in found.items() if len(runs) > 1}
    out.pop((network_methods.RANDOM, "seed"), None)
    for draw in range(resamplings):
        for name, runs in network_methods.run(methods, network_methods.resampled(screen, draw), [0]).items():
            out.setdefault((name, "cells"), []).append(runs[0])
    return out


def on_simulated(
    made: Iterable[tuple[AnnData, pd.DataFrame]], methods: Mapping[str, network_methods.Method], seeds: Sequence[int]
) -> pd.DataFrame:
    """Scores of methods on simulated screens (of `regulome.simulated_screen`), each with its known network.

    Random matched controls; every gene is latent.

    Returns
    -------
    DataFrame
        screen (from 0), then the columns of `edge_metrics.score_all`; no rows without screens.
    """
    parts = [pd.DataFrame(columns=["screen", "method", "run", "auprc"])]
    for number, (table, known) in enumerate(made):
        screen = simulated.prepared(table)
        _, truth, signs = known_pairs(screen, known, complete=True)
        scores = edge_metrics.score_all(network_methods.run(methods, screen, seeds), truth, signs)
        parts.append(scores.assign(screen=number))
    return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else parts[0]
