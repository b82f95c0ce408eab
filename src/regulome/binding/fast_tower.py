"""The RNA tower at prediction: RNAs of one length at a time, without padding, without work on zeros.

`two_tower.RnaTower` pads a batch to its longest RNA and lets every tap of a convolution read the padding beyond the
ends: with kernel 13 and dilation 4, a third of the products at 38 bases are with zeros. Here

* a batch holds RNAs of one length, so nothing is padded or masked;
* positions come first in memory, (L, B, D): tap o of a convolution is one matrix product of the contiguous positions
  that it reaches, added in place,  y[i] += x[i + o] W_o  for  0 <= i + o < L;
* without structure the first convolution reads five bases and a position, so it is a table of 5-mers plus a table of
  positions.

The result equals that of the plain network to rounding, for any batch and number of threads.
"""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from regulome.binding.tokens import PAD, lengths
from regulome.binding.two_tower import RnaTower, TwoTower

BATCH = {"cpu": 64, "cuda": 4096}  # larger ones leave a core's cache


def encode(
    network: TwoTower,
    tokens: np.ndarray,
    structure: np.ndarray | None = None,
    device: str = "cpu",
    threads: int = 1,
    progress: bool = False,
    batch: int | None = None,
) -> np.ndarray:
    """(N, D) float32 vectors of RNAs, in the given order.

    Parameters
    ----------
    network
        In evaluation mode, on the CPU; it is left as it is.
    tokens, structure
        (N, L) uint8 and (N, >= L, 5) or None, right-padded.
    device
        "cpu" or "cuda" (the plain network, by length).
    threads
        Batches that run side by side on a CPU; torch uses one thread for each.
    batch
        RNAs of one batch (default 64 on a CPU, 4096 on a GPU).
    """
    found = np.empty((len(tokens), network.settings.width), dtype=np.float32)
    tower = _on_gpu(network) if device == "cuda" else FastTower(network)

    def run(rows: np.ndarray, length: int) -> int:
        profiles = None if structure is None else torch.from_numpy(structure[rows, :length])
        found[rows] = tower(torch.from_numpy(tokens[rows, :length]), profiles).numpy()
        return len(rows)

    work = list(batches(lengths(tokens), batch or BATCH[device]))
    with tqdm(total=len(tokens), unit=" RNAs", disable=None if progress else True) as bar:
        if device == "cuda" or threads == 1:
            for rows, length in work:
                bar.update(run(rows, length))
            return found
        with _one_thread_a_product(), ThreadPoolExecutor(threads) as pool:
            for done in pool.map(lambda job: run(*job), work):
                bar.update(done)
    return found


def batches(sizes: np.ndarray, batch: int) -> Iterator[tuple[np.ndarray, int]]:
    """Rows of RNAs of one length, at most ``batch`` at a time, with that length."""
    for length in np.unique(sizes):
        rows = np.flatnonzero(sizes == length)
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch], int(length)


class FastTower:
    """The RNA tower of a network for RNAs of one length, on a CPU, without dropout or gradients."""

    def __init__(self, network: TwoTower):
        tower = self.tower = network.rna_tower
        self.settings, self.width = network.settings, network.settings.width
        with torch.no_grad():
            self.taps = [_taps(block.conv) for block in tower.blocks]
            self.extra = _taps(tower.extra) if self.settings.extra_branch else None
            self.first = None if self.settings.structure else FirstConvolution(tower, self.taps[0])

    @torch.no_grad()
    def __call__(self, tokens: Tensor, structure: Tensor | None = None) -> Tensor:
        """(B, D) vectors of (B, L) tokens without padding and (B, L, 5) profiles."""
        tower, codes = self.tower, tokens.T.long()
        x = tower.bases.weight[codes] + tower.positions.weight[: len(codes), None]
        if self.settings.structure:
            s = tower.structure_norm(F.gelu(tower.structure(structure.transpose(0, 1))))
            x = x + tower.structure_gain * s
        for i, block in enumerate(tower.blocks):
            y = self.first(codes) if i == 0 and self.first else _convolve(x, self.taps[i])
            x = x + block.norm(F.gelu(y))
        if self.extra:
            x = x + tower.extra_gain * F.gelu(_convolve(x, self.extra))
        for layer in tower.layers:
            x = _attend(layer, x)
        return self._pool(x)

    def _pool(self, x: Tensor) -> Tensor:
        pool, length = self.tower.pool, len(x)
        prior = pool.prior(length, torch.tensor([[length]])).T
        weights = torch.softmax(pool.score(x)[..., 0] + prior, 0)
        return pool.norm(torch.einsum("lb,lbd->bd", weights, x))


class FirstConvolution:
    """The first convolution on bases and positions as two tables.

    sum_o (E[base(i + o)] + pos(i + o)) W_o  =  A[5-mer around i] + B[i, length]
    """

    def __init__(self, tower: RnaTower, taps: list[tuple[int, Tensor]]):
        self.taps, self.positions, self.known = taps, tower.positions.weight, {}
        letters = tower.bases.weight.clone()  # beyond the ends: the zero row of the padding
        number, count = len(letters), len(taps)
        table = torch.zeros(number**count, letters.shape[1])
        for place, (_, weights) in enumerate(taps):
            digit = torch.arange(number**count) // number ** (count - 1 - place) % number
            table += (letters @ weights)[digit]
        self.table, self.reach = table, max(offset for offset, _ in taps)

    def __call__(self, codes: Tensor) -> Tensor:
        """(L, B) tokens to (L, B, D)."""
        length = len(codes)
        if length not in self.known:
            self.known[length] = _convolve(self.positions[:length, None], self.taps)
        wide = F.pad(codes, (0, 0, self.reach, self.reach), value=PAD)
        word = torch.zeros_like(codes)
        for offset, _ in self.taps:
            word = word * (PAD + 1) + wide[self.reach + offset : self.reach + offset + length]
        return self.table[word] + self.known[length]


def _taps(conv: nn.Conv1d) -> list[tuple[int, Tensor]]:
    """Offset and (D, D) weights of every tap."""
    size, dilation = conv.kernel_size[0], conv.dilation[0]
    return [((j - size // 2) * dilation, conv.weight[:, :, j].T.contiguous()) for j in range(size)]


def _convolve(x: Tensor, taps: list[tuple[int, Tensor]]) -> Tensor:
    """Convolution of (L, B, D) with zeros beyond the ends, by the products that are not with zeros."""
    length, _, width = x.shape
    x = x.contiguous()
    y = torch.zeros_like(x)
    for offset, weights in taps:
        first, last = max(0, -offset), length - max(0, offset)
        if first < last:
            part = x[first + offset : last + offset].view(-1, width)
            y[first:last].view(-1, width).addmm_(part, weights)
    return y


def _attend(layer: nn.TransformerEncoderLayer, x: Tensor) -> Tensor:
    """A post-norm transformer layer on (L, B, D) without padding."""
    attention = layer.self_attn
    length, number, width = x.shape
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = qkv.view(length, number, 3, attention.num_heads, -1).permute(2, 1, 3, 0, 4)
    mixed = F.scaled_dot_product_attention(q, k, v).permute(2, 0, 1, 3).reshape(length, number, width)
    x = layer.norm1(x + attention.out_proj(mixed))
    return layer.norm2(x + layer.linear2(F.relu_(layer.linear1(x))))


def _on_gpu(network: TwoTower):
    tower = copy.deepcopy(network.rna_tower).cuda().eval()

    @torch.no_grad()
    def run(tokens: Tensor, structure: Tensor | None) -> Tensor:
        return tower(tokens.cuda(), None if structure is None else structure.cuda()).cpu()

    return run


@contextmanager
def _one_thread_a_product() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
