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

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

from regulome.circuits.network import LAYERS, CircuitNetwork
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
def _forward(w1, b1, w2, b2, w3, b3, links, inputs, noise, dt, sizes, x, h1, h2, f):
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
def _loss(x, targets, weights, stationary, scale, slope):
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
def _backward(w1, w2, w3, links, inputs, dt, sizes, x, h1, h2, f, slope, d1, db1, d2, db2, d3, db3, dx0):
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


class Block:
    """Sixteen replicates with their weights, gradients and optimiser state, replicates innermost.

    All trained numbers live in one flat (P, LANES) array; the layers are views into it.
    """

    def __init__(self, network: CircuitNetwork, task, dtype=np.float32):
        count = network.replicates
        lanes = np.minimum(np.arange(LANES), count - 1)  # spare lanes repeat the last replicate
        tensors = [tensor.numpy()[lanes] for tensor in network.tensors()]
        self.count, self.shapes = count, [tensor.shape[1:] for tensor in tensors]
        flat = np.concatenate([np.moveaxis(t, 0, -1).reshape(-1, LANES) for t in tensors])
        self.flat = np.ascontiguousarray(flat, dtype)  # the layers are views, never copies
        self.gradient = np.zeros(self.flat.shape, dtype)
        self.layers, self.start = self._views(self.flat)
        self.layer_gradients, self.start_gradient = self._views(self.gradient)
        links = np.moveaxis(network.links.numpy()[lanes], 0, -1).astype(dtype)  # (N, G, L)
        modules = self.layers["w1"].shape[0]
        self.links = np.ascontiguousarray(links if modules == len(task.genes) else links[:, :1])
        cases, steps, genes = len(task.case_names), task.steps, len(task.genes)
        hidden = self.layers["w1"].shape[2]
        self.fixed = np.broadcast_to(network.initial.numpy(), (cases, genes)).astype(dtype)
        self.stationary = task.stationary
        outputs = genes // modules
        self.sizes = (steps, cases, genes, len(task.regulators), modules, hidden, outputs)
        self.constants = np.array([task.dt, 1 - task.dt, 1], dtype)  # typed: a literal would widen float32
        self.x = np.zeros((steps + 1, cases, genes, LANES), dtype)
        self.h1 = np.zeros((steps, cases, modules, hidden, LANES), dtype)
        self.h2, self.f = np.zeros_like(self.h1), np.zeros((steps, cases, genes, LANES), dtype)
        self.slope = np.zeros_like(self.f)
        self.dx0 = np.zeros((cases, genes, LANES), dtype)
        self.root_mean = task.loss == "root_mean"

    def _views(self, flat):
        views, offset = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            views.append(flat[offset : offset + size].reshape(*shape, LANES))
            offset += size
        return dict(zip(LAYERS, views[:-1], strict=True)), views[-1]

    def loss_and_gradient(self, inputs, targets, weights, noise) -> np.ndarray:
        """Fill ``gradient`` and return the (LANES,) losses.

        inputs (T, C, I, L), targets (T, C, G, L), weights (T, C, G) 1 where compared, noise (T, C, G, L).
        """
        w = {name: layer.reshape(-1) for name, layer in self.layers.items()}
        d = {name: layer.reshape(-1) for name, layer in self.layer_gradients.items()}
        trainable = np.isnan(self.fixed)[..., None]
        self.x[0] = np.where(trainable, self.start[None], self.fixed[..., None])
        scale = self.flat.dtype.type(1 / weights.sum() if self.root_mean else 1)
        links, inputs = self.links.reshape(-1), inputs.reshape(-1)
        activity = tuple(a.reshape(-1) for a in (self.x, self.h1, self.h2, self.f))
        _forward(*(w[name] for name in LAYERS), links, inputs, noise.reshape(-1), self.constants, self.sizes, *activity)
        losses = _loss(self.x, targets, weights, self.stationary, scale, self.slope)
        self.gradient[:] = 0
        _backward(
            w["w1"], w["w2"], w["w3"], links, inputs, self.constants, self.sizes, *activity, self.slope.reshape(-1),
            d["w1"], d["b1"], d["w2"], d["b2"], d["w3"], d["b3"], self.dx0.reshape(-1),
        )  # fmt: skip
        self.start_gradient[:] = np.where(trainable, self.dx0, 0).sum(0)
        return losses

    def write_to(self, tensors: list[torch.Tensor], first: int) -> None:
        """Copy the trained numbers into stacked tensors, starting at replicate ``first``."""
        for tensor, view in zip(tensors, [*self.layers.values(), self.start], strict=True):
            tensor[first : first + self.count] = torch.from_numpy(np.moveaxis(view, -1, 0)[: self.count].copy())


class _FlatOptimiser:
    """RMSProp or Adam of `regulome.circuits.optimisers` on a flat array, with lanes that may be frozen."""

    def __init__(self, name: str, rate: float, like: np.ndarray):
        self.name, self.rate, self.step = name, np.float32(rate), 0
        self.squares = np.ones_like(like) if name == "rmsprop" else np.zeros_like(like)
        self.means = np.zeros_like(like)

    def update(self, flat, gradient, alive) -> None:
        if self.name == "rmsprop":
            self.squares *= np.float32(0.9)
            self.squares += np.float32(0.1) * gradient * gradient
            flat -= alive * self.rate * gradient / np.sqrt(self.squares + np.float32(1e-10))
            return
        self.step += 1
        rate = np.float32(self.rate * (1 - 0.999**self.step) ** 0.5 / (1 - 0.9**self.step))
        self.means += np.float32(0.1) * (gradient - self.means)
        self.squares *= np.float32(0.999)
        self.squares += np.float32(0.001) * gradient * gradient
        flat -= alive * rate * self.means / (np.sqrt(self.squares) + np.float32(1e-8))


def train_compiled(task, settings, network: CircuitNetwork, generators, progress=None):
    """Train every block of replicates, blocks spread over the threads that torch is allowed to use.

    Blocks do not interact, so the result does not depend on the number of threads.
    """
    from regulome.circuits.training import TrainingResult

    starts = range(0, network.replicates, LANES)
    done = {"updates": 0}

    def report(count: int) -> None:
        done["updates"] += count
        if progress:
            progress(min(settings.steps, round(done["updates"] / len(starts))), settings.steps)

    def run(first: int):
        part = slice(first, min(first + LANES, network.replicates))
        return _train_block(task, settings, network.select(part), generators[part], report)

    with ThreadPoolExecutor(max_workers=max(1, torch.get_num_threads())) as pool:
        results = list(pool.map(run, starts))
    trained = network.detach()
    for first, (block, _) in zip(starts, results, strict=True):
        block.write_to(trained.tensors(), first)
    loss = np.concatenate([history for _, history in results], axis=1)
    return TrainingResult(network=trained, loss=loss, updates=np.isfinite(loss).sum(0))


def _train_block(task, settings, network, generators, report):
    block = Block(network, task)
    optimiser = _FlatOptimiser(settings.optimiser, settings.rate, block.flat)
    history = np.full((settings.steps, block.count), np.nan, dtype=np.float32)
    alive = np.ones(LANES, dtype=np.float32)
    cases = _CaseFeed(task, settings, generators)
    for step in range(settings.steps):
        losses = block.loss_and_gradient(*cases.next())
        running = alive[: block.count] > 0
        history[step, running] = losses[: block.count][running]
        optimiser.update(block.flat, block.gradient, alive)
        if settings.stop_below is not None and (step + 1) % settings.check_every == 0:
            recent = history[step + 1 - settings.check_every : step + 1].mean(0)
            alive[: block.count][recent < settings.stop_below] = 0
            if not alive[: block.count].any():
                break
        report(1)
    return block, history


class _CaseFeed:
    """Inputs, targets and noise of the next updates, replicates innermost."""

    def __init__(self, task, settings, generators):
        self.task, self.sd, self.generators = task, settings.noise, generators
        self.lanes = np.minimum(np.arange(LANES), len(generators) - 1)
        _, targets = task.realise(np.full((1, len(task.draw)), 0.5))
        self.weights = np.ascontiguousarray(np.moveaxis(~np.isnan(targets[0]), 1, 0)).astype(np.float32)
        self.shape = (len(task.case_names), task.steps, len(task.genes))
        self.noise = np.zeros((self.shape[1], self.shape[0], self.shape[2], LANES), np.float32)
        if not task.draw:
            self._fill(np.zeros((len(generators), 0)))

    def next(self):
        """Inputs, targets, weights and noise of one update, drawn in the order in which the torch trainer draws."""
        from regulome.circuits.training import truncated_noise

        if self.task.draw:
            self._fill(np.stack([rng.random(len(self.task.draw)) for rng in self.generators]))
        if self.sd:
            for lane, rng in enumerate(self.generators):
                self.noise[..., lane] = truncated_noise([rng], self.sd, self.shape)[0].numpy().transpose(1, 0, 2)
        return self.inputs, self.targets, self.weights, self.noise

    def _fill(self, draws: np.ndarray) -> None:
        self.inputs, self.targets = (self._innermost(np.nan_to_num(a)) for a in self.task.realise(draws))

    def _innermost(self, values: np.ndarray) -> np.ndarray:
        """(R or 1, C, T, K) -> (T, C, K, L)."""
        lanes = self.lanes if len(values) > 1 else np.zeros(LANES, dtype=int)
        return np.ascontiguousarray(values[lanes].transpose(2, 1, 3, 0).astype(np.float32))
