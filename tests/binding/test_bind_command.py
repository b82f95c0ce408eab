"""``python -m regulome.binding OUT_DIR RBP_FILE RNA_FILE``: files in, a folder of scores out, every mistake named."""

import gzip
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from regulome.binding import (
    bind_command,
    bulk_format,
    embedding_sources,
    featuriser,
    phime,
    rna_windows,
    scoring,
    tokens,
    vector_files,
)  # fmt: skip
from regulome.binding.bind_command import BindSettings, run
from regulome.binding.model_file import Model
from regulome.binding.sequences import read_sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.two_tower import Settings, TwoTower
from regulome.cli import app
from regulome.errors import UserError

PROTEINS = ["MKVLAAGIRRWERTYP", "MDEFGHIKLMNPQRST", "MKVLAAGIRRWERTYP", "ACDEFGHIKLMNPQRSTVWYW"]
RNAS = ["ACGUACGUACGUACGUACGU", "GGGGUUUUAAAACCCC", "ACGUACGUACGUACGUACGU", "UUUUUUUUUUUUUUUUUUUUUUUUU", "GCAUGC"]


def model(structure=False, longest=30):
    """A small network with random weights on k-mer vectors."""
    width = featuriser.width()
    network = TwoTower(Settings.mini(width, width=16, rank=8, protein_hidden=8, structure=structure), seed=1).eval()
    targets = TargetTransform.fit(np.random.default_rng(0).normal(size=(2, 50)).astype(np.float32))
    mean, sd = np.zeros(width, dtype=np.float32), np.ones(width, dtype=np.float32)
    return Model(
        network, featuriser.source_name(), mean, sd, targets, ("a", "b"), {"kind": "synthetic", "longest": longest}
    )


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rbp.txt").write_text("\n".join(PROTEINS) + "\n")
    (tmp_path / "rna.txt").write_text("\n".join(RNAS) + "\n")
    model().save(tmp_path / "model.pt")
    model(structure=True).save(tmp_path / "folded.pt")
    return tmp_path


def bind(files, out="out", rbp="rbp.txt", rna="rna.txt", **options):
    options = {"model": files / "model.pt", "threads": 1, "device": "cpu"} | options
    return run(files / out, files / rbp, files / rna, BindSettings(**options))


def scores(folder, number):
    return np.array([np.loadtxt(folder / f"RBP{i + 1}.txt", ndmin=1) for i in number])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what comes out


def test_one_file_a_protein_numbered_from_201_one_number_an_rna_as_the_network_says(files):
    bind(files)
    out = files / "out"
    assert names(out) == sorted([*(f"RBP{i}.txt" for i in range(201, 205)), "prediction.json", "proteins.csv"])
    proteins, rnas = read_sequences(files / "rbp.txt", "protein"), read_sequences(files / "rna.txt", "rna")
    expected = Model.load(files / "model.pt").predict(featuriser.featurise(proteins), rnas)
    for i, row in enumerate(expected):
        assert (out / f"RBP{201 + i}.txt").read_bytes() == bulk_format.lines(row)
    plain = model().network
    with torch.no_grad():  # the same from the plain network, one RNA at a time
        one = plain.protein(torch.from_numpy(featuriser.featurise(proteins).values))
        alone = [plain.scores(one, plain.rna(torch.from_numpy(tokens.encode(rnas.take([i])))))[:, 0] for i in range(5)]
    assert np.allclose(torch.stack(alone, 1).numpy(), scores(out, range(200, 204)), atol=1e-5)


def test_duplicates_and_any_order_are_kept(files):
    first = bind(files).scores
    (files / "rbp.txt").write_text("\n".join(PROTEINS[::-1]) + "\n")
    (files / "rna.txt").write_text("\n".join(RNAS[::-1]) + "\n")
    assert np.allclose(bind(files, "other").scores, first[::-1, ::-1], atol=1e-6)
    assert np.array_equal(first[0], first[2]) and np.array_equal(first[:, 0], first[:, 2])
    assert (files / "out" / "RBP201.txt").read_bytes() == (files / "out" / "RBP203.txt").read_bytes()


def test_case_t_windows_line_ends_gzip_and_fasta_change_nothing(files):
    first = bind(files).scores
    text = "\r\n".join(letters.lower().replace("u", "t") for letters in RNAS) + "\r\n\r\n"
    (files / "rna.gz").write_bytes(gzip.compress(text.encode()))
    (files / "rbp.fasta").write_text(
        "".join(f">p{i}\n{letters[:9]}\n{letters[9:]}\n" for i, letters in enumerate(PROTEINS))
    )
    second = bind(files, "second", "rbp.fasta", "rna.gz")
    assert np.array_equal(second.scores, first)
    assert list(second.table["protein"]) == ["p0", "p1", "p2", "p3"]
    assert json.loads((files / "second" / "prediction.json").read_text())["changed"]["rnas"]["T to U"] == 5


def test_the_offset_numbers_the_files_and_the_table_says_which_is_which(files):
    bind(files, offset=0)
    table = pd.read_csv(files / "out" / "proteins.csv")
    assert list(table["file"]) == ["RBP1.txt", "RBP2.txt", "RBP3.txt", "RBP4.txt"]
    assert list(table["residues"]) == [16, 16, 16, 21]


def test_threads_and_a_second_run_give_the_same_bytes(files):
    bind(files)
    before = {path.name: path.read_bytes() for path in (files / "out").iterdir()}
    bind(files, threads=2)
    assert before == {path.name: path.read_bytes() for path in (files / "out").iterdir()}


def test_a_shorter_second_run_leaves_no_file_of_the_first(files):
    bind(files)
    (files / "rbp.txt").write_text(PROTEINS[1] + "\n")
    bind(files)
    assert names(files / "out") == ["RBP201.txt", "prediction.json", "proteins.csv"]


def test_long_rnas_are_read_as_windows_and_this_is_said(files, capsys):
    long = RNAS[0] * 3 + RNAS[1]
    (files / "rna.txt").write_text(f"{RNAS[1]}\n{long}\n")
    found = bind(files).scores
    assert "1 of 2 RNAs are longer than 30 bases" in capsys.readouterr().err
    proteins = read_sequences(files / "rbp.txt", "protein")
    pieces = rna_windows.cut(read_sequences(files / "rna.txt", "rna"), 30).rnas
    each = Model.load(files / "model.pt").predict(featuriser.featurise(proteins), pieces)
    assert np.array_equal(found, np.stack([each[:, 0], each[:, 1:].max(1)], 1))


def test_measured_intensities_give_a_correlation_for_each_protein(files, capsys):
    expected = bind(files).scores
    measured = 2 * expected.T + 1
    measured[:, 1] *= -1
    np.savetxt(files / "measured.txt", measured)
    table = bind(files, measured=files / "measured.txt").table
    assert np.allclose(table["r_measured"], [1, -1, 1, 1], atol=1e-5)
    assert "mean 0.500, median 1.000 of 4 proteins" in capsys.readouterr().err


def test_structure_is_made_where_the_network_reads_it_and_kept(files):
    pytest.importorskip("RNA")
    found = bind(files, model=files / "folded.pt", structure=files / "cache.db").scores
    rnas = read_sequences(files / "rna.txt", "rna")
    vectors = featuriser.featurise(read_sequences(files / "rbp.txt", "protein"))
    expected = Model.load(files / "folded.pt").predict(vectors, rnas, phime.profiles(rnas, progress=False))
    assert np.array_equal(found, expected)
    assert not np.allclose(
        found, Model.load(files / "folded.pt").predict(vectors, rnas, np.zeros((5, 25, 5), np.float32))
    )
    again = bind(files, "again", model=files / "folded.pt", structure=files / "cache.db").scores
    assert np.array_equal(again, found) and (files / "cache.db").exists()


def test_the_command_line_ends_with_status_0_and_with_2_and_one_line_on_a_mistake(files):
    (files / "bad.txt").write_text("ACGX\n")
    (files / "both.py").write_text(  # python -m regulome.binding twice, and once the start of torch
        "import runpy, sys\n"
        "for rnas in ('rna.txt', 'bad.txt'):\n"
        "    sys.argv = ['', 'out', 'rbp.txt', rnas, '--model', 'model.pt', '--threads', '1']\n"
        "    try:\n"
        "        runpy.run_module('regulome.binding', run_name='__main__')\n"
        "    except SystemExit as end:\n"
        "        print(end.code)\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "both.py"], cwd=files, capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "0\n2\n", done.stderr
    good, bad = done.stderr.split("regulome: ")
    assert "synthetic intensities of 2 proteins" in good
    assert len(names(files / "out")) == 6
    assert bad.startswith("bad.txt line 1, position 4: found 'X'") and bad.count("\n") == 1


# --- mistakes


def refused(files, message, **options):
    before = names(files)
    with pytest.raises(UserError, match=message):
        bind(files, **options)
    assert names(files) == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rna.txt", "ACGU\nACJU\n", r"rna\.txt line 2, position 3: found 'J'"),
        ("rna.txt", "ACGU\nAC1U\n", r"rna\.txt line 2, position 3: found '1'"),
        ("rbp.txt", "MKV\nMK*\n", r"rbp\.txt line 2, position 3: found '\*'"),
        ("rbp.txt", "MKJ\n", r"rbp\.txt line 1, position 3: found 'J'"),
        ("rbp.txt", "MK\n\nMK\n", r"rbp\.txt line 2: empty"),
        ("rna.txt", "", r"rna\.txt: no sequences"),
        ("rbp.txt", ">a\nMK\n>a\nMK\n", r"record 'a' occurs twice"),
        ("model.pt", "nothing", r"model\.pt: not a predictor or a two-tower network"),
    ],
)
def test_files_that_cannot_be_read_are_named(files, name, text, message):
    (files / name).write_text(text)
    refused(files, message)


def test_unknown_letters_may_be_replaced_and_are_counted(files, capsys):
    (files / "rbp.txt").write_text("MKVLJAG*\n")
    bind(files, unknown="replace")
    assert "2 with unknown letters" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset": -1}, "--offset is -1"),
        ({"threads": 0}, "--threads is 0"),
        ({"unknown": "skip"}, "--unknown is 'skip'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"method": "homologie"}, "--method is 'homologie' .did you mean 'homology'"),
        ({"method": "homology"}, "expected two-tower, which is what"),
        ({"embedding": "kmer"}, "source is 'kmer' .did you mean 'kmers'"),
    ],
)
def test_options_out_of_range_are_named(files, options, message):
    refused(files, message, **options)


def test_missing_files_are_named(files):
    refused(files, r"none\.txt: cannot be read", rbp="none.txt")
    refused(files, r"none\.pt: no such file", model=files / "none.pt")


def test_a_matrix_that_does_not_fit_the_sequences_is_refused(files):
    np.savetxt(files / "measured.txt", np.ones((5, 3)))
    refused(files, "found 5 rows and 3 columns; expected 5 rows .* and 4 columns", measured=files / "measured.txt")
    (files / "measured.txt").write_text("1 2 3 4\n" * 4 + "1 2 x 4\n")
    refused(files, r"row 5, column 3: found 'x'", measured=files / "measured.txt")


def test_vectors_of_another_source_width_or_protein_are_refused(files):
    proteins = read_sequences(files / "rbp.txt", "protein")
    vectors = featuriser.featurise(proteins)
    vector_files.save(replace(vectors, source="esm2_t6_8M_UR50D layer 6 mean"), files / "esm.npz")
    refused(files, "found protein vectors from 'esm2_t6_8M.*trained on 'k-mers", embedding=str(files / "esm.npz"))
    vector_files.save(replace(vectors, values=vectors.values[:, :7]), files / "short.npz")
    refused(files, "of width 7; this model was trained on .* of width", embedding=str(files / "short.npz"))
    vector_files.save(vectors.take([1, 0, 2, 3]), files / "order.npz")
    refused(files, "vectors of other proteins", embedding=str(files / "order.npz"))
    vector_files.save(vectors, files / "good.npz")
    bind(files, embedding=str(files / "good.npz"))


def test_missing_structure_is_refused_before_any_work(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "RNA", None)
    monkeypatch.setattr(bind_command, "filled", None)
    refused(files, "ViennaRNA, which is not installed", model=files / "folded.pt")
    other = files / "structure.npz"
    np.savez(other, letters=np.array(["ACGU"], dtype=np.bytes_), profiles=np.zeros((1, 4, 5)), software=np.array("x"))
    refused(files, "no structure for 5 of 5 RNAs", model=files / "folded.pt", structure=other)


def test_a_folder_of_something_else_is_left_alone_unless_forced(files):
    (files / "out").mkdir()
    (files / "out" / "mine.txt").write_text("mine")
    refused(files, r"OUT_DIR .*holds mine\.txt")
    bind(files, force=True)
    assert "mine.txt" in names(files / "out") and "RBP204.txt" in names(files / "out")
    refused(files, "found a file, expected a folder", out="rbp.txt")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(files):
    (files / "locked").mkdir(mode=0o500)
    refused(files, "OUT_DIR .*cannot be (made|written)", out="locked/out")


def test_a_place_that_cannot_hold_a_folder_is_refused_before_any_work(files, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(bind_command, "read_sequences", None)
    refused(files, "OUT_DIR .*cannot be made")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_nothing_half_written(files, monkeypatch, error):
    bind(files)
    before = {path.name: path.read_bytes() for path in (files / "out").iterdir()}
    (files / "rna.txt").write_text("\n".join(RNAS[:3]) + "\n")
    whole, calls = bulk_format.lines, []

    def third_fails(values):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return whole(values)

    monkeypatch.setattr(bulk_format, "lines", third_fails)
    folder = names(files)
    for out in ("out", "fresh"):
        calls.clear()
        with pytest.raises((KeyboardInterrupt, UserError)):
            bind(files, out)
    assert names(files) == folder
    assert before == {path.name: path.read_bytes() for path in (files / "out").iterdir()}


# --- unusual input, and a run that is killed


def test_regulome_bind_is_the_same_command(files):
    bind(files)
    given = ["bind", *(str(files / name) for name in ("again", "rbp.txt", "rna.txt"))]
    done = CliRunner().invoke(app, [*given, "--model", str(files / "model.pt"), "--threads", "1", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    for path in (files / "out").iterdir():
        assert (files / "again" / path.name).read_bytes() == path.read_bytes()
    done = CliRunner().invoke(app, [*given, "--offset", "-1"])
    assert isinstance(done.exception, UserError) and "--offset is -1" in str(done.exception)


def test_very_short_and_very_long_rnas_are_read_and_said(files, capsys):
    (files / "rna.txt").write_text("A\nAC\nACGUNACGUACG\n" + "ACGUU" * 200 + "\n")
    folder = files / "model.pt"
    model().with_record(shortest=12).save(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Python's own warnings name files of the package
        found = bind(files).scores
    said = capsys.readouterr().err
    assert "2 of 4 RNAs are shorter than 12 bases" in said and "1 of 4 RNAs are longer than 30 bases" in said
    assert "1 unknown bases (N) are read as A by the network" in said
    (files / "as_a.txt").write_text("ACGUAACGUACG\nA\n")
    vectors = featuriser.featurise(read_sequences(files / "rbp.txt", "protein"))
    alone = Model.load(folder).predict(vectors, read_sequences(files / "as_a.txt", "rna"))
    np.testing.assert_allclose(found[:, [2, 0]], alone, atol=1e-6)


def test_rnas_like_those_of_the_training_are_read_without_a_warning(files, capsys):
    bind(files)
    assert "WARNING" not in capsys.readouterr().err


def test_vectors_of_another_source_are_refused_before_they_are_made(files, monkeypatch):
    monkeypatch.setattr(embedding_sources, "embed", None)
    refused(files, "'esm2_t48_15B_UR50D layer 48 mean' of width 5120", embedding="esm2_t48_15B_UR50D")


def test_what_a_source_announces_is_what_it_makes(files):
    found = embedding_sources.embed("kmers", read_sequences(files / "rbp.txt", "protein"))
    assert embedding_sources.announced("kmers") == (found.source, found.width)
    assert embedding_sources.announced("esm2_t6_8M_UR50D") == ("esm2_t6_8M_UR50D layer 6 mean", 320)
    assert embedding_sources.announced("vectors.npz") is None


def test_profiles_that_are_not_there_are_refused_before_any_work(files, monkeypatch):
    monkeypatch.setattr(embedding_sources, "embed", None)
    refused(files, r"--structure .*none\.npz: no such file", model=files / "folded.pt", structure=files / "none.npz")


def test_a_file_of_profiles_that_nothing_reads_is_said(files, capsys):
    bind(files, structure=files / "cache.db")
    assert "--structure is not needed" in capsys.readouterr().err and not (files / "cache.db").exists()


def test_vectors_for_a_method_that_reads_none_are_refused(files):
    scorer = scoring.Scorer(model(), files / "model.pt", None)
    scorer.method = "homology"
    with pytest.raises(UserError, match=r"--embedding is 'esm\.npz'; .*model\.pt with the method homology reads no"):
        scorer.check("esm.npz", None)
    scorer.check(None, None)


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
@pytest.mark.parametrize("earlier", [False, True])
def test_a_killed_run_leaves_the_folder_as_it_was(tmp_path, monkeypatch, earlier):
    out, calls = tmp_path / "out", []
    table = pd.DataFrame({"file": [f"RBP{i}.txt" for i in range(201, 205)]})
    scores = np.random.default_rng(0).normal(size=(4, 50))
    if earlier:
        bind_command.write(out, scores, table, {"made_by": "an earlier run"})
    before = {path.name: path.read_bytes() for path in out.iterdir()} if earlier else None
    whole = bulk_format.lines

    def third_kills(values):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(values)

    monkeypatch.setattr(bulk_format, "lines", third_kills)
    run = multiprocessing.get_context("fork").Process(target=bind_command.write, args=(out, -scores, table, {}))
    run.start()
    run.join(30)
    assert run.exitcode == -signal.SIGKILL
    assert ({path.name: path.read_bytes() for path in out.iterdir()} if out.exists() else None) == before
    monkeypatch.setattr(bulk_format, "lines", whole)
    bind_command.write(out, -scores, table, {})  # what the killed run left beside it is in nobody's way
    assert names(out) == [*sorted(table["file"]), "prediction.json", "proteins.csv"]
