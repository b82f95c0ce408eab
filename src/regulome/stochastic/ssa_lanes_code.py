"""Writes the lock-step simulator of a network around the vector code of `regulome.stochastic.ssa_lanes`."""

from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.ssa_cache import load
from regulome.stochastic.ssa_lanes import program

_TEXT = '''"""Lock-step simulator of one network, written by regulome.stochastic.ssa_lanes_code."""

import math

import numpy as np
from numba import njit

from regulome.stochastic.ssa_lanes import stepper
from regulome.stochastic.ssa_random import stream

STATES = {states}
step = stepper(STATES, {events})


@njit(cache=True, nogil=True)
def fill(table, words, start, seed, number, trajectory, limit, lane):
    table[lane], table[16 + lane] = 0.0, limit
    for i in range(STATES):
        table[(2 + i) * 16 + lane] = start[i]
    a, b, c, d = stream(seed, number, trajectory)
    at = (2 + STATES) * 16 + lane
    words[at], words[at + 16], words[at + 32], words[at + 48] = a, b, c, d


@njit("void(f8[::1], f8[::1], u8, u8, i8, f8[::1], f8[::1], u8[::1], i4[:, :, ::1], i8, i8[::1], f8[::1])",
      cache=True, nogil=True, error_model="numpy")
def lanes(theta, start, seed, number, first, times, table, words, out, cap, report, left):
    runs, points = out.shape[0], out.shape[1]
    run = np.zeros(16, np.int64)
    place = np.zeros(16, np.int64)
    begun = np.zeros(16, np.int64)
    begun_next, active, steps = 0, 0, 0
    for lane in range(16):
        fill(table, words, start, seed, number, first + min(lane, runs - 1), times[0], lane)
        run[lane] = lane
        if lane < runs:
            begun_next += 1
            active += 1
        else:
            table[16 + lane] = math.inf
    while True:
        for lane in range(16):
            if not table[16 + lane] < math.inf:
                continue
            r = run[lane]
            if steps - begun[lane] > cap:
                report[0], report[1], report[2] = 3, 0, first + r
                for i in range(STATES):
                    left[i] = table[(2 + i) * 16 + lane]
                return
            while table[lane] >= table[16 + lane]:
                for i in range(STATES):
                    x = table[(2 + i) * 16 + lane]
                    if x > 2147483647.0:
                        report[0], report[1], report[2] = 6, i, first + r
                        left[i] = x
                        return
                    out[r, place[lane], i] = np.int32(x)
                place[lane] += 1
                if place[lane] < points:
                    table[16 + lane] = times[place[lane]]
                    continue
                report[3] += steps - begun[lane]
                if begun_next < runs:
                    r = begun_next
                    begun_next += 1
                    fill(table, words, start, seed, number, first + r, times[0], lane)
                    run[lane], place[lane], begun[lane] = r, 0, steps
                else:
                    table[16 + lane] = math.inf
                    active -= 1
                    break
        if active == 0:
            return
        step(table, theta, 1048576)
        steps += np.int64(table[(STATES + 6) * 16])
'''


def compiled(network: StateTransitionNetwork):
    """Kernel "lanes" of a network, compiled or from the cache; None if it cannot be simulated in lock-step."""
    found = program(network)
    return None if found is None else load(_TEXT.format(states=found[0], events=repr(found[1]))).lanes
