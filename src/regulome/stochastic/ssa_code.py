"""Writes the simulator of a network: Python source for numba, with states, parameters and propensities as variables.

Gillespie's direct method with everything unrolled. Counts and propensities live in registers; an event's branch changes
the counts it changes and computes anew only the propensities that read them. Two kernels come from the same pieces:

    grid        counts at given times
    histogram   time spent in every recorded state within a window (or visits on a grid of times)

A network with waiting times gets a queue of molecules that wait; one with triggers looks at their conditions after
every jump and at the times that they name.
"""

import numpy as np

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.rate_facts import has_factors, never_negative
from regulome.stochastic.rates import Rate
from regulome.stochastic.ssa_cache import load

# What a kernel reports: done, or why it stopped.
STATUS = ("done", "rate", "negative", "events", "assignment", "triggers", "large", "extinct", "full")
_TAB = "    "
_HEAD = '''"""Simulator of one network, written by regulome.stochastic.ssa_code."""

import math

import numpy as np
from numba import njit

from regulome.stochastic.ssa_random import exponential, gamma, stream, uniform
from regulome.stochastic.ssa_support import hill, hillr, mm, mmr, place, pop, push, shift_of, where

KEY = np.uint64
'''
_GRID = """

@njit("void(f8[::1], f8[::1], u8, u8, i8, f8[::1], f8[::1], i8[::1], f8[::1], i4[:, :, ::1], i8, i8[::1], f8[::1])",
      cache=True, nogil=True, error_model="numpy")
def grid(theta, start, seed, number, first, stops, queue, queued, times, out, cap, report, left):
"""
_HISTOGRAM = """

@njit("void(f8[::1], f8[::1], u8, u8, i8, f8[::1], f8[::1], i8[::1], i8, f8, f8, f8, f8[:, ::1], u8[::1], i4[:, ::1], "
      "f8[::1], i8[::1], i8, i8[::1], f8[::1])", cache=True, nogil=True, error_model="numpy")
def histogram(theta, start, seed, number, first, stops, queue, queued, trajectories, begin, end, spacing, kept, keys,
              rows, weights, order, cap, report, left):
"""


def compiled(network: StateTransitionNetwork, kind: str, survive: str = ""):
    """Kernel "grid" or "histogram" of a network, compiled or from the cache.

    Parameters
    ----------
    survive
        Condition over states and parameters whose loss is extinction (histogram only).

    Raises
    ------
    UserError
        If a trigger uses time in a way that cannot be simulated exactly, or sets a state whose molecules wait.
    """
    return getattr(load(source(network, kind, survive)), kind)


def source(network: StateTransitionNetwork, kind: str, survive: str = "") -> str:
    """Source text of one kernel."""
    return _Writer(network, kind, survive).text()


class _Writer:
    """Collects the lines of one kernel."""

    def __init__(self, network: StateTransitionNetwork, kind: str, survive: str):
        self.network, self.kind = network, kind
        self.names = {name: f"x{i}" for i, name in enumerate(network.states)}
        self.names |= {name: f"p{i}" for i, name in enumerate(network.parameter_names)}
        self.names |= {name: repr(float(value)) for name, value in network.constants.items()}
        self.names["time"] = "t"
        self.waiting = {k: e for k, e in enumerate(network.events) if e.waiting}
        self.jumps = [k for k in range(len(network.events)) if k not in self.waiting]
        self.clock = {self._taken(e): k for k, e in self.waiting.items()}  # waiting state -> its event
        self.survive = Rate(survive, (*network.states, *network.parameter_names), "survive") if survive else None
        self.general = bool(self.waiting or network.triggers or survive)
        self.lines: list[str] = []
        for trigger in network.triggers:
            for state in set(trigger.assignments) & set(self.clock):
                raise UserError(
                    f"{network.source}: trigger '{trigger.name}': sets '{state}', whose molecules wait; "
                    "expected another state"
                )
        self.words = _words(len(network.recorded))

    @staticmethod
    def _taken(event) -> str:
        return next(state for state, change in event.change.items() if change < 0)

    def text(self) -> str:
        self._body()
        head = _HEAD + (_GRID if self.kind == "grid" else _HISTOGRAM)
        return head + "\n".join(self.lines) + "\n"

    def add(self, depth: int, *lines: str) -> None:
        self.lines += [_TAB * depth + line for line in lines]

    # --- pieces

    def _body(self) -> None:
        network, grid = self.network, self.kind == "grid"
        self.add(1, *(f"p{i} = theta[{i}]" for i in range(len(network.parameters))))
        if grid:
            self.add(1, "points = times.shape[0]", "for r in range(out.shape[0]):")
        else:
            self.add(
                1,
                "used, room = 0, keys.shape[0] // 2",
                "shift = shift_of(keys.shape[0])",
                "last_point = np.floor((end - begin) / spacing + 0.5) + 1.0 if spacing > 0.0 else 0.0",
            )
            if self.survive:
                self.add(1, "pause = end / kept.shape[0]")
            self.add(1, "for r in range(trajectories):")
        self._start(2)
        self.add(2, "while True:")
        self._loop(3)
        self.add(2, "report[3] += events")
        if not grid:
            self.add(1, "report[5] = used")

    def _start(self, depth: int) -> None:
        self.add(depth, "state = stream(seed, number, first + r)")
        self.add(depth, *(f"x{i} = start[{i}]" for i in range(len(self.network.states))))
        self.add(depth, "t = 0.0", "events = 0")
        if self.kind == "grid":
            self.add(depth, "g = 0", "limit = times[0]")
        else:
            self._key(depth)
            self.add(depth, "points = 0.0")
        if self.survive:
            self.add(depth, "taken = 0", f"if not ({self.survive.code(self.names)}):")
            self._fail(depth + 1, "extinct", 0)
        if self.waiting:
            self.add(depth, "waiting = 0")
            for state in self.clock:
                self.add(depth, f"for _ in range(np.int64({self.names[state]})):")
                self._arrival(depth + 1, state)
        if self.network.triggers:
            self.add(depth, "stop = 0")
            for j, trigger in enumerate(self.network.triggers):
                self.add(depth, f"w{j} = bool({self._rate(trigger.condition, True)})")
        self._propensities(depth, self.jumps)

    def _rate(self, text, time: bool = False) -> str:
        names = (*self.network.states, *self.network.parameter_names, *self.network.constants)
        return Rate(text, (*names, "time") if time else names).code(self.names)

    def _propensities(self, depth: int, which) -> None:
        for k in which:
            rate = self.network.rates[k]
            self.add(depth, f"a{k} = {rate.code(self.names)}")
            if not never_negative(rate, self.network):
                self.add(depth, f"if not a{k} >= 0.0:")
                self._fail(depth + 1, "rate", k)

    def _fail(self, depth: int, status: str, which) -> None:
        self.add(depth, f"report[0], report[1], report[2] = {STATUS.index(status)}, {which}, first + r")
        self.add(depth, *(f"left[{i}] = x{i}" for i in range(len(self.network.states))))
        self.add(depth, "return")

    def _key(self, depth: int) -> None:
        terms = [
            f"KEY(np.int64(x{i})) * KEY({word})"
            for i, word in zip(self.network.recorded_index, self.words, strict=True)
        ]
        self.add(depth, f"key = {' + '.join(terms)} + KEY(1)")

    def _arrival(self, depth: int, state: str) -> None:
        k = self.clock[state]
        waiting = self.network.events[k].waiting
        self.add(depth, "if waiting == queue.shape[0]:")
        self._fail(depth + 1, "full", 0)
        shape, mean = self._rate(waiting.shape), self._rate(waiting.mean)
        self.add(
            depth,
            f"state, e = gamma(state, {shape})",
            f"push(queue, queued, waiting, t + e * {mean} / {shape}, {k})",
            "waiting += 1",
        )

    def _loop(self, depth: int) -> None:
        sums = self._sums(depth)
        total = sums[-1] if sums else "0.0"
        self.add(depth, "state, e = exponential(state)", f"following = t + e / {total}")
        if self.general:
            self.add(depth, "chosen = -1")
            if self.waiting:
                self.add(depth, "if waiting > 0 and queue[0] <= following:")
                self.add(depth + 1, "following = queue[0]", "chosen = queued[0]")
            if self.network.triggers:
                self.add(depth, "if stops[stop] <= following:", "    following = stops[stop]", "    chosen = -2")
        self._record_grid(depth) if self.kind == "grid" else self._record_histogram(depth)
        self.add(depth, "t = following", "events += 1")
        self.add(depth, "if events > cap:")
        self._fail(depth + 1, "events", 0)
        self._select(depth, sums)
        if self.survive:
            self._restart(depth)
        if self.network.triggers:
            self._fire(depth)

    def _sums(self, depth: int) -> list[str]:
        """Partial sums of the propensities; the last one is the total."""
        sums: list[str] = []
        for i, k in enumerate(self.jumps):
            if i == 0:
                sums.append(f"a{k}")
                continue
            self.add(depth, f"c{k} = {sums[-1]} + a{k}")
            sums.append(f"c{k}")
        return sums

    def _record_grid(self, depth: int) -> None:
        tie = (
            "times[g] <= following"
            if not self.general
            else "(times[g] < following or times[g] == following and chosen == -1)"
        )
        self.add(depth, "if not following < limit:", "    if math.isnan(following):")
        self._fail(depth + 2, "rate", -1)
        self.add(depth + 1, f"while g < points and {tie}:")
        for i in range(len(self.network.states)):
            self.add(depth + 2, f"if x{i} > 2147483647.0:")
            self._fail(depth + 3, "large", i)
            self.add(depth + 2, f"out[r, g, {i}] = np.int32(x{i})")
        self.add(depth + 1, "    g += 1", "if g == points:", "    break", "limit = times[g]")

    def _record_histogram(self, depth: int) -> None:
        if self.survive:
            self.add(depth, "while taken < kept.shape[0] and taken * pause <= following:")
            self.add(depth + 1, *(f"kept[taken, {i}] = x{i}" for i in range(len(self.network.states))), "taken += 1")
        self.add(
            depth,
            "if following > begin or not following < end:",
            "    until = min(following, end)",
            "    if spacing > 0.0:",
            "        seen = min(last_point, np.floor((until - begin) / spacing) + 1.0)",
            "        if following >= end:",
            "            seen = last_point",
            "        weight = seen - points",
            "        points = seen",
            "    else:",
            "        weight = until - max(t, begin)",
            "    slot = place(keys, key, shift)",
            "    if keys[slot] == KEY(0):",
            "        if weight > 0.0:",
            "            keys[slot] = key",
            "            order[used] = slot",
        )
        for j, i in enumerate(self.network.recorded_index):
            self.add(depth + 3, f"rows[slot, {j}] = np.int32(x{i})")
        self.add(depth, "            weights[slot] = weight", "            used += 1", "            if used == room:")
        self._fail(depth + 4, "full", 0)
        self.add(
            depth,
            "    else:",
            "        weights[slot] += weight",
            "    if not following < end:",
            "        if math.isnan(following):",
        )
        self._fail(depth + 3, "rate", -1)
        self.add(depth, "        break")

    def _select(self, depth: int, sums: list[str]) -> None:
        """One branch an event; the last one needs no comparison."""
        if self.waiting or self.network.triggers:
            self.add(depth, "if chosen == -2:", "    stop += 1") if self.network.triggers else None
            word = "elif" if self.network.triggers else "if"
            for k in self.waiting:
                self.add(depth, f"{word} chosen == {k}:", "    pop(queue, queued, waiting)", "    waiting -= 1")
                self._jump(depth + 1, k)
                word = "elif"
            self.add(depth, "else:") if self.jumps else None
            depth += 1
        if not self.jumps:
            return
        if len(self.jumps) > 1:
            self.add(depth, "state, u = uniform(state)", f"u *= {sums[-1]}")
        for i, k in enumerate(self.jumps):
            inner = depth + 1
            if len(self.jumps) == 1:
                inner = depth
            elif i + 1 == len(self.jumps):
                self.add(depth, "else:")
            else:
                self.add(depth, f"{'elif' if i else 'if'} u < {sums[i]}:")
            self._jump(inner, k)

    def _jump(self, depth: int, k: int) -> None:
        event = self.network.events[k]
        changed = {state: int(c) for state, c in event.change.items() if c}
        for state, change in changed.items():
            x = self.names[state]
            self.add(depth, f"{x} {'+' if change > 0 else '-'}= {float(abs(change))!r}")
            if change < 0 and not (event.waiting or has_factors(self.network.rates[k], state, -change)):
                self.add(depth, f"if {x} < 0.0:")
                self._fail(depth + 1, "negative", k)
        if self.kind == "histogram":
            recorded = {i: w for i, w in zip(self.network.recorded, self.words, strict=True)}
            step = sum(c * recorded[s] for s, c in changed.items() if s in recorded) % 2**64
            if step:
                self.add(depth, f"key += KEY({step})")
        for state, change in changed.items():
            if change > 0 and state in self.clock:
                for _ in range(change):
                    self._arrival(depth, state)
        affected = [j for j in self.jumps if set(changed) & self.network.rates[j].names]
        self._propensities(depth, affected)
        if not changed:
            self.add(depth, "pass")

    def _restart(self, depth: int) -> None:
        """Extinct: go on from a state that the trajectory was in, at a random time in the later half of its past."""
        self.add(
            depth,
            f"if not ({self.survive.code(self.names)}):",
            "    state, u = uniform(state)",
            "    back = taken // 2 + np.int64(u * (taken - taken // 2))",
        )
        self.add(depth + 1, *(f"x{i} = kept[back, {i}]" for i in range(len(self.network.states))))
        self.add(depth + 1, "report[4] += 1")
        self._key(depth + 1)
        self._propensities(depth + 1, self.jumps)

    def _fire(self, depth: int) -> None:
        """Triggers: conditions that have become true set states, and may make others true."""
        triggers = self.network.triggers
        self.add(depth, "rounds = 0", "while True:")
        for j, trigger in enumerate(triggers):
            self.add(depth + 1, f"now = bool({self._rate(trigger.condition, True)})")
            self.add(depth + 1, f"f{j} = now and not w{j}", f"w{j} = now")
            for state, text in trigger.assignments.items():
                self.add(depth + 1, f"v{j}_{self.names[state]} = {self._rate(text)}")
        self.add(depth + 1, f"if not ({' or '.join(f'f{j}' for j in range(len(triggers)))}):", "    break")
        for j, trigger in enumerate(triggers):
            self.add(depth + 1, f"if f{j}:")
            for state in trigger.assignments:
                value = f"v{j}_{self.names[state]}"
                self.add(depth + 2, f"if not ({value} >= 0.0 and {value} == math.floor({value})):")
                self._fail(depth + 3, "assignment", j)
                self.add(depth + 2, f"{self.names[state]} = {value}")
        self.add(depth + 1, "rounds += 1", "if rounds > 1000:")
        self._fail(depth + 2, "triggers", 0)
        self._key(depth + 1) if self.kind == "histogram" else None
        self._propensities(depth + 1, self.jumps)


def _words(count: int) -> list[int]:
    """Fixed random odd words for the keys of the histogram."""
    return [int(w) | 1 for w in np.random.default_rng(20240101).integers(0, 2**64, count, dtype=np.uint64)]
