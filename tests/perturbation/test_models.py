"""Sizes of the published networks, and what each family is made of."""

import numpy as np
import pytest
import torch
from toy_screens import simulate

from regulome.perturbation import distributions
from regulome.perturbation.batches import Reader
from regulome.perturbation.models import FAMILIES, PerturbationModel, Sizes
from regulome.perturbation.noise import Noise
from regulome.perturbation.settings import ModelSettings

# spec: counted in the published models, by part
PUBLISHED = {
    "rpe1": (Sizes(8749, 655), (429_025, 1_530_910, 722_000, 2_001_400, 4_099_898), 8_783_233),
    "k562": (Sizes(8563, 1546), (2_390_116, 2_958_292, 601_800, 2_082_200, 4_301_526), 12_333_934),
}


@pytest.fixture(scope="module")
def screen():
    return simulate()


def build(screen, family: str, **changes) -> tuple[PerturbationModel, Reader]:
    settings = ModelSettings.mini(family, **changes)
    reader = Reader(screen, settings, "train")
    return PerturbationModel(settings, Sizes(len(screen.genes), len(reader.names)), seed=1), reader


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_parameters_of_the_published_gpo_vae(dataset):
    sizes, parts, total = PUBLISHED[dataset]
    with torch.device("meta"):
        model = PerturbationModel(ModelSettings.published("gpo", dataset), sizes)
    assert tuple(model.parameter_counts().values()) == parts
    assert sum(values.numel() for values in model.parameters()) == total


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("compat", ["published", "corrected"])
def test_every_family_has_a_finite_loss_and_a_gradient_for_every_parameter(screen, family, compat):
    model, reader = build(screen, family, compat=compat)
    terms = model.loss_terms(reader.batch(reader.rows[:100]), Noise((0,), 2))
    assert all(torch.isfinite(value) for value in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    without = [name for name, values in model.named_parameters() if values.grad is None]
    assert not without


def test_terms_of_each_family(screen):
    def names(family):
        model, reader = build(screen, family)
        return set(model.loss_terms(reader.batch(reader.rows[:50]), Noise((0,), 1)))

    vae = {"reconstruction", "kl_basal"}
    assert names("cvae") == vae
    assert names("cpa") == vae | {"kl_effect"}
    assert names("sams") == names("sams-mean-field") == vae | {"kl_effect", "kl_mask"}
    assert names("svae+") == vae | {"kl_mask"}
    assert names("cradle") == vae | {"kl_effect", "kl_mask", "kl_artifact", "counterfactual"}
    assert names("gpo") == names("cradle") | {"network", "sparsity"}


def test_effects_are_indexed_by_latent_genes_in_gpo_and_by_latent_dimensions_elsewhere(screen):
    gpo, _ = build(screen, "gpo")
    sams, _ = build(screen, "sams")
    assert gpo.mask_logits.shape == (6, 6)
    assert sams.mask_logits.shape == (4, 10)


def test_likelihood_of_a_pass_is_that_of_the_concatenated_network_written_out(screen):
    model, reader = build(screen, "gpo", compat="published")
    batch, width = reader.batch(reader.rows[:40]), model.settings.basal
    draw = model(batch, Noise((3,), 2))
    offset = torch.zeros(2, 40, 6)
    for cell, label in enumerate(screen.label[batch.rows]):
        if label >= 0:
            place = batch.treatments.tolist().index(label)
            offset[:, cell] = draw.effects.total[:, place]
    artifact = batch.fail[:, None] * draw.artifact[:, None]
    x = torch.log1p(torch.from_numpy(screen.counts[batch.rows].toarray()))
    q = model.encoder(x.expand(2, -1, -1), offset, artifact)
    torch.testing.assert_close(draw.basal_q.mean, q.mean, rtol=1e-4, atol=1e-5)
    assert draw.basal.shape == (2, 40, width)
    mean = batch.library[:, None] * torch.softmax(model.decoder(draw.basal, offset, artifact), -1)
    r = model.decoder.head.log_dispersion.exp()
    expected = distributions.nb_log_prob(torch.from_numpy(screen.counts[batch.rows].toarray()), mean, r).sum(-1)
    torch.testing.assert_close(draw.log_likelihood, expected, rtol=1e-4, atol=1e-2)


def test_counterfactuals_are_the_cells_that_have_one_encoded_as_the_other_quality(screen):
    model, reader = build(screen, "cradle")
    batch = reader.batch(reader.rows[:60])
    first, second, rows = model(batch, Noise((3,), 1)).counterfactual
    assert rows.tolist() == np.flatnonzero(screen.counterfactual_row[batch.rows] >= 0).tolist()
    assert first.mean.shape == second.mean.shape == (1, len(rows), model.settings.basal)


def test_conditional_vae_reads_the_dosage_itself(screen):
    model, reader = build(screen, "cvae")
    batch = reader.batch(reader.rows[:30])
    expected = np.zeros((30, 4))
    label = screen.label[batch.rows]
    expected[label >= 0, label[label >= 0]] = 1
    np.testing.assert_array_equal(model.offset(None, batch)[0].numpy(), expected)


def test_a_gene_without_training_counts_is_zero_and_as_published_a_million(screen):
    for compat, expected in (("corrected", [0, 0]), ("published", [1e-6, 1e6])):
        model, _ = build(screen, "cvae", compat=compat)
        model.gene_sd.zero_()
        found = model.normalise(torch.tensor([[0.0], [3.0]]).expand(2, 30))
        np.testing.assert_allclose(found[:, 0], expected)


def test_opposite_noise_of_antithetic_particles():
    noise = Noise((1,), 4, antithetic=True)
    normal, uniform = noise.normal(1000), noise.uniform(1000)
    assert torch.equal(normal[:2], -normal[2:])
    torch.testing.assert_close(uniform[:2] + uniform[2:], torch.ones(2, 1000))
