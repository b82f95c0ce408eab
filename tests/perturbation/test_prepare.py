"""The whole preparation on a small screen of known content, and every way in which it can fail."""

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from regulome.errors import UserError
from regulome.perturbation import matching, pair_checks, prepare, prepare_command, screen
from regulome.perturbation.layouts import RawScreen
from regulome.perturbation.prepare import Settings

GENES = ("B", "A", "T2", "T1", "MT-1", "Q", "R", "S")  # X is perturbed but not measured
SMALL = Settings(min_cells=30, device="cpu")


def raw(seed: int = 0, **changes) -> RawScreen:
    """A lowers itself and raises T1; B lowers itself and T2; X does nothing; C has few cells."""
    sizes = {"control": 300, "A": 90, "B": 90, "A+B": 60, "X": 60, "C": 5}
    label = np.repeat(list(sizes), list(sizes.values())).astype(object)
    mean = np.full((len(label), len(GENES)), 8.0)
    for gene, effect in {"A": {"A": 0.1, "T1": 3}, "B": {"B": 0.1, "T2": 0.3}}.items():
        rows = np.array([gene in name.split("+") for name in label])
        for target, factor in effect.items():
            mean[rows, GENES.index(target)] *= factor
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(label))
    counts = generator.poisson(mean[order] * generator.lognormal(0, 0.3, (len(label), 1)))
    cells = tuple(f"c{i}" for i in range(len(label)))
    covariates = pd.DataFrame(
        {"batch": generator.integers(0, 2, len(label)), "umi": "from the file"}, index=list(cells)
    )
    start = RawScreen("small", csr_matrix(counts, dtype=np.float32), GENES, cells, label[order], covariates, "test")
    return replace(start, **changes)


@pytest.fixture(scope="module")
def prepared() -> screen.Screen:
    return prepare.prepare(raw(), SMALL)


def test_cells_labels_and_latent_genes_are_those_of_the_screen(prepared):
    source = raw().take(raw().label != "C")
    assert (prepared.counts != source.counts).nnz == 0
    assert prepared.labels == ("A", "A+B", "B", "X")
    assert [("control", *prepared.labels)[i + 1] for i in prepared.label] == source.label.tolist()
    assert prepared.latent == ("A", "B", "X", "T1", "T2"), "perturbed genes by name, then extended ones by name"
    assert prepared.perturbed == 3
    assert prepared.dosage[prepared.labels.index("A+B")].tolist() == [1, 1, 0, 0, 0]
    assert prepared.covariates["batch"].tolist() == source.covariates["batch"].tolist()


def test_matched_controls_are_controls_of_the_same_split(prepared):
    assert (prepared.split[prepared.control] == prepared.split).all()
    assert (prepared.label[prepared.control] == -1).all()
    own = prepared.label < 0
    assert (prepared.control[own] == np.flatnonzero(own)).all()


def test_flags_and_counterfactual_cells_belong_together(prepared):
    umi = np.asarray(prepared.counts.sum(1)).ravel()
    low = umi < np.median(umi) - 3 * np.median(np.abs(umi - np.median(umi)))
    assert prepared.covariates["low_umi"].tolist() == low.tolist()
    assert prepared.covariates["umi"].tolist() == umi.tolist(), "our measure stands for a column of that name"
    assert (prepared.qc_fail >= low).all()
    for s, k in ((s, k) for s in range(3) for k in range(-1, 4)):
        for fail in (False, True):
            group = (prepared.split == s) & (prepared.label == k)
            there = (group & (prepared.qc_fail != fail)).any()
            rows = prepared.counterfactual_row[group & (prepared.qc_fail == fail)]
            assert ((rows >= 0) == there).all()


def test_the_file_holds_the_whole_screen_and_how_it_was_made(prepared, tmp_path):
    screen.save(prepared, tmp_path / "screen.h5ad")
    again = screen.load(tmp_path / "screen.h5ad")
    assert again.latent == prepared.latent
    assert (again.control == prepared.control).all()
    assert again.settings["min_cells"] == 30
    assert [row["step"] for row in again.settings["steps"]] == ["as read", "at least 30 cells"]
    assert {row["measure"] for row in again.settings["qc_limits"]} == {"umi", "n_genes", "pct_mt"}


def test_the_same_settings_give_the_same_screen_and_another_seed_another_split(prepared):
    again = prepare.prepare(raw(), SMALL)
    assert (again.control == prepared.control).all() and (again.split == prepared.split).all()
    assert (prepare.prepare(raw(), replace(SMALL, seed=1)).split != prepared.split).any()


def test_extended_genes_do_not_depend_on_test_cells(prepared):
    source = raw().take(raw().label != "C")
    changed = source.counts.toarray()
    changed[(prepared.split == 2) & (prepared.label == 0), GENES.index("S")] += (
        200  # S responds to A, in test cells only
    )
    again = prepare.describe(replace(source, counts=csr_matrix(changed)), SMALL)
    assert again.latent == prepared.latent
    changed[prepared.label == 0, GENES.index("S")] += 200
    assert "S" in prepare.describe(replace(source, counts=csr_matrix(changed)), SMALL).latent


def test_each_filter_says_what_it_leaves():
    summary = pd.DataFrame(
        {"perturbation": "", "gene": ["A", "ENSG2", "X"], "degs": [99, 99, 1], "knockdown": -0.9, "cells": 99}
    )
    source = raw(gene_ids={"B": "ENSG2"})
    settings = replace(SMALL, on_target_percentile=10, unmeasured="drop")
    chosen, steps = prepare.select(source, settings, summary)
    assert chosen.perturbations == ["A", "A+B", "B"]
    steps = steps.set_index("step")
    assert steps.index.tolist() == [
        "as read",
        "strong perturbations",
        "on-target",
        "target measured",
        "at least 30 cells",
    ]
    assert steps["perturbations"].tolist() == [5, 3, 3, 3, 3]
    assert steps.loc["strong perturbations", "cells"] == 300 + 90 + 90 + 60
    assert steps.loc["on-target", "cells"] < 540
    assert (steps["controls"] == 300).all()


def test_perturbations_of_genes_that_are_not_measured_are_kept_or_dropped(prepared):
    assert "X" in prepared.labels
    assert np.isnan(prepared.delta(np.array([0]))[0, prepared.latent.index("X")])
    assert "X" not in prepare.prepare(raw(), replace(SMALL, unmeasured="drop")).latent


@pytest.mark.parametrize(("kind", "held"), [("perturbations", 0), ("combinations", 1)])
def test_whole_perturbations_or_combinations_can_be_held_out(kind, held):
    found = prepare.prepare(raw(), replace(SMALL, split=kind))
    test = {found.labels[k] for k in found.label[found.split == 2] if k >= 0}
    train = {found.labels[k] for k in found.label[found.split == 0] if k >= 0}
    assert test and train and test.isdisjoint(train)
    assert not held or test == {"A+B"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"min_cells": 200},
            r"small: none of 5 perturbations is left; expected 200 cells of a perturbation \(the largest",
        ),
        ({"unmeasured": "drop", "genes": ("P", "O")}, r"expected perturbations of measured genes"),
        ({"genes": ("P", "O")}, r"none of the 3 perturbed genes \(A, B, X\) is measured; controls cannot be matched"),
    ],
)
def test_filters_that_leave_nothing_are_named(change, message):
    genes = change.pop("genes", None)
    source = replace(raw(), genes=(*genes, *GENES[2:])) if genes else raw()
    with pytest.raises(UserError, match=message):
        prepare.prepare(source, replace(SMALL, **change))


def test_a_split_without_controls_is_named():
    source = raw()
    few = np.flatnonzero(source.label == "control")[:2]
    with pytest.raises(UserError, match=r"split has .* control"):
        prepare.prepare(source.take(np.concatenate([few, np.flatnonzero(source.label == "A")])), SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unmeasured": "kep"}, r"unmeasured is 'kep' \(did you mean 'keep'\?\); expected one of keep, drop"),
        ({"min_cells": 0}, "min_cells is 0; expected 1 or more"),
        ({"p": 1.5}, "p is 1.5; expected 0 or more, at most 1"),
        ({"split": "genes"}, "split is 'genes'"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(UserError, match=f"preparation: {message}"):
        Settings(**change)


def test_pairs_chosen_by_the_measured_genes_hide_part_of_the_change_and_random_ones_do_not(prepared):
    values = prepare.expression(prepared)
    ways = {way: matching.match(values, prepared.label, prepared.split, way, seed=1) for way in ("nearest", "random")}
    table, points = pair_checks.compare(prepared, values, ways)
    table = table.set_index("way")
    assert table.loc["random", "slope"] == pytest.approx(1, abs=0.05)
    assert table.loc["nearest", "slope"] < 0.9
    assert table.loc["nearest", "same_as_nearest"] == 1
    own = points[(points["way"] == "random") & (points["perturbation"] == "A") & (points["gene"] == "T1")]
    cells, controls = prepared.rows("train", "A"), prepared.rows("train", "control")
    column = [prepared.genes.index("T1")]
    by_hand = prepared.normalised(cells, column).mean() - prepared.normalised(controls, column).mean()
    assert own["difference"].item() == pytest.approx(by_hand, rel=1e-4)


def test_a_plan_is_flat_with_a_large_regulariser_and_picks_the_nearest_with_a_small_one(prepared):
    values = prepare.expression(prepared)
    flat = pair_checks.flatness(values, prepared, "A", 1e4, "median cost")
    assert flat["row_max"] == pytest.approx(1, abs=1e-3)
    sharp = pair_checks.flatness(values, prepared, "A", 0.05, "median cost")
    assert sharp["row_max"] > 2
    tiny = pair_checks.flatness(values, prepared, "A", 0.002, "median cost")
    assert flat["row_max"] < sharp["row_max"] < tiny["row_max"]
    with pytest.raises(UserError, match=r"no perturbation 'AA'"):
        pair_checks.flatness(values, prepared, "AA", 1.0, "published")


def as_file(folder) -> str:
    source = raw()
    obs = source.covariates.assign(perturbation=source.label.astype(str))
    anndata.AnnData(source.counts, obs, pd.DataFrame(index=list(GENES))).write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def test_the_command_prepares_a_file_as_the_functions_do(prepared, tmp_path, capsys):
    (tmp_path / "settings.yaml").write_text("min_cells: 30\ndevice: cpu\n")
    prepare_command.run(as_file(tmp_path), tmp_path / "screen.h5ad", tmp_path / "settings.yaml")
    found = screen.load(tmp_path / "screen.h5ad")
    assert (found.control == prepared.control).all() and found.latent == prepared.latent
    printed = capsys.readouterr().out
    assert "at least 30 cells: 600 cells, 4 perturbations, 300 controls" in printed
    assert "latent genes: 3 perturbed (2 measured), 2 extended" in printed
    with pytest.raises(UserError, match="exists; expected a new file, or --force"):
        prepare_command.run(as_file(tmp_path), tmp_path / "screen.h5ad")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_cell: 3", r"line 1: unknown key 'min_cell' \(did you mean 'min_cells'\?\)"),
        ("seed: 1\nmin_cells: many", r"line 2: min_cells: found 'many'; expected int"),
        ("seed: 1\nk: -2", r"line 2: preparation: k is -2"),
    ],
)
def test_mistakes_in_the_settings_of_the_command_are_named_by_line(tmp_path, text, message):
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        prepare_command.read_settings(tmp_path / "settings.yaml")
