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
# # Knockout analysis: what happens when it is removed, in all four parts
#
# One question to every model: `knockout(model, target)` gives a table of effects, whether a link of a circuit, a gene
# or an edge of a screen's network, a reaction, a residue, a base or a helix is removed. What the models were learned
# from is asked the same question, wherever it is known (a Hill circuit, a simulated gene network, held-out cells, the
# exact law, the motif behind simulated intensities), and so is a baseline. None of the four publications makes this
# comparison.
#
# **Reads** what notebooks 11 to 15, 21, 22 and 42 left in `build/<profile>/`; networks of circuits are trained here.
# **Writes** `figures/<profile>/51_knockout_analysis/`. A minute and a half on one core in `mini`,
# a quarter of an hour in `paper`.

# %% tags=["parameters"]
profile: str = "mini"  # folder of figures/ that takes the outputs (one of: mini, paper)
seed: int = 51  # of circuits, noise, trainings, wild types, drawn proteins and the bootstrap (>= 0)
threads: int = 1  # CPU threads (>= 1)
data_mirror: str = ""  # folder that holds the registered data files; empty: REGULOME_MIRROR, else download
circuits: int = 4  # random Hill circuits (>= 2)
cases: int = 12  # time courses of each that are learned from (>= 4)
noise: float = 0.02  # sd of the noise on their levels, which lie between 0 and 1 (>= 0)
updates: int = 600  # parameter updates of their networks (>= 1)
replicates: int = 16  # trainings of each (>= 2)
screen_models: list[str] = ["GPO-VAE, ours", "GPO-VAE, published"]  # models of the screen, by title
edge_screen: str = "kept"  # screen whose network is known: that of notebook 21, or a new one (one of: kept, new)
checked_edges: int = 6  # edges whose true effect is simulated cell by cell too (>= 3)
checked_cells: int = 100  # cells of each of these simulations (>= 10)
networks: list[str] = ["gene_expression", "afl"]  # solvers of notebook 42, by the name of their file
wild_types: int = 3  # parameter sets of each network (>= 2)
factors: list[float] = [0.5, 0.25]  # by which a reaction's rate is multiplied (0 < x < 1)
proteins: int = 4  # unseen proteins (>= 2)
scanned_proteins: int = 2  # of these, whose residues are replaced one by one (>= 1)
rnas: int = 200  # RNAs over which binding profiles are read (>= 20)
expect_published: bool = True  # assert what has to hold; off for your own data

# %%
import pandas as pd
import torch
from IPython.display import display

from regulome import figures, paths
from regulome.binding import training_inputs, validation
from regulome.binding.predictor import Predictor
from regulome.data import named_in
from regulome.knockout import agreement, binding_study, circuit_study, edges, gene_study, kinds, reaction_study, table
from regulome.knockout import plots_effects as plots
from regulome.knockout import results_knockout as results
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Gene, Reaction
from regulome.perturbation import response_models, screen
from regulome.stochastic.dataset import Dataset
from regulome.stochastic.solver import Solver

torch.set_num_threads(threads)
figures.style()
build = paths.build(profile)

# %% [markdown]
# ## Links of circuits
# Random Hill circuits with one input and three genes are the truth, their noisy time courses under random inputs all
# that is learned from: by a network $\dot g = f(g, I) - g$ with a perceptron a gene, trained several times, and by the
# baseline, $f = A x + c$. Then every possible link is removed in the circuit, in the network and in the line: gene $j$
# sees 0 of regulator $i$, all others see it whole. Readouts are the mean levels of all genes under inputs and starts
# that were not trained on. Where the circuit has no link the true effect is 0.

# %%
link_effects, trained = circuit_study.study(circuits, cases, noise, updates, replicates, seed)
sizes = {"circuits": circuits, "cases": cases, "updates": updates, "wild_types": wild_types, "factors": factors}
sizes |= {"proteins": proteins, "rnas": rnas, "edge_screen": edge_screen, "seed": seed}
out = figures.Output("51_knockout_analysis", profile, title="Knockout analysis (all four parts)", parameters=sizes)
caption = "Random Hill circuits: links, activating ones, median final loss of the networks, and noise."
out.table(trained, "table_circuits", section="Links of circuits", caption=caption)

# %%
of_links = agreement.collect(kinds.LINKS, link_effects, [circuit_study.MODEL])
agreement.summary(of_links)[agreement.SHOWN].round(3)

# %% [markdown]
# ## Genes of a screen
# Every perturbation of the screen of notebook 21, and what it does to the mean expression of every other gene; the
# perturbed gene itself is left out, since everybody knows that it falls. Held-out cells are the truth, with their own
# sampling noise, so that even the true effects would not reach a correlation of 1; how far they would get follows from
# the correlations between training, validation and held-out cells. The validation cells, about as many as the held-out
# ones, stand beside the models: what a repetition of the experiment predicts. All perturbations are in training: what
# is tested is the effect, not the prediction of a gene never perturbed (notebook 23 does that).

# %%
cells = screen.load(build / "21_perturbseq_preparation" / "screen.h5ad")
models = response_models.load(build / "22_gpo_vae_training" / "models", cells)
gene_effects = gene_study.genes(cells, gene_study.chosen(models, screen_models))
best = gene_study.ceiling(cells)
out.uses(*named_in(cells.settings.get("source", "")))
print(f"{cells.name}: the true effects would reach a correlation of about {best:.2f} with held-out cells")

# %%
of_genes = agreement.collect(kinds.GENES, gene_effects, screen_models)
agreement.summary(of_genes)[agreement.SHOWN].round(3)

# %% [markdown]
# ## Edges of a network
# The learned network $A$ is signed: $A_{ij}$ is the log change of gene $j$ for a unit log change of gene $i$. Under a
# knockdown of $i$ that changes it by $d_i$, gene $j$ answers with $d_i\,N_{ij}/N_{ii}$, $N = (I - A)^{-1}$. The effect
# of removing the edge is that answer without it minus that answer with it. The truth is the same removal in the
# simulated network: the promoter of $j$ stops listening to $i$. For pairs without an edge it is 0. The baseline has no
# network: all of the measured answer is ascribed to the edge.

# %%
some, several, true = gene_study.simulated(edge_screen, cells, models.get(gene_study.OURS, []), seed)
edge_effects = gene_study.all_edges(several, some, true)
of_edges = agreement.collect(kinds.EDGES, edge_effects, [gene_study.OURS])
of_true_edges = agreement.collect(kinds.TRUE_EDGES, gene_study.true_edges(edge_effects), [gene_study.OURS])
agreement.summary(pd.concat([of_edges, of_true_edges]))[agreement.SHOWN].round(3)

# %% [markdown]
# The truth is the deterministic steady state of the simulated network. For some edges, drawn at random, cells are
# simulated one by one as those of the screen were, with and without the edge.

# %%
asked = gene_study.drawn_edges(edge_effects, checked_edges, seed)
check = edges.stochastic_check(true, asked, checked_cells, 12.0, seed, threads)
caption = f"Effects of removing edges (log2 fold change): {checked_cells} simulated cells each, and steady state."
out.table(check, "table_edge_check", section="Edges of a network", caption=caption)
check.round(3)

# %% [markdown]
# ## Reactions of a network
# A reaction's rate is multiplied by a factor, in the trained solver and in the exact solution; readouts are the
# relative changes of mean and sd of every species. The solver reads parameters: a reaction can be asked about if a
# parameter scales its propensity alone, and most parameters enter as logarithms, so that 0 cannot be asked. A scaled
# rate may lie outside the box of the training. Baselines: the rate equations (exact for the means of a linear network)
# with Poisson noise, and, where training laws are at hand, the training law nearest in parameters, before and after.

# %%
folder = build / "42_solver_training"
solvers = {name: Solver.load(folder / f"{name}.pt") for name in networks}
laws = Dataset.load(folder / "training_laws.npz")
training = {name: laws for name, solver in solvers.items() if solver.network.name == laws.network.name}
reaction_effects = reaction_study.study(solvers, training, wild_types, factors, seed)

# %%
of_reactions = [agreement.collect(kinds.REACTIONS, reaction_effects, [reaction_study.SOLVER])]
for note, found in reaction_study.by_note(reaction_effects).items():
    of_reactions.append(agreement.collect(note, found, [reaction_study.SOLVER]))
agreement.summary(pd.concat(of_reactions))[agreement.SHOWN].round(3)

# %% [markdown]
# How far is slowing down from removing? The exact solution can do both.

# %%
slowed = reaction_study.removal(solvers, reaction_effects[reaction_study.SOLVER], 1, seed)
caption = "Exact relative changes of means, first wild type: reaction slowed down against reaction removed."
out.save(*plots.removal(slowed), "removal", section="Reactions of a network", caption=caption)

# %% [markdown]
# ## Bases, residues and helices
# Proteins that the network has not seen, whose own profiles and copies are taken out of the homology term. In the RNA
# that each truly binds best, every base is replaced by each of the others, and every helix is broken from either side
# and restored. The truth is the scan behind the simulated intensities. In `mini` it follows from six residues of the
# protein, so that replacing residues by glycine, which reads nothing, has a true effect as well; of the proteins of
# `paper`, whose motifs are published, nobody knows it. Scores are in standard deviations over RNAs. Baselines: the
# profile of the nearest training protein, and the mean profile of all.

# %%
inputs = training_inputs.read(build)
split = validation.Split.load(build / "14_two_tower_training" / "split.npz")
predictor = Predictor.load(build / "15_unseen_rbps" / "predictor.pt")
given = (predictor, inputs.compendium, split.test, split.new_rnas)
sites = binding_study.case(*given, proteins, rnas, seed, data_mirror or None)
out.uses(*(["rbp420_pwms"] if sites.kind == "semi-real" else []))

# %%
site_effects = {
    kinds.BASES: binding_study.bases(sites),
    kinds.RESIDUES: binding_study.residues(sites, scanned_proteins),
    kinds.HELICES: binding_study.helices(sites),
}
of_sites = [agreement.collect(kind, found, [binding_study.COMBINED]) for kind, found in site_effects.items()]

# %%
protein, marked = binding_study.marked(sites)
caption = f"Every residue of {protein} replaced by glycine; grey bars: residues that read a base (where it is known)."
fig, drawn = plots.sites(site_effects[kinds.RESIDUES], protein, marked)
out.save(fig, drawn, "residues", section="Bases, residues and helices", caption=caption)

# %% [markdown]
# ## All parts together
# Pearson correlation of predicted and true effects, its interval from a bootstrap over circuits, perturbations,
# regulators, wild types or proteins, and the share of right signs among effects of at least a tenth of the largest true
# one. Nothing is filtered.

# %%
compared = pd.concat([of_links, of_genes, of_edges, of_true_edges, *of_reactions, *of_sites], ignore_index=True)
summary = agreement.summary(compared, seed)
caption = "Agreement of predicted and true effects: every kind of knockout, every model and baseline."
out.table(summary, "table_agreement", section="All parts together", caption=caption)
summary.drop(columns=["slope", "truth_sd"]).round(3)

# %%
caption = f"""Predicted against true effects of knockouts in all four parts, beside the same from a baseline. Bars:
    interval of the prediction where there is one; dotted: identity; r with 95 % bootstrap interval over groups; signs:
    among effects of at least a tenth of the largest. Truth: Hill circuits, held-out cells ({cells.name}), simulated
    gene network, exact law, motif behind {sites.kind} intensities. At most {plots.MOST} points a panel are drawn;
    numbers are of all."""
fig, drawn = plots.effects(compared, summary, kinds.drawn(summary, screen_models[0]), kinds.UNITS, seed)
out.save(fig, drawn, "knockouts", section="All parts together", caption=caption)

# %%
caption = "(a) Correlation of predicted and true effects, 95 % bootstrap over groups; (b) share of right signs."
out.save(*plots.agreements(summary), "agreement", section="All parts together", caption=caption)

# %% [markdown]
# The table of all effects, as `knockout` returns them; of each system and kind the 40 with the largest true effect.

# %%
every = [link_effects[circuit_study.MODEL], gene_effects[screen_models[0]], edge_effects[gene_study.OURS]]
every += [reaction_effects[reaction_study.SOLVER], *(found[binding_study.COMBINED] for found in site_effects.values())]
effects = table.largest(table.join(every), 40)
caption = "Effects of knockouts in trained models, with their truth: the 40 largest of each system and kind."
out.table(effects, "table_effects", section="All parts together", caption=caption)
effects.groupby(["part", "kind"], sort=False).size()

# %% [markdown]
# One knockout of each of three kinds, as one would ask it of one's own model.

# %%
solver = solvers[networks[0]]
slower = Reaction(solver.network.events[0].name, reaction_study.wild_types(solver, 1, seed)[0], factors[0])
of_gene = knockout(models[screen_models[0]][0], Gene(cells.labels[0], cells.genes))
one = table.join([of_gene.head(2), knockout(solver, slower).head(2), knockout(true, asked[0])])
one[["part", "system", "removed", "kind", "readout", "unit", "effect"]]

# %% [markdown]
# ## Ours and published
# Nothing is published to compare with: every row says so. Baselines, and what measured effects reach among themselves,
# stand beside the models.

# %%
out.compare_all(results.agreement_rows(summary, section="All parts together"))
out.compare_all([results.ceiling_row(best, kinds.GENES, section="Genes of a screen")])
out.compare_all(results.check_rows(check, section="Edges of a network"))
out.close()
with pd.option_context("display.max_rows", None):
    display(out.results()[["quantity", "ours", "low", "high", "verdict"]])

# %% [markdown]
# ## Where a knockout in the model is not the knockout at the bench
# * **Links.** The circuit's target gene stops seeing one regulator; everything else stays. At the bench a binding site
#   is mutated, which also moves basal transcription and neighbouring sites. In trained networks with gene $j$ shown 0
#   of a regulator, the perceptron may be asked for a combination of levels that no time course ever visited.
# * **Genes.** Every perturbation was in training, and so were most of its cells: a good prediction is a good memory
#   without the noise. A guide that does not cut, incomplete knockdown and cells that compensate or die are part of the
#   measured effect, here and in the training.
# * **Edges.** The learned network knows log changes around the unperturbed cell. Cutting an edge there leaves control
#   cells as they are by construction; mutating a promoter does not. The truth used here is the comparable thing, a
#   promoter that stops listening, and exists for simulated networks only.
# * **Reactions.** A propensity is scaled, all others stay, and the cell has forever to adapt: stationary laws know no
#   transients, no lethality, and no second enzyme that takes over. The solver is never asked for zero.
# * **Bases, residues, helices.** A replaced residue changes what the predictor's sequence features see, not the fold;
#   the predictor never saw a mutant. Truths are scans of motifs, not measured affinities, and semi-real or synthetic
#   intensities promise nothing about an assay.

# %% [markdown]
# How to read it. A model has learned the mechanism, beyond the data, where its correlation lies above that of its
# baseline and its points on the dotted line: a high correlation with a flat slope is an order of effects, not their
# size. In `mini` that is clear for edges of the learned network, as long as pairs without an edge count: it tells
# direct from indirect effects, while among true edges alone the measured answer is as good, and less shrunken. For
# links and genes models are ahead, with intervals that overlap those of the baselines. The trained solver is closer
# than the rate equations inside its training box and loses to them outside, where means grow beyond its bounds. Bases
# are read as well from the nearest relative, and nothing is known about residues: a predictor of this kind tells
# families apart, not the residues that read the RNA. The change of a profile correlation is never positive, which
# leaves no sign to get right. Intervals from two to four groups are no more than a hint.

# %% [markdown]
# What would make this notebook wrong: models that know less than chance, a truth that does not follow from what made
# the data, or effects with the wrong sign.

# %%
if expect_published:
    r = summary.set_index(["panel", "method"])["pearson"]
    assert r[kinds.LINKS, circuit_study.MODEL] > r[kinds.LINKS, circuit_study.LINEAR], "a line knows the links as well"
    assert r[kinds.EDGES, gene_study.OURS] > 0.3, "edges of the learned network have nothing to do with the true ones"
    assert r[kinds.REACTIONS, reaction_study.SOLVER] > 0.8, "the solver does not know its reactions"
    assert r[kinds.BASES, binding_study.COMBINED] > 0.1, "the predictor does not know where the motif is"
    inside = (check["low"] - 0.3 < check["deterministic"]) & (check["deterministic"] < check["high"] + 0.3)
    assert inside.mean() > 0.5, "the steady state is no stand-in for simulated cells"
