"""Compendia: the three files of the course layout, their mistakes, and the .npz file."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from regulome.binding import compendium
from regulome.binding.compendium import Compendium, read_compendium, read_matrix
from regulome.binding.sequences import sequences
from regulome.errors import UserError

PROTEINS, RNAS = ["MKV", "MAV"], ["ACGU", "GGGU", "CCAU"]
VALUES = np.array([[1.5, -2, 3e2], [0.25, 5, -6]], dtype=np.float32)  # proteins in rows
NUMBERS = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan")))


def files(folder, matrix, proteins=PROTEINS, rnas=RNAS):
    """The three files in the given folder; the matrix as text or as numbers with RNAs in rows."""
    text = matrix if isinstance(matrix, str) else "\n".join(" ".join(f"{x:.6g}" for x in row) for row in matrix) + "\n"
    paths = [folder / name for name in ("matrix.txt", "proteins.txt", "rnas.txt")]
    for path, content in zip(paths, (text, "\n".join(proteins), "\n".join(rnas)), strict=True):
        path.write_bytes(content.encode())
    return paths


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compendium")


def refused(call, *args) -> str:
    with pytest.raises(UserError) as error:
        call(*args)
    return str(error.value)


def test_rows_of_the_file_are_rnas_and_columns_proteins(tmp_path):
    found = read_compendium(*files(tmp_path, VALUES.T))
    np.testing.assert_array_equal(found.intensities, VALUES)
    assert found.proteins.letters == tuple(PROTEINS)
    assert found.kind == "measured"


def test_a_matrix_the_other_way_round_is_recognised_by_its_size(tmp_path):
    np.testing.assert_array_equal(read_compendium(*files(tmp_path, VALUES)).intensities, VALUES)


def test_where_both_counts_are_equal_rows_are_rnas(tmp_path):
    found = read_compendium(*files(tmp_path, [[1, 2], [3, 4]], rnas=RNAS[:2]))
    np.testing.assert_array_equal(found.intensities, [[1, 3], [2, 4]])


@settings(max_examples=60, deadline=None)
@given(
    values=arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=NUMBERS),
    separator=st.sampled_from([" ", "\t", ",", "  "]),
    ending=st.sampled_from(["\n", "\r\n"]),
    zipped=st.booleans(),
)
def test_matrices_come_back_bit_by_bit(folder, values, separator, ending, zipped):
    text = ending.join(separator.join(repr(float(x)) for x in row) for row in values) + ending
    path = folder / ("m.txt.gz" if zipped else "m.txt")
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    np.testing.assert_array_equal(read_matrix(path), values)


def test_a_count_that_does_not_fit_is_named_with_both_files(tmp_path):
    paths = files(tmp_path, VALUES.T[:2, :1])
    message = refused(read_compendium, *paths)
    assert f"{paths[0]}: found 2 rows and 1 columns; expected 3 rows ({paths[2]}) and 2 columns" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3 x\n5 6\n", "row 2, column 2: found 'x'; expected a number"),
        ("1 2\n3 1,5\n5 6\n", "row 2, column 2: found '1,5'"),
        ("1,2\n3,4;\n5,6\n", "row 2, column 2: found '4;'"),
        ("1 2\n3\n5 6\n", "row 2: found 1 columns; expected 2"),
        ("1 2\n\n5 6\n", "row 2: found 0 columns"),
        ("1 2\n3 inf\n5 6\n", "row 2, column 2: found an infinite value"),
        ("1 2\n3 1e99\n5 6\n", "row 2, column 2: found an infinite value"),
        ("1 nan\n3 NA\n5 nan\n", "column 2 (protein '2') has no number"),
        ("", "empty; expected a matrix"),
    ],
)
def test_a_faulty_matrix_is_named_with_row_and_column(tmp_path, text, message):
    paths = files(tmp_path, text)
    found = refused(read_compendium, *paths)
    assert str(paths[0]) in found
    assert message in found


def test_single_absent_values_are_kept_as_nan(tmp_path):
    found = read_compendium(*files(tmp_path, "1 nan\n3 NA\n5 6\n")).intensities
    np.testing.assert_array_equal(found, [[1, 3, 5], [np.nan, np.nan, 6]])


def test_an_empty_line_among_the_sequences_is_refused_before_rows_shift(tmp_path):
    paths = files(tmp_path, VALUES.T, rnas=["ACGU", "", "CCAU"])
    assert f"{paths[2]} line 2: empty" in refused(read_compendium, *paths)


def test_taking_proteins_and_rnas_keeps_names_values_and_sets_together():
    made = Compendium(
        sequences(PROTEINS, "protein"), sequences(RNAS, "rna"), VALUES, "synthetic", np.array(["A", "B", "B"])
    )
    part = made.take([1], [2, 0])
    assert part.proteins.names == ("2",)
    assert part.rnas.names == ("3", "1")
    assert part.probe_set.tolist() == ["B", "A"]
    np.testing.assert_array_equal(part.intensities, [[-6, 0.25]])


def test_shape_and_kind_are_checked():
    with pytest.raises(ValueError, match="for 2 proteins and 3 RNAs"):
        Compendium(sequences(PROTEINS, "protein"), sequences(RNAS, "rna"), VALUES.T, "measured")
    with pytest.raises(ValueError, match="'guessed'"):
        Compendium(sequences(PROTEINS, "protein"), sequences(RNAS, "rna"), VALUES, "guessed")


# --- the .npz file


@settings(max_examples=30, deadline=None)
@given(
    proteins=st.lists(st.text("ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=30), min_size=1, max_size=5),
    rnas=st.lists(st.text("acgut", min_size=1, max_size=12), min_size=1, max_size=5),
    sets=st.booleans(),
    kind=st.sampled_from(compendium.KINDS),
    data=st.data(),
)
def test_saved_compendia_come_back_whole(folder, proteins, rnas, sets, kind, data):
    values = data.draw(arrays.arrays(np.float32, (len(proteins), len(rnas)), elements=NUMBERS))
    names = data.draw(st.lists(st.text(min_size=1), min_size=len(proteins), max_size=len(proteins), unique=True))
    try:
        "".join(names).encode()
    except UnicodeEncodeError:  # lone surrogates are no text
        return
    made = Compendium(
        sequences(proteins, "protein", names),
        sequences(rnas, "rna"),
        values,
        kind,
        np.array(["A", "B"] * len(rnas))[: len(rnas)] if sets else None,
        "a source",
    )
    compendium.save(made, folder / "c.npz")
    found = compendium.load(folder / "c.npz")
    assert (found.proteins, found.rnas, found.kind, found.source) == (made.proteins, made.rnas, kind, "a source")
    np.testing.assert_array_equal(found.intensities, values)
    assert (found.probe_set is None) == (not sets)
    if sets:
        assert found.probe_set.tolist() == made.probe_set.tolist()


def test_saving_twice_gives_the_same_bytes(tmp_path):
    made = Compendium(sequences(PROTEINS, "protein"), sequences(RNAS, "rna"), VALUES, "synthetic")
    for name in "ab":
        compendium.save(made, tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_a_file_that_is_no_compendium_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    assert "no such file" in refused(compendium.load, path)
    path.write_bytes(b"PK\x03\x04 not really")
    assert "not a compendium, or damaged" in refused(compendium.load, path)
    np.savez(path, intensities=VALUES)
    assert "not a compendium, or damaged" in refused(compendium.load, path)
    np.savez(path, meta=np.array([{}], dtype=object), intensities=VALUES, probe_set=VALUES, allow_pickle=True)
    assert "not a compendium, or damaged" in refused(compendium.load, path)


def test_a_truncated_compendium_is_refused(tmp_path):
    made = Compendium(sequences(PROTEINS, "protein"), sequences(RNAS, "rna"), VALUES, "synthetic")
    path = tmp_path / "c.npz"
    compendium.save(made, path)
    path.write_bytes(path.read_bytes()[:-40])
    assert "not a compendium, or damaged" in refused(compendium.load, path)
