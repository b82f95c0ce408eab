"""What generated simulators call: Hill functions, the histogram of residence times, the queue of waiting molecules."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def hill(x, v, k, n):
    """v x^n / (x^n + K^n), with its limit at x = 0 for either sign of n."""
    ratio = (k / x) ** n
    return 0.0 if math.isinf(ratio) else v / (1.0 + ratio)


@njit(cache=True, nogil=True, error_model="numpy")
def hillr(x, v, k, n):
    """v K^n / (x^n + K^n)."""
    return hill(x, v, k, -n)


@njit(cache=True, nogil=True, error_model="numpy")
def mm(x, v, k):
    """v x / (x + K)."""
    return v * x / (x + k)


@njit(cache=True, nogil=True, error_model="numpy")
def mmr(x, v, k):
    """v K / (x + K)."""
    return v * k / (x + k)


@njit(cache=True, nogil=True)
def where(condition, yes, no):
    """One of two numbers."""
    return yes if condition != 0.0 else no


# --- histogram: a hash table whose key is a sum over states of count times a random odd word, which events keep up to
# date. Two of a million distinct count vectors share a 64-bit key with a probability below 1e-7.


@njit(cache=True, nogil=True)
def place(keys, key, shift):
    """Slot that holds the key, or the empty one where it belongs (0 marks an empty slot)."""
    mask = keys.shape[0] - 1
    slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> shift)
    while keys[slot] != key and keys[slot] != np.uint64(0):
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def shift_of(size):
    """Bits to drop from a 64-bit product to get a slot of a table whose size is a power of two."""
    bits = 0
    while (1 << bits) < size:
        bits += 1
    return np.uint64(64 - bits)


# --- queue: a binary heap of (time, event) pairs in two arrays


@njit(cache=True, nogil=True)
def push(times, events, size, time, event):
    """Add a pair to ``size`` others; there must be room."""
    at = size
    while at > 0:
        parent = (at - 1) // 2
        if times[parent] <= time:
            break
        times[at], events[at] = times[parent], events[parent]
        at = parent
    times[at], events[at] = time, event


@njit(cache=True, nogil=True)
def pop(times, events, size):
    """Remove the first pair of ``size``."""
    time, event = times[size - 1], events[size - 1]
    last, at = size - 1, 0
    while True:
        child = 2 * at + 1
        if child >= last:
            break
        if child + 1 < last and times[child + 1] < times[child]:
            child += 1
        if time <= times[child]:
            break
        times[at], events[at] = times[child], events[child]
        at = child
    times[at], events[at] = time, event
