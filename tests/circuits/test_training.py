"""Training: the loss by an explicit loop, replicates that never feel each other, early stop, masks that hold."""

import math
from dataclasses import replace

import numpy as np
import plain_circuit
import pytest
import torch

from regulome.circuits.mutation import link_values, protocol
from regulome.circuits.network import new_network, replicate_generators, simulate
from regulome.circuits.task_file import task_from_dict
from regulome.circuits.training import TrainingSettings, replicate_loss, train
from regulome.errors import UserError

BACKENDS = ("torch", "compiled")
REGULATORS, GENES = 3, 2


@pytest.fixture(scope="module")
def task():
    """As the adaptation task, but a quarter as long."""
    return task_from_dict(
        {
            "name": "short",
            "genes": ["g1", "g2"],
            "inputs": ["I"],
            "steps": 10,
            "dt": 0.2,
            "initial": {"g1": 0.4, "g2": "trainable"},
            "draw": {"s": [0, 1]},
            "cases": {
                "rest": {"inputs": {"I": 0.1}, "targets": {"g1": 0.4}, "stationary": True},
                "full": {"inputs": {"I": 1}, "targets": {"g1": "0.4 + 0.05 * k"}, "at": [4, 9]},
                "random": {"inputs": {"I": "s"}, "targets": {"g1": "0.4 + 0.3 * s"}},
            },
        }
    )


def short(backend="compiled", **changes):
    return TrainingSettings(**{"hidden": 6, "steps": 30, "rate": 0.01, "backend": backend} | changes)


def assert_same_networks(ours, theirs, atol=0.0):
    for a, b in zip(ours.tensors(), theirs.tensors(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


# ---- the loss --------------------------------------------------------------------------------------------------------


def loss_by_loop(task, trajectory, targets):
    """Specification 1: sqrt(penalty of the resting cases over ALL genes + squared target errors)."""
    squared, compared, penalty = 0.0, 0, 0.0
    for c in range(trajectory.shape[0]):
        for k in range(trajectory.shape[1]):
            for j in range(trajectory.shape[2]):
                if not math.isnan(targets[c, k, j]):
                    squared += (trajectory[c, k, j] - targets[c, k, j]) ** 2
                    compared += 1
                if task.stationary[c]:
                    penalty += (trajectory[c, k, j] - trajectory[c, 0, j]) ** 2
    if task.loss == "root_mean":
        squared /= compared
    return math.sqrt(squared + penalty)


@pytest.mark.parametrize("loss", ["root_sum", "root_mean"])
def test_loss_equals_the_loop_over_cases_samples_and_genes(task, loss):
    task = replace(task, loss=loss)
    rng = np.random.default_rng(0)
    _, targets = task.realise(rng.random((4, 1)))
    trajectory = rng.random(targets.shape)
    ours = replicate_loss(task, *map(torch.from_numpy, (trajectory, targets, task.stationary)))
    expected = [loss_by_loop(task, trajectory[r], targets[r]) for r in range(4)]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_drift_of_an_unobserved_gene_at_rest_is_penalised(task):
    _, targets = task.realise(np.array([[0.5]]))
    trajectory = np.nan_to_num(targets, nan=0.3)
    trajectory[0, 1, :, 1] = np.linspace(0, 1, 10)  # g2 may do what it likes in a case that need not rest
    trajectory[0, 1, :, 0] = np.where(np.isnan(targets[0, 1, :, 0]), 5, targets[0, 1, :, 0])
    perfect = replicate_loss(task, *map(torch.from_numpy, (trajectory, targets, task.stationary)))
    assert float(perfect) == pytest.approx(0, abs=2e-6)
    trajectory[0, 0, 6, 1] += 0.7
    drifting = replicate_loss(task, *map(torch.from_numpy, (trajectory, targets, task.stationary)))
    assert float(drifting) == pytest.approx(0.7, abs=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_first_recorded_loss_is_that_of_the_untrained_networks(task, backend):
    settings = short(backend, steps=1)
    result = train(task, settings, 3, seed=8)
    generators = replicate_generators(8, 3)
    network = new_network(task, "private", 6, generators)
    inputs, targets = task.realise(np.stack([rng.random(1) for rng in generators]))
    for r in range(3):
        levels = plain_circuit.trajectory(network, r, inputs[r], task.dt)
        assert result.loss[0, r] == pytest.approx(loss_by_loop(task, levels, targets[r]), rel=1e-5)


def test_each_replicate_has_its_own_root(task):
    network = new_network(task, "private", 6, replicate_generators(2, 2), 0.5, torch.float64)
    inputs, targets = map(torch.from_numpy, task.realise(np.full((2, 1), 0.5)))
    inputs, targets = inputs.clone(), targets.clone()

    def gradients():
        parameters = [p.requires_grad_() for p in network.tensors()]
        losses = replicate_loss(task, simulate(network, inputs, task.dt), targets, torch.from_numpy(task.stationary))
        return torch.autograd.grad(losses.sum(), parameters)

    before = gradients()
    targets[1] = targets[1] * 100
    after = gradients()
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a[0], b[0])  # the root of a common sum would shrink these a hundredfold
    assert max((a[1] - b[1]).abs().max() for a, b in zip(before, after, strict=True)) > 1e-3


# ---- one update by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("architecture", ["shared", "private"])
def test_one_update_follows_the_numerical_slope_of_the_loss(task, backend, architecture):
    """RMSProp's first step is rate * g / sqrt(0.9 + 0.1 g²); g here by central differences of the loop."""
    rate = 0.05
    result = train(task, short(backend, steps=1, architecture=architecture, hidden=3, rate=rate, weight_sd=0.8), 2, 4)
    generators = replicate_generators(4, 2)
    network = new_network(task, architecture, 3, generators, 0.8).to(torch.float64)
    inputs, targets = task.realise(np.stack([rng.random(1) for rng in generators]))
    rng = np.random.default_rng(0)
    for name, tensor in [*network.weights.items(), ("start", network.start)]:
        after = result.network.start if name == "start" else result.network.weights[name]
        for index in rng.choice(tensor[1].numel(), min(3, tensor[1].numel()), replace=False):
            place = (1, *np.unravel_index(index, tensor.shape[1:]))
            before = float(tensor[place])
            losses = []
            for nudge in (1e-5, -1e-5):
                tensor[place] = before + nudge
                levels = plain_circuit.trajectory(network, 1, inputs[1], task.dt)
                losses.append(loss_by_loop(task, levels, targets[1]))
            tensor[place] = before
            slope = (losses[0] - losses[1]) / 2e-5
            expected = before - rate * slope / math.sqrt(0.9 + 0.1 * slope**2)
            assert float(after[place]) == pytest.approx(expected, abs=2e-6), (name, place)


def test_a_fixed_initial_level_is_not_trained(task):
    result = train(task, short(), 2, seed=1)
    before = new_network(task, "private", 6, replicate_generators(1, 2)).start
    np.testing.assert_array_equal(result.network.start[:, 0], before[:, 0])
    assert (result.network.start[:, 1] - before[:, 1]).abs().min() > 1e-3


@pytest.mark.parametrize(("backend", "steps", "left"), [("compiled", 250, 0.4), ("torch", 80, 0.8)])
@pytest.mark.parametrize("architecture", ["shared", "private"])
def test_training_lowers_the_loss(backend, architecture, steps, left):
    fields = {
        "name": "ramp",
        "genes": ["g1", "g2"],
        "inputs": ["I"],
        "steps": 10,
        "dt": 0.2,
        "cases": {"full": {"inputs": {"I": 1}, "targets": {"g1": "0.4 + 0.04 * k"}}},
        "initial": {"g1": 0.4, "g2": "trainable"},
    }
    settings = short(backend, steps=steps, architecture=architecture)
    loss = train(task_from_dict(fields), settings, 4, seed=1).loss
    assert loss.shape == (steps, 4)
    assert (loss[-20:].mean(0) < left * loss[0]).all()


# ---- replicates do not feel each other -------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("architecture", ["shared", "private"])
def test_a_replicate_is_trained_the_same_in_any_batch(task, backend, architecture):
    settings = short(backend, architecture=architecture, noise=0.05)
    few, many = train(task, settings, 3, seed=9), train(task, settings, 20, seed=9)
    np.testing.assert_allclose(few.loss, many.loss[:, :3], rtol=1e-4)
    assert_same_networks(few.network, many.network.select(slice(0, 3)), atol=1e-4)
    block = train(task, settings, 2, seed=9, first=17)
    np.testing.assert_allclose(block.loss, many.loss[:, 17:19], rtol=1e-4)
    assert_same_networks(block.network, many.network.select(slice(17, 19)), atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_seed_gives_the_same_bytes(task, backend):
    first, second = (train(task, short(backend, noise=0.02), 3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.loss, second.loss)
    assert_same_networks(first.network, second.network)
    assert not np.array_equal(first.loss, train(task, short(backend, noise=0.02), 3, seed=6).loss)


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_changes_the_training(task, backend):
    quiet, noisy = (train(task, short(backend, steps=3, noise=sd), 2, seed=5).loss for sd in (0, 0.05))
    assert (np.abs(quiet - noisy)[0] > 1e-4).all()


# ---- early stop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_replicate_that_has_converged_freezes_and_the_others_go_on(task, backend):
    settings, every, count = short(backend, steps=50, check_every=10), 10, 6
    free = train(task, settings, count, seed=3)
    windows = free.loss.reshape(5, every, count).mean(1)
    threshold = float(np.median(windows[1:4].min(0)))
    expected = np.array([next((10 * (w + 1) for w in range(5) if windows[w, r] < threshold), 50) for r in range(count)])
    assert len(set(expected)) > 1 and (expected < 50).any(), "some stop and some do not"

    stopped = train(task, replace(settings, stop_below=threshold), count, seed=3)
    np.testing.assert_array_equal(stopped.updates, expected)
    np.testing.assert_array_equal(free.updates, [50] * count)
    for r, n in enumerate(expected):
        np.testing.assert_allclose(stopped.loss[:n, r], free.loss[:n, r], rtol=1e-4)
        assert np.isnan(stopped.loss[n:, r]).all()
        until_then = train(task, replace(settings, steps=int(n)), count, seed=3).network
        assert_same_networks(stopped.network.select([r]), until_then.select([r]), atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_ends_when_all_replicates_have_stopped(task, backend):
    seen = []
    settings = short(backend, stop_below=100.0, check_every=5)
    result = train(task, settings, 3, seed=3, progress=lambda done, total: seen.append((done, total)))
    assert result.updates.tolist() == [5, 5, 5]
    assert len(seen) <= 6 and np.isnan(result.loss[5:]).all()
    np.testing.assert_allclose(result.final_loss, result.loss[:5].mean(0))


def test_without_a_threshold_all_are_trained_to_the_end(task):
    result = train(task, short(), 2, seed=3)
    assert result.updates.tolist() == [30, 30] and np.isfinite(result.loss).all()
    np.testing.assert_allclose(result.final_loss, result.loss[-20:].mean(0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_progress_counts_up_to_the_end(task, backend):
    seen = []
    train(task, short(backend, steps=7), 20, seed=0, progress=lambda *numbers: seen.append(numbers))
    assert seen[-1] == (7, 7) and seen == sorted(seen)


# ---- masks -----------------------------------------------------------------------------------------------------------


def random_masks(count, seed=0):
    links = np.random.default_rng(seed).random((count, REGULATORS, GENES)) < 0.6
    links[:, 0, 0] = True
    return links


@pytest.mark.parametrize("backend", BACKENDS)
def test_deleted_links_stay_deleted_during_training(task, backend):
    links = random_masks(4)
    result = train(task, short(backend), 4, seed=2, links=links)
    network = result.network
    np.testing.assert_array_equal(network.links, links)
    untrained = new_network(task, "private", 6, replicate_generators(2, 4))
    rng = np.random.default_rng(1)
    regulators = torch.from_numpy(rng.random((4, 5, REGULATORS), dtype=np.float32))
    for r in range(4):
        for i in range(REGULATORS):
            changed = regulators.clone()
            changed[:, :, i] += 1
            difference = (network.rates(changed) - network.rates(regulators))[r].abs().amax(0)
            for j in range(GENES):
                rows = (network.weights["w1"][r, j, i], untrained.weights["w1"][r, j, i])
                if links[r, i, j]:
                    assert difference[j] > 0 and not torch.equal(*rows)
                else:  # no influence on the rate, and no slope ever reached its weights
                    assert difference[j] == 0 and torch.equal(*rows)


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_of_deleted_links_are_exactly_zero(task, backend):
    links = random_masks(3, seed=4)
    network = train(task, short(backend), 3, seed=2, links=links).network
    values = link_values(network, protocol("fig2"))
    assert (values[~links] == 0).all() and (values[links] != 0).all()


def test_one_mask_for_all_replicates_and_the_masks_of_the_task_both_hold(task):
    links = np.ones((REGULATORS, GENES), bool)
    links[2, 1] = False
    network = train(task.forbid("I -> g2"), short(steps=2), 2, seed=2, links=links).network
    expected = links.copy()
    expected[0, 1] = False
    np.testing.assert_array_equal(network.links, np.stack([expected, expected]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shared_network_can_lose_a_regulator_for_all_genes(task, backend):
    links = np.ones((2, REGULATORS, GENES), bool)
    links[0, 2], links[1, 0] = False, False
    settings = short(backend, architecture="shared")
    network = train(task, settings, 2, seed=2, links=links).network
    untrained = new_network(task, "shared", 6, replicate_generators(2, 2))
    for r, lost in enumerate((2, 0)):
        for i in range(REGULATORS):
            same = torch.equal(network.weights["w1"][r, 0, i], untrained.weights["w1"][r, 0, i])
            assert same == (i == lost)
    values = link_values(network, protocol("fig2"))
    assert (values[~links] == 0).all() and (values[links] != 0).all()


def test_both_trainers_agree_on_a_shared_network_without_a_regulator(task):
    links = np.ones((REGULATORS, GENES), bool)
    links[2] = False
    ours, theirs = (train(task, short(b, architecture="shared"), 3, seed=2, links=links) for b in BACKENDS)
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=2e-4)


def test_a_shared_network_cannot_lose_a_link_for_one_gene_alone(task):
    with pytest.raises(ValueError, match="a shared network can lose a regulator only for all genes at once"):
        train(task.forbid("I -> g2"), short(architecture="shared"), 2, seed=0)


@pytest.mark.parametrize(
    "links",
    [
        np.ones((GENES, REGULATORS), bool),
        np.ones((3, REGULATORS, GENES), bool),
        np.ones((REGULATORS, GENES)),
        np.ones(6, bool),
    ],
)
def test_a_links_mask_of_wrong_shape_or_type_is_refused(task, links):
    with pytest.raises(UserError, match=r"task 'short': links mask has shape .* expected booleans of shape .3, 2. "):
        train(task, short(), 2, seed=0, links=links)


# ---- random cases ----------------------------------------------------------------------------------------------------


def test_a_random_target_without_a_value_at_the_end_of_its_range_is_trained_alike(task):
    """sin(s) / s has no value at s = 0; both trainers must still compare this case."""
    fields = {
        "name": "edge",
        "genes": ["g1"],
        "inputs": ["I"],
        "steps": 5,
        "dt": 0.2,
        "draw": {"s": [0, 1]},
        "cases": {"random": {"inputs": {"I": "s"}, "targets": {"g1": "sin(s) / s"}}},
    }
    ours, theirs = (train(task_from_dict(fields), short(b, steps=4), 2, seed=2) for b in BACKENDS)
    assert (theirs.loss > 0.5).all()
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-4)


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"optimiser": "adm"},
            r"training: optimiser is 'adm', expected one of rmsprop, adam \(did you mean 'adam'\?\)",
        ),
        ({"backend": "numba"}, "training: backend is 'numba', expected one of torch, compiled, auto"),
        ({"architecture": "privat"}, r"architecture is 'privat', .* \(did you mean 'private'\?\)"),
        ({"hidden": 0}, "training: hidden is 0, expected at least 1"),
        ({"steps": 0}, "training: steps is 0, expected at least 1"),
        ({"check_every": 0}, "training: check_every is 0, expected at least 1"),
        ({"rate": 0.0}, r"(rate|weight_sd) is .*, expected a positive number"),
        ({"rate": float("nan")}, r"(rate|weight_sd) is .*, expected a positive number"),
        ({"weight_sd": -0.1}, r"(rate|weight_sd) is .*, expected a positive number"),
        ({"noise": -0.1}, "noise is .*, expected a number that is not negative"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, expected):
    with pytest.raises(UserError, match=expected):
        TrainingSettings(**changes)


def test_default_settings_are_those_of_the_published_figures_2_to_4():
    s = TrainingSettings()
    assert (s.architecture, s.hidden, s.optimiser, s.rate, s.weight_sd) == ("private", 16, "rmsprop", 1e-3, 0.1)
    assert (s.steps, s.noise, s.stop_below) == (2001, 0, None)


@pytest.mark.parametrize(
    ("field", "value"), [("rate", 0.0), ("rate", float("nan")), ("noise", -0.1), ("noise", float("nan"))]
)
def test_settings_refuse_numbers_that_are_none(field, value):
    with pytest.raises(UserError, match=f"training: {field} is"):
        TrainingSettings(**{field: value})


@pytest.mark.parametrize("backend", ["torch", "compiled"])
def test_progress_ends_at_the_total_even_if_all_replicates_stop_early(task, backend):
    seen = []
    settings = TrainingSettings(steps=200, stop_below=1e6, check_every=10, backend=backend)
    result = train(task, settings, 2, seed=0, progress=lambda done, total: seen.append((done, total)))
    assert result.updates.tolist() == [10, 10]
    assert seen[-1] == (200, 200)


def test_an_unknown_device_is_refused(task):
    with pytest.raises(UserError, match="device is 'tpu'"):
        train(task, TrainingSettings(steps=1), 1, seed=0, device="tpu")
