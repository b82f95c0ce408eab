"""The command that trains on a user's files: what it writes, what it refuses, and that it goes on where it stopped."""

import subprocess
import sys

import numpy as np
import pytest

from regulome.binding import train, train_file, training_run
from regulome.binding.model_file import Model
from regulome.errors import UserError

YAML = """
matrix: y.txt
proteins: p.txt
rnas: r.txt
kind: synthetic
size: mini
network: {width: 8, rank: 8, heads: 2, protein_hidden: 8}
training: {epochs: 2, steps: 2, proteins: 4, rnas: 32, rate: 1e-3}
"""


@pytest.fixture()
def files(tmp_path):
    """A small compendium of proteins that are strangers to each other; the last repeats the first."""
    generator = np.random.default_rng(0)
    proteins = ["".join(generator.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60)) for _ in range(12)]
    rnas = ["".join(generator.choice(list("ACGU"), n)) for n in generator.integers(12, 20, 80)]
    (tmp_path / "p.txt").write_text("\n".join([*proteins, proteins[0]]) + "\n")
    (tmp_path / "r.txt").write_text("\n".join(rnas) + "\n")
    np.savetxt(tmp_path / "y.txt", generator.normal(size=(80, 13)), fmt="%.4f")
    (tmp_path / "t.yaml").write_text(YAML)
    return tmp_path


def test_yaml_gives_a_model_with_its_log_and_nothing_else(files, capsys):
    model = train.run(train_file.read(files / "t.yaml"), files / "m.pt", device="cpu", threads=1)
    assert "1 groups of identical proteins" in capsys.readouterr().out
    again = Model.load(files / "m.pt")
    assert again.record == model.record and again.settings.width == 8 and again.record["kind"] == "synthetic"
    assert len(again.proteins) in (9, 10)  # 12 distinct ones in five folds
    assert len((files / "m.pt.log.csv").read_text().splitlines()) == 3
    assert sorted(p.name for p in files.iterdir()) == ["m.pt", "m.pt.log.csv", "p.txt", "r.txt", "t.yaml", "y.txt"]
    with pytest.raises(UserError, match="exists; expected a new file, or --force"):
        train.run(train_file.read(files / "t.yaml"), files / "m.pt")


def test_held_out_proteins_and_rnas_are_in_no_training_part(files):
    settings = train_file.read(files / "t.yaml")
    compendium = train.read(settings)
    parts = train.split(compendium, settings, seed=3)
    proteins, rnas = parts["training"]
    new, new_rnas = parts[train.DISJOINT]
    assert not set(proteins) & set(new) and not set(rnas) & set(new_rnas)
    assert sorted([*proteins, *new]) == list(range(12)) and len(rnas) + len(new_rnas) == 80
    np.testing.assert_array_equal(parts[train.PUBLISHED][1], rnas)


def test_interrupted_command_goes_on_and_ends_in_the_same_model(files, monkeypatch):
    settings = train_file.read(files / "t.yaml")
    whole = train.run(settings, files / "whole.pt", device="cpu", threads=1)
    plain = training_run.Run.train_epoch

    def killed(self, bar):
        if self.epoch == 1:
            raise KeyboardInterrupt
        return plain(self, bar)

    monkeypatch.setattr(training_run.Run, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train.run(settings, files / "m.pt", device="cpu", threads=1)
    assert not (files / "m.pt").exists() and (files / "m.pt.checkpoint").exists()
    monkeypatch.setattr(training_run.Run, "train_epoch", plain)
    resumed = train.run(settings, files / "m.pt", device="cpu", threads=1)
    assert resumed.record["steps"] == whole.record["steps"]
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: synthetic", "kinds: synthetic", "line 5: unknown field 'kinds'.*did you mean 'kind'"),
        ("kind: synthetic", "kind: simulated", "line 5: kind: found 'simulated'.*expected measured"),
        ("size: mini", "size: small", "size: found 'small'"),
        ("size: mini", "new_rnas: 2", "new_rnas: found 2; expected a number above 0 and below 1"),
        ("size: mini", "structure: 1", "structure: found 1; expected true or false"),
        ("width: 8", "widht: 8", "network: unknown field 'widht'.*did you mean 'width'"),
        ("width: 8", "width: 8.5", "network: width: found 8.5; expected a whole number"),
        ("epochs: 2", "epochs: true", "training: epochs: found True; expected a whole number"),
        ("rnas: r.txt", "vectors: kmers", "rnas: not given; expected a file"),
        ("rate: 1e-3", "rate: 0", "training: rate is 0"),
        ("width: 8", "width: 9", "width 9 is no multiple of the 2 heads"),
        ("matrix: y.txt", "matrix: nothing.txt", "nothing.txt: cannot be read"),
        ("size: mini", "size: mini\nidentity: 0.01", "found 1 clusters of proteins below 1% identity"),
    ],
)
def test_wrong_settings_are_refused_by_name(files, old, new, message):
    (files / "t.yaml").write_text(YAML.replace(old, new))
    with pytest.raises(UserError, match=message):
        train.run(train_file.read(files / "t.yaml"), files / "m.pt", threads=1)
    assert not (files / "m.pt").exists()


def test_command_ends_with_the_message_alone(files):
    command = [sys.executable, "-m", "regulome.binding.train", str(files / "y.txt"), "--out", str(files / "m.pt")]
    found = subprocess.run([*command, str(files / "p.txt")], capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr.strip() == "regulome: found 2 files; expected one YAML file, or MATRIX PROTEINS RNAS"
