"""Networks that do not mean what their author meant are found and named; correct ones pass without a word."""

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.stochastic import networks
from regulome.stochastic.checks import examine
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Trigger, Waiting
from regulome.stochastic.structure import conservation_laws, siphons


def network(*events, start=None, parameters=(), **more):
    """Network of (change, rate) pairs with unit constants a, b, c, k."""
    states = tuple(dict.fromkeys(state for change, _ in events for state in change))
    events = tuple(Event(f"e{i}", change, rate) for i, (change, rate) in enumerate(events))
    constants = {name: 1.0 for name in "abck" if name not in [p.name for p in parameters]}
    return StateTransitionNetwork("net", states, events, parameters, start or {}, constants=constants, **more)


def kinds(found):
    return {(finding.level, finding.kind, finding.names) for finding in found if finding.level != "note"}


@pytest.mark.parametrize("name", sorted(networks.examples()))
def test_examples_have_no_mistakes_and_only_the_epidemic_has_a_trap(name):
    expected = {("warning", "absorbing", ("I",))} if name == "sirs" else set()
    assert kinds(examine(networks.load(name))) == expected


def test_the_printed_epidemic_is_refused_because_deaths_lack_their_species():
    printed = networks.load("sirs")
    events = tuple(Event(e.name, e.change, "δS") if e.name == "death of S" else e for e in printed.events)
    wrong = StateTransitionNetwork(
        "sirs", printed.states, events, printed.parameters, printed.initial, source="sirs.json"
    )
    with pytest.raises(UserError, match=r"sirs\.json: event 'death of S'.*S = 0.*make 'S' negative.*\* S") as caught:
        examine(wrong)
    assert "\n" not in str(caught.value)
    found = examine(wrong, strict=False)
    assert found[0].level == "error" and found[0].names == ("death of S",)


@pytest.mark.parametrize(
    "rate, fine",
    [("k * X * (X - 1)", True), ("k * X^2", False), ("k * X", False), ("k * where(X >= 2, 1, 0)", True), ("k", False)],
)
def test_a_pair_needs_two_molecules(rate, fine):
    pair = network(({"X": 1}, "a"), ({"X": -2}, rate))
    if fine:
        assert not [f for f in examine(pair) if f.level == "error"]
    else:
        with pytest.raises(UserError, match="would make 'X' negative"):
            examine(pair)


def test_a_mistake_far_from_the_start_is_a_warning():
    far = network(({"X": -1}, "5"), start={"X": 100_000})
    found = examine(far)
    assert ("warning", "negative count", ("e0",)) in kinds(found)
    assert "not reached" in found[0].message


def test_a_bound_by_a_conservation_law_or_a_zero_propensity_is_no_mistake():
    conversion = network(({"X": -1, "Y": 1}, "k * (10 - Y)"), ({"X": 1, "Y": -1}, "k * Y"), start={"X": 10})
    assert not kinds(examine(conversion))
    promoter = network(({"G": 1}, "a * (1 - G)"), ({"G": -1}, "b * G"))
    assert not kinds(examine(promoter))


@pytest.mark.parametrize(
    "rate, kind, said",
    [
        ("k * (3 - X)", "negative propensity", "X = 4"),
        ("k / (X - 2)", "negative propensity", "X = 0"),
        ("k * ln(X)", "propensity not finite", "X = 0"),
        ("k / X", "propensity not finite", "X = 0"),
    ],
)
def test_a_propensity_that_is_negative_or_not_finite_is_named(rate, kind, said):
    bad = network(({"X": 1}, "20"), ({"X": -1}, "k * X"), ({"Y": 1}, rate), ({"Y": -1}, "Y"))
    found = examine(bad, strict=False)
    assert found[0].kind == kind and found[0].names == ("e2",) and said in found[0].message
    with pytest.raises(UserError, match="event 'e2'"):
        examine(bad)


def test_the_whole_box_is_looked_at_and_a_single_parameter_set_alone_if_given():
    box = network(({"X": 1}, "k - 1"), ({"X": -1}, "X"), parameters=(Parameter("k", 0.5, 3),))
    with pytest.raises(UserError, match=r"'k - 1'.*k = 0\.\d+"):
        examine(box)
    assert not kinds(examine(box, theta=np.array([2.0])))


def test_a_waiting_time_that_is_not_positive_is_refused():
    waits = StateTransitionNetwork(
        "w", ("X",), (Event("in", {"X": 1}, "1"), Event("out", {"X": -1}, waiting=Waiting("2", "m - 1"))),
        (Parameter("m", 0.5, 2),),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"event 'out': waiting: mean 'm - 1' is -0\.5"):
        examine(waits)


def test_traps_are_named_with_the_species_that_die_out():
    logistic = network(({"X": 1}, "a * X"), ({"X": -1}, "b * X^2"), start={"X": 10})
    assert kinds(examine(logistic)) == {("warning", "absorbing", ("X",))}
    pair = network(  # each makes the other: both must be gone
        ({"A": 1}, "a * B"), ({"B": 1}, "b * A"), ({"A": -1}, "A"), ({"B": -1}, "B"), start={"A": 5}
    )
    assert kinds(examine(pair)) == {("warning", "absorbing", ("A", "B"))}
    imported = network(({"X": 1}, "a * X + 0.1"), ({"X": -1}, "b * X"), start={"X": 10})
    assert kinds(examine(imported)) == set()
    saved = network(
        ({"X": 1}, "a * X"), ({"X": -1}, "b * X"), start={"X": 1}, triggers=(Trigger("t", "X < 1", {"X": 9}),)
    )
    assert kinds(examine(saved)) == set()


def test_what_never_appears_or_never_leaves_is_named():
    found = kinds(examine(network(({"X": 1}, "a * X"), ({"X": -1}, "b * X"))))
    assert found == {("warning", "never made", ("X",))}
    assert kinds(examine(network(({"X": 1}, "a")))) == {("warning", "no loss", ("X",))}
    silent = network(({"X": 1}, "a"), ({"X": -1}, "X"), ({"X": 2}, "0 * X"))
    assert kinds(examine(silent)) == {("warning", "never happens", ("e2",))}


def test_conservation_laws_are_the_null_space_of_the_stoichiometry():
    enzyme = network(  # E + S <-> C -> E + P
        ({"E": -1, "S": -1, "C": 1}, "a * E * S"), ({"E": 1, "S": 1, "C": -1}, "b * C"),
        ({"E": 1, "C": -1, "P": 1}, "c * C"), start={"E": 3, "S": 20},
    )  # fmt: skip
    laws = {str(law) for law in conservation_laws(enzyme)}
    assert laws == {"E + C = 3", "S + C + P = 20"}
    dimer = network(({"M": -2, "D": 1}, "k * M * (M - 1)"), ({"M": 2, "D": -1}, "k * D"), start={"M": 7})
    assert [str(law) for law in conservation_laws(dimer)] == ["M + 2 D = 7"]
    for net in (enzyme, dimer, networks.load("splicing")):
        weights = np.array([[law.weights.get(s, 0) for s in net.states] for law in conservation_laws(net)])
        assert not (net.stoichiometry @ weights.T).any()
        assert len(weights) == len(net.states) - np.linalg.matrix_rank(net.stoichiometry)
    assert conservation_laws(network(({"X": 1, "Y": 1}, "a"), ({"X": -1, "Y": -1}, "X * Y"))) == ()


def test_siphons_of_the_enzyme_are_those_of_the_textbook():
    enzyme = network(
        ({"E": -1, "S": -1, "C": 1}, "a * E * S"), ({"E": 1, "S": 1, "C": -1}, "b * C"),
        ({"E": 1, "C": -1, "P": 1}, "c * C"), start={"E": 3, "S": 20},
    )  # fmt: skip
    states = np.random.default_rng(0).integers(1, 5, (20, 4))
    assert set(siphons(enzyme, states, np.zeros((20, 0)))) == {("E", "C"), ("S", "C")}


def test_the_result_follows_from_the_seed():
    net = networks.load("toggle")
    assert examine(net, seed=3) == examine(net, seed=3)
