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
from regulome.lanes import LANES, copy, dot, gate, multiply_add, relu, sigmoid

CHUNK = 25  # updates between two refills of random cases and noise
_JIT = {"fastmath": True, "error_model": "numpy", "nogil": True, "cache": True}


@njit(**_JIT)
def _seen(seen, links, inputs, x, sizes, at, m):
    """What perceptron m sees in one case and step: regulators times links."""
    _, _, genes, n, modules, _, _ = sizes
    seen[:] = 0
    for i in range(n - genes):
        multiply_add(seen, i * LANES, inputs, (at * (n - genes) + i) * LANES, links, (i * modules + m) * LANES)
    for g in range(genes):
        i = n - genes + g
        multiply_add(seen, i * LANES, x, (at * genes + g) * LANES, links, (i * modules + m) * LANES)


@njit(**_JIT)
def _forward(w1, b1, w2, b2, w3, b3, links, inputs, noise, dt, sizes, x, h1, h2, f):
    """Fill states x from x[0], hidden layers h1 and h2, and rates f."""
    steps, cases, genes, n, modules, hidden, outputs = sizes
    seen = np.zeros(n * LANES, x.dtype)
    for at in range(steps * cases):
        for m in range(modules):
            _seen(seen, links, inputs, x, sizes, at, m)
            first, second = (at * modules + m) * hidden, m * hidden
            for j in range(hidden):
                here = (first + j) * LANES
                copy(h1, here, b1, (second + j) * LANES)
                dot(h1, here, seen, 0, LANES, w1, (m * n * hidden + j) * LANES, hidden * LANES, n)
                relu(h1, here)
            for j in range(hidden):
                here = (first + j) * LANES
                copy(h2, here, b2, (second + j) * LANES)
                dot(h2, here, h1, first * LANES, LANES, w2, (second * hidden + j) * LANES, hidden * LANES, hidden)
                relu(h2, here)
            for o in range(outputs):
                here = (at * genes + m + o) * LANES
                copy(f, here, b3, (m * outputs + o) * LANES)
                dot(f, here, h2, first * LANES, LANES, w3, (second * outputs + o) * LANES, outputs * LANES, hidden)
                sigmoid(f, here)
        now, after = at * genes * LANES, (at + cases) * genes * LANES
        for k in range(genes * LANES):
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
def _backward(w1, w2, w3, links, inputs, dt, sizes, x, h1, h2, f, slope, d1, db1, d2, db2, d3, db3, dx0):
    """Backpropagation through time: add to the gradients of the layers, fill dx0 for the initial state."""
    steps, cases, genes, n, modules, hidden, outputs = sizes
    ones = np.ones(LANES, x.dtype)
    seen = np.zeros(n * LANES, x.dtype)
    e1, e2 = np.zeros(hidden * LANES, x.dtype), np.zeros(hidden * LANES, x.dtype)
    dz, back = np.zeros(LANES, x.dtype), np.zeros(LANES, x.dtype)
    upstream = np.zeros(genes * LANES, x.dtype)
    dx0[:] = 0  # the adjoint of each case, carried from the last step to the first
    for reverse in range(steps * cases):
        at = steps * cases - 1 - reverse
        adjoint, now = (at % cases) * genes * LANES, at * genes * LANES
        for k in range(genes * LANES):
            total = dx0[adjoint + k] + slope[now + k]
            upstream[k] = total * dt[0] * f[now + k] * (dt[2] - f[now + k])
            dx0[adjoint + k] = total * dt[1]
        for m in range(modules):
            first, second = (at * modules + m) * hidden, m * hidden
            e2[:] = 0
            for o in range(outputs):
                g = m + o
                multiply_add(db3, (m * outputs + o) * LANES, upstream, g * LANES, ones, 0)
                for j in range(hidden):
                    to = ((second + j) * outputs + o) * LANES
                    multiply_add(d3, to, h2, (first + j) * LANES, upstream, g * LANES)
                    multiply_add(e2, j * LANES, w3, to, upstream, g * LANES)
            for j in range(hidden):
                gate(e2, j * LANES, h2, (first + j) * LANES)
                multiply_add(db2, (second + j) * LANES, e2, j * LANES, ones, 0)
            e1[:] = 0
            for i in range(hidden):
                row = (second + i) * hidden * LANES
                dot(e1, i * LANES, w2, row, LANES, e2, 0, LANES, hidden)
                gate(e1, i * LANES, h1, (first + i) * LANES)
                multiply_add(db1, (second + i) * LANES, e1, i * LANES, ones, 0)
                for j in range(hidden):
                    multiply_add(d2, row + j * LANES, h1, (first + i) * LANES, e2, j * LANES)
            _seen(seen, links, inputs, x, sizes, at, m)
            for i in range(n):
                row = (m * n + i) * hidden * LANES
                for j in range(hidden):
                    multiply_add(d1, row + j * LANES, seen, i * LANES, e1, j * LANES)
                if i >= n - genes:
                    back[:] = 0
                    dot(back, 0, w1, row, LANES, e1, 0, LANES, hidden)
                    multiply_add(dx0, adjoint + (i - n + genes) * LANES, back, 0, links, (i * modules + m) * LANES)


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
    for first in range(0, settings.steps, CHUNK):
        steps = min(CHUNK, settings.steps - first)
        cases.refill(steps)
        for step in range(first, first + steps):
            losses = block.loss_and_gradient(*cases.at(step - first))
            running = alive[: block.count] > 0
            history[step, running] = losses[: block.count][running]
            optimiser.update(block.flat, block.gradient, alive)
            if settings.stop_below is not None and (step + 1) % settings.check_every == 0:
                recent = history[step + 1 - settings.check_every : step + 1].mean(0)
                alive[: block.count][recent < settings.stop_below] = 0
        report(steps)
        if not alive[: block.count].any():
            break
    return block, history


class _CaseFeed:
    """Inputs, targets and noise of the next updates, replicates innermost."""

    def __init__(self, task, settings, generators):
        self.task, self.settings, self.generators = task, settings, generators
        self.lanes = np.minimum(np.arange(LANES), len(generators) - 1)
        _, targets = task.realise(np.zeros((1, len(task.draw))))
        self.weights = np.ascontiguousarray(np.moveaxis(~np.isnan(targets[0]), 1, 0)).astype(np.float32)
        shape = (task.steps, len(task.case_names), len(task.genes), LANES)
        self.noise = np.zeros((1, *shape), np.float32)
        self.inputs = self.targets = None
        if not task.draw:
            self._fill(np.zeros((len(generators), 1, 0)))

    def refill(self, steps: int) -> None:
        """Draw the random cases and the noise of ``steps`` updates, in the order the torch trainer draws them."""
        from regulome.circuits.training import truncated_noise

        task, noise = self.task, self.settings.noise
        if not task.draw and not noise:
            return
        draws, kicks = np.zeros((len(self.generators), steps, len(task.draw))), []
        for step in range(steps):
            if task.draw:
                for lane, rng in enumerate(self.generators):
                    draws[lane, step] = rng.random(len(task.draw))
            if noise:
                shape = (len(task.case_names), task.steps, len(task.genes))
                kicks.append(truncated_noise(self.generators, noise, shape).numpy())
        if task.draw:
            self._fill(draws)
        if noise:  # (steps, R, C, T, G) -> (steps, T, C, G, L)
            self.noise = np.ascontiguousarray(np.stack(kicks)[:, self.lanes].transpose(0, 3, 2, 4, 1))

    def _fill(self, draws: np.ndarray) -> None:
        replicates, steps = draws.shape[:2]
        filled = self.task.realise(draws.reshape(replicates * steps, -1))
        self.inputs, self.targets = (self._innermost(np.nan_to_num(a), replicates, steps) for a in filled)

    def _innermost(self, values: np.ndarray, replicates: int, steps: int) -> np.ndarray:
        """(R * steps, C, T, K) -> (steps, T, C, K, L)."""
        values = np.broadcast_to(values, (replicates * steps, *values.shape[1:]))
        values = values.reshape(replicates, steps, *values.shape[1:])[self.lanes]
        return np.ascontiguousarray(values.transpose(1, 3, 2, 4, 0).astype(np.float32))

    def at(self, step: int):
        """Inputs, targets, weights and noise of one update."""
        cases = min(step, len(self.inputs) - 1)
        return self.inputs[cases], self.targets[cases], self.weights, self.noise[min(step, len(self.noise) - 1)]
