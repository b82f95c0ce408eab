"""Speed of a training step of the solver, published layout and prefix tree. Run with ``pytest --benchmark-only``.

The times are printed and recorded, not asserted: machines differ and are busy. That both compute the same loss and
gradient is tested in ``tests/stochastic/test_published_training.py``.
"""

import pytest

from regulome.stochastic.solver_benchmark import measure


def test_training_step_in_the_published_layout_and_through_the_tree(request, benchmark, capsys):
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run with --benchmark-only")
    table = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(table.set_index("layout")["ratio"].round(1).to_dict())
    assert (table["seconds"] > 0).all() and len(table) == 6
    with capsys.disabled():
        print("\nOne training step, one parameter set with 1000 states, or one step of ours; medians of 3 rounds")
        print(table.to_string(index=False, float_format="{:.4g}".format))
