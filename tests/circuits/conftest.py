"""One thread for all circuit tests: the networks are tiny, and results must not depend on the machine's cores."""

import pytest
import torch

from regulome import paths
from regulome.circuits.task import Task
from regulome.circuits.task_file import read_task


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def adaptation_task() -> Task:
    return read_task(paths.mini_data() / "tasks" / "adaptation.yaml")
