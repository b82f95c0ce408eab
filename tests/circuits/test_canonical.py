"""Canonical forms under gene reversal and relabelling, against the group itself and brute force."""

from dataclasses import replace
from itertools import product
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.circuits.canonical import (
    Symmetry,
    canonical,
    canonical_mask,
    classes,
    orbit,
    orient,
    same_class,
    symmetries,
)
from regulome.circuits.codes import decode, encode
from regulome.circuits.hill import simulate_hill
from regulome.circuits.network import new_network, replicate_generators, simulate
from regulome.circuits.sparse_oscillators import P53, RELEASED
from regulome.circuits.topology import flip_gene


def random_signs(rng, count, n_inputs, n_genes):
    return rng.integers(-1, 2, size=(count, n_inputs + n_genes, n_genes)).astype(np.int8)


@pytest.mark.parametrize(("n_genes", "observed"), [(2, (0,)), (3, (0,)), (3, (0, 2)), (4, (1,)), (3, ()), (2, (0, 1))])
def test_group_has_its_order_and_no_element_twice(n_genes, observed):
    free = n_genes - len(observed)
    elements = list(symmetries(n_genes, observed))
    assert len(elements) == len(set(elements)) == 2**free * factorial(free)
    assert elements[0] == Symmetry(tuple(range(n_genes)), (1,) * n_genes)


@pytest.mark.parametrize(("n_inputs", "n_genes", "observed"), [(2, 3, (0,)), (1, 4, (0, 3)), (0, 3, ()), (2, 2, (0,))])
def test_canonical_form_is_idempotent_and_the_same_for_every_image(n_inputs, n_genes, observed):
    signs = random_signs(np.random.default_rng(0), 60, n_inputs, n_genes)
    form = canonical(signs, observed)
    np.testing.assert_array_equal(canonical(form, observed), form)
    for symmetry in symmetries(n_genes, observed):
        np.testing.assert_array_equal(canonical(symmetry(signs), observed), form)


def written_out(table, order, flips, n_inputs):
    """One image link by link, without array tricks."""
    image = np.zeros_like(table)
    for i, j in product(range(len(table)), range(table.shape[1])):
        source = i if i < n_inputs else n_inputs + order[i - n_inputs]
        sign = 1 if i < n_inputs else flips[i - n_inputs]
        image[i, j] = table[source, order[j]] * sign * flips[j]
    return image


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_canonical_form_is_the_greatest_of_all_images_by_brute_force(number):
    table = random_signs(np.random.default_rng(number), 1, 2, 3)[0]
    images = [
        written_out(table, order, (1, *flips), 2)
        for order in ((0, 1, 2), (0, 2, 1))
        for flips in product((1, -1), repeat=2)
    ]
    greatest = max(images, key=lambda image: tuple(image.ravel()))
    np.testing.assert_array_equal(canonical(table[None])[0], greatest)
    found = {tuple(image.ravel()) for image in orbit(table)}
    assert found == {tuple(image.ravel()) for image in images}


def test_orbits_divide_the_group_and_cover_all_two_gene_topologies_once():
    every = np.array(list(product((-1, 0, 1), repeat=4)), dtype=np.int8).reshape(-1, 2, 2)  # no inputs
    forms = encode(canonical(every))
    sizes = {code: len(orbit(decode([code], 0, 2)[0])) for code in set(forms)}
    assert all(2 % size == 0 for size in sizes.values())
    assert sum(sizes.values()) == 81
    fixed = 9  # g2 without link to or from g1: reversal changes nothing
    assert len(sizes) == (81 + fixed) // 2  # Burnside


def test_number_of_three_gene_classes_follows_burnside():
    """All topologies of three genes without inputs and self-links: as many classes as fixed points per element."""
    links = np.array(list(product((-1, 0, 1), repeat=6)), dtype=np.int8)
    tables = np.zeros((len(links), 3, 3), dtype=np.int8)
    tables[:, ~np.eye(3, dtype=bool)] = links
    fixed = [int((symmetry(tables) == tables).all((1, 2)).sum()) for symmetry in symmetries(3)]
    assert len(set(encode(canonical(tables)))) == sum(fixed) / 8


def test_released_network_and_p53_module_are_one_circuit_and_a_changed_link_makes_another():
    released, p53 = decode([RELEASED, P53], 2, 3)
    assert same_class(released, p53)
    assert encode(canonical(released[None])) == [P53]
    for i, j in np.argwhere(p53):
        changed = p53.copy()
        changed[i, j] *= -1
        # every link of the module lies on a path whose sign the task sees, or reversal makes up for it
        assert same_class(changed, p53) == any((image == changed).all() for image in orbit(p53))
    inverted = p53.copy()
    inverted[3, 0] = -1  # ATM represses p53: the response to I1 turns round
    assert not same_class(inverted, p53)


def test_observed_genes_keep_their_name_and_sign():
    table = decode(["0+0+0000++00--0"], 2, 3)[0]
    assert not same_class(table, Symmetry((1, 0, 2), (1, 1, 1))(table[None])[0])
    assert not same_class(table, Symmetry((0, 1, 2), (-1, 1, 1))(table[None])[0])
    assert same_class(table, Symmetry((1, 0, 2), (1, 1, 1))(table[None])[0], observed=())


def test_flipping_one_gene_of_two_is_the_special_case():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(50, 3, 2))
    flipped = flip_gene(values, regulator=2, target=1, flipped=np.ones(50, dtype=bool))
    np.testing.assert_array_equal(Symmetry((0, 1), (1, -1))(values), flipped)
    np.testing.assert_array_equal(classes(values, 0.1), classes(flipped, 0.1))


def test_values_are_oriented_with_their_signs():
    values = np.random.default_rng(3).normal(size=(40, 5, 3))
    signs = np.sign(values).astype(int)
    oriented = orient(values, signs)
    np.testing.assert_array_equal(np.sign(oriented).astype(int), canonical(signs))
    np.testing.assert_allclose(np.sort(np.abs(oriented).ravel()), np.sort(np.abs(values).ravel()))


def test_relabelled_circuit_has_the_same_output():
    """Swapping g2 and g3 with their parameters leaves g1 as it was (Hill functions have no twin for reversal)."""
    rng = np.random.default_rng(4)
    signs = random_signs(rng, 1, 2, 3)
    b, k = rng.exponential(size=(2, 20, 5, 3))
    swap = Symmetry((0, 2, 1), (1, 1, 1))
    before = simulate_hill(signs[0], b, k, (0.8, 0.3))
    after = simulate_hill(swap(signs)[0], swap(b), swap(k), (0.8, 0.3))
    np.testing.assert_allclose(after[..., 0], before[..., 0], rtol=1e-12)
    np.testing.assert_allclose(after[..., [0, 2, 1]], before, rtol=1e-12)


def test_reversed_gene_of_a_perceptron_network_leaves_the_output_as_it_was(adaptation_task):
    """f2 -> 1 - f2 and every perceptron that reads g2 reads 1 - g2 instead: g2 is mirrored, g1 the same."""
    network = new_network(adaptation_task, "private", 8, replicate_generators(5, 4), 0.5, torch.float64)
    weights = {name: tensor.clone() for name, tensor in network.weights.items()}
    weights["b1"] = weights["b1"] + weights["w1"][:, :, 2:3]
    weights["w1"][:, :, 2] *= -1
    weights["w3"][:, 1] *= -1
    weights["b3"][:, 1] *= -1
    start = network.start.clone()
    start[:, 1] = 1 - start[:, 1]
    inputs = np.linspace(0, 1, 60).reshape(2, 30, 1)
    before = simulate(network, inputs, 0.2)
    after = simulate(replace(network, weights=weights, start=start), inputs, 0.2)
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=1e-12)
    np.testing.assert_allclose(after[..., 1], 1 - before[..., 1], atol=1e-12)


def test_relabelled_masks_merge_only_if_the_task_allows_the_names():
    links = np.zeros((5, 3), dtype=bool)
    links[[0, 1, 2, 4], [1, 0, 2, 0]] = True  # I1 -> g2, I2 -> g1, g1 -> g3 -> g1
    swapped = Symmetry((0, 2, 1), (1, 1, 1))(links[None].astype(int))[0].astype(bool)
    free = np.ones((5, 3), dtype=bool)
    np.testing.assert_array_equal(canonical_mask(links, free), canonical_mask(swapped, free))
    tied = free.copy()
    tied[0, 2] = False  # I1 may not reach g3
    np.testing.assert_array_equal(canonical_mask(links, tied), links)


def test_unknown_observed_gene_is_refused():
    with pytest.raises(ValueError, match="observed genes are"):
        list(symmetries(3, (3,)))
