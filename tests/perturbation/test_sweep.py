"""Many trainings in shards; what the network loss estimates; the tables of notebook 22."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_screens import linear_screen
from scipy.stats import nbinom

from regulome.errors import UserError
from regulome.perturbation import network_loss, results_training, sweep
from regulome.perturbation import screen as screens

torch.set_num_threads(1)
VALUES = {
    "seed": 4, "models": ["cpa", "gpo_corrected"], "repeated": ["gpo_corrected"], "seeds": 2, "basal": 4,
    "decoder_width": 8, "encoder_layers": 1, "encoder_width": 8, "effect_layers": 1, "effect_width": 8, "margin": 0.3,
    "sparsity": 1.0, "epochs": 2, "batch": 128, "rate": 3e-3, "particles": 1, "patience": 0, "device": "cpu",
    "shards": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def screen():
    return linear_screen(perturbed=5, extended=3, others=10, cells=40, controls=120)[0]


def weights(fitted):
    return {name: [one.model.state_dict() for one in several] for name, several in fitted.items()}


def equal(one, other):
    return all(
        torch.equal(a[key], b[key]) for name in one for a, b in zip(one[name], other[name], strict=True) for key in a
    )


def test_every_model_has_a_training_and_repeated_ones_have_all_seeds():
    assert [job.file for job in sweep.jobs(VALUES)] == [
        "cpa_seed4.pt",
        "gpo_corrected_seed4.pt",
        "gpo_corrected_seed5.pt",
    ]
    assert sweep.jobs(VALUES)[1].model.compat == "corrected"
    published = [name for name in sweep.VARIANTS if name != "ours"]
    assert {sweep.VARIANTS[name].settings(VALUES).margin for name in published} == {0.3}


@pytest.mark.parametrize(("field", "name"), [("models", "cpo"), ("repeated", "gpo")])
def test_an_unknown_model_is_named(field, name):
    with pytest.raises(UserError, match=f"{field}: found '{name}'.*expected some of"):
        sweep.jobs(VALUES | {field: [name]})


def test_the_number_of_shards_changes_nothing(screen, tmp_path):
    one = sweep.gather([tmp_path / "one.npz"], screen, VALUES, tmp_path / "a")[""]
    two = sweep.gather([tmp_path / "x.npz", tmp_path / "y.npz"], screen, VALUES, tmp_path / "b")[""]
    assert equal(weights(one), weights(two))
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(job.file for job in sweep.jobs(VALUES))


def test_shards_of_the_pipeline_are_read_not_made_again(screen, tmp_path, monkeypatch):
    folder = tmp_path / "22_gpo_vae_training"
    screens.save(screen, tmp_path / sweep.PREPARED)
    files = [folder / f"shard_{index}.npz" for index in range(2)]
    for index, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        sweep.make_shard(VALUES, index, file)
    monkeypatch.setattr(sweep, "make", lambda *_: pytest.fail("trained again"))
    fitted = sweep.gather(files, screens.load(tmp_path / sweep.PREPARED), VALUES, folder / "models")[""]
    assert [len(several) for several in fitted.values()] == [1, 2]


def test_further_screens_are_swept_too_and_their_models_kept_apart(screen, tmp_path):
    other = linear_screen(perturbed=4, extended=3, others=10, cells=40, controls=120)[0]
    screens.save(other, tmp_path / "other.h5ad")
    values = VALUES | {"datasets": [str(tmp_path / "other.h5ad")], "models": ["cpa"], "repeated": ["cpa"]}
    files = [tmp_path / f"{index}.npz" for index in range(2)]
    found = sweep.gather(files, screen, values, tmp_path / "models")
    assert [len(found[name]["cpa"]) for name in ("", "other")] == [2, 2]
    assert len(found[""]["cpa"][0].labels) == 5 and len(found["other"]["cpa"][0].labels) == 4
    table = results_training.further_table({"other": found["other"]}, sweep.read(screen, sweep.jobs(values)), 2, 20)
    assert table[["screen", "model", "seeds"]].to_numpy().tolist() == [["other", "CPA-VAE", 2]]
    assert (tmp_path / "models" / "other" / "cpa_seed5.pt").exists()
    sweep.gather(files, screen, VALUES | {"models": ["cpa"], "repeated": []}, tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").glob("**/*.pt")] == ["cpa_seed4.pt"]
    with pytest.raises(UserError, match="datasets: found two files called 'other'"):
        sweep.jobs(values | {"datasets": ["a/other.h5ad", "b/other.h5ad"]})


def test_damaged_and_outdated_shards_are_made_again(screen, tmp_path):
    file = tmp_path / "one.npz"
    first = sweep.gather([file], screen, VALUES, tmp_path / "models")[""]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert equal(weights(first), weights(sweep.gather([file], screen, VALUES, tmp_path / "models")[""]))
    other = sweep.gather(
        [file], screen, VALUES | {"rate": 1e-3, "models": ["cpa"], "repeated": []}, tmp_path / "models"
    )[""]
    assert not equal(weights(other), weights({"cpa": first["cpa"]}))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["cpa_seed4.pt"]  # none is left from before


def test_the_network_loss_with_one_term_gives_the_median_change(screen):
    masks = network_loss.fit(screen, hop=0, margin=0.3, epochs=150)
    goal = network_loss.medians(screen, 0.3)
    rows = screen.rows("train", "A02")
    assert np.allclose(goal[2], np.median(np.abs(screen.delta(rows)), 0) - 0.3)
    for row in range(5):  # between the two middle values every number is a median: compare what is minimised
        change = np.abs(screen.delta(screen.rows("train", screen.labels[row]))) - 0.3
        best, ours = (np.abs(change - each[row]).mean() for each in (goal, masks))
        assert best <= ours < best + 1e-3
    assert (masks[5:] == 0).all()  # rows that nobody perturbed get no gradient
    found = network_loss.summary(masks, screen, 0, 0.3, "alone")
    assert found["r_w"] > 0.99
    assert found["r_w"] == found["r_s"]


def test_walks_are_the_powers_of_the_mask():
    w = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    assert np.allclose(network_loss.walks(w, 2), w + w @ w / 4 + w @ w @ w / 16, atol=1e-5)


def test_the_published_counterfactual_term_grows_with_the_batch(tmp_path):
    from linear_screens import linear_screen as make

    screen = make(perturbed=5, extended=3, others=10, cells=40, controls=120)[0]
    rng = np.random.default_rng(0)
    table = rng.poisson(5, (2, len(screen.genes))).astype(np.float32)

    screen = replace(screen, counterfactual=table, counterfactual_row=rng.integers(0, 2, len(screen)),
                     qc_fail=rng.random(len(screen)) < 0.2)  # fmt: skip
    values = VALUES | {"models": ["gpo"], "repeated": []}
    model = sweep.gather([tmp_path / "s.npz"], screen, values, tmp_path)[""]["gpo"][0]
    forms = network_loss.term_forms(model, screen, (16, 128), cells=256)
    value = forms.set_index(["term", "form", "batch"])["value"]["counterfactual"]
    assert value["published", 128] / value["published", 16] == pytest.approx(8, rel=0.2)
    assert value["corrected", 128] / value["corrected", 16] == pytest.approx(1, rel=0.2)


def test_our_model_is_swept_and_tabled_like_the_others(screen, tmp_path):
    values = VALUES | {"models": ["cpa", "ours"], "repeated": [], "epochs": 1}
    fitted = sweep.gather([tmp_path / "s.npz"], screen, values, tmp_path)[""]
    assert (tmp_path / "ours_seed4.pt").exists()
    bounds = results_training.bound_table(fitted, screen, 2, 20)
    assert list(bounds["model"])[2:] == ["CPA-VAE", "GPO-VAE, ours"]
    assert list(results_training.model_table(fitted, bounds)["compat"]) == ["published", "ours"]
    assert set(results_training.logs(fitted)["model"]) == {"CPA-VAE", "GPO-VAE, ours"}


def test_sizes_are_the_published_ones():
    table = results_training.size_table()
    assert (table["ours"] == table["published"]).all()
    assert set(table.loc[table["part"] == "total", "ours"]) == {8_783_233, 12_333_934}


def test_the_baseline_of_cells_is_a_negative_binomial(screen):
    rows = screen.rows("validation")
    plain, grouped = (results_training.negative_binomial(screen, rows, flag) for flag in (False, True))
    assert grouped.mean() > plain.mean()  # perturbations do something
    train = screen.counts[screen.rows("train")].toarray()
    share, library = train.sum(0) / train.sum(), screen.library[screen.rows("train")]
    mean = library[:, None] * share
    theta = (mean**2).sum(0) / np.maximum(((train - mean) ** 2 - mean).sum(0), 1e-9)
    mean = screen.library[rows][:, None] * share
    theta = np.clip(theta, 1e-3, 1e3)
    expected = nbinom.logpmf(screen.counts[rows].toarray(), theta, theta / (theta + mean)).sum(1)
    assert np.allclose(plain, expected)
