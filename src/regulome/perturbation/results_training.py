"""Tables of notebook 22 and its rows of ours versus published."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.perturbation import iwelbo, learned_files, models, sweep
from regulome.perturbation.learned_files import Learned
from regulome.perturbation.screen import Screen
from regulome.perturbation.settings import ModelSettings

_MODULE = "regulome.perturbation"
# Published sizes: genes P, latent genes G, and the parameters that the published models have by their description
PUBLISHED = {
    "rpe1": {"genes": 8749, "latent": 655, "mask": 429_025, "effects": 1_530_910, "artifact": 722_000,
             "encoder": 2_001_400, "decoder": 4_099_898, "total": 8_783_233},
    "k562": {"genes": 8563, "latent": 1546, "mask": 2_390_116, "effects": 2_958_292, "artifact": 601_800,
             "encoder": 2_082_200, "decoder": 4_301_526, "total": 12_333_934},
}  # fmt: skip
STATED = {"rpe1": 8.78, "k562": 12.33}  # millions, as stated
NO_LATENT, PER_PERTURBATION = "negative binomial", "negative binomial per perturbation"


def size_table() -> pd.DataFrame:
    """Parameters of GPO-VAE at both published sizes: data, part, ours, published."""
    rows = []
    for name, facts in PUBLISHED.items():
        network = models.build(ModelSettings.published("gpo", name), models.Sizes(facts["genes"], facts["latent"]))
        counts = network.parameter_counts()
        counts["total"] = sum(counts.values())
        rows += [(name, part, count, facts[part]) for part, count in counts.items()]
    return pd.DataFrame(rows, columns=["data", "part", "ours", "published"])


def model_table(fitted: Mapping[str, Sequence[Learned]], bounds: pd.DataFrame) -> pd.DataFrame:
    """A row a model: what it is, how large, how it was trained, and its bound on the log-likelihood of new cells.

    Parameters
    ----------
    fitted
        Of `sweep.gather`.
    bounds
        Of `bound_table`.
    """
    rows = []
    for name, several in fitted.items():
        facts, own = (
            [learned_files.facts(one) for one in several],
            bounds[bounds["model"] == sweep.title(name)]["iwelbo"],
        )
        counts = facts[0].parameters
        row = {"model": sweep.title(name), "compat": facts[0].compat, "seeds": len(several)}
        row |= {f"parameters_{part}": count for part, count in counts.items()} | {"parameters": sum(counts.values())}
        row |= {"epochs": np.mean([each.epochs for each in facts])}
        row |= {"best_epoch": np.mean([each.best_epoch for each in facts])}
        row |= {"iwelbo": own.mean(), "iwelbo_sd": own.std() if len(own) > 1 else np.nan}
        rows.append(row)
    return pd.DataFrame(rows)


def further_table(
    everywhere: Mapping[str, Mapping[str, Sequence[Learned]]], on: Mapping[str, Screen], particles: int, cells: int
) -> pd.DataFrame:
    """`model_table` of further screens, with their bounds: screen, model, seeds, epochs, best_epoch, iwelbo, iwelbo_sd.

    Parameters
    ----------
    everywhere
        Of `sweep.gather`, without the first screen.
    on
        Of `sweep.read`.
    """
    columns = ["screen", "model", "seeds", "epochs", "best_epoch", "iwelbo", "iwelbo_sd"]
    parts = [pd.DataFrame(columns=columns)]
    for path, screen in on.items():
        if path:
            fitted = everywhere[Path(path).stem]
            table = model_table(fitted, bound_table(fitted, screen, particles, cells))
            parts.append(table.assign(screen=Path(path).stem)[columns])
    return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else parts[0]


def bound_table(fitted: Mapping[str, Sequence[Learned]], screen: Screen, particles: int, cells: int) -> pd.DataFrame:
    """Importance-weighted bound of validation cells, the same for all models: model, seed, iwelbo (nats a cell), error.

    Two baselines without a latent stand first: negative binomials with one mean a gene (times the library), and one
    mean a gene and perturbation.

    Parameters
    ----------
    particles
        Samples a cell.
    cells
        Cells at most.
    """
    rows = screen.rows("validation")
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:cells])
    out = []
    for name, grouped in ((NO_LATENT, False), (PER_PERTURBATION, True)):
        value = negative_binomial(screen, rows, grouped)
        out.append((name, 0, value.mean(), value.std(ddof=1) / np.sqrt(len(rows)), "baseline"))
    for name, several in fitted.items():
        for one in several:
            found = iwelbo.summary(iwelbo.of_cells(one, screen, rows, particles))
            seed = one.record["training"]["seed"]
            out.append((sweep.title(name), seed, found["iwelbo"], found["iwelbo_error"], "model"))
    return pd.DataFrame(out, columns=["model", "seed", "iwelbo", "error", "role"])


def negative_binomial(screen: Screen, rows: np.ndarray, grouped: bool) -> np.ndarray:
    """(N,) log-likelihood of cells, nats.

    Means are the library times the share of each gene in the training cells (of the same perturbation, with one
    pseudo-count a gene, if `grouped`); inverse dispersions are by moments from the training cells.
    """
    from scipy.stats import nbinom

    train = screen.rows("train")
    counts, label = screen.counts[train].toarray(), screen.label[train]
    share = np.tile(counts.sum(0) / counts.sum(), (len(screen.labels) + 1, 1))
    if grouped:
        for row in range(-1, len(screen.labels)):
            total = counts[label == row].sum(0)
            share[row] = (total + len(share[row]) * share[row]) / (total.sum() + len(share[row]))
    mean = np.maximum(screen.library[train], 1)[:, None] * share[label]
    spread = ((counts - mean) ** 2 - mean).sum(0)
    dispersion = np.clip((mean**2).sum(0) / np.maximum(spread, 1e-9), 1e-3, 1e3)
    mean = np.maximum(np.maximum(screen.library[rows], 1)[:, None] * share[screen.label[rows]], 1e-9)
    return nbinom.logpmf(screen.counts[rows].toarray(), dispersion, dispersion / (dispersion + mean)).sum(1)


def logs(fitted: Mapping[str, Sequence[Learned]]) -> pd.DataFrame:
    """Every term of the loss of every training: model, seed, epoch, split, term, value."""
    parts = []
    for name, several in fitted.items():
        for one in several:
            long = one.log.drop(columns="seconds").melt("epoch", value_name="value")
            split = long["variable"].str.partition("_")
            long = long.assign(
                model=sweep.title(name), seed=one.record["training"]["seed"], split=split[0], term=split[2]
            )
            parts.append(long[["model", "seed", "epoch", "split", "term", "value"]])
    return pd.concat(parts, ignore_index=True)


def speed_table(fitted: Mapping[str, Sequence[Learned]], screen: Screen) -> pd.DataFrame:
    """Seconds and training cells a second of every model, the median epoch: shown, never kept in a file."""
    cells, rows = len(screen.rows("train")), []
    for name, several in fitted.items():
        seconds = pd.concat([one.log["seconds"] for one in several])
        total = np.mean([one.log["seconds"].sum() for one in several])
        rows.append((sweep.title(name), total, seconds.median(), cells / seconds.median()))
    return pd.DataFrame(rows, columns=["model", "seconds_a_training", "seconds_an_epoch", "cells_per_second"])


# --- ours versus published


def size_rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Parameters of the published sizes."""
    return [
        {
            "id": f"size.{row.data}.{row.part}",
            "quantity": f"parameters of GPO-VAE, {row.data.upper()} size: {row.part}",
            "ours": row.ours,
            "published": row.published,
            "source": "description of the published model" + (f", stated as {STATED[row.data]} million" if row.part ==
            "total" else ""),
            "section": section,
            "function": f"{_MODULE}.models.PerturbationModel",
        }
        for row in table.itertuples()
    ]  # fmt: skip


def network_rows(table: pd.DataFrame, kind: str, section: str, comparable: bool) -> list[dict]:
    """Correlation of W and S_K with median |delta| - c, for the network loss alone; `comparable`: on Papalexi 2021."""
    known = {(0, "r_w"): (0.988, 0.02), (5, "r_s"): (0.94, 0.05), (5, "r_w"): (0.495, 0.05)}
    words = {"r_w": "the mask W", "r_s": "its walks S"}
    rows = []
    for (hop, column), (published, tolerance) in known.items():
        found = table[(table["hop"] == hop) & (table["fit"] == "loss alone")]
        if len(found):
            row = {"published": published, "tolerance": tolerance, "note": "computed with 29 latent genes"}
            if not comparable:
                row = {"published": None, "note": f"{published} on Papalexi 2021; these are {kind} data"}
            rows.append(
                row
                | {
                    "id": f"network_loss.hop{hop}.{column}",
                    "quantity": f"Pearson of {words[column]} with median |delta| - c, hop {hop} ({kind})",
                    "ours": found[column].iloc[0],
                    "source": "analysis of the published loss",
                    "section": section,
                    "function": f"{_MODULE}.network_loss.fit",
                }
            )
    return rows


def bound_rows(bounds: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Bounds of models and baselines; several seeds give the range."""
    rows = []
    for name, own in bounds.groupby("model", sort=False):
        role = own["role"].iloc[0]
        several = len(own) > 1
        rows.append(
            {
                "id": f"iwelbo.{''.join(c if c.isalnum() else '_' for c in name.lower())}",
                "quantity": f"bound on the log-likelihood of validation cells: {name} ({kind})",
                "unit": "nats a cell",
                "ours": own["iwelbo"].mean(),
                "low": own["iwelbo"].min() if several else None,
                "high": own["iwelbo"].max() if several else None,
                "published": None,
                "note": f"range over {len(own)} seeds; published for other data alone" if role == "model" else "",
                "role": "baseline" if role == "baseline" else None,
                "section": section,
                "function": f"{_MODULE}.iwelbo.of_cells",
            }
        )
    return rows


def form_rows(forms: pd.DataFrame, kind: str, section: str) -> list[dict]:
    """Published over corrected value of the terms whose published form depends on more than the model."""
    largest = forms[forms["batch"] == forms["batch"].max()].pivot(index="term", columns="form", values="value")
    why = {
        "reconstruction": "published: passing cells times the share of failing ones, failing cells times the rest",
        "counterfactual": "published: a sum over the cells of a batch, the square not divided by the variance",
        "network": "published: control cells count, with a constant",
    }
    return [
        {
            "id": f"form.{term}",
            "quantity": f"{term}: published over corrected value, {forms['batch'].max()} cells a batch ({kind})",
            "ours": largest.loc[term, "published"] / largest.loc[term, "corrected"],
            "published": None,
            "note": note,
            "section": section,
            "function": f"{_MODULE}.network_loss.term_forms",
        }
        for term, note in why.items()
        if term in largest.index
    ]
