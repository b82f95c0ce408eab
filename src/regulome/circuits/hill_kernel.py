"""Compiled Hill dynamics: sixteen parameter sets in the lanes of one vector instruction.

Only the run under the first input is made here: almost no parameter set oscillates, and the few that do are checked
under the other conditions by the plain code of `regulome.circuits.hill`.
"""

import numpy as np
from numba import njit

from regulome.lanes import LANES, approach, copy, hill, multiply, watch

GROUP = 4  # blocks integrated side by side, so that one waits for its division while others work


@njit(error_model="numpy", nogil=True, cache=True)
def _run_blocks(k2, b, q, u, slots, uses, first, activators, inhibitors, start, dt, n_steps, out):
    """Integrate every block; ``out`` (blocks, 6 rows, lanes) takes the statistics of the first gene, second half.

    k2, b (blocks, links, lanes); q (blocks, genes, lanes); u (links, lanes) squared inputs in their rows; ``slots``
    (G, links) rows that gene g regulates, ``uses`` (G,) how many; ``first`` (G,) first row of each target's links.
    """
    genes, blocks, links = len(first), len(out), u.shape[0]
    k2, b, q, out = k2.reshape(-1), b.reshape(-1), q.reshape(-1), out.reshape(-1)
    wide, tall = links * LANES, genes * LANES
    levels, g, f = np.empty(GROUP * wide, u.dtype), np.empty(GROUP * tall, u.dtype), np.empty(GROUP * tall, u.dtype)
    for at in range(0, blocks, GROUP):
        count = min(GROUP, blocks - at)
        for n in range(count):
            levels[n * wide : (n + 1) * wide] = u.reshape(-1)
        g[:] = start
        for t in range(n_steps):
            for n in range(count):
                block = at + n
                for r in range(genes):
                    for link in range(uses[r]):
                        source = n * tall + r * LANES
                        multiply(levels, n * wide + slots[r, link] * LANES, g, source, g, source)
                for j in range(genes):
                    row = first[j] * LANES
                    hill(
                        f, n * tall + j * LANES, levels, n * wide + row, k2, block * wide + row, b, block * wide + row,
                        q, block * tall + j * LANES, activators[j], inhibitors[j],
                    )  # fmt: skip
                for j in range(genes):
                    approach(g, n * tall + j * LANES, f, n * tall + j * LANES, dt, 0)
                watched = block * 6 * LANES
                if t == n_steps // 2:
                    copy(out, watched, g, n * tall)
                    copy(out, watched + 5 * LANES, g, n * tall)
                elif t > n_steps // 2:
                    watch(out, watched, g, n * tall)


def oscillation_statistics(signs, b, k, inputs, start=0.1, dt=0.25, n_steps=200) -> dict[str, np.ndarray]:
    """Variance, largest and smallest change of the first gene in the second half of a run with constant inputs.

    Same model and arguments as `regulome.circuits.hill.simulate_hill`, float32.

    Returns
    -------
    dict
        "variance", "largest" and "smallest" change between samples, (P,) each.
    """
    order, activators, inhibitors = _link_order(signs)
    first = np.concatenate([[0], np.cumsum(activators + inhibitors)[:-1]])
    count, n_inputs, genes = len(b), len(inputs), signs.shape[1]
    blocks = -(-count // LANES)

    def lanes(values):  # (P, links) -> (blocks, links, lanes), the last block filled with repeats
        padded = values[np.minimum(np.arange(blocks * LANES), count - 1)]
        return np.ascontiguousarray(padded.reshape(blocks, LANES, -1).transpose(0, 2, 1), dtype=np.float32)

    rows = np.array([r for r, _ in order]), np.array([j for _, j in order])
    k2 = np.square(k[:, rows[0], rows[1]])
    repressed = [
        np.prod(k2[:, row + na : row + na + ni], axis=1)
        for row, na, ni in zip(first, activators, inhibitors, strict=True)
    ]
    levels = np.zeros((len(order), LANES), dtype=np.float32)
    slots, uses = np.zeros((genes, len(order)), dtype=np.int64), np.zeros(genes, dtype=np.int64)
    for row, (regulator, _) in enumerate(order):
        if regulator < n_inputs:
            levels[row] = inputs[regulator] ** 2
        else:
            gene = regulator - n_inputs
            slots[gene, uses[gene]] = row
            uses[gene] += 1
    out = np.zeros((blocks, 6, LANES), dtype=np.float32)
    step = np.full(LANES, dt, dtype=np.float32)
    _run_blocks(
        lanes(k2), lanes(b[:, rows[0], rows[1]]), lanes(np.stack(repressed, axis=1)), levels, slots, uses,
        first, activators, inhibitors, np.float32(start), step, n_steps, out,
    )  # fmt: skip
    out = out.transpose(1, 0, 2).reshape(6, -1)[:, :count]
    samples = n_steps - n_steps // 2
    return {"variance": out[2] / samples - np.square(out[1] / samples), "largest": out[3], "smallest": out[4]}


def _link_order(signs):
    """Links sorted by target, activators before inhibitors; and how many of each a target has."""
    order = []
    for j in range(signs.shape[1]):
        order += [(int(r), j) for sign in (1, -1) for r in np.flatnonzero(signs[:, j] == sign)]
    return order, (signs > 0).sum(0), (signs < 0).sum(0)
