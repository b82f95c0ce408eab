"""Simulation against a plain NumPy simulator, closed forms and exact solutions; errors; independence of threads."""

import math

import numpy as np
import pytest
from scipy import special, stats

from regulome.errors import UserError
from regulome.stochastic import rate_facts, ssa
from regulome.stochastic.distribution import Distribution, total_variation
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.relaxation import relaxation_times


def parameters(*names, low=0.01, high=100.0):
    return tuple(Parameter(name, low, high) for name in names)


BIRTH_DEATH = StateTransitionNetwork(
    "birth_death",
    ("X",),
    (Event("birth", {"X": 1}, "k"), Event("death", {"X": -1}, "gamma * X")),
    parameters("k", "gamma"),
)
EXPRESSION = StateTransitionNetwork(
    "expression",
    ("ON", "OFF", "M", "P"),
    (
        Event("on", {"OFF": -1, "ON": 1}, "kon * OFF"),
        Event("off", {"ON": -1, "OFF": 1}, "koff * ON"),
        Event("transcription", {"M": 1}, "a1 * ON + a0 * OFF"),
        Event("translation", {"P": 1}, "km * M"),
        Event("M decay", {"M": -1}, "dm * M"),
        Event("P decay", {"P": -1}, "dp * P"),
    ),
    parameters("kon", "koff", "a1", "a0", "km", "dm", "dp"),
    {"ON": 1},
    ("ON", "M", "P"),
)
FEEDBACK = StateTransitionNetwork(  # Hill function, a power, 1 - G and two at a time
    "feedback",
    ("G", "M", "D"),
    (
        Event("on", {"G": 1}, "(1 - G) * (hillr(M, kon, 4, n) + 0.1)"),
        Event("off", {"G": -1}, "koff * G * M^2 / (9 + M^2)"),
        Event("bursts", {"M": 2}, "k * G"),
        Event("pairing", {"M": -2, "D": 1}, "0.1 * M * (M - 1)"),
        Event("loss", {"D": -1}, "D"),
    ),
    (*parameters("kon", "koff", "k"), Parameter("n", -2, 2)),
)


def plain_run(network, theta, times, generator):
    """One trajectory by the direct method, as written in any textbook: counts (G, N) at the times."""
    x, t, found = network.start.astype(float), 0.0, []
    while True:
        rates = network.propensities(x, theta)
        total = rates.sum()
        following = t + generator.exponential() / total if total > 0 else math.inf
        while len(found) < len(times) and times[len(found)] <= following:
            found.append(x.copy())
        if len(found) == len(times):
            return np.array(found)
        t = following
        x = x + network.stoichiometry[generator.choice(len(rates), p=rates / total)]


@pytest.mark.parametrize(
    ("network", "theta"),
    [(FEEDBACK, [1.5, 2.0, 8.0, 2.0]), (FEEDBACK, [1.5, 2.0, 8.0, -1.0]), (EXPRESSION, [1, 2, 9, 1, 2, 1, 0.5])],
)
def test_moments_agree_with_a_plain_simulator(network, theta):
    times, runs = [0.0, 0.4, 1.5], 250
    generator = np.random.default_rng(1)
    slow = np.array([plain_run(network, np.array(theta), times, generator) for _ in range(runs)])
    fast = ssa.simulate(network, theta, times, 20_000, seed=2, method="scalar")[0]
    assert np.array_equal(fast[:, 0], np.broadcast_to(network.start, fast[:, 0].shape))
    for g in (1, 2):
        error = np.sqrt(fast[:, g].var(0) * (1 / runs + 1 / len(fast))) + 1e-9
        assert (np.abs(slow[:, g].mean(0) - fast[:, g].mean(0)) < 4.5 * error).all()
        variance, fourth = fast[:, g].var(0), ((fast[:, g] - fast[:, g].mean(0)) ** 4).mean(0)
        assert (np.abs(slow[:, g].var(0) - variance) < 5 * np.sqrt((fourth - variance**2) / runs) + 1e-9).all()


@pytest.mark.parametrize("method", ["scalar", "lanes"])
def test_birth_and_death_is_poisson_at_any_time(method):
    found = ssa.final(BIRTH_DEATH, [10.0, 0.5], 3.0, 40_000, seed=5, method=method)[0, :, 0]
    mean = 20 * (1 - math.exp(-1.5))
    cells = np.append(stats.poisson.pmf(np.arange(30), mean), stats.poisson.sf(29, mean))
    observed = np.bincount(np.minimum(found, 30), minlength=31)
    assert stats.chisquare(observed[2:29], cells[2:29] / cells[2:29].sum() * observed[2:29].sum()).pvalue > 1e-4


def test_lock_step_and_scalar_runs_have_the_same_law():
    theta, times = [0.4, 0.6, 8.0, 1.0, 2.0, 0.5, 0.3], [0.5, 4.0]
    left, right = (
        ssa.simulate(EXPRESSION, theta, times, 20_000, seed=6, method=method)[0].astype(float)
        for method in ("scalar", "lanes")
    )
    for power in (1, 2):
        error = np.sqrt(((left**power).var(0) + (right**power).var(0)) / 20_000) + 1e-12
        assert (np.abs((left**power).mean(0) - (right**power).mean(0)) < 4.5 * error).all()
    for column in (2, 3):
        assert stats.ks_2samp(left[:, 1, column], right[:, 1, column]).pvalue > 1e-3
    assert np.array_equal(right[:, :, 0] + right[:, :, 1], np.ones((20_000, 2)))


def test_repeated_times_give_the_same_counts_and_few_runs_leave_lanes_empty():
    for method in ("scalar", "lanes"):
        found = ssa.simulate(BIRTH_DEATH, [10.0, 0.5], [0.0, 0.0, 1.0, 1.0, 2.0], 3, seed=1, method=method)[0, :, :, 0]
        assert (found[:, :2] == 0).all() and np.array_equal(found[:, 2], found[:, 3])


def test_lock_step_is_refused_where_propensities_need_checks():
    with pytest.raises(UserError, match="method lanes"):
        ssa.final(FEEDBACK, [1.0, 1.0, 1.0, 1.0], 1.0, 20, method="lanes")
    with pytest.raises(UserError, match="method: found 'fast'"):
        ssa.final(BIRTH_DEATH, [1.0, 1.0], 1.0, 20, method="fast")
    explosion = one_event("X^2", 1)
    square = one_event("X * X", 1)
    assert ssa._lanes(explosion, "auto", 20) is None and ssa._lanes(square, "auto", 20) is not None
    with pytest.raises(UserError, match="more than 20000 events"):
        ssa.final(square, [1.0], 50.0, 20, most_events=20_000, method="lanes")


def test_telegraph_gene_has_the_known_distribution():
    network = StateTransitionNetwork(
        "telegraph",
        ("G", "M"),
        (
            Event("on", {"G": 1}, "kon * (1 - G)"),
            Event("off", {"G": -1}, "koff * G"),
            Event("make", {"M": 1}, "k * G"),
            Event("lose", {"M": -1}, "M"),
        ),
        parameters("kon", "koff", "k"),
        recorded=("M",),
    )
    a, b, k, n = 0.8, 1.2, 15.0, np.arange(50)
    logs = n * np.log(k) - special.gammaln(n + 1) + special.gammaln(a + n) + special.gammaln(a + b)
    logs -= special.gammaln(a) + special.gammaln(a + b + n)
    exact = np.exp(logs) * special.hyp1f1(a + n, a + b + n, -k)
    found = ssa.occupancy(network, [a, b, k], window=30_000, trajectories=4, seed=3)[0]
    assert exact.sum() == pytest.approx(1)
    assert 0.5 * np.abs(found.vector("M", 50)[:50] - exact).sum() < 0.01


def test_moments_of_gene_expression():
    kon, koff, a1, a0, km, dm, dp = theta = np.array([0.4, 0.6, 8.0, 1.0, 2.0, 0.5, 0.3])
    total, f = kon + koff, kon / (kon + koff)
    m = (a0 + (a1 - a0) * f) / dm
    gm = (a1 - a0) * f * (1 - f) / (total + dm)
    vm = m + (a1 - a0) * gm / dm
    gp = km * gm / (total + dp)
    mp = (km * vm + (a1 - a0) * gp) / (dm + dp)
    vp = km * m / dp + km * mp / dp
    found = ssa.occupancy(EXPRESSION, theta, window=20_000, trajectories=8, seed=4)[0]
    assert found.mean == pytest.approx([f, m, km * m / dp], rel=0.015)
    assert found.sd**2 == pytest.approx([f * (1 - f), vm, vp], rel=0.04)
    covariance = found.weights @ (found.counts[:, 1] * found.counts[:, 2]) - found.mean[1] * found.mean[2]
    assert covariance == pytest.approx(mp, rel=0.05)


def test_results_depend_neither_on_threads_nor_on_blocks():
    theta = EXPRESSION.sample_box(5, 1) / 20
    for method in ("scalar", "lanes"):

        def run(theta=theta, number=300, seed=7, method=method, **options):
            return ssa.simulate(EXPRESSION, theta, [0.0, 1.0, 4.0], number, seed, method=method, **options)

        one = run(threads=1)
        assert np.array_equal(one, run(threads=3))
        assert np.array_equal(one[3:], run(theta[3:], first_set=3))
        assert np.array_equal(one[3:], run(theta[3:], first_set=[3, 4]))
        assert np.array_equal(one[:, :7], run(number=7))
        assert np.array_equal(one[:, :130], run(number=130, threads=2))
        assert not np.array_equal(one, run(seed=8))
    options = dict(burn_in=1.0, window=30.0, trajectories=40, seed=7)
    left = ssa.occupancy(EXPRESSION, theta, threads=1, **options)
    right = ssa.occupancy(EXPRESSION, theta, threads=3, **options)
    for p, q in zip(left, right, strict=True):
        assert np.array_equal(p.counts, q.counts) and np.array_equal(p.weights, q.weights)


def test_trajectories_and_sets_are_independent_of_each_other():
    found = ssa.final(BIRTH_DEATH, np.tile([20.0, 1.0], (400, 1)), 0.7, 100, seed=0)
    found = found[:, :, 0].astype(float)
    expected = 20 * (1 - math.exp(-0.7)) / 100
    assert found.mean(1).var() == pytest.approx(expected, rel=0.3)  # across sets, each with its own numbers
    assert found.mean(0).var() == pytest.approx(expected / 4, rel=0.6)


def test_counting_on_a_grid_is_the_same_trajectory_seen_at_the_same_times():
    theta = [0.4, 0.6, 8.0, 1.0, 2.0, 0.5, 0.3]
    found = ssa.occupancy(EXPRESSION, theta, burn_in=5.0, window=20.0, grid=0.5, trajectories=20, seed=9)[0]
    counts = ssa.simulate(EXPRESSION, theta, 5 + 0.5 * np.arange(41), 20, seed=9, method="scalar")[0]
    counts = counts.reshape(-1, 4)
    expected = Distribution.of(EXPRESSION.recorded, counts[:, EXPRESSION.recorded_index])
    assert np.array_equal(found.counts, expected.counts)
    assert found.weights == pytest.approx(expected.weights, abs=1e-14)
    fine = ssa.occupancy(EXPRESSION, theta, burn_in=5.0, window=20.0, trajectories=20, seed=9)[0]
    assert total_variation(found, fine) > 0.1
    finer = ssa.occupancy(EXPRESSION, theta, burn_in=5.0, window=20.0, grid=1e-3, trajectories=20, seed=9)[0]
    assert total_variation(finer, fine) < 0.01


def test_residence_times_end_with_the_window_and_an_empty_state_is_held():
    death = StateTransitionNetwork("death", ("X",), (Event("death", {"X": -1}, "g * X"),), parameters("g"), {"X": 1})
    found = ssa.occupancy(death, [1.0], burn_in=0.5, window=2.0, trajectories=20_000, seed=2)[0]
    expected = (math.exp(-0.5) - math.exp(-2.5)) / 2.0
    assert found.weights[1] == pytest.approx(expected, abs=4 * 0.3 / math.sqrt(20_000))
    for method in ("scalar", "lanes"):
        assert (ssa.simulate(death, [1.0], [0.0, 1e6], 50, method=method)[0, :, :, 0] == [1, 0]).all()
    still = StateTransitionNetwork("still", ("X",), (), (), {"X": 3})
    assert (ssa.final(still, np.empty((1, 0)), 10.0, 5) == 3).all()
    assert ssa.occupancy(still, np.empty((1, 0)), burn_in=1, window=1)[0].weights == pytest.approx([1])


def test_a_full_table_of_states_changes_nothing(monkeypatch):
    theta = [0.4, 0.6, 8.0, 1.0, 2.0, 0.5, 0.3]
    options = dict(burn_in=1.0, window=200.0, trajectories=3, seed=1)
    large = ssa.occupancy(EXPRESSION, theta, **options)[0]
    monkeypatch.setattr(ssa, "_TABLE", 4)
    small = ssa.occupancy(EXPRESSION, theta, **options)[0]
    assert len(large.weights) > 300
    assert np.array_equal(large.counts, small.counts) and np.array_equal(large.weights, small.weights)


def test_quasi_stationary_distribution_is_the_dominant_left_eigenvector():
    size, infect, recover = 12, 1.4, 1.0
    network = StateTransitionNetwork(
        "sis",
        ("I",),
        (Event("infection", {"I": 1}, f"b * I * ({size} - I) / {size}"), Event("recovery", {"I": -1}, "g * I")),
        parameters("b", "g"),
        {"I": 3},
    )
    q = np.zeros((size + 1, size + 1))
    for i in range(size + 1):
        q[i, min(i + 1, size)] += infect * i * (size - i) / size
        q[i, max(i - 1, 0)] += recover * i
        q[i, i] -= infect * i * (size - i) / size + recover * i
    values, vectors = np.linalg.eig(q[1:, 1:].T)
    exact = np.abs(vectors[:, np.argmax(values.real)].real)
    exact /= exact.sum()
    record = ssa.occupancy_record(
        network, [infect, recover], burn_in=500, window=50_000, survive="I > 0", trajectories=4
    )
    found = record.distributions[0].vector("I", size + 1)
    assert found[0] == 0 and record.restarts[0] > 1000
    assert 0.5 * np.abs(found[1:] - exact).sum() < 0.01
    # survivors of a fixed time are another law than those of a long time average; here the rate of extinction must fit
    assert record.restarts[0] / (4 * 50_500) == pytest.approx(-values.real.max(), rel=0.05)
    gone = ssa.occupancy(network, [infect, recover], burn_in=1e5, window=10)[0]
    assert gone.counts.tolist() == [[0]]
    with pytest.raises(UserError, match=r"initial state.*does not meet"):
        ssa.occupancy(network, [infect, recover], window=10, burn_in=0, survive="I > 5")


def test_burn_in_follows_the_slowest_relaxation():
    theta = np.array([[0.02, 0.03, 1, 1, 1, 0.5, 0.3], [2, 3, 1, 1, 1, 0.5, 0.3]])
    assert relaxation_times(EXPRESSION, theta) == pytest.approx([1 / 0.05, 1 / 0.3], rel=1e-6)
    record = ssa.occupancy_record(EXPRESSION, theta, seed=1)
    assert record.burn_in == pytest.approx([50 / 0.05, 50 / 0.3], rel=1e-6)
    logistic = StateTransitionNetwork(
        "logistic", ("I",), (Event("up", {"I": 1}, "3 * I * (1 - I / 50)"), Event("down", {"I": -1}, "g * I")),
        parameters("g"), {"I": 1},
    )  # fmt: skip
    assert relaxation_times(logistic, [[1.0], [2.5]]) == pytest.approx([1 / 2, 1 / 0.5], rel=1e-3)


def test_derived_outputs():
    network = StateTransitionNetwork(
        "two",
        ("A", "B"),
        (Event("a", {"A": 1}, "k"),),
        parameters("k"),
        derived={"total": "A + 2 * B", "scaled": "k * A"},
    )
    found = ssa.derived_values(network, np.array([[1, 2], [3, 4]]), np.array([0.5]))
    assert found["total"].tolist() == [5, 11] and found["scaled"].tolist() == [0.5, 1.5]


# --- mistakes


def one_event(rate, change, start=0, low=0.1):
    events = (Event("birth", {"X": 1}, "k"), Event("loss", {"X": change}, rate))
    return StateTransitionNetwork("one", ("X",), events, (Parameter("k", low, 9),), {"X": start})


@pytest.mark.parametrize(
    ("network", "stationary", "words"),
    [
        (one_event("X - 5", -1), True, ["event 'loss'", "propensity is -5", "X = 0"]),
        (one_event("1 / X - 1 / X", 1), False, ["event 'loss'", "nan", "X = 0"]),
        (one_event("3", -1), False, ["event 'loss'", "'X' negative"]),
        (one_event("X", -2, 1), True, ["event 'loss'", "'X' negative"]),
        (one_event("X^2", 1), False, ["more than 20000 events", "explode"]),
    ],
)
def test_a_run_that_cannot_go_on_says_where_and_why(network, stationary, words):
    with pytest.raises(UserError) as caught:
        if stationary:
            ssa.occupancy(network, [1.0], burn_in=1, window=50, trajectories=2, most_events=20_000)
        else:
            ssa.final(network, [1.0], 50.0, 2, most_events=20_000)
    assert all(word in str(caught.value) for word in ["parameter set 0, trajectory", *words])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(theta=[1.0]), "expected \\(sets, 2\\) for k, gamma"),
        (dict(theta=[[1.0, 1.0], [1.0, -1.0]]), "parameter 'gamma' of set 1: found -1.0"),
        (dict(theta=[1.0, np.nan]), "parameter 'gamma' of set 0: found nan"),
        (dict(times=[2.0, 1.0]), "increasing times"),
        (dict(times=[-1.0]), "at least 0"),
        (dict(times=[]), "at least 0"),
        (dict(trajectories=0), "trajectories: found 0"),
        (dict(seed=-1), "seed: found -1"),
        (dict(threads=0), "threads: found 0"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = dict(theta=[1.0, 1.0], times=[1.0], trajectories=1, seed=0, threads=1) | change
    with pytest.raises(UserError, match=message):
        ssa.simulate(BIRTH_DEATH, **arguments)


@pytest.mark.parametrize("options", [dict(grid=0.0), dict(window=0.0), dict(burn_in=-1.0), dict(window=math.inf)])
def test_bad_windows_are_named(options):
    with pytest.raises(UserError, match=r"grid|burn_in and window"):
        ssa.occupancy(BIRTH_DEATH, [1.0, 1.0], **({"burn_in": 1.0, "window": 1.0} | options))


def test_what_the_writer_may_leave_unchecked():
    rates = {
        "k * X": (True, 1), "X * (X - 1) * k": (True, 2), "k * X * (X - 1) / 2": (True, 2), "k": (True, 0),
        "k + X": (True, 0), "k - X": (False, 0), "(1 - X) * k": (False, 0), "X / (1 + X)": (False, 1),
        "X * (X - 2)": (False, 1),
        "X * (X - 1) + (X - 1)": (False, 0),
        "k * (X + 1) * 2": (True, 0),
        "X * (X - 0.5)": (False, 1),
    }  # fmt: skip
    for text, (positive, factors) in rates.items():
        network = one_event(text, -1)
        rate = network.rates[1]
        assert rate_facts.has_factors(rate, "X", 1) == (factors >= 1), text
        assert rate_facts.has_factors(rate, "X", 2) == (factors >= 2), text
        assert rate_facts.never_negative(rate, network) == positive, text
    assert not rate_facts.never_negative(one_event("k * X", -1, low=-1).rates[1], one_event("k * X", -1, low=-1))


def test_a_simulator_is_kept_on_disk_once_and_still_loads_where_nothing_can_be_written(tmp_path, monkeypatch):
    from numba import config

    from regulome.stochastic import ssa_cache

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert ssa_cache.load("value = 1\n").__file__ == ssa_cache.load("value = 1\n").__file__
    assert len(list((tmp_path / "networks").glob("*.py"))) == 1
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "file"))
    assert ssa_cache.load("value = 2\n").value == 2
