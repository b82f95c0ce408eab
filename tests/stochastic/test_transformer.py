"""The transformer: published sizes, masks, and one hand-computed forward pass."""

import math

import pytest
import torch

from regulome.errors import UserError
from regulome.stochastic.transformer import PUBLISHED, Architecture, CountTransformer, named, smooth_features


def network(architecture=PUBLISHED, entries=5, bounds=(2, 4, 6), seed=0):
    return CountTransformer(architecture, entries, bounds, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("parameters", "bounds", "with_positions", "without"),
    [(7, (2, 100, 580), 95_488, 87_296), (4, (2, 149), 67_648, 59_456)],
)
def test_published_numbers_of_weights(parameters, bounds, with_positions, without):
    found = network(PUBLISHED, parameters + len(bounds) + 1, bounds)
    assert found.size == with_positions
    assert found.size - found.position.numel() == without


def plain_forward(model, prompt, counts):
    """The equations of the module's docstring, written out for one sequence with loops over positions and heads."""
    a, w = model.architecture, dict(model.named_parameters())

    def norm(x, gain):
        return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5) * gain

    def gelu(x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    z = gelu(w["prompt.weight"] @ prompt + w["prompt.bias"])
    tokens = [z[j] * w["gain"][0] + w["position"][j] for j in range(a.prompt_tokens)]
    tokens += [w["table"][n] + w["position"][a.prompt_tokens + i] for i, n in enumerate(counts[:-1])]
    x = torch.stack(tokens)
    for layer in range(a.layers):
        block = {name: w[f"blocks.{layer}.{name}.weight"] for name in ("norm1", "qkv", "out", "norm2", "up", "down")}
        q, k, v = (norm(x, block["norm1"]) @ block["qkv"].T).split(a.width, -1)
        heads, size = [], a.width // a.heads
        for head in range(a.heads):
            part = slice(head * size, (head + 1) * size)
            rows = []
            for t in range(len(x)):
                scores = k[: t + 1, part] @ q[t, part] / math.sqrt(size)
                rows.append(torch.softmax(scores, 0) @ v[: t + 1, part])
            heads.append(torch.stack(rows))
        x = x + torch.cat(heads, -1) @ block["out"].T
        x = x + gelu(norm(x, block["norm2"]) @ block["up"].T) @ block["down"].T
    found = []
    for i, n in enumerate(counts):
        logits = norm(x[a.prompt_tokens - 1 + i], w["norm.weight"]) @ w["table"][: model.bounds[i]].T
        found.append(torch.log_softmax(logits, 0)[n])
    return torch.stack(found)


@pytest.mark.parametrize("layers", [1, 2])
def test_forward_pass_is_that_of_the_equations(layers):
    model = network(named("published", layers=layers))
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(3)))
    prompt, counts = torch.randn(5, generator=torch.Generator().manual_seed(1)), (1, 3, 5)
    ours = model(prompt[None], torch.tensor([counts]))[0]
    torch.testing.assert_close(ours, plain_forward(model, prompt, counts), atol=2e-5, rtol=1e-5)


def test_probabilities_are_normalised_below_each_bound_or_over_the_largest():
    model = network()
    hidden = torch.randn(3, 64)
    assert model.log_softmax(hidden, 0).shape == (3, 2)
    torch.testing.assert_close(model.log_softmax(hidden, 1).exp().sum(-1), torch.ones(3))
    wide = model.log_softmax(hidden, 0, masked=False)
    assert wide.shape == (3, 6)
    torch.testing.assert_close(wide.exp().sum(-1), torch.ones(3))


def test_a_count_does_not_see_later_counts():
    model, prompt = network(Architecture(prompt_tokens=4)), torch.randn(1, 5)
    first, second = (model(prompt, torch.tensor([counts])) for counts in ((1, 2, 3), (1, 2, 5)))
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(model(prompt, torch.tensor([(0, 2, 3)]))[:, 1], first[:, 1])


def test_published_initialisation_has_the_published_spread():
    model = network(bounds=(2, 100, 580), entries=11)
    assert model.table.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.blocks[0].out.weight.std().item() == pytest.approx(0.02 / math.sqrt(2), rel=0.1)
    assert model.prompt.bias.abs().max() == 0 and (model.norm.weight == 1).all()


def test_poisson_and_negative_binomial_laws_are_near_combinations_of_the_smooth_features():
    from scipy import stats

    n = torch.arange(100)
    features = smooth_features((100,), 16)[0].double()
    design = torch.cat([torch.ones(100, 1), features], 1)
    laws = [("poisson", stats.poisson(20).pmf(n)), ("negative binomial", stats.nbinom(3.5, 0.12).pmf(n))]
    for name, law in laws:
        p = torch.tensor(law / law.sum())
        weights = torch.sqrt(p)[:, None]
        fit = design @ torch.linalg.lstsq(weights * design, weights * torch.log(p)[:, None]).solution
        q = torch.softmax(fit[:, 0], 0)
        assert 0.5 * (p - q).abs().sum() < 1e-3, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "publishd"}, "did you mean 'published'"),
        ({"heads": 7}, "width 64 is no multiple of the 7 heads"),
        ({"layers": 0}, "layers is 0, expected at least 1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        Architecture(**change)


def test_too_many_tokens_for_the_position_table_are_refused():
    with pytest.raises(UserError, match="expected at most block_size = 16"):
        network(Architecture(prompt_tokens=15, block_size=16))
