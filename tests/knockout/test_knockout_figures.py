"""Figures and result rows of the knockout analysis, from a small table."""

import numpy as np
import pandas as pd
import pytest

from regulome.binding.knockout_table import PROFILE
from regulome.knockout import agreement, plots_effects, results_knockout, table
from regulome.verdicts import result


@pytest.fixture(scope="module")
def compared():
    rng, parts = np.random.default_rng(0), []
    for panel, readout in (("links", "mean level of g1"), ("residues", PROFILE)):
        truth = -np.abs(rng.normal(size=30))
        for method, role, noise in (("model", "model", 0.1), ("line", "baseline", 1.0)):
            rows = [{"removed": f"{i}", "readout": readout, "effect": e} for i, e in enumerate(truth)]
            found = table.table(rows, part="circuits", system="toy", kind="link", unit="level")
            found = found.assign(truth=truth, effect=truth + noise * rng.normal(size=30))
            parts.append(agreement.compared(found, panel, method, role, np.arange(30) % 5))
    return pd.concat(parts, ignore_index=True)


def test_a_change_that_can_only_be_negative_has_no_sign_to_get_right(compared):
    found = agreement.summary(compared).set_index(["panel", "method"])["sign_accuracy"]
    assert np.isnan(found["residues", "model"]) and found["links", "model"] > 0.9


def test_every_drawn_point_is_in_the_table_of_the_figure(compared):
    shown = {"links": ("model", "line"), "residues": ("model", "line")}
    fig, drawn = plots_effects.effects(compared, agreement.summary(compared), shown, dict.fromkeys(shown, "level"))
    assert len(fig.axes) == 4 and len(drawn) == 120
    offsets = np.concatenate([c.get_offsets() for ax in fig.axes for c in ax.collections if len(c.get_offsets()) == 30])
    np.testing.assert_allclose(np.sort(offsets[:, 1]), np.sort(drawn["effect"]))


def test_result_rows_pass_the_verdicts_and_have_ids_of_their_own(compared):
    summary = agreement.summary(compared)
    rows = results_knockout.agreement_rows(summary, "All parts")
    rows.append(results_knockout.ceiling_row(0.6, "links", "All parts"))
    assert len({row["id"] for row in rows}) == len(rows)
    names = ("ours", "published", "low", "high", "note", "role")
    verdicts = [result(row["id"], **{n: row[n] for n in names if n in row})["verdict"] for row in rows]
    assert sorted(set(verdicts)) == ["baseline", "ceiling", "not comparable"]


def test_the_overview_shows_every_method_once(compared):
    summary = agreement.summary(compared)
    fig, drawn = plots_effects.agreements(summary)
    assert len(drawn) == 4
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["line", "model", "line", "model"]
