"""The residual trunk against its definition, written out."""

import torch
from torch.nn import functional

from regulome.perturbation.distributions import VARIANCE_OFFSET
from regulome.perturbation.trunk import CountMLP, GaussianMLP, ResidualMLP


def plain(trunk: ResidualMLP, x: torch.Tensor) -> torch.Tensor:
    hidden = functional.leaky_relu(trunk.first(x), 0.01)
    for layer in trunk.rest:
        hidden = hidden + functional.leaky_relu(layer(hidden), 0.01)
    return hidden


def test_blocks_are_concatenated_and_all_layers_but_the_first_have_a_skip():
    torch.manual_seed(0)
    trunk, blocks = ResidualMLP((3, 5, 2), 7, 3), [torch.randn(4, width) for width in (3, 5, 2)]
    torch.testing.assert_close(trunk(*blocks), plain(trunk, torch.cat(blocks, 1)))


def test_blocks_with_and_without_particles_broadcast():
    trunk, many, one = ResidualMLP((3, 2), 4, 2), torch.randn(6, 5, 3), torch.randn(5, 2)
    expected = plain(trunk, torch.cat([many, one.expand(6, 5, 2)], -1))
    torch.testing.assert_close(trunk(many, one), expected)


def test_column_is_the_projection_of_a_one_hot_row():
    trunk, position = ResidualMLP((3, 5), 4, 1), torch.tensor([4, 0, 2])
    torch.testing.assert_close(trunk.column(1, position), trunk.project(1, torch.eye(5)[position]))


def test_variances_are_exponentials_plus_an_offset():
    network, x = GaussianMLP((3,), 8, 2, 4), torch.randn(10, 3)
    found, hidden = network(x), network.trunk(x)
    torch.testing.assert_close(found.variance, network.head.log_variance(hidden).exp() + VARIANCE_OFFSET)
    torch.testing.assert_close(found.mean, network.head.mean(hidden))


def test_a_count_network_gives_logits_of_all_genes_and_starts_at_dispersion_one():
    network = CountMLP((3, 2), 8, 2, 11)
    assert network(torch.randn(5, 3), torch.randn(5, 2)).shape == (5, 11)
    assert network.head.log_dispersion.exp().tolist() == [1] * 11
