"""Vector code of the random numbers of `regulome.threefry`, for numba kernels: sixteen counters or keys at a time."""

from functools import cache

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from scipy.special import ndtri

from regulome.lanes import LANES, Lanes, operation
from regulome.threefry import PARITY, ROTATIONS, WITHIN_TWO

_DEGREE = 9  # of the logarithm's polynomial: float32 needs no more
_TOP = (WITHIN_TWO / 2) ** 2  # largest q² of a quantile at 1/2 + q


def _rounds(lanes: Lanes, x, y, key0, key1):
    """The two words of counters (x, y), sixteen at a time; keys are vectors too."""
    builder, whole = lanes.builder, ir.VectorType(ir.IntType(32), LANES)

    def constant(value):
        return ir.Constant(whole, [value] * LANES)

    keys = [key0, key1, builder.xor(builder.xor(key0, key1), constant(PARITY))]
    x, y = builder.add(x, keys[0]), builder.add(y, keys[1])
    for group in range(5):
        for bits in ROTATIONS[group % 2]:
            x = builder.add(x, y)
            y = builder.or_(builder.shl(y, constant(bits)), builder.lshr(y, constant(32 - bits)))
            y = builder.xor(y, x)
        x = builder.add(x, keys[(group + 1) % 3])
        y = builder.add(builder.add(y, keys[(group + 2) % 3]), constant(group + 1))
    return x, y


def _uniform(lanes: Lanes, bits):
    """U = (2 n + 1) / 2^24 for 16 words, n their upper 23 bits: exact in float32."""
    builder, whole = lanes.builder, ir.VectorType(ir.IntType(32), LANES)
    n = builder.lshr(bits, ir.Constant(whole, [9] * LANES))
    one = builder.bitcast(builder.or_(n, ir.Constant(whole, [0x3F800000] * LANES)), lanes.type)
    return builder.fadd(builder.fsub(one, lanes.constant(1.0)), lanes.constant(2.0**-24))


@cache
def _log_polynomial() -> np.ndarray:
    """Coefficients of (log(1 + x) - x + x²/2) / x³ on the interval that the mantissa is brought to, degree first 0."""
    low, high = np.sqrt(0.5) - 1, np.sqrt(2) - 1
    x = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.where(np.abs(x) < 1e-3, 1 / 3 - x / 4 + x**2 / 5, (np.log1p(x) - x + x**2 / 2) / x**3)
    return np.polynomial.polynomial.Polynomial.fit(x, y, _DEGREE).convert().coef


def _minus_log(lanes: Lanes, bits):
    """-log(U) for 16 words."""
    builder, whole = lanes.builder, ir.VectorType(ir.IntType(32), LANES)

    def integers(value):
        return ir.Constant(whole, [value] * LANES)

    raw = builder.bitcast(_uniform(lanes, bits), whole)
    # exponent and mantissa with the mantissa in [sqrt(1/2), sqrt(2))
    shifted = builder.sub(raw, integers(0x3F3504F3))
    exponent = builder.ashr(shifted, integers(23))
    mantissa = builder.bitcast(builder.sub(raw, builder.shl(exponent, integers(23))), lanes.type)
    x = builder.fsub(mantissa, lanes.constant(1.0))
    series = lanes.constant(float(_log_polynomial()[-1]))
    for coefficient in _log_polynomial()[-2::-1]:
        series = lanes.multiply_add(lanes.constant(float(coefficient)), series, x)
    square = builder.fmul(x, x)
    tail = builder.fmul(builder.fmul(x, square), series)
    log = lanes.multiply_add(tail, square, lanes.constant(-0.5))
    e = builder.sitofp(exponent, lanes.type)
    log = lanes.multiply_add(log, e, lanes.constant(1.428606765330187e-06))  # ln 2 in two parts
    log = builder.fadd(log, x)
    log = lanes.multiply_add(log, e, lanes.constant(0.693145751953125))
    return builder.fsub(lanes.constant(0.0), log)


@cache
def _normal_polynomial() -> np.ndarray:
    """Coefficients of the normal quantile at 1/2 + q, divided by q, in 2 q² / _TOP - 1, up to two deviations."""
    v = np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    q = np.sqrt(_TOP * (1 + v) / 2)
    return np.polynomial.chebyshev.cheb2poly(np.polynomial.chebyshev.chebfit(v, ndtri(0.5 + q) / q, 20))


def _exponentials(lanes: Lanes, _y, i, _z, j, key0, key1, first, second):
    builder, whole = lanes.builder, ir.VectorType(ir.IntType(32), LANES)

    def spread(value):
        return lanes.spread(builder.trunc(value, ir.IntType(32)))

    counters = builder.add(spread(first), ir.Constant(whole, list(range(LANES))))
    x, y = _rounds(lanes, counters, spread(second), spread(key0), spread(key1))
    lanes.store(_minus_log(lanes, x), 0, i)
    lanes.store(_minus_log(lanes, y), 2, j)


def _truncated_normals(lanes: Lanes, _y, i, _z, j, _k, first, second):
    builder = lanes.builder

    def spread(value):
        return lanes.spread(builder.trunc(value, ir.IntType(32)))

    def key(row):  # float32 bits of the key words
        word = lanes.load(4, ir.Constant(i.type, row * LANES))
        return builder.bitcast(word, ir.VectorType(ir.IntType(32), LANES))

    scale = lanes.load(4, ir.Constant(i.type, 2 * LANES))
    for word, (array, at) in zip(
        _rounds(lanes, spread(first), spread(second), key(0), key(1)), ((0, i), (2, j)), strict=True
    ):
        q = builder.fmul(builder.fsub(_uniform(lanes, word), lanes.constant(0.5)), lanes.constant(WITHIN_TWO))
        square = lanes.multiply_add(lanes.constant(-1.0), builder.fmul(q, q), lanes.constant(2 / _TOP))
        series = lanes.constant(float(_normal_polynomial()[-1]))
        for coefficient in _normal_polynomial()[-2::-1]:
            series = lanes.multiply_add(lanes.constant(float(coefficient)), series, square)
        lanes.store(builder.fmul(builder.fmul(q, series), scale), array, at)


@intrinsic
def exponentials(typingctx, y, i, z, j, key0, key1, first, second):
    """y[i:] and z[j:] = exponential numbers of the counters (first .. first + 15, second), float32 arrays."""
    return operation(_exponentials, "aiaiiiii")(typingctx, y, i, z, j, key0, key1, first, second)


@intrinsic
def truncated_normals(typingctx, y, i, z, j, keys, first, second):
    """y[i:] and z[j:] = truncated normal numbers of one counter (first, second) under sixteen keys.

    ``keys`` has three rows of lanes: first and second word of the keys (as the bits of float32), standard deviation.
    """
    return operation(_truncated_normals, "aiaiaii")(typingctx, y, i, z, j, keys, first, second)
