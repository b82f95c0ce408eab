"""Cellular automata: ground truth, recordings and windows, compiled training, read-out and baselines."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from regulome import paths
from regulome.circuits import automata_baselines as baselines
from regulome.circuits import automata_readout as readout
from regulome.circuits import automata_search, results_automata
from regulome.circuits.automata import full_ring, half_ring, neighbour_mean, predict, ring_of
from regulome.circuits.automata_data import record, windows
from regulome.circuits.automata_kernels import loss_and_gradient
from regulome.circuits.automata_training import (
    AutomataTraining,
    _train_torch,
    batch_order,
    flat_parameters,
    new_automata,
    train_automata,
    window_loss,
    with_parameters,
)
from regulome.circuits.automata_truth import HillAutomata, links_table, read_automata, simulate_automata
from regulome.errors import UserError
from regulome.lanes import LANES

with_mirror = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="REGULOME_MIRROR is not set")


def random_automata(models=2, genes=3, seed=0):
    rng = np.random.default_rng(seed)
    shape = (models, 2 * genes, genes)
    return HillAutomata(rng.integers(-1, 2, shape).astype(np.int8), rng.random(shape) + 0.5, rng.random(shape) + 0.1)


def symmetric_levels(cells, shape=(2, 3), genes=2, seed=0):
    """Random levels (..., cells, genes) that mirror at the centre."""
    levels = np.random.default_rng(seed).random((*shape, cells, genes))
    mirror = (2 * (cells // 2) - np.arange(cells)) % cells
    return levels + levels[..., mirror, :]


# ---- ring ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [3, 4, 7, 8, 21])
def test_half_a_ring_has_the_neighbour_means_and_the_mean_of_the_whole_ring(cells):
    levels, half = symmetric_levels(cells), half_ring(cells)
    whole = neighbour_mean(torch.from_numpy(levels)).numpy()
    sites = levels[..., half.cell, :]
    np.testing.assert_allclose(
        (sites[..., half.left, :] + sites[..., half.right, :]) / 2, whole[..., half.cell, :], rtol=1e-14
    )
    assert half.weight.sum() == cells
    np.testing.assert_allclose(np.average(sites, axis=-2, weights=half.weight), levels.mean(-2))


def test_levels_that_do_not_mirror_need_the_whole_ring():
    levels = symmetric_levels(7)
    assert len(ring_of(levels).cell) == 4
    levels[0, 0, 0, 0] += 1e-12
    assert len(ring_of(levels).cell) == 7


# ---- ground truth ----------------------------------------------------------------------------------------------------


def test_simulation_equals_plain_loops():
    automata, dt = random_automata(), 0.2
    start = np.random.default_rng(1).random((2, 1, 4, 3))
    ours = simulate_automata(automata, start, 5, dt)
    for m in range(2):
        g = start[m, 0].copy()
        for t in range(5):
            new = g.copy()
            for cell in range(4):
                x = [*((g[(cell - 1) % 4] + g[(cell + 1) % 4]) / 2), *g[cell]]
                for j in range(3):
                    act, free = 0.0, 1.0
                    for i in range(6):
                        sign, b, k = automata.signs[m, i, j], automata.b[m, i, j], automata.k[m, i, j]
                        if sign > 0:
                            act += b * x[i] ** 2 / (k**2 + x[i] ** 2)
                        if sign < 0:
                            free *= k**2 / (k**2 + x[i] ** 2)
                    new[cell, j] += dt * (act * free - g[cell, j])
            g = new
            np.testing.assert_allclose(ours[m, 0, t + 1], g, rtol=1e-12)


def test_recordings_are_in_units_of_the_maximum_and_obey_the_rescaled_truth():
    recordings = record(random_automata(seed=3), cells=5, initials=3, n_steps=60, seed=1)
    assert recordings.levels.shape == (2, 4, 61, 5, 3)
    np.testing.assert_allclose(recordings.levels.max((1, 2, 3)), 1)
    now, following = recordings.unseen[:, 10], recordings.unseen[:, 11]
    states = np.concatenate([(np.roll(now, 1, 1) + np.roll(now, -1, 1)) / 2, now], axis=-1)
    np.testing.assert_allclose(following, 0.8 * now + 0.2 * recordings.truth.rates(states), rtol=1e-10)
    assert (np.delete(recordings.levels[:, :, 0], 2, axis=2) == 0).all(), "only the central cell is active at first"


def test_windows_are_the_448_of_the_paper():
    levels = np.arange(321.0)[None, None, :, None, None] + 1000 * np.arange(16)[None, :, None, None, None]
    cut = windows(levels)[0, :, :, 0, 0]
    assert cut.shape == (448, 4)
    np.testing.assert_array_equal(cut[0], [0, 10, 20, 30])
    np.testing.assert_array_equal(cut[27], [270, 280, 290, 300])
    np.testing.assert_array_equal(cut[28], [1000, 1010, 1020, 1030])
    with pytest.raises(ValueError, match="too few"):
        windows(levels[:, :, :40])


def test_search_keeps_what_varies_in_time_and_space():
    t, cells = np.arange(40), 4
    flat = np.ones((40, cells, 1))
    wave = flat * np.where(t % 2, 1.0, 0.0)[:, None, None]  # varies in time only
    stripes = flat * np.array([0, 1, 0, 1.0])[:, None]  # varies in space only
    both = np.where((t[:, None, None] + np.arange(cells)[:, None]) % 2, 1.0, 0.0)
    measures = automata_search.variation(np.stack([flat, wave, stripes, both]))
    np.testing.assert_allclose(measures["time"], [0, 0.5, 0, 0.5])
    np.testing.assert_allclose(measures["space"], [0, 0, 0.5, 0.5])
    np.testing.assert_allclose(measures["asymmetry"], 0)


def test_a_longer_search_begins_with_the_same_automata():
    settings = automata_search.SearchSettings(20, sets=4, genes=3, cells=7, n_steps=200, least_deviation=0.05)
    short, _ = automata_search.search(settings, 5)
    longer, table = automata_search.search(replace(settings, topologies=30), 5)
    assert 0 < len(short) <= len(longer) == len(table)
    np.testing.assert_array_equal(longer.signs[: len(short)], short.signs)
    assert (table[["time", "space"]] > 0.05).all(axis=None)


def test_the_mini_automata_are_what_their_command_makes(tmp_path):
    automata_search.make(tmp_path)
    made, kept = read_automata(str(tmp_path / "models.csv")), read_automata("mini")
    assert len(kept) == 2 and kept.n_genes == 4
    np.testing.assert_array_equal(made.signs, kept.signs)
    np.testing.assert_allclose(made.k, kept.k, rtol=1e-5)


@with_mirror
def test_published_models_have_the_links_of_the_specification():
    automata = read_automata("ca_ground_truth_models")
    counts = np.array([[(s == sign).sum() for sign in (1, -1, 0)] for s in automata.signs])
    assert counts.shape == (25, 3) and (counts.sum(1) == 200).all()
    np.testing.assert_array_equal(counts.min(0), [67, 57, 51])
    np.testing.assert_array_equal(counts.max(0), [84, 76, 68])
    np.testing.assert_array_equal(counts[23], [75, 61, 64])
    same = [(i + 1, j + 1) for i in range(25) for j in range(i) if (automata.signs[i] == automata.signs[j]).all()]
    assert same == [(18, 17), (25, 24)]
    assert (automata.b == 1).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("automaton,regulator,target,sign,b\n0,0,0,1,1\n", "missing column 'k'"),
        ("automaton,regulator,target,sign,b,k\n0,0,0,2,1,1\n", "row 2, column 'sign': found 2; expected -1 or 1"),
        ("automaton,regulator,target,sign,b,k\n0,0.5,0,1,1,1\n", "row 2, column 'regulator': found 0.5"),
        ("automaton,regulator,target,sign,b,k\n0,0,0,1,1,1\n0,1,0,1,1,-1\n", "row 3, column 'k': found -1"),
        ("automaton,regulator,target,sign,b,k\n0,0,0,1,1,1\n0,0,0,1,1,1\n", "row 3: this link is listed twice"),
    ],
)
def test_a_corrupted_table_of_links_is_named_with_file_and_row(tmp_path, text, expected):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_automata(str(path))
    assert str(error.value).startswith(str(path)) and expected in str(error.value)


def test_links_survive_the_file(tmp_path):
    automata = random_automata(models=3)
    links_table(automata).to_csv(tmp_path / "links.csv", index=False)
    again = read_automata(str(tmp_path / "links.csv"))
    np.testing.assert_array_equal(again.signs, automata.signs)
    exists = automata.signs != 0
    np.testing.assert_allclose(again.k[exists], automata.k[exists])


# ---- training --------------------------------------------------------------------------------------------------------


def small_problem(cells=5, genes=3, hidden=6, dtype=np.float64):
    settings = AutomataTraining(hidden=hidden, updates=12, batch=2, weight_sd=0.5, frame_steps=2)
    network = new_automata(1, genes, settings, 0, 1).to(torch.float64)
    frames = np.random.default_rng(0).random((1, 2, 4, cells, genes)).astype(dtype)
    return settings, network, frames


@pytest.mark.parametrize("ring", [full_ring(5), half_ring(9), half_ring(8)], ids=["ring", "half", "half of even"])
def test_gradients_equal_autograd(ring):
    settings, network, frames = small_problem()
    flat = flat_parameters(network)[0]
    rows, genes, hidden, steps = 10, 3, settings.hidden, 6
    gradient = np.empty_like(flat)
    buffers = [np.empty((steps, rows, n)) for n in (2 * genes, hidden, hidden)]
    buffers += [np.zeros(steps * rows * genes + LANES), np.empty((steps + 1, rows, genes))]
    loss = loss_and_gradient(
        flat, gradient, np.ascontiguousarray(frames[0].transpose(1, 0, 2, 3).reshape(4, rows, genes)), 2, 0.2, hidden,
        ring.left, ring.right, ring.weight.astype(float), *buffers,
    )  # fmt: skip
    weights = {name: tensor.requires_grad_() for name, tensor in network.weights.items()}
    expected = window_loss(replace(network, weights=weights), torch.from_numpy(frames), ring, settings)
    slopes = torch.autograd.grad(expected.sum(), [weights[name] for name in ("w1", "b1", "w2", "b2", "w3", "b3")])
    assert loss == pytest.approx(float(expected.detach()), rel=1e-12)
    np.testing.assert_allclose(gradient, torch.cat([slope.flatten() for slope in slopes]), rtol=1e-9, atol=1e-12)


def test_loss_is_the_root_of_the_summed_mean_squared_errors():
    settings, network, frames = small_problem()
    ours = float(window_loss(network, torch.from_numpy(frames), full_ring(5), settings))
    total = 0.0
    for b in range(2):
        course = predict(network, frames[:, b, 0], 6, 0.2)[0]
        total += sum(((course[2 * k] - frames[0, b, k]) ** 2).mean() / 2 for k in (1, 2, 3))
    assert ours == pytest.approx(np.sqrt(total), rel=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_compiled_training_equals_torch(decay):
    recordings = record(read_automata("mini"), cells=7, initials=2, n_steps=60, seed=0)
    frames = windows(recordings.seen)
    settings = AutomataTraining(hidden=8, updates=15, batch=3, weight_sd=0.2, decay=decay, schedule="cosine")
    compiled = train_automata(frames, settings, 2, 3, checkpoints=(5, 99), device="cpu")
    ring = ring_of(frames)
    assert len(ring.cell) == 4
    orders = [
        batch_order(frames.shape[1], settings, np.random.default_rng([3, m, r, 1])) for m in range(2) for r in range(2)
    ]
    plain = _train_torch(
        new_automata(2, 4, settings, 3, 2), frames.astype(np.float32), full_ring(7), orders, settings, [5, 15], 1, None,
        "cpu",
    )  # fmt: skip
    np.testing.assert_allclose(compiled.loss, plain.loss, rtol=1e-4)
    assert list(compiled.checkpoints) == [5, 15]
    for updates in (5, 15):
        np.testing.assert_allclose(
            flat_parameters(compiled.checkpoints[updates]), flat_parameters(plain.checkpoints[updates]), atol=2e-3
        )
    assert compiled.loss[-1].mean() < compiled.loss[0].mean()


def test_networks_do_not_depend_on_threads_or_on_the_others_in_training():
    recordings = record(read_automata("mini"), cells=7, initials=2, n_steps=60, seed=0)
    frames, settings = windows(recordings.seen), AutomataTraining(hidden=8, updates=10, weight_sd=0.2)
    one = train_automata(frames, settings, 2, 3, threads=1, device="cpu")
    two = train_automata(frames, settings, 2, 3, threads=2, device="cpu")
    alone = train_automata(frames[:1], settings, 1, 3, device="cpu")
    np.testing.assert_array_equal(one.loss, two.loss)
    np.testing.assert_array_equal(one.loss[:, 0], alone.loss[:, 0])
    np.testing.assert_array_equal(flat_parameters(one.network), flat_parameters(two.network))


def test_every_window_is_used_once_before_any_is_used_again():
    order = batch_order(12, AutomataTraining(updates=9, batch=4), np.random.default_rng(0))
    assert order.shape == (9, 4)
    for start in (0, 3, 6):
        assert sorted(order[start : start + 3].ravel()) == list(range(12))


def test_parameters_survive_the_flat_array():
    _, network, _ = small_problem()
    again = with_parameters(network, flat_parameters(network))
    for name, tensor in network.weights.items():
        assert torch.equal(again.weights[name], tensor)


def test_wrong_settings_are_refused_by_name():
    for change, expected in (({"schedule": "step"}, "schedule"), ({"updates": 0}, "updates"), ({"decay": -1}, "decay")):
        with pytest.raises(UserError, match=expected):
            AutomataTraining(**change)


# ---- read-out --------------------------------------------------------------------------------------------------------


def test_true_values_are_the_change_of_each_rate_without_each_regulator():
    automata = random_automata(models=1)
    states = np.random.default_rng(2).random((1, 7, 6))
    ours = readout.true_values(automata, states, strength=0.5)
    for i in range(6):
        weaker = states.copy()
        weaker[:, :, i] *= 0.5
        expected = 100 * (automata.rates(states) - automata.rates(weaker)).mean(1)
        np.testing.assert_allclose(ours[:, i], expected)
    knocked = readout.true_values(automata, states)
    assert (np.sign(knocked) * automata.signs >= 0).all(), "no value has the wrong sign"
    assert (knocked[automata.signs == 0] == 0).all()


def test_areas_are_shares_of_ordered_pairs():
    rng = np.random.default_rng(0)
    truth, values = rng.integers(-1, 2, (2, 4, 3)), rng.normal(size=(2, 4, 3)).round(1)
    table = readout.areas(truth, values)
    for m in range(2):
        for link, sign in (("activation", 1), ("inhibition", -1)):
            v = sign * values[m].ravel()
            positive, other = v[truth[m].ravel() == sign], v[truth[m].ravel() != sign]
            pairs = [(a > b) + 0.5 * (a == b) for a in positive for b in other]
            assert table[link][m] == pytest.approx(np.mean(pairs))


def test_calls_leave_out_the_smallest_values():
    values = np.array([[[0.1, -5.0], [3.0, -0.2]]])
    np.testing.assert_array_equal(readout.classify(values, 2), [[[0, -1], [1, 0]]])
    np.testing.assert_array_equal(readout.classify(values, np.array([1])), [[[0, -1], [1, -1]]])
    counts = readout.confusion(np.array([[[1, -1], [1, 0]]]), readout.classify(values, 2))
    np.testing.assert_array_equal(counts, [[1, 0, 0], [0, 1, 0], [0, 1, 1]])


def test_the_published_confusion_matrix_has_the_links_of_model_24():
    np.testing.assert_array_equal(results_automata.CONFUSION_24.sum(1), [61, 64, 75])
    np.testing.assert_array_equal(results_automata.CONFUSION_24.sum(0)[1], 60)
    assert np.trace(results_automata.CONFUSION_24) / 200 == 0.52


# ---- baselines -------------------------------------------------------------------------------------------------------


def test_linear_autoregression_finds_a_linear_map_exactly():
    rng = np.random.default_rng(0)
    levels, matrix = np.empty((1, 21, 5, 2)), rng.normal(0, 0.4, (4, 2))
    levels[0, 0] = rng.random((5, 2))
    for t in range(20):
        own = levels[0, t]
        states = np.concatenate([(np.roll(own, 1, 0) + np.roll(own, -1, 0)) / 2, own], axis=1)
        levels[0, t + 1] = states @ matrix + 0.3
    states, following, initial = baselines.frame_pairs(levels, apart=1)
    assert len(states) == 100 and (initial == 0).all()
    np.testing.assert_allclose(baselines.linear_autoregression(states, following), matrix, atol=1e-8)


def test_mean_production_is_the_constant_rate():
    g, rate = np.array([[0.9, 0.2, 0.3, 0.4]]), np.array([0.7, 0.1])
    state = g[0, 2:].copy()
    for _ in range(10):
        state = 0.8 * state + 0.2 * rate
    np.testing.assert_allclose(baselines.mean_production(g, state[None], 0.2), [rate])


def test_trees_and_lasso_find_two_strong_links_with_their_signs():
    rng = np.random.default_rng(0)
    states, initial = rng.random((400, 4)), np.repeat(np.arange(8), 50)
    production = np.stack([states[:, 1] ** 2, 1 / (1 + 4 * states[:, 2] ** 2)], 1)
    forest = baselines.tree_ensemble(states, production, 0, trees=20)
    sparse = baselines.sparse_hill(states, production, initial)
    for scores in (forest["importance"], forest["knock-out"], sparse):
        assert np.abs(scores).argmax(0).tolist() == [1, 2]
        assert scores[1, 0] > 0 > scores[2, 1]


def test_the_mini_models_lie_with_the_mini_data():
    assert (paths.mini_data() / "automata" / "models.csv").is_file()


def test_consensus_is_the_mean_rank_whatever_the_units():
    a = np.array([[[0.1, 0.4], [-0.2, 9.0]]])
    b = np.array([[[30.0, 20.0], [-5.0, 40.0]]])
    np.testing.assert_allclose(readout.consensus(a, 100 * a), readout.consensus(a))
    np.testing.assert_allclose(readout.consensus(a, b).ravel(), [0.0, 0.0, -1.0, 1.0])
