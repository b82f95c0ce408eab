"""Derivatives of f against finite differences of a plain perceptron, and shares on hand-made cases."""

import numpy as np
import plain_circuit
import pytest
import torch

from regulome import paths
from regulome.circuits import monotonicity
from regulome.circuits.mutation import Protocol, step_inputs
from regulome.circuits.network import new_network, replicate_generators
from regulome.circuits.task_file import read_task


@pytest.fixture(scope="module")
def networks():
    task = read_task(paths.mini_data() / "tasks" / "controlled_oscillation.yaml")
    return new_network(task, "private", 6, replicate_generators(3, 2), weight_sd=0.8, dtype=torch.float64)


def test_derivatives_equal_finite_differences_of_the_plain_perceptron(networks):
    states = np.random.default_rng(0).random((2, 3, 4))
    ours = monotonicity.derivatives(networks, torch.from_numpy(states))
    step = 1e-7
    for r in range(2):
        for s in range(3):
            for i in range(4):
                up, down = states[r, s].copy(), states[r, s].copy()
                up[i], down[i] = up[i] + step, down[i] - step
                for j in range(2):
                    rates = [plain_circuit.rate(networks, r, j, x) for x in (up, down)]
                    assert ours[r, s, i, j] == pytest.approx((rates[0] - rates[1]) / (2 * step), abs=1e-6)


def test_audit_equals_the_counts_along_the_plain_trajectory(networks):
    test = Protocol("trajectory", 0.9, 0.1, step_inputs([[0.5, 0.0], [0.0, 1.0]], 9, on=3))
    audited = monotonicity.audit(networks, test, every=2)
    for r in range(2):
        levels = plain_circuit.trajectory(networks, r, test.inputs, test.dt)
        states = []
        for c in range(2):
            before = np.vstack([plain_circuit.start_of(networks, r, c), levels[c, :-1]])
            states.append(np.hstack([test.inputs[c], before]))
        slopes = monotonicity.derivatives(networks.select([r]), torch.from_numpy(np.concatenate(states)[None, ::2]))[0]
        np.testing.assert_allclose(audited["mean"][r], slopes.mean(0), atol=1e-12)
        up, down = np.maximum(slopes, 0).sum(0), np.maximum(-slopes, 0).sum(0)
        np.testing.assert_allclose(audited["minority"][r], np.minimum(up, down) / (up + down + 1e-300), atol=1e-12)
        np.testing.assert_array_equal(audited["both"][r], (up > 0) & (down > 0))


def test_shares_count_only_links_that_exist():
    signs = np.array([[[1, 0]], [[1, -1]], [[-1, -1]]])  # three runs, one regulator, two genes
    audited = {
        "mean": np.array([[[0.3, 0.1]], [[0.2, 0.4]], [[0.1, -0.4]]]),
        "minority": np.array([[[0.0, 0.4]], [[0.2, 0.01]], [[0.3, 0.0]]]),
        "both": np.array([[[False, True]], [[True, True]], [[True, False]]]),
    }
    table = monotonicity.audit_table(audited, signs, ["I -> g1", "I -> g2"]).set_index("link")
    assert table.loc["I -> g1"].tolist() == pytest.approx([3, 2 / 3, 2 / 3, 2 / 3])
    assert table.loc["I -> g2"].tolist() == pytest.approx([2, 1 / 2, 0, 1 / 2])
    assert table.loc["all links"].tolist() == pytest.approx([5, 3 / 5, 2 / 5, 3 / 5])
