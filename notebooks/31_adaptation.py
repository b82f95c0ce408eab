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
# # Adaptation: from a function to a network
#
# Reproduces Figs 1 and 2 of Shen, Liu, Tu & Tang, *Finding gene network topologies for given biological function with
# recurrent neural network*, Nat Commun 12:3125 (2021). A recurrent network of two genes and one input is trained to
# adapt: after the input steps up, the output $g_1$ pulses and returns. The trained network is then read out as a
# signed topology by weakening one link at a time, and thinned out link by link to a minimal motif.
#
# **Reads** `data/mini/tasks/adaptation.yaml`. **Writes** `figures/<profile>/31_adaptation/`. The `mini` profile trains
# 16 replicates (one vector block, about a minute on one core); `paper` trains 200 where the paper shows one run each
# (eight minutes on two cores).

# %% tags=["parameters"]
profile: str = "mini"  # folder of figures/ that takes the outputs (one of: mini, paper)
seed: int = 2021  # of weights, random cases and noise (>= 0)
threads: int = 1  # CPU threads (>= 1)
device: str = "auto"  # where to train (one of: auto, cpu, cuda)
replicates: int = 16  # independent trainings of each network (>= 2)
hidden: int = 16  # units in each of the two hidden layers (>= 1)
updates: int = 2001  # parameter updates of Figs 1 and 2c (>= 1)
updates_without_link: int = 4001  # parameter updates of Fig. 2d (>= 1)
rate: float = 1e-3  # learning rate of RMSProp (0 < x <= 1)
noise: float = 0.0  # sd of the noise on f during training (>= 0)
cutoff: float = 0.01  # smallest link value that counts as a link; the paper states none (>= 0)
expect_published: bool = True  # assert what the paper found; off when you change the task or the training

# %%
import pandas as pd
import torch
from IPython.display import display

from regulome import figures, paths
from regulome.circuits import adaptation
from regulome.circuits import plots_adaptation as plots
from regulome.circuits import results_adaptation as results
from regulome.circuits.mutation import link_names, link_values, mutant_links, protocol
from regulome.circuits.network import new_network, replicate_generators
from regulome.circuits.sparsening import sparsen
from regulome.circuits.task_file import read_task
from regulome.circuits.topology import majority_table
from regulome.circuits.training import TrainingSettings, train

torch.set_num_threads(threads)
figures.style()

# %% [markdown]
# ## Task
# Three stimuli are shown at every update: the input at rest (nothing may move), at its maximum, and at a random level
# $s$. The target is $0.4 + s\,p(k)$ with the pulse $p(k) = 2(e^{-k/6} - e^{-k/3})$, $k$ the sample number.

# %%
task = read_task(paths.mini_data() / "tasks" / "adaptation.yaml")
settings = {"hidden": hidden, "rate": rate, "noise": noise}
out = figures.Output(
    "31_adaptation",
    profile,
    title="Adaptation (circuits, Figs 1 and 2)",
    parameters=settings | {"replicates": replicates, "updates": updates, "seed": seed, "cutoff": cutoff},
)
pd.Series({"regulators": task.regulators, "genes": task.genes, "steps": task.steps, "dt": task.dt})

# %% [markdown]
# ## Training
# The state follows $\dot g = f(g, I) - g$ with one perceptron $f$ for both genes (Fig. 1). All replicates are trained
# as one batch. The loss is the root of the summed squared errors, plus the drift of every gene at rest.

# %%
trained = train(task, TrainingSettings("shared", steps=updates, **settings), replicates, seed, device=device)
caption = f"Training loss of {replicates} replicates; the random third stimulus makes single values jump."
out.save(*plots.loss_curves(trained.loss), "training_loss", section="Training", caption=caption)

# %% [markdown]
# ## Pulses
# The test is longer and finer than the training (dt 0.1, 150 steps): the input rests at 0.1 until time 4, then steps
# to one of 20 levels. Sensitivity is the height of the pulse above the state before the step, error the distance from
# that state at the end, both at input 1. Replicate 0 is shown, whatever it looks like, and all others beside it.

# %%
curves = adaptation.pulses(trained.network)
caption = (
    f"Response to a step of the input. (a) One replicate at 20 levels. (b) All {replicates} replicates at input 1. "
    "Dotted: time of the step."
)
out.save(*plots.pulse_curves(curves), "fig1b_pulses", section="Pulses", caption=caption)

# %%
sensitivity, error = adaptation.sensitivity_and_error(curves)
adapting = adaptation.adapts(sensitivity, error)
pd.DataFrame({"sensitivity": sensitivity, "error": error, "adapts": adapting}).describe()

# %% [markdown]
# ## Cross-sections of f
# What the perceptron has learned: production rate of each gene along one regulator while the others stay at 0.5.

# %%
sections = adaptation.cross_sections(trained.network)
fig, table = plots.rate_sections(sections, task.regulators, task.genes)
caption = "Production rate f along one regulator, the others at 0.5. Line: replicate 0; band: 80 % of the replicates."
out.save(fig, table, "fig1c_rates", section="Cross-sections of f", caption=caption)

# %% [markdown]
# ## Link mutation
# Target $j$ is shown half of regulator $i$, every other target sees it whole; the value of the link is the change of
# $g_j$, wild type minus mutant, averaged over four input levels and time (positive: activation). Nothing observes
# $g_2$, so a network and its twin with $g_2$ replaced by $1 - g_2$ are one circuit; all are drawn with $g_2$ repressing
# $g_1$.

# %%
test = protocol("fig2")
values = adaptation.orient(link_values(trained.network, test))
links = majority_table(values, task.regulators, task.genes, cutoff)
links

# %% [markdown]
# Then three links are removed altogether and the output is followed.

# %%
knocked_out = {"I → g1": (0, 0), "I → g2": (0, 1), "g2 → g1": (2, 0)}
mutants = {
    name: adaptation.pulses(trained.network, mutant_links(trained.network, i, j, strength=0.0))
    for name, (i, j) in knocked_out.items()
}
caption = (
    "(a) Network read out by link mutation: sign that most replicates have, with their share; width is the median "
    "value. (b to d) Output at input 1 without one link; thin: replicates. In (d) the replicates that use the inverse "
    "of g2 fall instead of rising: removing a link from g2 shows them g2 = 0, the twin of g2 = 1."
)
out.save(*plots.knockouts(curves, mutants, links), "fig1d_knockouts", section="Link mutation", caption=caption)

# %% [markdown]
# ## Sparsening
# Now each gene has a perceptron of its own, so that a link can be deleted for one target. The link whose mutation
# changes its target least is deleted and the network is trained again from scratch, down to one link (Fig. 2c). The
# second sequence may not use the link from the input to $g_2$ and never deletes the input's last link (Fig. 2d).

# %%
short, long = TrainingSettings(steps=updates, **settings), TrainingSettings(steps=updates_without_link, **settings)
banned = task.forbid("I -> g2")
sequences = {
    "all links allowed": sparsen(task, short, test, replicates, seed, device=device),
    "without I -> g2": sparsen(banned, long, test, replicates, seed, protect_inputs=True, device=device),
}
scores = pd.concat([adaptation.score_levels(levels, name, cutoff) for name, levels in sequences.items()])

# %%
caption = (
    "Sensitivity and adaptation error against the number of links, every replicate a point; crosses: the paper's "
    "single run. (a) All links allowed. (b) Without the link from the input to g2."
)
fig, table = plots.sparsening_scores(scores, adaptation.published_scores())
out.save(fig, table, "fig2cd_scores", section="Sparsening", caption=caption)

# %%
caption = (
    "Medians over replicates, share of replicates that adapt (sensitivity at least 0.2, error at most a quarter of "
    "it), and share whose signed topology holds each motif."
)
summary = adaptation.summarise_levels(scores)
out.table(summary, "table_sparsening", section="Sparsening", caption=caption)
summary

# %% [markdown]
# ## Minimal motifs
# With three links left, the free sequence is an incoherent feed-forward loop and the other one negative feedback.

# %%
for (name, levels), label in zip(sequences.items(), ("fig2c_networks", "fig2d_networks"), strict=True):
    networks = [majority_table(adaptation.orient(x.values), task.regulators, task.genes, cutoff) for x in levels]
    titles = [f"{level.count} {'links' if level.count > 1 else 'link'}" for level in levels]
    caption = f"Majority networks ({name}) with the share of replicates that have each sign (none: all have it)."
    fig, table = plots.network_sequence(dict(zip(titles, networks, strict=True)))
    out.save(fig, table, label, section="Minimal motifs", caption=caption)

# %%
shares = results.minimal_motifs(scores)
pd.Series(shares)

# %% [markdown]
# ## Ours and published
# The paper shows one run where we have a distribution: our value is the median, the interval holds 90 % of the
# replicates, and a row agrees when the published value lies within the interval widened by the tolerance. An untrained
# network is the baseline of the pulse, the target itself the ceiling.

# %%
untrained = new_network(task, "shared", hidden, replicate_generators(seed, replicates))
names = link_names(task.regulators, task.genes)
six_links = adaptation.orient(sequences["all links allowed"][0].values)
out.compare_all(results.pulse_rows(curves, adaptation.pulses(untrained), section="Pulses"))
out.compare_all(results.link_rows(six_links, names, section="Sparsening"))
out.compare_all(results.sparsening_rows(scores, section="Sparsening"))
out.compare_all(results.motif_rows(shares, section="Minimal motifs"))
out.close()

# %%
with pd.option_context("display.max_rows", None):
    display(out.results()[["quantity", "ours", "low", "high", "published", "verdict"]])

# %% [markdown]
# How to read it. A verdict compares one published run with the spread of ours: where replicates fall into two groups
# (one link left: the input is kept in some and lost in others), the interval is wide and agreement says little; the
# share of replicates that adapt says more. Down to three links nearly every free sequence ends in the same motif; the
# sequence without the link to $g_2$ often loses the function at three links, which a single run does not show.

# %% [markdown]
# What would make this notebook wrong: networks that do not adapt, or adapt by another motif than the published ones.

# %%
if expect_published:
    assert adapting.mean() > 0.9, "fewer than 9 in 10 fully connected networks adapt"
    assert shares["incoherent feed-forward"] > 0.8, "the minimal network is not the incoherent feed-forward loop"
    assert shares["negative feedback"] > 0.8, "without I -> g2 the minimal network is not negative feedback"
