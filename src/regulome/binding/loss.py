"""The loss of one step: a block of P proteins (rows) on B RNAs.

    L = 0.2 mean Huber(s, t) + 0.8 mean over rows (1 - r_row)  [+ c InfoNCE]

Pearson's r is taken per row, one protein on many RNAs, and averaged: over the flattened block it would reward the
differences between proteins, which z-scored targets do not have. Everything is computed in single precision, also under
mixed precision, where the epsilon would vanish.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-8  # inside each sum of squares: a constant row has r = 0
HUBER = 0.2
TEMPERATURE = 0.1
POSITIVES = 0.01  # share of a row's RNAs that the contrastive term takes for bound


def row_correlations(scores: Tensor, targets: Tensor) -> Tensor:
    """(P,) Pearson correlations of the rows of two (P, B) tensors, in at least single precision.

        r = sum xy / sqrt((sum x^2 + eps)(sum y^2 + eps)),  x and y centred

    Entries whose target is NaN are left out. A constant row has r = 0.
    """
    known = torch.isfinite(targets)
    kind = torch.promote_types(scores.dtype, torch.float32)
    count = known.sum(1, keepdim=True).clamp(min=1)
    x = torch.where(known, scores.to(kind), 0.0)
    y = torch.where(known, targets.to(kind), 0.0)
    x = torch.where(known, x - x.sum(1, keepdim=True) / count, 0.0)
    y = torch.where(known, y - y.sum(1, keepdim=True) / count, 0.0)
    return (x * y).sum(1) / torch.sqrt(((x * x).sum(1) + EPSILON) * ((y * y).sum(1) + EPSILON))


def block_loss(scores: Tensor, targets: Tensor, huber: float = HUBER, contrastive: float = 0.0) -> Tensor:
    """Loss of a block.

    Parameters
    ----------
    scores, targets
        (P, B); NaN targets are left out.
    huber
        Weight of Huber's loss (delta 1, mean over the block); r has 1 - huber.
    contrastive
        Weight of `info_nce`, added (0: without, the default).
    """
    with torch.autocast(scores.device.type, enabled=False):
        scores, targets = scores.float(), targets.float()
        known = torch.isfinite(targets)
        loss = huber * F.huber_loss(scores[known], targets[known]) + (1 - huber) * (
            1 - row_correlations(scores, targets).mean()
        )
        return loss + contrastive * info_nce(scores, targets) if contrastive else loss


def info_nce(scores: Tensor, targets: Tensor) -> Tensor:
    """Contrastive term: the strongest 1 % of a row's RNAs against all of the row.

        - mean over positives of ln softmax(s / 0.1)

    The publication names a contrastive variant in its ablation without defining it; this one is ours.
    """
    known = torch.isfinite(targets)
    logs = torch.log_softmax(torch.where(known, scores / TEMPERATURE, -torch.inf), 1)
    strongest = torch.where(known, targets, -torch.inf).topk(max(1, round(POSITIVES * targets.shape[1])), 1).indices
    chosen = known.gather(1, strongest)
    return -logs.gather(1, strongest)[chosen].mean()
