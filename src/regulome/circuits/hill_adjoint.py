"""Hill circuits with hand-written gradients: sixteen parameter sets of a topology in the lanes of one vector.

A drop-in for `regulome.circuits.hill_torch.simulate` on the CPU, as a torch function: the trajectory comes from a
compiled forward pass, its gradient from backpropagation through time in the same form. With λ = dL/dx and Euler's
x' = (1 - dt) x + dt f(x), going backwards

    λ <- dL/dx(t) + (1 - dt) λ + dt (df/dx)ᵀ λ,      dL/dθ += dt (df/dθ)ᵀ λ.

With u = x² and s = k² + u, an activator adds b u / s to the sum A, an inhibitor the factor k² / s to the product P,
f = A P; so d/du is b k² P / s² and -f / s, d/d(k²) is -b u P / s² and f u / (s k²).

Arrays are flat inside the kernels: blocks M of one topology each, links in rows sorted by target, activators before
inhibitors, then the lanes.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit
from torch import Tensor

from regulome.circuits.hill_adjoint_lanes import add_product, approach, hill_rate, hill_slope
from regulome.circuits.hill_torch import SMALLEST_K2
from regulome.lanes import LANES, copy, multiply

_JIT = {"error_model": "numpy", "nogil": True, "cache": True}


@njit(**_JIT)
def _squares(u, regulators, count, inputs, at, n_inputs, x, now):
    """Squared level of the regulator of every link of one block: an input (one number) or a gene (lanes)."""
    for row in range(count):
        regulator = regulators[row]
        if regulator < n_inputs:
            level = inputs[at + regulator]
            u[row * LANES : (row + 1) * LANES] = level * level
        else:
            source = now + (regulator - n_inputs) * LANES
            multiply(u, row * LANES, x, source, x, source)


@njit(**_JIT)
def _forward(low, high, plan, k2, b, inputs, vectors, sizes, x):
    """Fill the states x (M, C, T + 1, G, L) from their first one."""
    cases, steps, genes, n_inputs, links = sizes
    regulators_of, first_of, activators_of, inhibitors_of, used, feed = plan
    dt = vectors[0]
    u, f = np.empty(links * LANES, x.dtype), np.empty(genes * LANES, x.dtype)
    for m in range(low, high):
        regulators, first, activators, inhibitors = (
            regulators_of[m], first_of[m], activators_of[m], inhibitors_of[m],
        )  # fmt: skip
        for c in range(cases):
            for t in range(steps):
                now = ((m * cases + c) * (steps + 1) + t) * genes * LANES
                after = now + genes * LANES
                _squares(
                    u, regulators, used[m], inputs, ((feed[m] * cases + c) * steps + t) * n_inputs, n_inputs, x, now
                )
                for j in range(genes):
                    row, at = first[j] * LANES, (m * links + first[j]) * LANES
                    hill_rate(f, j * LANES, u, row, k2, b, at, activators[j], inhibitors[j])
                for j in range(genes):
                    copy(x, after + j * LANES, x, now + j * LANES)
                    approach(x, after + j * LANES, f, j * LANES, dt, 0)


@njit(**_JIT)
def _backward(low, high, plan, k2, b, inputs, vectors, sizes, x, slope, db, dk2, dx0):
    """Add to db, dk2 (M, links, L) and dx0 (M, C, G, L) the gradient, given slope = dL/dx (M, C, T, G, L)."""
    cases, steps, genes, n_inputs, links = sizes
    regulators_of, first_of, activators_of, inhibitors_of, used, feed = plan
    dt, keep, one, two = vectors
    u, du = np.empty(links * LANES, x.dtype), np.empty(links * LANES, x.dtype)
    adjoint, weight = np.empty(genes * LANES, x.dtype), np.empty(genes * LANES, x.dtype)
    for m in range(low, high):
        regulators, first, activators, inhibitors = (
            regulators_of[m], first_of[m], activators_of[m], inhibitors_of[m],
        )  # fmt: skip
        for c in range(cases):
            adjoint[:] = 0
            for t in range(steps - 1, -1, -1):
                now = ((m * cases + c) * (steps + 1) + t) * genes * LANES
                known = ((m * cases + c) * steps + t) * genes * LANES
                for j in range(genes):
                    add_product(adjoint, j * LANES, slope, known + j * LANES, one, 0)
                    multiply(weight, j * LANES, adjoint, j * LANES, dt, 0)
                    multiply(adjoint, j * LANES, adjoint, j * LANES, keep, 0)
                _squares(
                    u, regulators, used[m], inputs, ((feed[m] * cases + c) * steps + t) * n_inputs, n_inputs, x, now
                )
                du[:] = 0
                for j in range(genes):
                    row, at = first[j] * LANES, (m * links + first[j]) * LANES
                    hill_slope(db, at, dk2, k2, b, du, row, u, weight, j * LANES, activators[j], inhibitors[j])
                for row in range(used[m]):
                    gene = regulators[row] - n_inputs
                    if gene >= 0:  # du/dx = 2 x
                        multiply(u, row * LANES, two, 0, x, now + gene * LANES)
                        add_product(adjoint, gene * LANES, du, row * LANES, u, row * LANES)
            for j in range(genes):
                copy(dx0, ((m * cases + c) * genes + j) * LANES, adjoint, j * LANES)


def link_order(signs: np.ndarray) -> list[tuple[int, int]]:
    """(regulator, target) of every link, sorted by target, activators before inhibitors."""
    targets = range(signs.shape[1])
    return [(int(r), j) for j in targets for sign in (1, -1) for r in np.flatnonzero(signs[:, j] == sign)]


class Plan:
    """Which link is in which row, for B topologies with R = 16 n parameter sets each: M = B n blocks.

    Parameters
    ----------
    signs
        (B, N, G) topologies.
    restarts
        Parameter sets of each topology, a multiple of 16.
    """

    def __init__(self, signs: np.ndarray, restarts: int):
        if restarts % LANES:
            raise ValueError(f"restarts is {restarts}, expected a multiple of {LANES}")
        self.count, self.copies = len(signs), restarts // LANES
        genes = signs.shape[2]
        orders = [link_order(table) for table in signs]
        self.links = max(1, max(len(order) for order in orders))
        places = np.zeros((self.count, self.links), dtype=np.int64)  # of a row in a flattened (N, G) table
        regulators, first = np.zeros_like(places), np.zeros((self.count, genes), dtype=np.int64)
        activators, inhibitors, used = np.zeros_like(first), np.zeros_like(first), np.zeros(self.count, dtype=np.int64)
        for row, order in enumerate(orders):
            used[row], activators[row], inhibitors[row] = len(order), (signs[row] > 0).sum(0), (signs[row] < 0).sum(0)
            regulators[row, : len(order)] = [r for r, _ in order]
            places[row, : len(order)] = [r * genes + j for r, j in order]
            first[row, 1:] = np.cumsum((signs[row] != 0).sum(0))[:-1]
        self.places = torch.from_numpy(places)
        arrays = (regulators, first, activators, inhibitors, used, np.arange(self.count))
        self.arrays = tuple(np.repeat(a, self.copies, axis=0) for a in arrays)

    def rows(self, values: Tensor) -> Tensor:
        """(B, R, N, G) -> (M, links, L); rows that a topology does not use hold any link."""
        flat = values.reshape(self.count, self.copies, LANES, -1).transpose(2, 3)
        places = self.places[:, None, :, None].expand(-1, self.copies, -1, LANES)
        return flat.gather(2, places).flatten(0, 1)


def simulate(plan: Plan, b: Tensor, k: Tensor, inputs: Tensor, start: Tensor, dt: float) -> Tensor:
    """(B, R, C, T, G) levels of R parameter sets of each of B topologies.

    Parameters
    ----------
    b, k
        (B, R, N, G) on the CPU.
    inputs
        (C, T, I), or (B, C, T, I) for inputs of its own for each topology.
    start
        (B, R, C, G) levels at time zero.
    """
    lead = (plan.count, plan.copies, LANES)
    first = start.reshape(*lead, *start.shape[2:]).movedim(2, -1).flatten(0, 1)
    k2 = plan.rows(k).square().clamp(min=SMALLEST_K2)
    x = _Simulation.apply(k2, plan.rows(b), first, inputs, dt, plan)
    return x.unflatten(0, lead[:2]).movedim(-1, 2).flatten(1, 2)


def _spread(work, blocks: int) -> None:
    """Call work(first, last) on parts of the blocks, one a thread that torch may use."""
    threads = max(1, min(torch.get_num_threads(), blocks))
    edges = np.linspace(0, blocks, threads + 1).astype(int).tolist()
    if threads == 1:
        work(*edges)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


class _Simulation(torch.autograd.Function):
    """Trajectory (M, C, T, G, L) from k2, b (M, links, L) and start (M, C, G, L)."""

    @staticmethod
    def forward(ctx, k2, b, start, inputs, dt, plan):
        blocks, cases, genes, _ = start.shape
        steps, n_inputs = inputs.shape[-2:]
        *arrays, topology = plan.arrays
        feed = topology if inputs.ndim == 4 else np.zeros_like(topology)
        x = torch.empty(blocks, cases, steps + 1, genes, LANES, dtype=start.dtype)
        x[:, :, 0] = start
        sizes = (cases, steps, genes, n_inputs, plan.links)
        vectors = tuple(np.full(LANES, value, x.numpy().dtype) for value in (dt, 1 - dt, 1, 2))
        levels = inputs.to(start.dtype) if n_inputs else torch.zeros(1, dtype=start.dtype)
        fixed = tuple(a.detach().contiguous().numpy().reshape(-1) for a in (k2, b, levels))
        states = x.numpy().reshape(-1)
        _spread(lambda low, high: _forward(low, high, (*arrays, feed), *fixed, vectors, sizes, states), blocks)
        ctx.saved = ((*arrays, feed), fixed, vectors, sizes, states, k2.shape, start.shape)
        return x[:, :, 1:]

    @staticmethod
    def backward(ctx, slope):
        arrays, fixed, vectors, sizes, states, shape, start_shape = ctx.saved
        db, dk2, dx0 = (np.zeros(s.numel(), states.dtype) for s in (shape, shape, start_shape))
        slope = slope.contiguous().numpy().reshape(-1)

        def work(low, high):
            _backward(low, high, arrays, *fixed, vectors, sizes, states, slope, db, dk2, dx0)

        _spread(work, start_shape[0])
        found = [torch.from_numpy(a).reshape(s) for a, s in ((dk2, shape), (db, shape), (dx0, start_shape))]
        return (*found, None, None, None)
