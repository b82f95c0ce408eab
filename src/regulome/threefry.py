"""Random numbers by position: Threefry-2x32 with 20 rounds (Salmon et al., SC 2011).

A counter-based generator has no state: the numbers of parameter set p and link l are a function of (seed, topology,
p, l) alone, whatever was drawn before, on however many threads. Plain NumPy; `regulome.threefry_lanes` is the same as
vector code for numba kernels.
"""

import numpy as np
from scipy.special import ndtr, ndtri

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
WITHIN_TWO = float(ndtr(2) - ndtr(-2))  # share of a normal distribution that the cut at two leaves


def threefry(key: tuple[int, int], first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two 32-bit words for each counter (first, second), arrays of uint32 of one shape.

    Raises
    ------
    ValueError
        If a key is not in 0 .. 2³² - 1.
    """
    if not all(0 <= word < 2**32 for word in key):
        raise ValueError(f"key is {key}, expected two numbers from 0 to 2**32 - 1")
    words = np.array([*key, key[0] ^ key[1] ^ PARITY], dtype=np.uint32)
    with np.errstate(over="ignore"):
        x, y = np.asarray(first, np.uint32) + words[0], np.asarray(second, np.uint32) + words[1]
        for group in range(5):
            for bits in ROTATIONS[group % 2]:
                x = x + y
                y = ((y << np.uint32(bits)) | (y >> np.uint32(32 - bits))) ^ x
            x = x + words[(group + 1) % 3]
            y = y + words[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def exponential(bits: np.ndarray) -> np.ndarray:
    """Standard exponential numbers, float32, from 32-bit words: -log of a uniform number with 23 random bits."""
    return (-np.log(uniform(bits))).astype(np.float32)


def uniform(bits: np.ndarray) -> np.ndarray:
    """Numbers strictly between 0 and 1 from 32-bit words: centres of 2^23 equal intervals."""
    return (np.asarray(bits, np.uint32) >> np.uint32(9)) * 2.0**-23 + 2.0**-24


def truncated_normal(bits: np.ndarray) -> np.ndarray:
    """Standard normal numbers cut at two standard deviations, float32, from 32-bit words: the inverse distribution."""
    return ndtri(0.5 + (uniform(bits) - 0.5) * WITHIN_TWO).astype(np.float32)
