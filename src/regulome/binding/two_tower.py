"""The two-tower network: one vector for a protein, one for an RNA, and a gated product of the two.

RNA tower, D = 256, mask m (1 base, 0 padding):

    x = (E[base] + pos) m,                    tables 5 x D and 64 x D
    x = (x + gamma LN(GELU(W p + b))) m       only with structure; p: the probabilities of P, H, I, M, E at each base
    x = (x + LN(GELU(Conv x))) m              three blocks: kernel/dilation 5/1, 9/2, 13/4
    x = x + g GELU(Conv9 x) m                 only with the extra branch of the successor
    x = two post-norm transformer layers (ReLU, 4 heads, hidden 4 D)
    a_i = softmax(w x_i + b - alpha (i - c)^2 / (2 sigma^2)),  c = (length - 1)/2,  e_r = LN(sum a_i x_i)

Protein tower on z-scored vectors: e_p = LN(W2 LN(GELU(W1 v))).

Head, rank R = 512, without temperature, so that |S| <= 1.5 + |b|:

    u = U e_p / |U e_p|,  v = V e_r / |V e_r|,  g = tanh(G e_p + b_G),  S = sum_k u_k (1 + 0.5 g_k) v_k + b

Dropout follows every norm but the poolings'. Padding is masked after each block: an RNA's vector does not depend on
what else is in its batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regulome.binding.tokens import PAD
from regulome.errors import UserError

CONVOLUTIONS = ((5, 1), (9, 2), (13, 4))  # kernel, dilation
EXTRA_KERNEL = 9
CHANNELS = 5  # of a structure profile
GATE = 0.5


@dataclass(frozen=True)
class Settings:
    """Sizes and options.

    Attributes
    ----------
    vector_width
        Numbers of a protein vector, d.
    width, rank
        D of both towers, R of the head.
    layers, heads
        Of the transformer; its hidden width is 4 D.
    protein_hidden
        Hidden width of the protein tower.
    dropout
        Of both towers.
    structure
        Whether the RNA tower reads structure profiles.
    extra_branch
        Whether it has the successor's extra convolution.
    positions
        Rows of the position table: the longest RNA.
    """

    vector_width: int
    width: int = 256
    rank: int = 512
    layers: int = 2
    heads: int = 4
    protein_hidden: int = 512
    dropout: float = 0.3
    structure: bool = False
    extra_branch: bool = False
    positions: int = 64

    def __post_init__(self) -> None:
        for name in ("vector_width", "width", "rank", "layers", "heads", "protein_hidden", "positions"):
            if getattr(self, name) < 1:
                raise UserError(f"two-tower network: {name} is {getattr(self, name)}; expected at least 1")
        if self.width % self.heads:
            raise UserError(f"two-tower network: width {self.width} is no multiple of the {self.heads} heads")
        if not 0 <= self.dropout < 1:
            raise UserError(f"two-tower network: dropout is {self.dropout}; expected at least 0 and below 1")

    @classmethod
    def published(cls, vector_width: int = 5120, **changes) -> "Settings":
        """The published sizes (5120: vectors of the 15-billion-parameter ESM-2)."""
        return cls(vector_width, **changes)

    @classmethod
    def mini(cls, vector_width: int, **changes) -> "Settings":
        """A network that trains in a minute on a CPU."""
        small = {"width": 48, "rank": 96, "layers": 1, "protein_hidden": 96, "dropout": 0.1}
        return cls(vector_width, **(small | changes))


class ConvBlock(nn.Module):
    """x -> (x + dropout(LN(GELU(Conv x)))) m, same padding, no bias."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, padding="same", dilation=dilation, bias=False)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, L, D) and (B, L, 1) to (B, L, D)."""
        y = F.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        return (x + self.dropout(self.norm(y))) * mask


class CentrePool(nn.Module):
    """Attention over positions with a learnable Gaussian prior on the RNA's centre, then a norm."""

    def __init__(self, width: int):
        super().__init__()
        self.score = nn.Linear(width, 1)
        self.alpha = nn.Parameter(torch.tensor(0.2))
        self.log_sigma = nn.Parameter(torch.tensor(6.0).log())
        self.norm = nn.LayerNorm(width)

    def prior(self, length: int, count: Tensor) -> Tensor:
        """(B, L) what the prior adds, for RNAs of ``count`` (B, 1) bases padded to ``length``."""
        places = torch.arange(length, device=count.device, dtype=self.alpha.dtype)
        distance = places - (count - 1) / 2
        return -self.alpha * distance**2 / (2 * torch.exp(2 * self.log_sigma))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, L, D) and (B, L, 1) to (B, D)."""
        real = mask[..., 0] > 0
        scores = self.score(x)[..., 0]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))  # no half precision in the softmax
        scores = scores + self.prior(x.shape[1], real.sum(1, keepdim=True))
        weights = torch.softmax(scores.masked_fill(~real, -torch.inf), 1)
        return self.norm((weights[..., None] * torch.where(real[..., None], x, 0.0)).sum(1))


class RnaTower(nn.Module):
    """Tokens (and structure profiles) to one vector an RNA."""

    def __init__(self, settings: Settings):
        super().__init__()
        s = self.settings = settings
        self.bases = nn.Embedding(PAD + 1, s.width, padding_idx=PAD)
        self.positions = nn.Embedding(s.positions, s.width)
        self.dropout = nn.Dropout(s.dropout)
        if s.structure:
            self.structure = nn.Linear(CHANNELS, s.width)
            self.structure_norm = nn.LayerNorm(s.width)
            self.structure_gain = nn.Parameter(torch.tensor(1.0))
        self.blocks = nn.ModuleList(ConvBlock(s.width, k, dilation, s.dropout) for k, dilation in CONVOLUTIONS)
        if s.extra_branch:
            self.extra = nn.Conv1d(s.width, s.width, EXTRA_KERNEL, padding="same", bias=False)
            self.extra_gain = nn.Parameter(torch.tensor(0.5))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(s.width, s.heads, 4 * s.width, s.dropout, batch_first=True)
            for _ in range(s.layers)
        )
        self.pool = CentrePool(s.width)

    def forward(self, tokens: Tensor, structure: Tensor | None = None) -> Tensor:
        """(B, L) tokens, right-padded, and (B, L, 5) profiles to (B, D)."""
        self._check(tokens, structure)
        real = tokens != PAD
        mask = real[..., None].to(self.bases.weight.dtype)
        x = (self.bases(tokens.long()) + self.positions.weight[: tokens.shape[1]]) * mask
        if self.settings.structure:
            s = self.structure_norm(F.gelu(self.structure(structure)))
            x = (x + self.structure_gain * self.dropout(s)) * mask
        for block in self.blocks:
            x = block(x, mask)
        if self.settings.extra_branch:
            x = x + self.extra_gain * F.gelu(self.extra(x.transpose(1, 2))).transpose(1, 2) * mask
        padded = None if real.all() else ~real
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padded)
        return self.pool(x, mask)

    def _check(self, tokens: Tensor, structure: Tensor | None) -> None:
        if tokens.shape[1] > self.settings.positions:
            raise UserError(
                f"RNA tower: an RNA of {tokens.shape[1]} bases; expected at most {self.settings.positions}, the rows "
                "of the position table"
            )
        if self.settings.structure and structure is None:
            raise UserError("RNA tower: no structure profiles; this network was built to read them")


class ProteinTower(nn.Module):
    """Z-scored protein vectors to one vector a protein."""

    def __init__(self, settings: Settings):
        super().__init__()
        s = settings
        self.hidden = nn.Linear(s.vector_width, s.protein_hidden)
        self.hidden_norm = nn.LayerNorm(s.protein_hidden)
        self.dropout = nn.Dropout(s.dropout)
        self.out = nn.Linear(s.protein_hidden, s.width)
        self.out_norm = nn.LayerNorm(s.width)
        for layer in (self.hidden, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """(P, d) to (P, D)."""
        x = self.dropout(self.hidden_norm(F.gelu(self.hidden(vectors))))
        return self.out_norm(self.out(x))


class Head(nn.Module):
    """Gated low-rank cosine product; the gate acts after normalisation."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.protein = nn.Linear(settings.width, settings.rank, bias=False)
        self.rna = nn.Linear(settings.width, settings.rank, bias=False)
        self.gate = nn.Linear(settings.width, settings.rank)
        self.bias = nn.Parameter(torch.zeros(()))

    def of_proteins(self, proteins: Tensor) -> Tensor:
        """(P, R) gated factors u (1 + 0.5 g) of (P, D) proteins."""
        u = F.normalize(self.protein(proteins), dim=-1)
        return u * (1 + GATE * torch.tanh(self.gate(proteins)))

    def of_rnas(self, rnas: Tensor) -> Tensor:
        """(B, R) factors v of (B, D) RNAs, of norm 1."""
        return F.normalize(self.rna(rnas), dim=-1)

    def forward(self, proteins: Tensor, rnas: Tensor) -> Tensor:
        """(P, D) and (B, D) to (P, B)."""
        return self.of_proteins(proteins) @ self.of_rnas(rnas).T + self.bias


class TwoTower(nn.Module):
    """The network.

    Parameters
    ----------
    settings
        Sizes and options.
    seed
        Of the initial weights (torch's own generator is left as it was).
    """

    def __init__(self, settings: Settings, seed: int = 0):
        super().__init__()
        self.settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.rna_tower = RnaTower(settings)
            self.protein_tower = ProteinTower(settings)
            self.head = Head(settings)

    def rna(self, tokens: Tensor, structure: Tensor | None = None) -> Tensor:
        """(B, D) vectors of RNAs.

        Parameters
        ----------
        tokens
            (B, L) from `tokens.encode`, right-padded.
        structure
            (B, L, 5) profiles, for a network with structure (ignored by others).

        Raises
        ------
        UserError
            If an RNA is longer than the position table, or profiles are missing.
        """
        return self.rna_tower(tokens, structure)

    def protein(self, vectors: Tensor) -> Tensor:
        """(P, D) vectors of proteins from z-scored (P, d) ones."""
        return self.protein_tower(vectors)

    def scores(self, proteins: Tensor, rnas: Tensor) -> Tensor:
        """(P, B) scores of (P, D) proteins on (B, D) RNAs."""
        return self.head(proteins, rnas)

    def forward(self, vectors: Tensor, tokens: Tensor, structure: Tensor | None = None) -> Tensor:
        """(P, B) scores; each RNA and each protein is encoded once."""
        return self.scores(self.protein(vectors), self.rna(tokens, structure))

    def sizes(self) -> dict[str, int]:
        """Number of parameters of each part."""
        parts = {"RNA tower": self.rna_tower, "protein tower": self.protein_tower, "head": self.head}
        return {name: sum(weights.numel() for weights in part.parameters()) for name, part in parts.items()}
