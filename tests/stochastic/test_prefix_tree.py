"""The prefix tree and the training targets against the plain forward pass and dense tables."""

import numpy as np
import pytest
import torch

from regulome.stochastic.cross_entropy import batch_cross_entropy
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.prefix_tree import PrefixTree, hidden_states
from regulome.stochastic.solver_targets import Targets
from regulome.stochastic.transformer import Architecture, CountTransformer, named

BOUNDS = (2, 4, 3, 5)
ARCHITECTURES = [named("published"), Architecture(), Architecture(layers=2), Architecture(layers=3, prompt_tokens=5)]


def network(architecture, bounds=BOUNDS, seed=0):
    model = CountTransformer(architecture, 4, bounds, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(7)))
    return model


def every_vector(bounds=BOUNDS):
    return np.argwhere(np.ones(bounds))


def by_tree(model, prompt, vectors):
    tree, places = PrefixTree.of(vectors)
    hidden = hidden_states(model, prompt, tree)
    return sum(
        model.log_softmax(hidden[i], i)[:, places[i], torch.from_numpy(vectors[:, i])] for i in range(vectors.shape[1])
    )


def by_sequences(model, prompt, vectors):
    rows = torch.from_numpy(vectors).repeat(len(prompt), 1)
    return model(prompt.repeat_interleave(len(vectors), 0), rows).sum(-1).view(len(prompt), -1)


def random_laws(number, bounds=BOUNDS, seed=0):
    generator = np.random.default_rng(seed)
    tables = generator.gamma(0.3, size=(number, *bounds)) * (generator.random((number, *bounds)) < 0.7)
    names = tuple("abcd")[: len(bounds)]
    return [Distribution.of_table(names, table / table.sum()) for table in tables]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=["published", "ours", "two layers", "three layers"])
def test_tree_equals_one_sequence_for_every_vector(architecture):
    model, prompt = network(architecture), torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
    vectors = every_vector()
    tree, plain = by_tree(model, prompt, vectors), by_sequences(model, prompt, vectors)
    torch.testing.assert_close(tree, plain, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(tree.exp().sum(-1), torch.ones(3))


@pytest.mark.parametrize("architecture", ARCHITECTURES[:3], ids=["published", "ours", "two layers"])
def test_gradients_of_tree_and_sequences_are_equal(architecture):
    vectors, prompt = every_vector()[::3], torch.randn(2, 4, generator=torch.Generator().manual_seed(2))
    found = []
    for route in (by_tree, by_sequences):
        model, free = network(architecture), prompt.clone().requires_grad_()
        (route(model, free, vectors) * torch.linspace(0.1, 1, len(vectors))).sum().backward()
        found.append([free.grad, *(weights.grad for weights in model.parameters())])
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-3, rtol=1e-3)


def test_some_vectors_in_any_order_give_the_same_as_all():
    model, prompt = network(Architecture()), torch.randn(2, 4)
    vectors = every_vector()
    chosen = np.random.default_rng(0).permutation(len(vectors))[:17]
    torch.testing.assert_close(by_tree(model, prompt, vectors[chosen]), by_tree(model, prompt, vectors)[:, chosen])


def test_full_tree_has_every_prefix_once():
    full, (tree, _) = PrefixTree.full(BOUNDS), PrefixTree.of(every_vector())
    for ours, plain in zip(full.counts + full.parents, tree.counts + tree.parents, strict=True):
        assert torch.equal(ours, plain)
    assert [level.shape[1] for level in full.counts] == [2, 8, 24]


def dense_cross_entropy(model, prompt, laws):
    vectors = every_vector(model.bounds)
    tables = torch.tensor(np.stack([law.table(model.bounds).ravel() for law in laws]), dtype=torch.float32)
    return -(tables * by_sequences(model, prompt, vectors)).sum(-1).mean()


@pytest.mark.parametrize("bounds", [BOUNDS, (2, 6), (9,)], ids=["four states", "two states", "one state"])
def test_cross_entropy_of_whole_laws_equals_that_of_dense_tables_with_gradient(bounds):
    laws, prompt = random_laws(5, bounds), torch.randn(5, 4, generator=torch.Generator().manual_seed(4))
    batch = Targets(laws, bounds).batch(np.arange(5), 0, None)
    found = []
    for route in (lambda m: batch_cross_entropy(m, prompt, batch), lambda m: dense_cross_entropy(m, prompt, laws)):
        model = network(Architecture(), bounds)
        loss = route(model)
        loss.backward()
        found.append([loss.detach(), *(weights.grad for weights in model.parameters() if weights.grad is not None)])
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, atol=3e-5, rtol=2e-4)


def test_drawn_prefixes_have_the_cross_entropy_of_all_as_expectation():
    laws, sets = random_laws(3), np.array([2, 0, 1])
    prompt, model, targets = torch.randn(3, 4), network(Architecture()), Targets(laws, BOUNDS)
    generator = np.random.default_rng(5)
    with torch.no_grad():
        whole = batch_cross_entropy(model, prompt, targets.batch(sets, 0, None)).item()
        drawn = [batch_cross_entropy(model, prompt, targets.batch(sets, 3, generator)).item() for _ in range(400)]
    assert np.std(drawn) > 0, "nothing was drawn"
    assert abs(np.mean(drawn) - whole) < 4 * np.std(drawn) / np.sqrt(len(drawn))


def test_batch_has_weights_that_sum_to_one_and_laws_that_are_conditional():
    laws = random_laws(4)
    batch = Targets(laws, BOUNDS).batch(np.array([1, 3]), 4, np.random.default_rng(0))
    for weights, laws_after in zip(batch.weights, batch.laws, strict=True):
        torch.testing.assert_close(weights.sum(-1), torch.ones(2))
        torch.testing.assert_close(laws_after.sum(-1)[weights > 0], torch.ones(int((weights > 0).sum())))
    root = laws[3].vector("a", 2)
    np.testing.assert_allclose(batch.laws[0][1, 0].numpy(), root, atol=1e-6)


def test_entropy_of_the_laws_and_the_dropping_of_rare_vectors():
    laws = random_laws(2)
    targets = Targets(laws, BOUNDS)
    expected = [-(law.weights * np.log(law.weights)).sum() for law in laws]
    np.testing.assert_allclose(targets.entropy, expected, rtol=1e-5)
    kept = Targets(laws, BOUNDS, smallest=0.02).levels[-1]
    assert len(kept.values) == sum((law.weights >= 0.02).sum() for law in laws) < sum(len(law.weights) for law in laws)
    np.testing.assert_allclose(np.add.reduceat(kept.masses, kept.offsets[:-1]), 1.0, rtol=1e-5)
