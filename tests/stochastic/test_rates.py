"""Propensities: NumPy evaluation and generated source agree, messages show what the user wrote, nothing is run."""

import math
import warnings

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.errors import UserError
from regulome.stochastic import ssa_support
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.rates import Rate, check_name, hill, hillr, mm, mmr

NAMES = ("mRNA", "lambda", "δ", "n")
HELPERS = {name: getattr(ssa_support, name) for name in ("hill", "hillr", "mm", "mmr", "where")}

numbers = st.one_of(
    st.integers(0, 40).map(str), st.floats(0, 1e3, allow_nan=False).map(repr), st.sampled_from(["pi", "e"])
)


def _combined(part):
    def call(name, count):
        return st.lists(part, min_size=count, max_size=count).map(lambda a: f"{name}({', '.join(a)})")

    one = [call(name, 1) for name in ("exp", "ln", "log", "sqrt", "sin", "cos", "tanh", "abs", "floor", "min", "max")]
    more = [call("hill", 4), call("hillr", 4), call("mm", 3), call("mmr", 3), call("where", 3), call("min", 3)]
    pair = st.tuples(part, st.sampled_from("+-*/^%"), part).map(" ".join)
    compared = st.tuples(part, st.sampled_from(["<", "<=", ">", ">="]), part).map(" ".join)
    return st.one_of(pair.map("({})".format), compared.map("({})".format), part.map("-{}".format), *one, *more)


expressions = st.recursive(st.one_of(numbers, st.sampled_from(NAMES)), _combined, max_leaves=10)
counts = st.integers(0, 30).map(float)


@settings(max_examples=400, deadline=None)
@given(text=expressions, values=st.tuples(counts, st.floats(0.01, 10), st.floats(0.01, 10), st.floats(-2, 2)))
def test_generated_source_has_the_value_of_numpys_evaluation(text, values):
    rate = Rate(text, NAMES)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = float(rate(**dict(zip(NAMES, values, strict=True))))
        plain = {name: function.py_func for name, function in HELPERS.items()} | {"math": math}
        plain["hillr"] = lambda x, v, k, n: plain["hill"](x, v, k, -n)
        source = rate.code({name: f"a{i}" for i, name in enumerate(NAMES)})
        arguments = {f"a{i}": np.float64(value) for i, value in enumerate(values)}
        try:
            found = eval(
                source, {"__builtins__": {"min": min, "max": max, "abs": abs, "float": float}, **plain}, arguments
            )
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            return  # Python raises (or turns to complex numbers) where NumPy and compiled code give infinity or NaN
    if math.isfinite(expected) and not isinstance(found, complex) and math.isfinite(found):
        # tiny differences of numbers near 1e300 or just above a step are not errors of the translation
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12) or "floor" in text or "%" in text or "<" in text


def test_compiled_source_has_the_value_of_numpys_evaluation():
    texts = [
        "hill(mRNA, δ, 3, n)", "hillr(mRNA, δ, 3, n)", "mm(mRNA, δ, 2)", "mmr(mRNA, lambda, 2)",
        "where(mRNA >= 2, lambda, δ) * mRNA ^ n", "min(mRNA, lambda, δ) + max(3, mRNA) + min(mRNA)",
        "floor(lambda * mRNA) ^ 2 / 7 % 3", "ln(1 + mRNA) - exp(-δ) * sqrt(mRNA) * pi", "-mRNA^2 + 2^3^0.5",
    ]  # fmt: skip
    rates = [Rate(text, NAMES) for text in texts]
    body = ", ".join(rate.code({name: f"a{i}" for i, name in enumerate(NAMES)}) for rate in rates)
    space = {"math": math, **HELPERS}
    exec(f"def compiled(a0, a1, a2, a3):\n    return ({body},)", space)
    compiled = numba.njit(error_model="numpy")(space["compiled"])
    for mrna in (0.0, 1.0, 5.0):
        for n in (-2.0, -0.5, 0.0, 1.5):
            values = (mrna, 1.7, 0.4, n)
            expected = [float(rate(**dict(zip(NAMES, values, strict=True)))) for rate in rates]
            np.testing.assert_allclose(compiled(*values), expected, rtol=1e-12)


def test_hill_functions_have_their_textbook_values_and_limits():
    x, v, k = np.array([0.0, 1.0, 2.0, 8.0]), 3.0, 2.0
    for n in (0.5, 1.0, 2.0):
        np.testing.assert_allclose(hill(x, v, k, n), v * x**n / (x**n + k**n))
        np.testing.assert_allclose(hillr(x, v, k, n), v * k**n / (x**n + k**n))
        np.testing.assert_allclose(hill(x, v, k, -n), hillr(x, v, k, n))  # the sign of n is that of the feedback
    np.testing.assert_allclose(hill(x, v, k, 0.0), v / 2)
    np.testing.assert_allclose(mm(x, v, k) + mmr(x, v, k), v)


def test_powers_bind_as_in_mathematics():
    assert Rate("-2^2 + 2^3^2 * 2", ())() == -4 + 512 * 2


@pytest.mark.parametrize("name", ["lambda", "if", "None", "δS", "ρ_b", "k1"])
def test_words_of_python_and_greek_letters_may_be_names(name):
    assert check_name(name, "state") == name
    assert Rate(f"2 * {name}^2", [name])(**{name: 3}) == 18


def test_micro_sign_and_greek_mu_are_one_name():
    micro, greek = "\u00b5", "\u03bc"
    assert Rate(f"{micro} + {greek}", [micro])(**{micro: 2.0}) == 4
    with pytest.raises(UserError, match="twice"):
        StateTransitionNetwork(
            "x", ("X",), (Event("a", {"X": 1}, "1"),), (Parameter(micro, 1, 2), Parameter(greek, 1, 2))
        )


@pytest.mark.parametrize(
    "text, said",
    [
        ("kon * mRNAA^2", r"unknown name 'mRNAA' in 'kon \* mRNAA\^2' \(did you mean 'mRNA'\?\)"),
        ("lambda^2 + lamda", r"unknown name 'lamda' in 'lambda\^2 \+ lamda' \(did you mean 'lambda'\?\)"),
        ("kon * (mRNA^2", r"'kon \* \(mRNA\^2' is not an expression"),
        ("is^2", r"unknown name 'is' in 'is\^2'"),
        ("kon^2 if mRNA > 1 else 0", "is not an expression"),
        ("(lambda^2, 1)", r"'\(lambda \^ 2, 1\)' in '\(lambda\^2, 1\)' is not arithmetic"),
        ("hil(mRNA, 1, 2, 3)", r"unknown function 'hil' \(did you mean 'hill'\?\)"),
        ("hill(mRNA, 1, 2)", "has 3 arguments, expected 4"),
        ("1e999 * mRNA", "too large"),
        ("1" * 400, "too large"),
        ("", "is not an expression"),
        ("__import__('os').system('true')", "is not arithmetic|unknown"),
        ("mRNA.real", "is not arithmetic"),
        ("(lambda: 1)()", "is not"),
    ],
)  # fmt: skip
def test_messages_show_what_the_user_wrote(text, said):
    with pytest.raises(UserError, match=said) as caught:
        Rate(text, ("kon", "mRNA", "lambda"), "net.json: events[2]")
    assert str(caught.value).startswith("net.json: events[2]: ")
    assert "**" not in str(caught.value) and "\u01c3" not in str(caught.value)


@pytest.mark.parametrize("name", ["2x", "a b", "", 3, None, "exp", "time", "hill", "pi", "a-b"])
def test_a_name_that_cannot_stand_in_an_expression_is_refused(name):
    with pytest.raises(UserError, match=r"net\.json: state"):
        check_name(name, "net.json: state")
