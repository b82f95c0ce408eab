"""The command ``regulome infer``: counts and a network in, the posterior with figures and a verdict out.

Checks come first, then the work with a progress bar, then the files: posterior.nc (ArviZ), summary.csv, fit.csv,
predictive.csv, posterior.png, predictive.png, summary.md and settings.json, the list of all with the settings used.
"""

import hashlib
import io
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure

from regulome import __version__
from regulome.command_folder import as_json, check_folder, place
from regulome.errors import UserError
from regulome.progress import duration
from regulome.stochastic import engine, plots_inference, predictive
from regulome.stochastic.acceptance import accepted
from regulome.stochastic.counts import Cells, read_counts
from regulome.stochastic.exact_likelihood import ExactLikelihood
from regulome.stochastic.infer_settings import InferSettings, read_network, read_settings
from regulome.stochastic.level_law import LevelLaw
from regulome.stochastic.level_law import applies as level_law_applies
from regulome.stochastic.likelihood import CountLaw, Likelihood
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.posterior import Posterior, SamplerSettings, sample
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.ratios import ratios
from regulome.stochastic.reduction import reduce_to
from regulome.stochastic.two_state import recognise
from regulome.style import style
from regulome.tables import csv_bytes

MANIFEST = "settings.json"
MOST_STATES = 3_000  # of the middle of the box, for likelihood: auto


def run(file: Path, out: Path, threads: int | None = None, force: bool = False) -> Posterior:
    """Infer what the settings of a file ask for, and write the folder.

    Raises
    ------
    UserError
        If the settings, the network, the counts or the folder are no good: then nothing has been written.
    """
    settings = read_settings(file)
    if threads is not None and threads < 1:
        raise UserError(f"--threads is {threads}, expected at least 1")
    torch.set_num_threads(threads or os.cpu_count() or 1)
    network = read_network(settings)
    cells = read_counts(settings.counts, network, settings.columns, settings.above_bound)
    law, kind = choose_law(settings, network, cells, threads or os.cpu_count() or 1)
    options = {} if settings.time is None else {"time": settings.time}
    likelihood = Likelihood(law, cells, settings.zero_truncated, **options)
    prior = BoxPrior(network, settings.prior)
    ratios(network, network.box.mean(1)[None], settings.reference)  # refuses a wrong reference
    sampler = SamplerSettings(
        chains=settings.chains, steps=settings.steps, burn_in=settings.burn_in, starts=settings.starts,
        screened=max(settings.screened, settings.starts),
    )  # fmt: skip
    check_folder(out, MANIFEST, force)
    posterior = sample(likelihood, prior, settings.seed, sampler, settings.reference)
    write(posterior, settings, kind, out)
    print(f"{cells.total} cells, {kind}")
    print("\n".join(verdict(posterior, adequacy_of(posterior, settings.seed))))
    print(f"{out / 'summary.md'} (in {duration(posterior.seconds)})")
    return posterior


def choose_law(
    settings: InferSettings, network: StateTransitionNetwork, cells: Cells, threads: int
) -> tuple[CountLaw, str]:
    """The law of the counts that the settings ask for, and what to call it.

    ``auto``: the closed form of a two-state gene where the network is one, else the exact solution where it needs few
    states, else a solver.

    Raises
    ------
    UserError
        If the checkpoint is of another network or a box leaves the one it was trained on, or the network is too large.
    """
    if settings.likelihood == "solver" or (settings.likelihood == "auto" and settings.checkpoint):
        return _solver(settings, network), "likelihood of the solver"
    closed = recognise(network, cells.names) if settings.time is None else None
    if settings.likelihood == "auto" and closed is not None:
        return closed, "closed-form likelihood of the two-state gene"
    if settings.time is None and level_law_applies(network, cells.names):
        return LevelLaw(network, cells.names[0]), "exact likelihood"
    if settings.likelihood == "auto":
        part, middle = reduce_to(network, cells.names), network.box.mean(1)
        if engine.choose(part, middle, settings.time) != "exact":
            raise UserError(
                f"{settings.source}: likelihood: the network cannot be solved exactly; expected likelihood: solver "
                "with the checkpoint of a solver trained on it"
            )
        states, _ = engine.size(part, middle, settings.time)
        if states > MOST_STATES:
            raise UserError(
                f"{settings.source}: likelihood: the exact solution needs about {states} states for each of thousands "
                "of parameter sets; expected likelihood: solver with a checkpoint, or likelihood: exact if you can wait"
            )
    return ExactLikelihood(network, time=settings.time, threads=threads), "exact likelihood"


def _solver(settings: InferSettings, network: StateTransitionNetwork) -> CountLaw:
    from regulome.stochastic.solver import Solver

    solver = Solver.load(settings.checkpoint)
    trained = solver.network
    for what, found, expected in (
        ("states", trained.states, network.states),
        ("parameters", trained.parameter_names, network.parameter_names),
        ("recorded states", trained.recorded, network.recorded),
        ("events", _event_texts(trained), _event_texts(network)),
    ):
        if found != expected:
            raise UserError(
                f"{settings.checkpoint}: checkpoint of another network: found {what} {', '.join(map(str, found))}, "
                f"expected {', '.join(map(str, expected))}"
            )
    for parameter, (low, high) in zip(network.parameters, trained.box, strict=True):
        if parameter.low < low * (1 - 1e-9) - 1e-12 or parameter.high > high * (1 + 1e-9) + 1e-12:
            raise UserError(
                f"{settings.source}: parameters: {parameter.name}: found the box [{parameter.low:g}, "
                f"{parameter.high:g}], expected one inside [{low:g}, {high:g}], on which the solver was trained"
            )
    return solver


def _event_texts(network: StateTransitionNetwork) -> tuple[str, ...]:
    return tuple(f"{dict(e.change)} at {str(e.rate).replace(' ', '')}" for e in network.events)


# --- the folder


def adequacy_of(posterior: Posterior, seed: int) -> predictive.Adequacy:
    """Of the posterior predictive distribution."""
    return predictive.adequacy(posterior.likelihood.cells, predictive.mixed(predictive.of_posterior(posterior)), seed)


def verdict(posterior: Posterior, fit: predictive.Adequacy) -> list[str]:
    """The result in words: fit, sampler, what is known."""
    words = "explains" if fit.adequate else "does not explain"
    lines = [
        f"The network {words} the counts: KL divergence {fit.kl:.4g} nats; data drawn from the fit have "
        f"{fit.expected:.4g} (95 %: up to {fit.limit:.4g})."
    ]
    good = accepted(posterior.fit)
    lines.append(f"{int(good.sum())} of {len(good)} starts end within the 95 % likelihood region of the best one.")
    table = posterior.summary
    known = table[table["quantity"].str.contains("_per_")] if len(posterior.ratios.columns) else table
    if len(posterior.ratios.columns):
        lines.append("Stationary counts fix no time scale; what they determine are ratios of rates:")
    else:
        lines.append("A known rate or time fixes the time scale; the parameters are:")
    for row in known.itertuples(index=False):
        lines.append(f"  {plots_inference.words(row.quantity)} = {row.median:.4g} (95 %: {row[3]:.4g} to {row[5]:.4g})")
    lines += [f"WARNING: {text}" for text in posterior.warnings]
    if not posterior.warnings:
        lines.append(
            f"Sampling converged: largest R-hat {table['r_hat'].max():.3f}, fewest effective draws "
            f"{table['ess_bulk'].min():.0f}."
        )
    return lines


def write(posterior: Posterior, settings: InferSettings, kind: str, out: Path) -> None:
    """Write all files of an inference; earlier ones of the same folder are replaced."""
    style()
    cells = posterior.likelihood.cells
    parts = predictive.of_posterior(posterior)
    mixed = predictive.mixed(parts)
    fit = predictive.adequacy(cells, mixed, settings.seed)
    names = list(posterior.ratios.columns) or list(posterior.names)
    draws = pd.DataFrame(posterior.flat, columns=list(posterior.names)).join(posterior.ratios)
    size = len(draws) // len(posterior.draws)
    by_chain = {f"ensemble {i + 1}": draws[names].iloc[i * size : (i + 1) * size] for i in range(len(posterior.draws))}
    figure, table = plots_inference.predictions({settings.counts.name: (cells, parts)})
    lines = verdict(posterior, fit)
    content = {
        "posterior.nc": _netcdf(posterior),
        "summary.csv": csv_bytes(posterior.summary),
        "fit.csv": csv_bytes(posterior.fit.table()),
        "predictive.csv": csv_bytes(table),
        "distances.csv": csv_bytes(predictive.kl_table(cells, mixed)),
        "predictive.png": _png(figure),
        "posterior.png": _png(plots_inference.posteriors(by_chain)[0]),
        "summary.md": "\n".join(
            [f"# {posterior.likelihood.network.name}: {cells.total} cells", "", *lines, ""]
        ).encode(),
    }
    used = {k: (v.name if isinstance(v, Path) else v) for k, v in asdict(settings).items() if k != "source"}
    content[MANIFEST] = as_json(
        {
            "made_by": f"regulome {__version__}, command infer",
            "counts": {"file": settings.counts.name, "sha256": _sha256(settings.counts), "cells": cells.total},
            "law": kind,
            "settings": used,
            "verdict": lines,
            "adequate": bool(fit.adequate),
            "converged": not posterior.warnings,
            "log_evidence": {
                "value": round(posterior.evidence.value, 6),
                "standard_error": round(posterior.evidence.standard_error, 6),
                "by": posterior.evidence.by,
            },
            "files": sorted([*content, MANIFEST]),
        }
    )
    place(content, out, MANIFEST)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _netcdf(posterior: Posterior) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posterior.nc"
        posterior.inference_data().to_netcdf(str(path))
        return path.read_bytes()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()
