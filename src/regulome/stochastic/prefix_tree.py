"""All conditional probabilities of the transformer in one pass, over the tree of count prefixes.

Count vectors of one parameter set share the prompt, and they share their beginnings: over 2 promoter states, 100 mRNA
counts and 580 protein counts there are 116,000 vectors but only 1 + 2 + 200 different prefixes. A token looks at the
prompt and at its own ancestors in the tree, so the prompt is worked through once and every prefix once. The result is
the same as that of one sequence a vector (`CountTransformer.forward`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome.stochastic.transformer import CountTransformer


@dataclass(frozen=True)
class PrefixTree:
    """Prefixes of count vectors, level by level; the empty prefix is the root.

    Level i holds prefixes of i + 1 counts. With a batch of B trees, one a parameter set, levels are padded to the same
    length; with B = 1 the tree serves every parameter set.

    Attributes
    ----------
    counts
        For each of N - 1 levels (B, n_i): the last count of each prefix.
    parents
        For each level (B, n_i): its place in the level before (0 at the first level).
    """

    counts: tuple[Tensor, ...]
    parents: tuple[Tensor, ...]

    @classmethod
    def full(cls, bounds: Sequence[int]) -> "PrefixTree":
        """Every prefix below the bounds (all but the last state branch)."""
        counts, parents, size = [], [], 1
        for bound in bounds[:-1]:
            counts.append(torch.arange(bound).repeat(size)[None])
            parents.append(torch.arange(size).repeat_interleave(bound)[None])
            size *= bound
        return cls(tuple(counts), tuple(parents))

    @classmethod
    def of(cls, vectors: np.ndarray) -> tuple["PrefixTree", tuple[Tensor, ...]]:
        """Prefixes that occur in count vectors (S, N), and for every vector and state the place of its prefix.

        Returns
        -------
        PrefixTree, tuple of (S,) Tensor
            For state i the place, in level i - 1, of the prefix before it (0, the root, for the first state).
        """
        counts, parents = [], []
        place = np.zeros(len(vectors), np.int64)
        places = [place]
        for column in vectors.T[:-1]:
            base = int(column.max(initial=0)) + 1
            keys, place = np.unique(place * base + column, return_inverse=True)
            counts.append(torch.from_numpy(keys % base)[None])
            parents.append(torch.from_numpy(keys // base)[None])
            places.append(place)
        return cls(tuple(counts), tuple(parents)), tuple(torch.from_numpy(p) for p in places)

    def to(self, device: str | torch.device) -> "PrefixTree":
        """The same tree on another device."""
        return PrefixTree(tuple(c.to(device) for c in self.counts), tuple(p.to(device) for p in self.parents))


def hidden_states(network: CountTransformer, prompt: Tensor, tree: PrefixTree) -> list[Tensor]:
    """Hidden states from which the next count is predicted, for the root and for every prefix.

    Parameters
    ----------
    prompt
        (B, C) prompt vectors.
    tree
        Tree of batch B or 1.

    Returns
    -------
    list of Tensor
        (B, 1, d) for the root, then (B, n_i, d) for every level.
    """
    keys, values, last = _prompt_pass(network, prompt)
    found = [last[:, None]]
    ancestors: list = [None] * len(network.blocks)
    for state, (counts, parents) in enumerate(zip(tree.counts, tree.parents, strict=True)):
        tokens = network.count_tokens(state)
        x = tokens[counts]
        for layer, block in enumerate(network.blocks):
            if layer == 0:  # before the first attention a token depends on its count alone
                q, k, v = (part[counts] for part in block.project(tokens))
            else:
                q, k, v = block.project(x)
            ancestors[layer] = _extend(ancestors[layer], parents, k, v)
            x = block.finish(x, _attend(q, keys[layer], values[layer], *ancestors[layer]))
        found.append(x)
    return found


def _prompt_pass(network: CountTransformer, prompt: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Keys and values (B, heads, V, d/heads) of the prompt in every layer, and its last token after the last layer.

    After the last layer only the last prompt token is read, so only this one is computed.
    """
    x = network.prompt_tokens(prompt)
    keys, values = [], []
    for block in network.blocks:
        q, k, v = (part.transpose(-2, -3) for part in block.project(x))
        keys.append(k)
        values.append(v)
        if block is network.blocks[-1]:
            attended = torch.nn.functional.scaled_dot_product_attention(q[..., -1:, :], k, v)
            x = block.finish(x[:, -1:], attended.transpose(-2, -3))
        else:
            attended = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = block.finish(x, attended.transpose(-2, -3))
    return keys, values, x[:, -1]


def _extend(path, parents: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values (B, n, depth, heads, d/heads) of every prefix's own path, itself last."""
    if path is None:
        return k[:, :, None], v[:, :, None]
    return _append(path[0], parents, k), _append(path[1], parents, v)


def _append(path: Tensor, parents: Tensor, own: Tensor) -> Tensor:
    """The parents' paths (B or 1, m, depth, ...) looked up for every prefix, and its own part (B or 1, n, ...)."""
    batch = max(len(path), len(parents), len(own))
    rows = torch.arange(len(path), device=parents.device)[:, None] if len(path) > 1 else 0
    before = path[rows, parents]
    parts = (before, own[:, :, None])
    return torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], 2)


def _attend(q: Tensor, keys: Tensor, values: Tensor, own_keys: Tensor, own_values: Tensor) -> Tensor:
    """Attention of prefix tokens (B, n, heads, d/heads) to the prompt and to their own path."""
    scale = q.shape[-1] ** -0.5
    to_prompt = torch.einsum("bnhe,bhve->bhnv", q.expand(len(keys), *q.shape[1:]), keys)
    to_path = torch.einsum("bnhe,bnphe->bhnp", q, own_keys)
    to_path = to_path.expand(len(keys), *to_path.shape[1:])
    weights = torch.softmax(scale * torch.cat([to_prompt, to_path], -1), -1)
    v = keys.shape[2]
    return torch.einsum("bhnv,bhve->bnhe", weights[..., :v], values) + torch.einsum(
        "bhnp,bnphe->bnhe", weights[..., v:], own_values.expand(len(keys), *own_values.shape[1:])
    )
