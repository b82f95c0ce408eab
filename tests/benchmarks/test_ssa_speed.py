"""Speed of stochastic simulation against bioscrape and GillesPy2. Run with ``pytest --benchmark-only``.

The times are printed and recorded, not asserted: machines differ and are busy. Set REGULOME_PEERS to a Python
interpreter that has bioscrape and gillespy2 to see them beside ours. That the simulator is right is tested in
``tests/stochastic/test_ssa.py``.
"""

import os

import pytest

from regulome.stochastic.ssa_benchmark import measure


def test_simulation_of_gene_expression(request, benchmark, capsys):
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run with --benchmark-only")
    table = benchmark.pedantic(lambda: measure(peers=os.environ.get("REGULOME_PEERS")), rounds=1)
    benchmark.extra_info.update(table.set_index("method")["ns_per_event"].round(1).to_dict())
    assert (table["ns_per_event"] > 0).all() and len(table) >= 3
    with capsys.disabled():
        print("\nGene expression to time 6000, one core, 5 rounds in turns")
        print(table.to_string(index=False, float_format="{:.4g}".format))
