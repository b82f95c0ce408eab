# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Gap genes: a network from a spatial pattern
#
# Reproduces Fig. 5 of Shen, Liu, Tu & Tang, Nat Commun 12:3125 (2021). One network, the same in every nucleus, reads
# two maternal gradients and has to draw the pattern of hb, Kr, kni and gt along the fruit-fly embryo. Many trainings
# are read out by link mutation and put to a vote; the majority is compared with the network known from experiments,
# and the Kr mutant, never seen in training, is predicted.
#
# **Reads** in `paper` the FlyEX profile (cycle 14A, T7) and its time series, fetched through `regulome.data`; in `mini`
# a synthetic system with known links (`data/mini/gap_genes`). **Writes** `figures/<profile>/35_gap_genes/`. About a
# minute on one core in `mini` (16 trainings), eight minutes on two in `paper` (50, as published).

# %% tags=["parameters"]
profile: str = "mini"  # folder of figures/ that takes the outputs (one of: mini, paper)
seed: int = 2021  # of weights and noise (>= 0)
threads: int = 1  # CPU threads (>= 1)
device: str = "auto"  # where to train and cluster (one of: auto, cpu, cuda)
profile_source: str = "synthetic"  # "synthetic", "flyex_gap_nc14_t7", or a CSV with columns x, hb, Kr, kni, gt
series_source: str = "synthetic"  # "synthetic", "flyex_gap_time_series", or a CSV with x, time, hb, Kr, kni, gt
data_mirror: str = ""  # folder that stands in for downloads; empty: REGULOME_MIRROR, else download
every_position: int = 3  # use every n-th position along the axis (>= 1)
replicates: int = 16  # independent trainings (>= 2)
hidden: int = 32  # units in each of the two hidden layers (>= 1)
updates: int = 2001  # parameter updates (>= 1)
rate: float = 1e-3  # learning rate of Adam (0 < x <= 1)
noise: float = 0.05  # sd of the truncated normal noise on f during training (>= 0)
converged_below: float = 0.0015  # largest mean squared error of a run that is kept (> 0)
cutoff: float = 1.0  # smallest summed value, over 64 positions, that counts as a link (>= 0)
series_replicates: int = 16  # trainings on the time series (>= 2)
series_updates: int = 1001  # parameter updates on the time series (>= 1)
steps_per_class: int = 4  # Euler steps between two time classes (>= 1)
held_out_classes: int = 2  # last time classes that the training does not see (>= 1)
expect_published: bool = True  # assert what the paper found; off when you bring your own profile

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from regulome import figures, singlecell
from regulome.circuits import gap, gap_data, gap_network, results_gap
from regulome.circuits import plots_gap as plots
from regulome.circuits.mutation import link_names, link_values, protocol, signs
from regulome.circuits.topology import majority_table
from regulome.circuits.training import TrainingSettings, train

torch.set_num_threads(threads)
figures.style()

# %% [markdown]
# ## Profile
# Four levels at each position, and the two maternal inputs, which the paper takes as analytic:
# $\mathrm{Bcd} = e^{-x/0.2}$ and $\mathrm{Tor} = e^{-x/0.05} + e^{-(1-x)/0.05}$.

# %%
settings = TrainingSettings("shared", hidden=hidden, steps=updates, optimiser="adam", rate=rate, noise=noise)
out = figures.Output(
    "35_gap_genes",
    profile,
    title="Gap genes (circuits, Fig. 5)",
    parameters={"replicates": replicates, "updates": updates, "hidden": hidden, "noise": noise, "rate": rate}
    | {"seed": seed, "cutoff": cutoff, "profile_source": profile_source, "series_source": series_source},
)
out.uses(*(source for source in (profile_source, series_source) if source.startswith("flyex")))

# %%
measured = gap_data.read_profile(profile_source, data_mirror).iloc[::every_position].reset_index(drop=True)
x, target = measured["x"].to_numpy(), measured[list(gap.GENES)].to_numpy()
measured.describe().loc[["count", "min", "max"]]

# %% [markdown]
# ## Training
# Every nucleus starts without gap protein and is compared with the profile after 30 Euler steps of 0.1. The loss is the
# root of the mean squared error; noise on $f$ keeps the solutions from being brittle.

# %%
task = gap.gap_task(measured)
network = train(task, settings, replicates, seed, device=device).network

# %% [markdown]
# Two baselines tell what the error of a fit is worth: the mean level of each gene everywhere, and a network in which
# the gap genes do **not** regulate each other (inputs only), trained in the same way.

# %%
inputs_only = np.zeros(task.links.shape, dtype=bool)
inputs_only[: len(gap.INPUTS)] = True
unregulated = train(task, settings, replicates, seed, links=inputs_only, device=device).network

# %% [markdown]
# ## Convergence
# The paper keeps runs that end below 0.0015 and shows 40 of 50; the others are rejected there without a word in the
# text. Here both groups are drawn. Noise is off in all tests.

# %%
fitted, alone = gap.pattern(network, x), gap.pattern(unregulated, x)
mse, alone_mse = (((pattern - target) ** 2).mean((1, 2)) for pattern in (fitted, alone))
mean_mse, kept = float(((target - target.mean(0)) ** 2).mean()), mse < converged_below
assert kept.any(), f"no run ended below {converged_below}: train longer or raise converged_below"

# %%
caption = f"Profile (thick) and fitted patterns (thin). (a) The {kept.sum()} of {replicates} runs kept. (b) The rest."
fig, table = plots.pattern_overlay(measured, fitted, kept)
out.save(fig, table, "fig5b_patterns", section="Convergence", caption=caption)

# %%
baselines = {"mean level": mean_mse, "inputs only, median": float(np.median(alone_mse))}
caption = "Mean squared error of the final pattern of every run, with the rejection threshold and the baselines."
fig, table = plots.loss_histogram(mse, converged_below, baselines)
out.save(fig, table, "convergence", section="Convergence", caption=caption)

# %% [markdown]
# In units of the embryo, how far are the domains displaced? The cost of the optimal transport between fitted and
# measured profile, scaled to the same mass, is the mean displacement in egg lengths.

# %%
shift = pd.DataFrame(gap.boundary_shift(fitted[kept], target, x), columns=gap.GENES)
shift.describe().loc[["mean", "max"]]

# %% [markdown]
# ## Link frequencies
# Every link is knocked out ($\lambda = 0$) and the mutant runs to its own final pattern at 64 positions; the value is
# the summed loss of the target gene. In each run a link is an activation, an inhibition or absent (below the cutoff).

# %%
values = link_values(network, protocol("fig5"))
signed = signs(values, cutoff)
caption = (
    f"Share of the {kept.sum()} kept runs in which each regulator activates, does not regulate or inhibits a gene."
)
fig, table = plots.frequency_bars(gap_network.link_frequencies(signed[kept]))
out.save(fig, table, "fig5c_frequencies", section="Link frequencies", caption=caption)

# %% [markdown]
# ## Network
# The sign that most runs have, beside the known network: in `paper` the seven unambiguous links among the gap genes in
# the logical model of Sanchez & Thieffry (2001), in which Hb acts on Kr in both directions and is not scored; in
# `mini` the links of the synthetic system.

# %%
known, origin = gap_network.known_links(profile_source)
majority = majority_table(values[kept], gap.REGULATORS, gap.GENES, cutoff)
fig, table = plots.network_pair(majority, known, "known")
caption = f"(a) Network inferred: sign that most kept runs have, width by median value. (b) Network known: {origin}."
out.save(fig, table, "fig5d_network", section="Network", caption=caption)

# %%
agreement = gap_network.agreement(signed[kept], known)
caption = "Known links, the sign that most kept runs have, and the share of kept runs with the known sign."
out.table(agreement, "table_agreement", section="Network", caption=caption)
agreement

# %% [markdown]
# A baseline that looks at the pattern alone: the sign of the correlation between two profiles along the axis. A coin
# with three sides would be right in a third of the cases.

# %%
correlated = gap_network.agreement(gap_network.correlation_signs(measured)[None], known)
rejected = gap_network.agreement(signed[~kept], known)["agrees"].mean() if (~kept).any() else np.nan
pd.Series(
    {"network": agreement["agrees"].mean(), "correlation": correlated["agrees"].mean(), "rejected runs": rejected}
)

# %% [markdown]
# ## Kr mutant
# The rate of Kr is set to zero. Experiments show hb and gt expanding into the domain of Kr, and kni lost.

# %%
mutant, truth = gap.pattern(network, x, gap.MUTANTS["Kr-"]), gap_data.read_mutant(profile_source)
fig, table = plots.mutant_patterns(measured, fitted[kept], mutant[kept], truth)
caption = "Predicted pattern of (a) the wild type and (b) the Kr mutant; median and 5 to 95 % of the kept runs."
out.save(fig, table, "fig5e_kr_mutant", section="Kr mutant", caption=caption)

# %%
genotypes = gap.mutant_table(network.select(kept), x)
caption = "Mean level along the axis in every genotype, median over the kept runs."
out.table(genotypes, "table_mutants", section="Kr mutant", caption=caption)
genotypes

# %% [markdown]
# ## Families of solutions
# Do the runs find one network or several? Their 24 link values are reduced by principal components and clustered on a
# neighbour graph (scanpy; rapids-singlecell on a GPU), as one would cluster cells.

# %%
runs = pd.DataFrame(values.reshape(replicates, -1), columns=link_names(gap.REGULATORS, gap.GENES))
families = singlecell.families(runs, seed=seed, device=device)
families.obs["kept"] = kept
caption = "Runs in the plane of the first two principal components of their link values; crosses: rejected runs."
out.save(*plots.solution_families(families), "solution_families", section="Families of solutions", caption=caption)

# %% [markdown]
# ## Time series
# Not in the paper: the same network has to start from the first time class and pass through the following ones. The
# last classes are held out. Two forecasts that need no model stand beside it: the last class seen stays as it is, or
# its last change goes on.

# %%
series = gap_data.read_time_series(series_source, data_mirror)
positions = np.sort(series["x"].unique())[::every_position]
series = series[series["x"].isin(positions)]
levels = gap_data.series_array(series)
seen = levels.shape[1] - held_out_classes
series_task = gap.time_series_task(series, steps_per_class, classes=seen)

# %%
series_settings = replace(settings, steps=series_updates)
series_network = train(series_task, series_settings, series_replicates, seed, device=device).network
course = gap.time_course(series_network, series_task, (levels.shape[1] - 1) * steps_per_class, steps_per_class)
fig, table = plots.time_courses(positions, levels[:, 1:], course, seen - 1)
caption = "Profiles over time: measured (points), and started from the first class (lines; 5 to 95 % of runs shaded)."
out.save(fig, table, "time_series", section="Time series", caption=caption)

# %%
errors = gap.forecast_errors(course, levels, seen)
pd.Series({name: np.median(error) for name, error in errors.items()})

# %% [markdown]
# ## Ours and published
# Published values hold for the FlyEX profile only; in `mini` the rows stand beside the truth of the synthetic system.
# Intervals are 5 to 95 % of the kept runs.

# %%
compare = results_gap.Comparison(profile_source)
numbers = gap.mutant_summary(fitted[kept], mutant[kept])
numbers_alone = gap.mutant_summary(alone, gap.pattern(unregulated, x, gap.MUTANTS["Kr-"]))
out.compare_all(compare.fit_rows(mse, kept, mean_mse, alone_mse, shift, section="Convergence"))
out.compare_all(compare.network_rows(agreement, correlated, signed[kept], section="Network"))
out.compare_all(compare.mutant_rows(numbers, numbers_alone, section="Kr mutant"))

# %%
if truth is not None:
    true_pattern = truth.set_index("x").loc[x, list(gap.GENES)].to_numpy()
    out.compare_all(results_gap.truth_rows(mutant[kept], true_pattern, target * [1, 0, 1, 1], section="Kr mutant"))
out.compare_all(results_gap.series_rows(errors, held_out_classes, section="Time series"))
out.close()
with pd.option_context("display.max_rows", None):
    display(out.results()[["quantity", "ours", "low", "high", "published", "verdict"]])

# %% [markdown]
# How to read it. A small error alone says little about regulation: the gradients give every nucleus its position, and
# the network without mutual regulation can draw much of the pattern as well. What it cannot do is answer the knockout:
# its Kr mutant leaves kni and gt as they were. The vote over runs recovers known signs more often than single runs do,
# but only a little more often than the signs of correlations, which know no dynamics; and as a forecast of time classes
# not seen, the network does not beat the simplest rule. Both baselines are missing in the paper.

# %% [markdown]
# What would make this notebook wrong: few runs that fit, a network no better than chance, a Kr mutant that keeps kni.

# %%
if expect_published:
    kni = np.median(numbers["kni_peak_mutant"]) / np.median(numbers["kni_peak_wild_type"])
    assert kept.mean() > 0.5, "fewer than half of the runs fit the pattern"
    assert agreement["agrees"].mean() > 0.5, "the majority network misses half of the known links"
    assert kni < 0.5, "kni survives without Kr"
