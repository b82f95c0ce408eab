"""The gene circuit written out as loops over genes, cases and steps: what the tests compare the stacked code with.

Nothing is imported from the package. A link mutation is made here by scaling a row of weights, not by a mask, and one
target at a time reads the changed copy.
"""

import numpy as np


def weights_of(network, replicate):
    """Six float64 layers of one replicate, each (M, rows, columns)."""
    return {name: tensor[replicate].double().numpy() for name, tensor in network.weights.items()}


def perceptron(weights, module, x):
    for i in "12":
        x = np.maximum(x @ weights["w" + i][module] + weights["b" + i][module][0], 0)
    return 1 / (1 + np.exp(-(x @ weights["w3"][module] + weights["b3"][module][0])))


def rate(network, replicate, target, regulators, weakened=None, strength=1.0):
    """f of one target for (N,) regulator levels; ``weakened`` is the one regulator that it sees ``strength`` times."""
    weights = weights_of(network, replicate)
    module, output = (target, 0) if network.architecture == "private" else (0, target)
    first_layer = weights["w1"].copy()
    for i in range(first_layer.shape[1]):
        first_layer[module, i] *= float(network.links[replicate, i, target])
    if weakened is not None:
        first_layer[module, weakened] *= strength
    return perceptron({**weights, "w1": first_layer}, module, np.asarray(regulators, dtype=float))[output]


def start_of(network, replicate, case):
    initial = network.initial.double().numpy()
    initial = initial[case] if initial.ndim == 2 else initial
    return np.where(np.isnan(initial), network.start[replicate].double().numpy(), initial)


def trajectory(network, replicate, inputs, dt, mutation=None, activity=None, noise=None):
    """(C, T, G) levels; ``mutation`` is (regulator, target, strength)."""
    inputs = np.asarray(inputs, dtype=float)
    genes = network.n_genes
    result = np.zeros((*inputs.shape[:2], genes))
    for c in range(inputs.shape[0]):
        g = start_of(network, replicate, c)
        for k in range(inputs.shape[1]):
            regulators = np.concatenate([inputs[c, k], g])
            f = np.zeros(genes)
            for j in range(genes):
                weakened = (mutation[0], mutation[2]) if mutation and mutation[1] == j else (None, 1.0)
                f[j] = rate(network, replicate, j, regulators, *weakened)
            if activity is not None:
                f = f * np.asarray(activity)
            if noise is not None:
                f = f + noise[c, k]
            g = (1 - dt) * g + dt * f
            result[c, k] = g
    return result
