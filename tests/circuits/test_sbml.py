"""SBML files of Hill circuits: free of errors by libSBML, and the same curves in libRoadRunner as in scipy."""

import libsbml
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from regulome.circuits.hill import hill_rates
from regulome.circuits.sbml import identifiers, rate_formula, to_sbml
from regulome.errors import UserError

SIGNS = np.array([[1, 0], [0, -1], [1, 1], [-1, 1]])  # I1, I2, g1, g2 on g1, g2
RNG = np.random.default_rng(3)
B, K = RNG.uniform(0.5, 1.5, (4, 2)), RNG.uniform(0.2, 0.8, (4, 2))
START = np.array([0.1, 0.4])


def document(text: str):
    found = libsbml.readSBMLFromString(text)
    found.checkConsistency()
    return found


def exact(levels, dt, start=START):
    """Levels at the end of each row of piecewise constant inputs (T, I), by scipy."""
    state, curve = np.array(start), []
    for row in levels:

        def slope(_, g, row=row):
            return hill_rates(np.concatenate([row, g])[None], SIGNS, B[None], K[None])[0] - g

        state = solve_ivp(slope, (0, dt), state, rtol=1e-10, atol=1e-12).y[:, -1]
        curve.append(state)
    return np.array(curve)


def write(levels, start=START, genes=("g1", "g2"), **rest):
    return to_sbml(SIGNS, B, K, start, ("I1", "I2"), genes, levels, 0.2, **rest)


@pytest.mark.parametrize("changing", [False, True])
def test_the_model_has_no_errors_and_no_warnings(changing):
    levels = np.full((2, 30, 2), 0.3)
    levels[1, 10:, 0] = 0.8 if changing else 0.3
    found = document(write(levels))
    messages = [found.getErrorLog().getError(i).getMessage() for i in range(found.getErrorLog().getNumErrors())]
    assert messages == []
    model = found.getModel()
    assert (found.getLevel(), found.getVersion()) == (3, 2)
    assert model.getNumReactions() == 4 and model.getNumEvents() == (1 if changing else 0)
    kinds = {model.getSpecies(i).getId(): model.getSpecies(i).getBoundaryCondition() for i in range(4)}
    assert kinds == {"I1": True, "I2": True, "g1": False, "g2": False}


def test_roadrunner_runs_the_same_curve_under_constant_inputs():
    roadrunner = pytest.importorskip("roadrunner")
    levels = np.broadcast_to([0.8, 0.3], (1, 60, 2))
    run = roadrunner.RoadRunner(write(levels))
    run.integrator.relative_tolerance, run.integrator.absolute_tolerance = 1e-9, 1e-12
    found = run.simulate(0, 12, 61, ["g1", "g2"])
    np.testing.assert_allclose(np.array(found)[1:], exact(levels[0], 0.2), atol=1e-6)


@pytest.mark.parametrize("case", [0, 1])
def test_roadrunner_follows_the_pulses_of_the_chosen_case(case):
    roadrunner = pytest.importorskip("roadrunner")
    levels = np.zeros((2, 60, 2))
    levels[0, :, 0] = 0.6
    levels[1, 5:10, 0], levels[1, 30:33, 1] = 0.9, 0.7
    start = np.array([[0.1, 0.4], [0.5, 0.2]])
    run = roadrunner.RoadRunner(write(levels, start, case_names=("steady", "pulses")))
    run.setValue("case", case)
    kinds = roadrunner.SelectionRecord
    run.reset(kinds.TIME | kinds.RATE | kinds.FLOATING | kinds.BOUNDARY)  # evaluates the initial assignments again
    run.integrator.relative_tolerance, run.integrator.absolute_tolerance = 1e-9, 1e-12
    found = np.array(run.simulate(0, 12, 61, ["g1", "g2"]))
    wanted = exact(levels[case], 0.2, start[case])
    np.testing.assert_allclose(found[1:], wanted, atol=1e-4)
    assert wanted.std() > 0.01  # the comparison is not one of flat lines


def test_formula_without_activator_is_zero_and_names_follow_the_links():
    names = [("b1", "K1"), ("b2", "K2")]
    assert rate_formula(np.array([-1, 0]), names, ["x", "y"]) == "0"
    assert rate_formula(np.array([1, -1]), names, ["x", "y"]) == "(b1 * x^2 / (K1^2 + x^2)) * K2^2 / (K2^2 + y^2)"


def test_any_gene_name_becomes_an_identifier():
    found = identifiers(["2-AG", "p53", "time", "p 53", "p_53", "β"])
    assert found == {"2-AG": "x_2_AG", "p53": "p53", "time": "x_time", "p 53": "p_53", "p_53": "p_53_", "β": "_"}
    text = write(np.zeros((1, 5, 2)), genes=("Hes 1", "exp"))
    assert document(text).getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(UserError, match="initial levels"):
        write(np.zeros((1, 5, 2)), start=np.array([0.1, np.nan]))
