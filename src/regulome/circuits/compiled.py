"""Training with the compiled kernels: blocks of replicates, one in each vector lane, spread over threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from regulome.circuits.kernels import backward, forward, loss
from regulome.circuits.network import LAYERS, CircuitNetwork
from regulome.circuits.noise import fill, lane_keys, noise_keys
from regulome.lanes import LANES


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
        forward(*(w[name] for name in LAYERS), links, inputs, noise.reshape(-1), self.constants, self.sizes, *activity)
        losses = loss(self.x, targets, weights, self.stationary, scale, self.slope)
        self.gradient[:] = 0
        backward(
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
        self.task, self.sd, self.generators, self.update = task, settings.noise, generators, 0
        self.lanes = np.minimum(np.arange(LANES), len(generators) - 1)
        self.keys = lane_keys(noise_keys(generators)[self.lanes], settings.noise)
        _, targets = task.realise(np.full((1, len(task.draw)), 0.5))
        self.weights = np.ascontiguousarray(np.moveaxis(~np.isnan(targets[0]), 1, 0)).astype(np.float32)
        self.shape = (len(task.case_names), task.steps, len(task.genes))
        self.noise = np.zeros((self.shape[1], self.shape[0], self.shape[2], LANES), np.float32)
        if not task.draw:
            self._fill(np.zeros((len(generators), 0)))

    def next(self):
        """Inputs, targets, weights and noise of one update, drawn in the order in which the torch trainer draws."""
        if self.task.draw:
            self._fill(np.stack([rng.random(len(self.task.draw)) for rng in self.generators]))
        if self.sd:
            fill(self.noise.reshape(-1), self.keys, self.update, *self.shape)
        self.update += 1
        return self.inputs, self.targets, self.weights, self.noise

    def _fill(self, draws: np.ndarray) -> None:
        self.inputs, self.targets = (self._innermost(np.nan_to_num(a)) for a in self.task.realise(draws))

    def _innermost(self, values: np.ndarray) -> np.ndarray:
        """(R or 1, C, T, K) -> (T, C, K, L)."""
        lanes = self.lanes if len(values) > 1 else np.zeros(LANES, dtype=int)
        return np.ascontiguousarray(values[lanes].transpose(2, 1, 3, 0).astype(np.float32))
