"""Compiled training: sixteen replicates in the lanes of one vector instruction.

The perceptrons are so small that a tensor library spends its time between operations. Here a block of ``LANES``
replicates is one array with the replicates innermost, and forward pass and backpropagation through time are loops over
the vector operations of `regulome.lanes`. The arithmetic is that of `regulome.circuits.training`; a test compares the
gradients with autograd in float64.

Arrays are flat inside the kernels; with T steps, C cases, G genes, N regulators (inputs first), M perceptrons of H
hidden units and O outputs, their order is: w1 (M, N, H), b1 (M, H), w2 (M, H, H), b2 (M, H), w3 (M, H, O), b3 (M, O),
links (N, M), inputs (T, C, N - G), states x (T + 1, C, G), hidden h1 and h2 (T, C, M, H), rates f (T, C, G), each
followed by the lanes.
"""

import numpy as np
from numba import njit

from regulome.lanes import LANES, copy, gate, matmul, multiply, relu, sigmoid

_JIT = {"fastmath": True, "error_model": "numpy", "nogil": True, "cache": True}


@njit(**_JIT)
def _seen(seen, links, inputs, x, sizes, t, m):
    """What perceptron m sees in every case of one step, (C, N): regulators times links."""
    _, cases, genes, n, modules, _, _ = sizes
    for c in range(cases):
        at, to = t * cases + c, c * n
        for i in range(n - genes):
            source = (at * (n - genes) + i) * LANES
            multiply(seen, (to + i) * LANES, inputs, source, links, (i * modules + m) * LANES)
        for g in range(genes):
            i = n - genes + g
            multiply(seen, (to + i) * LANES, x, (at * genes + g) * LANES, links, (i * modules + m) * LANES)


@njit(**_JIT)
def _layer(y, y0, yp, x, x0, xp, w, w0, b, b0, cases, n, outputs):
    """y (C, O) = b + x (C, n) @ w (n, O); rows of x and y are xp and yp apart."""
    for c in range(cases):
        for j in range(outputs):
            copy(y, y0 + c * yp + j * LANES, b, b0 + j * LANES)
    matmul(y, y0, yp, LANES, x, x0, xp, LANES, w, w0, outputs * LANES, LANES, cases, outputs, n)


@njit(**_JIT)
def forward(w1, b1, w2, b2, w3, b3, links, inputs, noise, dt, sizes, x, h1, h2, f):
    """Fill states x from x[0], hidden layers h1 and h2, and rates f."""
    steps, cases, genes, n, modules, hidden, outputs = sizes
    seen = np.zeros(cases * n * LANES, x.dtype)
    row = modules * hidden * LANES  # from one case to the next in h1 and h2
    for t in range(steps):
        now, after = t * cases * genes * LANES, (t + 1) * cases * genes * LANES
        for m in range(modules):
            first, second = (t * cases * modules + m) * hidden * LANES, m * hidden * LANES
            _seen(seen, links, inputs, x, sizes, t, m)
            _layer(h1, first, row, seen, 0, n * LANES, w1, n * second, b1, second, cases, n, hidden)
            for c in range(cases):
                for j in range(hidden):
                    relu(h1, first + c * row + j * LANES)
            _layer(h2, first, row, h1, first, row, w2, hidden * second, b2, second, cases, hidden, hidden)
            for c in range(cases):
                for j in range(hidden):
                    relu(h2, first + c * row + j * LANES)
            rate, out = now + m * LANES, m * outputs * LANES
            _layer(f, rate, genes * LANES, h2, first, row, w3, outputs * second, b3, out, cases, hidden, outputs)
        for at in range(cases * genes):
            sigmoid(f, now + at * LANES)
        for k in range(cases * genes * LANES):
            x[after + k] = dt[1] * x[now + k] + dt[0] * (f[now + k] + noise[now + k])


@njit(**_JIT)
def loss(x, targets, weights, stationary, scale, slope):
    """Loss of each lane and its slope with respect to every sample; x (T+1, C, G, L), the others (T, C, G[, L])."""
    steps, cases, genes = weights.shape
    loss = np.full(LANES, x.dtype.type(1e-12))  # the root has no slope at zero
    for t in range(steps):
        for c in range(cases):
            for g in range(genes):
                for k in range(LANES):
                    d = (x[t + 1, c, g, k] - targets[t, c, g, k]) * weights[t, c, g]
                    loss[k] += d * d * scale
                    slope[t, c, g, k] = d * scale
    for c in range(cases):
        if stationary[c]:
            for t in range(1, steps):
                for g in range(genes):
                    for k in range(LANES):
                        d = x[t + 1, c, g, k] - x[1, c, g, k]
                        loss[k] += d * d
                        slope[t, c, g, k] += d
                        slope[0, c, g, k] -= d
    loss = np.sqrt(loss)
    slope /= loss
    return loss


@njit(**_JIT)
def _layer_gradient(e, e0, ep, x, x0, xp, dw, dw0, db, db0, ones, cases, n, outputs):
    """Add x.T @ e to dw (n, O) and the sum of e (C, O) over cases to db (O,)."""
    matmul(dw, dw0, outputs * LANES, LANES, x, x0, LANES, xp, e, e0, ep, LANES, n, outputs, cases)
    matmul(db, db0, 0, LANES, ones, 0, 0, 0, e, e0, ep, LANES, 1, outputs, cases)


@njit(**_JIT)
def backward(w1, w2, w3, links, inputs, dt, sizes, x, h1, h2, f, slope, d1, db1, d2, db2, d3, db3, dx0):
    """Backpropagation through time: add to the gradients of the layers, fill dx0 for the initial state."""
    steps, cases, genes, n, modules, hidden, outputs = sizes
    ones = np.ones(LANES, x.dtype)
    seen, back = np.zeros(cases * n * LANES, x.dtype), np.zeros(cases * n * LANES, x.dtype)
    e1, e2 = np.zeros(cases * hidden * LANES, x.dtype), np.zeros(cases * hidden * LANES, x.dtype)
    e3 = np.zeros(cases * genes * LANES, x.dtype)
    row, gene_row, wide = modules * hidden * LANES, genes * LANES, hidden * LANES
    dx0[:] = 0  # the adjoint of each case, carried from the last step to the first
    for reverse in range(steps):
        t = steps - 1 - reverse
        now = t * cases * genes * LANES
        for k in range(cases * genes * LANES):
            total = dx0[k] + slope[now + k]
            e3[k] = total * dt[0] * f[now + k] * (dt[2] - f[now + k])
            dx0[k] = total * dt[1]
        for m in range(modules):
            first, second = (t * cases * modules + m) * hidden * LANES, m * hidden * LANES
            third, out = outputs * second, m * outputs * LANES
            _layer_gradient(e3, m * LANES, gene_row, h2, first, row, d3, third, db3, out, ones, cases, hidden, outputs)
            e2[:] = 0
            matmul(
                e2, 0, wide, LANES, e3, m * LANES, gene_row, LANES, w3, third, LANES, outputs * LANES,
                cases, hidden, outputs,
            )  # fmt: skip
            for c in range(cases):
                for j in range(hidden):
                    gate(e2, c * wide + j * LANES, h2, first + c * row + j * LANES)
            _layer_gradient(e2, 0, wide, h1, first, row, d2, hidden * second, db2, second, ones, cases, hidden, hidden)
            e1[:] = 0
            matmul(e1, 0, wide, LANES, e2, 0, wide, LANES, w2, hidden * second, LANES, wide, cases, hidden, hidden)
            for c in range(cases):
                for j in range(hidden):
                    gate(e1, c * wide + j * LANES, h1, first + c * row + j * LANES)
            _seen(seen, links, inputs, x, sizes, t, m)
            _layer_gradient(e1, 0, wide, seen, 0, n * LANES, d1, n * second, db1, second, ones, cases, n, hidden)
            back[:] = 0
            matmul(back, 0, n * LANES, LANES, e1, 0, wide, LANES, w1, n * second, LANES, wide, cases, n, hidden)
            for c in range(cases):
                for g in range(genes):
                    i = n - genes + g
                    for k in range(LANES):
                        dx0[(c * genes + g) * LANES + k] += (
                            back[(c * n + i) * LANES + k] * links[(i * modules + m) * LANES + k]
                        )
