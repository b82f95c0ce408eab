"""The table of contents: one step per notebook, what it reads and what it writes.

    bash run_all.sh                             every step in the mini profile
    bash run_all.sh paper --until 35_gap_genes  one step, and those it needs, in the published sizes
    bash run_all.sh paper -n                    what would run, and why

A step runs papermill on notebooks/SLUG.ipynb with params/PROFILE/SLUG.yaml. It runs again when its notebook, its
parameters, a module that it imports (found by reading import statements), a file it reads or requirements.lock has
changed; a new date without new content does not count.
"""

# To add a step: write notebooks/SLUG.py and .ipynb, params/mini/SLUG.yaml and params/paper/SLUG.yaml, and an entry here.
#   about    first sentence of the step's description
#   figures  NAME stands for NAME.png, NAME.pdf and NAME.csv in figures/PROFILE/SLUG
#   tables   NAME stands for NAME.csv there; every step also writes results.csv and manifest.json
#   keeps    files in build/PROFILE/SLUG that later steps read, such as trained models
#   shards   pieces that are made before the step, one job each, so that a cluster has something to spread:
#            "maker" is the "module:function" that makes one, "count" the parameter that says how many there are, "uses"
#            the parameters whose change makes them again; they lie in build/PROFILE/SLUG/shard_I.npz
#   reads    files it reads, relative to this folder, beyond those that its parameters name
#   data     keys of data/registry.yaml that it fetches
#   after    steps whose outputs it reads
#   check    "module:function" that refuses wrong input files, called with the parameters while earlier outputs exist
#   mem_mb, minutes  what a cluster has to reserve
#   seconds  what it took on two cores of 2.5 GHz: what the progress line expects at the first run
#   shard_seconds  what one of its shards took; steps with much behind them start first
# A value {"mini": ..., "paper": ...} differs between the profiles. The table is a literal: other programs read it too.
STEPS = {
    "11_rbp_dedup": {
        "about": "De-duplication of RNA-binding proteins: duplicates, homologues, motifs, and what leaks through a split.",
        "figures": ["identities", "profiles_by_identity", "thresholds", "logos", "motif_clusters", "leaks"],
        "tables": ["table_duplicates", "table_identities", "table_motifs", "table_trimming", "table_leaks"],
        "keeps": ["compendium.npz", "proteins.csv"],
        "reads": {
            "mini": [
                "data/mini/binding/intensities.txt.gz", "data/mini/binding/proteins.txt", "data/mini/binding/rnas.txt",
                "data/mini/binding/motifs.csv",
            ],
            "paper": [],
        },
        "data": {
            "mini": [],
            "paper": [
                "rnacompete_RNCMPT00001_train", "rnacompete_RNCMPT00001_test", "rnacompete_RNCMPT00002_train",
                "rnacompete_RNCMPT00002_test", "eupri_metadata", "rbp420_pwms", "rbp420_profile_correlation",
                "rbp_identity_local", "rbp_set_a_set_b",
            ],
        },
        "mem_mb": 4000,
        "minutes": {"mini": 5, "paper": 30},
        "seconds": {"mini": 32, "paper": 390},
    },
    "12_phime": {
        "about": "Exact structure profiles of every probe (PHIME), against the full partition function and samples.",
        "figures": ["examples", "shares", "checks", "by_length"],
        "tables": [],
        "keeps": ["structure.npz"],
        "after": ["11_rbp_dedup"],
        "check": "regulome.binding.phime_checks:check_installed",
        "mem_mb": 2000,
        "minutes": {"mini": 5, "paper": 30},
        "seconds": {"mini": 24, "paper": 145},
    },
    "13_protein_embeddings": {
        "about": "Protein vectors: featuriser, published vectors, ESM-2 layer by layer; what each tells about binding.",
        "figures": ["leave_one_out", "without_relatives", "esm_sizes"],
        "tables": ["table_scores"],
        "keeps": ["vectors.npz"],
        "after": ["11_rbp_dedup"],
        "data": {
            "mini": [],
            "paper": [
                "eupri_metadata", "rbp420_profile_correlation", "rbp_identity_local", "rbp_unirep", "rbp_bert",
                "rbp_rrm_kh_unique", "rbp_set_a_set_b",
            ],
        },
        "mem_mb": 3000,
        "minutes": {"mini": 10, "paper": 30},
        "seconds": {"mini": 30, "paper": 65},
    },
    "14_two_tower_training": {
        "about": "Two-tower network: targets, training, three validation protocols with baselines, ablations.",
        "figures": ["targets", "loss_curve", "protocols", "by_identity", "ablations"],
        "tables": [
            "table_targets", "table_sizes", "table_log", "table_protocols", "table_differences", "table_ablations",
            "table_full_size",
        ],
        "keeps": ["model.pt", "split.npz"],
        "shards": {
            "maker": "regulome.binding.ablations:make_shard",
            "count": "shards",
            "uses": [
                "seed", "test_fold", "tuning_fold", "new_share", "width", "rank", "layers", "protein_hidden", "dropout",
                "structure", "targets", "block_proteins", "block_rnas", "average", "rates", "variants", "sweep_seeds",
                "sweep_steps",
            ],
        },
        "after": ["11_rbp_dedup", "12_phime", "13_protein_embeddings"],
        "reads": {"mini": ["data/mini/binding/motifs.csv"], "paper": []},
        "data": {
            "mini": [],
            "paper": [
                "rnacompete_RNCMPT00001_train", "rnacompete_RNCMPT00001_test", "rnacompete_RNCMPT00002_train",
                "rnacompete_RNCMPT00002_test", "eupri_metadata", "rbp420_pwms", "rbp420_profile_correlation",
            ],
        },
        "mem_mb": {"mini": 3000, "paper": 10000},
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 50, "paper": 1210},
        "shard_seconds": {"mini": 25, "paper": 90},
    },
    "15_unseen_rbps": {
        "about": "Unseen RNA-binding proteins: baselines, the combined predictor, what to expect, knockouts.",
        "figures": {
            "mini": [
                "leave_one_out", "identity_caps", "unseen_methods", "gain", "expected_r", "residue_knockouts",
                "base_knockouts", "recovered_motif",
            ],
            "paper": [
                "leave_one_out", "identity_caps", "unseen_methods", "gain", "expected_r", "residue_knockouts",
                "base_knockouts", "recovered_motif", "measured_probes",
            ],
        },
        "tables": [
            "table_leave_one_out", "table_choices", "table_methods", "table_families", "table_expected",
            "table_coverage",
        ],
        "keeps": ["predictor.pt"],
        "after": ["11_rbp_dedup", "12_phime", "13_protein_embeddings", "14_two_tower_training"],
        "reads": {"mini": ["data/mini/binding/motifs.csv"], "paper": []},
        "data": {
            "mini": [],
            "paper": [
                "rnacompete_RNCMPT00001_train", "rnacompete_RNCMPT00001_test", "rnacompete_RNCMPT00002_train",
                "rnacompete_RNCMPT00002_test", "eupri_metadata", "rbp420_pwms", "rbp420_profile_correlation",
                "rbp_identity_local", "rbp_rrm_kh_unique", "rbp_unirep", "rbp_bert", "rbp_set_a_set_b",
            ],
        },
        "mem_mb": {"mini": 3000, "paper": 10000},
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 48, "paper": 1500},
    },
    "21_perturbseq_preparation": {
        "about": "Perturbation screen from raw counts: quality, filters, splits, latent genes, matched controls.",
        "figures": {
            "mini": ["on_target", "quality", "cells", "responses", "pairs"],
            "paper": ["strong_filters", "on_target", "quality", "cells", "responses", "pairs"],
        },
        "tables": [
            "table_steps", "table_quality", "table_extended", "table_transport", "table_pairs", "table_counterfactual",
        ],
        "keeps": ["screen.h5ad"],
        "reads": {"mini": ["data/mini/perturbation/screen.h5ad"], "paper": []},
        "data": {
            "mini": [],
            "paper": ["papalexi2021_lowmoi", "replogle2022_summary_stats", "adamson2016_summary_stats"],
        },
        "mem_mb": 3000,
        "minutes": {"mini": 5, "paper": 20},
        "seconds": {"mini": 64, "paper": 70},
    },
    "22_gpo_vae_training": {
        "about": "Training of GPO-VAE and its relatives: parameter counts, every loss term, what the network loss measures.",
        "figures": ["loss_terms", "validation", "term_forms", "network_loss"],
        "tables": ["table_sizes", "table_models", "table_datasets", "table_network_loss"],
        "keeps": [
            "models/cvae_seed0.pt", "models/cpa_seed0.pt", "models/svae+_seed0.pt",
            "models/sams-mean-field_seed0.pt", "models/sams_seed0.pt", "models/cradle_seed0.pt",
            "models/gpo_seed0.pt", "models/gpo_seed1.pt", "models/gpo_seed2.pt", "models/gpo_seed3.pt",
            "models/gpo_seed4.pt", "models/gpo_hop_0_seed0.pt", "models/gpo_corrected_seed0.pt",
            "models/ours_seed0.pt", "models/ours_seed1.pt", "models/ours_seed2.pt", "models/ours_seed3.pt",
            "models/ours_seed4.pt",
        ],
        "shards": {
            "maker": "regulome.perturbation.sweep:make_shard",
            "count": "shards",
            "uses": [
                "seed", "models", "repeated", "seeds", "basal", "decoder_width", "encoder_layers", "encoder_width",
                "effect_layers", "effect_width", "margin", "sparsity", "epochs", "batch", "rate", "particles", "patience",
                "device", "datasets",
            ],
        },
        "after": ["21_perturbseq_preparation"],
        "mem_mb": {"mini": 3000, "paper": 4000},
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 24, "paper": 220},
        "shard_seconds": {"mini": 70, "paper": 700},
    },
    "23_perturbation_response": {
        "about": "Perturbation responses: every model beside baselines and ceilings; held-out cells, perturbations, pairs.",
        "figures": {
            "mini": ["ate_scatter", "scores", "specific", "leak", "by_size", "unseen", "combinations", "generated"],
            "paper": ["ate_scatter", "scores", "specific", "leak", "by_size", "unseen", "generated"],
        },
        "tables": {
            "mini": [
                "table_shrinkage", "table_scores", "table_leaky", "table_choices", "table_unseen",
                "table_combinations", "table_screens", "table_generated",
            ],
            "paper": [
                "table_shrinkage", "table_scores", "table_leaky", "table_choices", "table_unseen", "table_screens",
                "table_generated",
            ],
        },
        "after": ["21_perturbseq_preparation", "22_gpo_vae_training"],
        "mem_mb": 4000,
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 75, "paper": 900},
    },
    "24_grn_inference": {
        "about": "Network inference: ranked signed edges against known ones and test cells, beside every baseline.",
        "figures": ["known_edges", "matched_edges", "false_omission", "stability", "convergence", "network"],
        "tables": [
            "table_known_edges", "table_all_genes", "table_matched", "table_readouts", "table_network",
            "table_interferon", "table_screens",
        ],
        "keeps": ["network.csv", "network.graphml"],
        "after": ["21_perturbseq_preparation", "22_gpo_vae_training"],
        "reads": {"mini": ["data/mini/perturbation/truth.csv"], "paper": []},
        "data": {"mini": [], "paper": ["dorothea_hs", "papalexi2021_lowmoi"]},
        "mem_mb": {"mini": 3000, "paper": 6000},
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 52, "paper": 900},
    },
    "31_adaptation": {
        "about": "Circuits that adapt: training, knockouts, sparsening, minimal motifs (Shen et al. 2021, Figs 1 and 2).",
        "figures": [
            "training_loss", "fig1b_pulses", "fig1c_rates", "fig1d_knockouts", "fig2cd_scores", "fig2c_networks",
            "fig2d_networks",
        ],
        "tables": ["table_sparsening"],
        "reads": ["data/mini/tasks/adaptation.yaml"],
        "mem_mb": 2000,
        "minutes": {"mini": 10, "paper": 60},
        "seconds": {"mini": 60, "paper": 450},
    },
    "32_controlled_oscillation": {
        "about": "Controlled oscillation: 200 trainings, their topologies against the enumeration (Shen et al. 2021, Fig. 3).",
        "figures": [
            "fig3b_fits", "test_levels", "step_sizes", "topology_counts", "frequent_topologies", "read_outs",
            "monotonicity", "fig3d_venn", "fig3e_probabilities", "conversion", "fig3f_graph", "left_branch",
            "training_grid",
        ],
        "tables": ["table_cores"],
        "reads": ["data/mini/tasks/controlled_oscillation.yaml"],
        "after": ["33_hill_enumeration"],
        "mem_mb": 3000,
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 55, "paper": 990},
    },
    "33_hill_enumeration": {
        "about": "Every Hill circuit of two genes and two inputs: which oscillate on demand, and which only on the Euler map.",
        "figures": ["random_draws", "step_size", "fig3_counts", "converged_counts", "adaptation_motifs"],
        "tables": ["table_conditions", "table_step_size", "table_topologies"],
        "reads": ["data/mini/criteria/controlled_oscillation.yaml", "data/mini/criteria/adaptation.yaml"],
        "mem_mb": 2000,
        "minutes": {"mini": 10, "paper": 60},
        "seconds": {"mini": 133, "paper": 385},
    },
    "34_sparse_oscillators": {
        "about": "Three-gene oscillators: sparsening, tree of deletions, p53 module, Hill transfer (Shen et al. 2021, Fig. 4).",
        "figures": [
            "fig4a_trajectories", "fig4a_phenotypes", "fig4bc_classes", "fig4_tree", "control", "hill_transfer",
            "fig4d_p53",
        ],
        "tables": ["table_phenotypes", "table_classes", "table_cutoff", "table_transfer", "table_steeper"],
        "reads": ["data/mini/tasks/three_gene_oscillation.yaml", "data/mini/criteria/three_gene_oscillation.yaml"],
        "mem_mb": 2000,
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 113, "paper": 815},
    },
    "35_gap_genes": {
        "about": "Gap genes of the fruit fly: network from the expression pattern, Kr mutant (Shen et al. 2021, Fig. 5).",
        "figures": [
            "fig5b_patterns", "convergence", "fig5c_frequencies", "fig5d_network", "fig5e_kr_mutant",
            "solution_families", "time_series",
        ],
        "tables": ["table_agreement", "table_mutants"],
        "reads": {
            "mini": [
                "data/mini/gap_genes/profile.csv", "data/mini/gap_genes/time_series.csv",
                "data/mini/gap_genes/links.csv", "data/mini/gap_genes/kr_mutant.csv",
            ],
            "paper": [],
        },
        "data": {"mini": [], "paper": ["flyex_gap_nc14_t7", "flyex_gap_time_series"]},
        "check": "regulome.circuits.gap_data:check_inputs",
        "mem_mb": 2000,
        "minutes": {"mini": 10, "paper": 60},
        "seconds": {"mini": 50, "paper": 460},
    },
    "36_cellular_automata": {
        "about": "Cellular automata with known links, learned from sparse frames and read out (Shen et al. 2021, Fig. 6).",
        "figures": [
            "training_loss", "fig6ab_prediction", "fig6d_rates", "fig6e_confusion", "fig6fg_roc", "fig6h_areas",
            "training_length",
        ],
        "tables": ["table_search", "table_strength"],
        "reads": {"mini": ["data/mini/automata/models.csv"], "paper": []},
        "data": {"mini": [], "paper": ["ca_ground_truth_models"]},
        "check": "regulome.circuits.automata_truth:check_inputs",
        "mem_mb": 3000,
        "minutes": {"mini": 10, "paper": 120},
        "seconds": {"mini": 44, "paper": 3300},
    },
    "41_state_transition_networks": {
        "about": "Networks, exact laws against simulation, noise of published references, extinction, waiting times (DynGPT).",
        "figures": [
            "network_drawings", "bounds", "gene_expression", "transient", "reference_noise", "epidemic", "waiting_times",
        ],
        "tables": ["table_networks", "table_closed_forms"],
        "reads": [
            "data/mini/networks/afl.json", "data/mini/networks/autoregulation.json",
            "data/mini/networks/birth_death.json", "data/mini/networks/cascade.json",
            "data/mini/networks/gene_expression.json", "data/mini/networks/sirs.json",
            "data/mini/networks/splicing.json", "data/mini/networks/splicing_gamma.json",
            "data/mini/networks/telegraph.json", "data/mini/networks/toggle.json",
            "data/mini/networks/two_stage.json",
        ],
        "mem_mb": 3000,
        "minutes": {"mini": 10, "paper": 60},
        "seconds": {"mini": 60, "paper": 510},
    },
    "42_solver_training": {
        "about": "The transformer solver: both recipes at equal arithmetic, time as an input (DynGPT-Solver).",
        "figures": ["held_out_distance", "loss_curves", "recipes", "options", "time_as_input"],
        "tables": ["table_recipes", "table_cost"],
        "keeps": {
            "mini": [
                "gene_expression.pt", "telegraph.pt", "afl.pt", "autoregulation.pt", "telegraph_in_time.pt",
                "training_laws.npz",
            ],
            "paper": [
                "gene_expression.pt", "telegraph.pt", "afl.pt", "autoregulation.pt", "splicing.pt",
                "telegraph_in_time.pt", "training_laws.npz",
            ],
        },
        "shards": {
            "maker": "regulome.stochastic.training_shards:make_shard",
            "count": "shards",
            "uses": ["network", "highest", "bounds", "sets", "seed"],
        },
        "reads": [
            "data/mini/networks/gene_expression.json", "data/mini/networks/telegraph.json",
            "data/mini/networks/afl.json", "data/mini/networks/autoregulation.json",
            "data/mini/networks/splicing.json",
        ],
        "mem_mb": 6000,
        "minutes": {"mini": 15, "paper": 180},
        "seconds": {"mini": 92, "paper": 2500},
        "shard_seconds": {"mini": 8, "paper": 190},
    },
    "43_solver_accuracy": {
        "about": "The solver on held-out parameters against exact joint laws, unfiltered and filtered; further networks.",
        "figures": ["distances", "moments", "joint_laws", "corner", "bimodality", "networks"],
        "tables": ["table_accuracy", "table_filter", "table_networks"],
        "after": ["42_solver_training"],
        "reads": [
            "data/mini/networks/gene_expression.json", "data/mini/networks/telegraph.json",
            "data/mini/networks/afl.json", "data/mini/networks/autoregulation.json",
            "data/mini/networks/splicing.json",
        ],
        "mem_mb": 6000,
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 47, "paper": 545},
    },
    "44_parameter_inference": {
        "about": "Rates from counts in single cells: posterior, calibration, smFISH, published procedure (DynGPT-Inferrer).",
        "figures": [
            "posterior_ratios", "calibration_ranks", "recovery", "number_of_cells", "published_posterior",
            "smfish_predictions", "smfish_bursts", "model_comparison",
        ],
        "tables": [
            "table_posterior", "table_labelling", "table_direct_fit", "table_calibration", "table_published", "table_smfish",
        ],
        "after": ["42_solver_training"],
        "reads": {
            "mini": [
                "data/mini/inference/gal10_g1.txt", "data/mini/inference/gal10_g2.txt", "data/mini/inference/dusp1.csv",
            ],
            "paper": [],
        },
        "data": {
            "mini": [],
            "paper": [
                "gal10_smfish_rep1_all", "gal10_smfish_rep1_g1", "gal10_smfish_rep1_g2", "gal10_smfish_rep2_all",
                "gal10_smfish_rep2_g1", "gal10_smfish_rep2_g2", "gal10_smfish_rep3_all", "gal10_smfish_rep3_g1",
                "gal10_smfish_rep3_g2", "gal10_smfish_rep4_all", "gal10_smfish_rep4_g1", "gal10_smfish_rep4_g2",
                "dusp1_smfish",
            ],
        },
        "check": "regulome.stochastic.smfish:check_inputs",
        "mem_mb": 4000,
        "minutes": {"mini": 10, "paper": 120},
        "seconds": {"mini": 96, "paper": 1150},
    },
    "51_knockout_analysis": {
        "about": "Knockouts in all four parts: predicted against true effects, each beside a baseline.",
        "figures": ["removal", "residues", "knockouts", "agreement"],
        "tables": ["table_circuits", "table_edge_check", "table_agreement", "table_effects"],
        "after": [
            "11_rbp_dedup", "12_phime", "13_protein_embeddings", "14_two_tower_training", "15_unseen_rbps",
            "21_perturbseq_preparation", "22_gpo_vae_training", "42_solver_training",
        ],
        "reads": {"mini": ["data/mini/binding/motifs.csv"], "paper": []},
        "data": {"mini": [], "paper": ["rbp420_pwms"]},
        "mem_mb": {"mini": 3000, "paper": 10000},
        "minutes": {"mini": 10, "paper": 60},
        "seconds": {"mini": 65, "paper": 600},
    },
    "52_network_league": {
        "about": "League: who recovers a known network from simulated screens; chain from a learned network to its cells.",
        "figures": ["auprc", "precision_recall", "sign_accuracy", "networks", "chain"],
        "tables": ["table_scores", "table_league", "table_winners", "table_chain"],
        "keeps": ["chain_network.json", "chain_network.xml"],
        "shards": {
            "maker": "regulome.knockout.league_shards:make_shard",
            "count": "shards",
            "uses": [
                "seed", "sizes", "cells", "captures", "seeds", "circuits", "hidden", "updates", "width", "epochs", "rate",
                "trees",
            ],
        },
        "mem_mb": {"mini": 2000, "paper": 4000},
        "minutes": {"mini": 10, "paper": 90},
        "seconds": {"mini": 36, "paper": 250},
        "shard_seconds": {"mini": 70, "paper": 410},
    },
    "61_figures_and_tables": {
        "about": "Every published figure panel and table of the four papers, and ours versus published over all steps.",
        "figures": [
            "coverage", "binding_design", "binding_training", "binding_unseen", "perturbation_data",
            "perturbation_response", "perturbation_unseen", "perturbation_networks", "circuits_figure_1",
            "circuits_figure_2", "circuits_figure_3", "circuits_figure_4", "circuits_figure_5", "circuits_figure_6",
            "stochastic_solver", "stochastic_examples", "stochastic_inference", "verdicts",
        ],
        "tables": [
            "table_panels", "table_results", "table_verdicts", "table_origins", "table_not_compared", "table_reasons",
        ],
        "after": [
            "11_rbp_dedup", "12_phime", "13_protein_embeddings", "14_two_tower_training", "15_unseen_rbps",
            "21_perturbseq_preparation", "22_gpo_vae_training", "23_perturbation_response", "24_grn_inference",
            "31_adaptation", "32_controlled_oscillation", "33_hill_enumeration", "34_sparse_oscillators",
            "35_gap_genes", "36_cellular_automata", "41_state_transition_networks", "42_solver_training",
            "43_solver_accuracy", "44_parameter_inference", "51_knockout_analysis", "52_network_league",
        ],
        "reads": ["data/panels/pages.csv", "data/panels/panels.csv", "data/panels/sources.csv"],
        "mem_mb": 2000,
        "minutes": {"mini": 5, "paper": 10},
        "seconds": {"mini": 27, "paper": 33},
    },
}

import os
import sys

from regulome import dependencies, locks, notebook, paths, shards, steps
from regulome.errors import UserError, closest

PROFILE = config.get("profile", "mini")
BUILD = steps.relative(paths.build(PROFILE))


def names(files):
    """Paths as they are shown: relative to this folder."""
    return [steps.relative(path) for path in files]


def plan():
    """What each rule needs to know. Mistakes in parameters, notebooks and modules show up here: later Snakemake would
    have deleted the outputs that it is about to make."""
    for name in config:
        if name != "profile":
            raise UserError(f"--config {name}: unknown key{closest(name, ['profile'])}; expected profile=mini or paper")
    return {
        slug: {
            "threads": notebook.preflight(slug, PROFILE)["threads"],
            "input": names(dependencies.inputs(slug, PROFILE)),
            "data": dependencies.data_checksums(slug, PROFILE),
            "output": names(
                steps.outputs(slug, PROFILE) + steps.kept(slug, PROFILE) + steps.executed(slug, PROFILE)
            ),
            "shards": names(shards.files(slug, PROFILE)),
            "entry": steps.step(slug, PROFILE),
        }
        for slug in steps.table()
    }


def grows(amount):
    """A resource that a second attempt asks twice of: a job that ran out of time or memory may then end."""
    return lambda wildcards, attempt: amount * attempt


try:
    PLAN = plan()
except UserError as error:
    sys.exit(f"regulome: {error}")
URGENCY = steps.urgency({slug: step["entry"] for slug, step in PLAN.items()})

os.environ["REGULOME_PIPELINE"] = str(os.getpid())  # a step ends when this process is killed


onstart:  # Snakemake's own lock outlives a kill, this one does not; run_all.sh switches the former off
    try:
        locks.acquire(paths.build(PROFILE) / ".pipeline.lock", f"the {PROFILE} profile")
    except UserError as error:
        sys.exit(f"regulome: {error}")


rule all:
    """Every step and the report."""
    default_target: True
    input:
        f"{steps.relative(paths.report())}/{PROFILE}.html",
        [step["output"] for step in PLAN.values()],  # made when missing: a step failed after an earlier, complete run
    message: "all steps and the report are there"


for slug, step in PLAN.items():
    rule:
        name: slug
        input: step["input"], step["shards"]
        output: step["output"]
        params: data=step["data"]
        log: f"{BUILD}/{slug}.log"
        benchmark: f"{BUILD}/{slug}.benchmark.tsv"
        threads: step["threads"]
        priority: URGENCY[slug]
        resources: mem_mb=grows(step["entry"]["mem_mb"]), runtime=grows(step["entry"]["minutes"])
        message: "{rule}"
        shell: "regulome run {rule} --profile {PROFILE} 2>&1 | tee {log:q}"
    workflow.get_rule(slug).docstring = step["entry"]["about"]
    if step["shards"]:
        rule:
            name: f"{slug}_shard"
            input: names(shards.inputs(slug, PROFILE))
            output: f"{BUILD}/{slug}/shard_{{index}}.npz"
            params: slug=slug, made_from=shards.made_from(slug, PROFILE)
            wildcard_constraints: index="[0-9]+"
            priority: URGENCY[slug]
            resources: mem_mb=grows(step["entry"]["mem_mb"]), runtime=grows(step["entry"]["minutes"])
            message: "{rule} {wildcards.index}"
            shell: "regulome shard {params.slug} {wildcards.index} --profile {PROFILE}"


rule report:
    """The results table, every figure and every executed notebook as pages, and RESULTS.md."""
    input:
        [step["output"] for step in PLAN.values()],
        names(dependencies.closure(paths.root() / "src/regulome/report.py")),
    output: update(f"{steps.relative(paths.report())}/{PROFILE}.html")
    localrule: True
    message: "report"
    shell: "regulome report --profile {PROFILE}"
