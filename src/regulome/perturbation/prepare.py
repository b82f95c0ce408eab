"""From raw counts to a `Screen`: the whole preparation of a perturbation screen.

1. Cells and perturbations (`select`): strong perturbations by published summary statistics, on-target filter, measured
   targets, enough cells. Every filter can be left out, and says how much it leaves.
2. Split, quality flags, latent genes (`describe`). G+ is chosen from training cells only.
3. Matched controls and counterfactual cells (`pair`).

The publication has steps 1 and 2 in the order of CausalBench; `Settings` of it are in ``docs/perturbation.md``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd

from regulome import paths
from regulome.errors import UserError, closest
from regulome.perturbation import (
    counterfactual,
    latent_genes,
    layouts,
    matching,
    on_target,
    papalexi,
    qc_flags,
    splits,
    strength,
)
from regulome.perturbation.layouts import RawScreen
from regulome.perturbation.screen import CONTROL, JOIN, Screen

CHOICES = {
    "unmeasured": ("keep", "drop"),
    "split": ("cells", "perturbations", "combinations"),
    "extended_rule": latent_genes.RULES,
    "on_target_values": on_target.VALUES,
    "doublets": qc_flags.DOUBLETS,
    "match_on": ("perturbed", "latent"),
    "counterfactuals": ("corrected", "published"),
}


@dataclass(frozen=True)
class Settings:
    """How a screen is prepared.

    Attributes
    ----------
    seed
        Of splits, random pairs, doublets and counterfactual cells.
    min_cells
        Least cells of a perturbation (published: more than 100); the others are left out.
    on_target_percentile
        Cells stay whose target lies at most at this percentile of the controls (published: 10); 0: no filter.
    on_target_values
        See `on_target.keep`.
    unmeasured
        Perturbations of genes that are not measured: "keep" (they have a treatment of their own, but no known response
        of the gene itself) or "drop" (published).
    k, doublets
        See `qc_flags.flags`.
    split
        "cells": 64/16/20 % at random (published); "perturbations": whole perturbations are held out; "combinations":
        whole combinations.
    extended_rule, lfc, p, min_share, max_extended
        See `latent_genes.extended`; ``max_extended`` 0: no limit.
    match_method, match_regulariser, match_scale
        See `matching.match`.
    match_on
        Genes in which controls are matched: the measured ones of "perturbed" (published) or of "latent".
    counterfactuals
        "corrected": each cell's counterpart has the other quality; "published": see `counterfactual.groups`.
    device
        For the quality measures, see `regulome.singlecell`.
    """

    seed: int = 0
    min_cells: int = 101
    on_target_percentile: float = 0.0
    on_target_values: str = "normalised"
    unmeasured: str = "keep"
    k: float = 3.0
    doublets: str = "auto"
    split: str = "cells"
    extended_rule: str = "any"
    lfc: float = 1.0
    p: float = 0.01
    min_share: float = 0.05
    max_extended: int = 0
    match_method: str = "transport"
    match_regulariser: float = 0.05
    match_scale: str = "median cost"
    match_on: str = "perturbed"
    counterfactuals: str = "corrected"
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise UserError(
                    f"preparation: {name} is '{value}'{closest(value, known)}; expected one of {', '.join(known)}"
                )
        for name, low, high in (
            ("seed", 0, np.inf), ("min_cells", 1, np.inf), ("on_target_percentile", 0, 99.9), ("k", 1e-9, np.inf),
            ("lfc", 0, np.inf), ("p", 0, 1), ("min_share", 0, 1), ("max_extended", 0, np.inf),
            ("match_regulariser", 1e-9, np.inf),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise UserError(
                    f"preparation: {name} is {getattr(self, name)}; expected {low:g} or more"
                    f"{f', at most {high:g}' if np.isfinite(high) else ''}"
                )

    @classmethod
    def of(cls, values: dict) -> "Settings":
        """Settings from a mapping that may hold other keys too, such as a notebook's parameters."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


def read(source: str, mirror: str | None = None) -> RawScreen:
    """A screen by its name: "papalexi" (all 25 perturbations), or an h5ad file, relative to the repository or absolute.

    Raises
    ------
    UserError
        As `papalexi.read` and `layouts.read`.
    """
    if source == "papalexi":
        return papalexi.read(mirror, min_cells=0)
    return layouts.read(paths.root() / source)


def statistics(file: str, sheet: str = "") -> pd.DataFrame | None:
    """Summary statistics (`strength.read_summary`) by the name of their file, as in `read`; None for an empty name."""
    return strength.read_summary(paths.root() / file, sheet) if file else None


def prepare(raw: RawScreen, settings: Settings, summary: pd.DataFrame | None = None) -> Screen:
    """The whole chain.

    Parameters
    ----------
    raw
        Of `layouts.read` or `papalexi.read`.
    settings
        What to do.
    summary
        Of `strength.read_summary`: only perturbations that pass its filters stay; None: no such filter.

    Raises
    ------
    UserError
        If a filter leaves nothing, a split has no controls or no perturbed cells, or no perturbed gene is measured; and
        as the steps.
    """
    chosen, steps = select(raw, settings, summary)
    screen = pair(describe(chosen, settings), settings)
    return replace(screen, settings=screen.settings | {"steps": steps.to_dict("records")})


def select(raw: RawScreen, settings: Settings, summary: pd.DataFrame | None = None) -> tuple[RawScreen, pd.DataFrame]:
    """Cells and perturbations that stay, and a row a filter: step, cells, perturbations, controls."""
    rows = [_count("as read", raw)]
    if summary is not None:
        wanted = strength.genes(strength.strong(summary))
        named = {gene: {gene, raw.gene_ids.get(gene, gene)} & wanted for gene in _targets(raw.perturbations)}
        raw = _only(raw, lambda label: all(named[gene] for gene in label.split(JOIN)), "the strong perturbations")
        rows.append(_count("strong perturbations", raw))
    if settings.on_target_percentile:
        stays, _ = on_target.keep(
            raw.counts, raw.genes, raw.label, settings.on_target_percentile, settings.on_target_values
        )
        raw = raw.take(stays)
        rows.append(_count("on-target", raw))
    if settings.unmeasured == "drop":
        measured = set(raw.genes)
        raw = _only(raw, lambda label: set(label.split(JOIN)) <= measured, "perturbations of measured genes")
        rows.append(_count("target measured", raw))
    sizes = pd.Series(raw.label).value_counts()
    largest = sizes.drop(CONTROL, errors="ignore")
    enough = f"{settings.min_cells} cells of a perturbation"
    if len(largest):
        enough += f" (the largest, {largest.index[0]}, has {largest.iloc[0]})"
    raw = _only(raw, lambda label: sizes[label] >= settings.min_cells, enough)
    rows.append(_count(f"at least {settings.min_cells} cells", raw))
    return raw, pd.DataFrame(rows, columns=["step", "cells", "perturbations", "controls"])


def describe(raw: RawScreen, settings: Settings) -> Screen:
    """The screen with split, quality flags and latent genes; every cell is its own control for now."""
    labels = tuple(raw.perturbations)
    place = {name: row for row, name in enumerate(labels)} | {CONTROL: -1}
    label = np.array([place[name] for name in raw.label])
    split = _split(label, labels, settings)
    found = qc_flags.flags(raw.counts, raw.genes, settings.k, settings.device, settings.doublets, settings.seed)
    perturbed = _targets(labels)
    train = np.flatnonzero(split == 0)
    tests = latent_genes.differential(raw.counts[train], raw.genes, raw.label[train])
    gained = latent_genes.extended(
        tests, perturbed, settings.extended_rule, settings.lfc, settings.p, settings.min_share, settings.max_extended
    )
    found.index = raw.covariates.index
    covariates = raw.covariates.drop(columns=[name for name in found if name in raw.covariates]).join(found)
    limits = qc_flags.limits(found, sorted({*qc_flags.KS, settings.k}))
    return Screen(
        name=raw.name,
        counts=raw.counts,
        genes=raw.genes,
        labels=labels,
        label=label,
        latent=(*perturbed, *gained["gene"]),
        perturbed=len(perturbed),
        split=split,
        qc_fail=found["fail"].to_numpy(bool),
        control=np.arange(len(label)),
        counterfactual=np.zeros((0, len(raw.genes)), np.float32),
        counterfactual_row=np.full(len(label), -1),
        covariates=_plain(covariates),
        settings=asdict(settings) | {"source": raw.source, "qc_limits": limits.to_dict("records")},
    )


def pair(screen: Screen, settings: Settings) -> Screen:
    """The screen with matched controls and counterfactual cells."""
    control = matching.match(
        expression(screen, settings.match_on), screen.label, screen.split, settings.match_method,
        settings.match_regulariser, settings.match_scale, settings.seed,
    )  # fmt: skip
    compat = "published" if settings.counterfactuals == "published" else None
    rows, row = counterfactual.groups(
        screen.counts, screen.label, screen.split, screen.qc_fail, settings.seed, compat=compat
    )
    return replace(screen, control=control, counterfactual=rows, counterfactual_row=row)


def expression(screen: Screen, genes: str = "perturbed") -> np.ndarray:
    """(N, genes) log-normalised expression of the measured latent genes in which controls are matched.

    Raises
    ------
    UserError
        If none of them is measured.
    """
    names = screen.latent[: screen.perturbed] if genes == "perturbed" else screen.latent
    columns = screen.latent_column[: len(names)]
    if not (columns >= 0).any():
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise UserError(
            f"{screen.name}: none of the {len(names)} perturbed genes ({listed}) is measured; controls cannot be "
            "matched on them. Expected their symbols among the gene names, or match_on 'latent'"
        )
    return screen.normalised(np.arange(len(screen)), columns[columns >= 0])


def _split(label: np.ndarray, labels: Sequence[str], settings: Settings) -> np.ndarray:
    if settings.split == "cells":
        return splits.by_cell(label, settings.seed)
    if settings.split == "perturbations":
        return splits.by_perturbation(labels, label, settings.seed)
    return splits.by_combination(labels, label, settings.seed)


def _targets(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({gene for label in labels for gene in label.split(JOIN)}))


def _only(raw: RawScreen, wanted, expected: str) -> RawScreen:
    stay = [label for label in raw.perturbations if wanted(label)]
    if not stay:
        raise UserError(f"{raw.name}: none of {len(raw.perturbations)} perturbations is left; expected {expected}")
    return raw.take(np.isin(raw.label, [*stay, CONTROL]))


def _count(step: str, raw: RawScreen) -> tuple[str, int, int, int]:
    return step, len(raw), len(raw.perturbations), int((raw.label == CONTROL).sum())


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Columns that a file can hold: what is neither number nor bool becomes text."""
    kinds = {name: str for name in table if not pd.api.types.is_numeric_dtype(table[name])}
    return table.astype(kinds)
