"""Speed of training many replicates: all at once against one after another. Run with ``pytest --benchmark-only``.

The times are printed and recorded, not asserted: machines differ and are busy. What is asserted is that the trainers
compared do the same work.
"""

import numpy as np
import pytest

from regulome import paths
from regulome.circuits.benchmark import TASKS, measure, trainers
from regulome.circuits.task_file import read_task


@pytest.fixture(autouse=True)
def only_on_request(request):
    if not request.config.getoption("--benchmark-only"):
        pytest.skip("a benchmark: run with --benchmark-only")


@pytest.mark.parametrize("name", TASKS)
def test_training_200_replicates_together_and_one_by_one(name, benchmark, capsys):
    task = read_task(paths.mini_data() / "tasks" / f"{name}.yaml")
    results = {trainer: run() for trainer, (_, run) in trainers(task, 5, 20, 20).items()}
    losses = {trainer: np.concatenate([part.loss for part in parts], axis=1) for trainer, parts in results.items()}
    for trainer in ("batched", "compiled"):
        np.testing.assert_allclose(losses[trainer], losses["one by one"], rtol=1e-4, err_msg=trainer)

    table = benchmark.pedantic(measure, args=(task,), rounds=1)
    benchmark.extra_info.update(table.set_index("trainer")["ratio_to_serial"].round(1).to_dict())
    with capsys.disabled():
        print(f"\n{name}, one thread, medians of 3 rounds")
        print(table.drop(columns="task").to_string(index=False, float_format="{:.4g}".format))
