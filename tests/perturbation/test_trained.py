"""A trained model: predictions, network, densities, file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from toy_screens import simulate

from regulome.errors import UserError
from regulome.perturbation import distributions
from regulome.perturbation.settings import ModelSettings, TrainingSettings
from regulome.perturbation.trained import Trained
from regulome.perturbation.training import train

TRAINING = TrainingSettings.mini(epochs=30, batch=128, rate=5e-3)


@pytest.fixture(scope="module")
def screen():
    return simulate(cells=1200)


@pytest.fixture(scope="module")
def cvae(screen):
    return train(screen, ModelSettings.mini("cvae"), TRAINING, progress=False)


@pytest.fixture(scope="module")
def gpo(screen):
    return train(screen, ModelSettings.mini("gpo"), replace(TRAINING, epochs=2), progress=False)


def data_ate(screen, rows):
    y = np.log2(1 + 1e4 * screen.counts.toarray() / screen.library[:, None])
    label = screen.label[rows]
    return np.array([y[rows][label == k].mean(0) - y[rows][label < 0].mean(0) for k in range(4)])


def test_average_effects_of_a_trained_model_are_those_of_cells_it_has_not_seen(screen, cvae):
    expected = data_ate(screen, screen.rows("test", passed=True))
    found = cvae.ate(n=1000, library="observed")
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.7
    assert (found[np.arange(4), np.arange(4)] < -0.5).all()  # every knocked-out gene goes down


def test_predicted_cells_are_counts_with_the_library_asked_for(cvae):
    cells = cvae.predict("G01", n=600, seed=0, library=2000)
    assert cells.shape == (600, 30) and (cells == np.round(cells)).all() and (cells >= 0).all()
    assert cells.sum(1).mean() == pytest.approx(2000, rel=0.05)
    observed = cvae.predict("control", n=600, seed=0, library="observed").sum(1)
    assert observed.mean() == pytest.approx(cvae.libraries.mean(), rel=0.1)


def test_the_same_seed_gives_the_same_cells_whatever_else_is_asked_for(cvae):
    alone = cvae.ate(["G02"], n=50, seed=3)
    assert np.array_equal(cvae.ate(["G00", "G02"], n=50, seed=3)[1], alone[0])
    assert not np.array_equal(cvae.predict("G02", n=50, seed=3), cvae.predict("G02", n=50, seed=4))


def test_combinations_that_were_never_trained_are_predicted_from_their_genes(cvae):
    single, other, both = cvae.ate(["G00", "G01", "G00+G01"], n=300, library="observed")
    assert both[0] < other[0] - 0.5 and both[1] < single[1] - 0.5  # each gene is down in the pair


@pytest.mark.parametrize(("label", "message"), [("G29", "'G29' is no treatment"), ("G00+nobody", "'nobody' is no")])
def test_unknown_perturbations_are_named(cvae, label, message):
    with pytest.raises(UserError, match=message):
        cvae.predict(label)


def test_a_perturbation_without_training_cells_is_not_predicted(gpo, screen):
    with pytest.raises(UserError, match=f"no training cell had {screen.latent[4]} perturbed"):
        gpo.predict(screen.latent[4])
    with pytest.raises(UserError, match="library is 'big'"):
        gpo.predict("G00", library="big")


def test_the_network_is_the_probability_of_the_mask_and_undefined_where_nothing_was_learned(gpo, screen, cvae):
    table = gpo.network()
    assert tuple(table.index) == tuple(table.columns) == screen.latent
    probability = 1 / (1 + np.exp(-gpo.model.mask_logits.detach().numpy()))
    np.testing.assert_allclose(table.to_numpy()[:4], probability[:4], rtol=1e-6)
    assert table.iloc[4:].isna().all(axis=None)
    with pytest.raises(UserError, match="family 'cvae' has no network"):
        cvae.network()


def test_log_weights_are_the_densities_written_out(cvae, screen):
    rows = screen.rows("test")[:7]
    found = cvae.log_weights(screen, rows, particles=3, seed=5)
    assert found.shape == (3, 7) and np.isfinite(found).all()
    # importance weights of any proposal have the same mean: the prior itself, with many particles
    model, x = cvae.model, torch.from_numpy(screen.counts[rows].toarray())
    dosage = torch.from_numpy(screen.cell_dosage(rows)[:, :4])
    z = torch.randn(20_000, 1, model.settings.basal, generator=torch.Generator().manual_seed(0))
    exact = []
    with torch.no_grad():
        for cell in range(7):
            share = torch.softmax(model.decoder(z, dosage[cell].expand(1, 4)), -1)
            r = model.decoder.head.log_dispersion.exp()
            likelihood = distributions.nb_log_prob(x[cell], x[cell].sum() * share, r).sum(-1)[:, 0]
            exact.append(logsumexp(likelihood.double().numpy()) - np.log(20_000))
    many = cvae.log_weights(screen, rows, particles=500, seed=5)
    np.testing.assert_allclose(logsumexp(many.astype(float), axis=0) - np.log(500), exact, atol=0.3)


def test_log_weights_of_a_cell_do_not_depend_on_the_cells_beside_it_through_shared_latents(gpo, screen):
    rows = screen.rows("test")[:6]
    effects = [gpo.log_weights(screen, rows, particles=2, seed=1, shared=shared) for shared in (True, False)]
    assert effects[0].shape == effects[1].shape == (2, 6)
    assert not np.array_equal(*effects)


def test_the_file_gives_the_same_model(gpo, screen, tmp_path):
    gpo.save(tmp_path / "model.pt")
    again = Trained.load(tmp_path / "model.pt")
    assert again.settings == gpo.settings and again.genes == gpo.genes and again.labels == gpo.labels
    assert np.array_equal(again.ate(n=20, seed=1), gpo.ate(n=20, seed=1))
    assert again.network().equals(gpo.network()) and again.log.equals(gpo.log)


def test_other_files_and_other_screens_are_refused(gpo, cvae, screen, tmp_path):
    (tmp_path / "text.pt").write_text("no")
    with pytest.raises(UserError, match="not a perturbation model"):
        Trained.load(tmp_path / "text.pt")
    with pytest.raises(UserError, match="no such file"):
        Trained.load(tmp_path / "none.pt")
    other = replace(screen, genes=tuple(reversed(screen.genes)))
    with pytest.raises(UserError, match="other measured genes"):
        gpo.log_weights(other, np.arange(3))
    with pytest.raises(UserError, match="other perturbations or latent genes"):
        cvae.check(simulate(cells=300, perturbed=3))
