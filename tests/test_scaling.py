"""Power laws from measured costs, and what follows from them for larger problems."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from regulome import scaling
from regulome.errors import UserError
from regulome.scaling_cases import CASES, Case


def sorting(size):
    values = np.random.default_rng(0).random(size)
    return lambda: np.sort(values)


TOY = Case("circuits", "toy", "numbers", (100, 200, 400), 1000, 4, "four runs", sorting, 2, "pairs", lambda n: 8 * n**2)


def test_an_exact_power_law_is_found_with_its_factor():
    law = scaling.fit([2, 8, 32], [3 * 2**1.5, 3 * 8**1.5, 3 * 32**1.5])
    assert law.exponent == pytest.approx(1.5)
    assert law.factor == pytest.approx(3)
    assert law.error == pytest.approx(0, abs=1e-9)
    assert law.at(100) == pytest.approx(3000)


def test_the_standard_error_is_that_of_a_regression():
    generator = np.random.default_rng(1)
    sizes = np.geomspace(10, 1e4, 12)
    costs = 0.2 * sizes**1.2 * np.exp(generator.normal(0, 0.1, 12))
    coefficients, covariance = np.polyfit(np.log(sizes), np.log(costs), 1, cov="unscaled")
    rest = np.log(costs) - np.polyval(coefficients, np.log(sizes))
    law = scaling.fit(sizes, costs)
    assert law.exponent == pytest.approx(coefficients[0])
    assert law.error == pytest.approx(np.sqrt(covariance[0, 0] * rest @ rest / 10))


def test_two_points_have_a_line_and_no_error():
    law = scaling.fit([1, 10], [5, 500])
    assert law.exponent == pytest.approx(2)
    assert np.isnan(law.error)


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [([1, 1], [1, 2]), ([1, 2], [0, 1]), ([1, 2, 3], [1, 2]), ([1, 2], [1, np.nan])],
    ids=["one size", "no cost", "other lengths", "not a number"],
)
def test_costs_that_no_line_fits_are_refused(sizes, costs):
    with pytest.raises(UserError, match="scaling: found"):
        scaling.fit(sizes, costs)


def measured(seconds, case=TOY):
    columns = {"part": case.part, "step": case.step, "dimension": case.dimension}
    return pd.DataFrame({**columns, "size": case.sizes, "seconds": seconds, "memory_mb": 1.0})


def test_the_large_problem_follows_from_the_largest_size_and_the_order():
    found = scaling.summary(measured([0.02, 0.05, 0.16]), {"toy": TOY}).iloc[0]
    assert found["exponent"] == pytest.approx(1.5)
    assert found["core_hours_published"] == pytest.approx(4 * 1.0 / 3600)  # 1e-6 n² at 1000, four times
    assert found["core_hours_1000x"] == pytest.approx(4e6 / 3600)
    assert found["memory_gb_1000x"] == pytest.approx(8e12 / 1e9)  # 8 bytes for every pair of a million


def test_cost_is_in_proportion_where_the_code_has_a_limit():
    case = replace(TOY, linear_beyond=1000)
    found = scaling.summary(measured([0.01, 0.04, 0.16]), {"toy": case}).iloc[0]
    assert found["core_hours_1000x"] == pytest.approx(4e3 / 3600)


def test_a_step_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(scaling, "COMMAND", ["-c", "raise SystemExit('no room')"])
    with pytest.raises(UserError, match="toy failed: no room"):
        scaling.measure_apart("toy")


PRODUCT = """
import numpy as np
from regulome import scaling
from regulome.scaling_cases import Case

def pairs(size):
    values = np.random.default_rng(0).random((size, 50))
    return lambda: values @ values.T

case = Case("circuits", "pairs", "rows", (1000, 2000, 4000), 1, 1, "one", pairs, 2, "pairs", lambda n: 8 * n**2)
print(scaling.measure(case).to_json(orient="records"))
"""


def test_a_matrix_product_grows_in_memory_with_the_square(monkeypatch):
    monkeypatch.setattr(scaling, "COMMAND", ["-c", PRODUCT])  # the largest size is that of a process without a past
    large = np.ones(100_000_000)  # nor does that of the process that starts it count
    rows = scaling.measure_apart("pairs")
    del large
    assert list(rows["size"]) == [1000, 2000, 4000]
    assert (rows["seconds"] > 0).all()
    assert 0.9 * 8 * 4000**2 < rows["memory_mb"].iloc[-1] * 1e6 < 3 * 8 * 4000**2


def test_every_case_has_three_rising_sizes_and_says_how_often_it_runs():
    assert {case.part for case in CASES.values()} == {"binding", "perturbation", "circuits", "stochastic"}
    for name, case in CASES.items():
        assert len(case.sizes) >= 3 and list(case.sizes) == sorted(set(case.sizes)), name
        assert case.published > 0 and case.runs > 0 and case.why, name
    assert len({(case.step, case.dimension) for case in CASES.values()}) == len(CASES)


def test_the_cheapest_case_runs():
    rows = scaling.measure(replace(CASES["identity"], sizes=(4, 8)))
    assert (rows["seconds"] > 0).all()
