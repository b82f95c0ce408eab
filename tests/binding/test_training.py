"""Loss, average of the weights, training, resumption and the files of models."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from regulome.binding import loss, rna_windows, training
from regulome.binding.averaging import Average
from regulome.binding.compendium import Compendium
from regulome.binding.model_file import Model
from regulome.binding.sequences import sequences
from regulome.binding.training import TrainingSettings, part, train
from regulome.binding.training_run import optimiser, vector_statistics
from regulome.binding.two_tower import Settings, TwoTower
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

SMALL = Settings(6, width=16, rank=16, layers=1, heads=2, protein_hidden=16, dropout=0.1)
RECIPE = TrainingSettings.mini(epochs=3, steps=4, proteins=4, rnas=64)


def world(proteins=14, rnas=260, seed=0, noise=0.2):
    """Proteins whose vector says which of the bases they like; intensities count it, about half are negative."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(15, 25, rnas)
    letters = ["".join(generator.choice(list("ACGU"), n)) for n in lengths]
    share = np.array([[text.count(base) / len(text) for base in "ACGU"] for text in letters])
    tastes = generator.normal(size=(proteins, 4))
    y = tastes @ ((share - share.mean(0)) / share.std(0)).T
    y = (y + noise * generator.normal(size=y.shape)).astype(np.float32)
    names = [f"p{i}" for i in range(proteins)]
    values = np.column_stack([tastes, np.ones((proteins, 2))]).astype(np.float32)
    chains = sequences(["".join(generator.choice(list("ACDEFGH"), 20)) for _ in names], "protein", names)
    vectors = Vectors(tuple(names), values, "tastes of a test")
    return Compendium(chains, sequences(letters, "rna"), y, "synthetic"), vectors


@pytest.fixture(scope="module")
def parts():
    compendium, vectors = world()
    return part(compendium, vectors, None, range(10), range(200)), part(
        compendium, vectors, None, range(10, 14), range(200, 260)
    )


def trained(parts, settings=SMALL, recipe=RECIPE, held=True, **options):
    known, new = parts
    return train(
        known.compendium,
        known.vectors,
        known.structure,
        settings,
        recipe,
        [new] if held else (),
        "cpu",
        progress=False,
        **options,
    )


def weights(model):
    return torch.cat([w.flatten() for w in model.network.state_dict().values()])


# --- loss


def test_row_correlations_are_those_of_scipy_and_constant_rows_have_none():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 4, 300))
    y[1] += 2 * x[1]
    x[3] = 1.7
    found = loss.row_correlations(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    expected = [stats.pearsonr(x[i], y[i])[0] for i in range(3)]
    np.testing.assert_allclose(found[:3], expected, atol=1e-8)
    assert found[3] == pytest.approx(0, abs=1e-12)


def test_flagged_targets_are_left_out_of_the_loss():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 3, 50, generator=generator)
    y[:, 40:] = torch.nan
    for contrastive in (0.0, 0.5):
        scores = x.clone().requires_grad_()
        found = loss.block_loss(scores, y, contrastive=contrastive)
        found.backward()
        assert torch.isfinite(found) and not scores.grad[:, 40:].any() and torch.isfinite(scores.grad).all()
    torch.testing.assert_close(loss.block_loss(x, y), loss.block_loss(x[:, :40], y[:, :40]))


def test_loss_of_the_publication_by_hand():
    x, y = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0]]), torch.tensor([[0.0, 2.0, 7.0], [1.0, 0.5, 1.0]])
    huber = np.mean([0, 1 - 0.5, 5 - 0.5, 0, 0.125, 0])
    r = np.mean([stats.pearsonr(a, b)[0] for a, b in zip(x.numpy(), y.numpy(), strict=True)])
    assert loss.block_loss(x, y).item() == pytest.approx(0.2 * huber + 0.8 * (1 - r), rel=1e-5)


def test_correlation_is_taken_per_row_and_not_over_the_block():
    """Rows that differ by a constant only would correlate well if the block were flattened."""
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 8, 500, generator=generator)
    shift = torch.arange(8.0)[:, None] * 10
    assert loss.row_correlations(x + shift, y + shift).mean().abs() < 0.1
    assert np.corrcoef((x + shift).flatten(), (y + shift).flatten())[0, 1] > 0.9


def test_loss_has_the_gradient_of_finite_differences():
    x = torch.randn(3, 120, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(2))
    y = torch.randn(3, 120, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.autograd.gradcheck(lambda s: loss.row_correlations(s, y).sum(), x)
    assert torch.autograd.gradcheck(lambda s: loss.info_nce(s, y), x)


def test_contrastive_term_is_lower_where_the_strongest_rnas_score_highest():
    y = torch.randn(4, 300, generator=torch.Generator().manual_seed(0))
    assert loss.info_nce(y, y) < loss.info_nce(torch.zeros_like(y), y) < loss.info_nce(-y, y)
    assert loss.info_nce(torch.zeros_like(y), y).item() == pytest.approx(np.log(300), rel=1e-5)


# --- average of the weights


@pytest.mark.parametrize("corrected", [True, False])
def test_average_is_that_of_the_closed_form_and_buffers_are_the_networks_own(corrected):
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    start = network[0].weight.detach().clone()
    average = Average(network, 0.9, corrected)
    seen = []
    for step in range(6):
        with torch.no_grad():
            network[0].weight.copy_(start + step**2)
        network(torch.randn(5, 2))  # moves the buffers
        seen.append(network[0].weight.detach().clone())
        average.update(network)
    shares = np.array([0.1 * 0.9 ** (5 - i) for i in range(6)])
    expected = sum(float(share) * w for share, w in zip(shares, seen, strict=True))
    expected = expected / (1 - 0.9**6) if corrected else expected + 0.9**6 * start
    torch.testing.assert_close(average.weights()["0.weight"], expected)
    own, buffer = network[0].weight.detach().clone(), network[1].running_mean.clone()
    with average.in_place(network) as averaged:
        torch.testing.assert_close(averaged[0].weight.detach(), expected)
        assert torch.equal(averaged[1].running_mean, buffer)
    assert torch.equal(network[0].weight, own)


def test_average_of_constant_weights_is_these_weights_from_the_first_step():
    network = torch.nn.Linear(3, 3)
    average = Average(network, 0.999)
    average.update(network)
    torch.testing.assert_close(average.weights()["weight"], network.weight.detach())


# --- training


def test_protein_tower_has_its_own_weight_decay():
    network = TwoTower(SMALL)
    groups = optimiser(network, TrainingSettings()).param_groups
    assert [group["weight_decay"] for group in groups] == [1e-2, 3e-4]
    assert {id(w) for w in groups[1]["params"]} == {id(w) for w in network.protein_tower.parameters()}
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_training_learns_a_rule_that_holds_for_new_proteins_and_new_rnas(parts):
    model = trained(parts, recipe=replace(RECIPE, epochs=4, steps=15, rate=5e-3, proteins=8))
    assert model.log["loss"].iloc[-1] < 0.6 * model.log["loss"].iloc[0]
    assert model.log["median_r"].max() > 0.7
    assert list(model.log.columns) == ["epoch", "loss", "median_r", "mean_r", "median_r_raw", "mean_r_raw", "seconds"]


def test_best_epoch_by_the_median_is_the_model(parts):
    model = trained(parts, recipe=replace(RECIPE, rate=5e-2, average=0.0))
    log = model.log.set_index("epoch")
    assert model.record["best_epoch"] == log["median_r"].idxmax()
    assert training.evaluate(model, parts[1])["median_r"] == pytest.approx(log["median_r"].max(), abs=1e-6)


@pytest.mark.parametrize("average", [0.95, 0.0])
def test_interrupted_training_equals_an_uninterrupted_one(parts, tmp_path, average):
    recipe = replace(RECIPE, average=average)
    whole = trained(parts, recipe=recipe)
    trained(parts, recipe=replace(recipe, epochs=1), checkpoint=tmp_path / "run.pt")
    resumed = trained(parts, recipe=recipe, checkpoint=tmp_path / "run.pt")
    assert torch.equal(weights(whole), weights(resumed))
    assert whole.log.drop(columns="seconds").equals(resumed.log.drop(columns="seconds"))
    assert whole.record["steps"] == resumed.record["steps"]
    again = trained(parts, recipe=recipe, checkpoint=tmp_path / "run.pt")  # nothing is left to do
    assert torch.equal(weights(whole), weights(again))


def test_training_leaves_the_generators_of_others_alone(parts):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    trained(parts, recipe=replace(RECIPE, epochs=1))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": replace(RECIPE, seed=2)}, "another training: seed: found 1, expected 2"),
        ({"settings": replace(SMALL, rank=8)}, "another training: rank: found 16, expected 8"),
        ({"recipe": replace(RECIPE, epochs=1)}, "checkpoint after 2 epochs; expected at most 1"),
    ],
)
def test_checkpoint_of_another_training_is_refused(parts, tmp_path, change, message):
    file = tmp_path / "run.pt"
    trained(parts, recipe=replace(RECIPE, epochs=2, steps=1), checkpoint=file)
    options = {"recipe": replace(RECIPE, epochs=2, steps=1)} | change
    options["recipe"] = replace(options["recipe"], steps=1)
    with pytest.raises(UserError, match=message):
        trained(parts, **options, checkpoint=file)


def test_checkpoint_of_other_data_is_refused(parts, tmp_path):
    recipe = replace(RECIPE, epochs=1, steps=1)
    trained(parts, recipe=recipe, checkpoint=tmp_path / "run.pt")
    compendium, vectors = world(seed=9)
    other = part(compendium, vectors, None, range(10), range(200)), parts[1]
    with pytest.raises(UserError, match="another training: data"):
        trained(other, recipe=recipe, checkpoint=tmp_path / "run.pt")
    (tmp_path / "run.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="not a checkpoint of a training, or damaged"):
        trained(parts, recipe=recipe, checkpoint=tmp_path / "run.pt")


def test_input_that_does_not_fit_is_refused(parts):
    known, new = parts
    wrong = replace(known, vectors=known.vectors.take([1, 0, *range(2, 10)]))
    with pytest.raises(UserError, match="found 'p1' for 'p0'; expected one vector a protein"):
        trained((wrong, new))
    with pytest.raises(UserError, match=r"vectors of width 6 .*; expected 5"):
        trained(parts, settings=replace(SMALL, vector_width=5))
    with pytest.raises(UserError, match="found none structure profiles; expected 200, one an RNA"):
        trained(parts, settings=replace(SMALL, structure=True))
    values = known.vectors.values.copy()
    values[3, 2] = np.nan
    with pytest.raises(UserError, match="vector of protein 'p3' holds a value that is no number"):
        trained((replace(known, vectors=replace(known.vectors, values=values)), new))


def test_an_rna_beyond_the_positions_of_the_network_is_named_before_anything_is_trained(parts, monkeypatch):
    known, new = parts
    letters = list(new.compendium.rnas.letters)
    letters[3] = "A" * 70
    longer = replace(new, compendium=replace(new.compendium, rnas=sequences(letters, "rna")))
    monkeypatch.setattr(training, "Run", None)
    for both in ((known, longer), (longer, new)):
        with pytest.raises(UserError, match=r"RNA '4' has 70 bases; expected at most 64, the positions of the network"):
            trained(both)


def test_held_out_rnas_longer_than_all_of_the_training_are_read_as_windows(parts):
    known, new = parts
    letters = list(new.compendium.rnas.letters)
    letters[3] = letters[3] + letters[4] + letters[5][:9]
    assert 24 < len(letters[3]) <= 64 and max(known.compendium.rnas.lengths) == 24
    longer = replace(new, compendium=replace(new.compendium, rnas=sequences(letters, "rna")))
    model = trained((known, longer), recipe=replace(RECIPE, epochs=1))
    assert model.longest == 24 and model.shortest == 15
    pieces = rna_windows.cut(longer.compendium.rnas, 24)
    scores = pieces.best(model.predict(new.vectors, pieces.rnas))
    expected = [stats.pearsonr(a, b)[0] for a, b in zip(scores, new.compendium.intensities, strict=True)]
    assert model.log["median_r_raw"].item() == pytest.approx(np.median(expected), abs=1e-5)


def test_loss_that_is_no_number_ends_the_training(parts, monkeypatch):
    monkeypatch.setattr(loss, "block_loss", lambda scores, *_: scores.sum() * torch.nan)
    with pytest.raises(UserError, match="the loss is no number in epoch 1"):
        trained(parts, recipe=replace(RECIPE, epochs=1))


def test_unknown_values_of_a_recipe_are_refused():
    for change, message in (
        ({"epochs": 0}, "epochs is 0"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"average": 1.0}, "average is 1.0"),
        ({"targets": "log"}, "targets is 'log'"),
        ({"huber": 1.5}, "huber is 1.5"),
    ):
        with pytest.raises(UserError, match=message):
            TrainingSettings(**change)


# --- files


def test_constant_columns_of_vectors_count_as_zero_for_new_proteins():
    values = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    mean, sd = vector_statistics(values)
    np.testing.assert_array_equal((np.array([[2.0, 900.0]]) - mean) / sd, [[0.0, 0.0]])


def test_saved_model_predicts_the_same_and_keeps_all_statistics(parts, tmp_path):
    model, new = trained(parts), parts[1]
    model.save(tmp_path / "model.pt")
    again = Model.load(tmp_path / "model.pt", "tastes of a test", 6)
    rnas = new.compendium.rnas
    np.testing.assert_array_equal(model.predict(new.vectors, rnas), again.predict(new.vectors, rnas))
    assert again.record == model.record and again.proteins == parts[0].compendium.proteins.names
    np.testing.assert_array_equal(
        again.targets.apply(new.compendium.intensities[:1].repeat(10, 0)),
        model.targets.apply(new.compendium.intensities[:1].repeat(10, 0)),
    )
    model.save(tmp_path / "second.pt")
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["model.pt", "second.pt"]


def test_prediction_is_separable_and_keeps_the_order(parts):
    model, new = trained(parts, recipe=replace(RECIPE, epochs=1)), parts[1]
    whole = model.predict(new.vectors, new.compendium.rnas)
    order = np.random.default_rng(0).permutation(len(new.compendium.rnas))
    mixed = model.predict(new.vectors.take([3, 1]), new.compendium.rnas.take(order), threads=2)
    np.testing.assert_allclose(mixed, whole[[3, 1]][:, order], atol=1e-6)


def test_noise_copies_average_the_scores_themselves(parts):
    model, new = trained(parts, recipe=replace(RECIPE, epochs=1)), parts[1]
    found = model.predict(new.vectors, new.compendium.rnas, noise_copies=5, seed=4)
    generator, network = torch.Generator().manual_seed(4), model.network
    z = torch.from_numpy(model.standardise(new.vectors))
    with torch.no_grad():
        rnas = torch.from_numpy(model.encode_rnas(new.compendium.rnas))
        copies = [z + 0.01 * torch.randn(z.shape, generator=generator) for _ in range(5)]
        expected = torch.stack([network.scores(network.protein(copy), rnas) for copy in copies]).mean(0)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert not np.allclose(found, model.predict(new.vectors, new.compendium.rnas), atol=1e-6)


def test_model_that_does_not_fit_what_is_brought_is_refused(parts, tmp_path):
    model, new = trained(parts, recipe=replace(RECIPE, epochs=1)), parts[1]
    file = tmp_path / "model.pt"
    model.save(file)
    with pytest.raises(
        UserError, match="from 'ESM' of width 6; this model was trained on 'tastes of a test' of width 6"
    ):
        Model.load(file, vector_source="ESM")
    with pytest.raises(UserError, match="of width 7; this model"):
        Model.load(file, width=7)
    with pytest.raises(UserError, match="from 'ESM'"):
        model.predict(replace(new.vectors, source="ESM"), new.compendium.rnas)
    with pytest.raises(UserError, match="RNA '1' has 40 bases; this model reads at most 24"):
        model.predict(new.vectors, sequences(["A" * 40], "rna"))


def test_model_with_structure_refuses_to_go_without(parts, tmp_path):
    known, new = (replace(p, structure=np.full((len(p.compendium.rnas), 24, 5), 0.2, np.float32)) for p in parts)
    model = trained((known, new), replace(SMALL, structure=True), replace(RECIPE, epochs=1))
    model.save(tmp_path / "model.pt")
    with pytest.raises(UserError, match="no structure profiles; this model was trained with them"):
        Model.load(tmp_path / "model.pt", structure=False)
    with pytest.raises(UserError, match="no structure profiles"):
        model.predict(new.vectors, new.compendium.rnas)
    with pytest.raises(UserError, match=r"expected 60 RNAs x at least 24 positions x 5"):
        model.predict(new.vectors, new.compendium.rnas, new.structure[:59])
    assert model.predict(new.vectors, new.compendium.rnas, new.structure).shape == (4, 60)


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


def test_file_with_code_or_damage_is_refused_and_nothing_is_executed(parts, tmp_path, capsys):
    file = tmp_path / "model.pt"
    torch.save({"format": "regulome two-tower 1", "text": "{}", "tensors": {"x": Trap()}}, file)
    with pytest.raises(UserError, match="not a two-tower model"):
        Model.load(file)
    assert "executed" not in capsys.readouterr().out
    model = trained(parts, recipe=replace(RECIPE, epochs=1, steps=1))
    model.save(file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(UserError, match="or damaged"):
        Model.load(file)
    with pytest.raises(UserError, match="no such file"):
        Model.load(tmp_path / "none.pt")
    trained(parts, recipe=replace(RECIPE, epochs=1, steps=1), checkpoint=file.with_name("run.pt"))
    with pytest.raises(UserError, match="found format 'regulome two-tower training 1'"):
        Model.load(file.with_name("run.pt"))
