"""Figures of the inference. Each function takes data and returns (figure, table of what is drawn)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regulome.stochastic.calibration import Calibration, uniform_band
from regulome.stochastic.counts import Cells
from regulome.stochastic.distribution import Distribution
from regulome.style import DOUBLE, PALETTE, log_ticks, panel_letter

COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky", "black")


def words(name: str) -> str:
    """A ratio as it is read: ``kon_per_kdeg`` is kon / kdeg."""
    return name.replace("_per_", " / ")


def _panels(count: int, across: int, height: float = 1.55):
    down = -(-count // across)
    fig, axes = plt.subplots(down, across, figsize=(DOUBLE, height * down), squeeze=False)
    for ax in axes.flat[count:]:
        ax.axis("off")
    return fig, axes.flat[:count]


def _logarithmic(axis) -> None:
    """A logarithmic axis whose labels do not run into each other, however short it is."""
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    steps = (1.0,) if decades > 2 else (1.0, 3.0) if decades > 1 else (1.0, 2.0, 5.0)
    log_ticks(axis, steps)


def _density(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(values, edges)[0] / len(values) / np.diff(edges)


def posteriors(
    draws: Mapping[str, pd.DataFrame],
    truth: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    across: int = 4,
) -> tuple[Figure, pd.DataFrame]:
    """Marginal posteriors, a panel a quantity, a colour a source.

    Parameters
    ----------
    draws
        For each source (a sampler, a replicate) a table with a column a quantity; all have the same columns.
    truth
        True values, where they are known.
    ranges
        Ranges of the axes (default: all draws).
    """
    columns = list(next(iter(draws.values())).columns)
    fig, axes = _panels(len(columns), min(across, max(len(columns), 2)))
    rows = []
    for ax, column in zip(axes, columns, strict=True):
        every = np.concatenate([table[column] for table in draws.values()])
        low, high = (ranges or {}).get(column, (every.min(), every.max()))
        edges = np.linspace(low, high if high > low else low + 1e-9, 41)
        for (name, table), colour in zip(draws.items(), COLOURS, strict=False):
            density = _density(table[column].to_numpy(), edges)
            ax.stairs(density, edges, color=PALETTE[colour], label=name)
            rows += [(column, name, left, right, d) for left, right, d in zip(edges, edges[1:], density, strict=False)]
        if truth and column in truth:
            ax.axvline(truth[column], color="black", lw=0.8, ls="--", label="truth")
        ax.set(xlabel=words(column), yticks=[], ylim=(0, None))
    axes[0].set_ylabel("posterior density")
    if len(draws) > 1 or truth:
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(draws) + 1)
    return fig, pd.DataFrame(rows, columns=["quantity", "source", "from", "to", "density"])


def predictions(
    cases: Mapping[str, tuple[Cells, Sequence[Distribution]]], across: int = 3
) -> tuple[Figure, pd.DataFrame]:
    """Counts and what posteriors predict: mean and 95 % band over draws; a panel a case and species.

    Counts are drawn in bins where there are more than 60.
    """
    panels = [(title, name, *case) for title, case in cases.items() for name in case[0].names]
    across = 2 if len(panels) in (1, 2, 4) else across
    fig, axes = _panels(len(panels), across, 1.7)
    rows = []
    for ax, (title, name, cells, parts) in zip(axes, panels, strict=True):
        length = int(cells.rows[:, cells.names.index(name)].max() * 1.15) + 2
        data = cells.distribution.vector(name, length)[:length]
        fitted = np.stack([part.vector(name, length)[:length] for part in parts])
        low, high = np.quantile(fitted, [0.025, 0.975], axis=0)
        counts, width = np.arange(length), -(-length // 60)
        binned = np.add.reduceat(data, counts[::width]) / np.diff(np.append(counts[::width], length))
        ax.bar(counts[::width] - 0.5, binned, width, align="edge", color="lightgrey", label="cells")
        ax.fill_between(counts, low, high, color=PALETTE["blue"], alpha=0.3, lw=0, label="95 % of the draws")
        ax.plot(counts, fitted.mean(0), color=PALETTE["blue"], label="posterior predictive")
        ax.set(xlabel=f"{name} per cell", title=title, ylim=(0, None))
        rows.append(
            pd.DataFrame(
                {"case": title, "species": name, "count": counts, "data": data, "predicted": fitted.mean(0),
                 "low": low, "high": high}
            )
        )  # fmt: skip
    for ax in axes[::across]:
        ax.set_ylabel("share of cells a count")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig, pd.concat(rows, ignore_index=True)


def calibration(
    found: Mapping[str, Calibration], quantities: Sequence[str], bins: int = 10
) -> tuple[Figure, pd.DataFrame]:
    """Rank histograms with their 99 % interval above, differences of rank distributions with 95 % bands below.

    Parameters
    ----------
    found
        For each law that is judged.
    quantities
        Which of the quantities to draw, a column each.
    """
    fig, axes = plt.subplots(2, len(quantities), figsize=(DOUBLE, 3.0), sharey="row", squeeze=False)
    rows = []
    for column, quantity in enumerate(quantities):
        for (name, cal), colour in zip(found.items(), COLOURS, strict=False):
            place = cal.names.index(quantity)
            counts = cal.histogram(bins)[place]
            edges = np.linspace(0, 1, bins + 1)
            axes[0, column].stairs(counts, edges, color=PALETTE[colour], label=name)
            z, band = uniform_band(len(cal.ranks), cal.draws)
            shares = np.bincount(cal.ranks[:, place], minlength=cal.draws + 1).cumsum() / len(cal.ranks)
            axes[1, column].step(z, shares - z, color=PALETTE[colour], where="post", label=name)
            rows += [(quantity, name, "histogram", left, count) for left, count in zip(edges, counts, strict=False)]
            rows += [(quantity, name, "difference", at, value) for at, value in zip(z, shares - z, strict=True)]
        axes[0, column].axhspan(*cal.expected(bins), color="lightgrey", lw=0, zorder=0, label="expected if calibrated")
        axes[1, column].fill_between(z, -band, band, color="lightgrey", lw=0, zorder=0, label="expected if calibrated")
        axes[0, column].set(title=words(quantity), ylim=(0, None), xlim=(0, 1))
        axes[1, column].set(xlabel="rank of the truth", xlim=(0, 1))
    axes[0, 0].set_ylabel("experiments")
    axes[1, 0].set_ylabel("share minus uniform")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(found) + 1)
    for ax, letter in zip(axes[:, 0], "ab", strict=True):
        panel_letter(ax, letter)
    return fig, pd.DataFrame(rows, columns=["quantity", "law", "panel", "rank", "value"])


def recovery(found: Calibration, quantities: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Posterior median and 90 % interval against the truth, a panel a quantity."""
    fig, axes = _panels(len(quantities), min(4, max(len(quantities), 2)), 1.8)
    rows = []
    for ax, quantity in zip(axes, quantities, strict=True):
        place = found.names.index(quantity)
        truth, median, low, high = (getattr(found, n)[:, place] for n in ("truth", "median", "low", "high"))
        inside = (truth >= low) & (truth <= high)
        for good, colour in ((True, "blue"), (False, "vermillion")):
            of = inside == good
            error = [(median - low)[of], (high - median)[of]]
            ax.errorbar(
                truth[of], median[of], error, fmt="o", ms=2, lw=0.5, capsize=0, color=PALETTE[colour], alpha=0.7
            )
        ends = [min(truth.min(), low.min()), max(truth.max(), high.max())]
        ax.plot(ends, ends, color="grey", lw=0.6)
        ax.set(xscale="log", yscale="log", xlabel=f"true {words(quantity)}")
        _logarithmic(ax.xaxis)
        _logarithmic(ax.yaxis)
        rows.append(
            pd.DataFrame(
                {"quantity": quantity, "truth": truth, "median": median, "low": low, "high": high, "inside": inside}
            )
        )
    axes[0].set_ylabel("posterior median, 90 %")
    return fig, pd.concat(rows, ignore_index=True)


def cells_curve(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """KL divergence and posterior width against the number of cells.

    Parameters
    ----------
    table
        Columns cells, kl_data_fit, kl_fit_data, floor (KL of data drawn from the fit), kl_truth_fit, and for the second
        panel quantity columns ``sd_*`` (posterior sd of ln ratio).
    """
    fig = plt.figure(figsize=(DOUBLE, 2.9))
    parts = fig.subfigures(1, 2)
    axes = [part.subplots() for part in parts]
    styles = {
        "kl_data_fit": ("data to fit", "blue", "o-"),
        "kl_fit_data": ("fit to data (published)", "sky", "o-"),
        "floor": ("sampling alone", "black", ":"),
        "kl_truth_fit": ("truth to fit", "vermillion", "s-"),
    }
    for column, (label, colour, line) in styles.items():
        axes[0].plot(table["cells"], table[column], line, color=PALETTE[colour], label=label)
    axes[0].set(xscale="log", yscale="log", xlabel="number of cells", ylabel="KL divergence (nats)")
    for column, colour in zip([c for c in table if c.startswith("sd_")], COLOURS, strict=False):
        axes[1].plot(table["cells"], table[column], "o-", color=PALETTE[colour], label=words(column[3:]))
    axes[1].set(xscale="log", yscale="log", xlabel="number of cells", ylabel="posterior sd of ln ratio")
    for part, ax, columns in zip(parts, axes, (2, 3), strict=True):
        _logarithmic(ax.xaxis)
        _logarithmic(ax.yaxis)
        part.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    for ax, letter in zip(axes, "ab", strict=True):
        panel_letter(ax, letter)
    return fig, table


def replicates(table: pd.DataFrame, quantities: Sequence[str], group: str = "sample") -> tuple[Figure, pd.DataFrame]:
    """Medians with 95 % intervals of quantities, a row a sample.

    Parameters
    ----------
    table
        Columns sample, quantity, low, median, high and colour (a word that groups samples).
    """
    names = list(dict.fromkeys(table[group]))
    fig, axes = plt.subplots(1, len(quantities), figsize=(DOUBLE, 0.7 + 0.16 * len(names)), sharey=True, squeeze=False)
    kinds = list(dict.fromkeys(table["colour"]))
    for ax, quantity in zip(axes.flat, quantities, strict=True):
        part = table[table["quantity"] == quantity]
        for kind, colour in zip(kinds, COLOURS, strict=False):
            of = part[part["colour"] == kind]
            y = [names.index(name) for name in of[group]]
            error = np.array([of["median"] - of["low"], of["high"] - of["median"]])
            ax.errorbar(
                of["median"].to_numpy(), y, xerr=error, fmt="o", ms=3, lw=0.9, color=PALETTE[colour], label=kind
            )
        ax.set(xlabel=words(quantity).replace("_", " "), ylim=(len(names) - 0.5, -0.5), xscale="log")
        _logarithmic(ax.xaxis)
        ax.set_yticks(range(len(names)), names)
    if len(kinds) > 1:
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds))
    return fig, table


def model_scores(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Log evidence and leave-one-out score of each network relative to the best one, a row of panels a data set.

    Parameters
    ----------
    table
        Of `model_comparison.compare`, with a column data.
    """
    sets = list(dict.fromkeys(table["data"]))
    fig, axes = plt.subplots(1, len(sets), figsize=(DOUBLE, 1.8), squeeze=False)
    for ax, name in zip(axes.flat, sets, strict=True):
        part = table[table["data"] == name].sort_values("network")
        y = np.arange(len(part))
        evidence = part["log_evidence"] - part["log_evidence"].max()
        ax.errorbar(
            evidence, y - 0.12, xerr=2 * part["evidence_se"], fmt="o", color=PALETTE["blue"], label="log evidence"
        )
        ax.errorbar(
            part["d_loo"], y + 0.12, xerr=2 * part["d_loo_se"], fmt="s", color=PALETTE["orange"], label="leave-one-out"
        )
        ax.axvline(0, color="grey", lw=0.6)
        ax.set(yticks=y, yticklabels=part["network"], ylim=(len(part) - 0.5, -0.5), title=name)
        ax.set(xlabel="nats below the best network (± 2 se)")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig, table
