"""Noise by position: its distribution, its independence of the batch, and the compiled twin."""

import numpy as np
import pytest
from scipy import stats

from regulome.circuits.network import replicate_generators
from regulome.circuits.noise import fill, lane_keys, noise_at, noise_keys


def test_noise_is_a_normal_distribution_cut_at_two_standard_deviations():
    noise = noise_at(noise_keys(replicate_generators(0, 3)), 5, 0.05, (4, 100, 50))
    assert noise.shape == (3, 4, 100, 50) and noise.dtype == np.float32
    assert stats.kstest(noise.reshape(-1) / 0.05, stats.truncnorm(-2, 2).cdf).pvalue > 1e-3
    assert 0.0999 < np.abs(noise).max() <= 0.1 * (1 + 1e-6)


def test_noise_belongs_to_its_replicate_and_update():
    keys = noise_keys(replicate_generators(0, 3))
    noise = noise_at(keys, 5, 0.05, (2, 20, 3))
    alone = noise_at(noise_keys(replicate_generators(0, 1, first=2)), 5, 0.05, (2, 20, 3))
    np.testing.assert_array_equal(alone[0], noise[2])
    assert (noise_at(keys, 6, 0.05, (2, 20, 3)) != noise).mean() > 0.99
    pairs = np.corrcoef(noise.reshape(3, -1))[np.triu_indices(3, 1)]
    assert np.abs(pairs).max() < 4 / np.sqrt(noise[0].size)


def test_keys_leave_the_generator_as_it_was():
    generators, others = replicate_generators(0, 2), replicate_generators(0, 2)
    noise_keys(generators)
    assert [a.random() for a in generators] == [b.random() for b in others]


@pytest.mark.parametrize("shape", [(3, 61, 2), (1, 7, 1), (2, 5, 3)])
def test_the_compiled_noise_is_the_plain_one(shape):
    cases, steps, genes = shape
    keys = noise_keys(replicate_generators(1, 16))
    lanes = np.zeros((steps, cases, genes, 16), np.float32)
    fill(lanes.reshape(-1), lane_keys(keys, 0.05), 9, *shape)
    np.testing.assert_allclose(lanes.transpose(3, 1, 0, 2), noise_at(keys, 9, 0.05, shape), rtol=1e-5, atol=1e-8)
