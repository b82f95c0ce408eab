"""The solver: training reaches a law that is known, probabilities agree with each other, files and bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from regulome.errors import UserError
from regulome.stochastic import accuracy, networks
from regulome.stochastic.dataset_shards import make
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.prompt import Prompt
from regulome.stochastic.solver import Solver
from regulome.stochastic.solver_training import TrainingSettings, check_disjoint, schedule, targets, train
from regulome.stochastic.transformer import Architecture, named

SMALL = Architecture(width=32, hidden=64, prompt_tokens=4, prompt_rank=8, prompt_hidden=32, features=8)
TELEGRAPH = networks.narrowed(networks.load("telegraph"), [3.0, 3.0, 10.0, 2.0], [2, 40])


@pytest.fixture(scope="module")
def laws():
    return make(TELEGRAPH, 48, seed=1, threads=1, progress=False)


@pytest.fixture(scope="module")
def solver(laws):
    torch.set_num_threads(1)
    settings = TrainingSettings(steps=200, batch=24, prefixes=4, rate=4e-3, check_every=100, seed=3)
    held = make(TELEGRAPH, 8, seed=2, threads=1, progress=False)
    return train(Solver.new(TELEGRAPH, SMALL, seed=3), laws, settings, held, device="cpu", progress=False)


@pytest.fixture
def theta():
    return torch.tensor(make(TELEGRAPH, 3, seed=5, threads=1, progress=False).theta)


def test_a_short_training_beats_the_nearest_training_law_on_held_out_parameters(solver, laws):
    held = make(TELEGRAPH, 12, seed=9, threads=1, progress=False)
    ours = accuracy.score_all(lambda i: solver.joint(held.theta[i]), held, "ours")
    nearest = accuracy.score_all(accuracy.nearest_laws(laws, held), held, "nearest")
    medians = [table[table["state"] == accuracy.JOINT]["tv"].median() for table in (ours, nearest)]
    assert medians[0] < 0.1 and medians[0] < 0.7 * medians[1]


def test_recorded_divergence_is_the_divergence_of_the_held_out_laws(solver):
    held = make(TELEGRAPH, 8, seed=2, threads=1, progress=False)
    scores = accuracy.score_all(lambda i: solver.joint(held.theta[i]), held, "ours")
    measured = scores[scores["state"] == accuracy.JOINT]["kl"].mean()
    assert solver.record["curve"]["validation_kl"][-1] == pytest.approx(measured, rel=0.02)


def test_training_again_gives_the_same_weights(laws):
    settings = TrainingSettings(steps=5, batch=8, prefixes=3, seed=1)
    found = [train(Solver.new(TELEGRAPH, SMALL, 1), laws, settings, device="cpu", progress=False) for _ in range(2)]
    for first, second in zip(*(s.transformer.parameters() for s in found), strict=True):
        assert torch.equal(first, second)


def test_probabilities_of_all_counts_sum_to_one_and_larger_counts_have_none(solver, theta):
    every = np.argwhere(np.ones(solver.bounds))
    torch.testing.assert_close(solver.log_prob(theta, every).exp().sum(1), torch.ones(3).double(), atol=1e-5, rtol=0)
    beyond = solver.log_prob(theta, np.array([[2, 0], [0, 40], [1, 39]]))
    assert torch.isneginf(beyond[:, :2]).all() and torch.isfinite(beyond[:, 2]).all()


def test_joint_law_holds_the_probabilities_of_log_prob(solver, theta):
    law = solver.joint(theta[1])
    found = solver.log_prob(theta[1:2], law.counts)[0].exp().detach().numpy()
    np.testing.assert_allclose(law.weights, found, atol=1e-6)


@pytest.mark.parametrize("names", [("mRNA",), ("ON",), ("mRNA", "ON")])
def test_unobserved_species_are_summed_out_exactly(solver, theta, names):
    law = solver.joint(theta[0]).marginal(*names)
    found = solver.observed_log_prob(theta[:1], names, law.counts)[0].exp().detach().numpy()
    np.testing.assert_allclose(law.weights, found, atol=1e-6)


def test_samples_have_the_moments_of_the_law(solver, theta):
    law, drawn = solver.joint(theta[2]), solver.sample(theta[2], 20_000, np.random.default_rng(0))
    error = law.sd / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(0) - law.mean) < 4 * error).all()
    assert np.corrcoef(drawn.T)[0, 1] > 0.1  # the gene that is on makes mRNA


def test_gradient_by_the_parameters_is_that_of_finite_differences(solver, theta):
    counts = np.array([[0, 3], [1, 6]])
    free = theta[:1].clone().requires_grad_()
    solver.log_prob(free, counts).sum().backward()
    for place in range(4):
        step = torch.zeros(1, 4, dtype=torch.float64)
        step[0, place] = 0.02 * theta[0, place]
        with torch.no_grad():
            change = (solver.log_prob(theta[:1] + step, counts) - solver.log_prob(theta[:1] - step, counts)).sum()
        assert free.grad[0, place].item() == pytest.approx((change / (2 * step[0, place])).item(), rel=0.05, abs=5e-3)


def test_all_rates_times_a_number_leave_the_stationary_law_as_it_is(solver, theta):
    counts = np.argwhere(np.ones(solver.bounds))
    torch.testing.assert_close(solver.log_prob(theta, counts), solver.log_prob(3.7 * theta, counts), atol=1e-5, rtol=0)
    fixed = Solver.new(TELEGRAPH, SMALL, ratios=False)
    assert not torch.allclose(fixed.log_prob(theta, counts), fixed.log_prob(3.7 * theta, counts), atol=1e-3)


def test_prompt_is_standardised_published_or_linear_where_there_is_no_logarithm():
    network = StateTransitionNetwork(
        "feedback", ("X",), (Event("in", {"X": 1}, "hillr(X, k, 5, n) + 0.1"), Event("out", {"X": -1}, "X")),
        (Parameter("k", 1.0, 9.0), Parameter("n", -2.0, 2.0)), {"X": 4}, bounds={"X": 20},
    )  # fmt: skip
    theta = torch.from_numpy(network.sample_box(2048, seed=3))
    scaled = Prompt.of(network)(theta)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(scaled.std(0), torch.ones(2), atol=0.02, rtol=0)
    line = torch.stack([scaled[:, 1], theta[:, 1].float()])
    assert torch.corrcoef(line)[0, 1] > 0.999999  # n enters as it is
    published = Prompt.of(network, "published")(theta)
    expected = torch.stack([theta[:, 0].log(), (theta[:, 1] + 2).log()], 1).float()
    torch.testing.assert_close(published[:, :2], expected)
    assert (published[:, 2:] == torch.tensor([4.0, 0.0])).all()


def test_time_is_an_input_where_it_was_trained():
    network = networks.narrowed(networks.load("birth_death"), [10.0, 1.0], [40])
    data = make(network, 64, seed=1, time=(0.0, 6.0), threads=1, progress=False)
    fluid = Solver.new(network, SMALL, seed=1, times=(0.0, 6.0))
    settings = TrainingSettings(steps=250, batch=32, rate=4e-3)
    train(fluid, data, settings, device="cpu", progress=False)
    theta = np.array([6.0, 0.5])
    for time in (1.0, 4.0):  # from 0 molecules the law is Poisson at every time
        expected = 6.0 / 0.5 * (1 - np.exp(-0.5 * time))
        assert fluid.joint(theta, time).mean[0] == pytest.approx(expected, rel=0.1)
    with pytest.raises(UserError, match="expected a time"):
        fluid.joint(theta)


def test_learning_rate_warms_up_and_ends_near_zero():
    settings = TrainingSettings(steps=100, warm_up=10)
    assert schedule(1, settings) == pytest.approx(0.1) and schedule(11, settings) > 0.95
    assert schedule(100, settings) < 1e-3


def test_laws_above_the_bounds_are_reported_and_left_out():
    tight = networks.narrowed(TELEGRAPH, [], [2, 8])
    data = make(TELEGRAPH, 4, seed=1, threads=1, progress=False)
    found, lost = targets(Solver.new(tight, SMALL), data)
    expected = [data[i].weights[data[i].counts[:, 1] >= 8].sum() for i in range(4)]
    np.testing.assert_allclose(lost, expected, atol=1e-6)
    assert found.levels[-1].values.max() < 8 and lost.max() > 0.01


# --- files


def test_a_file_gives_back_the_same_solver(solver, theta, tmp_path):
    solver.save(tmp_path / "solver.pt")
    again = Solver.load(tmp_path / "solver.pt", TELEGRAPH)
    counts = np.array([[0, 3], [1, 6]])
    assert torch.equal(solver.log_prob(theta, counts), again.log_prob(theta, counts))
    assert again.record == json.loads(json.dumps(solver.record)) and again.network.parameter_names == (
        "kon",
        "koff",
        "ksyn",
        "kdeg",
    )


def test_a_file_of_another_network_is_refused(solver, tmp_path):
    solver.save(tmp_path / "solver.pt")
    with pytest.raises(UserError, match="found 'telegraph', expected 'afl': state_names differ"):
        Solver.load(tmp_path / "solver.pt", networks.load("afl"))
    other = replace(TELEGRAPH, parameters=(Parameter("kon", 0.1, 9.0), *TELEGRAPH.parameters[1:]))
    with pytest.raises(UserError, match="parameters differ"):
        Solver.load(tmp_path / "solver.pt", other)


class Harmful:
    """Would run on unpickling."""

    def __reduce__(self):
        import pathlib

        return (pathlib.Path.touch, (pathlib.Path("harmed"),))


def test_broken_files_are_refused_and_nothing_in_them_is_run(solver, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        Solver.load("missing.pt")
    solver.save(tmp_path / "solver.pt")
    content = (tmp_path / "solver.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.pt").write_text("weights")
    (tmp_path / "empty.pt").write_bytes(b"")
    torch.save({"weights": {}}, tmp_path / "other.pt")
    torch.save({"format": "regulome solver 1", "network": Harmful()}, tmp_path / "harmful.pt")
    for name in ("cut", "text", "empty", "other", "harmful"):
        with pytest.raises(UserError, match=f"{name}.pt: no checkpoint of a solver"):
            Solver.load(tmp_path / f"{name}.pt")
    assert not (tmp_path / "harmed").exists()
    damaged = torch.load(tmp_path / "solver.pt", weights_only=True)
    damaged["weights"].pop("gain")
    torch.save(damaged, tmp_path / "damaged.pt")
    with pytest.raises(UserError, match="damaged checkpoint"):
        Solver.load(tmp_path / "damaged.pt")


# --- bad input


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.array([[0, -1]]), "count of 'mRNA' in row 0: found -1"),
        (np.array([[0, 1.5]]), "found 1.5, expected a whole number"),
        (np.array([[np.nan, 1]]), "count of 'ON' in row 0: found nan"),
        (np.array([[0, 1, 2]]), "expected a column each for ON, mRNA"),
    ],
)
def test_counts_that_are_none_are_refused(solver, theta, counts, message):
    with pytest.raises(UserError, match=message):
        solver.log_prob(theta, counts)


def test_parameters_and_names_that_do_not_fit_are_refused(solver, theta):
    with pytest.raises(UserError, match=r"parameter 2 of set 0: found -1, expected a number above 0"):
        solver.log_prob(torch.tensor([[1.0, -1.0, 1.0, 1.0]]), np.array([[0, 1]]))
    with pytest.raises(UserError, match=r"expected \(B, 4\)"):
        solver.log_prob(theta[:, :3], np.array([[0, 1]]))
    with pytest.raises(UserError, match="did you mean 'mRNA'"):
        solver.observed_log_prob(theta, ("mRna",), np.array([[1]]))
    with pytest.raises(UserError, match="expected no time"):
        solver.log_prob(theta, np.array([[0, 1]]), time=torch.ones(3))


def test_validation_on_training_sets_is_refused(laws):
    with pytest.raises(UserError, match="set 0 is a training set too"):
        check_disjoint(laws, make(TELEGRAPH, 4, seed=1, threads=1, progress=False))


@pytest.mark.parametrize("change", [{"steps": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"prefixes": -1}])
def test_settings_that_make_no_sense_are_refused(change):
    with pytest.raises(UserError, match=f"training: {next(iter(change))} is"):
        TrainingSettings(**change)


def test_published_network_is_an_option_of_the_same_solver(theta):
    plain = Solver.new(TELEGRAPH, named("published"))
    every = np.argwhere(np.ones(plain.bounds))
    torch.testing.assert_close(plain.log_prob(theta, every).exp().sum(1), torch.ones(3).double(), atol=1e-5, rtol=0)
