"""Strict tables: what is read equals what was written, and every fault is reported at its own line."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulome.errors import UserError
from regulome.tables import csv_bytes, read_table, write_bytes, write_csv

shared_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = st.floats(allow_nan=False, allow_infinity=False)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=6)
)


def as_text(rows, header=None, quote=False):
    out = io.StringIO()
    style = csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    csv.writer(out, lineterminator="\n", quoting=style).writerows(([header] if header else []) + rows)
    return out.getvalue()


@shared_folder
@given(rows=tables, header=st.booleans(), quote=st.booleans(), newline=st.sampled_from(["\n", "\r\n"]))
def test_every_number_is_read_back_exactly(tmp_path, rows, header, quote, newline):
    names = [f"c{i}" for i in range(len(rows[0]))] if header else None
    file = tmp_path / "t.csv"
    file.write_bytes(as_text(rows, names, quote).replace("\n", newline).encode())
    found = read_table(file, header=header)
    assert list(found.columns) == (names or list(range(len(rows[0]))))
    np.testing.assert_array_equal(found.to_numpy(), np.array(rows))


@shared_folder
@given(rows=tables, data=st.data(), header=st.booleans())
def test_a_bad_cell_is_reported_at_its_line_and_column(tmp_path, rows, data, header):
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[0]) - 1))
    bad = data.draw(st.sampled_from(["abc", "nan", "inf", "-Infinity", "1_000", "1;2", "0x1", "--", "1e"]))
    rows = [list(map(repr, each)) for each in rows]
    rows[row][column] = bad
    names = [f"c{i}" for i in range(len(rows[0]))] if header else None
    text = as_text(rows, names)
    file = tmp_path / "t.csv"
    file.write_text(text)
    line = next(i for i, content in enumerate(text.splitlines(), 1) if bad in content.split(","))
    label = f"column 'c{column}'" if header else f"column {column + 1}"
    with pytest.raises(UserError) as error:
        read_table(file, header=header)
    assert f"row {line}, {label}: found '{bad}'" in str(error.value)
    assert str(file) in str(error.value)


@shared_folder
@given(rows=tables, data=st.data())
def test_a_row_of_another_length_is_reported_at_its_line(tmp_path, rows, data):
    row = data.draw(st.integers(0, len(rows) - 1))
    extra = data.draw(st.booleans()) or len(rows[0]) == 1
    changed = [list(each) for each in rows]
    changed[row] = [*changed[row], 1.0] if extra else changed[row][:-1]
    file = tmp_path / "t.csv"
    file.write_text(as_text(changed, [f"c{i}" for i in range(len(rows[0]))]))
    with pytest.raises(UserError, match=rf"row {row + 2}: corrupted CSV, found {len(changed[row])} fields; expected"):
        read_table(file)


def test_the_row_is_the_line_of_the_file_also_after_a_cell_with_a_line_break(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text('gene,x\n"two\nlines",1\nhb,oops\n')
    with pytest.raises(UserError, match="row 4, column 'x': found 'oops'"):
        read_table(file, text=["gene"])


def test_required_columns_come_in_the_requested_order_and_others_are_ignored(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("AP,note,hb,Kr\n1,free words,2,3\n4,,5,6\n")
    found = read_table(file, ["Kr", "AP"])
    assert found.to_dict("list") == {"Kr": [3.0, 6.0], "AP": [1.0, 4.0]}


def test_a_missing_column_names_the_closest_one(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("AP,hb,Kr\n1,2,3\n")
    with pytest.raises(UserError, match=r"missing column 'kr' \(did you mean 'Kr'\?\); found AP, hb, Kr; expected"):
        read_table(file, ["hb", "kr"])


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"", {}, "the file is empty"),
        (b"\n\n", {}, "the file is empty"),
        (b"a,b\n", {}, "no data rows after the header"),
        (b"a,a\n1,2\n", {}, "row 1: column 'a' appears twice"),
        (b"a,b\n1,2\n\n3,4\n", {}, "row 3: blank line"),
        (b"a,b\n1,\n", {}, "row 2, column 'b': found ''; expected a finite number"),
        (b"a,b\n1,2\n\xff,4\n", {}, "row 3: invalid start byte; expected UTF-8"),
        (b'a,b\n1,2\n"3,4\n', {}, "row 3: corrupted CSV"),
        (b"a,b\n1,2\n", {"n_columns": 3}, "the header has 2 columns; expected 3"),
        (b"1,2\n3,4\n", {"header": False, "n_columns": 5}, "row 1: found 2 fields; expected 5"),
        (b"1,2\n3,4\n", {"header": False, "columns": ["hb"]}, "row 1: found 2 fields; expected 1"),
        (b"1,2\n3,-4\n", {"header": False, "low": 0}, "row 2, column 2: found -4; expected a number of at least 0"),
        (b"a\n0.5\n2\n", {"low": 0, "high": 1}, "row 3, column 'a': found 2; expected a number between 0 and 1"),
        (b"a,g\n1, \n", {"text": ["g"]}, "row 2, column 'g': the cell is empty"),
    ],
)
def test_faults_are_named(tmp_path, content, arguments, message):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_table(file, **arguments)
    assert message in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(UserError, match="cannot read it"):
        read_table(tmp_path)


def test_byte_order_mark_trailing_blank_lines_and_tabs_are_accepted(tmp_path):
    file = tmp_path / "t.tsv"
    file.write_bytes(b"\xef\xbb\xbfa\tb\r\n1\t 2\r\n\r\n\r\n")
    assert read_table(file, ["a", "b"], delimiter="\t").to_numpy().tolist() == [[1.0, 2.0]]


def test_written_tables_have_six_digits_exact_integers_and_line_feeds():
    df = pd.DataFrame({"x": [1 / 3, np.nan], "n": [123456789, -1], "gene": ["Kr, hb", "gt"]})
    assert csv_bytes(df) == b'x,n,gene\n0.333333,123456789,"Kr, hb"\n,-1,gt\n'


def test_a_named_index_is_written_and_an_unnamed_one_is_not():
    df = pd.DataFrame({"x": [1, 2]}, index=[7, 9])
    assert csv_bytes(df) == b"x\n1\n2\n"
    assert csv_bytes(df.rename_axis("step")) == b"step,x\n7,1\n9,2\n"


def test_tables_that_a_csv_cannot_hold_are_refused():
    with pytest.raises(UserError, match="nested columns"):
        csv_bytes(pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])))
    with pytest.raises(UserError, match="column 'a' twice"):
        csv_bytes(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@shared_folder
@given(rows=tables)
def test_written_tables_are_read_back_to_six_digits(tmp_path, rows):
    file = tmp_path / "t.csv"
    write_csv(pd.DataFrame(rows, columns=[f"c{i}" for i in range(len(rows[0]))]), file)
    np.testing.assert_allclose(read_table(file).to_numpy(), np.array(rows), rtol=5e-6, atol=1e-310)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv"]


def test_a_folder_that_cannot_be_written_is_named_and_the_earlier_file_kept(tmp_path):
    earlier = tmp_path / "out.csv"
    earlier.write_text("kept")
    with pytest.raises(UserError, match=r"cannot write .*REGULOME_OUTPUT"):
        write_bytes(earlier / "below" / "x.csv", b"new")
    assert earlier.read_text() == "kept"


def test_files_are_readable_by_everyone_the_umask_allows(tmp_path):
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    write_bytes(ours, b"")
    assert ours.stat().st_mode == plain.stat().st_mode
