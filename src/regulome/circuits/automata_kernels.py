"""Compiled training of cellular automata: one model a call, matrix products by BLAS, backpropagation by hand.

The perceptron of an automaton (20 regulators, 64 + 64 hidden units) is large enough for matrix products on all cells of
a batch, which numba hands to BLAS; what lies between two products is fused into one pass. Arithmetic and symbols are
those of `regulome.circuits.automata_training`; a test compares the gradients with autograd in float64.

Arrays: rows are the cells of all windows of a batch (windows x cells); weights w1 (2 G, H), b1 (H), w2 (H, H), b2 (H),
w3 (H, G), b3 (G) lie one after the other in one flat array. A site of the ring reads ``left`` and ``right`` and counts
``weight`` times in the loss (`automata.Ring`).
"""

import numpy as np
from numba import njit

from regulome.lanes import LANES, sigmoid

_JIT = {"fastmath": {"contract", "nsz"}, "error_model": "numpy", "nogil": True, "cache": True}


@njit(**_JIT)
def _layers(flat, genes, hidden):
    """Views of the flat parameters: w1, b1, w2, b2, w3, b3."""
    n = 2 * genes
    a = n * hidden
    b = a + hidden
    c = b + hidden * hidden
    d = c + hidden
    e = d + hidden * genes
    return (
        flat[:a].reshape(n, hidden),
        flat[a:b],
        flat[b:c].reshape(hidden, hidden),
        flat[c:d],
        flat[d:e].reshape(hidden, genes),
        flat[e : e + genes],
    )


@njit(**_JIT)
def _transposed(w):
    """Contiguous copy of the transpose: BLAS is faster on it than on a transposed view."""
    out = np.empty((w.shape[1], w.shape[0]), w.dtype)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            out[j, i] = w[i, j]
    return out


@njit(**_JIT)
def _regulators(x, g, left, right):
    """x (rows, 2 G) = neighbour means, then own genes."""
    cells, genes = len(left), g.shape[1]
    for row in range(len(g)):
        first = row - row % cells
        a, b = first + left[row % cells], first + right[row % cells]
        for j in range(genes):
            x[row, j] = (g[a, j] + g[b, j]) / 2
            x[row, genes + j] = g[row, j]


@njit(**_JIT)
def _rectify(h, bias):
    """h = max(h + bias, 0)."""
    for row in range(len(h)):
        for j in range(h.shape[1]):
            h[row, j] = max(h[row, j] + bias[j], h.dtype.type(0))


@njit(**_JIT)
def _gate(d, h, total):
    """d = d where h > 0, else 0; column sums are added to total (the gradient of the bias)."""
    for row in range(len(d)):
        for j in range(d.shape[1]):
            value = d[row, j] if h[row, j] > 0 else d.dtype.type(0)
            d[row, j] = value
            total[j] += value


@njit(**_JIT)
def _forward(layers, start, n_steps, dt, left, right, x, h1, h2, f, levels):
    """Free run from ``start`` (rows, G); fills x, h1, h2 (T, ...), f (flat) and levels (T + 1, rows, G)."""
    w1, b1, w2, b2, w3, b3 = layers
    rows, genes = start.shape
    for row in range(rows):
        for j in range(genes):
            levels[0, row, j] = start[row, j]
    for t in range(n_steps):
        _regulators(x[t], levels[t], left, right)
        np.dot(x[t], w1, h1[t])
        _rectify(h1[t], b1)
        np.dot(h1[t], w2, h2[t])
        _rectify(h2[t], b2)
        rate = f[t * rows * genes : (t + 1) * rows * genes].reshape(rows, genes)
        np.dot(h2[t], w3, rate)
        for row in range(rows):
            for j in range(genes):
                rate[row, j] += b3[j]
        for i in range(0, rows * genes, LANES):  # may run into the next step, which is overwritten later
            sigmoid(f, t * rows * genes + i)
        for row in range(rows):
            for j in range(genes):
                levels[t + 1, row, j] = levels[t, row, j] + dt * (rate[row, j] - levels[t, row, j])


@njit(**_JIT)
def _accumulate(total, a, d, product):
    """total += a.T @ d."""
    np.dot(a.T, d, product)
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += product[i, j]


@njit(**_JIT)
def loss_and_gradient(parameters, gradient, frames, frame_steps, dt, hidden, left, right, weight, x, h1, h2, f, levels):
    """Loss of one batch, and its gradient with respect to the flat parameters.

    ``frames`` (K + 1, rows, G): start, then the K frames to be met, ``frame_steps`` Euler steps apart.
    """
    n_frames, rows, genes = frames.shape
    cells, real = len(left), frames.dtype.type
    n_steps = (n_frames - 1) * frame_steps
    layers = _layers(parameters, genes, hidden)
    _forward(layers, frames[0], n_steps, dt, left, right, x, h1, h2, f, levels)

    squares = 0.0
    for k in range(1, n_frames):
        for row in range(rows):
            for j in range(genes):
                squares += weight[row % cells] * (levels[k * frame_steps, row, j] - frames[k, row, j]) ** 2
    loss = np.sqrt(squares / (rows // cells * weight.sum() * genes) + 1e-12)
    scale = 1 / (rows // cells * weight.sum() * genes * loss)

    gradient[:] = 0
    gw1, gb1, gw2, gb2, gw3, gb3 = _layers(gradient, genes, hidden)
    w1t, w2t, w3t = _transposed(layers[0]), _transposed(layers[2]), _transposed(layers[4])
    p1, p2, p3 = np.empty_like(gw1), np.empty_like(gw2), np.empty_like(gw3)
    d, d3 = np.zeros((rows, genes), frames.dtype), np.empty((rows, genes), frames.dtype)
    d1, d2 = np.empty((rows, hidden), frames.dtype), np.empty((rows, hidden), frames.dtype)
    dx = np.empty((rows, 2 * genes), frames.dtype)
    for t in range(n_steps - 1, -1, -1):
        if (t + 1) % frame_steps == 0:
            k = (t + 1) // frame_steps
            for row in range(rows):
                factor = real(scale * weight[row % cells])
                for j in range(genes):
                    d[row, j] += factor * (levels[t + 1, row, j] - frames[k, row, j])
        rate = f[t * rows * genes : (t + 1) * rows * genes].reshape(rows, genes)
        for row in range(rows):
            for j in range(genes):
                d3[row, j] = dt * d[row, j] * rate[row, j] * (1 - rate[row, j])
                gb3[j] += d3[row, j]
        _accumulate(gw3, h2[t], d3, p3)
        np.dot(d3, w3t, d2)
        _gate(d2, h2[t], gb2)
        _accumulate(gw2, h1[t], d2, p2)
        np.dot(d2, w2t, d1)
        _gate(d1, h1[t], gb1)
        _accumulate(gw1, x[t], d1, p1)
        if t == 0:
            break
        np.dot(d1, w1t, dx)
        for row in range(rows):
            for j in range(genes):
                d[row, j] = (1 - dt) * d[row, j] + dx[row, genes + j]
        for row in range(rows):
            first = row - row % cells
            a, b = first + left[row % cells], first + right[row % cells]
            for j in range(genes):
                d[a, j] += dx[row, j] / 2
                d[b, j] += dx[row, j] / 2
    return loss


@njit(**_JIT)
def train_model(
    parameters, means, squares, done, windows, batches, rates, decay, frame_steps, dt, hidden, left, right, weight
):
    """Adam updates of one model, in place; returns the loss before each.

    Parameters
    ----------
    parameters, means, squares
        (P,) flat parameters and Adam's moments.
    done
        Updates made before.
    windows
        (W, K + 1, cells, G).
    batches
        (updates, B) windows of each update.
    rates
        (updates,) learning rates.
    decay
        Weight decay: every update also multiplies all parameters by 1 - rate * decay.
    """
    updates, batch = batches.shape
    _, n_frames, cells, genes = windows.shape
    rows, n_steps, kind = batch * cells, (n_frames - 1) * frame_steps, windows.dtype
    real = kind.type
    frames = np.empty((n_frames, rows, genes), kind)
    x = np.empty((n_steps, rows, 2 * genes), kind)
    h1, h2 = np.empty((n_steps, rows, hidden), kind), np.empty((n_steps, rows, hidden), kind)
    f, levels = np.zeros(n_steps * rows * genes + LANES, kind), np.empty((n_steps + 1, rows, genes), kind)
    gradient, losses = np.empty_like(parameters), np.empty(updates, kind)
    for n in range(updates):
        for b in range(batch):
            for k in range(n_frames):
                for cell in range(cells):
                    for j in range(genes):
                        frames[k, b * cells + cell, j] = windows[batches[n, b], k, cell, j]
        losses[n] = loss_and_gradient(
            parameters, gradient, frames, frame_steps, dt, hidden, left, right, weight, x, h1, h2, f, levels
        )
        step = done + n + 1
        kept = real(1 - rates[n] * decay)
        rate = real(rates[n] * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
        for i in range(len(parameters)):
            means[i] += real(0.1) * (gradient[i] - means[i])
            squares[i] += real(0.001) * (gradient[i] ** 2 - squares[i])
            parameters[i] = kept * parameters[i] - rate * means[i] / (np.sqrt(squares[i]) + real(1e-8))
    return losses
