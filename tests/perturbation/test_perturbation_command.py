"""``python -m regulome.perturbation``: from one YAML file to a folder; interruptions; every mistake one line."""

import json
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from linear_screens import linear_screen

from regulome.errors import UserError
from regulome.perturbation import __main__ as command
from regulome.perturbation import config, model_commands, train_command
from regulome.perturbation import screen as screens
from regulome.perturbation.trained import Trained
from regulome.perturbation.training_run import Run

torch.set_num_threads(1)
SMALL = """name: small
max_epochs: 6
data_module_kwargs: {batch_size: 64, data_path: cells.h5ad}
model: gpo_vae_Model
n_latent: 4
model_kwargs.decoder_n_hidden--guide_kwargs.basal_encoder_n_hidden--guide_kwargs.embedding_encoder_n_hidden: 16
lightning_module_kwargs: {lr: 3e-3, n_particles: 1}
loss_module_kwargs.alpha: 0.2
keep_every: 2
devices: [7]
"""
QUIET = train_command.Options(progress=False)


@pytest.fixture
def folder(tmp_path):
    screens.save(linear_screen(perturbed=6, extended=3, others=12, cells=40, controls=160)[0], tmp_path / "cells.h5ad")
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["regulome.perturbation", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code or 0


def test_train_predict_network_evaluate(folder, monkeypatch, capsys):
    out = folder / "out"
    assert run(monkeypatch, "train", "--config", folder / "small.yaml", "--out", out) == 0
    manifest = json.loads((out / "training.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == manifest["files"]
    assert [note.split(":")[0] for note in manifest["ignored"]] == ["devices"]
    assert "devices: ignored" in capsys.readouterr().err
    assert len(pd.read_csv(out / "log.csv")) == 6
    assert run(monkeypatch, "predict", out, "-p", "A00", "-p", "A01+A02", "--cells", 5, "--out", folder / "p") == 0
    assert list(pd.read_csv(folder / "p" / "effects.csv", index_col=0).index) == ["A00", "A01+A02"]
    assert anndata.read_h5ad(folder / "p" / "cells.h5ad").n_obs == 10
    assert run(monkeypatch, "network", out, "--threshold", 0.0, "--out", folder / "n") == 0
    assert {path.name for path in (folder / "n").iterdir()} == {"network.csv", "network.graphml", "result.json"}
    assert run(monkeypatch, "evaluate", out, "--data", folder / "cells.h5ad", "--out", folder / "e") == 0
    assert {"model", "baseline", "ceiling"} == set(pd.read_csv(folder / "e" / "scores.csv")["kind"])


def test_the_same_file_gives_the_same_folder(folder):
    for name in ("a", "b"):
        train_command.run(folder / "small.yaml", folder / name, QUIET)
    for name in ("log.csv", "training.json", "config.yaml"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()


def test_an_interrupted_training_goes_on_and_ends_alike(folder, monkeypatch):
    whole = train_command.run(folder / "small.yaml", folder / "whole", QUIET)
    epoch = Run.train_epoch

    def interrupted(self):
        if self.epoch == 5:
            raise KeyboardInterrupt
        return epoch(self)

    monkeypatch.setattr(Run, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_command.run(folder / "small.yaml", folder / "parts", QUIET)
    assert not (folder / "parts").exists()
    counted = []
    monkeypatch.setattr(Run, "train_epoch", lambda self: counted.append(self.epoch) or epoch(self))
    again = train_command.run(folder / "small.yaml", folder / "parts", QUIET)
    assert counted == [4, 5]  # the checkpoint was after epoch 4
    assert not list(folder.glob(".*checkpoint*"))
    for name, values in whole.model.state_dict().items():
        assert torch.equal(values, again.model.state_dict()[name]), name


def test_raw_counts_are_prepared_and_the_screen_is_kept(folder):
    prepared = screens.load(folder / "cells.h5ad")
    labels = np.array([*prepared.labels, "non-targeting"], object)[prepared.label]
    obs = pd.DataFrame({"gene": labels}, index=[f"c{i}" for i in range(len(prepared))])
    raw = anndata.AnnData(prepared.counts, obs=obs, var=pd.DataFrame(index=list(prepared.genes)))
    raw.write_h5ad(folder / "raw.h5ad")
    text = SMALL.replace("cells.h5ad", "raw.h5ad") + "preparation: {min_cells: 20, doublets: 'off'}\n"
    (folder / "raw.yaml").write_text(text)
    model = train_command.run(folder / "raw.yaml", folder / "out", QUIET)
    kept = screens.load(folder / "out" / "screen.h5ad")
    assert kept.labels == prepared.labels == model.labels
    assert Trained.load(folder / "out" / "model.pt").genes == kept.genes


def test_held_out_genes_leave_the_training(folder):
    (folder / "small.yaml").write_text(SMALL.replace("batch_size", "mask_test: [1, 4], batch_size"))
    screen, _ = train_command.data(config.read(folder / "small.yaml"))
    seen = {screen.labels[row] for row in screen.label[screen.rows("train")] if row >= 0}
    assert seen == set(screen.labels) - {"A01", "A04"}
    (folder / "small.yaml").write_text(SMALL.replace("batch_size", "mask_test: [6], batch_size"))
    with pytest.raises(UserError, match=r"mask_test: found 6; expected positions of perturbed genes, 0 to 5"):
        train_command.data(config.read(folder / "small.yaml"))


def test_a_mask_can_start_from_known_probabilities(folder):
    known = np.full((9, 9), 0.5)
    known[2, 5] = 0.9
    np.save(folder / "known.npy", known)
    text = SMALL.replace("max_epochs: 6", "max_epochs: 1").replace("lr: 3e-3", "lr: 1e-9")
    (folder / "small.yaml").write_text(text + "guide_kwargs.knowledge_path: known.npy\n")
    model = train_command.run(folder / "small.yaml", folder / "out", QUIET)
    assert model.network().iloc[2, 5] == pytest.approx(0.9, abs=1e-3)
    np.save(folder / "known.npy", known[:4])
    with pytest.raises(UserError, match=r"known.npy: found shape \(4, 9\)"):
        train_command.run(folder / "small.yaml", folder / "other", QUIET)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--config", "missing.yaml"], "missing.yaml: no such file"),
        (["train", "--config", "bad.yaml"], "bad.yaml, line 2: unknown key 'modle' (did you mean 'model'?)"),
        (["train", "--config", "empty.yaml"], "data_module_kwargs.data_path: not given"),
        (["train", "--config", "nowhere.yaml"], "nowhere.h5ad: no such file"),
        (["train", "--config", "small.yaml", "--out", "."], "which this command did not write"),
        (["train", "--config", "small.yaml", "--device", "tpu"], "device is 'tpu'"),
        (["predict", "cells.h5ad", "--out", "p"], "cells.h5ad: not a perturbation model"),
        (["evaluate", "nothing", "--out", "e"], "no such file"),
    ],
)
def test_mistakes_end_with_one_line_and_status_2(folder, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(folder)
    (folder / "bad.yaml").write_text("name: a\nmodle: gpo\n")
    (folder / "empty.yaml").write_text("name: a\n")
    (folder / "nowhere.yaml").write_text("data_module_kwargs.data_path: nowhere.h5ad\n")
    before = sorted(folder.iterdir())
    assert run(monkeypatch, *arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("regulome: ")
    assert words in last
    assert sorted(folder.iterdir()) == before


def test_our_model_is_trained_by_the_command_too(folder):
    text = "name: ours\nmodel: ours\nmax_epochs: 3\ndata_module_kwargs.data_path: cells.h5ad\n"
    (folder / "ours.yaml").write_text(text)
    train_command.run(folder / "ours.yaml", folder / "ours", QUIET)
    model_commands.network(folder / "ours", folder / "net", 0.0)
    assert {"sign", "effect"} <= set(pd.read_csv(folder / "net" / "network.csv"))


def test_a_model_is_read_from_its_folder_or_its_file(folder):
    train_command.run(folder / "small.yaml", folder / "out", QUIET)
    assert model_commands.load(folder / "out").genes == model_commands.load(folder / "out" / "model.pt").genes
