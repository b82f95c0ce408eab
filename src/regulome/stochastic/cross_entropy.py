"""Cross-entropy of predicted against given laws, without keeping the logarithms of 580 probabilities a prefix."""

import torch
from torch import Tensor

from regulome.stochastic.prefix_tree import hidden_states
from regulome.stochastic.solver_targets import Batch
from regulome.stochastic.transformer import CountTransformer


def batch_cross_entropy(network: CountTransformer, prompt: Tensor, batch: Batch) -> Tensor:
    """Mean over B parameter sets of -sum_s p(s) ln q(s), the joint cross-entropy in nats, as a scalar.

    By the chain rule it is the sum over prefixes of their probability times the cross-entropy of the next count.

    Parameters
    ----------
    prompt
        (B, C) prompt vectors.
    batch
        Prefixes, weights and conditional laws of the same parameter sets.
    """
    loss = prompt.new_zeros(())
    for state, hidden in enumerate(hidden_states(network, prompt, batch.tree)):
        law, weight = batch.laws[state].flatten(0, 1), batch.weights[state].flatten()
        features = network.norm(hidden).flatten(0, 1)
        embedding = network.embedding(state)[: network.bounds[state]]
        loss = loss + CrossEntropy.apply(features, embedding, law, weight)
    return loss / len(prompt)


class CrossEntropy(torch.autograd.Function):
    """sum_j w_j (ln sum_n exp(x_j E_n) - sum_n p_jn x_j E_n), for features x (J, d), embedding E (U, d), laws p (J, U).

    The derivative by the logits, w (softmax - p), is made in their place in the forward pass, so that one matrix is
    written instead of four.
    """

    @staticmethod
    def forward(ctx, features: Tensor, embedding: Tensor, law: Tensor, weight: Tensor) -> Tensor:
        logits = features @ embedding.T
        top = logits.amax(-1, keepdim=True)
        expected = torch.linalg.vecdot(law, logits)
        logits.sub_(top).exp_()
        total = logits.sum(-1, keepdim=True)
        loss = (weight * (total.log()[:, 0] + top[:, 0] - expected)).sum()
        ctx.save_for_backward(features, embedding, logits.div_(total).sub_(law).mul_(weight[:, None]))
        return loss

    @staticmethod
    def backward(ctx, gradient: Tensor):
        features, embedding, slope = ctx.saved_tensors
        return gradient * (slope @ embedding), gradient * (slope.T @ features), None, None
