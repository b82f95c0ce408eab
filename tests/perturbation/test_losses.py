"""Every term of the loss against its formula, published and corrected."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_screens import simulate

from regulome.perturbation import losses
from regulome.perturbation.batches import Reader
from regulome.perturbation.distributions import Gaussian, bernoulli_kl, normal_kl
from regulome.perturbation.models import PerturbationModel, Sizes
from regulome.perturbation.noise import Noise
from regulome.perturbation.settings import ModelSettings


@pytest.fixture(scope="module")
def screen():
    return simulate()


def build(screen, family="gpo", split="train", **changes):
    settings = ModelSettings.mini(family, **changes)
    reader = Reader(screen, settings, split)
    return PerturbationModel(settings, Sizes(len(screen.genes), len(reader.names)), seed=1), reader


def test_published_reconstruction_balances_the_qualities_and_the_corrected_counts_every_cell_once():
    likelihood, fail = torch.tensor([[-10.0, -20.0, -30.0, -40.0]]), torch.tensor([0.0, 0.0, 0.0, 1.0])
    published = ModelSettings.published("gpo")
    found = losses.reconstruction(likelihood, fail, published)
    assert found.item() == pytest.approx((0.25 * (10 + 20 + 30) + 0.75 * 40) / 4)
    assert losses.reconstruction(likelihood, fail, replace(published, alpha=0.1)).item() == pytest.approx(
        (0.1 * 60 + 0.9 * 40) / 4
    )
    assert losses.reconstruction(likelihood, fail, ModelSettings("gpo")).item() == pytest.approx(25)
    assert losses.reconstruction(likelihood, fail, ModelSettings.published("sams")).item() == pytest.approx(25)


@pytest.mark.parametrize("batch", [7, 64, 1000])
def test_divergence_of_every_row_counts_once_an_epoch(screen, batch):
    _, reader = build(screen)
    total, artifact = np.zeros(6), 0.0
    for part in reader.epoch(batch, np.random.default_rng(0)):
        np.add.at(total, part.treatments.numpy(), part.plating.sum(0).numpy())
        artifact += part.fail_plating.sum().item()
    np.testing.assert_allclose(total, [1, 1, 1, 1, 0, 0], rtol=1e-5)
    assert artifact == pytest.approx(1, rel=1e-5)


def test_plated_mask_term_over_an_epoch_is_the_divergence_of_the_perturbed_rows_per_cell(screen):
    model, reader = build(screen)
    with torch.no_grad():
        model.mask_logits.normal_(generator=torch.Generator().manual_seed(2))
        parts = [(model.loss_terms(b, Noise((0,), 1))["kl_mask"], len(b)) for b in reader.epoch(50)]
        whole = bernoulli_kl(model.mask_logits[:4], model.settings.mask_prior).sum()
    assert sum(value.item() * cells for value, cells in parts) == pytest.approx(whole.item(), rel=1e-4)


def test_monte_carlo_divergences_have_the_exact_ones_as_their_mean(screen):
    found = {}
    for kl in ("published", "corrected"):
        model, reader = build(screen, kl=kl)
        with torch.no_grad():
            model.mask_logits.normal_(generator=torch.Generator().manual_seed(2))
            batch = reader.batch(reader.rows[:10])
            found[kl] = [model.loss_terms(batch, Noise((i,), 300)) for i in range(6)]
    for term in ("kl_basal", "kl_mask", "kl_effect", "kl_artifact"):
        sampled, exact = (np.array([terms[term].item() for terms in found[kl]]) for kl in ("published", "corrected"))
        error = np.hypot(sampled.std(), exact.std()) / np.sqrt(6)
        assert sampled.mean() == pytest.approx(exact.mean(), abs=5 * error + 1e-6), term
        assert exact.std() < sampled.std(), term


def test_counterfactual_term_is_a_divergence_and_as_published_it_is_none():
    first = Gaussian(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.5, 2.0]]]))
    second = Gaussian(torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[4.0, 2.0]]]))
    exact = normal_kl(first, second.mean, second.variance).sum().item()
    assert losses.counterfactual(first, second, False, cells=10).item() == pytest.approx(exact / 10)
    published = -0.5 * (1 + np.log(0.5 / 4) - (1 - 3) ** 2 - 0.5 / 4)
    assert losses.counterfactual(first, second, True, cells=10).item() == pytest.approx(published)


def test_a_batch_without_counterfactuals_has_the_same_terms(screen):
    model, reader = build(replace(screen, counterfactual_row=np.full(len(screen), -1)))
    terms = model.loss_terms(reader.batch(reader.rows[:5]), Noise((0,), 1))
    assert terms["counterfactual"].item() == 0


def test_a_batch_of_controls_has_no_divergence_of_effects(screen):
    for compat in ("published", "corrected"):
        model, reader = build(screen, compat=compat)
        terms = model.loss_terms(reader.batch(screen.rows("train", "control")[:5]), Noise((0,), 1))
        assert terms["kl_mask"].item() == terms["kl_effect"].item() == 0
        assert all(torch.isfinite(value) for value in terms.values())


def test_walks_are_the_damped_powers_of_the_matrix():
    w = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = sum(torch.linalg.matrix_power(w, k + 1) / 5**k for k in range(4))
    rows = torch.tensor([3, 1])
    torch.testing.assert_close(losses.walks(w, rows, 3), expected[rows])
    torch.testing.assert_close(losses.walks(w, rows, 0), w[rows])


@pytest.mark.parametrize("compat", ["published", "corrected"])
def test_network_term_is_its_formula(screen, compat):
    model, reader = build(screen, compat=compat, hop=2, margin=0.3)
    model.observed.copy_(torch.from_numpy((reader.cells > 0).astype(np.float32)))
    with torch.no_grad():
        model.mask_logits.normal_(generator=torch.Generator().manual_seed(2))
    batch, w = reader.batch(reader.rows[:80]), model.mask_logits.detach().double().numpy().copy()
    if compat == "corrected":
        w[4:] = 0
    walks = w + w @ w / 6 + w @ w @ w / 36
    dosage = screen.cell_dosage(batch.rows)
    error = np.abs(dosage @ walks - (np.abs(screen.delta(batch.rows)) - 0.3))
    expected = error.mean() if compat == "published" else error[dosage.any(1)].mean()
    assert losses.network(model, batch).item() == pytest.approx(expected, rel=1e-5)


def test_genes_that_are_not_measured_take_no_part_in_the_network_term(screen):
    unmeasured = replace(screen, latent=(*screen.latent[:5], "not measured"))
    model, reader = build(unmeasured)
    batch = reader.batch(reader.rows[:50])
    assert torch.isnan(batch.delta[:, 5]).all()
    value = losses.network(model, batch)
    gradient = torch.autograd.grad(value, model.mask_logits)[0]
    assert torch.isfinite(value) and torch.isfinite(gradient).all() and not gradient[:, 5].any()


def test_without_hops_the_network_term_recovers_the_median_change_minus_the_margin():
    screen = simulate(cells=3000, seed=3)
    model, reader = build(screen, compat="published", hop=0, margin=0.3)
    batch = reader.batch(reader.rows)
    optimiser = torch.optim.Adam([model.mask_logits], lr=0.05)
    for step in range(400):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 400)
        optimiser.zero_grad()
        losses.network(model, batch).backward()
        optimiser.step()
    delta, label = np.abs(screen.delta(reader.rows)), screen.label[reader.rows]
    median = np.array([np.median(delta[label == k], axis=0) for k in range(4)]) - 0.3
    found = model.mask_logits[:4].detach().numpy()
    assert np.corrcoef(found.ravel(), median.ravel())[0, 1] > 0.98
    assert np.abs(found - median).max() < 0.1


def test_a_loss_that_is_no_number_is_named():
    with pytest.raises(Exception, match="kl_mask is no number in epoch 3"):
        losses.check({"reconstruction": 1.0, "kl_mask": float("nan")}, "in epoch 3")
