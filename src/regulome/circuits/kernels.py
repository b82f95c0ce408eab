"""Compiled training: sixteen replicates in the lanes of one vector instruction.

The perceptrons are so small that a tensor library spends its time between operations. Here a block of ``LANES``
replicates is one array with the replicates innermost, and forward pass, backpropagation through time and loss are
plain loops whose innermost one always runs over the lanes, which the compiler turns into vector instructions. The
arithmetic is that of `regulome.circuits.training`; a test compares the gradients with autograd in float64.

Literal floats are avoided inside the kernels: in numba they are float64 and would widen every float32 operation.
"""

from concurrent.futures import ThreadPoolExecutor
from math import exp

import numpy as np
import torch
from numba import njit

from regulome.circuits.network import LAYERS, CircuitNetwork

LANES = 16
CHUNK = 25  # updates between two refills of random cases and noise
_JIT = {"fastmath": True, "error_model": "numpy", "nogil": True, "cache": True}


@njit(**_JIT)
def _forward(w1, b1, w2, b2, w3, b3, links, inputs, noise, dt, x, h1, h2, f):
    """Fill states x (T+1, C, G, L), hidden layers h1, h2 (T, C, M, H, L) and rates f (T, C, G, L)."""
    modules, n, hidden = w1.shape[0], w1.shape[1], w1.shape[2]
    outputs = w3.shape[2]
    steps, cases, genes = f.shape[0], f.shape[1], f.shape[2]
    n_inputs = n - genes
    one, zero = dt[1], dt[2]
    seen = np.empty((n, LANES), x.dtype)
    for t in range(steps):
        for c in range(cases):
            for m in range(modules):
                for i in range(n):
                    if i < n_inputs:
                        for k in range(LANES):
                            seen[i, k] = inputs[t, c, i, k] * links[i, m, k]
                    else:
                        for k in range(LANES):
                            seen[i, k] = x[t, c, i - n_inputs, k] * links[i, m, k]
                for j in range(hidden):
                    for k in range(LANES):
                        h1[t, c, m, j, k] = b1[m, 0, j, k]
                    for i in range(n):
                        for k in range(LANES):
                            h1[t, c, m, j, k] += seen[i, k] * w1[m, i, j, k]
                    for k in range(LANES):
                        h1[t, c, m, j, k] = max(h1[t, c, m, j, k], zero)
                for j in range(hidden):
                    for k in range(LANES):
                        h2[t, c, m, j, k] = b2[m, 0, j, k]
                for i in range(hidden):
                    for j in range(hidden):
                        for k in range(LANES):
                            h2[t, c, m, j, k] += h1[t, c, m, i, k] * w2[m, i, j, k]
                for j in range(hidden):
                    for k in range(LANES):
                        h2[t, c, m, j, k] = max(h2[t, c, m, j, k], zero)
                for o in range(outputs):
                    g = m + o
                    for k in range(LANES):
                        f[t, c, g, k] = b3[m, 0, o, k]
                    for j in range(hidden):
                        for k in range(LANES):
                            f[t, c, g, k] += h2[t, c, m, j, k] * w3[m, j, o, k]
                    for k in range(LANES):
                        f[t, c, g, k] = one / (one + exp(-f[t, c, g, k]))
            for g in range(genes):
                for k in range(LANES):
                    x[t + 1, c, g, k] = (one - dt[0]) * x[t, c, g, k] + dt[0] * (f[t, c, g, k] + noise[t, c, g, k])


@njit(**_JIT)
def _loss(x, targets, weights, stationary, scale, dt, slope):
    """Loss of each lane, and its slope with respect to every sample, into ``slope`` (T, C, G, L)."""
    steps, cases, genes = slope.shape[0], slope.shape[1], slope.shape[2]
    loss = np.zeros(LANES, x.dtype)
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
    for k in range(LANES):
        loss[k] = np.sqrt(loss[k] + dt[3])
    for t in range(steps):
        for c in range(cases):
            for g in range(genes):
                for k in range(LANES):
                    slope[t, c, g, k] /= loss[k]
    return loss


@njit(**_JIT)
def _backward(w1, w2, w3, links, inputs, dt, x, h1, h2, f, slope, d1, db1, d2, db2, d3, db3, dx0):
    """Backpropagation through time: add to the gradients of the layers, fill dx0 (C, G, L) for the initial state."""
    modules, n, hidden = w1.shape[0], w1.shape[1], w1.shape[2]
    outputs = w3.shape[2]
    steps, cases, genes = f.shape[0], f.shape[1], f.shape[2]
    n_inputs = n - genes
    one, zero = dt[1], dt[2]
    e2 = np.empty((hidden, LANES), x.dtype)
    e1 = np.empty((hidden, LANES), x.dtype)
    dz = np.empty(LANES, x.dtype)
    seen = np.empty(LANES, x.dtype)
    acc = np.empty(LANES, x.dtype)
    adjoint = np.zeros((cases, genes, LANES), x.dtype)
    upstream = np.empty((genes, LANES), x.dtype)
    for step in range(steps):
        t = steps - 1 - step
        for c in range(cases):
            for g in range(genes):
                for k in range(LANES):
                    adjoint[c, g, k] += slope[t, c, g, k]
                    upstream[g, k] = adjoint[c, g, k] * dt[0]
                    adjoint[c, g, k] *= one - dt[0]
            for m in range(modules):
                for j in range(hidden):
                    for k in range(LANES):
                        e2[j, k] = zero
                for o in range(outputs):
                    g = m + o
                    for k in range(LANES):
                        dz[k] = upstream[g, k] * f[t, c, g, k] * (one - f[t, c, g, k])
                        db3[m, 0, o, k] += dz[k]
                    for j in range(hidden):
                        for k in range(LANES):
                            d3[m, j, o, k] += h2[t, c, m, j, k] * dz[k]
                            e2[j, k] += w3[m, j, o, k] * dz[k]
                for j in range(hidden):
                    for k in range(LANES):
                        e2[j, k] = e2[j, k] if h2[t, c, m, j, k] > zero else zero
                        db2[m, 0, j, k] += e2[j, k]
                for i in range(hidden):
                    for k in range(LANES):
                        acc[k] = zero
                    for j in range(hidden):
                        for k in range(LANES):
                            d2[m, i, j, k] += h1[t, c, m, i, k] * e2[j, k]
                            acc[k] += w2[m, i, j, k] * e2[j, k]
                    for k in range(LANES):
                        e1[i, k] = acc[k] if h1[t, c, m, i, k] > zero else zero
                        db1[m, 0, i, k] += e1[i, k]
                for i in range(n):
                    if i < n_inputs:
                        for k in range(LANES):
                            seen[k] = inputs[t, c, i, k] * links[i, m, k]
                    else:
                        for k in range(LANES):
                            seen[k] = x[t, c, i - n_inputs, k] * links[i, m, k]
                    for k in range(LANES):
                        acc[k] = zero
                    for j in range(hidden):
                        for k in range(LANES):
                            d1[m, i, j, k] += seen[k] * e1[j, k]
                            acc[k] += w1[m, i, j, k] * e1[j, k]
                    if i >= n_inputs:
                        for k in range(LANES):
                            adjoint[c, i - n_inputs, k] += acc[k] * links[i, m, k]
    for c in range(cases):
        for g in range(genes):
            for k in range(LANES):
                dx0[c, g, k] = adjoint[c, g, k]


class Block:
    """Sixteen replicates with their weights, gradients and optimiser state, replicates innermost.

    All trained numbers live in one flat (P, LANES) array; the layers are views into it.
    """

    def __init__(self, network: CircuitNetwork, task, dtype=np.float32):
        count = network.replicates
        lanes = np.minimum(np.arange(LANES), count - 1)  # spare lanes repeat the last replicate
        tensors = [tensor.numpy()[lanes] for tensor in network.tensors()]
        self.count, self.shapes = count, [tensor.shape[1:] for tensor in tensors]
        self.flat = np.concatenate([np.moveaxis(t, 0, -1).reshape(-1, LANES) for t in tensors]).astype(dtype)
        self.gradient = np.zeros_like(self.flat)
        self.layers, self.start = self._views(self.flat)
        self.layer_gradients, self.start_gradient = self._views(self.gradient)
        links = np.moveaxis(network.links.numpy()[lanes], 0, -1).astype(dtype)  # (N, G, L)
        modules = self.layers["w1"].shape[0]
        self.links = np.ascontiguousarray(links if modules == len(task.genes) else links[:, :1])
        cases, steps, genes = len(task.case_names), task.steps, len(task.genes)
        hidden = self.layers["w1"].shape[2]
        self.fixed = np.broadcast_to(network.initial.numpy(), (cases, genes)).astype(dtype)
        self.stationary = task.stationary
        self.constants = np.array([task.dt, 1, 0, 1e-12], dtype)
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
        w, d = self.layers, self.layer_gradients
        trainable = np.isnan(self.fixed)[..., None]
        self.x[0] = np.where(trainable, self.start[None], self.fixed[..., None])
        dtype = self.flat.dtype.type
        scale = dtype(1 / weights.sum() if self.root_mean else 1)
        activity = (self.x, self.h1, self.h2, self.f)
        _forward(*(w[n] for n in LAYERS), self.links, inputs, noise, self.constants, *activity)
        losses = _loss(self.x, targets, weights, self.stationary, scale, self.constants, self.slope)
        self.gradient[:] = 0
        _backward(
            w["w1"], w["w2"], w["w3"], self.links, inputs, self.constants, *activity, self.slope,
            d["w1"], d["b1"], d["w2"], d["b2"], d["w3"], d["b3"], self.dx0,
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
