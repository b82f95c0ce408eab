"""Reactions: against closed forms of the telegraph model and of birth and death."""

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.knockout import reactions
from regulome.knockout.interface import knockout
from regulome.knockout.reactions import NearestLaw, RateEquations
from regulome.knockout.targets import Reaction
from regulome.stochastic import exact, networks
from regulome.stochastic.dataset_shards import make
from regulome.stochastic.solver import Solver
from regulome.stochastic.transformer import Architecture

KON, KOFF, KSYN, KDEG = THETA = np.array([0.5, 1.5, 12.0, 1.0])


@pytest.fixture(scope="module")
def telegraph():
    return networks.load("telegraph")


@pytest.fixture(scope="module")
def solver(telegraph):
    return Solver.new(telegraph, Architecture(), seed=1)


def effect(model, name, factor=0.0, readout="mean of mRNA", theta=THETA):
    found = knockout(model, Reaction(name, theta, factor)).set_index("readout")["effect"]
    return found[readout]


def mean(kon, koff, ksyn, kdeg):
    return ksyn / kdeg * kon / (kon + koff)


@pytest.mark.parametrize("factor", [0.5, 0.25])
@pytest.mark.parametrize("place", range(4), ids=["gene on", "gene off", "transcription", "decay"])
def test_slowing_a_reaction_down_has_the_closed_form(telegraph, place, factor):
    name = [event.name for event in telegraph.events][place]
    slower = THETA.copy()
    slower[place] *= factor
    expected = mean(*slower) / mean(*THETA) - 1
    assert effect(telegraph, name, factor) == pytest.approx(expected, abs=1e-5)
    assert effect(RateEquations(telegraph), name, factor) == pytest.approx(expected, abs=1e-4)


def test_removing_a_reaction_is_the_limit_of_slowing_it_down(telegraph):
    assert effect(telegraph, "gene off") == pytest.approx(KSYN / KDEG / mean(*THETA) - 1, abs=1e-5)
    assert effect(telegraph, "transcription") == -1
    assert effect(telegraph, "gene off", 1e-4) == pytest.approx(effect(telegraph, "gene off"), abs=2e-3)


def test_a_gene_that_is_always_on_is_poisson(telegraph):
    """Without switching off the law is Poisson, whose sd is the root of its mean; Poisson noise is then exact."""
    wild = THETA.copy()
    before = np.sqrt(mean(*wild) + wild[2] ** 2 * KON * KOFF / (KON + KOFF) ** 2 / (KON + KOFF + KDEG) / KDEG)
    expected = np.sqrt(KSYN / KDEG) / before - 1
    assert effect(telegraph, "gene off", readout="sd of mRNA") == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["gene on", "transcription", "decay"])
def test_moment_equations_and_the_law_give_the_same_effects(telegraph, name):
    target, slower = Reaction(name, THETA, 0.5), reactions.scaled(telegraph, Reaction(name, THETA, 0.5))
    laws = [reactions.moments(exact.stationary(one, THETA).distribution) for one in (telegraph, slower)]
    found = knockout(telegraph, target).set_index("readout")["effect"]
    for readout, value in laws[0].items():
        assert found[readout] == pytest.approx(laws[1][readout] / value - 1, abs=1e-5)


def test_the_solver_is_asked_at_the_scaled_parameter(telegraph, solver):
    slower = THETA * [1, 1, 0.5, 1]
    law, wild = solver.joint(slower).marginal("mRNA"), solver.joint(THETA).marginal("mRNA")
    assert effect(solver, "transcription", 0.5) == pytest.approx(law.mean[0] / wild.mean[0] - 1)


def test_notes_say_whether_the_box_is_left(solver):
    notes = [knockout(solver, Reaction("transcription", THETA, f))["note"].iloc[0] for f in (0.5, 0.05)]
    assert notes == [reactions.INSIDE, reactions.OUTSIDE]  # 12 x 0.05 is below the box's 1


def test_the_nearest_law_comes_from_the_training_set(telegraph):
    training = make(telegraph, 8, seed=3, threads=1, progress=False)
    theta = training.theta[2]
    place = int(np.argmax(training.theta[:, 2] / theta[2]))
    assert np.isfinite(effect(NearestLaw(training), "transcription", 0.5, theta=theta)), place


def test_events_with_a_parameter_of_their_own_are_found():
    afl = networks.load("afl")
    assert reactions.scalable(afl) == ["unbinding", "binding", "production, free", "production, bound"]
    cascade = networks.load("cascade")
    assert reactions.scalable(cascade) == ["input"]  # k and δ are shared by all steps


@pytest.mark.parametrize(
    ("name", "factor", "message"),
    [
        ("transcripton", 0.5, "no such event .did you mean 'transcription'"),
        ("transcription", 0.0, "cannot be asked for 0"),
    ],
    ids=["name", "zero"],
)
def test_a_wrong_reaction_is_refused_with_one_message(solver, name, factor, message):
    with pytest.raises(UserError, match=message):
        knockout(solver, Reaction(name, THETA, factor))


def test_a_reaction_without_a_parameter_is_refused_by_solvers_only():
    afl = networks.load("afl")
    theta = np.array([1.0, 0.05, 5.0, 20.0])
    with pytest.raises(UserError, match="no parameter of afl scales this propensity alone"):
        knockout(Solver.new(afl, seed=0), Reaction("decay", theta, 0.5))
    assert effect(afl, "decay", 0.5, "mean of P", theta) > 0


def test_the_exact_solution_refuses_another_number_of_parameters(telegraph):
    with pytest.raises(UserError, match="expected 4 finite numbers"):
        knockout(telegraph, Reaction("transcription", np.ones(2), 0.5))
