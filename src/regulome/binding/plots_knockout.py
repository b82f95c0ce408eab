"""Figures of in-silico knockouts. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from regulome.binding import logo, motif
from regulome.binding.knockout_scan import BEST, HELIX, PROFILE, effect_matrix, importance
from regulome.binding.sequences import BASES
from regulome.style import DOUBLE, PALETTE, panel_letter

_READOUTS = {
    PROFILE: "change of the correlation\nwith the wild type's profile",
    BEST: "change of the mean score\nof the best RNAs",
}


def deletions(
    table: pd.DataFrame,
    domains: Mapping[str, tuple[int, int]] | None = None,
    marks: Sequence[int] = (),
    title: str = "",
    mark_label: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """Effect of deleting residues along a protein, one panel a readout, with the interval over RNAs.

    Parameters
    ----------
    table
        Of `knockout_scan.deletion_scan`.
    domains
        Domains to shade, name to (start, end), from 1; those that were deleted as a whole are drawn as bars.
    marks, mark_label
        Residues to mark, for instance those known to read the RNA, and what they are.
    """
    domains = dict(domains or {})
    whole, single = table[table["removed"].isin(domains)], table[~table["removed"].isin(domains)]
    fig, axes = plt.subplots(2, 1, figsize=(DOUBLE, 3.3), sharex=True)
    for ax, (readout, label) in zip(axes, _READOUTS.items(), strict=True):
        own = single[single["readout"] == readout]
        centre = (own["start"] + own["end"]) / 2
        ax.axhline(0, color="grey", lw=0.6)
        for start, end in domains.values():
            ax.axvspan(start - 0.5, end + 0.5, color="0.93", lw=0, zorder=0)
        ax.fill_between(centre, own["low"], own["high"], color=PALETTE["blue"], alpha=0.25, lw=0)
        ax.plot(centre, own["effect"], "o-", ms=2, color=PALETTE["blue"], label="windows")
        for i, row in enumerate(whole[whole["readout"] == readout].itertuples()):
            ax.plot([row.start, row.end], [row.effect] * 2, color=PALETTE["vermillion"], lw=2,
                    label="whole domain" if i == 0 else None)  # fmt: skip
            middle = (row.start + row.end) / 2
            ax.errorbar(middle, row.effect, [[row.effect - row.low], [row.high - row.effect]],
                        color=PALETTE["vermillion"], lw=0.8)  # fmt: skip
        ax.set_ylabel(label)
    if len(marks):
        axes[0].plot(marks, np.full(len(marks), 1.0), "v", ms=3.5, color=PALETTE["green"], clip_on=False,
                     transform=axes[0].get_xaxis_transform(), label=mark_label or None)  # fmt: skip
    for name, (start, end) in domains.items():
        axes[1].annotate(name, ((start + end) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
                         textcoords="offset points", ha="center", va="bottom", fontsize=6)  # fmt: skip
    axes[1].set(xlabel="residue (middle of the deleted stretch)")
    axes[1].set_xlim(single["start"].min() - 1, single["end"].max() + 1)
    axes[0].set_title(title, pad=8)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def mutations(table: pd.DataFrame, title: str = "", marks: Sequence[int] = ()) -> tuple[Figure, pd.DataFrame]:
    """Effect of every base substitution of one RNA as a map, and as a logo of what each base of the RNA contributes.

    Parameters
    ----------
    table
        Of `knockout_scan.mutation_scan`.
    marks
        Positions (from 1) to mark below the logo, for instance those of a known site.
    """
    effects, height = effect_matrix(table), importance(table)
    letters = table.groupby("start")["wild_type"].first()
    fig, axes = plt.subplots(2, 1, figsize=(DOUBLE, 2.7), height_ratios=[1.2, 1], sharex=True)
    logo.draw(axes[0], height.to_numpy())
    axes[0].axhline(0, color="grey", lw=0.5)
    axes[0].set_ylabel("contribution\n(minus mean effect)")
    axes[0].set_title(title)
    limit = float(np.abs(effects.to_numpy()).max()) or 1.0
    image = axes[1].imshow(effects.T, cmap="BrBG", norm=TwoSlopeNorm(0, -limit, limit), aspect="auto")
    for place, letter in enumerate(letters):
        if letter in BASES:
            axes[1].plot(place, BASES.index(letter), ".", ms=2.5, color="black")
    axes[1].set_yticks(range(4), list(BASES))
    axes[1].set_xticks(range(len(letters)), [f"{letter}" for letter in letters], fontsize=5.5)
    axes[1].tick_params(length=0)
    axes[1].set(xlabel="base of the wild type (dot), 5' to 3'", ylabel="replaced by")
    if len(marks):
        axes[0].plot(np.asarray(marks) - 1, np.zeros(len(marks)), "_", ms=6, mew=2, color=PALETTE["vermillion"],
                     transform=axes[0].get_xaxis_transform(), clip_on=False)  # fmt: skip
    fig.colorbar(image, ax=axes[1], label="effect on the score", pad=0.01)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def helices(table: pd.DataFrame, title: str = "") -> tuple[Figure, pd.DataFrame]:
    """Effect of breaking each helix of an RNA from either side, of restoring it, and the coupling.

    ``table`` of `knockout_scan.structure_scan`, with at least one helix.
    """
    names = list(dict.fromkeys(table["removed"]))
    fig, ax = plt.subplots(figsize=(DOUBLE * 0.75, 2.2))
    colours = ("orange", "sky", "green", "vermillion")
    for i, (readout, colour) in enumerate(zip(HELIX, colours, strict=True)):
        own = table[table["readout"] == readout].set_index("removed")["effect"]
        ax.bar(np.arange(len(names)) + (i - 1.5) * 0.2, own[names], 0.2, color=PALETTE[colour], label=readout)
    ax.axhline(0, color="grey", lw=0.6)
    ax.set_xticks(range(len(names)), [name.replace("helix ", "") for name in names])
    middle, half = (len(names) - 1) / 2, max(len(names), 3) / 2
    ax.set_xlim(middle - half, middle + half)
    ax.set(xlabel="helix (bases of the 5' strand / 3' strand)", ylabel="effect on the score", title=title)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig, table


def motifs(matrices: Mapping[str, np.ndarray]) -> tuple[Figure, pd.DataFrame]:
    """Sequence logos in bits, one a panel; `matrices`: title to (width, 4) probabilities of A, C, G, U."""
    fig, axes = plt.subplots(1, len(matrices), figsize=(DOUBLE, 1.5), squeeze=False, sharey=True)
    parts = []
    for ax, (name, matrix), letter in zip(axes[0], matrices.items(), "abcdefgh", strict=False):
        logo.draw(ax, motif.information(matrix))
        ax.set_xticks(range(len(matrix)), range(1, len(matrix) + 1))
        ax.set(title=name, xlabel="position", ylim=(0, 2), yticks=[0, 1, 2])
        panel_letter(ax, letter)
        parts.append(pd.DataFrame(matrix, columns=list(BASES)).assign(motif=name, position=range(1, len(matrix) + 1)))
    axes[0, 0].set_ylabel("information (bits)")
    return fig, pd.concat(parts, ignore_index=True)[["motif", "position", *BASES]]
