"""Training speed of the perturbation model against a straightforward step. Run with ``pytest --benchmark-only``.

The times are printed and recorded, not asserted: machines differ and are busy. That both compute the same loss is
asserted in `tests/perturbation/test_training_reference.py`.
"""

import pytest
import torch

from regulome.perturbation.training_benchmark import k562, measure


@pytest.fixture(autouse=True)
def only_on_request(request):
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run with --benchmark-only")
    torch.set_num_threads(1)


def test_cells_per_second_of_a_training_step(benchmark, capsys):
    table = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update(table.set_index("step")["ratio"].round(1).to_dict())
    with capsys.disabled():
        print("\nGPO-VAE, one thread, median of 5 steps of 256 cells, processor time")
        print(table.to_string(index=False, float_format="{:.4g}".format))


def test_seconds_an_epoch_of_the_size_of_k562(benchmark, capsys):
    table = benchmark.pedantic(k562, kwargs={"rounds": 2}, rounds=1)
    benchmark.extra_info.update(table.set_index("what")["value"].round(2).to_dict())
    with capsys.disabled():
        print("\nsynthetic screen of the size of Replogle K562, extrapolated from measured steps")
        print(table.to_string(index=False, float_format="{:.4g}".format))
