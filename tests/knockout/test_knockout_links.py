"""Links of circuits: against the reference simulation of part 3, and against what is known by hand."""

import numpy as np
import pytest
import torch

from regulome.circuits.hill import simulate_hill
from regulome.circuits.hill_search import HillCircuits
from regulome.circuits.mutation import Protocol, link_values
from regulome.circuits.network import CircuitNetwork
from regulome.errors import UserError
from regulome.knockout import circuit_study
from regulome.knockout.circuit_links import LinearRates
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Link

NAMES, GENES = ("I", "g1", "g2"), ("g1", "g2")


def conditions(cases=3, steps=30, seed=0):
    rng = np.random.default_rng(seed)
    return np.repeat(rng.uniform(0, 1, (cases, 1, 1)), steps, axis=1), rng.uniform(0, 1, (cases, 2))


def link(name, strength=0.0, **changes):
    inputs, start = conditions()
    given = {"regulators": NAMES, "genes": GENES, "inputs": inputs, "start": start, "dt": 0.2, "strength": strength}
    return Link(name, **(given | changes))


def circuit():
    signs = np.array([[1, 0], [0, 1], [-1, 0]], np.int8)
    return HillCircuits(signs[None], np.full((1, 3, 2), 0.9), np.full((1, 3, 2), 0.3), np.full((1, 2), 0.1))


def network(seed=0, replicates=3):
    rng = torch.Generator().manual_seed(seed)
    shape = {"w1": (3, 8), "b1": (1, 8), "w2": (8, 8), "b2": (1, 8), "w3": (8, 1), "b3": (1, 1)}
    weights = {n: torch.randn((replicates, 2, *s), generator=rng, dtype=torch.float64) for n, s in shape.items()}
    fixed = torch.full((2,), 0.1, dtype=torch.float64)
    ones = torch.ones((replicates, 3, 2), dtype=torch.float64)
    return CircuitNetwork("private", weights, fixed.expand(replicates, 2).clone(), fixed, ones)


def test_removing_a_hill_link_is_the_reference_simulation_without_it():
    one, level = circuit(), 0.7
    inputs = np.full((1, 40, 1), level)
    asked = link("g2 -> g1", inputs=inputs, start=np.full((1, 2), 0.1))
    found = knockout(one, asked)["effect"].to_numpy()
    cut = one.signs[0].copy()
    cut[2, 0] = 0
    runs = [simulate_hill(s, one.b, one.k, [level], 0.1, 0.2, 40)[0].mean(0) for s in (one.signs[0], cut)]
    np.testing.assert_allclose(found, runs[1] - runs[0], atol=1e-9)
    assert found[0] > 0.05, "without its inhibitor g1 has to rise"


def test_weakening_a_link_lies_between_nothing_and_removing_it():
    effects = [knockout(circuit(), link("g2 -> g1", s))["effect"].iloc[0] for s in (0.0, 0.5, 0.99)]
    assert effects[0] > effects[1] > effects[2] > 0


def test_effects_of_a_trained_network_are_minus_the_link_values_of_part_3():
    one = network()
    inputs, _ = conditions()
    asked = [link(f"{i} -> {j}", start=np.full((3, 2), 0.1)) for i in NAMES for j in GENES]
    effects = [knockout(one, target).set_index("readout")["effect"] for target in asked]
    own = np.array([e[f"mean level of {t.name.split(' -> ')[1]}"] for e, t in zip(effects, asked, strict=True)])
    values = link_values(one, Protocol("trajectory", 0.0, 0.2, inputs))
    np.testing.assert_allclose(own, -np.median(values, axis=0).ravel(), atol=1e-12)


def test_a_regulator_that_nobody_reads_has_no_effect():
    one = network()
    one.weights["w1"][:, :, 0] = 0  # the input
    found = knockout(one, link("I -> g2"))
    assert (found["effect"] == 0).all() and (found["high"] == 0).all()


def test_the_linear_baseline_recovers_a_linear_system():
    slope, intercept = np.array([[0.3, 0.0], [0.0, 0.4], [-0.2, 0.1]]), np.array([0.3, 0.2])
    inputs, start = conditions(cases=30)
    levels = LinearRates(slope, intercept).simulate(inputs, start, 0.2)
    found = LinearRates.fit(levels, inputs, start, 0.2, ridge=1e-10)
    np.testing.assert_allclose(found.slope, slope, atol=1e-5)
    effect = knockout(found, link("g2 -> g1"))["effect"].iloc[0]
    assert effect > 0.01, "the inhibitor of g1 is gone"


def test_random_circuits_have_activators_and_levels_between_0_and_1():
    one, runs = circuit_study.draw_circuit(np.random.default_rng(3), 5)
    assert (one.signs[0] > 0).any(0).all()
    assert (runs.levels >= 0).all() and (runs.levels <= 1).all()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: link("g3 -> g1"), "no regulator 'g3'.*expected one of I, g1, g2"),
        (lambda: link("g1 -> I"), "no gene 'I'"),
        (lambda: link("g1, g2"), "not of the form"),
        (lambda: link("I -> g1", regulators=("I", "g1")), "names of 2 regulators"),
        (lambda: link("I -> g1", 1.0), "found strength 1.0"),
    ],
    ids=["regulator", "gene", "form", "names", "strength"],
)
@pytest.mark.parametrize("model", [circuit, network], ids=["hill", "trained"])
def test_a_wrong_link_is_refused_with_one_message(model, asked, message):
    with pytest.raises(UserError, match=message):
        knockout(model(), asked())
