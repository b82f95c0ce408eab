"""Figures of the training of perturbation models. Each function takes data and returns (figure, table drawn)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.style import DOUBLE, PALETTE, panel_letter

TERMS = {
    "reconstruction": ("blue", "-"),
    "kl_basal": ("vermillion", "-"),
    "kl_mask": ("green", "-"),
    "kl_effect": ("purple", "-"),
    "kl_artifact": ("orange", "-"),
    "counterfactual": ("sky", "-"),
    "network": ("black", "-"),
    "sparsity": ("black", ":"),
}
OTHER = (("blue", ":"), ("vermillion", ":"), ("green", ":"), ("purple", ":"), ("orange", ":"), ("sky", ":"))
WORDS = {
    "reconstruction": "reconstruction",
    "kl_basal": "divergence, basal",
    "kl_mask": "divergence, mask",
    "kl_effect": "divergence, effects",
    "kl_artifact": "divergence, artifact",
    "counterfactual": "counterfactual",
    "network": "network",
    "sparsity": "sparsity",
}
FORMS = {"published": ("vermillion", "o"), "corrected": ("blue", "s")}
LETTERS = "abcdefghijkl"


def loss_terms(logs: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """All terms of the loss by epoch, a panel a model: training (line) and validation (dots), first seed.

    Parameters
    ----------
    logs
        Of `results_training.logs`.
    title
        Of the data.
    """
    first = logs[(logs["seed"] == logs.groupby("model")["seed"].transform("min")) & (logs["term"] != "total")]
    names, extra = list(dict.fromkeys(first["model"])), [t for t in dict.fromkeys(first["term"]) if t not in TERMS]
    styles = TERMS | dict(zip(extra, OTHER, strict=False))
    columns = 4
    rows = -(-len(names) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(DOUBLE, 0.7 + 1.7 * rows), sharey=True, squeeze=False)
    for ax, name, letter in zip(axes.flat, names, LETTERS, strict=False):
        for term, own in first[first["model"] == name].groupby("term", sort=False):
            colour, line = styles.get(term, ("yellow", "-"))
            train, validation = (own[own["split"] == split] for split in ("train", "validation"))
            label = WORDS.get(term, term.replace("_", " "))
            ax.plot(train["epoch"], train["value"], line, color=PALETTE[colour], lw=1.2, label=label)
            every = max(1, len(validation) // 10)
            ax.plot(
                validation["epoch"], validation["value"], "o", ms=2.2, mew=0, markevery=every, color=PALETTE[colour]
            )
        ax.set_title(name, fontsize=7)
        panel_letter(ax, letter)
    axes[0, 0].set_yscale("symlog", linthresh=1e-3)
    lowest, highest = first["value"].min(), first["value"].max()
    top = int(np.ceil(np.log10(max(highest, 1.0))))
    ticks = [-1e-2, 0.0, *(10.0**power for power in range(-2, top + 1, 2))]
    axes[0, 0].set_yticks([tick for tick in ticks if tick >= min(lowest, 0)])
    for ax in axes[:, 0]:
        ax.set_ylabel("nats a cell, weighted")
    for place, ax in enumerate(axes.flat):
        if place >= len(names):
            ax.set_axis_off()
        elif place + columns >= len(names):
            ax.set_xlabel("epoch")
    handles = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    fig.suptitle(f"{title}; lines: training cells, dots: validation cells", fontsize=7)
    return fig, first.reset_index(drop=True)


def validation(logs: pd.DataFrame, bounds: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """(a) Validation loss above its lowest value by epoch; (b) bound on the log-likelihood of validation cells.

    Parameters
    ----------
    logs, bounds
        Of `results_training.logs` and `results_training.bound_table`.
    """
    total = logs[(logs["split"] == "validation") & (logs["term"] == "total")].copy()
    runs = total.groupby(["model", "seed"], sort=False)["value"]
    total["above_best"] = total["value"] - runs.transform("min")
    names, order = list(dict.fromkeys(total["model"])), list(dict.fromkeys(bounds["model"]))
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.92, len(names)))
    fig, axes = plt.subplots(1, 2, figsize=(DOUBLE, 1.4 + 0.17 * len(order)), width_ratios=[1, 1])
    for place, name in enumerate(names):
        for number, (_, own) in enumerate(total[total["model"] == name].groupby("seed")):
            line = ("-", "--", ":", "-.")[place % 4]
            label = name if number == 0 else None
            axes[0].plot(own["epoch"], own["above_best"], line, color=colours[place], lw=0.9, label=label)
    axes[0].set_yscale("symlog", linthresh=0.1)
    axes[0].set(xlabel="epoch", ylabel="validation loss above\nits lowest (nats a cell)", ylim=(0, None))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    for place, name in enumerate(order):
        own = bounds[bounds["model"] == name]
        colour = "black" if own["role"].iloc[0] == "baseline" else "blue"
        axes[1].errorbar(
            own["iwelbo"].mean(), place, xerr=1.96 * own["error"].mean(), fmt="none", color="0.6", lw=1, zorder=1
        )
        axes[1].plot(own["iwelbo"], [place] * len(own), "s" if colour == "black" else "o", ms=3.5, mew=0.6,
                     mfc="none", color=PALETTE[colour])  # fmt: skip
    best = bounds[bounds["role"] == "baseline"]["iwelbo"].max()
    axes[1].axvline(best, color="black", lw=0.8, ls=":")
    axes[1].set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.5, -0.5))
    axes[1].set(xlabel="bound on log p(x), validation cells (nats a cell)")
    axes[1].locator_params(axis="x", nbins=5)
    for ax, letter in zip(axes, LETTERS, strict=False):
        panel_letter(ax, letter)
    fig.suptitle(title, fontsize=7)
    drawn = pd.concat([total.assign(panel="a").drop(columns=["split", "term"]), bounds.assign(panel="b")])
    return fig, drawn.reset_index(drop=True)


def term_forms(forms: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Every term against the number of cells of a batch, as published and corrected; bars: sd over batches.

    Parameters
    ----------
    forms
        Of `network_loss.term_forms`.
    """
    names = list(dict.fromkeys(forms["term"]))
    columns = 4
    rows = -(-len(names) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(DOUBLE, 0.6 + 1.6 * rows), squeeze=False, sharex=True)
    for ax, term, letter in zip(axes.flat, names, LETTERS, strict=False):
        for (form, (colour, marker)), shift in zip(FORMS.items(), (0.96, 1.04), strict=True):
            own = forms[(forms["term"] == term) & (forms["form"] == form)]
            ax.errorbar(own["batch"] * shift, own["value"], own["sd"], fmt=f"{marker}-", ms=3, lw=0.9, capsize=2,
                        color=PALETTE[colour], label=form)  # fmt: skip
        ax.set_title(WORDS.get(term, term), fontsize=7)
        ax.set_xscale("log", base=2)
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, 0), 1.05 * max(high, 0))
        ax.set_xticks(sorted(set(forms["batch"])), [str(size) for size in sorted(set(forms["batch"]))])
        ax.minorticks_off()
        panel_letter(ax, letter)
    for ax in axes[:, 0]:
        ax.set_ylabel("nats a cell, weighted")
    for place, ax in enumerate(axes.flat):
        if place >= len(names):
            ax.set_axis_off()
        elif place + columns >= len(names):
            ax.set_xlabel("cells a batch")
            ax.xaxis.set_tick_params(labelbottom=True)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    fig.suptitle(title, fontsize=7)
    return fig, forms


def network_loss(points: pd.DataFrame, summary: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Mask W (top) and its walks S (bottom) against what the data say, a column a fit.

    Parameters
    ----------
    points
        Rows of `network_loss.points` of several fits.
    summary
        Rows of `network_loss.summary` of the same.
    """
    fits = list(summary[["fit", "hop"]].itertuples(index=False, name=None))
    fig, axes = plt.subplots(2, len(fits), figsize=(DOUBLE, 3.9), sharex=True, squeeze=False)
    for column, (fit, hop) in enumerate(fits):
        own = points[(points["fit"] == fit) & (points["hop"] == hop)]
        row = summary[(summary["fit"] == fit) & (summary["hop"] == hop)].iloc[0]
        target = own["regulator"] == own["target"]
        for line, (value, colour) in enumerate((("w", "blue"), ("s", "green"))):
            ax = axes[line, column]
            ends = (own["median"].min(), own["median"].max())
            ax.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
            for flags, marker in ((~target, "o"), (target, "x")):
                ax.plot(own["median"][flags], own[value][flags], marker, ms=2.5, mew=0.6, mfc="none",
                        color=PALETTE[colour], alpha=0.7)  # fmt: skip
            words = fit if "hop" in fit else f"{fit}, hop {hop}"
            head = words.replace(", ", ",\n", 1) if words.count(",") > 1 else f"\n{words}"
            ax.set_title(f"{head}\nr = {row['r_w']:.3f}" if line == 0 else f"r = {row['r_s']:.3f}", fontsize=6)
            if column == 0:
                ax.set_ylabel("mask W (logit)" if value == "w" else "walks S (logit)")
            panel_letter(ax, LETTERS[line * len(fits) + column])
        axes[1, column].set_xlabel("median |Δ| - c")
    fig.suptitle(f"{title}; crosses: a gene's own row and column", fontsize=7)
    return fig, points
