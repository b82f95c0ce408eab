"""Triggers: assignments when a condition becomes true, at a time or at a threshold."""

import math

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.stochastic import ssa
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Trigger

PARAMETERS = (Parameter("k", 0.1, 50), Parameter("g", 0.01, 5), Parameter("when", 1, 40))
THETA = [1.0, 0.1, 25.0]


def birth_death(*triggers, start=0):
    events = (Event("birth", {"X": 1}, "k"), Event("death", {"X": -1}, "g * X"))
    return StateTransitionNetwork("triggered", ("X",), events, PARAMETERS, {"X": start}, triggers=triggers)


def mean(t, start=0):
    return 10 + (start - 10) * math.exp(-0.1 * t)


@pytest.mark.parametrize("condition", ["time >= 25", "25 <= time", "time >= when", "time >= 5 * 5", "(time >= 25) * 1"])
def test_a_reset_at_a_time(condition):
    times = [24.9999, 25, 25.0001, 30]
    found = ssa.simulate(birth_death(Trigger("reset", condition, {"X": "50"})), THETA, times, 4000, seed=1)[0, :, :, 0]
    assert found[:, 0].mean() == pytest.approx(mean(25), abs=0.25)
    assert (found[:, 1] == 50).all()  # the assignment is seen at its own time
    assert found[:, 2].mean() == pytest.approx(50, abs=0.1)
    assert found[:, 3].mean() == pytest.approx(mean(5, 50), abs=0.35)


def test_later_than_is_not_yet_seen_at_the_time_itself():
    found = ssa.simulate(birth_death(Trigger("reset", "time > 25", {"X": "50"})), THETA, [25, 25.0001], 500)[0, :, :, 0]
    assert (found[:, 0] < 50).all() and found[:, 1].mean() == pytest.approx(50, abs=0.3)


def test_a_threshold_is_never_passed_and_fires_again():
    network = birth_death(Trigger("divide", "X >= 8", {"X": "X - 8"}))
    found = ssa.simulate(network, [2.0, 0.0, 1.0], np.arange(0, 60, 0.5), 200, seed=3)[0, :, :, 0]
    assert found.max() == 7 and found.min() == 0
    # a counter of Poisson events modulo 8
    late = found[:, -1]
    assert np.bincount(late, minlength=8) == pytest.approx(np.full(8, 25), abs=24)
    plain = ssa.simulate(birth_death(), [2.0, 0.0, 1.0], np.arange(0, 60, 0.5), 200, seed=3, method="scalar")
    assert np.array_equal(found, plain[0, :, :, 0] % 8)


def test_a_condition_that_holds_from_the_start_has_not_become_true():
    found = ssa.simulate(birth_death(Trigger("never", "time >= 0", {"X": "99"}), start=3), THETA, [0.0], 3)
    assert (found == 3).all()


def test_triggers_that_become_true_together_use_the_counts_before_and_then_others_follow():
    network = StateTransitionNetwork(
        "swap",
        ("A", "B", "C"),
        (Event("none", {"A": 1}, "0"),),
        (),
        {"A": 3, "B": 8},
        triggers=(
            Trigger("swap", "time >= 1", {"A": "B", "B": "A"}),
            Trigger("then", "A > B", {"C": "C + 1", "A": "0"}),
            Trigger("and then", "C >= 1", {"B": "7"}),
        ),
    )
    found = ssa.simulate(network, np.empty((1, 0)), [0, 0.999, 1, 2])[0, 0]
    assert found.tolist() == [[3, 8, 0], [3, 8, 0], [0, 7, 1], [0, 7, 1]]


def test_residence_times_see_triggers():
    network = birth_death(Trigger("reset", "time >= 25", {"X": "60"}))
    found = ssa.occupancy(network, THETA, burn_in=24, window=1.5, trajectories=2000, seed=4)[0]
    share = found.weights[found.counts[:, 0] > 40].sum()
    assert share == pytest.approx(0.5 / 1.5, abs=1e-3)
    assert found.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("condition", ["time + X > 25", "X > time", "sin(time) > 0", "time - 3 >= k", "time"])
def test_other_uses_of_time_are_refused(condition):
    with pytest.raises(UserError, match=r"trigger 'odd'.*time can only be compared"):
        ssa.final(birth_death(Trigger("odd", condition, {"X": "1"})), THETA, 1.0)


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (Trigger("half", "X >= 3", {"X": "X / 2"}), "trigger 'half' sets a count that is not a whole number.*X = 3"),
        (Trigger("minus", "X >= 3", {"X": "X - 9"}), "trigger 'minus' sets a count"),
    ],
)
def test_assignments_must_give_counts(trigger, message):
    with pytest.raises(UserError, match=message):
        ssa.final(birth_death(trigger), THETA, 50.0, 5)


def test_triggers_without_end_are_an_error():
    network = StateTransitionNetwork(
        "loop",
        ("A",),
        (Event("none", {"A": 1}, "0"),),
        (),
        triggers=(
            Trigger("up", "time >= 1", {"A": "1"}),
            Trigger("a", "A > 0", {"A": "0"}),
            Trigger("b", "A < 1", {"A": "1"}),
        ),
    )
    with pytest.raises(UserError, match="set each other off without end"):
        ssa.final(network, np.empty((1, 0)), 2.0)
