"""The reader of the full RNAcompete file, on small files of the same layout."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulome.binding.norm_data import read_norm_data
from regulome.binding.sequences import sequences
from regulome.errors import UserError

PROTEINS = sequences(["MKV", "MAV", "MGV"], "protein", ["RNCMPT00001", "RNCMPT00002", "RNCMPT00003"])
HEADER = "Probe_Set\tProbe_ID\tRNA_Seq\tRNCMPT00002\tRNCMPT00001"
LINES = ["SetA\t7\tAGGACUU\t-1.5\t2", "SetB\t8\tAGACCC\tNaN\t0.25", "SetB\t9\tAGAT\t\tNA"]


def write(folder, lines, name="norm_data.txt", ending="\n"):
    path = folder / name
    content = (ending.join(lines) + ending).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("norm_data")


@pytest.mark.parametrize("name", ["norm_data.txt", "norm_data.txt.gz"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_experiments_probes_sets_and_flags_are_read(tmp_path, name, ending):
    found = read_norm_data(write(tmp_path, [HEADER, *LINES], name, ending), PROTEINS)
    assert found.proteins.names == ("RNCMPT00002", "RNCMPT00001")
    assert found.proteins.letters == ("MAV", "MKV")
    assert found.rnas.letters == ("AGGACUU", "AGACCC", "AGAU")
    assert dict(found.rnas.changed) == {"T to U": 1}
    assert found.probe_set.tolist() == ["A", "B", "B"]
    np.testing.assert_array_equal(found.intensities, [[-1.5, np.nan, np.nan], [2, 0.25, np.nan]])
    assert found.kind == "measured"


def test_chosen_experiments_come_in_the_wanted_order(tmp_path):
    found = read_norm_data(write(tmp_path, [HEADER, *LINES]), PROTEINS, ["RNCMPT00001"])
    assert found.proteins.names == ("RNCMPT00001",)
    assert found.intensities.shape == (1, 3)


def test_blanks_instead_of_tabs_and_a_file_without_probe_sets(tmp_path):
    found = read_norm_data(write(tmp_path, ["RNA_Seq  RNCMPT00001", "AGG   1.5", "AGC -2", ""]), PROTEINS)
    assert found.probe_set is None
    np.testing.assert_array_equal(found.intensities, [[1.5, -2]])


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.text("ACGU", min_size=1, max_size=41),
            st.sampled_from(["SetA", "SetB"]),
            st.floats(-1e5, 1e5, width=32),
            st.one_of(st.none(), st.floats(-1e5, 1e5, width=32)),
        ),
        min_size=1,
        max_size=20,
    ),
    order=st.permutations(range(4)),
)
def test_any_file_of_the_layout_comes_back_whatever_the_order_of_columns(folder, rows, order):
    names = ["RNA_Seq", "Probe_Set", "RNCMPT00001", "RNCMPT00003"]
    cells = [[a, b, repr(c), "NaN" if d is None else repr(d)] for a, b, c, d in rows]
    path = write(folder, ["\t".join(line[i] for i in order) for line in [names, *cells]])
    found = read_norm_data(path, PROTEINS, ["RNCMPT00001"])
    assert list(found.rnas.letters) == [row[0] for row in rows]
    assert found.probe_set.tolist() == [row[1][-1] for row in rows]
    np.testing.assert_array_equal(found.intensities[0], np.array([row[2] for row in rows], dtype=np.float32))
    if any(row[3] is not None for row in rows):
        both = read_norm_data(path, PROTEINS)
        expected = [np.nan if row[3] is None else row[3] for row in rows]
        position = both.proteins.names.index("RNCMPT00003")
        np.testing.assert_array_equal(both.intensities[position], np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER.replace("RNA_Seq", "Probe"), *LINES], "line 1: no column RNA_Seq"),
        ([HEADER.replace("00002", "00001"), *LINES], "line 1: column 'RNCMPT00001' occurs twice"),
        (["RNA_Seq\tRNCMPT00009", "AGG\t1"], "no experiment with a known protein"),
        ([HEADER, "SetA\t7\tAGGACUU\t-1.5"], "line 2: found 4 columns; expected 5"),
        ([HEADER, LINES[0], "SetA\t7\tAGG\t-1.5\thigh"], "line 3, column 'RNCMPT00001': found 'high'"),
        ([HEADER, "SetA\t7\tAGG\tinf\t1"], "line 2, column 'RNCMPT00002': found an infinite value"),
        ([HEADER, "SetC\t7\tAGG\t1\t1"], "line 2: probe set: found 'SetC'"),
        ([HEADER, "SetA\t7\t\t1\t1"], "record '1': empty"),
        ([HEADER, "SetA\t7\tAG*\t1\t1"], "record '1', position 3: found '*'"),
        ([HEADER, "SetA\t7\tAGG\tNaN\t1"], "column 'RNCMPT00002' has no number"),
        ([HEADER], "no probes"),
        ([""], "no column RNA_Seq"),
    ],
)
def test_a_faulty_file_is_named_with_line_and_column(tmp_path, lines, message):
    path = write(tmp_path, lines)
    with pytest.raises(UserError) as error:
        read_norm_data(path, PROTEINS)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_an_experiment_that_is_absent_or_has_no_protein_is_named(tmp_path):
    path = write(tmp_path, [HEADER, *LINES])
    with pytest.raises(UserError, match="no column 'RNCMPT00003'; found 2 experiments"):
        read_norm_data(path, PROTEINS, ["RNCMPT00003"])
    with pytest.raises(UserError, match="no protein sequence for experiment 'RNCMPT00002'"):
        read_norm_data(path, PROTEINS.take([0]), ["RNCMPT00002"])


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_norm_data(tmp_path / "absent.txt", PROTEINS)
    path = write(tmp_path, [HEADER, *LINES * 50], "norm_data.txt.gz")
    path.write_bytes(path.read_bytes()[:-15])
    with pytest.raises(UserError, match="cannot be read"):
        read_norm_data(path, PROTEINS)
