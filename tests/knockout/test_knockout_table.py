"""The common table, and who answers what."""

import numpy as np
import pandas as pd
import pytest

from regulome.errors import UserError
from regulome.knockout import agreement, table
from regulome.knockout.circuit_links import LinearRates
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Edge, Gene, Reaction

COMMON = {"part": "circuits", "system": "toy", "kind": "link", "unit": "level"}


def toy(effects, readouts=("x", "y")):
    rows = [{"removed": "a -> b", "readout": r, "effect": e} for r, e in zip(readouts, effects, strict=True)]
    return table.table(rows, **COMMON)


def test_every_table_has_all_columns_in_order():
    found = toy([1.0, 2.0])
    assert tuple(found.columns) == table.COLUMNS
    assert found["truth"].isna().all() and (found["truth_source"] == "unknown").all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": "circuit"}, "part 'circuit' .did you mean 'circuits'"),
        ({"kind": "lnk"}, "kind 'lnk'"),
        ({"colour": "red"}, "unknown column 'colour'"),
    ],
    ids=["part", "kind", "column"],
)
def test_a_wrong_table_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        table.table([{"removed": "a", "readout": "x", "effect": 1.0}], **(COMMON | change))


def test_truth_is_joined_by_name_and_not_by_place():
    found = table.with_truth(toy([1.0, 2.0]), toy([20.0, 10.0], ("y", "x")), "toy truth")
    assert found["truth"].tolist() == [10.0, 20.0]
    partly = table.with_truth(toy([1.0, 2.0]), toy([7.0], ("y",)), "toy truth")
    assert np.isnan(partly["truth"].iloc[0]) and partly["truth_source"].tolist() == ["unknown", "toy truth"]


def test_a_truth_in_another_unit_or_with_doubled_rows_is_refused():
    with pytest.raises(UserError, match="unit 'log2'"):
        table.with_truth(toy([1.0, 2.0]), toy([1.0, 2.0]).assign(unit="log2"), "toy")
    with pytest.raises(UserError, match="twice"):
        table.with_truth(toy([1.0, 2.0], ("x", "x")), toy([1.0, 2.0]), "toy")


def test_trainings_give_mean_and_range():
    found = table.over_trainings([toy([1.0, 0.0]), toy([4.0, 0.0])])
    assert found["effect"].tolist() == [2.5, 0.0]
    assert (found["low"].iloc[0], found["high"].iloc[0]) == (1.0, 4.0)
    with pytest.raises(UserError, match="different knockouts"):
        table.over_trainings([toy([1.0, 0.0]), toy([1.0, 0.0], ("y", "x"))])


def test_the_largest_rows_are_chosen_by_truth():
    found = table.with_truth(toy([1.0, 2.0]), toy([-5.0, 3.0]), "toy")
    assert table.largest(found, 1)["readout"].tolist() == ["x"]


def test_agreement_is_that_of_numpy_and_its_interval_holds_whole_groups():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    effect = 0.5 * truth + rng.normal(size=200)
    found = agreement.agreement(effect, truth, np.repeat(np.arange(20), 10))
    assert found["pearson"] == pytest.approx(np.corrcoef(effect, truth)[0, 1])
    assert found["slope"] == pytest.approx(np.polyfit(truth, effect, 1)[0])
    assert found["low"] < found["pearson"] < found["high"]
    # copies of one value a group: the effective sample is the number of groups, and the interval has to know it
    few, many = rng.normal(size=(2, 12)), np.repeat(np.arange(12), 50)
    copied = agreement.agreement(few[0][many], few[1][many], many)
    alone = agreement.agreement(few[0][many], few[1][many], np.arange(600))
    assert copied["high"] - copied["low"] > 3 * (alone["high"] - alone["low"])


def test_signs_count_clear_effects_and_zero_is_half_right():
    found = agreement.agreement([1, -1, 0, 5], [1.0, 1.0, -1.0, 0.01], np.arange(4))
    assert found["sign_n"] == 3 and found["sign_accuracy"] == pytest.approx((1 + 0 + 0.5) / 3)


def test_a_constant_prediction_has_no_correlation():
    found = agreement.agreement(np.zeros(10), np.arange(10.0), np.arange(10))
    assert np.isnan(found["pearson"]) and np.isnan(found["low"])
    with pytest.raises(UserError, match="at least 3"):
        agreement.agreement([1.0, np.nan, 1.0], [1.0, 2.0, 3.0], np.arange(3))


def test_summary_keeps_panels_and_methods_apart():
    rng = np.random.default_rng(1)
    one = toy(rng.normal(size=6), [f"r{i}" for i in range(6)])
    one = table.with_truth(one, one.assign(effect=one["effect"] * 2), "toy")
    parts = [agreement.compared(one, "links", "model", "model", "readout")]
    parts.append(agreement.compared(one.assign(effect=-one["effect"]), "links", "turned", "baseline", "readout"))
    found = agreement.summary(pd.concat(parts)).set_index("method")
    assert found["pearson"].round(9).tolist() == [1.0, -1.0]
    assert found["sign_accuracy"].tolist() == [1.0, 0.0]


def test_unknown_models_and_targets_of_another_part_are_refused():
    with pytest.raises(UserError, match="model of type dict"):
        knockout({}, Gene("R01", ("R01",)))
    with pytest.raises(UserError, match="target of type Edge for a LinearRates; expected Link"):
        knockout(LinearRates(np.zeros((2, 1)), np.zeros(1)), Edge("a", "b"))


@pytest.mark.parametrize("factor", [-0.5, 1, np.inf])
def test_a_factor_that_is_no_knockout_is_refused(factor):
    with pytest.raises(UserError, match="found factor"):
        Reaction("birth", np.ones(1), factor)
