"""User arithmetic: equal to Python's own evaluation, and nothing but arithmetic gets through."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.errors import UserError
from regulome.expression import FUNCTIONS, Expression

# Everything below is exact in IEEE arithmetic, so that Python and NumPy must agree to the last bit.
EXACT = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": lambda x: float(math.floor(x)),
    "where": lambda condition, yes, no: yes if condition else no,
}
SMOOTH = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh")}
VALUES = {"k": 7.0, "s": -0.375, "größe": 2.5}

numbers = st.one_of(
    st.integers(0, 50).map(lambda value: f"{value}."),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["pi", "e", "1e-3", "2.5E+2"]),
)


def _combined(part):
    pair = st.tuples(part, st.sampled_from(["+", "-", "*", "/", "%"]), part).map(" ".join)
    compared = st.tuples(part, st.sampled_from(["<", "<=", ">", ">="]), part).map(" ".join)
    return st.one_of(
        pair.map("({})".format),
        compared.map("({})".format),
        part.map("-{}".format),
        part.map("+({})".format),
        st.tuples(st.sampled_from(["abs", "floor"]), part).map(lambda call: f"{call[0]}({call[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), st.lists(part, min_size=2, max_size=4)).map(
            lambda call: f"{call[0]}({', '.join(call[1])})"
        ),
        st.tuples(part, part, part).map(lambda parts: f"where({parts[0]} > 1, {parts[1]}, {parts[2]})"),
    )


expressions = st.recursive(st.one_of(numbers, st.sampled_from(list(VALUES))), _combined, max_leaves=12)


@settings(max_examples=300, deadline=None)
@given(text=expressions)
def test_value_equals_pythons_own_evaluation(text):
    try:
        names = {**EXACT, "pi": math.pi, "e": math.e, **VALUES}
        expected = float(eval(text, {"__builtins__": {}}, names))
    except (ZeroDivisionError, OverflowError, ValueError):
        return  # Python raises where NumPy gives an infinity or NaN; tested below
    if not math.isfinite(expected):
        return
    value = Expression(text, VALUES)(**VALUES)
    assert value.shape == () and value.dtype == float
    assert float(value) == expected, text


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(list(SMOOTH)), x=st.floats(1e-3, 300))
def test_smooth_functions_equal_the_maths_library(name, x):
    assert float(Expression(f"{name}(x)", ["x"])(x=x)) == pytest.approx(SMOOTH[name](x), rel=1e-12, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(base=st.floats(0.1, 20), power=st.floats(-8, 8))
def test_powers_equal_pythons(base, power):
    ours = float(Expression("a ** b", ["a", "b"])(a=base, b=power))
    assert ours == pytest.approx(base**power, rel=1e-12)


def test_every_function_on_offer_is_tested_here():
    assert set(EXACT) | set(SMOOTH) == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "value"),
    [("-2 ** 2", -4.0), ("2 ** 3 ** 2", 512.0), ("-7 % 3", 2.0), ("1 - 2 - 3", -4.0), ("2 ** -1", 0.5)],
)
def test_precedence_is_that_of_python(text, value):
    assert float(Expression(text, [])()) == value


def test_arrays_broadcast_and_arguments_stay_as_they_are():
    k, s = np.arange(4.0), np.array([[1.0], [2.0]])
    value = Expression("s * max(k, 2) + exp(k)", ["k", "s"])(k=k, s=s)
    expected = [[factor * max(each, 2) + math.exp(each) for each in range(4)] for factor in (1, 2)]
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_array_equal(k, [0, 1, 2, 3])


def test_a_plain_number_is_an_expression():
    assert float(Expression(0.4, [])()) == 0.4
    assert float(Expression(-3, [])()) == -3
    assert Expression("k * s + k", ["k", "s", "t"]).names == {"k", "s"}


def test_names_may_be_in_any_script():
    assert float(Expression("größe / Δt", ["größe", "Δt"])(**{"größe": 3.0, "Δt": 2.0})) == 1.5
    with pytest.raises(UserError, match=r"unknown name 'grösse' in 'grösse \+ 1' \(did you mean 'größe'\?\)"):
        Expression("grösse + 1", ["größe"])


@pytest.mark.parametrize("name", ["\u00b5", "\u03bc", "e\u0301", "self", "exp", "pi"])
def test_names_that_python_would_normalise_or_use_itself_are_kept(name):
    expression = Expression(f"2 * {name}", [name])
    assert expression.names == {name}
    assert float(expression(**{name: 4.0})) == 8


@pytest.mark.parametrize(
    "text",
    [
        "k.real",
        "(1).__class__",
        "k.__class__.__bases__",
        "().__class__",
        "lambda: 1",
        "(lambda x: x)(1)",
        "'text'",
        "b'text'",
        "f'{k}'",
        "[x for x in (1, 2)]",
        "[k]",
        "(k, k)",
        "{k: 1}",
        "{k}",
        "k[0]",
        "k if k else 1",
        "k and 1",
        "not k",
        "~k",
        "k // 2",
        "k @ k",
        "k << 2",
        "k == 1",
        "0 < k < 1",
        "k is None",
        "True",
        "None",
        "...",
        "1j",
        "(k := 2)",
        "exp(x=k)",
        "exp(*[k])",
        "exp(**{})",
        "exp(k)(k)",
        "await k",
    ],
)
def test_what_is_not_arithmetic_is_refused_with_its_place(text):
    with pytest.raises(UserError) as error:
        Expression(text, ["k"], where="a.yaml: cases: full: targets: g1")
    assert str(error.value).startswith("a.yaml: cases: full: targets: g1: ")
    assert "is not arithmetic" in str(error.value) or "is not an expression" in str(error.value)


@pytest.mark.parametrize("name", ["__import__", "open", "eval", "getattr", "print", "sum"])
def test_unknown_functions_are_refused_by_name(name):
    with pytest.raises(UserError, match=f"here: unknown function '{name}'"):
        Expression(f"{name}('os')", ["k"], where="here")


def test_the_closest_function_and_name_are_offered():
    with pytest.raises(UserError, match=r"here: unknown function 'expp' \(did you mean 'exp'\?\) in 'expp\(k\)'"):
        Expression("expp(k)", ["k"], where="here")
    with pytest.raises(UserError, match=r"unknown name 'q' in '2 \* q' \(known: k, t\)"):
        Expression("2 * q", ["k", "t"])


@pytest.mark.parametrize("text", ["", "  ", "1 +", "2 * (k", "k k", "a = 1", "import os", "1; 2", "1\n2", "\x00", "0x"])
def test_text_that_does_not_parse_is_refused(text):
    with pytest.raises(UserError, match="is not an expression"):
        Expression(text, ["k"], where="here")


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, b"1", 1j])
def test_values_of_other_types_are_refused(value):
    with pytest.raises(UserError, match="expected a number or an expression"):
        Expression(value, ["k"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(UserError, match=f"here: found {value}, expected a finite number"):
        Expression(value, ["k"], where="here")


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("exp(k, t)", 2, "1"),  # NumPy would write the result into t
        ("log(k, 2)", 2, "1"),
        ("sqrt()", 0, "1"),
        ("where(k > 1)", 1, "3"),
        ("where(k > 1, 2)", 2, "3"),
        ("min()", 0, "at least 1"),
    ],
)
def test_wrong_number_of_arguments_is_refused(text, count, expected):
    with pytest.raises(UserError, match=rf"has {count} arguments, expected {expected}$"):
        Expression(text, ["k", "t"])


@pytest.mark.parametrize("text", ["9 ** 9 ** 9", "10 ** 400", "exp(1000)", "1e400", "1 / 0"])
def test_overflow_is_infinite_and_immediate(text):
    assert float(Expression(text, [])()) == math.inf


@pytest.mark.parametrize("text", ["0 / 0", "log(-1)", "sqrt(-1)", "(-8) ** (1 / 3)", "5 % 0"])
def test_what_has_no_value_is_nan(text):
    assert math.isnan(float(Expression(text, [])()))


@pytest.mark.parametrize(
    "text", ["-" * 5000 + "1", "(" * 500 + "1" + ")" * 500, "+".join(["1"] * 20000), "1" + "0" * 400]
)
def test_absurdly_long_expressions_are_refused_without_a_traceback(text):
    with pytest.raises(UserError, match=r"^here: "):
        Expression(text, [], where="here")()
