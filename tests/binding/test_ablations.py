"""The sweep: one change a variant, shards that add up to the whole, choices that never see a test protein."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch

from regulome.binding import ablations, structure_file, training_baselines, training_inputs, validation, vector_files
from regulome.binding import compendium as compendia
from regulome.binding.ablations import DEFAULT, TUNING, VARIANTS
from regulome.binding.compendium import Compendium
from regulome.binding.sequences import sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

VALUES = {
    "seed": 3, "test_fold": 0, "tuning_fold": 1, "new_share": 0.25, "width": 8, "rank": 8, "layers": 1,
    "protein_hidden": 8, "dropout": 0.1, "structure": False, "targets": "shifted log", "block_proteins": 4,
    "block_rnas": 16, "average": 0.5, "rates": [1e-2, 1e-3], "sweep_seeds": 2, "sweep_steps": 2,
    "variants": [DEFAULT, "rank x 1/4", "5 noisy copies of the vector"], "shards": 2,
}  # fmt: skip


def toy(seed=0):
    """Ten proteins, two of them identical, whose intensities count a base that their vector names."""
    rng = np.random.default_rng(seed)
    rnas = sequences(["".join(row) for row in rng.choice(list("ACGU"), size=(60, 14))], "rna")
    letters = ["".join(row) for row in rng.choice(list("ACDEFGHIKL"), size=(9, 20))]
    proteins = sequences([*letters, letters[4]], "protein")
    favourite = np.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 0])
    counts = np.array([[rna.count("ACGU"[k]) for rna in rnas.letters] for k in favourite])
    intensities = (counts + rng.normal(size=counts.shape)).astype(np.float32)
    vectors = Vectors(proteins.names, np.eye(4, dtype=np.float32)[favourite], "toy", proteins.checksum())
    table = pd.DataFrame({"name": proteins.names, "cluster": [*range(9), 4], "fold": [0, 0, 1, 1, 2, 2, 2, 3, 3, 2]})
    return Compendium(proteins, rnas, intensities, "synthetic"), vectors, table


@pytest.fixture
def build(tmp_path):
    data, vectors, table = toy()
    place = training_inputs.files(tmp_path)
    for file in place.values():
        file.parent.mkdir(exist_ok=True)
    compendia.save(data, place["compendium"])
    table.to_csv(place["proteins"], index=False)
    structure_file.save(place["structure"], data.rnas, np.full((60, 14, 5), 0.2, np.float32), "toy")
    vector_files.save(vectors, place["vectors"])
    return tmp_path


@pytest.fixture
def inputs(build):
    return training_inputs.read(build)


def test_inputs_hold_each_protein_once_with_its_own_vector_and_fold(inputs):
    assert inputs.compendium.proteins.names == inputs.vectors.names == tuple(inputs.proteins["name"])
    assert len(inputs.compendium.proteins) == 9 and len(set(inputs.compendium.proteins.letters)) == 9
    assert inputs.folds.tolist() == [0, 0, 1, 1, 2, 2, 2, 3, 3]


def test_inputs_of_another_run_are_refused(build):
    place = training_inputs.files(build)
    table = pd.read_csv(place["proteins"])
    table.iloc[::-1].to_csv(place["proteins"], index=False)
    with pytest.raises(UserError, match=r"proteins\.csv: other proteins"):
        training_inputs.read(build)
    place["structure"].unlink()
    with pytest.raises(UserError, match=r"structure\.npz: no such file"):
        training_inputs.read(build)


@pytest.mark.parametrize("variant", VARIANTS[1:], ids=lambda variant: variant.name)
def test_a_variant_changes_the_fields_that_it_names_and_no_others(variant):
    changed = [set(), set()]
    for structure in (False, True):
        default = ablations.recipe(VALUES | {"structure": structure}, 4)
        for found, a, b in zip(changed, default, variant.of(*default), strict=True):
            found |= {name for name, value in asdict(a).items() if asdict(b)[name] != value}
    assert changed == [set(variant.network), set(variant.training)]
    assert any(changed) != bool(variant.noise_copies)


def test_variants_of_the_prediction_share_a_training():
    found = ablations.runs(VALUES, 4)
    names = [[variant.name for variant in run.variants] for run in found]
    assert names == [[DEFAULT, "5 noisy copies of the vector"], ["rank x 1/4"], ["learning rate 0.001"]] * 2
    assert [run.training.seed for run in found] == [3, 3, 3, 4, 4, 4]


@pytest.mark.parametrize(
    ("names", "message"), [([DEFAULT, "rank x 1/3"], "did you mean 'rank x 1/4'"), (["dropout 0"], "no 'default'")]
)
def test_unknown_variants_and_a_missing_default_are_errors(names, message):
    with pytest.raises(UserError, match=message):
        ablations.runs(VALUES | {"variants": names}, 4)


def test_shards_together_are_the_sweep_of_one_call(build, inputs):
    whole = ablations.make(inputs, VALUES, progress=False)
    files = [build / "14_two_tower_training" / f"shard_{index}.npz" for index in range(2)]
    files[0].parent.mkdir()
    ablations.make_shard(VALUES, 0, files[0])
    written = files[0].stat().st_mtime_ns
    found = ablations.gather(files, inputs, VALUES)
    assert files[0].stat().st_mtime_ns == written and files[1].is_file()
    by = ["variant", "seed", "protocol", "protein"]
    pd.testing.assert_frame_equal(
        found.sort_values(by, ignore_index=True), whole.sort_values(by, ignore_index=True), check_dtype=False
    )
    assert found["variant"].iloc[0] == DEFAULT


def test_a_shard_of_other_parameters_or_a_broken_one_is_made_again(build, inputs):
    values = VALUES | {"variants": [DEFAULT], "sweep_seeds": 1, "rates": [1e-2]}
    file = build / "shard_0.npz"
    first = ablations.gather([file], inputs, values)
    other = ablations.gather([file], inputs, values | {"seed": 5})
    assert set(first["seed"]) == {3} and set(other["seed"]) == {5}
    file.write_bytes(b"not a shard")
    pd.testing.assert_frame_equal(ablations.gather([file], inputs, values), first)


def test_the_rate_is_chosen_on_tuning_proteins_whatever_test_proteins_say():
    rows = []
    for variant, tuning, test in ((DEFAULT, 0.2, 0.9), ("learning rate 0.001", 0.3, 0.1)):
        for protocol, r in ((TUNING, tuning), (validation.DISJOINT, test)):
            rows += [("g", variant, 1, protocol, str(i), i, r, r) for i in range(4)]
    scores = pd.DataFrame(rows, columns=ablations.COLUMNS)
    assert ablations.best_rate(scores, [1e-2, 1e-3]) == 1e-3


def test_differences_are_paired_by_protein_and_averaged_over_seeds():
    rows = []
    for variant, shift in ((DEFAULT, 0.0), ("dropout 0", 0.1)):
        for seed in (1, 2):
            rows += [(variant, variant, seed, TUNING, str(i), i, i / 10 + shift * seed, 0.0) for i in range(5)]
    found = ablations.table(pd.DataFrame(rows, columns=ablations.COLUMNS), TUNING).set_index("variant")
    assert found.loc["dropout 0", "difference"] == pytest.approx(0.15)
    assert found.loc["dropout 0", ["low", "high"]].tolist() == pytest.approx([0.1, 0.2])  # the same for every protein
    assert found.loc["dropout 0", ["low_seed", "high_seed"]].tolist() == pytest.approx([0.3, 0.4])
    assert found.loc[DEFAULT, "difference"] == 0


def test_baselines_read_training_proteins_on_training_rnas_alone(inputs):
    """Everything else may be anything: predictions stay as they are."""
    data, split = inputs.compendium, ablations.divide(inputs, VALUES)
    goals = TargetTransform.fit(data.intensities[:, split.rnas]).apply(data.intensities)
    spoiled = np.random.default_rng(1).normal(size=goals.shape).astype(np.float32)
    block = np.ix_(split.training, split.rnas)
    spoiled[block] = goals[block]
    found, other = (training_baselines.predictions(data.proteins, data.rnas, y, split)[0] for y in (goals, spoiled))
    for protocol, methods in found.items():
        for name, values in methods.items():
            np.testing.assert_array_equal(values, other[protocol][name])


def test_own_regression_finds_what_a_base_count_decides(inputs):
    data, split = inputs.compendium, ablations.divide(inputs, VALUES)
    goals = TargetTransform.fit(data.intensities[:, split.rnas]).apply(data.intensities)
    predicted, _ = training_baselines.predictions(data.proteins, data.rnas, goals, split)
    scores = (
        training_baselines.score(predicted, {"target": goals}, split, data.proteins.names, inputs.clusters)
        .groupby(["protocol", "method"])["r"]
        .mean()
    )
    assert scores[validation.SEEN, training_baselines.OWN] > 0.5 > scores[validation.SEEN, training_baselines.MEAN]


def test_training_learns_which_base_a_new_protein_counts(inputs):
    """Vectors name the base: the network has to beat the mean profile on new proteins and new RNAs."""
    torch.set_num_threads(1)
    values = VALUES | {"variants": [DEFAULT], "sweep_seeds": 1, "rates": [1e-2], "sweep_steps": 60, "dropout": 0.0}
    found = ablations.make(inputs, values | {"width": 16, "rank": 16, "block_rnas": 45}, progress=False)
    assert found[found["protocol"] == validation.DISJOINT]["r"].mean() > 0.5
