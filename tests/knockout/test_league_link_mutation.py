"""Link mutation on knockdown means: known circuits, numbers by hand, bad input."""

import numpy as np
import pytest
import torch

from regulome.errors import UserError
from regulome.knockout import league_link_mutation as links
from regulome.knockout.league_link_mutation import Recipe

FALL = -1.5
# g1 activates g3, g2 represses g4; nothing else changes
CHANGE = np.array([[FALL, 0.0, -1.0, 0.0], [0.0, FALL, 0.0, 1.0]])


@pytest.fixture(scope="module")
def trained():
    own = links.task(CHANGE, 2)
    network, loss = links.train(own, Recipe(replicates=4, hidden=8, updates=300), seed=1)
    return own, network, loss


def test_the_links_of_a_simple_circuit_are_found_with_their_signs(trained):
    own, network, _ = trained
    values = links.read_out(network, own).mean(0)
    strongest = np.argsort(-np.abs(values), axis=None)[:2]
    assert set(strongest) == {2, 4 + 3}
    assert values[0, 2] > 0 > values[1, 3]


def test_a_trained_circuit_settles_at_the_levels_of_the_data(trained):
    own, network, loss = trained
    settled = links.settle(network, own)
    assert (loss[-1] < 0.25 * loss[0]).all()
    assert np.abs(settled.numpy() - own.levels).max() < 0.08
    again = links.settle(network, own, steps=41)
    assert torch.allclose(settled, again, atol=1e-4)


def test_a_held_gene_stays_where_it_is_held(trained):
    own, network, _ = trained
    settled = links.settle(network, own)
    assert np.allclose(settled[:, 1, 0], 1 / (1 + np.exp(-FALL)))
    assert np.allclose(settled[:, 2, 1], 1 / (1 + np.exp(-FALL)))


def test_the_read_out_is_the_change_of_a_perceptron_computed_by_hand(trained):
    own, network, _ = trained
    w = {name: tensor[0, 2].numpy() for name, tensor in network.weights.items()}

    def rate(x):
        for layer in "12":
            x = np.maximum(x @ w["w" + layer] + w["b" + layer][0], 0)
        return 1 / (1 + np.exp(-(x @ w["w3"] + w["b3"][0])))[0]

    by_hand = rate(np.array([0.5, 0.5])) - rate(np.array([0.25, 0.5]))
    assert links.read_out(network, own)[0, 0, 2] == pytest.approx(by_hand, abs=1e-5)


def test_a_gene_is_never_its_own_regulator(trained):
    own, network, _ = trained
    values = links.read_out(network, own)
    assert (values[:, 0, 0] == 0).all() and (values[:, 1, 1] == 0).all()
    assert np.abs(values[:, 0, 1]).max() > 0


def test_missing_levels_are_not_compared():
    state = torch.tensor([[[0.5, 0.9]]])
    assert float(links.errors(state, np.array([[0.2, np.nan]]))[0]) == pytest.approx(0.3, abs=1e-5)


def test_the_weights_nearest_to_other_cells_are_kept():
    own, recipe = links.task(CHANGE, 2), Recipe(replicates=2, hidden=4, updates=150, rate=1e-2)
    judge = links.as_levels(np.zeros_like(CHANGE))  # cells in which nothing happens: the start is nearest, or flat
    chosen, _ = links.train(own, recipe, 0, judge)
    last, _ = links.train(own, recipe, 0)
    kept, final = (links.errors(links.demanded(each, own), judge) for each in (chosen, last))
    assert (kept < final).all()


def test_the_same_seed_gives_the_same_network():
    recipe = Recipe(replicates=2, hidden=4, updates=20)
    first, second, other = (links.infer(CHANGE, 2, recipe, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


@pytest.mark.parametrize("bad", [CHANGE[:1], np.where(CHANGE == 0, np.nan, CHANGE)], ids=["shape", "nan"])
def test_bad_changes_are_refused(bad):
    with pytest.raises(UserError, match="link mutation: found changes"):
        links.task(bad, 2)


def test_a_recipe_that_trains_nothing_is_refused():
    with pytest.raises(UserError, match="updates is 0"):
        Recipe(updates=0)
