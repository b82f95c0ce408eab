"""Random numbers of the simulator, for numba kernels: one independent stream for every trajectory.

xoshiro256+ (Blackman and Vigna 2021), its state set by splitmix64 from (seed, parameter set, trajectory): the numbers
of a trajectory do not depend on which thread runs it, nor on what ran before. The state is a tuple of four words, so
that the compiler keeps it in registers.
"""

import math

import numpy as np
from numba import njit

_R, _V = 7.69711747013104972, 0.0039496598225815571993  # start of the tail and area of a layer, 256 layers


def _ziggurat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tables of the exponential distribution (Marsaglia and Tsang 2000) for 53-bit numbers."""
    scale = 2.0**53
    accept, width, height = np.zeros(256, np.int64), np.zeros(256), np.zeros(256)
    q = _V / math.exp(-_R)
    accept[0], width[0], width[255] = int(_R / q * scale), q / scale, _R / scale
    height[0], height[255] = 1.0, math.exp(-_R)
    edge = last = _R
    for i in range(254, 0, -1):
        edge = -math.log(_V / edge + math.exp(-edge))
        accept[i + 1] = int(edge / last * scale)
        last, height[i], width[i] = edge, math.exp(-edge), edge / scale
    return accept, width, height


_ACCEPT, _WIDTH, _HEIGHT = _ziggurat()
_B3, _B8, _B11, _B12, _B17, _B19, _B45, _B56 = (np.uint64(n) for n in (3, 8, 11, 12, 17, 19, 45, 56))
_B27, _B30, _B31 = np.uint64(27), np.uint64(30), np.uint64(31)
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True)
def mixed(z):
    """Finaliser of splitmix64: a bijection of 64-bit words that spreads every bit."""
    z = (z ^ (z >> _B30)) * _MIX1
    z = (z ^ (z >> _B27)) * _MIX2
    return z ^ (z >> _B31)


@njit(cache=True, nogil=True)
def stream(seed, parameter_set, trajectory):
    """State of the generator of one trajectory."""
    z = mixed(np.uint64(seed) + _GOLDEN)
    z = mixed((z ^ np.uint64(parameter_set)) + _GOLDEN)
    z = mixed((z ^ np.uint64(trajectory)) + _GOLDEN)
    a = mixed(z + _GOLDEN)
    b = mixed(z + _GOLDEN + _GOLDEN)
    c = mixed(z + _GOLDEN + _GOLDEN + _GOLDEN)
    d = mixed(z + _GOLDEN + _GOLDEN + _GOLDEN + _GOLDEN)
    return a, b, c, d


@njit(cache=True, nogil=True)
def word(state):
    """Next state and a 64-bit word."""
    a, b, c, d = state
    result = a + d
    t = b << _B17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = (d << _B45) | (d >> _B19)
    return (a, b, c, d), result


@njit(cache=True, nogil=True)
def uniform(state):
    """Next state and a number in [0, 1 - 2^-52]: times a total it stays below the total, whatever the rounding."""
    state, bits = word(state)
    return state, np.int64(bits >> _B12) * 2.0**-52


@njit(cache=True, nogil=True)
def _unlikely_exponential(state, layer, x):
    """The edge of a layer or the tail: about 1 % of all draws."""
    while True:
        state, u = uniform(state)
        if layer == 0:
            return state, _R - math.log1p(-u)
        if (_HEIGHT[layer - 1] - _HEIGHT[layer]) * u + _HEIGHT[layer] < math.exp(-x):
            return state, x
        state, bits = word(state)
        layer = np.int64(bits >> _B56)
        number = np.int64((bits << _B8) >> _B11)
        x = number * _WIDTH[layer]
        if number < _ACCEPT[layer]:
            return state, x


@njit(cache=True, nogil=True)
def exponential(state):
    """Next state and a standard exponential number, by the ziggurat method (exact)."""
    state, bits = word(state)
    layer = np.int64(bits >> _B56)
    number = np.int64((bits << _B8) >> _B11)
    x = number * _WIDTH[layer]
    if number < _ACCEPT[layer]:
        return state, x
    return _unlikely_exponential(state, layer, x)


@njit(cache=True, nogil=True)
def normal(state):
    """Next state and a standard normal number (Box and Muller)."""
    state, radius = exponential(state)
    state, u = uniform(state)
    return state, math.sqrt(2.0 * radius) * math.cos(2.0 * math.pi * u)


@njit(cache=True, nogil=True)
def gamma(state, shape):
    """Next state and a Gamma number of this shape and scale 1 (Marsaglia and Tsang 2000)."""
    boost = 1.0
    if shape < 1.0:
        state, e = exponential(state)
        boost = math.exp(-e / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        state, z = normal(state)
        v = (1.0 + c * z) ** 3
        state, e = exponential(state)
        if v > 0.0 and -e < 0.5 * z * z + d - d * v + d * math.log(v):
            return state, d * v * boost
