"""The predictor behind the command: methods, what it says to expect, and the small file that is shipped."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from regulome.binding import compact, featuriser, gram, homology, new_rnas, scoring, ship, synthetic
from regulome.binding.bind_command import BindSettings, run
from regulome.binding.model_file import Model
from regulome.binding.predictor import Predictor
from regulome.binding.rna_regression import KmerRidge
from regulome.binding.sequences import sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.two_tower import Settings, TwoTower
from regulome.errors import UserError


@pytest.fixture(scope="module")
def compendium():
    return synthetic.mini().take(range(30), range(300))


@pytest.fixture(scope="module")
def predictor(compendium):
    """Homologues and a network with random weights, calibrated on proteins that neither saw."""
    training = compendium.take(range(24))
    vectors = featuriser.featurise(training.proteins)
    network = TwoTower(Settings.mini(vectors.width, width=16, rank=8, protein_hidden=8), seed=2).eval()
    sd = np.where(vectors.values.std(0) > 0, vectors.values.std(0), np.inf).astype(np.float32)
    targets = TargetTransform.fit(training.intensities)
    record = {"kind": "synthetic", "longest": 41, "log": [{"epoch": 1, "loss": 0.5}]}
    model = Model(network, vectors.source, vectors.values.mean(0), sd, targets, training.proteins.names, record)
    known = set(training.proteins.letters)
    new = [i for i in range(24, 30) if compendium.proteins.letters[i] not in known]
    return Predictor.fit(training, longest=3).with_model(model, compendium.take(new))


@pytest.fixture(scope="module")
def file(predictor, tmp_path_factory):
    path = tmp_path_factory.mktemp("predictor") / "predictor.pt"
    predictor.save(path)
    return path


@pytest.mark.parametrize("method", scoring.METHODS)
def test_the_command_writes_what_each_method_of_the_predictor_says(file, tmp_path, method):
    folder, loaded, new = synthetic.folder(), Predictor.load(file), synthetic.mini_new()
    settings = BindSettings(file, method, threads=1, device="cpu")
    found = run(tmp_path / "out", folder / "new_proteins.fasta", folder / "new_rnas.txt", settings)
    terms, _ = loaded.terms(new.proteins, new.rnas)
    expected = {"combination": loaded.predict(new.proteins, new.rnas), "homology": terms[0], "two-tower": terms[1]}[
        method
    ]
    assert np.allclose(found.scores, expected, atol=1e-5)
    written = [np.loadtxt(tmp_path / "out" / name) for name in found.table["file"]]
    assert np.abs(np.stack(written) - found.scores).max() < 1e-7


def test_the_nearest_training_protein_and_what_to_expect_are_said(file, tmp_path, capsys):
    folder = synthetic.folder()
    found = run(tmp_path / "out", folder / "new_proteins.fasta", folder / "new_rnas.txt", BindSettings(file, threads=1))
    said = capsys.readouterr().err
    assert "trained on synthetic intensities of 24 proteins" in said and "measured intensities" not in said
    first = found.table.iloc[0]
    assert f"nearest training protein {first['nearest']}, {first['nearest_identity']:.0%} identical" in said
    assert (
        (found.table["low"] <= found.table["expected_r"]) & (found.table["expected_r"] <= found.table["high"])
    ).all()


def test_what_to_expect_is_judged_on_rnas_that_nothing_saw(compendium):
    part = compendium.take(range(12))
    profiles = np.random.default_rng(0).normal(size=part.intensities.shape).astype(np.float32)
    profiles[1] = profiles[0]  # two relatives with one profile, which no RNA's sequence explains
    letters = list(part.proteins.letters)
    letters[1] = letters[0][:-1] + ("A" if letters[0][-1] != "A" else "G")
    proteins = sequences(letters, "protein")
    similarity, matrix = homology.similarities(proteins), gram.of_profiles(profiles)
    of, term = gram.problem(proteins, matrix, similarity, "synthetic"), homology.default_term()
    assert gram.leave_one_out(of.weights(term), of)[:2].min() > 0.8  # on the same RNAs
    assert (
        np.abs(new_rnas.leave_one_out(profiles, part.rnas, of, term, KmerRidge.fit(profiles, part.rnas, 3))).max() < 0.5
    )
    learnable = KmerRidge.fit(compendium.intensities[:12], part.rnas, 2).predict(part.rnas)
    learnable[1] = learnable[0]
    ridge = KmerRidge.fit(learnable, part.rnas, 2, 1.0)
    assert new_rnas.leave_one_out(learnable, part.rnas, of, term, ridge)[:2].min() > 0.8


def test_rounded_and_half_precision_are_read_back():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(6, 6)).astype(np.float32)
    arrays = {
        "identity": np.abs(values + values.T),
        "gram": values @ values.T,
        "coefficients": rng.normal(size=(6, 500)).astype(np.float32),
        "intercept": rng.normal(size=6).astype(np.float32),
    }
    small = compact.packed(arrays, 1 / 8)
    assert small["coefficients.packed"].nbytes < 0.25 * arrays["coefficients"].nbytes
    found = compact.unpacked(small)
    assert set(found) == set(arrays) and all(values.dtype == np.float32 for values in found.values())
    for name in ("identity", "gram"):
        assert np.allclose(found[name], arrays[name], rtol=1e-3), name
    error = (found["coefficients"] - arrays["coefficients"]) / arrays["coefficients"].std(1, keepdims=True)
    assert np.abs(error).max() < 1 / 15 and 0.9 < error.std() * 8 * 12**0.5 < 1.1  # rounding errors are uniform
    assert compact.unpacked(arrays).keys() == arrays.keys()


def test_the_shipped_file_is_small_and_predicts_the_same(file, predictor, tmp_path):
    made = ship.ship(file, tmp_path / "default.pt")
    assert made.size == (tmp_path / "default.pt").stat().st_size < file.stat().st_size
    assert made.kept > ship.KEPT
    small, new = Predictor.load(tmp_path / "default.pt"), synthetic.mini_new()
    a, b = small.predict(new.proteins, new.rnas), predictor.predict(new.proteins, new.rnas)
    assert min(np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)) > 0.995
    assert "log" not in small.model.record and small.longest == 41


def test_a_file_that_would_be_too_large_or_lose_too_much_is_not_shipped(file, tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "LARGEST", 1000)
    with pytest.raises(UserError, match="bytes, with the coarsest coefficients; expected at most 1000"):
        ship.ship(file, tmp_path / "default.pt")
    monkeypatch.setattr(ship, "LARGEST", 10**9)
    monkeypatch.setattr(ship, "KEPT", 1.01)
    with pytest.raises(UserError, match="keeps a correlation of"):
        ship.ship(file, tmp_path / "default.pt")
    assert list(tmp_path.iterdir()) == []


def test_the_package_has_a_default_that_says_what_it_was_trained_on():
    scorer = scoring.load(None)
    assert scoring.DEFAULT.stat().st_size <= ship.LARGEST
    assert "shipped with regulome" in scorer.about
    assert "semi-real intensities" in scorer.about or "synthetic intensities" in scorer.about


def test_the_default_works_without_viennarna_by_leaving_out_the_network(monkeypatch, tmp_path, capsys):
    folder = synthetic.folder()
    assert scoring.load(None).method == "combination"
    monkeypatch.setitem(sys.modules, "RNA", None)
    run(tmp_path / "out", folder / "new_proteins.fasta", folder / "new_rnas.txt")
    assert "default_model.pt (shipped with regulome), homology" in capsys.readouterr().err
    assert scoring.load(scoring.DEFAULT).method == "combination"  # asked for by name: refused, not replaced


def test_refitting_on_everything_keeps_network_and_share_and_adds_relatives(predictor, compendium):
    full = predictor.refitted(compendium, longest=3)
    assert full.training.letters == compendium.proteins.letters and full.calibration == predictor.calibration
    query, rnas = compendium.proteins.take([29]), compendium.rnas.take(range(50))
    assert full.coverage(query)["nearest_identity"].item() == 1 > predictor.coverage(query)["nearest_identity"].item()
    homology = Predictor.fit(compendium, longest=3).terms(query, rnas)[0][0]
    assert np.array_equal(full.terms(query, rnas)[0][0], homology)
    same = [each.model.encode_rnas(rnas) for each in (full, predictor)]
    assert np.array_equal(*same)


def test_the_example_of_the_readme_runs_with_the_default(tmp_path):
    folder = synthetic.folder()
    command = ["-m", "regulome.binding", "my_scores", folder / "new_proteins.fasta", folder / "new_rnas.txt"]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "shipped with regulome" in done.stderr and "expected r" in done.stderr
    files = sorted(path.name for path in (tmp_path / "my_scores").iterdir())
    assert files == [*(f"RBP{i}.txt" for i in range(201, 209)), "prediction.json", "proteins.csv"]
    assert len((tmp_path / "my_scores" / "RBP208.txt").read_text().splitlines()) == 300


def test_a_network_alone_has_no_homology_and_a_predictor_without_network_nothing_else(predictor, tmp_path):
    predictor.model.save(tmp_path / "network.pt")
    replace(predictor, model=None, calibration=None).save(tmp_path / "homology.pt")
    assert scoring.load(tmp_path / "network.pt").method == "two-tower"
    assert scoring.load(tmp_path / "homology.pt").method == "homology"
    with pytest.raises(UserError, match="--method is 'combination'; expected homology"):
        scoring.load(tmp_path / "homology.pt", "combination")
