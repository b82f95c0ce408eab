"""Speed of the Hill enumeration against plain NumPy and scipy. Run with ``pytest --benchmark-only``.

The times are printed and recorded, not asserted: machines differ and are busy. That the methods compute the same is
tested in ``tests/circuits/test_hill_kernel.py``.
"""

import pytest

from regulome.circuits.hill_benchmark import measure


def test_hill_runs_compiled_and_plain(request, benchmark, capsys):
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run with --benchmark-only")
    table = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(table.set_index("method")["ratio"].round(2).to_dict())
    assert (table["seconds"] > 0).all() and len(table) == 4
    with capsys.disabled():
        print("\nHill runs of 200 steps, one thread, medians of 3 rounds")
        print(table.to_string(index=False, float_format="{:.4g}".format))
