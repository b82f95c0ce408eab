"""The pass rule of the community's stochastic test suite, on cases of each of its kinds with known mean and sd."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from regulome.stochastic import ssa
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Trigger
from regulome.stochastic.suite_rule import RUNS, TIMES, judge

P = (Parameter("a", 0, 100), Parameter("b", 0, 100))
BIRTH_DEATH = StateTransitionNetwork(
    "birth-death", ("X",), (Event("birth", {"X": 1}, "a * X"), Event("death", {"X": -1}, "b * X")), P
)
IMMIGRATION = StateTransitionNetwork(
    "immigration-death", ("X",), (Event("immigration", {"X": 1}, "a"), Event("death", {"X": -1}, "b * X")), P
)
BATCH = StateTransitionNetwork(
    "batch immigration-death", ("X",), (Event("batch", {"X": 5}, "a"), Event("death", {"X": -1}, "b * X")), P
)
DIMER = StateTransitionNetwork(
    "dimerisation",
    ("P", "P2"),
    (Event("pair", {"P": -2, "P2": 1}, "a * P * (P - 1) / 2"), Event("split", {"P": 2, "P2": -1}, "b * P2")),
    P,
)
RESET = (Trigger("reset", "time >= 25", {"X": "50"}),)


def birth_death(t, start, a, b):
    growth, r = np.exp((a - b) * t), a - b
    spread = start * (a + b) / r * growth * (growth - 1) if r else 2 * start * a * t
    return start * growth, np.sqrt(spread)


def immigration(t, start, a, b, batch=1):
    left = np.exp(-b * t)
    mean = start * left + a * batch / b * (1 - left)
    variance = start * left * (1 - left) + a * batch / b * (1 - left)
    variance += a * batch * (batch - 1) / (2 * b) * (1 - left**2)
    return mean, np.sqrt(variance)


def dimers(start, a, b):
    """Mean and sd of P by the matrix exponential; the number of dimers is the state."""
    pairs = np.arange(start // 2 + 1)
    single = start - 2 * pairs
    up, down = a * single * (single - 1) / 2, b * pairs
    rates = np.diag(-up - down) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)
    law, step, found = np.eye(len(pairs))[0], expm(rates), []
    for _ in TIMES:
        found.append((law @ single, np.sqrt(max(0.0, law @ single**2 - (law @ single) ** 2))))
        law = law @ step
    return np.array(found).T


def reset(start, formula, *rates):
    """A formula that starts anew from 50 at time 25."""
    before, after = formula(TIMES[:25], start, *rates), formula(TIMES[25:] - 25, 50, *rates)
    return [np.concatenate(pair) for pair in zip(before, after, strict=True)]


CASES = {
    "birth-death": (BIRTH_DEATH, 100, (0.1, 0.11), birth_death(TIMES, 100, 0.1, 0.11)),
    "birth-death, slow": (BIRTH_DEATH, 10, (0.1, 0.11), birth_death(TIMES, 10, 0.1, 0.11)),
    # the rule takes counts for normal: with fewer survivors the fourth moment alone takes Y out of its range
    "birth-death, faster turnover": (BIRTH_DEATH, 200, (0.2, 0.22), birth_death(TIMES, 200, 0.2, 0.22)),
    "birth-death, critical": (BIRTH_DEATH, 100, (0.1, 0.1), birth_death(TIMES, 100, 0.1, 0.1)),
    "pure death": (BIRTH_DEATH, 100, (0.0, 0.1), birth_death(TIMES, 100, 0.0, 0.1)),
    "pure birth": (BIRTH_DEATH, 5, (0.05, 0.0), birth_death(TIMES, 5, 0.05, 0.0)),
    "immigration-death": (IMMIGRATION, 0, (1.0, 0.1), immigration(TIMES, 0, 1.0, 0.1)),
    "immigration-death, many": (IMMIGRATION, 0, (100.0, 0.1), immigration(TIMES, 0, 100.0, 0.1)),
    "immigration-death, from 100": (IMMIGRATION, 100, (5.0, 0.1), immigration(TIMES, 100, 5.0, 0.1)),
    "batch immigration": (BATCH, 0, (1.0, 0.2), immigration(TIMES, 0, 1.0, 0.2, 5)),
    "dimerisation": (DIMER, 100, (0.001, 0.01), dimers(100, 0.001, 0.01)),
    "dimerisation, strong": (DIMER, 30, (0.02, 0.3), dimers(30, 0.02, 0.3)),
    "reset of immigration": (replace(IMMIGRATION, triggers=RESET), 0, (1.0, 0.1), reset(0, immigration, 1.0, 0.1)),
    "reset of births": (replace(BIRTH_DEATH, triggers=RESET), 100, (0.1, 0.11), reset(100, birth_death, 0.1, 0.11)),
}


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, m) for name, (net, *_) in CASES.items() for m in ("scalar", "lanes") if m == "scalar" or not net.triggers],
)
def test_case_of_the_suite(name, method):
    network, start, rates, (mean, sd) = CASES[name]
    network = replace(network, initial={network.states[0]: start})
    for seed in (1, 2):
        found = judge(ssa.simulate(network, rates, TIMES, RUNS, seed, method=method)[0, :, :, 0], mean, sd)
        if not found.again:
            break
    assert found.passed, (found.z.round(2), found.y.round(2))


def test_a_threshold_with_a_known_law():
    """Immigration that is cut back to zero at 30 is a Poisson process modulo 30."""
    network = replace(IMMIGRATION, triggers=(Trigger("cut", "X >= 30", {"X": "0"}),))
    from scipy import stats

    n = np.arange(300)
    laws = stats.poisson.pmf(n, TIMES[:, None])
    mean = laws @ (n % 30)
    sd = np.sqrt(np.maximum(laws @ (n % 30) ** 2 - mean**2, 0))
    assert judge(ssa.simulate(network, [1.0, 0.0], TIMES, RUNS, 3)[0, :, :, 0], mean, sd).passed


def test_the_rule_finds_a_wrong_simulator():
    network, _, rates, (mean, sd) = CASES["immigration-death, many"]
    values = ssa.simulate(network, rates, TIMES, RUNS, 1)[0, :, :, 0]
    assert judge(values, mean, sd).passed
    assert not judge(ssa.simulate(network, [101.0, 0.1], TIMES, RUNS, 1)[0, :, :, 0], mean, sd).passed  # 1 % off
    assert not judge(mean + 1.1 * (values - mean), mean, sd).passed  # 10 % too wide
    values[3, 0] = 1
    late = values.copy()
    assert judge(late, mean, sd).z_outside == 1  # a start that is not the start
