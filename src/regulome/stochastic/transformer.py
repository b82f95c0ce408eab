"""The transformer of DynGPT: parameters of a network in, conditional probabilities of the counts out.

Sixty-four prompt tokens carry the parameters, then follow the counts of the recorded states; what the network says at
one token is the probability of the next count:

    c = (ln theta_1 .. ln theta_P, initial counts, time)
    z = GELU(W c + b),      prompt token j:  x_j = z_j e + pos_j          (e is one vector for all)
    count token i:          x_{V+i} = E[s_i] + pos_{V+i}
    block:                  x <- x + W_o attention(LN x);  x <- x + W_2 GELU(W_1 LN x)
    ln p(s_i | c, s_<i) = log-softmax of (LN x_{V+i-1}) E^T, cut to the bound of state i

`CountTransformer.forward` computes this in the plain way, one full sequence for every count vector, and is the
reference. `regulome.stochastic.prefix_tree` computes the same for all count vectors at once.
"""

import math
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regulome.errors import UserError, closest

ARCHITECTURES = ("smooth", "published")


@dataclass(frozen=True)
class Architecture:
    """Sizes and options of the transformer.

    Attributes
    ----------
    name
        "smooth": our default. "published": the network of the publication with its initialisation.
    layers, heads, width, hidden
        Blocks, attention heads, embedding width d and width of the perceptrons.
    prompt_tokens, block_size
        Prompt tokens V and rows of the position table (at least V plus the number of recorded states).
    prompt_rank
        Numbers that tell prompt tokens apart: 1 as published, where z_j is a scalar and e one shared vector.
    prompt_hidden
        Width of two hidden layers between c and z (0: none, as published).
    features
        Fixed smooth functions of the count whose linear map is added to every state's own count embedding, which
        lets neighbouring counts learn from each other; 0 is the free table alone, one for all states.
    standardise
        Whether the prompt is scaled to mean 0 and standard deviation 1 over the box.
    """

    name: str = "smooth"
    layers: int = 1
    heads: int = 8
    width: int = 64
    hidden: int = 256
    prompt_tokens: int = 8
    prompt_rank: int = 32
    block_size: int = 128
    prompt_hidden: int = 128
    features: int = 16
    standardise: bool = True

    def __post_init__(self):
        if self.name not in ARCHITECTURES:
            raise UserError(
                f"solver: architecture is '{self.name}'{closest(self.name, ARCHITECTURES)}, expected one of "
                f"{', '.join(ARCHITECTURES)}"
            )
        for name in ("layers", "heads", "width", "hidden", "prompt_tokens", "block_size"):
            if getattr(self, name) < 1:
                raise UserError(f"solver: {name} is {getattr(self, name)}, expected at least 1")
        if self.width % self.heads:
            raise UserError(f"solver: width {self.width} is no multiple of the {self.heads} heads")


PUBLISHED = Architecture("published", prompt_tokens=64, prompt_rank=1, prompt_hidden=0, features=0, standardise=False)


def named(name: str, **changes) -> Architecture:
    """The default architecture or, by name, the published one, with some options replaced."""
    return replace(PUBLISHED if name == "published" else Architecture(name), **changes)


class Block(nn.Module):
    """One pre-LN block without biases: attention, then a perceptron of width 4d as published."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (..., heads, d/heads) of tokens (..., d)."""
        parts = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        return parts.unbind(-3)

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """What follows the attention: its output (..., heads, d/heads) is added, then the perceptron's."""
        x = x + self.out(attended.flatten(-2))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d) to (B, T, d), each token looking at itself and those before it."""
        q, k, v = (part.transpose(-2, -3) for part in self.project(x))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.finish(x, attended.transpose(-2, -3))


class CountTransformer(nn.Module):
    """The network.

    Parameters
    ----------
    architecture
        Sizes and options.
    entries
        Length of the prompt vector c.
    bounds
        Number of values of each of the N states.
    generator
        For the initial weights.
    """

    def __init__(self, architecture: Architecture, entries: int, bounds: tuple[int, ...], generator: torch.Generator):
        super().__init__()
        a = architecture
        if a.prompt_tokens + len(bounds) > a.block_size:
            raise UserError(
                f"solver: {a.prompt_tokens} prompt tokens and {len(bounds)} states, expected at most block_size "
                f"= {a.block_size} together"
            )
        self.architecture, self.bounds = architecture, tuple(int(bound) for bound in bounds)
        size, top = a.prompt_hidden, max(self.bounds)
        hidden = [nn.Linear(entries, size), nn.GELU("tanh"), nn.Linear(size, size), nn.GELU("tanh")] if size else []
        self.encoder = nn.Sequential(*hidden)
        self.prompt = nn.Linear(size or entries, a.prompt_tokens * a.prompt_rank)
        self.gain = nn.Parameter(torch.empty(a.prompt_rank, a.width))
        self.position = nn.Parameter(torch.empty(a.block_size, a.width))
        self.table = nn.Parameter(torch.empty(top, a.width))
        if a.features:
            self.register_buffer("features", smooth_features(self.bounds, a.features), persistent=False)
            self.smooth = nn.Parameter(torch.empty(len(self.bounds), self.features.shape[-1], a.width))
        self.blocks = nn.ModuleList(Block(a.width, a.heads, a.hidden) for _ in range(a.layers))
        self.norm = nn.LayerNorm(a.width, bias=False)
        _initialise(self, generator)

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(weights.numel() for weights in self.parameters())

    def embedding(self, state: int) -> Tensor:
        """(U, d) embedding of the counts of one state; where the table is free it is the same for all states."""
        if not self.architecture.features:
            return self.table
        return self.table + self.features[state] @ self.smooth[state]

    def prompt_tokens(self, prompt: Tensor) -> Tensor:
        """(B, V, d) tokens of prompt vectors (B, C)."""
        z = F.gelu(self.prompt(self.encoder(prompt)), approximate="tanh")
        return (
            z.unflatten(-1, (-1, self.architecture.prompt_rank)) @ self.gain
            + self.position[: self.architecture.prompt_tokens]
        )

    def count_tokens(self, state: int) -> Tensor:
        """(bound, d) input tokens of all counts of one state."""
        return self.embedding(state)[: self.bounds[state]] + self.position[self.architecture.prompt_tokens + state]

    def log_softmax(self, hidden: Tensor, state: int, masked: bool = True) -> Tensor:
        """(..., bound) log-probabilities of one state's counts from the tokens before it.

        Without the mask (..., U), normalised over the largest bound for every state, as in the published pre-training.
        """
        top = self.bounds[state] if masked else max(self.bounds)
        return F.log_softmax(self.norm(hidden) @ self.embedding(state)[:top].T, -1)

    def forward(self, prompt: Tensor, counts: Tensor, masked: bool = True) -> Tensor:
        """(B, N) log-probabilities of every count given those before it, by one full sequence each (the reference).

        Parameters
        ----------
        prompt
            (B, C) prompt vectors.
        counts
            (B, N) counts, whole numbers below the bounds.
        masked
            See `log_softmax`.
        """
        x = self.sequence_states(prompt, counts)
        before = self.architecture.prompt_tokens - 1
        states = range(len(self.bounds))
        found = [self.log_softmax(x[:, before + i], i, masked).gather(-1, counts[:, i : i + 1]) for i in states]
        return torch.cat(found, -1)

    def sequence_states(self, prompt: Tensor, counts: Tensor) -> Tensor:
        """(B, V + N - 1, d) hidden states of whole sequences, after the last block."""
        tokens = [self.prompt_tokens(prompt)]
        tokens += [self.count_tokens(i)[counts[:, i]][:, None] for i in range(len(self.bounds) - 1)]
        x = torch.cat(tokens, 1)
        for block in self.blocks:
            x = block(x)
        return x

    def settings(self) -> dict:
        """What a checkpoint has to know to build the network again, as plain values."""
        return {"architecture": asdict(self.architecture), "bounds": list(self.bounds)}


def smooth_features(bounds: tuple[int, ...], number: int) -> Tensor:
    """(N, U, F) smooth functions of the count, for every state on the scale of its own bound.

    The logarithm of most count laws is smooth in n and in ln(n + 1): Poisson and negative binomial laws are
    combinations of n, ln n! and ln(n + r). Beside these four the features are Gaussian bumps, evenly spaced on the
    scale sqrt(n), where the width of a Poisson law is the same everywhere.
    """
    n = torch.arange(max(bounds), dtype=torch.float64)
    result = []
    for bound in bounds:
        top = max(bound - 1, 1)
        x = n / top
        root = torch.sqrt(x)
        logs = torch.log1p(n) / math.log1p(top)
        factorial = torch.lgamma(n + 1) / max(math.lgamma(top + 1.0), 1.0)
        bumps = max(number - 4, 1)
        centre = torch.linspace(0, 1, bumps, dtype=torch.float64)
        width = 1.0 / bumps
        bump = torch.exp(-0.5 * ((root[:, None] - centre) / width) ** 2)
        result.append(torch.cat([torch.stack([x, root, logs, factorial], -1), bump], -1))
    return torch.stack(result).float()


@torch.no_grad()
def _initialise(network: CountTransformer, generator: torch.Generator) -> None:
    """Initial weights: all N(0, 0.02^2) as published, or wider ones that let the parameters be heard from the start."""
    layers = network.architecture.layers
    for name, weights in network.named_parameters():
        if weights.dim() < 2:
            weights.fill_(float("norm" in name))  # gains of layer norms 1, biases 0
            continue
        deep = name.endswith(("out.weight", "down.weight"))
        sd = 0.02 / math.sqrt(2 * layers) if deep else 0.02
        if network.architecture.name != "published":
            sd = {"gain": 0.5 / math.sqrt(network.architecture.prompt_rank), "position": 0.1, "smooth": 0.1}.get(
                name, sd
            )
            if name.startswith(("prompt.", "encoder.")):
                sd = 1.0 / math.sqrt(weights.shape[1])
            elif name.startswith("blocks") and not deep:
                sd = 0.5 / math.sqrt(weights.shape[1])
        weights.copy_(torch.randn(weights.shape, generator=generator) * sd)
