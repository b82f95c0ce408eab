"""What data cannot see: swapped names, the unit of time, unused parameters; and that sampling uses it rightly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from inference_laws import draw
from scipy.integrate import quad
from scipy.special import logsumexp

from regulome.stochastic import exact, networks
from regulome.stochastic.counts import Cells
from regulome.stochastic.likelihood import Likelihood
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork
from regulome.stochastic.posterior import SamplerSettings, sample
from regulome.stochastic.prior import BoxPrior
from regulome.stochastic.proposal import Mixture
from regulome.stochastic.smc import smc
from regulome.stochastic.symmetries import ordered, relabellings
from regulome.stochastic.two_state import recognise
from regulome.stochastic.unseen import Unseen

GENE = networks.load("gene_expression")
SWAP = [1, 0, 3, 2, 4, 5, 6]
TRUE = GENE.theta(kon=0.05, koff=0.04, ksynon=4.0, ksynoff=0.4, ksynM=0.5, kdegM=0.3, kdegP=0.25)
CLOSED = recognise(GENE.recording("mRNA"), ("mRNA",))


def test_on_and_off_may_swap_names_where_the_gene_is_not_seen():
    for observed in (("mRNA", "Protein"), ("mRNA",)):
        assert relabellings(GENE, observed).tolist() == [list(range(7)), SWAP]


def test_no_symmetry_where_the_gene_is_seen_or_does_not_leak_or_boxes_differ_or_data_are_early():
    box = replace(GENE, parameters=(Parameter("kon", 0.01, 0.2), *GENE.parameters[1:]))
    assert len(relabellings(GENE, ("ON", "mRNA", "Protein"))) == 1
    assert len(relabellings(networks.load("telegraph"), ("mRNA",))) == 1
    assert len(relabellings(box, ("mRNA",))) == 1
    assert len(relabellings(GENE, ("mRNA",), stationary=False)) == 1  # begins with the gene on


def test_exact_law_has_the_symmetry_that_was_found():
    small = GENE.recording("mRNA")
    laws = [exact.stationary(small, theta).distribution for theta in (TRUE, TRUE[SWAP])]
    assert np.allclose(*(law.weights / law.weights.sum() for law in laws), atol=1e-9)


def test_three_exchangeable_genes_have_six_relabellings_unless_their_copies_differ():
    def genes(copies):
        states = (*(f"{s}{i}" for i in range(3) for s in ("A", "B")), "X")
        events = [Event("decay", {"X": -1}, "X")]
        for i in range(3):
            events += [
                Event(f"on{i}", {f"A{i}": -1, f"B{i}": 1}, f"A{i} * k{i}"),
                Event(f"off{i}", {f"B{i}": -1, f"A{i}": 1}, f"B{i}"),
                Event(f"make{i}", {"X": 1}, f"B{i} * 5"),
            ]
        parameters = tuple(Parameter(f"k{i}", 0.1, 2.0) for i in range(3))
        initial = {f"A{i}": n for i, n in enumerate(copies)}
        return StateTransitionNetwork("genes", states, tuple(events), parameters, initial, recorded=("X",))

    assert len(relabellings(genes((1, 1, 1)), ("X",))) == 6
    assert relabellings(genes((1, 1, 2)), ("X",)).tolist() == [[0, 1, 2], [1, 0, 2]]


@pytest.fixture(scope="module")
def cells():
    return Cells.of(["mRNA"], draw(CLOSED, TRUE, 1000, 3, 100))


@pytest.fixture(scope="module")
def unseen(cells):
    return Unseen.of(Likelihood(CLOSED, cells), BoxPrior(GENE), TRUE)


def test_unit_of_time_and_unused_rates_are_recognised(unseen):
    assert unseen.free.tolist() == [False] * 4 + [True, False, True]  # translation and decay of the protein
    assert (unseen.ridge > 0).tolist() == (~unseen.free).tolist()
    assert len(unseen.relabellings) == 2 and unseen.basis.shape == (7, 4)
    assert np.allclose(unseen.basis.T @ unseen.basis, np.eye(4)) and np.allclose(unseen.ridge @ unseen.basis, 0)


def test_a_law_that_does_not_agree_is_believed(cells):
    class Sees:
        network = GENE

        def observed_log_prob(self, theta, names, counts):
            return CLOSED.observed_log_prob(theta, names, counts) - theta[:, 4:5] - theta[:, 3:4]

    found = Unseen.of(Likelihood(Sees(), cells), BoxPrior(GENE), TRUE)
    assert not found.free.any() and not found.ridge.any() and len(found.relabellings) == 1


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_density_of_what_is_unseen_is_normalised_and_that_of_its_draws(unseen, scale):
    prior = BoxPrior(GENE, scale)
    part = replace(unseen, prior=prior, free=np.zeros(7, bool))
    x = prior.coordinates(torch.tensor(TRUE)).numpy()[None]
    first, last = (float(v[0]) for v in part._range(x))
    length = np.linalg.norm(part.ridge)
    mass = quad(lambda s: np.exp(part.log_density(x + s * part.ridge)[0]) * length, first, last)[0]
    assert mass == pytest.approx(1, rel=1e-6)
    moved = part.redrawn(x.repeat(4000, 0), np.random.default_rng(0))
    places = (moved - x) @ part.ridge / length**2
    middle = quad(lambda s: s * np.exp(part.log_density(x + s * part.ridge)[0]) * length, first, last)[0]
    assert np.isfinite(prior.log_density(torch.tensor(moved))).all()
    assert places.mean() == pytest.approx(middle, abs=4 * places.std() / np.sqrt(4000))


def test_mixture_density_integrates_to_one_and_is_symmetric(unseen):
    """By importance sampling from the prior: the mixture is narrow enough to lie in the box."""
    prior = unseen.prior
    mean = prior.coordinates(torch.tensor(TRUE)).numpy() @ unseen.basis
    mixture = Mixture(unseen, np.ones(1), mean[None], 0.05 * np.eye(4)[None])
    x = prior.coordinates(torch.tensor(prior.sample(200_000, np.random.default_rng(1)))).numpy()
    logs = mixture.log_density(x) - prior.log_density(torch.tensor(x)).numpy()
    drawn = mixture.sample(20_000, np.random.default_rng(2))
    inside = np.isfinite(prior.log_density(torch.tensor(drawn)).numpy()).mean()
    spread = np.exp(logs).std() / np.sqrt(len(x))
    assert np.exp(logsumexp(logs)) / len(x) == pytest.approx(inside, abs=5 * spread + 0.01)
    assert np.allclose(mixture.log_density(x[:50]), mixture.log_density(x[:50][:, SWAP]))


def test_both_labellings_get_half_of_the_draws_and_unused_rates_their_prior(cells):
    settings = SamplerSettings(chains=4, steps=60, burn_in=15, starts=4, screened=32)
    found = sample(Likelihood(CLOSED, cells), BoxPrior(GENE), 0, settings, "kdegM")
    assert (found.flat[:, 2] > found.flat[:, 3]).mean() == pytest.approx(0.5, abs=0.06)
    for place in (4, 6):
        low, high = GENE.box[place]
        assert np.quantile((found.flat[:, place] - low) / (high - low), [0.25, 0.75]) == pytest.approx(
            [0.25, 0.75], abs=0.06
        )
    assert found.summary["r_hat"].max() < 1.03 and found.summary["ess_bulk"].min() > 300
    one = ordered(found.flat, np.array(SWAP), 2)
    assert (one[:, 2] >= one[:, 3]).all()
    assert np.median(one[:, 2] / one[:, 5]) == pytest.approx(TRUE[2] / TRUE[5], rel=0.1)


def test_sequential_monte_carlo_weighs_both_labellings_alike(cells):
    likelihood = Likelihood(CLOSED, [cells] * 4)
    found = smc(likelihood, BoxPrior(GENE), 0, particles=64, bank=1024, moves=2)
    assert (found.theta[..., 2] > found.theta[..., 3]).mean() == pytest.approx(0.5, abs=0.12)
