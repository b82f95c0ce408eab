"""Sequential sparsening: which link goes, what stays, and that nothing comes back."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import plain_circuit
import pytest

from regulome.circuits.mutation import protocol, step_inputs
from regulome.circuits.sparsening import least_important, sparsen
from regulome.circuits.training import TrainingSettings
from regulome.errors import UserError

SETTINGS = TrainingSettings(hidden=4, steps=30, weight_sd=0.5)
REPLICATES = 3


@pytest.fixture(scope="module")
def readout():
    return replace(protocol("fig2"), inputs=step_inputs([[0.5], [1.0]], 12, on=4, rest=0.1))


@pytest.fixture(scope="module")
def levels(adaptation_task, readout):
    return sparsen(adaptation_task, SETTINGS, readout, REPLICATES, seed=1)


# ---- choosing the link -----------------------------------------------------------------------------------------------


def test_smallest_effect_among_existing_unprotected_links_is_chosen():
    effects = np.array([[[0.5, 0.1], [0.4, 0.2], [0.3, 0.6]]] * 4)
    links, protected = np.ones((4, 3, 2), bool), np.zeros((4, 3, 2), bool)
    links[1, 0, 1] = False  # the smallest is already gone
    protected[2, 0] = True  # the inputs are protected, and with them the smallest
    links[3, [0, 1], [1, 1]] = False
    protected[3, 2] = True
    chosen = least_important(effects, links, protected)
    np.testing.assert_array_equal(chosen, [[0, 1], [1, 1], [1, 1], [1, 0]])


def test_nothing_left_to_delete_is_said():
    links = np.zeros((1, 3, 2), bool)
    links[0, 0, 0] = True
    with pytest.raises(ValueError, match="all remaining links are protected"):
        least_important(np.ones((1, 3, 2)), links, links)


# ---- a whole sequence ------------------------------------------------------------------------------------------------


def test_one_link_goes_a_level_down_to_the_last(levels):
    assert [level.count for level in levels] == [6, 5, 4, 3, 2, 1]
    for level, count in zip(levels, range(6, 0, -1), strict=True):
        np.testing.assert_array_equal(level.links.sum((1, 2)), [count] * REPLICATES)


def test_the_deleted_link_is_the_only_difference_and_is_never_restored(levels):
    for upper, lower in pairwise(levels):
        expected = upper.links.copy()
        for r, (regulator, target) in enumerate(upper.deleted):
            assert expected[r, regulator, target]
            expected[r, regulator, target] = False
        np.testing.assert_array_equal(lower.links, expected)
    assert levels[-1].deleted is None


def test_the_deleted_link_has_the_smallest_effect_on_its_own_target(levels, readout):
    for level in levels[:-1]:
        network = level.result.network
        for r in range(REPLICATES):
            wild_type = plain_circuit.trajectory(network, r, readout.inputs, readout.dt)
            effects = {}
            for i, j in np.argwhere(level.links[r]):
                mutant = plain_circuit.trajectory(
                    network, r, readout.inputs, readout.dt, mutation=(i, j, readout.strength)
                )
                effects[i, j] = ((wild_type - mutant)[:, :, j] ** 2).mean()
            chosen = tuple(level.deleted[r])
            assert effects[chosen] <= min(effects.values()) * 1.01 + 1e-13


def test_networks_were_trained_with_their_links(levels):
    for level in levels:
        np.testing.assert_array_equal(level.result.network.links, level.links)
        assert (level.values[~level.links] == 0).all()


def test_every_level_is_trained_from_scratch(levels):
    """Each starts with the loss of untrained networks and with other weights than the level above."""
    for upper, lower in pairwise(levels):
        assert lower.result.loss.shape == (30, REPLICATES)
        before, after = upper.result.network.weights["w2"], lower.result.network.weights["w2"]
        # 30 steps of 0.001 move no weight by more than 0.1; continued training would stay within that
        assert (before - after).abs().amax((1, 2, 3)).min() > 0.5


def test_protected_inputs_stay_and_the_sequence_stops_where_asked(adaptation_task, readout):
    seen = []
    levels = sparsen(
        adaptation_task, SETTINGS, readout, REPLICATES, seed=1, down_to=2, protect_inputs=True,
        progress=lambda *numbers: seen.append(numbers),
    )  # fmt: skip
    assert [level.count for level in levels] == [6, 5, 4, 3, 2]
    assert all(level.links[:, 0].all() for level in levels)
    assert not levels[-1].links[:, 1:].any()
    assert seen == [(n, 5) for n in range(1, 6)]


def test_a_sequence_starts_from_the_links_of_the_task(adaptation_task, readout):
    task = adaptation_task.forbid("I -> g2", "g1 -> g1")
    levels = sparsen(task, SETTINGS, readout, 2, seed=1, down_to=3)
    assert [level.count for level in levels] == [4, 3]
    assert not levels[0].links[:, 0, 1].any() and not levels[1].links[:, 1, 0].any()


def test_a_sequence_is_reproducible(adaptation_task, readout, levels):
    again = sparsen(adaptation_task, SETTINGS, readout, REPLICATES, seed=1, down_to=5)
    for ours, theirs in zip(again, levels[:2], strict=True):
        np.testing.assert_array_equal(ours.result.loss, theirs.result.loss)
        np.testing.assert_array_equal(ours.links, theirs.links)


def test_a_task_mask_of_wrong_shape_never_gets_this_far(adaptation_task):
    with pytest.raises(UserError, match="links mask has shape"):
        adaptation_task.with_links(np.ones((2, 3), bool))


@pytest.mark.parametrize("down_to", [0, 1, 7])
def test_a_sequence_that_cannot_be_run_is_refused_before_any_training(adaptation_task, readout, down_to):
    seen = []
    with pytest.raises(ValueError, match=f"down_to is {down_to}"):
        sparsen(
            adaptation_task, SETTINGS, readout, 2, seed=1, down_to=down_to, protect_inputs=True,
            progress=lambda *numbers: seen.append(numbers),
        )  # fmt: skip
    assert not seen
