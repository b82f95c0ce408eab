"""SBML in and out: every kind of model of the community's stochastic suite is read with the propensities and changes
that its mathematics says; what cannot be simulated is refused by name and line; exported files run elsewhere."""

import libsbml
import numpy as np
import pytest
from sbml_models import event, function, inside, model, parameter, reaction, rule, species, start
from scipy.linalg import expm

from regulome.errors import UserError
from regulome.stochastic import networks, ssa, suite_rule
from regulome.stochastic.checks import examine
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork, Trigger, Waiting
from regulome.stochastic.rates import Rate
from regulome.stochastic.sbml_export import plain_names, to_sbml
from regulome.stochastic.sbml_import import from_sbml, read_sbml

L2, L3 = (2, 4), (3, 1)


def birth_death(level=L3, **more):
    """X -> 2 X, X -> 0, as in the suite's first group."""
    parts = dict(
        species=[species("X", 100)],
        parameters=[parameter("Lambda", 0.1), parameter("Mu", 0.11)],
        reactions=[
            reaction("Birth", {"X": 1}, {"X": 2}, "Lambda * X", level[0]),
            reaction("Death", {"X": 1}, {}, "Mu * X", level[0]),
        ],
    )
    return model(level, **(parts | more))


def rates(text, counts, **boxes):
    """Propensities at one state; the order of counts is that of the states."""
    network = from_sbml(text, "m.xml", boxes or None).network
    return network.propensities(np.array(counts), network.box.mean(1)).tolist()


# --- accepted


@pytest.mark.parametrize("level", [(2, 1), (2, 4), (3, 1), (3, 2)])
def test_birth_and_death_in_every_level(level):
    network = from_sbml(birth_death(level), "m.xml").network
    assert network.states == ("X",) and network.start.tolist() == [100]
    assert network.stoichiometry.tolist() == [[1], [-1]]
    assert [event.name for event in network.events] == ["Birth", "Death"]
    np.testing.assert_allclose(network.propensities([7], []), [0.7, 0.77])


@pytest.mark.parametrize("level", [L2, L3])
def test_local_parameters_shadow_global_ones_and_are_named_after_their_reaction(level):
    text = birth_death(level, reactions=[
        reaction("Birth", {"X": 1}, {"X": 2}, "Lambda * X", level[0], local={"Lambda": 3}),
        reaction("Death", {"X": 1}, {}, "Lambda * X", level[0]),
    ])  # fmt: skip
    np.testing.assert_allclose(rates(text, [2]), [6, 0.2])
    network = from_sbml(text, "m.xml", {"Birth_Lambda": (1, 9)}).network
    assert network.parameters == (Parameter("Birth_Lambda", 1.0, 9.0),)
    np.testing.assert_allclose(network.propensities([2], [5.0]), [10, 0.2])


@pytest.mark.parametrize("size", [1, 2.5])
def test_concentrations_are_counts_over_the_size_of_the_compartment(size):
    text = model(
        size=size,
        species=[species("P", 100, only_substance=False), species("P2", concentration=0, only_substance=False)],
        parameters=[parameter("k1", 0.001), parameter("k2", 0.01)],
        reactions=[
            reaction("Dimerisation", {"P": 2}, {"P2": 1}, "Cell * k1 * P * P"),
            reaction("Dissociation", {"P2": 1}, {"P": 2}, "Cell * k2 * P2"),
        ],
    )
    network = from_sbml(text, "m.xml").network
    assert network.start.tolist() == [100, 0] and network.stoichiometry.tolist() == [[-2, 1], [2, -1]]
    # extent per time = size * k1 * (p / size)^2 and size * k2 * p2 / size
    np.testing.assert_allclose(network.propensities([30, 4], []), [0.001 * 900 / size, 0.04])


def test_initial_concentration_times_size_is_the_count():
    text = birth_death(size=20, species=[species("X", concentration=5, only_substance=False)])
    assert from_sbml(text, "m.xml").network.start.tolist() == [100]
    whole = birth_death(size=20, species=[species("X", concentration=5, only_substance=True)])
    assert from_sbml(whole, "m.xml").network.start.tolist() == [100]


def test_a_compartment_without_size_counts_as_one_and_is_noted():
    found = from_sbml(birth_death(L2, size=None, species=[species("X", 9, only_substance=False)]), "m.xml")
    assert found.network.start.tolist() == [9] and "compartment 'Cell' has no size: 1 is used" in found.notes


@pytest.mark.parametrize("kind", [{"boundary": True}, {"boundary": True, "constant": True}])
def test_boundary_species_keep_their_amount_and_stand_in_rates(kind):
    text = model(
        species=[species("X", 0), species("Source", 3, **kind), species("Sink", 0, boundary=True)],
        parameters=[parameter("Alpha", 2), parameter("Mu", 0.1)],
        reactions=[
            reaction("Immigration", {"Source": 1}, {"X": 1}, "Alpha * Source"),
            reaction("Death", {"X": 1}, {"Sink": 1}, "Mu * X"),
        ],
    )
    network = from_sbml(text, "m.xml").network
    assert network.states == ("X",) and network.stoichiometry.tolist() == [[1], [-1]]
    np.testing.assert_allclose(network.propensities([5], []), [6, 0.5])


def test_batches_stoichiometry_formulas_and_conversion_factors_give_whole_changes():
    formula = f'<speciesReference species="X">{inside("stoichiometryMath", "2 * n")}</speciesReference>'
    batch = model(
        L2, species=[species("X", 0)], parameters=[parameter("n", 5), parameter("a", 1)],
        reactions=[
            reaction("Five", {}, {"X": 5}, "a", 2), reaction("Ten", {}, {"X": formula}, "a", 2),
            reaction("Catalysed", {"X": 1}, {"X": 1}, "a * X", 2),
        ],
    )  # fmt: skip
    found = from_sbml(batch, "m.xml")
    assert found.network.stoichiometry.tolist() == [[5], [10]]
    assert "reaction 'Catalysed' changes no count: left out" in found.notes
    factor = model(
        (3, 1), species=[species("X", 0, more='conversionFactor="n"'), species("Y", 4)],
        parameters=[parameter("n", 3)], reactions=[reaction("R", {"Y": 1}, {"X": 2}, "Y")],
    )  # fmt: skip
    assert from_sbml(factor, "m.xml").network.stoichiometry.tolist() == [[6, -1]]
    with pytest.raises(UserError, match="'n' fixes an initial value, a stoichiometry"):
        from_sbml(factor, "m.xml", {"n": (1, 2)})


@pytest.mark.parametrize("level", [(2, 1), (2, 4)])
def test_level_2_leaves_out_what_has_a_default(level):
    text = birth_death(
        level,
        compartment='<compartment id="Cell"/>',
        species=['<species id="X" compartment="Cell" initialAmount="100"/>'],
        parameters=['<parameter id="Lambda" value="0.1"/>', '<parameter id="Mu" value="0.11"/>'],
        reactions=[
            reaction("Birth", {"X": 1}, {"X": 2}, "Lambda * X * Cell / (2 / 2)", 2).replace(' stoichiometry="1"', ""),
            reaction("Death", {"X": 1}, {}, "Mu * X", 2).replace(' stoichiometry="1"', ""),
        ],
    )
    network = from_sbml(text, "m.xml").network
    assert network.stoichiometry.tolist() == [[1], [-1]]
    np.testing.assert_allclose(network.propensities([7], []), [0.7, 0.77])


def test_assignment_rules_are_written_out_and_give_derived_outputs():
    text = birth_death(
        species=[species("X", 100), species("y", None, boundary=True)],
        parameters=[parameter("Lambda", 0.1), parameter("Mu", 0.11), parameter("total", None, constant=False)],
        rules=[rule("y", "2 * X"), rule("total", "y + 1")],
        reactions=[reaction("Birth", {"X": 1}, {"X": 2}, "Lambda * y / 2 + 0 * total", modifiers=["y"])],
    )
    network = from_sbml(text, "m.xml").network
    assert network.states == ("X",)
    np.testing.assert_allclose(network.propensities([7], []), [0.7])
    names = (*network.states, *network.constants)
    found = {k: float(Rate(v, names)(X=7, **network.constants)) for k, v in network.derived.items()}
    assert found == {"y": 14, "total": 15}


@pytest.mark.parametrize("level", [L2, L3])
def test_events_in_time_and_on_a_threshold_become_triggers(level):
    text = birth_death(
        level, size=2, species=[species("X", 100, only_substance=False)],
        reactions=[reaction("Birth", {"X": 1}, {"X": 2}, "Cell * Lambda * X", level[0])],
        events=[event("reset", "time >= 25", {"X": "50"}, level[0]),
                event("many", "X > 75 && !(time > 40)", {"X": "X / 2 + Mu"}, level[0])],
    )  # fmt: skip
    network = from_sbml(text, "m.xml").network
    reset, many = network.triggers
    assert (reset.name, reset.condition) == ("reset", "time >= 25")
    names = (*network.states, *network.constants)
    assert float(Rate(reset.assignments["X"], names)(X=1, **network.constants)) == 100  # concentration 50, size 2
    condition = Rate(many.condition, (*names, "time"))
    for count, time, expected in ((151, 3, 1), (150, 3, 0), (151, 41, 0)):
        assert float(condition(X=count, time=time, **network.constants)) == expected
    assert float(Rate(many.assignments["X"], names)(X=40, **network.constants)) == pytest.approx(2 * (10 + 0.11))


def test_an_event_that_changes_a_parameter_switches_between_its_values():
    text = birth_death(
        parameters=[parameter("Lambda", 0.1, constant=False), parameter("Mu", 0.11), parameter("high", 0.7)],
        events=[event("faster", "time >= 5", {"Lambda": "2 * high"}), event("stop", "time >= 9", {"Lambda": "0"})],
    )
    network = from_sbml(text, "m.xml").network
    assert network.states == ("X", "Lambda_step") and network.recorded == ("X",)
    assert [dict(t.assignments) for t in network.triggers] == [{"Lambda_step": "1"}, {"Lambda_step": "2"}]
    found = [network.propensities([10, step], [])[0] for step in (0, 1, 2)]
    np.testing.assert_allclose(found, [1, 14, 0])


def test_functions_and_initial_assignments_are_worked_out():
    text = birth_death(
        (3, 1),
        functions=[function("twice", "a", "2 * a"), function("law", "k, x", "k * twice(x - 1) * x")],
        starts=[start("X", "twice(n) + 1"), start("Lambda", "1 / n")],
        parameters=[parameter("Lambda", None), parameter("Mu", 0.5), parameter("n", 4)],
        reactions=[
            reaction("Birth", {"X": 1}, {"X": 2}, "law(Lambda, X)"),
            reaction("Death", {"X": 1}, {}, "law(Mu, X)"),
        ],
    )
    network = from_sbml(text, "m.xml").network
    assert network.start.tolist() == [9]
    np.testing.assert_allclose(network.propensities([5], []), [0.25 * 8 * 5, 0.5 * 8 * 5])
    with pytest.raises(UserError, match="'n' fixes an initial value"):
        from_sbml(text, "m.xml", {"n": (1, 9)})


def test_names_that_mean_something_in_expressions_get_another_name():
    text = model(
        species=[species("exp", 3), species("mm", 1)], parameters=[parameter("e", 2), parameter("e_", 5)],
        reactions=[reaction("R", {"exp": 1}, {"mm": 1}, "e * exp + e_ * mm")],
    )  # fmt: skip
    network = from_sbml(text, "m.xml").network
    assert network.states == ("exp_", "mm_")
    np.testing.assert_allclose(network.propensities([3, 1], []), [11])


def test_a_reversible_reaction_with_a_rate_that_stays_positive_is_read():
    text = birth_death(L2, reactions=[reaction("Pairs", {"X": 2}, {}, "Mu * X * (X - 1) / 2", 2, attributes="")])
    network = from_sbml(text, "m.xml").network
    np.testing.assert_allclose(network.propensities([[0], [1], [4]], [])[:, 0], [0, 0, 0.66])


def test_a_rate_that_ends_at_the_last_pair_is_no_mistake():
    text = model(
        species=[species("P2", 0)],
        parameters=[parameter("k1", 0.001), parameter("k2", 0.01)],
        reactions=[
            reaction("Dimerisation", {}, {"P2": 1}, "k1 * (100 - 2 * P2) * ((100 - 2 * P2) - 1) / 2", modifiers=["P2"]),
            reaction("Dissociation", {"P2": 1}, {}, "k2 * P2"),
        ],
    )
    network = from_sbml(text, "m.xml").network
    np.testing.assert_allclose(network.propensities([[0], [49], [50]], [])[:, 0], [4.95, 0.001, 0])
    assert examine(network) == []


def test_units_are_ignored():
    units = '<unitDefinition id="nonsense"><listOfUnits><unit kind="mole" exponent="3"/></listOfUnits></unitDefinition>'
    text = birth_death(L2, units=units, parameters=[
        '<parameter id="Lambda" value="0.1" units="nonsense"/>', '<parameter id="Mu" value="1" units="metre"/>'
    ])  # fmt: skip
    np.testing.assert_allclose(rates(text, [3]), [0.3, 3])


def test_constants_are_the_default_and_boxes_make_parameters_in_the_order_given():
    network = from_sbml(birth_death(), "m.xml", {"Mu": (0.1, 1), "Lambda": (0, 2)}).network
    assert network.parameter_names == ("Mu", "Lambda") and dict(network.constants) == {}
    np.testing.assert_allclose(network.propensities([10], [0.3, 0.2]), [2, 3])
    with pytest.raises(UserError, match=r"m\.xml: no constant parameter 'Lamda' \(did you mean 'Lambda'\?\)"):
        from_sbml(birth_death(), "m.xml", {"Lamda": (0, 1)})


def test_a_model_with_volume_boundary_and_event_passes_the_rule_of_the_stochastic_suite():
    # immigration 1, death 0.1; at time 25 the concentration 25 in a volume of 2 is set: 50 molecules
    text = model(
        L2, size=2, species=[species("X", 0, only_substance=False), species("Source", 4, boundary=True)],
        parameters=[parameter("Alpha", 0.25), parameter("Mu", 0.1)],
        reactions=[
            reaction("Immigration", {"Source": 1}, {"X": 1}, "Alpha * Source", 2),
            reaction("Death", {"X": 1}, {}, "Cell * Mu * X", 2),
        ],
        events=[event("reset", "time >= 25", {"X": "25"}, 2)],
    )  # fmt: skip
    network = from_sbml(text, "m.xml").network
    found = ssa.simulate(network, [], suite_rule.TIMES, suite_rule.RUNS, seed=4)[0, :, :, 0]
    since, start = np.where(suite_rule.TIMES < 25, suite_rule.TIMES, suite_rule.TIMES - 25), suite_rule.TIMES >= 25
    left = np.exp(-0.1 * since)
    mean = 10 * (1 - left) + 50 * start * left
    sd = np.sqrt(10 * (1 - left) + 50 * start * left * (1 - left))
    assert suite_rule.judge(found, mean, sd).passed


# --- refused


def level3(**more):
    return birth_death(L3, **more)


REFUSED = {
    "rate rule": (
        level3(
            parameters=[parameter("Lambda", 0.1, constant=False), parameter("Mu", 1)],
            rules=[rule("Lambda", "0.5 * Mu", "rateRule")],
        ),
        r"rateRule 'Lambda', line \d+: rate rules",
    ),
    "algebraic rule": (
        level3(
            parameters=[parameter("Lambda", 0.1, constant=False), parameter("Mu", 1)],
            rules=[rule("", "Lambda - 3", "algebraicRule")],
        ),
        r"algebraicRule 'algebraic', line \d+: algebraic rules",
    ),
    "fast": (
        level3(reactions=[reaction("R", {"X": 1}, {}, "Mu * X", attributes='reversible="false" fast="true"')]),
        r"reaction 'R', line \d+: fast",
    ),
    "reversible": (
        level3(
            species=[species("X", 10), species("Y", 0)],
            reactions=[
                reaction("R", {"X": 1}, {"Y": 1}, "Lambda * X - Mu * Y", attributes='reversible="true" fast="false"')
            ],
        ),
        r"reaction 'R', line \d+: is reversible and its rate can be negative.*two reactions",
    ),
    "half a molecule": (
        level3(reactions=[reaction("R", {"X": 1.5}, {}, "Mu * X")]),
        r"reaction 'R', line \d+: change of 'X': 1\.5, expected a whole number",
    ),
    "no law": (level3(reactions=[reaction("R", {"X": 1}, {}, "")]), r"reaction 'R', line \d+: has no kinetic law"),
    "delay": (
        level3(events=[event("E", "time > 3", {"X": "1"}, more=inside("delay", "2"))]),
        r"event 'E', line \d+: has a delay",
    ),
    "priority": (
        level3(events=[event("E", "time > 3", {"X": "1"}, more=inside("priority", "2"))]),
        r"event 'E', line \d+: has a priority",
    ),
    "event at once": (
        level3(events=[event("E", "X > 3", {"X": "1"}, initial="false")]),
        r"event 'E', line \d+: fires at time 0",
    ),
    "event sets what changes": (
        level3(
            parameters=[parameter("Lambda", 0.1, constant=False), parameter("Mu", 1)],
            events=[event("E", "time > 3", {"Lambda": "X"})],
        ),
        r"eventAssignment 'Lambda', line \d+: depends on 'X'",
    ),
    "time in a law": (
        level3(reactions=[reaction("R", {"X": 1}, {}, "Mu * X * time")]),
        r"reaction 'R', line \d+: uses the time",
    ),
    "delay function": (
        level3(reactions=[reaction("R", {"X": 1}, {}, "Mu * delay(X, 1)")]),
        r"reaction 'R', line \d+: 'delay' is not supported",
    ),
    "inverse sine": (
        level3(reactions=[reaction("R", {"X": 1}, {}, "arcsin(Mu) * X")]),
        r"reaction 'R', line \d+: 'arcsin",
    ),
    "half a molecule at the start": (
        level3(species=[species("X", 2.5)]),
        r"species 'X', line \d+: initial amount: 2\.5",
    ),
    "no start": (level3(species=[species("X")]), r"species 'X', line \d+: has no initial amount"),
    "no value": (
        level3(parameters=[parameter("Lambda", None), parameter("Mu", 1)]),
        r"parameter 'Lambda', line \d+: has no finite value",
    ),
    "negative start": (level3(species=[species("X", -3)]), "initial count of 'X': found -3"),
    "circle": (
        level3(
            parameters=[parameter("Lambda", 0.1, constant=False), parameter("Mu", 1, constant=False)],
            rules=[rule("Lambda", "Mu + 1"), rule("Mu", "Lambda + 1")],
        ),
        "line|leads back to itself",
    ),
    "moving wall": (
        model(
            compartment='<compartment id="Cell" size="1" spatialDimensions="3" constant="false"/>',
            species=[species("X", 3)],
            rules=[rule("Cell", "2")],
        ),
        r"assignmentRule 'Cell', line \d+: the size of a compartment changes",
    ),
    "unknown symbol": (level3(reactions=[reaction("R", {"X": 1}, {}, "Mu * Z")]), r"line \d+: not valid SBML"),
    "unknown species": (level3(reactions=[reaction("R", {"Z": 1}, {}, "Mu")]), r"line \d+: not valid SBML"),
    "broken": (birth_death()[:600], r"line \d+: not valid SBML"),
    "not XML": ("state_names: [X]", r"line \d+: not valid SBML"),
    "empty": (" \n", "the file is empty"),
    "level 1": (
        '<?xml version="1.0"?><sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"><model name="m">'
        '<listOfCompartments><compartment name="c"/></listOfCompartments></model></sbml>',
        "SBML Level 1, expected Level 2 or 3",
    ),
    "package": (
        birth_death().replace(
            ' level="3"',
            ' xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true" level="3"',
        ),
        "needs the SBML package 'comp'",
    ),
    "no species": (model(), "no states"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_simulated_is_refused_by_name(kind):
    text, said = REFUSED[kind]
    with pytest.raises(UserError, match=said) as caught:
        from_sbml(text, "m.xml")
    assert str(caught.value).startswith("m.xml") and "\n" not in str(caught.value)


def test_the_named_line_is_that_of_the_element():
    text = REFUSED["fast"][0]
    expected = next(i for i, line in enumerate(text.splitlines(), 1) if 'reaction id="R"' in line)
    with pytest.raises(UserError, match=f"line {expected}: fast"):
        from_sbml(text, "m.xml")


def test_a_missing_file_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.xml: cannot be read"):
        read_sbml(tmp_path / "none.xml")
    (tmp_path / "bad.xml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"bad\.xml: not UTF-8"):
        networks.load(tmp_path / "bad.xml")


# --- export


@pytest.mark.parametrize("name", [n for n in networks.examples() if n != "splicing_gamma"])
def test_export_and_import_give_the_same_network(name, tmp_path):
    network = networks.load(name)
    theta = network.sample_box(2, 5)[1]
    (tmp_path / "m.xml").write_text(to_sbml(network, theta), encoding="utf-8")
    back = networks.load(tmp_path / "m.xml")
    counts = np.random.default_rng(1).integers(0, 30, (40, len(network.states)))
    np.testing.assert_allclose(back.propensities(counts, []), network.propensities(counts, theta), rtol=1e-13)
    np.testing.assert_array_equal(back.stoichiometry, network.stoichiometry)
    np.testing.assert_array_equal(back.start, network.start)


def test_identifiers_are_plain_and_unique_and_names_keep_the_original():
    assert list(plain_names(networks.load("afl")).values()) == ["G", "P", "sigmau", "sigmab", "rhou", "rhob"]
    network = StateTransitionNetwork(
        "X",
        ("δ", "delta", "cell"),
        (Event("X", {"δ": 1}, "Δ"), Event("delta", {"cell": 1}, "1")),
        (Parameter("Δ", 1, 2),),
    )
    document = libsbml.readSBMLFromString(to_sbml(network, [1.5]))
    found = [document.getModel().getSpecies(i) for i in range(3)]
    assert [s.getId() for s in found] == ["delta", "delta_", "x_cell"]
    assert [s.getName() for s in found] == ["δ", "delta", "cell"]
    assert document.getModel().getParameter(0).getId() == "Delta"


EXPRESSIONS = [
    "hill(X, 3, K, 2)", "hillr(X, 3, K, n)", "hill(X, 3, K, n)", "hill(X, 3, K, n * Y)", "mm(X, 3, K)", "mmr(X, 3, K)",
    "where(X > 3, Y, 7) + (X <= 3)", "where((X > 1) * (Y < 9), 1, 2)", "where(max(X > 9, Y > 1), 1, 2)",
    "min(X, Y, 3) + max(X, 2) + min(Y)", "X % 3 + floor(Y / 2)", "ln(X + 1) + log(Y + 2) + sqrt(X) + abs(X - Y)",
    "-X^2 + 2^-Y", "exp(-X / 5) * sin(Y) * cos(X) * tanh(Y) * pi * e", "1.5e-7 * X + 123456789012",
    "where(X - 3, 1, 2)",
]  # fmt: skip


def test_every_expression_has_its_value_in_another_program():
    roadrunner = pytest.importorskip("roadrunner")
    derived = {f"d{i}": text for i, text in enumerate(EXPRESSIONS)}
    for x, y in ((0, 2), (3, 5), (12, 1)):
        network = StateTransitionNetwork(
            "m", ("X", "Y"), (Event("a", {"X": 1}, "1"), Event("b", {"Y": 1}, "1")), (Parameter("n", -3, 3),),
            {"X": x, "Y": y}, constants={"K": 2.5}, derived=derived,
        )  # fmt: skip
        for n in (-1.5, 2.0):
            text = to_sbml(network, [n])
            run = roadrunner.RoadRunner(text)
            back = from_sbml(text, "m.xml").network
            for name, formula in derived.items():
                expected = float(Rate(formula, ("X", "Y", "n", "K"))(X=x, Y=y, n=n, K=2.5))
                assert run.getValue(name) == pytest.approx(expected, rel=1e-12), (formula, x, y, n)
                again = Rate(back.derived[name], (*back.states, *back.constants))(X=x, Y=y, **back.constants)
                assert float(again) == pytest.approx(expected, rel=1e-12), (formula, back.derived[name])


def deterministic(network, theta, times):
    roadrunner = pytest.importorskip("roadrunner")
    run = roadrunner.RoadRunner(to_sbml(network, theta))
    run.integrator.relative_tolerance, run.integrator.absolute_tolerance = 1e-10, 1e-12
    return np.array(run.simulate(times=list(times), selections=list(network.states)))


def test_mean_of_birth_and_death_in_another_program_is_the_closed_form():
    network = networks.load("birth_death")
    times = np.array([0, 0.5, 1, 3, 8])
    found = deterministic(network, [20, 0.8], times)[:, 0]
    np.testing.assert_allclose(found, 25 * (1 - np.exp(-0.8 * times)), rtol=1e-7, atol=1e-9)


def test_mean_of_gene_expression_in_another_program_is_the_closed_form():
    network = networks.load("gene_expression")
    kon, koff, on, off, km, dm, dp = theta = [0.05, 0.08, 6, 0.5, 1.2, 0.3, 0.25]
    matrix = np.array([  # d(ON, OFF, mRNA, Protein)/dt
        [-koff, kon, 0, 0], [koff, -kon, 0, 0], [on, off, -dm, 0], [0, 0, km, -dp],
    ])  # fmt: skip
    times = np.array([0, 2.0, 10, 40, 400])
    found = deterministic(network, theta, times)
    expected = [expm(matrix * t) @ [1, 0, 0, 0] for t in times]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    mrna = (off + (on - off) * kon / (kon + koff)) / dm
    np.testing.assert_allclose(found[-1], [kon / (kon + koff), koff / (kon + koff), mrna, km * mrna / dp], rtol=1e-6)


def test_triggers_and_derived_outputs_survive_the_way_out_and_back():
    network = StateTransitionNetwork(
        "m",
        ("P", "P2"),
        (Event("pair", {"P": -2, "P2": 1}, "k * P * (P - 1)"), Event("part", {"P": 2, "P2": -1}, "P2")),
        (Parameter("k", 0.1, 1),),
        {"P": 100},
        derived={"total": "P + 2 * P2"},
        triggers=(
            Trigger("late", "time >= 25", {"P": "100", "P2": 0}),
            Trigger("many", "(P2 > 30) * (P < k)", {"P": "P + 1"}),
        ),
    )
    back = from_sbml(to_sbml(network, [0.25]), "m.xml").network
    assert dict(back.derived) == {"total": "P + 2 * P2"}
    assert [t.name for t in back.triggers] == ["late", "many"]
    assert back.triggers[0].condition == "time >= 25" and dict(back.triggers[0].assignments) == {"P": "100", "P2": "0"}
    assert back.triggers[1].condition == "(P2 > 30) * (P < k)"


def test_waiting_times_are_exported_where_they_are_exponential_and_refused_elsewhere():
    network = StateTransitionNetwork(
        "w", ("X",), (Event("in", {"X": 1}, "2"), Event("out", {"X": -1}, waiting=Waiting("a", "m"))),
        (Parameter("a", 0.5, 3), Parameter("m", 1, 4)), source="w.json",
    )  # fmt: skip
    back = from_sbml(to_sbml(network, [1.0, 4.0]), "m.xml").network
    np.testing.assert_allclose(back.propensities([6], []), [2, 1.5])
    with pytest.raises(UserError, match=r"w\.json: event 'out': its waiting time has the shape 2"):
        to_sbml(network, [2.0, 4.0])
    with pytest.raises(UserError, match="expected 2 finite numbers"):
        to_sbml(network, [np.nan, 1.0])
