"""One interface to all sources, and the command that writes their vectors."""

import sys

import numpy as np
import pytest
import torch

from regulome.binding import embed as command
from regulome.binding import esm_sizes, vector_files
from regulome.binding.embedding_sources import check_source, embed
from regulome.binding.embeddings import embed as embed_whole
from regulome.binding.embeddings import load_esm2
from regulome.binding.featuriser import featurise
from regulome.binding.sequences import sequences
from regulome.errors import UserError

PROTEINS = sequences(["MKTAYIAKQRQ", "MWLLV", "ACDX"], "protein", ["a", "b", "c"])


@pytest.fixture
def checkpoint(tmp_path):
    return esm_sizes.write_random(tmp_path, 2, 16, 2, seed=1)


def test_each_source_gives_its_own_vectors(tmp_path, checkpoint):
    np.testing.assert_array_equal(embed("kmers", PROTEINS).values, featurise(PROTEINS).values)
    threads = torch.get_num_threads()
    esm = embed(str(checkpoint), PROTEINS, "cpu", threads=1, progress=False)
    assert torch.get_num_threads() == threads
    np.testing.assert_allclose(esm.values, embed_whole(load_esm2(checkpoint, "cpu"), PROTEINS).values, atol=3e-6)
    for ending in (".npz", ".csv"):
        file = tmp_path / f"vectors{ending}"
        vector_files.save(esm, file)
        found = embed(str(file), PROTEINS)
        np.testing.assert_array_equal(found.values, esm.values)
        assert found.source == "esm2_random_weights_2x16 layer 2 mean"


def test_an_unknown_source_gets_the_closest_one(tmp_path):
    with pytest.raises(UserError, match=r"source is 'kmer' \(did you mean 'kmers'\?\)"):
        check_source("kmer")
    with pytest.raises(UserError, match=r"did you mean 'esm2_t33_650M_UR50D'"):
        embed("esm2_t33_650M", PROTEINS)
    with pytest.raises(UserError, match="no such file"):
        embed(str(tmp_path / "absent.npz"), PROTEINS)
    with pytest.raises(UserError, match="no such file"):
        embed(str(tmp_path / "absent.pt"), PROTEINS)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command here; returns its exit status, what it printed and its errors."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["embed", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return ended.value.code or 0, *capsys.readouterr()

    return call


def test_the_command_writes_vectors_and_says_what_it_did(tmp_path, checkpoint, run):
    fasta, out = tmp_path / "p.fasta", tmp_path / "out" / "v.csv"
    fasta.write_text(">a\nMKTAYIAKQRQ\n>b\nMWlJV*\n")
    status, printed, _ = run(fasta, out, "--source", checkpoint, "--unknown", "replace", "--device", "cpu")
    assert status == 0
    assert "unknown letters: 2" in printed
    assert "2 proteins x 16 numbers, esm2_random_weights_2x16 layer 2 mean" in printed
    proteins = sequences(["MKTAYIAKQRQ", "MWLXVX"], "protein", ["a", "b"])
    expected = embed_whole(load_esm2(checkpoint, "cpu"), proteins).values
    np.testing.assert_allclose(vector_files.load(out, proteins).values, expected, atol=3e-6)


def test_bad_input_leaves_an_earlier_file_untouched(tmp_path, run):
    fasta, out = tmp_path / "p.fasta", tmp_path / "v.npz"
    fasta.write_text(">a\nMKJ\n")
    out.write_text("earlier")
    status, _, errors = run(fasta, out, "--force")
    assert status == 2
    assert "position 3: found 'J'" in errors
    assert "expected a new file, or --force" in run(fasta, out)[2]
    assert "expected .npz or .csv" in run(fasta, tmp_path / "v.txt")[2]
    assert out.read_text() == "earlier"
