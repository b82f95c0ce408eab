"""Our GPO-VAE on a small screen whose effects and network are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import nbinom

from regulome.errors import UserError
from regulome.perturbation import ate, gpo, gpo_response
from regulome.perturbation.gpo_moments import expected_y
from regulome.perturbation.gpo_training import GpoTraining
from regulome.perturbation.screen import Screen

PERTURBED, GENES = 6, 24
SMALL = GpoTraining(basal=2, width=16, epochs=5, warm_up=1, every=2, batch=256, cells=32)


def effects_of_chain() -> np.ndarray:
    """(6, 24) true log effects: gene 0 lowers 1, which lowers 2; gene 3 raises 10 to 14; 4 and 5 do nothing else."""
    out = np.zeros((PERTURBED, GENES))
    out[np.arange(PERTURBED), np.arange(PERTURBED)] = -2.0
    out[0, 1], out[0, 2], out[1, 2] = -1.6, -1.28, -1.6
    out[3, 10:15] = 1.0
    return out


def simulated(seed: int = 0, cells: int = 90) -> Screen:
    rng = np.random.default_rng(seed)
    genes = tuple(f"g{i:02d}" for i in range(GENES))
    labels = (*genes[:PERTURBED], f"{genes[3]}+{genes[4]}")
    truth = effects_of_chain()
    truth = np.vstack([truth, truth[3] + truth[4], np.zeros(GENES)])
    label = np.append(np.repeat(np.arange(len(labels)), cells), np.full(4 * cells, -1))
    label = label[rng.permutation(len(label))]
    library = rng.lognormal(np.log(300), 0.4, len(label))
    share = np.exp(rng.normal(0, 0.5, GENES) + truth[label])
    mean = library[:, None] * share / share.sum(1, keepdims=True)
    counts = rng.poisson(rng.gamma(4.0, mean / 4.0))
    split = rng.choice(3, len(label), p=[0.64, 0.16, 0.2])
    return Screen(
        "simulated", csr_matrix(counts.astype(np.float32)), genes, labels, label, genes[:PERTURBED] + genes[8:16],
        PERTURBED, split, np.zeros(len(label), bool), np.arange(len(label)), np.zeros((0, GENES), np.float32),
        np.full(len(label), -1), pd.DataFrame(index=range(len(label))),
    )  # fmt: skip


@pytest.fixture(scope="module")
def screen():
    return simulated()


@pytest.fixture(scope="module")
def model(screen):
    return gpo.train(screen, SMALL, progress=False)


def test_mean_of_y_is_the_sum_over_the_negative_binomial():
    rng = np.random.default_rng(0)
    mean, dispersion, library = rng.lognormal(0, 1.5, (3, 5)), rng.uniform(0.3, 5, 5), np.array([50.0, 200.0, 900.0])
    counts = np.arange(4000)
    p = nbinom.pmf(counts, dispersion[:, None], (dispersion / (dispersion + mean))[:, :, None])
    exact = (p * np.log2(1 + 1e4 * counts / library[:, None, None])).sum(-1).mean(0)
    np.testing.assert_allclose(expected_y(mean, dispersion, library), exact, rtol=1e-6)


def test_effects_are_those_of_the_simulation(model):
    truth = effects_of_chain()
    found = model.effects[:PERTURBED] - np.median(model.effects[:PERTURBED], 1, keepdims=True)
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.95
    assert np.abs(found - truth).mean() < np.abs(model.maximum[:PERTURBED] - truth).mean()  # shrinking takes noise off


def test_predicted_ate_is_nearer_to_held_out_cells_than_the_mean_of_the_training_cells(model, screen):
    held, train = ate.of_split(screen, "test").ate, ate.of_split(screen, "train").ate
    assert np.square(model.ate() - held).mean() < np.square(train - held).mean()


def test_network_has_the_links_of_the_chain_and_not_the_shortcut(model):
    network = model.network("probability")
    assert network.loc["g00", "g01"] > 0.9 and network.loc["g01", "g02"] > 0.9
    assert abs(network.loc["g00", "g02"]) < 0.5  # although g02 falls when g00 is knocked down
    effect = model.network()
    assert effect.loc["g00", "g01"] == pytest.approx(0.8, abs=0.25)
    assert effect.loc["g03", "g10"] < 0  # its knockdown raises g10: inhibition
    first = model.edges().iloc[:8]
    assert set(first["regulator"]) <= {"g00", "g01", "g03"} and first["perturbed"].all()


def test_paths_solve_the_linear_system_with_the_gene_held():
    rng = np.random.default_rng(3)
    a = rng.normal(0, 0.3, (5, 5)) * (1 - np.eye(5))
    found = gpo_response.paths(a)
    for held in range(5):
        rest = [g for g in range(5) if g != held]
        moved = np.linalg.solve((np.eye(4) - a[np.ix_(rest, rest)]).T, a[held, rest])
        np.testing.assert_allclose(found[held, rest], moved, atol=1e-10)


def test_combinations_that_were_not_trained_are_sums_and_unknown_genes_are_refused(model):
    single = model.response("g00")[0] + model.response("g03")[0]
    np.testing.assert_allclose(model.response("g00+g03")[0], single)
    assert not np.allclose(model.response("g03+g04")[0], model.response("g03")[0] + model.response("g04")[0])  # own
    with pytest.raises(UserError, match="g99"):
        model.ate(["g99"])


def test_a_gene_that_was_never_perturbed_falls_in_its_own_prediction(model):
    assert model.ate(["g10"])[0, 10] == model.ate(["g10"])[0].min() < -1


def test_held_out_perturbations_are_left_out_of_training_and_still_predicted(screen):
    split = np.where(screen.label == 0, 2, screen.split)
    model = gpo.train(replace(screen, split=split), SMALL, progress=False)
    assert "g00" not in model.labels and not model.perturbed[0]
    found = model.ate(["g00"])[0]
    assert np.isfinite(found).all() and found.argmin() == 0


def test_same_seed_same_model_and_files_keep_it(model, screen, tmp_path):
    again = gpo.train(screen, SMALL, progress=False)
    np.testing.assert_array_equal(model.ate(), again.ate())
    model.save(tmp_path / "model.pt")
    read = gpo.Gpo.load(tmp_path / "model.pt")
    for estimate in gpo_response.ESTIMATES:
        np.testing.assert_array_equal(model.ate(estimate=estimate), read.ate(estimate=estimate))
    pd.testing.assert_frame_equal(model.edges(), read.edges())
    pd.testing.assert_frame_equal(model.log, read.log)
    (tmp_path / "no.pt").write_text("x")
    with pytest.raises(UserError, match=r"no\.pt"):
        gpo.Gpo.load(tmp_path / "no.pt")


def test_what_is_specific_is_longer_and_the_mean_effect_the_same(model, screen, tmp_path):
    usual, specific = model.ate(), model.ate(estimate="specific")
    np.testing.assert_allclose(usual.mean(0), specific.mean(0), atol=1e-9)
    length = [np.linalg.norm(each - each.mean(0)) for each in (usual, specific)]
    assert length[1] > 1.1 * length[0]
    chosen = replace(model, estimate="specific")
    chosen.save(tmp_path / "specific.pt")
    np.testing.assert_array_equal(gpo.Gpo.load(tmp_path / "specific.pt").ate(model.labels[:2]), specific[:2])


def test_sampled_cells_have_the_predicted_mean(model):
    for label in ("control", "g03"):
        cells = model.predict(label, n=4000, seed=1)
        y = np.log2(1 + 1e4 * cells / np.maximum(cells.sum(1, keepdims=True), 1)).mean(0)
        bare = gpo_response._mean(model, label, gpo_response.POSTERIOR, "observed", 1)
        assert np.abs(y - bare).mean() < 0.2  # sampled libraries differ from the nominal ones
    assert cells.shape == (4000, GENES) and (cells >= 0).all()


def test_more_particles_tighten_the_bound(model, screen):
    rows = screen.rows("test")[:60]
    weights = model.log_weights(screen, rows, particles=60)
    one, many = weights.mean(), (np.logaddexp.reduce(weights, 0) - np.log(60)).mean()
    assert one < many
    assert -one == pytest.approx(model.log["validation_total"].iloc[-1], rel=0.05)  # the negative ELBO of other cells


def test_bad_input_is_refused(model, screen):
    with pytest.raises(UserError, match="control"):
        gpo.train(replace(screen, label=np.maximum(screen.label, 0)), SMALL, progress=False)
    with pytest.raises(UserError, match="epochs"):
        GpoTraining(epochs=0)
    with pytest.raises(UserError, match="posterior"):
        model.ate(estimate="posteriori")
    with pytest.raises(UserError, match="library"):
        model.ate(library=-1)
    with pytest.raises(UserError, match="other measured genes"):
        model.check(replace(screen, genes=screen.genes[::-1]))
