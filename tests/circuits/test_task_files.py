"""The task files that come with the project, against targets written out by hand."""

import math

import numpy as np
import pytest

from regulome import paths
from regulome.circuits.task_file import read_task


def task(name: str):
    return read_task(paths.mini_data() / "tasks" / f"{name}.yaml")


@pytest.mark.parametrize("path", sorted((paths.mini_data() / "tasks").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_task_file_bears_the_name_of_its_task(path):
    assert read_task(path).name == path.stem


def test_adaptation_targets_are_pulses_proportional_to_the_input():
    adaptation = task("adaptation")
    draws = np.array([[0.25], [0.75]])
    inputs, targets = adaptation.realise(draws)
    assert inputs.shape == (2, 3, 40, 1)
    assert adaptation.case_names == ("rest", "full", "random")
    for replicate, s in enumerate(draws[:, 0]):
        for case, (level, height) in enumerate([(0.1, 0.0), (1.0, 1.0), (s, s)]):
            for k in range(40):
                assert inputs[replicate, case, k, 0] == level
                pulse = 2 * (math.exp(-k / 6) - math.exp(-k / 3))
                assert targets[replicate, case, k, 0] == pytest.approx(0.4 + height * pulse, abs=1e-12)
    assert np.isnan(targets[..., 1]).all()
    assert list(adaptation.stationary) == [True, False, False]


def test_oscillation_targets_are_four_triangles():
    oscillation = task("controlled_oscillation")
    triangles = [0.0] * 60
    for start in (0, 15, 30, 45):
        for up in range(6):
            triangles[start + up] = up / 5  # 0 at the start, 1 five samples later
        for down in range(1, 6):
            triangles[start + 5 + down] = 1 - down / 5  # 0 again ten samples after the start
    inputs, targets = oscillation.realise()
    assert oscillation.case_names == ("rest", "oscillation", "high")
    expected = [((0, 0), [0.1] * 60), ((0.8, 0), triangles), ((0, 0.8), [0.8] * 60)]
    for case, (levels, curve) in enumerate(expected):
        assert (inputs[0, case] == levels).all()
        np.testing.assert_allclose(targets[0, case, :, 0], curve, atol=1e-12)
    assert np.isnan(targets[..., 1]).all(), "only g1 has a target"


def test_oscillation_has_the_published_size_and_start():
    oscillation = task("controlled_oscillation")
    assert (oscillation.steps, oscillation.dt, oscillation.loss) == (60, 0.2, "root_sum")
    assert oscillation.regulators == ("I1", "I2", "g1", "g2")
    assert oscillation.links.all(), "all 8 links are allowed"
    assert list(oscillation.stationary) == [True, False, False]
    assert oscillation.initial[0] == 0.1
    assert np.isnan(oscillation.initial[1]), "g2 starts at a trained level"
