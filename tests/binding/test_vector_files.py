"""Files of vectors: round trips, and every mismatch refused by name."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from regulome.binding import vector_files
from regulome.binding.sequences import sequences
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

PROTEINS = sequences(["MKV", "ACDE", "WWY"], "protein", ["first", "second, with a comma", "third"])


@pytest.fixture
def vectors():
    values = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32) * 10.0 ** np.arange(-20, 5, 5)
    return Vectors(PROTEINS.names, values.astype(np.float32), "esm2_tiny layer 3 mean", PROTEINS.checksum())


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_a_file_gives_back_what_was_saved(tmp_path, vectors, ending):
    path = tmp_path / f"vectors{ending}"
    vector_files.save(vectors, path)
    for found in (vector_files.load(path), vector_files.load(path, PROTEINS)):
        np.testing.assert_array_equal(found.values, vectors.values)
        assert found.values.dtype == np.float32
        assert replace(found, values=vectors.values) == vectors
    before = path.read_bytes()
    vector_files.save(vectors, path)
    assert path.read_bytes() == before


def test_a_packed_csv_is_read(tmp_path, vectors):
    vector_files.save(vectors, tmp_path / "v.csv")
    (tmp_path / "v.csv.gz").write_bytes(gzip.compress((tmp_path / "v.csv").read_bytes()))
    np.testing.assert_array_equal(vector_files.load(tmp_path / "v.csv.gz").values, vectors.values)


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_vectors_of_other_proteins_are_refused(tmp_path, vectors, ending):
    path = tmp_path / f"v{ending}"
    vector_files.save(vectors, path)
    with pytest.raises(UserError, match="found 3 vectors; expected 2"):
        vector_files.load(path, PROTEINS.take([0, 1]))
    with pytest.raises(UserError, match=r"made from other sequences: .*vector 1: found the name 'first'"):
        vector_files.load(path, PROTEINS.take([1, 0, 2]))
    changed = sequences(["MKV", "ACDE", "WWW"], "protein", PROTEINS.names)
    with pytest.raises(UserError, match="made from other sequences"):
        vector_files.load(path, changed)


def test_without_a_checksum_names_have_to_agree(tmp_path, vectors):
    path = tmp_path / "v.npz"
    vector_files.save(replace(vectors, checksum=""), path)
    assert vector_files.load(path, PROTEINS).checksum == PROTEINS.checksum()
    with pytest.raises(UserError, match="vector 1: found the name 'first', expected 'third'"):
        vector_files.load(path, PROTEINS.take([2, 1, 0]))


def test_the_published_course_layout_needs_the_proteins(tmp_path, vectors):
    path = tmp_path / "esm_emb_train.npy"
    np.save(path, vectors.values.astype(np.float64))
    found = vector_files.load(path, PROTEINS)
    np.testing.assert_array_equal(found.values, vectors.values)
    assert (found.names, found.source) == (PROTEINS.names, vector_files.NO_HEADER)
    assert vector_files.load(path, PROTEINS, "esm2_t48_15B_UR50D").source == "esm2_t48_15B_UR50D"
    with pytest.raises(UserError, match="expected the proteins that its rows belong to"):
        vector_files.load(path)
    with pytest.raises(UserError, match=r"shape \(3, 5\); expected 2 rows"):
        vector_files.load(path, PROTEINS.take([0, 1]))
    np.save(path, np.array([{"a": 1}] * 3), allow_pickle=True)
    with pytest.raises(UserError, match=r"cannot be read as \.npy"):
        vector_files.load(path, PROTEINS)


def test_a_model_refuses_another_source_or_width(vectors):
    vector_files.require(vectors, vectors.source, 5, "model.pt")
    with pytest.raises(UserError, match=r"model\.pt: found protein vectors of 'esm2_tiny .*'; expected .*k-mers"):
        vector_files.require(vectors, "k-mers", 5, "model.pt")
    with pytest.raises(UserError, match=r"with 5 numbers \(esm2_tiny layer 3 mean\); expected 320"):
        vector_files.require(vectors, vectors.source, 320, "model.pt")


HEADER = "# source: s\n# pooling: mean\n# width: 2\n# checksum: \n"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("name,e0,e1\na,1,2\n", "missing line '# source"),
        (HEADER.replace("width: 2", "width: 3") + "name,e0,e1\na,1,2\n", "found 2 numbers a vector; expected width 3"),
        (HEADER + "name,e0,e1\na,1,2\nb,1,x\n", "line 7, column 'e1': found 'x'; expected a number"),
        (HEADER + "name,e0,e1\na,1\n", "line 6: found 2 fields; expected 3"),
        (HEADER + "name,e0,e1\na,1,nan\n", "vector 1, number 2: found a value that is not finite"),
        (HEADER + "protein,e0,e1\na,1,2\n", "line 5: expected the line 'name,e0,e1"),
        (HEADER, "line 5: expected the line"),
        ("", "missing line '# source"),
    ],
)
def test_a_bad_csv_is_refused_by_line(tmp_path, written, message):
    path = tmp_path / "bad.csv"
    path.write_text(written)
    with pytest.raises(UserError, match=rf"bad\.csv.*{message}"):
        vector_files.load(path)


def test_a_bad_npz_is_refused(tmp_path, vectors):
    path = tmp_path / "bad.npz"
    with pytest.raises(UserError, match="no such file"):
        vector_files.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"cannot be read as \.npz"):
        vector_files.load(path)
    np.savez(path, names=np.array(["a"]), values=np.zeros((1, 2)))
    with pytest.raises(UserError, match="missing field 'source'; found names, values"):
        vector_files.load(path)
    fields = json.loads('{"source": "s", "pooling": "mean", "width": "3", "checksum": ""}')
    np.savez(path, names=np.array(["a"]), values=np.zeros((1, 2)), **fields)
    with pytest.raises(UserError, match="found 2 numbers a vector; expected width 3"):
        vector_files.load(path)
    with pytest.raises(UserError, match=r"found the ending '\.txt'"):
        vector_files.save(vectors, tmp_path / "v.txt")
