"""The network: published sizes, the equations written out with loops, padding that leaks nowhere, the fast path."""

import math

import numpy as np
import pytest
import torch

from regulome.binding import fast_tower, tokens
from regulome.binding.sequences import sequences
from regulome.binding.two_tower import CONVOLUTIONS, GATE, Head, Settings, TwoTower
from regulome.errors import UserError

OPTIONS = [(False, False), (True, False), (False, True), (True, True)]


def rnas(lengths, seed=0):
    generator = np.random.default_rng(seed)
    return sequences(["".join(generator.choice(list("ACGU"), n)) for n in lengths], "rna")


def network(structure=False, extra=False, seed=1, **changes):
    sizes = {"width": 8, "rank": 12, "layers": 2, "heads": 2, "protein_hidden": 10}
    return TwoTower(Settings(5, structure=structure, extra_branch=extra, **(sizes | changes)), seed).eval()


def profiles(lengths, seed=2):
    """Structure profiles, zero beyond each RNA."""
    found = np.random.default_rng(seed).dirichlet(np.ones(5), (len(lengths), max(lengths))).astype(np.float32)
    found[np.arange(max(lengths)) >= np.array(lengths)[:, None]] = 0
    return found


def test_numbers_of_parameters_are_the_published_ones():
    plain, extra = (TwoTower(Settings.published(extra_branch=extra)).sizes() for extra in (False, True))
    assert round(plain["RNA tower"] / 1e6, 2) == 3.37 and round(extra["RNA tower"] / 1e6, 2) == 3.96
    assert round(plain["head"] / 1e6, 3) == 0.394
    assert round(plain["protein tower"] / 1e6, 2) == 2.75


def test_letters_become_tokens_and_unknown_ones_are_counted():
    found = tokens.encode(sequences(["acgt", "UG"], "rna"))
    np.testing.assert_array_equal(found, [[0, 1, 2, 3], [3, 2, 4, 4]])
    np.testing.assert_array_equal(tokens.lengths(found), [4, 2])
    with pytest.warns(UserWarning, match=r"2 unknown bases \(N\) read as A"):
        np.testing.assert_array_equal(tokens.encode(sequences(["NCN"], "rna")), [[0, 1, 0]])


def plain_rna(model, codes, structure):
    """The equations of the module's docstring for one RNA, with loops over positions, taps and heads."""
    s, w = model.settings, {name: p.detach().double() for name, p in model.rna_tower.named_parameters()}
    length = len(codes)

    def norm(x, name):
        centred = x - x.mean(-1, keepdim=True)
        return (
            centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]
        )

    def gelu(x):
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))

    def convolve(x, kernel, size, dilation):
        rows = []
        for i in range(length):
            places = [(j, i + (j - size // 2) * dilation) for j in range(size)]
            rows.append(sum(kernel[:, :, j] @ x[place] for j, place in places if 0 <= place < length))
        return torch.stack(rows)

    x = torch.stack([w["bases.weight"][c] + w["positions.weight"][i] for i, c in enumerate(codes)])
    if s.structure:
        p = torch.from_numpy(structure).double()
        hidden = gelu(p @ w["structure.weight"].T + w["structure.bias"])
        x = x + w["structure_gain"] * norm(hidden, "structure_norm")
    for b, (size, dilation) in enumerate(CONVOLUTIONS):
        x = x + norm(gelu(convolve(x, w[f"blocks.{b}.conv.weight"], size, dilation)), f"blocks.{b}.norm")
    if s.extra_branch:
        x = x + w["extra_gain"] * gelu(convolve(x, w["extra.weight"], 9, 1))
    for number in range(s.layers):
        name = f"layers.{number}"
        qkv = x @ w[f"{name}.self_attn.in_proj_weight"].T + w[f"{name}.self_attn.in_proj_bias"]
        q, k, v = qkv.split(s.width, -1)
        size, heads = s.width // s.heads, []
        for h in range(s.heads):
            part = slice(h * size, (h + 1) * size)
            heads.append(torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(size), -1) @ v[:, part])
        mixed = torch.cat(heads, -1) @ w[f"{name}.self_attn.out_proj.weight"].T
        x = norm(x + mixed + w[f"{name}.self_attn.out_proj.bias"], f"{name}.norm1")
        hidden = torch.clamp(x @ w[f"{name}.linear1.weight"].T + w[f"{name}.linear1.bias"], min=0)
        x = norm(x + hidden @ w[f"{name}.linear2.weight"].T + w[f"{name}.linear2.bias"], f"{name}.norm2")
    centre, sigma = (length - 1) / 2, torch.exp(w["pool.log_sigma"])
    scores = torch.stack(
        [
            w["pool.score.weight"][0] @ x[i]
            + w["pool.score.bias"][0]
            - w["pool.alpha"] * (i - centre) ** 2 / (2 * sigma**2)
            for i in range(length)
        ]
    )
    return norm(torch.softmax(scores, 0) @ x, "pool.norm")


@pytest.mark.parametrize(("structure", "extra"), OPTIONS)
def test_rna_tower_is_that_of_the_equations(structure, extra):
    model, lengths = network(structure, extra), [11, 30]
    with torch.no_grad():  # away from the initial values: gains of 1, biases of 0
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel())))
        model.rna_tower.bases.weight[tokens.PAD] = 0
    codes, p = tokens.encode(rnas(lengths)), profiles(lengths)
    with torch.no_grad():
        found = model.rna(torch.from_numpy(codes), torch.from_numpy(p) if structure else None)
    for i, length in enumerate(lengths):
        expected = plain_rna(model, codes[i, :length], p[i, :length])
        torch.testing.assert_close(found[i].double(), expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("structure", "extra"), OPTIONS)
def test_an_rna_alone_equals_itself_in_any_batch(structure, extra):
    model, lengths = network(structure, extra), [5, 38, 64, 30, 38]
    codes, p = torch.from_numpy(tokens.encode(rnas(lengths))), torch.from_numpy(profiles(lengths))
    with torch.no_grad():
        together = model.rna(codes, p)
        for i, length in enumerate(lengths):
            alone = model.rna(codes[i : i + 1, :length], p[i : i + 1, :length])
            torch.testing.assert_close(together[i : i + 1], alone, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(("structure", "extra"), OPTIONS)
def test_gradients_of_an_rna_do_not_depend_on_its_neighbours_in_training_mode(structure, extra):
    """Padding would leak through the dilated convolutions if a block did not mask again."""
    model, lengths = network(structure, extra, dropout=0.0).train(), [7, 60]
    codes, p = torch.from_numpy(tokens.encode(rnas(lengths))), torch.from_numpy(profiles(lengths))
    found = []
    for rows, length in ((slice(0, 2), 60), (slice(0, 1), 7)):
        model.zero_grad()
        model.rna(codes[rows, :length], p[rows, :length])[0].square().sum().backward()
        found.append([w.grad.clone() for w in model.rna_tower.parameters()])
    for both, alone in zip(*found, strict=True):
        torch.testing.assert_close(both, alone, atol=1e-4, rtol=1e-3)


def test_head_is_that_of_the_equation_and_within_its_bound():
    head = Head(Settings(5, width=6, rank=9, heads=2))
    with torch.no_grad():
        head.gate.weight.mul_(50)  # gates at their ends
        head.bias.fill_(0.3)
    p, r = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.randn(50, 6)
    found = head(p, r)
    u, v = head.protein(p), head.rna(r)
    u, v = u / u.norm(dim=1, keepdim=True), v / v.norm(dim=1, keepdim=True)
    g = torch.tanh(head.gate(p))
    expected = torch.einsum("pk,pk,rk->pr", u, 1 + 0.5 * g, v) + 0.3
    torch.testing.assert_close(found, expected)
    assert found.abs().max() <= 1.5 + 0.3


def test_gate_acts_after_normalisation():
    """With all gates open and v = u the score is the bound itself; a gate before the norm would give 1."""
    head = Head(Settings(5, width=6, rank=6, heads=2))
    with torch.no_grad():
        head.rna.weight.copy_(head.protein.weight)
        head.gate.weight.zero_()
        head.gate.bias.fill_(100.0)
    p = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(head(p, p).diagonal(), torch.full((3,), 1 + GATE))


def test_gradients_of_the_whole_network_are_those_of_finite_differences():
    model = network(True, True, dropout=0.0, layers=1).double().train()
    lengths = [6, 9]
    codes, p = torch.from_numpy(tokens.encode(rnas(lengths))), torch.from_numpy(profiles(lengths)).double()
    vectors = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def value():
        return model(vectors, codes, p).square().sum()

    value().backward()
    for name, weights in model.named_parameters():
        if weights.grad is None or name.endswith("bases.weight"):
            continue
        direction = torch.randn(weights.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
        with torch.no_grad():
            weights.add_(1e-6 * direction)
            up = value()
            weights.sub_(2e-6 * direction)
            slope = (up - value()) / 2e-6
            weights.add_(1e-6 * direction)
        assert slope.item() == pytest.approx((weights.grad * direction).sum().item(), rel=1e-3, abs=1e-5), name


@pytest.mark.parametrize(("structure", "extra"), OPTIONS)
def test_fast_tower_equals_the_plain_network_in_order_for_any_batch_and_threads(structure, extra):
    lengths = [38, 5, 41, 1, 38, 3, 64, 30, 38, 5]
    model, codes, p = network(structure, extra), tokens.encode(rnas(lengths)), profiles(lengths)
    with torch.no_grad():
        plain = model.rna(torch.from_numpy(codes), torch.from_numpy(p)).numpy()
    for batch, threads in ((1, 1), (2, 2), (64, 1)):
        found = fast_tower.encode(model, codes, p if structure else None, threads=threads, batch=batch)
        np.testing.assert_allclose(found, plain, atol=5e-6, rtol=1e-5)
    first, second = (fast_tower.encode(model, codes, p, threads=threads, batch=2) for threads in (1, 2))
    np.testing.assert_array_equal(first, second)


def test_initial_weights_depend_on_the_seed_alone_and_leave_torch_as_it_was():
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = network(seed=3), network(seed=3), network(seed=4)
    assert torch.equal(torch.rand(1), before)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.head.gate.weight, other.head.gate.weight)
    assert first.rna_tower.bases.weight.shape == (5, 8) and not first.rna_tower.bases.weight[4].any()
    assert first.rna_tower.pool.alpha.item() == pytest.approx(0.2)
    assert first.rna_tower.pool.log_sigma.exp().item() == pytest.approx(6.0)


def test_what_the_network_cannot_read_is_refused():
    with pytest.raises(UserError, match="RNA of 70 bases; expected at most 64"):
        network().rna(torch.from_numpy(tokens.encode(rnas([70]))))
    with pytest.raises(UserError, match="no structure profiles"):
        network(structure=True).rna(torch.from_numpy(tokens.encode(rnas([20]))))
    for change, message in (
        ({"heads": 3}, "no multiple of the 3 heads"),
        ({"rank": 0}, "rank is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ):
        with pytest.raises(UserError, match=message):
            network(**change)
