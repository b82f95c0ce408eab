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
# # PHIME: the structure of every probe, exactly
#
# Makes the structure channels of the published two-tower predictor of RNA binding: for every base of every RNA the
# probabilities of being paired (P), in a hairpin loop (H), in an internal loop or bulge (I), in a multiloop (M) or
# exterior (E). They are usually read from sampled structures or from patched programs; here they are exact, from the
# partition function of ViennaRNA, and are checked in two other ways.
#
# **Reads** the compendium that notebook 11 left in `build/<profile>/11_rbp_dedup/`. **Writes**
# `figures/<profile>/12_phime/`, and `structure.npz` in `build/<profile>/12_phime/` for notebooks 14 and 15. Half a
# minute on one core in `mini`, three minutes on two in `paper`. Needs ViennaRNA, which has a licence of its own.

# %% tags=["parameters"]
profile: str = "mini"  # folder of figures/ that takes the outputs (one of: mini, paper)
seed: int = 2026  # of the RNAs that are checked, the samples and the random RNAs (>= 0)
threads: int = 1  # processes that fold RNAs (>= 1)
checked: int = 40  # RNAs compared with the full partition function and with samples (>= 10)
samples: int = 2000  # structures drawn for each of them (>= 100)
lengths: list[int] = [20, 40, 60, 80, 120]  # lengths of random RNAs (>= 10)
random_rnas: int = 40  # random RNAs of each length (>= 10)
timed: int = 100  # RNAs in the comparison of speeds (>= 20)
expect_published: bool = True  # assert what exact profiles have to fulfil

# %%
import pandas as pd
from IPython.display import display

from regulome import figures, paths
from regulome.binding import boltzmann, compendium, phime, phime_benchmark, phime_checks, structure_file
from regulome.binding import plots_phime as plots
from regulome.binding import results_phime as results

figures.style()
kept = paths.build(profile) / "12_phime"

# %% [markdown]
# ## RNAs
# Only the sequences are needed. In `paper` they are probes of the array, in `mini` synthetic ones with its lengths.

# %%
data = compendium.load(paths.build(profile) / "11_rbp_dedup" / "compendium.npz")
rnas, real = data.rnas, data.kind != "synthetic"
which = f"{len(rnas):,} {'RNAcompete probes' if real else 'synthetic RNAs'}"
out = figures.Output(
    "12_phime",
    profile,
    title="PHIME structure profiles (binding)",
    parameters={"seed": seed, "checked": checked, "samples": samples, "lengths": lengths, "random_rnas": random_rnas},
)
pd.Series(rnas.lengths).value_counts().rename_axis("bases").rename(which)

# %% [markdown]
# ## Exact profiles
# The partition function $Z = \sum_s e^{-E(s)/RT}$ runs over every secondary structure $s$ of the RNA. Its window
# version returns, for every base $i$, the probabilities that it is unpaired in an exterior, hairpin, internal or
# multiloop; with a window as long as the RNA these are those of the whole molecule, and
# $P_i = 1 - (E_i + H_i + I_i + M_i)$. Profiles are cached by sequence: an interrupted run goes on where it was.

# %%
values = phime.profiles(rnas, workers=threads, cache=kept / "profiles.sqlite")
structure_file.save(kept / "structure.npz", rnas, values, phime.software())
print(f"{values.shape} from {phime.software()}, energies at 37 degrees")

# %% [markdown]
# Examples are chosen by a rule: the least, the median and the most paired RNA, the one with most multiloop, and a
# transfer RNA, the textbook multiloop, which is twice as long as a probe.

# %%
chosen = phime_checks.chosen_examples(rnas, values)
letters = {f"{words}: RNA {rnas.names[i]}": rnas.letters[i] for words, i in chosen.items()}
letters["yeast tRNA-Phe (unmodified)"] = phime_checks.TRNA
shown = {name: phime.profile(sequence) for name, sequence in letters.items()}
folds = {name: boltzmann.best_structure(sequence) for name, sequence in letters.items()}

# %%
caption = (
    f"Structure profiles of four of the {which} and of a transfer RNA: probability of each channel, a bar a base. "
    "Below: the sequence, 5' to 3', and the structure of least free energy."
)
out.save(*plots.examples(letters, shown, folds), "examples", section="Exact profiles", caption=caption)

# %% [markdown]
# ## Share of each channel
# The mean over all bases says how much a channel can tell a model. The interval is over RNAs.

# %%
table = phime_checks.share_table(rnas, values)
table.set_index("channel")

# %%
caption = (
    f"(a) Mean of each channel over all bases of {which}, with 95 % interval"
    f"{'; crosses: reference values of 2,000 probes' if real else ''}. (b) Mean profile along the RNAs of the most "
    "frequent length."
)
fig, drawn = plots.channel_shares(table, results.REFERENCE if real else None, phime_checks.along(rnas, values), which)
out.save(fig, drawn, "shares", section="Share of each channel", caption=caption)

# %% [markdown]
# ## Are they right?
# Two checks that do not use the window partition function. The paired channel has to equal the row sums of the
# base-pair matrix of the full partition function, to rounding. All channels have to agree with structures drawn from
# the ensemble: the share $\hat p$ of $n$ samples is binomial, so $z = (\hat p - p)/\sqrt{p(1-p)/n}$ has sd 1.

# %%
some = phime_checks.chosen_for_checks(rnas, checked, seed)
pairs = phime_checks.check_pairs(some)
drawn_samples = phime_checks.check_samples(some, samples, seed)
summary = phime_checks.sample_summary(drawn_samples)
summary

# %%
caption = (
    f"{len(some)} of the {which}, drawn at random: (a) probability of being paired, by the window and by the full "
    f"partition function; (b) all channels against {samples:,} Boltzmann samples an RNA; (c) differences from the "
    "samples in standard errors, cells that expect at least five samples on either side."
)
out.save(*plots.checks(pairs, drawn_samples), "checks", section="Are they right?", caption=caption)

# %% [markdown]
# ## Multiloops need longer RNAs
# A multiloop takes three helices. Probes of the array have at most 41 bases and hardly ever form one: the M channel
# of a model trained on them is all but constant. Random RNAs show from which length on it would matter.

# %%
random = phime_checks.by_length(lengths, random_rnas, seed, threads)
caption = (
    f"Channels against length, {random_rnas} random RNAs of each length, with 95 % intervals: (a) all channels, (b) "
    "multiloops, logarithmic. Grey: lengths of RNAcompete probes."
)
fig, drawn = plots.by_length(random, longest_probe=41)
out.save(fig, drawn, "by_length", section="Multiloops need longer RNAs", caption=caption)

# %% [markdown]
# ## Speed
# RNAs a CPU-second on this machine, in turns: exact profiles, a bare partition function, and estimates from 1,000
# samples whose loops are read base by base, as usual, or all at once. Times differ from run to run, so they are
# printed and not kept.

# %%
phime_benchmark.measure(list(rnas.take(range(min(timed, len(rnas)))).letters), rounds=2)

# %% [markdown]
# ## Ours and published
# The shares have reference values for probes of the array; the checks are identities.

# %%
out.compare_all(results.share_rows(table, real, section="Share of each channel"))
out.compare_all(results.check_rows(pairs, summary, samples, section="Are they right?"))
out.compare_all(results.length_rows(random, section="Multiloops need longer RNAs"))
out.close()
with pd.option_context("display.max_rows", None):
    display(out.results()[["quantity", "ours", "low", "high", "published", "verdict"]])

# %% [markdown]
# How to read it. The profiles add what the letters alone do not say: which bases of this RNA are free. How much that
# helps is another question. The published comparison of networks for single proteins with and without these channels
# found changes of the mean correlation between -0.004 and +0.001: exact structure is cheap, but no reason to expect
# better predictions. Notebook 14 switches it off and on.

# %% [markdown]
# What would make this notebook wrong: profiles that are no distributions, that differ from the full partition function,
# or from samples by more than chance; a file that gives the profiles of other RNAs.

# %%
if expect_published:
    assert abs(values.sum() / sum(rnas.lengths) - 1) < 1e-5, "rows do not sum to one"
    assert (pairs["paired"] - pairs["paired_full"]).abs().max() < 1e-9, "not the ensemble of the whole RNA"
    assert 0.9 < summary["sd_z"] < 1.1 and abs(summary["mean_z"]) < 0.1, "samples differ by more than chance"
    assert (
        structure_file.load(kept / "structure.npz", some)[0, : some.lengths[0]] == phime.profile(some.letters[0])
    ).all()
