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
# # Controlled oscillation: many trainings, many topologies
#
# Reproduces Fig. 3 of Shen, Liu, Tu & Tang, *Finding gene network topologies for given biological function with
# recurrent neural network*, Nat Commun 12:3125 (2021). Two genes have to oscillate under one input, to be high under
# another and to rest without. Many trainings end in many topologies; these are compared with an exhaustive
# enumeration of Hill circuits.
#
# **Reads** `data/mini/tasks/controlled_oscillation.yaml` and the enumeration that notebook 33 left in
# `figures/<profile>/33_hill_enumeration/`. **Writes** `figures/<profile>/32_controlled_oscillation/`. About a minute
# on one core in `mini` (16 trainings), a quarter of an hour on two in `paper` (three times the 200 published ones,
# and a grid).

# %% tags=["parameters"]
profile: str = "mini"  # folder of figures/ that takes the outputs (one of: mini, paper)
seed: int = 2021  # of weights, noise and layout (>= 0)
threads: int = 1  # CPU threads (>= 1)
device: str = "auto"  # where to train (one of: auto, cpu, cuda)
replicates: int = 16  # independent trainings of each training seed (>= 16)
training_seeds: int = 1  # how often the whole experiment is repeated (>= 1)
hidden: int = 16  # units in each of the two hidden layers (>= 1)
updates: int = 4000  # parameter updates (>= 1)
rate: float = 1e-3  # learning rate of RMSProp (0 < x <= 1)
noise: float = 0.05  # sd of the noise on f during training (>= 0)
cutoff: float = 5e-4  # smallest link value that counts as a link (>= 0)
strengths: list[float] = [0.0, 0.9]  # what the target sees of a regulator, read-outs compared (0 <= x < 1)
fit_restarts: int = 16  # random starts of each Hill circuit fitted to the criteria (>= 1)
fit_updates: int = 100  # updates of these fits (>= 1)
network_fit_updates: int = 200  # updates when a Hill circuit is fitted to a network (>= 2)
arm_replicates: int = 16  # trainings in each arm of the experiment on the left branch (>= 1)
first_stage_updates: int = 500  # updates of the unconditional oscillation that comes first (>= 1)
grid_replicates: int = 16  # trainings at each point of the grid (>= 1)
grid_noise: list[float] = [0.0, 0.05]  # noise levels of the grid (>= 0)
grid_updates: list[int] = [2000]  # training lengths of the grid (>= 1)
expect_published: bool = True  # assert what the paper found; off when you change the task or the training

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import display

from regulome import figures, paths, tables
from regulome.circuits import codes, monotonicity, oscillation, oscillation_conversion, plots_topologies
from regulome.circuits import oscillation_experiments as experiments
from regulome.circuits import oscillation_topologies as topologies
from regulome.circuits import plots_oscillation as plots
from regulome.circuits import results_oscillation as results
from regulome.circuits.mutation import link_names, link_values, protocol
from regulome.circuits.network import simulate
from regulome.circuits.task_file import read_task
from regulome.circuits.topology_graph import layered_graph, node_table
from regulome.circuits.training import TrainingSettings, train

torch.set_num_threads(threads)
figures.style()

# %% [markdown]
# ## Task
# Three constant stimuli: at rest $g_1$ stays at 0.1, and no gene may move; under $I_1 = 0.8$ it follows four triangles
# of period 3; under $I_2 = 0.8$ it is 0.8. The initial level of $g_2$ is trained along.

# %%
task = read_task(paths.mini_data() / "tasks" / "controlled_oscillation.yaml")
settings = TrainingSettings("private", hidden=hidden, steps=updates, rate=rate, noise=noise)
out = figures.Output(
    "32_controlled_oscillation",
    profile,
    title="Controlled oscillation (circuits, Fig. 3)",
    parameters={"replicates": replicates, "training_seeds": training_seeds, "updates": updates, "noise": noise}
    | {"hidden": hidden, "rate": rate, "cutoff": cutoff, "seed": seed},
)

# %% [markdown]
# The enumeration of notebook 33: of random Hill parameter sets, how many of each topology do the same task? A topology
# counts with at least two. Most of these oscillators owe their oscillation to the published Euler step of 0.25, so the
# topologies found with the converged integration (Runge-Kutta) stand beside them everywhere; in `mini` that list comes
# from fewer parameter sets.

# %%
path = paths.figures(profile, "33_hill_enumeration") / "table_topologies.csv"
hill_table = tables.read_table(path, ["topology", "hits", "hits_converged"], text=("topology",))
hill_sets = {column: experiments.enumerated(hill_table, column) for column in ("hits", "hits_converged")}
titles = {"hits": "enumeration as published", "hits_converged": "converged enumeration"}
pd.Series({titles[name]: len(signs) for name, signs in hill_sets.items()})

# %% [markdown]
# ## Training
# Each gene has its own perceptron, $\dot g_j = f_j(I, g) - g_j$. The public scripts train without noise and for 8001
# updates; the published networks look like noise of about 0.05 on $f$ and 4000 updates (see the grid below).

# %%
trained = [train(task, settings, replicates, seed + s, device=device) for s in range(training_seeds)]
network = trained[0].network
errors = np.concatenate([oscillation.squared_errors(run.network, task) for run in trained])
curves = simulate(network, task.input_values, task.dt)[..., 0].numpy()
caption = f"Output of all {replicates} runs of the first seed in the conditions of the training, noise off."
fig, table = plots.fits(curves, task, errors[:replicates])
out.save(fig, table, "fig3b_fits", section="Training", caption=caption)

# %% [markdown]
# ## Good runs
# The test is finer and longer (dt 0.1, 300 steps, input on at time 6, 20 levels of each input). The paper does not say
# when a run has failed. Here a good run swings by more than 0.2 over the last 10 units of time under $I_1 = 0.8$, is
# above 0.6 and moves by less than 0.1 under $I_2 = 0.8$, and stays below 0.2 at rest. All runs stay in the statistics.

# %%
responses = oscillation.responses(network)
good = oscillation.good_runs(responses)
caption = "(a) One run in the test. (b) Amplitude and (c) mean of g1 over the last 10 units of time; all runs."
out.save(*plots.level_responses(responses, good), "test_levels", section="Good runs", caption=caption)

# %% [markdown]
# An Euler step can make an oscillator that the differential equation does not have, as it does in the enumeration. Are
# the networks, trained at dt 0.2, oscillators at smaller steps?

# %%
step_sizes = experiments.step_size_table(network, steps=(0.2, 0.1, 0.05, 0.02))
caption = "Runs under I1 = 0.8 with other Euler steps: amplitude above 0.2 over the last 20 of 40 units of time."
out.save(*plots.step_sizes(step_sizes), "step_sizes", section="Good runs", caption=caption)

# %% [markdown]
# ## Topologies
# Target $j$ is shown $0.9$ of regulator $i$; the value of the link is the change of $g_j$, wild type minus mutant,
# averaged over time and 8 stimuli, and a link exists where its size exceeds the cutoff. A topology counts when it is
# connected: each input acts on a gene, and each gene on the other.

# %%
values = [link_values(run.network, protocol("fig3")) for run in trained]
goods = [oscillation.good_runs(oscillation.responses(run.network)) for run in trained]
founds = [topologies.found_topologies(v, g, cutoff) for v, g in zip(values, goods, strict=True)]
cutoff_curves = [topologies.cutoff_curve(v, g) for v, g in zip(values, goods, strict=True)]
found = founds[0]
assert found.counted.any(), "no run is good and connected: train longer"
cutoff_curves[0]

# %% [markdown]
# How many topologies are there, how unevenly do the runs fall on them, and which are frequent? The paper's text says
# that 80 % of the runs fall on the most frequent 30 % of the topologies; the published networks themselves give 63 %.

# %%
degeneracies = [topologies.degeneracy(f.names[f.counted]) for f in founds]
fig, table = plots_topologies.topology_counts(cutoff_curves[0], topologies.PUBLISHED_CUTOFFS, degeneracies[0])
caption = (
    "First seed. (a) Distinct topologies of the good runs against the cutoff on the link values. (b) Share of the runs "
    "that falls on the most frequent topologies."
)
out.save(fig, table, "topology_counts", section="Topologies", caption=caption)
hits = dict(zip(hill_table["topology"], hill_table["hits"].astype(int), strict=True))
fig, table = plots_topologies.frequent_topologies(degeneracies[0], hits)
caption = "Most frequent topologies of the first seed, with their hits in the enumeration as published."
out.save(fig, table, "frequent_topologies", section="Topologies", caption=caption)
pooled = topologies.pool(founds)
cores = topologies.core_counts(pooled)
caption = "Signs of g1→g1, g1→g2, g2→g1, g2→g2: good and connected runs of all seeds, and of 193 published networks."
out.table(cores, "table_cores", section="Topologies", caption=caption)

# %% [markdown]
# ## Read-out
# How much do the conclusions owe to the strength of the mutation, and to following the trajectory instead of the rate
# $f_j(x) - f_j(\lambda x_i)$? Every read-out has the cutoff that gives it the most topologies.

# %%
read_outs = experiments.read_out_table(network, good, hill_sets["hits"], strengths)
caption = "Share of good and connected runs whose topology is in, or one link from, the enumeration as published."
out.save(*plots_topologies.read_outs(read_outs), "read_outs", section="Read-out", caption=caption)
read_outs.pivot_table(index=["kind", "strength"], columns="distance", values="ours")

# %% [markdown]
# ## Monotonicity
# A perceptron may use one regulator in both directions. The sign of $\partial f_j / \partial x_i$ is followed along the
# trajectories of the test; a link is called non-monotone when the rarer sign has at least 5 % of the summed slope.

# %%
audited = monotonicity.audit(network, protocol("fig3"))
audit = monotonicity.audit_table(audited, found.signs, link_names(task.regulators, task.genes))
caption = "Sign of the derivative of f along the test, links that exist. (a) Per link. (b) Share of the rarer sign."
fig, table = plots.monotonicity(audit, audited["minority"][found.signs != 0])
out.save(fig, table, "monotonicity", section="Monotonicity", caption=caption)

# %% [markdown]
# ## Networks and enumeration
# The distance of two topologies is the L1 distance of their signs: a link more or less counts one, a reversed sign two.

# %%
ours = codes.decode(sorted(set(found.names[found.counted])))
parts = {titles[name]: topologies.venn_counts(ours, signs) for name, signs in hill_sets.items()}
caption = "Distinct topologies of the first seed and of the enumeration; areas and overlap to scale."
fig, venn = plots_topologies.venn(parts)
out.save(fig, venn, "fig3d_venn", section="Networks and enumeration", caption=caption)
venn

# %% [markdown]
# How probable is it that a training finds a topology of the enumeration? Chance is computed exactly over the 2304
# connected topologies: drawn uniformly, among those that can oscillate, with the link counts of the runs, with every
# link as frequent as in the runs but independent of the others, and with the core of a run and independent inputs.

# %%
probabilities, chance = experiments.seed_table(founds, hill_sets)
counted = probabilities[probabilities["runs"] == "good and connected"]
caption = "Probability that the topology of a run is in the enumeration (dark), or at most one link away (light)."
fig, table = plots_topologies.probabilities(counted, chance, results.PROBABILITIES, titles)
out.save(fig, table, "fig3e_probabilities", section="Networks and enumeration", caption=caption)
chance

# %% [markdown]
# ## Conversion to Hill circuits
# A topology can be converted when random Hill parameters do the task (sampling, the paper's way), or when parameters
# fitted by gradient do. A stricter question is asked of each network: fit a Hill circuit of its topology to its own
# rates and trajectories. Does the fit oscillate?

# %%
sampled = oscillation_conversion.sampled(found, hill_table)
fitted = oscillation_conversion.fitted(found, seed, fit_restarts, fit_updates, device)
to_runs, difference = oscillation_conversion.fitted_to_runs(network, found, task, seed, 16, network_fit_updates, device)
conversion = pd.concat([sampled, fitted, to_runs], ignore_index=True)
caption = "Share of (a) distinct topologies and (b) good and connected runs that are converted; first seed."
out.save(
    *plots_topologies.conversions(conversion), "conversion", section="Conversion to Hill circuits", caption=caption
)

# %% [markdown]
# ## Two branches
# The loop between the genes is $g_1 \to g_2 \dashv g_1$ (right) or $g_1 \dashv g_2 \to g_1$ (left). The enumeration has
# more topologies on the left, the networks are nearly all on the right.

# %%
hill_set = hill_sets["hits"]
names = np.array(codes.encode(hill_set))
runs = pd.Series(found.names[found.counted]).value_counts().reindex(names, fill_value=0)
graph = layered_graph(hill_set, seed)
nodes = node_table(graph, names, np.array([hits[name] for name in names]), runs.to_numpy())
caption = (
    "Topologies of the enumeration by number of links; area: hits; lines: one link apart; filled: found by training, "
    "with the number of runs."
)
out.save(*plots_topologies.layered(graph, nodes), "fig3f_graph", section="Two branches", caption=caption)

# %% [markdown]
# Is the bias one of the starting point? With $g_2(0) = 0.9$ fixed, and with an unconditional oscillation trained first.

# %%
arms = experiments.left_branch_arms(task, settings, arm_replicates, seed, first_stage_updates, device=device)
arms_found = {"as published": found} | {name: experiments.read_out(arm, cutoff) for name, arm in arms.items()}
arm_table = experiments.arm_table(arms_found)
caption = "Share of runs that are good, and of good runs in the left branch, with 95 % intervals."
out.save(*plots_topologies.branch_shares(arm_table), "left_branch", section="Two branches", caption=caption)

# %% [markdown]
# ## Training length and noise
# The hit probabilities are no constants of the method: with more updates the networks leave the set of Hill circuits.

# %%
grid = experiments.training_grid(
    task, settings, grid_noise, grid_updates, grid_replicates, seed, cutoff, hill_set, device=device
)
caption = f"{grid_replicates} runs at each noise level and length, 95 % intervals; dashed: published (200 runs)."
fig, table = plots_topologies.training_grid(grid, results.GRID)
out.save(fig, table, "training_grid", section="Training length and noise", caption=caption)

# %% [markdown]
# ## Ours and published
# A share of 193 published networks has a sampling error of its own, which is the tolerance of its row; our interval
# pools all seeds. Counts of topologies are compared when there are about as many runs as in the paper.

# %%
compare = results.Comparison(replicates, len(hill_set))
top = [topologies.share_of_top(curve) for curve in degeneracies]
out.compare_all(compare.training_rows(errors, founds, task.case_names, section="Training"))
out.compare_all(compare.count_rows(cutoff_curves, top, section="Topologies"))
out.compare_all(compare.core_rows(cores, int(pooled.counted.sum()), section="Topologies"))
out.compare_all(compare.venn_rows(venn, section="Networks and enumeration"))
out.compare_all(compare.probability_rows(probabilities, chance, titles, section="Networks and enumeration"))
out.compare_all(compare.branch_rows(pooled, hill_set, arm_table, section="Two branches"))
out.compare_all(results.step_rows(step_sizes, section="Good runs"))
out.compare_all(results.audit_rows(audit, section="Monotonicity"))
out.compare_all(results.conversion_rows(conversion, difference, section="Conversion to Hill circuits"))
out.close()
with pd.option_context("display.max_rows", None, "display.max_colwidth", 90):
    display(out.results()[["quantity", "ours", "low", "high", "published", "verdict"]])

# %% [markdown]
# How to read it. At this noise and length the published probabilities come out; the grid shows that they belong to the
# noise and the length, not to the method. Nor do they say that training finds the right *combinations*: topologies
# whose links are drawn independently, each as often as in the runs, hit nearly as often. What training finds is the
# sign of single links (above all a negative loop between the genes), and that is far better than a uniform draw.
#
# A hit is a statement about the topology. A gradient search from screened random starts converts about as many
# topologies as 160,000 random sets of each do. Hill circuits fitted to a network's own trajectories hardly come closer
# than its mean levels, and do not oscillate; and in about a quarter of the links the slope of $f$ changes sign, so
# that their sign is one of an average. Nearly all networks oscillate at every Euler step, faster and less widely at
# small ones, which most successes of the enumeration do not (notebook 33). The right branch is a matter of the
# starting point: with $g_2$ high at the start and the oscillation trained first, the same task ends in the left
# branch. The squared error under $I_1$ is above the published one; without noise it is 1.5, which speaks against noise
# in the published trainings, while the topologies speak for it.
#
# What would make this notebook wrong: trainings that fail, topologies that are not those published, a probability
# outside its band.

# %%
if expect_published:
    near = counted[(counted["enumeration"] == "hits") & (counted["distance"] == "<= 1 link")]
    near = topologies.wilson(near["hits"].sum(), near["number"].sum())
    assert pooled.good.mean() >= 0.9, "fewer than 9 in 10 runs are good"
    assert pooled.connected[pooled.good].mean() > 0.9, "good runs are not connected"
    assert near["low"] < 0.6 and near["high"] > 0.4, "one-link probability outside the band 0.40 to 0.60"
    assert step_sizes["oscillates"].mean() > 0.8, "the networks oscillate by virtue of their Euler step"
    assert replicates < 150 or 50 <= len(ours) <= 75, "number of distinct topologies far from the published 64"
