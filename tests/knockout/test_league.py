"""The league's grid, shards and tables."""

import numpy as np
import pandas as pd
import pytest

from regulome import simulated_screen
from regulome.errors import UserError
from regulome.knockout import league_grid, league_methods, league_results, league_shards, league_tables
from regulome.knockout.league_grid import Cell
from regulome.knockout.league_methods import Played, Setup

CELL = Cell(size=4, cells=10, capture=0.1, seed=3)
VALUES = {
    "seed": 0, "sizes": [4, 5], "cells": [10, 20], "captures": [0.1, 0.2], "seeds": 2, "circuits": 2, "hidden": 2,
    "updates": 1, "width": 2, "epochs": 1, "rate": 0.01, "trees": 1, "shards": 2,
}  # fmt: skip


def played(cell=CELL, found=None, names=("a",)):
    known, signs = league_tables.truth(cell)
    scores = np.where(np.isfinite(known), signs, np.nan)[None] if found is None else found
    genes = cell.network()[0].names
    return Played(cell, tuple(genes), names, np.ones(len(names)), np.asarray(scores, np.float32))


# --- grid


def test_the_network_of_a_cell_is_that_of_the_simulated_screen():
    _, links = simulated_screen.simulate(CELL.settings(), threads=1, first=1)
    known, signs = league_tables.truth(CELL)
    names = CELL.network()[0].names
    inside = links[links["source"].isin(names[:4])]
    expected = {(row.source, row.target, row.sign) for row in inside.itertuples()}
    found = {(names[i], names[j], signs[i, j]) for i, j in np.argwhere(known == 1)}
    assert found == expected


def test_noise_does_not_change_the_network():
    first, second = (Cell(4, *noise, 3).network()[0] for noise in ((10, 0.1), (80, 0.4)))
    assert np.array_equal(first.source, second.source) and np.array_equal(first.weight, second.weight)


def test_true_changes_of_a_gene_that_nothing_regulates_follow_its_closed_form():
    change, settings = league_grid.true_changes(CELL), CELL.settings()
    assert np.abs(change[:, -league_grid.MITOCHONDRIAL :]).max() < 1e-6
    network, level = CELL.network()
    # a knocked-down gene whose regulators do not move falls as 0.1 + 0.9 exp(-t)
    left = np.log(settings.knockdown + (1 - settings.knockdown) * np.exp(-settings.time))
    own = [g for g in range(4) if np.abs(change[g, network.source[network.target == g]]).max() < 1e-9]
    for gene in own:
        assert change[gene, gene] == pytest.approx(left, abs=1e-5)
    # any other gene: at rest, its level is its rate times its promoter
    last = np.exp(change[0]) * level
    rest = network.burst * network.rate * network.promoter(last)
    assert np.allclose(rest[1:], last[1:], rtol=5e-3)


def test_every_combination_is_played_once_and_unequal_noise_levels_are_refused():
    grid = league_grid.cells(VALUES)
    assert len(grid) == len({cell.name for cell in grid}) == 2 * 2 * 2
    with pytest.raises(UserError, match="found 1 and 2 values"):
        league_grid.cells(VALUES | {"cells": [10]})


# --- ceilings


def test_ceilings_do_not_depend_on_noise_and_find_a_network_better_than_chance():
    setup = Setup.of(VALUES | {"circuits": 3, "hidden": 6, "updates": 150})
    quiet, loud = (league_methods.ceilings(Cell(6, *noise, 1), setup) for noise in ((10, 0.1), (50, 0.5)))
    for (name, scores, _), (_, other, _) in zip(quiet, loud, strict=True):
        assert np.array_equal(scores, other, equal_nan=True)
        table = league_tables.scores([played(Cell(6, 10, 0.1, 1), scores[None], (name,))])
        assert table["auprc"].iloc[0] > table["chance"].iloc[0] + 0.1
        assert table["sign_accuracy"].iloc[0] > 0.7


# --- shards


def test_a_shard_holds_what_was_played():
    again = league_shards.unpack(league_shards.pack(played()), CELL)
    assert again.methods == ("a",) and again.genes == played().genes
    assert np.array_equal(again.scores, played().scores, equal_nan=True)


def test_results_do_not_depend_on_shards_and_other_settings_are_played_again(monkeypatch, tmp_path):
    made = []

    def fake(cell, setup):
        made.append(cell.name)
        return played(cell, np.full((1, cell.size, 2), cell.seed + cell.cells + setup.width))

    monkeypatch.setattr(league_methods, "play", fake)
    league_shards.make_shard(VALUES, 1, tmp_path / "shard_1.npz")
    two = league_shards.gather([tmp_path / "shard_0.npz", tmp_path / "shard_1.npz"], VALUES)
    assert len(made) == 8
    one = league_shards.gather([tmp_path / "whole.npz"], VALUES)
    for first, second in zip(two, one, strict=True):
        assert first.cell == second.cell and np.array_equal(first.scores, second.scores)
    made.clear()
    league_shards.gather([tmp_path / "whole.npz"], VALUES)
    assert not made
    league_shards.gather([tmp_path / "whole.npz"], VALUES | {"width": 3})
    assert len(made) == 8


# --- tables


def test_the_true_network_scores_one_and_its_reverse_has_no_right_sign():
    known, signs = league_tables.truth(CELL)
    table = league_tables.scores([played(found=np.stack([signs, -signs]), names=("right", "wrong"))])
    right, wrong = table.set_index("method").loc["right"], table.set_index("method").loc["wrong"]
    assert right["auprc"] == right["auroc"] == right["sign_accuracy"] == 1
    assert wrong["auprc"] == 1 and wrong["sign_accuracy"] == 0
    assert right["edges"] == np.nansum(known) and right["pairs"] == np.isfinite(known).sum()


def test_intervals_are_those_of_students_t():
    mean, low, high = league_tables.interval([0.2, 0.4, 0.6])
    half = 4.302653 * 0.2 / np.sqrt(3)  # t(0.975, 2), from a printed table
    assert mean == pytest.approx(0.4) and (low, high) == pytest.approx((0.0, 0.4 + half), abs=1e-6)
    assert np.isnan(league_tables.interval([0.3])[1])


def test_the_winner_is_the_highest_mean_ceilings_aside():
    rows = [(12, "n", seed, name, value + 0.01 * seed) for seed in range(3) for name, value in
            {"a": 0.5, "b": 0.3, league_methods.TOTAL: 0.9, league_methods.ONE: 0.8}.items()]  # fmt: skip
    table = pd.DataFrame(rows, columns=["size", "noise", "seed", "method", "auprc"])
    found = league_tables.winners(table).iloc[0]
    assert (found["winner"], found["second"]) == ("a", "b")
    assert found["lead"] == pytest.approx(0.2) and found["lead_low"] == pytest.approx(0.2)
    assert "a (AUPRC 0.510) before b" in league_tables.statement(league_tables.winners(table))


def test_learned_links_are_counted_right_only_with_their_sign():
    _, signs = league_tables.truth(CELL)
    names = CELL.network()[0].names
    for scores, share in ((signs, 1.0), (-signs, 0.0), (np.abs(signs), 1.0)):
        true, learned = league_tables.network_links(CELL, scores.astype(float), names)
        assert len(true) == len(learned) and learned["right"].mean() == share


def test_no_row_claims_a_published_number():
    one = played(names=(league_methods.OURS,))
    summary = league_tables.summary(league_tables.scores([one]))
    rows = league_results.league_rows(summary, "x") + league_results.overall_rows(summary, "x")
    assert rows and all("published" not in row and row["note"] for row in rows)
