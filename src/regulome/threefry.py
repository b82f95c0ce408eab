"""Random numbers by position: Threefry-2x32 with 20 rounds (Salmon et al., SC 2011).

A counter-based generator has no state: the numbers of parameter set p and link l are a function of (seed, topology,
p, l) alone, whatever was drawn before, on however many threads. Plain NumPy here, and the same as vector code for
numba kernels (`exponentials`), sixteen counters at a time.
"""

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from regulome.lanes import LANES, Lanes, operation

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
# log(1 + x) on [sqrt(1/2) - 1, sqrt(2) - 1] after x - x²/2: x³ times this polynomial, found by least squares below
_DEGREE = 9


def threefry(key: tuple[int, int], first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two 32-bit words for each counter (first, second), arrays of uint32 of one shape.

    Raises
    ------
    ValueError
        If a key is not in 0 .. 2³² - 1.
    """
    if not all(0 <= word < 2**32 for word in key):
        raise ValueError(f"key is {key}, expected two numbers from 0 to 2**32 - 1")
    words = np.array([*key, key[0] ^ key[1] ^ _PARITY], dtype=np.uint32)
    with np.errstate(over="ignore"):
        x, y = np.asarray(first, np.uint32) + words[0], np.asarray(second, np.uint32) + words[1]
        for group in range(5):
            for bits in _ROTATIONS[group % 2]:
                x = x + y
                y = ((y << np.uint32(bits)) | (y >> np.uint32(32 - bits))) ^ x
            x = x + words[(group + 1) % 3]
            y = y + words[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def exponential(bits: np.ndarray) -> np.ndarray:
    """Standard exponential numbers, float32, from 32-bit words: -log of a uniform number with 23 random bits."""
    uniform = (np.asarray(bits, np.uint32) >> np.uint32(9)) * 2.0**-23 + 2.0**-24
    return (-np.log(uniform)).astype(np.float32)


def _log_polynomial() -> np.ndarray:
    """Coefficients of (log(1 + x) - x + x²/2) / x³ on the interval that the mantissa is brought to, degree first 0."""
    low, high = np.sqrt(0.5) - 1, np.sqrt(2) - 1
    x = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.where(np.abs(x) < 1e-3, 1 / 3 - x / 4 + x**2 / 5, (np.log1p(x) - x + x**2 / 2) / x**3)
    return np.polynomial.polynomial.Polynomial.fit(x, y, _DEGREE).convert().coef


def _minus_log(lanes: Lanes, bits):
    """-log(U) for 16 words; U = (2 n + 1) / 2^24 with n the upper 23 bits is exact in float32."""
    builder, whole = lanes.builder, ir.VectorType(ir.IntType(32), LANES)

    def integers(value):
        return ir.Constant(whole, [value] * LANES)

    n = builder.lshr(bits, integers(9))
    one = builder.bitcast(builder.or_(n, integers(0x3F800000)), lanes.type)
    uniform = builder.fadd(builder.fsub(one, lanes.constant(1.0)), lanes.constant(2.0**-24))
    raw = builder.bitcast(uniform, whole)
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


def _exponentials(lanes: Lanes, _y, i, _z, j, key0, key1, first, second):
    builder, whole = lanes.builder, ir.VectorType(ir.IntType(32), LANES)

    def spread(value):
        return lanes.spread(builder.trunc(value, ir.IntType(32)))

    def constant(value):
        return ir.Constant(whole, [value] * LANES)

    keys = [spread(key0), spread(key1)]
    keys.append(builder.xor(builder.xor(keys[0], keys[1]), constant(_PARITY)))
    x = builder.add(builder.add(spread(first), ir.Constant(whole, list(range(LANES)))), keys[0])
    y = builder.add(spread(second), keys[1])
    for group in range(5):
        for bits in _ROTATIONS[group % 2]:
            x = builder.add(x, y)
            y = builder.or_(builder.shl(y, constant(bits)), builder.lshr(y, constant(32 - bits)))
            y = builder.xor(y, x)
        x = builder.add(x, keys[(group + 1) % 3])
        y = builder.add(builder.add(y, keys[(group + 2) % 3]), constant(group + 1))
    lanes.store(_minus_log(lanes, x), 0, i)
    lanes.store(_minus_log(lanes, y), 2, j)


@intrinsic
def exponentials(typingctx, y, i, z, j, key0, key1, first, second):
    """y[i:] and z[j:] = exponential numbers of the counters (first .. first + 15, second), float32 arrays."""
    return operation(_exponentials, "aiaiiiii")(typingctx, y, i, z, j, key0, key1, first, second)
